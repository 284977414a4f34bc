//! The exchange: deposits that meet in a dead drop swap their cells.
//!
//! Knows nothing of seats, layers or rounds: the drops that deposits name come in an order that says
//! nothing, and it says in the same one who has met whom. The cells stay where they are meanwhile.

use wire::size::DROP_ID;
use zeroize::DefaultIsZeroes;

use crate::threads::Threads;

/// What the exchange comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Dead drops in which two deposits swapped cells.
    pub pairs: u32,
    /// Deposits alone in their dead drop.
    pub lone: u32,
    /// Deposits that came third or later to their dead drop.
    pub crowded: u32,
}

/// A deposit at its dead drop; ordered by drop, then by arrival.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visitor {
    drop: [u64; 2],
    index: u32,
}

impl DefaultIsZeroes for Visitor {}

impl Visitor {
    /// Has the deposit at `index` visit a drop.
    pub fn new(drop: &[u8; DROP_ID], index: u32) -> Self {
        // the order of drops means nothing, so any way to read them will do
        let drop = u128::from_le_bytes(*drop);
        Self { drop: [drop as u64, (drop >> 64) as u64], index }
    }
}

/// Whom a deposit swaps cells with: nobody, or the one at some position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partner(
    /// One more than the position; 0 for nobody.
    u32,
);

impl DefaultIsZeroes for Partner {}

impl Partner {
    /// Makes the one at a position.
    pub fn at(position: u32) -> Self {
        Self(position + 1)
    }

    /// Returns the position, if there is somebody.
    pub fn position(self) -> Option<u32> {
        self.0.checked_sub(1)
    }
}

/// Lets visitors who name the same dead drop meet; those at position i of `visitors` has index i, and
/// finds its partner at `partners[i]`, where nobody stands before. The visitors are sorted.
///
/// Of three or more only the first two meet.
pub fn exchange(visitors: &mut [Visitor], partners: &mut [Partner], threads: &Threads) -> Exchange {
    threads.sort(visitors);
    let mut counts = Exchange::default();
    for visitors in visitors.chunk_by(|one, next| one.drop == next.drop) {
        let [first, second, others @ ..] = visitors else {
            counts.lone += 1;
            continue;
        };
        partners[first.index as usize] = Partner::at(second.index);
        partners[second.index as usize] = Partner::at(first.index);
        counts.pairs += 1;
        counts.crowded += u32::try_from(others.len()).expect("slots of all seats count in 32 bits");
    }
    counts
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn visitors(drops: impl IntoIterator<Item = [u8; DROP_ID]>) -> Vec<Visitor> {
        drops.into_iter().zip(0..).map(|(drop, index)| Visitor::new(&drop, index)).collect()
    }

    /// Exchanges, and says of each deposit whose cell it gets, `None` for a random one.
    fn partners(drops: &[u8]) -> (Vec<Option<usize>>, [u32; 3]) {
        let mut visitors = visitors(drops.iter().map(|drop| [*drop; DROP_ID]));
        let mut partners = vec![Partner::default(); drops.len()];
        let Exchange { pairs, lone, crowded } =
            exchange(&mut visitors, &mut partners, &Threads::none());
        let partners = partners.iter().map(|partner| Some(partner.position()? as usize)).collect();
        (partners, [pairs, lone, crowded])
    }

    #[test]
    fn nobody_comes() {
        assert_eq!(partners(&[]), (vec![], [0, 0, 0]));
    }

    #[test]
    fn one_alone_has_no_partner() {
        assert_eq!(partners(&[7]), (vec![None], [0, 1, 0]));
        assert_eq!(partners(&[7, 3, 9]), (vec![None; 3], [0, 3, 0]));
    }

    #[test]
    fn two_swap_wherever_they_stand() {
        assert_eq!(partners(&[7, 7]), (vec![Some(1), Some(0)], [1, 0, 0]));
        let (got, counts) = partners(&[7, 1, 9, 7, 1]);
        assert_eq!(got, [Some(3), Some(4), None, Some(0), Some(1)]);
        assert_eq!(counts, [2, 1, 0]);
    }

    #[test]
    fn of_three_the_first_two_swap() {
        let (got, counts) = partners(&[1, 7, 7, 7]);
        assert_eq!(got, [None, Some(2), Some(1), None]);
        assert_eq!(counts, [1, 1, 1]);
    }

    #[test]
    fn of_many_the_first_two_swap() {
        let (got, counts) = partners(&[7; 9]);
        assert_eq!(got[..2], [Some(1), Some(0)]);
        assert_eq!(got[2..], [None; 7]);
        assert_eq!(counts, [1, 0, 7]);
    }

    #[test]
    fn drops_that_differ_in_one_bit_are_two() {
        for bit in 0..DROP_ID * 8 {
            let mut two = [[7; DROP_ID]; 2];
            two[1][bit / 8] ^= 1 << (bit % 8);
            let counts =
                exchange(&mut visitors(two), &mut [Partner::default(); 2], &Threads::none());
            assert_eq!(counts.lone, 2);
        }
    }

    /// Looks at everybody for everybody, as slowly as it reads.
    fn naive(drops: &[u8]) -> Vec<Option<usize>> {
        let partner = |index: usize| {
            let visitors: Vec<_> = (0..drops.len()).filter(|i| drops[*i] == drops[index]).collect();
            match visitors[..] {
                [first, second, ..] if index == first => Some(second),
                [first, second, ..] if index == second => Some(first),
                _ => None,
            }
        };
        (0..drops.len()).map(partner).collect()
    }

    #[test]
    fn the_exchange_does_what_a_naive_one_does() {
        for seed in 0..200 {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let length = rng.next_u32() % 120;
            let kinds = 1 + rng.next_u32() % 60;
            let drops: Vec<_> = (0..length).map(|_| (rng.next_u32() % kinds) as u8).collect();
            let (got, [pairs, lone, crowded]) = partners(&drops);
            assert_eq!(got, naive(&drops), "seed {seed}");
            assert_eq!(2 * pairs + lone + crowded, length, "seed {seed}");
        }
    }
}
