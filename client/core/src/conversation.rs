//! A conversation with one peer: wheel, epochs, delivery.

use p256::ecdsa::VerifyingKey;
use rand_core::CryptoRngCore;
use wire::codec::{Reader, Wire, Writer};
use wire::dial::WakeUp;
use wire::directory::{Head, Record};
use wire::ids::{DropId, MessageId, Round};
use wire::peer::{FLAG_UNSENT, Kind, Payload, PeerMessage};
use wire::public_key::NotOnCurve;
use wire::size::{CELL, HASH, SIGNATURE};

use crate::api::UnderWay;
use crate::cell::{self, Place};
use crate::epoch::{Epochs, Heard, Opened, Stamp, Step};
use crate::identity::Identity;
use crate::keys::{Ends, Seen};
use crate::receiving::{Complete, Receiving};
use crate::record::{Outgoing, SavedRoot};
use crate::sending::Sending;
use crate::wheel::{Call, Root, WheelUsedUp};

/// One conversation that is open on this side.
pub(crate) struct Conversation {
    peer: Record,
    verifying: VerifyingKey,
    ends: Ends,
    root: Root,
    epochs: Epochs,
    sending: Sending,
    receiving: Receiving,
    refused: u64,
}

/// Length and head of a directory, as idle cells carry it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DirectoryMark {
    pub(crate) length: u32,
    pub(crate) head: Head,
}

/// A cell to send, and what became of a message by it.
pub(crate) struct Outward {
    pub(crate) cell: [u8; CELL],
    /// Message whose last fragment went out for the first time.
    pub(crate) completes: Option<Outgoing>,
}

/// What a round's reply brought.
#[derive(Default)]
pub(crate) struct Inward {
    /// Messages that are new, in order; they are acknowledged once [`Conversation::durable`] is told.
    pub(crate) complete: Vec<Complete>,
    /// Messages of ours that are delivered, in order.
    pub(crate) delivered: Vec<Outgoing>,
    /// The peer's directory, if the cell was idle.
    pub(crate) directory: Option<DirectoryMark>,
    /// Whether the peer was heard, be it only with a hello.
    pub(crate) heard: bool,
    /// Whether the peer has something that is not acknowledged.
    pub(crate) unsent: bool,
}

impl Conversation {
    /// Opens a conversation that both open by agreement, or takes it up again with what it received before.
    ///
    /// # Errors
    /// [`NotOnCurve`] if a key of the peer's record is not a point.
    pub(crate) fn by_agreement(
        own: &Identity,
        peer: Record,
        receiving: Receiving,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, NotOnCurve> {
        let ends = Ends { own: own.hash(), peer: peer.identity() };
        let root = Root::of_long_term_keys(own, &peer.agreement, &ends)?;
        Self::new(own, peer, root, receiving, rng)
    }

    /// Opens a conversation on a root, or takes it up again with what it received before.
    ///
    /// # Errors
    /// [`NotOnCurve`] if a key of the peer's record is not a point.
    pub(crate) fn new(
        own: &Identity,
        peer: Record,
        root: Root,
        receiving: Receiving,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, NotOnCurve> {
        let ends = Ends { own: own.hash(), peer: peer.identity() };
        let epochs = Epochs::new(ends, root.hello(), rng);
        Ok(Self {
            verifying: VerifyingKey::from(peer.signing.parse()?),
            peer,
            ends,
            root,
            epochs,
            sending: Sending::default(),
            receiving,
            refused: 0,
        })
    }

    /// Returns the peer's public record.
    pub(crate) fn peer(&self) -> &Record {
        &self.peer
    }

    /// Tells whether text can flow.
    pub(crate) fn is_live(&self) -> bool {
        self.epochs.is_live()
    }

    /// Counts cells that opened and were signed by somebody else, or contradicted the session.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts messages that are not delivered.
    pub(crate) fn undelivered(&self) -> usize {
        self.sending.len()
    }

    /// Returns how far the oldest message is, if it goes out in parts and has begun to.
    pub(crate) fn under_way(&self) -> Option<UnderWay> {
        self.sending.under_way()
    }

    /// Closes the conversation: what is not delivered, and what was received, also what is not durable yet.
    pub(crate) fn into_parts(mut self) -> (Vec<Outgoing>, Receiving) {
        self.receiving.restart();
        (self.sending.into_undelivered(), self.receiving)
    }

    /// Queues a message that is durable.
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        self.sending.push(outgoing);
    }

    /// A received message is durable and may be acknowledged.
    pub(crate) fn durable(&mut self, id: MessageId) {
        self.receiving.durable(id);
    }

    /// Goes over to another root: the session ends, and what is not acknowledged goes again on the new one.
    pub(crate) fn move_to(&mut self, root: Root, rng: &mut impl CryptoRngCore) {
        self.epochs = Epochs::new(self.ends, root.hello(), rng);
        self.root = root;
        self.restart();
    }

    /// Forgets the root, which serves no more; nobody is met until a call brings another.
    pub(crate) fn forget_root(&mut self, rng: &mut impl CryptoRngCore) {
        let none = Root::none(rng);
        self.move_to(none, rng);
    }

    /// Tells whether both opened the conversation by agreement, so that it needs no call.
    pub(crate) fn is_by_agreement(&self) -> bool {
        self.root.is_static()
    }

    /// Turns the wheel to a round; returns whether [`Self::saved_root`] changed by that.
    ///
    /// # Errors
    /// [`WheelUsedUp`] if the root serves no more.
    pub(crate) fn turn(&mut self, round: Round) -> Result<bool, WheelUsedUp> {
        self.root.turn(round, &self.ends)
    }

    /// Returns the dead drop of the round that the wheel stands at.
    pub(crate) fn drop_id(&self, round: Round) -> Option<DropId> {
        Some(self.root.key(round)?.drop_id())
    }

    /// Returns the rank in the schedule of the round that the wheel stands at, equal on both sides.
    pub(crate) fn rank(&self, round: Round) -> Option<u64> {
        Some(self.root.key(round)?.rank())
    }

    /// Returns what wakes the peer in the round that the wheel stands at.
    pub(crate) fn wake_up(&self, round: Round) -> Option<WakeUp> {
        Some(self.root.key(round)?.wake_up(self.ends.outward()))
    }

    /// Tells whether a wake-up is the peer's.
    pub(crate) fn knows(&self, token: &WakeUp) -> bool {
        self.root.knows(token)
    }

    /// Returns the call that the conversation's root comes from; none if both opened it by agreement.
    pub(crate) fn call(&self) -> Option<Call> {
        self.root.call()
    }

    /// Tells whether the peer was heard on this root, so that he has it.
    pub(crate) fn is_answered(&self) -> bool {
        self.root.is_heard()
    }

    /// Takes note that the peer has the root; returns whether that is news.
    pub(crate) fn answered(&mut self) -> bool {
        self.root.hear()
    }

    /// Returns what is to be kept of a called root.
    pub(crate) fn saved_root(&self) -> Option<SavedRoot> {
        self.root.saved()
    }

    /// Makes the cell of a round.
    pub(crate) fn outward(
        &mut self,
        round: Round,
        own: &Identity,
        directory: DirectoryMark,
        rng: &mut impl CryptoRngCore,
    ) -> Outward {
        let stamp = self.epochs.stamp(round);
        let mut message = self.blank(&stamp, directory);
        let mut completes = None;
        if stamp.kind == Kind::Data
            && let Some(mut fragment) = self.sending.take(round)
        {
            completes = fragment.completes.take();
            fragment.write_to(&mut message);
        }
        let place = Place {
            round,
            direction: self.ends.outward(),
            ends: &self.ends,
            transcript: stamp.transcript.as_ref(),
        };
        let cell = cell::seal(&message, place, own.signing(), &stamp.key, rng);
        Outward { cell, completes }
    }

    /// Takes in the reply of a round in which a cell was sent.
    pub(crate) fn inward(
        &mut self,
        round: Round,
        cell: &[u8; CELL],
        rng: &mut impl CryptoRngCore,
    ) -> Inward {
        let mut inward = Inward::default();
        let heard = self.epochs.open(round, cell).is_some_and(|opened| {
            let live = self.read(round, &opened, &mut inward, rng);
            self.refused += u64::from(live.is_none());
            live == Some(true)
        });
        if !heard {
            self.unheard(rng);
        }
        inward
    }

    /// Counts a meeting in which nothing of the session was heard.
    pub(crate) fn unheard(&mut self, rng: &mut impl CryptoRngCore) {
        if self.epochs.unheard(rng) {
            self.restart();
        }
    }

    /// Returns whether data of the live session was heard; `None` if the cell is refused.
    fn read(
        &mut self,
        round: Round,
        opened: &Opened,
        inward: &mut Inward,
        rng: &mut impl CryptoRngCore,
    ) -> Option<bool> {
        let place = Place {
            round,
            direction: self.ends.outward().reverse(),
            ends: &self.ends,
            transcript: opened.transcript.as_ref(),
        };
        let message = cell::read(&opened.plain, place, &self.verifying)?;
        let heard = Heard {
            kind: message.kind,
            epoch: message.epoch,
            next: message.next,
            seen: Seen(message.seen),
        };
        let live = match self.epochs.heard(opened, &heard, rng) {
            Step::Refused => return None,
            Step::Greeted => false,
            Step::Ended | Step::StartedByHello => {
                self.restart();
                false
            }
            Step::Started => {
                self.restart();
                self.data(round, &message, inward);
                true
            }
            Step::Data => {
                self.data(round, &message, inward);
                true
            }
        };
        inward.directory = read_mark(&message);
        inward.heard = true;
        inward.unsent = message.flags & FLAG_UNSENT != 0;
        Some(live)
    }

    fn data(&mut self, round: Round, message: &PeerMessage, inward: &mut Inward) {
        inward.delivered = self.sending.acknowledged(round, message.ack, message.sack);
        inward.complete = self.receiving.take(message);
    }

    fn restart(&mut self) {
        self.sending.restart();
        self.receiving.restart();
    }

    /// Makes a message without a fragment.
    fn blank(&self, stamp: &Stamp, directory: DirectoryMark) -> PeerMessage {
        let (ack, sack) = match stamp.kind {
            Kind::Hello => (0, 0),
            Kind::Data => self.receiving.acknowledgement(),
        };
        PeerMessage {
            signature: [0; SIGNATURE],
            kind: stamp.kind,
            flags: if self.sending.len() > 0 { FLAG_UNSENT } else { 0 },
            epoch: stamp.epoch,
            next: stamp.next,
            seen: stamp.seen.0,
            seq: 0,
            ack,
            sack,
            index: 0,
            count: 0,
            sent_ms: 0,
            payload: write_mark(directory),
        }
    }
}

/// What a thief takes away who copies the memory of one side, texts aside.
#[cfg(test)]
impl Conversation {
    pub(crate) fn stolen(&self) -> Self {
        let root = self.root.saved().expect("it was called");
        Self {
            peer: self.peer,
            verifying: self.verifying,
            ends: self.ends,
            root: Root::restore(root),
            epochs: self.epochs.stolen(),
            sending: Sending::default(),
            receiving: Receiving::default(),
            refused: 0,
        }
    }

    /// Reads the texts in the cells of a round, of whoever the state was stolen from and of the peer.
    pub(crate) fn eavesdrop(&self, round: Round, cells: [&[u8; CELL]; 2]) -> [Option<String>; 2] {
        let outward = self.ends.outward();
        let mut ways = [outward, outward.reverse()].into_iter();
        cells.map(|cell| {
            let plain = self.epochs.eavesdrop(round, ways.next()?, cell)?;
            let message = PeerMessage::decode(&plain).ok()?;
            let text = message.payload.as_bytes().get(wire::size::MESSAGE_ID..)?;
            (message.count > 0).then(|| String::from_utf8_lossy(text).into_owned())
        })
    }

    /// Copies the secret of the epoch in which the peer is heard.
    pub(crate) fn epoch_secret(&self) -> crate::keys::EpochSecret {
        self.epochs.current_secret()
    }
}

const MARK: usize = 4 + HASH;

fn write_mark(directory: DirectoryMark) -> Payload {
    let mut bytes = [0; MARK];
    let mut out = Writer::new(&mut bytes);
    out.u32(directory.length);
    directory.head.write(&mut out);
    Payload::new(&bytes).unwrap_or_else(Payload::empty)
}

fn read_mark(message: &PeerMessage) -> Option<DirectoryMark> {
    let bytes = message.payload.as_bytes();
    if message.count > 0 || bytes.len() != MARK {
        return None;
    }
    let mut input = Reader::new(bytes);
    let length = input.u32().ok()?;
    Some(DirectoryMark { length, head: Head::read(&mut input).ok()? })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    struct Side {
        identity: Identity,
        conversation: Conversation,
        shown: Vec<String>,
        delivered: Vec<String>,
    }

    struct World {
        rng: ChaCha20Rng,
        round: Round,
        ann: Side,
        bob: Side,
    }

    const DIRECTORY: DirectoryMark = DirectoryMark { length: 0, head: Head::EMPTY };

    impl World {
        fn new(seed: u64) -> Self {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let ann = Identity::random("ann".parse().unwrap(), &mut rng);
            let bob = Identity::random("bob".parse().unwrap(), &mut rng);
            let (at_ann, at_bob) = (*bob.record(), *ann.record());
            let mut side = |identity: Identity, peer| {
                let conversation =
                    Conversation::by_agreement(&identity, peer, Receiving::default(), &mut rng)
                        .unwrap();
                Side { identity, conversation, shown: vec![], delivered: vec![] }
            };
            let (ann, bob) = (side(ann, at_ann), side(bob, at_bob));
            Self { rng, round: Round(1), ann, bob }
        }

        fn write(&mut self, text: &str) {
            let id = MessageId::random(&mut self.rng);
            let (peer, label) = (self.ann.conversation.ends.peer, String::new());
            let text = text.to_owned();
            self.ann.conversation.send(Outgoing { id, peer, label, text, sent_ms: 7, sent: None });
        }

        /// One meeting; the flags say whose cell arrives. What completes is durable at once.
        fn meet(&mut self, to_bob: bool, to_ann: bool) {
            let (round, rng) = (self.round, &mut self.rng);
            self.round = round.next();
            let from_ann = self.ann.conversation.outward(round, &self.ann.identity, DIRECTORY, rng);
            let from_bob = self.bob.conversation.outward(round, &self.bob.identity, DIRECTORY, rng);
            let mut noise = [0; CELL];
            rng.fill_bytes(&mut noise);
            self.bob.take(round, if to_bob { &from_ann.cell } else { &noise }, rng);
            self.ann.take(round, if to_ann { &from_bob.cell } else { &noise }, rng);
        }
    }

    impl Side {
        fn take(&mut self, round: Round, cell: &[u8; CELL], rng: &mut ChaCha20Rng) {
            let inward = self.conversation.inward(round, cell, rng);
            assert_eq!(self.conversation.refused(), 0);
            self.delivered.extend(inward.delivered.into_iter().map(|it| it.text));
            for complete in inward.complete {
                self.conversation.durable(complete.id);
                self.shown.push(complete.text);
            }
        }
    }

    #[test]
    fn text_arrives_whole_once_and_in_order_through_loss() {
        let texts = ["hi", &"長い話 🌙".repeat(400), "  spaces \n kept\t", &"x".repeat(16_384)];
        for percent in [0, 20, 60] {
            let mut world = World::new(percent);
            let mut dice = ChaCha20Rng::seed_from_u64(percent + 9);
            texts.iter().for_each(|text| world.write(text));
            let mut chance = || u64::from(dice.next_u32() % 100) >= percent;
            for _ in 0..3000 {
                world.meet(chance(), chance());
                if world.ann.delivered.len() == texts.len() {
                    break;
                }
            }
            assert_eq!(world.bob.shown, texts, "{percent} % loss");
            assert_eq!(world.ann.delivered, texts, "{percent} % loss");
        }
    }

    #[test]
    fn without_loss_a_message_of_n_fragments_takes_n_rounds_and_four() {
        let mut world = World::new(1);
        world.write(&"x".repeat(16_384));
        (0..57 + 4).for_each(|_| world.meet(true, true));
        assert_eq!(world.ann.delivered.len(), 1);
    }

    #[test]
    fn a_message_is_not_acknowledged_before_it_is_durable() {
        let mut world = World::new(1);
        (0..3).for_each(|_| world.meet(true, true));
        world.write("hi");
        let mut complete = Vec::new();
        for _ in 0..10 {
            let (round, rng) = (world.round, &mut world.rng);
            world.round = round.next();
            let ann = world.ann.conversation.outward(round, &world.ann.identity, DIRECTORY, rng);
            let bob = world.bob.conversation.outward(round, &world.bob.identity, DIRECTORY, rng);
            complete.extend(world.bob.conversation.inward(round, &ann.cell, rng).complete);
            assert!(world.ann.conversation.inward(round, &bob.cell, rng).delivered.is_empty());
        }
        assert_eq!(complete.len(), 1, "it is shown once however often it comes");
        world.bob.conversation.durable(complete[0].id);
        (0..2).for_each(|_| world.meet(true, true));
        assert_eq!(world.ann.delivered, ["hi"]);
    }

    #[test]
    fn a_restarted_receiver_shows_no_message_twice() {
        let mut world = World::new(1);
        world.write("hi");
        // Bob receives, but none of his acknowledgements arrive any more.
        (0..2).for_each(|_| world.meet(true, true));
        (0..2).for_each(|_| world.meet(true, false));
        assert_eq!(world.bob.shown, ["hi"]);
        let peer = *world.ann.identity.record();
        let restart = |world: &mut World, receiving| {
            let bob = &world.bob.identity;
            let fresh = Conversation::by_agreement(bob, peer, receiving, &mut world.rng).unwrap();
            std::mem::replace(&mut world.bob.conversation, fresh).into_parts().1
        };
        let received = restart(&mut world, Receiving::default());
        restart(&mut world, received);
        (0..8).for_each(|_| world.meet(true, true));
        assert_eq!(world.ann.delivered, ["hi"]);
        assert_eq!(world.bob.shown, ["hi"]);
    }

    #[test]
    fn a_message_that_waits_for_the_disk_comes_once_when_its_conversation_is_opened_again() {
        let mut world = World::new(1);
        world.write("hi");
        let mut complete = Vec::new();
        let meet = |world: &mut World, complete: &mut Vec<_>| {
            let (round, rng) = (world.round, &mut world.rng);
            world.round = round.next();
            let ann = world.ann.conversation.outward(round, &world.ann.identity, DIRECTORY, rng);
            let bob = world.bob.conversation.outward(round, &world.bob.identity, DIRECTORY, rng);
            complete.extend(world.bob.conversation.inward(round, &ann.cell, rng).complete);
            world.ann.take(round, &bob.cell, rng);
        };
        (0..6).for_each(|_| meet(&mut world, &mut complete));
        let peer = *world.ann.identity.record();
        let fresh = |receiving, world: &mut World| {
            Conversation::by_agreement(&world.bob.identity, peer, receiving, &mut world.rng)
                .unwrap()
        };
        let blank = fresh(Receiving::default(), &mut world);
        let closed = std::mem::replace(&mut world.bob.conversation, blank);
        world.bob.conversation = fresh(closed.into_parts().1, &mut world);
        (0..8).for_each(|_| meet(&mut world, &mut complete));
        assert_eq!(complete.len(), 1, "it comes once");
        assert!(world.ann.delivered.is_empty(), "it is not acknowledged before it is durable");
        world.bob.conversation.durable(complete[0].id);
        (0..2).for_each(|_| meet(&mut world, &mut complete));
        assert_eq!(world.ann.delivered, ["hi"]);
    }

    #[test]
    fn a_replayed_or_reflected_cell_opens_nothing() {
        let mut world = World::new(1);
        (0..4).for_each(|_| world.meet(true, true));
        let (round, rng) = (world.round, &mut world.rng);
        let cell = world.ann.conversation.outward(round, &world.ann.identity, DIRECTORY, rng).cell;
        let reflected = world.ann.conversation.epochs.open(round, &cell);
        assert!(reflected.is_none());
        assert!(world.bob.conversation.epochs.open(round.next(), &cell).is_none());
        assert!(world.bob.conversation.epochs.open(round, &cell).is_some());
    }
}
