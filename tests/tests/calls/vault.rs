//! Contacts, marks and blocks on another machine, and vaults that a server tampers with.

use client_core::api::{ErrorCode, Standing};
use tests::sim::telling::About;
use tests::sim::world::millis;
use tests::sim::{Setup, World};

use crate::{DIAL, exchange};

/// Rounds in which everybody has written the vault, and had it answered.
const CYCLE: u32 = 32 * DIAL;

/// 0, who is there alone, has called 1 and 2, compared numbers with 1 and blocked 3, and all that is in the vault.
fn kept(seed: u64) -> World {
    let mut world = World::new(&Setup::new(seed, 4));
    for peer in [1, 2] {
        world.befriend(0, peer);
    }
    world.start(0);
    world.run_rounds(2);
    world.verify(0, 1);
    world.block(0, 3);
    stored(&mut world);
    world
}

/// Waits until what 0 has is at the server: of a write that began before, the next one.
fn stored(world: &mut World) {
    for _ in 0..2 {
        let before = world.people[0].heard.vault;
        let is_newer = |world: &World| world.people[0].heard.vault > before;
        world.wait(CYCLE, "the vault is stored", is_newer);
    }
}

/// Checks that a machine of 0 has everything that was kept.
fn has_all(world: &World, machine: usize) {
    let verified = |peer| world.people[machine].heard.is_verified(&format!("person-{peer}"));
    assert!(verified(1) && !verified(2));
    for peer in [1, 2] {
        assert!(matches!(
            world.standing(machine, peer),
            Some(Standing::Calling | Standing::Contact)
        ));
    }
    assert_eq!(world.standing(machine, 3), Some(Standing::Blocked));
    assert_eq!(world.people[machine].heard.contacts.len(), 3);
}

#[test]
fn another_machine_finds_everybody_and_calls_them_again() {
    let mut world = kept(1);
    world.kill(0);
    (1..4).for_each(|who| world.start(who));
    let machine = world.add_machine(0);
    world.start(machine);
    world.run_rounds(2);
    has_all(&world, machine);
    for peer in [1, 2] {
        let is_answered = |world: &World| world.told(machine, About::Answered, peer) > 0;
        world.wait(8 * DIAL, "the machine calls anew", is_answered);
        assert_eq!(world.told(peer, About::Request, 0), 0, "a contact is not asked");
    }
    exchange(&mut world, machine, 1, 8 * DIAL);
    exchange(&mut world, machine, 2, 8 * DIAL);
    world.call(3, 0);
    world.wait(6 * DIAL, "the block holds", |world| world.refused_calls(machine) > 0);
    assert_eq!(world.told(machine, About::Request, 3), 0);
}

/// When 0's vault comes to the server for the second time, to 10 ms.
fn second_write(seed: u64) -> u64 {
    let mut world = racing(seed);
    let account = world.account(0);
    let mut at = 0;
    loop {
        world.run(millis(10));
        at += 10;
        if world.service.vault(account).is_some_and(|(version, _)| *version == 2) {
            return at;
        }
    }
}

/// 0 has a vault, and then blocks 2.
fn racing(seed: u64) -> World {
    let mut world = World::new(&Setup::new(seed, 4));
    world.befriend(0, 1);
    world.start(0);
    world.wait(CYCLE, "the vault is stored", |world| world.people[0].heard.vault == 1);
    world.block(0, 2);
    world
}

#[test]
fn two_sessions_that_race_have_the_changes_of_both_in_the_end() {
    // the second one fetches the vault before the first one's last write, and joins after it
    let mut conflicts = 0;
    let write = second_write(2);
    for early_ms in [150, 400, 550, 700] {
        let mut world = racing(2);
        world.run(millis(write - early_ms));
        let machine = world.add_machine(0);
        world.start(machine);
        world.run_rounds(2);
        assert!(world.people[0].process.is_none(), "the newer session has the seat");
        let missed = world.standing(machine, 2).is_none();
        conflicts += usize::from(missed);
        let has_both = |world: &World| {
            let blocked = |peer| world.standing(machine, peer) == Some(Standing::Blocked);
            blocked(2) && blocked(3)
        };
        world.block(machine, 3);
        world.wait(CYCLE + 6 * DIAL, "both blocks are here", has_both);
        let newer = |world: &World| world.people[machine].heard.vault > 2;
        world.wait(2 * CYCLE, "and at the server", newer);
        world.kill(machine);
        let third = world.add_machine(0);
        world.start(third);
        world.run_rounds(2);
        assert!(has_both(&world) && world.standing(third, 1).is_some());
        for peer in [2, 3] {
            assert_eq!(world.standing(third, peer), Some(Standing::Blocked));
        }
    }
    assert!(conflicts > 0, "no second session was between fetching and joining");
}

/// What a server shows instead of a vault.
type Lie = fn(&mut World, (u64, Vec<u8>));

fn put(world: &mut World, version: u64, vault: &[u8]) {
    let account = world.account(0);
    let vault = vault.to_vec().try_into().expect("a vault has its size");
    world.service.put_back(account, version, vault);
}

#[test]
fn a_vault_that_was_tampered_with_is_an_error_and_contacts_stay() {
    let lies: [(Lie, ErrorCode); 4] = [
        (
            |world, (version, mut vault)| {
                vault[1500] ^= 1;
                put(world, version, &vault);
            },
            ErrorCode::VaultDamaged,
        ),
        // somebody else's
        (
            |world, (version, _)| {
                let other = world.account(1);
                let other = world.service.vault(other).expect("it was stored").1.to_vec();
                put(world, version, &other);
            },
            ErrorCode::VaultDamaged,
        ),
        // none at all
        (|world, _| put(world, 0, &[0; 3072]), ErrorCode::VaultRolledBack),
        // an old one that says it is the last one
        (|world, (version, vault)| put(world, version - 1, &vault), ErrorCode::VaultRolledBack),
    ];
    let mut world = kept(3);
    world.start(1);
    world.wait(CYCLE, "another vault is stored", |world| world.people[1].heard.vault > 0);
    world.kill(1);
    for (lie, error) in lies {
        let account = world.account(0);
        let (version, vault) = world.service.vault(account).expect("it was stored").clone();
        world.kill(0);
        lie(&mut world, (version, vault.to_vec()));
        world.expected = vec![error];
        world.people[0].heard.errors.clear();
        world.start(0);
        world.run_rounds(2);
        world.expected.clear();
        assert_eq!(world.people[0].heard.errors, [error]);
        has_all(&world, 0);
        let is_newer = move |world: &World| {
            world.service.vault(account).is_some_and(|(now, _)| *now > version)
        };
        world.wait(CYCLE, "what is here is stored again, as a newer version", is_newer);
        world.run_rounds(1);
    }
    // and it is whole again
    world.kill(0);
    let machine = world.add_machine(0);
    world.start(machine);
    world.run_rounds(2);
    has_all(&world, machine);
}

#[test]
fn a_vault_of_a_newer_version_that_does_not_open_is_left_as_it_is() {
    let mut world = kept(5);
    let account = world.account(0);
    let (version, mut vault) = world.service.vault(account).expect("it was stored").clone();
    world.kill(0);
    vault[7] ^= 1;
    world.service.put_back(account, version + 5, vault.clone());
    world.expected = vec![ErrorCode::VaultDamaged];
    world.start(0);
    world.run_rounds(2);
    assert_eq!(world.people[0].heard.errors, [ErrorCode::VaultDamaged]);
    has_all(&world, 0);
    world.run_rounds(CYCLE);
    assert!(
        world.service.vault(account) == Some(&(version + 5, vault)),
        "it may be another machine's"
    );
}

#[test]
fn an_old_copy_that_is_put_back_is_noticed_and_replaced() {
    let mut world = kept(4);
    let account = world.account(0);
    let (version, old) = world.service.vault(account).expect("it was stored").clone();
    world.unblock(0, 3);
    stored(&mut world);
    world.kill(0);
    world.service.put_back(account, version, old);
    world.expected = vec![ErrorCode::VaultRolledBack];
    world.start(0);
    world.run_rounds(2);
    assert_eq!(world.people[0].heard.errors, [ErrorCode::VaultRolledBack]);
    assert_eq!(world.standing(0, 3), None, "the old block does not come back");
    let newest = world.people[0].heard.vault;
    world.wait(CYCLE, "a version above all that was seen", |world| {
        world.service.vault(account).is_some_and(|(now, _)| *now > newest)
    });
}
