//! What follows from what happens on the screen.

use client_link::api::Command;
use jiff::tz::TimeZone;

use super::address::{self, Way};
use super::contacts::Bond;
use super::conversation::{Conversation, Older, PAGE};
use super::history::Deed;
use super::safety::Safety;
use super::{Action, COMPOSER, Main, Message, SEARCH};
use crate::clock::Now;
use crate::connection::Connection;
use crate::present::{self, Here};
use crate::widget::roll::Seen;
use crate::words::main as words;

impl Main {
    /// Does what happened on the screen.
    pub fn update(&mut self, message: Message, engine: &Connection, now: Now) -> Action {
        match message {
            Message::SearchTyped(search) => self.search_people(search),
            Message::SearchSubmitted => return self.open_found(engine, now),
            Message::PersonPressed(peer) => return self.open(peer, engine, now),
            Message::BlockedPressed => self.shows_blocked = !self.shows_blocked,
            Message::DraftEdited(action) => self.edit(action, engine, now),
            Message::DraftsDue => self.keep_due_drafts(engine, now),
            Message::SendPressed => return self.send(engine, now),
            Message::AgainPressed(label) => return self.again(&label),
            Message::MorePressed(number) => self.with_shown(|it| it.lengthen(number)),
            Message::OlderPressed => self.load_older(engine),
            Message::Seen(seen) => self.saw(seen, engine),
            Message::ThumbDragged(at) => self.with_shown(|it| it.drag_to(at)),
            Message::EndPressed => return self.go_to_end(),
            Message::Chosen(number) => self.with_shown(|it| it.toggle(number)),
            Message::ChooseMoved { back } => self.with_shown(|it| it.choose(back)),
            Message::CopyPressed => return self.copy(),
            Message::DetailsPressed => self.with_shown(|it| it.shows_details = !it.shows_details),
            Message::Link(way) => return self.follow(way),
            Message::Emoji(pick) => return self.pick(pick, engine, now),
            Message::Find(find) => return self.search(find, engine, now),
            Message::Stepped { back } => return self.step(back, engine, now),
            Message::NextPressed { back } => return self.open_next(back, engine, now),
            Message::CallPressed => self.call(engine),
            Message::AcceptPressed(peer) => return self.accept(peer, engine, now),
            Message::DeclinePressed(peer) => self.decline(peer, engine),
            Message::BlockPressed(peer) => self.block(peer, engine),
            Message::UnblockPressed => self.unblock(engine),
            Message::MenuPressed => self.shows_menu = !self.shows_menu,
            Message::AskPressed(ask) => self.ask(ask),
            Message::AskConfirmed => return self.confirm(engine),
            Message::AskDropped => self.asked = None,
            Message::HistoryPressed(deed) => self.ask_deed(deed, now),
            Message::ForgetPressed(forget) => self.forget_on_exit(forget, engine),
            Message::SafetyNumberPressed => self.ask_safety_number(engine),
            Message::SafetyNumberRead => return self.hide_safety_number(),
            Message::VerifyPressed(verified) => self.verify(verified, engine),
            Message::ClosePressed => return self.close(engine, now),
            Message::YesPressed => return self.say_yes(engine, now),
            Message::NoPressed => self.say_no(engine),
            Message::BlockShownPressed => self.block_shown(engine),
            Message::RetryPressed => self.tell(engine, Command::Retry),
            // the app does these
            Message::MeaningPressed | Message::SettingsPressed | Message::LockPressed => (),
            Message::NoticeRead(number) => self.notices.retain(|notice| notice.number != number),
            Message::EscapePressed => return self.escape(engine),
            Message::SignOutPressed => {
                let is_out = self.signing_out;
                self.signing_out = is_out || engine.send(Command::SignOut).is_ok();
            }
        }
        Action::None
    }

    /// Shows a conversation; a contact is woken, so that what is written goes at once.
    pub(super) fn open(&mut self, peer: String, engine: &Connection, now: Now) -> Action {
        if self.shown.as_ref() != Some(&peer) {
            self.leave(engine, now);
        }
        let conversation = self.conversation(&peer);
        conversation.retried();
        conversation.entered();
        conversation.safety = Safety::Hidden;
        let is_unasked = conversation.older == Older::Unasked;
        if is_unasked {
            conversation.older = Older::Asked;
        }
        if matches!(self.bond(&peer), Bond::Calling | Bond::Contact) {
            self.tell(engine, Command::Open { peer: peer.clone() });
        }
        if is_unasked {
            let history = Command::History { peer: peer.clone(), before: None, max: PAGE };
            self.tell(engine, history);
        }
        self.asked = None;
        self.shows_menu = false;
        self.shown = Some(peer);
        self.search_people(String::new());
        Action::Focus(COMPOSER)
    }

    /// Leaves the conversation that is shown; what it holds stays, and what waits in it still goes out.
    fn leave(&mut self, engine: &Connection, now: Now) {
        let Some(peer) = self.shown.take() else { return };
        self.keep_draft(&peer, engine, now);
        self.conversation(&peer).left();
        (self.asked, self.prompt, self.emoji) = (None, None, None);
        self.shows_menu = false;
    }

    /// Puts the conversation away that is shown.
    fn close(&mut self, engine: &Connection, now: Now) -> Action {
        self.leave(engine, now);
        let _ = self.stop_search(engine);
        Action::Focus(SEARCH)
    }

    /// Puts away what lies on top.
    fn escape(&mut self, engine: &Connection) -> Action {
        let is_chosen = self.shown_conversation().is_some_and(|it| it.chosen.is_some());
        if !self.notices.is_empty() {
            drop(self.notices.remove(0));
        } else if self.prompt.take().is_some()
            || self.emoji.take().is_some()
            || self.asked.take().is_some()
        {
            return Action::Focus(COMPOSER);
        } else if self.shows_menu {
            self.shows_menu = false;
        } else if self.search.is_some() {
            return self.stop_search(engine);
        } else if is_chosen {
            self.with_shown(|it| it.choose_one(None));
            return Action::Focus(COMPOSER);
        } else if self.shows_safety() {
            return self.hide_safety_number();
        } else {
            self.search_people(String::new());
            return self.shown.as_ref().map_or(Action::None, |_| Action::Focus(COMPOSER));
        }
        Action::None
    }

    /// Other messages are seen: near the oldest, older ones are loaded.
    fn saw(&mut self, seen: Seen, engine: &Connection) {
        let Some(conversation) = self.shown_conversation() else { return };
        conversation.reader.saw(seen);
        if conversation.reader.is_near_top(&conversation.messages) {
            self.load_older(engine);
        }
    }

    fn load_older(&mut self, engine: &Connection) {
        let Some(peer) = self.shown.clone() else { return };
        let conversation = self.conversation(&peer);
        let Older::Before(before) = conversation.older else { return };
        if conversation.is_full() {
            return;
        }
        conversation.older = Older::Asked;
        self.tell(engine, Command::History { peer, before: Some(before), max: PAGE });
    }

    fn go_to_end(&mut self) -> Action {
        self.with_shown(|it| it.reader.go_to_end());
        Action::Focus(COMPOSER)
    }

    /// Copies the chosen message, as it is shown.
    fn copy(&mut self) -> Action {
        let Some(conversation) = self.shown_conversation() else { return Action::None };
        let Some(text) = conversation.chosen().map(|shown| present::plain(&shown.text)) else {
            return Action::None;
        };
        conversation.is_copied = true;
        Action::Copy(text)
    }

    /// Does what is wanted of a link: nothing is opened that was not shown.
    fn follow(&mut self, way: Way) -> Action {
        match way {
            Way::Pressed(number, at) => {
                let conversation = self.shown_conversation();
                let link = conversation.and_then(|it| it.link(number, at));
                self.prompt = link.and_then(|link| address::address(&link));
                Action::None
            }
            Way::Open => match self.prompt.take().filter(address::Address::is_opened) {
                Some(address) => Action::OpenLink(address.whole),
                None => Action::None,
            },
            Way::Copy => match self.prompt.take() {
                Some(address) => Action::Copy(address.whole),
                None => Action::None,
            },
            Way::Drop => {
                self.prompt = None;
                Action::Focus(COMPOSER)
            }
        }
    }

    /// An arrow that no field took: in the hits of a search, in the list, or among the messages.
    fn step(&mut self, back: bool, engine: &Connection, now: Now) -> Action {
        if self.search.is_some() {
            return self.step_hit(back, engine, now);
        }
        let is_choosing = self.shown_conversation().is_some_and(|it| it.chosen.is_some());
        if is_choosing {
            self.with_shown(|it| it.choose(back));
        } else {
            self.step_list(back);
        }
        Action::None
    }

    fn ask_deed(&mut self, deed: Deed, now: Now) {
        self.ask_history(deed, &Here { unix_ms: now.unix_ms, zone: TimeZone::system() });
    }

    /// Has the engine tell the safety number, once for however many presses.
    fn ask_safety_number(&mut self, engine: &Connection) {
        let Some(peer) = self.shown.clone() else { return };
        if !self.conversation(&peer).safety.is_hidden() {
            return;
        }
        if engine.send(Command::SafetyNumber { peer: peer.clone() }).is_err() {
            return self.notice(words::BUSY.into());
        }
        self.conversation(&peer).safety = Safety::Asked;
    }

    fn hide_safety_number(&mut self) -> Action {
        let Some(conversation) = self.shown_conversation() else { return Action::None };
        conversation.safety = Safety::Hidden;
        Action::Focus(COMPOSER)
    }

    /// Tells whether a safety number is shown, or about to be.
    fn shows_safety(&self) -> bool {
        let shown = self.shown.as_ref().and_then(|peer| self.conversations.get(peer));
        shown.is_some_and(|it| !it.safety.is_hidden())
    }

    /// Does something with the conversation that is shown, if one is.
    pub(super) fn with_shown(&mut self, work: impl FnOnce(&mut Conversation)) {
        if let Some(conversation) = self.shown_conversation() {
            work(conversation);
        }
    }
}
