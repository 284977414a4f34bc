//! The main screen: people beside a conversation, the privacy bar below.

pub mod address;
mod calls;
mod composer;
pub mod contacts;
pub mod conversation;
pub mod emoji;
pub mod history;
mod list;
mod message;
pub mod messages;
pub mod people;
pub mod privacy;
pub mod reader;
pub mod roster;
pub mod rows;
mod safety;
pub mod search;
pub mod standing;
mod update;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use client_link::api::{About, Command, ConversationStatus, ErrorCode, Event, MessageState};
use iced::widget::text_editor;
use iced::widget::text_editor::Edit;
use jiff::tz::TimeZone;
use rand_core::{OsRng, RngCore};
use wire::ids::MessageId;

use crate::clock::Now;
use crate::connection::Connection;
use crate::event_log::EventLog;
use crate::present::{self, Here};
use crate::words::{failure, main as words};
use address::Address;
use contacts::Contacts;
use conversation::{Conversation, Problem};
use emoji::Emoji;
use people::People;
use privacy::Privacy;
use search::Search;

pub use address::Way;
use composer::Kept;
pub use composer::{COMPOSER, KEEP_EVERY};
pub use emoji::Pick;
pub use list::SEARCH;
pub use message::{Action, Ask, Message};
pub use messages::MESSAGES;
pub use search::{FIND, Find};

/// Notices that wait to be read; more of them are not taken.
const NOTICES_MAX: usize = 16;

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
    notices: Vec<Notice>,
    noticed: u64,
    signing_out: bool,
    /// The panel of emoji, while it is shown.
    emoji: Option<Emoji>,
    /// The address that is asked about before it is opened.
    prompt: Option<Address>,
    search: Option<Search>,
    /// Searches that were begun.
    searches: u64,
    /// Whose history is deleted when the program ends.
    forgetful: BTreeSet<String>,
    /// How many messages of how many are written to a file.
    exporting: Option<(u64, u64)>,
    /// The row of the list that is chosen by keyboard.
    picked: Option<usize>,
    is_locked: bool,
    /// Whether somebody may be looking: the window has the focus, and nothing stands in front.
    is_watched: bool,
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
            notices: Vec::new(),
            noticed: 0,
            signing_out: false,
            emoji: None,
            prompt: None,
            search: None,
            searches: 0,
            forgetful: BTreeSet::new(),
            exporting: None,
            picked: None,
            is_locked: false,
            is_watched: true,
            sitting: OsRng.next_u64(),
            written: 0,
        };
        for (peer, draft) in drafts {
            let conversation = main.conversation(&peer);
            conversation.draft = text_editor::Content::with_text(&draft);
            conversation.kept = Kept::loose();
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

    /// Returns how many messages of the conversation that is shown are loaded.
    pub fn loaded(&self) -> usize {
        let shown = self.shown.as_ref().and_then(|peer| self.conversations.get(peer));
        shown.map_or(0, |conversation| conversation.messages.len())
    }

    /// Returns how many messages were not looked at, and calls not answered.
    pub fn unread(&self) -> u32 {
        let calls = u32::try_from(self.contacts.requests().len()).unwrap_or(u32::MAX);
        self.conversations.values().fold(calls, |sum, it| sum.saturating_add(it.unread))
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

    /// Takes in what the engine tells.
    pub fn hear(&mut self, event: Event, engine: &Connection, now: Now, log: &mut EventLog) {
        self.privacy.hear(&event, now.at);
        self.contacts.hear(&event);
        match event {
            Event::Round { .. } => self.tell(engine, Command::Status),
            Event::Status(status) => self.stand(&status.conversations),
            Event::Listed { names } => self.people.listed(names, &self.user),
            Event::State { label, peer, state, round } => {
                self.went(&peer, &label, (state, round), log);
            }
            Event::Message { id, peer, text, sent_ms, round } => {
                self.arrived(peer, id, (text, sent_ms, round), now, log);
            }
            Event::History { peer, before: _, entries, more } => {
                if !self.is_locked {
                    let newest = entries.first().map(|entry| entry.sent_ms.min(now.unix_ms));
                    let conversation = self.conversation(&peer);
                    conversation.active_ms = conversation.active_ms.max(newest);
                    conversation.loaded(entries, more);
                    self.seek(engine);
                }
            }
            Event::Local(event) => self.hear_local(event, engine),
            Event::SafetyNumber { peer, digits } => {
                self.conversation(&peer).safety.answered(digits);
            }
            Event::Contact(status) => self.bound(status),
            Event::Forgotten { peer } => self.unbound(&peer),
            Event::Error { code, text, about } => self.trouble(code, text, about),
            Event::ServerRestored { backed_up_ms, restored_ms: _ } => {
                let here = Here { unix_ms: now.unix_ms, zone: TimeZone::system() };
                self.notice(words::restored(&present::moment(backed_up_ms, &here)));
            }
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
            | Event::SignedIn { .. }
            | Event::RoundOpen { .. }
            | Event::Directory { .. }
            | Event::Connection(_)
            | Event::RetryIn { .. }
            | Event::Ended { .. } => (),
        }
    }

    /// A message of ours went forward.
    fn went(
        &mut self,
        peer: &str,
        label: &str,
        (state, round): (MessageState, Option<u64>),
        log: &mut EventLog,
    ) {
        let is_locked = self.is_locked;
        let conversation = self.conversation(peer);
        if let Some((text, state, round)) = conversation.went(label, state, round) {
            log.state(peer, text, state.as_str(), round);
        }
        if is_locked {
            conversation.lock();
        }
    }

    /// A message of somebody arrived.
    fn arrived(
        &mut self,
        peer: String,
        id: MessageId,
        (text, sent_ms, round): (String, u64, u64),
        now: Now,
        log: &mut EventLog,
    ) {
        let is_shown = self.shown.as_ref() == Some(&peer) && !self.is_locked && self.is_watched;
        let is_locked = self.is_locked;
        let conversation = self.conversation(&peer);
        if conversation.arrived(id, text, sent_ms, round) {
            conversation.active_ms = Some(now.unix_ms);
            if let Some(shown) = conversation.messages.last() {
                log.message(&peer, &shown.text, round);
            }
            if !is_shown {
                conversation.missed();
            }
        }
        if is_locked {
            conversation.lock();
        }
    }

    /// Somebody may be looking from now on, or nobody is; what came meanwhile is looked at now.
    pub fn watched(&mut self, is_watched: bool) {
        let comes_back = is_watched && !self.is_watched;
        self.is_watched = is_watched;
        if comes_back && !self.is_locked {
            self.with_shown(|it| {
                if it.unread > 0 {
                    it.entered();
                }
            });
        }
    }

    /// Says that no browser opened the link.
    pub fn browser_failed(&mut self) {
        self.notice(words::NO_BROWSER.into());
    }

    /// Tells whether what was written is locked away.
    pub fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Drops all that was written and looked for, drafts once the engine has them; what is not looked at is still
    /// counted. Comes before [`client_link::api::Local::Lock`], so that the engine can keep the drafts.
    pub fn lock(&mut self, engine: &Connection, now: Now) {
        self.conversations.values_mut().for_each(Conversation::take_back_refused);
        self.flush_drafts(engine, now);
        let _ = self.stop_search(engine);
        self.exporting = None;
        self.conversations.values_mut().for_each(Conversation::lock);
        (self.asked, self.prompt, self.emoji) = (None, None, None);
        self.shows_menu = false;
        self.people.search_for(String::new());
        self.is_locked = true;
    }

    /// Begins anew with what is shown; drafts come from the engine. Comes after [`client_link::api::LocalEvent::Unlocked`].
    pub fn unlock(&mut self, engine: &Connection, now: Now) -> Action {
        self.is_locked = false;
        self.tell(engine, Command::Status);
        match self.shown.take() {
            Some(peer) => self.open(peer, engine, now),
            None => Action::Focus(SEARCH),
        }
    }

    /// Takes in how the engine's conversations stand.
    fn stand(&mut self, statuses: &[ConversationStatus]) {
        for conversation in self.conversations.values_mut() {
            conversation.is_open = false;
            conversation.is_live = false;
            conversation.under_way = None;
        }
        for status in statuses {
            let conversation = self.conversation(&status.peer);
            conversation.is_open = true;
            conversation.is_live = status.live;
            conversation.undelivered = status.queued as usize;
            conversation.under_way.clone_from(&status.under_way);
        }
    }

    /// Shows what went wrong where it belongs.
    fn trouble(&mut self, code: ErrorCode, text: String, about: About) {
        if code == ErrorCode::NotAContact && about.label.is_none() {
            // the second press of two: the conversation's head says it already
            return;
        }
        if matches!(code, ErrorCode::Disk | ErrorCode::Locked) {
            self.exporting = None;
        }
        let text = failure::words(code, &text);
        let known = about.peer.filter(|peer| self.conversations.contains_key(peer));
        match (known, about.label) {
            (Some(peer), Some(label)) => self.conversation(&peer).refused(&label, text),
            (Some(peer), None) => {
                let is_other_key = code == ErrorCode::KeyChanged;
                if matches!(code, ErrorCode::QueueFull | ErrorCode::Locked | ErrorCode::TextTooLong)
                {
                    // it may have been the draft
                    self.conversation(&peer).kept.refused();
                }
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
