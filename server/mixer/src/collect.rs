//! Collecting: one deposit from every seat while the round is open.

use thiserror::Error;
use wire::ids::Round;
use wire::round::Deposit;
use wire::size::DEPOSIT_SLOT;

use crate::hop::Closed;
use crate::seat::{Seat, Seats};

/// A round that takes deposits.
///
/// Its memory is set by the seats when it opens: 512 bytes a slot.
pub struct Open {
    round: Round,
    seats: Seats,
    /// One row of slots per seat number.
    rows: Vec<u8>,
    arrived: Vec<bool>,
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
        let numbers = seats.numbers() as usize;
        let rows = vec![0; numbers * row_bytes(&seats)];
        Self { round, seats, rows, arrived: vec![false; numbers] }
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
        let number = seat.0 as usize;
        if self.arrived[number] {
            return Err(DepositError::Doubled);
        }
        let row = row_bytes(&self.seats);
        self.rows[number * row..][..row].copy_from_slice(deposit.slots);
        self.arrived[number] = true;
        Ok(())
    }

    /// Closes the round; whoever has not deposited is missing.
    pub fn close(self) -> Closed {
        let Self { round, seats, rows, arrived } = self;
        Closed { round, seats, rows, arrived }
    }
}

/// Bytes of all slots of one seat.
fn row_bytes(seats: &Seats) -> usize {
    usize::from(seats.slots()) * DEPOSIT_SLOT
}
