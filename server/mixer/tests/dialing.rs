//! The queue of calls by itself: who waits how long, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use mixer::Seat;
use mixer::dialing::{COPIES_MAX, Dialing, NoSuchBucket};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::codec::Wire;
use wire::dial::{Dial, DialReply, SealedInvitation, WakeUp};
use wire::ids::AccountIndex;
use wire::size::{INVITATION, WAKE_UP, WAKE_UPS};

#[path = "dialing/wait.rs"]
mod wait;

/// A queue with the generator of its noise.
struct Queue {
    dialing: Dialing,
    rng: ChaCha20Rng,
}

impl Queue {
    fn new(buckets: u32) -> Self {
        let mut dialing = Dialing::new();
        dialing.set_buckets(buckets);
        Self { dialing, rng: ChaCha20Rng::seed_from_u64(1) }
    }

    fn invites(&mut self, seat: u32, bucket: u32, number: u32) {
        let mut invitation = SealedInvitation([0; INVITATION]);
        invitation.0[..4].copy_from_slice(&number.to_le_bytes());
        self.dialing.deposit(Seat(seat), Dial::Invitation { bucket, invitation }).unwrap();
    }

    fn wakes(&mut self, seat: u32, bucket: u32, number: u32) {
        let mut token = WakeUp([0; WAKE_UP]);
        token.0[..4].copy_from_slice(&number.to_le_bytes());
        self.dialing.deposit(Seat(seat), Dial::WakeUp { bucket, token }).unwrap();
    }

    /// What each bucket gives out: an invitation's number, and those of wake-ups, sorted.
    fn give_out(&mut self, buckets: u32) -> Vec<(Option<u32>, Vec<u32>)> {
        let given = self.dialing.give_out((0..buckets).map(AccountIndex), &mut self.rng);
        let replies = (0..buckets).map(|bucket| DialReply::decode(given.to(AccountIndex(bucket))));
        replies.map(|reply| numbers(&reply.unwrap())).collect()
    }
}

/// The numbers in a reply; what ends in zeros is no noise.
fn numbers(reply: &DialReply) -> (Option<u32>, Vec<u32>) {
    let number = |bytes: &[u8]| {
        let (number, rest) = bytes.split_first_chunk().unwrap();
        rest.iter().all(|byte| *byte == 0).then(|| u32::from_le_bytes(*number))
    };
    let wake_ups = reply.wake_ups.iter().filter_map(|token| number(&token.0));
    let mut wake_ups: Vec<_> = wake_ups.collect();
    wake_ups.sort_unstable();
    (number(&reply.invitation.0), wake_ups)
}

#[test]
fn a_bucket_gives_out_one_invitation_and_fifteen_wake_ups_a_round_in_order() {
    let mut queue = Queue::new(1);
    for seat in 0..3 {
        queue.invites(seat, 0, seat);
    }
    for seat in 10..10 + 20 {
        queue.wakes(seat, 0, seat);
    }
    assert_eq!(queue.give_out(1), [(Some(0), (10..25).collect())]);
    assert_eq!(queue.give_out(1), [(Some(1), (25..30).collect())]);
    assert_eq!(queue.give_out(1), [(Some(2), vec![])]);
    assert!(queue.dialing.is_empty());
    assert_eq!(queue.give_out(1), [(None, vec![])]);
}

#[test]
fn a_seat_that_dials_in_every_round_delays_nobody_by_more_than_one_place() {
    for others in [1, 2, 14, 15, 16, 40] {
        let alone = rounds_of_waiting(others, false);
        let crowded = rounds_of_waiting(others, true);
        for (other, (alone, crowded)) in alone.into_iter().zip(crowded).enumerate() {
            // one place is one round among invitations, and now and then one among wake-ups
            let [invited, woken] = [0, 1].map(|kind| (alone[kind], crowded[kind]));
            assert_eq!(invited.1, invited.0 + 1, "invitation {other} of {others}");
            assert_eq!(woken.1, (other + 1) / WAKE_UPS + 1, "wake-up {other} of {others}");
            assert_eq!(woken.0, other / WAKE_UPS + 1);
        }
    }
}

/// In which round everybody's invitation and everybody's wake-up is given out, all deposited in the first
/// one; with or without a seat of either kind that deposits before all others, in every round.
fn rounds_of_waiting(others: u32, with_eager: bool) -> Vec<[usize; 2]> {
    let mut queue = Queue::new(1);
    let mut waited = vec![[0; 2]; others as usize];
    for round in 1.. {
        if with_eager {
            queue.invites(1000, 0, u32::MAX);
            queue.wakes(1001, 0, u32::MAX);
        }
        for other in (0..others).filter(|_| round == 1) {
            queue.invites(other, 0, other);
            queue.wakes(500 + other, 0, other);
        }
        let (invited, woken) = queue.give_out(1).remove(0);
        let given = invited.map(|number| (number, 0)).into_iter();
        for (number, kind) in given.chain(woken.into_iter().map(|number| (number, 1))) {
            if let Some(waited) = waited.get_mut(number as usize) {
                waited[kind] = round;
            }
        }
        if waited.iter().flatten().all(|round| *round > 0) {
            return waited;
        }
        assert!(round < 1000, "the queue stands still");
    }
    unreachable!("the loop ends by itself")
}

#[test]
fn a_seat_has_one_thing_waiting_and_the_newer_one_keeps_its_place() {
    let mut queue = Queue::new(2);
    for seat in 0..3 {
        queue.invites(seat, 0, seat);
    }
    queue.invites(1, 0, 101);
    assert_eq!(queue.dialing.len(), 3);
    assert_eq!(queue.give_out(2), [(Some(0), vec![]), (None, vec![])]);
    queue.invites(0, 0, 100);
    assert_eq!(queue.give_out(2), [(Some(101), vec![]), (None, vec![])]);
    // of another kind or for another bucket too, before those who came later
    for seat in 10..10 + 20 {
        queue.wakes(seat, 1, seat);
    }
    queue.wakes(0, 1, 7);
    let (calls, wakes) = (queue.give_out(2), (10..24).collect::<Vec<_>>());
    assert_eq!(calls[0], (Some(2), vec![]));
    assert_eq!(calls[1], (None, [&[7], &wakes[..]].concat()));
    assert_eq!(queue.give_out(2)[1].1, (24..30).collect::<Vec<_>>());
}

#[test]
fn cover_changes_nothing_that_waits() {
    let mut queue = Queue::new(1);
    queue.invites(1, 0, 1);
    queue.dialing.deposit(Seat(1), Dial::Cover).unwrap();
    assert_eq!(queue.give_out(1), [(Some(1), vec![])]);
}

#[test]
fn a_bucket_that_is_not_there_is_cover() {
    let mut queue = Queue::new(4);
    queue.invites(1, 3, 1);
    for found in [4, 5, u32::MAX] {
        let dial = Dial::WakeUp { bucket: found, token: WakeUp([0; WAKE_UP]) };
        let refused = queue.dialing.deposit(Seat(1), dial);
        assert_eq!(refused, Err(NoSuchBucket { buckets: 4, found }));
    }
    assert_eq!(queue.give_out(4)[3], (Some(1), vec![]), "and what waited still waits");
}

#[test]
fn what_waits_is_copied_to_both_halves_and_each_gives_it_out_once() {
    let mut queue = Queue::new(2);
    queue.invites(0, 0, 0);
    queue.invites(1, 1, 1);
    queue.invites(2, 1, 2);
    queue.wakes(3, 1, 3);
    queue.dialing.set_buckets(4);
    queue.invites(4, 1, 4);
    let none = (None, vec![]);
    let (one, both) = ((Some(1), vec![3]), (Some(0), vec![]));
    assert_eq!(queue.give_out(4), [both.clone(), one.clone(), both, one]);
    assert_eq!(
        queue.give_out(4),
        [none.clone(), (Some(2), vec![]), none.clone(), (Some(2), vec![])]
    );
    assert_eq!(queue.give_out(4), [none.clone(), (Some(4), vec![]), none.clone(), none]);
    assert!(queue.dialing.is_empty());
}

#[test]
fn copies_are_bounded() {
    let mut queue = Queue::new(1);
    queue.invites(0, 0, 0);
    let most = u32::try_from(COPIES_MAX).unwrap();
    queue.dialing.set_buckets(most);
    assert_eq!(queue.dialing.len(), 1);
    queue.dialing.set_buckets(2 * most);
    assert!(queue.dialing.is_empty());
    queue.invites(0, 2 * most - 1, 0);
    assert_eq!(queue.dialing.len(), 1, "the seat has its place again");
}

#[test]
fn who_leaves_is_forgotten() {
    let mut queue = Queue::new(1);
    for seat in 0..3 {
        queue.invites(seat, 0, seat);
    }
    queue.dialing.leave(Seat(0));
    queue.dialing.leave(Seat(7));
    assert_eq!(queue.give_out(1)[0].0, Some(1));
    queue.invites(0, 0, 10);
    assert_eq!(queue.give_out(1)[0].0, Some(2), "it comes back at the end");
    assert_eq!(queue.give_out(1)[0].0, Some(10));
}

#[test]
fn where_a_wake_up_stands_does_not_say_how_many_waited_before_it() {
    let mut queue = Queue::new(1);
    let mut seen = [0; WAKE_UPS];
    for _ in 0..300 {
        queue.wakes(0, 0, 0);
        let given = queue.dialing.give_out([AccountIndex(0)].into_iter(), &mut queue.rng);
        let reply = DialReply::decode(given.to(AccountIndex(0))).unwrap();
        seen[reply.wake_ups.iter().position(|token| token.0 == [0; WAKE_UP]).unwrap()] += 1;
    }
    assert!(seen.iter().all(|times| *times > 5), "{seen:?}");
}

#[test]
fn every_empty_place_is_noise_of_its_own() {
    let mut queue = Queue::new(4);
    let given = queue.dialing.give_out((0..4).map(AccountIndex), &mut queue.rng);
    let mut parts: Vec<_> =
        (0..4).flat_map(|bucket| given.to(AccountIndex(bucket)).chunks(16)).collect();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!(parts.len(), 4 * 30);
}
