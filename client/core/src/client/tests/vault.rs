//! What the client makes of a vault that a server shows, keeps back or denies.

use wire::control::{ClientControl, ServerControl, VaultPut, VaultVersion};
use wire::ids::Name;

use super::*;
use crate::record::{Contact, Unsaved};
use crate::vault::{SealedVault, ShortIdentity, Vault, VaultEntry};

/// A client with these saved contacts that was shown ann's and bob's records, and a vault.
fn shown_vault(saved: Saved, version: u64, sealed: &SealedVault) -> Client {
    let mut client = shown(saved, &[record("ann", 1), record("bob", 2)]);
    client.handle_vault(version, sealed);
    client
}

pub(super) fn own_name() -> Name {
    "ann".parse().unwrap()
}

/// A vault in which bob is blocked, or is not.
fn sealed(version: u64, blocked: bool) -> SealedVault {
    let mut vault = Vault::new(version);
    let entry = VaultEntry { index: wire::ids::AccountIndex(1), verified: false, blocked };
    let bob = ShortIdentity::of(&record("bob", 2).identity());
    vault.insert(bob, entry).ok().unwrap();
    vault.seal(&vault_key(), &own_name(), &mut ChaCha20Rng::seed_from_u64(5))
}

pub(super) fn noise() -> SealedVault {
    SealedVault::from_parts(&[[7; 1024]; 3])
}

/// Does everything that waits for the disk; returns what was told meanwhile to have gone wrong.
pub(super) fn kept(client: &mut Client) -> Vec<ErrorCode> {
    let (mut batches, mut errors) = (Vec::new(), Vec::new());
    while let Some(output) = client.poll_output() {
        match output {
            Output::Keep(batch, _) => batches.push(batch),
            Output::Event(Event::Error { code, .. }) => errors.push(code),
            Output::Event(_)
            | Output::Deposit(_)
            | Output::Control(_)
            | Output::Answer(_)
            | Output::Leave => (),
        }
    }
    batches.into_iter().for_each(|batch| client.handle_kept(batch));
    errors
}

/// The control frames of one cycle that write the vault.
pub(super) fn puts(client: &mut Client) -> Vec<VaultPut> {
    let frames = (0..30).map(|number| client.control_frame(Round(5 * number + 2)).1);
    let puts = frames.filter_map(|frame| match frame {
        ClientControl::VaultPut(put) => Some(*put),
        _ => None,
    });
    let puts: Vec<_> = puts.collect();
    kept(client);
    puts
}

pub(super) fn stored(client: &mut Client, version: u64) {
    let stored = ServerControl::VaultStored(VaultVersion { version });
    client.handle_control(NOW, stored).unwrap();
    kept(client);
}

#[test]
fn a_version_is_durable_before_it_is_written_and_never_written_twice() {
    let mut client = shown_vault(Saved::default(), 0, &noise());
    assert!(puts(&mut client).is_empty(), "nothing is durable yet");
    let mut last = 0;
    for answered in [false, true, false, true] {
        let puts = puts(&mut client);
        assert_eq!(puts.len(), 3);
        let version = puts[0].version;
        assert!(puts.iter().all(|put| put.version == version) && version > last, "{version}");
        last = version;
        if answered {
            stored(&mut client, version);
        }
    }
    // after a restart too
    let saved = Saved { vault: last, vault_used: last + 4, ..Saved::default() };
    let mut again = shown_vault(saved, last, &sealed(last, false));
    kept(&mut again);
    assert!(puts(&mut again)[0].version > last + 4);
}

#[test]
fn a_vault_that_was_not_confirmed_is_an_older_one_once_the_next_was() {
    let mut client = shown_vault(Saved::default(), 0, &noise());
    kept(&mut client);
    let held_back = puts(&mut client)[0].version;
    let confirmed = puts(&mut client)[0].version;
    stored(&mut client, confirmed);
    client.handle_vault(held_back, &sealed(held_back, false));
    assert!(outputs(&mut client).0.contains(&ErrorCode::VaultRolledBack));
}

#[test]
fn an_answer_to_half_a_vault_confirms_nothing() {
    let mut client = shown_vault(Saved::default(), 0, &noise());
    kept(&mut client);
    let first = (0..30).find_map(|number| match client.control_frame(Round(5 * number + 2)).1 {
        ClientControl::VaultPut(put) => Some(put.version),
        _ => None,
    });
    let version = first.unwrap();
    stored(&mut client, version);
    client.handle_vault(version, &noise());
    let errors = outputs(&mut client).0;
    assert_eq!(errors, [ErrorCode::VaultDamaged], "it was never known to be stored");
}

#[test]
fn what_another_machine_stored_is_not_overwritten_unread() {
    let mut client = shown_vault(Saved::default(), 7, &noise());
    assert_eq!(outputs(&mut client).0, [ErrorCode::VaultDamaged]);
    kept(&mut client);
    assert!(puts(&mut client).is_empty() && puts(&mut client).is_empty());
    // one that this machine knew may be written again
    let saved = Saved { vault: 7, ..Saved::default() };
    let mut client = shown_vault(saved, 7, &noise());
    assert_eq!(outputs(&mut client).0, [ErrorCode::VaultDamaged]);
    puts(&mut client);
    let puts = puts(&mut client);
    assert_eq!((puts[0].base, puts[0].version > 7), (7, true));
}

#[test]
fn a_version_beyond_all_counting_stops_nothing_and_lowers_nothing() {
    let mut client = shown_vault(Saved { vault: 7, ..Saved::default() }, 7, &sealed(7, false));
    kept(&mut client);
    let conflict = ServerControl::VaultConflict(VaultVersion { version: u64::MAX });
    puts(&mut client);
    client.handle_control(NOW, conflict).unwrap();
    client.handle_vault(u64::MAX, &noise());
    stored(&mut client, 0);
    client.handle_vault(6, &sealed(6, true));
    assert!(outputs(&mut client).0.contains(&ErrorCode::VaultRolledBack));
}

#[test]
fn somebody_who_registered_since_is_looked_up_later_and_not_forgotten() {
    let mut client = shown(Saved::default(), &[record("ann", 1)]);
    client.handle_vault(3, &sealed(3, false));
    assert_eq!(outputs(&mut client).0, [], "that is no fork");
    kept(&mut client);
    let all = [record("ann", 1), record("bob", 2)];
    client.handle_control(NOW, last_page(&all)).unwrap();
    assert!(puts(&mut client).is_empty(), "it is not written over");
    client.handle_vault(3, &sealed(3, false));
    assert!(client.conversations.contains_key(&all[1].identity()));
}

#[test]
fn a_mark_from_the_vault_is_gone_if_the_key_changed_meanwhile() {
    let mut vault = Vault::new(3);
    let entry = VaultEntry { index: wire::ids::AccountIndex(1), verified: true, blocked: false };
    vault.insert(ShortIdentity::of(&record("bob", 2).identity()), entry).ok().unwrap();
    let sealed = vault.seal(&vault_key(), &own_name(), &mut ChaCha20Rng::seed_from_u64(5));
    let all = [record("ann", 1), record("bob", 2), record("bob", 3)];
    let mut client = shown(Saved::default(), &all);
    client.handle_vault(3, &sealed);
    assert_eq!(outputs(&mut client).0, [ErrorCode::KeyChanged]);
    let contact = &client.contacts[&record("bob", 2).identity()];
    assert!(!contact.verified, "the mark is gone");
    let before = client.conversations.len();
    client.handle_command(NOW, Command::Call { peer: "bob".into() });
    assert_eq!(outputs(&mut client).0, [ErrorCode::KeyChanged]);
    assert_eq!(client.conversations.len(), before, "nobody is called until the person decides");
}

#[test]
fn contacts_and_blocks_come_back_from_the_vault() {
    let mut client = shown_vault(Saved::default(), 3, &sealed(3, true));
    client.handle_command(NOW, Command::Call { peer: "bob".into() });
    assert_eq!(outputs(&mut client).0, [ErrorCode::Blocked]);
    let mut client = shown_vault(Saved::default(), 3, &sealed(3, false));
    let bob = record("bob", 2).identity();
    assert!(client.conversations.contains_key(&bob), "he is called anew by this machine");
    let (errors, kept) = outputs(&mut client);
    assert_eq!(errors, []);
    assert!(
        kept.iter().any(|change| matches!(change, Change::Contact(it) if it.unsaved.is_none()))
    );
}

#[test]
fn somebody_whom_the_directory_never_shows_is_told_once() {
    let mut client = shown(Saved::default(), &[record("ann", 1)]);
    let mut told = Vec::new();
    for _ in 0..6 {
        client.handle_vault(3, &sealed(3, false));
        told.extend(kept(&mut client));
        for number in 0..30 {
            client.control_frame(Round(5 * number + 2));
        }
        told.extend(kept(&mut client));
    }
    assert_eq!(told, [ErrorCode::VaultDamaged]);
}

const OLD_BOB: (u64, u32) = (2, 1);
const NEW_BOB: (u64, u32) = (3, 2);

/// Bob as a contact with the key of a seed, at a place of the directory.
fn bob((key, place): (u64, u32), unsaved: bool) -> Contact {
    let (record, index) = (record("bob", key), wire::ids::AccountIndex(place));
    let unsaved = unsaved.then_some(Unsaved::Changed);
    Contact { record, index, verified: false, blocked: false, forgotten: false, unsaved }
}

/// A vault of these contacts.
pub(super) fn vault_of(version: u64, contacts: &[Contact]) -> SealedVault {
    let mut vault = Vault::new(version);
    for Contact { record, index, verified, blocked, .. } in contacts {
        let entry = VaultEntry { index: *index, verified: *verified, blocked: *blocked };
        vault.insert(ShortIdentity::of(&record.identity()), entry).ok().unwrap();
    }
    vault.seal(&vault_key(), &own_name(), &mut ChaCha20Rng::seed_from_u64(6))
}

/// A machine with these contacts, whose name bob changed hands, that is shown a vault of another machine.
fn after_a_change(contacts: Vec<Contact>, vault: &[Contact]) -> (Client, Vec<ErrorCode>) {
    let closed = contacts.iter().map(|contact| contact.record).collect();
    let saved = Saved { contacts, closed, vault: 3, vault_used: 3, ..Saved::default() };
    let mut client = shown(saved, &[record("ann", 1), record("bob", 2), record("bob", 3)]);
    client.handle_vault(4, &vault_of(4, vault));
    let errors = kept(&mut client);
    (client, errors)
}

/// The keys under which bob is a contact or open.
fn bobs(client: &Client) -> Vec<u64> {
    let is_there = |key: &u64| {
        let who = record("bob", *key).identity();
        let is_contact = client.contacts.get(&who).is_some_and(|it| !it.forgotten);
        assert_eq!(is_contact, client.conversations.contains_key(&who), "{key}");
        is_contact
    };
    [2, 3].into_iter().filter(is_there).collect()
}

#[test]
fn who_was_forgotten_elsewhere_after_the_key_changed_does_not_come_back() {
    let verified = Contact { verified: true, ..bob(OLD_BOB, false) };
    for old in [bob(OLD_BOB, false), verified] {
        let (mut client, errors) = after_a_change(vec![old], &[]);
        assert_eq!(errors, [ErrorCode::KeyChanged], "this machine did not know");
        assert_eq!(bobs(&client), [0; 0]);
        client.handle_vault(4, &vault_of(4, &[]));
        assert_eq!(bobs(&client), [0; 0]);
    }
}

#[test]
fn a_key_that_was_accepted_elsewhere_is_the_only_one_here() {
    let changed = Contact { verified: true, ..bob(OLD_BOB, true) };
    for old in [bob(OLD_BOB, false), changed] {
        let (mut client, _) = after_a_change(vec![old], &[bob(NEW_BOB, false)]);
        assert_eq!(bobs(&client), [3]);
        client.handle_command(NOW, Command::Verify { peer: "bob".into(), verified: true });
        assert_eq!(outputs(&mut client).0, [], "bob does not stand still");
        assert!(client.contacts[&record("bob", 3).identity()].verified);
    }
}

#[test]
fn a_vault_with_both_keys_of_a_name_means_the_newer_one() {
    let both = [bob(OLD_BOB, false), bob(NEW_BOB, false)];
    for here in [vec![], vec![bob(NEW_BOB, false)], both.to_vec()] {
        let (client, _) = after_a_change(here, &both);
        assert_eq!(bobs(&client), [3]);
        assert!(client.changed.is_empty());
    }
}

#[test]
fn accepting_a_key_leaves_nobody_else_of_that_name() {
    let changed = Contact { verified: true, ..bob(OLD_BOB, true) };
    let (mut client, errors) = after_a_change(vec![changed], &[bob(OLD_BOB, false)]);
    assert_eq!((errors, bobs(&client)), (vec![ErrorCode::KeyChanged], vec![2]));
    client.handle_command(NOW, Command::AcceptKey { peer: "bob".into() });
    assert_eq!(bobs(&client), [3]);
    // and the machine's next vault says so
    kept(&mut client);
    let puts = puts(&mut client);
    let parts: Vec<_> = puts.iter().map(|put| put.bytes).collect();
    let sealed = SealedVault::from_parts(<&[_; 3]>::try_from(&parts[..]).unwrap());
    let opened = Vault::open(&vault_key(), &own_name(), puts[0].version, sealed.as_ref()).unwrap();
    let bob = ShortIdentity::of(&record("bob", 3).identity());
    assert!(opened.entries().keys().eq([&bob]));
}
