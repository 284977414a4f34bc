//! The store as its callers see it, on a real directory.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, future::Future, os::unix::fs::PermissionsExt};

use tempfile::TempDir;
use wire::account::{SealedIdentity, SealedMaster, Stretching};

use super::*;

const GENESIS_MS: u64 = 1_767_225_600_000;
const ORIGIN: Origin = Origin { genesis_ms: GENESIS_MS, round_ms: 2000 };

fn open(dir: &TempDir) -> SledStore {
    reopen(dir.path()).unwrap()
}

fn reopen(dir: &Path) -> Result<SledStore, OpenError> {
    SledStore::open(dir, ORIGIN)
}

fn fresh() -> (TempDir, SledStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    (dir, store)
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn new_account(text: &str) -> NewAccount {
    let first = text.as_bytes()[0];
    NewAccount {
        name: name(text),
        password_file: vec![first; 192],
        stretching: Stretching::STANDARD,
        sealed_master: SealedMaster([first; 80]),
        sealed_identity: SealedIdentity([first; 112]),
        directory_record: [first; 163],
        created_ms: GENESIS_MS + 5,
    }
}

/// The directory log is as long as it says, and each head follows from the one before.
fn assert_log_is_whole(store: &SledStore) {
    let entries = store.directory(0, usize::MAX).unwrap();
    assert_eq!(entries.len(), store.directory_len() as usize);
    let mut head = Head::EMPTY;
    for entry in &entries {
        head = head.after(&entry.record);
        assert_eq!(entry.head, head);
    }
    assert_eq!(store.directory_head().unwrap(), head);
}

#[test]
fn everything_is_there_after_reopening() {
    let (dir, store) = fresh();
    run(async {
        assert_eq!(store.register(new_account("ann")).await, Ok(AccountIndex(0)));
        assert_eq!(store.register(new_account("bob")).await, Ok(AccountIndex(1)));
        store.add_token([7; 32], AccountIndex(1), 900, 100).await.unwrap();
        let secrets = vec![
            (SecretKind::RootKey, Zeroizing::new(vec![1; 138])),
            (SecretKind::ResetKey, Zeroizing::new(vec![2; 64])),
        ];
        store.put_secrets(secrets).await.unwrap();
        store.reserve_rounds(512).await.unwrap();
    });
    store.close().unwrap();
    drop(store);

    let later = Origin { genesis_ms: GENESIS_MS + 1, round_ms: 300 };
    let store = SledStore::open(dir.path(), later).unwrap();
    let bob = store.account(&name("bob")).unwrap().unwrap();
    assert_eq!((bob.index, bob.name), (AccountIndex(1), name("bob")));
    assert_eq!((bob.password_file, bob.stretching), (vec![b'b'; 192], Stretching::STANDARD));
    assert!(bob.sealed_master.0 == [b'b'; 80] && bob.sealed_identity.0 == [b'b'; 112]);
    assert_eq!((bob.created_ms, bob.disabled), (GENESIS_MS + 5, false));
    let by_index = store.account_by_index(AccountIndex(0)).unwrap().unwrap();
    assert_eq!(by_index.name, name("ann"));
    assert!(store.account(&name("eve")).unwrap().is_none());
    assert!(store.account_by_index(AccountIndex(2)).unwrap().is_none());
    assert_eq!(store.account_count(), 2);
    assert_eq!(store.directory(1, 9).unwrap()[0].record, [b'b'; 163]);
    assert_log_is_whole(&store);
    let token = TokenRecord { account: AccountIndex(1), expires_ms: 900, superseded: false };
    assert_eq!(store.token(&[7; 32]).unwrap(), Some(token));
    assert_eq!(*store.secret(SecretKind::RootKey).unwrap().unwrap(), vec![1; 138]);
    assert_eq!(*store.secret(SecretKind::ResetKey).unwrap().unwrap(), vec![2; 64]);
    assert!(store.secret(SecretKind::OpaqueSetup).unwrap().is_none());
    assert_eq!((store.origin(), store.rounds_reserved()), (Ok(ORIGIN), Ok(512)));
}

#[test]
fn an_empty_store_has_an_empty_log() {
    let (_dir, store) = fresh();
    assert_eq!((store.directory_len(), store.directory_head()), (0, Ok(Head::EMPTY)));
    assert!(store.directory(0, 10).unwrap().is_empty());
    assert!(store.accounts(AccountIndex(0), 10).unwrap().is_empty());
    assert_eq!(store.rounds_reserved(), Ok(0));
}

#[test]
fn of_two_registrations_of_one_name_at_once_one_wins() {
    let (_dir, store) = fresh();
    let (one, two) = run(async {
        tokio::join!(store.register(new_account("ann")), store.register(new_account("ann")))
    });
    assert_eq!(one, Ok(AccountIndex(0)));
    assert_eq!(two, Err(RegisterError::NameTaken));
    assert_log_is_whole(&store);
}

#[test]
fn registrations_at_once_get_consecutive_places_and_a_whole_log() {
    let (_dir, store) = fresh();
    let store = std::sync::Arc::new(store);
    let registered = run(async {
        let mut tasks = tokio::task::JoinSet::new();
        for i in 0..64 {
            let store = store.clone();
            tasks.spawn(async move { store.register(new_account(&format!("user{i}"))).await });
        }
        tasks.join_all().await
    });
    let mut places: Vec<u32> = registered.into_iter().map(|index| index.unwrap().0).collect();
    places.sort_unstable();
    assert_eq!(places, (0..64).collect::<Vec<_>>());
    assert_log_is_whole(&store);
}

#[test]
fn a_taken_name_changes_nothing() {
    let (_dir, store) = fresh();
    run(store.register(new_account("ann"))).unwrap();
    let head = store.directory_head();
    let other = NewAccount { password_file: vec![9; 192], ..new_account("ann") };
    assert_eq!(run(store.register(other)), Err(RegisterError::NameTaken));
    assert_eq!((store.directory_len(), store.directory_head()), (1, head));
    assert_eq!(store.account(&name("ann")).unwrap().unwrap().password_file, vec![b'a'; 192]);
}

#[test]
fn accounts_come_in_pages_in_directory_order() {
    let (_dir, store) = fresh();
    for text in ["zoe", "bob", "ann"] {
        run(store.register(new_account(text))).unwrap();
    }
    let page = |from, max| {
        let page = store.accounts(AccountIndex(from), max).unwrap();
        page.iter().map(|account| account.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2), ["zoe", "bob"]);
    assert_eq!(page(2, 2), ["ann"]);
    assert!(page(3, 2).is_empty() && page(u32::MAX, 2).is_empty());
}

#[test]
fn what_is_too_long_is_refused_and_the_store_goes_on() {
    let (_dir, store) = fresh();
    let long = NewAccount { password_file: vec![0; 4096], ..new_account("ann") };
    assert_eq!(run(store.register(long)), Err(RegisterError::Store(StoreError::TooLong)));
    let secrets = vec![(SecretKind::RootKey, Zeroizing::new(vec![0; 4096]))];
    assert_eq!(run(store.put_secrets(secrets)), Err(StoreError::TooLong));
    assert_eq!(run(store.register(new_account("ann"))), Ok(AccountIndex(0)));
}

#[test]
fn a_newer_token_supersedes_the_older_ones_of_its_account_only() {
    let (_dir, store) = fresh();
    run(async {
        store.add_token([1; 32], AccountIndex(0), 900, 100).await.unwrap();
        store.add_token([2; 32], AccountIndex(1), 900, 100).await.unwrap();
        store.add_token([3; 32], AccountIndex(0), 950, 100).await.unwrap();
    });
    let superseded = |hash| store.token(&[hash; 32]).unwrap().unwrap().superseded;
    assert!(superseded(1) && !superseded(2) && !superseded(3));

    run(store.remove_token([3; 32])).unwrap();
    run(store.remove_token([9; 32])).unwrap();
    assert_eq!(store.token(&[3; 32]).unwrap(), None);
    assert!(superseded(1));
}

#[test]
fn an_account_keeps_its_8_newest_tokens_and_no_expired_one() {
    let (_dir, store) = fresh();
    let add = |hash, expires_ms, now_ms| {
        run(store.add_token([hash; 32], AccountIndex(0), expires_ms, now_ms)).unwrap();
    };
    let known = || (0..20).filter(|hash| store.token(&[*hash; 32]).unwrap().is_some());
    (0..10).for_each(|hash| add(hash, 900 + u64::from(hash), 100));
    assert_eq!(known().collect::<Vec<_>>(), (2..10).collect::<Vec<_>>());
    add(10, 2_000, 907);
    assert_eq!(known().collect::<Vec<_>>(), [8, 9, 10]);
}

#[test]
fn reserved_rounds_never_go_back() {
    let (dir, store) = fresh();
    run(store.reserve_rounds(100)).unwrap();
    let back = ReserveError::GoesBack { reserved: 100, asked: 99 };
    assert_eq!(run(store.reserve_rounds(99)), Err(back.clone()));
    run(store.reserve_rounds(100)).unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(run(store.reserve_rounds(99)), Err(back));
    assert_eq!(store.rounds_reserved(), Ok(100));
}

#[test]
fn a_closed_store_takes_no_writes() {
    let (_dir, store) = fresh();
    run(store.register(new_account("ann"))).unwrap();
    store.close().unwrap();
    assert_eq!(run(store.reserve_rounds(1)), Err(ReserveError::Store(StoreError::Closed)));
    assert_eq!(store.account_count(), 1);
    store.close().unwrap();
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let (dir, store) = fresh();
    let refused = reopen(dir.path()).err().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(refused.to_string().contains("stop that one"), "{refused}");
    run(store.register(new_account("ann"))).unwrap();
    drop(store);
    assert_eq!(open(&dir).account_count(), 1);
}

#[test]
fn what_a_crash_left_behind_is_cleared() {
    let (dir, store) = fresh();
    run(store.register(new_account("ann"))).unwrap();
    drop(store);
    let generating = dir.path().join("store/snap.1.generating");
    fs::write(&generating, "half a snapshot").unwrap();
    fs::create_dir_all(dir.path().join("store.new/blobs")).unwrap();
    fs::write(dir.path().join("store.new/conf"), "half").unwrap();
    assert_eq!(open(&dir).account_count(), 1);
    assert!(!generating.exists() && !dir.path().join("store.new").exists());
}

#[test]
fn a_half_made_store_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("lock"), "").unwrap();
    fs::create_dir(dir.path().join("store.new")).unwrap();
    fs::write(dir.path().join("store.new/conf"), "segment_size: 5").unwrap();
    assert_eq!(open(&dir).origin(), Ok(ORIGIN));
}

/// Changes the closed store with sled, and returns the error of opening it then.
fn refused_after(change: impl FnOnce(&sled::Db)) -> (TempDir, OpenError) {
    let (dir, store) = fresh();
    drop(store);
    let config = sled::Config::new().path(dir.path().join("store")).cache_capacity(1 << 20);
    // sled may take a moment to close.
    let db = std::iter::repeat_with(|| config.open()).find_map(Result::ok).unwrap();
    change(&db);
    drop(db);
    let refused = reopen(dir.path()).err().unwrap();
    (dir, refused)
}

#[test]
fn a_newer_schema_is_refused_with_what_to_do() {
    let newer = (migrations::VERSION + 1).to_be_bytes();
    let (_dir, refused) = refused_after(|db| {
        let meta = db.open_tree(migrations::META_TREE).unwrap();
        meta.insert(migrations::SCHEMA_KEY, &newer).unwrap();
    });
    assert!(matches!(refused, OpenError::Schema { .. }));
    assert!(refused.to_string().contains("run the release that wrote it"), "{refused}");
}

#[test]
fn a_store_that_lost_all_is_damaged_and_not_made_anew() {
    let (dir, refused) = refused_after(|db| {
        for tree in db.tree_names() {
            db.open_tree(tree).unwrap().clear().unwrap();
        }
    });
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    fs::remove_file(dir.path().join("store/db")).unwrap();
    let refused = reopen(dir.path()).err().unwrap();
    assert!(refused.to_string().contains("store/db is missing"), "{refused}");
    assert!(!dir.path().join("store/db").exists());
}

#[test]
fn a_damaged_log_is_refused_or_read_but_never_a_panic() {
    let (dir, store) = fresh();
    for text in ["ann", "bob", "eve"] {
        run(store.register(new_account(text))).unwrap();
    }
    drop(store);
    let log = dir.path().join("store/db");
    let bytes = fs::read(&log).unwrap();
    for at in (0..bytes.len().min(40_000)).step_by(4_001) {
        let mut damaged = bytes.clone();
        damaged[at..].iter_mut().take(64).for_each(|byte| *byte ^= 0x55);
        fs::write(&log, damaged).unwrap();
        match reopen(dir.path()) {
            Ok(store) => assert!(store.account_count() <= 3),
            Err(refused) => assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}"),
        }
    }
}

#[test]
fn the_directory_is_private_to_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(reopen(&data).unwrap());
    assert_eq!((mode(&data), mode(&data.join("store"))), (0o700, 0o700));
    assert_eq!((mode(&data.join("store/db")), mode(&data.join("lock"))), (0o600, 0o600));

    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    drop(reopen(&data).unwrap());
    assert_eq!(mode(&data), 0o700);
}

#[test]
fn a_directory_of_other_things_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis"), "").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = reopen(dir.path()).err().unwrap();
    assert!(matches!(refused, OpenError::NotPrivate { .. }), "{refused}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let refused = reopen(&dir.path().join("thesis")).err().unwrap();
    assert!(refused.to_string().contains("a file is in the way"), "{refused}");
}

#[test]
fn looking_for_a_store_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    for thing in ["", "thesis", "store"] {
        if !thing.is_empty() {
            fs::create_dir(dir.path().join(thing)).unwrap();
        }
        let before = fs::read_dir(dir.path()).unwrap().count();
        let refused = SledStore::open_existing(dir.path()).err().unwrap();
        assert!(matches!(refused, OpenError::NoStore { .. }), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
    }
    assert_eq!(fs::read_dir(dir.path().join("store")).unwrap().count(), 0);

    let (dir, store) = fresh();
    run(store.register(new_account("ann"))).unwrap();
    drop(store);
    assert_eq!(SledStore::open_existing(dir.path()).unwrap().account_count(), 1);
}

const CHILD_DIR: &str = "IIRS_STORE_TEST_CHILD_DIR";
const CHILD_WRITERS: &str = "IIRS_STORE_TEST_CHILD_WRITERS";
const NAMES_EACH: usize = 50;

/// Not a test of its own: the process that `killed_child` kills.
#[test]
fn child_that_registers_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let writers: u32 = std::env::var(CHILD_WRITERS).unwrap().parse().unwrap();
    let store = std::sync::Arc::new(SledStore::open(dir.as_ref(), ORIGIN).unwrap());
    run(async {
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..writers {
            let store = store.clone();
            tasks.spawn(async move {
                for i in 0..NAMES_EACH {
                    let text = format!("w{writer}n{i}");
                    store.register(new_account(&text)).await.unwrap();
                    writeln!(std::io::stdout(), "\nacknowledged {text}").unwrap();
                }
            });
        }
        tasks.join_all().await
    });
    // Neither closes nor writes anything more: the kill comes, or the end of standard input.
    std::io::stdin().read_line(&mut String::new()).unwrap();
    std::process::exit(1);
}

/// Registers in a child process, kills it after so many names, and returns those acknowledged.
fn killed_child(dir: &Path, writers: u32, kill_after: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::child_that_registers_until_it_is_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_WRITERS, writers.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // A line without its end was cut by the kill.
    while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        if let Some(text) = line.trim_end().strip_prefix("acknowledged ") {
            acknowledged.push(text.to_owned());
            if acknowledged.len() == kill_after {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= kill_after);
    acknowledged
}

fn assert_all_are_there(dir: &TempDir, acknowledged: &[String]) {
    let store = open(dir);
    for text in acknowledged {
        assert!(store.account(&name(text)).unwrap().is_some(), "{text}");
    }
    assert_log_is_whole(&store);
}

#[test]
fn acknowledged_names_survive_a_kill_amid_writes() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = killed_child(dir.path(), 8, 100);
    assert_all_are_there(&dir, &acknowledged);
}

#[test]
fn the_last_acknowledged_name_survives_a_kill_with_no_write_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = killed_child(dir.path(), 1, NAMES_EACH);
    assert_all_are_there(&dir, &acknowledged);
}
