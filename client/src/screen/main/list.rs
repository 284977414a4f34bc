//! The list of people: calls first, then contacts, then everyone else, and those who are blocked.

use iced::widget::{Column, button, column, container, row, space as blank, text, text_input};
use iced::{Center, Element, Fill, Theme};

use super::contacts::{Bond, Request};
use super::roster::KNOWN_MAX;
use super::{Main, Message};
use crate::icon::Icon;
use crate::present::{self, Here};
use crate::theme::{self, size, space};
use crate::widget;
use crate::widget::line::Line;
use crate::words::main as words;

/// The search field.
pub const SEARCH: &str = "search";

/// What is pressed in a row, with the beginning of its id; the name follows.
const PERSON: &str = "person-";
const ACCEPT: &str = "accept-";
const DECLINE: &str = "decline-";
const BLOCK: &str = "block-";

/// A word beside a name, with its look.
type Tag = (&'static str, fn(&Theme) -> text::Style);

impl Main {
    /// Returns the ids of all that may be pressed in the list.
    pub fn rows(&self) -> Vec<String> {
        let id = |begins: &str, name: &str| format!("{begins}{name}");
        let found = self.people.found().names.iter();
        let people = self.conversations.keys().chain(found).map(|name| id(PERSON, name));
        let calls = self.contacts.requests().iter().flat_map(|request| {
            [PERSON, ACCEPT, DECLINE, BLOCK].map(|begins| id(begins, &request.peer))
        });
        people.chain(calls).collect()
    }

    /// Shows it.
    pub(super) fn list<'a>(&'a self, here: &Here) -> Element<'a, Message> {
        let own = Line::new(&*self.user, size::LARGE);
        let sign_out = (!self.signing_out).then_some(Message::SignOutPressed);
        let settings = Some(Message::SettingsPressed);
        let ways = row![
            widget::iconic("settings", Icon::Settings, words::SETTINGS, settings),
            widget::iconic("lock", Icon::Lock, words::LOCK, Some(Message::LockPressed)),
            widget::iconic("sign-out", Icon::LogOut, words::SIGN_OUT, sign_out),
        ];
        let head = row![container(own).width(Fill), ways].align_y(Center);
        let signing_out = self.signing_out.then(|| widget::hint(words::SIGNING_OUT));
        let head = column![head].push(signing_out).spacing(space::TIGHT);
        let search: text_input::TextInput<'_, Message> =
            widget::input(SEARCH, words::SEARCH, self.people.search());
        let search = search.on_input(Message::SearchTyped).on_submit(Message::SearchSubmitted);
        let top = column![head, widget::apart(search)].spacing(space::SMALL).padding(space::INNER);
        let list = widget::scroll(self.people(here).padding(space::SMALL)).height(Fill);
        container(column![top, list]).width(Fill).height(Fill).style(theme::panel).into()
    }

    /// The groups; while somebody is searched for, only calls and those who are found.
    fn people<'a>(&'a self, here: &Here) -> Column<'a, Message> {
        let is_searching = self.people.is_searching();
        let found = self.people.found();
        let picked = self.picked();
        let calls: Vec<_> =
            self.contacts.requests().iter().map(|it| self.request(it, picked)).collect();
        let known = self.known();
        let more = found.more + known.len().saturating_sub(KNOWN_MAX);
        let no_contacts = known.is_empty() && calls.is_empty() && !is_searching;
        let known = known.into_iter().take(KNOWN_MAX).map(|it| self.person(it, picked, here));
        let known: Vec<_> = known.collect();
        let others: Vec<_> = self.others().map(|it| self.person(it, picked, here)).collect();
        let mut list = Column::new().spacing(2).width(Fill);
        let no_contacts = no_contacts && !others.is_empty();
        list = list.push(
            no_contacts.then(|| container(widget::hint(words::NO_CONTACTS)).padding(space::SMALL)),
        );
        for (words, rows) in
            [(words::CALLS, calls), (words::CONTACTS, known), (words::EVERYONE, others)]
        {
            if !rows.is_empty() {
                list = list.push(heading(words)).extend(rows);
            }
        }
        let list = list.push(self.hint(found.names.len(), more));
        if is_searching { list } else { self.blocked(list, here) }
    }

    /// Words under the list, if it needs any.
    fn hint(&self, shown: usize, more: usize) -> Option<Element<'_, Message>> {
        let words = match (shown, more) {
            (0, _) if self.people.is_empty() => words::NOBODY_ELSE.to_owned(),
            (0, _) if !self.people.search().is_empty() => words::NOBODY_FOUND.to_owned(),
            (_, 0) => return None,
            (_, more) => words::more(more),
        };
        Some(container(widget::hint(words)).padding(space::SMALL).into())
    }

    /// A call that waits, with its answers.
    fn request<'a>(&self, request: &'a Request, picked: Option<&str>) -> Element<'a, Message> {
        let peer = &request.peer;
        let answer = |begins: &str, words, style: fn(&_, _) -> _, answer: fn(String) -> Message| {
            let label = text(words).size(size::SMALL);
            let pressed = (!request.is_answered).then(|| answer(peer.clone()));
            let answer = button(label).padding([space::TIGHT, space::SMALL]).style(style);
            widget::place(format!("{begins}{peer}"), answer.on_press_maybe(pressed))
        };
        let name = text(words::calls(peer)).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
        let is_shown = self.shown.as_ref() == Some(peer) || picked == Some(peer);
        let name = button(name).width(Fill).padding(space::SMALL).style(theme::row(is_shown));
        let name = name.on_press(Message::PersonPressed(peer.clone()));
        let answers = row![
            answer(ACCEPT, words::ACCEPT, theme::primary, Message::AcceptPressed),
            answer(DECLINE, words::DECLINE, theme::secondary, Message::DeclinePressed),
            answer(BLOCK, words::BLOCK, theme::secondary, Message::BlockPressed),
        ];
        let answers = container(answers.spacing(space::TIGHT).wrap()).padding([0.0, space::SMALL]);
        let card = column![widget::place(person_id(peer), name), answers].spacing(space::TIGHT);
        container(card).padding(iced::padding::bottom(space::SMALL)).width(Fill).into()
    }

    fn person<'a>(
        &'a self,
        name: &'a str,
        picked: Option<&str>,
        here: &Here,
    ) -> Element<'a, Message> {
        let conversation = self.conversations.get(name);
        let unread = conversation.map_or(0, |it| it.unread);
        let badge = (unread > 0).then(|| {
            let number = text(if unread > 99 { "99+".into() } else { unread.to_string() });
            container(number.size(size::SMALL)).padding([1.0, space::SMALL]).style(theme::badge)
        });
        let tag = self.tag(name).map(|(words, style)| text(words).size(size::SMALL).style(style));
        let last = conversation.filter(|_| self.is_known(name)).and_then(|it| it.messages.last());
        let when = conversation.filter(|_| last.is_some()).and_then(|it| it.active_ms);
        let when =
            when.map(|at| text(present::lately(at, here)).size(size::SMALL).style(theme::faint));
        let first = row![Line::new(name, size::BODY)].push(tag).push(when).align_y(Center);
        let said = last.map(|last| Line::new(present::one_line(&last.text), size::SMALL));
        let said = said.map(|said| row![said.style(theme::faint)]);
        let second = match (said, badge) {
            (Some(said), badge) => Some(said.push(badge)),
            (None, Some(badge)) => Some(row![blank().width(Fill), badge]),
            (None, None) => None,
        };
        let second = second.map(|row| row.spacing(space::SMALL).align_y(Center));
        let label = column![first.spacing(space::SMALL)].push(second).width(Fill);
        let label = row![widget::disc::disc(name), label].spacing(space::SMALL).align_y(Center);
        let is_shown = self.shown.as_deref() == Some(name) || picked == Some(name);
        let row = button(label).width(Fill).padding([space::TIGHT, space::SMALL]);
        let row = row.style(theme::row(is_shown)).on_press(Message::PersonPressed(name.into()));
        widget::place(person_id(name), row)
    }

    /// How somebody stands, in a word, if there is something to say.
    fn tag(&self, name: &str) -> Option<Tag> {
        match self.bond(name) {
            Bond::KeyChanged => Some((words::TAG_KEY_CHANGED, theme::bad)),
            Bond::Blocked => Some((words::TAG_BLOCKED, theme::faint)),
            Bond::Calling => Some((words::TAG_CALLING, theme::faint)),
            Bond::Contact if self.contacts.is_verified(name) => {
                Some((words::TAG_VERIFIED, theme::good))
            }
            Bond::Contact | Bond::Stranger | Bond::Caller { .. } => None,
        }
    }

    /// Those who are blocked, folded until they are asked for.
    fn blocked<'a>(&'a self, list: Column<'a, Message>, here: &Here) -> Column<'a, Message> {
        let number = self.contacts.blocked().count();
        if number == 0 {
            return list;
        }
        let label = text(words::blocked_people(number, self.shows_blocked)).size(size::SMALL);
        let fold = button(label.style(theme::faint)).width(Fill).style(theme::quiet);
        let fold = fold.padding([space::TIGHT, space::SMALL]).on_press(Message::BlockedPressed);
        let list = list.push(widget::place("blocked", fold));
        let shown = self.contacts.blocked().filter(|_| self.shows_blocked);
        list.extend(shown.map(|name| self.person(name, None, here)))
    }
}

fn person_id(name: &str) -> String {
    format!("{PERSON}{name}")
}

fn heading<'a>(words: &'a str) -> Element<'a, Message> {
    container(widget::hint(words)).padding([space::TIGHT, space::SMALL]).into()
}
