//! Backup, restore, check and migrate as operators and scripts meet them.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use migrations::fixture;
use rustix::process::{Pid, Signal, kill_process};

fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iirs-server"));
    command.current_dir(dir).env_clear().env("TMPDIR", dir.join("tmp"));
    command
}

/// Runs a command; returns its exit code and all that it says.
fn says(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = program(dir).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// Runs a command that ends with this exit code and says each of these.
fn ends(dir: &Path, code: i32, arguments: &[&str], words: &[&str]) {
    let (ended, said) = says(dir, arguments);
    assert_eq!(ended, Some(code), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
    }
}

fn start(dir: &Path, data_dir: &str) -> (Child, String) {
    let arguments = ["run", "--data-dir", data_dir, "--listen", "127.0.0.1:0", "--round-ms", "100"];
    let mut command = program(dir);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let link = lines.nth(1).unwrap().unwrap();
    let (_, pin) = link.split_once('#').unwrap();
    let pin = pin.to_owned();
    (child, pin)
}

fn stop(mut child: Child) {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn round(dir: &Path, data_dir: &str) -> u64 {
    let (_, json) = says(dir, &["status", "--json", "--data-dir", data_dir]);
    serde_json::from_str::<serde_json::Value>(&json).unwrap()["round"].as_u64().unwrap()
}

fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tmp")).unwrap();
    dir
}

/// Every file in a directory and its bytes.
fn bytes_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut bytes = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(bytes_of(&path));
        } else if path.is_file() {
            bytes.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    bytes
}

#[test]
fn a_backup_of_a_running_or_stopped_server_is_checked_and_restored() {
    let dir = place();
    let dir = dir.path();
    let (server, pin) = start(dir, "d");
    ends(dir, 0, &["backup", "one", "--data-dir", "d"], &["found whole", "keys", "check one"]);
    let mode = fs::metadata(dir.join("one")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    ends(dir, 1, &["backup", "one", "--data-dir", "d"], &["there already", "another name"]);
    ends(dir, 1, &["check", "--data-dir", "d"], &["in use"]);
    ends(dir, 1, &["restore", "one", "--data-dir", "d"], &["not empty"]);
    let opened = round(dir, "d");
    stop(server);
    ends(dir, 0, &["backup", "two", "--data-dir", "d"], &["found whole"]);
    ends(dir, 0, &["check", "--data-dir", "d"], &["nothing is wrong", "secrets          4"]);

    ends(dir, 0, &["check", "one"], &["nothing is wrong"]);
    ends(
        dir,
        0,
        &["restore", "one", "--data-dir", "r"],
        &["Rounds go on at", "Never start the old"],
    );
    ends(dir, 0, &["check", "--data-dir", "r"], &["nothing is wrong"]);
    let (server, restored) = start(dir, "r");
    assert_eq!(pin, restored, "it is the same server");
    assert!(round(dir, "r") > opened);
    stop(server);

    let mut damaged = fs::read(dir.join("two")).unwrap();
    damaged[100] ^= 1;
    fs::write(dir.join("damaged"), damaged).unwrap();
    ends(dir, 1, &["check", "damaged"], &["damaged"]);
    ends(dir, 1, &["restore", "damaged", "--data-dir", "x"], &["damaged", "take another one"]);
    ends(dir, 1, &["restore", "two.part", "--data-dir", "x"], &["give the file of a backup"]);
    ends(dir, 1, &["backup", "no/where", "--data-dir", "d"], &["cannot write"]);
    ends(dir, 1, &["backup", "three", "--data-dir", "nowhere"], &["nowhere"]);
    assert!(!dir.join("x").exists() && !dir.join("three").exists());
    let names = fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name());
    let left = names.filter(|name| name.to_string_lossy().ends_with(".part")).count();
    assert_eq!((left, fs::read_dir(dir.join("tmp")).unwrap().count()), (0, 0));
}

#[test]
fn a_backup_that_was_killed_is_made_again_and_a_link_in_its_place_is_not_followed() {
    let dir = place();
    let dir = dir.path();
    stop(start(dir, "d").0);
    fs::write(dir.join("one.part"), "half").unwrap();
    ends(dir, 0, &["backup", "one", "--data-dir", "d"], &["found whole"]);
    ends(dir, 0, &["check", "one"], &["nothing is wrong"]);
    fs::write(dir.join("victim"), "precious").unwrap();
    std::os::unix::fs::symlink("victim", dir.join("two.part")).unwrap();
    ends(dir, 1, &["backup", "two", "--data-dir", "d"], &["cannot write"]);
    assert_eq!(fs::read(dir.join("victim")).unwrap(), b"precious");
}

/// A data directory as the release of schema version 1 left it; its records are made up.
fn version_1(dir: &Path) -> sled::Db {
    stop(start(dir, "old").0);
    let config = sled::Config::new().path(dir.join("old/store")).cache_capacity(1 << 20);
    // sled may take a moment to close
    let db = std::iter::repeat_with(|| config.open()).find_map(Result::ok).unwrap();
    for tree in db.tree_names() {
        db.open_tree(&tree).unwrap().clear().unwrap();
    }
    fixture::load(&db, &fixture::parse(fixture::V1).unwrap()).unwrap();
    // it did not count its writes
    fs::remove_file(dir.join("old/store/written")).unwrap();
    db
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_no_byte() {
    let dir = place();
    let dir = dir.path();
    drop(version_1(dir));
    let before = bytes_of(&dir.join("old"));
    let would = [
        "schema version 1 would be brought to 3: nothing was changed",
        "accounts         2 records",
    ];
    // its made-up records are nobody's: that is told, too
    ends(dir, 1, &["migrate", "--dry-run", "--data-dir", "old"], &would);
    ends(dir, 1, &["migrate", "--dry-run", "--data-dir", "old"], &["wrong: directory: 0"]);
    assert!(bytes_of(&dir.join("old")) == before, "a dry run changed something");
    assert_eq!(fs::read_dir(dir.join("tmp")).unwrap().count(), 0);
    ends(dir, 1, &["check", "--data-dir", "old"], &["schema version 1", "iirs-server migrate"]);

    let was = ["schema version 1 was brought to 3: done", "tokens           2 records"];
    ends(dir, 1, &["migrate", "--data-dir", "old"], &was);
    ends(dir, 1, &["migrate", "--data-dir", "old"], &["the newest: nothing to do"]);
}

#[test]
fn a_dry_run_on_a_damaged_store_says_so() {
    let dir = place();
    let dir = dir.path();
    let db = version_1(dir);
    db.open_tree("accounts").unwrap().insert([0; 4], &[1, 2]).unwrap();
    drop(db);
    let before = bytes_of(&dir.join("old"));
    let damaged = ["an entry of accounts", "damaged", "backup"];
    ends(dir, 1, &["migrate", "--dry-run", "--data-dir", "old"], &damaged);
    assert!(bytes_of(&dir.join("old")) == before);
    ends(dir, 1, &["migrate", "--data-dir", "old"], &damaged);
}
