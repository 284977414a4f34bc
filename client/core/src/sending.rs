//! The sending half of a conversation: messages into fragments, a window of them, retransmission.
//!
//! Fragments wait as plain text and are signed and sealed anew at each send. Their numbers restart with
//! a session; then the first message that is not wholly acknowledged is sent again from its start.

use std::collections::{BTreeMap, VecDeque};

use wire::ids::{MessageId, Round};
use wire::peer::{Payload, PeerMessage};
use wire::size::PEER_PAYLOAD;
use zeroize::Zeroizing;

use crate::api::UnderWay;
use crate::record::Outgoing;

/// Fragments that may be on their way without acknowledgement.
pub(crate) const WINDOW: u32 = 32;

/// Messages that may wait in one conversation.
pub(crate) const QUEUE_MAX: usize = 1024;

/// Messages of which fragments may be on their way at once.
const IN_FLIGHT_MAX: usize = 64;

/// What waits and what is on its way.
#[derive(Default)]
pub(crate) struct Sending {
    /// Undelivered messages, oldest first; the first `begun` of them have fragments in this session.
    messages: VecDeque<Message>,
    begun: usize,
    next_seq: u32,
    /// Fragments without acknowledgement, by number.
    window: BTreeMap<u32, InFlight>,
}

struct Message {
    outgoing: Outgoing,
    /// Id and text, in one piece, while fragments of it may go out.
    bytes: Zeroizing<Vec<u8>>,
    /// Fragments that were numbered in this session.
    taken: u16,
    /// Fragments that were acknowledged in this session.
    acknowledged: u16,
}

struct InFlight {
    id: MessageId,
    index: u16,
    /// Round in which it went out last; `None` once it is known to be lost.
    sent: Option<Round>,
}

/// One piece of a message.
pub(crate) struct Fragment {
    pub(crate) seq: u32,
    pub(crate) index: u16,
    pub(crate) count: u16,
    pub(crate) sent_ms: u64,
    pub(crate) payload: Payload,
    /// Set if with this piece the whole message went out for the first time.
    pub(crate) completes: Option<Outgoing>,
}

impl Sending {
    /// Takes a message into the queue; the caller made it durable.
    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        self.messages.push_back(Message::new(outgoing));
    }

    /// Counts undelivered messages.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Returns how far the oldest message is, if it goes out in parts and has begun to.
    pub(crate) fn under_way(&self) -> Option<UnderWay> {
        let message = self.messages.iter().take(self.begun).next()?;
        let (arrived, parts) = (message.acknowledged, message.fragments());
        (parts > 1).then(|| UnderWay { label: message.outgoing.label.clone(), arrived, parts })
    }

    /// Returns what is not delivered, oldest first.
    pub(crate) fn into_undelivered(self) -> Vec<Outgoing> {
        self.messages.into_iter().map(|message| message.outgoing).collect()
    }

    /// Forgets the session: everything undelivered will be sent from its start.
    pub(crate) fn restart(&mut self) {
        self.window.clear();
        self.next_seq = 0;
        self.begun = 0;
        for message in &mut self.messages {
            message.taken = 0;
            message.acknowledged = 0;
        }
    }

    /// Chooses what goes out in a round: what was lost, else what is new, else what waits longest.
    pub(crate) fn take(&mut self, round: Round) -> Option<Fragment> {
        let lost = self.window.iter().find(|(_, it)| it.sent.is_none()).map(|(&seq, _)| seq);
        let seq = lost.or_else(|| self.number_next()).or_else(|| self.longest_waiting())?;
        let in_flight = self.window.get_mut(&seq)?;
        in_flight.sent = Some(round);
        let (id, index) = (in_flight.id, in_flight.index);
        let message = self.messages.iter_mut().find(|it| it.outgoing.id == id)?;
        let count = message.fragments();
        let first_time = message.outgoing.sent.is_none() && message.taken == count;
        if first_time {
            message.outgoing.sent = Some(round);
        }
        Some(Fragment {
            seq,
            index,
            count,
            sent_ms: message.outgoing.sent_ms,
            payload: message.payload(index),
            completes: first_time.then(|| message.outgoing.clone()),
        })
    }

    /// Takes in acknowledgements of a cell of `round`; returns the messages that are delivered, in order.
    ///
    /// A fragment that went out in an earlier round and is not acknowledged is lost.
    pub(crate) fn acknowledged(&mut self, round: Round, ack: u32, sack: u32) -> Vec<Outgoing> {
        if ack > self.next_seq {
            return Vec::new();
        }
        let is_acknowledged = |seq: u32| {
            let ahead = seq.checked_sub(ack);
            ahead.is_none_or(|ahead| (1..=32).contains(&ahead) && sack >> (ahead - 1) & 1 == 1)
        };
        let done: Vec<u32> =
            self.window.keys().copied().filter(|&seq| is_acknowledged(seq)).collect();
        for seq in done {
            let Some(in_flight) = self.window.remove(&seq) else { continue };
            let mut begun = self.messages.iter_mut().take(self.begun);
            if let Some(message) = begun.find(|it| it.outgoing.id == in_flight.id) {
                message.acknowledged += 1;
            }
        }
        for in_flight in self.window.values_mut() {
            if in_flight.sent.is_some_and(|sent| sent < round) {
                in_flight.sent = None;
            }
        }
        self.settle()
    }

    /// Numbers the next fragment of the first message that has one left.
    fn number_next(&mut self) -> Option<u32> {
        let oldest = self.window.keys().next().copied().unwrap_or(self.next_seq);
        if self.next_seq - oldest >= WINDOW {
            return None;
        }
        let last_begun_has_more = self
            .begun
            .checked_sub(1)
            .and_then(|last| self.messages.get(last))
            .is_some_and(|message| message.taken < message.fragments());
        if !last_begun_has_more {
            if self.begun == self.messages.len() || self.begun == IN_FLIGHT_MAX {
                return None;
            }
            self.begun += 1;
        }
        let message = self.messages.get_mut(self.begun - 1)?;
        let in_flight = InFlight { id: message.outgoing.id, index: message.taken, sent: None };
        message.taken += 1;
        let seq = self.next_seq;
        self.next_seq = seq.checked_add(1)?;
        self.window.insert(seq, in_flight);
        Some(seq)
    }

    fn longest_waiting(&self) -> Option<u32> {
        self.window.iter().min_by_key(|(_, it)| it.sent).map(|(&seq, _)| seq)
    }

    /// Takes wholly acknowledged messages off the front.
    fn settle(&mut self) -> Vec<Outgoing> {
        let mut delivered = Vec::new();
        while self.begun > 0 {
            let Some(front) = self.messages.front() else { break };
            if front.acknowledged < front.fragments() {
                break;
            }
            self.begun -= 1;
            delivered.extend(self.messages.pop_front().map(|message| message.outgoing));
        }
        delivered
    }
}

impl Message {
    fn new(outgoing: Outgoing) -> Self {
        let mut bytes = Vec::with_capacity(outgoing.id.0.len() + outgoing.text.len());
        bytes.extend_from_slice(&outgoing.id.0);
        bytes.extend_from_slice(outgoing.text.as_bytes());
        Self { outgoing, bytes: Zeroizing::new(bytes), taken: 0, acknowledged: 0 }
    }

    fn fragments(&self) -> u16 {
        u16::try_from(self.bytes.len().div_ceil(PEER_PAYLOAD)).unwrap_or(u16::MAX)
    }

    fn payload(&self, index: u16) -> Payload {
        let piece = self.bytes.chunks(PEER_PAYLOAD).nth(usize::from(index)).unwrap_or(&[]);
        Payload::new(piece).unwrap_or_else(Payload::empty)
    }
}

impl Fragment {
    /// Puts the piece into a message.
    pub(crate) fn write_to(self, message: &mut PeerMessage) {
        message.seq = self.seq;
        message.index = self.index;
        message.count = self.count;
        message.sent_ms = self.sent_ms;
        message.payload = self.payload;
    }
}

#[cfg(test)]
mod tests {
    use wire::ids::IdentityHash;
    use wire::size::{FRAGMENTS_MAX, TEXT_MAX};

    use super::*;

    fn outgoing(number: u8, bytes: usize) -> Outgoing {
        Outgoing {
            id: MessageId([number; 8]),
            peer: IdentityHash([0; 32]),
            label: number.to_string(),
            text: "x".repeat(bytes),
            sent_ms: 7,
            sent: None,
        }
    }

    /// Messages that are numbered from 0 and have so many bytes.
    fn sending(sizes: &[usize]) -> Sending {
        let mut sending = Sending::default();
        sizes.iter().zip(0..).for_each(|(&bytes, number)| sending.push(outgoing(number, bytes)));
        sending
    }

    /// Takes in a round; returns the fragment's number and its place in its message.
    fn take(sending: &mut Sending, round: u64) -> Option<(u32, u16)> {
        sending.take(Round(round)).map(|fragment| (fragment.seq, fragment.index))
    }

    fn acknowledge(sending: &mut Sending, round: u64, ack: u32, sack: u32) -> Vec<String> {
        let delivered = sending.acknowledged(Round(round), ack, sack);
        delivered.into_iter().map(|outgoing| outgoing.label).collect()
    }

    #[test]
    fn fragments_carry_the_id_and_the_text_and_say_once_that_all_went_out() {
        let mut sending = sending(&[1000]);
        let mut bytes = Vec::new();
        for index in 0..4 {
            let fragment = sending.take(Round(3)).unwrap();
            assert_eq!((fragment.seq, fragment.index, fragment.count), (index.into(), index, 4));
            bytes.extend_from_slice(fragment.payload.as_bytes());
            assert_eq!(fragment.completes.is_some(), index == 3);
        }
        assert_eq!(bytes, [&[0; 8], "x".repeat(1000).as_bytes()].concat());
        assert!(sending.take(Round(4)).is_some_and(|again| again.completes.is_none()));
    }

    #[test]
    fn the_longest_message_has_as_many_fragments_as_the_wire_allows() {
        let mut sending = sending(&[TEXT_MAX]);
        let count = sending.take(Round(1)).unwrap().count;
        assert_eq!(usize::from(count), FRAGMENTS_MAX);
    }

    #[test]
    fn a_window_of_32_counts_from_the_oldest_fragment_that_is_not_acknowledged() {
        let mut sending = sending(&[TEXT_MAX]);
        for seq in 0..WINDOW {
            assert_eq!(take(&mut sending, 1), Some((seq, seq as u16)));
        }
        assert_eq!(take(&mut sending, 1), Some((0, 0)), "the window is full: the oldest again");
        acknowledge(&mut sending, 1, 0, u32::MAX);
        assert_eq!(take(&mut sending, 1), Some((0, 0)), "31 others acknowledged make no room");
        acknowledge(&mut sending, 1, 1, 0);
        assert_eq!(take(&mut sending, 1), Some((32, 32)));
    }

    #[test]
    fn what_a_selective_acknowledgement_leaves_out_is_lost_and_goes_first() {
        let mut sending = sending(&[1, 2, 3, 4, 5]);
        (1..=4).for_each(|round| assert!(take(&mut sending, round).is_some()));
        // 0 and 3 arrived; 1 and 2 did not, and went out before this round.
        assert_eq!(acknowledge(&mut sending, 5, 1, 0b10), ["0"]);
        assert_eq!(take(&mut sending, 5), Some((1, 0)));
        assert_eq!(take(&mut sending, 6), Some((2, 0)));
        assert_eq!(take(&mut sending, 7), Some((4, 0)), "then what is new");
        assert_eq!(acknowledge(&mut sending, 8, 5, 0), ["1", "2", "3", "4"]);
        assert_eq!(take(&mut sending, 9), None);
    }

    #[test]
    fn what_went_out_in_the_same_round_is_not_lost_yet() {
        let mut sending = sending(&[1, 1]);
        assert_eq!(take(&mut sending, 5), Some((0, 0)));
        acknowledge(&mut sending, 5, 0, 0);
        assert_eq!(take(&mut sending, 6), Some((1, 0)));
    }

    #[test]
    fn an_acknowledgement_of_what_was_not_sent_is_ignored() {
        let mut sending = sending(&[1, 1]);
        assert_eq!(take(&mut sending, 1), Some((0, 0)));
        for ack in [2, 3, u32::MAX] {
            assert!(acknowledge(&mut sending, 2, ack, u32::MAX).is_empty());
        }
        assert_eq!(sending.len(), 2);
        assert_eq!(acknowledge(&mut sending, 2, 1, u32::MAX), ["0"], "sack names nothing sent");
        assert_eq!(take(&mut sending, 3), Some((1, 0)));
        assert_eq!(acknowledge(&mut sending, 4, 2, 0), ["1"]);
    }

    #[test]
    fn an_old_acknowledgement_takes_nothing_back() {
        let mut sending = sending(&[1, 1]);
        (1..=2).for_each(|round| assert!(take(&mut sending, round).is_some()));
        assert_eq!(acknowledge(&mut sending, 3, 2, 0), ["0", "1"]);
        assert!(acknowledge(&mut sending, 4, 0, 0).is_empty());
        assert_eq!((take(&mut sending, 5), sending.len()), (None, 0));
    }

    #[test]
    fn after_a_restart_the_first_message_that_is_not_wholly_acknowledged_goes_from_its_start() {
        let mut sending = sending(&[600, 600, 1]);
        (1..=7).for_each(|round| assert!(take(&mut sending, round).is_some()));
        assert_eq!(acknowledge(&mut sending, 8, 5, 0), ["0"], "two pieces of the next one, too");
        sending.restart();
        let places: Vec<_> = (9..13).map(|round| take(&mut sending, round).unwrap()).collect();
        assert_eq!(places, [(0, 0), (1, 1), (2, 2), (3, 0)]);
        assert!(acknowledge(&mut sending, 13, 2, 0).is_empty(), "old pieces count no more");
        assert_eq!(acknowledge(&mut sending, 14, 4, 0), ["1", "2"]);
    }

    #[test]
    fn the_parts_of_the_oldest_message_are_counted_as_they_are_acknowledged() {
        let mut sending = sending(&[600, 1]);
        let told =
            |sending: &Sending| sending.under_way().map(|it| (it.label, it.arrived, it.parts));
        assert_eq!(told(&sending), None, "it has not begun");
        (1..=4).for_each(|round| assert!(take(&mut sending, round).is_some()));
        assert_eq!(told(&sending), Some(("0".into(), 0, 3)));
        assert!(acknowledge(&mut sending, 5, 1, 0b1).is_empty());
        assert_eq!(told(&sending), Some(("0".into(), 2, 3)));
        assert_eq!(acknowledge(&mut sending, 6, 3, 0), ["0"]);
        assert_eq!(told(&sending), None, "the next one takes one round");
    }

    #[test]
    fn what_went_out_whole_before_a_restart_is_not_told_again() {
        let mut sending = sending(&[1]);
        assert!(sending.take(Round(1)).unwrap().completes.is_some());
        sending.restart();
        assert!(sending.take(Round(2)).unwrap().completes.is_none());
        assert!(sending.into_undelivered()[0].sent == Some(Round(1)));
    }
}
