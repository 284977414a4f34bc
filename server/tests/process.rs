//! The program `iirs-server` with clients: what it logs, what it reads again, and a disk that fills.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod raw;

use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use raw::account::Change;
use raw::{Client, Seated};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use server::store::{SledStore, Store as _};
use wire::control::ClientControl;
use wire::ids::Round;
use wire::link::{Link, Pin};

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// A server process.
struct Run {
    child: Child,
    address: SocketAddr,
    pin: Pin,
    log: Lines<BufReader<ChildStderr>>,
}

impl Run {
    /// Starts the server with a configuration, through a shell that runs `before` first.
    fn start(dir: &Path, before: &str, config: &str) -> Self {
        write_config(dir, config);
        let mut command = shell(dir, before);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut word = || lines.next().unwrap().unwrap().split_once(' ').unwrap().1.to_owned();
        let (address, link) = (word().parse().unwrap(), word().parse::<Link>().unwrap());
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, address, pin: link.pin, log }
    }

    async fn connect(&self) -> Client {
        Client::connect_to(self.address, self.pin).await
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; returns the exit code and the rest of the log.
    fn end(mut self) -> (Option<i32>, String) {
        let log: Vec<_> = self.log.map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), log.join("\n"))
    }
}

fn write_config(dir: &Path, config: &str) {
    let always = "data_dir = \"d\"\nlisten = \"127.0.0.1:0\"\nround_ms = 100\n";
    std::fs::write(dir.join("c.toml"), format!("{always}{config}")).unwrap();
}

fn shell(dir: &Path, before: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{before} exec \"$@\"")).arg("sh");
    command.arg(env!("CARGO_BIN_EXE_iirs-server")).args(["run", "--config", "c.toml"]);
    command.current_dir(dir).env_clear();
    command
}

#[tokio::test]
async fn a_hangup_puts_a_changed_configuration_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::start(dir.path(), "", "log = \"warn\"\ntoken_days = 1\nslots = 2\n");
    let mut before = run.connect().await;
    before.register("ann", "p").await.ok().unwrap();
    let before = before.log_in("ann", "p").await.ok().unwrap();

    write_config(dir.path(), "log = \"info\"\ntoken_days = 3\nslots = 2\n");
    run.signal(Signal::HUP);
    // Only a server that logs at `info` says so.
    let mut read = run.log.by_ref().map(Result::unwrap).filter(|line| line.contains("read again"));
    let said = read.next().unwrap();
    assert!(said.contains("INFO"), "{said}");
    let after = run.connect().await.log_in("ann", "p").await.ok().unwrap();
    let longer_ms = after.expires_ms - before.expires_ms;
    assert!((2 * 86_400_000..3 * 86_400_000).contains(&longer_ms), "{longer_ms}");

    write_config(dir.path(), "log = \"info\"\nslots = 3\n");
    run.signal(Signal::HUP);
    let mut warnings =
        run.log.by_ref().map(Result::unwrap).filter(|line| line.contains("read again"));
    let said = warnings.next().unwrap();
    assert!(said.contains("WARN") && said.contains("restart the server to change slots"), "{said}");

    write_config(dir.path(), "slots = 9\n");
    run.signal(Signal::HUP);
    let mut errors = run.log.by_ref().map(Result::unwrap).filter(|line| line.contains("ERROR"));
    assert!(errors.next().unwrap().contains("slots is 9"));
    run.signal(Signal::TERM);
    assert_eq!(run.end().0, Some(0));
}

#[tokio::test]
async fn the_log_names_nobody_and_no_drop() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::start(dir.path(), "", "");
    let (drop, alone) = (0xc7, 0x9d);
    let mut chatting = Vec::new();
    for who in ["zebulon", "quentin"] {
        let mut client = run.connect().await;
        client.register(who, "password").await.ok().unwrap();
        let session = client.log_in(who, "password").await.ok().unwrap();
        let mut seated: Seated = client.join(&session).await;
        seated.hear().await;
        chatting.push((seated, session));
    }
    for _ in 0..3 {
        let mut open = 0;
        // who came first has heard of more rounds: both are to be in the same one
        let mut opens = [0; 2];
        while opens.contains(&0) || opens[0] != opens[1] {
            for ((seated, _), heard) in chatting.iter_mut().zip(&mut opens) {
                if *heard <= open {
                    *heard = seated.hear().await.header.open.0;
                }
            }
            open = opens[0].min(opens[1]);
        }
        for (seated, _) in &mut chatting {
            seated.deposit(Round(open), [(drop, 0x11), (alone, 0x22)]).await;
        }
    }
    let mut wrong = run.connect().await;
    assert!(wrong.log_in("zebulon", "wrong").await.is_err());
    run.signal(Signal::TERM);
    let (code, log) = run.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.lines().any(|line| line.contains("INFO") && line.contains("deposits=2")), "{log}");
    for who in ["zebulon", "quentin", "127.0.0.1"] {
        assert!(!log.contains(who), "{who}: {log}");
    }
    for id in [drop, alone] {
        // Two bytes and more of the drop id in hexadecimal, decimal, and base64 at each alignment.
        let bytes = u32::from(id);
        let bits = bytes << 16 | bytes << 8 | bytes;
        let base64 = [18, 12, 6, 0].map(|shift| {
            const DIGITS: &[u8; 64] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            char::from(DIGITS[(bits >> shift & 63) as usize])
        });
        let base64: String = base64.into_iter().collect();
        for shown in [format!("{id:02x}{id:02x}"), format!("{id}, {id}"), base64] {
            assert!(!log.to_lowercase().contains(&shown.to_lowercase()), "{shown}: {log}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_server_with_what_to_do_and_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let many = "registrations_per_hour = 1000000\n";
    // A file may grow so far, and the signal for that is ignored.
    let full = "trap '' XFSZ; ulimit -f 1100;";
    let run = Run::start(dir.path(), full, many);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let (told, address, pin) = (acknowledged.clone(), run.address, run.pin);
    let until_it_ends = tokio::spawn(async move {
        loop {
            let mut client = Client::connect_to(address, pin).await;
            for _ in 0..4 {
                let name = format!("n{}", told.lock().unwrap().len());
                client.register(&name, "p").await.ok().unwrap();
                told.lock().unwrap().push(name);
            }
        }
    });
    assert!(until_it_ends.await.is_err(), "the connection broke");
    let (code, log) = run.end();
    assert_eq!(code, Some(1), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.contains("raise the limit of file sizes"), "{log}");
    let acknowledged = acknowledged.lock().unwrap();
    assert!(!acknowledged.is_empty());
    let store = SledStore::open_existing(&dir.path().join("d")).unwrap();
    for name in acknowledged.iter() {
        assert!(store.account(&raw::name(name)).unwrap().is_some(), "{name}");
    }
}

/// Kills that come at any moment of a change, from before it is asked to after it was answered.
#[tokio::test]
async fn a_change_of_password_that_a_kill_cuts_off_leaves_the_old_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::start(dir.path(), "", "");
    run.connect().await.register("ann", "p0").await.ok().unwrap();
    let (mut number, mut changed) = (0, 0);
    for delay_us in [0, 500, 1000, 2000, 4000, 8000, 16_000] {
        let (old, new) = (format!("p{number}"), format!("p{}", number + 1));
        let mut client = run.connect().await;
        client.log_in("ann", &old).await.ok().unwrap();
        let (change, start) = Change::start(&client, "ann", &old, &new);
        let finish = change.finish(&client.context(), &client.ask(&start).await);
        client.send(&ClientControl::ChangeFinish(Box::new(finish))).await;
        let answer = tokio::time::timeout(Duration::from_micros(delay_us), client.answer()).await;
        run.signal(Signal::KILL);
        run.end();

        run = Run::start(dir.path(), "", "");
        let with_old = run.connect().await.log_in("ann", &old).await.is_ok();
        let with_new = run.connect().await.log_in("ann", &new).await.is_ok();
        assert!(with_old != with_new, "after {delay_us} us: {with_old} {with_new}");
        assert!(with_new || answer.is_err(), "what was answered is on the disk");
        number += u32::from(with_new);
        changed += u32::from(answer.is_ok());
    }
    assert!(changed < 7, "some were cut off");
    run.signal(Signal::TERM);
    assert_eq!(run.end().0, Some(0));
}

/// Starts the server, which must end at once with exit code 1; returns what it says.
fn refused(dir: &Path) -> String {
    let output = shell(dir, "").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

/// As a disk does that loses a record: nothing tells of it but the scrub.
#[tokio::test]
async fn a_record_that_is_gone_ends_the_server_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::start(dir.path(), "", "");
    run.connect().await.register("ann", "p").await.ok().unwrap();
    run.signal(Signal::TERM);
    assert_eq!(run.end().0, Some(0));
    let whole = Run::start(dir.path(), "", "");
    whole.signal(Signal::TERM);
    assert_eq!(whole.end().0, Some(0));
    {
        let db = sled::Config::new().path(dir.path().join("d/store")).open().unwrap();
        assert!(db.open_tree("names").unwrap().remove("ann").unwrap().is_some());
        db.flush().unwrap();
    }
    let (code, said) = Run::start(dir.path(), "", "").end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("records of the store are missing"), "{said}");
    assert!(said.contains("put a backup in its place"), "{said}");
    // As systemd starts it again: nothing more is acknowledged there.
    let said = refused(dir.path());
    assert!(said.contains("an earlier scrub or backup found records missing"), "{said}");
}

#[tokio::test]
async fn a_server_that_lost_its_root_key_does_not_become_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::start(dir.path(), "", "");
    run.connect().await.register("ann", "p").await.ok().unwrap();
    run.signal(Signal::TERM);
    assert_eq!(run.end().0, Some(0));
    let secrets = |db: &sled::Db| {
        let secrets = db.open_tree("secrets").unwrap();
        secrets.iter().map(|secret| secret.unwrap()).collect::<Vec<_>>()
    };
    let open = || sled::Config::new().path(dir.path().join("d/store")).open().unwrap();
    let before = {
        let db = open();
        assert!(db.open_tree("secrets").unwrap().remove("root-key").unwrap().is_some());
        db.flush().unwrap();
        secrets(&db)
    };
    let said = refused(dir.path());
    assert!(said.contains("the stored root key is damaged; restore the data directory"), "{said}");
    assert_eq!(secrets(&open()), before, "the other keys were left alone");
}

#[test]
fn a_data_directory_of_somebody_else_is_an_error_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("d");
    std::fs::create_dir(&data).unwrap();
    write_config(dir.path(), "");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = shell(dir.path(), "");
    if geteuid().is_root() {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
        command.uid(NOBODY);
    } else {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("run the server as the user who owns it"), "{said}");
}

#[test]
fn too_few_open_files_are_an_error_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), "");
    let output = shell(dir.path(), "ulimit -n 16;").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ulimit -n 64"), "{said}");
    assert!(!dir.path().join("d").exists(), "nothing was made");
}
