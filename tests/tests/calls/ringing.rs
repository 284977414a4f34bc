//! Calls that are answered, whatever happens meanwhile.

use client_core::api::{ErrorCode, Standing};
use tests::sim::telling::About;
use tests::sim::world::millis;
use tests::sim::{Setup, World};

use crate::{DIAL, connect, exchange, spread, talking, there};

#[test]
fn a_stranger_rings_within_two_dial_rounds_and_both_talk() {
    let mut waits = Vec::new();
    for seed in 0..5 {
        let mut world = there(&Setup::new(seed, 3));
        world.run_rounds(u32::try_from(seed).unwrap());
        world.call(0, 1);
        world.say(0, 1, "hello, it is me");
        let rounds = world.wait_told(2 * DIAL + 1, 1, About::Request, 0);
        waits.push(u64::from(rounds));
        assert_eq!(world.model.progress(0, 1), (1, 0, 0), "nothing flows before he accepts");
        assert_eq!(world.standing(0, 1), Some(Standing::Calling));
        assert_eq!(world.standing(1, 0), None, "a caller is no contact");
        world.accept(1, 0);
        world.say(1, 0, "who is me?");
        world.run_until_delivered(3 * DIAL);
        for (one, other) in [(0, 1), (1, 0)] {
            assert_eq!(world.told(one, About::Answered, other), 1);
            assert_eq!(world.standing(one, other), Some(Standing::Contact));
        }
        assert_eq!(world.told(1, About::Request, 0), 1);
        assert_eq!((0..3).map(|who| world.refused_calls(who)).sum::<u64>(), 0);
    }
    println!("rounds from call to ring (median, nine of ten, longest): {:?}", spread(waits));
}

#[test]
fn somebody_who_comes_back_later_is_rung_as_long_as_the_caller_is_there() {
    for away in [3, 40, 120] {
        let mut world = World::new(&Setup::new(10, 3));
        world.start(0);
        world.start(2);
        world.run_rounds(3);
        world.call(0, 1);
        world.run_rounds(away);
        world.start(1);
        let rounds = world.wait_told(2 * DIAL + 40, 1, About::Request, 0);
        println!("away for {away} rounds, rung after {rounds}");
        world.accept(1, 0);
        exchange(&mut world, 0, 1, 20 + 2 * DIAL);
        assert_eq!(world.told(0, About::Calling, 1), 1, "one call, however often it is repeated");
    }
}

/// Rounds after which a conversation rests in which nothing is said.
const RESTS: u32 = 60;

#[test]
fn calls_and_wake_ups_reach_other_buckets() {
    let mut world = World::new(&Setup::new(40, 4));
    world.fill_directory(1030);
    world.start_all();
    world.run_rounds(3);
    // two buckets: 0 and 2 are in the one, 1 and 3 in the other
    for (one, other) in [(0, 1), (2, 0)] {
        connect(&mut world, one, other);
        world.run_rounds(RESTS);
        exchange(&mut world, other, one, 4 * DIAL);
    }
    assert_eq!(world.told(3, About::Request, 0), 0);
}

#[test]
fn buckets_that_double_while_somebody_is_called_lose_no_call() {
    let mut world = World::new(&Setup::new(41, 2));
    world.fill_directory(1020);
    world.start(0);
    world.run_rounds(3);
    world.call(0, 1);
    world.run_rounds(2 * DIAL);
    world.fill_directory(1030);
    world.start(1);
    world.wait_told(2 * DIAL + 40, 1, About::Request, 0);
    world.accept(1, 0);
    exchange(&mut world, 0, 1, 4 * DIAL);
    world.run_rounds(RESTS);
    exchange(&mut world, 1, 0, 4 * DIAL);
}

#[test]
fn two_who_call_each_other_have_one_conversation() {
    for later in 0..8 {
        let mut world = there(&Setup::new(20 + u64::from(later), 2));
        world.call(0, 1);
        world.say(0, 1, "I called first");
        world.run_rounds(later);
        let is_rung = world.told(1, About::Request, 0) > 0;
        world.call(1, 0);
        world.say(1, 0, "no, I did");
        world.run_until_delivered(6 * DIAL);
        for (one, other) in [(0, 1), (1, 0)] {
            assert_eq!(world.told(one, About::Answered, other), 1);
            assert_eq!(world.standing(one, other), Some(Standing::Contact));
        }
        assert_eq!(world.told(1, About::Request, 0), usize::from(is_rung));
        assert_eq!(world.told(0, About::Request, 1), 0, "who is called is no stranger");
        exchange(&mut world, 0, 1, 20);
    }
}

#[test]
fn a_third_calls_one_of_two_who_talk_and_all_go_on() {
    let mut world = talking(&Setup::new(30, 3));
    for round in 0..4 {
        world.say(0, 1, format!("{round}"));
        world.say(1, 0, format!("{round} too"));
        world.run_rounds(1);
    }
    connect(&mut world, 2, 1);
    for round in 0..6 {
        world.say(0, 1, format!("{round} again"));
        world.say(1, 0, format!("{round} to the one"));
        world.say(1, 2, format!("{round} to the other"));
        world.say(2, 1, format!("{round} from the third"));
        world.run_rounds(2);
    }
    world.run_until_delivered(60);
    assert_eq!(world.standing(0, 2), None);
}

#[test]
fn a_caller_who_is_killed_while_it_rings_goes_on_calling() {
    // before the ring, while it rings, and as the answer comes
    for (before, after) in [(2, 0), (8, 0), (8, 4), (11, 1)] {
        let mut world = there(&Setup::new(40, 2));
        world.call(0, 1);
        world.run_rounds(before);
        world.kill(0);
        world.run_rounds(after);
        if world.told(1, About::Request, 0) > 0 {
            world.accept(1, 0);
        }
        world.start(0);
        if world.told(1, About::Request, 0) == 0 {
            world.wait_told(6 * DIAL, 1, About::Request, 0);
            world.accept(1, 0);
        }
        // nobody wrote anything: the call alone has to find him
        world.wait_told(8 * DIAL, 0, About::Answered, 1);
        exchange(&mut world, 0, 1, 6 * DIAL);
        assert_eq!(world.told(1, About::Request, 0), 1, "({before}, {after})");
    }
}

#[test]
fn a_caller_who_was_killed_rings_whoever_comes_back_after_that() {
    let mut world = World::new(&Setup::new(45, 2));
    world.start(0);
    world.run_rounds(3);
    world.call(0, 1);
    world.run_rounds(2 * DIAL);
    world.kill(0);
    world.start(0);
    world.run_rounds(5);
    world.start(1);
    world.wait_told(5 * DIAL, 1, About::Request, 0);
    world.accept(1, 0);
    world.wait_told(5 * DIAL, 0, About::Answered, 1);
}

#[test]
fn whoever_is_killed_after_accepting_finds_the_caller_again() {
    for after in [0, 1, 3, 6] {
        let mut world = there(&Setup::new(50, 2));
        world.call(0, 1);
        world.say(0, 1, "are you there?");
        world.wait_told(3 * DIAL, 1, About::Request, 0);
        world.accept(1, 0);
        world.run_rounds(after);
        world.kill(1);
        world.run_rounds(4);
        world.start(1);
        if after == 0 {
            // the disk knew nothing of it yet: it rings again
            world.wait_told(9 * DIAL, 1, About::Request, 0);
            world.accept(1, 0);
        }
        world.run_until_delivered(9 * DIAL);
        exchange(&mut world, 0, 1, 20);
    }
}

#[test]
fn a_server_that_is_killed_and_connections_that_break_only_delay_a_call() {
    for what in 0..4 {
        let mut world = there(&Setup::new(60, 2));
        world.call(0, 1);
        world.say(0, 1, "through everything");
        let rings = what % 2 == 1;
        world.run_rounds(if rings { 2 * DIAL } else { 1 });
        if what < 2 {
            world.kill_server();
            world.run(millis(9000));
            world.start_server();
        } else {
            world.disconnect(0);
            world.disconnect(1);
        }
        if world.told(1, About::Request, 0) == 0 {
            world.wait_told(8 * DIAL, 1, About::Request, 0);
        }
        world.accept(1, 0);
        world.run_until_delivered(8 * DIAL);
        assert_eq!(world.told(1, About::Request, 0), 1);
    }
}

#[test]
fn a_name_that_waits_for_the_directory_is_called_once_it_is_there() {
    let mut world = World::new(&Setup::new(70, 2));
    world.start_all();
    world.call(0, 1);
    world.say(0, 1, "before any page of the directory came");
    world.wait_told(3 * DIAL, 1, About::Request, 0);
    world.accept(1, 0);
    world.run_until_delivered(4 * DIAL);
}

#[test]
fn a_full_list_of_contacts_calls_and_accepts_nobody_more_until_somebody_is_forgotten() {
    let mut world = World::new(&Setup::new(80, 124));
    (4..124).for_each(|peer| world.befriend(0, peer));
    (0..3).for_each(|who| world.start(who));
    world.run_rounds(3);
    world.expected = vec![ErrorCode::TooManyContacts];
    world.call(0, 1);
    assert_eq!(world.people[0].heard.errors, [ErrorCode::TooManyContacts]);
    world.call(2, 0);
    world.wait_told(3 * DIAL, 0, About::Request, 2);
    world.accept(0, 2);
    assert_eq!(world.people[0].heard.errors.len(), 2);
    assert_eq!(world.standing(0, 2), None);
    world.expected.clear();
    world.forget(0, 4);
    world.accept(0, 2);
    exchange(&mut world, 0, 2, 8 * DIAL);
}

#[test]
fn whoever_has_a_contact_calls_him_without_being_told_so() {
    let mut world = talking(&Setup::new(90, 2));
    // long enough for both to rest
    world.run_rounds(60);
    let rounds = exchange(&mut world, 1, 0, 4 * DIAL);
    println!("woken and delivered after {rounds} rounds");
    world.call(1, 0);
    world.run_rounds(3 * DIAL);
    assert_eq!(world.told(0, About::Request, 1), 0);
    // one of them has lost everything but the account
    world.kill(0);
    let machine = world.add_machine(0);
    world.start(machine);
    world.run_rounds(3);
    world.call(machine, 1);
    world.wait_told(3 * DIAL, 1, About::Answered, 0);
    assert_eq!(world.told(1, About::Request, 0), 1, "only of the first call");
    exchange(&mut world, machine, 1, 4 * DIAL);
}
