//! One conversation as the window holds it: the messages that are loaded, the draft, how it stands.

use std::collections::BTreeMap;

use client_link::api::{Author, HistoryEntry, MessageState};
use iced::widget::text_editor;
use wire::ids::MessageId;

use super::safety::Safety;
use crate::present::Progress;

/// A message that is shown.
pub struct Shown {
    /// Who wrote it.
    pub by: By,
    /// What was written.
    pub text: String,
    /// When, by the writer's clock, milliseconds since 1970.
    pub sent_ms: u64,
    /// Tells it from all others of its conversation while the window is open.
    pub number: u64,
    /// How often more of it was asked for.
    pub steps: u32,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// This account.
    Us {
        /// Its label.
        label: String,
        /// How far it is.
        progress: Progress,
    },
    /// The peer.
    Peer {
        /// The sender's id of it.
        id: MessageId,
    },
}

/// How much of the history is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Older {
    /// Nothing was asked for.
    #[default]
    Unasked,
    /// A page is on its way.
    Asked,
    /// There is more before this cursor.
    Before(u64),
    /// All of it.
    All,
}

/// Messages that are shown at once, and that are added by each wish for earlier ones.
pub const PAGE: usize = 50;

/// States that are remembered while a page is on its way.
const EARLY_MAX: usize = 1024;

/// One conversation.
#[derive(Default)]
pub struct Conversation {
    /// Oldest first.
    pub messages: Vec<Shown>,
    /// Pages beyond the first that are shown, so that a picture costs the same however long people talk.
    pub more_pages: usize,
    /// What is loaded.
    pub older: Older,
    /// Messages that were numbered.
    numbered: u64,
    /// States of messages that may be on the page that is on its way, by label.
    early: BTreeMap<String, (MessageState, Option<u64>)>,
    /// What is being written.
    pub draft: text_editor::Content,
    /// Messages that came while it was not shown.
    pub unread: u32,
    /// Whether the engine has it.
    pub is_open: bool,
    /// Whether text can flow: both sides agreed on keys.
    pub is_live: bool,
    /// Messages of ours that are not delivered, as the engine counts them.
    pub undelivered: usize,
    /// What stands in its way.
    pub problem: Option<Problem>,
    /// Its safety number, while that stands in place of the messages.
    pub safety: Safety,
}

/// What stands in the way of a conversation, as the engine said.
pub struct Problem {
    /// Whether the peer has another key than before; all else may be gone when it is tried again.
    pub is_other_key: bool,
    /// In words.
    pub words: String,
}

impl Conversation {
    /// Takes in a page of history, the newest first; what is here already stays as it is.
    pub fn loaded(&mut self, entries: Vec<HistoryEntry>, more: bool) {
        let oldest = entries.last().map(|entry| entry.cursor);
        self.older = match oldest {
            Some(cursor) if more => Older::Before(cursor),
            Some(_) | None => Older::All,
        };
        let mut here: BTreeMap<Key, Shown> = BTreeMap::new();
        let mut order = Vec::with_capacity(self.messages.len());
        for shown in self.messages.drain(..) {
            let key = Key::of(&shown.by);
            order.push(key.clone());
            here.insert(key, shown);
        }
        for entry in entries.into_iter().rev() {
            let HistoryEntry { author, text, sent_ms, .. } = entry;
            let by = By::from(author);
            // what is here may be ahead of what was read
            match here.remove(&Key::of(&by)) {
                Some(shown) => self.messages.push(shown),
                None => self.push(by, text, sent_ms),
            }
        }
        self.messages.extend(order.iter().filter_map(|key| here.remove(key)));
        for (label, (state, round)) in std::mem::take(&mut self.early) {
            self.went(&label, state, round);
        }
    }

    /// A message of ours was handed to the engine.
    pub fn written(&mut self, label: String, text: String, sent_ms: u64) {
        self.push(By::Us { label, progress: Progress::Written }, text, sent_ms);
    }

    /// A message of the peer arrived; tells whether it is new.
    pub fn arrived(&mut self, id: MessageId, text: String, sent_ms: u64) -> bool {
        let by = By::Peer { id };
        let is_new = !self.messages.iter().any(|shown| shown.by == by);
        if is_new {
            self.push(by, text, sent_ms);
        }
        is_new
    }

    /// A message of ours went forward, never back; returns its text and what is shown of it now, if it is loaded. If it
    /// may be on a page that is on its way, that is remembered until then.
    pub fn went(
        &mut self,
        label: &str,
        state: MessageState,
        round: Option<u64>,
    ) -> Option<(&str, MessageState, Option<u64>)> {
        let waits = self.older == Older::Asked && self.early.len() < EARLY_MAX;
        if waits && self.find(label).is_none() {
            self.early.insert(label.to_owned(), (state, round));
        }
        let (progress, text) = self.find(label)?;
        match progress {
            Progress::At(known, its_round) if *known >= state => Some((text, *known, *its_round)),
            Progress::At(..) | Progress::Written | Progress::Refused(_) => {
                *progress = Progress::At(state, round);
                Some((text, state, round))
            }
        }
    }

    /// The engine did not take a message of ours.
    pub fn refused(&mut self, label: &str, why: String) {
        if let Some((progress @ Progress::Written, _)) = self.find(label) {
            *progress = Progress::Refused(why);
        }
    }

    /// Returns what the engine has not kept: what it did not take or confirm, and the draft.
    pub fn unsent(&self) -> String {
        let unsent = self.messages.iter().filter_map(|shown| match &shown.by {
            By::Us { progress: Progress::Written | Progress::Refused(_), .. } => {
                Some(shown.text.clone())
            }
            By::Us { progress: Progress::At(..), .. } | By::Peer { .. } => None,
        });
        let draft = Some(self.draft.text()).filter(|draft| !draft.is_empty());
        unsent.chain(draft).collect::<Vec<_>>().join("\n")
    }

    /// Something stands in the way of opening it or of reading its history.
    pub fn hindered(&mut self, problem: Problem) {
        if self.older == Older::Asked {
            self.older = Older::Unasked;
        }
        self.safety = Safety::Hidden;
        self.problem = Some(problem);
    }

    /// It is to be tried again: what may be gone counts no more.
    pub fn retried(&mut self) {
        self.problem.take_if(|problem| !problem.is_other_key);
    }

    /// Tells whether the engine said that the peer has another key than before.
    pub fn has_other_key(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.is_other_key)
    }

    /// Shows more of a long message.
    pub fn lengthen(&mut self, number: u64) {
        if let Some(shown) = self.messages.iter_mut().find(|shown| shown.number == number) {
            shown.steps = shown.steps.saturating_add(1);
        }
    }

    /// Takes a refused message out, to be written again; returns its text.
    pub fn take_refused(&mut self, label: &str) -> Option<String> {
        let is_it = |shown: &Shown| match &shown.by {
            By::Us { label: its, progress: Progress::Refused(_) } => its == label,
            By::Us { .. } | By::Peer { .. } => false,
        };
        let index = self.messages.iter().position(is_it)?;
        Some(self.messages.remove(index).text)
    }

    /// Returns how many messages are loaded and not shown.
    pub fn hidden(&self) -> usize {
        self.messages.len().saturating_sub(PAGE * (1 + self.more_pages))
    }

    /// Returns the messages that are shown, each with the number of ours before it that are not delivered, those that
    /// are not loaded included.
    pub fn with_queue(&self) -> impl Iterator<Item = (&Shown, usize)> {
        let waits = |shown: &&Shown| match &shown.by {
            By::Us { progress, .. } => progress.waits(),
            By::Peer { .. } => false,
        };
        let not_loaded =
            self.undelivered.saturating_sub(self.messages.iter().filter(waits).count());
        let all = self.messages.iter().scan(not_loaded, move |queued, shown| {
            let ahead = *queued;
            *queued += usize::from(waits(&shown));
            Some((shown, ahead))
        });
        all.skip(self.hidden())
    }

    fn push(&mut self, by: By, text: String, sent_ms: u64) {
        self.numbered += 1;
        self.messages.push(Shown { by, text, sent_ms, number: self.numbered, steps: 0 });
    }

    fn find(&mut self, label: &str) -> Option<(&mut Progress, &str)> {
        // what goes forward is among the newest
        self.messages.iter_mut().rev().find_map(|shown| match &mut shown.by {
            By::Us { label: its, progress } if its == label => Some((progress, &*shown.text)),
            By::Us { .. } | By::Peer { .. } => None,
        })
    }
}

impl From<Author> for By {
    fn from(author: Author) -> Self {
        match author {
            Author::Own { label, state, round } => {
                Self::Us { label, progress: Progress::At(state, round) }
            }
            Author::Peer { id, .. } => Self::Peer { id },
        }
    }
}

/// What tells messages apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Us(String),
    Peer([u8; 8]),
}

impl Key {
    fn of(by: &By) -> Self {
        match by {
            By::Us { label, .. } => Self::Us(label.clone()),
            By::Peer { id } => Self::Peer(id.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theirs(cursor: u64) -> HistoryEntry {
        let id = MessageId(cursor.to_be_bytes());
        let author = Author::Peer { id, round: cursor };
        HistoryEntry { cursor, author, text: cursor.to_string(), sent_ms: cursor }
    }

    fn ours(cursor: u64, state: MessageState) -> HistoryEntry {
        let author = Author::Own { label: cursor.to_string(), state, round: None };
        HistoryEntry { cursor, author, text: cursor.to_string(), sent_ms: cursor }
    }

    fn texts(conversation: &Conversation) -> Vec<&str> {
        conversation.messages.iter().map(|shown| &*shown.text).collect()
    }

    #[test]
    fn pages_go_in_front_and_nothing_is_doubled() {
        let mut conversation = Conversation::default();
        assert!(conversation.arrived(MessageId(7_u64.to_be_bytes()), "7".into(), 7));
        conversation.written("8".into(), "8".into(), 8);
        let page =
            vec![ours(8, MessageState::Queued), theirs(7), theirs(6), ours(5, MessageState::Sent)];
        conversation.loaded(page, true);
        assert_eq!(texts(&conversation), ["5", "6", "7", "8"]);
        assert_eq!(conversation.older, Older::Before(5));
        conversation.loaded(vec![theirs(4), theirs(3)], false);
        assert_eq!((texts(&conversation).len(), conversation.older), (6, Older::All));
        assert!(!conversation.arrived(MessageId(3_u64.to_be_bytes()), "3".into(), 3));
        conversation.loaded(vec![], false);
        assert_eq!(texts(&conversation), ["3", "4", "5", "6", "7", "8"]);
    }

    #[test]
    fn what_is_here_takes_its_place_in_the_page_and_keeps_its_state() {
        let mut conversation = Conversation { older: Older::Asked, ..Conversation::default() };
        assert!(conversation.arrived(MessageId(2_u64.to_be_bytes()), "2".into(), 2));
        conversation.written("3".into(), "3".into(), 3);
        let sent = (MessageState::Sent, Some(9));
        assert_eq!(conversation.went("3", sent.0, sent.1), Some(("3", sent.0, sent.1)));
        assert_eq!(conversation.went("1", MessageState::Delivered, Some(9)), None);
        conversation.written("5".into(), "5".into(), 5);
        let queued = MessageState::Queued;
        conversation.loaded(vec![theirs(4), ours(3, queued), theirs(2), ours(1, queued)], false);
        assert_eq!(texts(&conversation), ["1", "2", "3", "4", "5"]);
        assert!(!conversation.arrived(MessageId(4_u64.to_be_bytes()), "4".into(), 4));
        let state = |index: usize| match &conversation.messages[index].by {
            By::Us { progress: Progress::At(state, _), .. } => Some(*state),
            By::Us { .. } | By::Peer { .. } => None,
        };
        assert_eq!((state(0), state(2)), (Some(MessageState::Delivered), Some(MessageState::Sent)));
        assert_eq!(conversation.unsent(), "5");
    }

    #[test]
    fn states_never_go_back() {
        let mut conversation = Conversation::default();
        conversation.written("a".into(), "text".into(), 1);
        let sent = (MessageState::Sent, Some(3));
        assert_eq!(conversation.went("a", sent.0, sent.1), Some(("text", sent.0, sent.1)));
        let late = conversation.went("a", MessageState::Queued, None);
        assert_eq!(late, Some(("text", sent.0, sent.1)));
        conversation.refused("a", "too late".into());
        let progress = |it: &Conversation| match &it.messages[0].by {
            By::Us { progress, .. } => progress.clone(),
            By::Peer { .. } => panic!("it is ours"),
        };
        assert_eq!(progress(&conversation), Progress::At(MessageState::Sent, Some(3)));
        conversation.went("a", MessageState::Delivered, Some(4));
        assert_eq!(progress(&conversation), Progress::At(MessageState::Delivered, Some(4)));
        assert_eq!(conversation.went("b", MessageState::Sent, None), None);
    }

    #[test]
    fn a_refused_message_gives_its_text_back_once() {
        let mut conversation = Conversation::default();
        conversation.written("a".into(), "text".into(), 1);
        assert_eq!(conversation.take_refused("a"), None);
        conversation.refused("a", "no".into());
        assert_eq!(conversation.take_refused("a").as_deref(), Some("text"));
        assert_eq!(conversation.take_refused("a"), None);
        assert!(conversation.messages.is_empty());
    }

    #[test]
    fn the_newest_are_shown_and_earlier_ones_page_by_page() {
        let mut conversation = Conversation::default();
        for number in 0..120_u64 {
            conversation.arrived(MessageId(number.to_be_bytes()), number.to_string(), number);
        }
        let first = |it: &Conversation| it.with_queue().next().map(|(shown, _)| shown.sent_ms);
        assert_eq!((first(&conversation), conversation.hidden()), (Some(70), 70));
        conversation.more_pages = 1;
        assert_eq!((first(&conversation), conversation.hidden()), (Some(20), 20));
        conversation.more_pages = 2;
        assert_eq!((first(&conversation), conversation.hidden()), (Some(0), 0));
    }

    #[test]
    fn a_message_knows_how_many_wait_before_it() {
        let mut conversation = Conversation::default();
        for label in ["a", "b", "c", "d"] {
            conversation.written(label.into(), label.into(), 1);
        }
        conversation.went("a", MessageState::Sent, Some(1));
        conversation.went("b", MessageState::Queued, None);
        let ahead: Vec<_> = conversation.with_queue().map(|(_, ahead)| ahead).collect();
        assert_eq!(ahead, [0, 1, 2, 3]);
        conversation.went("a", MessageState::Delivered, Some(2));
        conversation.undelivered = 10;
        let ahead: Vec<_> = conversation.with_queue().map(|(_, ahead)| ahead).collect();
        assert_eq!(ahead, [7, 7, 8, 9], "seven are not loaded");
    }
}
