//! The mixer's half of every layer's key agreement.

use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use rand_core::CryptoRngCore;
use wire::kdf::Secret;
use wire::layer::Layer;
use wire::public_key::{AgreementKey, NotOnCurve, PublicKey};
use wire::size::KEY;
use zeroize::Zeroize as _;

/// The mixer's agreement key, made once per process and never stored; erased on drop.
///
/// After a restart everybody joins at once, and each costs one agreement: by aws-lc that is a sixth of what it is by
/// the crate p256, which clients agree with.
pub struct MixerKey {
    secret: PrivateKey,
    public: PublicKey,
}

impl MixerKey {
    /// Draws the key.
    ///
    /// # Panics
    /// If there is no memory for it.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        let drawn = AgreementKey::random(rng);
        let secret = PrivateKey::from_private_key(&ECDH_P256, drawn.expose().expose());
        Self { secret: secret.expect("a scalar of P-256 is a key"), public: drawn.public() }
    }

    /// Returns the public half, which the server's leaf signs.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Agrees on the layer of a seat with the key of its `join` frame.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the client's key is not a point.
    pub fn layer_for(&self, client: &PublicKey) -> Result<Layer, NotOnCurve> {
        // Other encodings of a point are none, as everywhere.
        if !matches!(client.0[0], 2 | 3) {
            return Err(NotOnCurve);
        }
        let peer = UnparsedPublicKey::new(&ECDH_P256, client.0);
        let shared = agreement::agree(&self.secret, peer, NotOnCurve, |shared| {
            let mut bytes = <[u8; KEY]>::try_from(shared).map_err(|_| NotOnCurve)?;
            let shared = Secret::new(bytes);
            bytes.zeroize();
            Ok(shared)
        })?;
        Ok(Layer::for_mixer(&shared, client, &self.public))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use wire::ids::Round;
    use wire::layer::{Direction, Place};
    use wire::size::{DEPOSIT, DEPOSIT_SLOT};

    use super::*;

    const PLACE: Place = Place { direction: Direction::Deposit, slot: 0, slots: 2 };

    #[test]
    fn both_implementations_agree() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        for _ in 0..64 {
            let mixer = MixerKey::random(&mut rng);
            let client = AgreementKey::random(&mut rng);
            let at_client = Layer::for_client(&client, &mixer.public()).unwrap();
            let at_mixer = mixer.layer_for(&client.public()).unwrap();
            let (mut slot, mut plain) = ([0; DEPOSIT_SLOT], [0; DEPOSIT]);
            at_client.seal(Round(9), PLACE, &[5; DEPOSIT], &mut slot);
            assert_eq!(at_mixer.open(Round(9), PLACE, &slot, &mut plain), Ok(()));
            assert_eq!(plain, [5; DEPOSIT]);
        }
    }

    /// As [`PublicKey::parse`] takes them.
    #[test]
    fn what_is_no_point_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let mixer = MixerKey::random(&mut rng);
        let mut key = AgreementKey::random(&mut rng).public();
        for tag in 0..=u8::MAX {
            key.0[0] = tag;
            assert_eq!(mixer.layer_for(&key).is_ok(), tag == 2 || tag == 3, "tag {tag}");
        }
        key.0[0] = 2;
        let mut points = 0;
        for last in 0..=u8::MAX {
            key.0[32] = last;
            assert_eq!(mixer.layer_for(&key).is_ok(), key.parse().is_ok(), "last byte {last}");
            points += u32::from(key.parse().is_ok());
        }
        assert!((64..192).contains(&points), "half of all x are points: {points} of 256");
        let beyond = PublicKey([&[2][..], &[0xff; 32]].concat().try_into().unwrap());
        assert!(mixer.layer_for(&beyond).is_err());
    }
}
