//! Forged, replayed, malformed and flooding calls.

use tests::sim::telling::About;
use tests::sim::world::millis;
use tests::sim::{Cheat, Setup, World};

use crate::{DIAL, exchange, talking};

/// Two who talk, 2 to 5 who do not, and these cheats, all in the rounds.
fn among(cheats: &[Cheat], seed: u64) -> World {
    let mut world = World::new(&Setup::new(seed, 6));
    cheats.iter().for_each(|cheat| {
        world.add_cheat(*cheat);
    });
    world.start_all();
    world.run_rounds(3);
    world
}

fn nothing_is_refused(world: &World) {
    assert!(world.people.iter().all(|person| person.refused == 0));
    assert_eq!(world.closed, 0, "cheats with well-formed frames are closed by nobody");
}

#[test]
fn floods_of_calls_delay_others_by_one_dial_round_a_cheat() {
    let flood = [Cheat::FloodNoise, Cheat::FloodCalls(5), Cheat::FloodNoise, Cheat::FloodCalls(5)];
    let mut world = among(&flood, 1);
    // the queue is as full as it gets
    world.run_rounds(4 * DIAL);
    let mut waits = Vec::new();
    for (caller, callee) in [(0, 1), (2, 3), (4, 0)] {
        world.call(caller, callee);
        let most = (flood.len() as u32 + 2) * DIAL;
        waits.push(world.wait_told(most, callee, About::Request, caller));
        world.accept(callee, caller);
        exchange(&mut world, caller, callee, 8 * DIAL);
    }
    println!("beside four floods calls ring after {waits:?} rounds");
    for cheat in ["cheat-1", "cheat-3"] {
        assert_eq!(world.people[5].heard.times(About::Request, cheat), 1, "told once");
    }
    nothing_is_refused(&world);
}

#[test]
fn who_floods_is_blocked_and_everything_further_counted() {
    let mut world = among(&[Cheat::FloodCalls(0), Cheat::FloodNoise], 2);
    world.wait(8 * DIAL, "the flood rings", |world| {
        world.people[0].heard.times(About::Request, "cheat-0") > 0
    });
    world.command(0, client_core::api::Command::Block { peer: "cheat-0".into() });
    world.run_rounds(10 * DIAL);
    assert!(world.refused_calls(0) >= 4, "{}", world.refused_calls(0));
    assert_eq!(world.people[0].heard.times(About::Request, "cheat-0"), 1);
    nothing_is_refused(&world);
}

#[test]
fn replayed_invitations_are_refused_and_counted() {
    let mut world = among(&[Cheat::ReplayInvitations; 3], 3);
    // one is accepted, one declined, one never answered
    world.call(0, 1);
    world.wait_told(6 * DIAL, 1, About::Request, 0);
    world.accept(1, 0);
    exchange(&mut world, 0, 1, 8 * DIAL);
    world.call(2, 3);
    world.wait_told(6 * DIAL, 3, About::Request, 2);
    world.decline(3, 2);
    world.forget(2, 3);
    world.call(4, 5);
    world.wait_told(6 * DIAL, 5, About::Request, 4);
    let before = world.refused_calls(3);
    world.run_rounds(30 * DIAL);
    println!("{} replays refused", world.refused_calls(3) - before);
    assert!(world.refused_calls(3) > before, "the cheats replayed it");
    for (caller, callee) in [(0, 1), (2, 3), (4, 5)] {
        assert_eq!(world.told(callee, About::Request, caller), 1, "told once");
    }
    assert_eq!(world.told(1, About::Answered, 0), 1);
    exchange(&mut world, 0, 1, 8 * DIAL);
    nothing_is_refused(&world);
}

#[test]
fn a_replay_of_an_old_call_is_stale_even_to_who_forgot_it() {
    let mut world = among(&[Cheat::ReplayInvitations], 4);
    world.call(0, 1);
    world.wait_told(4 * DIAL, 1, About::Request, 0);
    (0..6).for_each(|who| world.kill(who));
    world.kill_server();
    // 900 rounds are half an hour
    world.run(millis(40 * 60 * 1000));
    world.start_server();
    (1..6).for_each(|who| world.start(who));
    world.run_rounds(12 * DIAL);
    assert!(world.refused_calls(1) > 0, "the cheat replayed it");
    assert_eq!(world.told(1, About::Request, 0), 1, "not again after the restart");
    nothing_is_refused(&world);
}

#[test]
fn malformed_dials_are_cover_and_counted() {
    let mut world = talking(&Setup::new(5, 3));
    (0..3).for_each(|_| {
        world.add_cheat(Cheat::MalformedDials);
    });
    world.run_rounds(4 * DIAL);
    assert!(world.counts.malformed_dials >= 6, "{}", world.counts.malformed_dials);
    world.call(2, 0);
    world.wait_told(2 * DIAL + 1, 0, About::Request, 2);
    world.accept(0, 2);
    exchange(&mut world, 0, 2, 6 * DIAL);
    nothing_is_refused(&world);
}
