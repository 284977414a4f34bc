//! What somebody reads who recorded everything on the wire and then steals keys: tests of what the threat model says.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::codec::Wire;
use wire::dial::SealedInvitation;
use wire::directory::Head;
use wire::ids::{AccountIndex, DropId, MessageId, Round};
use wire::peer::{Kind, PeerMessage};
use wire::public_key::{AgreementKey, PublicKey};
use wire::size::CELL;

use crate::conversation::{Conversation, DirectoryMark};
use crate::identity::Identity;
use crate::invitation::{self, Calling};
use crate::keys::{Direction, Ends, EpochSecret};
use crate::receiving::Receiving;
use crate::record::Outgoing;
use crate::wheel::Root;

const DIRECTORY: DirectoryMark = DirectoryMark { length: 0, head: Head::EMPTY };
const FIRST: Round = Round(1000);

/// What went over the wire in one meeting, inside the layers: the thief may even be the server.
#[derive(Clone, Copy)]
struct Seen {
    round: Round,
    drop_id: DropId,
    from_ann: [u8; CELL],
    from_bob: [u8; CELL],
}

struct Side {
    identity: Identity,
    conversation: Conversation,
    shown: Vec<String>,
}

/// Ann called bob, and everything was recorded.
struct World {
    rng: ChaCha20Rng,
    round: Round,
    ann: Side,
    bob: Side,
    invitation: SealedInvitation,
    seen: Vec<Seen>,
    /// The secret of the first epoch.
    first_secret: Option<EpochSecret>,
}

impl World {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let [ann, bob] =
            ["ann", "bob"].map(|name| Identity::random(name.parse().unwrap(), &mut rng));
        let calling = Calling::random(FIRST, &mut rng);
        let at_ann = calling.root(&ann, bob.record()).unwrap();
        let invitation = calling.invite(&ann, AccountIndex(0), bob.record(), &mut rng).unwrap();
        let opened = invitation::open(&bob, &invitation).unwrap();
        let at_bob = opened.verify(&bob, ann.record()).unwrap();
        let (of_ann, of_bob) = (*ann.record(), *bob.record());
        let mut side = |identity: Identity, peer, root| {
            let receiving = Receiving::default();
            let conversation =
                Conversation::new(&identity, peer, root, receiving, &mut rng).unwrap();
            Side { identity, conversation, shown: vec![] }
        };
        let (ann, bob) = (side(ann, of_bob, at_ann), side(bob, of_ann, at_bob));
        Self { rng, round: FIRST, ann, bob, invitation, seen: vec![], first_secret: None }
    }

    /// Both write the same.
    fn write(&mut self, text: &str) {
        let (of_ann, of_bob) = (self.ann.identity.hash(), self.bob.identity.hash());
        for (side, peer) in [(&mut self.ann, of_bob), (&mut self.bob, of_ann)] {
            let id = MessageId::random(&mut self.rng);
            let (label, text) = (String::new(), text.to_owned());
            side.conversation.send(Outgoing { id, peer, label, text, sent_ms: 7, sent: None });
        }
    }

    fn meet(&mut self) {
        self.round = self.round.next();
        let (round, rng) = (self.round, &mut self.rng);
        let mut cells = [&mut self.ann, &mut self.bob].map(|side| {
            side.conversation.turn(round).unwrap();
            let drop_id = side.conversation.drop_id(round).unwrap();
            let outward = side.conversation.outward(round, &side.identity, DIRECTORY, rng);
            (drop_id, outward.cell)
        });
        assert!(cells[0].0 == cells[1].0, "they meet");
        let (drop_id, from_ann) = cells[0];
        let from_bob = cells[1].1;
        self.seen.push(Seen { round, drop_id, from_ann, from_bob });
        cells.reverse();
        for (side, (_, cell)) in [&mut self.ann, &mut self.bob].into_iter().zip(cells) {
            for complete in side.conversation.inward(round, &cell, rng).complete {
                side.conversation.durable(complete.id);
                side.shown.push(complete.text);
            }
        }
        if self.first_secret.is_none() && self.ann.conversation.is_live() {
            self.first_secret = Some(self.ann.conversation.epoch_secret());
        }
    }

    fn meet_often(&mut self, times: usize) {
        (0..times).for_each(|_| self.meet());
    }

    fn ends(&self) -> Ends {
        Ends { own: self.ann.identity.hash(), peer: self.bob.identity.hash() }
    }
}

/// Reads what a key of hello cells opens.
fn hello(
    root: &Root,
    round: Round,
    direction: Direction,
    cell: &[u8; CELL],
) -> Option<PeerMessage> {
    PeerMessage::decode(&root.hello().cell(round, direction).open(cell)?).ok()
}

#[test]
fn all_long_term_keys_and_all_that_was_sent_give_callers_and_drops_and_no_word() {
    let mut world = World::new();
    world.write("a secret");
    world.meet_often(4);
    world.write("another one");
    world.meet_often(4);
    assert_eq!(world.bob.shown, ["a secret", "another one"], "there were words to read");

    // the thief has both identities: he opens the invitation, and follows the wheel
    let (ann, bob) = (&world.ann.identity, &world.bob.identity);
    let opened = invitation::open(bob, &world.invitation).unwrap();
    assert!(opened.invitation.caller == ann.hash(), "the caller shows");
    let mut root = opened.verify(bob, ann.record()).unwrap();
    let ends = world.ends();
    let (from_ann, from_bob) = (ends.outward(), ends.outward().reverse());
    let mut halves = Vec::new();
    for seen in &world.seen {
        root.turn(seen.round, &ends).unwrap();
        assert!(root.key(seen.round).unwrap().drop_id() == seen.drop_id, "the drops show");
        for (direction, cell) in [(from_ann, &seen.from_ann), (from_bob, &seen.from_bob)] {
            if let Some(message) = hello(&root, seen.round, direction, cell) {
                assert_eq!((message.kind, message.count), (Kind::Hello, 0), "no word in a hello");
                halves.push(message.next);
            }
        }
    }
    assert_eq!(halves.len(), 4, "two hellos of each opened");

    // and tries each secret that he has with each half that he saw
    let secrets = [ann, bob].map(Identity::agreement_secret);
    let mut opened = 0;
    for secret in derivable(&root, &ends, &secrets, &halves) {
        for seen in &world.seen {
            let under_ann = secret.cell(seen.round, from_ann).open(&seen.from_ann);
            let under_bob = secret.cell(seen.round, from_bob).open(&seen.from_bob);
            opened += usize::from(under_ann.is_some()) + usize::from(under_bob.is_some());
        }
    }
    assert_eq!(opened, 0, "no cell with words opens");

    // the search is the right one: with the first secret that both sides had, it finds words
    let first = world.first_secret.expect("a session began");
    let finds = |seen: &&Seen| first.cell(seen.round, from_ann).open(&seen.from_ann).is_some();
    assert!(world.seen.iter().any(|seen| finds(&seen)), "what was really used opens cells");
}

/// All that long-term keys give in place of the session's own ones.
fn derivable(
    root: &Root,
    ends: &Ends,
    secrets: &[AgreementKey],
    halves: &[PublicKey],
) -> Vec<EpochSecret> {
    let back = Ends { own: ends.peer, peer: ends.own };
    let mut derived = Vec::new();
    for secret in secrets {
        for half in halves {
            for ends in [ends, &back] {
                derived.push(root.hello().first_epoch(ends, secret, half).unwrap().0);
            }
        }
    }
    derived
}

#[test]
fn the_state_of_one_side_gives_no_earlier_word_and_after_an_epoch_both_ways_no_later_one() {
    let mut world = World::new();
    world.meet_often(3);
    for word in ["one", "two", "three"] {
        world.write(word);
        world.meet_often(2);
    }
    // the epochs that carried them are left
    world.meet_often(4);
    let before = world.seen.clone();
    let mut thief = world.ann.conversation.stolen();
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    for seen in &before {
        let texts = thief.eavesdrop(seen.round, [&seen.from_ann, &seen.from_bob]);
        assert_eq!(texts, [None, None], "round {}", seen.round);
    }

    // he goes on listening with what he stole
    let mut overheard = Vec::new();
    for number in 0..12 {
        let word = format!("after the theft {number}");
        world.write(&word);
        world.meet();
        let seen = *world.seen.last().unwrap();
        let texts = thief.eavesdrop(seen.round, [&seen.from_ann, &seen.from_bob]);
        overheard.extend(texts.into_iter().flatten().map(|text| (number, text)));
        thief.inward(seen.round, &seen.from_bob, &mut rng);
    }
    assert_eq!(world.bob.shown.len(), 3 + 12, "everything arrived");
    assert!(!overheard.is_empty(), "what he stole was the real state");
    let last = overheard.iter().map(|(number, _)| *number).max();
    println!("overheard after the theft: meetings {overheard:?}");
    assert!(last < Some(4), "one epoch in both directions takes four meetings: {last:?}");
}
