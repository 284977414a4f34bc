//! The main screen: people beside a conversation, the privacy bar below.

pub mod conversation;
pub mod people;
pub mod privacy;
mod safety;
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
use conversation::{Conversation, Older, PAGE, Problem};
use people::People;
use privacy::Privacy;
use safety::Safety;

pub use view::{COMPOSER, MESSAGES, SEARCH, person_id};

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
    conversations: BTreeMap<String, Conversation>,
    shown: Option<String>,
    privacy: Privacy,
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

/// What happens on the screen.
#[derive(Clone)]
pub enum Message {
    /// The search field was typed in.
    SearchTyped(String),
    /// Enter was pressed in it.
    SearchSubmitted,
    /// A person's row was pressed.
    PersonPressed(String),
    /// The draft was changed, or its cursor moved.
    DraftEdited(text_editor::Action),
    /// The message is to be sent.
    SendPressed,
    /// A refused message is to be written again.
    AgainPressed(String),
    /// More of the message of this number is to be shown.
    MorePressed(u64),
    /// Older messages are to be shown.
    OlderPressed,
    /// The safety number is to be shown.
    SafetyNumberPressed,
    /// The messages are to be shown again.
    SafetyNumberRead,
    /// The conversation is to be closed.
    ClosePressed,
    /// The client is to come back now.
    RetryPressed,
    /// The notice of this number was read.
    NoticeRead(u64),
    /// Escape: a notice is read, else the safety number goes, else nobody is searched for any more.
    EscapePressed,
    /// The account is to be signed out.
    SignOutPressed,
}

/// Says what happened and nothing of what was written, and to whom.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SearchTyped(_) => "SearchTyped",
            Self::SearchSubmitted => "SearchSubmitted",
            Self::PersonPressed(_) => "PersonPressed",
            Self::DraftEdited(_) => "DraftEdited",
            Self::SendPressed => "SendPressed",
            Self::AgainPressed(_) => "AgainPressed",
            Self::MorePressed(_) => "MorePressed",
            Self::OlderPressed => "OlderPressed",
            Self::SafetyNumberPressed => "SafetyNumberPressed",
            Self::SafetyNumberRead => "SafetyNumberRead",
            Self::ClosePressed => "ClosePressed",
            Self::RetryPressed => "RetryPressed",
            Self::NoticeRead(_) => "NoticeRead",
            Self::EscapePressed => "EscapePressed",
            Self::SignOutPressed => "SignOutPressed",
        })
    }
}

/// What the app is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Give the focus to a field.
    Focus(&'static str),
    /// Show the end of the conversation and give its draft the focus.
    ToEnd,
}

impl Main {
    /// Begins when the engine has signed in; what was drafted in an earlier sitting is taken up.
    pub fn new(user: String, drafts: BTreeMap<String, String>, engine: &Connection) -> Self {
        let mut main = Self {
            user,
            people: People::default(),
            conversations: BTreeMap::new(),
            shown: None,
            privacy: Privacy::default(),
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

    /// Returns how many messages were not looked at.
    pub fn unread(&self) -> u32 {
        self.conversations.values().fold(0, |sum, it| sum.saturating_add(it.unread))
    }

    /// Returns the names of people that may have a row.
    pub fn rows(&self) -> Vec<String> {
        self.conversations.keys().chain(&self.people.found().names).cloned().collect()
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
            Message::DraftEdited(action) => self.edit(action),
            Message::SendPressed => return self.send(engine, now),
            Message::AgainPressed(label) => return self.again(&label),
            Message::MorePressed(number) => {
                if let Some(conversation) = self.shown_conversation() {
                    conversation.lengthen(number);
                }
            }
            Message::OlderPressed => self.load_older(engine),
            Message::SafetyNumberPressed => self.ask_safety_number(engine),
            Message::SafetyNumberRead => return self.hide_safety_number(),
            Message::ClosePressed => self.close(engine),
            Message::RetryPressed => self.tell(engine, Command::Retry),
            Message::NoticeRead(number) => self.notices.retain(|notice| notice.number != number),
            Message::EscapePressed if self.notices.is_empty() && self.shows_safety() => {
                return self.hide_safety_number();
            }
            Message::EscapePressed if self.notices.is_empty() => {
                self.people.search_for(String::new());
                return self.shown.as_ref().map_or(Action::None, |_| Action::Focus(COMPOSER));
            }
            Message::EscapePressed => drop(self.notices.remove(0)),
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
            Event::Error { code, text, about } => self.trouble(code, text, about),
            Event::Progress(_)
            | Event::Registered { .. }
            | Event::Request { .. }
            | Event::Calling { .. }
            | Event::Answered { .. }
            | Event::KeyChanged { .. }
            | Event::Contact(_)
            | Event::Forgotten { .. }
            | Event::Contacts { .. }
            | Event::VaultStored { .. }
            | Event::Sessions { .. }
            | Event::SessionEnded { .. }
            | Event::PasswordChanged
            | Event::AccountDeleted
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
        let is_open = |name: &&String| self.conversations.get(*name).is_some_and(|it| it.is_open);
        let exact = found.iter().find(|name| *name == &self.people.sought());
        let only = found.first().filter(|_| found.len() == 1);
        let first = found.iter().find(is_open).or(exact).or(only);
        first.filter(|_| self.people.is_searching()).cloned()
    }

    /// Shows a conversation, and has the engine open it.
    fn open(&mut self, peer: String, engine: &Connection) -> Action {
        let conversation = self.conversation(&peer);
        conversation.retried();
        conversation.unread = 0;
        conversation.more_pages = 0;
        conversation.safety = Safety::Hidden;
        let was_open = std::mem::replace(&mut conversation.is_open, true);
        let is_unasked = conversation.older == Older::Unasked;
        if is_unasked {
            conversation.older = Older::Asked;
        }
        if !was_open {
            self.tell(engine, Command::Open { peer: peer.clone() });
        }
        if is_unasked {
            let history = Command::History { peer: peer.clone(), before: None, max: PAGE };
            self.tell(engine, history);
        }
        self.shown = Some(peer);
        self.people.search_for(String::new());
        Action::ToEnd
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

    /// Hands the draft to the engine; it stays in the field if that takes nothing now.
    fn send(&mut self, engine: &Connection, now: Now) -> Action {
        let Some(peer) = self.shown.clone().filter(|_| !self.signing_out) else {
            return Action::None;
        };
        let written = self.conversation(&peer).draft.text();
        let text = written.trim_end();
        if text.trim_start().is_empty() {
            return Action::None;
        }
        if text.len() > TEXT_MAX {
            self.notice(words::TOO_LONG.into());
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

    /// Closes the conversation that is shown; what it holds stays.
    fn close(&mut self, engine: &Connection) {
        let Some(peer) = self.shown.take() else { return };
        self.conversation(&peer).is_open = false;
        self.tell(engine, Command::Close { peer });
    }

    /// Takes in how the engine's conversations stand.
    fn stand(&mut self, statuses: &[ConversationStatus]) {
        for (peer, conversation) in &mut self.conversations {
            // one that is shown may wait for the directory, and is not among them until then
            let waits = conversation.problem.is_none() && self.shown.as_ref() == Some(peer);
            conversation.is_open &= waits;
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
        let text = failure::words(code, &text);
        let known = about.peer.filter(|peer| self.conversations.contains_key(peer));
        match (known, about.label) {
            (Some(peer), Some(label)) => self.conversation(&peer).refused(&label, text),
            (Some(peer), None) => {
                let stays = code == ErrorCode::KeyChanged;
                self.conversation(&peer).hindered(Problem { stays, words: text });
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
