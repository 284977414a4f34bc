//! How long the way in takes says nothing of contacts.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client_core::identity::Identity;
use client_core::record::{Change, Contact};
use client_link::api::{Command, Event, Options, Password};
use client_link::engine::Engine;
use client_link::profile::Profile;
use rand_core::OsRng;
use tests::world::hostile::{Asked, Does, Hostile, Manner};
use wire::account::Stretching;
use wire::ids::AccountIndex;

/// More than a profile ever has, so that the client takes some 0.4 s to begin with them.
const CONTACTS: u32 = 1500;

/// Far less than that; the way in takes some milliseconds.
const WAY_IN: Duration = Duration::from_millis(100);

/// Takes a seat and quits.
async fn visit(server: &Hostile, profile: &Path, register: bool, early: bool) {
    let mut engine = Engine::start(Options {
        link: server.link.clone(),
        user: "ann".parse().unwrap(),
        password: Password::new("the password of ann".into()),
        register,
        invite: None,
        profile: profile.to_owned(),
        early,
        stretching: Stretching::for_tests(),
    });
    let mut seated = false;
    while let Some(event) = engine.events.recv().await {
        match event {
            Event::RoundOpen { .. } if !seated => {
                seated = true;
                engine.commands.send(Command::Quit).await.unwrap();
            }
            Event::Ended { .. } => break,
            _ => (),
        }
    }
    assert!(seated);
}

fn contact(index: u32) -> Change {
    let name = format!("peer{index}").parse().unwrap();
    let record = *Identity::random(name, &mut OsRng).record();
    let (index, no) = (AccountIndex(index), false);
    let contact =
        Contact { record, index, verified: no, blocked: no, forgotten: no, unsaved: None };
    Change::Contact(Box::new(contact))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_between_the_sign_in_and_the_seat_takes_longer_with_more_contacts() {
    let asked: Arc<Mutex<Vec<(Asked, Instant)>>> = Arc::default();
    let log = asked.clone();
    let manner: Manner = Arc::new(move |what, _, _| {
        log.lock().unwrap().push((what, Instant::now()));
        Does::Honestly
    });
    let (server, temp) = (Hostile::start(manner), tempfile::tempdir().unwrap());
    let dir = temp.path().join("profile");
    visit(&server, &dir, true, false).await;
    let unlock = || Profile::unlock(&dir, b"the password of ann", &Stretching::for_tests());
    let contacts: Vec<_> = (1..=CONTACTS).map(contact).collect();
    unlock().ok().unwrap().profile.apply(&contacts).unwrap();
    for early in [false, true] {
        let mut quickest = Duration::MAX;
        for _ in 0..3 {
            asked.lock().unwrap().clear();
            visit(&server, &dir, false, early).await;
            let asked = asked.lock().unwrap();
            let at = |what| asked.iter().find(|it| it.0 == what).unwrap().1;
            quickest = quickest.min(at(Asked::Seat) - at(Asked::Session));
        }
        assert!(quickest < WAY_IN, "{quickest:?}, early: {early}");
    }
    assert_eq!(unlock().ok().unwrap().saved.contacts.len(), CONTACTS as usize);
}
