//! Deletions of accounts, and what comes after them.

use super::*;
use crate::store::record::DirectoryRecord;
use crate::store::trees::{Change, Tree};

const DELETION: [u8; 163] = [0xdd; 163];

fn vault(version: u64) -> StoredVault {
    StoredVault { version, sealed: Box::new([7; VAULT_BYTES]) }
}

/// A store with ann and bob, of whom ann has tokens and a vault.
fn with_ann_and_bob() -> (TempDir, SledStore) {
    let (dir, store) = fresh();
    registered(&store, &["ann", "bob"]);
    run(store.add_token(proved(0), new_token(1, 900))).unwrap();
    run(store.add_token(proved(0), new_token(2, 900))).unwrap();
    run(store.add_token(proved(1), new_token(3, 900))).unwrap();
    run(store.put_vault(AccountIndex(0), 0, vault(1))).unwrap();
    (dir, store)
}

#[test]
fn nothing_is_left_of_a_deleted_account_but_its_records_and_its_index() {
    let (dir, store) = with_ann_and_bob();
    run(store.delete_account(proved(0), DELETION)).unwrap();
    drop(store);
    let store = open(&dir);
    assert!(store.account(&name("ann")).unwrap().is_none());
    assert!(store.account_by_index(AccountIndex(0)).unwrap().is_none());
    assert!(store.vault(AccountIndex(0)).unwrap().is_none());
    assert_eq!(store.sessions(AccountIndex(0)), Ok(vec![]));
    assert_eq!((store.token(&[1; 32]), store.token(&[2; 32])), (Ok(None), Ok(None)));
    assert_eq!((store.account_count(), store.directory_len()), (1, 3));
    let log = store.directory(0, 9).unwrap();
    let records: Vec<u8> = log.iter().map(|entry| entry.record[0]).collect();
    assert_eq!(records, [b'a', b'b', 0xdd]);
    assert_log_is_whole(&store);
    // Neither password file nor sealed keys lie anywhere any more.
    let secret = [b'a'; 16];
    let mut holders = contents(&store);
    holders.retain(|(_, _, value)| value.windows(16).any(|window| window == secret));
    let trees: Vec<&str> = holders.iter().map(|(tree, ..)| tree.as_str()).collect();
    assert_eq!(trees, ["directory"], "the public record");

    let bob = store.account(&name("bob")).unwrap().unwrap();
    assert_eq!((bob.index, store.token(&[3; 32]).unwrap().is_some()), (AccountIndex(1), true));
}

#[test]
fn a_freed_name_is_registered_again_under_a_new_index() {
    let (dir, store) = with_ann_and_bob();
    run(store.delete_account(proved(0), DELETION)).unwrap();
    let again = NewAccount { directory_record: [0xaa; 163], ..new_account("ann") };
    assert_eq!(run(store.register(again, None)), Ok(AccountIndex(3)));
    drop(store);
    let store = open(&dir);
    assert_eq!(store.account(&name("ann")).unwrap().unwrap().index, AccountIndex(3));
    assert_eq!(store.directory(3, 1).unwrap()[0].record, [0xaa; 163]);
    assert_eq!((store.account_count(), store.directory_len()), (2, 4));
    assert!(store.vault(AccountIndex(3)).unwrap().is_none());
    assert_log_is_whole(&store);

    run(store.delete_account(proved(3), DELETION)).unwrap();
    assert_eq!(run(store.register(new_account("ann"), None)), Ok(AccountIndex(5)));
    assert_eq!((store.account_count(), store.directory_len()), (2, 6));
}

#[test]
fn pages_of_accounts_step_over_the_deleted() {
    let (_dir, store) = fresh();
    registered(&store, &["zoe", "bob", "ann", "eve"]);
    run(store.delete_account(proved(1), DELETION)).unwrap();
    run(store.delete_account(proved(2), DELETION)).unwrap();
    registered(&store, &["bob"]);
    let page = |from, max| {
        let page = store.accounts(AccountIndex(from), max).unwrap();
        page.iter().map(|it| (it.index.0, it.name.as_str().to_owned())).collect::<Vec<_>>()
    };
    let at = |index, text: &str| (index, text.to_owned());
    assert_eq!(page(0, 2), [at(0, "zoe"), at(3, "eve")]);
    assert_eq!(page(1, 1), [at(3, "eve")]);
    assert_eq!(page(4, 9), [at(6, "bob")]);
    assert!(page(7, 9).is_empty());
}

#[test]
fn an_account_is_deleted_once_and_takes_nothing_after_that() {
    let (_dir, store) = with_ann_and_bob();
    let (one, two) = run(async {
        tokio::join!(
            store.delete_account(proved(0), DELETION),
            store.delete_account(proved(0), DELETION),
        )
    });
    assert_eq!((one, two), (Ok(()), Err(DeleteError::Stale)));
    let before = contents(&store);
    assert_eq!(run(store.add_token(proved(0), new_token(5, 900))), Err(ProofError::Stale));
    let change = run(store.change_password(proved(0), new_password(b'x'), new_token(5, 900)));
    assert_eq!(change, Err(ProofError::Stale));
    let put = run(store.put_vault(AccountIndex(0), 0, vault(1)));
    assert_eq!(put, Err(VaultError::NoAccount));
    // The deletion record has an index, and no account.
    assert_eq!(run(store.delete_account(proved(2), DELETION)), Err(DeleteError::Stale));
    assert_eq!(run(store.delete_account(proved(9), DELETION)), Err(DeleteError::Stale));
    assert_eq!(contents(&store), before);
}

/// Makes the log so long that its next record takes this place.
fn lengthen(store: &SledStore, len: u32) {
    let entry = DirectoryRecord { record: [1; 163], head: [2; 32] };
    let change = Change::put(Tree::Directory, (len - 1).to_be_bytes(), &entry).unwrap();
    store.trees.apply(&[change]).unwrap();
}

#[test]
fn a_full_directory_takes_no_registration_and_still_some_deletions() {
    let (_dir, store) = fresh();
    registered(&store, &["ann", "bob"]);
    let open_to_all = DIRECTORY_MAX - DELETIONS_RESERVED;
    lengthen(&store, open_to_all - 1);
    assert_eq!(run(store.register(new_account("eve"), None)), Ok(AccountIndex(open_to_all - 1)));
    let before = contents(&store);
    assert_eq!(run(store.register(new_account("joe"), None)), Err(RegisterError::Full));
    assert_eq!(contents(&store), before);
    run(store.delete_account(proved(0), DELETION)).unwrap();

    lengthen(&store, DIRECTORY_MAX);
    let before = contents(&store);
    assert_eq!(run(store.delete_account(proved(1), DELETION)), Err(DeleteError::Full));
    assert_eq!(contents(&store), before);
    assert!(store.account(&name("bob")).unwrap().is_some());
}
