//! A script of chance: people write, connections break, clients and the server are killed, at any moment.

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::network::Weather;
use super::texts;
use super::world::{Setup, World, between, millis, seeded};

/// What goes wrong, each in events of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Somebody's connection breaks.
    pub disconnect: u64,
    /// Somebody's client is killed.
    pub kill: u64,
    /// The server is killed.
    pub kill_server: u64,
    /// Somebody closes a conversation, and opens it again later.
    pub close: u64,
}

impl Faults {
    /// Everything goes wrong.
    pub const ALL: Self = Self { disconnect: 60, kill: 60, kill_server: 15, close: 40 };
}

/// Rounds after which everything must have arrived, once nothing goes wrong any more.
const HEALED: u32 = 400;

/// Runs a world of chance for so many rounds, then lets it heal and checks that everything arrived.
pub fn chaos(setup: &Setup, faults: Faults, rounds: u64) -> World {
    let mut world = World::new(setup);
    let mut dice = seeded(setup.seed, "chaos", &[]);
    for one in 0..setup.people {
        (one + 1..setup.people).for_each(|other| world.open(one, other));
    }
    world.start_all();
    while world.rounds < rounds {
        world.run(millis(between((50, 900), &mut dice)));
        event(&mut world, faults, &mut dice);
        if dice.next_u64().is_multiple_of(4) {
            recover(&mut world, &mut dice);
        }
    }
    world.network.weather = Weather::FAIR;
    world.start_server();
    for who in 0..setup.people {
        if world.people[who].process.is_none() {
            world.start(who);
        }
        (0..setup.people).filter(|&peer| peer != who).for_each(|peer| world.open_one(who, peer));
    }
    world.run_until_delivered(HEALED);
    world
}

fn event(world: &mut World, faults: Faults, dice: &mut ChaCha20Rng) {
    let people = world.people.len() as u64;
    let who = (dice.next_u64() % people) as usize;
    let peer = (who + 1 + (dice.next_u64() % (people - 1)) as usize) % world.people.len();
    let mut happens = |per_mille: u64| dice.next_u64() % 1000 < per_mille;
    if happens(faults.disconnect) {
        world.disconnect(who);
    }
    if happens(faults.kill) {
        world.kill(who);
    }
    if happens(faults.kill_server) {
        world.kill_server();
    }
    if happens(faults.close) && world.people[who].opens.contains(&peer) {
        world.close_one(who, peer);
        if happens(500) {
            world.open_one(who, peer);
        }
    }
    if happens(200) && world.people[who].opens.contains(&peer) {
        let text = text(dice);
        world.say(who, peer, text);
    }
}

/// Somebody who was killed, or closed a conversation, comes back; so does the server.
fn recover(world: &mut World, dice: &mut ChaCha20Rng) {
    world.start_server();
    let who = (dice.next_u64() % world.people.len() as u64) as usize;
    if world.people[who].process.is_none() {
        world.start(who);
    }
    for peer in (0..world.people.len()).filter(|&peer| peer != who) {
        world.open_one(who, peer);
    }
}

fn text(dice: &mut ChaCha20Rng) -> String {
    match dice.next_u64() % 10 {
        0 => texts::of_bytes(between((1000, 4000), &mut *dice) as usize, dice),
        1..4 => texts::of_bytes(between((1, 600), &mut *dice) as usize, dice),
        _ => texts::MANY_SCRIPTS[dice.next_u64() as usize % texts::MANY_SCRIPTS.len()].to_owned(),
    }
}
