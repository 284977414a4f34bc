//! Sessions: coming back, being taken over, a server that is dead or another one, and the profile.

use std::time::Duration;

use client_link::api::{Command, ConnectionState, ErrorCode, Event, MessageState};
use tests::world::{Person, ROUND_MS, Raw, Relay, Start, Way, World};
use tokio::time::Instant;
use wire::close::Close;
use wire::control::{Refusal, ServerControl};

/// How much later than the end of a round a client may say that the server is gone.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

const ALL: [Way; 2] = [Way::Up, Way::Down];

/// Somebody whose connection goes through a relay.
fn behind(world: &World, relay: &Relay, name: &str) -> Start {
    Start { link: relay.link(&world.link()), ..world.somebody(name) }
}

async fn signs_up_behind(world: &World, relay: &Relay, name: &str) -> Person {
    Person::begin(Start { register: true, ..behind(world, relay, name) }).await
}

/// Returns the only error of an engine that ended badly, which came last.
async fn only_error(person: &mut Person) -> ErrorCode {
    let (ok, log) = person.ends().await;
    assert!(!ok);
    let errors = person.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(matches!(log[log.len() - 2], Event::Error { .. }), "{log:?}");
    errors[0].0
}

#[tokio::test]
async fn a_lost_connection_comes_back_by_token() {
    let world = World::new().await;
    let relay = Relay::start(world.address()).await;
    let mut ann = signs_up_behind(&world, &relay, "ann").await;
    let mut bob = world.sign_up("bob").await;
    ann.open("bob").await;
    bob.open("ann").await;
    ann.send("bob", "one", "1").await;
    ann.delivers("1").await;

    let mark = ann.now();
    relay.stop(&ALL);
    ann.reaches(mark, ConnectionState::Lost).await;
    ann.send("bob", "two", "2").await;
    ann.has_come("2", MessageState::Queued).await;
    relay.stop(&[]);
    ann.reaches(mark, ConnectionState::Resumed).await;
    ann.delivers("2").await;
    assert_eq!(bob.texts(), ["one", "two"]);
    assert!(!bob.was_lost());
    assert_eq!(ann.errors(), [], "nobody is said to have signed in elsewhere");
    let again = |event: &&Event| matches!(event, Event::SignedIn { .. });
    assert_eq!(ann.log().iter().filter(again).count(), 1, "the password is not asked for again");
    world.status_when("the old seat to be free", |status| status.seats == 2).await;
}

#[tokio::test]
async fn a_token_outlives_the_server_and_rounds_only_grow() {
    let mut world = World::new().await;
    let mut raw = Raw::connect(&world.link()).await;
    raw.register("raw", "p").await.ok().unwrap();
    let (session, _) = raw.log_in("raw", "p").await.ok().unwrap();
    let mut ann = world.sign_up("ann").await;
    ann.sits_through(3).await;
    for _ in 0..2 {
        let mark = ann.now();
        world.stop().await;
        assert_eq!(raw.closed().await.0, Close::Restarting);
        ann.reaches(mark, ConnectionState::Lost).await;
        world.start_again().await;
        ann.reaches(mark, ConnectionState::Resumed).await;
        ann.sits_through(3).await;
        raw = Raw::connect(&world.link()).await;
        let resumed = raw.resume(&session.token).await.ok().unwrap();
        assert_eq!(resumed.index, session.index);
        assert_eq!(resumed.token.expose(), session.token.expose());
    }
    let rounds = ann.rounds();
    assert!(rounds.is_sorted_by(|one, next| one < next), "{rounds:?}");
    assert_eq!(ann.errors(), []);
}

#[tokio::test]
async fn a_second_machine_takes_the_seat_and_keeps_it() {
    let world = World::new().await;
    let mut first = world.sign_up("ann").await;
    let second = Start { profile: world.profile("second machine"), ..world.somebody("ann") };
    let mut second = Person::begin(second).await;
    assert_eq!(only_error(&mut first).await, ErrorCode::SignedInElsewhere);
    second.sits_through(5).await;
    assert!(!second.was_lost() && second.errors().is_empty());
    let status = world.status_when("old connections to go", |it| it.connections == 1).await;
    assert_eq!(status.seats, 1, "the first does not come back by itself");

    // When its person acts, the first takes the seat back, once.
    let mut back = Person::begin(world.somebody("ann")).await;
    assert_eq!(only_error(&mut second).await, ErrorCode::SignedInElsewhere);
    back.sits_through(3).await;
    assert!(!back.was_lost());
}

#[tokio::test]
async fn a_superseded_token_is_told_from_an_unknown_one() {
    let world = World::new().await;
    let mut raw = Raw::connect(&world.link()).await;
    raw.register("ann", "p").await.ok().unwrap();
    let (older, _) = raw.log_in("ann", "p").await.ok().unwrap();
    let mut raw = Raw::connect(&world.link()).await;
    let (newer, _) = raw.log_in("ann", "p").await.ok().unwrap();
    let mut raw = Raw::connect(&world.link()).await;
    let Err(ServerControl::Refused(refused)) = raw.resume(&older.token).await else {
        panic!("taken")
    };
    assert_eq!(refused.why, Refusal::TokenSuperseded);
    assert!(raw.resume(&newer.token).await.is_ok());
}

/// The first is away while the second signs in, and finds out when it comes back.
#[tokio::test]
async fn who_comes_back_after_a_second_sign_in_stays_out() {
    let world = World::new().await;
    let relay = Relay::start(world.address()).await;
    let mut first = signs_up_behind(&world, &relay, "ann").await;
    relay.stop(&ALL);
    first.reaches(0, ConnectionState::Lost).await;
    let second = Start { profile: world.profile("second machine"), ..world.somebody("ann") };
    let mut second = Person::begin(second).await;
    relay.stop(&[]);
    assert_eq!(only_error(&mut first).await, ErrorCode::SignedInElsewhere);
    second.sits_through(3).await;
    assert!(!second.was_lost());
}

#[tokio::test]
async fn a_wrong_pin_is_a_full_stop() {
    let world = World::new().await;
    world.sign_up("ann").await.leaves().await;
    let mut link = world.link();
    link.pin.0[0] ^= 1;
    let fresh = Start { profile: world.profile("new machine"), ..world.somebody("ann") };
    let mut wrong = Person::start(Start { link, ..fresh.clone() });
    assert_eq!(only_error(&mut wrong).await, ErrorCode::WrongPin);
    assert!(!fresh.profile.exists());
    world.status_when("no connection", |status| status.connections == 0).await;
}

#[tokio::test]
async fn another_server_in_its_place_is_a_full_stop_too() {
    let (mut world, other) = tokio::join!(World::new(), World::new());
    let relay = Relay::start(world.address()).await;
    let mut ann = signs_up_behind(&world, &relay, "ann").await;
    ann.open("bob").await;
    relay.redirect(other.address());
    world.stop().await;
    assert_eq!(only_error(&mut ann).await, ErrorCode::WrongPin);
    assert!(ann.was_lost());
    assert_eq!(other.status().await.accounts, 0);
    // At the true server it goes on as if nothing had been.
    world.start_again().await;
    Person::begin(world.somebody("ann")).await.leaves().await;
}

#[tokio::test]
async fn a_dead_server_is_noticed_and_what_is_typed_is_kept() {
    let mut world = World::new().await;
    let (ann_relay, bob_relay) =
        (Relay::start(world.address()).await, Relay::start(world.address()).await);
    let mut ann = signs_up_behind(&world, &ann_relay, "ann").await;
    let mut bob = signs_up_behind(&world, &bob_relay, "bob").await;
    ann.open("bob").await;
    bob.open("ann").await;
    ann.send("bob", "alive", "0").await;
    ann.delivers("0").await;

    let (ann_mark, bob_mark, begun) = (ann.now(), bob.now(), Instant::now());
    ann_relay.stop(&ALL);
    bob_relay.stop(&ALL);
    ann.reaches(ann_mark, ConnectionState::Lost).await;
    let noticed = begun.elapsed();
    let latest = Duration::from_millis(u64::from(2 * ROUND_MS)) + NOTICED_WITHIN;
    assert!(noticed < latest, "noticed after {noticed:?}");
    bob.reaches(bob_mark, ConnectionState::Lost).await;
    for text in ["1", "2", "3"] {
        ann.send("bob", text, text).await;
        ann.has_come(text, MessageState::Queued).await;
    }
    ann.command(Command::Status).await;
    let status = |event: &Event| match event {
        Event::Status(status) => Some(status.clone()),
        _ => None,
    };
    let status = ann.hears(ann_mark, "the status", status).await;
    assert_eq!(status.connection, ConnectionState::Lost);
    assert_eq!(status.conversations[0].queued, 3);

    world.stop().await;
    world.start_again().await;
    ann_relay.stop(&[]);
    bob_relay.stop(&[]);
    ann.reaches(ann_mark, ConnectionState::Resumed).await;
    bob.reaches(bob_mark, ConnectionState::Resumed).await;
    for text in ["1", "2", "3"] {
        ann.delivers(text).await;
    }
    assert_eq!(bob.texts(), ["alive", "1", "2", "3"]);
}

#[tokio::test]
async fn messages_that_wait_outlive_the_client_and_arrive_once() {
    let world = World::new().await;
    let (mut ann, bob) = world.pair("ann", "bob").await;
    bob.leaves().await;
    for text in ["1", "2"] {
        ann.send("bob", text, text).await;
        ann.has_come(text, MessageState::Queued).await;
    }
    ann.leaves().await;

    let mut ann = Person::begin(world.somebody("ann")).await;
    let bob = Person::begin(world.somebody("bob")).await;
    ann.send("bob", "3", "3").await;
    for text in ["1", "2", "3"] {
        ann.delivers(text).await;
    }
    // Both again, with nothing left to say: nothing comes twice.
    let log = bob.leaves().await;
    let texts = log.iter().filter_map(|event| match event {
        Event::Message { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["1", "2", "3"]);
    ann.leaves().await;
    let mut ann = Person::begin(world.somebody("ann")).await;
    let mut bob = Person::begin(world.somebody("bob")).await;
    ann.send("bob", "4", "4").await;
    ann.delivers("4").await;
    assert_eq!(bob.texts(), ["4"]);
}

#[tokio::test]
async fn what_is_typed_in_the_last_moment_is_kept() {
    let world = World::new().await;
    let (ann, bob) = world.pair("ann", "bob").await;
    bob.leaves().await;
    let texts: Vec<_> = (0..20).map(|place| place.to_string()).collect();
    for text in &texts {
        ann.send("bob", text, text).await;
    }
    ann.leaves().await;
    let mut ann = Person::begin(world.somebody("ann")).await;
    let mut bob = Person::begin(world.somebody("bob")).await;
    ann.delivers("19").await;
    assert_eq!(bob.texts(), texts);
}

#[tokio::test]
async fn who_waits_for_a_silent_server_can_leave_at_once() {
    let world = World::new().await;
    let silent = tokio::net::UdpSocket::bind(tests::world::LOCAL).await.unwrap();
    let mut link = world.link();
    link.port = silent.local_addr().unwrap().port();
    let ann = Person::start(Start { link, ..world.somebody("ann") });
    let begun = Instant::now();
    ann.leaves().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "left after {:?}", begun.elapsed());
}

/// A restored backup, or a home directory on two machines: both hold the same token.
#[tokio::test]
async fn a_copied_profile_does_not_evict_its_original_in_turns() {
    let world = World::new().await;
    world.sign_up("ann").await.leaves().await;
    let copy = Start { profile: world.profile("copy"), ..world.somebody("ann") };
    std::fs::create_dir(&copy.profile).unwrap();
    for file in std::fs::read_dir(world.profile("ann")).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), copy.profile.join(file.file_name())).unwrap();
    }
    let mut first = Person::begin(world.somebody("ann")).await;
    let mut second = Person::begin(copy).await;
    assert_eq!(only_error(&mut first).await, ErrorCode::SignedInElsewhere);
    second.sits_through(5).await;
    assert!(!second.was_lost() && second.errors().is_empty());
}

/// Bob has the message on disk, but his acknowledgement never arrives: ann sends it again after both
/// started anew, and bob knows its id.
#[tokio::test]
async fn a_message_that_is_sent_again_is_shown_once() {
    let world = World::new().await;
    let relay = Relay::start(world.address()).await;
    let mut ann = signs_up_behind(&world, &relay, "ann").await;
    let mut bob = world.sign_up("bob").await;
    ann.open("bob").await;
    bob.open("ann").await;
    ann.send("bob", "first", "first").await;
    ann.delivers("first").await;

    ann.send("bob", "again", "again").await;
    ann.has_come("again", MessageState::Sent).await;
    relay.stop(&[Way::Down]);
    bob.receives("again").await;
    let log = ann.leaves().await;
    let delivered = |event: &Event| matches!(event, Event::State { label, state: MessageState::Delivered, .. } if label == "again");
    assert!(!log.iter().any(delivered), "the test needs an acknowledgement that is lost");
    bob.leaves().await;

    relay.stop(&[]);
    let mut ann = Person::begin(behind(&world, &relay, "ann")).await;
    let mut bob = Person::begin(world.somebody("bob")).await;
    ann.delivers("again").await;
    ann.send("bob", "last", "last").await;
    ann.delivers("last").await;
    assert_eq!(bob.texts(), ["last"]);
}

#[tokio::test]
async fn a_profile_in_use_is_refused_and_its_user_goes_on() {
    let world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    let mut second = Person::start(world.somebody("ann"));
    assert_eq!(only_error(&mut second).await, ErrorCode::ProfileInUse);
    ann.sits_through(3).await;
    assert!(!ann.was_lost());
    assert_eq!(ann.errors(), []);
}

#[tokio::test]
async fn a_profile_of_another_account_or_server_is_refused() {
    let (world, other) = tokio::join!(World::new(), World::new());
    world.sign_up("ann").await.leaves().await;
    let anns = world.somebody("ann");
    let mut bob = Person::start(Start { name: "bob".to_owned(), register: true, ..anns.clone() });
    assert_eq!(only_error(&mut bob).await, ErrorCode::ProfileOtherAccount);
    assert_eq!(world.status().await.accounts, 1, "refused before anything was stored");
    let mut elsewhere = Person::start(Start { link: other.link(), ..anns.clone() });
    assert_eq!(only_error(&mut elsewhere).await, ErrorCode::ProfileOtherAccount);
    let mut wrong = Person::start(Start { password: "wrong".to_owned(), ..anns.clone() });
    assert_eq!(only_error(&mut wrong).await, ErrorCode::WrongCredentials);
    Person::begin(anns).await.leaves().await;
}
