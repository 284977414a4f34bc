//! Opening a data directory: sound, damaged, foreign, in use.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let (dir, store) = fresh();
    let refused = reopen(dir.path()).err().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(refused.to_string().contains("stop that one"), "{refused}");
    run(store.register(new_account("ann"), None)).unwrap();
    drop(store);
    assert_eq!(open(&dir).account_count(), 1);
}

#[test]
fn what_a_crash_left_behind_is_cleared() {
    let (dir, store) = fresh();
    run(store.register(new_account("ann"), None)).unwrap();
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
        run(store.register(new_account(text), None)).unwrap();
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
    run(store.register(new_account("ann"), None)).unwrap();
    drop(store);
    assert_eq!(SledStore::open_existing(dir.path()).unwrap().account_count(), 1);
}
