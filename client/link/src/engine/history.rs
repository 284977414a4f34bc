//! Answers from the history: the disk is read beside the rounds, one page at a time, in the order of the
//! questions.

use std::collections::VecDeque;
use std::pin::Pin;

use client_core::record::Outgoing;
use wire::ids::{IdentityHash, Round};

use super::entry::blocking;
use super::trouble::Failure;
use crate::api::{About, Author, ErrorCode, Event, HistoryEntry, MessageState};
use crate::profile::{Cursor, Entry, HistoryReader, Message, Page};

/// Questions that may wait for the disk.
const QUESTIONS_MAX: usize = 1024;

type Reading = Pin<Box<dyn Future<Output = Event> + Send>>;

/// What [`crate::api::Command::History`] asks.
pub(super) struct Question {
    /// As the program gave it.
    pub(super) peer: String,
    /// Whose name that is, if a conversation with it was ever opened.
    pub(super) identity: Option<IdentityHash>,
    pub(super) before: Option<u64>,
    pub(super) max: usize,
}

/// Questions, and the page that is read now.
pub(super) struct Histories {
    reader: HistoryReader,
    waiting: VecDeque<Question>,
    /// The page that is read, and whom it is with.
    reading: Option<(String, Reading)>,
}

impl Histories {
    pub(super) fn new(reader: HistoryReader) -> Self {
        Self { reader, waiting: VecDeque::new(), reading: None }
    }

    /// Takes a question.
    ///
    /// # Errors
    /// The event to tell if too many wait.
    pub(super) fn ask(&mut self, question: Question) -> Result<(), Event> {
        if self.waiting.len() < QUESTIONS_MAX {
            self.waiting.push_back(question);
            return Ok(());
        }
        let text = format!(
            "{QUESTIONS_MAX} pages of history are asked for already; ask again once some came"
        );
        Err(failed(question.peer, Failure::new(ErrorCode::QueueFull, text)))
    }

    /// Drops all questions, and what was read for one; returns whom they were about.
    pub(super) fn clear(&mut self) -> Vec<String> {
        let reading = self.reading.take().map(|(peer, _)| peer);
        reading.into_iter().chain(self.waiting.drain(..).map(|question| question.peer)).collect()
    }

    /// Returns the next answer; waits for ever if nothing was asked. Nothing is lost if it is cancelled.
    pub(super) async fn next(&mut self) -> Event {
        if self.reading.is_none() {
            let Some(question) = self.waiting.pop_front() else {
                return std::future::pending().await;
            };
            let peer = question.peer.clone();
            self.reading = Some((peer, Box::pin(answer(self.reader.clone(), question))));
        }
        let Some((_, reading)) = &mut self.reading else { return std::future::pending().await };
        let event = reading.await;
        self.reading = None;
        event
    }
}

async fn answer(reader: HistoryReader, question: Question) -> Event {
    let Question { peer, identity, before, max } = question;
    let Some(identity) = identity else {
        return Event::History { peer, before, entries: Vec::new(), more: false };
    };
    let read = blocking(move || reader.page(&identity, before.map(Cursor), max));
    match read.await.and_then(|page| page.map_err(Failure::from)) {
        Ok(Page { entries, more }) => {
            let entries = entries.into_iter().map(entry).collect();
            Event::History { peer, before, entries, more }
        }
        Err(failure) => failed(peer, failure),
    }
}

fn failed(peer: String, failure: Failure) -> Event {
    let Failure { code, text } = failure;
    Event::Error { code, text, about: About { peer: Some(peer), label: None } }
}

fn entry(entry: Entry) -> HistoryEntry {
    let Entry { cursor: Cursor(cursor), message } = entry;
    match message {
        Message::Ours(message, delivered) => {
            let (state, round) = state(&message, delivered);
            let author = Author::Own { label: message.label, state, round };
            HistoryEntry { cursor, author, text: message.text, sent_ms: message.sent_ms }
        }
        Message::Theirs(message) => {
            let author = Author::Peer { id: message.id, round: message.round.0 };
            HistoryEntry { cursor, author, text: message.text, sent_ms: message.sent_ms }
        }
    }
}

/// Tells how far a message of ours is, and the round that did it.
pub(super) fn state(message: &Outgoing, delivered: Option<Round>) -> (MessageState, Option<u64>) {
    match (delivered, message.sent) {
        (Some(round), _) => (MessageState::Delivered, Some(round.0)),
        (None, Some(round)) => (MessageState::Sent, Some(round.0)),
        (None, None) => (MessageState::Queued, None),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use client_core::record::{Change, Incoming};
    use redb::{Database, ReadableTable, TableDefinition};
    use tempfile::TempDir;
    use wire::account::Stretching;
    use wire::ids::MessageId;
    use wire::kdf::Secret;
    use wire::link::{Link, Pin};

    use super::*;
    use crate::profile::{HISTORY_PAGE_MAX, Profile, ProfileAccount, ProfileThread};

    const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
    const BOB: IdentityHash = IdentityHash([1; 32]);
    const CID: IdentityHash = IdentityHash([2; 32]);

    fn id(number: u64) -> MessageId {
        MessageId(number.to_be_bytes())
    }

    fn written(number: u64, peer: IdentityHash) -> Change {
        let (label, text) = (format!("m{number}"), format!("text {number}"));
        Change::Queued(Outgoing { id: id(number), peer, label, text, sent_ms: number, sent: None })
    }

    fn arrived(number: u64, peer: IdentityHash) -> Change {
        let (text, round) = (format!("text {number}"), Round(number));
        Change::Received(Incoming { id: id(number), peer, text, sent_ms: number, round })
    }

    /// A closed profile with this in it.
    fn kept(changes: &[Change]) -> TempDir {
        let dir = TempDir::new().unwrap();
        let link = Link { host: "h".into(), port: 1, pin: Pin([1; 32]) };
        let account = ProfileAccount { link, user: "ann".parse().unwrap() };
        let master = Secret::new([1; 32]);
        let profile = Profile::create(dir.path(), b"x", CHEAP, &account, &master);
        profile.unwrap().apply(changes).unwrap();
        dir
    }

    fn histories(dir: &Path) -> Histories {
        let unlocked = Profile::unlock(dir, b"x", &CHEAP).unwrap();
        let (thread, _) = ProfileThread::start(unlocked.profile).unwrap();
        Histories::new(thread.reader())
    }

    fn question(peer: &str, before: Option<u64>, max: usize) -> Question {
        let identity = match peer {
            "bob" => Some(BOB),
            "cid" => Some(CID),
            _ => None,
        };
        Question { peer: peer.into(), identity, before, max }
    }

    /// The peer and the times of a page, which the tests use as numbers, its last cursor, and `more`.
    fn page(event: Event) -> (String, Vec<u64>, Option<u64>, bool) {
        let Event::History { peer, entries, more, .. } = event else { panic!("{event:?}") };
        let last = entries.last().map(|entry| entry.cursor);
        (peer, entries.iter().map(|entry| entry.sent_ms).collect(), last, more)
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_questions_and_pages_go_backwards() {
        let changes: Vec<_> =
            (0..7).map(|number| arrived(number, if number == 3 { CID } else { BOB })).collect();
        let dir = kept(&changes);
        let mut histories = histories(dir.path());
        for (peer, max) in [("bob", 4), ("nobody", 9), ("cid", 1), ("bob", 0)] {
            histories.ask(question(peer, None, max)).unwrap();
        }
        let (peer, times, last, more) = page(histories.next().await);
        assert_eq!((peer.as_str(), times, more), ("bob", vec![6, 5, 4, 2], true));
        assert_eq!(page(histories.next().await), ("nobody".into(), vec![], None, false));
        let (peer, times, _, more) = page(histories.next().await);
        assert_eq!((peer.as_str(), times, more), ("cid", vec![3], false));
        assert_eq!(page(histories.next().await), ("bob".into(), vec![], None, true));
        histories.ask(question("bob", last, 2)).unwrap();
        let (_, times, _, more) = page(histories.next().await);
        assert_eq!((times, more), (vec![1, 0], false));
    }

    #[tokio::test]
    async fn a_page_is_no_longer_than_it_may_be() {
        let changes: Vec<_> = (0..300).map(|number| arrived(number, BOB)).collect();
        let dir = kept(&changes);
        let mut histories = histories(dir.path());
        histories.ask(question("bob", None, usize::MAX)).unwrap();
        let (_, times, last, more) = page(histories.next().await);
        assert_eq!((times.len(), more), (HISTORY_PAGE_MAX, true));
        histories.ask(question("bob", last, 300 - HISTORY_PAGE_MAX)).unwrap();
        let (_, times, _, more) = page(histories.next().await);
        assert_eq!((times.len(), more), (300 - HISTORY_PAGE_MAX, false));
    }

    #[tokio::test]
    async fn a_message_of_ours_is_as_far_as_is_known() {
        let sent = |number| Change::Sent(id(number), Round(100 + number));
        let delivered = Change::Delivered(id(0), Round(200));
        let all = [
            written(0, BOB),
            written(1, BOB),
            written(2, BOB),
            arrived(3, BOB),
            sent(0),
            sent(1),
            delivered,
        ];
        let dir = kept(&all);
        let mut histories = histories(dir.path());
        histories.ask(question("bob", None, 9)).unwrap();
        let Event::History { entries, .. } = histories.next().await else { panic!("no history") };
        let own = |number: u64, state, round| {
            (format!("text {number}"), Author::Own { label: format!("m{number}"), state, round })
        };
        let expected = [
            ("text 3".to_owned(), Author::Peer { id: id(3), round: 3 }),
            own(2, MessageState::Queued, None),
            own(1, MessageState::Sent, Some(101)),
            own(0, MessageState::Delivered, Some(200)),
        ];
        let found: Vec<_> = entries.into_iter().map(|it| (it.text, it.author)).collect();
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn damage_is_told_and_other_pages_are_read() {
        let dir = kept(&[arrived(0, BOB), arrived(1, BOB)]);
        let database = Database::open(dir.path().join("data.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let definition = TableDefinition::<&[u8], &[u8]>::new("history");
            let mut table = transaction.open_table(definition).unwrap();
            let (key, mut value) = {
                let (key, value) = table.first().unwrap().unwrap();
                (key.value().to_vec(), value.value().to_vec())
            };
            value[100] ^= 1;
            table.insert(key.as_slice(), value.as_slice()).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        let mut histories = histories(dir.path());
        for max in [2, 1] {
            histories.ask(question("bob", None, max)).unwrap();
        }
        let damaged = histories.next().await;
        let Event::Error { code, about, .. } = damaged else { panic!("{damaged:?}") };
        assert_eq!(code, ErrorCode::ProfileDamaged);
        assert_eq!(about, About { peer: Some("bob".into()), label: None });
        let (_, times, _, more) = page(histories.next().await);
        assert_eq!((times, more), (vec![1], true), "what is whole can be read");
    }

    #[tokio::test]
    async fn more_questions_than_may_wait_are_refused() {
        let dir = kept(&[]);
        let mut histories = histories(dir.path());
        for _ in 0..QUESTIONS_MAX {
            histories.ask(question("nobody", None, 1)).unwrap();
        }
        let refusal = histories.ask(question("bob", None, 1)).unwrap_err();
        let is_full = |event: &Event| matches!(event, Event::Error { code: ErrorCode::QueueFull, about, .. } if about.peer.as_deref() == Some("bob"));
        assert!(is_full(&refusal), "{refusal:?}");
        histories.next().await;
        assert!(histories.ask(question("bob", None, 1)).is_ok());
    }
}
