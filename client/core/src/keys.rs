//! The keys of a conversation, one type for each purpose; all are erased on drop.
//!
//! ```text
//! root ── K_0 ── hello cells;  S_1 = HKDF(K_0, session halves), S_{e+1} = HKDF(S_e, keys of e+1) ── data cells
//! ```

use wire::ids::{IdentityHash, Round};
use wire::kdf::{Label, Secret, hash};
use wire::public_key::{AgreementKey, NotOnCurve, PublicKey};
use wire::sealed;
use wire::size::{CELL, HASH, PEER_MESSAGE};
use zeroize::Zeroizing;

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

/// The key of hello cells, K_0.
pub(crate) struct HelloKey(Secret);

/// The secret of one epoch, S_e; it lives in memory only.
pub(crate) struct EpochSecret(Secret);

/// What both sides signed when their session started: identities and session halves, 32 bytes.
pub(crate) type Transcript = [u8; HASH];

impl HelloKey {
    /// Takes over what a root derived.
    pub(crate) fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Makes a second copy, named so that each one can be found.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    /// Shows the key, to keep it sealed.
    pub(crate) fn into_secret(self) -> Secret {
        self.0
    }

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

#[cfg(test)]
impl EpochSecret {
    /// Makes the copy that a thief has.
    pub(crate) fn stolen(&self) -> Self {
        Self(self.0.duplicate())
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

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_cell_opens_only_in_its_round_and_direction() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let key = HelloKey::new(Secret::random(&mut rng));
        let cell = key.cell(Round(7), Direction::Up).seal(&[5; PEER_MESSAGE], &mut rng);
        assert!(key.cell(Round(7), Direction::Up).open(&cell).is_some());
        assert!(key.cell(Round(8), Direction::Up).open(&cell).is_none());
        assert!(key.cell(Round(7), Direction::Down).open(&cell).is_none());
    }
}
