//! One hop: takes its layer off and shuffles on the way in, puts everything back and seals on the way
//! out. Dial slots go no further than here.

use rand_core::CryptoRngCore;
use wire::codec::Wire;
use wire::dial::Dial;
use wire::ids::Round;
use wire::layer::{Direction, Place};
use wire::round::{ServerHeader, reply_slots_mut};
use wire::size::{CELL, DEPOSIT, DEPOSIT_SLOT, round_frame};

use crate::counts::Counts;
use crate::dialing::Given;
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

/// A round without layers, in seat order; its dial slots are out of the way, and answered already.
pub struct Peeled {
    hop: Hop,
    deposits: Vec<[u8; DEPOSIT]>,
}

/// A round in an order that only the hop knows.
pub struct Shuffled {
    hop: Hop,
    order: Order,
    deposits: Vec<[u8; DEPOSIT]>,
}

/// A round with the cells of its replies, still shuffled.
pub struct Exchanged {
    hop: Hop,
    order: Order,
    cells: Vec<[u8; CELL]>,
}

/// A round with the cells of its replies in seat order; its shuffle is forgotten.
pub struct Returned {
    hop: Hop,
    cells: Vec<[u8; CELL]>,
}

/// What stays with the hop while the slots are away.
struct Hop {
    round: Round,
    seats: Seats,
    counts: Counts,
    /// The replies to the dial slots, in a dial round.
    given: Option<Given>,
}

impl Closed {
    /// Takes the layer off every slot, and in a dial round has the buckets give out their replies.
    ///
    /// A slot whose tag does not fit, and every slot of a missing deposit, becomes random: it goes
    /// through the same steps as all others, meets nobody, and is answered with random bytes. In the
    /// dial slot it counts as cover, and is answered like everybody's.
    pub fn peel(self, rng: &mut impl CryptoRngCore) -> Peeled {
        let Self { round, mut seats, rows, arrived } = self;
        let slots = seats.slots();
        let talking = talking(round, slots);
        let mut counts = Counts { seats: seats.len(), ..Counts::default() };
        let mut deposits = Vec::with_capacity(counts.seats as usize * usize::from(talking));
        let (taken, dialing) = seats.taken_and_dialing();
        for (seat, sitter) in taken {
            let number = seat.0 as usize;
            let arrived = arrived[number];
            counts.deposits += u32::from(arrived);
            counts.missing += u32::from(!arrived);
            let row = &rows[number * usize::from(slots) * DEPOSIT_SLOT..];
            for (slot, layered) in (0..slots).zip(row.chunks_exact(DEPOSIT_SLOT)) {
                let place = Place { direction: Direction::Deposit, slot, slots };
                let mut deposit = [0; DEPOSIT];
                let opened =
                    arrived && sitter.layer.open(round, place, layered, &mut deposit).is_ok();
                if !opened {
                    rng.fill_bytes(&mut deposit);
                    counts.tampered += u32::from(arrived);
                }
                if slot < talking {
                    deposits.push(deposit);
                } else if opened {
                    let dial = Dial::decode(&deposit).ok();
                    let queued = dial.is_some_and(|dial| dialing.deposit(seat, dial).is_ok());
                    counts.malformed_dials += u32::from(!queued);
                }
            }
        }
        let given = round.has_dial().then(|| seats.give_out(rng));
        Peeled { hop: Hop { round, seats, counts, given }, deposits }
    }
}

impl Peeled {
    /// Puts all slots of all seats into one secret order.
    pub fn shuffle(self, rng: &mut impl CryptoRngCore) -> Shuffled {
        let Self { hop, mut deposits } = self;
        let order = Order::random(deposits.len(), rng);
        order.shuffle(&mut deposits);
        Shuffled { hop, order, deposits }
    }
}

impl Shuffled {
    /// Hands the deposits to the dead drops: the place where a chain would ask its next hop.
    pub fn exchange(self, rng: &mut impl CryptoRngCore) -> Exchanged {
        let Self { mut hop, order, deposits } = self;
        let drops::Exchange { cells, pairs, lone, crowded } = drops::exchange(&deposits, rng);
        hop.counts = Counts { pairs, lone, crowded, ..hop.counts };
        Exchanged { hop, order, cells }
    }
}

impl Exchanged {
    /// Puts the cells back into seat order; the secret order is erased.
    pub fn unshuffle(self) -> Returned {
        let Self { hop, order, mut cells } = self;
        order.unshuffle(&mut cells);
        Returned { hop, cells }
    }
}

impl Returned {
    /// Seals every seat's reply behind `header`, and lets every layer step to the next round.
    ///
    /// # Panics
    /// If the header answers another round or has other slots, which is a bug of the caller.
    pub fn seal(self, header: &ServerHeader) -> (Replies, Seats, Counts) {
        let Hop { round, mut seats, counts, given } = self.hop;
        let slots = seats.slots();
        assert_eq!(header.answered, round, "the header answers the round that is sealed");
        assert_eq!(header.slots, slots, "the header is of the seats' slots");
        let mut numbers = Vec::with_capacity(counts.seats as usize);
        let mut frames = vec![0; counts.seats as usize * round_frame(slots)];
        let mut cells = self.cells.iter();
        let talking = usize::from(talking(round, slots));
        for ((seat, sitter), frame) in
            seats.taken_mut().zip(frames.chunks_exact_mut(round_frame(slots)))
        {
            header.write_to(frame);
            let dialed = given.as_ref().map(|given| given.to(sitter.reader));
            let cells = cells.by_ref().take(talking).chain(dialed);
            for (slot, (reply, cell)) in (0..).zip(reply_slots_mut(frame, slots).zip(cells)) {
                let place = Place { direction: Direction::Reply, slot, slots };
                sitter.layer.seal(round, place, cell, reply);
            }
            sitter.layer.step();
            numbers.push(seat);
        }
        (Replies::new(slots, numbers, frames), seats, counts)
    }
}

/// Slots of a seat that go to the dead drops; in a dial round the last one does not.
fn talking(round: Round, slots: u8) -> u8 {
    slots - u8::from(round.has_dial())
}
