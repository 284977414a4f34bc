//! One hop: takes its layer off and shuffles on the way in, puts everything back and seals on the way
//! out. Dial slots go no further than here.
//!
//! What a slot holds stays in its place, that of its seat: what is shuffled are the places. A cell moves
//! once, out of its place into the reply of its partner, and is encrypted there.

use std::iter::Sum;

use rand_core::CryptoRngCore;
use wire::ids::{AccountIndex, Round};
use wire::layer::{Direction, Layer};
use wire::round::{ServerHeader, replies_mut, reply_slots_mut};
use wire::size::{CELL, DEPOSIT, DEPOSIT_SLOT, DROP_ID, round_frame};

use crate::counts::Counts;
use crate::dialing::Given;
use crate::drops::{self, Partner, Visitor};
use crate::memory::{Memory, Reused, fit};
use crate::noise::Noise;
use crate::order::Order;
use crate::reply::Replies;
use crate::seat::{Seat, Seats, Sitter};

/// Seats that are peeled or sealed as one piece of work, with one stream of random bytes: about 200 µs.
const BATCH: usize = 64;

/// A round that has its deposits, still in their layers.
pub struct Closed {
    pub(crate) round: Round,
    pub(crate) seats: Seats,
}

/// A round without layers, in seat order; its dial slots are out of the way, and answered already.
pub struct Peeled {
    hop: Hop,
}

/// A round in an order that only the hop knows.
pub struct Shuffled {
    hop: Hop,
    order: Order,
}

/// A round of which is known who met whom, still shuffled.
pub struct Exchanged {
    hop: Hop,
    order: Order,
    met: Reused<Partner>,
    noise: Noise,
}

/// A round of which is known in seat order whose cell everybody gets; its shuffle is forgotten.
pub struct Returned {
    hop: Hop,
    partners: Reused<Partner>,
    noise: Noise,
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
        let Self { round, mut seats } = self;
        let noise = Noise::random(rng);
        let (slots, row) = (seats.slots(), seats.row_bytes());
        let Seats { sitters, memory, threads, .. } = &mut seats;
        let Memory { rows, arrived, dialed, .. } = memory;
        let batches = sitters
            .chunks(BATCH)
            .zip(rows.chunks_mut(BATCH * row))
            .zip(arrived.chunks(BATCH).zip(dialed.chunks_mut(BATCH)))
            .enumerate();
        let Spoiled { missing, tampered } =
            threads.sum(batches, |(number, ((sitters, rows), (arrived, dialed)))| {
                let mut noise = noise.of(number);
                let rows = rows.chunks_exact_mut(row);
                let seats = sitters.iter().zip(rows).zip(arrived.iter().zip(dialed));
                let spoiled = seats.map(|((sitter, row), (&arrived, dialed))| {
                    let Some(sitter) = sitter else { return Spoiled::default() };
                    let layer = arrived.then_some(&sitter.layer);
                    let (spoiled, last) = peel(layer, round, slots, row, &mut noise);
                    *dialed = last;
                    spoiled
                });
                spoiled.sum()
            });
        let seated = seats.len();
        let mut counts = Counts { seats: seated, missing, tampered, ..Counts::default() };
        counts.deposits = seated - missing;
        let given = round.has_dial().then(|| {
            counts.malformed_dials = seats.queue_dials();
            seats.give_out(rng)
        });
        Peeled { hop: Hop { round, seats, counts, given } }
    }
}

impl Peeled {
    /// Puts all slots of all seats into one secret order.
    pub fn shuffle(self, rng: &mut impl CryptoRngCore) -> Shuffled {
        let Self { mut hop } = self;
        let (slots, talking) = (u32::from(hop.seats.slots()), u32::from(hop.talking()));
        let slots_of = |Seat(number)| (0..talking).map(move |slot| number * slots + slot);
        let mut places = hop.seats.memory.order.take((hop.seats.len() * talking) as usize);
        let all = hop.seats.taken().flat_map(slots_of);
        places.iter_mut().zip(all).for_each(|(place, number)| *place = number);
        Shuffled { hop, order: Order::random(places, rng) }
    }
}

impl Shuffled {
    /// Hands the deposits to the dead drops: the place where a chain would ask its next hop.
    pub fn exchange(self, rng: &mut impl CryptoRngCore) -> Exchanged {
        let Self { mut hop, order } = self;
        let Seats { memory, threads, .. } = &mut hop.seats;
        let slots = order.places().len();
        let mut met = memory.met.take(slots);
        let mut visitors = memory.visitors.take(slots);
        for ((visitor, place), index) in visitors.iter_mut().zip(order.places()).zip(0..) {
            let (drop, _) = deposit(&memory.rows, *place);
            *visitor = Visitor::new(drop, index);
        }
        let drops::Exchange { pairs, lone, crowded } =
            drops::exchange(&mut visitors, &mut met, threads);
        visitors.erase();
        memory.visitors = visitors;
        hop.counts = Counts { pairs, lone, crowded, ..hop.counts };
        Exchanged { hop, order, met, noise: Noise::random(rng) }
    }
}

impl Exchanged {
    /// Says in seat order who met whom; the secret order is erased.
    pub fn unshuffle(self) -> Returned {
        let Self { mut hop, order, mut met, noise } = self;
        let places = order.places();
        let memory = &mut hop.seats.memory;
        let mut partners = memory.partners.take(memory.rows.len() / DEPOSIT_SLOT);
        for (place, partner) in places.iter().zip(&*met) {
            if let Some(position) = partner.position() {
                partners[*place as usize] = Partner::at(places[position as usize]);
            }
        }
        met.erase();
        memory.met = met;
        memory.order = order.forget();
        Returned { hop, partners, noise }
    }
}

impl Returned {
    /// Seals every seat's reply behind `header`, and lets every layer step to the next round; what the
    /// slots held is erased.
    ///
    /// # Panics
    /// If the header answers another round or has other slots, which is a bug of the caller.
    pub fn seal(self, header: &ServerHeader) -> (Replies, Seats, Counts) {
        let Self { hop, mut partners, noise } = self;
        let talking = usize::from(hop.talking());
        let Hop { round, mut seats, counts, given } = hop;
        let slots = seats.slots();
        assert_eq!(header.answered, round, "the header answers the round that is sealed");
        assert_eq!(header.slots, slots, "the header is of the seats' slots");
        let numbers = seats.taken().collect();
        let Seats { sitters, memory, threads, .. } = &mut seats;
        let mut frames = std::mem::take(&mut memory.frames);
        fit(&mut frames, counts.seats as usize * round_frame(slots));
        let sealing = Sealing { header, rows: &memory.rows, given: given.as_ref(), talking, noise };
        let mut rest = &mut frames[..];
        let batches = sitters
            .chunks_mut(BATCH)
            .zip(partners.chunks(BATCH * usize::from(slots)))
            .map(|(sitters, partners)| {
                let taken = sitters.iter().flatten().count();
                let (frames, behind) =
                    std::mem::take(&mut rest).split_at_mut(taken * round_frame(slots));
                rest = behind;
                (sitters, partners, frames)
            })
            .enumerate();
        threads.each(batches, |(number, (sitters, partners, frames))| {
            sealing.seal(number, sitters, partners, frames);
        });
        partners.erase();
        memory.partners = partners;
        memory.end(threads);
        (Replies::new(slots, numbers, frames), seats, counts)
    }
}

impl Hop {
    /// Slots of a seat that go to the dead drops; in a dial round the last one does not.
    fn talking(&self) -> u8 {
        self.seats.slots() - u8::from(self.round.has_dial())
    }
}

/// Slots that became random.
#[derive(Clone, Copy, Default)]
struct Spoiled {
    /// Seats whose deposit did not come.
    missing: u32,
    /// Slots whose tag does not fit.
    tampered: u32,
}

impl Sum for Spoiled {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            missing: sum.missing + one.missing,
            tampered: sum.tampered + one.tampered,
        })
    }
}

/// Takes a seat's layer off its slots, or makes them random if there is no deposit, and so no layer;
/// tells whether the last slot could be opened.
fn peel(
    layer: Option<&Layer>,
    round: Round,
    slots: u8,
    row: &mut [u8],
    noise: &mut impl CryptoRngCore,
) -> (Spoiled, bool) {
    let opener = layer.map(|layer| layer.opener(round, Direction::Deposit, slots));
    let mut spoiled = Spoiled { missing: u32::from(opener.is_none()), tampered: 0 };
    let mut opened = false;
    for (slot, layered) in (0..slots).zip(row.chunks_exact_mut(DEPOSIT_SLOT)) {
        opened = opener.as_ref().is_some_and(|opener| opener.open_in_place(slot, layered).is_ok());
        if !opened {
            noise.fill_bytes(&mut layered[..DEPOSIT]);
            spoiled.tampered += u32::from(opener.is_some());
        }
    }
    (spoiled, opened)
}

/// Returns drop and cell of the slot at a place.
fn deposit(rows: &[u8], place: u32) -> (&[u8; DROP_ID], &[u8; CELL]) {
    let deposit = &rows[place as usize * DEPOSIT_SLOT..][..DEPOSIT];
    let (drop, cell) = deposit.split_first_chunk().expect("a deposit begins with its drop id");
    (drop, cell.try_into().expect("and ends with its cell"))
}

/// What is the same for all batches that are sealed.
struct Sealing<'a> {
    header: &'a ServerHeader,
    rows: &'a [u8],
    given: Option<&'a Given>,
    talking: usize,
    noise: Noise,
}

impl Sealing<'_> {
    fn seal(
        &self,
        batch: usize,
        sitters: &mut [Option<Box<Sitter>>],
        partners: &[Partner],
        frames: &mut [u8],
    ) {
        let slots = self.header.slots;
        let mut noise = self.noise.of(batch);
        let mut frames = frames.chunks_exact_mut(round_frame(slots));
        for (sitter, partners) in sitters.iter_mut().zip(partners.chunks_exact(slots.into())) {
            let Some(sitter) = sitter else { continue };
            let frame = frames.next().expect("a frame for every seat that is taken");
            self.header.write_to(frame);
            let sealer = sitter.layer.sealer(self.header.answered, Direction::Reply, slots);
            self.fill(frame, partners, sitter.reader, &mut noise);
            sealer.seal_in_place(replies_mut(frame, slots));
            sitter.layer.step();
        }
    }

    /// Moves into a frame what its seat gets, still without a layer.
    fn fill(
        &self,
        frame: &mut [u8],
        partners: &[Partner],
        reader: AccountIndex,
        noise: &mut impl CryptoRngCore,
    ) {
        let slots = reply_slots_mut(frame, self.header.slots);
        let mut replies = slots.map(|slot| &mut slot[..CELL]);
        let mut next = || replies.next().expect("a slot for every cell");
        for partner in &partners[..self.talking] {
            match partner.position() {
                Some(place) => next().copy_from_slice(deposit(self.rows, place).1),
                None => noise.fill_bytes(next()),
            }
        }
        if let Some(given) = self.given {
            next().copy_from_slice(given.to(reader));
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use wire::public_key::AgreementKey;
    use wire::round::Deposit;

    use super::*;
    use crate::collect::Open;

    /// Looks into the memory after each step: nothing of what is over is left.
    #[test]
    fn what_a_round_was_made_of_is_erased_as_soon_as_it_is_over() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (client, mixer) = (AgreementKey::random(&mut rng), AgreementKey::random(&mut rng));
        let shared = mixer.agree(&client.public()).expect("it is a point");
        let layer = || Layer::for_mixer(&shared, &client.public(), &mixer.public());
        let mut seats = Seats::new(2);
        for number in 0..3 {
            seats.add(layer(), AccountIndex(number)).expect("there is room");
        }
        let round = Round(6);
        let mut open = Open::new(round, seats, 1);
        let mut slots = [[0; DEPOSIT_SLOT]; 2];
        let sealer = layer().sealer(round, Direction::Deposit, 2);
        for (slot, layered) in (0..).zip(&mut slots) {
            sealer.seal(slot, &[5; DEPOSIT], layered);
        }
        for number in 0..2 {
            let deposit = Deposit { round, slots: slots.as_flattened() };
            open.deposit(Seat(number), &deposit).expect("it is the first one");
        }
        let peeled = open.close().peel(&mut rng);
        assert_eq!(deposit(&peeled.hop.seats.memory.rows, 3).1, &[5; CELL], "this is in there");
        let exchanged = peeled.shuffle(&mut rng).exchange(&mut rng);
        let visitors = &exchanged.hop.seats.memory.visitors;
        assert!(visitors.len() == 6 && visitors.iter().all(|it| *it == Visitor::default()));
        let returned = exchanged.unshuffle();
        let Memory { order, met, .. } = &returned.hop.seats.memory;
        assert!(order.len() == 6 && order.iter().all(|place| *place == 0));
        assert!(met.len() == 6 && met.iter().all(|partner| partner.position().is_none()));
        let header = ServerHeader {
            slots: 2,
            closes_ms: 2000,
            open: round.next(),
            answered: round,
            seats: 3,
            directory_length: 3,
            buckets: 1,
        };
        let (_, seats, counts) = returned.seal(&header);
        assert_eq!((counts.pairs, counts.crowded, counts.missing), (1, 2, 1));
        let Memory { rows, partners, arrived, dialed, .. } = &seats.memory;
        assert!(rows.len() == 6 * DEPOSIT_SLOT && rows.iter().all(|byte| *byte == 0));
        assert!(partners.len() == 6 && partners.iter().all(|it| it.position().is_none()));
        assert!(!arrived.iter().chain(&**dialed).any(|it| *it));
    }
}
