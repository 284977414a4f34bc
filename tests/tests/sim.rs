//! Whole-system tests on virtual time: the real mixer, room and client core in a world of one seed.
//!
//! The reference model checks every step of every test; what a test asserts comes on top.

use client_core::api::{Command, ErrorCode};
use client_core::identity::Identity;
use tests::sim::observer::Observer;
use tests::sim::world::{millis, seeded};
use tests::sim::{Cheat, Faults, Leak, Setup, Weather, World, chaos, texts};
use wire::directory::Record;
use wire::ids::Round;
use wire::size::TEXT_MAX;

/// A world in which two people have opened each other and talk already.
fn talking(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.open(0, 1);
    world.start_all();
    world.say(0, 1, "first");
    world.say(1, 0, "second");
    world.run_until_delivered(20);
    world
}

/// How many seeds a test of chance takes: `IIRS_SIM_SEEDS` for a long search, else few.
fn seeds(few: u64) -> u64 {
    std::env::var("IIRS_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

/// Both say something in each of so many rounds.
fn talk(world: &mut World, rounds: usize) {
    for round in 0..rounds {
        world.say(0, 1, format!("{round} from 0 🌙"));
        world.say(1, 0, format!("{round} from 1"));
        world.run_rounds(1);
    }
}

#[test]
fn without_faults_the_first_word_takes_few_rounds() {
    let world = talking(&Setup::new(1, 2));
    assert!(world.rounds <= 8, "{} rounds", world.rounds);
    assert_eq!(world.people[0].process.as_ref().map(|it| it.missed), Some(0));
}

#[test]
fn everything_arrives_once_and_in_order_whatever_breaks() {
    for seed in 0..seeds(8) {
        let setup = Setup { weather: Weather::FOUL, ..Setup::new(seed, 3) };
        let world = chaos(&setup, Faults::ALL, 70);
        assert!(world.model.count() > 10, "seed {seed} said little");
        println!("seed {seed}: {} rounds, {} messages", world.rounds, world.model.count());
    }
}

#[test]
fn everything_arrives_through_late_frames_alone() {
    for seed in 0..seeds(4) {
        let setup = Setup { weather: Weather::FOUL, slots: 1, ..Setup::new(1000 + seed, 2) };
        let world = chaos(&setup, Faults::default(), 80);
        assert!(world.late > 0, "seed {seed}: no deposit was late");
    }
}

#[test]
fn who_is_at_the_other_side_of_the_earth_deposits_in_time() {
    for seed in 0..seeds(4) {
        let mut world = talking(&Setup { weather: Weather::FAR, ..Setup::new(seed, 2) });
        talk(&mut world, 40);
        world.run_until_delivered(100);
        assert_eq!(world.late, 0, "seed {seed}");

        // who was near when the stream was joined does not leave that time
        let mut world = talking(&Setup::new(seed, 2));
        world.network.weather = Weather::FAR;
        talk(&mut world, 40);
        world.run_until_delivered(100);
        assert!(world.late > 0, "seed {seed}: the way makes no difference");
    }
}

#[test]
fn slow_disks_delay_acknowledgements_and_lose_nothing() {
    for seed in 0..seeds(4) {
        let setup = Setup { disk_ms: (1, 9000), slots: 1, ..Setup::new(2000 + seed, 2) };
        let faults = Faults { kill: 80, close: 60, ..Faults::default() };
        chaos(&setup, faults, 80);
    }
}

#[test]
fn a_server_killed_again_and_again_loses_nothing() {
    let mut world = talking(&Setup { slots: 1, ..Setup::new(3, 2) });
    let before = world.round;
    for _ in 0..6 {
        talk(&mut world, 3);
        world.kill_server();
        talk(&mut world, 1);
        world.start_server();
    }
    world.run_until_delivered(60);
    // a long outage: the numbers jump after the clock
    world.kill_server();
    world.run(millis(300_000));
    world.start_server();
    talk(&mut world, 2);
    world.run_until_delivered(30);
    assert!(world.round.0 > before.0 + 150);
}

#[test]
fn a_world_is_the_same_again_from_the_same_seed() {
    let run = || chaos(&Setup { slots: 1, ..Setup::new(4, 2) }, Faults::ALL, 25);
    assert_eq!(run().observer.difference(&run().observer), None);
}

#[test]
fn five_conversations_over_two_slots_starve_nobody() {
    let mut world = World::new(&Setup::new(5, 6));
    (1..6).for_each(|peer| world.open(0, peer));
    world.start_all();
    for peer in 1..6 {
        (0..3).for_each(|number| world.say(0, peer, format!("{number} to {peer}")));
        (0..3).for_each(|number| world.say(peer, 0, format!("{number} from {peer}")));
    }
    let rounds = world.run_until_delivered(90);
    println!("{rounds} rounds");
}

#[test]
fn four_people_who_all_talk_to_each_other_starve_nobody() {
    let mut world = World::new(&Setup::new(6, 4));
    let pairs = (0..4).flat_map(|one| (0..4).map(move |other| (one, other)));
    let pairs: Vec<_> = pairs.filter(|(one, other)| one != other).collect();
    pairs.iter().for_each(|&(one, other)| world.open_one(one, other));
    world.start_all();
    for &(one, other) in &pairs {
        world.say(one, other, format!("{one} to {other}"));
    }
    world.run_until_delivered(90);
}

#[test]
fn texts_of_every_size_arrive_byte_for_byte() {
    let mut world = talking(&Setup { slots: 1, ..Setup::new(7, 2) });
    let mut rng = seeded(7, "texts", &[]);
    let edges = [1, 2, 3, 283, 284, 285, 291, 292, 293, 575, 576, 577, 868, 5000, TEXT_MAX - 1];
    for bytes in edges {
        let text = texts::of_bytes(bytes, &mut rng);
        assert_eq!(text.len(), bytes);
        world.say(0, 1, text);
    }
    world.say(1, 0, texts::of_bytes(TEXT_MAX, &mut rng));
    // the only slot dials in every fifth round
    world.run_until_delivered(120 * 5 / 4);
}

#[test]
fn somebody_who_registers_later_is_found_and_reached() {
    let mut world = World::new(&Setup { slots: 1, ..Setup::new(8, 1) });
    world.start_all();
    world.run_rounds(7);
    let newcomers: Vec<_> = (0..14).map(|_| world.register()).collect();
    let newcomer = newcomers[13];
    world.open(0, newcomer);
    world.say(0, newcomer, "waits for the directory");
    world.start(newcomer);
    world.run_until_delivered(40);
}

#[test]
fn the_directory_grows_through_frames_that_come_many_rounds_late() {
    let mut again = 0;
    for seed in 0..seeds(6) {
        let weather = Weather { late_percent: 70, late_ms: (4000, 9000), ..Weather::FOUL };
        let mut world = World::new(&Setup { weather, slots: 1, ..Setup::new(3000 + seed, 1) });
        world.start_all();
        for _ in 0..8 {
            world.register();
            world.run_rounds(5);
        }
        again += world.people[0].process.as_ref().map_or(0, |process| process.pages_again);
    }
    assert!(again > 0, "no page was asked for twice");
}

#[test]
fn draining_leaves_when_everything_is_delivered() {
    let mut world = talking(&Setup { slots: 1, ..Setup::new(9, 2) });
    world.say(0, 1, texts::of_bytes(2000, &mut seeded(9, "texts", &[])));
    world.command(0, Command::Drain { linger: false });
    world.run_until_delivered(30);
    world.run_rounds(1);
    assert!(world.people[0].process.is_none(), "the client has left");
    world.command(1, Command::Drain { linger: true });
    world.run_rounds(29);
    assert!(world.people[1].process.is_some(), "leaving at once would tell");
    world.run_rounds(120 - 29 + 1);
    assert!(world.people[1].process.is_none());
}

#[test]
fn closing_and_opening_again_while_the_disk_is_busy_loses_and_doubles_nothing() {
    let mut world = talking(&Setup { disk_ms: (6000, 9000), slots: 1, ..Setup::new(10, 2) });
    for number in 0..4 {
        world.say(0, 1, format!("{number} goes"));
        world.run_rounds(6);
        world.say(0, 1, format!("{number} waits"));
        for who in [0, 1] {
            world.close_one(who, 1 - who);
            world.open_one(who, 1 - who);
        }
        world.run_rounds(3);
    }
    world.run_until_delivered(60);
}

#[test]
fn closing_before_the_directory_is_there_keeps_what_was_sent() {
    let mut world = World::new(&Setup { slots: 1, ..Setup::new(12, 2) });
    world.start_all();
    world.open(0, 1);
    world.say(0, 1, "held until the name is found");
    world.close_one(0, 1);
    world.run_rounds(10);
    assert_eq!(world.model.progress(0, 1), (1, 0, 0), "it is kept, and nobody meets");
    world.open_one(0, 1);
    world.run_until_delivered(20);
}

#[test]
fn clients_refuse_a_server_that_was_put_back_to_an_old_copy() {
    let mut world = talking(&Setup { slots: 1, ..Setup::new(11, 2) });
    talk(&mut world, 4);
    world.run_until_delivered(10);
    let (used, answered) = (world.round, world.people[0].answered);
    world.kill_server();
    world.run(millis(3000));
    world.start_server_at(Round(used.0 - 6));
    world.say(0, 1, "not before the numbers are above what was used");
    world.run_rounds(4);
    assert!(world.people.iter().all(|person| person.refused > 0));
    assert_eq!(world.people[0].answered, answered, "nothing went into a used round");
    world.run_until_delivered(30);
    assert!(world.round > used);
}

/// Runs an honest pair beside a cheat who joined first and so has the first seat.
fn beside(cheat: Cheat, seed: u64) -> World {
    let mut world = World::new(&Setup::new(seed, 2));
    world.add_cheat(cheat);
    world.run_rounds(2);
    world.open(0, 1);
    world.start_all();
    talk(&mut world, 12);
    world.run_until_delivered(100);
    world
}

#[test]
fn cheats_close_their_own_connection_only() {
    for (seed, cheat) in [Cheat::Doubled, Cheat::Future, Cheat::Malformed].into_iter().enumerate() {
        let world = beside(cheat, 20 + seed as u64);
        assert!(world.closed > 0 && world.cheats[0].sent > 0, "{cheat:?} did not cheat");
        assert!(missed_nothing(&world), "{cheat:?} cost honest people a round");
    }
}

#[test]
fn deposits_for_closed_rounds_are_dropped_and_counted() {
    let world = beside(Cheat::Old, 25);
    assert!(world.late > 5 && world.closed == 0);
    assert!(missed_nothing(&world));
}

#[test]
fn a_third_at_a_dead_drop_costs_that_round_and_shows_nothing() {
    for seed in [30, 31] {
        let world = beside(Cheat::Crowd(0), seed);
        assert!(world.counts.crowded > 5, "the cheat found the dead drops");
    }
}

#[test]
fn all_cheats_at_once_stop_nobody() {
    let mut world = World::new(&Setup::new(40, 3));
    let cheats = [
        Cheat::Doubled,
        Cheat::Old,
        Cheat::Future,
        Cheat::Garbage,
        Cheat::Malformed,
        Cheat::Silent,
        Cheat::Crowd(0),
        Cheat::ReplayFrames(1),
        Cheat::ReplayCells { of: 0, at: 1 },
        Cheat::ReplayCells { of: 1, at: 1 },
    ];
    for cheat in cheats {
        world.add_cheat(cheat);
    }
    world.open(0, 1);
    world.open(1, 2);
    world.start_all();
    talk(&mut world, 8);
    (0..5).for_each(|number| world.say(2, 1, format!("{number} from 2")));
    world.run_until_delivered(250);
}

fn missed_nothing(world: &World) -> bool {
    world.people.iter().all(|person| person.process.as_ref().is_some_and(|it| it.missed == 0))
}

// Faults of the original, by name.

#[test]
fn seed_fault_an_invalid_drop_shifts_no_replies() {
    let world = beside(Cheat::Garbage, 50);
    assert!(world.counts.tampered > 10, "the invalid deposits were in the rounds");
    assert!(missed_nothing(&world), "a reply went to the wrong person");
}

#[test]
fn seed_fault_a_silent_client_breaks_no_delivery() {
    let world = beside(Cheat::Silent, 51);
    assert!(world.counts.missing > 10, "the silent client was in the rounds");
    assert!(missed_nothing(&world));
}

#[test]
fn seed_fault_one_lost_round_does_not_end_a_conversation() {
    for who in [0, 1] {
        let mut world = talking(&Setup { slots: 1, ..Setup::new(52, 2) });
        let until = world.rounds + 1;
        world.say(0, 1, "in the round that is lost");
        world.disconnect(who);
        world.run_until_delivered(20);
        assert!(world.rounds > until);
        talk(&mut world, 5);
        world.run_until_delivered(20);
    }
}

#[test]
fn seed_fault_text_outside_ascii_is_not_cut() {
    let mut world = talking(&Setup { slots: 1, ..Setup::new(53, 2) });
    for text in texts::MANY_SCRIPTS {
        world.say(0, 1, text);
        world.say(1, 0, text.repeat(300 / text.len() + 1));
    }
    world.run_until_delivered(120);
}

#[test]
fn seed_fault_a_replayed_message_is_not_shown_again() {
    // cells of the other side, and one's own cells back
    for (seed, of) in [(54, 1), (55, 0)] {
        let mut world = talking(&Setup { slots: 1, ..Setup::new(seed, 2) });
        world.add_cheat(Cheat::ReplayCells { of, at: 0 });
        talk(&mut world, 8);
        let crowded = world.counts.crowded;
        assert!(crowded > 2, "the cheat found the dead drops: {crowded}");
        // with the other side away, the cheat's old cell is the only one there
        world.kill(1);
        world.run_rounds(8);
        assert!(world.counts.pairs > 0);
        world.start(1);
        world.run_until_delivered(60);
    }
}

#[test]
fn seed_fault_replayed_frames_open_nothing() {
    let world = beside(Cheat::ReplayFrames(0), 56);
    assert!(world.counts.tampered > 10, "the frames were in the rounds");
    assert!(missed_nothing(&world));
}

#[test]
fn seed_fault_a_round_waits_for_nobody_and_takes_all_messages() {
    let mut world = World::new(&Setup { slots: 1, ..Setup::new(57, 2) });
    world.open(0, 1);
    world.start(0);
    (0..5).for_each(|number| world.say(0, 1, format!("{number}")));
    world.run_rounds(10);
    assert!(world.people[0].answered >= 8, "rounds go on for one person alone");
    world.start(1);
    world.run_until_delivered(40);
}

// What the wire tells.

/// What the people of a world do.
#[derive(Clone, Copy, PartialEq)]
enum Life {
    /// Nobody opens anything.
    Alone,
    /// Two people have opened each other and say nothing.
    Opened,
    /// They talk.
    Words,
    /// One sends a long message.
    Long,
}

/// Returns what an observer sees of three people, two of whom may talk, through a lost connection and a
/// restart of the server.
fn observed(life: Life, weather: Weather, leak: Option<Leak>) -> Observer {
    let mut world = World::new(&Setup { weather, ..Setup::new(60, 3) });
    world.people[0].leak = leak;
    if life != Life::Alone {
        world.open(0, 1);
    }
    world.start_all();
    for round in 0..32 {
        match life {
            Life::Words => {
                world.say(0, 1, format!("{round}"));
                world.say(1, 0, "yes");
                if round == 6 {
                    world.close_one(0, 1);
                    world.open_one(0, 1);
                }
            }
            Life::Long if round == 3 => world.say(0, 1, "long ".repeat(3000)),
            Life::Alone | Life::Opened | Life::Long => (),
        }
        match round {
            8 => world.disconnect(0),
            14 => world.kill_server(),
            16 => world.start_server(),
            _ => (),
        }
        world.run_rounds(1);
    }
    let (_, arrived, _) = world.model.progress(0, 1);
    assert!(life != Life::Words || leak == Some(Leak::ExtraControl) || arrived > 2, "they talk");
    assert_eq!(world.model.count() > 0, matches!(life, Life::Words | Life::Long));
    assert!(world.observer.sights.len() > 3 * 18 * 2, "there was something to see");
    world.observer
}

#[test]
fn indistinguishable_whether_people_talk() {
    for weather in [Weather::FAIR, Weather::FOUL] {
        let alone = observed(Life::Alone, weather, None);
        for life in [Life::Opened, Life::Words, Life::Long] {
            assert_eq!(alone.difference(&observed(life, weather, None)), None);
        }
    }
}

#[test]
fn indistinguishable_whether_the_directory_grows() {
    let observed = |newcomers: usize| {
        let mut world = World::new(&Setup::new(61, 2));
        world.start_all();
        world.run_rounds(3);
        for _ in 0..newcomers {
            world.register();
        }
        world.run_rounds(14);
        world.observer
    };
    assert_eq!(observed(0).difference(&observed(20)), None);
}

#[test]
fn indistinguishable_notices_a_deposit_that_is_late_by_a_millisecond() {
    let leak = Some(Leak::LateDeposit);
    let idle = observed(Life::Opened, Weather::FAIR, leak);
    assert_eq!(idle.difference(&observed(Life::Opened, Weather::FAIR, None)), None);
    assert_ne!(idle.difference(&observed(Life::Words, Weather::FAIR, leak)), None);
}

#[test]
fn indistinguishable_notices_one_more_control_frame() {
    let leak = Some(Leak::ExtraControl);
    let idle = observed(Life::Opened, Weather::FAIR, leak);
    assert_ne!(idle.difference(&observed(Life::Words, Weather::FAIR, leak)), None);
}

/// Three people, of whom 0 and 1 talk, and 1 sees the directory that `change` makes; returns what 0, 1 and
/// 2 are told.
fn told_if(change: fn(&mut Vec<Record>)) -> Vec<Vec<ErrorCode>> {
    let mut world = World::new(&Setup::new(70, 3));
    world.expected = vec![ErrorCode::DirectoryForked];
    let mut records: Vec<_> = world.people.iter().map(|it| *it.identity().record()).collect();
    change(&mut records);
    world.service.show(1, records);
    world.open(0, 1);
    world.start_all();
    world.say(0, 1, "first");
    world.run_until_delivered(20);
    world.run_rounds(8);
    world.say(1, 0, "we still talk");
    world.run_until_delivered(20);
    world.people.into_iter().map(|person| person.heard.errors).collect()
}

/// Somebody else's keys for a name.
fn impostor(name: &str) -> Record {
    let name = name.parse().expect("it is a name");
    *Identity::random(name, &mut seeded(70, "impostor", &[])).record()
}

#[test]
fn two_people_who_were_shown_different_directories_are_told_once_each() {
    let told = told_if(|records| records[2] = impostor("person-2"));
    let forked = vec![ErrorCode::DirectoryForked];
    assert_eq!(told, [forked.clone(), forked, vec![]]);
}

#[test]
fn a_directory_that_is_only_behind_or_ahead_is_no_fork() {
    let nothing = vec![Vec::new(); 3];
    assert_eq!(told_if(|_| ()), nothing);
    assert_eq!(told_if(|records| records.truncate(2)), nothing);
    assert_eq!(told_if(|records| records.push(impostor("a-newcomer"))), nothing);
}

#[test]
fn an_older_fork_is_noticed_by_who_sees_further() {
    let told = told_if(|records| {
        records.swap(0, 2);
        records.push(impostor("a-newcomer"));
    });
    assert!(told[1].contains(&ErrorCode::DirectoryForked), "{told:?}");
}
