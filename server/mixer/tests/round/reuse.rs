//! Memory that goes on from round to round, and work that is divided: nothing of it shows.

use std::collections::BTreeSet;

use mixer::Threads;

use super::*;

const SEATS: usize = 700;

/// A crowd whose layers come from one agreement, each a step behind the one before, which takes less time.
fn crowd(threads: Threads) -> (Room, Vec<Client>) {
    let mut room = Room::new(2);
    room.seats = Seats::new(2).with_threads(threads);
    let own = AgreementKey::random(&mut room.rng);
    let mut mixers = room.key.layer_for(&own.public()).unwrap();
    let mut theirs = Layer::for_client(&own, &room.key.public()).unwrap();
    let mut clients = Vec::new();
    for _ in 0..SEATS {
        let (next_mixers, next_theirs) = (mixers.next(), theirs.next());
        let seat = room.seats.add(std::mem::replace(&mut mixers, next_mixers), AccountIndex(7));
        let layer = std::mem::replace(&mut theirs, next_theirs);
        clients.push(Client { seat: seat.unwrap(), layer });
    }
    (room, clients)
}

/// A drop that pair `number` has in slot 0 of a round, and a cell that says from whom and when it is.
fn said(round: Round, from: Seat, to: u32) -> Vec<u8> {
    let mut deposit = vec![0x5A; DEPOSIT];
    deposit[..4].copy_from_slice(&from.0.min(to).to_le_bytes());
    deposit[4..12].copy_from_slice(&round.0.to_le_bytes());
    deposit[DROP_ID..][..4].copy_from_slice(&from.0.to_le_bytes());
    deposit[DROP_ID + 4..][..8].copy_from_slice(&round.0.to_le_bytes());
    deposit
}

/// Has everybody who is there talk with the seat beside it in slot 0, and be alone in slot 1.
fn talk(room: &mut Room, clients: &[Client], there: fn(u32) -> bool) -> Answered {
    let mut open = room.open();
    let round = open.round();
    for client in clients.iter().filter(|client| there(client.seat.0)) {
        let mut frame = deposit_frame(round, 2);
        let mut alone = said(round, client.seat, u32::MAX);
        alone[12] = 1;
        let deposits = [said(round, client.seat, client.seat.0 ^ 1), alone];
        for ((slot, layered), deposit) in (0..).zip(deposit_slots_mut(&mut frame)).zip(deposits) {
            let place = Place { direction: Direction::Deposit, slot, slots: 2 };
            client.layer.seal(round, place, &deposit, layered);
        }
        if client.seat.0 % 31 == 5 {
            frame[HEADER + DEPOSIT_SLOT + 9] ^= 4;
        }
        put(&mut open, client.seat, &frame).unwrap();
    }
    room.finish(open)
}

/// Looks that those who talked got each other's cells of this round, and everybody else noise.
fn check(answered: &Answered, clients: &mut [Client], there: fn(u32) -> bool) {
    let round = answered.header.answered;
    let taken: BTreeSet<_> = clients.iter().map(|client| client.seat.0).collect();
    let mut noise = BTreeSet::new();
    for client in clients {
        let number = client.seat.0;
        let cells = client.read(answered);
        let partner = number ^ 1;
        let met = taken.contains(&partner) && there(number) && there(partner);
        if met {
            let expected = said(round, Seat(partner), number);
            assert!(cells[0] == expected[DROP_ID..], "seat {number} got its partner's cell");
        }
        for cell in &cells[usize::from(met)..] {
            assert!(cell.chunks(16).all(|part| part != [0x5A; 16] && part != [0; 16]), "noise");
            assert!(noise.insert(*cell), "and noise of its own");
        }
    }
}

/// Lets a whole part of the seats go, and some here and there.
fn thin(room: &mut Room, clients: &mut Vec<Client>) {
    let goes = |seat: u32| (60..200).contains(&seat) || seat % 7 == 3;
    clients.iter().filter(|it| goes(it.seat.0)).for_each(|it| room.seats.remove(it.seat));
    clients.retain(|client| !goes(client.seat.0));
}

#[test]
fn threads_and_memory_that_was_used_change_no_byte() {
    let most = |seat| seat % 11 != 0;
    let [mut alone, mut divided, mut fresh] =
        [Threads::none(), Threads::start(3).unwrap(), Threads::none()].map(crowd);
    for round in 0..6 {
        let mut all = Vec::new();
        for (it, (room, clients)) in [&mut alone, &mut divided, &mut fresh].into_iter().enumerate()
        {
            if round == 3 {
                thin(room, clients);
            }
            let answered = talk(room, clients, most);
            check(&answered, clients, most);
            assert!(answered.counts.missing > 0 && answered.counts.tampered > 0);
            let Answered { replies, counts, .. } = answered;
            let (seats, frames) = replies.into_parts();
            all.push((seats, frames.clone(), counts));
            if it < 2 {
                // as a caller does who has sent them, or anything else in their place
                room.seats.reclaim(if round == 4 { vec![0xEE; 5] } else { frames });
            }
        }
        assert!(all[0] == all[1], "threads, round {round}");
        assert!(all[0] == all[2], "frames that are taken back, round {round}");
    }
}

#[test]
fn who_is_missing_after_a_full_round_is_noise_and_not_what_it_said_then() {
    let (mut room, mut clients) = crowd(Threads::none());
    let answered = talk(&mut room, &clients, |_| true);
    check(&answered, &mut clients, |_| true);
    // nobody comes; then only a few are left, in the memory of many
    for left in [SEATS, 9] {
        for client in clients.drain(left..) {
            room.seats.remove(client.seat);
        }
        let answered = talk(&mut room, &clients, |_| false);
        let left = left as u32;
        let expected = Counts { seats: left, missing: left, lone: 2 * left, ..Counts::default() };
        assert_eq!(answered.counts, expected);
        check(&answered, &mut clients, |_| false);
    }
    let answered = talk(&mut room, &clients, |_| true);
    check(&answered, &mut clients, |_| true);
    assert_eq!(answered.counts.pairs, 4);
}
