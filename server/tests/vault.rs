//! Vaults over real QUIC: stored whole, compared with what is there, and never mixed.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use raw::account::{vault_put, why};
use raw::{Client, Seated, start};
use wire::close::Close;
use wire::control::{Refusal, ServerControl};

fn stored(answer: &ServerControl) -> Option<u64> {
    match answer {
        ServerControl::VaultStored(stored) => Some(stored.version),
        _ => None,
    }
}

fn conflict(answer: &ServerControl) -> Option<u64> {
    match answer {
        ServerControl::VaultConflict(conflict) => Some(conflict.version),
        _ => None,
    }
}

#[tokio::test]
async fn a_vault_outlives_the_session_and_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.register("bob", "p").await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();
    assert_eq!(client.get_vault().await, (0, [0; 3]), "none yet");
    assert_eq!(stored(&client.put_vault((0, 5), [1, 2, 3]).await), Some(5));
    assert_eq!(client.get_vault().await, (5, [1, 2, 3]));
    server.stop().await.unwrap();

    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.log_in("ann", "p").await.ok().unwrap();
    assert_eq!(client.get_vault().await, (5, [1, 2, 3]));
    assert_eq!(stored(&client.put_vault((5, 6), [4, 5, 6]).await), Some(6));
    let mut client = Client::connect(&server).await;
    client.log_in("bob", "p").await.ok().unwrap();
    assert_eq!(client.get_vault().await, (0, [0; 3]), "everybody has his own");
}

#[tokio::test]
async fn a_vault_that_was_not_made_from_the_stored_one_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();
    assert_eq!(conflict(&client.put_vault((3, 4), [9; 3]).await), Some(0));
    assert_eq!(stored(&client.put_vault((0, 7), [1; 3]).await), Some(7));
    for numbers in [(0, 8), (6, 8), (8, 9), (7, 7), (7, 3)] {
        assert_eq!(conflict(&client.put_vault(numbers, [9; 3]).await), Some(7), "{numbers:?}");
    }
    assert_eq!(client.get_vault().await, (7, [1; 3]));
}

#[tokio::test]
async fn parts_out_of_order_are_refused_and_nothing_is_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();
    let (v1, v2) = ((0, 1), (0, 2));
    let wrong: [&[(u8, (u64, u64))]; 5] = [
        &[(2, v1)],
        &[(1, v1)],
        &[(0, v1), (2, v1)],
        &[(0, v1), (1, v2)],
        &[(0, v1), (1, v1), (2, v2)],
    ];
    for parts in wrong {
        let mut answer = ServerControl::Idle;
        for &(part, numbers) in parts {
            answer = client.ask(&vault_put(part, numbers, [9; 3])).await;
        }
        assert_eq!(why(&answer), Refusal::BadRequest, "{parts:?}");
        let late = client.ask(&vault_put(2, v1, [9; 3])).await;
        assert_eq!(why(&late), Refusal::BadRequest, "what was staged is gone");
    }
    assert_eq!(client.get_vault().await, (0, [0; 3]));
    client.ask(&vault_put(0, v1, [9; 3])).await;
    client.ask(&vault_put(1, v1, [9; 3])).await;
    assert_eq!(stored(&client.put_vault(v2, [1, 2, 3]).await), Some(2), "part 0 begins anew");
    assert_eq!(client.get_vault().await, (2, [1, 2, 3]));
}

#[tokio::test]
async fn a_vault_that_is_cut_off_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    let session = client.log_in("ann", "p").await.ok().unwrap();
    assert_eq!(stored(&client.put_vault((0, 1), [1; 3]).await), Some(1));
    client.ask(&vault_put(0, (1, 2), [2; 3])).await;
    client.ask(&vault_put(1, (1, 2), [2; 3])).await;
    client.connection.close(0_u32.into(), b"");
    let mut client = Client::connect(&server).await;
    client.resume(&session.token).await.ok().unwrap();
    let late = client.ask(&vault_put(2, (1, 2), [2; 3])).await;
    assert_eq!(why(&late), Refusal::BadRequest, "parts are of one connection");
    assert_eq!(client.get_vault().await, (1, [1; 3]));
}

#[tokio::test]
async fn of_two_sessions_that_race_the_newer_wins_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut older, _) = Seated::new(&server, "ann").await;
    let staged = older.ask(&vault_put(0, (0, 1), [1; 3])).await;
    assert!(matches!(staged, ServerControl::VaultStaged));
    let mut newer = Client::connect(&server).await;
    let session = newer.log_in("ann", "password").await.ok().unwrap();
    assert_eq!(stored(&newer.put_vault((0, 1), [2; 3]).await), Some(1));
    older.ask(&vault_put(1, (0, 1), [1; 3])).await;
    assert_eq!(conflict(&older.ask(&vault_put(2, (0, 1), [1; 3])).await), Some(1));
    assert_eq!(newer.get_vault().await, (1, [2; 3]), "the older one's is not there, and knows it");
    let mut newer = newer.join(&session).await;
    assert_eq!(newer.hear().await.header.seats, 1);
    assert_eq!(older.client.closed().await, Close::TakenOver, "the older is told");
}
