//! A search through the history, beside the rounds.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use wire::ids::IdentityHash;

use super::local::failed;
use crate::api::{Event, HITS_MAX, Hit, LocalEvent};
use crate::profile::{Cursor, Direction, Entry, HistoryReader, Message, ProfileError};

/// Messages that are read between two looks at whether the search goes on; the lock waits for no more.
const CHUNK: usize = 512;

/// How long, and through how many messages, a search goes on without a word.
const SILENCE: (Duration, u64) = (Duration::from_millis(100), 5000);

/// What is searched for.
pub(super) struct Quest {
    pub(super) number: u64,
    pub(super) text: String,
    /// With whom, or with everybody.
    pub(super) peer: Option<IdentityHash>,
}

/// Searches until the end, enough hits, or nobody hears; belongs on a thread of its own.
pub(super) fn search(reader: &HistoryReader, quest: &Quest, tell: &mpsc::Sender<Event>) {
    if let Err(error) = go_through(reader, quest, tell) {
        // a program that is gone needs no answer
        let _ = tell.blocking_send(failed(error));
    }
}

fn go_through(
    reader: &HistoryReader,
    quest: &Quest,
    tell: &mpsc::Sender<Event>,
) -> Result<(), ProfileError> {
    let &Quest { number, ref text, peer } = quest;
    let wanted = text.to_lowercase();
    let mut names = reader.names()?;
    let mut walk = reader.walk(peer.as_ref(), Direction::NewestFirst)?;
    let of = walk.messages();
    let (mut read, mut found, mut hits) = (0, 0, Vec::new());
    let (mut told_at, mut told) = (Instant::now(), 0);
    while !tell.is_closed() {
        let page = walk.page(CHUNK)?;
        let at_end = page.len() < CHUNK;
        for entry in page {
            read += 1;
            if found < HITS_MAX && text_of(&entry.message).to_lowercase().contains(&wanted) {
                found += 1;
                hits.push(hit(entry, |peer| names.of(peer))?);
            }
        }
        let done = at_end || found == HITS_MAX;
        let silent = told_at.elapsed() >= SILENCE.0 || read - told >= SILENCE.1;
        if done || silent || !hits.is_empty() {
            (told_at, told) = (Instant::now(), read);
            let hits = std::mem::take(&mut hits);
            let event = LocalEvent::Found { number, hits, read, of, done };
            if tell.blocking_send(Event::Local(event)).is_err() || done {
                break;
            }
        }
    }
    Ok(())
}

fn text_of(message: &Message) -> &str {
    match message {
        Message::Ours(message, _) => &message.text,
        Message::Theirs(message) => &message.text,
    }
}

fn hit(
    entry: Entry,
    name: impl FnOnce(&IdentityHash) -> Result<String, ProfileError>,
) -> Result<Hit, ProfileError> {
    let Entry { cursor: Cursor(cursor), message } = entry;
    let (peer, is_ours, text, sent_ms) = match message {
        Message::Ours(message, _) => (message.peer, true, message.text, message.sent_ms),
        Message::Theirs(message) => (message.peer, false, message.text, message.sent_ms),
    };
    Ok(Hit { peer: name(&peer)?, cursor, is_ours, text, sent_ms })
}
