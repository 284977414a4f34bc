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

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng, impls};

    use super::*;

    /// Gives out listed words, so that a test can reach the draw that has to be repeated.
    struct Listed(std::vec::IntoIter<u32>);

    impl rand_core::CryptoRng for Listed {}

    impl RngCore for Listed {
        fn next_u32(&mut self) -> u32 {
            self.0.next().unwrap()
        }
        fn next_u64(&mut self) -> u64 {
            impls::next_u64_via_u32(self)
        }
        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            impls::fill_bytes_via_next(self, bytes);
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
            self.fill_bytes(bytes);
            Ok(())
        }
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_unshuffle_takes_it_back() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for length in [0, 1, 2, 3, 7, 1000] {
            let order = Order::random(length, &mut rng);
            let sorted: Vec<_> = (0..length).collect();
            let mut things = sorted.clone();
            order.shuffle(&mut things);
            assert!(length < 1000 || things != sorted, "a shuffle moves things");
            let mut again = things.clone();
            again.sort_unstable();
            assert_eq!(again, sorted);
            order.unshuffle(&mut things);
            assert_eq!(things, sorted);
        }
    }

    #[test]
    fn all_orders_of_four_are_equally_likely() {
        const DRAWS: u32 = 24_000;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut seen = std::collections::BTreeMap::<_, u32>::new();
        for _ in 0..DRAWS {
            let mut things = [0, 1, 2, 3];
            Order::random(4, &mut rng).shuffle(&mut things);
            *seen.entry(things).or_default() += 1;
        }
        assert_eq!(seen.len(), 24);
        let expected = f64::from(DRAWS) / 24.0;
        let chi_square: f64 =
            seen.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
        // 23 degrees of freedom: a fair shuffle stays below this in 999 of 1,000 runs
        assert!(chi_square < 49.73, "chi-square {chi_square}");
    }

    #[test]
    fn two_generators_give_two_orders() {
        let shuffled = |seed| {
            let mut things: Vec<_> = (0..100).collect();
            Order::random(100, &mut ChaCha20Rng::seed_from_u64(seed)).shuffle(&mut things);
            things
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
    }

    #[test]
    fn a_draw_that_would_favour_a_number_is_repeated() {
        // 2^32 = 3 · 1,431,655,765 + 1, so of the words that map to 0 one is too many: word 0
        let mut rng = Listed(vec![0, 1, u32::MAX, 1_431_655_766].into_iter());
        assert_eq!(below(3, &mut rng), 0);
        assert_eq!(below(3, &mut rng), 2);
        assert_eq!(below(3, &mut rng), 1);
        assert!(rng.0.next().is_none());
    }
}
