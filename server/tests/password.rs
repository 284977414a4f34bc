//! Changes of password over real QUIC: what holds afterwards, who is put out, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use std::time::Duration;

use raw::account::{Change, Deletion, NEW_MASTER, deletion, why};
use raw::{CHEAP, Client, Seated, config, soon, start};
use server::config::Config;
use server::{Running, Server};
use wire::account::{SealedMaster, Stretching};
use wire::close::Close;
use wire::control::{ChangeFinish, ClientControl, Refusal, Refused, ServerControl};

async fn signed_in(server: &Running, who: &str, password: &str) -> Client {
    let mut client = Client::connect(server).await;
    client.log_in(who, password).await.ok().unwrap();
    client
}

fn is_changed(answer: &ServerControl) -> bool {
    matches!(answer, ServerControl::Changed(_))
}

async fn refused_login(server: &Running, who: &str, password: &str) -> Refusal {
    let mut client = Client::connect(server).await;
    why(&client.log_in(who, password).await.err().unwrap())
}

#[tokio::test]
async fn the_new_password_holds_and_the_other_sessions_are_put_out() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut seated, older) = Seated::new(&server, "ann").await;
    seated.hear().await;
    let mut client = Client::connect(&server).await;
    let session = client.log_in("ann", "password").await.ok().unwrap();
    let ServerControl::Changed(changed) = client.change("ann", "password", "new").await else {
        panic!("not changed");
    };
    assert!(changed.expires_ms >= session.expires_ms);
    assert_eq!(seated.client.closed().await, Close::SessionEnded);
    client.join(&session).await.hear().await;

    for ended in [&older.token, &session.token] {
        let refused = Client::connect(&server).await.resume(ended).await.err().unwrap();
        assert_eq!(why(&refused), Refusal::TokenEnded);
    }
    let resumed = Client::connect(&server).await.resume(&changed.token).await.ok().unwrap();
    assert!(resumed.master == NEW_MASTER);
    assert_eq!(refused_login(&server, "ann", "password").await, Refusal::WrongCredentials);
    let again = Client::connect(&server).await.log_in("ann", "new").await.ok().unwrap();
    assert!(again.master == NEW_MASTER && again.index == session.index);
}

#[tokio::test]
async fn a_seat_is_kept_over_a_change_and_belongs_to_the_new_token() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut ann, _) = Seated::new(&server, "ann").await;
    let (change, start) = Change::start(&ann.client, "ann", "password", "new");
    let reply = ann.ask(&start).await;
    let finish = change.finish(&ann.client.context(), &reply);
    let answer = ann.ask(&ClientControl::ChangeFinish(Box::new(finish))).await;
    let ServerControl::Changed(changed) = answer else { panic!("not changed") };
    ann.hear().await;
    let mut back = Client::connect(&server).await;
    let session = back.resume(&changed.token).await.ok().unwrap();
    back.join(&session).await.hear().await;
    assert_eq!(ann.client.closed().await, Close::Replaced, "the same session came back");
}

#[tokio::test]
async fn without_a_proof_of_the_old_password_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "right").await.ok().unwrap();
    client.log_in("ann", "right").await.ok().unwrap();
    assert_eq!(why(&client.change("ann", "wrong", "new").await), Refusal::WrongCredentials);

    // The proof of an earlier first step.
    let (first, start) = Change::start(&client, "ann", "right", "new");
    let stale = first.finish(&client.context(), &client.ask(&start).await);
    let (_, start) = Change::start(&client, "ann", "right", "new");
    client.ask(&start).await;
    let finish = |finish| ClientControl::ChangeFinish(Box::new(finish));
    assert_eq!(why(&client.ask(&finish(stale)).await), Refusal::WrongCredentials);

    // Another connection's.
    let mut other = signed_in(&server, "ann", "right").await;
    let (change, start) = Change::start(&other, "ann", "right", "new");
    let stolen = change.finish(&client.context(), &other.ask(&start).await);
    assert_eq!(why(&other.ask(&finish(stolen)).await), Refusal::WrongCredentials);
    assert!(is_changed(&other.change("ann", "right", "new").await));
    assert_eq!(refused_login(&server, "ann", "right").await, Refusal::WrongCredentials);
}

#[tokio::test]
async fn steps_out_of_order_are_refused_and_the_connection_is_still_good() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let key = p256::ecdsa::SigningKey::random(&mut rand_core::OsRng);
    let mut client = Client::connect(&server).await;
    client.register_with("ann", "p", wire::account::Invite::NONE, &key).await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();

    let made_up = || ChangeFinish {
        finalization: [1; 32],
        upload: [2; 129],
        stretching: CHEAP,
        master: SealedMaster([3; 80]),
        identity: wire::account::SealedIdentity([4; 112]),
    };
    let finish = |finish| ClientControl::ChangeFinish(Box::new(finish));
    assert_eq!(why(&client.ask(&finish(made_up())).await), Refusal::BadRequest, "without a start");

    let (change, start) = Change::start(&client, "ann", "p", "new");
    let good = change.finish(&client.context(), &client.ask(&start).await);
    let deletion = wire::control::DeleteFinish {
        finalization: good.finalization,
        record: deletion("ann", &key),
    };
    let deletion = ClientControl::DeleteFinish(Box::new(deletion));
    assert_eq!(why(&client.ask(&deletion).await), Refusal::BadRequest, "of the other kind");
    assert_eq!(why(&client.ask(&finish(good)).await), Refusal::BadRequest, "the step is gone");

    assert!(is_changed(&client.change("ann", "p", "q").await));
    let again = client.ask(&finish(made_up())).await;
    assert_eq!(why(&again), Refusal::BadRequest, "twice");
    assert!(is_changed(&client.change("ann", "q", "r").await));
    signed_in(&server, "ann", "r").await;
}

#[tokio::test]
async fn what_nobody_could_sign_in_with_does_not_become_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();
    let spoiled: [fn(&mut ChangeFinish); 3] = [
        |finish| finish.upload = [0; 129],
        |finish| finish.stretching = Stretching { passes: 0, ..CHEAP },
        |finish| finish.stretching = Stretching { memory_kib: u32::MAX, ..CHEAP },
    ];
    for spoil in spoiled {
        let (change, start) = Change::start(&client, "ann", "p", "new");
        let mut finish = change.finish(&client.context(), &client.ask(&start).await);
        spoil(&mut finish);
        let answer = client.ask(&ClientControl::ChangeFinish(Box::new(finish))).await;
        assert_eq!(why(&answer), Refusal::BadRequest);
    }
    signed_in(&server, "ann", "p").await;
}

#[tokio::test]
async fn guessing_the_old_password_slows_down_like_signing_in() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();
    for _ in 0..server::limits::PER_NAME_HERE.free {
        assert_eq!(why(&client.change("ann", "wrong", "new").await), Refusal::WrongCredentials);
    }
    assert_eq!(why(&client.change("ann", "p", "new").await), Refusal::SlowDown);
    assert_eq!(refused_login(&server, "ann", "p").await, Refusal::SlowDown);
}

/// Guesses until the server listens again, which waits for attempts that are under way.
async fn hears_guesses_again(server: &Running, who: &str) {
    loop {
        let mut client = Client::connect(server).await;
        match client.log_in(who, "wrong").await.err().unwrap() {
            ServerControl::Refused(Refused { why: Refusal::SlowDown, retry_ms }) => {
                tokio::time::sleep(Duration::from_millis(retry_ms.into())).await;
            }
            answer => return assert_eq!(why(&answer), Refusal::WrongCredentials),
        }
    }
}

#[tokio::test]
async fn a_first_step_that_is_not_gone_on_with_ends_like_a_sign_in_that_timed_out() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Config { sign_in_ms: 1000, ..config(&dir) }).await.unwrap();
    let guessed_before = async |who: &str| {
        let mut client = Client::connect(&server).await;
        client.register(who, "p").await.ok().unwrap();
        let session = client.log_in(who, "p").await.ok().unwrap();
        for _ in 1..server::limits::PER_NAME_HERE.free {
            assert_eq!(why(&client.change(who, "x", "q").await), Refusal::WrongCredentials);
        }
        (client, session)
    };
    let before_join = async {
        let (mut ann, _) = guessed_before("ann").await;
        let (change, start) = Change::start(&ann, "ann", "p", "q");
        let reply = ann.ask(&start).await;
        hears_guesses_again(&server, "ann").await;
        let finish = change.finish(&ann.context(), &reply);
        let answer = ann.ask(&ClientControl::ChangeFinish(Box::new(finish))).await;
        assert_eq!(why(&answer), Refusal::BadRequest, "the first step is gone");
    };
    let in_rounds = async {
        let (bob, session) = guessed_before("bob").await;
        let mut bob = bob.join(&session).await;
        let answer = bob.ask(&Deletion::start("bob", "p").1).await;
        assert!(matches!(answer, ServerControl::DeleteReply(_)));
        hears_guesses_again(&server, "bob").await;
    };
    soon(async { tokio::join!(before_join, in_rounds) }).await;
}
