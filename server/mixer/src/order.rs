//! The secret order of one round.

use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

/// A uniformly drawn permutation, kept as the swaps that make it; erased on drop.
///
/// Fisher and Yates' shuffle (Durstenfeld 1964, Algorithm 235): position i swaps with one drawn from
/// i and all behind it. The same swaps backwards undo it, so there is no inverse to compute, and both
/// ways happen in place: no copy in seat order is left behind.
pub(crate) struct Order(Zeroizing<Vec<u32>>);

impl Order {
    /// Draws an order of `length` things.
    pub(crate) fn random(length: usize, rng: &mut impl CryptoRngCore) -> Self {
        let length = u32::try_from(length).expect("slots of all seats count in 32 bits");
        // of exact size, so that nothing is left behind by growing
        let mut swaps = Zeroizing::new(Vec::with_capacity(length as usize));
        swaps.extend((0..length).map(|position| position + below(length - position, rng)));
        Self(swaps)
    }

    /// Puts things that stand in seat order into this order.
    pub(crate) fn shuffle<T>(&self, things: &mut [T]) {
        assert_eq!(things.len(), self.0.len(), "the order is of as many things");
        for (position, other) in self.0.iter().enumerate() {
            things.swap(position, *other as usize);
        }
    }

    /// The reverse of [`Self::shuffle`].
    pub(crate) fn unshuffle<T>(&self, things: &mut [T]) {
        assert_eq!(things.len(), self.0.len(), "the order is of as many things");
        for (position, other) in self.0.iter().enumerate().rev() {
            things.swap(position, *other as usize);
        }
    }
}

/// Draws a number below `bound`, each with the same probability (Lemire 2019, "Fast random integer
/// generation in an interval").
fn below(bound: u32, rng: &mut impl CryptoRngCore) -> u32 {
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        let low = product as u32;
        // 2^32 mod bound of the low halves are one too many; the quick test spares most divisions
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return (product >> 32) as u32;
        }
    }
}
