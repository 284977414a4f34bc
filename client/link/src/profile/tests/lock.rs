//! The lock on the history: what is read and kept while it is shut, and afterwards.

use std::sync::atomic::{AtomicBool, Ordering};

use super::row::Table;
use super::*;

/// Messages before the lock, and what came and was written behind it.
fn locked() -> (TempDir, Profile) {
    let (dir, mut profile) = created();
    profile
        .apply(&[
            Change::Received(theirs(1, peer(1), "before")),
            Change::Queued(ours(2, peer(1), "on its way")),
            Change::Queued(ours(3, peer(1), "waits")),
        ])
        .unwrap();
    profile.draft(&"bob".parse().unwrap(), "half a sentence").unwrap();
    profile.lock().unwrap();
    profile
        .apply(&[
            Change::Received(theirs(4, peer(1), "behind")),
            Change::Received(theirs(5, peer(2), "of another")),
            Change::Delivered(id(2), Round(30)),
            Change::Queued(ours(6, peer(1), "was on its way to the disk")),
            Change::Sent(id(6), Round(31)),
        ])
        .unwrap();
    (dir, profile)
}

/// Asserts that everything is in its place.
fn assert_whole(profile: &Profile) {
    let last = Outgoing { sent: Some(Round(31)), ..ours(6, peer(1), "was on its way to the disk") };
    let expected = [
        Message::Theirs(theirs(1, peer(1), "before")),
        Message::Ours(ours(2, peer(1), "on its way"), Some(Round(30))),
        Message::Ours(ours(3, peer(1), "waits"), None),
        Message::Theirs(theirs(4, peer(1), "behind")),
        Message::Ours(last, None),
    ];
    assert!(whole_history(profile, &peer(1)).unwrap() == expected);
    let of_another = [Message::Theirs(theirs(5, peer(2), "of another"))];
    assert!(whole_history(profile, &peer(2)).unwrap() == of_another);
    assert_eq!(profile.drafts().unwrap(), [("bob".to_owned(), "half a sentence".to_owned())]);
    assert_eq!(profile.data.count(Table::Waiting).unwrap(), 0);
    assert_eq!(profile.data.count(Table::Segment).unwrap(), 0);
}

#[test]
fn nothing_is_read_while_the_history_is_locked() {
    let (_dir, mut profile) = locked();
    assert!(matches!(profile.history(&peer(1), None, 9), Err(ProfileError::Locked)));
    assert!(matches!(profile.drafts(), Err(ProfileError::Locked)));
    let reader = HistoryReader { data: Arc::clone(&profile.data) };
    let mut walk = reader.walk(None, Direction::OldestFirst).unwrap();
    assert!(matches!(walk.page(9), Err(ProfileError::Locked)));
    let drafted = profile.draft(&"bob".parse().unwrap(), "x");
    assert!(matches!(drafted, Err(ProfileError::Locked)));
    assert_eq!(profile.data.count(Table::Waiting).unwrap(), 3, "what is new waits");
    profile.apply(&[Change::Mark(Round(9))]).unwrap();
}

#[test]
fn the_password_opens_the_history_with_what_came_meanwhile() {
    let (dir, mut profile) = locked();
    let wrong = profile.password_place().history_key(b"wrong", &CHEAP);
    assert!(matches!(wrong, Err(ProfileError::WrongPassword)));
    let key = history_key(&profile);
    profile.open_history(key).unwrap();
    assert_whole(&profile);
    let Unlocked { mut profile, saved, .. } = reopened(dir.path(), profile);
    assert_eq!(saved.outgoing.len(), 2);
    assert_whole(&profile);
    // again and again
    profile.lock().unwrap();
    profile.lock().unwrap();
    let key = history_key(&profile);
    profile.open_history(key).unwrap();
    assert_whole(&profile);
}

#[test]
fn a_start_takes_in_what_came_while_the_last_program_was_locked() {
    let (dir, profile) = locked();
    let Unlocked { profile, saved, .. } = reopened(dir.path(), profile);
    let texts: Vec<_> = saved.outgoing.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["waits", "was on its way to the disk"]);
    assert_whole(&profile);
}

#[test]
fn what_waits_is_sealed_under_a_key_that_only_the_history_key_opens() {
    let (_dir, profile) = locked();
    let key = history_key(&profile);
    let waiting = profile.data.table(Table::Waiting).unwrap();
    assert_eq!(profile.data.count(Table::Waiting).unwrap(), 3);
    for entry in profile.data.entries(&waiting).unwrap() {
        let (place, sealed) = entry.unwrap();
        for secret in [key.secret(), profile.data.key().secret()] {
            let opened = data::open::<row::WaitingRow>(secret, place.value(), sealed.value());
            assert!(opened.is_err());
        }
    }
    let segment = profile.data.table(Table::Segment).unwrap();
    let (place, sealed) = profile.data.entries(&segment).unwrap().next().unwrap().unwrap();
    let opened = |secret| data::open::<row::SegmentRow>(secret, place.value(), sealed.value());
    assert!(opened(profile.data.key().secret()).is_err() && opened(key.secret()).is_ok());
}

#[test]
fn the_lock_waits_for_a_page_that_is_read_and_no_other_is() {
    let (_dir, mut profile) = created();
    profile.apply(&[Change::Received(theirs(1, peer(1), "x"))]).unwrap();
    let data = Arc::clone(&profile.data);
    let (reading, shut) = (data.texts(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let locking = scope.spawn(|| {
            profile.lock().unwrap();
            shut.store(true, Ordering::Release);
        });
        // the key of what is to come is durable, and the one of the history is in use
        while data.count(Table::Segment).unwrap() == 0 {
            std::thread::yield_now();
        }
        assert!(!shut.load(Ordering::Acquire));
        drop(reading);
        locking.join().unwrap();
    });
    assert!(data.is_locked());
}
