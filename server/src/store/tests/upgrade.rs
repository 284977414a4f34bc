//! Stores of older releases.

use std::fs;

use migrations::{fixture, v3};

use super::*;
use crate::store::written::{WRITTEN, Written};

/// A data directory as the release of a fixture left it.
fn left_by(text: &str) -> TempDir {
    let (dir, store) = fresh();
    drop(store);
    let config = sled::Config::new().path(dir.path().join("store")).cache_capacity(1 << 20);
    // sled may take a moment to close.
    let db = std::iter::repeat_with(|| config.open()).find_map(Result::ok).unwrap();
    for tree in db.tree_names() {
        db.open_tree(&tree).unwrap().clear().unwrap();
    }
    fixture::load(&db, &fixture::parse(text).unwrap()).unwrap();
    // No release before version 3 made it.
    let written = dir.path().join("store").join(WRITTEN);
    fs::remove_file(&written).unwrap();
    if let Some(sums) = db.open_tree(v3::SUMS).unwrap().get(v3::ALL).unwrap() {
        let sums: v3::Sums = v3::decode(&sums).unwrap();
        Written::create(&dir.path().join("store"), sums.written).unwrap();
    }
    dir
}

#[test]
fn a_store_of_version_1_is_brought_up_and_goes_on() {
    let dir = left_by(fixture::V1);
    drop(open(&dir));
    let store = open(&dir);
    assert_eq!(store.scrub(|| true), Ok(Some(contents(&store).len() as u64)));
    assert_eq!((store.account_count(), store.directory_len()), (2, 2));
    let ann = store.account(&name("ann")).unwrap().unwrap();
    assert_eq!((ann.password_file.as_slice(), ann.password_changes), (&[0xa0; 192][..], 0));
    assert!(store.account(&name("bob")).unwrap().unwrap().disabled);
    let sessions = store.sessions(AccountIndex(0)).unwrap();
    let told: Vec<_> = sessions.iter().map(|it| (it.hash[0], it.created_ms)).collect();
    assert_eq!(told, [(0xc0, 0), (0xc1, 0)]);
    assert_eq!(store.origin(), Ok(ORIGIN));
    assert_log_is_whole(&store);

    run(store.delete_account(ann.proved(), [0xdd; 163])).unwrap();
    assert_eq!(run(store.register(new_account("ann"), None)), Ok(AccountIndex(3)));
    drop(store);
    let store = open(&dir);
    assert_eq!((store.account_count(), store.directory_len()), (2, 4));
    assert_log_is_whole(&store);
}

#[test]
fn a_store_of_version_2_is_brought_up_and_reads_as_what_it_is() {
    reads_as_what_it_is(fixture::V2);
}

#[test]
fn a_store_of_version_3_reads_as_what_it_is() {
    reads_as_what_it_is(fixture::V3);
}

fn reads_as_what_it_is(text: &str) {
    let dir = left_by(text);
    let store = open(&dir);
    assert_eq!(store.scrub(|| true), Ok(Some(contents(&store).len() as u64)));
    assert_eq!((store.account_count(), store.directory_len()), (2, 4));
    assert_eq!(store.account(&name("ann")).unwrap().unwrap().password_changes, 2);
    assert!(store.account_by_index(AccountIndex(1)).unwrap().is_none());
    assert_eq!(store.account(&name("bob")).unwrap().unwrap().index, AccountIndex(3));
    assert_eq!(store.vault(AccountIndex(0)).unwrap().unwrap().version, 7);
    assert_eq!(store.invite(&[0xf1; 32]), Ok(Some(1_769_817_600_000)));
    assert_log_is_whole(&store);
}
