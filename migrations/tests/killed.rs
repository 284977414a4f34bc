//! A migration that is killed with SIGKILL, at every sync of it and just before, is taken up and loses nothing.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use migrations::fixture::{self, Entry};
use migrations::{Opened, v1};
use sled::Db;

const CHILD_DIR: &str = "IIRS_MIGRATION_TEST_CHILD_DIR";

/// Accounts and tokens beside those of the fixture: three batches of 128 each, and version 3 syncs once.
const MORE: u32 = 300;

/// Where the child stops to be killed: in front of each sync and behind it, and when all is done.
const STOPS: usize = 2 * SYNCS + 1;
const SYNCS: usize = 7;

type Contents = BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>;

fn open(dir: &Path) -> Db {
    let config = sled::Config::new().path(dir).cache_capacity(1 << 22);
    // sled may take a moment to close
    std::iter::repeat_with(|| config.open()).find_map(Result::ok).unwrap()
}

/// A closed database of version 1 with thousands of accounts and tokens.
fn version_1(dir: &Path) {
    let db = open(dir);
    let entries = fixture::parse(fixture::V1).unwrap();
    fixture::load(&db, &entries).unwrap();
    let last = |tree| -> &Entry { entries.iter().rfind(|it| it.tree == tree).unwrap() };
    let (bob, token) = (last(v1::ACCOUNTS), last(v1::TOKENS));
    let (mut accounts, mut tokens) = (sled::Batch::default(), sled::Batch::default());
    for index in 2..2 + MORE {
        accounts.insert(&index.to_be_bytes(), bob.value.as_slice());
        let key: Vec<u8> = index.to_be_bytes().repeat(8);
        tokens.insert(key, token.value.as_slice());
    }
    db.open_tree(v1::ACCOUNTS).unwrap().apply_batch(accounts).unwrap();
    db.open_tree(v1::TOKENS).unwrap().apply_batch(tokens).unwrap();
    db.flush().unwrap();
}

fn contents(db: &Db) -> Contents {
    let mut contents = BTreeMap::new();
    for tree in db.tree_names() {
        for entry in db.open_tree(&tree).unwrap().iter() {
            let (key, value) = entry.unwrap();
            contents.insert((tree.to_vec(), key.to_vec()), value.to_vec());
        }
    }
    contents
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Says that the child stops here, and waits for a line or for the kill.
fn stop() {
    println!("\nstops");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Not a test of its own: the process that is killed.
#[test]
fn child_that_migrates_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let db = open(dir.as_ref());
    let sync = || {
        stop();
        db.flush()?;
        stop();
        Ok(())
    };
    migrations::open(&db, &sync).unwrap();
    stop();
}

/// Migrates in a child, and kills it at the stop of this number; 1 is the first.
fn killed_at(dir: &Path, number: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_migrates_until_it_is_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut stops = lines.map_while(Result::ok).filter(|line| line == "stops");
    for _ in 1..number {
        stops.next().unwrap();
        writeln!(input).unwrap();
    }
    stops.next().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stops.next(), None);
}

#[test]
fn a_migration_killed_at_every_sync_is_taken_up_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("old");
    version_1(&old);
    let whole = {
        let dir = dir.path().join("whole");
        copy(&old, &dir);
        let (db, syncs) = (open(&dir), std::cell::Cell::new(0));
        let count = || {
            syncs.set(syncs.get() + 1);
            Ok(())
        };
        assert_eq!(migrations::open(&db, &count).unwrap(), Opened::Migrated { from: 1 });
        assert_eq!(syncs.get(), SYNCS);
        contents(&db)
    };
    let mut half_done = 0;
    for number in 1..=STOPS {
        let dir = dir.path().join(format!("killed-{number}"));
        copy(&old, &dir);
        killed_at(&dir, number);
        let db = open(&dir);
        half_done += usize::from(contents(&db) != whole);
        let expected =
            [Opened::Migrated { from: 1 }, Opened::Migrated { from: 2 }, Opened::Current];
        let opened = migrations::open(&db, &|| db.flush().map(drop)).unwrap();
        assert!(expected.contains(&opened), "killed at stop {number}: {opened:?}");
        assert!(contents(&db) == whole, "killed at stop {number}: something is lost or changed");
    }
    assert!(half_done >= SYNCS, "only {half_done} kills of {STOPS} came before the end");
}
