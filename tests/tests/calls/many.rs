//! Many contacts over few slots.

use std::collections::BTreeSet;

use rand_core::RngCore;
use tests::sim::world::seeded;
use tests::sim::{Setup, World};

use crate::{DIAL, seeds, spread};

const CONTACTS: usize = 50;

/// Prints how long messages waited, in rounds, and returns that until the reader had them.
fn waits(world: &World, what: &str) -> (u64, u64, u64) {
    let times: Vec<_> = world.model.times().collect();
    let since = |round: fn(&tests::sim::model::Times) -> Option<wire::ids::Round>| {
        let waits =
            times.iter().map(|it| round(it).unwrap_or_default().0.saturating_sub(it.written.0));
        spread(waits.collect())
    };
    let (sent, kept, delivered) =
        (since(|it| it.sent), since(|it| it.kept), since(|it| it.delivered));
    println!(
        "{what}: {} messages; rounds until sent {sent:?}, there {kept:?}, delivered {delivered:?} (median, nine of \
         ten, longest)",
        times.len()
    );
    kept
}

/// One person with 50 contacts, all of whom have roots; random ones of them write to him, or he to them, so many
/// messages in all, each so many rounds after the one before.
fn popular(seed: u64, messages: usize, pause: u32) -> World {
    let mut world = World::new(&Setup::new(seed, CONTACTS + 1));
    (1..=CONTACTS).for_each(|peer| world.befriend(0, peer));
    let mut dice = seeded(seed, "dice", &[]);
    let peers: Vec<_> = (0..messages).map(|_| 1 + dice.next_u64() as usize % CONTACTS).collect();
    world.start(0);
    // who says and hears nothing may as well be away
    peers.iter().copied().collect::<BTreeSet<_>>().into_iter().for_each(|who| world.start(who));
    world.run_rounds(3);
    for (number, peer) in peers.into_iter().enumerate() {
        let (from, to) = if dice.next_u64().is_multiple_of(2) { (0, peer) } else { (peer, 0) };
        world.say(from, to, format!("{number}"));
        world.run_rounds(pause);
    }
    world
}

#[test]
fn one_of_fifty_contacts_is_reached_within_a_few_dial_rounds() {
    for seed in 0..seeds(1) {
        let mut world = popular(seed, 12, 8);
        world.run_until_delivered(60);
        let (median, most, longest) = waits(&world, "50 contacts, few hot");
        assert!(median <= 10 && most <= 16 && longest <= 25, "seed {seed}");
    }
}

#[test]
fn fifty_contacts_on_two_slots_each_get_every_message() {
    for seed in 0..seeds(1) {
        let mut world = popular(seed, 30, 1);
        world.run_until_delivered(400);
        let (median, _, longest) = waits(&world, "50 contacts, one message a round");
        assert!(median <= 45 && longest <= 150, "seed {seed}");
    }
}

#[test]
fn more_wake_ups_than_a_reply_holds_miss_nobody_for_long() {
    // 40 pairs begin to talk in the same dial round, of whose wake-ups a reply brings 15
    let mut world = World::new(&Setup::new(3, 80));
    (0..40).for_each(|pair| world.befriend(2 * pair, 2 * pair + 1));
    world.start_all();
    world.run_rounds(3);
    (0..40).for_each(|pair| world.say(2 * pair, 2 * pair + 1, "now"));
    world.run_until_delivered(12 * DIAL);
    let (_, _, longest) = waits(&world, "40 wake-ups at once");
    assert!(longest <= 6 * u64::from(DIAL));
}
