//! Changes of password.

use super::*;

fn changed(changes: u32) -> ProvedAccount {
    ProvedAccount { password_changes: changes, ..proved(0) }
}

#[test]
fn a_new_password_ends_all_sessions_but_its_own() {
    let (dir, store) = fresh();
    registered(&store, &["ann", "bob"]);
    for hash in 1..4 {
        run(store.add_token(proved(0), new_token(hash, 900))).unwrap();
    }
    run(store.add_token(proved(1), new_token(9, 900))).unwrap();
    let bob = store.account(&name("bob")).unwrap();
    run(store.change_password(proved(0), new_password(b'x'), new_token(4, 950))).unwrap();
    drop(store);

    let store = open(&dir);
    let ann = store.account(&name("ann")).unwrap().unwrap();
    assert_eq!(
        (ann.index, ann.proved(), ann.created_ms),
        (AccountIndex(0), changed(1), GENESIS_MS + 5)
    );
    assert_eq!((ann.password_file, ann.stretching), (vec![b'x'; 192], Stretching::STANDARD));
    assert!(ann.sealed_master.0 == [b'x'; 80] && ann.sealed_identity.0 == [b'x'; 112]);
    let there = |hash: &u8| store.token(&[*hash; 32]).unwrap().is_some();
    assert_eq!((0..20).filter(there).collect::<Vec<_>>(), [4, 9]);
    let expected = TokenInfo { hash: [4; 32], created_ms: 100, expires_ms: 950, superseded: false };
    assert_eq!(store.sessions(AccountIndex(0)), Ok(vec![expected]));
    assert!(store.account(&name("bob")).unwrap() == bob);
    assert_log_is_whole(&store);
}

#[test]
fn who_proved_the_old_password_can_do_nothing_after_the_change() {
    let (_dir, store) = fresh();
    registered(&store, &["ann"]);
    run(store.change_password(proved(0), new_password(b'x'), new_token(1, 900))).unwrap();
    let before = contents(&store);
    let change = run(store.change_password(proved(0), new_password(b'y'), new_token(2, 900)));
    assert_eq!(change, Err(ProofError::Stale));
    assert_eq!(run(store.add_token(proved(0), new_token(3, 900))), Err(ProofError::Stale));
    assert_eq!(run(store.delete_account(proved(0), [1; 163])), Err(DeleteError::Stale));
    assert_eq!(contents(&store), before);

    run(store.change_password(changed(1), new_password(b'z'), new_token(4, 900))).unwrap();
    assert!(store.token(&[1; 32]).unwrap().is_none() && store.token(&[4; 32]).unwrap().is_some());
}

#[test]
fn of_two_changes_at_once_one_wins() {
    let (_dir, store) = fresh();
    registered(&store, &["ann"]);
    let (one, two) = run(async {
        tokio::join!(
            store.change_password(proved(0), new_password(b'x'), new_token(1, 900)),
            store.change_password(proved(0), new_password(b'y'), new_token(2, 900)),
        )
    });
    assert_eq!((one, two), (Ok(()), Err(ProofError::Stale)));
    assert_eq!(store.account(&name("ann")).unwrap().unwrap().password_file, vec![b'x'; 192]);
}

#[test]
fn a_password_file_that_is_too_long_changes_nothing_and_the_store_goes_on() {
    let (_dir, store) = fresh();
    registered(&store, &["ann"]);
    let before = contents(&store);
    let long = NewPassword { password_file: vec![0; 4096], ..new_password(b'x') };
    let refused = run(store.change_password(proved(0), long, new_token(1, 900)));
    assert_eq!(refused, Err(ProofError::Store(StoreError::TooLong)));
    assert_eq!(contents(&store), before);
    run(store.change_password(proved(0), new_password(b'x'), new_token(1, 900))).unwrap();
}
