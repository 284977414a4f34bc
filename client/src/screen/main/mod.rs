//! The main screen: people beside a conversation, the privacy bar below.

mod calls;
pub mod contacts;
pub mod conversation;
mod list;
mod message;
pub mod people;
pub mod privacy;
mod safety;
mod standing;
mod view;

use std::collections::BTreeMap;

use client_link::api::{About, Command, ConversationStatus, ErrorCode, Event};
use iced::widget::text_editor;
use iced::widget::text_editor::Edit;
use rand_core::{OsRng, RngCore};
use wire::size::TEXT_MAX;

use crate::clock::Now;
use crate::connection::Connection;
use crate::event_log::EventLog;
use crate::words::{failure, main as words};
use contacts::{Bond, Contacts};
use conversation::{Conversation, Older, PAGE, Problem};
use people::People;
use privacy::Privacy;
use safety::Safety;

pub use list::SEARCH;
pub use message::{Action, Ask, Message};
pub use view::{COMPOSER, MESSAGES};

/// Longest draft in bytes: what does not fit into a message can be shortened, what is far longer is refused.
const DRAFT_MAX: usize = 4 * TEXT_MAX;

/// Notices that wait to be read; more of them are not taken.
const NOTICES_MAX: usize = 16;

/// Most lines that are pasted at once: what that costs grows with the square.
const PASTED_LINES_MAX: usize = 1000;

/// The main screen.
pub struct Main {
    user: String,
    people: People,
    contacts: Contacts,
    /// Whether the group of blocked people is unfolded.
    shows_blocked: bool,
    conversations: BTreeMap<String, Conversation>,
    shown: Option<String>,
    /// What is asked about before it is done to the one who is shown.
    asked: Option<Ask>,
    /// Whether it is shown what else can be done to him.
    shows_menu: bool,
    privacy: Privacy,
    /// Whether it is shown what the privacy bar means.
    shows_meaning: bool,
    notices: Vec<Notice>,
    noticed: u64,
    signing_out: bool,
    /// Tells the labels of this sitting from those of others.
    sitting: u64,
    written: u64,
}

/// Something to be read that belongs to no conversation.
struct Notice {
    number: u64,
    words: String,
}

impl Main {
    /// Begins when the engine has signed in; what was drafted in an earlier sitting is taken up.
    pub fn new(user: String, drafts: BTreeMap<String, String>, engine: &Connection) -> Self {
        let mut main = Self {
            user,
            people: People::default(),
            contacts: Contacts::default(),
            shows_blocked: false,
            conversations: BTreeMap::new(),
            shown: None,
            asked: None,
            shows_menu: false,
            privacy: Privacy::default(),
            shows_meaning: false,
            notices: Vec::new(),
            noticed: 0,
            signing_out: false,
            sitting: OsRng.next_u64(),
            written: 0,
        };
        for (peer, draft) in drafts {
            main.conversation(&peer).draft = text_editor::Content::with_text(&draft);
        }
        main.tell(engine, Command::Status);
        main
    }

    /// Returns the account's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Tells whether the account is being signed out.
    pub fn is_signing_out(&self) -> bool {
        self.signing_out
    }

    /// Returns who is shown.
    pub fn shown(&self) -> Option<&str> {
        self.shown.as_deref()
    }

    /// Returns how many messages were not looked at, and calls not answered.
    pub fn unread(&self) -> u32 {
        let calls = u32::try_from(self.contacts.requests().len()).unwrap_or(u32::MAX);
        self.conversations.values().fold(calls, |sum, it| sum.saturating_add(it.unread))
    }

    /// Returns what was written and is not in the engine's hands, by person.
    pub fn drafts(&self) -> BTreeMap<String, String> {
        let drafts = self.conversations.iter().map(|(peer, it)| (peer.clone(), it.unsent()));
        drafts.filter(|(_, draft)| !draft.trim().is_empty()).collect()
    }

    /// Says that what was written goes with the window.
    pub fn warn_of_drafts(&mut self) {
        let peers = self.drafts().into_keys().collect::<Vec<_>>().join(", ");
        self.notice(words::drafts(&peers));
    }

    /// Says something that has to do with the program rather than with anybody here.
    pub fn say(&mut self, words: String) {
        self.notice(words);
    }

    /// Returns what is meant by a text that was typed while no field had the focus, and `field` is to get it.
    pub fn typed_beside(&self, field: &str, text: &str) -> Message {
        if field == SEARCH {
            Message::SearchTyped(format!("{}{text}", self.people.search()))
        } else {
            let paste = Edit::Paste(std::sync::Arc::new(text.to_owned()));
            Message::DraftEdited(text_editor::Action::Edit(paste))
        }
    }

    /// Does what happened on the screen.
    pub fn update(&mut self, message: Message, engine: &Connection, now: Now) -> Action {
        match message {
            Message::SearchTyped(search) => self.people.search_for(search),
            Message::SearchSubmitted => {
                return match self.first() {
                    Some(peer) => self.open(peer, engine),
                    None => Action::None,
                };
            }
            Message::PersonPressed(peer) => return self.open(peer, engine),
            Message::BlockedPressed => self.shows_blocked = !self.shows_blocked,
            Message::DraftEdited(action) => self.edit(action),
            Message::SendPressed => return self.send(engine, now),
            Message::AgainPressed(label) => return self.again(&label),
            Message::MorePressed(number) => {
                if let Some(conversation) = self.shown_conversation() {
                    conversation.lengthen(number);
                }
            }
            Message::OlderPressed => self.load_older(engine),
            Message::CallPressed => self.call(engine),
            Message::AcceptPressed(peer) => return self.accept(peer, engine),
            Message::DeclinePressed(peer) => self.decline(peer, engine),
            Message::BlockPressed(peer) => self.block(peer, engine),
            Message::UnblockPressed => self.unblock(engine),
            Message::MenuPressed => self.shows_menu = !self.shows_menu,
            Message::AskPressed(ask) => self.ask(ask),
            Message::AskConfirmed => self.confirm(engine),
            Message::AskDropped => self.asked = None,
            Message::SafetyNumberPressed => self.ask_safety_number(engine),
            Message::SafetyNumberRead => return self.hide_safety_number(),
            Message::VerifyPressed(verified) => self.verify(verified, engine),
            Message::ClosePressed => self.close(),
            Message::YesPressed => return self.say_yes(engine),
            Message::NoPressed => self.say_no(engine),
            Message::BlockShownPressed => self.block_shown(engine),
            Message::RetryPressed => self.tell(engine, Command::Retry),
            Message::MeaningPressed => self.shows_meaning = !self.shows_meaning,
            Message::NoticeRead(number) => self.notices.retain(|notice| notice.number != number),
            Message::EscapePressed => return self.escape(),
            // the app does these
            Message::SettingsPressed | Message::LockPressed => (),
            Message::SignOutPressed if self.signing_out => (),
            Message::SignOutPressed => {
                self.signing_out = engine.send(Command::SignOut).is_ok();
            }
        }
        Action::None
    }

    /// Takes in what the engine tells.
    pub fn hear(&mut self, event: Event, engine: &Connection, now: Now, log: &mut EventLog) {
        self.privacy.hear(&event, now.at);
        self.contacts.hear(&event);
        match event {
            Event::Round { .. } => self.tell(engine, Command::Status),
            Event::Status(status) => self.stand(&status.conversations),
            Event::Listed { names } => self.people.listed(names, &self.user),
            Event::State { label, peer, state, round } => {
                let conversation = self.conversation(&peer);
                if let Some((text, state, round)) = conversation.went(&label, state, round) {
                    log.state(&peer, text, state.as_str(), round);
                }
            }
            Event::Message { id, peer, text, sent_ms, round } => {
                let is_shown = self.shown.as_ref() == Some(&peer);
                let conversation = self.conversation(&peer);
                if conversation.arrived(id, text, sent_ms) {
                    conversation.unread += u32::from(!is_shown);
                    if let Some(shown) = conversation.messages.last() {
                        log.message(&peer, &shown.text, round);
                    }
                }
            }
            Event::History { peer, before: _, entries, more } => {
                self.conversation(&peer).loaded(entries, more);
            }
            Event::SafetyNumber { peer, digits } => {
                self.conversation(&peer).safety.answered(digits);
            }
            Event::Contact(status) => self.bound(status),
            Event::Forgotten { peer } => self.unbound(&peer),
            Event::Error { code, text, about } => self.trouble(code, text, about),
            // a contact's event comes with each of the three that follow, and says more
            Event::Calling { .. } | Event::Answered { .. } | Event::KeyChanged { .. } => (),
            Event::Progress(_)
            | Event::Registered { .. }
            | Event::Request { .. }
            | Event::Contacts { .. }
            | Event::VaultStored { .. }
            | Event::Sessions { .. }
            | Event::SessionEnded { .. }
            | Event::PasswordChanged
            | Event::AccountDeleted
            | Event::Local(_)
            | Event::SignedIn { .. }
            | Event::RoundOpen { .. }
            | Event::Directory { .. }
            | Event::Connection(_)
            | Event::RetryIn { .. }
            | Event::Ended { .. } => (),
        }
    }

    /// Returns whom Enter opens: the first conversation that is found, else the person of just this name, else the only
    /// one. Anybody can have a name made that begins like another, and is not to be opened in its place.
    fn first(&self) -> Option<String> {
        let found = &self.people.found().names;
        let exact = found.iter().find(|name| *name == &self.people.sought());
        let only = found.first().filter(|_| found.len() == 1);
        let first = found.iter().find(|name| self.is_known(name)).or(exact).or(only);
        first.filter(|_| self.people.is_searching()).cloned()
    }

    /// Shows a conversation; a contact is woken, so that what is written goes at once.
    fn open(&mut self, peer: String, engine: &Connection) -> Action {
        let conversation = self.conversation(&peer);
        conversation.retried();
        conversation.unread = 0;
        conversation.more_pages = 0;
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
        self.people.search_for(String::new());
        Action::ToEnd
    }

    /// Puts away what lies on top.
    fn escape(&mut self) -> Action {
        if !self.notices.is_empty() {
            drop(self.notices.remove(0));
        } else if self.asked.take().is_some() {
            return Action::Focus(COMPOSER);
        } else if self.shows_menu || self.shows_meaning {
            (self.shows_menu, self.shows_meaning) = (false, false);
        } else if self.shows_safety() {
            return self.hide_safety_number();
        } else {
            self.people.search_for(String::new());
            return self.shown.as_ref().map_or(Action::None, |_| Action::Focus(COMPOSER));
        }
        Action::None
    }

    /// Edits the draft, unless it would become far longer than a message.
    fn edit(&mut self, action: text_editor::Action) {
        let Some(conversation) = self.shown_conversation() else { return };
        if let text_editor::Action::Edit(edit) = &action {
            let (added, lines) = match edit {
                Edit::Paste(text) => (text.len(), text.lines().count()),
                Edit::Insert(_) | Edit::Enter | Edit::Indent => (1, 0),
                Edit::Unindent | Edit::Backspace | Edit::Delete => (0, 0),
            };
            let fits = added == 0 || conversation.draft.text().len() + added <= DRAFT_MAX;
            if !fits {
                return self.notice(words::TOO_MUCH.into());
            }
            if lines > PASTED_LINES_MAX {
                return self.notice(words::TOO_MANY_LINES.into());
            }
        }
        conversation.draft.perform(action);
    }

    /// Hands the draft to the engine; it stays in the field if that takes nothing now. Who is no contact is called first.
    fn send(&mut self, engine: &Connection, now: Now) -> Action {
        let Some(peer) = self.shown.clone().filter(|_| !self.signing_out) else {
            return Action::None;
        };
        let bond = self.bond(&peer);
        if !bond.is_written_to() {
            return Action::None;
        }
        let written = self.conversation(&peer).draft.text();
        let text = written.trim_end();
        if text.trim_start().is_empty() {
            return Action::None;
        }
        if text.len() > TEXT_MAX {
            self.notice(words::TOO_LONG.into());
            return Action::None;
        }
        let is_contact = matches!(bond, Bond::Calling | Bond::Contact);
        if !is_contact && engine.send(Command::Call { peer: peer.clone() }).is_err() {
            self.notice(words::BUSY.into());
            return Action::None;
        }
        let label = format!("{:016x}-{}", self.sitting, self.written);
        let send = Command::Send { peer: peer.clone(), text: text.into(), label: label.clone() };
        if engine.send(send).is_err() {
            self.notice(words::BUSY.into());
            return Action::None;
        }
        self.written += 1;
        let conversation = self.conversation(&peer);
        conversation.written(label, text.into(), now.unix_ms);
        conversation.draft = text_editor::Content::new();
        Action::ToEnd
    }

    /// Puts a refused message back into the field, behind what is there.
    fn again(&mut self, label: &str) -> Action {
        let Some(conversation) = self.shown_conversation() else { return Action::None };
        let Some(text) = conversation.take_refused(label) else { return Action::None };
        let draft = conversation.draft.text();
        let draft = if draft.trim().is_empty() { text } else { format!("{draft}\n{text}") };
        conversation.draft = text_editor::Content::with_text(&draft);
        Action::Focus(COMPOSER)
    }

    fn load_older(&mut self, engine: &Connection) {
        let Some(peer) = self.shown.clone() else { return };
        let conversation = self.conversation(&peer);
        conversation.more_pages += 1;
        if conversation.hidden() > 0 {
            return;
        }
        let Older::Before(before) = conversation.older else { return };
        conversation.older = Older::Asked;
        self.tell(engine, Command::History { peer, before: Some(before), max: PAGE });
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
        Action::ToEnd
    }

    /// Tells whether a safety number is shown, or about to be.
    fn shows_safety(&self) -> bool {
        let shown = self.shown.as_ref().and_then(|peer| self.conversations.get(peer));
        shown.is_some_and(|it| !it.safety.is_hidden())
    }

    /// Puts the conversation away that is shown; what it holds stays, and what waits in it still goes out.
    fn close(&mut self) {
        self.shown = None;
        self.asked = None;
        self.shows_menu = false;
    }

    /// Takes in how the engine's conversations stand.
    fn stand(&mut self, statuses: &[ConversationStatus]) {
        for conversation in self.conversations.values_mut() {
            conversation.is_open = false;
            conversation.is_live = false;
        }
        for status in statuses {
            let conversation = self.conversation(&status.peer);
            conversation.is_open = true;
            conversation.is_live = status.live;
            conversation.undelivered = status.queued as usize;
        }
    }

    /// Shows what went wrong where it belongs.
    fn trouble(&mut self, code: ErrorCode, text: String, about: About) {
        if code == ErrorCode::NotAContact && about.label.is_none() {
            // the second press of two: the conversation's head says it already
            return;
        }
        let text = failure::words(code, &text);
        let known = about.peer.filter(|peer| self.conversations.contains_key(peer));
        match (known, about.label) {
            (Some(peer), Some(label)) => self.conversation(&peer).refused(&label, text),
            (Some(peer), None) => {
                let is_other_key = code == ErrorCode::KeyChanged;
                self.conversation(&peer).hindered(Problem { is_other_key, words: text });
            }
            (None, _) => self.notice(text),
        }
    }

    fn notice(&mut self, words: String) {
        let is_known = self.notices.iter().any(|notice| notice.words == words);
        if !is_known && self.notices.len() < NOTICES_MAX {
            self.noticed += 1;
            self.notices.push(Notice { number: self.noticed, words });
        }
    }

    /// Hands over a command that may be given again: one that is not taken is told.
    fn tell(&mut self, engine: &Connection, command: Command) {
        if engine.send(command).is_err() {
            self.notice(words::BUSY.into());
        }
    }

    fn shown_conversation(&mut self) -> Option<&mut Conversation> {
        self.conversations.get_mut(self.shown.as_ref()?)
    }

    fn conversation(&mut self, peer: &str) -> &mut Conversation {
        self.conversations.entry(peer.to_owned()).or_default()
    }
}
