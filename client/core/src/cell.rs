//! Cells: peer messages, signed and sealed, and cover that looks the same.

use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use rand_core::CryptoRngCore;
use wire::codec::Wire;
use wire::ids::Round;
use wire::kdf::{Label, hash};
use wire::peer::{FLAG_UNSENT, Kind, Payload, PeerMessage};
use wire::public_key::PublicKey;
use wire::size::{CELL, HASH, PEER_MESSAGE, PEER_PAYLOAD, SIGNATURE};
use zeroize::Zeroizing;

use crate::keys::{CellKey, Direction, Ends, LANE, Transcript};

const SIGNED: Label = Label("iirs 1 cell signature");

/// Where a cell belongs: its signature is over this as well.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Round that it travels in.
    pub(crate) round: Round,
    /// The way that it travels.
    pub(crate) direction: Direction,
    /// Both identities.
    pub(crate) ends: &'a Ends,
    /// Start of the session, from epoch 1 on.
    pub(crate) transcript: Option<&'a Transcript>,
}

/// Signs a message in its place and seals it; the message's own `signature` is ignored.
pub(crate) fn seal(
    message: &PeerMessage,
    place: Place<'_>,
    signing: &SigningKey,
    key: &CellKey,
    rng: &mut impl CryptoRngCore,
) -> [u8; CELL] {
    let mut plain = Zeroizing::new([0; PEER_MESSAGE]);
    message.encode_into(&mut *plain);
    let signature: Signature = signing.sign(&digest(&plain, place, message.epoch));
    plain[..SIGNATURE].copy_from_slice(&signature.to_bytes());
    key.seal(&plain, rng)
}

/// Reads a peer message that was opened, and checks its signature in its place.
///
/// `None` is a forgery by somebody who has the cell's key, or a damaged peer.
pub(crate) fn read(plain: &[u8], place: Place<'_>, peer: &VerifyingKey) -> Option<PeerMessage> {
    let message = PeerMessage::decode(plain).ok()?;
    let plain = plain.try_into().ok()?;
    let signature = Signature::from_slice(&message.signature).ok()?;
    peer.verify(&digest(plain, place, message.epoch), &signature).ok()?;
    Some(message)
}

/// Makes a cell that carries no conversation, by the same steps under a key that is thrown away.
pub(crate) fn cover(
    round: Round,
    signing: &SigningKey,
    rng: &mut impl CryptoRngCore,
) -> [u8; CELL] {
    let mut payload = [0; PEER_PAYLOAD];
    rng.fill_bytes(&mut payload);
    let message = PeerMessage {
        signature: [0; SIGNATURE],
        kind: Kind::Data,
        flags: FLAG_UNSENT,
        epoch: 1,
        next: PublicKey([2; 33]),
        seen: [0; 8],
        seq: 0,
        ack: 0,
        sack: 0,
        index: 0,
        count: 1,
        sent_ms: 0,
        payload: Payload::new(&payload).unwrap_or_else(Payload::empty),
    };
    let nobody = wire::ids::IdentityHash([0; HASH]);
    let ends = Ends { own: nobody, peer: nobody };
    let place =
        Place { round, direction: Direction::Up, ends: &ends, transcript: Some(&[0; HASH]) };
    seal(&message, place, signing, &CellKey::throw_away(rng), rng)
}

/// What is signed: SHA-256 over the place and everything behind the signature.
fn digest(plain: &[u8; PEER_MESSAGE], place: Place<'_>, epoch: u32) -> [u8; HASH] {
    let [a, b] = place.ends.ordered();
    let transcript = place.transcript.unwrap_or(&[0; HASH]);
    hash(
        SIGNED,
        &[
            &place.round.0.to_le_bytes(),
            &[LANE, place.direction as u8],
            &a.0,
            &b.0,
            &epoch.to_le_bytes(),
            transcript,
            PeerMessage::signed_part(plain),
        ],
    )
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::Identity;
    use crate::wheel::Root;

    struct Talk {
        rng: ChaCha20Rng,
        ann: Identity,
        bob: Identity,
        ends: Ends,
        root: Root,
    }

    impl Talk {
        fn new() -> Self {
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let ann = Identity::random("ann".parse().unwrap(), &mut rng);
            let bob = Identity::random("bob".parse().unwrap(), &mut rng);
            let ends = Ends { own: ann.hash(), peer: bob.hash() };
            let root = Root::of_long_term_keys(&ann, &bob.record().agreement, &ends).unwrap();
            Self { rng, ann, bob, ends, root }
        }

        /// What a cell holds that Ann signed for a place.
        fn signed(&mut self, message: &PeerMessage, place: Place<'_>) -> Zeroizing<Vec<u8>> {
            let key = self.root.hello().cell(place.round, place.direction);
            let cell = seal(message, place, self.ann.signing(), &key, &mut self.rng);
            key.open(&cell).unwrap()
        }
    }

    const TRANSCRIPT: Transcript = [9; HASH];

    fn message() -> PeerMessage {
        PeerMessage {
            signature: [0; SIGNATURE],
            kind: Kind::Data,
            flags: 0,
            epoch: 3,
            next: PublicKey([2; 33]),
            seen: [4; 8],
            seq: 5,
            ack: 6,
            sack: 7,
            index: 1,
            count: 2,
            sent_ms: 8,
            payload: Payload::new(&[b'x'; PEER_PAYLOAD]).unwrap(),
        }
    }

    #[test]
    fn a_signature_holds_in_its_place_and_in_no_other() {
        let mut talk = Talk::new();
        let ends = talk.ends;
        let place = Place {
            round: Round(7),
            direction: Direction::Up,
            ends: &ends,
            transcript: Some(&TRANSCRIPT),
        };
        let plain = talk.signed(&message(), place);
        let ann = *talk.ann.signing().verifying_key();
        let read_back = read(&plain, place, &ann).unwrap();
        let expected = PeerMessage { signature: read_back.signature, ..message() };
        assert!(read_back == expected);

        let [first, last] = [0, 0xff].map(|byte| wire::ids::IdentityHash([byte; HASH]));
        let other_ends = [
            Ends { own: first, ..ends },
            Ends { own: last, ..ends },
            Ends { peer: first, ..ends },
            Ends { peer: last, ..ends },
        ];
        for other in &other_ends {
            assert!(read(&plain, Place { ends: other, ..place }, &ann).is_none(), "ends");
        }
        let others = [
            Place { round: Round(8), ..place },
            Place { direction: Direction::Down, ..place },
            Place { transcript: Some(&[8; HASH]), ..place },
            Place { transcript: None, ..place },
        ];
        for (number, other) in others.into_iter().enumerate() {
            assert!(read(&plain, other, &ann).is_none(), "place {number}");
        }
        let back = Ends { own: ends.peer, peer: ends.own };
        assert!(read(&plain, Place { ends: &back, ..place }, &ann).is_some(), "bob's view");
        assert!(read(&plain, place, talk.bob.signing().verifying_key()).is_none());
    }

    #[test]
    fn a_change_of_any_byte_is_refused() {
        let mut talk = Talk::new();
        let ends = talk.ends;
        let place =
            Place { round: Round(7), direction: Direction::Up, ends: &ends, transcript: None };
        let plain = talk.signed(&message(), place);
        let ann = *talk.ann.signing().verifying_key();
        for at in 0..plain.len() {
            let mut other = plain.to_vec();
            other[at] ^= 1;
            assert!(read(&other, place, &ann).is_none(), "byte {at}");
        }
        assert!(read(&plain[1..], place, &ann).is_none());
    }

    #[test]
    fn cover_looks_like_a_cell_and_opens_under_no_key() {
        let mut talk = Talk::new();
        let round = Round(7);
        let ends = talk.ends;
        let place = Place { round, direction: Direction::Up, ends: &ends, transcript: None };
        let key = talk.root.hello().cell(round, Direction::Up);
        let cell = seal(&message(), place, talk.ann.signing(), &key, &mut talk.rng);
        let covers = [(); 64].map(|()| cover(round, talk.ann.signing(), &mut talk.rng));
        for cover in &covers {
            assert_eq!(cover.len(), cell.len());
            for direction in [Direction::Up, Direction::Down] {
                assert!(talk.root.hello().cell(round, direction).open(cover).is_none());
            }
        }
        let differs = |at: usize| covers.iter().any(|cover| cover[at] != covers[0][at]);
        assert!((0..CELL).all(differs), "no byte of cover is fixed");
    }
}
