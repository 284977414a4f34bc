//! Who may register, and invitation codes, over real QUIC.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use raw::account::why;
use raw::{Client, config};
use server::admin::{self, Answer, Request};
use server::config::{Config, Registration};
use server::{Running, Server};
use wire::account::Invite;
use wire::control::Refusal;

async fn start(dir: &tempfile::TempDir, registration: Registration) -> Running {
    Server::start(Config { registration, ..config(dir) }).await.unwrap()
}

/// Makes codes as the command does.
async fn invites(dir: &tempfile::TempDir, count: u32) -> Vec<Invite> {
    let data_dir = config(dir).data_dir;
    let ask = move || admin::ask(&data_dir, Request::Invite { count, days: 1 });
    match tokio::task::spawn_blocking(ask).await.unwrap().unwrap() {
        Answer::Invites { codes, .. } => codes.iter().map(|code| code.parse().unwrap()).collect(),
        other => panic!("{other:?}"),
    }
}

async fn register(server: &Running, who: &str, invite: Invite) -> Result<u32, Refusal> {
    let mut client = Client::connect(server).await;
    let key = SigningKey::random(&mut OsRng);
    client.register_with(who, "p", invite, &key).await.map_err(|answer| why(&answer))
}

#[tokio::test]
async fn a_code_is_good_for_one_registration() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, Registration::Invite).await;
    assert_eq!(register(&server, "ann", Invite::NONE).await, Err(Refusal::InviteNeeded));
    let never_made = Invite::random(&mut OsRng);
    assert_eq!(register(&server, "ann", never_made).await, Err(Refusal::InviteInvalid));
    let codes = invites(&dir, 2).await;
    assert!(codes[0] != codes[1]);
    assert_eq!(register(&server, "ann", codes[0]).await, Ok(0));
    assert_eq!(register(&server, "bob", codes[0]).await, Err(Refusal::InviteInvalid));
    assert_eq!(register(&server, "ann", codes[0]).await, Err(Refusal::InviteInvalid));
    assert_eq!(register(&server, "ann", codes[1]).await, Err(Refusal::NameTaken));
    server.stop().await.unwrap();

    let server = start(&dir, Registration::Invite).await;
    assert_eq!(register(&server, "bob", codes[0]).await, Err(Refusal::InviteInvalid));
    assert_eq!(register(&server, "bob", codes[1]).await, Ok(1), "a taken name used up no code");
}

#[tokio::test]
async fn registration_closes_and_opens_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = start(&dir, Registration::Closed).await;
    let code = invites(&dir, 1).await[0];
    for invite in [Invite::NONE, code] {
        assert_eq!(register(&server, "ann", invite).await, Err(Refusal::RegistrationClosed));
    }
    assert!(server.reload(config(&dir)).is_empty());
    assert_eq!(register(&server, "ann", code).await, Ok(0), "an open server looks at no code");
    let invite = Config { registration: Registration::Invite, ..config(&dir) };
    assert!(server.reload(invite).is_empty());
    assert_eq!(register(&server, "bob", Invite::NONE).await, Err(Refusal::InviteNeeded));
    assert_eq!(register(&server, "bob", code).await, Ok(1), "and used it not up");
    assert!(Client::connect(&server).await.log_in("ann", "p").await.is_ok());
}

#[tokio::test]
async fn a_status_tells_who_may_register() {
    let dir = tempfile::tempdir().unwrap();
    let _server = start(&dir, Registration::Invite).await;
    let data_dir = config(&dir).data_dir;
    let ask = move || admin::ask(&data_dir, Request::Status {});
    let answer = tokio::task::spawn_blocking(ask).await.unwrap().unwrap();
    assert!(
        matches!(answer, Answer::Status(status) if status.registration == Registration::Invite)
    );
}

#[tokio::test]
async fn no_codes_too_many_and_those_without_end_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _server = start(&dir, Registration::Invite).await;
    for (count, days) in [(0, 1), (1001, 1), (1, 0), (1, 366), (u32::MAX, u32::MAX)] {
        let data_dir = config(&dir).data_dir;
        let ask = move || admin::ask(&data_dir, Request::Invite { count, days });
        let said = tokio::task::spawn_blocking(ask).await.unwrap().unwrap_err().to_string();
        assert!(said.contains("1 to 1000 codes"), "{said}");
    }
}
