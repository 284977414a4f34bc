//! Invites.

use super::*;

/// A moment before every registration of these tests ends an invite, and one after.
const EXPIRED_MS: u64 = GENESIS_MS + 5;
const GOOD_MS: u64 = GENESIS_MS + 6;

#[test]
fn an_invite_is_good_for_one_registration() {
    let (dir, store) = fresh();
    run(store.add_invites(vec![[1; 32], [2; 32]], GOOD_MS, 0)).unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(store.invite(&[1; 32]), Ok(Some(GOOD_MS)));
    assert_eq!(run(store.register(new_account("ann"), Some([1; 32]))), Ok(AccountIndex(0)));
    assert_eq!((store.invite(&[1; 32]), store.invite(&[2; 32])), (Ok(None), Ok(Some(GOOD_MS))));

    let before = contents(&store);
    let again = run(store.register(new_account("bob"), Some([1; 32])));
    assert_eq!(again, Err(RegisterError::InviteInvalid));
    let unknown = run(store.register(new_account("bob"), Some([9; 32])));
    assert_eq!(unknown, Err(RegisterError::InviteInvalid));
    assert_eq!(contents(&store), before);
}

#[test]
fn of_two_registrations_with_one_invite_at_once_one_wins() {
    let (_dir, store) = fresh();
    run(store.add_invites(vec![[1; 32]], GOOD_MS, 0)).unwrap();
    let (one, two) = run(async {
        tokio::join!(
            store.register(new_account("ann"), Some([1; 32])),
            store.register(new_account("bob"), Some([1; 32])),
        )
    });
    assert_eq!((one, two), (Ok(AccountIndex(0)), Err(RegisterError::InviteInvalid)));
    assert!(store.account(&name("bob")).unwrap().is_none());
    assert_log_is_whole(&store);
}

#[test]
fn a_taken_name_leaves_the_invite_and_shows_to_the_invited_only() {
    let (_dir, store) = fresh();
    registered(&store, &["ann"]);
    run(store.add_invites(vec![[1; 32]], GOOD_MS, 0)).unwrap();
    let taken = run(store.register(new_account("ann"), Some([1; 32])));
    assert_eq!(taken, Err(RegisterError::NameTaken));
    let stranger = run(store.register(new_account("ann"), Some([9; 32])));
    assert_eq!(stranger, Err(RegisterError::InviteInvalid));
    assert_eq!(run(store.register(new_account("bob"), Some([1; 32]))), Ok(AccountIndex(1)));
}

#[test]
fn an_expired_invite_is_refused_and_forgotten() {
    let (_dir, store) = fresh();
    run(store.add_invites(vec![[1; 32]], EXPIRED_MS, 0)).unwrap();
    let expired = run(store.register(new_account("ann"), Some([1; 32])));
    assert_eq!(expired, Err(RegisterError::InviteInvalid));
    assert_eq!(store.invite(&[1; 32]), Ok(None));
    assert_eq!((store.account_count(), store.directory_len()), (0, 0));
}

#[test]
fn as_many_invites_wait_as_may_and_expired_ones_make_room() {
    let (_dir, store) = fresh();
    let invites = |from: usize, count: usize| -> Vec<InviteHash> {
        let hash = |at: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&at.to_be_bytes());
            hash
        };
        (from..from + count).map(hash).collect()
    };
    run(store.add_invites(invites(0, 10), 500, 100)).unwrap();
    run(store.add_invites(invites(10, INVITES_MAX - 10), 900, 100)).unwrap();
    let before = contents(&store);
    let full = run(store.add_invites(invites(INVITES_MAX, 1), 900, 499));
    assert_eq!(full, Err(InviteError::TooMany { waiting: INVITES_MAX }));
    assert_eq!(contents(&store), before);

    run(store.add_invites(invites(INVITES_MAX, 10), 900, 500)).unwrap();
    assert_eq!(store.invite(&invites(9, 1)[0]), Ok(None));
    assert_eq!(store.invite(&invites(INVITES_MAX + 9, 1)[0]), Ok(Some(900)));
    let full = run(store.add_invites(invites(2 * INVITES_MAX, 1), 900, 500));
    assert_eq!(full, Err(InviteError::TooMany { waiting: INVITES_MAX }));
}
