//! Epochs: the key agreement that goes on inside a conversation, and which gives it forward secrecy and
//! recovery. The rules are numbered as in `docs/architecture.md` and were model-checked under loss,
//! restarts and stale devices.
//!
//! ```text
//! Hello {half, candidate} ── (1) a HELLO names my half ─────────┐
//!    ▲                    ── (2) DATA opens under S_1 ──────────┤
//!    │                                                          ▼
//!    └── (4) HELLO of another session, (5) unheard for 32 ── Live {send, recv}  (3) steps its epochs
//! ```
//!
//! Invariants: send − recv is 0 or 1; at most two epoch secrets are held; a session that was left is
//! never taken up again; secrets live in memory only.

use rand_core::CryptoRngCore;
use wire::ids::Round;
use wire::peer::Kind;
use wire::public_key::{AgreementKey, PublicKey};
use wire::size::CELL;
use zeroize::Zeroizing;

use crate::keys::{CellKey, Direction, Ends, EpochSecret, HelloKey, Seen, Transcript};

/// Attended meetings without a word of the session, after which it is given up.
pub(crate) const UNHEARD_MAX: u32 = 32;

/// The key agreement of one conversation.
pub(crate) struct Epochs {
    ends: Ends,
    hello: HelloKey,
    state: State,
}

enum State {
    Hello(Hello),
    Live(Box<Live>),
}

/// No session yet: offers a half, and knows the half that the peer offered last.
struct Hello {
    half: AgreementKey,
    candidate: Option<Candidate>,
}

/// The peer's half with what follows from it.
struct Candidate {
    half: PublicKey,
    secret: EpochSecret,
    transcript: Transcript,
}

/// A session.
struct Live {
    own_half: PublicKey,
    peer_half: PublicKey,
    transcript: Transcript,
    send: u32,
    recv: u32,
    /// S_recv.
    current: EpochSecret,
    /// S_{recv+1}, once derived.
    next: Option<EpochSecret>,
    /// My key for epoch send + 1; its secret half is erased once it was used.
    own_next: PublicKey,
    own_next_secret: Option<AgreementKey>,
    /// The peer's key for epoch recv + 1, once seen.
    peer_next: Option<PublicKey>,
    unheard: u32,
}

/// The epoch fields of the next cell.
pub(crate) struct Stamp {
    /// Hello or data.
    pub(crate) kind: Kind,
    /// 0 or the sending epoch.
    pub(crate) epoch: u32,
    /// My half or my key for the next epoch.
    pub(crate) next: PublicKey,
    /// What I saw of the peer.
    pub(crate) seen: Seen,
    /// Key of the cell.
    pub(crate) key: CellKey,
    /// Start of the session, if there is one.
    pub(crate) transcript: Option<Transcript>,
}

/// A cell that opened, not yet checked.
pub(crate) struct Opened {
    /// The peer message's bytes.
    pub(crate) plain: Zeroizing<Vec<u8>>,
    /// The session's start that its signature is over, if it is data.
    pub(crate) transcript: Option<Transcript>,
    under: Under,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Hello,
    /// S_e of the live session.
    Epoch(u32),
    /// S_1 of the candidate.
    Candidate,
}

/// The epoch fields of a checked message.
pub(crate) struct Heard {
    /// Hello or data.
    pub(crate) kind: Kind,
    /// As sent.
    pub(crate) epoch: u32,
    /// As sent.
    pub(crate) next: PublicKey,
    /// As sent.
    pub(crate) seen: Seen,
}

/// What a checked message changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A hello; it carries nothing else.
    Greeted,
    /// A hello that ended the session and may start another.
    Ended,
    /// Data of the live session.
    Data,
    /// Data that started the session.
    Started,
    /// A hello that started the session.
    StartedByHello,
    /// It contradicts what was heard before: drop the cell.
    Refused,
}

impl Epochs {
    /// Begins without a session, as every process start does.
    pub(crate) fn new(ends: Ends, hello: HelloKey, rng: &mut impl CryptoRngCore) -> Self {
        Self { ends, hello, state: State::Hello(Hello::new(rng)) }
    }

    /// Tells whether a session is live, so that text can flow.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// Returns what the cell of a round is stamped and sealed with.
    pub(crate) fn stamp(&self, round: Round) -> Stamp {
        let direction = self.ends.outward();
        match &self.state {
            State::Hello(hello) => Stamp {
                kind: Kind::Hello,
                epoch: 0,
                next: hello.half.public(),
                seen: hello.candidate.as_ref().map_or(Seen::NONE, |it| Seen::of(&it.half)),
                key: self.hello.cell(round, direction),
                transcript: None,
            },
            State::Live(live) => Stamp {
                kind: Kind::Data,
                epoch: live.send,
                next: live.own_next,
                seen: live.seen(),
                key: live.sending().cell(round, direction),
                transcript: Some(live.transcript),
            },
        }
    }

    /// Opens a cell of the peer with each key that it may be under; `None` is cover or noise.
    pub(crate) fn open(&self, round: Round, cell: &[u8; CELL]) -> Option<Opened> {
        let direction = self.ends.outward().reverse();
        let opened = |plain, under, transcript| Opened { plain, transcript, under };
        match &self.state {
            State::Hello(hello) => {
                if let Some(plain) = self.open_hello(round, direction, cell) {
                    return Some(opened(plain, Under::Hello, None));
                }
                let candidate = hello.candidate.as_ref()?;
                let plain = candidate.secret.cell(round, direction).open(cell)?;
                Some(opened(plain, Under::Candidate, Some(candidate.transcript)))
            }
            State::Live(live) => {
                let transcript = Some(live.transcript);
                if let Some(plain) = live.current.cell(round, direction).open(cell) {
                    return Some(opened(plain, Under::Epoch(live.recv), transcript));
                }
                let next = live.next.as_ref();
                if let Some(plain) = next.and_then(|it| it.cell(round, direction).open(cell)) {
                    return Some(opened(plain, Under::Epoch(live.recv + 1), transcript));
                }
                let plain = self.open_hello(round, direction, cell)?;
                Some(opened(plain, Under::Hello, None))
            }
        }
    }

    /// Takes in a message whose signature holds.
    pub(crate) fn heard(
        &mut self,
        opened: &Opened,
        heard: &Heard,
        rng: &mut impl CryptoRngCore,
    ) -> Step {
        match (opened.under, heard.kind) {
            (Under::Hello, Kind::Hello) => self.heard_hello(heard, rng),
            (Under::Epoch(epoch), Kind::Data) if epoch == heard.epoch => {
                self.heard_data(heard, rng)
            }
            (Under::Candidate, Kind::Data) if heard.epoch == 1 => {
                self.start(rng);
                match self.heard_data(heard, rng) {
                    Step::Data => Step::Started,
                    other => other,
                }
            }
            (Under::Hello | Under::Epoch(_) | Under::Candidate, Kind::Hello | Kind::Data) => {
                Step::Refused
            }
        }
    }

    /// Counts an attended meeting in which no data of the session was heard; returns whether that ended
    /// the session (rule 5).
    pub(crate) fn unheard(&mut self, rng: &mut impl CryptoRngCore) -> bool {
        let State::Live(live) = &mut self.state else { return false };
        live.unheard += 1;
        if live.unheard < UNHEARD_MAX {
            return false;
        }
        self.state = State::Hello(Hello::new(rng));
        true
    }

    fn open_hello(
        &self,
        round: Round,
        direction: Direction,
        cell: &[u8; CELL],
    ) -> Option<Zeroizing<Vec<u8>>> {
        self.hello.cell(round, direction).open(cell)
    }

    /// Rules (1) and (4).
    fn heard_hello(&mut self, heard: &Heard, rng: &mut impl CryptoRngCore) -> Step {
        if let State::Live(live) = &self.state {
            let same_session = heard.next == live.peer_half
                && (heard.seen == Seen::NONE || heard.seen == Seen::of(&live.own_half));
            if same_session {
                return Step::Greeted;
            }
            let hello = Hello::new(rng);
            let Some(candidate) = self.candidate(&hello.half, heard.next) else {
                return Step::Refused;
            };
            self.state = State::Hello(Hello { half: hello.half, candidate: Some(candidate) });
            return Step::Ended;
        }
        let State::Hello(hello) = &self.state else { return Step::Refused };
        let names_my_half = heard.seen == Seen::of(&hello.half.public());
        if hello.candidate.as_ref().is_none_or(|it| it.half != heard.next) {
            let Some(candidate) = self.candidate(&hello.half, heard.next) else {
                return Step::Refused;
            };
            let State::Hello(hello) = &mut self.state else { return Step::Refused };
            hello.candidate = Some(candidate);
        }
        if !names_my_half {
            return Step::Greeted;
        }
        self.start(rng);
        Step::StartedByHello
    }

    fn candidate(&self, own: &AgreementKey, half: PublicKey) -> Option<Candidate> {
        let (secret, transcript) = self.hello.first_epoch(&self.ends, own, &half).ok()?;
        Some(Candidate { half, secret, transcript })
    }

    /// Goes from Hello to Live with the candidate there is; the half's secret is erased.
    fn start(&mut self, rng: &mut impl CryptoRngCore) {
        let State::Hello(hello) = &mut self.state else { return };
        let Some(candidate) = hello.candidate.take() else { return };
        let own_next = AgreementKey::random(rng);
        self.state = State::Live(Box::new(Live {
            own_half: hello.half.public(),
            peer_half: candidate.half,
            transcript: candidate.transcript,
            send: 1,
            recv: 1,
            current: candidate.secret,
            next: None,
            own_next: own_next.public(),
            own_next_secret: Some(own_next),
            peer_next: None,
            unheard: 0,
        }));
    }

    /// Rule (3).
    fn heard_data(&mut self, heard: &Heard, rng: &mut impl CryptoRngCore) -> Step {
        let State::Live(live) = &mut self.state else { return Step::Refused };
        if heard.epoch == live.recv + 1 && !live.follow(rng) {
            return Step::Refused;
        }
        if !live.learn(&self.ends, heard, rng) {
            return Step::Refused;
        }
        live.unheard = 0;
        assert!(live.send - live.recv <= 1, "the sending epoch is at most one ahead");
        Step::Data
    }
}

/// What a thief takes away who copies the memory of one side.
#[cfg(test)]
impl Epochs {
    pub(crate) fn stolen(&self) -> Self {
        let State::Live(live) = &self.state else { panic!("a session is live") };
        let own_next_secret = live
            .own_next_secret
            .as_ref()
            .map(|key| AgreementKey::from_bytes(key.expose().expose()).expect("it is a key"));
        let live = Live {
            own_half: live.own_half,
            peer_half: live.peer_half,
            transcript: live.transcript,
            send: live.send,
            recv: live.recv,
            current: live.current.stolen(),
            next: live.next.as_ref().map(EpochSecret::stolen),
            own_next: live.own_next,
            own_next_secret,
            peer_next: live.peer_next,
            unheard: live.unheard,
        };
        Self { ends: self.ends, hello: self.hello.duplicate(), state: State::Live(Box::new(live)) }
    }

    /// Opens a cell that travels one way.
    pub(crate) fn eavesdrop(
        &self,
        round: Round,
        direction: Direction,
        cell: &[u8; CELL],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let State::Live(live) = &self.state else { return None };
        let held = [Some(&live.current), live.next.as_ref()];
        held.into_iter().flatten().find_map(|secret| secret.cell(round, direction).open(cell))
    }

    pub(crate) fn current_secret(&self) -> EpochSecret {
        let State::Live(live) = &self.state else { panic!("a session is live") };
        live.current.stolen()
    }
}

impl Hello {
    fn new(rng: &mut impl CryptoRngCore) -> Self {
        Self { half: AgreementKey::random(rng), candidate: None }
    }
}

impl Live {
    /// S_send.
    fn sending(&self) -> &EpochSecret {
        match &self.next {
            Some(next) if self.send > self.recv => next,
            Some(_) | None => &self.current,
        }
    }

    /// What to say of the peer's key for epoch send + 1.
    fn seen(&self) -> Seen {
        match &self.peer_next {
            Some(key) if self.send == self.recv => Seen::of(key),
            Some(_) | None => Seen::NONE,
        }
    }

    /// The peer sends in epoch recv + 1: S_recv is erased, and sending follows.
    fn follow(&mut self, rng: &mut impl CryptoRngCore) -> bool {
        let Some(next) = self.next.take() else { return false };
        self.current = next;
        self.recv += 1;
        self.peer_next = None;
        if self.send < self.recv {
            self.advance(rng);
        }
        true
    }

    /// Takes in `next` and `seen` of a cell of epoch recv; false if they contradict what was heard.
    fn learn(&mut self, ends: &Ends, heard: &Heard, rng: &mut impl CryptoRngCore) -> bool {
        match self.peer_next {
            None => {
                let Some(own) = &self.own_next_secret else { return false };
                let Ok(next) = self.current.next(ends, self.recv + 1, own, &heard.next) else {
                    return false;
                };
                self.next = Some(next);
                self.peer_next = Some(heard.next);
                self.own_next_secret = None;
            }
            Some(known) if known == heard.next => (),
            Some(_) => return false,
        }
        if self.send == self.recv && heard.seen == Seen::of(&self.own_next) {
            self.advance(rng);
        }
        true
    }

    /// Sends in the next epoch from now on, and offers a key for the one after it.
    fn advance(&mut self, rng: &mut impl CryptoRngCore) {
        let own_next = AgreementKey::random(rng);
        self.send += 1;
        self.own_next = own_next.public();
        self.own_next_secret = Some(own_next);
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};
    use wire::size::PEER_MESSAGE;

    use super::*;
    use crate::identity::Identity;
    use crate::wheel::Root;

    struct Side {
        epochs: Epochs,
        ends: Ends,
        identity: Identity,
        peer: PublicKey,
    }

    struct Sent {
        heard: Heard,
        cell: [u8; CELL],
    }

    struct World {
        rng: ChaCha20Rng,
        ann: Side,
        bob: Side,
        round: u64,
    }

    impl Side {
        fn hello_key(&self) -> HelloKey {
            Root::of_long_term_keys(&self.identity, &self.peer, &self.ends).unwrap().hello()
        }

        fn restart(&mut self, rng: &mut ChaCha20Rng) {
            self.epochs = Epochs::new(self.ends, self.hello_key(), rng);
        }

        fn send(&self, round: Round, rng: &mut ChaCha20Rng) -> Sent {
            let stamp = self.epochs.stamp(round);
            let heard =
                Heard { kind: stamp.kind, epoch: stamp.epoch, next: stamp.next, seen: stamp.seen };
            Sent { heard, cell: stamp.key.seal(&[0; PEER_MESSAGE], rng) }
        }

        /// Returns whether the session was heard.
        fn hear(&mut self, round: Round, sent: &Sent, rng: &mut ChaCha20Rng) -> Option<Step> {
            let opened = self.epochs.open(round, &sent.cell)?;
            Some(self.epochs.heard(&opened, &sent.heard, rng))
        }

        fn live(&self) -> &Live {
            let State::Live(live) = &self.epochs.state else { panic!("not live") };
            live
        }
    }

    impl World {
        fn new(seed: u64) -> Self {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let ann = Identity::random("ann".parse().unwrap(), &mut rng);
            let bob = Identity::random("bob".parse().unwrap(), &mut rng);
            let mut side = |own: Identity, peer: &wire::directory::Record| {
                let ends = Ends { own: own.hash(), peer: peer.identity() };
                let root = Root::of_long_term_keys(&own, &peer.agreement, &ends).unwrap();
                let epochs = Epochs::new(ends, root.hello(), &mut rng);
                Side { epochs, ends, identity: own, peer: peer.agreement }
            };
            let (at_ann, at_bob) = (*bob.record(), *ann.record());
            let (ann, bob) = (side(ann, &at_ann), side(bob, &at_bob));
            Self { rng, ann, bob, round: 1 }
        }

        /// One meeting; the flags say whose cell arrives.
        fn meet(&mut self, to_bob: bool, to_ann: bool) -> [Option<Step>; 2] {
            let round = Round(self.round);
            self.round += 1;
            let from_ann = self.ann.send(round, &mut self.rng);
            let from_bob = self.bob.send(round, &mut self.rng);
            let at_bob = to_bob.then(|| self.bob.hear(round, &from_ann, &mut self.rng)).flatten();
            let at_ann = to_ann.then(|| self.ann.hear(round, &from_bob, &mut self.rng)).flatten();
            for (side, step) in [(&mut self.ann, at_ann), (&mut self.bob, at_bob)] {
                if !matches!(step, Some(Step::Data | Step::Started | Step::StartedByHello)) {
                    side.epochs.unheard(&mut self.rng);
                }
            }
            [at_ann, at_bob]
        }

        fn meet_often(&mut self, times: u64) {
            for _ in 0..times {
                self.meet(true, true);
            }
        }

        fn understand_each_other(&self) -> bool {
            let round = Round(self.round);
            let mut rng = self.rng.clone();
            let ann = self.ann.send(round, &mut rng);
            let bob = self.bob.send(round, &mut rng);
            self.ann.epochs.is_live()
                && self.bob.epochs.is_live()
                && self.ann.epochs.open(round, &bob.cell).is_some()
                && self.bob.epochs.open(round, &ann.cell).is_some()
        }
    }

    #[test]
    fn without_loss_the_third_meeting_carries_data() {
        let mut world = World::new(1);
        assert_eq!(world.meet(true, true), [Some(Step::Greeted); 2]);
        assert_eq!(world.meet(true, true), [Some(Step::StartedByHello); 2]);
        assert_eq!(world.meet(true, true), [Some(Step::Data); 2]);
    }

    #[test]
    fn epochs_go_on_while_both_are_heard_and_stand_still_while_one_is_not() {
        let mut world = World::new(1);
        for _ in 0..20 {
            world.meet(true, true);
        }
        let after_twenty = world.ann.live().send;
        assert!(after_twenty >= 8, "epochs step: {after_twenty}");
        for _ in 0..UNHEARD_MAX - 1 {
            world.meet(true, false);
        }
        assert!(world.ann.live().send <= after_twenty + 1);
        for _ in 0..4 {
            world.meet(true, true);
        }
        assert!(world.ann.live().send > after_twenty + 1);
    }

    #[test]
    fn a_restart_on_either_side_starts_a_new_session() {
        for restarts_ann in [true, false] {
            let mut world = World::new(2);
            world.meet_often(5);
            let old = world.ann.live().transcript;
            let side = if restarts_ann { &mut world.ann } else { &mut world.bob };
            side.restart(&mut world.rng);
            world.meet_often(6);
            assert!(world.understand_each_other());
            assert_ne!(world.ann.live().transcript, old);
        }
    }

    #[test]
    fn another_next_within_one_epoch_is_refused() {
        let mut world = World::new(3);
        world.meet_often(3);
        let round = Round(world.round);
        let first = world.bob.send(round, &mut world.rng);
        let opened = world.ann.epochs.open(round, &first.cell).unwrap();
        let other = AgreementKey::random(&mut world.rng).public();
        let seen = Seen::NONE;
        let (kind, epoch) = (Kind::Data, first.heard.epoch);
        let genuine = Heard { kind, epoch, next: first.heard.next, seen };
        let forged = Heard { kind, epoch, next: other, seen };
        assert_eq!(world.ann.epochs.heard(&opened, &genuine, &mut world.rng), Step::Data);
        assert_eq!(world.ann.epochs.heard(&opened, &forged, &mut world.rng), Step::Refused);
    }

    #[test]
    fn the_secret_of_a_left_epoch_opens_nothing_that_came_before() {
        let mut world = World::new(4);
        world.meet_often(4);
        let round = Round(world.round);
        let old = world.bob.send(round, &mut world.rng);
        assert!(world.ann.epochs.open(round, &old.cell).is_some());
        world.meet_often(4);
        assert!(world.ann.epochs.open(round, &old.cell).is_none());
    }

    /// The model of the design (`epoch_model.py`) run on the real machine: loss, absence and restarts,
    /// then quiet; both must understand each other again.
    #[test]
    fn after_any_trouble_both_sides_find_each_other_again() {
        for seed in 0..60 {
            let mut world = World::new(seed);
            let mut dice = ChaCha20Rng::seed_from_u64(seed + 1000);
            let loss = [0, 5, 30, 60][(seed % 4) as usize];
            let restart = [0, 1, 10][(seed % 3) as usize];
            let mut chance = |percent: u64| u64::from(dice.next_u32() % 100) < percent;
            for _ in 0..120 {
                if chance(restart) {
                    world.ann.restart(&mut world.rng);
                }
                if chance(restart) {
                    world.bob.restart(&mut world.rng);
                }
                world.meet(!chance(loss), !chance(loss));
            }
            for _ in 0..u64::from(UNHEARD_MAX) + 8 {
                world.meet(true, true);
            }
            assert!(world.understand_each_other(), "seed {seed}");
            let (ann, bob) = (world.ann.live(), world.bob.live());
            assert!(ann.send.abs_diff(bob.send) <= 1, "seed {seed}");
        }
    }
}
