//! Seats: who takes part in a round, as numbers with a layer each.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use thiserror::Error;
use wire::codec::Wire as _;
use wire::dial::Dial;
use wire::ids::{AccountIndex, Round};
use wire::layer::Layer;
use wire::size::{DEPOSIT, DEPOSIT_SLOT, SLOTS_MAX, SLOTS_MIN};

use crate::dialing::{Dialing, Given};
use crate::memory::Memory;
use crate::threads::Threads;

/// Most seats of one mixer; times the most slots, they still count in 32 bits.
pub const SEATS_MAX: u32 = 1 << 20;

/// Number of a seat: one signed-in session in the rounds, counted from 0.
///
/// A removed seat's number is given out again, so whoever removes a seat forgets its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat(pub u32);

/// Every seat that [`SEATS_MAX`] allows is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("all {SEATS_MAX} seats are taken")]
pub struct SeatsFull;

/// The layers of all seats, each at the key of the next round, and what waits for the next dial rounds.
///
/// The caller owns them between two rounds; who joins or leaves while a round runs is added or removed
/// after it, and so starts or ends with the next one that opens.
pub struct Seats {
    slots: u8,
    last: Round,
    /// By seat number; the last one is always taken, so the length is bounded by the highest seat.
    /// Boxed, because a growing vector would leave copies of its keys behind.
    pub(crate) sitters: Vec<Option<Box<Sitter>>>,
    /// The numbers below `sitters.len()` that are not taken.
    free: BTreeSet<u32>,
    dialing: Dialing,
    pub(crate) memory: Memory,
    pub(crate) threads: Threads,
}

/// Who has a seat.
pub(crate) struct Sitter {
    /// The layer around all its slots.
    pub(crate) layer: Layer,
    /// The account whose bucket it reads.
    pub(crate) reader: AccountIndex,
}

impl Seats {
    /// Makes an empty room whose seats deposit `slots` slots each.
    ///
    /// # Panics
    /// If there cannot be so many slots, 1 to 8, which is a bug of the caller.
    pub fn new(slots: u8) -> Self {
        assert!((SLOTS_MIN..=SLOTS_MAX).contains(&slots), "a deposit has 1 to 8 slots");
        Self {
            slots,
            last: Round::NONE,
            sitters: Vec::new(),
            free: BTreeSet::new(),
            dialing: Dialing::new(),
            memory: Memory::default(),
            threads: Threads::none(),
        }
    }

    /// Has layers taken off and put on by these threads from now on, in place of the caller's.
    #[must_use]
    pub fn with_threads(self, threads: Threads) -> Self {
        Self { threads, ..self }
    }

    /// Takes the frames of an earlier round back once they are sent, to write those of a later one over
    /// them.
    pub fn reclaim(&mut self, frames: Vec<u8>) {
        self.memory.frames = frames;
    }

    /// Seats a session at the lowest free number; its layer begins with the round that opens next, and
    /// its dial replies are those of the account's bucket.
    ///
    /// # Errors
    /// [`SeatsFull`] if there are [`SEATS_MAX`] already.
    pub fn add(&mut self, layer: Layer, reader: AccountIndex) -> Result<Seat, SeatsFull> {
        let sitter = Some(Box::new(Sitter { layer, reader }));
        if let Some(number) = self.free.pop_first() {
            self.sitters[number as usize] = sitter;
            return Ok(Seat(number));
        }
        let number = self.numbers();
        if number == SEATS_MAX {
            return Err(SeatsFull);
        }
        self.sitters.push(sitter);
        Ok(Seat(number))
    }

    /// Removes a seat, erases its layer and forgets what it has waiting for a dial round; does nothing if it
    /// is not taken.
    pub fn remove(&mut self, seat: Seat) {
        if !self.is_taken(seat) {
            return;
        }
        self.sitters[seat.0 as usize] = None;
        self.dialing.leave(seat);
        self.free.insert(seat.0);
        while self.sitters.pop_if(|sitter| sitter.is_none()).is_some() {
            self.free.remove(&self.numbers());
        }
    }

    /// Returns how many seats are taken.
    pub fn len(&self) -> u32 {
        self.numbers() - u32::try_from(self.free.len()).expect("free numbers are fewer than seats")
    }

    /// Tells whether nobody is seated.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many slots a deposit has.
    pub fn slots(&self) -> u8 {
        self.slots
    }

    /// Tells whether somebody has this seat.
    pub fn is_taken(&self, seat: Seat) -> bool {
        matches!(self.sitters.get(seat.0 as usize), Some(Some(_)))
    }

    /// Notes that `round` opens, with so many buckets.
    pub(crate) fn opens(&mut self, round: Round, buckets: u32) {
        assert!(round > self.last, "round numbers only grow");
        self.last = round;
        self.dialing.set_buckets(buckets);
        let (numbers, row) = (self.sitters.len(), self.row_bytes());
        self.memory.rows.fit(numbers * row);
        self.memory.arrived.fit(numbers);
        self.memory.dialed.fit(numbers);
    }

    /// Returns how many bytes the slots of one deposit have.
    pub(crate) fn row_bytes(&self) -> usize {
        usize::from(self.slots) * DEPOSIT_SLOT
    }

    /// Returns one more than the highest number that is taken.
    pub(crate) fn numbers(&self) -> u32 {
        u32::try_from(self.sitters.len()).expect("seats are at most SEATS_MAX")
    }

    /// Goes through the taken seats in order.
    pub(crate) fn taken(&self) -> impl Iterator<Item = Seat> {
        let sitters = (0..).map(Seat).zip(&self.sitters);
        sitters.filter_map(|(seat, sitter)| sitter.is_some().then_some(seat))
    }

    /// Queues what the seats dialed whose dial slots could be opened, which are the last ones; returns how
    /// many of them hold nothing that can be said there.
    pub(crate) fn queue_dials(&mut self) -> u32 {
        let row = self.row_bytes();
        let Memory { rows, dialed, .. } = &self.memory;
        let mut malformed = 0;
        for (seat, row) in (0..).map(Seat).zip(rows.chunks_exact(row)) {
            if dialed[seat.0 as usize] {
                let dial = Dial::decode(&row[row.len() - DEPOSIT_SLOT..][..DEPOSIT]).ok();
                let queued = dial.is_some_and(|dial| self.dialing.deposit(seat, dial).is_ok());
                malformed += u32::from(!queued);
            }
        }
        malformed
    }

    /// Has the buckets of all seats give out what waits longest.
    pub(crate) fn give_out(&mut self, rng: &mut impl CryptoRngCore) -> Given {
        let readers = self.sitters.iter().flatten().map(|sitter| sitter.reader);
        self.dialing.give_out(readers, rng)
    }
}

const _: () = assert!((SEATS_MAX as u64) * (SLOTS_MAX as u64) < u32::MAX as u64);

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use wire::public_key::AgreementKey;

    use super::*;

    const ANY: AccountIndex = AccountIndex(7);

    fn layers() -> impl Iterator<Item = Layer> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let client = AgreementKey::random(&mut rng);
        let mixer = AgreementKey::random(&mut rng).public();
        std::iter::repeat_with(move || Layer::for_client(&client, &mixer).unwrap())
    }

    fn taken(seats: &Seats) -> Vec<u32> {
        seats.taken().map(|seat| seat.0).collect()
    }

    #[test]
    fn the_lowest_free_number_is_given_out_first() {
        let mut seats = Seats::new(2);
        for (number, layer) in (0..5).zip(layers()) {
            assert_eq!(seats.add(layer, ANY), Ok(Seat(number)));
        }
        seats.remove(Seat(3));
        seats.remove(Seat(1));
        assert_eq!((seats.len(), taken(&seats)), (3, vec![0, 2, 4]));
        for (number, layer) in [1, 3, 5].into_iter().zip(layers()) {
            assert_eq!(seats.add(layer, ANY), Ok(Seat(number)));
        }
        assert_eq!(seats.len(), 6);
    }

    #[test]
    fn numbers_that_nobody_has_at_the_end_are_given_back() {
        let mut seats = Seats::new(2);
        for (_, layer) in (0..5).zip(layers()) {
            seats.add(layer, ANY).unwrap();
        }
        for number in [1, 3, 3, 4, 9] {
            seats.remove(Seat(number));
        }
        assert_eq!((seats.numbers(), seats.len(), taken(&seats)), (3, 2, vec![0, 2]));
        for number in [0, 2] {
            seats.remove(Seat(number));
        }
        assert_eq!((seats.numbers(), seats.len(), seats.is_empty()), (0, 0, true));
        assert_eq!(seats.add(layers().next().unwrap(), ANY), Ok(Seat(0)));
    }

    #[test]
    #[should_panic(expected = "1 to 8 slots")]
    fn a_deposit_has_not_nine_slots() {
        Seats::new(9);
    }
}
