//! What the window needs beyond what a script needs: steps, names, rounds, history, trying again, signing out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use client_link::api::{Author, Command, ConnectionState, Event, HistoryEntry, MessageState, Step};
use client_link::profile::Profile;
use tempfile::TempDir;
use tests::world::hostile::{Asked, Does, Hostile};
use tests::world::{Person, ROUND_MS, Raw, Relay, Start, Way, World, soon};
use tokio::time::Instant;
use wire::account::Stretching;
use wire::close::Close;
use wire::control::{Refusal, ServerControl};
use wire::ids::Token;

const ALL: [Way; 2] = [Way::Up, Way::Down];

fn steps(log: &[Event]) -> Vec<Step> {
    let steps = log.iter().filter_map(|event| match event {
        Event::Progress(step) => Some(*step),
        _ => None,
    });
    steps.collect()
}

fn listed(log: &[Event]) -> Vec<Vec<String>> {
    let names = log.iter().filter_map(|event| match event {
        Event::Listed { names } => Some(names.clone()),
        _ => None,
    });
    names.collect()
}

/// Returns the token that is kept in the profile of somebody who is not there.
fn token_of(start: &Start) -> Option<Token> {
    let floor = Stretching::for_tests();
    let unlocked = Profile::unlock(&start.profile, start.password.as_bytes(), &floor);
    unlocked.ok().unwrap().saved.token
}

/// Asks for a page of the history and waits for it.
async fn history(
    person: &mut Person,
    peer: &str,
    before: Option<u64>,
    max: usize,
) -> (Vec<HistoryEntry>, bool) {
    let from = person.now();
    person.command(Command::History { peer: peer.to_owned(), before, max }).await;
    let answer = |event: &Event| match event {
        Event::History { peer: told, before: from, entries, more } => {
            assert_eq!((told.as_str(), *from), (peer, before));
            Some((entries.clone(), *more))
        }
        _ => None,
    };
    person.hears(from, "the history", answer).await
}

async fn hears_retry(person: &mut Person, from: usize, ms: std::ops::Range<u64>) -> u64 {
    let told = |event: &Event| match event {
        Event::RetryIn { ms: told } if ms.contains(told) => Some(*told),
        _ => None,
    };
    person.hears(from, "the pause", told).await
}

#[tokio::test]
async fn each_step_of_the_way_in_is_told_and_none_of_the_way_back() {
    let mut world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    let mark = ann.now();
    world.stop().await;
    ann.reaches(mark, ConnectionState::Lost).await;
    world.start_again().await;
    ann.reaches(mark, ConnectionState::Resumed).await;
    let log = ann.leaves().await;
    let first = [
        Step::Connecting,
        Step::Registering,
        Step::SigningIn,
        Step::MakingProfile,
        Step::Directory { names: 1, done: 0 },
    ];
    assert_eq!(steps(&log), first);
    let place = |wanted: &Event| log.iter().position(|event| event == wanted).unwrap();
    let registering = place(&Event::Progress(Step::Registering));
    assert!(registering < place(&Event::Registered { user: "ann".into() }));
    let last = place(&Event::Progress(Step::Directory { names: 1, done: 0 }));
    assert!(last < place(&Event::SignedIn { user: "ann".into() }));

    world.sign_up("bob").await.leaves().await;
    let mut again = Person::begin(world.somebody("ann")).await;
    let open = [Step::Unlocking, Step::Connecting];
    let directory = |done| Step::Directory { names: 2, done };
    let log = again.log().to_vec();
    assert_eq!(steps(&log), [&open[..], &[Step::Resuming, directory(1)]].concat());
    again.leaves().await;

    // a second machine makes the token useless
    let second = Start { profile: world.profile("second machine"), ..world.somebody("ann") };
    let second = Person::begin(second).await.leaves().await;
    let fresh = [Step::Connecting, Step::SigningIn, Step::MakingProfile, directory(0)];
    assert_eq!(steps(&second), fresh);
    let again = Person::begin(world.somebody("ann")).await.leaves().await;
    assert_eq!(
        steps(&again),
        [&open[..], &[Step::Resuming, Step::SigningIn, directory(2)]].concat()
    );
}

#[tokio::test]
async fn names_are_listed_as_they_come() {
    let mut world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    assert_eq!(listed(ann.log()), [["ann"]]);
    world.sign_up("bob").await.leaves().await;
    let bob = |event: &Event| (*event == Event::Listed { names: vec!["bob".into()] }).then_some(());
    ann.hears(0, "bob's name", bob).await;
    let mark = ann.now();
    world.stop().await;
    ann.reaches(mark, ConnectionState::Lost).await;
    world.start_again().await;
    ann.reaches(mark, ConnectionState::Resumed).await;
    assert_eq!(listed(&ann.leaves().await), [["ann"], ["bob"]], "each name once");
    let again = Person::begin(world.somebody("ann")).await.leaves().await;
    assert_eq!(listed(&again), [["ann", "bob"]]);
}

#[tokio::test]
async fn each_round_is_told_when_it_opens() {
    let world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    ann.sits_through(4).await;
    let mut last = None;
    for event in ann.leaves().await {
        match event {
            Event::RoundOpen { number, closes_ms, round_ms } => {
                assert!(closes_ms <= round_ms && round_ms == ROUND_MS);
                // the answer to the round before follows
                last = Some((number, last.map(|(number, _)| number)));
            }
            Event::Round { number, .. } => {
                assert_eq!(last.and_then(|(_, before)| before), Some(number));
            }
            _ => (),
        }
    }
    assert!(last.is_some());
}

#[tokio::test]
async fn the_history_is_there_while_the_connection_is_lost_and_after_a_close() {
    let world = World::new().await;
    let relay = Relay::start(world.address()).await;
    let behind = Start { link: relay.link(&world.link()), ..world.somebody("ann") };
    let mut ann = Person::begin(Start { register: true, ..behind.clone() }).await;
    let bob = world.sign_up("bob").await;
    assert!(history(&mut ann, "bob", None, 9).await == (vec![], false), "never opened");
    assert!(history(&mut ann, "Nobody!", Some(7), 9).await == (vec![], false), "no name");
    ann.open("bob").await;
    bob.open("ann").await;
    ann.send("bob", "one", "1").await;
    ann.delivers("1").await;
    bob.send("ann", "two", "2").await;
    ann.receives("two").await;
    bob.leaves().await;
    relay.stop(&ALL);
    ann.reaches(0, ConnectionState::Lost).await;
    ann.send("bob", "three", "3").await;
    ann.has_come("3", MessageState::Queued).await;
    ann.command(Command::Close { peer: "bob".into() }).await;

    let arrived = ann.log().iter().find_map(|event| match event {
        Event::Message { id, round, .. } => Some((*id, *round)),
        _ => None,
    });
    let (id, round) = arrived.unwrap();
    let (entries, more) = history(&mut ann, "bob", None, 2).await;
    assert!(more);
    let queued = Author::Own { label: "3".into(), state: MessageState::Queued, round: None };
    let authors: Vec<_> = entries.iter().map(|it| (it.text.as_str(), it.author.clone())).collect();
    assert_eq!(authors, [("three", queued), ("two", Author::Peer { id, round })]);
    let (oldest, more) = history(&mut ann, "bob", Some(entries[1].cursor), 2).await;
    assert!(!more);
    let state = |event: &Event| match event {
        Event::State { state: MessageState::Delivered, round, .. } => Some(*round),
        _ => None,
    };
    let round = ann.log().iter().find_map(state).unwrap();
    let delivered = Author::Own { label: "1".into(), state: MessageState::Delivered, round };
    assert_eq!((oldest[0].text.as_str(), oldest[0].author.clone()), ("one", delivered));
    assert!(oldest.len() == 1 && oldest[0].cursor < entries[1].cursor);
    ann.leaves().await;
}

/// What the pause is after so many attempts that fail at once; with it, trying again shows.
const LONG_MS: u64 = 1000;

/// Longest first pause.
const FIRST_MS: u64 = 250;

#[tokio::test]
async fn trying_again_now_ends_the_pause_and_begins_with_the_shortest() {
    let manner = |asked, before, _| match (asked, before) {
        (Asked::Session, 0) => Does::Honestly,
        (Asked::Session | Asked::Seat, _) => Does::Closes(Close::Restarting.code()),
        _ => Does::Honestly,
    };
    let hostile = Hostile::start(Arc::new(manner));
    let profiles = tempfile::tempdir().unwrap();
    let mut ann = Person::start(at(&hostile, &profiles));
    hears_retry(&mut ann, 0, LONG_MS..u64::MAX).await;
    let lost = Event::Connection(ConnectionState::Lost);
    let place = |log: &[Event], wanted: &dyn Fn(&Event) -> bool| log.iter().position(wanted);
    let first_pause = place(ann.log(), &|event| matches!(event, Event::RetryIn { .. }));
    assert!(place(ann.log(), &|event| *event == lost) < first_pause, "the loss is told first");
    let (mark, begun) = (ann.now(), Instant::now());
    ann.command(Command::Retry).await;
    hears_retry(&mut ann, mark, 0..FIRST_MS + 1).await;
    assert!(begun.elapsed() < Duration::from_millis(LONG_MS), "after {:?}", begun.elapsed());
    ann.leaves().await;
}

#[tokio::test]
async fn trying_again_a_hundred_times_is_one_attempt() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let manner = move |asked, before, _| match (asked, before) {
        (Asked::Session, 0) => Does::Honestly,
        (Asked::Session, _) => {
            counted.fetch_add(1, Ordering::Relaxed);
            Does::Nothing
        }
        (Asked::Seat, 1) => Does::Closes(Close::Restarting.code()),
        _ => Does::Honestly,
    };
    let hostile = Hostile::start(Arc::new(manner));
    let profiles = tempfile::tempdir().unwrap();
    let mut ann = Person::start(at(&hostile, &profiles));
    ann.command(Command::Retry).await;
    ann.reaches(0, ConnectionState::Connected).await;
    ann.command(Command::Retry).await;
    hears_retry(&mut ann, 0, 0..u64::MAX).await;
    let mark = ann.now();
    for _ in 0..100 {
        ann.command(Command::Retry).await;
    }
    let tried = async {
        while attempts.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("an attempt", tried).await;
    for _ in 0..100 {
        ann.command(Command::Retry).await;
    }
    ann.command(Command::Status).await;
    let status = |event: &Event| matches!(event, Event::Status(_)).then_some(());
    ann.hears(mark, "the status, when all before it was heard", status).await;
    ann.leaves().await;
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
}

/// Ann at a server that is told what to do.
fn at(hostile: &Hostile, profiles: &TempDir) -> Start {
    Start {
        link: hostile.link.clone(),
        name: "ann".into(),
        password: "p".into(),
        register: true,
        invite: None,
        profile: profiles.path().join("ann"),
        early: false,
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_the_server() {
    let world = World::new().await;
    let start = world.somebody("ann");
    world.sign_up("ann").await.leaves().await;
    let token = token_of(&start).expect("leaving keeps the session");
    let mut ann = Person::begin(start.clone()).await;
    ann.command(Command::SignOut).await;
    let (ok, _) = ann.ends().await;
    assert!(ok);
    assert_eq!(ann.errors(), []);
    assert!(token_of(&start).is_none());
    let mut raw = Raw::connect(&world.link()).await;
    let Err(ServerControl::Refused(refused)) = raw.resume(&token).await else {
        panic!("the token is still good");
    };
    assert_eq!(refused.why, Refusal::TokenEnded);
    world.status_when("nobody to be there", |status| status.seats == 0).await;

    let log = Person::begin(start).await.leaves().await;
    let steps = steps(&log);
    assert!(steps.contains(&Step::SigningIn) && !steps.contains(&Step::Resuming), "{steps:?}");
}

#[tokio::test]
async fn signing_out_without_a_server_says_that_the_session_goes_on_there() {
    let world = World::new().await;
    let relay = Relay::start(world.address()).await;
    let start = Start { link: relay.link(&world.link()), ..world.somebody("ann") };
    Person::begin(Start { register: true, ..start.clone() }).await.leaves().await;
    let token = token_of(&start).expect("leaving keeps the session");
    let mut ann = Person::begin(start.clone()).await;
    relay.stop(&ALL);
    let begun = Instant::now();
    ann.command(Command::SignOut).await;
    let (ok, log) = ann.ends().await;
    assert!(ok);
    assert!(begun.elapsed() < Duration::from_secs(5), "after {:?}", begun.elapsed());
    let [.., Event::Error { text, .. }, Event::Ended { ok: true }] = &log[..] else {
        panic!("{log:?}");
    };
    assert!(text.contains("stays valid"), "{text}");
    assert_eq!(ann.errors().len(), 1);
    assert!(token_of(&start).is_none());
    let mut raw = Raw::connect(&world.link()).await;
    assert!(raw.resume(&token).await.is_ok(), "as was said");
}

#[tokio::test]
async fn signing_out_before_the_sign_in_is_leaving() {
    let world = World::new().await;
    let silent = tokio::net::UdpSocket::bind(tests::world::LOCAL).await.unwrap();
    let mut link = world.link();
    link.port = silent.local_addr().unwrap().port();
    let mut ann = Person::start(Start { link, ..world.somebody("ann") });
    let begun = Instant::now();
    ann.command(Command::SignOut).await;
    let (ok, _) = ann.ends().await;
    assert!(ok && ann.errors().is_empty());
    assert!(begun.elapsed() < Duration::from_secs(5), "left after {:?}", begun.elapsed());
}
