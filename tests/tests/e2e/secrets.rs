//! What the server's disk has of an account: nothing that could be used in its place.

use std::fs;
use std::path::Path;

use client_core::identity::{Identity, MasterKey};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use tests::world::{Raw, World};
use wire::account::{Invite, Stretching};
use wire::codec::Wire as _;
use wire::control::{ClientControl, RegisterFinish, RegisterStart, ServerControl};
use wire::kdf::Secret;
use wire::login::register_start;
use wire::public_key::AgreementKey;

const PASSWORD: &str = "correct horse battery staple";

/// Collects all bytes below a directory.
fn bytes_below(dir: &Path) -> Vec<u8> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let below = entries.map(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => bytes_below(&entry.path()),
        kind if kind.is_file() => fs::read(entry.path()).unwrap(),
        _ => Vec::new(),
    });
    below.collect::<Vec<_>>().concat()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_stolen_store_has_no_password_no_token_and_no_secret_key() {
    let mut world = World::new().await;
    let mut raw = Raw::connect(&world.link()).await;
    let name = "ann".parse().unwrap();
    let (state, request) =
        register_start(name, world.link().pin, PASSWORD.as_bytes(), &mut OsRng).unwrap();
    let start = ClientControl::RegisterStart(RegisterStart { name, request, invite: Invite::NONE });
    let ServerControl::RegisterReply(reply) = raw.ask(&start).await else { panic!("refused") };
    let cost = Stretching::for_tests();
    let finished = state.finish(PASSWORD.as_bytes(), &reply.response, &cost, &mut OsRng);
    let (upload, export) = finished.unwrap();

    let master = MasterKey::new(Secret::new([0xa7; 32]));
    // The same numbers once more show what the secret keys are.
    let (mut rng, mut twin) = (ChaCha20Rng::seed_from_u64(1), ChaCha20Rng::seed_from_u64(1));
    let identity = Identity::random(name, &mut rng);
    let signing: [u8; 32] = identity.signing().to_bytes().into();
    twin.fill_bytes(&mut [0; 32]);
    let agreement = AgreementKey::random(&mut twin);
    assert!(agreement.public() == identity.record().agreement, "the twin is one");

    let finish = RegisterFinish {
        upload,
        stretching: cost,
        master: master.seal(&name, &export, &mut OsRng),
        identity: identity.seal(&master, &mut OsRng),
        record: *identity.record(),
    };
    let sealed = finish.identity;
    let finish = ClientControl::RegisterFinish(Box::new(finish));
    assert!(matches!(raw.ask(&finish).await, ServerControl::Registered(_)));
    let (session, proved) = raw.log_in("ann", PASSWORD).await.ok().unwrap();
    assert!(proved.open(&session).unwrap().1.record() == identity.record());
    world.stop().await;

    let stored = bytes_below(&world.config().data_dir);
    for (what, there) in [
        ("public record", identity.record().encode()),
        ("sealed identity", sealed.0.to_vec()),
        ("upload", upload.to_vec()),
    ] {
        assert!(holds(&stored, &there), "the search does not find the {what}");
    }
    for (what, secret) in [
        ("password", PASSWORD.as_bytes()),
        ("part of the password", &PASSWORD.as_bytes()[..8]),
        ("token", session.token.expose()),
        ("export key", export.expose()),
        ("master key", master.expose().expose()),
        ("signing key", &signing),
        ("agreement key", agreement.expose().expose()),
    ] {
        assert!(!holds(&stored, secret), "the store holds the {what}");
    }
}
