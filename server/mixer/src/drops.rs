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
