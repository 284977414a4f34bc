//! The way through the whole history.

use super::*;

fn numbers(walk: &mut Walk, page: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let entries = walk.page(page).unwrap();
        if entries.is_empty() {
            return numbers;
        }
        numbers.extend(
            entries
                .iter()
                .map(|entry| match &entry.message {
                    Message::Ours(message, _) => message.id,
                    Message::Theirs(message) => message.id,
                })
                .map(|id| u64::from_be_bytes(id.0) & 0xffff),
        );
    }
}

fn reader(profile: &Profile) -> HistoryReader {
    HistoryReader { data: Arc::clone(&profile.data) }
}

/// Sixty messages with five people in turns, every fourth ours.
fn filled() -> (TempDir, Profile) {
    let (dir, mut profile) = created();
    let changes: Vec<_> = (0..60)
        .map(|number| {
            let with = peer([1, 200, 3, 90, 255][number as usize % 5]);
            if number % 4 == 0 {
                Change::Queued(ours(number, with, "x"))
            } else {
                Change::Received(theirs(number, with, "x"))
            }
        })
        .collect();
    profile.apply(&changes).unwrap();
    (dir, profile)
}

#[test]
fn messages_come_in_their_order_whoever_they_are_with() {
    let (_dir, profile) = filled();
    let reader = reader(&profile);
    for page in [1, 7, 60, 100] {
        let mut walk = reader.walk(None, Direction::OldestFirst).unwrap();
        assert_eq!(walk.messages(), 60);
        assert_eq!(numbers(&mut walk, page), (0..60).collect::<Vec<_>>());
        let mut walk = reader.walk(None, Direction::NewestFirst).unwrap();
        assert_eq!(numbers(&mut walk, page), (0..60).rev().collect::<Vec<_>>());
    }
    let mut walk = reader.walk(Some(&peer(200)), Direction::NewestFirst).unwrap();
    assert_eq!(walk.messages(), 12);
    assert_eq!(numbers(&mut walk, 5), (0..60).rev().filter(|n| n % 5 == 1).collect::<Vec<_>>());
    let mut walk = reader.walk(Some(&peer(77)), Direction::NewestFirst).unwrap();
    assert_eq!((walk.messages(), numbers(&mut walk, 5)), (0, vec![]));
}

#[test]
fn a_walk_sees_what_was_there_when_it_began() {
    let (_dir, mut profile) = filled();
    let mut walk = reader(&profile).walk(None, Direction::OldestFirst).unwrap();
    profile.apply(&[Change::Received(theirs(60, peer(1), "new"))]).unwrap();
    profile.delete_history(None).unwrap();
    assert_eq!(numbers(&mut walk, 9).len(), 60);
}

#[test]
fn names_come_from_contacts_the_directory_or_the_identity() {
    let (_dir, mut profile) = created();
    let bob = record("bob");
    let listed = chain(0, 30, Head::EMPTY);
    profile
        .apply(&[Change::Contact(Box::new(contact(bob))), Change::Listed(0, listed.clone())])
        .unwrap();
    let mut names = reader(&profile).names().unwrap();
    assert_eq!(names.of(&bob.identity()).unwrap(), "bob");
    assert_eq!(names.of(&listed[29].0.identity()).unwrap(), "person.29");
    assert_eq!(names.of(&peer(0xab)).unwrap(), "abababab");
}
