//! The keys of a conversation, one type for each purpose; all are erased on drop.
//!
//! ```text
//! root ── W_r (wheel of round r) ── drop id of the round, rank in the schedule
//!   └──── K_0 ── hello cells;  S_1 = HKDF(K_0, session halves), S_{e+1} = HKDF(S_e, keys of e+1) ── data cells
//! ```

use wire::ids::{DropId, IdentityHash, Round};
use wire::kdf::{Label, Secret, hash};
use wire::public_key::{AgreementKey, NotOnCurve, PublicKey};
use wire::sealed;
use wire::size::{CELL, DROP_ID, HASH, PEER_MESSAGE};
use zeroize::Zeroizing;

use crate::identity::Identity;

const STATIC_ROOT: Label = Label("iirs 1 static root");
const WHEEL: Label = Label("iirs 1 wheel");
const DROP: Label = Label("iirs 1 drop");
const RANK: Label = Label("iirs 1 rank");
const HELLO: Label = Label("iirs 1 hello");
const EPOCH_ONE: Label = Label("iirs 1 epoch one");
const EPOCH_NEXT: Label = Label("iirs 1 epoch next");
const TRANSCRIPT: Label = Label("iirs 1 session transcript");
const SEEN: Label = Label("");
const CELL_KEY: Label = Label("iirs 1 cell key");
const CELL_BOX: Label = Label("iirs 1 cell");

/// The conversation's own count of its places in a round; version 1 knows only lane 0.
pub(crate) const LANE: u8 = 0;

/// Which way a cell travels; the smaller identity is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the smaller identity to the larger.
    Up = 1,
    /// From the larger identity to the smaller.
    Down = 2,
}

impl Direction {
    /// Returns the other way.
    pub(crate) fn reverse(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// Both ends of a conversation.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    /// This side.
    pub(crate) own: IdentityHash,
    /// The other side.
    pub(crate) peer: IdentityHash,
}

impl Ends {
    /// Returns the way that own cells travel.
    pub(crate) fn outward(&self) -> Direction {
        if self.own < self.peer { Direction::Up } else { Direction::Down }
    }

    /// Returns both identities, the smaller one first, so that both sides derive the same.
    pub(crate) fn ordered(&self) -> [IdentityHash; 2] {
        match self.outward() {
            Direction::Up => [self.own, self.peer],
            Direction::Down => [self.peer, self.own],
        }
    }

    /// Returns one value of each side in the order of their identities.
    fn order<T>(&self, own: T, peer: T) -> [T; 2] {
        match self.outward() {
            Direction::Up => [own, peer],
            Direction::Down => [peer, own],
        }
    }
}

/// The root that both sides of a conversation share.
///
/// It comes from their long-term agreement keys, so that whoever steals one of them finds the drops; no
/// forward secrecy is claimed for it, and nothing that a person wrote is sealed under it alone.
pub(crate) struct Root(Secret);

impl Root {
    /// Derives the root from both long-term agreement keys, salted with both identities.
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
        Ok(Self(Secret::extract(&salt, shared.expose(), STATIC_ROOT, &[])))
    }

    /// Returns the wheel's key of a round.
    pub(crate) fn wheel(&self, round: Round) -> WheelKey {
        WheelKey(self.0.hmac(WHEEL, &[&round.0.to_le_bytes()]))
    }

    /// Returns the key of hello cells.
    pub(crate) fn hello(&self) -> HelloKey {
        HelloKey(self.0.derive(HELLO, &[]))
    }
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
}

/// The key of hello cells, K_0.
pub(crate) struct HelloKey(Secret);

/// The secret of one epoch, S_e; it lives in memory only.
pub(crate) struct EpochSecret(Secret);

/// What both sides signed when their session started: identities and session halves, 32 bytes.
pub(crate) type Transcript = [u8; HASH];

impl HelloKey {
    /// Derives S_1 and the transcript from both session halves.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the peer's half is not a point.
    pub(crate) fn first_epoch(
        &self,
        ends: &Ends,
        own: &AgreementKey,
        peer: &PublicKey,
    ) -> Result<(EpochSecret, Transcript), NotOnCurve> {
        let shared = own.agree(peer)?;
        let [a, b] = ends.ordered();
        let [half_a, half_b] = ends.order(own.public(), *peer);
        let context: [&[u8]; 4] = [&a.0, &b.0, &half_a.0, &half_b.0];
        let secret = Secret::extract(self.0.expose(), shared.expose(), EPOCH_ONE, &context);
        Ok((EpochSecret(secret), hash(TRANSCRIPT, &context)))
    }

    /// Returns the key of one hello cell.
    pub(crate) fn cell(&self, round: Round, direction: Direction) -> CellKey {
        CellKey::of(&self.0, round, direction)
    }
}

impl EpochSecret {
    /// Derives S_{e+1} from both keys of epoch `e + 1 = next`.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the peer's key is not a point.
    pub(crate) fn next(
        &self,
        ends: &Ends,
        next: u32,
        own: &AgreementKey,
        peer: &PublicKey,
    ) -> Result<Self, NotOnCurve> {
        let shared = own.agree(peer)?;
        let [a, b] = ends.ordered();
        let [key_a, key_b] = ends.order(own.public(), *peer);
        let epoch = next.to_le_bytes();
        let context: [&[u8]; 5] = [&epoch, &a.0, &b.0, &key_a.0, &key_b.0];
        Ok(Self(Secret::extract(self.0.expose(), shared.expose(), EPOCH_NEXT, &context)))
    }

    /// Returns the key of one data cell.
    pub(crate) fn cell(&self, round: Round, direction: Direction) -> CellKey {
        CellKey::of(&self.0, round, direction)
    }
}

/// The key of one cell: bound to round, lane and direction, so that nothing is replayed or reflected.
pub(crate) struct CellKey(Secret);

impl CellKey {
    /// Draws the key of a cover cell, which nobody else has.
    pub(crate) fn throw_away(rng: &mut impl rand_core::CryptoRngCore) -> Self {
        Self::of(&Secret::random(rng), Round::NONE, Direction::Up)
    }

    /// Seals an encoded peer message into a cell.
    pub(crate) fn seal(
        &self,
        message: &[u8; PEER_MESSAGE],
        rng: &mut impl rand_core::CryptoRngCore,
    ) -> [u8; CELL] {
        let mut cell = [0; CELL];
        sealed::seal_into(&self.0, CELL_BOX, &[], message, rng, &mut cell);
        cell
    }

    /// Opens a cell; `None` is cover, noise or the peer's other epoch.
    pub(crate) fn open(&self, cell: &[u8; CELL]) -> Option<Zeroizing<Vec<u8>>> {
        sealed::open(&self.0, CELL_BOX, &[], cell).ok()
    }

    fn of(secret: &Secret, round: Round, direction: Direction) -> Self {
        let context: [&[u8]; 2] = [&round.0.to_le_bytes(), &[LANE, direction as u8]];
        Self(secret.derive(CELL_KEY, &context))
    }
}

/// First eight bytes of a key's SHA-256: says "I have seen this key of yours"; zeros say "none yet".
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) [u8; 8]);

impl Seen {
    /// No key was seen.
    pub(crate) const NONE: Self = Self([0; 8]);

    /// Names a key.
    pub(crate) fn of(key: &PublicKey) -> Self {
        let hash = hash(SEEN, &[&key.0]);
        Self(hash[..8].try_into().expect("eight bytes are eight bytes"))
    }
}

const _: () = assert!(HASH >= DROP_ID);

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn two_people() -> (Identity, Identity, Ends) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let ann = Identity::random("ann".parse().unwrap(), &mut rng);
        let bob = Identity::random("bob".parse().unwrap(), &mut rng);
        let ends = Ends { own: ann.hash(), peer: bob.hash() };
        (ann, bob, ends)
    }

    #[test]
    fn both_sides_find_the_same_drop_and_another_one_each_round() {
        let (ann, bob, ends) = two_people();
        let back = Ends { own: ends.peer, peer: ends.own };
        let at_ann = Root::of_long_term_keys(&ann, &bob.record().agreement, &ends).unwrap();
        let at_bob = Root::of_long_term_keys(&bob, &ann.record().agreement, &back).unwrap();
        let drop = |root: &Root, round| root.wheel(Round(round)).drop_id().0;
        assert_eq!(drop(&at_ann, 7), drop(&at_bob, 7));
        assert_eq!(at_ann.wheel(Round(7)).rank(), at_bob.wheel(Round(7)).rank());
        assert_ne!(drop(&at_ann, 7), drop(&at_ann, 8));
    }

    #[test]
    fn a_cell_opens_only_in_its_round_and_direction() {
        let (ann, bob, ends) = two_people();
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let root = Root::of_long_term_keys(&ann, &bob.record().agreement, &ends).unwrap();
        let key = root.hello();
        let cell = key.cell(Round(7), Direction::Up).seal(&[5; PEER_MESSAGE], &mut rng);
        assert!(key.cell(Round(7), Direction::Up).open(&cell).is_some());
        assert!(key.cell(Round(8), Direction::Up).open(&cell).is_none());
        assert!(key.cell(Round(7), Direction::Down).open(&cell).is_none());
    }
}
