//! The store as its callers see it, on a real directory.

use std::future::Future;
use std::path::Path;

use tempfile::TempDir;
use wire::account::{SealedIdentity, SealedMaster, Stretching};

use super::*;

mod accounts;
mod backups;
mod deletion;
mod invites;
mod killed;
mod opening;
mod passwords;
mod sums;
mod tokens;
mod upgrade;
mod vaults;

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
        password: new_password(first),
        directory_record: [first; 163],
        created_ms: GENESIS_MS + 5,
    }
}

fn new_password(first: u8) -> NewPassword {
    NewPassword {
        password_file: vec![first; 192],
        stretching: Stretching::STANDARD,
        sealed_master: SealedMaster([first; 80]),
        sealed_identity: SealedIdentity([first; 112]),
    }
}

/// A token that is made at 100 ms.
fn new_token(hash: u8, expires_ms: u64) -> NewToken {
    NewToken { hash: [hash; 32], created_ms: 100, expires_ms }
}

/// An account that was never changed.
fn proved(index: u32) -> ProvedAccount {
    ProvedAccount { index: AccountIndex(index), password_changes: 0 }
}

/// Registers these names, each without an invite.
fn registered(store: &SledStore, names: &[&str]) {
    for text in names {
        run(store.register(new_account(text), None)).unwrap();
    }
}

/// All entries of all trees of a store, as they lie in the database.
fn contents(store: &SledStore) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    store.trees.contents()
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
        assert_eq!(store.register(new_account("ann"), None).await, Ok(AccountIndex(0)));
        assert_eq!(store.register(new_account("bob"), None).await, Ok(AccountIndex(1)));
        store.add_token(proved(1), new_token(7, 900)).await.unwrap();
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
fn what_is_too_long_is_refused_and_the_store_goes_on() {
    let (_dir, store) = fresh();
    let long = NewAccount {
        password: NewPassword { password_file: vec![0; 4096], ..new_password(b'a') },
        ..new_account("ann")
    };
    assert_eq!(run(store.register(long, None)), Err(RegisterError::Store(StoreError::TooLong)));
    let secrets = vec![(SecretKind::RootKey, Zeroizing::new(vec![0; 4096]))];
    assert_eq!(run(store.put_secrets(secrets)), Err(StoreError::TooLong));
    assert_eq!(run(store.register(new_account("ann"), None)), Ok(AccountIndex(0)));
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
    run(store.register(new_account("ann"), None)).unwrap();
    store.close().unwrap();
    assert_eq!(run(store.reserve_rounds(1)), Err(ReserveError::Store(StoreError::Closed)));
    assert_eq!(store.account_count(), 1);
    store.close().unwrap();
}
