//! The receiving half of a conversation: fragments into messages, acknowledgements, each message once.
//!
//! The fragment that completes a message is acknowledged only when the message is durable; so a sender
//! takes a message for delivered only if it is on the receiver's disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wire::ids::MessageId;
use wire::peer::PeerMessage;
use wire::size::{FRAGMENTS_MAX, MESSAGE_ID, PEER_PAYLOAD, TEXT_MAX};
use zeroize::Zeroizing;

use crate::record::RECEIVED_IDS_MAX;
use crate::sending::WINDOW;

/// What arrived in this session, and the ids that arrived ever.
#[derive(Default)]
pub(crate) struct Receiving {
    ids: RecentIds,
    /// Every fragment below this number has arrived.
    next: u32,
    /// Fragments that arrived out of order.
    ahead: BTreeMap<u32, Piece>,
    partial: Option<Partial>,
    /// Messages that are complete and not durable, whatever session completed them.
    undurable: BTreeSet<MessageId>,
    /// Fragments of this session that completed one of those, in order: not to be acknowledged yet.
    withheld: VecDeque<(u32, MessageId)>,
}

struct Piece {
    index: u16,
    count: u16,
    sent_ms: u64,
    bytes: Zeroizing<Vec<u8>>,
}

struct Partial {
    next_index: u16,
    count: u16,
    bytes: Zeroizing<Vec<u8>>,
}

/// A message that is complete and new.
pub(crate) struct Complete {
    pub(crate) id: MessageId,
    pub(crate) text: String,
    pub(crate) sent_ms: u64,
}

impl Receiving {
    /// Begins with the ids that a peer's messages had before, oldest first.
    pub(crate) fn new(ids: Vec<MessageId>) -> Self {
        Self { ids: RecentIds::new(ids), ..Self::default() }
    }

    /// Forgets the session: half-built messages are dropped, ids stay.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
        self.ahead.clear();
        self.partial = None;
        self.withheld.clear();
    }

    /// Takes in the fragment of a message, if there is one; returns what it completes, in order.
    pub(crate) fn take(&mut self, message: &PeerMessage) -> Vec<Complete> {
        let is_new = message.seq >= self.next && message.seq - self.next < WINDOW;
        if message.count == 0 || !is_new {
            return Vec::new();
        }
        let piece = Piece {
            index: message.index,
            count: message.count,
            sent_ms: message.sent_ms,
            bytes: Zeroizing::new(message.payload.as_bytes().to_vec()),
        };
        self.ahead.entry(message.seq).or_insert(piece);
        let mut complete = Vec::new();
        while let Some(piece) = self.ahead.remove(&self.next) {
            let seq = self.next;
            self.next += 1;
            complete.extend(self.append(seq, piece));
        }
        complete
    }

    /// A message is durable: it may be acknowledged.
    pub(crate) fn durable(&mut self, id: MessageId) {
        self.undurable.remove(&id);
        self.withheld.retain(|(_, it)| *it != id);
    }

    /// Returns `ack` and `sack` as they stand.
    pub(crate) fn acknowledgement(&self) -> (u32, u32) {
        let withheld = |seq: u32| self.withheld.iter().any(|(last, _)| *last == seq);
        let ack = self.withheld.front().map_or(self.next, |(last, _)| *last);
        let mut sack = 0;
        for bit in 0..32 {
            let Some(seq) = ack.checked_add(1 + bit) else { break };
            let arrived = seq < self.next || self.ahead.contains_key(&seq);
            if arrived && !withheld(seq) {
                sack |= 1 << bit;
            }
        }
        (ack, sack)
    }

    /// Appends the next piece in order; what does not fit its place is dropped with its message.
    fn append(&mut self, seq: u32, piece: Piece) -> Option<Complete> {
        if piece.index == 0 {
            let count = piece.count.min(u16::try_from(FRAGMENTS_MAX).unwrap_or(u16::MAX));
            let bytes = Zeroizing::new(Vec::with_capacity(usize::from(count) * PEER_PAYLOAD));
            self.partial = Some(Partial { next_index: 0, count: piece.count, bytes });
        }
        let partial = self.partial.as_mut()?;
        if partial.next_index != piece.index || partial.count != piece.count {
            self.partial = None;
            return None;
        }
        partial.bytes.extend_from_slice(&piece.bytes);
        partial.next_index += 1;
        if partial.next_index < partial.count {
            return None;
        }
        let bytes = self.partial.take()?.bytes;
        self.complete(seq, piece.sent_ms, &bytes)
    }

    /// Reads a whole message; one that was shown before, or is none, needs no more than acknowledgement.
    fn complete(&mut self, seq: u32, sent_ms: u64, bytes: &[u8]) -> Option<Complete> {
        let (id, text) = bytes.split_at_checked(MESSAGE_ID)?;
        let id = MessageId(id.try_into().ok()?);
        let text =
            std::str::from_utf8(text).ok().filter(|text| (1..=TEXT_MAX).contains(&text.len()))?;
        if self.ids.insert(id) {
            self.undurable.insert(id);
            self.withheld.push_back((seq, id));
            return Some(Complete { id, text: text.to_owned(), sent_ms });
        }
        if self.undurable.contains(&id) {
            self.withheld.push_back((seq, id));
        }
        None
    }
}

/// The last ids of a peer's messages.
#[derive(Default)]
struct RecentIds {
    order: VecDeque<MessageId>,
    set: BTreeSet<MessageId>,
}

impl RecentIds {
    fn new(ids: Vec<MessageId>) -> Self {
        let mut recent = Self::default();
        for id in ids {
            recent.insert(id);
        }
        recent
    }

    /// Returns whether the id is new.
    fn insert(&mut self, id: MessageId) -> bool {
        if !self.set.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > RECEIVED_IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }
}
