//! Collecting: one deposit from every seat while the round is open.

use thiserror::Error;
use wire::ids::Round;
use wire::round::Deposit;

use crate::hop::Closed;
use crate::memory::Memory;
use crate::seat::{Seat, Seats};

/// A round that takes deposits.
///
/// Its memory is set by the seats when it opens: 512 bytes a slot, those of the round before.
pub struct Open {
    round: Round,
    seats: Seats,
}

/// Why a deposit was not taken; the round is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DepositError {
    /// The deposit is for a round that has closed; it is dropped and counted.
    #[error("the deposit is for round {found}, and that one has closed: {open} is open")]
    Late {
        /// Round that is open.
        open: Round,
        /// Round of the deposit.
        found: Round,
    },
    /// The deposit is for a round that no frame has opened yet; no honest client sends one.
    #[error("the deposit is for round {found}, which has not opened: {open} is open")]
    Unopened {
        /// Round that is open.
        open: Round,
        /// Round of the deposit.
        found: Round,
    },
    /// The seat has deposited in this round already; the first deposit stands.
    #[error("the seat has already deposited in this round")]
    Doubled,
    /// Nobody has this seat in this round.
    #[error("nobody has this seat in this round")]
    NotSeated,
}

impl Open {
    /// Opens a round for all seats, with so many buckets for their dial slots.
    ///
    /// # Panics
    /// If the round's number is not above those of all earlier rounds, or the buckets are no power of two
    /// or fewer than before, which are bugs of the caller.
    pub fn new(round: Round, mut seats: Seats, buckets: u32) -> Self {
        seats.opens(round, buckets);
        Self { round, seats }
    }

    /// Returns the round's number.
    pub fn round(&self) -> Round {
        self.round
    }

    /// Returns how many seats are in the round.
    pub fn seats(&self) -> u32 {
        self.seats.len()
    }

    /// Takes the deposit of a seat, which is not looked into yet.
    ///
    /// # Errors
    /// [`DepositError`] if it is for another round, or a second one, or nobody has the seat.
    ///
    /// # Panics
    /// If the deposit was decoded for another number of slots, which is a bug of the caller.
    pub fn deposit(&mut self, seat: Seat, deposit: &Deposit<'_>) -> Result<(), DepositError> {
        let (open, found) = (self.round, deposit.round);
        if !self.seats.is_taken(seat) {
            return Err(DepositError::NotSeated);
        }
        if found < open {
            return Err(DepositError::Late { open, found });
        }
        if found > open {
            return Err(DepositError::Unopened { open, found });
        }
        let (number, row) = (seat.0 as usize, self.seats.row_bytes());
        let Memory { rows, arrived, .. } = &mut self.seats.memory;
        if arrived[number] {
            return Err(DepositError::Doubled);
        }
        rows[number * row..][..row].copy_from_slice(deposit.slots);
        arrived[number] = true;
        Ok(())
    }

    /// Closes the round; whoever has not deposited is missing.
    pub fn close(self) -> Closed {
        let Self { round, seats } = self;
        Closed { round, seats }
    }
}
