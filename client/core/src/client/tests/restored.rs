//! What the client makes of a server that says that it was put back from a backup.

use wire::ids::AccountIndex;
use wire::restore::{RestoreNotice, Restores};

use super::vault::{kept, noise, own_name, puts, stored, vault_of};
use super::*;
use crate::client::Held;
use crate::record::{Contact, KnownRestores, Unsaved};
use crate::vault::{SealedVault, ShortIdentity, Vault};

/// What a session says of its restores: of each the time, and the directory then.
fn restores(notices: &[(u64, &[Record])]) -> Restores {
    let notice = |&(restored_ms, records): &(u64, &[Record])| RestoreNotice {
        backed_up_ms: restored_ms - 1,
        restored_ms,
        length: records.len() as u32,
        head: head(records),
    };
    Restores { notices: notices.iter().map(notice).collect(), signature: UNSIGNED }
}

/// The times of the restores that are told, what went wrong, and what is kept.
type CameBack = (Vec<u64>, Vec<ErrorCode>, Vec<Change>);

/// Comes back to a server that says this of its restores and has these records.
fn come_back(
    client: &mut Client,
    restores: &Restores,
    all: &[Record],
) -> Result<CameBack, PageError> {
    client.handle_lost();
    let from = client.held().pulls_from(restores);
    client.handle_restores(restores);
    let (length, head) = (all.len() as u32, head(all));
    if from < length {
        let records = all[from as usize..].to_vec();
        client.handle_page(&Page { from, length, head, signature: UNSIGNED, records })?;
    }
    client.handle_directory_synced(NOW, length, head);
    let (mut told, mut errors, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(output) = client.poll_output() {
        match output {
            Output::Event(Event::ServerRestored { backed_up_ms, restored_ms }) => {
                assert_eq!(backed_up_ms, restored_ms - 1);
                told.push(restored_ms);
            }
            Output::Event(Event::Error { code, .. }) => errors.push(code),
            Output::Keep(_, kept) => changes.extend(kept),
            Output::Event(_)
            | Output::Deposit(_)
            | Output::Control(_)
            | Output::Answer(_)
            | Output::Leave => (),
        }
    }
    Ok((told, errors, changes))
}

fn names(client: &Client) -> Vec<String> {
    client.directory.names_from(0).iter().map(|name| name.to_string()).collect()
}

fn before() -> Vec<Record> {
    vec![record("ann", 1), record("bob", 2), record("cid", 3), record("dan", 4)]
}

#[test]
fn a_directory_is_cut_once_for_a_restore_and_goes_on_with_the_servers() {
    let all = before();
    let mut client = shown(Saved::default(), &all);
    let _ = outputs(&mut client);
    let after = [&all[..2], &[record("eve", 5)]].concat();
    let notice = restores(&[(50, &all[..2])]);
    let (told, errors, changes) = come_back(&mut client, &notice, &after).unwrap();
    assert_eq!((told, errors), (vec![50], vec![]));
    assert_eq!(names(&client), ["ann", "bob", "eve"]);
    let is_cut =
        |it: &Change| matches!(it, Change::Restored { length: 2, restored_ms: 50, dropped: true });
    let cut = changes.iter().position(is_cut).unwrap();
    let listed = changes.iter().position(|it| matches!(it, Change::Listed(2, _))).unwrap();
    assert!(cut < listed && changes.iter().any(|it| matches!(it, Change::RestoreTold(50))));
    assert_eq!(client.held(), Held { length: 3, taken_ms: 50 });

    // the same once more is nothing new, and shortens nothing
    assert_eq!(client.held().pulls_from(&notice), 3);
    let (told, errors, _) = come_back(&mut client, &notice, &after).unwrap();
    assert_eq!((told, errors), (vec![], vec![]));
    let (told, errors, _) = come_back(&mut client, &notice, &after[..2]).unwrap();
    assert_eq!((told, errors), (vec![], vec![ErrorCode::DirectoryForked]));
    assert_eq!(names(&client), ["ann", "bob", "eve"]);
    let other = [&all[..2], &[record("fay", 6), record("gil", 7)]].concat();
    assert_eq!(come_back(&mut client, &notice, &other).err(), Some(PageError::Chain));
}

#[test]
fn a_notice_of_another_head_or_an_older_time_drops_nothing() {
    let all = before();
    let other = [all[0], record("bob", 9)];
    let known = KnownRestores { taken_ms: 50, told_ms: 50, dropped_ms: 0 };
    for (known, notice) in [
        (KnownRestores::default(), restores(&[(60, &other)])),
        (known, restores(&[(50, &all[..2])])),
        (known, restores(&[(49, &all[..2])])),
    ] {
        let mut client = shown(Saved { restores: known, ..Saved::default() }, &all);
        let _ = outputs(&mut client);
        let (told, errors, changes) = come_back(&mut client, &notice, &all[..2]).unwrap();
        assert_eq!((told, errors), (vec![], vec![ErrorCode::DirectoryForked]));
        assert_eq!(client.held(), Held { length: 4, taken_ms: known.taken_ms });
        assert!(!changes.iter().any(|it| matches!(it, Change::Restored { .. })));
    }
}

#[test]
fn who_has_nothing_to_drop_is_told_once_and_the_notice_serves_no_second_time() {
    let all = before();
    let notice = restores(&[(50, &all[..3])]);
    for length in [2, 3] {
        let mut client = shown(Saved::default(), &all[..length]);
        let _ = outputs(&mut client);
        for expected in [vec![50], vec![]] {
            let (told, errors, _) = come_back(&mut client, &notice, &all).unwrap();
            assert_eq!((told, errors), (expected, vec![]));
        }
        let (_, errors, _) = come_back(&mut client, &notice, &all[..3]).unwrap();
        assert_eq!(errors, [ErrorCode::DirectoryForked]);
        assert_eq!(client.held().length, 4);
    }
    // a notice that contradicts what the server itself shows
    let mut client = shown(Saved::default(), &all[..2]);
    let _ = outputs(&mut client);
    let wrong = restores(&[(50, &[all[0], all[1], record("cid", 9)])]);
    let (told, errors, _) = come_back(&mut client, &wrong, &all).unwrap();
    assert_eq!((told, errors), (vec![], vec![ErrorCode::DirectoryForked]));
}

#[test]
fn who_was_away_for_two_restores_goes_back_to_the_first_and_hears_of_both() {
    let all = before();
    let between = [&all[..2], &[record("eve", 5), record("fay", 6)]].concat();
    let after = [&between[..3], &[record("gil", 7)]].concat();
    let both = restores(&[(50, &all[..2]), (70, &between[..3])]);
    let mut client = shown(Saved::default(), &all);
    let _ = outputs(&mut client);
    let (told, errors, _) = come_back(&mut client, &both, &after).unwrap();
    assert_eq!((told, errors), (vec![50, 70], vec![]));
    assert_eq!(names(&client), ["ann", "bob", "eve", "gil"]);

    // who was there in between
    let known = KnownRestores { taken_ms: 50, told_ms: 50, dropped_ms: 0 };
    let mut client = shown(Saved { restores: known, ..Saved::default() }, &between);
    let _ = outputs(&mut client);
    assert_eq!(client.held().pulls_from(&both), 3);
    let (told, errors, changes) = come_back(&mut client, &both, &after).unwrap();
    assert_eq!((told, errors), (vec![70], vec![]));
    assert!(
        changes.iter().any(|it| matches!(it, Change::Restored { length: 3, restored_ms: 70, .. }))
    );
    assert_eq!(names(&client), ["ann", "bob", "eve", "gil"]);
}

#[test]
fn a_restore_that_was_not_told_before_a_crash_is_told_by_the_next_start() {
    let all = before();
    let notice = restores(&[(50, &all[..2])]);
    let known = KnownRestores { taken_ms: 50, told_ms: 0, dropped_ms: 50 };
    let mut client = shown(Saved { restores: known, ..Saved::default() }, &all[..2]);
    let _ = outputs(&mut client);
    let (told, errors, changes) = come_back(&mut client, &notice, &all[..2]).unwrap();
    assert_eq!((told, errors), (vec![50], vec![]));
    assert!(!changes.iter().any(|it| matches!(it, Change::Restored { .. })), "it is cut already");
}

#[test]
fn who_registered_after_a_restore_hears_nothing_of_it() {
    let all = [record("bob", 2), record("ann", 1)];
    let notice = restores(&[(50, &all[..1])]);
    let mut client = shown(Saved::default(), &[]);
    let _ = outputs(&mut client);
    let (told, errors, _) = come_back(&mut client, &notice, &all).unwrap();
    assert_eq!((told, errors), (vec![], vec![]));
    assert_eq!(client.held().taken_ms, 50, "and it serves nobody to take anything back");
}

#[test]
fn a_cut_is_told_whatever_the_own_place_is_afterwards() {
    let all = before();
    let other = [record("bob", 9), record("cid", 8), all[0]];
    for length in [0, 1] {
        let mut client = shown(Saved::default(), &all);
        let _ = outputs(&mut client);
        let notice = restores(&[(50, &all[..length])]);
        let new = [&all[..length], &other[..2], &all[..1 - length]].concat();
        let (told, errors, _) = come_back(&mut client, &notice, &new).unwrap();
        assert_eq!((told, errors), (vec![50], vec![]), "{length}");
    }
}

#[test]
fn a_restore_that_was_taken_and_is_named_no_more_is_told_as_another_past() {
    let all = before();
    let known = KnownRestores { taken_ms: 50, told_ms: 0, dropped_ms: 50 };
    let mut client = shown(Saved { restores: known, ..Saved::default() }, &all[..2]);
    let _ = outputs(&mut client);
    let (told, errors, _) = come_back(&mut client, &restores(&[]), &all[..2]).unwrap();
    assert_eq!((told, errors), (vec![], vec![ErrorCode::DirectoryForked]));
}

fn contact(record: Record, place: u32) -> Contact {
    let index = AccountIndex(place);
    Contact { record, index, verified: false, blocked: false, forgotten: false, unsaved: None }
}

/// Ann with bob and dan as contacts, whom the vault of version 9 had.
fn with_contacts() -> (Client, Vec<Record>) {
    let all = before();
    let contacts = vec![contact(all[1], 1), contact(all[3], 3)];
    let saved = Saved { contacts, vault: 9, vault_used: 9, ..Saved::default() };
    let mut client = shown(saved, &all);
    let _ = outputs(&mut client);
    (client, all)
}

#[test]
fn a_contact_whose_account_is_gone_stands_still_until_somebody_has_the_name() {
    let (mut client, all) = with_contacts();
    let notice = restores(&[(50, &all[..2])]);
    let (told, errors, _) = come_back(&mut client, &notice, &all[..2]).unwrap();
    assert_eq!((told, errors), (vec![50], vec![ErrorCode::AccountGone]));
    client.handle_command(NOW, send("dan"));
    client.handle_command(NOW, send("bob"));
    let (errors, kept) = outputs(&mut client);
    assert_eq!(errors, [ErrorCode::AccountGone]);
    assert!(keeps_a_message(&kept), "bob is as he was");
    let after = [all[0], all[1], record("dan", 8)];
    client.handle_control(NOW, last_page(&after)).unwrap();
    assert_eq!(outputs(&mut client).0, [ErrorCode::KeyChanged]);
    client.handle_command(NOW, Command::AcceptKey { peer: "dan".into() });
    assert_eq!(outputs(&mut client).0, []);
    assert!(client.conversations.contains_key(&after[2].identity()));
}

#[test]
fn contacts_stay_and_are_stored_again_above_every_version_of_before() {
    let (mut client, all) = with_contacts();
    let notice = restores(&[(1000, &all[..2])]);
    let _ = come_back(&mut client, &notice, &all[..2]).unwrap();
    // what the backup had: nobody
    client.handle_vault(7, &vault_of(7, &[]));
    assert_eq!(kept(&mut client), [], "an older vault is what is to be expected");
    let puts = puts(&mut client);
    let version = puts[0].version;
    assert_eq!((puts.len(), puts[0].base, version), (3, 7, 1001));
    let parts: Vec<_> = puts.iter().map(|put| put.bytes).collect();
    let sealed = SealedVault::from_parts(<&[_; 3]>::try_from(&parts[..]).unwrap());
    let opened = Vault::open(&vault_key(), &own_name(), version, sealed.as_ref()).unwrap();
    let bob = ShortIdentity::of(&all[1].identity());
    assert!(opened.entries().keys().eq([&bob]), "dan has no place in the directory");
    assert!(client.contacts.contains_key(&all[3].identity()), "and is known here");
    stored(&mut client, version);
    assert!(
        client.contacts[&all[3].identity()].unsaved.is_some()
            && client.contacts[&all[1].identity()].unsaved.is_none()
    );
    // from now on an older one is told again
    client.handle_vault(7, &noise());
    assert_eq!(kept(&mut client), [ErrorCode::VaultRolledBack]);
}

#[test]
fn what_another_machine_stored_after_the_restore_is_joined_with_what_is_known_here() {
    let (mut client, all) = with_contacts();
    let after = [all[0], all[1], record("eve", 5)];
    let notice = restores(&[(1000, &all[..2])]);
    let _ = come_back(&mut client, &notice, &after).unwrap();
    client.handle_vault(1001, &vault_of(1001, &[contact(after[2], 2)]));
    assert_eq!(kept(&mut client), []);
    for here in [all[1], all[3], after[2]] {
        assert!(client.contacts.contains_key(&here.identity()), "{}", here.name);
    }
    // there dan registered again, and his new key was accepted
    let after = [&after[..], &[record("dan", 8)]].concat();
    client.handle_control(NOW, last_page(&after)).unwrap();
    client.handle_vault(1002, &vault_of(1002, &[contact(after[3], 3)]));
    let dans = [all[3], after[3]]
        .map(|dan| client.contacts.get(&dan.identity()).is_some_and(|contact| !contact.forgotten));
    assert_eq!(dans, [false, true]);
}

/// A machine of ann's that knows bob so, as the vault of a version said.
fn machine(version: u64, (verified, blocked): (bool, bool)) -> Client {
    let all = before();
    let bob = Contact { verified, blocked, ..contact(all[1], 1) };
    let saved =
        Saved { contacts: vec![bob], vault: version, vault_used: version, ..Saved::default() };
    let mut client = shown(saved, &all);
    let _ = outputs(&mut client);
    client
}

/// How bob stands: whether he is verified, and whether he is blocked.
fn bobs_marks(client: &Client) -> (bool, bool) {
    let contact = &client.contacts[&record("bob", 2).identity()];
    assert_eq!(client.conversations.contains_key(&record("bob", 2).identity()), !contact.blocked);
    (contact.verified, contact.blocked)
}

/// Shows a machine a vault, and has what it writes then stored.
fn shows_and_stores(
    client: &mut Client,
    (version, vault): &(u64, SealedVault),
) -> (u64, SealedVault) {
    client.handle_vault(*version, vault);
    assert_eq!(kept(client), []);
    let puts = puts(client);
    let parts: Vec<_> = puts.iter().map(|put| put.bytes).collect();
    stored(client, puts[0].version);
    (puts[0].version, SealedVault::from_parts(<&[_; 3]>::try_from(&parts[..]).unwrap()))
}

/// The vault that the backup had, with bob as a friend.
fn backup() -> (u64, SealedVault) {
    (7, vault_of(7, &[contact(before()[1], 1)]))
}

const PLAIN: (bool, bool) = (false, false);
const VERIFIED: (bool, bool) = (true, false);
const BLOCKED: (bool, bool) = (false, true);

#[test]
fn after_a_restore_no_machine_that_was_behind_undoes_a_block_or_gives_a_mark_back() {
    for (ahead, behind, safe) in [
        (BLOCKED, PLAIN, BLOCKED),
        (BLOCKED, VERIFIED, BLOCKED),
        (PLAIN, VERIFIED, PLAIN),
        (VERIFIED, VERIFIED, VERIFIED),
    ] {
        for is_ahead_first in [true, false] {
            let mut machines = [machine(9, ahead), machine(8, behind)];
            if !is_ahead_first {
                machines.reverse();
            }
            let notice = restores(&[(1000, &before())]);
            let mut vault = backup();
            // each signs in, and the first once more
            for turn in [0, 1, 0] {
                let machine = &mut machines[turn];
                let _ = come_back(machine, &notice, &before()).unwrap();
                vault = shows_and_stores(machine, &vault);
            }
            let marks = machines.each_ref().map(bobs_marks);
            assert_eq!(marks, [safe; 2], "{ahead:?} {behind:?} {is_ahead_first}");
        }
    }
}

#[test]
fn what_a_person_changed_here_counts_after_a_restore_as_ever() {
    let notice = restores(&[(1000, &before())]);
    let elsewhere = |(verified, blocked)| {
        let bob = Contact { verified, blocked, ..contact(before()[1], 1) };
        (1001, vault_of(1001, &[bob]))
    };
    for is_changed_first in [true, false] {
        let mut client = machine(9, PLAIN);
        let verify = Command::Verify { peer: "bob".into(), verified: true };
        if is_changed_first {
            client.handle_command(NOW, verify.clone());
        }
        let _ = come_back(&mut client, &notice, &before()).unwrap();
        client.handle_command(NOW, verify);
        shows_and_stores(&mut client, &elsewhere(PLAIN));
        assert_eq!(bobs_marks(&client), VERIFIED);

        // and once all is stored, what another machine says
        let verified = (2000, vault_of(2000, &[contact(before()[1], 1)]));
        shows_and_stores(&mut client, &verified);
        assert_eq!(bobs_marks(&client), PLAIN);
    }
}

#[test]
fn a_machine_that_ends_before_it_stored_joins_at_its_next_start_and_gives_no_mark_to_a_new_key() {
    let mut client = machine(9, VERIFIED);
    let notice = restores(&[(1000, &before())]);
    let (_, _, changes) = come_back(&mut client, &notice, &before()).unwrap();
    let kept = changes.into_iter().find_map(|change| match change {
        Change::Contact(contact) => Some(*contact),
        _ => None,
    });
    let bob = kept.unwrap();
    assert_eq!(bob.unsaved, Some(Unsaved::Restored));
    let known = KnownRestores { taken_ms: 1000, told_ms: 1000, dropped_ms: 0 };
    let blocked = Contact { blocked: true, ..contact(before()[1], 1) };
    let verified = Contact { verified: true, ..contact(before()[1], 1) };
    let changed = [&before()[..], &[record("bob", 9)]].concat();
    for (all, elsewhere, marks) in [
        (&before(), &blocked, BLOCKED),
        (&before(), &verified, VERIFIED),
        (&changed, &verified, PLAIN),
    ] {
        let contacts = vec![bob.clone()];
        let saved =
            Saved { contacts, vault: 9, vault_used: 1000, restores: known, ..Saved::default() };
        let mut again = shown(saved, all);
        again.handle_vault(1001, &vault_of(1001, std::slice::from_ref(elsewhere)));
        let contact = &again.contacts[&bob.record.identity()];
        assert_eq!((contact.verified, contact.blocked), marks);
    }
}
