//! One conversation as the window holds it: the messages that are loaded, the draft, how it stands.

use std::collections::BTreeMap;

use client_link::api::{Author, HistoryEntry, MessageState, UnderWay};
use iced::widget::text_editor;
use wire::ids::MessageId;

use super::address;
use super::composer::Kept;
use super::reader::Reader;
use super::safety::Safety;
use crate::present::{self, Progress};

/// A message that is shown.
pub struct Shown {
    /// Who wrote it.
    pub by: By,
    /// What was written.
    pub text: String,
    /// When, by the writer's clock, milliseconds since 1970.
    pub sent_ms: u64,
    /// Tells it from all others of its conversation while the window is open; the first is 1.
    pub number: u64,
    /// Its place in the history, once it was read from there.
    pub cursor: Option<u64>,
    /// How often more of it was asked for.
    pub steps: u32,
}

impl Shown {
    fn is_refused(&self) -> bool {
        matches!(self.by, By::Us { progress: Progress::Refused(_), .. })
    }
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
        /// Round that completed it.
        round: u64,
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

/// Messages that are asked for at once.
pub const PAGE: usize = 50;

/// Messages that are loaded at most; a search leads to older ones no more.
pub const LOADED_MAX: usize = 50_000;

/// States that are remembered while a page is on its way.
const EARLY_MAX: usize = 1024;

/// One conversation.
#[derive(Default)]
pub struct Conversation {
    /// Oldest first.
    pub messages: Vec<Shown>,
    /// Where the reader is.
    pub reader: Reader,
    /// What is loaded.
    pub older: Older,
    /// Messages that were numbered.
    numbered: u64,
    /// States of messages that may be on the page that is on its way, by label.
    early: BTreeMap<String, (MessageState, Option<u64>)>,
    /// What is being written.
    pub draft: text_editor::Content,
    /// When that was told to the engine.
    pub kept: Kept,
    /// Messages that came while it was not shown.
    pub unread: u32,
    /// The first of them, if it is loaded.
    first_unread: Option<u64>,
    /// Where they begin while it is shown.
    pub divider: Option<Divider>,
    /// The message that is chosen by keyboard or mouse.
    pub chosen: Option<u64>,
    /// Whether its details are shown.
    pub shows_details: bool,
    /// Whether it was copied since it was chosen.
    pub is_copied: bool,
    /// When something was last said, by this machine's clock, in milliseconds since 1970.
    pub active_ms: Option<u64>,
    /// Whether the engine has it.
    pub is_open: bool,
    /// Whether text can flow: both sides agreed on keys.
    pub is_live: bool,
    /// Messages of ours that are not delivered, as the engine counts them.
    pub undelivered: usize,
    /// The oldest of them, if it goes out in parts.
    pub under_way: Option<UnderWay>,
    /// What stands in its way.
    pub problem: Option<Problem>,
    /// Its safety number, while that stands in place of the messages.
    pub safety: Safety,
}

/// Where the messages begin that came while the conversation was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divider {
    /// The first of them; none until it is loaded.
    pub before: Option<u64>,
    /// How many there are.
    pub count: u32,
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
            let HistoryEntry { author, text, sent_ms, cursor } = entry;
            let by = By::from(author);
            // what is here may be ahead of what was read
            match here.remove(&Key::of(&by)) {
                Some(shown) => self.messages.push(Shown { cursor: Some(cursor), ..shown }),
                None => self.push(by, text, sent_ms, Some(cursor)),
            }
        }
        self.messages.extend(order.iter().filter_map(|key| here.remove(key)));
        for (label, (state, round)) in std::mem::take(&mut self.early) {
            self.went(&label, state, round);
        }
        self.place_divider();
    }

    /// A message of ours was handed to the engine.
    pub fn written(&mut self, label: String, text: String, sent_ms: u64) {
        self.push(By::Us { label, progress: Progress::Written }, text, sent_ms, None);
        self.active_ms = self.active_ms.max(Some(sent_ms));
    }

    /// A message of the peer arrived; tells whether it is new.
    pub fn arrived(&mut self, id: MessageId, text: String, sent_ms: u64, round: u64) -> bool {
        let is_it = |shown: &Shown| matches!(shown.by, By::Peer { id: its, .. } if its == id);
        // what comes twice is among the newest
        let is_new = !self.messages.iter().rev().any(is_it);
        if is_new {
            self.push(By::Peer { id, round }, text, sent_ms, None);
            self.reader.came();
        }
        is_new
    }

    /// The message that arrived last was not looked at.
    pub fn missed(&mut self) {
        if self.unread == 0 {
            self.first_unread = self.messages.last().map(|shown| shown.number);
        }
        self.unread = self.unread.saturating_add(1);
    }

    /// It is shown: what was not looked at is marked.
    pub fn entered(&mut self) {
        let (count, before) = (std::mem::take(&mut self.unread), self.first_unread.take());
        if count > 0 {
            self.divider = Some(Divider { before, count });
            self.place_divider();
        }
    }

    /// It is not shown any more.
    pub fn left(&mut self) {
        self.divider = None;
        self.chosen = None;
        self.reader.leave();
        self.safety = Safety::Hidden;
    }

    /// Finds where what was not looked at begins, if that came while nothing was told of it.
    fn place_divider(&mut self) {
        let Some(Divider { before: before @ None, count }) = &mut self.divider else { return };
        let theirs = self.messages.iter().filter(|shown| matches!(shown.by, By::Peer { .. }));
        let numbers: Vec<u64> = theirs.map(|shown| shown.number).collect();
        let first = numbers.len().checked_sub(*count as usize);
        *before = first.and_then(|first| numbers.get(first).copied());
    }

    /// Chooses the message before or behind the chosen one; none is behind the last.
    pub fn choose(&mut self, back: bool) {
        let at = |number| self.messages.iter().rposition(|shown| shown.number == number);
        let at = match (self.chosen.and_then(at), back) {
            (None, true) => self.messages.len().checked_sub(1),
            (None, false) => None,
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|at| *at < self.messages.len()),
        };
        self.choose_one(at.map(|at| self.messages[at].number));
        match self.chosen {
            Some(number) => self.reader.reveal(number, &self.messages),
            None => self.reader.go_to_end(),
        }
    }

    /// Chooses a message, or none if it was chosen.
    pub fn toggle(&mut self, number: u64) {
        self.choose_one(Some(number).filter(|number| self.chosen != Some(*number)));
    }

    /// Leads to the message of a place among those that are loaded.
    pub fn drag_to(&mut self, at: usize) {
        if let Some(shown) = self.messages.get(at) {
            self.reader.go_to(shown.number);
        }
    }

    /// Returns a link of a message, as it is written there.
    pub fn link(&self, number: u64, at: usize) -> Option<String> {
        let shown = self.messages.iter().rfind(|shown| shown.number == number)?;
        let text = present::excerpt(&shown.text, shown.steps).text;
        let link = address::find(&text).into_iter().nth(at)?;
        Some(text[link].to_owned())
    }

    /// Returns how many parts of a message arrived, if it is the one that is under way.
    pub fn parts(&self, shown: &Shown) -> Option<&UnderWay> {
        let By::Us { label, progress: Progress::At(state, _) } = &shown.by else { return None };
        let waits = *state < MessageState::Delivered;
        self.under_way.as_ref().filter(|under_way| waits && under_way.label == *label)
    }

    /// Tells whether no more is loaded.
    pub fn is_full(&self) -> bool {
        self.messages.len() >= LOADED_MAX
    }

    /// Tells whether something was written that the engine has not confirmed.
    pub fn is_unsent(&self) -> bool {
        self.messages.iter().any(|shown| match &shown.by {
            By::Us { progress: Progress::Written | Progress::Refused(_), .. } => true,
            By::Us { progress: Progress::At(..), .. } | By::Peer { .. } => false,
        })
    }

    /// Chooses a message by its number, or none.
    pub fn choose_one(&mut self, number: Option<u64>) {
        self.chosen = number;
        self.shows_details = false;
        self.is_copied = false;
    }

    /// Returns the message that is chosen.
    pub fn chosen(&self) -> Option<&Shown> {
        let number = self.chosen?;
        self.messages.iter().rfind(|shown| shown.number == number)
    }

    /// Puts refused messages back into the field, before what is there.
    pub fn take_back_refused(&mut self) {
        let draft = self.to_keep();
        let count = self.messages.len();
        self.messages.retain(|shown| !shown.is_refused());
        if self.messages.len() < count {
            self.draft = text_editor::Content::with_text(&draft);
            self.kept.is_loose = true;
        }
    }

    /// Returns what the engine is to keep as the draft: what it refused, and what is in the field.
    pub fn to_keep(&self) -> String {
        let refused = self.messages.iter().filter(|shown| shown.is_refused());
        let draft = Some(self.draft.text()).filter(|draft| !draft.trim().is_empty());
        refused.map(|shown| shown.text.clone()).chain(draft).collect::<Vec<_>>().join("\n")
    }

    /// Drops all that was written, except what the engine has not confirmed: that is nowhere else.
    pub fn lock(&mut self) {
        self.messages.retain(|shown| match &shown.by {
            By::Us { progress: Progress::Written | Progress::Refused(_), .. } => true,
            By::Us { progress: Progress::At(..), .. } | By::Peer { .. } => false,
        });
        self.left();
        self.early.clear();
        self.first_unread = None;
        self.older = Older::Unasked;
        if !self.kept.is_loose {
            self.draft = text_editor::Content::new();
        }
    }

    /// Its history is gone: what is loaded goes too, except what is under way.
    pub fn deleted(&mut self) {
        self.messages.retain(|shown| match &shown.by {
            By::Us { progress, .. } => progress.waits() || matches!(progress, Progress::Refused(_)),
            By::Peer { .. } => false,
        });
        self.older = Older::Unasked;
        self.divider = None;
        self.choose_one(None);
        self.reader.go_to_end();
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
            // it is nowhere else
            self.kept = Kept::loose();
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

    /// Returns the messages that are loaded, each with the number of ours before it that are not delivered, those that
    /// are not loaded included.
    pub fn with_queue(&self) -> impl Iterator<Item = (&Shown, usize)> {
        let waits = |shown: &&Shown| match &shown.by {
            By::Us { progress, .. } => progress.waits(),
            By::Peer { .. } => false,
        };
        let not_loaded =
            self.undelivered.saturating_sub(self.messages.iter().filter(waits).count());
        self.messages.iter().scan(not_loaded, move |queued, shown| {
            let ahead = *queued;
            *queued += usize::from(waits(&shown));
            Some((shown, ahead))
        })
    }

    fn push(&mut self, by: By, text: String, sent_ms: u64, cursor: Option<u64>) {
        self.numbered += 1;
        self.messages.push(Shown { by, text, sent_ms, number: self.numbered, cursor, steps: 0 });
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
            Author::Peer { id, round } => Self::Peer { id, round },
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
            By::Peer { id, .. } => Self::Peer(id.0),
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
        assert!(conversation.arrived(MessageId(7_u64.to_be_bytes()), "7".into(), 7, 1));
        conversation.written("8".into(), "8".into(), 8);
        let page =
            vec![ours(8, MessageState::Queued), theirs(7), theirs(6), ours(5, MessageState::Sent)];
        conversation.loaded(page, true);
        assert_eq!(texts(&conversation), ["5", "6", "7", "8"]);
        assert_eq!(conversation.older, Older::Before(5));
        conversation.loaded(vec![theirs(4), theirs(3)], false);
        assert_eq!((texts(&conversation).len(), conversation.older), (6, Older::All));
        assert!(!conversation.arrived(MessageId(3_u64.to_be_bytes()), "3".into(), 3, 1));
        conversation.loaded(vec![], false);
        assert_eq!(texts(&conversation), ["3", "4", "5", "6", "7", "8"]);
    }

    #[test]
    fn what_is_here_takes_its_place_in_the_page_and_keeps_its_state() {
        let mut conversation = Conversation { older: Older::Asked, ..Conversation::default() };
        assert!(conversation.arrived(MessageId(2_u64.to_be_bytes()), "2".into(), 2, 1));
        conversation.written("3".into(), "3".into(), 3);
        let sent = (MessageState::Sent, Some(9));
        assert_eq!(conversation.went("3", sent.0, sent.1), Some(("3", sent.0, sent.1)));
        assert_eq!(conversation.went("1", MessageState::Delivered, Some(9)), None);
        conversation.written("5".into(), "5".into(), 5);
        let queued = MessageState::Queued;
        conversation.loaded(vec![theirs(4), ours(3, queued), theirs(2), ours(1, queued)], false);
        assert_eq!(texts(&conversation), ["1", "2", "3", "4", "5"]);
        assert!(!conversation.arrived(MessageId(4_u64.to_be_bytes()), "4".into(), 4, 1));
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
    fn what_was_not_looked_at_is_marked_until_the_conversation_is_left() {
        let mut conversation = Conversation::default();
        for number in 1..=5_u64 {
            assert!(conversation.arrived(MessageId(number.to_be_bytes()), "x".into(), 1, 1));
            if number > 2 {
                conversation.missed();
            }
        }
        conversation.entered();
        assert_eq!(conversation.divider, Some(Divider { before: Some(3), count: 3 }));
        assert_eq!(conversation.unread, 0);
        conversation.left();
        assert_eq!(conversation.divider, None);
    }

    #[test]
    fn what_came_while_nothing_was_told_of_it_is_marked_when_it_is_loaded() {
        let mut conversation = Conversation { unread: 2, ..Conversation::default() };
        conversation.entered();
        assert_eq!(conversation.divider, Some(Divider { before: None, count: 2 }));
        let sent = MessageState::Sent;
        conversation.loaded(vec![theirs(9), ours(8, sent), theirs(7), theirs(6)], false);
        let divider = conversation.divider.and_then(|it| it.before);
        let first = conversation.messages.iter().find(|it| Some(it.number) == divider);
        assert_eq!(first.map(|it| &*it.text), Some("7"));
    }

    #[test]
    fn messages_are_chosen_from_the_last_one_back_and_forth() {
        let mut conversation = Conversation::default();
        conversation.choose(true);
        assert_eq!(conversation.chosen, None, "there is none");
        for label in ["a", "b"] {
            conversation.written(label.into(), label.into(), 1);
        }
        let mut steps = Vec::new();
        for back in [true, true, true, false, false] {
            conversation.choose(back);
            steps.push(conversation.chosen().map(|it| it.text.clone()).unwrap_or_default());
        }
        assert_eq!(steps, ["b", "a", "a", "b", ""]);
    }

    #[test]
    fn a_lock_drops_what_is_on_disk_and_nothing_else() {
        let mut conversation = Conversation::default();
        assert!(conversation.arrived(MessageId([1; 8]), "theirs".into(), 1, 1));
        conversation.missed();
        for (label, text) in [("a", "kept"), ("b", "not confirmed"), ("c", "refused")] {
            conversation.written(label.into(), text.into(), 1);
        }
        conversation.went("a", MessageState::Queued, None);
        conversation.refused("c", "no".into());
        conversation.lock();
        assert_eq!(texts(&conversation), ["not confirmed", "refused"]);
        assert_eq!((conversation.unread, conversation.older), (1, Older::Unasked));
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
