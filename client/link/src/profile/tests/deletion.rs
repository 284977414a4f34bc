//! What is deleted of the history, drafts, and what is told of both.

use super::row::Table;
use super::*;

fn name(name: &str) -> Name {
    name.parse().unwrap()
}

/// A history with two people, of which one message to each is not delivered.
fn filled() -> (TempDir, Profile) {
    let (dir, mut profile) = created();
    let mut changes = Vec::new();
    for (number, byte) in [(10, 1), (20, 2)] {
        changes.push(Change::Received(theirs(number, peer(byte), "theirs")));
        changes.push(Change::Queued(ours(number + 1, peer(byte), "delivered")));
        changes.push(Change::Delivered(id(number + 1), Round(9)));
        changes.push(Change::Queued(ours(number + 2, peer(byte), "waits")));
    }
    profile.apply(&changes).unwrap();
    (dir, profile)
}

fn left(profile: &Profile, byte: u8) -> Vec<String> {
    let text = |message| match message {
        Message::Ours(message, _) => message.text,
        Message::Theirs(message) => message.text,
    };
    whole_history(profile, &peer(byte)).unwrap().into_iter().map(text).collect()
}

const ALL: [&str; 3] = ["theirs", "delivered", "waits"];

#[test]
fn what_is_deleted_is_gone_but_for_what_is_not_delivered() {
    let (dir, mut profile) = filled();
    profile.delete_history(Some(&peer(1))).unwrap();
    assert_eq!(
        (left(&profile, 1), left(&profile, 2)),
        (vec!["waits".to_owned()], ALL.map(String::from).to_vec())
    );
    assert_eq!(profile.data.count(Table::Progress).unwrap(), 3);
    profile.delete_history(None).unwrap();
    assert_eq!(left(&profile, 2), ["waits"]);
    let Unlocked { mut profile, saved, .. } = reopened(dir.path(), profile);
    assert_eq!(saved.outgoing.len(), 2);
    assert_eq!(saved.received.len(), 2, "nothing is shown twice");
    profile.apply(&[Change::Delivered(id(12), Round(10))]).unwrap();
    profile.delete_history(None).unwrap();
    assert_eq!((left(&profile, 1), left(&profile, 2)), (vec![], vec!["waits".to_owned()]));
}

#[test]
fn deleting_needs_no_key_of_the_history() {
    let (dir, mut profile) = filled();
    profile.lock().unwrap();
    profile.apply(&[Change::Received(theirs(30, peer(1), "behind the lock"))]).unwrap();
    profile.delete_history(Some(&peer(1))).unwrap();
    let profile = reopened(dir.path(), profile).profile;
    assert_eq!((left(&profile, 1), left(&profile, 2).len()), (vec!["waits".to_owned()], 3));
}

#[test]
fn whose_history_is_forgotten_is_chosen_by_name_and_done_at_the_next_start_too() {
    let (dir, mut profile) = created();
    let bob = record("bob");
    let message = |number| Change::Received(theirs(number, bob.identity(), "x"));
    profile.apply(&[Change::Opened(Box::new(bob)), message(1)]).unwrap();
    profile.forget_on_exit(&name("bob"), None, true).unwrap();
    profile.forget_on_exit(&name("ann"), None, true).unwrap();
    assert_eq!(profile.forgetful().unwrap(), ["ann", "bob"]);
    profile.forget_on_exit(&name("ann"), None, false).unwrap();
    // a program that came to no end of its own
    let profile = reopened(dir.path(), profile).profile;
    assert_eq!(profile.forgetful().unwrap(), ["bob"]);
    assert!(whole_history(&profile, &bob.identity()).unwrap().is_empty());
    // one that did
    let Unlocked { mut profile, .. } = reopened(dir.path(), profile);
    profile.apply(&[message(2)]).unwrap();
    profile.forget().unwrap();
    assert!(whole_history(&profile, &bob.identity()).unwrap().is_empty());
    profile.forget_on_exit(&name("bob"), None, false).unwrap();
    profile.apply(&[message(3)]).unwrap();
    let profile = reopened(dir.path(), profile).profile;
    assert_eq!(whole_history(&profile, &bob.identity()).unwrap().len(), 1, "chosen otherwise");
}

#[test]
fn a_history_is_forgotten_under_every_key_that_its_name_had() {
    let (dir, mut profile) = created();
    let [first, second] = ["bob", "bob"].map(record);
    profile
        .apply(&[
            Change::Contact(Box::new(contact(first))),
            Change::Received(theirs(1, first.identity(), "x")),
        ])
        .unwrap();
    profile.forget_on_exit(&name("bob"), None, true).unwrap();
    profile
        .apply(&[
            Change::Forgotten(first.identity()),
            Change::Contact(Box::new(contact(second))),
            Change::Received(theirs(2, second.identity(), "x")),
        ])
        .unwrap();
    let profile = reopened(dir.path(), profile).profile;
    for who in [first, second] {
        assert!(whole_history(&profile, &who.identity()).unwrap().is_empty());
    }
}

#[test]
fn drafts_are_kept_replaced_and_cleared() {
    let (dir, mut profile) = created();
    profile.draft(&name("bob"), "first").unwrap();
    profile.draft(&name("eve"), &"長".repeat(10 * 1024)).unwrap();
    profile.draft(&name("bob"), "second").unwrap();
    let mut profile = reopened(dir.path(), profile).profile;
    let drafts = profile.drafts().unwrap();
    assert_eq!(drafts[0], ("bob".to_owned(), "second".to_owned()));
    assert_eq!((drafts.len(), drafts[1].1.len()), (2, client_core::api::DRAFT_MAX));
    profile.draft(&name("bob"), "").unwrap();
    profile.draft(&name("nobody"), "").unwrap();
    assert_eq!(reopened(dir.path(), profile).profile.drafts().unwrap().len(), 1);
}

#[test]
fn one_draft_too_many_is_refused_and_the_profile_goes_on() {
    let (_dir, mut profile) = created();
    // what fills the table is not opened for that
    let rows = profile.data.write(false).unwrap();
    for number in 0..DRAFTS_MAX {
        let row = row::DraftRow { peer: String::new(), text: String::new() };
        rows.put(&profile.data.key().name_tag(&name(&format!("p{number}"))), &row).unwrap();
    }
    rows.commit().unwrap();
    assert!(matches!(profile.draft(&name("bob"), "x"), Err(ProfileError::TooMany(_))));
    profile.draft(&name("p7"), "x").unwrap();
    profile.draft(&name("p8"), "").unwrap();
    profile.draft(&name("bob"), "x").unwrap();
}

#[test]
fn the_identity_is_kept_as_the_server_has_it() {
    let (dir, mut profile) = created();
    assert!(profile.identity().unwrap().is_none());
    for byte in [1, 2, 2] {
        profile.keep_identity(&SealedIdentity([byte; 112])).unwrap();
    }
    let profile = reopened(dir.path(), profile).profile;
    assert_eq!(profile.identity().unwrap().unwrap().0, [2; 112]);
}
