//! Random bytes for slots that have none of their own.

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng as _};
use zeroize::Zeroizing;

/// A seed that the caller's generator drew for one step of one round; erased on drop.
///
/// Each batch of seats has a stream of its own (ChaCha20 under the seed, with the batch for a nonce), so what
/// a slot gets depends neither on the threads nor on any other batch, and nobody without the seed tells it
/// from the ciphertext of a cell.
pub(crate) struct Noise(Zeroizing<[u8; 32]>);

impl Noise {
    /// Draws the seed.
    pub(crate) fn random(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self(seed)
    }

    /// Returns the generator of a batch.
    pub(crate) fn of(&self, batch: usize) -> ChaCha20Rng {
        let mut rng = ChaCha20Rng::from_seed(*self.0);
        rng.set_stream(batch as u64);
        rng
    }
}

#[cfg(test)]
mod tests {
    use rand_core::RngCore as _;

    use super::*;

    #[test]
    fn every_batch_of_every_seed_has_bytes_of_its_own() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (one, other) = (Noise::random(&mut rng), Noise::random(&mut rng));
        let bytes = |noise: &Noise, batch| {
            let mut bytes = [0; 48];
            noise.of(batch).fill_bytes(&mut bytes);
            bytes
        };
        let mut seen: Vec<_> =
            (0..50).flat_map(|batch| [bytes(&one, batch), bytes(&other, batch)]).collect();
        assert_eq!(bytes(&one, 7), bytes(&one, 7));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 100);
    }
}
