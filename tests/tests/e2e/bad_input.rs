//! What bad input gets: its own connection suffers, with a code and a reason, and nobody else's.

use client_core::account::SignIn;
use client_link::api::{ErrorCode, Event};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use tests::world::{
    Person, Raw, Seated, Start, Talk, World, panics_of_the_server, watch_for_panics,
};
use tokio::task::JoinSet;
use wire::account::Stretching;
use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{ClientControl, Pull, Refusal, RegisterFinish, ServerControl, Session};
use wire::ids::{Round, Token};
use wire::public_key::PublicKey;
use wire::round::{Join, deposit_frame};
use wire::size::{CELL, CONTROL_FRAME, round_frame};

const SLOTS: u8 = 2;
const CHEAP: Stretching = Stretching::for_tests();

/// Checks how the server closes a connection.
async fn is_closed(raw: &Raw, code: Close, reason: &str, what: &str) {
    let closed = raw.closed().await;
    assert_eq!(closed.0, code, "{what}: {}", closed.1);
    assert!(closed.1.starts_with(&code.to_string()), "{what}: {}", closed.1);
    assert!(closed.1.contains(reason), "{what}: {}", closed.1);
}

fn changed(mut frame: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    frame[at] = byte;
    frame
}

fn pull(from: u32, pages: u8) -> Vec<u8> {
    ClientControl::Pull(Pull { from, pages }).encode()
}

#[tokio::test]
async fn a_bad_frame_before_the_sign_in_ends_its_own_connection_only() {
    let world = World::new().await;
    let talk = Talk::start(&world).await;
    let link = world.link();
    let mut other = Raw::connect(&link).await;
    let (sign_up, start) = other.sign_up("cat", "p");
    let finish = other.second_step(sign_up, &start, "p", CHEAP).await.ok().unwrap();
    let start = start.encode();
    let cases = [
        ("version", changed(start.clone(), 0, 2), "version 2 is not spoken"),
        ("kind", changed(start.clone(), 1, 99), "kind 99 is unknown"),
        ("a server's frame", ServerControl::Idle.encode(), "kind 128 is unknown"),
        ("header", changed(start.clone(), 5, 1), "`reserved`"),
        ("name", changed(start.clone(), 33, b'!'), "`name`"),
        ("padding", changed(start, CONTROL_FRAME - 1, 1), "`padding`"),
        ("pages", changed(pull(0, 1), 36, 0), "`pages`"),
        ("idle, signed out", ClientControl::Idle.encode(), "needs a sign-in"),
        ("pull, signed out", pull(0, 1), "needs a sign-in"),
        ("sign-out, signed out", ClientControl::SignOut.encode(), "needs a sign-in"),
        ("last step first", Raw::made_up_finish().encode(), "without its first"),
        ("last step of somebody else", finish.encode(), "without its first"),
    ];
    for (what, frame, reason) in cases {
        let mut raw = Raw::connect(&link).await;
        raw.write(&frame).await;
        is_closed(&raw, Close::Protocol, reason, what).await;
    }
    let mut cut = Raw::connect(&link).await;
    cut.write(&pull(0, 1)[..700]).await;
    cut.control.0.finish().unwrap();
    is_closed(&cut, Close::Protocol, "cut off", "length").await;
    let mut given_up = Raw::connect(&link).await;
    given_up.write(&pull(0, 1)[..700]).await;
    given_up.control.0.reset(7_u32.into()).unwrap();
    is_closed(&given_up, Close::Protocol, "given up", "reset").await;
    let mut eager = Raw::connect(&link).await;
    let (_, start) = eager.sign_up("cat", "p");
    for _ in 0..64 {
        eager.write(&start.encode()).await;
    }
    is_closed(&eager, Close::Protocol, "too many requests", "64 requests").await;
    talk.ends_well().await;
}

/// Signs somebody new in who has not joined.
async fn signed_in(world: &World, who: &str) -> (Raw, Box<Session>) {
    let mut raw = Raw::connect(&world.link()).await;
    raw.register(who, "p").await.ok().unwrap();
    let (session, _) = raw.log_in(who, "p").await.ok().unwrap();
    (raw, session)
}

#[tokio::test]
async fn a_bad_frame_instead_of_join_ends_its_own_connection_only() {
    let world = World::new().await;
    let talk = Talk::start(&world).await;
    let (mut first, session) = signed_in(&world, "mallory").await;
    first.write(&ClientControl::Idle.encode()).await;
    is_closed(&first, Close::Protocol, "only pages", "idle before `join`").await;
    let key = PublicKey([9; 33]);
    let join = Join { key }.encode(SLOTS);
    let cases = [
        ("a deposit", deposit_frame(Round(1), SLOTS), "a deposit before `join`"),
        ("zeros", vec![0; round_frame(SLOTS)], "version 0"),
        ("a server's frame", changed(join.clone(), 1, 3), "kind 3"),
        ("other slots", changed(join.clone(), 2, 3), "`slots`"),
        ("padding", changed(join.clone(), 1000, 1), "`padding`"),
        ("no point", join, "not a point"),
    ];
    for (what, frame, reason) in cases {
        let mut raw = Raw::connect(&world.link()).await;
        raw.resume(&session.token).await.ok().unwrap();
        let mut rounds = raw.connection.open_bi().await.unwrap();
        rounds.0.write_all(&frame).await.unwrap();
        is_closed(&raw, Close::Protocol, reason, what).await;
    }
    let mut cut = Raw::connect(&world.link()).await;
    cut.resume(&session.token).await.ok().unwrap();
    let mut rounds = cut.connection.open_bi().await.unwrap();
    rounds.0.write_all(&[1; 40]).await.unwrap();
    rounds.0.finish().unwrap();
    is_closed(&cut, Close::Protocol, "cut off", "length").await;
    talk.ends_well().await;
}

#[tokio::test]
async fn a_bad_frame_in_the_rounds_ends_its_own_connection_only() {
    let world = World::new().await;
    let talk = Talk::start(&world).await;
    let seated = async |who: &str| {
        let (mut seated, _) = Raw::seated(&world.link(), who).await;
        let opened = seated.hear().await.header.open;
        (seated, opened)
    };
    let protocol = Close::Protocol;

    let (mut early, opened) = seated("early").await;
    early.write(&early.deposit(Round(opened.0 + 5), 1)).await;
    is_closed(&early.raw, Close::UnknownRound, "never opened", "a round to come").await;

    let (mut double, opened) = seated("double").await;
    double.write(&[double.deposit(opened, 1), double.deposit(opened, 3)].concat()).await;
    is_closed(&double.raw, protocol, "a second deposit", "doubled").await;

    let (mut many, opened) = seated("many").await;
    many.hear().await;
    for _ in 0..8 {
        many.write(&many.deposit(opened, 1)).await;
    }
    is_closed(&many.raw, protocol, "more deposits than rounds", "late ones").await;

    let (mut again, _) = seated("again").await;
    again.write(&Join { key: PublicKey([2; 33]) }.encode(SLOTS)).await;
    is_closed(&again.raw, protocol, "a second `join`", "join").await;

    let (mut other, opened) = seated("other").await;
    other.write(&changed(other.deposit(opened, 1), 0, 7)).await;
    is_closed(&other.raw, protocol, "version 7", "version").await;

    let (mut cut, opened) = seated("cut").await;
    cut.write(&cut.deposit(opened, 1)[..99]).await;
    cut.rounds.0.finish().unwrap();
    is_closed(&cut.raw, protocol, "cut off", "length").await;

    let (mut off, _) = seated("off").await;
    for _ in 0..3 {
        off.raw.write(&ClientControl::Idle.encode()).await;
    }
    is_closed(&off.raw, protocol, "more control frames than", "off schedule").await;

    let (_, start) = off.raw.sign_up("dora", "p");
    let in_turn = [
        ("pages", pull(0, 2), "more than one page"),
        ("sign-in", start.encode(), "a sign-in after"),
        ("kind", vec![1; CONTROL_FRAME], "kind 1"),
    ];
    for (what, frame, reason) in in_turn {
        let (mut seat, _) = seated(what).await;
        seat.hear_until(|heard| heard.header.open.has_control()).await;
        seat.raw.write(&frame).await;
        is_closed(&seat.raw, protocol, if what == "kind" { "" } else { reason }, what).await;
    }
    talk.ends_well().await;
}

#[tokio::test]
async fn a_deposit_for_a_closed_round_is_dropped_counted_and_answered_as_always() {
    let world = World::with(|config| config.round_ms = 500).await;
    let (mut late, _) = Raw::seated(&world.link(), "late").await;
    let missed = late.hear().await.header.open;
    let answer = late.hear().await;
    assert_eq!((answer.header.answered, answer.bytes), (missed, round_frame(SLOTS)));
    for cell in answer.cells {
        let cell = cell.expect("the layer of an empty seat's reply holds");
        assert!(cell.iter().any(|byte| *byte != cell[0]), "random bytes");
    }
    late.write(&late.deposit(missed, 1)).await;
    world.status_when("the late deposit to be counted", |status| status.late == 1).await;
    let next = answer.header.open;
    let heard = late.hear_until(|heard| heard.header.answered >= next).await;
    assert!(
        heard.cells.iter().all(|cell| cell.is_some_and(|it| it != [1; CELL] && it != [2; CELL]))
    );
    let open = heard.header.open;
    late.write(&late.deposit(open, 5)).await;
    let heard = late.hear().await;
    assert_eq!(heard.cells, [Some([6; CELL]), Some([5; CELL])], "the seat is as good as before");
    assert_eq!(world.status().await.late, 1);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answers() {
    let world = World::new().await;
    let mut raw = Raw::connect(&world.link()).await;
    raw.register_at("ann", "right", Stretching::STANDARD).await.ok().unwrap();
    let mut answers = Vec::new();
    for who in ["ann", "nobody"] {
        let mut raw = Raw::connect(&world.link()).await;
        let start = SignIn::start(who.parse().unwrap(), b"wrong", &mut OsRng).unwrap().1;
        raw.send(&start).await;
        let reply = raw.answer_bytes().await;
        raw.send(&Raw::made_up_finish()).await;
        let refusal = raw.answer_bytes().await;
        let ServerControl::LoginReply(read) = ServerControl::decode(&reply).unwrap() else {
            panic!("no login reply")
        };
        let zeros = reply.iter().rev().take_while(|byte| **byte == 0).count();
        answers.push((reply.len(), read.stretching, zeros, refusal));
    }
    assert_eq!(answers[0], answers[1]);

    let attempt = async |who: &str| {
        let mut person = Person::start(Start {
            password: "wrong".to_owned(),
            profile: world.profile("nowhere"),
            ..world.somebody(who)
        });
        person.ends().await.1
    };
    let (wrong, unknown) = (attempt("ann").await, attempt("nobody").await);
    let is_wrong =
        |event: &Event| matches!(event, Event::Error { code: ErrorCode::WrongCredentials, .. });
    assert!(wrong.iter().any(is_wrong));
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn an_ill_formed_account_is_refused_before_anything_is_stored() {
    type Spoil = fn(&mut RegisterFinish);
    let spoils: [(&str, Spoil); 6] = [
        ("signature", |finish| finish.record.signature[7] ^= 1),
        ("name", |finish| finish.record.name = "bob".parse().unwrap()),
        ("key", |finish| finish.record.agreement = PublicKey([2; 33])),
        ("upload", |finish| finish.upload = [0xff; 129]),
        ("no cost", |finish| finish.stretching.memory_kib = 0),
        ("impossible cost", |finish| finish.stretching.lanes = 16),
    ];
    let world = World::new().await;
    let mut raw = Raw::connect(&world.link()).await;
    let (sign_up, start) = raw.sign_up("bob", "p");
    let bobs = raw.second_step(sign_up, &start, "p", CHEAP).await.ok().unwrap();
    let ClientControl::RegisterFinish(bobs) = bobs else { panic!("wrong frame") };
    for (what, spoil) in spoils {
        let (sign_up, start) = raw.sign_up("ann", "p");
        let finish = raw.second_step(sign_up, &start, "p", CHEAP).await.ok().unwrap();
        let ClientControl::RegisterFinish(mut finish) = finish else { panic!("wrong frame") };
        spoil(&mut finish);
        let answer = raw.ask(&ClientControl::RegisterFinish(finish)).await;
        let refused = matches!(answer, ServerControl::Refused(it) if it.why == Refusal::BadRequest);
        assert!(refused, "{what}");
    }
    // A good record of another name than that of the first step.
    let (_, start) = raw.sign_up("ann", "p");
    raw.ask(&start).await;
    let answer = raw.ask(&ClientControl::RegisterFinish(bobs)).await;
    assert!(matches!(answer, ServerControl::Refused(it) if it.why == Refusal::BadRequest));
    assert_eq!(world.status().await.accounts, 0);
    assert_eq!(raw.register("ann", "p").await.ok(), Some(0), "name and place are free");
}

#[tokio::test]
async fn a_sign_in_that_never_ends_is_cut_after_its_time() {
    let world = World::with(|config| config.sign_in_ms = 1000).await;
    let talk = Talk::start(&world).await;
    let silent = Raw::connect(&world.link()).await;
    let mut half = Raw::connect(&world.link()).await;
    half.write(&pull(0, 1)[..500]).await;
    let mut pending = Raw::connect(&world.link()).await;
    let start = SignIn::start("ann".parse().unwrap(), b"p", &mut OsRng).unwrap().1;
    assert!(matches!(pending.ask(&start).await, ServerControl::LoginReply(_)));
    let mut refused = Raw::connect(&world.link()).await;
    assert!(refused.resume(&Token::new([1; 32])).await.is_err());
    for (raw, what) in
        [(&silent, "silent"), (&half, "half"), (&pending, "pending"), (&refused, "refused")]
    {
        is_closed(raw, Close::SignInTimeout, "", what).await;
    }
    talk.ends_well().await;
}

/// The server's answers find no room, so it must not wait for it longer than for a request.
#[tokio::test]
async fn a_client_that_reads_no_answer_is_cut_after_its_time() {
    let world = World::with(|config| config.sign_in_ms = 1000).await;
    let talk = Talk::start(&world).await;
    let mut deaf = Raw::connect_with_window(&world.link(), 100).await;
    let start = SignIn::start("ann".parse().unwrap(), b"p", &mut OsRng).unwrap().1;
    deaf.send(&start).await;
    is_closed(&deaf, Close::SignInTimeout, "", "answers").await;
    talk.ends_well().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_the_others_go_on() {
    let world = World::new().await;
    let talk = Talk::start(&world).await;
    let deaf = Raw::connect_with_window(&world.link(), 2 * CONTROL_FRAME as u32).await;
    let (deaf, _) = deaf.takes_seat("deaf").await;
    is_closed(&deaf.raw, Close::Lagging, "", "unread rounds").await;
    let status = world.status_when("the seat to be free", |status| status.seats == 2).await;
    assert_eq!(status.lagging, 1);
    talk.ends_well().await;
}

/// Connections at once.
const FUZZ_AT_ONCE: u64 = 20;

#[tokio::test]
async fn two_hundred_connections_of_random_frames_harm_nobody() {
    watch_for_panics();
    let world = World::new().await;
    let talk = Talk::start(&world).await;
    // an account each, since one holds no two connections without a seat
    let mut tokens = Vec::new();
    for number in 0..FUZZ_AT_ONCE {
        tokens.push(signed_in(&world, &format!("mallory{number}")).await.1.token.duplicate());
    }
    for start in (0..200).step_by(FUZZ_AT_ONCE as usize) {
        let mut attacks = JoinSet::new();
        for (seed, token) in (start..).zip(&tokens) {
            let (link, token) = (world.link(), token.duplicate());
            attacks.spawn(async move { attack(Raw::connect(&link).await, &token, seed).await });
        }
        while let Some(attacked) = attacks.join_next().await {
            attacked.unwrap();
        }
    }
    talk.ends_well().await;
    assert_eq!(panics_of_the_server(), Vec::<String>::new());
    assert_eq!(world.status().await.accounts, 2 + FUZZ_AT_ONCE as u32);
}

/// Sends some frames, more or less well-formed; whether the server closes is its affair.
async fn attack(mut raw: Raw, token: &Token, seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    if seed.is_multiple_of(2) {
        for _ in 0..4 {
            let frame = nearly(&mut rng, CONTROL_FRAME, [0, 1, 2, 3, 4, 5, 6, 7]);
            raw.write(&frame).await;
        }
        let _ = raw.control.0.finish();
        raw.connection.closed().await;
        return;
    }
    let Ok(session) = raw.resume(token).await else { return };
    if seed % 4 == 1 {
        let Ok(mut rounds) = raw.connection.open_bi().await else { return };
        let _ = rounds.0.write_all(&nearly(&mut rng, round_frame(SLOTS), [1; 8])).await;
        let _ = rounds.0.finish();
        raw.connection.closed().await;
        return;
    }
    let mut seated: Seated = raw.join(&session).await;
    for _ in 0..4 {
        seated.write(&nearly(&mut rng, round_frame(SLOTS), [2; 8])).await;
        seated.raw.write(&nearly(&mut rng, CONTROL_FRAME, [0, 6, 7, 1, 2, 3, 4, 5])).await;
    }
    let _ = seated.rounds.0.finish();
    seated.raw.connection.closed().await;
}

/// Random bytes: pure ones, or behind a good version and a likely kind, or such of a wrong length.
fn nearly(rng: &mut ChaCha20Rng, bytes: usize, kinds: [u8; 8]) -> Vec<u8> {
    let mut frame = vec![0; bytes];
    rng.fill_bytes(&mut frame);
    let choice = rng.next_u32();
    if !choice.is_multiple_of(4) {
        frame[..32].fill(0);
        frame[0] = 1;
        frame[1] = kinds[(choice >> 8) as usize % kinds.len()];
        frame[2] = if bytes == CONTROL_FRAME && choice % 4 == 1 { 0 } else { SLOTS };
        frame[8] = (choice >> 16) as u8;
    }
    if choice % 4 == 3 {
        frame.truncate(1 + (choice >> 8) as usize % bytes);
    }
    frame
}
