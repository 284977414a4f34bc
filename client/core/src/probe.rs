//! What the fuzzer in `tests/fuzz` reaches of the parts that nobody outside of the crate calls: whatever stands
//! under a key that somebody else has, too. Each takes any bytes, and panics where something is wrong.

use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use wire::codec::Wire as _;
use wire::dial::SealedInvitation;
use wire::ids::Round;
use wire::kdf::Secret;
use wire::peer::PeerMessage;
use wire::size::{CELL, HASH, PEER_MESSAGE};

use crate::cell::{self, Place};
use crate::identity::{Identity, MasterKey};
use crate::invitation;
use crate::keys::{CellKey, Direction, Ends};
use crate::vault::{PLAIN, SealedVault, Vault, VaultKey};

/// The other side and this one. Drawing them takes longer than most of what is tried here.
static PEOPLE: LazyLock<[Identity; 2]> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    ["ann", "bob"].map(|name| Identity::random(name.parse().expect("it is a name"), &mut rng))
});

/// Fills up with zeros, and cuts off what is too much.
fn sized<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut sized = [0; N];
    let front = &bytes[..bytes.len().min(N)];
    sized[..front.len()].copy_from_slice(front);
    sized
}

/// Opens a cell of noise; then one that somebody with its key sealed over these bytes, and that the peer did not sign;
/// then what the peer signs, if the bytes are a message.
pub fn cell(bytes: &[u8]) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let [ann, bob] = &*PEOPLE;
    let ends = Ends { own: bob.hash(), peer: ann.hash() };
    let place = Place {
        round: Round(7),
        direction: Direction::Up,
        ends: &ends,
        transcript: Some(&[0; HASH]),
    };
    let key = CellKey::throw_away(&mut rng);
    assert!(key.open(&sized::<CELL>(bytes)).is_none(), "nobody sealed it");
    let plain = sized::<PEER_MESSAGE>(bytes);
    let opened = key.open(&key.seal(&plain, &mut rng)).expect("it was sealed with this key");
    let peer = ann.record().signing.parse().expect("it is a key").into();
    assert!(cell::read(&opened, place, &peer).is_none(), "nobody signed it");
    if let Ok(message) = PeerMessage::decode(&plain) {
        let sealed = cell::seal(&message, place, ann.signing(), &key, &mut rng);
        let opened = key.open(&sealed).expect("it was sealed with this key");
        let read = cell::read(&opened, place, &peer).expect("it was signed");
        assert!(PeerMessage { signature: message.signature, ..read } == message);
        assert!(cell::read(&opened, Place { round: Round(8), ..place }, &peer).is_none());
    }
}

/// Opens an invitation of noise, and one that somebody sealed for this account over these bytes.
pub fn invitation(bytes: &[u8]) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let [ann, bob] = &*PEOPLE;
    let mut noise = SealedInvitation::noise(&mut rng);
    noise.0 = sized(bytes);
    assert!(invitation::open(bob, &noise).is_none(), "nobody sealed it");
    let sealed = invitation::seal(&sized(bytes), bob.record(), &mut rng).expect("it is a key");
    if let Some(opened) = invitation::open(bob, &sealed) {
        assert!(opened.verify(bob, ann.record()).is_none(), "ann signed nothing");
    }
}

/// Opens a vault that somebody with the account's key sealed over these bytes; one that opens is sealed and opened
/// again.
pub fn vault(bytes: &[u8]) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let name = "ann".parse().expect("it is a name");
    let key = VaultKey::of(&MasterKey::new(Secret::new([3; 32])));
    let plain = sized::<PLAIN>(bytes);
    let version = u64::from_le_bytes(plain[4..12].try_into().expect("these are eight bytes"));
    assert!(Vault::open(&key, &name, version, bytes).is_err(), "nobody sealed it");
    let sealed = SealedVault::of_any(&plain, &key, &name, version, &mut rng);
    if let Ok(opened) = Vault::open(&key, &name, version, sealed.as_ref()) {
        let again = opened.seal(&key, &name, &mut rng);
        assert!(Vault::open(&key, &name, version, again.as_ref()) == Ok(opened));
    }
}
