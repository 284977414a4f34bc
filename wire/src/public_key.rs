//! P-256 public keys as they travel, and key agreement.

use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use rand_core::CryptoRngCore;
use thiserror::Error;
use zeroize::Zeroize;

use crate::codec::wire_bytes;
use crate::kdf::Secret;
use crate::size;

wire_bytes! {
    /// Compressed SEC1 point of P-256, 33 bytes; not yet checked to be on the curve.
    PublicKey(size::PUBLIC_KEY);
}

/// The bytes are not a point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("public key is not a point of P-256")]
pub struct NotOnCurve;

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({:02x}{:02x}…)", self.0[1], self.0[2])
    }
}

impl PublicKey {
    /// Encodes a point.
    pub fn of(key: &p256::PublicKey) -> Self {
        let point = key.to_encoded_point(true);
        Self(point.as_bytes().try_into().expect("a compressed point has 33 bytes"))
    }

    /// Decodes the point. The tag is 2 or 3: the decoder would also take 5, a second encoding of the same
    /// point.
    ///
    /// # Errors
    /// [`NotOnCurve`] if there is none.
    pub fn parse(&self) -> Result<p256::PublicKey, NotOnCurve> {
        if !matches!(self.0[0], 2 | 3) {
            return Err(NotOnCurve);
        }
        p256::PublicKey::from_sec1_bytes(&self.0).map_err(|_| NotOnCurve)
    }
}

/// A secret scalar with its public point: an agreement key of any life time; erased on drop.
pub struct AgreementKey {
    secret: p256::SecretKey,
    public: PublicKey,
}

impl AgreementKey {
    /// Draws a key pair.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        Self::of(p256::SecretKey::random(rng))
    }

    /// Takes over a secret scalar, 32 bytes big-endian.
    ///
    /// # Errors
    /// [`NotOnCurve`] if it is zero or not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; size::SECRET_KEY]) -> Result<Self, NotOnCurve> {
        p256::SecretKey::from_slice(bytes).map(Self::of).map_err(|_| NotOnCurve)
    }

    /// Shows the secret scalar, to seal it.
    pub fn expose(&self) -> Secret {
        let mut bytes = self.secret.to_bytes();
        let secret = Secret::new(bytes.into());
        bytes.zeroize();
        secret
    }

    /// Returns the public point.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Agrees with the holder of `peer`: the x coordinate of the common point (SP 800-56A), not yet a key.
    ///
    /// # Errors
    /// [`NotOnCurve`] if `peer` is not a point.
    pub fn agree(&self, peer: &PublicKey) -> Result<Secret, NotOnCurve> {
        let peer = peer.parse()?;
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        let mut bytes: [u8; size::KEY] = (*shared.raw_secret_bytes()).into();
        let secret = Secret::new(bytes);
        bytes.zeroize();
        Ok(secret)
    }

    fn of(secret: p256::SecretKey) -> Self {
        let public = PublicKey::of(&secret.public_key());
        Self { secret, public }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_one_encoding() {
        let mut key = AgreementKey::from_bytes(&[0x33; 32]).unwrap().public();
        for tag in 0..=u8::MAX {
            key.0[0] = tag;
            assert_eq!(key.parse().is_ok(), tag == 2 || tag == 3, "tag {tag}");
        }
    }
}
