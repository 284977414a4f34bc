//! Calls, contacts, vault and directory in the simulator: the real mixer, room and client core on virtual time.
//!
//! The reference model checks every text of every test; what a test asserts comes on top.

mod cheats;
mod directory;
mod many;
mod observer;
mod refusing;
mod ringing;
mod vault;

use tests::sim::telling::About;
use tests::sim::{Setup, World};

/// Rounds from one dial round to the next.
const DIAL: u32 = 5;

/// A world in which everybody is in the rounds.
fn there(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.start_all();
    world.run_rounds(3);
    world
}

/// A world in which 0 called 1 and both talk already.
fn talking(setup: &Setup) -> World {
    let mut world = there(setup);
    connect(&mut world, 0, 1);
    world
}

/// One calls, the other accepts, and both say something.
fn connect(world: &mut World, one: usize, other: usize) {
    world.call(one, other);
    world.wait_told(3 * DIAL, other, About::Request, one);
    world.accept(other, one);
    exchange(world, one, other, 40);
}

/// Both say something, which arrives within so many rounds.
fn exchange(world: &mut World, one: usize, other: usize, most: u32) -> u32 {
    world.say(one, other, "from the one");
    world.say(other, one, "from the other");
    world.run_until_delivered(most)
}

/// Returns median, nine of ten and the longest.
fn spread(mut values: Vec<u64>) -> (u64, u64, u64) {
    values.sort_unstable();
    let last = values.len() - 1;
    (values[last / 2], values[last * 9 / 10], values[last])
}

/// How many seeds a test of chance takes: `IIRS_SIM_SEEDS` for a long search, else few.
fn seeds(few: u64) -> u64 {
    std::env::var("IIRS_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}
