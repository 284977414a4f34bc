//! The head of a conversation: how the peer stands, and what can be done about it.

use client_link::api::ExportFormat;
use iced::widget::{Row, column, container, row, text};
use iced::{Center, Element, Fill};

use super::contacts::Bond;
use super::conversation::Conversation;
use super::history::Deed;
use super::search::Find;
use super::{Ask, Main, Message};
use crate::icon::{Icon, icon};
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// Whether the safety numbers were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing is remembered of somebody who is no contact.
    None,
    /// They were not.
    Open,
    /// They were, and found the same.
    Verified,
}

impl Main {
    /// Returns what is remembered of comparing somebody's safety number.
    pub(super) fn mark(&self, peer: &str) -> Mark {
        match self.bond(peer) {
            Bond::Calling | Bond::Contact if self.contacts.is_verified(peer) => Mark::Verified,
            Bond::Calling | Bond::Contact => Mark::Open,
            Bond::Stranger | Bond::Caller { .. } | Bond::KeyChanged | Bond::Blocked => Mark::None,
        }
    }

    /// The name, how the peer stands, and what is always at hand.
    pub(super) fn head<'a>(
        &'a self,
        peer: &'a str,
        conversation: &'a Conversation,
        room: Room,
    ) -> Element<'a, Message> {
        let bond = self.bond(peer);
        let name = text(peer).size(size::LARGE).wrapping(text::Wrapping::WordOrGlyph);
        let verified = (self.mark(peer) == Mark::Verified).then(|| {
            let mark = icon(Icon::ShieldCheck).size(size::SMALL).style(theme::good);
            let words = text(words::TAG_VERIFIED).size(size::SMALL).style(theme::good);
            row![mark, words].spacing(space::TIGHT).align_y(Center)
        });
        let has_menu = has_menu(bond);
        let menu = || widget::iconic("menu", Icon::Menu, words::MENU, Some(Message::MenuPressed));
        let menu = has_menu.then(menu);
        let close = match room {
            Room::Alone => (Icon::Back, words::TO_LIST),
            Room::Narrow | Room::Wide => (Icon::Close, words::CLOSE),
        };
        let close = widget::iconic("close", close.0, close.1, Some(Message::ClosePressed));
        let find = Message::Find(Find::Begin { everywhere: false });
        let find = || widget::iconic("find-begin", Icon::Search, words::FIND, Some(find.clone()));
        let state = self.state(peer, bond, conversation).size(size::SMALL);
        let forgets = self.is_forgotten(peer).then(|| widget::hint(words::FORGETS));
        let says = column![state].push(forgets);
        let safety = || self.safety_way(bond, conversation, true);
        let head = match room {
            Room::Wide => {
                let name = row![name].push(verified).spacing(space::SMALL).align_y(Center);
                let name = column![name, says].width(Fill);
                let ways = row![safety(), find()].push(menu).push(close).align_y(Center);
                column![
                    row![widget::disc::disc(peer), name, ways]
                        .spacing(space::INNER)
                        .align_y(Center)
                ]
            }
            Room::Narrow | Room::Alone => {
                let name = container(name).width(Fill);
                let other = if has_menu { menu } else { Some(safety()) };
                let (before, behind) = match room {
                    Room::Alone => (Some(close), None),
                    Room::Narrow | Room::Wide => (None, Some(close)),
                };
                let top = row![].push(before).push(name).push(verified).push(other).push(behind);
                column![top.spacing(space::TIGHT).align_y(Center), says]
            }
        };
        head.spacing(space::TIGHT).padding([space::SMALL, space::INNER]).into()
    }

    /// Leads to the safety number.
    fn safety_way<'a>(
        &self,
        bond: Bond,
        conversation: &Conversation,
        is_quiet: bool,
    ) -> Element<'a, Message> {
        let has_number = conversation.safety.is_hidden() && bond != Bond::KeyChanged;
        let safety = has_number.then_some(Message::SafetyNumberPressed);
        match is_quiet {
            true => widget::pictured(
                "safety-number",
                Icon::ShieldCheck,
                words::SAFETY_NUMBER,
                safety,
                theme::quiet,
            ),
            false => widget::secondary("safety-number", words::SAFETY_NUMBER, safety),
        }
    }

    /// What has to be read or decided before anything is written, if anything has.
    pub(super) fn strip<'a>(&'a self, peer: &'a str) -> Option<Element<'a, Message>> {
        if let Some(asked) = &self.asked {
            return Some(question(asked, peer));
        }
        let name = || peer.to_owned();
        Some(match self.bond(peer) {
            Bond::Calling | Bond::Contact => return None,
            Bond::Stranger => {
                let call = widget::primary("call", words::CALL, Some(Message::CallPressed));
                strip(words::will_be_called(peer), [call], None, theme::panel)
            }
            Bond::Caller { is_answered } => {
                let unless = |message: Message| (!is_answered).then_some(message);
                let answers = [
                    widget::primary(
                        "accept",
                        words::ACCEPT,
                        unless(Message::AcceptPressed(name())),
                    ),
                    widget::secondary(
                        "decline",
                        words::DECLINE,
                        unless(Message::DeclinePressed(name())),
                    ),
                    widget::secondary("block", words::BLOCK, unless(Message::BlockPressed(name()))),
                ];
                strip(words::calls_you(peer), answers, Some(words::CALL_KEYS), theme::panel)
            }
            Bond::KeyChanged => {
                let ask =
                    |id, words, ask| widget::secondary(id, words, Some(Message::AskPressed(ask)));
                let forget = self.contacts.has(peer);
                let ways = [ask("accept-key", words::ACCEPT_KEY, Ask::AcceptKey)]
                    .into_iter()
                    .chain(forget.then(|| ask("forget", words::FORGET, Ask::Forget)))
                    .chain([ask("block", words::BLOCK, Ask::Block)]);
                strip(words::key_changed(peer), ways, None, theme::banner)
            }
            Bond::Blocked => {
                let unblock =
                    widget::secondary("unblock", words::UNBLOCK, Some(Message::UnblockPressed));
                strip(words::is_blocked(peer), [unblock], None, theme::panel)
            }
        })
    }

    fn state<'a>(
        &self,
        peer: &str,
        bond: Bond,
        conversation: &'a Conversation,
    ) -> text::Text<'a, iced::Theme> {
        let problem = conversation.problem.as_ref().filter(|problem| !problem.is_other_key);
        if let Some(problem) = problem {
            return text(&problem.words).style(theme::bad);
        }
        if bond == Bond::KeyChanged {
            return text(words::KEY_CHANGED).style(theme::bad);
        }
        let words = match bond {
            Bond::Blocked => words::BLOCKED.to_owned(),
            Bond::Stranger => words::STRANGER.to_owned(),
            Bond::Caller { .. } => words::CALLER.to_owned(),
            _ if !self.privacy.is_covered() => words::AWAY.to_owned(),
            Bond::Calling => words::calling(peer),
            Bond::Contact if conversation.is_live => words::LIVE.to_owned(),
            Bond::Contact | Bond::KeyChanged => words::waiting(peer),
        };
        text(words).style(theme::faint)
    }

    /// What else can be done, while that is shown.
    pub(super) fn menu<'a>(
        &self,
        peer: &str,
        conversation: &Conversation,
        room: Room,
    ) -> Option<Element<'a, Message>> {
        let bond = self.bond(peer);
        if !self.shows_menu || !has_menu(bond) {
            return None;
        }
        let way = |id, words, pressed| widget::secondary(id, words, Some(pressed));
        let ask = |id, words, ask| way(id, words, Message::AskPressed(ask));
        let deed = |id, words, deed| way(id, words, Message::HistoryPressed(deed));
        let find = way("search-in", words::FIND, Message::Find(Find::Begin { everywhere: false }));
        let forgets = self.is_forgotten(peer);
        let keep = if forgets { words::KEEP_HISTORY } else { words::FORGET_HISTORY };
        let of_history = [
            find,
            way("forget-on-exit", keep, Message::ForgetPressed(!forgets)),
            deed("export-text", words::EXPORT_TEXT, Deed::Export(ExportFormat::Text)),
            deed("export-json", words::EXPORT_JSON, Deed::Export(ExportFormat::Json)),
            deed("delete-history", words::DELETE, Deed::Delete),
        ];
        let of_person = if self.contacts.has(peer) {
            row![ask("forget", words::FORGET, Ask::Forget), ask("block", words::BLOCK, Ask::Block)]
        } else {
            let block = Message::BlockPressed(peer.to_owned());
            row![way("block", words::BLOCK, block)]
        };
        let safety = (room != Room::Wide).then(|| self.safety_way(bond, conversation, false));
        let of_person = row![].push(safety).push(of_person.spacing(space::SMALL));
        let of_person = of_person.spacing(space::SMALL).wrap().vertical_spacing(space::SMALL);
        let of_history = Row::with_children(of_history).spacing(space::SMALL).wrap();
        let of_history = of_history.vertical_spacing(space::SMALL);
        let menu = column![of_person, widget::hint(words::MENU_HISTORY), of_history];
        let menu = menu.spacing(space::SMALL).padding(space::INNER).width(Fill);
        Some(container(menu).width(Fill).style(theme::panel).into())
    }
}

/// How much room a conversation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// All of it in lines.
    Wide,
    /// Little, beside the list.
    Narrow,
    /// Little, in place of the list.
    Alone,
}

fn has_menu(bond: Bond) -> bool {
    matches!(bond, Bond::Stranger | Bond::Calling | Bond::Contact)
}

/// What is asked before it is done, with no on the left and yes on the right: the second press of two on what led here
/// hits neither.
fn question<'a>(asked: &Ask, peer: &str) -> Element<'a, Message> {
    let (words, yes) = match asked {
        Ask::AcceptKey => (words::ask_accept_key(peer), words::ACCEPT_KEY),
        Ask::Forget => (words::ask_forget(peer), words::FORGET),
        Ask::Block => (words::ask_block(peer), words::BLOCK),
        Ask::History(question) => {
            return question.view(Message::AskDropped, Message::AskConfirmed);
        }
    };
    let no = widget::secondary("keep", words::KEEP, Some(Message::AskDropped));
    let yes = widget::primary("confirm", yes, Some(Message::AskConfirmed));
    let words = text(words).size(size::BODY).width(Fill);
    let keys = widget::hint(words::ASK_KEYS);
    let content = column![words, widget::ends(no, yes), keys].spacing(space::SMALL);
    container(content).padding(space::INNER).width(Fill).style(theme::panel).into()
}

fn strip<'a>(
    words: String,
    ways: impl IntoIterator<Item = Element<'a, Message>>,
    keys: Option<&'a str>,
    style: fn(&iced::Theme) -> container::Style,
) -> Element<'a, Message> {
    let words = text(words).size(size::BODY).width(Fill);
    let ways = Row::with_children(ways).spacing(space::SMALL).wrap().vertical_spacing(space::SMALL);
    let content = column![words, ways].push(keys.map(widget::hint)).spacing(space::SMALL);
    container(content).padding(space::INNER).width(Fill).style(style).into()
}
