//! The root of a conversation and the wheel that turns on it: names the drops, ranks and wake-ups of each round.
//!
//! ```text
//! static root ── W_r = HMAC(root, r)
//!
//! called root ─┬─ K_0 (hello cells)
//!              └─ outer ── outer ── …               one step every 4,096 rounds, from the call's first round f
//!                   └─ middle ── middle ── …        one step every 64 rounds
//!                        └─ W_r ── W_{r+1} ── …     one step every round
//! ```
//!
//! Invariant: a called wheel goes forward only, and what it left is erased. So whoever steals it, or the root that is kept
//! on disk, finds the drops from the last outer step on, and none before (a database may keep what it overwrote for a while). However long it stood still, a wheel is
//! at the round within some hundred steps, so that catching up takes no time that could be seen.

use std::cmp::Reverse;
use std::collections::VecDeque;

use rand_core::CryptoRngCore;
use wire::dial::WakeUp;
use wire::ids::{DropId, IdentityHash, Round};
use wire::kdf::{Label, Secret};
use wire::public_key::{NotOnCurve, PublicKey};
use wire::size::{DROP_ID, WAKE_UP};

use crate::identity::Identity;
use crate::keys::{Direction, Ends, HelloKey, LANE};
use crate::record::SavedRoot;

const STATIC_ROOT: Label = Label("iirs 1 static root");
const WHEEL: Label = Label("iirs 1 wheel");
const OUTER: Label = Label("iirs 1 wheel outer");
const OUTER_STEP: Label = Label("iirs 1 wheel outer step");
const MIDDLE: Label = Label("iirs 1 wheel middle");
const MIDDLE_STEP: Label = Label("iirs 1 wheel middle step");
const INNER: Label = Label("iirs 1 wheel inner");
const INNER_STEP: Label = Label("iirs 1 wheel inner step");
const DROP: Label = Label("iirs 1 drop");
const RANK: Label = Label("iirs 1 rank");
const WAKE: Label = Label("iirs 1 wake-up");
const HELLO: Label = Label("iirs 1 hello");

/// Rounds between two steps of the outer chain.
const OUTER_ROUNDS: u64 = 4096;

/// Rounds between two steps of the middle chain.
const MIDDLE_ROUNDS: u64 = 64;

/// Rounds that a called root serves: 17 years of standard rounds; then one has to call anew.
pub(crate) const ROUNDS_MAX: u64 = 1 << 28;

/// Dial rounds whose wake-ups are known again, the last one included.
const WAKE_WINDOW: usize = wire::dial::WAKE_UP_VALID as usize;

/// The root that both sides of a conversation share, with the wheel on it.
pub(crate) struct Root {
    hello: HelloKey,
    wheel: Wheel,
}

enum Wheel {
    /// There is none yet: it comes with a call.
    None,
    Static(Secret),
    Called(Box<Called>),
}

struct Called {
    call: Call,
    heard: bool,
    outer: Secret,
    /// How often the outer chain has stepped.
    steps: u32,
    /// The middle chain, and how often it has stepped since the call's first round.
    middle: Option<(u64, Secret)>,
    /// W of a round, unless the wheel has not turned since it was made or restored.
    inner: Option<(Round, WheelKey)>,
    /// The peer's wake-ups of the last dial rounds, the newest last.
    wake_ups: VecDeque<WakeUp>,
}

/// Names the call that a root comes from.
///
/// Of two calls between two people the greater one counts: the one with the newest first round, and of two of one
/// round that of the smaller caller. Both people see the same two calls, so both come to the same root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// First round that the root serves.
    pub(crate) first: Round,
    /// Who called.
    pub(crate) caller: IdentityHash,
}

impl Call {
    /// Tells whether this call counts when there is also the other one.
    pub(crate) fn beats(&self, other: &Self) -> bool {
        (self.first, Reverse(self.caller)) > (other.first, Reverse(other.caller))
    }
}

impl Root {
    /// Derives the root from both long-term agreement keys, salted with both identities: the fallback for two who open
    /// each other by agreement. Whoever steals one of the keys finds all drops of it; no forward secrecy is claimed for
    /// them, and nothing that a person wrote is sealed under it.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the peer's key is not a point.
    pub(crate) fn of_long_term_keys(
        own: &Identity,
        peer: &PublicKey,
        ends: &Ends,
    ) -> Result<Self, NotOnCurve> {
        let shared = own.agree(peer)?;
        let [first, second] = ends.ordered();
        let salt = [first.0, second.0].concat();
        let root = Secret::extract(&salt, shared.expose(), STATIC_ROOT, &[]);
        Ok(Self { hello: HelloKey::new(root.derive(HELLO, &[])), wheel: Wheel::Static(root) })
    }

    /// Stands in until a call brings a root; it meets nobody.
    pub(crate) fn none(rng: &mut impl CryptoRngCore) -> Self {
        Self { hello: HelloKey::new(Secret::random(rng)), wheel: Wheel::None }
    }

    /// Begins the wheel of a call.
    pub(crate) fn of_call(call: Call, root: &Secret) -> Self {
        let hello = HelloKey::new(root.derive(HELLO, &[]));
        let outer = root.derive(OUTER, &[]);
        Self { hello, wheel: Wheel::called(call, false, outer, 0) }
    }

    /// Takes a root up again.
    pub(crate) fn restore(saved: SavedRoot) -> Self {
        let SavedRoot { caller, first, heard, hello, outer, steps } = saved;
        let hello = HelloKey::new(hello);
        Self { hello, wheel: Wheel::called(Call { first, caller }, heard, outer, steps) }
    }

    /// Returns what to keep of a called root: it finds the drops from the last outer step on.
    pub(crate) fn saved(&self) -> Option<SavedRoot> {
        let Wheel::Called(called) = &self.wheel else { return None };
        Some(SavedRoot {
            caller: called.call.caller,
            first: called.call.first,
            heard: called.heard,
            hello: self.hello.duplicate().into_secret(),
            outer: called.outer.duplicate(),
            steps: called.steps,
        })
    }

    /// Tells whether it comes from long-term keys.
    pub(crate) fn is_static(&self) -> bool {
        matches!(self.wheel, Wheel::Static(_))
    }

    /// Returns the call that the root comes from, if it comes from one.
    pub(crate) fn call(&self) -> Option<Call> {
        match &self.wheel {
            Wheel::None | Wheel::Static(_) => None,
            Wheel::Called(called) => Some(called.call),
        }
    }

    /// Tells whether the peer was heard on this root, so that he has it.
    pub(crate) fn is_heard(&self) -> bool {
        match &self.wheel {
            Wheel::None => false,
            Wheel::Static(_) => true,
            Wheel::Called(called) => called.heard,
        }
    }

    /// Takes note that the peer was heard; returns whether that is news.
    pub(crate) fn hear(&mut self) -> bool {
        match &mut self.wheel {
            Wheel::None | Wheel::Static(_) => false,
            Wheel::Called(called) => !std::mem::replace(&mut called.heard, true),
        }
    }

    /// Returns the key of hello cells.
    pub(crate) fn hello(&self) -> HelloKey {
        self.hello.duplicate()
    }

    /// Turns the wheel to a round; what it leaves is erased. Returns whether the outer chain stepped, so that what is
    /// kept on disk is to be replaced.
    ///
    /// # Errors
    /// [`WheelUsedUp`] after [`ROUNDS_MAX`] rounds.
    pub(crate) fn turn(&mut self, round: Round, ends: &Ends) -> Result<bool, WheelUsedUp> {
        match &mut self.wheel {
            Wheel::None | Wheel::Static(_) => Ok(false),
            Wheel::Called(called) => called.turn(round, ends),
        }
    }

    /// Returns the wheel's key of a round: of a static root any, of a called one that to which it turned last.
    pub(crate) fn key(&self, round: Round) -> Option<WheelKey> {
        match &self.wheel {
            Wheel::None => None,
            Wheel::Static(root) => Some(WheelKey(root.hmac(WHEEL, &[&round.0.to_le_bytes()]))),
            Wheel::Called(called) => {
                let (at, key) = called.inner.as_ref()?;
                (*at == round).then(|| WheelKey(key.0.duplicate()))
            }
        }
    }

    /// Tells whether a wake-up is the peer's of one of the last dial rounds.
    pub(crate) fn knows(&self, token: &WakeUp) -> bool {
        match &self.wheel {
            Wheel::None | Wheel::Static(_) => false,
            Wheel::Called(called) => called.wake_ups.contains(token),
        }
    }
}

/// The called root has served all its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call is 2^28 rounds old and serves no more; call again")]
pub(crate) struct WheelUsedUp;

impl Wheel {
    fn called(call: Call, heard: bool, outer: Secret, steps: u32) -> Self {
        let (middle, inner) = (None, None);
        let wake_ups = VecDeque::with_capacity(WAKE_WINDOW);
        Self::Called(Box::new(Called { call, heard, outer, steps, middle, inner, wake_ups }))
    }
}

impl Called {
    fn turn(&mut self, round: Round, ends: &Ends) -> Result<bool, WheelUsedUp> {
        let Some(age) = round.0.checked_sub(self.call.first.0) else { return Ok(false) };
        if age >= ROUNDS_MAX {
            return Err(WheelUsedUp);
        }
        let window = wire::ids::DIAL_EVERY * WAKE_WINDOW as u64;
        let before = self.steps;
        let next = self.inner.as_ref().map_or(self.call.first.0, |(at, _)| at.0 + 1);
        // only the wake-ups of the window are of use: what lies before it is passed in larger steps
        for number in next.max(round.0.saturating_sub(window)).max(self.call.first.0)..=round.0 {
            self.step(Round(number));
            if Round(number).has_dial() {
                self.note(ends);
            }
        }
        Ok(self.steps != before)
    }

    /// Goes forward to a round.
    fn step(&mut self, round: Round) {
        let age = round.0.saturating_sub(self.call.first.0);
        while u64::from(self.steps) < age / OUTER_ROUNDS {
            self.outer = self.outer.hmac(OUTER_STEP, &[]);
            self.steps += 1;
        }
        let inner = self.inner.take().map(|(at, key)| (at.0 - self.call.first.0, key.0));
        let in_place = (age / MIDDLE_ROUNDS, OUTER_ROUNDS / MIDDLE_ROUNDS);
        let middle = go_on(self.middle.take(), in_place, &self.outer, MIDDLE, MIDDLE_STEP);
        let key = go_on(inner, (age, MIDDLE_ROUNDS), &middle, INNER, INNER_STEP);
        self.middle = Some((in_place.0, middle));
        self.inner = Some((round, WheelKey(key)));
    }

    /// Remembers the wake-up that the peer would send in the round the wheel turned to.
    fn note(&mut self, ends: &Ends) {
        let Some((_, key)) = &self.inner else { return };
        let token = key.wake_up(ends.outward().reverse());
        if self.wake_ups.len() == WAKE_WINDOW {
            self.wake_ups.pop_front();
        }
        self.wake_ups.push_back(token);
    }
}

/// Steps a chain forward to a place, which begins anew from the chain above it every so many places.
fn go_on(
    last: Option<(u64, Secret)>,
    (place, every): (u64, u64),
    above: &Secret,
    first: Label,
    step: Label,
) -> Secret {
    let last = last.filter(|(at, _)| at / every == place / every && *at <= place);
    let (mut at, mut key) = last.unwrap_or_else(|| (place - place % every, above.hmac(first, &[])));
    while at < place {
        key = key.hmac(step, &[]);
        at += 1;
    }
    key
}

/// The wheel's key of one round, W_r.
pub(crate) struct WheelKey(Secret);

impl WheelKey {
    /// Returns the dead drop at which both sides meet, 16 bytes.
    pub(crate) fn drop_id(&self) -> DropId {
        let secret = self.0.hmac(DROP, &[&[LANE]]);
        let mut id = DropId([0; DROP_ID]);
        id.0.copy_from_slice(&secret.expose()[..DROP_ID]);
        id
    }

    /// Returns the conversation's rank in the round's schedule, equal on both sides.
    pub(crate) fn rank(&self) -> u64 {
        let secret = self.0.hmac(RANK, &[]);
        let bytes = secret.expose()[..8].try_into().expect("eight bytes are eight bytes");
        u64::from_le_bytes(bytes)
    }

    /// Returns the wake-up of the round that goes one way.
    pub(crate) fn wake_up(&self, direction: Direction) -> WakeUp {
        let secret = self.0.hmac(WAKE, &[&[direction as u8]]);
        let mut token = WakeUp([0; WAKE_UP]);
        token.0.copy_from_slice(&secret.expose()[..WAKE_UP]);
        token
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const FIRST: Round = Round(1_000);

    fn ends() -> (Ends, Ends) {
        let (a, b) = (IdentityHash([1; 32]), IdentityHash([2; 32]));
        (Ends { own: a, peer: b }, Ends { own: b, peer: a })
    }

    fn root() -> Root {
        let call = Call { first: FIRST, caller: IdentityHash([1; 32]) };
        Root::of_call(call, &Secret::new([7; 32]))
    }

    fn drop_at(root: &mut Root, round: u64) -> Option<[u8; DROP_ID]> {
        root.turn(Round(round), &ends().0).unwrap();
        root.key(Round(round)).map(|key| key.drop_id().0)
    }

    #[test]
    fn both_sides_of_a_static_root_find_the_same_drop_and_another_one_each_round() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let [ann, bob] =
            ["ann", "bob"].map(|name| Identity::random(name.parse().unwrap(), &mut rng));
        let ends = Ends { own: ann.hash(), peer: bob.hash() };
        let back = Ends { own: ends.peer, peer: ends.own };
        let at_ann = Root::of_long_term_keys(&ann, &bob.record().agreement, &ends).unwrap();
        let at_bob = Root::of_long_term_keys(&bob, &ann.record().agreement, &back).unwrap();
        let drop = |root: &Root, round| root.key(Round(round)).unwrap().drop_id().0;
        assert_eq!(drop(&at_ann, 7), drop(&at_bob, 7));
        let rank = |root: &Root| root.key(Round(7)).unwrap().rank();
        assert_eq!(rank(&at_ann), rank(&at_bob));
        assert_ne!(drop(&at_ann, 7), drop(&at_ann, 8));
    }

    #[test]
    fn whoever_missed_rounds_stands_where_the_other_stands() {
        let (mut steady, mut jumping) = (root(), root());
        for round in FIRST.0..FIRST.0 + 9000 {
            let expected = drop_at(&mut steady, round);
            if round % 1371 == 0 || round == FIRST.0 + 8999 {
                assert!(expected.is_some() && drop_at(&mut jumping, round) == expected, "{round}");
            }
        }
    }

    #[test]
    fn a_restored_root_goes_on_where_it_was_kept_and_not_before() {
        let mut running = root();
        drop_at(&mut running, FIRST.0 + 5000);
        let mut restored = Root::restore(running.saved().unwrap());
        assert_eq!(restored.saved().unwrap().steps, 1);
        let later = FIRST.0 + 5001;
        assert_eq!(drop_at(&mut restored, later), drop_at(&mut running, later));
        // the drops of the first 4,096 rounds do not follow from what was kept
        let mut thief = Root::restore(running.saved().unwrap());
        assert_ne!(drop_at(&mut thief, FIRST.0 + 10), drop_at(&mut root(), FIRST.0 + 10));
    }

    #[test]
    fn the_wheel_never_turns_back() {
        let mut root = root();
        assert!(drop_at(&mut root, FIRST.0 + 20).is_some());
        assert!(drop_at(&mut root, FIRST.0 + 19).is_none());
        assert!(drop_at(&mut root, FIRST.0 - 1).is_none());
        assert!(drop_at(&mut root, FIRST.0 + 20).is_some());
    }

    #[test]
    fn wake_ups_are_known_for_some_dial_rounds_and_only_by_the_other_side() {
        let (ann_ends, bob_ends) = ends();
        let (mut ann, mut bob) = (root(), root());
        let sent = Round(1_010);
        ann.turn(sent, &ann_ends).unwrap();
        let token = ann.key(sent).unwrap().wake_up(ann_ends.outward());
        bob.turn(Round(1_009), &bob_ends).unwrap();
        assert!(!bob.knows(&token), "before its round");
        for late in 0..WAKE_WINDOW as u64 {
            bob.turn(Round(1_010 + 5 * late), &bob_ends).unwrap();
            assert!(bob.knows(&token), "{late} dial rounds late");
        }
        bob.turn(Round(1_010 + 5 * WAKE_WINDOW as u64), &bob_ends).unwrap();
        assert!(!bob.knows(&token), "too late");
        assert!(!ann.knows(&token), "reflected");
        let mut back = root();
        back.turn(Round(1_024), &bob_ends).unwrap();
        assert!(back.knows(&token), "who comes back knows what he missed");
    }

    #[test]
    fn of_two_calls_both_sides_choose_the_same() {
        let call = |first, caller| Call { first: Round(first), caller: IdentityHash([caller; 32]) };
        let calls = [call(5, 1), call(5, 2), call(6, 1), call(6, 2)];
        for one in &calls {
            for other in &calls {
                assert_eq!(one.beats(other), one != other && !other.beats(one));
            }
        }
        assert!(call(6, 2).beats(&call(5, 1)) && call(5, 1).beats(&call(5, 2)));
    }

    #[test]
    fn after_seventeen_years_the_wheel_says_so() {
        let mut root = root();
        let last = Round(FIRST.0 + ROUNDS_MAX);
        assert_eq!(root.turn(last, &ends().0), Err(WheelUsedUp));
    }
}
