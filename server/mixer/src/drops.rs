//! The exchange: deposits that meet in a dead drop swap their cells.
//!
//! Knows nothing of seats, layers or rounds: deposits come in an order that says nothing, and cells
//! leave in the same one.

use rand_core::CryptoRngCore;
use wire::size::{CELL, DEPOSIT, DROP_ID};

/// What the exchange gives: one cell for each deposit, in the same order.
pub struct Exchange {
    /// Cells, each the other one of its dead drop or random.
    pub cells: Vec<[u8; CELL]>,
    /// Dead drops in which two deposits swapped cells.
    pub pairs: u32,
    /// Deposits alone in their dead drop.
    pub lone: u32,
    /// Deposits that came third or later to their dead drop.
    pub crowded: u32,
}

/// Swaps the cells of the deposits that name the same dead drop.
///
/// Of three or more only the first two swap. Whoever has nobody to swap with gets random bytes.
pub fn exchange(deposits: &[[u8; DEPOSIT]], rng: &mut impl CryptoRngCore) -> Exchange {
    let mut partners = vec![None; deposits.len()];
    let (mut pairs, mut lone, mut crowded) = (0, 0, 0);
    for visitors in by_drop(deposits).chunk_by(|one, next| one.drop == next.drop) {
        let [first, second, others @ ..] = visitors else {
            lone += 1;
            continue;
        };
        partners[first.index] = Some(second.index);
        partners[second.index] = Some(first.index);
        pairs += 1;
        crowded += u32::try_from(others.len()).expect("slots of all seats count in 32 bits");
    }
    let cells = partners
        .into_iter()
        .map(|partner| {
            let mut cell = [0; CELL];
            match partner {
                Some(index) => cell.copy_from_slice(&deposits[index][DROP_ID..]),
                None => rng.fill_bytes(&mut cell),
            }
            cell
        })
        .collect();
    Exchange { cells, pairs, lone, crowded }
}

/// A deposit at its dead drop; ordered by drop, then by arrival.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Visitor {
    drop: u128,
    index: usize,
}

fn by_drop(deposits: &[[u8; DEPOSIT]]) -> Vec<Visitor> {
    let mut visitors: Vec<_> = deposits
        .iter()
        .enumerate()
        .map(|(index, deposit)| {
            let id = deposit.first_chunk().expect("a deposit begins with its drop id");
            Visitor { drop: u128::from_le_bytes(*id), index }
        })
        .collect();
    visitors.sort_unstable();
    visitors
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    /// The cell of the deposit at `index`, which no random one equals.
    fn cell(index: usize) -> [u8; CELL] {
        [u8::try_from(index).unwrap(); CELL]
    }

    /// Deposits in the named drops, each with the cell of its position.
    fn deposits(drops: &[u8]) -> Vec<[u8; DEPOSIT]> {
        let in_drop = |(index, drop): (usize, &u8)| {
            let mut deposit = [*drop; DEPOSIT];
            deposit[DROP_ID..].copy_from_slice(&cell(index));
            deposit
        };
        drops.iter().enumerate().map(in_drop).collect()
    }

    /// Exchanges, and says of each deposit whose cell it got, `None` for a random one.
    fn partners(drops: &[u8], seed: u64) -> (Vec<Option<usize>>, [u32; 3]) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let Exchange { cells, pairs, lone, crowded } = exchange(&deposits(drops), &mut rng);
        let owner = |got: &[u8; CELL]| (0..drops.len()).find(|index| cell(*index) == *got);
        assert_all_differ(&cells);
        (cells.iter().map(owner).collect(), [pairs, lone, crowded])
    }

    fn assert_all_differ(cells: &[[u8; CELL]]) {
        let mut sorted = cells.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), cells.len(), "no two replies are the same");
    }

    #[test]
    fn nobody_comes() {
        assert_eq!(partners(&[], 1), (vec![], [0, 0, 0]));
    }

    #[test]
    fn one_alone_gets_a_random_cell() {
        assert_eq!(partners(&[7], 1), (vec![None], [0, 1, 0]));
        assert_eq!(partners(&[7, 3, 9], 1), (vec![None; 3], [0, 3, 0]));
    }

    #[test]
    fn two_swap_wherever_they_stand() {
        assert_eq!(partners(&[7, 7], 1), (vec![Some(1), Some(0)], [1, 0, 0]));
        let (got, counts) = partners(&[7, 1, 9, 7, 1], 1);
        assert_eq!(got, [Some(3), Some(4), None, Some(0), Some(1)]);
        assert_eq!(counts, [2, 1, 0]);
    }

    #[test]
    fn of_three_the_first_two_swap() {
        let (got, counts) = partners(&[1, 7, 7, 7], 1);
        assert_eq!(got, [None, Some(2), Some(1), None]);
        assert_eq!(counts, [1, 1, 1]);
    }

    #[test]
    fn of_many_the_first_two_swap() {
        let (got, counts) = partners(&[7; 9], 1);
        assert_eq!(got[..2], [Some(1), Some(0)]);
        assert_eq!(got[2..], [None; 7]);
        assert_eq!(counts, [1, 0, 7]);
    }

    #[test]
    fn drops_that_differ_in_one_bit_are_two() {
        for bit in 0..DROP_ID * 8 {
            let mut two = deposits(&[7, 7]);
            two[1][bit / 8] ^= 1 << (bit % 8);
            assert_eq!(exchange(&two, &mut ChaCha20Rng::seed_from_u64(1)).lone, 2);
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
            let (got, [pairs, lone, crowded]) = partners(&drops, seed);
            assert_eq!(got, naive(&drops), "seed {seed}");
            assert_eq!(2 * pairs + lone + crowded, length, "seed {seed}");
        }
    }
}
