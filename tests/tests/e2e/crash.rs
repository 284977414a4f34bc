//! A change of password whose server is killed in the middle: of both passwords exactly one works, everywhere.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use client_link::api::{Command, ErrorCode, Event};
use server::Server;
use server::config::Config;
use tests::world::{DEADLINE, LOCAL, Person, Relay, Start, Way, soon};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::link::Link;

const CHILD_DIR: &str = "IIRS_E2E_CHILD_DIR";
const CHILD_LISTEN: &str = "IIRS_E2E_CHILD_LISTEN";
const OLD: &str = "the old one";
const NEW: &str = "the new one";

/// When the server is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// As soon as the change was asked for.
    AtOnce,
    /// After so many datagrams of the client since the control round that carries the second step opened.
    Sent(usize),
    /// Once the client told that the password is changed.
    Told,
}

/// Not a test of its own: the process that is killed.
#[tokio::test]
async fn child_that_serves_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let listen = std::env::var(CHILD_LISTEN).unwrap().parse().unwrap();
    let config = Config { round_ms: 100, ..Config::new(PathBuf::from(dir), listen) };
    let server = Server::start(config).await.unwrap();
    println!("\nserving {}", server.link);
    // the kill comes, or the end of standard input
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.ok();
    std::process::exit(1);
}

/// Starts a server in a process of its own.
async fn serve(dir: &Path, listen: SocketAddr) -> (Child, Link) {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_serves_until_it_is_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_LISTEN, listen.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let link = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(link) = line.strip_prefix("serving ") {
                return link.parse().unwrap();
            }
        }
        panic!("the server does not start");
    };
    let link = soon("the server's link", link).await;
    (child, link)
}

/// Waits until the second round with control frames is open since a place in the log.
async fn second_control_round(ann: &mut Person, from: usize) {
    let mut control = 0;
    ann.hears(from, "a control round", |event| {
        control += usize::from(matches!(event, Event::RoundOpen { number, .. } if number % 5 == 2));
        (control == 2).then_some(())
    })
    .await;
}

async fn comes(moment: Moment, ann: &mut Person, relay: &Relay) {
    let from = ann.now();
    let (old, new) = (OLD.as_bytes().to_vec().into(), NEW.as_bytes().to_vec().into());
    ann.command(Command::ChangePassword { old, new }).await;
    match moment {
        Moment::AtOnce => (),
        Moment::Sent(datagrams) => {
            second_control_round(ann, from).await;
            let sent = || relay.datagrams().iter().filter(|it| it.way == Way::Up).count();
            let (wanted, deadline) = (sent() + datagrams, Instant::now() + DEADLINE);
            while sent() < wanted {
                assert!(Instant::now() < deadline, "no datagrams leave");
                tokio::task::yield_now().await;
            }
        }
        Moment::Told => {
            let told = |event: &Event| (*event == Event::PasswordChanged).then_some(());
            ann.hears(from, "that the password is changed", told).await;
        }
    }
}

/// Tells whether somebody gets in; who does not is told that the password is wrong.
async fn gets_in(start: &Start, password: &str) -> bool {
    let mut person = Person::start(Start { password: password.into(), ..start.clone() });
    let came = |event: &Event| match event {
        Event::SignedIn { .. } => Some(true),
        Event::Error { code, .. } => {
            assert_eq!(*code, ErrorCode::WrongCredentials);
            Some(false)
        }
        _ => None,
    };
    let is_in = person.hears(0, "the way in", came).await;
    if is_in {
        person.leaves().await;
    } else {
        person.ends().await;
    }
    is_in
}

/// Kills the server at a moment; returns whether the new password is the one.
async fn killed_at(moment: Moment) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("server");
    let (mut server, link) = serve(&data_dir, LOCAL).await;
    let address = SocketAddr::new(LOCAL.ip(), link.port);
    let relay = Relay::start(address).await;
    let ann = |profile: &str| Start {
        link: relay.link(&link),
        name: "ann".into(),
        password: OLD.into(),
        register: false,
        invite: None,
        profile: dir.path().join(profile),
        early: false,
    };
    let mut here = Person::begin(Start { register: true, ..ann("here") }).await;
    comes(moment, &mut here, &relay).await;
    server.kill().await.unwrap();
    here.command(Command::Quit).await;
    here.ends().await;

    let (_server, again) = serve(&data_dir, address).await;
    assert_eq!(again, link);
    let mut answers = Vec::new();
    for profile in ["elsewhere", "here"] {
        let start = ann(profile);
        let is_new = gets_in(&start, NEW).await;
        assert!(gets_in(&start, OLD).await != is_new, "{moment:?}: one of both, {profile}");
        answers.push(is_new);
    }
    assert_eq!(answers[0], answers[1], "{moment:?}: the same one everywhere");
    answers[0]
}

#[tokio::test]
async fn a_server_that_is_killed_while_a_password_changes_has_the_old_or_the_new_one() {
    let moments = [
        Moment::AtOnce,
        Moment::Sent(1),
        Moment::Sent(2),
        Moment::Sent(3),
        Moment::Sent(4),
        Moment::Sent(6),
        Moment::Told,
    ];
    let mut killed = JoinSet::new();
    for moment in moments {
        killed.spawn(async move { (moment, killed_at(moment).await) });
    }
    for (moment, is_new) in killed.join_all().await {
        match moment {
            Moment::AtOnce => assert!(!is_new),
            Moment::Told => assert!(is_new),
            Moment::Sent(_) => (),
        }
    }
}
