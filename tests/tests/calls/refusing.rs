//! Calls that are declined, blocked or forgotten.

use client_core::api::{ErrorCode, Standing};
use tests::sim::Setup;
use tests::sim::telling::About;
use tests::sim::world::millis;

use crate::{DIAL, exchange, talking, there};

#[test]
fn a_declined_caller_hears_nothing_and_is_not_told_again_for_a_day() {
    let mut world = there(&Setup::new(1, 2));
    world.call(0, 1);
    world.wait_told(3 * DIAL, 1, About::Request, 0);
    world.decline(1, 0);
    world.run_rounds(60);
    world.call(0, 1);
    // after 450 rounds the caller makes a new invitation; a restart makes one sooner
    world.kill(0);
    world.start(0);
    world.run_rounds(60);
    assert_eq!(world.told(1, About::Request, 0), 1);
    assert!(world.refused_calls(1) > 1, "repeated, and new");
    assert_eq!(world.told(0, About::Answered, 1), 0);
    assert_eq!(world.standing(0, 1), Some(Standing::Calling), "nothing tells him");
    // a day later, through restarts of everybody
    (0..2).for_each(|who| world.kill(who));
    world.kill_server();
    world.run(millis(20 * 3600 * 1000));
    world.start_server();
    world.start_all();
    world.run_rounds(30);
    assert_eq!(world.told(1, About::Request, 0), 1, "20 hours are no day");
    assert!(world.refused_calls(1) > 0, "the caller goes on");
    (0..2).for_each(|who| world.kill(who));
    world.kill_server();
    world.run(millis(4 * 3600 * 1000));
    world.start_server();
    world.start_all();
    world.wait_told(30, 1, About::Request, 0);
}

#[test]
fn whoever_declined_may_call_and_then_both_talk() {
    let mut world = there(&Setup::new(2, 2));
    world.call(0, 1);
    world.say(0, 1, "please");
    world.wait_told(3 * DIAL, 1, About::Request, 0);
    world.decline(1, 0);
    world.run_rounds(30);
    world.call(1, 0);
    world.say(1, 0, "now I have time");
    world.run_until_delivered(6 * DIAL);
    assert_eq!(world.told(0, About::Request, 1), 0, "who waits for an answer is not asked");
}

#[test]
fn a_blocked_caller_is_counted_and_never_told() {
    // blocked before the call, and while it rings
    for before in [true, false] {
        let mut world = there(&Setup::new(3, 3));
        if before {
            world.block(1, 0);
        }
        world.call(0, 1);
        world.say(0, 1, "nobody reads this");
        if !before {
            world.wait_told(3 * DIAL, 1, About::Request, 0);
            world.block(1, 0);
        }
        world.run_rounds(60);
        assert_eq!(world.told(1, About::Request, 0), usize::from(!before));
        assert!(world.refused_calls(1) >= 1);
        assert_eq!(world.standing(1, 0), Some(Standing::Blocked));
        assert_eq!(world.told(0, About::Answered, 1), 0);
        assert_eq!(world.model.progress(0, 1), (1, 0, 0));
        // the block survives a restart
        world.kill(1);
        world.start(1);
        world.run_rounds(40);
        assert_eq!(world.told(1, About::Request, 0), usize::from(!before));
        assert!(world.refused_calls(1) >= 1);
        world.unblock(1, 0);
        world.wait_told(50, 1, About::Request, 0);
        world.accept(1, 0);
        world.run_until_delivered(6 * DIAL);
    }
}

#[test]
fn whoever_is_blocked_in_a_conversation_says_nothing_more() {
    let mut world = talking(&Setup::new(4, 2));
    world.block(1, 0);
    world.say(0, 1, "into the void");
    world.run_rounds(40);
    assert_eq!(world.model.progress(0, 1), (2, 1, 1));
    assert_eq!(world.told(0, About::Answered, 1), 1);
    world.expected = vec![ErrorCode::Blocked];
    world.call(1, 0);
    assert_eq!(world.people[1].heard.errors, [ErrorCode::Blocked]);
    world.unblock(1, 0);
    world.call(1, 0);
    world.run_until_delivered(10 * DIAL);
}

#[test]
fn a_forgotten_contact_is_a_stranger_who_may_call_again() {
    let mut world = talking(&Setup::new(5, 2));
    world.forget(1, 0);
    world.run_rounds(1);
    assert_eq!(world.standing(1, 0), None);
    world.say(0, 1, "do you know me?");
    // wake-ups are in vain for a while, then comes an invitation; calling is quicker
    world.forget(0, 1);
    world.call(0, 1);
    world.wait_told(4 * DIAL, 1, About::Request, 0);
    world.accept(1, 0);
    world.run_until_delivered(8 * DIAL);
    exchange(&mut world, 0, 1, 20);
}
