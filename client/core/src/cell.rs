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
