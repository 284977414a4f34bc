//! The mixer's half of every layer's key agreement.

use rand_core::CryptoRngCore;
use wire::layer::Layer;
use wire::public_key::{AgreementKey, NotOnCurve, PublicKey};

/// The mixer's agreement key, made once per process and never stored; erased on drop.
pub struct MixerKey(AgreementKey);

impl MixerKey {
    /// Draws the key.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        Self(AgreementKey::random(rng))
    }

    /// Returns the public half, which the server's leaf signs.
    pub fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// Agrees on the layer of a seat with the key of its `join` frame.
    ///
    /// # Errors
    /// [`NotOnCurve`] if the client's key is not a point.
    pub fn layer_for(&self, client: &PublicKey) -> Result<Layer, NotOnCurve> {
        Layer::for_mixer(&self.0, client)
    }
}
