//! The faults of the original, each a test that it would fail.

use client_link::api::{ConnectionState, ErrorCode, Event, MessageState, Step};
use tests::world::{DEADLINE, Person, Raw, Start, World};
use tokio::time::Instant;
use wire::account::Stretching;
use wire::codec::Wire as _;
use wire::control::{ClientControl, Pull, Refusal, ServerControl};
use wire::size::CELL;

/// Argon2's cheapest.
const CHEAP: Stretching = Stretching::for_tests();

fn refusal<T>(answer: Result<T, ServerControl>) -> Refusal {
    match answer.err() {
        Some(ServerControl::Refused(refused)) => refused.why,
        Some(_) | None => panic!("not refused"),
    }
}

/// The original kept one half-made registration for the whole server.
#[tokio::test]
async fn two_registrations_at_once_do_not_mix() {
    let world = World::new().await;
    let (mut ann, mut bob) = (Raw::connect(&world.link()).await, Raw::connect(&world.link()).await);
    let (ann_up, ann_start) = ann.sign_up("ann", "ann's");
    let (bob_up, bob_start) = bob.sign_up("bob", "bob's");
    let ann_finish = ann.second_step(ann_up, &ann_start, "ann's", CHEAP).await.ok().unwrap();
    let bob_finish = bob.second_step(bob_up, &bob_start, "bob's", CHEAP).await.ok().unwrap();
    assert!(matches!(bob.ask(&bob_finish).await, ServerControl::Registered(it) if it.index.0 == 0));
    assert!(matches!(ann.ask(&ann_finish).await, ServerControl::Registered(it) if it.index.0 == 1));

    assert_eq!(refusal(ann.log_in("ann", "bob's").await), Refusal::WrongCredentials);
    assert_eq!(refusal(bob.log_in("bob", "ann's").await), Refusal::WrongCredentials);
    for (raw, who, password) in [(&mut ann, "ann", "ann's"), (&mut bob, "bob", "bob's")] {
        let (session, proved) = raw.log_in(who, password).await.ok().unwrap();
        let (_, identity) = proved.open(&session).unwrap();
        assert_eq!(identity.record().name.as_str(), who);
    }
    let (cat, dan) = tokio::join!(world.sign_up("cat"), world.sign_up("dan"));
    tokio::join!(cat.leaves(), dan.leaves());
    assert_eq!(world.status().await.accounts, 4);
}

#[tokio::test]
async fn of_two_who_register_one_name_at_once_one_has_it() {
    let world = World::new().await;
    let (mut slow, mut fast) =
        (Raw::connect(&world.link()).await, Raw::connect(&world.link()).await);
    let (slow_up, slow_start) = slow.sign_up("ann", "slow");
    let (fast_up, fast_start) = fast.sign_up("ann", "fast");
    let slow_finish = slow.second_step(slow_up, &slow_start, "slow", CHEAP).await.ok().unwrap();
    let fast_finish = fast.second_step(fast_up, &fast_start, "fast", CHEAP).await.ok().unwrap();
    assert!(matches!(fast.ask(&fast_finish).await, ServerControl::Registered(_)));
    let ServerControl::Refused(refused) = slow.ask(&slow_finish).await else { panic!("two anns") };
    assert_eq!(refused.why, Refusal::NameTaken);
    assert_eq!(refusal(slow.log_in("ann", "slow").await), Refusal::WrongCredentials);
    assert!(fast.log_in("ann", "fast").await.is_ok());
    assert_eq!(world.status().await.accounts, 1);
}

#[tokio::test]
async fn registering_an_existing_name_does_not_overwrite_it() {
    let world = World::new().await;
    let ann = world.sign_up("ann").await;
    let thief = Start {
        password: "another one".to_owned(),
        profile: world.profile("thief"),
        register: true,
        ..world.somebody("ann")
    };
    let mut taking = Person::start(thief.clone());
    let (ok, log) = taking.ends().await;
    assert!(!ok);
    assert!(matches!(
        log.as_slice(),
        [
            Event::Progress(Step::Connecting),
            Event::Progress(Step::Registering),
            Event::Error { code: ErrorCode::NameTaken, .. },
            Event::Ended { ok: false }
        ]
    ));
    assert!(!thief.profile.exists(), "a refused registration leaves a profile");
    ann.leaves().await;

    let mut guessing = Person::start(Start { register: false, ..thief });
    guessing.ends().await;
    assert_eq!(guessing.errors()[0].0, ErrorCode::WrongCredentials);
    let elsewhere = Start { profile: world.profile("new machine"), ..world.somebody("ann") };
    Person::begin(elsewhere).await.leaves().await;
    Person::begin(world.somebody("ann")).await.leaves().await;
    assert_eq!(world.status().await.accounts, 1);
}

/// The original's client waited for ever for an answer that never came.
#[tokio::test]
async fn a_wrong_password_is_one_error_at_once() {
    let world = World::new().await;
    world.sign_up("ann").await.leaves().await;
    let begun = Instant::now();
    let mut wrong = Person::start(Start {
        password: "wrong".to_owned(),
        profile: world.profile("elsewhere"),
        ..world.somebody("ann")
    });
    let (_, log) = wrong.ends().await;
    assert!(matches!(
        log.as_slice(),
        [
            Event::Progress(Step::Connecting),
            Event::Progress(Step::SigningIn),
            Event::Error { code: ErrorCode::WrongCredentials, .. },
            Event::Ended { ok: false }
        ]
    ));
    assert!(begun.elapsed() < DEADLINE / 6, "took {:?}", begun.elapsed());
    assert!(!wrong.takes_commands());
}

/// QUIC gives a stream of bytes; where packets begin and end must not matter.
#[tokio::test]
async fn control_frames_split_and_joined_by_the_network_are_read_right() {
    let world = World::new().await;
    let mut raw = Raw::connect(&world.link()).await;
    let (sign_up, start) = raw.sign_up("ann", "p");
    for byte in start.encode() {
        let before = raw.datagrams_sent();
        raw.write(&[byte]).await;
        raw.sent_since(before).await;
    }
    let ServerControl::RegisterReply(reply) = raw.answer().await else { panic!("split: misread") };
    let finish = sign_up.finish(b"p", &reply, CHEAP, &mut rand_core::OsRng).unwrap();
    assert!(matches!(raw.ask(&finish).await, ServerControl::Registered(_)));

    let (_, one) = raw.sign_up("bob", "p");
    let (_, other) = raw.sign_up("ann", "p");
    raw.write(&[one.encode(), other.encode()].concat()).await;
    assert!(matches!(raw.answer().await, ServerControl::RegisterReply(_)));
    assert!(
        matches!(raw.answer().await, ServerControl::Refused(it) if it.why == Refusal::NameTaken)
    );

    raw.log_in("ann", "p").await.ok().unwrap();
    let pull = |from| ClientControl::Pull(Pull { from, pages: 1 }).encode();
    let joined = [pull(0), pull(1), pull(0)].concat();
    let (first, rest) = joined.split_at(1500);
    for piece in [first, rest] {
        let before = raw.datagrams_sent();
        raw.write(piece).await;
        raw.sent_since(before).await;
    }
    for expected in [1, 0, 1] {
        let ServerControl::Page(page) = raw.answer().await else { panic!("joined: misread") };
        assert_eq!(page.records.len(), expected);
    }
}

/// Padded, they count as in flight, and nobody acknowledges them (RFC 9000, section 13.2.7). As many packets come while
/// the server stands still that it owes more acknowledgements than the window holds: its answer must leave all the same.
#[tokio::test]
async fn acknowledgements_do_not_keep_an_answer_from_leaving() {
    const PACKETS: usize = 80;
    let world = World::new().await;
    let link = world.link();
    let (connected, connects) = tokio::sync::oneshot::channel();
    let (sent, sends) = std::sync::mpsc::channel();
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut raw = Raw::connect(&link).await;
            connected.send(()).unwrap();
            let (_, start) = raw.sign_up("ann", "p");
            let frame = start.encode();
            let (first, last) = frame.split_at(frame.len() - PACKETS);
            raw.write(first).await;
            for byte in last {
                let before = raw.datagrams_sent();
                raw.write(&[*byte]).await;
                raw.sent_since(before).await;
            }
            sent.send(()).unwrap();
            raw.answer().await
        })
    });
    connects.await.unwrap();
    // the server's own thread: it stands still meanwhile
    sends.recv_timeout(DEADLINE).unwrap();
    let answer = tokio::task::spawn_blocking(|| client.join().unwrap()).await.unwrap();
    assert!(matches!(answer, ServerControl::RegisterReply(_)));
}

#[tokio::test]
async fn a_deposit_in_pieces_is_read_right() {
    let world = World::with(|config| config.round_ms = 1000).await;
    let (mut ann, _) = Raw::seated(&world.link(), "ann").await;
    let opened = ann.hear().await.header.open;
    let frame = ann.deposit(opened, 5);
    for piece in [&frame[..1], &frame[1..32], &frame[32..33], &frame[33..700], &frame[700..]] {
        let before = ann.raw.datagrams_sent();
        ann.write(piece).await;
        ann.raw.sent_since(before).await;
    }
    let heard = ann.hear().await;
    assert_eq!(heard.header.answered, opened);
    assert_eq!(heard.cells, [Some([6; CELL]), Some([5; CELL])], "the two slots swap");
}

#[tokio::test]
async fn a_restart_forgets_no_account_and_a_conversation_goes_on() {
    let mut world = World::new().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    ann.send("bob", "before", "a1").await;
    ann.delivers("a1").await;
    let (ann_mark, bob_mark) = (ann.now(), bob.now());
    world.stop().await;
    ann.reaches(ann_mark, ConnectionState::Lost).await;
    world.start_again().await;
    bob.send("ann", "after", "b1").await;
    ann.reaches(ann_mark, ConnectionState::Resumed).await;
    bob.reaches(bob_mark, ConnectionState::Resumed).await;
    ann.receives("after").await;
    bob.delivers("b1").await;
    ann.send("bob", "and back", "a2").await;
    ann.delivers("a2").await;
    assert_eq!(bob.texts(), ["before", "and back"]);

    let fresh = Start { profile: world.profile("new machine"), ..world.somebody("cat") };
    Person::begin(Start { register: true, ..fresh.clone() }).await.leaves().await;
    world.stop().await;
    world.start_again().await;
    let with_password = Start { profile: world.profile("third machine"), ..fresh };
    Person::begin(with_password).await.leaves().await;
    assert_eq!(world.status().await.accounts, 3);
}

/// In the original everyone behind the silent one in the list got somebody else's reply or none.
#[tokio::test]
async fn one_client_that_never_deposits_breaks_nobodys_delivery() {
    let world = World::new().await;
    let (mut silent, _) = Raw::seated(&world.link(), "silent").await;
    silent.hear().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    for turn in 0..3 {
        let (to_bob, to_ann) = (format!("to bob {turn}"), format!("to ann {turn}"));
        ann.send("bob", &to_bob, &to_bob).await;
        bob.send("ann", &to_ann, &to_ann).await;
        tokio::join!(ann.delivers(&to_bob), bob.delivers(&to_ann));
    }
    assert_eq!(ann.texts(), ["to ann 0", "to ann 1", "to ann 2"]);
    assert_eq!(bob.texts(), ["to bob 0", "to bob 1", "to bob 2"]);
    let last = silent.hear_until(|heard| heard.header.seats == 3).await;
    assert!(last.cells.iter().all(Option::is_some), "the silent one is answered, too");
    assert!(!ann.was_lost() && !bob.was_lost());
}

/// The original cut at bytes where it meant characters.
#[tokio::test]
async fn text_outside_ascii_arrives_byte_for_byte() {
    let world = World::new().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    let texts = [
        "昼休みに会いましょう🍱👩‍👩‍👧‍👦🇯🇵".to_owned(),
        // one fragment's payload is 292 bytes: characters of 2, 3 and 4 bytes lie across its end
        format!("{}ßéøж", "ü".repeat(200)),
        format!("a{}", "語".repeat(700)),
        format!("ab{}", "😀".repeat(300)),
        " \u{200f}שלום\t\r\n \u{0} e\u{301} ".to_owned(),
    ];
    for (label, text) in texts.iter().enumerate() {
        ann.send("bob", text, &label.to_string()).await;
    }
    for label in 0..texts.len() {
        ann.delivers(&label.to_string()).await;
    }
    assert_eq!(bob.texts(), texts);
}

/// See also `closing.rs`, which counts threads.
#[tokio::test]
async fn closing_ends_the_engine_and_frees_the_profile() {
    let world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    ann.command(client_link::api::Command::Quit).await;
    let (ok, _) = ann.ends().await;
    assert!(ok);
    assert!(!ann.takes_commands(), "nobody would hear a command");
    let mut again = Person::begin(world.somebody("ann")).await;
    again.open("nobody").await;
    let unknown = |event: &Event| match event {
        Event::Error { code, .. } => Some(*code),
        _ => None,
    };
    assert_eq!(again.hears(0, "an error", unknown).await, ErrorCode::UnknownPeer);
    world.status_when("one seat", |status| status.seats == 1).await;
    again.leaves().await;
    world.status_when("no seat", |status| status.seats == 0).await;
}

#[tokio::test]
async fn what_was_typed_last_is_on_the_way_when_a_program_drains() {
    let world = World::new().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    ann.send("bob", "last words", "m").await;
    ann.command(client_link::api::Command::Drain { linger: false }).await;
    let (ok, log) = ann.ends().await;
    assert!(ok);
    let delivered = |event: &Event| matches!(event, Event::State { state: MessageState::Delivered, label, .. } if label == "m");
    assert!(log.iter().any(delivered), "{log:?}");
    bob.receives("last words").await;
}
