//! What the main screen looks like.

use iced::keyboard::key::Named;
use iced::widget::text_editor::{Binding, KeyPress};
use iced::widget::{Column, button, column, container, keyed_column, row, space as blank, text};
use iced::widget::{text_editor, text_input};
use iced::{Center, Element, Fill, Right, Shrink};

use super::conversation::{By, Conversation, Older, Shown};
use super::privacy::Cover;
use super::safety::Safety;
use super::{Main, Message, Notice};
use crate::clock::Now;
use crate::present::{self, Excerpt, Here, Progress};
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// The search field.
pub const SEARCH: &str = "search";

/// The field that messages are written in.
pub const COMPOSER: &str = "composer";

/// What shows the messages.
pub const MESSAGES: &str = "messages";

/// Width of the list of people, in pixels.
const PEOPLE_WIDTH: f32 = 260.0;

/// Widest bubble, in pixels.
const BUBBLE_WIDTH: f32 = 560.0;

/// Notices that are shown at once.
const NOTICES_SHOWN: usize = 3;

/// Highest field for a draft, in pixels; a longer one scrolls.
const COMPOSER_HEIGHT: f32 = 160.0;

/// Returns the id of a person's row.
pub fn person_id(name: &str) -> String {
    format!("person-{name}")
}

impl Main {
    /// Shows all of it.
    pub fn view(&self, now: Now, here: &Here) -> Element<'_, Message> {
        let people = container(self.people()).width(PEOPLE_WIDTH).height(Fill).style(theme::panel);
        let conversation =
            match self.shown.as_ref().and_then(|it| self.conversations.get_key_value(it)) {
                Some((peer, conversation)) => self.conversation_view(peer, conversation, here),
                None => self.nobody(),
            };
        let conversation = container(conversation).width(Fill).height(Fill);
        let upright = container(blank().width(1).height(Fill)).style(theme::line);
        let middle = row![people, upright, conversation].height(Fill);
        let banner = self.privacy.is_lost().then(|| self.banner(now));
        let notices = self.notices.iter().take(NOTICES_SHOWN).map(notice);
        let hidden = self.notices.len().saturating_sub(NOTICES_SHOWN);
        let hidden = (hidden > 0).then(|| {
            let more = text(words::more_notices(hidden)).size(size::SMALL);
            container(more).padding(space::SMALL).width(Fill).style(theme::banner)
        });
        let top = Column::new().push(banner).extend(notices).push(hidden);
        column![top, middle, widget::rule(), self.privacy_bar(now)].into()
    }

    /// The list of people: conversations first, then everyone else.
    fn people(&self) -> Element<'_, Message> {
        let own = text(&self.user).size(size::LARGE);
        let sign_out = if self.signing_out { words::SIGNING_OUT } else { words::SIGN_OUT };
        let sign_out = widget::quiet(
            "sign-out",
            sign_out,
            (!self.signing_out).then_some(Message::SignOutPressed),
        );
        let head = container(widget::ends(own, sign_out));
        let search: text_input::TextInput<'_, Message> =
            widget::input(SEARCH, words::SEARCH, self.people.search());
        let search = search.on_input(Message::SearchTyped).on_submit(Message::SearchSubmitted);
        let is_open = |name: &str| self.conversations.get(name).is_some_and(|it| it.is_listed());
        let searching = self.people.is_searching();
        let open = self.conversations.iter().filter(|(_, it)| it.is_listed() && !searching);
        let open: Vec<_> = open.map(|(name, it)| self.person(name, Some(it))).collect();
        let found = self.people.found();
        let others = found.names.iter().filter(|name| searching || !is_open(name));
        let (known, others): (Vec<_>, Vec<_>) = others.partition(|name| is_open(name));
        let others = known.into_iter().chain(others);
        let others: Vec<_> =
            others.map(|name| self.person(name, self.conversations.get(name))).collect();
        let mut list = Column::new().spacing(2).width(Fill);
        if !open.is_empty() {
            list = list.push(heading(words::CONVERSATIONS)).extend(open);
        }
        if !others.is_empty() {
            list = list.push(heading(words::EVERYONE)).extend(others);
        }
        list = list.push(self.people_hint(found.names.len(), found.more));
        let list = widget::scroll(list.padding(space::SMALL)).height(Fill);
        let top = column![head, search].spacing(space::SMALL).padding(space::INNER);
        column![top, list].into()
    }

    /// Words under the list, if it needs any.
    fn people_hint(&self, shown: usize, more: usize) -> Option<Element<'_, Message>> {
        let words = match (shown, more) {
            (0, _) if self.people.is_empty() => words::NOBODY_ELSE.to_owned(),
            (0, _) if !self.people.search().is_empty() => words::NOBODY_FOUND.to_owned(),
            (_, 0) => return None,
            (_, more) => words::more(more),
        };
        Some(container(widget::hint(words)).padding(space::SMALL).into())
    }

    fn person<'a>(
        &'a self,
        name: &'a str,
        conversation: Option<&'a Conversation>,
    ) -> Element<'a, Message> {
        let unread = conversation.map_or(0, |it| it.unread);
        let badge = (unread > 0).then(|| {
            let number = text(if unread > 99 { "99+".into() } else { unread.to_string() });
            container(number.size(size::SMALL)).padding([1.0, space::SMALL]).style(theme::badge)
        });
        let name_text = text(name).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
        let label = row![container(name_text).width(Fill)].push(badge).align_y(Center);
        let is_shown = self.shown.as_deref() == Some(name);
        let row = button(label.spacing(space::SMALL)).width(Fill).padding(space::SMALL);
        let row = row.style(theme::row(is_shown)).on_press(Message::PersonPressed(name.into()));
        widget::place(person_id(name), row)
    }

    /// What is shown while nobody is chosen.
    fn nobody(&self) -> Element<'_, Message> {
        let words = column![
            text(words::CHOOSE).size(size::LARGE),
            text(words::CHOOSE_HINT).size(size::BODY).style(theme::faint).center(),
        ];
        let words = words.spacing(space::SMALL).align_x(Center).max_width(420);
        container(words).center(Fill).padding(space::WIDE).into()
    }

    fn conversation_view<'a>(
        &'a self,
        peer: &'a str,
        conversation: &'a Conversation,
        here: &Here,
    ) -> Element<'a, Message> {
        let covered = self.privacy.is_covered();
        let state = match (&conversation.problem, conversation.is_live) {
            (Some(problem), _) => text(&problem.words).style(theme::bad),
            (None, _) if !covered => text(words::AWAY).style(theme::faint),
            (None, true) => text(words::LIVE).style(theme::faint),
            (None, false) => text(words::waiting(peer)).style(theme::faint),
        };
        let name = text(peer).size(size::LARGE).wrapping(text::Wrapping::WordOrGlyph).width(Fill);
        let safety = conversation.safety.is_hidden().then_some(Message::SafetyNumberPressed);
        let safety = widget::quiet("safety-number", words::SAFETY_NUMBER, safety);
        let close = widget::quiet("close", words::CLOSE, Some(Message::ClosePressed));
        let top = row![name, safety, close].spacing(space::SMALL).align_y(Center);
        let head = column![top, state.size(size::SMALL)].padding(space::INNER);
        let middle = match &conversation.safety {
            Safety::Shown(number) => number.view(peer),
            Safety::Hidden | Safety::Asked => messages(conversation, here),
        };
        column![head, widget::rule(), middle, self.composer(conversation)].into()
    }

    fn composer<'a>(&self, conversation: &'a Conversation) -> Element<'a, Message> {
        let draft = &conversation.draft;
        let editor = text_editor(draft).id(COMPOSER).placeholder(words::WRITE).size(size::BODY);
        let editor = editor.padding(space::INNER).height(Shrink).max_height(COMPOSER_HEIGHT);
        let editor =
            editor.on_action(Message::DraftEdited).key_binding(binding).style(theme::editor);
        let written = draft.text();
        let length = written.trim_end().len();
        let can_send = !written.trim().is_empty() && !self.signing_out;
        let can_send = can_send.then_some(Message::SendPressed);
        let send = widget::primary("send", words::SEND, can_send);
        let field = row![container(editor).width(Fill), send].spacing(space::SMALL).align_y(Center);
        let hint = match present::length(length, self.privacy.round_ms()) {
            words if words.is_empty() => words::KEYS.to_owned(),
            words => words,
        };
        column![field, widget::hint(hint)].spacing(space::TIGHT).padding(space::INNER).into()
    }

    /// What is shown while this client is out of the rounds.
    fn banner(&self, now: Now) -> Element<'_, Message> {
        let lost = text(words::LOST).size(size::BODY);
        let next = text(self.privacy.next_try(now.at)).size(size::BODY);
        let retry = widget::secondary("retry", words::RETRY, Some(Message::RetryPressed));
        let words = column![lost, next].spacing(2).width(Fill);
        let banner = row![words, retry].spacing(space::INNER).align_y(Center);
        container(banner).padding(space::INNER).width(Fill).style(theme::banner).into()
    }

    fn privacy_bar(&self, now: Now) -> Element<'_, Message> {
        let words = self.privacy.words(now.at);
        let cover = text(words.cover).size(size::SMALL);
        let cover = cover.style(match words.grade {
            Cover::None => theme::bad,
            Cover::Weak => theme::caution,
            Cover::Good => theme::good,
        });
        let details = text(words.details.join("  ·  ")).size(size::SMALL).style(theme::faint);
        let bar = row![cover, details].spacing(space::INNER);
        container(bar).padding([space::SMALL, space::INNER]).width(Fill).style(theme::panel).into()
    }
}

impl Conversation {
    /// Tells whether it stands among the conversations.
    fn is_listed(&self) -> bool {
        self.is_open || self.unread > 0
    }
}

/// Enter sends, Shift and Enter break the line, everything else is as ever.
fn binding(press: KeyPress) -> Option<Binding<Message>> {
    let is_enter = press.key == iced::keyboard::Key::Named(Named::Enter);
    let is_focused = matches!(press.status, text_editor::Status::Focused { .. });
    if is_enter && is_focused && !press.modifiers.shift() {
        return Some(Binding::Custom(Message::SendPressed));
    }
    Binding::from_key_press(press)
}

fn heading<'a>(words: &'a str) -> Element<'a, Message> {
    container(widget::hint(words)).padding([space::TIGHT, space::SMALL]).into()
}

fn notice(notice: &Notice) -> Element<'_, Message> {
    let read = Message::NoticeRead(notice.number);
    let read = widget::secondary("notice", words::READ, Some(read));
    let words = text(&notice.words).size(size::BODY).width(Fill);
    let notice = row![words, read].spacing(space::INNER).align_y(Center);
    container(notice).padding(space::INNER).width(Fill).style(theme::banner).into()
}

fn messages<'a>(conversation: &'a Conversation, here: &Here) -> Element<'a, Message> {
    // by their numbers, so that a row that moves is not laid out anew
    let messages =
        conversation.with_queue().map(|(shown, ahead)| (shown.number, message(shown, ahead, here)));
    let messages = keyed_column(messages).spacing(space::SMALL);
    let empty = conversation.messages.is_empty() && conversation.older == Older::All;
    let empty = empty.then(|| container(widget::hint(words::EMPTY)).center_x(Fill));
    let list = Column::new().push(older(conversation)).push(empty).push(messages);
    let list = list.spacing(space::SMALL).padding([space::INNER, space::WIDE]).width(Fill);
    widget::scroll(list).id(MESSAGES).anchor_bottom().height(Fill).width(Fill).into()
}

fn older(conversation: &Conversation) -> Option<Element<'_, Message>> {
    let content = match conversation.older {
        Older::All if conversation.hidden() == 0 => return None,
        Older::Unasked if conversation.problem.is_some() => return None,
        Older::Unasked | Older::Asked => widget::hint(words::LOADING),
        Older::All | Older::Before(_) => {
            widget::quiet("older", words::OLDER, Some(Message::OlderPressed))
        }
    };
    Some(container(content).center_x(Fill).into())
}

fn message<'a>(shown: &'a Shown, ahead: usize, here: &Here) -> Element<'a, Message> {
    let Excerpt { text: excerpt, more } = present::excerpt(&shown.text, shown.steps);
    let body = text(excerpt).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    let more = more
        .then(|| widget::secondary("more", words::MORE, Some(Message::MorePressed(shown.number))));
    let body = column![body].push(more).spacing(space::SMALL);
    let bubble =
        |ours| container(body).padding([space::SMALL, space::INNER]).style(theme::bubble(ours));
    let time = present::time(shown.sent_ms, here);
    match &shown.by {
        By::Peer { .. } => {
            let message = column![bubble(false), widget::hint(time)].spacing(2);
            container(message.max_width(BUBBLE_WIDTH)).width(Fill).into()
        }
        By::Us { label, progress } => {
            let state = format!("{time} · {}", present::progress(progress, ahead));
            let state = text(state).size(size::SMALL);
            let refused = matches!(progress, Progress::Refused(_));
            let state = state.style(if refused { theme::bad } else { theme::faint });
            let again =
                || widget::quiet("again", words::AGAIN, Some(Message::AgainPressed(label.clone())));
            let message = column![bubble(true), state].push(refused.then(again));
            let message = message.spacing(2).align_x(Right).max_width(BUBBLE_WIDTH);
            container(message).align_right(Fill).into()
        }
    }
}
