//! Vaults over real QUIC: stored whole, compared with what is there, and never mixed.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use raw::account::{vault_put, why};
use raw::{Client, Seated, start};
use server::Running;
use wire::close::Close;
use wire::control::{Refusal, ServerControl, Session};

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

/// Reads the vault on another connection, before that one joins.
async fn kept(server: &Running, session: &Session) -> (u64, [u8; 3]) {
    let mut client = Client::connect(server).await;
    client.resume(&session.token).await.ok().unwrap();
    client.get_vault().await
}

#[tokio::test]
async fn a_vault_outlives_the_session_and_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.register("bob", "p").await.ok().unwrap();
    let session = client.log_in("ann", "p").await.ok().unwrap();
    assert_eq!(client.get_vault().await, (0, [0; 3]), "none yet");
    let mut ann = client.join(&session).await;
    assert_eq!(stored(&ann.put_vault((0, 5), [1, 2, 3]).await), Some(5));
    assert_eq!(kept(&server, &session).await, (5, [1, 2, 3]));
    server.stop().await.unwrap();

    let server = start(&dir).await;
    assert_eq!(kept(&server, &session).await, (5, [1, 2, 3]));
    let mut client = Client::connect(&server).await;
    client.log_in("bob", "p").await.ok().unwrap();
    assert_eq!(client.get_vault().await, (0, [0; 3]), "everybody has his own");
}

#[tokio::test]
async fn a_vault_is_written_in_the_rounds_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    let session = client.log_in("ann", "p").await.ok().unwrap();
    client.send(&vault_put(0, (0, 1), [1; 3])).await;
    assert_eq!(client.closed().await, Close::Protocol);
    assert_eq!(kept(&server, &session).await, (0, [0; 3]));
}

#[tokio::test]
async fn a_vault_that_was_not_made_from_the_stored_one_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let judge = async |who: &str, first: (u64, u64), then: (u64, u64)| {
        let (mut seated, session) = Seated::new(&server, who).await;
        let first = seated.put_vault(first, [1; 3]).await;
        let then = seated.put_vault(then, [9; 3]).await;
        (stored(&first).or(conflict(&first)), conflict(&then), kept(&server, &session).await)
    };
    let (none, unchanged) = (Some(0), (Some(7), Some(7), (7, [1; 3])));
    let judged = tokio::join!(
        judge("a", (3, 4), (5, 6)),
        judge("b", (0, 7), (0, 8)),
        judge("c", (0, 7), (6, 8)),
        judge("d", (0, 7), (8, 9)),
        judge("e", (0, 7), (7, 7)),
        judge("f", (0, 7), (7, 3)),
    );
    assert_eq!(judged.0, (none, none, (0, [0; 3])));
    let others = [judged.1, judged.2, judged.3, judged.4, judged.5];
    assert!(others.iter().all(|other| *other == unchanged), "{others:?}");
}

#[tokio::test]
async fn parts_out_of_order_are_refused_and_nothing_is_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (v1, v2) = ((0, 1), (0, 2));
    let refuses = async |who: &str, parts: Vec<(u8, (u64, u64))>| {
        let (mut seated, session) = Seated::new(&server, who).await;
        let mut answer = ServerControl::Idle;
        for &(part, numbers) in &parts {
            answer = seated.ask(&vault_put(part, numbers, [9; 3])).await;
        }
        assert_eq!(why(&answer), Refusal::BadRequest, "{parts:?}");
        let late = seated.ask(&vault_put(2, v1, [9; 3])).await;
        assert_eq!(why(&late), Refusal::BadRequest, "what was staged is gone");
        assert_eq!(kept(&server, &session).await, (0, [0; 3]));
    };
    let begins_anew = async {
        let (mut seated, session) = Seated::new(&server, "f").await;
        seated.ask(&vault_put(0, v1, [9; 3])).await;
        seated.ask(&vault_put(1, v1, [9; 3])).await;
        assert_eq!(stored(&seated.put_vault(v2, [1, 2, 3]).await), Some(2));
        assert_eq!(kept(&server, &session).await, (2, [1, 2, 3]));
    };
    tokio::join!(
        refuses("a", vec![(2, v1)]),
        refuses("b", vec![(1, v1)]),
        refuses("c", vec![(0, v1), (2, v1)]),
        refuses("d", vec![(0, v1), (1, v2)]),
        refuses("e", vec![(0, v1), (1, v1), (2, v2)]),
        begins_anew,
    );
}

#[tokio::test]
async fn a_vault_that_is_cut_off_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut ann, session) = Seated::new(&server, "ann").await;
    assert_eq!(stored(&ann.put_vault((0, 1), [1; 3]).await), Some(1));
    ann.ask(&vault_put(0, (1, 2), [2; 3])).await;
    ann.ask(&vault_put(1, (1, 2), [2; 3])).await;
    ann.client.connection.close(0_u32.into(), b"");
    let mut client = Client::connect(&server).await;
    let session = client.resume(&session.token).await.ok().unwrap();
    let late = client.join(&session).await.ask(&vault_put(2, (1, 2), [2; 3])).await;
    assert_eq!(why(&late), Refusal::BadRequest, "parts are of one connection");
    assert_eq!(kept(&server, &session).await, (1, [1; 3]));
}

#[tokio::test]
async fn half_a_vault_of_a_session_that_was_taken_over_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut older, _) = Seated::new(&server, "ann").await;
    older.ask(&vault_put(0, (0, 1), [1; 3])).await;
    older.ask(&vault_put(1, (0, 1), [1; 3])).await;
    let mut newer = Client::connect(&server).await;
    let session = newer.log_in("ann", "password").await.ok().unwrap();
    let mut newer = newer.join(&session).await;
    assert_eq!(newer.hear().await.header.seats, 1);
    assert_eq!(older.client.closed().await, Close::TakenOver, "the older is told");
    assert_eq!(stored(&newer.put_vault((0, 1), [2; 3]).await), Some(1));
    assert_eq!(kept(&server, &session).await, (1, [2; 3]));
}
