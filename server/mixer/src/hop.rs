//! One hop: takes its layer off and shuffles on the way in, puts everything back and seals on the way
//! out.

use rand_core::CryptoRngCore;
use wire::ids::Round;
use wire::layer::{Direction, Place};
use wire::round::{ServerHeader, reply_slots_mut};
use wire::size::{CELL, DEPOSIT, DEPOSIT_SLOT, round_frame};

use crate::counts::Counts;
use crate::drops;
use crate::order::Order;
use crate::reply::Replies;
use crate::seat::Seats;

/// A round that has its deposits, still in their layers.
pub struct Closed {
    pub(crate) round: Round,
    pub(crate) seats: Seats,
    pub(crate) rows: Vec<u8>,
    pub(crate) arrived: Vec<bool>,
}

/// A round without layers, in seat order.
pub struct Peeled {
    round: Round,
    seats: Seats,
    deposits: Vec<[u8; DEPOSIT]>,
    counts: Counts,
}

/// A round in an order that only the hop knows.
pub struct Shuffled {
    round: Round,
    seats: Seats,
    order: Order,
    deposits: Vec<[u8; DEPOSIT]>,
    counts: Counts,
}

/// A round with the cells of its replies, still shuffled.
pub struct Exchanged {
    round: Round,
    seats: Seats,
    order: Order,
    cells: Vec<[u8; CELL]>,
    counts: Counts,
}

/// A round with the cells of its replies in seat order; its shuffle is forgotten.
pub struct Returned {
    round: Round,
    seats: Seats,
    cells: Vec<[u8; CELL]>,
    counts: Counts,
}

impl Closed {
    /// Takes the layer off every slot.
    ///
    /// A slot whose tag does not fit, and every slot of a missing deposit, becomes random: it goes
    /// through the same steps as all others, meets nobody, and is answered with random bytes.
    pub fn peel(self, rng: &mut impl CryptoRngCore) -> Peeled {
        let Self { round, seats, rows, arrived } = self;
        let slots = seats.slots();
        let mut counts = Counts { seats: seats.len(), ..Counts::default() };
        let mut deposits = Vec::with_capacity(counts.seats as usize * usize::from(slots));
        let rows = rows.chunks_exact(usize::from(slots) * DEPOSIT_SLOT);
        for ((layer, row), arrived) in seats.layers().zip(rows).zip(arrived) {
            let Some(layer) = layer else { continue };
            counts.deposits += u32::from(arrived);
            counts.missing += u32::from(!arrived);
            for (slot, layered) in (0..).zip(row.chunks_exact(DEPOSIT_SLOT)) {
                let place = Place { direction: Direction::Deposit, slot, slots };
                let mut deposit = [0; DEPOSIT];
                let opened = arrived && layer.open(round, place, layered, &mut deposit).is_ok();
                if !opened {
                    rng.fill_bytes(&mut deposit);
                    counts.tampered += u32::from(arrived);
                }
                deposits.push(deposit);
            }
        }
        Peeled { round, seats, deposits, counts }
    }
}

impl Peeled {
    /// Puts all slots of all seats into one secret order.
    pub fn shuffle(self, rng: &mut impl CryptoRngCore) -> Shuffled {
        let Self { round, seats, mut deposits, counts } = self;
        let order = Order::random(deposits.len(), rng);
        order.shuffle(&mut deposits);
        Shuffled { round, seats, order, deposits, counts }
    }
}

impl Shuffled {
    /// Hands the deposits to the dead drops: the place where a chain would ask its next hop.
    pub fn exchange(self, rng: &mut impl CryptoRngCore) -> Exchanged {
        let Self { round, seats, order, deposits, counts } = self;
        let drops::Exchange { cells, pairs, lone, crowded } = drops::exchange(&deposits, rng);
        Exchanged { round, seats, order, cells, counts: Counts { pairs, lone, crowded, ..counts } }
    }
}

impl Exchanged {
    /// Puts the cells back into seat order; the secret order is erased.
    pub fn unshuffle(self) -> Returned {
        let Self { round, seats, order, mut cells, counts } = self;
        order.unshuffle(&mut cells);
        Returned { round, seats, cells, counts }
    }
}

impl Returned {
    /// Seals every seat's reply behind `header`, and lets every layer step to the next round.
    ///
    /// # Panics
    /// If the header answers another round or has other slots, which is a bug of the caller.
    pub fn seal(self, header: &ServerHeader) -> (Replies, Seats, Counts) {
        let Self { round, mut seats, cells, counts } = self;
        let slots = seats.slots();
        assert_eq!(header.answered, round, "the header answers the round that is sealed");
        assert_eq!(header.slots, slots, "the header is of the seats' slots");
        let mut numbers = Vec::with_capacity(counts.seats as usize);
        let mut frames = vec![0; counts.seats as usize * round_frame(slots)];
        let rows = cells.chunks_exact(usize::from(slots));
        let places = frames.chunks_exact_mut(round_frame(slots)).zip(rows);
        for ((seat, layer), (frame, cells)) in seats.taken_mut().zip(places) {
            header.write_to(frame);
            for (slot, (reply, cell)) in (0..).zip(reply_slots_mut(frame, slots).zip(cells)) {
                let place = Place { direction: Direction::Reply, slot, slots };
                layer.seal(round, place, cell, reply);
            }
            layer.step();
            numbers.push(seat);
        }
        (Replies::new(slots, numbers, frames), seats, counts)
    }
}
