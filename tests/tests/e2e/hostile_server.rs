//! What a server can do to a client: its own words reach nothing but an error, and the program can leave.

use std::sync::Arc;
use std::time::Duration;

use client_link::api::{Command, ConnectionState, Event, Options, Password};
use client_link::engine::Engine;
use rand_core::{OsRng, RngCore};
use tempfile::TempDir;
use tests::world::hostile::{Asked, Does, Honest, Hostile, LEAVES_WITHIN, Manner, resident_bytes};
use tests::world::{panics_of_the_server, watch_for_panics};
use tokio::task::JoinSet;
use wire::account::{SealedMaster, Stretching};
use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{Page, Refusal, Refused, ServerControl, Session, VaultPart};
use wire::dial::BUCKETS_MAX;
use wire::directory::Head;
use wire::ids::Round;
use wire::round::ServerHeader;
use wire::size::{CONTROL_FRAME, CREDENTIAL_RESPONSE, PAGE_RECORDS, SIGNATURE, round_frame};

/// What the client makes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It tells an error, or that the connection is lost; then it ends, or comes back.
    Told,
    /// It bears it: nothing is told until the server has sent so many frames.
    Bears(u64),
}

struct Case {
    what: String,
    then: Then,
    manner: Manner,
}

/// Told within this time; a server that falls silent in the rounds is noticed in little more than a second.
const TOLD_WITHIN: Duration = Duration::from_secs(9);

/// Back in the rounds of a server that is honest again, or at an end, within this time.
const BACK_WITHIN: Duration = Duration::from_secs(9);

/// An honest server, but for one answer: the `nth` of its kind.
fn case(
    what: impl Into<String>,
    (asked, nth): (Asked, u32),
    then: Then,
    does: impl Fn(Honest) -> Does + Send + Sync + 'static,
) -> Case {
    let manner = move |now, before, honest| {
        if (now, before) == (asked, nth) { does(honest) } else { Does::Honestly }
    };
    Case { what: what.into(), then, manner: Arc::new(manner) }
}

/// Answers that are wrong whatever was asked.
fn wrong_anywhere(at: (Asked, u32), bytes: usize) -> Vec<Case> {
    let told = |what: &str, does: fn(usize) -> Does| {
        case(format!("{what} to {at:?}"), at, Then::Told, move |_| does(bytes))
    };
    let mut cases = vec![
        told("noise", |bytes| {
            let mut noise = vec![0; bytes];
            OsRng.fill_bytes(&mut noise);
            Does::Says(noise)
        }),
        told("zeros", |bytes| Does::Says(vec![0; bytes])),
        told("half a frame", |bytes| Does::Ends(vec![1; bytes / 2])),
        told("the end", |_| Does::Ends(vec![])),
        told("a reset", |_| Does::Resets),
        told("a flood of noise", |bytes| Does::Floods(vec![0xa5; bytes])),
    ];
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99, u32::MAX] {
        let what = format!("close {code} to {at:?}");
        cases.push(case(what, at, Then::Told, move |_| Does::Closes(code)));
    }
    cases
}

/// Control frames that are well-formed and out of turn.
fn out_of_turn(at: (Asked, u32)) -> Vec<Case> {
    let says = |what: &str, says: fn() -> ServerControl| {
        case(format!("{what} to {at:?}"), at, Then::Told, move |_| Does::Says(says().encode()))
    };
    let mut cases = vec![
        says("idle", || ServerControl::Idle),
        says("signed out", || ServerControl::SignedOut),
        case(format!("a flood of idle to {at:?}"), at, Then::Told, |_| {
            Does::Floods(ServerControl::Idle.encode())
        }),
        case(format!("silence to {at:?}"), at, Then::Bears(at_least(at.0)), |_| Does::Nothing),
    ];
    for why in Refusal::ALL {
        cases.push(case(format!("{why:?} to {at:?}"), at, Then::Told, move |_| {
            let refused = Refused { why, retry_ms: u32::MAX };
            Does::Says(ServerControl::Refused(refused).encode())
        }));
    }
    cases
}

/// Frames that went before an answer.
fn at_least(asked: Asked) -> u64 {
    match asked {
        Asked::Register => 1,
        Asked::Registered => 2,
        Asked::Login => 3,
        Asked::Session => 4,
        Asked::Vault => 5,
        Asked::Page => 8,
        Asked::Seat | Asked::InRounds | Asked::Keep => 9,
    }
}

fn login_reply(what: &str, change: fn(&mut [u8; CREDENTIAL_RESPONSE], &mut Stretching)) -> Case {
    case(what, (Asked::Login, 0), Then::Told, move |honest| {
        let Honest::Control(ServerControl::LoginReply(mut reply)) = honest else {
            return Does::Honestly;
        };
        change(&mut reply.response, &mut reply.stretching);
        Does::Says(ServerControl::LoginReply(reply).encode())
    })
}

/// Signs with another key than the server's.
fn badly_signed(what: &str, at: (Asked, u32)) -> Case {
    case(what, at, Then::Told, |honest| {
        let mut control = match honest {
            Honest::Control(control) => control,
            Honest::Round(_) => return Does::Honestly,
        };
        match &mut control {
            ServerControl::Page(page) => page.signature = [7; SIGNATURE],
            ServerControl::Session(session) => session.directory_signature = [7; SIGNATURE],
            _ => return Does::Honestly,
        }
        Does::SaysUnsigned(control.encode())
    })
}

fn session(what: &str, change: fn(&mut Session)) -> Case {
    case(what, (Asked::Session, 0), Then::Told, move |honest| {
        let Honest::Control(ServerControl::Session(mut session)) = honest else {
            return Does::Honestly;
        };
        change(&mut session);
        Does::Says(ServerControl::Session(session).encode())
    })
}

fn page(what: &str, at: (Asked, u32), then: Then, change: fn(&mut Page)) -> Case {
    case(what, at, then, move |honest| {
        let Honest::Control(ServerControl::Page(mut page)) = honest else {
            return Does::Honestly;
        };
        change(&mut page);
        Does::Says(ServerControl::Page(page).encode())
    })
}

/// Changes every answer, since three of them make the vault.
fn vault(what: &str, change: fn(&mut VaultPart)) -> Case {
    let manner = move |now, _, honest| match (now, honest) {
        (Asked::Vault, Honest::Control(ServerControl::VaultPart(mut part))) => {
            change(&mut part);
            Does::Says(ServerControl::VaultPart(part).encode())
        }
        (_, _) => Does::Honestly,
    };
    Case { what: what.into(), then: Then::Told, manner: Arc::new(manner) }
}

fn round(what: &str, nth: u32, then: Then, change: fn(&mut ServerHeader)) -> Case {
    case(what, (Asked::Seat, nth), then, move |honest| {
        let Honest::Round(mut header) = honest else { return Does::Honestly };
        change(&mut header);
        let mut frame = vec![0; round_frame(header.slots)];
        header.write_to(&mut frame);
        Does::Says(frame)
    })
}

fn sign_in_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let steps = [
        Asked::Register,
        Asked::Registered,
        Asked::Login,
        Asked::Session,
        Asked::Vault,
        Asked::Page,
    ];
    for asked in steps {
        cases.extend(out_of_turn((asked, 0)));
    }
    cases.extend(wrong_anywhere((Asked::Register, 0), CONTROL_FRAME));
    cases.extend(wrong_anywhere((Asked::Page, 0), CONTROL_FRAME));
    cases.extend([
        login_reply("zeros for OPAQUE", |response, _| response.fill(0)),
        login_reply("a changed envelope", |response, _| response[100] ^= 1),
        login_reply("no stretching", |_, cost| cost.passes = 0),
        login_reply("endless stretching", |_, cost| cost.memory_kib = u32::MAX),
        session("no signature of the mixer", |it| it.mixer_signature.fill(0)),
        session("a mixer that is no point", |it| it.mixer.0.fill(0xff)),
        session("no slots", |it| it.slots = 0),
        session("nine slots", |it| it.slots = 9),
        session("eight slots in 1 ms", |it| (it.slots, it.round_ms) = (8, 1)),
        session("rounds without length", |it| it.round_ms = 0),
        session("endless rounds", |it| it.round_ms = u32::MAX),
        session("a start at the end of time", |it| it.genesis_ms = u64::MAX),
        session("other sealed keys", |it| it.master = SealedMaster([7; 80])),
        session("an endless directory", |it| it.directory_length = u32::MAX),
        session("another head", |it| it.directory_head = Head::EMPTY),
        session("no directory", |it| it.directory_length = 0),
        session("no signature of the directory", |it| it.directory_signature.fill(0)),
        badly_signed("a wrong signature of the directory", (Asked::Session, 0)),
        badly_signed("a page with a wrong signature", (Asked::Page, 0)),
        vault("another third of the vault", |it| it.part = 2),
        vault("a vault that changes all the time", |it| it.version = u64::from(it.part) + 1),
        vault("a vault that does not open", |it| it.version = 1),
        page("a page without signature", (Asked::Page, 0), Then::Told, |it| it.signature.fill(0)),
        page("a page of nothing", (Asked::Page, 0), Then::Told, |it| it.records.clear()),
        page("a broken chain", (Asked::Page, 0), Then::Told, |it| it.head = Head::EMPTY),
        page("a name twice", (Asked::Page, 0), Then::Told, |it| it.records.push(it.records[0])),
        page("a full page of one name", (Asked::Page, 0), Then::Told, |it| {
            it.records = vec![it.records[0]; PAGE_RECORDS];
        }),
        page("a page of another place", (Asked::Page, 0), Then::Told, |it| it.from = u32::MAX),
        page("another account's record", (Asked::Page, 0), Then::Told, |it| {
            it.records[0].name = "eve".parse().unwrap();
        }),
    ]);
    cases
}

fn rounds_cases() -> Vec<Case> {
    let mut cases = wrong_anywhere((Asked::Seat, 2), round_frame(2));
    cases.extend(wrong_anywhere((Asked::InRounds, 0), CONTROL_FRAME));
    cases.extend([
        case("silence instead of a seat", (Asked::Seat, 0), Then::Told, |_| Does::Nothing),
        case("silence in the rounds", (Asked::Seat, 3), Then::Told, |_| Does::Nothing),
        round("round 0 first", 0, Then::Told, |it| it.open = Round::NONE),
        round("round 0 later", 3, Then::Told, |it| it.open = Round::NONE),
        round("the last round", 0, Then::Told, |it| it.open = Round(u64::MAX)),
        round("the last round later", 3, Then::Told, |it| it.open = Round(u64::MAX)),
        round("backwards", 3, Then::Told, |it| it.open = Round(it.answered.0 - 1)),
        round("again", 3, Then::Told, |it| it.open = it.answered),
        round("an answer to nothing", 0, Then::Told, |it| it.answered = Round(7)),
        round("no answer", 3, Then::Told, |it| it.answered = Round::NONE),
        round("closed at once", 3, Then::Bears(20), |it| it.closes_ms = 0),
        round("never closed", 3, Then::Bears(20), |it| it.closes_ms = u32::MAX),
        round("endless seats", 3, Then::Bears(20), |it| it.seats = u32::MAX),
        round("endless numbers", 3, Then::Told, |it| {
            (it.seats, it.directory_length, it.buckets) = (u32::MAX, u32::MAX, BUCKETS_MAX);
        }),
        round("a bucket for each of few", 3, Then::Told, |it| it.buckets = 2),
        round("buckets that cannot be", 3, Then::Told, |it| it.buckets = 3),
        round("other slots", 3, Then::Told, |it| it.slots = 8),
        case("a flood of one round", (Asked::Seat, 3), Then::Told, |honest| {
            let Honest::Round(header) = honest else { return Does::Honestly };
            let mut frame = vec![0; round_frame(header.slots)];
            header.write_to(&mut frame);
            Does::Floods(frame)
        }),
        case("a flood of idle in the rounds", (Asked::InRounds, 0), Then::Bears(5000), |_| {
            Does::Floods(ServerControl::Idle.encode())
        }),
        case("a flood of pages in the rounds", (Asked::InRounds, 0), Then::Bears(5000), |honest| {
            let Honest::Control(page) = honest else { return Does::Honestly };
            Does::Floods(page.encode())
        }),
        page("an endless page later", (Asked::InRounds, 0), Then::Bears(20), |it| {
            it.length = u32::MAX;
        }),
        page("a page without signature later", (Asked::InRounds, 0), Then::Told, |it| {
            it.signature.fill(0);
        }),
        badly_signed("a page with a wrong signature later", (Asked::InRounds, 0)),
        page("a gap later", (Asked::InRounds, 0), Then::Told, |it| it.from += 1),
        page("a broken chain later", (Asked::InRounds, 0), Then::Told, |it| it.head = Head::EMPTY),
    ]);
    cases
}

fn is_trouble(event: &Event) -> bool {
    match event {
        Event::Error { text, .. } => {
            assert!(text.len() > 10, "an error says what to do: {text:?}");
            true
        }
        Event::Connection(ConnectionState::Lost) | Event::Ended { .. } => true,
        _ => false,
    }
}

fn is_over(event: &Event) -> bool {
    matches!(event, Event::Ended { .. })
}

fn is_back(event: &Event) -> bool {
    use ConnectionState::{Connected, Resumed};
    matches!(event, Event::Connection(Connected | Resumed))
}

/// A registration at this server.
fn options(hostile: &Hostile, dir: &TempDir) -> Options {
    Options {
        link: hostile.link.clone(),
        user: "ann".parse().unwrap(),
        password: Password::new("the password of ann".into()),
        register: true,
        invite: None,
        profile: dir.path().join("profile"),
        early: false,
        stretching: Stretching::for_tests(),
    }
}

/// Lets a client meet a server.
async fn meet(case: Case) {
    let Case { what, then, manner } = case;
    let mut hostile = Hostile::start(manner);
    let dir = tempfile::tempdir().unwrap();
    let mut engine = Engine::start(options(&hostile, &dir));
    let mut log = Vec::new();
    let told = async {
        while let Some(event) = engine.events.recv().await {
            let is_trouble = is_trouble(&event);
            log.push(event);
            if is_trouble {
                break;
            }
        }
    };
    let came = tokio::time::timeout(TOLD_WITHIN, async {
        match then {
            Then::Told => {
                told.await;
                true
            }
            Then::Bears(frames) => tokio::select! {
                () = told => false,
                sent = hostile.sent.wait_for(|sent| *sent >= frames) => sent.is_ok(),
            },
        }
    });
    let came = came.await;
    assert!(came == Ok(true), "{what}: {came:?} {log:?}");
    if then == Then::Told && !log.iter().any(is_over) {
        // the server is honest from now on
        let back = tokio::time::timeout(BACK_WITHIN, async {
            while let Some(event) = engine.events.recv().await {
                log.push(event);
                if log.last().is_some_and(is_over) || log.last().is_some_and(is_back) {
                    break;
                }
            }
        });
        assert!(back.await.is_ok(), "{what}: neither over nor back: {log:?}");
    }

    let left = tokio::time::timeout(LEAVES_WITHIN, async {
        // an engine that has ended takes no commands
        let _ = engine.commands.send(Command::Quit).await;
        while let Some(event) = engine.events.recv().await {
            log.push(event);
        }
    });
    assert!(left.await.is_ok(), "{what}: does not leave: {log:?}");
    assert!(matches!(log.last(), Some(Event::Ended { .. })), "{what}: {log:?}");
}

async fn meet_all(cases: Vec<Case>) {
    watch_for_panics();
    let mut meetings = JoinSet::new();
    let mut cases = cases.into_iter();
    // engines at once: few enough that a loaded machine keeps the times above
    for case in cases.by_ref().take(16) {
        meetings.spawn(meet(case));
    }
    while let Some(met) = meetings.join_next().await {
        met.unwrap();
        cases.next().map(|case| meetings.spawn(meet(case)));
    }
    assert_eq!(panics_of_the_server(), Vec::<String>::new());
}

#[tokio::test]
async fn whatever_a_server_says_at_the_sign_in_is_told_and_the_program_can_leave() {
    meet_all(sign_in_cases()).await;
}

#[tokio::test]
async fn whatever_a_server_says_in_the_rounds_is_told_and_the_program_can_leave() {
    meet_all(rounds_cases()).await;
}

#[tokio::test]
async fn a_server_makes_no_client_grow() {
    let pages_for_ever = |directory_length: u32, records: fn(&mut Page)| Case {
        what: format!("a directory of {directory_length} records"),
        then: Then::Told,
        manner: Arc::new(move |asked, _, honest| match (asked, honest) {
            (Asked::Session, Honest::Control(ServerControl::Session(mut session))) => {
                session.directory_length = directory_length;
                Does::Says(ServerControl::Session(session).encode())
            }
            (Asked::Page, Honest::Control(ServerControl::Page(mut page))) => {
                records(&mut page);
                Does::Floods(ServerControl::Page(page).encode())
            }
            _ => Does::Honestly,
        }),
    };
    let before = resident_bytes();
    meet_all(vec![
        pages_for_ever(u32::MAX, |page| page.records = vec![page.records[0]; PAGE_RECORDS]),
        pages_for_ever(1 << 20, |page| page.records.clear()),
        case("a flood of idle", (Asked::InRounds, 0), Then::Bears(100_000), |_| {
            Does::Floods(ServerControl::Idle.encode())
        }),
    ])
    .await;
    let grown = resident_bytes().saturating_sub(before);
    // elsewhere other tests run, and grow, in this process
    let is_alone = std::env::var_os("NEXTEST").is_some();
    assert!(!is_alone || grown < 50_000_000, "{grown} bytes");
}

#[tokio::test]
async fn the_last_answer_before_a_close_is_told() {
    let mut asking = JoinSet::new();
    for _ in 0..32 {
        asking.spawn(ask_for_last_words());
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
}

/// Asks a server that answers and closes the connection in one breath.
async fn ask_for_last_words() {
    let hostile = Hostile::start(Arc::new(|_, _, honest| match honest {
        Honest::Control(answer @ ServerControl::Sessions(_)) => {
            Does::LastWords(answer.encode(), Close::Done.code())
        }
        _ => Does::Honestly,
    }));
    let dir = tempfile::tempdir().unwrap();
    let mut engine = Engine::start(options(&hostile, &dir));
    let mut log = Vec::new();
    let lost = tokio::time::timeout(2 * TOLD_WITHIN, async {
        while let Some(event) = engine.events.recv().await {
            match &event {
                Event::Connection(ConnectionState::Connected) => {
                    engine.commands.send(Command::Sessions).await.unwrap();
                }
                Event::Connection(ConnectionState::Lost) | Event::Ended { .. } => break,
                _ => (),
            }
            log.push(event);
        }
    });
    assert!(lost.await.is_ok(), "{log:?}");
    assert!(log.iter().any(|event| matches!(event, Event::Sessions { .. })), "{log:?}");
}
