//! Deleted accounts and ended sessions over real QUIC.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use raw::account::{Deletion, deletion, why};
use raw::{Client, Seated, start};
use server::Running;
use wire::account::Invite;
use wire::close::Close;
use wire::control::{
    ClientControl, EndSession, Pull, Refusal, ServerControl, Session, SessionInfo,
};
use wire::directory::Record;
use wire::ids::SessionId;
use wire::public_key::AgreementKey;

/// Registers an account with a key and signs it in.
async fn signed_in(server: &Running, who: &str, key: &SigningKey) -> Client {
    let mut client = Client::connect(server).await;
    client.register_with(who, "password", Invite::NONE, key).await.ok().unwrap();
    client.log_in(who, "password").await.ok().unwrap();
    client
}

async fn log_in(server: &Running, who: &str) -> (Client, Box<Session>) {
    let mut client = Client::connect(server).await;
    let session = client.log_in(who, "password").await.ok().unwrap();
    (client, session)
}

async fn sessions(client: &mut Client) -> Vec<SessionInfo> {
    match client.ask(&ClientControl::ListSessions).await {
        ServerControl::Sessions(sessions) => sessions,
        _ => panic!("not a list"),
    }
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_its_name_free() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let key = SigningKey::random(&mut OsRng);
    let mut client = signed_in(&server, "ann", &key).await;
    let record = deletion("ann", &key);
    assert!(matches!(client.delete("ann", "password", record).await, ServerControl::Deleted));
    client.connection.close(0_u32.into(), b"");

    let mut client = Client::connect(&server).await;
    let refused = client.log_in("ann", "password").await.err().unwrap();
    assert_eq!(why(&refused), Refusal::WrongCredentials, "as an unknown name");
    let other = SigningKey::random(&mut OsRng);
    let index = client.register_with("ann", "password", Invite::NONE, &other).await.ok().unwrap();
    assert_eq!(index, 2, "behind the deletion");
    let session = client.log_in("ann", "password").await.ok().unwrap();
    assert_eq!((session.index.0, session.directory_length), (2, 3));
    let pull = ClientControl::Pull(Pull { from: 0, pages: 1 });
    let ServerControl::Page(page) = client.ask(&pull).await else { panic!("not a page") };
    assert!(page.records.len() == 3 && page.records[1] == record && page.records[1].is_deletion());
    assert!(page.records[2].name == page.records[0].name);
}

#[tokio::test]
async fn a_deletion_puts_out_every_session_and_ends_the_connection_that_asked() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let key = SigningKey::random(&mut OsRng);
    signed_in(&server, "ann", &key).await;
    let (client, session) = log_in(&server, "ann").await;
    let mut seated = client.join(&session).await;
    seated.hear().await;
    let (other, _) = log_in(&server, "ann").await;
    let (steps, start) = Deletion::start("ann", "password");
    let reply = seated.ask(&start).await;
    let finish = steps.finish(&seated.client.context(), &reply, deletion("ann", &key));
    assert!(matches!(seated.ask(&finish).await, ServerControl::Deleted));
    assert_eq!(other.closed().await, Close::SessionEnded);
    assert_eq!(seated.client.closed().await, Close::Done);
}

#[tokio::test]
async fn only_the_accounts_own_deletion_record_deletes_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (key, other) = (SigningKey::random(&mut OsRng), SigningKey::random(&mut OsRng));
    Client::connect(&server)
        .await
        .register_with("bob", "password", Invite::NONE, &other)
        .await
        .ok()
        .unwrap();
    let mut client = signed_in(&server, "ann", &key).await;
    let mut forged = deletion("ann", &key);
    forged.signature[5] ^= 1;
    let agreement = AgreementKey::random(&mut OsRng).public();
    let wrong = [
        ("another name's", deletion("bob", &key)),
        ("another account's", deletion("bob", &other)),
        ("another key's", deletion("ann", &other)),
        ("forged", forged),
        ("no deletion", Record::new(raw::name("ann"), agreement, &key)),
    ];
    for (what, record) in wrong {
        assert_eq!(
            why(&client.delete("ann", "password", record).await),
            Refusal::BadRequest,
            "{what}"
        );
    }
    let right = deletion("ann", &key);
    assert_eq!(why(&client.delete("ann", "wrong", right).await), Refusal::WrongCredentials);
    let session = log_in(&server, "ann").await.1;
    assert_eq!(session.directory_length, 2, "nothing was appended");
}

#[tokio::test]
async fn a_name_is_not_registered_with_a_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let key = SigningKey::random(&mut OsRng);
    let mut client = Client::connect(&server).await;
    let refused = client.register_record("p", Invite::NONE, deletion("ann", &key)).await;
    let refused = refused.err().unwrap();
    assert_eq!(why(&refused), Refusal::BadRequest);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_but_for_the_own() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut seated, older) = Seated::new(&server, "ann").await;
    seated.hear().await;
    let mut client = Client::connect(&server).await;
    let session = client.log_in("ann", "password").await.ok().unwrap();
    let id = |token: &wire::ids::Token| SessionId::of(&token.digest());
    let (old, own) = (id(&older.token), id(&session.token));

    let listed = sessions(&mut client).await;
    let shown: Vec<_> = listed.iter().map(|it| (it.id, it.current, it.superseded)).collect();
    assert_eq!(shown, [(old, false, true), (own, true, false)]);
    assert!(listed[1].created_ms > 0 && listed[1].expires_ms == session.expires_ms);

    let end = |id| ClientControl::EndSession(EndSession { id });
    assert_eq!(why(&client.ask(&end(own)).await), Refusal::BadRequest, "signs out instead");
    let unknown = end(SessionId([9; 8]));
    assert_eq!(why(&client.ask(&unknown).await), Refusal::BadRequest);
    assert!(matches!(client.ask(&end(old)).await, ServerControl::SessionEnded));
    assert_eq!(seated.client.closed().await, Close::SessionEnded);
    let refused = Client::connect(&server).await.resume(&older.token).await.err().unwrap();
    assert_eq!(why(&refused), Refusal::TokenEnded);
    assert_eq!(sessions(&mut client).await.len(), 1);
    assert_eq!(client.join(&session).await.hear().await.header.seats, 1);
}
