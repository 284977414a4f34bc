//! What the wire tells of calls and contacts: nothing.

use tests::sim::observer::Observer;
use tests::sim::telling::About;
use tests::sim::{Leak, Setup, Weather, World};

use crate::DIAL;

/// What the people of a world do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    /// They know nobody.
    Alone,
    /// 0 has so many contacts, who say nothing.
    Contacts(usize),
    /// 0 calls 1, who does not answer.
    Rings,
    /// 0 calls 1, who accepts; they compare numbers and write.
    Accepts,
    /// 0 calls 1, who declines.
    Declines,
    /// 0 calls 1, who blocks; 2 blocks somebody who did not call.
    Blocks,
    /// 0 wakes many contacts at once.
    Wakes,
}

const ALL: [Life; 8] = [
    Life::Contacts(1),
    Life::Contacts(20),
    Life::Rings,
    Life::Accepts,
    Life::Declines,
    Life::Blocks,
    Life::Wakes,
    Life::Alone,
];

/// People who are there, and more who have accounts.
const THERE: usize = 6;
const PEOPLE: usize = 22;

/// Returns what an observer sees of the same people for some 20 rounds, through a lost connection and a restart of
/// the server.
fn observed(life: Life, weather: Weather, leak: Option<Leak>) -> Observer {
    let mut world = World::new(&Setup { weather, ..Setup::new(1, PEOPLE) });
    world.people[0].leak = leak;
    let contacts = match life {
        Life::Contacts(contacts) => contacts,
        Life::Wakes => 20,
        _ => 0,
    };
    (0..contacts).for_each(|peer| world.befriend(0, peer + 1));
    (0..THERE).for_each(|who| world.start(who));
    for round in 0..26 {
        match (round, life) {
            (2, Life::Rings | Life::Accepts | Life::Declines | Life::Blocks) => world.call(0, 1),
            (3, Life::Blocks) => world.block(2, 3),
            (3, Life::Wakes) => {
                (1..THERE).for_each(|peer| world.say(0, peer, format!("{peer}")));
            }
            (12.., Life::Accepts) => {
                if world.told(1, About::Answered, 0) == 0 {
                    if world.told(1, About::Request, 0) == 1 && world.standing(1, 0).is_none() {
                        world.accept(1, 0);
                    }
                } else {
                    world.say(1, 0, format!("{round}"));
                    world.verify(1, 0);
                }
            }
            (14, Life::Declines) => world.decline(1, 0),
            (14, Life::Blocks) => world.block(1, 0),
            _ => (),
        }
        match round {
            15 => world.disconnect(0),
            18 => world.kill_server(),
            19 => world.start_server(),
            _ => (),
        }
        world.run_rounds(1);
    }
    if leak.is_none() && weather.late_percent == 0 {
        happened(&world, life);
    }
    world.observer
}

/// Checks that the life was lived, so that there was something to see.
fn happened(world: &World, life: Life) {
    let rings = matches!(life, Life::Rings | Life::Accepts | Life::Declines | Life::Blocks);
    assert_eq!(world.told(1, About::Request, 0) > 0, rings, "{life:?}");
    assert_eq!(world.told(0, About::Answered, 1) > 0, life == Life::Accepts, "{life:?}");
    assert_eq!(
        world.refused_calls(1) > 0,
        matches!(life, Life::Declines | Life::Blocks),
        "{life:?}"
    );
    let arrived = (1..PEOPLE).filter(|&peer| world.model.progress(0, peer).1 > 0).count();
    assert_eq!(arrived > 1, life == Life::Wakes, "{life:?}: {arrived}");
    assert_eq!(world.people[1].heard.is_verified("person-0"), life == Life::Accepts);
}

#[test]
fn indistinguishable_whom_people_know_call_and_wake() {
    let alone = observed(Life::Alone, Weather::FAIR, None);
    assert!(alone.sights.len() > THERE * 18 * 2, "there was something to see");
    for life in ALL {
        assert_eq!(alone.difference(&observed(life, Weather::FAIR, None)), None, "{life:?}");
    }
}

#[test]
fn indistinguishable_in_foul_weather() {
    let alone = observed(Life::Alone, Weather::FOUL, None);
    for life in [Life::Accepts, Life::Wakes] {
        assert_eq!(alone.difference(&observed(life, Weather::FOUL, None)), None, "{life:?}");
    }
}

#[test]
fn indistinguishable_whether_the_vault_changed() {
    // long enough for each to have written its vault once
    let observed = |changes: bool| {
        let mut world = World::new(&Setup::new(2, 3));
        world.start_all();
        for round in 0..32 * DIAL {
            if changes && round % 40 == 3 {
                world.block(0, 1);
                world.run_rounds(1);
                world.unblock(0, 1);
            } else {
                world.run_rounds(1);
            }
        }
        assert!(world.people[0].heard.vault > 0, "it was written");
        world.observer
    };
    assert_eq!(observed(false).difference(&observed(true)), None);
}

#[test]
fn indistinguishable_notices_a_dial_that_is_late_by_a_millisecond() {
    let leak = Some(Leak::LateDial);
    let alone = observed(Life::Alone, Weather::FAIR, leak);
    assert_eq!(alone.difference(&observed(Life::Alone, Weather::FAIR, None)), None);
    assert_ne!(alone.difference(&observed(Life::Rings, Weather::FAIR, leak)), None);
    assert_ne!(alone.difference(&observed(Life::Wakes, Weather::FAIR, leak)), None);
}

#[test]
fn indistinguishable_notices_a_vault_that_is_written_because_it_changed() {
    let leak = Some(Leak::EagerVault);
    let alone = observed(Life::Alone, Weather::FAIR, leak);
    assert_ne!(alone.difference(&observed(Life::Rings, Weather::FAIR, leak)), None);
}
