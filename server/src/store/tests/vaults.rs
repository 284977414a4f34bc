//! Vaults.

use super::*;

fn vault(version: u64, fill: u8) -> StoredVault {
    StoredVault { version, sealed: Box::new([fill; VAULT_BYTES]) }
}

#[test]
fn a_vault_is_there_after_reopening_for_its_account_only() {
    let (dir, store) = fresh();
    registered(&store, &["ann", "bob"]);
    assert!(store.vault(AccountIndex(0)).unwrap().is_none());
    run(store.put_vault(AccountIndex(0), 0, vault(1, 1))).unwrap();
    run(store.put_vault(AccountIndex(0), 1, vault(7, 2))).unwrap();
    drop(store);
    let store = open(&dir);
    assert!(store.vault(AccountIndex(0)).unwrap() == Some(vault(7, 2)));
    assert!(store.vault(AccountIndex(1)).unwrap().is_none());
}

#[test]
fn a_vault_made_from_another_or_not_newer_is_a_conflict_and_changes_nothing() {
    let (_dir, store) = fresh();
    registered(&store, &["ann"]);
    let put = |base, version| run(store.put_vault(AccountIndex(0), base, vault(version, 9)));
    assert_eq!(put(1, 2), Err(VaultError::Conflict { version: 0 }));
    assert_eq!(put(0, 0), Err(VaultError::Conflict { version: 0 }));
    run(store.put_vault(AccountIndex(0), 0, vault(5, 1))).unwrap();
    for (base, version) in [(0, 6), (4, 6), (6, 7), (5, 5), (5, 4), (u64::MAX, u64::MAX)] {
        assert_eq!(put(base, version), Err(VaultError::Conflict { version: 5 }));
    }
    assert!(store.vault(AccountIndex(0)).unwrap() == Some(vault(5, 1)));
    assert_eq!(put(5, u64::MAX), Ok(()));
}

#[test]
fn of_two_vaults_made_from_the_same_one_wins() {
    let (_dir, store) = fresh();
    registered(&store, &["ann"]);
    let (one, two) = run(async {
        tokio::join!(
            store.put_vault(AccountIndex(0), 0, vault(1, 1)),
            store.put_vault(AccountIndex(0), 0, vault(1, 2)),
        )
    });
    assert_eq!((one, two), (Ok(()), Err(VaultError::Conflict { version: 1 })));
    assert!(store.vault(AccountIndex(0)).unwrap() == Some(vault(1, 1)));
}

#[test]
fn nobody_s_vault_is_refused() {
    let (_dir, store) = fresh();
    let put = run(store.put_vault(AccountIndex(0), 0, vault(1, 1)));
    assert_eq!(put, Err(VaultError::NoAccount));
    assert!(store.vault(AccountIndex(0)).unwrap().is_none());
}
