//! The program `iirs-server` under systemd, and what else looks after it: notifications, the watchdog, the log,
//! man pages and completions.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use server::Server;
use server::config::Config;
use server::health::Unwell;
use server::service::{self, Watchdog};

/// Where the child of a test has its data.
const CHILD_DIR: &str = "IIRS_SERVICE_TEST_CHILD_DIR";

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iirs-server"));
    command.env_clear();
    command
}

/// A server with a socket that stands for systemd's.
struct Run {
    child: Child,
    told: UnixDatagram,
}

impl Run {
    fn start(dir: &Path, more: impl FnOnce(&mut Command)) -> Self {
        let socket = dir.join("notify");
        let told = UnixDatagram::bind(&socket).unwrap();
        told.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut command = program();
        command.args(["run", "--data-dir", "d", "--listen", "127.0.0.1:0", "--round-ms", "100"]);
        command.current_dir(dir).env("NOTIFY_SOCKET", &socket).stdout(Stdio::piped());
        more(&mut command);
        Self { child: command.spawn().unwrap(), told }
    }

    /// Waits for the next message.
    fn told(&self) -> String {
        let mut message = [0; 4096];
        let bytes = self.told.recv(&mut message).unwrap();
        String::from_utf8(message[..bytes].to_vec()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().unwrap().code()
    }
}

fn monotonic_us() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

#[test]
fn systemd_hears_that_the_server_serves_reloads_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::start(dir.path(), |command| _ = command.stderr(Stdio::null()));
    assert_eq!(run.told(), "READY=1\nSTATUS=serving\n");
    let mut lines = BufReader::new(run.child.stdout.take().unwrap()).lines();
    let listening = lines.next().unwrap().unwrap();
    assert!(listening.starts_with("listening "), "it serves before it says so: {listening}");
    let before = monotonic_us();
    run.signal(Signal::HUP);
    let reloading = run.told();
    let at = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
    assert!((before..=monotonic_us()).contains(&at.parse().unwrap()), "{reloading}");
    assert_eq!(run.told(), "READY=1\nSTATUS=serving\n");
    run.signal(Signal::TERM);
    assert!(run.told().starts_with("STOPPING=1\n"));
    assert_eq!(run.end(), Some(0));
}

#[test]
fn the_watchdog_is_fed_while_the_server_serves() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::start(dir.path(), |command| {
        command.env("WATCHDOG_USEC", "60000").stderr(Stdio::null());
    });
    assert!(run.told().starts_with("READY=1\n"));
    for _ in 0..5 {
        assert_eq!(run.told(), "WATCHDOG=1\n");
    }
    assert_eq!(run.end(), Some(0));
}

/// Not a test of its own: a process with a server whose rounds stand still, since nothing runs its tasks. It says
/// `READY=1` when they stood still for too long, `STOPPING=1` after three more looks of the watchdog, and then looks
/// once more behind the next round.
#[test]
fn child_whose_rounds_stand_still() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (servers, ours) = (runtime(), runtime());
    let config = Config { round_ms: 100, ..Config::new(dir, LOCAL) };
    let running = servers.block_on(Server::start(config)).unwrap();
    let mut watchdog = ours.block_on(async { Watchdog::new() });
    let mut look = || {
        ours.block_on(watchdog.due());
        watchdog.tell(&running.health);
        running.health.serves()
    };
    while look().is_ok() {}
    service::ready();
    for _ in 0..3 {
        assert!(matches!(look(), Err(Unwell::Rounds(5..))));
    }
    service::stopping();
    let opened = running.health.rounds.opened();
    servers.block_on(async {
        while running.health.rounds.opened() == opened {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    look().unwrap();
}

#[test]
fn the_watchdog_is_not_fed_while_rounds_stand_still() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("notify");
    let told = UnixDatagram::bind(&socket).unwrap();
    told.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_whose_rounds_stand_still", "--nocapture"]);
    command.env(CHILD_DIR, dir.path().join("d")).env("NOTIFY_SOCKET", &socket);
    let child = command.env("WATCHDOG_USEC", "600000").stdout(Stdio::null()).spawn().unwrap();
    let mut run = Run { child, told };
    let fed = std::iter::repeat_with(|| run.told()).take_while(|it| it == "WATCHDOG=1\n").count();
    assert!(fed >= 3, "fed {fed} times while rounds were not late yet");
    // what ended the count was READY=1
    assert!(run.told().starts_with("STOPPING=1\n"), "it was fed although no round was opened");
    assert_eq!(run.told(), "WATCHDOG=1\n", "rounds go on");
    assert!(run.child.wait().unwrap().success());
}

#[test]
fn a_watchdog_of_another_process_is_none_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::start(dir.path(), |command| {
        command.env("WATCHDOG_USEC", "1").env("WATCHDOG_PID", "1").stderr(Stdio::null());
    });
    assert!(run.told().starts_with("READY=1\n"));
    run.signal(Signal::HUP);
    assert!(run.told().starts_with("RELOADING=1\n"), "nothing in between");
    assert_eq!(run.end(), Some(0));
}

/// Runs a server until it has stopped; returns its log.
fn log(dir: &Path, more: impl FnOnce(&mut Command, &File)) -> String {
    let path = dir.join("log");
    let file = File::create(&path).unwrap();
    let run = Run::start(dir, |command| {
        command.stderr(file.try_clone().unwrap());
        more(command, &file);
    });
    assert!(run.told().starts_with("READY=1\n"));
    assert_eq!(run.end(), Some(0));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_log_in_json_is_an_object_a_line_with_the_documented_fields() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), |command, _| _ = command.args(["--log-format", "json"]));
    assert!(log.lines().count() >= 2, "{log}");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = ["timestamp", "level", "message", "target"];
        assert!(fields.iter().all(|&field| line[field].is_string()), "{line}");
    }
    assert!(log.lines().any(|line| line.contains(r#""message":"stopped""#)), "{log}");
}

#[test]
fn a_failure_is_an_object_too_in_a_log_in_json() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "").unwrap();
    let mut command = program();
    command.args(["run", "--data-dir", "f", "--log-format", "json"]).current_dir(dir.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let line: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert!(line["message"].as_str().unwrap().contains("--data-dir"), "{line}");
}

#[test]
fn in_the_journal_a_line_has_a_priority_and_no_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let journal = log(dir.path(), |command, file| {
        let file = file.metadata().unwrap();
        command.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()));
    });
    assert!(journal.lines().count() >= 2, "{journal}");
    for line in journal.lines() {
        assert!(line.starts_with("<6> INFO ") || line.starts_with("<4> WARN "), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    let other = tempfile::tempdir().unwrap();
    let file = log(other.path(), |command, _| _ = command.env("JOURNAL_STREAM", "0:0"));
    assert!(file.starts_with("20") && !file.contains('\u{1b}'), "a file has times: {file}");
}

#[test]
fn man_pages_and_completions_have_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let output = |arguments: &[&str]| {
        let output = program().args(arguments).current_dir(dir.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let help = output(&["--help"]);
    let listed = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let commands = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<_> = commands.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(names.contains(&"run") && names.contains(&"completions"), "{help}");

    output(&["man", "pages"]);
    let page = |name: &str| std::fs::read_to_string(dir.path().join("pages").join(name)).unwrap();
    let top = page("iirs-server.1");
    for name in names.iter().filter(|&&name| name != "help") {
        assert!(top.contains(&format!("iirs\\-server\\-{name}(1)")), "{name}: {top}");
        assert!(page(&format!("iirs-server-{name}.1")).contains(".SH SYNOPSIS"), "{name}");
    }
    let run = page("iirs-server-run.1");
    assert!(run.contains("\\-\\-metrics") && run.contains("IIRS_METRICS"), "{run}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = output(&["completions", shell]);
        assert!(names.iter().all(|name| script.contains(name)), "{shell}");
    }
}
