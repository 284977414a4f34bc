//! The secret order of one round.

use rand_core::CryptoRngCore;

use crate::memory::Reused;

/// A uniformly drawn permutation: at each position, the place of the thing that stands there; erased when
/// it is given back, or dropped.
pub(crate) struct Order(Reused<u32>);

impl Order {
    /// Draws an order of things at these places.
    pub(crate) fn random(mut places: Reused<u32>, rng: &mut impl CryptoRngCore) -> Self {
        shuffle(&mut places, rng);
        Self(places)
    }

    /// Returns the places by position.
    pub(crate) fn places(&self) -> &[u32] {
        &self.0
    }

    /// Erases the order and gives its memory back.
    pub(crate) fn forget(self) -> Reused<u32> {
        let Self(mut places) = self;
        places.erase();
        places
    }
}

/// Puts things into a uniformly drawn order: Fisher and Yates' shuffle (Durstenfeld 1964, Algorithm 235),
/// in which position i swaps with one drawn from i and all behind it.
pub(crate) fn shuffle<T>(things: &mut [T], rng: &mut impl CryptoRngCore) {
    let length = u32::try_from(things.len()).expect("slots of all seats count in 32 bits");
    for position in 0..length {
        let other = position + below(length - position, rng);
        things.swap(position as usize, other as usize);
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
    fn a_shuffle_is_a_permutation() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for length in [0, 1, 2, 3, 7, 1000] {
            let sorted: Vec<_> = (0..length).collect();
            let mut things = sorted.clone();
            shuffle(&mut things, &mut rng);
            assert!(length < 1000 || things != sorted, "a shuffle moves things");
            things.sort_unstable();
            assert_eq!(things, sorted);
        }
    }

    #[test]
    fn an_order_is_of_its_places_and_is_forgotten() {
        let mut places = Reused::default().take(100);
        places.iter_mut().zip(0..).for_each(|(place, number)| *place = 3 * number);
        let order = Order::random(places, &mut ChaCha20Rng::seed_from_u64(1));
        let mut sorted = order.places().to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).map(|number| 3 * number).collect::<Vec<_>>());
        assert_ne!(order.places(), sorted);
        assert!(order.forget().iter().all(|place| *place == 0));
    }

    #[test]
    fn all_orders_of_four_are_equally_likely() {
        const DRAWS: u32 = 24_000;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut seen = std::collections::BTreeMap::<_, u32>::new();
        for _ in 0..DRAWS {
            let mut things = [0, 1, 2, 3];
            shuffle(&mut things, &mut rng);
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
            shuffle(&mut things, &mut ChaCha20Rng::seed_from_u64(seed));
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
