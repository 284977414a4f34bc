//! Sessions over real QUIC: what the server answers to what a client sends, right and wrong.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use raw::{Client, ROUND_MS, SLOTS, Seated, config, name, soon, start};
use server::Server;
use server::config::Config;
use wire::close::Close;
use wire::control::{ClientControl, Pull, Refusal, ServerControl};
use wire::ids::{Round, Token};
use wire::round::{Join, deposit_frame};
use wire::size::{CELL, CONTROL_FRAME, PAGE_RECORDS, round_frame};

fn refusal(answer: Result<impl Sized, ServerControl>) -> Refusal {
    match answer.err() {
        Some(ServerControl::Refused(refused)) => refused.why,
        Some(_) | None => panic!("not refused"),
    }
}

#[tokio::test]
async fn two_who_register_sign_in_and_meet_swap_cells() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut ann, session) = Seated::new(&server, "ann").await;
    assert_eq!((session.slots, session.round_ms, session.index.0), (SLOTS, ROUND_MS, 0));
    assert_eq!(session.directory_length, 1);
    let first = ann.hear().await.header;
    assert_eq!((first.answered, first.buckets), (Round::NONE, 1));
    assert!(first.closes_ms <= ROUND_MS);

    let (mut bob, _) = Seated::new(&server, "bob").await;
    let opened = bob.hear().await.header;
    let heard = ann.hear_until(|heard| heard.header.open == opened.open).await;
    assert_eq!((heard.header.seats, heard.header.directory_length), (2, 2));
    ann.deposit(opened.open, [(9, 1), (3, 2)]).await;
    bob.deposit(opened.open, [(4, 3), (9, 4)]).await;
    let (at_ann, at_bob) = (ann.hear().await, bob.hear().await);
    assert_eq!(at_ann.header.answered, opened.open);
    assert_eq!(at_ann.cells[0], Some([4; CELL]), "ann has bob's cell");
    assert_eq!(at_bob.cells[1], Some([1; CELL]), "bob has ann's cell");
    assert!(at_ann.cells[1].is_some_and(|cell| cell != [2; CELL]), "alone in a drop: random");

    server.stop().await.unwrap();
    assert_eq!(ann.client.closed().await, Close::Restarting);
    assert_eq!(bob.client.closed().await, Close::Restarting);
}

#[tokio::test]
async fn rounds_go_on_while_keys_are_updated() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut ann, _) = Seated::new(&server, "ann").await;
    // The keys of the first update were there before the server forgot the handshake. Some 600 ms lie between two of
    // them: quinn makes none before three probe timeouts are over.
    for _ in 0..3 {
        ann.client.connection.force_key_update();
        let mut met = 0;
        for _ in 0..3 {
            let opened = ann.hear().await.header.open;
            ann.deposit(opened, [(9, 1), (9, 2)]).await;
            let answer = ann.hear().await;
            assert_eq!(answer.header.answered, opened);
            met += u32::from(answer.cells == [Some([2; CELL]), Some([1; CELL])]);
        }
        // on a busy machine one may come late
        assert!(met > 0, "her two slots met: what she sent was read");
    }
}

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_taken_name_are_refusals() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.register("ann", "right").await.ok(), Some(0));
    assert_eq!(refusal(client.register("ann", "other").await), Refusal::NameTaken);
    assert_eq!(refusal(client.log_in("ann", "wrong").await), Refusal::WrongCredentials);
    assert_eq!(refusal(client.log_in("nobody", "right").await), Refusal::WrongCredentials);
    assert_eq!(refusal(client.resume(&Token::new([5; 32])).await), Refusal::TokenEnded);
    assert!(client.log_in("ann", "right").await.is_ok(), "the connection is still good");
}

#[tokio::test]
async fn guessing_slows_down() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "right").await.ok().unwrap();
    let mut answers = Vec::new();
    for _ in 0..server::limits::PER_NAME_HERE.free {
        answers.push(refusal(client.log_in("ann", "wrong").await));
    }
    assert!(answers.iter().all(|&why| why == Refusal::WrongCredentials), "{answers:?}");
    assert_eq!(refusal(client.log_in("ann", "right").await), Refusal::SlowDown);
    assert_eq!(refusal(client.log_in("bob", "wrong").await), Refusal::WrongCredentials);
}

#[tokio::test]
async fn the_directory_comes_in_as_many_pages_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    for connection in 0..4 {
        let mut client = Client::connect(&server).await;
        for account in 0..2 {
            client.register(&format!("a{connection}{account}"), "p").await.ok().unwrap();
        }
    }
    let mut client = Client::connect(&server).await;
    let session = client.log_in("a00", "p").await.ok().unwrap();
    client.send(&ClientControl::Pull(Pull { from: 0, pages: 3 })).await;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let ServerControl::Page(page) = client.answer().await else { panic!("not a page") };
        pages.push((page.from, page.length, page.records.len(), page.head));
    }
    let ranges: Vec<_> = pages.iter().map(|page| (page.0, page.1, page.2)).collect();
    let first = PAGE_RECORDS as u32;
    assert_eq!(ranges, [(0, 8, PAGE_RECORDS), (first, 8, 8 - PAGE_RECORDS), (8, 8, 0)]);
    assert_eq!((pages[1].3, pages[2].3), (session.directory_head, session.directory_head));
    assert_ne!(pages[0].3, session.directory_head);
}

#[tokio::test]
async fn requests_before_a_seat_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    client.log_in("ann", "p").await.ok().unwrap();
    for _ in 0..server::session::REQUESTS_MAX {
        let answer = client.ask(&ClientControl::ListSessions).await;
        assert!(matches!(answer, ServerControl::Sessions(_)));
        client.send(&ClientControl::Pull(Pull { from: 0, pages: 1 })).await;
        assert!(matches!(client.answer().await, ServerControl::Page(_)), "pages count apart");
    }
    client.send(&ClientControl::ListSessions).await;
    assert_eq!(client.closed().await, Close::Protocol);
}

#[tokio::test]
async fn a_token_outlives_a_restart_and_the_rounds_go_on_above() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut ann, session) = Seated::new(&server, "ann").await;
    let before = ann.hear().await.header.open;
    server.stop().await.unwrap();

    let server = start(&dir).await;
    assert!(server.link.pin == ann_pin(&server));
    let mut client = Client::connect(&server).await;
    let resumed = client.resume(&session.token).await.ok().unwrap();
    assert_eq!(resumed.index, session.index);
    let mut ann = client.join(&resumed).await;
    assert!(ann.hear().await.header.open > before);
}

fn ann_pin(server: &server::Running) -> wire::link::Pin {
    server.link.to_string().parse::<wire::link::Link>().unwrap().pin
}

#[tokio::test]
async fn a_newer_login_takes_the_seat_and_the_older_token_is_superseded() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut old, session) = Seated::new(&server, "ann").await;
    old.hear().await;
    let mut client = Client::connect(&server).await;
    let newer = client.log_in("ann", "password").await.ok().unwrap();
    let mut new = client.join(&newer).await;
    assert_eq!(new.hear().await.header.seats, 1);
    assert_eq!(old.client.closed().await, Close::TakenOver);
    let mut client = Client::connect(&server).await;
    assert_eq!(refusal(client.resume(&session.token).await), Refusal::TokenSuperseded);
}

#[tokio::test]
async fn who_comes_back_by_token_is_never_told_of_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut lost, session) = Seated::new(&server, "ann").await;
    lost.hear().await;
    let mut client = Client::connect(&server).await;
    let resumed = client.resume(&session.token).await.ok().unwrap();
    let mut back = client.join(&resumed).await;
    assert_eq!(back.hear().await.header.seats, 1);
    assert_eq!(lost.client.closed().await, Close::Replaced);
}

#[tokio::test]
async fn an_older_sign_in_that_has_not_joined_is_closed_by_a_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut old = Client::connect(&server).await;
    old.register("ann", "p").await.ok().unwrap();
    old.log_in("ann", "p").await.ok().unwrap();
    let mut new = Client::connect(&server).await;
    let newer = new.log_in("ann", "p").await.ok().unwrap();
    assert_eq!(old.closed().await, Close::TakenOver);
    new.join(&newer).await.hear().await;
}

#[tokio::test]
async fn one_account_holds_one_connection_without_a_seat() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut first = Client::connect(&server).await;
    first.register("ann", "p").await.ok().unwrap();
    let session = first.log_in("ann", "p").await.ok().unwrap();
    let mut second = Client::connect(&server).await;
    let session = second.resume(&session.token).await.ok().unwrap();
    assert_eq!(first.closed().await, Close::Replaced);
    second.join(&session).await.hear().await;
}

#[tokio::test]
async fn a_session_that_was_signed_out_meanwhile_gets_no_seat() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut seated, session) = Seated::new(&server, "ann").await;
    let mut late = Client::connect(&server).await;
    let session = late.resume(&session.token).await.ok().unwrap();
    seated.hear_until(|heard| heard.header.open.has_control()).await;
    seated.client.send(&ClientControl::SignOut).await;
    seated.hear().await;
    assert!(matches!(seated.client.answer().await, ServerControl::SignedOut));
    assert_eq!(late.join(&session).await.client.closed().await, Close::SessionEnded);
}

#[tokio::test]
async fn bad_frames_close_their_own_connection_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut good, session) = Seated::new(&server, "good").await;
    good.hear().await;

    let unsigned: [Vec<u8>; 4] = [
        vec![0xff; CONTROL_FRAME],
        wire::codec::Wire::encode(&ClientControl::Idle),
        wire::codec::Wire::encode(&ClientControl::SignOut),
        wire::codec::Wire::encode(&ServerControl::Idle),
    ];
    for frame in unsigned {
        let mut client = Client::connect(&server).await;
        client.control.0.write_all(&frame).await.unwrap();
        assert_eq!(client.closed().await, Close::Protocol);
    }
    let mut cut = Client::connect(&server).await;
    cut.control.0.write_all(&[1; 7]).await.unwrap();
    cut.control.0.finish().unwrap();
    assert_eq!(cut.closed().await, Close::Protocol);

    for frame in [vec![0; round_frame(SLOTS)], deposit_frame(Round(1), SLOTS)] {
        let mut client = Client::connect(&server).await;
        client.log_in("good", "password").await.ok().unwrap();
        let mut rounds = client.connection.open_bi().await.unwrap();
        rounds.0.write_all(&frame).await.unwrap();
        assert_eq!(client.closed().await, Close::Protocol);
    }
    let heard = good.hear().await;
    good.deposit(heard.header.open, [(1, 1), (1, 2)]).await;
    let cells = good.hear().await.cells;
    assert_eq!(cells, [Some([2; CELL]), Some([1; CELL])], "both slots of a seat can meet");
    assert_eq!(session.index.0, 0);
}

#[tokio::test]
async fn deposits_for_other_rounds_are_late_or_end_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut late, _) = Seated::new(&server, "late").await;
    let missed = late.hear().await.header.open;
    let next = late.hear().await;
    late.deposit(missed, [(1, 1), (1, 2)]).await;
    late.deposit(next.header.open, [(2, 1), (2, 2)]).await;
    let answered = late.hear().await;
    assert_eq!(answered.cells, [Some([2; CELL]), Some([1; CELL])], "only that of the open round");

    let (mut early, _) = Seated::new(&server, "early").await;
    let open = early.hear().await.header.open;
    early.deposit(Round(open.0 + 9), [(1, 1), (1, 2)]).await;
    assert_eq!(early.client.closed().await, Close::UnknownRound);

    let (mut doubled, _) = Seated::new(&server, "doubled").await;
    let open = doubled.hear().await.header.open;
    doubled.deposit(open, [(1, 1), (1, 2)]).await;
    doubled.deposit(open, [(1, 1), (1, 2)]).await;
    assert_eq!(doubled.client.closed().await, Close::Protocol);

    let (mut again, _) = Seated::new(&server, "again").await;
    again.hear().await;
    let join = Join { key: raw::any_key() }.encode(SLOTS);
    again.rounds.0.write_all(&join).await.unwrap();
    assert_eq!(again.client.closed().await, Close::Protocol);
    late.hear().await;
}

#[tokio::test]
async fn one_control_frame_goes_each_way_in_a_control_round() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let (mut ann, _) = Seated::new(&server, "ann").await;
    ann.hear_until(|heard| heard.header.open.has_control()).await;
    ann.client.send(&ClientControl::Pull(Pull { from: 0, pages: 1 })).await;
    let ServerControl::Page(page) = ann.client.answer().await else { panic!("not a page") };
    assert_eq!(page.records.len(), 1);
    ann.hear_until(|heard| heard.header.open.has_control()).await;
    ann.client.send(&ClientControl::Idle).await;
    assert!(matches!(ann.client.answer().await, ServerControl::Idle));
    ann.client.send(&ClientControl::Idle).await;
    ann.client.send(&ClientControl::Idle).await;
    assert_eq!(ann.client.closed().await, Close::Protocol);
}

#[tokio::test]
async fn a_control_answer_waits_for_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    let slow = Config { round_ms: 600, ..config(&dir) };
    let server = Server::start(slow).await.unwrap();
    let (mut ann, _) = Seated::new(&server, "ann").await;
    ann.hear_until(|heard| heard.header.open.has_control()).await;
    ann.client.send(&ClientControl::Idle).await;
    let mut answer = [0; CONTROL_FRAME];
    let (control, frame) = (&mut ann.client.control.1, &mut vec![0; round_frame(SLOTS)]);
    let early = tokio::select! {
        biased;
        _ = ann.rounds.1.read_exact(frame) => false,
        _ = control.read_exact(&mut answer) => true,
    };
    assert!(!early, "the answer came before the opening");
    soon(control.read_exact(&mut answer[..1])).await.unwrap();
}

#[tokio::test]
async fn signing_out_forgets_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir).await;
    let mut client = Client::connect(&server).await;
    client.register("ann", "p").await.ok().unwrap();
    let session = client.log_in("ann", "p").await.ok().unwrap();
    assert!(matches!(client.ask(&ClientControl::SignOut).await, ServerControl::SignedOut));
    let mut client = Client::connect(&server).await;
    assert_eq!(refusal(client.resume(&session.token).await), Refusal::TokenEnded);
}

#[tokio::test]
async fn seats_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Config { seats_max: 1, ..config(&dir) }).await.unwrap();
    let (mut ann, _) = Seated::new(&server, "ann").await;
    ann.hear().await;
    let (bob, _) = Seated::new(&server, "bob").await;
    assert_eq!(bob.client.closed().await, Close::Full);
    ann.hear().await;
}

#[tokio::test]
async fn a_client_that_never_signs_in_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Config { sign_in_ms: 1000, ..config(&dir) }).await.unwrap();
    let silent = Client::connect(&server).await;
    let mut slow = Client::connect(&server).await;
    slow.register(name("ann").as_str(), "p").await.ok().unwrap();
    assert_eq!(silent.closed().await, Close::SignInTimeout);
    assert_eq!(slow.closed().await, Close::SignInTimeout);
}
