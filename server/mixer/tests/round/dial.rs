//! Dial rounds: what goes into dial slots, what comes back, and that nothing else changes.

use wire::codec::Wire;
use wire::dial::{Dial, DialReply, SealedInvitation, WakeUp};
use wire::public_key::PublicKey;
use wire::size::{INVITATION, WAKE_UP};

use super::*;

impl Room {
    /// Opens a dial round that this room has not had.
    fn open_dial(&mut self) -> Open {
        while !self.next.has_dial() {
            self.next = self.next.next();
        }
        self.open()
    }
}

impl Client {
    /// Seals a deposit of conversation slots that meet nobody, and a dial slot.
    fn dial_frame(&self, round: Round, slots: u8, dial: &[u8]) -> Vec<u8> {
        let mut frame = deposit_frame(round, slots);
        for (slot, layered) in (0..).zip(deposit_slots_mut(&mut frame)) {
            let place = Place { direction: Direction::Deposit, slot, slots };
            let mut alone = [200 + slot; DEPOSIT];
            alone[..4].copy_from_slice(&self.seat.0.to_le_bytes());
            let plain = if slot + 1 == slots { dial } else { &alone };
            self.layer.seal(round, place, plain, layered);
        }
        frame
    }

    /// Opens its dial reply and goes on to the next round.
    fn read_dial(&mut self, answered: &Answered) -> DialReply {
        DialReply::decode(self.read(answered).last().unwrap()).unwrap()
    }
}

/// Runs a dial round of what everybody dials.
fn dial_round(room: &mut Room, clients: &mut [Client], dials: &[Dial]) -> Vec<DialReply> {
    let mut open = room.open_dial();
    let slots = room.seats.slots();
    for (client, dial) in clients.iter().zip(dials) {
        let frame = client.dial_frame(open.round(), slots, &dial.encode());
        put(&mut open, client.seat, &frame).unwrap();
    }
    let answered = room.finish(open);
    let missing = u32::try_from(clients.len() - dials.len()).unwrap();
    assert_eq!((answered.counts.missing, answered.counts.malformed_dials), (missing, 0));
    clients.iter_mut().map(|client| client.read_dial(&answered)).collect()
}

fn call(bucket: u32, fill: u8) -> Dial {
    Dial::Invitation { bucket, invitation: invitation(fill) }
}

fn wake(bucket: u32, fill: u8) -> Dial {
    Dial::WakeUp { bucket, token: token(fill) }
}

fn invitation(fill: u8) -> SealedInvitation {
    SealedInvitation([fill; INVITATION])
}

fn token(fill: u8) -> WakeUp {
    WakeUp([fill; WAKE_UP])
}

fn is_noise(reply: &DialReply) -> bool {
    let point = PublicKey(*reply.invitation.0.first_chunk().unwrap()).parse().is_ok();
    point && reply.wake_ups.iter().all(|token| token.0.iter().any(|byte| *byte != token.0[0]))
}

#[test]
fn a_call_and_a_wake_up_reach_every_reader_of_the_bucket_and_no_other() {
    for slots in [1, 2, 8] {
        let mut room = Room::new(slots);
        room.buckets = 4;
        let mut clients: Vec<_> = [1, 5, 2, 6].map(|account| room.join_as(account)).into();
        let dials = [call(2, 10), wake(2, 11), Dial::Cover, wake(3, 12)];
        let replies = dial_round(&mut room, &mut clients, &dials);
        assert!(replies[0] == replies[1] && replies[2] == replies[3] && replies[1] != replies[2]);
        assert!(is_noise(&replies[0]));
        assert!(replies[2].invitation == invitation(10));
        assert_eq!(replies[2].wake_ups.iter().filter(|found| **found == token(11)).count(), 1);
        let again = dial_round(&mut room, &mut clients, &[]);
        assert!(again.iter().all(is_noise), "what is given out is gone, K = {slots}");
    }
}

#[test]
fn only_the_last_slot_of_a_dial_round_dials() {
    let (mut room, mut clients) = Room::of(2, 2);
    let mut open = room.open_dial();
    // a dial in a conversation slot is a cell like any other, and swapped
    let dial = call(0, 10).encode();
    for client in &clients {
        let mut frame = client.dial_frame(open.round(), 2, &Dial::Cover.encode());
        let place = Place { direction: Direction::Deposit, slot: 0, slots: 2 };
        client.layer.seal(
            open.round(),
            place,
            &dial,
            deposit_slots_mut(&mut frame).next().unwrap(),
        );
        put(&mut open, client.seat, &frame).unwrap();
    }
    let answered = room.finish(open);
    let counts = Counts { seats: 2, deposits: 2, pairs: 1, ..Counts::default() };
    assert_eq!(answered.counts, counts, "dial slots meet nobody and are counted nowhere");
    for client in &mut clients {
        let cells = client.read(&answered);
        assert_eq!(cells[0], dial[DROP_ID..]);
        assert!(is_noise(&DialReply::decode(&cells[1]).unwrap()));
    }
    // and in any other round the last slot is a conversation slot
    let mut open = room.open();
    assert!(!open.round().has_dial());
    for client in &clients {
        let frame = client.dial_frame(open.round(), 2, &dial);
        put(&mut open, client.seat, &frame).unwrap();
    }
    let answered = room.finish(open);
    assert_eq!((answered.counts.pairs, answered.counts.malformed_dials), (1, 0));
    assert!(clients.iter_mut().all(|client| client.read(&answered)[1] == dial[DROP_ID..]));
    assert!(dial_round(&mut room, &mut clients, &[]).iter().all(is_noise), "nothing was queued");
}

#[test]
fn what_is_missing_spoiled_or_malformed_is_answered_like_any_other() {
    let (mut room, mut clients) = Room::of(6, 2);
    let mut open = room.open_dial();
    let round = open.round();
    let malformed = [[7; DEPOSIT].to_vec(), call(1, 20).encode(), {
        let mut padded = wake(0, 21).encode();
        padded[DEPOSIT - 1] = 1;
        padded
    }];
    put(&mut open, Seat(0), &clients[0].dial_frame(round, 2, &call(0, 10).encode())).unwrap();
    for (client, dial) in clients[1..].iter().zip(&malformed) {
        put(&mut open, client.seat, &client.dial_frame(round, 2, dial)).unwrap();
    }
    let mut spoiled = clients[4].dial_frame(round, 2, &wake(0, 22).encode());
    *spoiled.last_mut().unwrap() ^= 1;
    put(&mut open, Seat(4), &spoiled).unwrap();
    let answered = room.finish(open);
    let expected = Counts {
        seats: 6,
        deposits: 5,
        missing: 1,
        tampered: 1,
        lone: 6,
        malformed_dials: 3,
        ..Counts::default()
    };
    assert_eq!(answered.counts, expected);
    assert!(answered.replies.iter().all(|(_, frame)| frame.len() == round_frame(2)));
    for client in &mut clients {
        let reply = client.read_dial(&answered);
        assert!(reply.invitation == invitation(10), "everybody reads the one bucket");
    }
    assert!(dial_round(&mut room, &mut clients, &[]).iter().all(is_noise), "the rest was cover");
}

#[test]
fn who_leaves_takes_along_what_waits_and_the_next_one_does_not_inherit_it() {
    let (mut room, mut clients) = Room::of(3, 2);
    let dials = [call(0, 10), call(0, 11), Dial::Cover];
    let replies = dial_round(&mut room, &mut clients, &dials);
    assert!(replies[2].invitation == invitation(10));
    room.seats.remove(clients[1].seat);
    let comer = room.join();
    assert_eq!(comer.seat, clients[1].seat);
    clients[1] = comer;
    assert!(dial_round(&mut room, &mut clients, &[]).iter().all(is_noise));
}

#[test]
fn what_waits_while_the_buckets_double_is_given_out_in_both_halves() {
    let mut room = Room::new(1);
    let mut clients: Vec<_> = (0..3).map(|account| room.join_as(account)).collect();
    dial_round(&mut room, &mut clients, &[call(0, 10), call(0, 11), Dial::Cover]);
    room.buckets = 2;
    let replies = dial_round(&mut room, &mut clients, &[]);
    assert!(replies.iter().all(|reply| reply.invitation == invitation(11)));
    assert!(replies[0] == replies[2] && replies[0] != replies[1], "two buckets, two replies");
    assert!(dial_round(&mut room, &mut clients, &[]).iter().all(is_noise));
}

#[test]
fn what_waits_stays_over_the_rounds_in_between() {
    let (mut room, mut clients) = Room::of(2, 1);
    dial_round(&mut room, &mut clients, &[call(0, 10), call(0, 11)]);
    for _ in 0..4 {
        let open = room.open();
        assert!(!open.round().has_dial());
        let answered = room.finish(open);
        let counts = Counts { seats: 2, missing: 2, lone: 2, ..Counts::default() };
        assert_eq!(answered.counts, counts);
        for client in &mut clients {
            client.read(&answered);
        }
    }
    let replies = dial_round(&mut room, &mut clients, &[]);
    assert!(replies.iter().all(|reply| reply.invitation == invitation(11)));
}

#[test]
#[should_panic(expected = "never merged")]
fn fewer_buckets_than_before_are_a_bug() {
    let mut room = Room::new(1);
    room.buckets = 2;
    let open = room.open_dial();
    room.finish(open);
    room.buckets = 1;
    room.open_dial();
}

#[test]
fn a_dial_round_without_seats_is_a_round() {
    let mut room = Room::new(1);
    let open = room.open_dial();
    let answered = room.finish(open);
    assert_eq!((answered.replies.iter().len(), answered.counts), (0, Counts::default()));
}
