//! Directories that differ, names that change hands, accounts that go.

use client_core::api::{ErrorCode, Standing};
use client_core::identity::Identity;
use tests::sim::telling::About;
use tests::sim::world::seeded;
use tests::sim::{Setup, World};
use wire::directory::Record;

use crate::{DIAL, connect, exchange, talking, there};

/// A world in which this person sees a directory where somebody else has the keys of `name`'s place.
fn lied_to(seed: u64, who: usize, changed: usize) -> World {
    let mut world = World::new(&Setup::new(seed, 4));
    let mut records: Vec<Record> = world.people.iter().map(|it| *it.identity().record()).collect();
    let name = records[changed].name;
    records[changed] = *Identity::random(name, &mut seeded(seed, "impostor", &[])).record();
    world.service.show(who, records);
    world.start_all();
    world.run_rounds(3);
    world
}

#[test]
fn two_who_called_each_other_and_were_shown_different_directories_are_told_once_each() {
    let mut world = lied_to(1, 1, 3);
    world.expected = vec![ErrorCode::DirectoryForked];
    connect(&mut world, 0, 1);
    world.run_rounds(8);
    let told: Vec<_> = world.people.iter().map(|it| it.heard.errors.clone()).collect();
    let forked = vec![ErrorCode::DirectoryForked];
    assert_eq!(told, [forked.clone(), forked, vec![], vec![]]);
}

#[test]
fn a_caller_whose_name_has_other_keys_in_the_directory_that_is_shown_is_refused() {
    let mut world = lied_to(2, 1, 2);
    world.call(2, 1);
    world.run_rounds(4 * DIAL);
    assert_eq!(world.told(1, About::Request, 2), 0);
    assert!(world.refused_calls(1) > 0);
}

/// 0 talks to 1, whose number was compared; then 1 is away and 0 writes more. Returns the world and the text that must
/// not reach anybody else.
fn left_with_text(seed: u64) -> World {
    let mut world = talking(&Setup::new(seed, 3));
    world.verify(0, 1);
    world.kill(1);
    world.say(0, 1, "for the old key only");
    world.run_rounds(4);
    world
}

#[test]
fn a_name_that_changes_hands_stands_still_until_the_key_is_accepted() {
    for while_away in [false, true] {
        let mut world = left_with_text(3);
        world.expected = vec![ErrorCode::KeyChanged, ErrorCode::AccountGone];
        if while_away {
            world.kill(0);
        }
        world.delete_account(1);
        let name = world.people[1].name;
        let other = world.register_as(name);
        world.start(other);
        if while_away {
            world.start(0);
        }
        world.wait_told(4 * DIAL, 0, About::KeyChanged, 1);
        assert_eq!(world.people[0].heard.errors, [ErrorCode::KeyChanged]);
        assert_eq!(world.standing(0, 1), Some(Standing::KeyChanged));
        assert!(!world.people[0].heard.is_verified(name.as_str()), "the mark is gone");
        // nothing goes either way: not by writing, not by a call of the new one
        world.say(0, other, "not sent at all");
        world.call(other, 0);
        world.run_rounds(6 * DIAL);
        assert_eq!(world.told(0, About::Request, other), 0);
        assert!(world.refused_calls(0) > 0, "the new one called");
        assert_eq!(world.model.progress(0, other), (0, 0, 0));
        assert_eq!(world.told(other, About::Request, 0), 0);
        // the mark cannot be set, and a restart forgets nothing
        world.verify(0, 1);
        world.kill(0);
        world.start(0);
        world.wait_told(4 * DIAL, 0, About::KeyChanged, 1);
        assert_eq!(world.standing(0, 1), Some(Standing::KeyChanged));
        world.accept_key(0, other);
        let is_answered = |world: &World| world.told(0, About::Answered, other) > 1;
        world.wait(10 * DIAL, "the new key answers", is_answered);
        world.say(0, other, "for the new key");
        world.say(other, 0, "I am new here");
        let arrived = |world: &World| {
            world.model.progress(0, other).2 == 1 && world.model.progress(other, 0).2 == 1
        };
        world.wait(8 * DIAL, "both talk", arrived);
        world.run_rounds(20);
        assert_eq!(world.model.progress(0, 1), (2, 1, 1), "the old text went to nobody");
    }
}

#[test]
fn a_key_that_is_not_accepted_may_be_forgotten() {
    let mut world = left_with_text(4);
    world.expected = vec![ErrorCode::KeyChanged];
    world.delete_account(1);
    let other = world.register_as(world.people[1].name);
    world.start(other);
    world.wait_told(4 * DIAL, 0, About::KeyChanged, 1);
    world.forget(0, 1);
    world.run_rounds(4 * DIAL);
    assert_eq!(world.standing(0, 1), None);
    assert_eq!(world.told(other, About::Request, 0), 0);
    assert_eq!(world.model.progress(0, 1), (2, 1, 1));
}

#[test]
fn a_contact_whose_account_was_deleted_stands_still_and_says_so() {
    for while_away in [false, true] {
        let mut world = left_with_text(5);
        world.expected = vec![ErrorCode::AccountGone];
        if while_away {
            world.kill(0);
        }
        world.delete_account(1);
        if while_away {
            world.start(0);
        }
        world.wait_told(4 * DIAL, 0, About::KeyChanged, 1);
        assert_eq!(world.people[0].heard.errors, [ErrorCode::AccountGone]);
        assert_eq!(world.standing(0, 1), Some(Standing::KeyChanged));
        assert!(!world.people[0].heard.is_verified("person-1"));
        world.accept_key(0, 1);
        world.call(0, 1);
        world.say(0, 1, "nobody is there");
        assert_eq!(world.people[0].heard.errors, [ErrorCode::AccountGone; 4]);
        world.run_rounds(3 * DIAL);
        assert_eq!(world.standing(0, 1), Some(Standing::KeyChanged));
        // somebody takes the name: that is told too
        world.expected = vec![ErrorCode::KeyChanged];
        let other = world.register_as(world.people[1].name);
        world.wait_told(4 * DIAL, 0, About::KeyChanged, 1);
        world.start(other);
        world.accept_key(0, other);
        world.wait_told(6 * DIAL, other, About::Request, 0);
        world.accept(other, 0);
        world.wait(8 * DIAL, "they meet", |world| world.told(other, About::Answered, 0) == 1);
        assert_eq!(world.model.progress(0, 1), (2, 1, 1), "the old text went to nobody");
    }
}

#[test]
fn a_stranger_whose_account_was_deleted_is_of_no_interest() {
    let mut world = there(&Setup::new(6, 3));
    world.delete_account(2);
    world.run_rounds(3 * DIAL);
    connect(&mut world, 0, 1);
    exchange(&mut world, 0, 1, 10);
}
