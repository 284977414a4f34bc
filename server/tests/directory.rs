//! The directory over real QUIC: each page and each session's head is signed by the root key.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::DecodePrivateKey as _;
use raw::{Client, config, start};
use server::store::{SecretKind, SledStore, Store as _};
use wire::control::{ClientControl, Page, Pull, ServerControl, Session};
use wire::directory::{Head, head_signed};

const ACCOUNTS: u32 = 12;

async fn pull(client: &mut Client, pull: Pull) -> Vec<Page> {
    client.send(&ClientControl::Pull(pull)).await;
    let mut pages = Vec::new();
    for _ in 0..pull.pages {
        let ServerControl::Page(page) = client.answer().await else { panic!("not a page") };
        pages.push(page);
    }
    pages
}

async fn signed_in(server: &server::Running) -> (Client, Box<Session>) {
    let mut client = Client::connect(server).await;
    let session = client.log_in("n0", "p").await.ok().unwrap();
    (client, session)
}

#[tokio::test]
async fn every_page_and_head_is_signed_by_the_root_key_before_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    for number in 0..ACCOUNTS {
        if number % 4 == 0 {
            client = Client::connect(&server).await;
        }
        client.register(&format!("n{number}"), "p").await.ok().unwrap();
    }
    let mut signed: Vec<(u32, Head, [u8; 64])> = Vec::new();
    let mut note = |session: &Session, pages: &[Page]| {
        let Session { directory_length, directory_head, directory_signature, .. } = session;
        signed.push((*directory_length, *directory_head, *directory_signature));
        let until = |page: &Page| page.from + u32::try_from(page.records.len()).unwrap();
        signed.extend(pages.iter().map(|page| (until(page), page.head, page.signature)));
    };
    let (mut client, session) = signed_in(&server).await;
    for from in [0, 3, 0, ACCOUNTS] {
        note(&session, &pull(&mut client, Pull { from, pages: 4 }).await);
    }
    server.stop().await.unwrap();
    let server = start(&dir).await;
    let (mut client, session) = signed_in(&server).await;
    note(&session, &pull(&mut client, Pull { from: 0, pages: 4 }).await);
    server.stop().await.unwrap();

    let store = SledStore::open_existing(&config(&dir).data_dir).unwrap();
    let root = store.secret(SecretKind::RootKey).unwrap().unwrap();
    let root = *SigningKey::from_pkcs8_der(&root).unwrap().verifying_key();
    let verify = |key: &VerifyingKey, length, head: &Head, signature| {
        key.verify(&head_signed(length, head), &Signature::from_slice(signature).unwrap())
    };
    assert_eq!(signed.len(), 25);
    for (length, head, signature) in &signed {
        assert!(verify(&root, *length, head, signature).is_ok(), "{length}");
        assert!(verify(&root, length + 1, head, signature).is_err());
    }
}

#[tokio::test]
async fn pages_end_at_multiples_of_five_wherever_they_begin() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    for number in 0..ACCOUNTS {
        if number % 4 == 0 {
            client = Client::connect(&server).await;
        }
        client.register(&format!("n{number}"), "p").await.ok().unwrap();
    }
    let (mut client, session) = signed_in(&server).await;
    let pages = pull(&mut client, Pull { from: 3, pages: 4 }).await;
    let ranges: Vec<_> = pages.iter().map(|page| (page.from, page.records.len())).collect();
    assert_eq!(ranges, [(3, 2), (5, 5), (10, 2), (12, 0)]);
    assert!(pages[2].head == session.directory_head && pages[3].head == session.directory_head);
    let past = pull(&mut client, Pull { from: u32::MAX, pages: 1 }).await;
    assert_eq!((past[0].from, past[0].records.len()), (ACCOUNTS, 0));
}
