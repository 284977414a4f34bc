//! Reading back what was written and received, page by page.

use std::sync::Arc;

use client_core::record::{Incoming, Outgoing};
use wire::ids::{IdentityHash, MessageId, Round};

use super::ProfileError;
use super::data::{Data, Told, guarded};
use super::row::HistoryRow;

/// The most entries of a page.
pub const HISTORY_PAGE_MAX: usize = 256;

/// Place of an entry in the history; later entries have higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub u64);

/// A message in the history.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is; what is before it is older.
    pub cursor: Cursor,
    /// The message.
    pub message: Message,
}

/// A message of ours or of the peer.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Ours, and the round in which it was known to be delivered.
    Ours(Outgoing, Option<Round>),
    /// The peer's.
    Theirs(Incoming),
}

/// Part of the history with a peer.
pub struct Page {
    /// The newest first.
    pub entries: Vec<Entry>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Reads the history while the profile's thread works; keeps the profile open.
#[derive(Clone)]
pub struct HistoryReader {
    pub(super) data: Arc<Data>,
}

impl HistoryReader {
    /// Returns messages exchanged with a peer; see [`super::Profile::history`]. Reads the disk.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn page(
        &self,
        peer: &IdentityHash,
        before: Option<Cursor>,
        max: usize,
    ) -> Result<Page, ProfileError> {
        page(&self.data, peer, before, max)
    }
}

/// Reads one page; see [`super::Profile::history`].
pub(super) fn page(
    data: &Data,
    peer: &IdentityHash,
    before: Option<Cursor>,
    max: usize,
) -> Result<Page, ProfileError> {
    let below = before.map_or(u64::MAX, |cursor| cursor.0);
    let (rows, more) = guarded(|| data.history(peer, below, max.min(HISTORY_PAGE_MAX)))?;
    let entries = rows.into_iter().map(entry).collect();
    Ok(Page { entries, more })
}

/// Returns a row as a message.
pub(super) fn entry((order, row, progress): Told) -> Entry {
    let message = match row {
        HistoryRow::Ours { peer, id, label, text, sent_ms } => {
            let (id, peer, sent) = (MessageId(id), IdentityHash(peer), progress.sent());
            let message = Outgoing { id, peer, label, text, sent_ms, sent };
            Message::Ours(message, progress.delivered())
        }
        HistoryRow::Theirs { peer, id, text, sent_ms, round } => {
            let (id, peer, round) = (MessageId(id), IdentityHash(peer), Round(round));
            Message::Theirs(Incoming { id, peer, text, sent_ms, round })
        }
    };
    Entry { cursor: Cursor(order), message }
}
