//! What the disk loses is missed: at the opening, by a scrub, by a check, by a backup.

use std::fs;

use super::*;
use crate::store::sums::{MISSING, Walk};
use crate::store::trees::{Change, Tree};
use crate::store::written::{WRITTEN, Written};

/// A closed store with some accounts.
fn closed() -> TempDir {
    let (dir, store) = fresh();
    registered(&store, &["ann", "bob", "cid", "dan"]);
    run(store.add_token(proved(2), new_token(7, 900))).unwrap();
    store.close().unwrap();
    dir
}

/// Changes a closed store with sled, beside its sums.
fn changed(dir: &TempDir, change: impl FnOnce(&sled::Db)) {
    let config = sled::Config::new().path(dir.path().join("store")).cache_capacity(1 << 20);
    // sled may take a moment to close.
    let db = std::iter::repeat_with(|| config.open()).find_map(Result::ok).unwrap();
    change(&db);
    db.flush().unwrap();
}

fn remove(tree: Tree, key: impl AsRef<[u8]>) -> impl FnOnce(&sled::Db) {
    move |db| assert!(db.open_tree(tree.name()).unwrap().remove(key).unwrap().is_some())
}

fn problems(dir: &TempDir) -> Vec<String> {
    check_store(dir.path(), Depth::Links, &mut |_, _| ()).unwrap().problems
}

fn missing<T>() -> Result<T, StoreError> {
    Err(StoreError::Fatal(MISSING.to_owned()))
}

/// What somebody does to the records behind the store's back.
type Damage = Box<dyn FnOnce(&sled::Db)>;

/// Nothing is acknowledged once more in a store that is known to have lost something, until somebody says so.
fn assert_not_opened(dir: &TempDir) {
    let refused = reopen(dir.path()).err().unwrap().to_string();
    assert!(refused.contains("an earlier scrub or backup found records missing"), "{refused}");
    fs::remove_file(dir.path().join("store/damaged")).unwrap();
    assert!(reopen(dir.path()).is_ok());
}

#[test]
fn a_scrub_of_a_whole_store_counts_its_records() {
    let dir = closed();
    let store = open(&dir);
    // Four accounts, names and entries of the directory; a token, its list, two numbers, the sums.
    assert_eq!(store.scrub(|| true), Ok(Some(4 * 3 + 5)));
    assert_eq!(store.scrub(|| false), Ok(None));
    assert_eq!(store.alive(), Ok(()));
}

#[test]
fn a_record_that_is_gone_or_was_changed_ends_the_store_and_is_told_by_a_check() {
    let other = |db: &sled::Db| {
        let names = db.open_tree(Tree::Names.name()).unwrap();
        let bob = names.get("bob").unwrap().unwrap();
        names.insert("ann", bob).unwrap();
    };
    let changes: [Damage; 5] = [
        Box::new(remove(Tree::Names, "bob")),
        Box::new(remove(Tree::AccountTokens, 2u32.to_be_bytes())),
        Box::new(remove(Tree::Tokens, [7; 32])),
        Box::new(remove(Tree::State, "round-ms")),
        Box::new(other),
    ];
    for change in changes {
        let dir = closed();
        assert!(!problems(&dir).iter().any(|problem| problem.contains(MISSING)));
        changed(&dir, change);
        assert!(problems(&dir).iter().any(|problem| problem.contains(MISSING)));
        let store = open(&dir);
        assert_eq!(store.scrub(|| true), missing());
        assert_eq!(run(store.fatal()), MISSING);
        assert_eq!(run(store.reserve_rounds(9)).map_err(|error| error.to_string()).ok(), None);
        assert_eq!(store.close(), missing());
        drop(store);
        assert_not_opened(&dir);
    }
}

#[test]
fn a_backup_of_a_store_that_lost_a_record_is_none_and_ends_it() {
    let dir = closed();
    changed(&dir, remove(Tree::Names, "bob"));
    let store = open(&dir);
    let written = store.begin_backup().unwrap().write(Vec::new(), 0, || true);
    assert!(
        matches!(written, Err(BackupError::Store(error)) if error == missing::<()>().unwrap_err())
    );
    assert_eq!(run(store.fatal()), MISSING);
}

/// Makes a closed store one that lost its newest write.
fn lose_a_write(dir: &TempDir) {
    let (store, older) = (dir.path().join("store"), dir.path().join("older"));
    copy(&store, &older);
    let again = open(dir);
    registered(&again, &["eve"]);
    again.close().unwrap();
    drop(again);
    fs::copy(store.join(WRITTEN), older.join(WRITTEN)).unwrap();
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&older, &store).unwrap();
}

/// Returns the number beside a closed store.
fn number(dir: &TempDir) -> u64 {
    Written::open(dir.path(), &dir.path().join("store")).unwrap().unwrap().number()
}

#[test]
fn a_store_that_lost_its_newest_writes_is_refused() {
    let dir = closed();
    lose_a_write(&dir);
    for opened in [reopen(dir.path()), SledStore::open_existing(dir.path())] {
        let refused = opened.err().unwrap();
        let OpenError::LostWrites { found, written, .. } = &refused else { panic!("{refused}") };
        assert_eq!(found + 1, *written);
        assert!(refused.to_string().contains("put a backup"), "{refused}");
    }
    assert!(problems(&dir).iter().any(|problem| problem.contains("lost what was acknowledged")));
}

#[test]
fn a_start_counts_all_that_it_found() {
    let dir = closed();
    let all = number(&dir);
    drop(Written::create(&dir.path().join("store"), all - 2).unwrap());
    assert_eq!(number(&dir), all - 2);
    let store = open(&dir);
    assert_eq!(number(&dir), all, "before anything more is written");
    store.close().unwrap();
    drop(store);
    // What was found and counted cannot be lost without a word.
    drop(Written::create(&dir.path().join("store"), all + 1).unwrap());
    assert!(matches!(reopen(dir.path()), Err(OpenError::LostWrites { .. })));
}

#[test]
fn a_store_that_lost_its_newest_writes_is_not_migrated() {
    let migrated = |dir: &TempDir| {
        let scratch = tempfile::tempdir().unwrap();
        let dry = migrate_copy(dir.path(), scratch.path(), &mut |_, _| ());
        [dry, migrate_store(dir.path(), &mut |_, _| ())].map(|it| it.map(|it| it.from))
    };
    let dir = closed();
    assert!(migrated(&dir).into_iter().all(|from| from.unwrap() == migrations::VERSION));
    lose_a_write(&dir);
    let all = number(&dir);
    for refused in migrated(&dir) {
        let Err(OpenError::LostWrites { found, written, .. }) = refused else { panic!("migrated") };
        assert_eq!((found + 1, written), (all, all));
    }
    // One that lost even the change of its schema; nothing of it is changed once more.
    changed(&dir, |db| {
        db.open_tree(Tree::Sums.name()).unwrap().clear().unwrap();
        let meta = db.open_tree(migrations::META_TREE).unwrap();
        meta.insert(migrations::SCHEMA_KEY, &2u32.to_be_bytes()).unwrap();
    });
    for refused in migrated(&dir) {
        let Err(OpenError::LostWrites { found, written, .. }) = refused else { panic!("migrated") };
        assert_eq!((found, written), (0, all));
    }
    assert!(matches!(reopen(dir.path()), Err(OpenError::LostWrites { found: 0, .. })));
    changed(&dir, |db| assert_eq!(migrations::version(db).unwrap(), Some(2)));
    // One of that version counted nothing.
    fs::remove_file(dir.path().join("store").join(WRITTEN)).unwrap();
    assert!(migrated(&dir).into_iter().all(|from| from.unwrap() == 2));
}

#[test]
fn a_store_without_the_number_of_its_writes_is_refused() {
    let dir = closed();
    let file = dir.path().join("store").join(WRITTEN);
    fs::remove_file(&file).unwrap();
    let refused = reopen(dir.path()).err().unwrap();
    assert!(refused.to_string().contains("store/written is missing"), "{refused}");
    assert!(problems(&dir).iter().any(|problem| problem.contains("store/written is missing")));
    fs::write(&file, [0; 8192]).unwrap();
    let refused = reopen(dir.path()).err().unwrap();
    assert!(refused.to_string().contains("no number that can be read"), "{refused}");
}

#[test]
fn a_lost_entry_of_the_sums_is_refused() {
    let dir = closed();
    changed(&dir, remove(Tree::Sums, "all"));
    let refused = reopen(dir.path()).err().unwrap();
    assert!(refused.to_string().contains("an entry of sums is damaged; put a backup"), "{refused}");
}

#[test]
fn the_number_beside_the_store_is_that_of_the_acknowledged_writes() {
    let (dir, store) = fresh();
    let number = || {
        let path = dir.path().join("store");
        let written = Written::open(dir.path(), &path).unwrap();
        written.unwrap().number()
    };
    assert_eq!(number(), 1, "what rounds count from");
    for (text, expected) in [("ann", 2), ("bob", 3)] {
        registered(&store, &[text]);
        assert_eq!((number(), store.trees.sums().unwrap().written), (expected, expected));
    }
    // What changes nothing is not counted.
    drop(store.begin_backup().unwrap());
    assert_eq!(number(), 3);
}

#[test]
fn a_walk_has_the_sum_of_its_end_whatever_is_written_meanwhile() {
    let (_dir, store) = fresh();
    let trees = &store.trees;
    let put = |tree, key: u32, value: &[u8]| Change::put_encoded(tree, key.to_be_bytes(), value);
    let fill: Vec<_> = (0..300).map(|key| put(Tree::Directory, key, &[1; 20])).collect();
    trees.apply(&fill).unwrap();
    let mut seen = 0;
    let mut walk = Walk::begin(trees);
    while let Some((_, entries)) = walk.next().unwrap() {
        seen += entries.len();
        let step = seen as u32;
        assert!(step < 1000, "what is written keeps the walk from its end");
        // Before, at and behind where the walk is, in all trees.
        for tree in [Tree::Accounts, Tree::Directory, Tree::Tokens] {
            let changes = [
                put(tree, step, &[2; 30]),
                put(tree, step + 1000, &[3]),
                Change::remove(tree, step.saturating_sub(1).to_be_bytes()),
                Change::remove(tree, (step + 1).to_be_bytes()),
                put(tree, 0, &step.to_be_bytes()),
                put(tree, 0, &[]),
            ];
            trees.apply(&changes).unwrap();
        }
    }
    walk.compare().unwrap();
    assert!(seen > 300, "{seen}");
    // The sum is of all that is there, and not of nothing.
    let mut walk = Walk::begin(trees);
    walk.next().unwrap();
    assert_eq!(walk.compare(), missing());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
