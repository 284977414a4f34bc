//! Tests against a peer who is who he says, knows every key of the conversation, and says anything.

use proptest::option::weighted;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::directory::Head;
use wire::ids::{MessageId, Round};
use wire::peer::{Kind, Payload, PeerMessage};
use wire::public_key::{AgreementKey, PublicKey};
use wire::size::{CELL, PEER_PAYLOAD};

use crate::cell::{self, Place};
use crate::conversation::{Conversation, DirectoryMark};
use crate::epoch::{Epochs, Heard, Stamp, Step};
use crate::identity::Identity;
use crate::keys::{Ends, Seen};
use crate::receiving::Receiving;
use crate::record::Outgoing;
use crate::wheel::Root;

const DIRECTORY: DirectoryMark = DirectoryMark { length: 0, head: Head::EMPTY };

/// Meetings by which two honest sides have found each other and said something, whatever was before.
const HEALED: usize = 60;

/// One cell of the hostile peer, and what both sides do with the round.
#[derive(Clone, Debug)]
struct Act {
    says: Says,
    /// Whether he keeps up with the key agreement by reading what came.
    hears: bool,
    /// Whether the disk of the honest side gets done with what came so far.
    disk: bool,
}

#[derive(Clone, Debug)]
enum Says {
    /// What an honest client would say, without text.
    Right,
    /// A fragment, in the order of numbers unless it has one; all else is right, so that sessions go on.
    Piece { seq: Option<u32>, place: (u16, u16), bytes: Vec<u8> },
    /// Anything.
    Anything(Box<Anything>),
}

/// Fields that are not as they should be; `None` leaves the right value.
#[derive(Clone, Debug)]
struct Anything {
    under_hello: bool,
    kind: Option<Kind>,
    epoch: Option<u32>,
    next: Option<PublicKey>,
    seen: Option<[u8; 8]>,
    seq: u32,
    acks: (u32, u32),
    place: (u16, u16),
    sent_ms: u64,
    bytes: Vec<u8>,
}

struct Ann {
    identity: Identity,
    conversation: Conversation,
    shown: Vec<(MessageId, String)>,
    delivered: Vec<String>,
    /// What waits for the disk.
    waiting: Vec<MessageId>,
}

/// The hostile peer, until he turns honest.
struct Bob {
    identity: Identity,
    ends: Ends,
    root: Root,
    epochs: Epochs,
    /// Every fragment that he ever sent: number, place in its message, bytes.
    sent: Vec<(u32, (u16, u16), Vec<u8>)>,
    next_seq: u32,
}

struct World {
    rng: ChaCha20Rng,
    round: Round,
    ann: Ann,
    bob: Bob,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let ann = Identity::random("ann".parse().unwrap(), &mut rng);
        let bob = Identity::random("bob".parse().unwrap(), &mut rng);
        let conversation =
            Conversation::by_agreement(&ann, *bob.record(), Receiving::default(), &mut rng)
                .unwrap();
        let ends = Ends { own: bob.hash(), peer: ann.hash() };
        let root = Root::of_long_term_keys(&bob, &ann.record().agreement, &ends).unwrap();
        let epochs = Epochs::new(ends, root.hello(), &mut rng);
        let bob = Bob { identity: bob, ends, root, epochs, sent: vec![], next_seq: 0 };
        let (shown, delivered, waiting) = (vec![], vec![], vec![]);
        let ann = Ann { identity: ann, conversation, shown, delivered, waiting };
        Self { rng, round: Round(1), ann, bob }
    }

    fn meet(&mut self, act: &Act) {
        let (round, rng) = (self.round, &mut self.rng);
        self.round = round.next();
        let from_ann = self.ann.conversation.outward(round, &self.ann.identity, DIRECTORY, rng);
        let from_bob = self.bob.say(round, &act.says, rng);
        if act.hears {
            self.bob.hear(round, &from_ann.cell, &self.ann.identity, rng);
        }
        self.ann.take(round, &from_bob, rng);
        if act.disk {
            self.ann.disk();
        }
    }

    /// Bob begins anew with an honest client; both say something. Returns what he was shown.
    fn turns_honest(&mut self) -> Vec<String> {
        self.ann.disk();
        let rng = &mut self.rng;
        let (ann, bob) = (&self.ann.identity, &self.bob.identity);
        let mut honest =
            Conversation::by_agreement(bob, *ann.record(), Receiving::default(), rng).unwrap();
        self.ann.conversation.send(outgoing("from ann", bob, rng));
        honest.send(outgoing("from bob", ann, rng));
        let (mut shown, mut delivered) = (vec![], 0);
        for _ in 0..HEALED {
            let round = self.round;
            self.round = round.next();
            let ann = &self.ann.identity;
            let from_ann = self.ann.conversation.outward(round, ann, DIRECTORY, rng).cell;
            let bob = &self.bob.identity;
            let from_bob = honest.outward(round, bob, DIRECTORY, rng).cell;
            self.ann.take(round, &from_bob, rng);
            self.ann.disk();
            let inward = honest.inward(round, &from_ann, rng);
            delivered += inward.delivered.len();
            for complete in inward.complete {
                honest.durable(complete.id);
                shown.push(complete.text);
            }
            if delivered == 1 && self.ann.conversation.undelivered() == 0 {
                break;
            }
        }
        assert_eq!(delivered, 1, "what bob said is delivered");
        shown
    }
}

impl Ann {
    fn take(&mut self, round: Round, cell: &[u8; CELL], rng: &mut ChaCha20Rng) {
        let inward = self.conversation.inward(round, cell, rng);
        self.delivered.extend(inward.delivered.into_iter().map(|it| it.text));
        for complete in inward.complete {
            self.waiting.push(complete.id);
            self.shown.push((complete.id, complete.text));
        }
    }

    fn disk(&mut self) {
        self.waiting.drain(..).for_each(|id| self.conversation.durable(id));
    }
}

impl Bob {
    fn say(&mut self, round: Round, says: &Says, rng: &mut ChaCha20Rng) -> [u8; CELL] {
        let mut stamp = self.epochs.stamp(round);
        let mut message = blank(&stamp);
        match says {
            Says::Right => (),
            Says::Piece { seq, place, bytes } => {
                let seq = seq.unwrap_or(self.next_seq);
                self.next_seq = self.next_seq.max(seq.saturating_add(1).min(40));
                self.put(&mut message, seq, *place, bytes);
            }
            Says::Anything(any) => {
                if any.under_hello {
                    stamp.key = self.root.hello().cell(round, self.ends.outward());
                    stamp.transcript = None;
                    (message.kind, message.epoch) = (Kind::Hello, 0);
                }
                message.kind = any.kind.unwrap_or(message.kind);
                message.epoch = any.epoch.unwrap_or(message.epoch);
                message.next = any.next.unwrap_or(message.next);
                message.seen = any.seen.unwrap_or(message.seen);
                (message.ack, message.sack) = any.acks;
                message.sent_ms = any.sent_ms;
                self.put(&mut message, any.seq, any.place, &any.bytes);
            }
        }
        let transcript = stamp.transcript.as_ref();
        let direction = self.ends.outward();
        let place = Place { round, direction, ends: &self.ends, transcript };
        cell::seal(&message, place, self.identity.signing(), &stamp.key, rng)
    }

    fn put(&mut self, message: &mut PeerMessage, seq: u32, place: (u16, u16), bytes: &[u8]) {
        (message.seq, message.index, message.count) = (seq, place.0, place.1);
        message.payload = Payload::new(bytes).unwrap();
        self.sent.push((seq, place, bytes.to_vec()));
    }

    fn hear(&mut self, round: Round, cell: &[u8; CELL], ann: &Identity, rng: &mut ChaCha20Rng) {
        let Some(opened) = self.epochs.open(round, cell) else { return };
        let transcript = opened.transcript.as_ref();
        let direction = self.ends.outward().reverse();
        let place = Place { round, direction, ends: &self.ends, transcript };
        let message = cell::read(&opened.plain, place, ann.signing().verifying_key()).unwrap();
        let PeerMessage { kind, epoch, next, seen, .. } = message;
        match self.epochs.heard(&opened, &Heard { kind, epoch, next, seen: Seen(seen) }, rng) {
            Step::Started | Step::StartedByHello | Step::Ended => self.next_seq = 0,
            Step::Data | Step::Greeted | Step::Refused => (),
        }
    }

    /// Tells whether pieces that he sent, one behind the other, make a whole message of these bytes.
    fn sent_whole(&self, bytes: &[u8]) -> bool {
        let starts = self.sent.iter().filter(|(_, (index, _), _)| *index == 0);
        starts.into_iter().any(|(seq, (_, count), _)| self.sent_from(*seq, (0, *count), bytes))
    }

    fn sent_from(&self, seq: u32, (index, count): (u16, u16), bytes: &[u8]) -> bool {
        let mut fits = self.sent.iter().filter(|it| (it.0, it.1) == (seq, (index, count)));
        fits.any(|(_, _, piece)| match bytes.strip_prefix(&piece[..]) {
            Some(rest) if index + 1 == count => rest.is_empty(),
            Some(rest) => {
                let next = seq.checked_add(1);
                next.is_some_and(|next| self.sent_from(next, (index + 1, count), rest))
            }
            None => false,
        })
    }
}

fn blank(stamp: &Stamp) -> PeerMessage {
    PeerMessage {
        signature: [0; 64],
        kind: stamp.kind,
        flags: 0,
        epoch: stamp.epoch,
        next: stamp.next,
        seen: stamp.seen.0,
        seq: 0,
        ack: 0,
        sack: 0,
        index: 0,
        count: 0,
        sent_ms: 0,
        payload: Payload::empty(),
    }
}

fn outgoing(text: &str, peer: &Identity, rng: &mut ChaCha20Rng) -> Outgoing {
    Outgoing {
        id: MessageId::random(rng),
        peer: peer.hash(),
        label: String::new(),
        text: text.to_owned(),
        sent_ms: 7,
        sent: None,
    }
}

/// Numbers near the start of a session, and others.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..6u32, 1 => 28..40u32, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn place() -> impl Strategy<Value = (u16, u16)> {
    let fits = (1..4u16).prop_flat_map(|count| (0..count, Just(count)));
    prop_oneof![6 => Just((0, 1)), 6 => fits, 1 => Just((0, 0)), 1 => (0..60u16, 0..60u16), 1 => any::<(u16, u16)>()]
}

/// One of few ids with a short text, or anything.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let message =
        (0..3u8, "[a-c🌙]{0,3}").prop_map(|(id, text)| [&[id; 8], text.as_bytes()].concat());
    let noise = prop::collection::vec(any::<u8>(), 0..=PEER_PAYLOAD);
    prop_oneof![3 => message, 1 => noise]
}

fn next() -> impl Strategy<Value = PublicKey> {
    let point = any::<u64>()
        .prop_map(|seed| AgreementKey::random(&mut ChaCha20Rng::seed_from_u64(seed)).public());
    let no_point = any::<[u8; 32]>().prop_map(|mut x| {
        // more than P-256's field has
        x[..4].fill(0xff);
        x[4..8].fill(0xff);
        let mut key = [2; 33];
        key[1..].copy_from_slice(&x);
        PublicKey(key)
    });
    prop_oneof![point, no_point, Just(PublicKey([0; 33]))]
}

fn says() -> impl Strategy<Value = Says> {
    let epoch = prop_oneof![0..4u32, any::<u32>()];
    let kind = prop_oneof![Just(Kind::Hello), Just(Kind::Data)];
    let stamp = (any::<bool>(), weighted(0.2, kind), weighted(0.2, epoch), weighted(0.3, next()));
    let seen = weighted(0.3, prop_oneof![Just([0; 8]), any::<[u8; 8]>()]);
    let acks = (number(), prop_oneof![Just(0), Just(u32::MAX), any::<u32>()]);
    let rest = (seen, number(), acks, place(), any::<u64>(), bytes());
    let anything = (stamp, rest).prop_map(|(stamp, rest)| {
        let (under_hello, kind, epoch, next) = stamp;
        let (seen, seq, acks, place, sent_ms, bytes) = rest;
        let any =
            Anything { under_hello, kind, epoch, next, seen, seq, acks, place, sent_ms, bytes };
        Says::Anything(Box::new(any))
    });
    let piece = (weighted(0.2, number()), place(), bytes());
    let piece = piece.prop_map(|(seq, place, bytes)| Says::Piece { seq, place, bytes });
    prop_oneof![2 => Just(Says::Right), 4 => piece, 3 => anything]
}

fn act() -> impl Strategy<Value = Act> {
    let bools = (prop::bool::weighted(0.9), prop::bool::weighted(0.7));
    (says(), bools).prop_map(|(says, (hears, disk))| Act { says, hears, disk })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_peer_says_nothing_is_made_up_and_the_conversation_heals(
        seed in any::<u64>(),
        acts in prop::collection::vec(act(), 0..40),
    ) {
        let mut world = World::new(seed);
        let (bob, rng) = (&world.bob.identity, &mut world.rng);
        let texts = ["one", &"two".repeat(200), "three"];
        texts.iter().for_each(|text| world.ann.conversation.send(outgoing(text, bob, rng)));
        acts.iter().for_each(|act| world.meet(act));

        for (id, text) in &world.ann.shown {
            let bytes = [&id.0, text.as_bytes()].concat();
            prop_assert!(world.bob.sent_whole(&bytes), "made up: {text:?}");
        }
        let mut ids: Vec<_> = world.ann.shown.iter().map(|(id, _)| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), world.ann.shown.len(), "something is shown twice");

        let before = world.ann.shown.len();
        let shown = world.turns_honest();
        let news: Vec<_> = world.ann.shown[before..].iter().map(|(_, text)| &text[..]).collect();
        prop_assert_eq!(news, ["from bob"]);
        let expected = [texts.as_slice(), &["from ann"]].concat();
        prop_assert_eq!(&world.ann.delivered, &expected, "each is delivered once, in order");
        prop_assert!(expected.ends_with(&shown.iter().map(|it| &it[..]).collect::<Vec<_>>()));
        prop_assert_eq!(shown.last().map(|it| &it[..]), Some("from ann"));
    }
}

#[test]
fn the_test_reaches_what_it_is_about() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let (mut live, mut shown, mut delivered) = (0, 0, 0);
    for seed in 0..20 {
        let acts = prop::collection::vec(act(), 40).new_tree(&mut runner).unwrap().current();
        let mut world = World::new(seed);
        let (bob, rng) = (&world.bob.identity, &mut world.rng);
        world.ann.conversation.send(outgoing("hi", bob, rng));
        for act in &acts {
            world.meet(act);
            live += usize::from(world.ann.conversation.is_live());
        }
        shown += world.ann.shown.len();
        delivered += world.ann.delivered.len();
    }
    assert!(live > 100 && shown > 10 && delivered > 0, "{live} {shown} {delivered}");
}
