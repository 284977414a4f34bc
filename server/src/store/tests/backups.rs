//! Backups: whole, of one moment, read again, and made into a store.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};

use wire::restore::RestoreNotice;

use super::*;
use crate::store::record::*;
use crate::store::trees::{Change, Tree, Trees};

const NOW_MS: u64 = GENESIS_MS + 1_000_000;

/// A store with something in every tree, and the file of a backup of it.
fn backed_up() -> (TempDir, SledStore, File, BackupInfo) {
    let (dir, store) = filled();
    let mut file = tempfile::tempfile().unwrap();
    let info = store.begin_backup().unwrap().write(&mut file, NOW_MS, || true).unwrap();
    (dir, store, file, info)
}

/// A store that a check finds nothing wrong with.
fn filled() -> (TempDir, SledStore) {
    let (dir, store) = fresh();
    for text in ["ann", "bob", "cid"] {
        run(store.register(signed_account(text), None)).unwrap();
    }
    run(async {
        for index in [0, 0, 2] {
            let hash =
                store.account_count() as u8 + store.sessions(AccountIndex(0)).unwrap().len() as u8;
            store
                .add_token(proved(index), new_token(hash * 16 + index as u8, u64::MAX))
                .await
                .unwrap();
        }
        let vault = StoredVault { version: 3, sealed: Box::new([7; VAULT_BYTES]) };
        store.put_vault(AccountIndex(2), 0, vault).await.unwrap();
        store.add_invites(vec![[5; 32], [6; 32]], u64::MAX, 0).await.unwrap();
        let secrets = SecretKind::ALL.map(|kind| (kind, Zeroizing::new(vec![kind as u8; 64])));
        store.put_secrets(secrets.to_vec()).await.unwrap();
        store.reserve_rounds(77).await.unwrap();
        let bob = signed("bob").1;
        store.delete_account(proved(1), bob).await.unwrap();
    });
    (dir, store)
}

/// Records that a name's own key signed: its registration and its deletion.
fn signed(text: &str) -> ([u8; size::RECORD], [u8; size::RECORD]) {
    use wire::codec::Wire as _;
    use wire::directory::Record;
    use wire::public_key::AgreementKey;

    let key = p256::ecdsa::SigningKey::from_slice(&[text.as_bytes()[0]; 32]).unwrap();
    let agreement = AgreementKey::random(&mut rand_core::OsRng).public();
    let record = Record::new(name(text), agreement, &key);
    let deletion = Record::deletion(name(text), &key);
    (record.encode().try_into().unwrap(), deletion.encode().try_into().unwrap())
}

fn signed_account(text: &str) -> NewAccount {
    NewAccount { directory_record: signed(text).0, ..new_account(text) }
}

fn put_back(file: &mut File, dir: &Path) -> Result<RestoredStore, RestoreError> {
    restore(file, dir, NOW_MS, 0, &mut |_, _| ())
}

/// Everything but the numbers that a restore sets, and what follows from them.
fn but_for_state(store: &SledStore) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut contents = contents(store);
    contents.retain(|(tree, _, _)| tree != "state" && tree != "sums");
    contents
}

#[test]
fn a_restored_store_holds_what_was_backed_up_and_goes_on() {
    let (_dir, store, mut file, info) = backed_up();
    assert_eq!((info.accounts, info.directory_len), (2, 4));
    assert_eq!(info.records as usize, contents(&store).len());
    assert_eq!(verify(&mut file).unwrap(), info);
    // what comes after the backup is not in it
    let before = but_for_state(&store);
    run(store.register(signed_account("dan"), None)).unwrap();
    let to = tempfile::tempdir().unwrap();
    let restored = put_back(&mut file, to.path()).unwrap();
    assert!(restored.report.is_sound(), "{:?}", restored.report.problems);
    let again = reopen(to.path()).unwrap();
    assert_eq!(but_for_state(&again), before);
    assert_eq!(again.origin(), Ok(ORIGIN));
    assert_eq!((again.restores(), store.restores()), (Ok(vec![notice(&again, 4, 0)]), Ok(vec![])));
    assert_eq!(run(again.register(signed_account("dan"), None)), Ok(AccountIndex(4)));
    assert_log_is_whole(&again);
    assert_eq!(again.scrub(|| true), Ok(Some(contents(&again).len() as u64)));
    drop(again);
    assert_eq!(open(&to).account_count(), 3);
    let mode = std::os::unix::fs::PermissionsExt::mode;
    assert_eq!(
        mode(&fs::metadata(to.path().join("store/db")).unwrap().permissions()) & 0o777,
        0o600
    );
}

/// What a store says that was put back at [`NOW_MS`] for the first time, or `times` times more.
fn notice(store: &SledStore, length: u32, times: u64) -> RestoreNotice {
    let head = store.directory(length - 1, 1).unwrap()[0].head;
    RestoreNotice { backed_up_ms: NOW_MS, restored_ms: NOW_MS + times, length, head }
}

#[test]
fn a_store_that_is_restored_again_tells_both_and_each_is_later() {
    let (_dir, _store, mut file, _) = backed_up();
    let to = tempfile::tempdir().unwrap();
    put_back(&mut file, to.path()).unwrap();
    let again = reopen(to.path()).unwrap();
    run(again.register(signed_account("dan"), None)).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    again.begin_backup().unwrap().write(&mut file, NOW_MS, || true).unwrap();
    let to = tempfile::tempdir().unwrap();
    // by a clock that stands still
    assert!(put_back(&mut file, to.path()).unwrap().report.is_sound());
    let twice = reopen(to.path()).unwrap();
    assert_eq!(twice.restores(), Ok(vec![notice(&twice, 4, 0), notice(&twice, 5, 1)]));
    drop(twice);
    assert!(check_store(to.path(), Depth::Links, &mut |_, _| ()).unwrap().is_sound());
}

#[test]
fn a_restored_store_opens_no_number_that_may_have_been_opened() {
    let (_dir, _store, mut file, _) = backed_up();
    let ahead = RESTORE_AHEAD_MS / 2000;
    for (now_ms, after, first) in [
        (GENESIS_MS, 0, ahead),
        (GENESIS_MS + 2000 * 500, 0, 500 + ahead),
        // a clock that is behind: what was reserved counts, or what the operator knows
        (GENESIS_MS - 1000 * RESTORE_AHEAD_MS, 0, 77),
        (GENESIS_MS, 7 * ahead, 7 * ahead + 1),
    ] {
        let to = tempfile::tempdir().unwrap();
        let restored = restore(&mut file, to.path(), now_ms, after, &mut |_, _| ()).unwrap();
        assert_eq!(restored.first_round, first);
        assert_eq!(reopen(to.path()).unwrap().rounds_reserved(), Ok(first));
    }
}

#[test]
fn a_round_that_clients_would_refuse_is_no_round_that_was_opened() {
    let (_dir, _store, mut file, _) = backed_up();
    // 21 hours: a day is what clients bear
    let ahead = 21 * 60 * 60 / 2;
    for (now_ms, most) in [
        (GENESIS_MS, ahead),
        (GENESIS_MS + 2000 * 500, ahead + 500),
        // what was reserved was opened, whatever the clock says
        (0, 77),
    ] {
        for after in [most + 1, u64::MAX] {
            let to = tempfile::tempdir().unwrap();
            let refused = restore(&mut file, to.path(), now_ms, after, &mut |_, _| ());
            let error = refused.err().unwrap().to_string();
            assert!(error.contains(&format!("can have opened {most} at the most")), "{error}");
            let left = fs::read_dir(to.path()).unwrap().map(|it| it.unwrap().file_name());
            assert_eq!(left.collect::<Vec<_>>(), ["lock"]);
        }
        let to = tempfile::tempdir().unwrap();
        let restored = restore(&mut file, to.path(), now_ms, most, &mut |_, _| ()).unwrap();
        assert_eq!(restored.first_round, most + 1);
    }
}

#[test]
fn a_second_restore_by_a_clock_that_was_set_back_is_told_to_who_knows_a_round_of_the_first() {
    let (_dir, _store, mut file, _) = backed_up();
    let mut restored = |now_ms, after| {
        let to = tempfile::tempdir().unwrap();
        let restored = restore(&mut file, to.path(), now_ms, after, &mut |_, _| ()).unwrap();
        let notices = reopen(to.path()).unwrap().restores().unwrap();
        (restored.first_round, notices[0].restored_ms)
    };
    for odd_ms in [0, 1, 1999] {
        let first_ms = GENESIS_MS + 50 * RESTORE_AHEAD_MS + odd_ms;
        let (opened, told_ms) = restored(first_ms, 0);
        assert_eq!(told_ms, first_ms);
        // The one backup again, which knows nothing of that.
        let set_back_ms = first_ms - 6 * RESTORE_AHEAD_MS;
        let (next, again_ms) = restored(set_back_ms, opened);
        assert_eq!(next, opened + 1);
        assert!((1..=2000).contains(&(again_ms - first_ms)), "{first_ms} {again_ms}");
        // A number that the clock knows better changes nothing.
        assert_eq!(restored(first_ms + 2000, opened).1, first_ms + 2000);
        assert_eq!(restored(first_ms, 5).1, first_ms);
    }
    // nor does a round that the backup itself knows, by a clock from before the server
    assert_eq!(restored(0, 76).1, GENESIS_MS + 2000 * 77 - RESTORE_AHEAD_MS);
}

#[test]
fn a_backup_that_is_short_or_has_one_wrong_bit_is_refused_and_nothing_is_made() {
    let (_dir, _store, mut file, _) = backed_up();
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    let to = tempfile::tempdir().unwrap();
    let refused = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let refused = put_back(&mut file, to.path());
        assert!(matches!(refused, Err(RestoreError::Backup(_))));
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    };
    for length in (0..bytes.len()).step_by(101).chain([bytes.len() - 1]) {
        refused(&bytes[..length]);
    }
    for place in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        refused(&flipped);
    }
    refused(&[&bytes[..], b"x"].concat());
}

#[test]
fn a_backup_of_no_schema_version_is_refused() {
    use sha2::{Digest as _, Sha256};

    let numbers = [&[0; 4][..], &NOW_MS.to_be_bytes(), &[3], &[0; 16]].concat();
    let bytes = [&b"iirsbak1"[..], &numbers].concat();
    let mut file = std::io::Cursor::new([&bytes[..], &Sha256::digest(&bytes)].concat());
    assert!(matches!(verify(&mut file), Err(BackupError::Damaged(_))));
}

#[test]
fn nothing_is_put_over_anything() {
    let (_dir, store, mut file, _) = backed_up();
    drop(store);
    let to = tempfile::tempdir().unwrap();
    fs::write(to.path().join("something"), "").unwrap();
    assert!(matches!(put_back(&mut file, to.path()), Err(RestoreError::NotEmpty(_))));
    fs::remove_file(to.path().join("something")).unwrap();
    // what a restore that was cut short left is no obstacle, and no data directory
    fs::write(to.path().join("lock"), "").unwrap();
    fs::create_dir(to.path().join("store.restoring")).unwrap();
    fs::write(to.path().join("store.restoring/db"), "half").unwrap();
    assert!(matches!(reopen(to.path()), Err(OpenError::HalfRestored { .. })));
    put_back(&mut file, to.path()).unwrap();
    assert!(matches!(put_back(&mut file, to.path()), Err(RestoreError::NotEmpty(_))));
    drop(reopen(to.path()).unwrap());
}

#[test]
fn a_backup_amid_writes_is_the_store_of_one_moment() {
    let (_dir, store) = filled();
    let store = std::sync::Arc::new(store);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writing = {
        let store = store.clone();
        std::thread::spawn(move || {
            for number in 0.. {
                let mut text = format!("p{number}");
                let index = run(store.register(signed_account(&text), None)).unwrap();
                run(store.add_token(proved(index.0), new_token_of(number))).unwrap();
                if number % 3 == 0 {
                    // the key of `signed` comes from the first letter: any of them signs
                    run(store.delete_account(proved(index.0), signed(&text).1)).unwrap();
                }
                text.clear();
                if stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty) {
                    return number;
                }
            }
            0
        })
    };
    let mut made = 0;
    while made < 8 || store.directory_len() < 100 {
        let mut file = tempfile::tempfile().unwrap();
        let before = store.directory_len();
        let backup = store.begin_backup().unwrap();
        assert!(matches!(store.begin_backup(), Err(BackupError::Busy)));
        let info = backup.write(&mut file, NOW_MS, || true).unwrap();
        assert!((before..=store.directory_len()).contains(&info.directory_len));
        let to = tempfile::tempdir().unwrap();
        let (_, report) = check_backup(&mut file, to.path(), Depth::Links, &mut |_, _| ()).unwrap();
        let wrong: Vec<_> =
            report.problems.iter().filter(|it| !it.starts_with("secrets")).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(report.accounts, info.accounts);
        made += 1;
    }
    drop(stop);
    assert!(writing.join().unwrap() > 0);
    // an abandoned one leaves the way free
    drop(store.begin_backup().unwrap());
    drop(store.begin_backup().unwrap());
}

fn new_token_of(number: u32) -> NewToken {
    let mut hash = [0xee; 32];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    NewToken { hash, created_ms: 100, expires_ms: u64::MAX }
}

/// What is done to a store, and what a check says of it.
type Harm = (fn(&Trees), &'static str);

fn put<R: Record>(trees: &Trees, tree: Tree, key: impl AsRef<[u8]>, record: &R) {
    trees.apply(&[Change::put(tree, key, record).unwrap()]).unwrap();
}

fn remove(trees: &Trees, tree: Tree, key: impl AsRef<[u8]>) {
    trees.apply(&[Change::remove(tree, key)]).unwrap();
}

fn assert_named(harms: &[Harm]) {
    for (harm, named) in harms {
        let (dir, store) = filled();
        harm(&store.trees);
        store.close().unwrap();
        drop(store);
        let report = check_store(dir.path(), Depth::Signatures, &mut |_, _| ()).unwrap();
        assert_eq!(report.is_sound(), named.is_empty(), "{named}: {:?}", report.problems);
        let is_named = report.problems.iter().any(|problem| problem.contains(named));
        assert!(is_named || named.is_empty(), "{named}: {:?}", report.problems);
    }
}

#[test]
fn a_check_names_what_is_wrong_and_only_that() {
    assert_named(&[
        (|_| (), ""),
        (|it| remove(it, Tree::Directory, 1u32.to_be_bytes()), "directory: 2 follows 1 records"),
        (
            |it| {
                let record = signed("eve").0;
                let entry = DirectoryRecord { record, head: [1; 32] };
                put(it, Tree::Directory, 2u32.to_be_bytes(), &entry);
            },
            "directory: 2 has a head that does not follow",
        ),
        (|it| remove(it, Tree::Accounts, 0u32.to_be_bytes()), "accounts: nothing for account 0"),
        (|it| remove(it, Tree::Names, "cid"), "names: nothing for account 2"),
        (|it| put(it, Tree::Names, "zoe", &IndexRecord(1)), "names: an entry leads to account 1"),
        (
            |it| remove(it, Tree::AccountTokens, 2u32.to_be_bytes()),
            "is not in the list of account 2",
        ),
        (
            |it| put(it, Tree::AccountTokens, 2u32.to_be_bytes(), &AccountTokens(Vec::new())),
            "account-tokens: 2 lists 0 tokens",
        ),
        (
            |it| {
                let vault = VaultRecord { version: 1, sealed: [0; VAULT_BYTES] };
                put(it, Tree::Vaults, 1u32.to_be_bytes(), &vault);
            },
            "vaults: 1 is of an account that is not there",
        ),
        (
            |it| it.apply(&[Change::put_encoded(Tree::Invites, [5; 32], &[1, 2])]).unwrap(),
            "invites: 0505050505050505 is no record",
        ),
        (|it| remove(it, Tree::Secrets, "root-key"), "secrets: root-key is missing"),
        (|it| put(it, Tree::State, "deletions", &NumberRecord(4)), "state: counts 4 deletions"),
    ]);
}

#[test]
fn a_check_names_numbers_that_nothing_could_follow() {
    assert_named(&[
        (
            |it| {
                let entry = DirectoryRecord { record: signed("eve").0, head: [1; 32] };
                put(it, Tree::Directory, u32::MAX.to_be_bytes(), &entry);
            },
            "state cannot be read: the store failed: an entry of directory is damaged",
        ),
        (
            |it| put(it, Tree::State, "rounds-reserved", &NumberRecord(u64::MAX)),
            "state: more rounds are reserved",
        ),
        (
            |it| put(it, Tree::State, "restore-2-ms", &NumberRecord(7)),
            "state: the restores do not fit",
        ),
        (
            |it| {
                for (name, number) in [("backed-up-ms", 1), ("ms", u64::MAX), ("length", 1)] {
                    put(it, Tree::State, format!("restore-1-{name}"), &NumberRecord(number));
                }
            },
            "state: the restores do not fit",
        ),
    ]);
}

#[test]
fn a_check_verifies_signatures() {
    let (dir, store) = fresh();
    let mut forged = signed_account("ann");
    *forged.directory_record.last_mut().unwrap() ^= 1;
    run(store.register(forged, None)).unwrap();
    drop(store);
    let check = |depth| check_store(dir.path(), depth, &mut |_, _| ()).unwrap().problems;
    let is_told = |problems: Vec<String>| problems.iter().any(|it| it.contains("not signed"));
    assert!(is_told(check(Depth::Signatures)) && !is_told(check(Depth::Links)));
}
