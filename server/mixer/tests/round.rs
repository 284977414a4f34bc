//! Whole rounds: clients that seal as the real one does, and a mixer between them.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use mixer::{Counts, DepositError, MixerKey, Open, Replies, Seat, Seats, first_frame};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wire::ids::{AccountIndex, Round};
use wire::layer::{Direction, Layer, Place};
use wire::public_key::AgreementKey;
use wire::round::{ClientFrame, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, DEPOSIT, DEPOSIT_SLOT, DROP_ID, HEADER, REPLY_SLOT, round_frame};

#[path = "round/dial.rs"]
mod dial;
#[path = "round/reuse.rs"]
mod reuse;

type Cell = [u8; CELL];

struct Client {
    seat: Seat,
    layer: Layer,
}

/// A mixer between two rounds, and what it needs for the next one, which is no dial round unless a test
/// says so.
struct Room {
    rng: ChaCha20Rng,
    key: MixerKey,
    seats: Seats,
    buckets: u32,
    next: Round,
}

/// What a round gave.
struct Answered {
    header: ServerHeader,
    replies: Replies,
    counts: Counts,
}

impl Room {
    fn new(slots: u8) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        Self {
            key: MixerKey::random(&mut rng),
            rng,
            seats: Seats::new(slots),
            buckets: 1,
            next: Round(6),
        }
    }

    /// A room with so many clients.
    fn of(clients: usize, slots: u8) -> (Self, Vec<Client>) {
        let mut room = Self::new(slots);
        let clients = (0..clients).map(|_| room.join()).collect();
        (room, clients)
    }

    fn join(&mut self) -> Client {
        self.join_as(0)
    }

    /// Seats somebody with the bucket of an account.
    fn join_as(&mut self, account: u32) -> Client {
        let own = AgreementKey::random(&mut self.rng);
        let layer = self.key.layer_for(&own.public()).unwrap();
        let seat = self.seats.add(layer, AccountIndex(account)).unwrap();
        Client { seat, layer: Layer::for_client(&own, &self.key.public()).unwrap() }
    }

    fn open(&mut self) -> Open {
        let slots = self.seats.slots();
        Open::new(self.next, std::mem::replace(&mut self.seats, Seats::new(slots)), self.buckets)
    }

    fn finish(&mut self, open: Open) -> Answered {
        let answered = open.round();
        self.next = answered.next();
        if self.next.has_dial() {
            self.next = self.next.next();
        }
        let header = ServerHeader {
            slots: self.seats.slots(),
            closes_ms: 2000,
            open: self.next,
            answered,
            seats: open.seats(),
            directory_length: 3,
            buckets: self.buckets,
        };
        let rng = &mut self.rng;
        let returned = open.close().peel(rng).shuffle(rng).exchange(rng).unshuffle();
        let (replies, seats, counts) = returned.seal(&header);
        self.seats = seats;
        Answered { header, replies, counts }
    }
}

impl Client {
    /// Seals a deposit frame of drops and cells.
    fn frame(&self, round: Round, deposits: &[(u8, Cell)]) -> Vec<u8> {
        let slots = u8::try_from(deposits.len()).unwrap();
        let mut frame = deposit_frame(round, slots);
        for ((slot, layered), (drop, cell)) in
            (0..).zip(deposit_slots_mut(&mut frame)).zip(deposits)
        {
            let mut deposit = [*drop; DEPOSIT];
            deposit[DROP_ID..].copy_from_slice(cell);
            let place = Place { direction: Direction::Deposit, slot, slots };
            self.layer.seal(round, place, &deposit, layered);
        }
        frame
    }

    /// Opens the cells of its reply and goes on to the next round.
    fn read(&mut self, answered: &Answered) -> Vec<Cell> {
        let (_, frame) = answered.replies.iter().find(|(seat, _)| *seat == self.seat).unwrap();
        let cells = self.try_read(answered.header.answered, frame).unwrap();
        self.layer.step();
        cells
    }

    fn try_read(&self, round: Round, frame: &[u8]) -> Option<Vec<Cell>> {
        let slots = frame[2];
        let (_, replies) = ServerHeader::decode(frame, slots).unwrap();
        let cells = (0..).zip(replies.chunks_exact(REPLY_SLOT)).map(|(slot, layered)| {
            let place = Place { direction: Direction::Reply, slot, slots };
            let mut cell = [0; CELL];
            self.layer.open(round, place, layered, &mut cell).ok().map(|()| cell)
        });
        cells.collect()
    }
}

/// Reads a frame as the server does and puts it in.
fn put(open: &mut Open, seat: Seat, frame: &[u8]) -> Result<(), DepositError> {
    let Ok(ClientFrame::Deposit(deposit)) = ClientFrame::decode(frame, frame[2]) else {
        panic!("a deposit frame");
    };
    open.deposit(seat, &deposit)
}

/// Lets everybody deposit, with the drop and the first byte of the cell for every slot.
fn put_all(open: &mut Open, clients: &[Client], deposits: &[&[(u8, u8)]]) {
    for (client, deposits) in clients.iter().zip(deposits) {
        let deposits: Vec<_> = deposits.iter().map(|(drop, cell)| (*drop, [*cell; CELL])).collect();
        put(open, client.seat, &client.frame(open.round(), &deposits)).unwrap();
    }
}

/// What everybody got: the byte that a cell is full of, or `None` if it is random.
fn read_all(answered: &Answered, clients: &mut [Client]) -> Vec<Vec<Option<u8>>> {
    let filled = |cell: Cell| cell.iter().all(|byte| *byte == cell[0]).then_some(cell[0]);
    clients.iter_mut().map(|c| c.read(answered).into_iter().map(filled).collect()).collect()
}

#[test]
fn a_pair_swaps_cells_through_both_layers() {
    let (mut room, mut clients) = Room::of(2, 1);
    let mut open = room.open();
    put_all(&mut open, &clients, &[&[(7, 10)], &[(7, 20)]]);
    let answered = room.finish(open);
    assert_eq!(read_all(&answered, &mut clients), [[Some(20)], [Some(10)]]);
    let expected = Counts { seats: 2, deposits: 2, pairs: 1, ..Counts::default() };
    assert_eq!(answered.counts, expected);
}

#[test]
fn one_two_and_eight_slots_pair_across_seats_and_within_one() {
    for slots in [1_u8, 2, 8] {
        let (mut room, mut clients) = Room::of(3, slots);
        let mut open = room.open();
        // slot s of seats 0 and 1 meet in drop s; the last seat's slots meet each other, two and two
        let two = |cell: u8| (0..slots).map(|slot| (slot, cell + slot)).collect::<Vec<_>>();
        let own: Vec<_> = (0..slots).map(|slot| (100 + slot / 2, 100 + slot)).collect();
        put_all(&mut open, &clients, &[&two(10), &two(20), &own]);
        let answered = room.finish(open);
        let got = read_all(&answered, &mut clients);
        for slot in 0..slots {
            assert_eq!(got[0][usize::from(slot)], Some(20 + slot));
            assert_eq!(got[1][usize::from(slot)], Some(10 + slot));
            let within = (slots > 1).then_some(100 + (slot ^ 1));
            assert_eq!(got[2][usize::from(slot)], within);
        }
        for (_, frame) in answered.replies.iter() {
            assert_eq!(frame.len(), round_frame(slots));
        }
    }
}

#[test]
fn two_slots_of_one_seat_swap() {
    let (mut room, mut clients) = Room::of(1, 2);
    let mut open = room.open();
    put_all(&mut open, &clients, &[&[(7, 1), (7, 2)]]);
    let answered = room.finish(open);
    assert_eq!(read_all(&answered, &mut clients), [[Some(2), Some(1)]]);
}

#[test]
fn of_three_in_a_drop_two_swap_and_the_shuffle_chooses_them() {
    let (mut room, mut clients) = Room::of(3, 1);
    let mut left_out = [0; 3];
    for _ in 0..60 {
        let mut open = room.open();
        put_all(&mut open, &clients, &[&[(7, 0)], &[(7, 1)], &[(7, 2)]]);
        let answered = room.finish(open);
        assert_eq!((answered.counts.pairs, answered.counts.crowded), (1, 1));
        let got: Vec<_> = read_all(&answered, &mut clients).concat();
        let alone = got.iter().position(Option::is_none).unwrap();
        let (one, other) = ((alone + 1) % 3, (alone + 2) % 3);
        assert_eq!(got[one], Some(other as u8));
        assert_eq!(got[other], Some(one as u8));
        left_out[alone] += 1;
    }
    assert!(left_out.iter().all(|times| *times > 5), "{left_out:?}");
}

#[test]
fn a_late_deposit_is_refused() {
    let (mut room, clients) = Room::of(1, 1);
    let open = room.open();
    room.finish(open);
    let mut open = room.open();
    let late = put(&mut open, clients[0].seat, &clients[0].frame(Round(6), &[(7, [1; CELL])]));
    assert_eq!(late, Err(DepositError::Late { open: Round(7), found: Round(6) }));
    assert_eq!(room.finish(open).counts.missing, 1);
}

#[test]
fn a_deposit_for_a_round_that_has_not_opened_is_refused() {
    let (mut room, clients) = Room::of(1, 1);
    let mut open = room.open();
    for found in [Round(7), Round(u64::MAX)] {
        let early = put(&mut open, clients[0].seat, &clients[0].frame(found, &[(7, [1; CELL])]));
        assert_eq!(early, Err(DepositError::Unopened { open: Round(6), found }));
    }
    assert_eq!(room.finish(open).counts.missing, 1);
}

#[test]
fn of_two_deposits_of_a_seat_the_first_stands() {
    let (mut room, mut clients) = Room::of(2, 1);
    let mut open = room.open();
    put_all(&mut open, &clients, &[&[(7, 10)], &[(7, 20)]]);
    let again = clients[0].frame(Round(6), &[(7, [11; CELL])]);
    assert_eq!(put(&mut open, clients[0].seat, &again), Err(DepositError::Doubled));
    let answered = room.finish(open);
    assert_eq!(read_all(&answered, &mut clients), [[Some(20)], [Some(10)]]);
    assert_eq!(answered.counts.deposits, 2);
}

#[test]
fn nobody_deposits_from_a_seat_that_is_not_taken() {
    let (mut room, clients) = Room::of(3, 1);
    room.seats.remove(clients[1].seat);
    let mut open = room.open();
    let frame = clients[1].frame(Round(6), &[(7, [1; CELL])]);
    for seat in [clients[1].seat, Seat(3), Seat(u32::MAX)] {
        assert_eq!(put(&mut open, seat, &frame), Err(DepositError::NotSeated));
    }
    let counts = room.finish(open).counts;
    assert_eq!((counts.seats, counts.deposits, counts.missing), (2, 0, 2));
}

#[test]
fn a_missing_client_shifts_nobodys_reply() {
    for missing in 0..5 {
        let (mut room, mut clients) = Room::of(5, 2);
        let mut open = room.open();
        // seats i and i+1 meet; the one whose partner is missing is alone
        let round = open.round();
        for (i, client) in clients.iter().enumerate().filter(|(i, _)| *i != missing) {
            let i = i as u8;
            let deposits = [(i, [10 + i; CELL]), ((i + 1) % 5, [20 + i; CELL])];
            put(&mut open, client.seat, &client.frame(round, &deposits)).unwrap();
        }
        let answered = room.finish(open);
        let got = read_all(&answered, &mut clients);
        for (i, got) in got.iter().enumerate() {
            let (before, after) = ((i + 4) % 5, (i + 1) % 5);
            let from = |other: usize, cell: u8| {
                (i != missing && other != missing).then_some(cell + other as u8)
            };
            assert_eq!(got[..], [from(before, 20), from(after, 10)], "seat {i}, {missing} missing");
        }
        let counts = answered.counts;
        assert_eq!((counts.deposits, counts.missing, counts.pairs, counts.lone), (4, 1, 3, 4));
    }
}

#[test]
fn a_tampered_slot_is_counted_and_shifts_nobodys_reply() {
    // every byte from the first of the slots on, and so ciphertext as well as tag, and either slot
    for byte in (HEADER..round_frame(2)).step_by(61).chain([HEADER + DEPOSIT_SLOT - 1]) {
        let (mut room, mut clients) = Room::of(3, 2);
        let mut open = room.open();
        put_all(&mut open, &clients[..2], &[&[(7, 10), (8, 11)], &[(7, 20), (8, 21)]]);
        let mut frame = clients[2].frame(open.round(), &[(9, [30; CELL]), (9, [31; CELL])]);
        frame[byte] ^= 1;
        put(&mut open, clients[2].seat, &frame).unwrap();
        let answered = room.finish(open);
        let got = read_all(&answered, &mut clients);
        assert_eq!(got[..2], [[Some(20), Some(21)], [Some(10), Some(11)]]);
        // both are alone: one is noise, and the other one waits for it in vain
        assert_eq!(got[2], [None, None]);
        assert_eq!((answered.counts.tampered, answered.counts.missing), (1, 0));
        assert_eq!((answered.counts.pairs, answered.counts.lone), (2, 2));
    }
}

#[test]
fn a_deposit_under_another_seats_layer_is_noise() {
    let (mut room, mut clients) = Room::of(2, 1);
    let mut open = room.open();
    let frame = clients[0].frame(open.round(), &[(7, [10; CELL])]);
    for client in &clients {
        put(&mut open, client.seat, &frame).unwrap();
    }
    let answered = room.finish(open);
    assert_eq!(answered.counts.tampered, 1);
    assert_eq!(read_all(&answered, &mut clients), [[None], [None]]);
}

#[test]
fn replies_stand_in_seat_order_whatever_the_order_of_arrival() {
    let (mut room, clients) = Room::of(6, 1);
    room.seats.remove(clients[2].seat);
    let mut open = room.open();
    for i in [5, 0, 3, 1, 4] {
        let frame = clients[i].frame(open.round(), &[(i as u8, [1; CELL])]);
        put(&mut open, clients[i].seat, &frame).unwrap();
    }
    let answered = room.finish(open);
    let seats: Vec<_> = answered.replies.iter().map(|(seat, _)| seat.0).collect();
    assert_eq!(seats, [0, 1, 3, 4, 5]);
    for (seat, frame) in answered.replies.iter() {
        for client in &clients {
            let opens = client.try_read(Round(6), frame).is_some();
            assert_eq!(opens, client.seat == seat, "each opens its own reply only");
        }
    }
    let (seats_again, bytes) = answered.replies.into_parts();
    assert_eq!(seats_again.iter().map(|seat| seat.0).collect::<Vec<_>>(), seats);
    assert_eq!(bytes.len(), 5 * round_frame(1));
}

#[test]
fn every_reply_has_one_size_and_one_header_whatever_was_sent() {
    let (mut room, clients) = Room::of(5, 2);
    let mut open = room.open();
    // a pair, one that is tampered with, one that is crowded out, one missing
    put_all(&mut open, &clients[..2], &[&[(7, 1), (7, 2)], &[(7, 3), (8, 4)]]);
    let mut frame = clients[2].frame(open.round(), &[(9, [1; CELL]), (9, [2; CELL])]);
    frame[100] ^= 1;
    put(&mut open, clients[2].seat, &frame).unwrap();
    put_all(&mut open, &clients[3..4], &[&[(1, 1), (2, 2)]]);
    let answered = room.finish(open);
    assert_eq!(answered.replies.iter().len(), 5);
    for (_, frame) in answered.replies.iter() {
        assert_eq!(frame.len(), round_frame(2));
        let (header, _) = ServerHeader::decode(frame, 2).unwrap();
        assert_eq!(header, answered.header);
    }
    let counts = answered.counts;
    assert_eq!(2 * counts.pairs + counts.lone + counts.crowded, 2 * counts.seats);
}

#[test]
fn layers_step_with_every_round_opened() {
    let (mut room, mut clients) = Room::of(2, 1);
    let old = clients[0].frame(Round(8), &[(7, [9; CELL])]);
    for round in 6..9 {
        let mut open = room.open();
        put_all(&mut open, &clients, &[&[(7, round)], &[(7, 100 + round)]]);
        let answered = room.finish(open);
        assert_eq!(answered.counts.tampered, 0);
        assert_eq!(read_all(&answered, &mut clients), [[Some(100 + round)], [Some(round)]]);
        if round == 7 {
            // under the key of round 6, though for round 8
            let mut open = room.open();
            put(&mut open, clients[0].seat, &old).unwrap();
            let answered = room.finish(open);
            assert_eq!(answered.counts.tampered, 1);
            read_all(&answered, &mut clients);
        }
    }
}

#[test]
fn a_seat_that_is_given_out_again_has_a_layer_of_its_own() {
    let (mut room, mut clients) = Room::of(2, 1);
    let open = room.open();
    let answered = room.finish(open);
    read_all(&answered, &mut clients);
    let leaver = clients.remove(0);
    room.seats.remove(leaver.seat);
    let comer = room.join();
    assert_eq!(comer.seat, leaver.seat);
    clients.insert(0, comer);
    let mut open = room.open();
    put_all(&mut open, &clients, &[&[(7, 10)], &[(7, 20)]]);
    let answered = room.finish(open);
    let (_, frame) = answered.replies.iter().next().unwrap();
    assert!(leaver.try_read(Round(7), frame).is_none());
    assert_eq!(read_all(&answered, &mut clients), [[Some(20)], [Some(10)]]);
    let mut open = room.open();
    put(&mut open, leaver.seat, &leaver.frame(Round(8), &[(7, [1; CELL])])).unwrap();
    assert_eq!(room.finish(open).counts.tampered, 1);
}

#[test]
fn a_seat_that_joins_later_begins_with_the_next_round() {
    let (mut room, mut clients) = Room::of(1, 1);
    let open = room.open();
    let mut answered = room.finish(open);
    read_all(&answered, &mut clients);
    clients.push(room.join());
    answered.header.answered = Round::NONE;
    let first = first_frame(&answered.header, &mut room.rng);
    assert_eq!(first.len(), round_frame(1));
    let (header, replies) = ServerHeader::decode(&first, 1).unwrap();
    assert_eq!(header, answered.header);
    assert!(!replies.chunks_exact(16).any(|part| part == [0; 16]), "noise stands for replies");
    assert_ne!(first, first_frame(&answered.header, &mut room.rng));
    let mut open = room.open();
    assert_eq!(open.seats(), 2);
    put_all(&mut open, &clients, &[&[(7, 10)], &[(7, 20)]]);
    let answered = room.finish(open);
    assert_eq!(read_all(&answered, &mut clients), [[Some(20)], [Some(10)]]);
}

#[test]
fn a_round_without_seats_is_a_round() {
    let mut room = Room::new(2);
    let open = room.open();
    let answered = room.finish(open);
    assert_eq!(answered.replies.iter().len(), 0);
    assert_eq!(answered.counts, Counts::default());
    room.join();
    assert_eq!(room.open().seats(), 1);
}

#[test]
#[should_panic(expected = "round numbers only grow")]
fn a_round_number_is_never_used_twice() {
    let mut room = Room::new(2);
    let open = room.open();
    room.finish(open);
    Open::new(Round(6), room.seats, 1);
}

#[test]
#[should_panic(expected = "answers the round")]
fn a_header_that_answers_another_round_is_a_bug() {
    let mut room = Room::new(2);
    let open = room.open();
    let header = ServerHeader { answered: Round(5), ..room.finish(open).header };
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let open = Open::new(Round(9), Seats::new(2), 1);
    open.close().peel(rng).shuffle(rng).exchange(rng).unshuffle().seal(&header);
}

/// Rounds of random people, some absent, some spoiled, against an exchange that looks at everybody.
#[test]
fn many_random_rounds_give_everybody_what_a_naive_exchange_gives() {
    for seed in 0..12 {
        let mut chance = ChaCha20Rng::seed_from_u64(seed);
        let mut below = |bound: u32| chance.next_u32() % bound;
        let (slots, people) = (1 + below(3) as u8, 2 + below(9) as usize);
        let (mut room, mut clients) = Room::of(people, slots);
        for _ in 0..4 {
            let mut open = room.open();
            // whoever is in a drop, by drop: seat, slot, byte of the cell
            let mut drops = vec![Vec::new(); 60];
            for (number, client) in clients.iter().enumerate() {
                let absent = below(5) == 0;
                let spoiled = (below(5) == 0).then(|| below(slots.into()) as u8);
                let mut deposits = Vec::new();
                for slot in 0..slots {
                    let drop = below(60);
                    let byte = (number as u8) * 8 + slot;
                    deposits.push((drop as u8, [byte; CELL]));
                    if !absent && spoiled != Some(slot) {
                        drops[drop as usize].push((number, usize::from(slot), byte));
                    }
                }
                let mut frame = client.frame(open.round(), &deposits);
                if let Some(slot) = spoiled {
                    frame[HEADER + usize::from(slot) * DEPOSIT_SLOT + 40] ^= 0x80;
                }
                if !absent {
                    put(&mut open, client.seat, &frame).unwrap();
                }
            }
            let answered = room.finish(open);
            let got = read_all(&answered, &mut clients);
            let mut random = got.iter().flatten().filter(|cell| cell.is_none()).count();
            for visitors in drops.iter().filter(|visitors| visitors.len() > 1) {
                let gets = |seat: usize, slot: usize| got[seat][slot];
                let served: Vec<_> = visitors
                    .iter()
                    .filter(|(seat, slot, _)| gets(*seat, *slot).is_some())
                    .collect();
                let [one, other] = served[..] else { panic!("two swap, seed {seed}") };
                assert_eq!(gets(one.0, one.1), Some(other.2), "seed {seed}");
                assert_eq!(gets(other.0, other.1), Some(one.2), "seed {seed}");
                random += 2;
            }
            assert_eq!(
                random,
                people * usize::from(slots),
                "everybody else gets noise, seed {seed}"
            );
        }
    }
}
