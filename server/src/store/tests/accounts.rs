//! Registrations, names and the directory log.

use super::*;

#[test]
fn of_two_registrations_of_one_name_at_once_one_wins() {
    let (_dir, store) = fresh();
    let (one, two) = run(async {
        tokio::join!(
            store.register(new_account("ann"), None),
            store.register(new_account("ann"), None)
        )
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
            tasks
                .spawn(async move { store.register(new_account(&format!("user{i}")), None).await });
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
    run(store.register(new_account("ann"), None)).unwrap();
    let head = store.directory_head();
    let other = NewAccount { password: new_password(9), ..new_account("ann") };
    assert_eq!(run(store.register(other, None)), Err(RegisterError::NameTaken));
    assert_eq!((store.directory_len(), store.directory_head()), (1, head));
    assert_eq!(store.account(&name("ann")).unwrap().unwrap().password_file, vec![b'a'; 192]);
}

#[test]
fn accounts_come_in_pages_in_directory_order() {
    let (_dir, store) = fresh();
    for text in ["zoe", "bob", "ann"] {
        run(store.register(new_account(text), None)).unwrap();
    }
    let page = |from, max| {
        let page = store.accounts(AccountIndex(from), max).unwrap();
        page.iter().map(|account| account.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2), ["zoe", "bob"]);
    assert_eq!(page(2, 2), ["ann"]);
    assert!(page(3, 2).is_empty() && page(u32::MAX, 2).is_empty());
}
