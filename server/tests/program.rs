//! The program `iirs-server` as operators and scripts meet it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iirs-server"));
    command.current_dir(dir).env_clear();
    command
}

fn output(dir: &Path, arguments: &[&str]) -> Output {
    program(dir).args(arguments).output().unwrap()
}

/// Runs a command that is to fail; returns what it says.
fn failure(dir: &Path, code: i32, arguments: &[&str]) -> String {
    let output = output(dir, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    said
}

fn success(dir: &Path, arguments: &[&str]) -> String {
    let output = output(dir, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

struct Run {
    child: Child,
    listening: String,
    link: String,
}

impl Run {
    fn start(dir: &Path) -> Self {
        let arguments = ["run", "--data-dir", "d", "--listen", "127.0.0.1:0", "--round-ms", "100"];
        let mut command = program(dir);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        let (listening, link) = (line(), line());
        Self { child, listening, link }
    }

    /// Sends a signal; returns the exit code and what else was printed.
    fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let code = self.child.wait().unwrap().code();
        let mut rest = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        (code, rest)
    }
}

#[test]
fn run_prints_two_lines_answers_commands_and_stops_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let run = Run::start(dir);
    let address = run.listening.strip_prefix("listening ").unwrap().to_owned();
    let link = run.link.strip_prefix("link ").unwrap().to_owned();
    assert!(link.starts_with(&format!("iirs://{address}/#")), "{link}");

    assert_eq!(success(dir, &["link", "--data-dir", "d"]).trim(), link);
    assert_eq!(success(dir, &["user", "list", "--data-dir", "d"]), "");
    assert!(success(dir, &["status", "--data-dir", "d"]).contains("seats        0\n"));
    let json = success(dir, &["status", "--json", "--data-dir", "d"]);
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(status["accounts"], 0);
    let used = failure(dir, 1, &["run", "--data-dir", "d", "--listen", "127.0.0.1:0"]);
    assert!(used.contains("in use"), "{used}");
    assert_eq!(run.end(Signal::TERM), (Some(0), String::new()));

    let stopped = failure(dir, 1, &["status", "--data-dir", "d"]);
    assert!(stopped.contains("no server is running"), "{stopped}");
    let public = ["link", "--data-dir", "d", "--public", address.as_str()];
    assert_eq!(success(dir, &public).trim(), link, "the identity is kept");
    assert_eq!(success(dir, &["user", "list", "--data-dir", "d"]), "");
    assert_eq!(Run::start(dir).end(Signal::INT).0, Some(0));
}

#[test]
fn invitation_codes_are_lines_and_what_to_do_is_said_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let invite = ["invite", "--data-dir", "d", "--count", "3", "--days", "2"];
    let run = Run::start(dir);
    let made = output(dir, &invite);
    assert_eq!(made.status.code(), Some(0));
    let codes = String::from_utf8(made.stdout).unwrap();
    assert_eq!(codes.lines().count(), 3);
    assert!(codes.lines().all(|code| code.parse::<wire::account::Invite>().is_ok()), "{codes}");
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(said.contains("one code") && said.contains("within 2 days"), "{said}");
    assert!(said.contains("registration = \"invite\""), "this one is open: {said}");
    assert!(success(dir, &["status", "--data-dir", "d"]).contains("registration open\n"));
    let many = failure(dir, 1, &["invite", "--data-dir", "d", "--count", "1001"]);
    assert!(many.contains("1 to 1000 codes"), "{many}");
    assert!(failure(dir, 2, &["invite", "--count", "x"]).contains("--count"));
    run.end(Signal::TERM);
    assert!(failure(dir, 1, &invite).contains("no server is running"));
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let first = Run::start(dir.path());
    let pin = first.link.split('#').next_back().unwrap().to_owned();
    first.end(Signal::KILL);
    let stopped = failure(dir.path(), 1, &["status", "--data-dir", "d"]);
    assert!(stopped.contains("no server is running"), "{stopped}");
    let second = Run::start(dir.path());
    assert!(second.link.ends_with(&pin));
    assert_eq!(second.end(Signal::TERM).0, Some(0));
}

#[test]
fn the_length_of_a_round_is_for_the_life_of_a_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    Run::start(dir.path()).end(Signal::TERM);
    let other = ["run", "--data-dir", "d", "--listen", "127.0.0.1:0", "--round-ms", "200"];
    let said = failure(dir.path(), 1, &other);
    assert!(said.contains("--round-ms 100"), "{said}");
    assert_eq!(Run::start(dir.path()).end(Signal::TERM).0, Some(0));
}

#[test]
fn flags_beat_variables_beat_the_file_beats_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let file = "slots = 3\nround_ms = 300\nseats_max = 30\n";
    std::fs::write(dir.path().join("c.toml"), file).unwrap();
    let check = |variables: &[(&str, &str)]| {
        let mut command = program(dir.path());
        command.args(["config", "check", "c.toml"]).envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let checked = check(&[("IIRS_SLOTS", "4")]);
    for line in ["slots = 4", "round_ms = 300", "seats_max = 30", "token_days = 30"] {
        assert!(checked.lines().any(|found| found == line), "{line}: {checked}");
    }
    let mut command = program(dir.path());
    command.args(["run", "--config", "c.toml", "--slots", "9"]).env("IIRS_SLOTS", "4");
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said.contains("slots is 9"), "{said}");
}

#[test]
fn wrong_use_is_2_and_failure_is_1_and_both_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(failure(dir, 2, &["run", "--bogus"]).contains("--help"));
    assert!(failure(dir, 2, &["run", "--listen", "nowhere"]).contains("--listen"));
    assert!(failure(dir, 2, &["run", "--public", "nowhere"]).contains("HOST:PORT"));
    assert!(failure(dir, 2, &[]).contains("Examples"));
    assert!(failure(dir, 1, &["link", "--data-dir", "none"]).contains("--data-dir"));
    assert!(!dir.join("none").exists(), "looking makes nothing");
    std::fs::DirBuilder::new().mode(0o700).create(dir.join("empty")).unwrap();
    for command in [&["link", "--data-dir", "empty"][..], &["user", "list", "--data-dir", "empty"]]
    {
        assert!(failure(dir, 1, command).contains("iirs-server run"));
    }
    assert_eq!(std::fs::read_dir(dir.join("empty")).unwrap().count(), 0, "looking makes nothing");
    std::fs::write(dir.join("f"), "x").unwrap();
    assert!(failure(dir, 1, &["run", "--data-dir", "f"]).contains("--data-dir"));
    std::fs::write(dir.join("c.toml"), "slots = 2\nbogus = 1\n").unwrap();
    assert!(failure(dir, 1, &["config", "check", "c.toml"]).contains("line 2"));
    let default = success(dir, &["config", "default"]);
    std::fs::write(dir.join("c.toml"), &default).unwrap();
    assert_eq!(success(dir, &["config", "check", "c.toml"]), default);
}
