//! Session tokens.

use super::*;

#[test]
fn a_newer_token_supersedes_the_older_ones_of_its_account_only() {
    let (_dir, store) = fresh();
    registered(&store, &["ann", "bob"]);
    run(async {
        store.add_token(proved(0), new_token(1, 900)).await.unwrap();
        store.add_token(proved(1), new_token(2, 900)).await.unwrap();
        store.add_token(proved(0), new_token(3, 950)).await.unwrap();
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
    registered(&store, &["ann", "bob"]);
    let add = |hash, expires_ms, now_ms| {
        let token = NewToken { hash: [hash; 32], created_ms: now_ms, expires_ms };
        run(store.add_token(proved(0), token)).unwrap();
    };
    let known = || (0..20).filter(|hash| store.token(&[*hash; 32]).unwrap().is_some());
    (0..10).for_each(|hash| add(hash, 900 + u64::from(hash), 100));
    assert_eq!(known().collect::<Vec<_>>(), (2..10).collect::<Vec<_>>());
    add(10, 2_000, 907);
    assert_eq!(known().collect::<Vec<_>>(), [8, 9, 10]);
}

#[test]
fn sessions_tell_when_they_began_and_end_oldest_first() {
    let (dir, store) = fresh();
    registered(&store, &["ann", "bob"]);
    run(async {
        store.add_token(proved(0), new_token(1, 900)).await.unwrap();
        store.add_token(proved(1), new_token(2, 900)).await.unwrap();
        let later = NewToken { created_ms: 200, ..new_token(3, 950) };
        store.add_token(proved(0), later).await.unwrap();
    });
    drop(store);
    let store = open(&dir);
    let info = |hash, created_ms, expires_ms, superseded| TokenInfo {
        hash: [hash; 32],
        created_ms,
        expires_ms,
        superseded,
    };
    let expected = vec![info(1, 100, 900, true), info(3, 200, 950, false)];
    assert_eq!(store.sessions(AccountIndex(0)), Ok(expected));
    assert_eq!(store.sessions(AccountIndex(7)), Ok(vec![]));
}

#[test]
fn a_session_ends_within_its_account_only_and_the_others_stay() {
    let (_dir, store) = fresh();
    registered(&store, &["ann", "bob"]);
    run(store.add_token(proved(0), new_token(1, 900))).unwrap();
    run(store.add_token(proved(0), new_token(2, 900))).unwrap();
    let before = contents(&store);
    let end =
        |account, hash| run(store.end_session(AccountIndex(account), SessionId::of(&[hash; 32])));
    assert_eq!((end(1, 1), end(0, 9)), (Ok(None), Ok(None)));
    assert_eq!(contents(&store), before);

    assert_eq!(end(0, 1), Ok(Some([1; 32])));
    assert_eq!(store.token(&[1; 32]), Ok(None));
    let left = store.sessions(AccountIndex(0)).unwrap();
    assert_eq!(left.iter().map(|token| token.hash[0]).collect::<Vec<_>>(), [2]);
    assert!(!store.token(&[2; 32]).unwrap().unwrap().superseded);
}

#[test]
fn an_account_that_never_was_gets_no_token() {
    let (_dir, store) = fresh();
    assert_eq!(run(store.add_token(proved(0), new_token(1, 900))), Err(ProofError::Stale));
    assert_eq!(store.token(&[1; 32]), Ok(None));
}
