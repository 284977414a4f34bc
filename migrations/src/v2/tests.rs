//! Tests of the step. They are not frozen with it: [`open`] leads to the newest version.

use std::cell::Cell;
use std::collections::BTreeMap;

use sled::Db;

use super::*;
use crate::fixture::{self, Entry};
use crate::{Opened, VERSION, open, version};

const NO_SYNC: Sync<'static> = &|| Ok(());

fn open_at(dir: &tempfile::TempDir) -> Db {
    let config = sled::Config::new().path(dir.path()).cache_capacity(1 << 20);
    // sled may take a moment to close.
    std::iter::repeat_with(|| config.open()).find_map(Result::ok).unwrap()
}

/// The fixture of version 1, with so many more accounts and tokens.
fn version_1(more: u32) -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = open_at(&dir);
    let entries = fixture::parse(fixture::V1).unwrap();
    fixture::load(&db, &entries).unwrap();
    let bob = entries.iter().rfind(|entry| entry.tree == ACCOUNTS).unwrap();
    let token = entries.iter().rfind(|entry| entry.tree == TOKENS).unwrap();
    for index in 2..2 + more {
        let accounts = db.open_tree(ACCOUNTS).unwrap();
        accounts.insert(index.to_be_bytes(), bob.value.as_slice()).unwrap();
        let tokens = db.open_tree(TOKENS).unwrap();
        tokens.insert([index as u8; 32], token.value.as_slice()).unwrap();
    }
    (dir, db)
}

/// All that a database holds.
fn contents(db: &Db) -> BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>> {
    let mut contents = BTreeMap::new();
    for tree in db.tree_names() {
        for entry in db.open_tree(&tree).unwrap().iter() {
            let (key, value) = entry.unwrap();
            contents.insert((tree.to_vec(), key.to_vec()), value.to_vec());
        }
    }
    contents
}

#[test]
fn version_1_is_brought_up_and_loses_nothing() {
    let (_dir, db) = version_1(0);
    assert_eq!(open(&db, NO_SYNC).unwrap(), Opened::Migrated { from: 1 });
    for Entry { tree, key, value } in fixture::parse(fixture::V1).unwrap() {
        let now = db.open_tree(&tree).unwrap().get(&key).unwrap().unwrap();
        match tree.as_str() {
            META_TREE => assert_eq!(now, &VERSION.to_be_bytes()),
            ACCOUNTS => {
                let old: v1::Account = v1::decode(&value).unwrap();
                let new: Account = decode(&now).unwrap();
                assert!(!new.deleted && new.password_changes == 0);
                // The new fields come last, so that all before them are the old bytes.
                assert_eq!(now[1..now.len() - 5], value[1..]);
                assert_eq!((new.name, new.disabled), (old.name, old.disabled));
            }
            TOKENS => {
                let old: v1::Token = v1::decode(&value).unwrap();
                let new: Token = decode(&now).unwrap();
                let kept = (new.account_index, new.expires_ms, new.superseded);
                assert_eq!(kept, (old.account_index, old.expires_ms, old.superseded));
                assert_eq!(new.created_ms, 0);
            }
            _ => assert_eq!(now, value, "{tree} {key:02x?}"),
        }
    }
    assert_eq!(open(&db, NO_SYNC).unwrap(), Opened::Current);
}

#[test]
fn a_migration_that_is_cut_after_any_batch_is_taken_up_again() {
    let (_dir, whole) = version_1(5);
    let batches = Cell::new(0);
    let count = || {
        batches.set(batches.get() + 1);
        Ok(())
    };
    migrate_by(&whole, &count, 2).unwrap();
    assert_eq!(batches.get(), 8, "seven accounts and seven tokens, two at a time");
    assert_eq!(version(&whole).unwrap(), Some(2));
    open(&whole, NO_SYNC).unwrap();
    let whole = contents(&whole);

    for cut_after in 1..=batches.get() {
        let (dir, db) = version_1(5);
        let before = contents(&db);
        let done = Cell::new(0);
        let cut = || {
            done.set(done.get() + 1);
            let error = || sled::Error::Io(std::io::Error::other("cut"));
            if done.get() == cut_after { Err(error()) } else { Ok(()) }
        };
        assert!(matches!(migrate_by(&db, &cut, 2), Err(Error::Storage(_))));
        assert_eq!(version(&db).unwrap(), Some(1));
        let changed = contents(&db).into_iter().filter(|(at, value)| before[at] != *value);
        assert_eq!(changed.count(), [2, 4, 6, 7, 9, 11, 13, 14][cut_after - 1]);
        drop(db);
        let db = open_at(&dir);
        assert_eq!(open(&db, NO_SYNC).unwrap(), Opened::Migrated { from: 1 });
        assert_eq!(contents(&db), whole, "cut after {cut_after}");
    }
}

#[test]
fn a_damaged_entry_is_refused_before_anything_is_written() {
    for tree in [ACCOUNTS, TOKENS] {
        let (_dir, db) = version_1(0);
        db.open_tree(tree).unwrap().insert([0xff; 4], &[1, 2, 3]).unwrap();
        let before = contents(&db);
        let error = open(&db, NO_SYNC).unwrap_err();
        assert!(matches!(error, Error::Damaged { tree: named } if named == tree), "{error}");
        assert_eq!(contents(&db), before);
    }
}
