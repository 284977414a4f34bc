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

#[cfg(test)]
impl Receiving {
    /// Counts the bytes of fragments that wait for others.
    pub(crate) fn bytes_waiting(&self) -> usize {
        let ahead: usize = self.ahead.values().map(|piece| piece.bytes.capacity()).sum();
        ahead + self.partial.as_ref().map_or(0, |partial| partial.bytes.capacity())
    }
}

#[cfg(test)]
mod tests {
    use wire::peer::{Kind, Payload};
    use wire::public_key::PublicKey;

    use super::*;

    fn id(number: u16) -> MessageId {
        let [low, high] = number.to_le_bytes();
        MessageId([low, high, 1, 1, 1, 1, 1, 1])
    }

    fn piece(seq: u32, (index, count): (u16, u16), bytes: &[u8]) -> PeerMessage {
        PeerMessage {
            signature: [0; 64],
            kind: Kind::Data,
            flags: 0,
            epoch: 1,
            next: PublicKey([2; 33]),
            seen: [0; 8],
            seq,
            ack: 0,
            sack: 0,
            index,
            count,
            sent_ms: 7,
            payload: Payload::new(bytes).unwrap(),
        }
    }

    /// A message of one piece.
    fn whole(seq: u32, number: u16, text: &[u8]) -> PeerMessage {
        piece(seq, (0, 1), &[&id(number).0, text].concat())
    }

    /// The pieces of a message of three.
    fn in_three(number: u16, text: &str) -> [PeerMessage; 3] {
        let bytes = [&id(number).0, text.as_bytes()].concat();
        let mut pieces = bytes.chunks(bytes.len().div_ceil(3)).zip(0..);
        std::array::from_fn(|_| {
            let (bytes, index) = pieces.next().unwrap();
            piece(index.into(), (index, 3), bytes)
        })
    }

    fn take(receiving: &mut Receiving, message: &PeerMessage) -> Vec<String> {
        receiving.take(message).into_iter().map(|complete| complete.text).collect()
    }

    #[test]
    fn pieces_out_of_order_make_the_message_and_are_acknowledged_each() {
        let mut receiving = Receiving::default();
        let [first, second, third] = in_three(1, "a long 長い text");
        assert!(take(&mut receiving, &third).is_empty());
        assert_eq!(receiving.acknowledgement(), (0, 0b10));
        assert!(take(&mut receiving, &first).is_empty());
        assert_eq!(receiving.acknowledgement(), (1, 0b1));
        assert_eq!(take(&mut receiving, &second), ["a long 長い text"]);
        assert_eq!(receiving.acknowledgement(), (2, 0), "the last piece waits for the disk");
        receiving.durable(id(1));
        assert_eq!(receiving.acknowledgement(), (3, 0));
    }

    #[test]
    fn messages_come_in_the_order_of_their_numbers() {
        let mut receiving = Receiving::default();
        assert!(take(&mut receiving, &whole(2, 2, b"c")).is_empty());
        assert!(take(&mut receiving, &whole(1, 1, b"b")).is_empty());
        assert_eq!(take(&mut receiving, &whole(0, 0, b"a")), ["a", "b", "c"]);
    }

    #[test]
    fn a_piece_that_comes_again_changes_nothing() {
        let mut receiving = Receiving::default();
        let [first, second, third] = in_three(1, "a long text");
        for message in [&third, &third, &first, &first, &third] {
            assert!(take(&mut receiving, message).is_empty());
        }
        let forged = piece(2, (2, 3), b"other");
        assert!(take(&mut receiving, &forged).is_empty());
        assert_eq!(take(&mut receiving, &second), ["a long text"]);
        assert!(take(&mut receiving, &second).is_empty());
    }

    #[test]
    fn a_message_that_comes_again_is_acknowledged_and_not_shown() {
        let mut receiving = Receiving::default();
        assert_eq!(take(&mut receiving, &whole(0, 1, b"hi")), ["hi"]);
        receiving.durable(id(1));
        assert!(take(&mut receiving, &whole(1, 1, b"hi")).is_empty());
        assert_eq!(receiving.acknowledgement(), (2, 0));
    }

    #[test]
    fn a_piece_that_does_not_fit_drops_its_message_and_no_other() {
        let misfits: [&[PeerMessage]; 7] = [
            &[piece(0, (0, 3), &[1; 100]), piece(1, (2, 3), b"c")],
            &[piece(0, (0, 3), &[1; 100]), piece(1, (1, 2), b"c")],
            &[piece(0, (0, 3), &[1; 100]), piece(1, (1, 2), b"c"), piece(2, (2, 3), b"d")],
            &[
                piece(0, (0, 3), &[1; 100]),
                piece(1, (2, 3), b"c"),
                piece(2, (1, 3), b"d"),
                piece(3, (2, 3), b"e"),
            ],
            &[piece(0, (1, 3), &[1; 100]), piece(1, (2, 3), b"c")],
            &[piece(0, (0, 2), &[1; 100]), piece(1, (0, 2), b"c")],
            &[piece(0, (0, 2), &[1; 100]), piece(1, (0, 1), b"c")],
        ];
        for (number, misfits) in misfits.iter().enumerate() {
            let mut receiving = Receiving::default();
            for misfit in *misfits {
                assert!(take(&mut receiving, misfit).is_empty(), "case {number}");
            }
            let count = misfits.len() as u32;
            assert_eq!(receiving.acknowledgement(), (count, 0), "case {number}");
            assert_eq!(take(&mut receiving, &whole(count, 1, b"hi")), ["hi"], "case {number}");
        }
    }

    #[test]
    fn what_is_no_text_is_acknowledged_and_not_shown() {
        let mut receiving = Receiving::default();
        for (seq, bytes) in
            [b"\xff".as_slice(), "ä".as_bytes().split_at(1).0, b""].iter().enumerate()
        {
            let message = whole(seq as u32, seq as u16, bytes);
            assert!(take(&mut receiving, &message).is_empty());
        }
        assert!(take(&mut receiving, &piece(3, (0, 1), b"no id")).is_empty());
        assert_eq!(receiving.acknowledgement(), (4, 0));
        assert_eq!(take(&mut receiving, &whole(4, 0, b"hi")), ["hi"], "their ids are free");
    }

    #[test]
    fn a_text_that_is_too_long_is_not_shown() {
        for (last, shown) in [(32 + MESSAGE_ID, 1), (33 + MESSAGE_ID, 0)] {
            assert_eq!(56 * PEER_PAYLOAD + 32, TEXT_MAX);
            let mut receiving = Receiving::default();
            let texts = (0..57u16).map(|index| {
                let bytes = if index < 56 { PEER_PAYLOAD } else { last };
                take(&mut receiving, &piece(index.into(), (index, 57), &vec![b'x'; bytes])).len()
            });
            assert_eq!(texts.sum::<usize>(), shown);
        }
    }

    #[test]
    fn only_what_is_durable_is_acknowledged_whatever_came_behind_it() {
        let mut receiving = Receiving::default();
        for number in 0..3 {
            receiving.take(&whole(number, number as u16, b"hi"));
        }
        receiving.take(&piece(3, (0, 2), &[1; 100]));
        assert_eq!(receiving.acknowledgement(), (0, 0b100), "the piece that completes nothing");
        receiving.durable(id(1));
        assert_eq!(receiving.acknowledgement(), (0, 0b101));
        receiving.durable(id(0));
        assert_eq!(receiving.acknowledgement(), (2, 0b1));
        receiving.durable(id(2));
        assert_eq!(receiving.acknowledgement(), (4, 0));
    }

    #[test]
    fn what_waits_for_the_disk_is_not_acknowledged_in_the_next_session_either() {
        let mut receiving = Receiving::default();
        receiving.take(&whole(0, 1, b"hi"));
        receiving.restart();
        assert!(take(&mut receiving, &whole(0, 1, b"hi")).is_empty());
        assert_eq!(receiving.acknowledgement(), (0, 0));
        receiving.durable(id(1));
        assert_eq!(receiving.acknowledgement(), (1, 0));
    }

    #[test]
    fn a_restart_drops_what_is_half_there() {
        let mut receiving = Receiving::default();
        let [first, second, third] = in_three(1, "a long text");
        [&first, &third].into_iter().for_each(|piece| drop(receiving.take(piece)));
        receiving.restart();
        assert_eq!((receiving.acknowledgement(), receiving.bytes_waiting()), ((0, 0), 0));
        [&first, &second].into_iter().for_each(|piece| drop(receiving.take(piece)));
        assert_eq!(take(&mut receiving, &third), ["a long text"]);
    }

    #[test]
    fn numbers_outside_of_the_window_are_dropped() {
        let mut receiving = Receiving::default();
        for seq in [WINDOW, WINDOW + 1, u32::MAX] {
            assert!(take(&mut receiving, &whole(seq, 1, b"hi")).is_empty());
        }
        assert_eq!((receiving.acknowledgement(), receiving.bytes_waiting()), ((0, 0), 0));
        (1..WINDOW).for_each(|seq| drop(receiving.take(&whole(seq, seq as u16, b"hi"))));
        assert_eq!(receiving.acknowledgement(), (0, u32::MAX >> 1));
        assert_eq!(receiving.take(&whole(0, 0, b"hi")).len(), 32);
    }

    #[test]
    fn the_last_1024_ids_are_known() {
        let ids = u16::try_from(RECEIVED_IDS_MAX).unwrap();
        assert_eq!(ids, 1024);
        let mut receiving = Receiving::new((0..ids).map(id).collect());
        assert!(take(&mut receiving, &whole(0, 0, b"oldest")).is_empty());
        assert_eq!(take(&mut receiving, &whole(1, ids, b"new")), ["new"]);
        assert!(take(&mut receiving, &whole(2, 1, b"second oldest")).is_empty());
        assert_eq!(take(&mut receiving, &whole(3, 0, b"forgotten")), ["forgotten"]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            failure_persistence: None,
            ..Default::default()
        })]

        #[test]
        fn whatever_pieces_come_little_waits(
            pieces in proptest::collection::vec((0..80u32, 0..60u16, 1..60u16, 0..293usize), 0..200),
        ) {
            let mut receiving = Receiving::default();
            for (seq, index, count, bytes) in pieces {
                receiving.take(&piece(seq, (index % count, count), &vec![b'x'; bytes]));
                let most = (FRAGMENTS_MAX + WINDOW as usize) * PEER_PAYLOAD;
                assert!(receiving.bytes_waiting() <= most);
            }
        }
    }
}
