//! The program `iirs` up to the point where its window opens; no display is needed.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const LINK: &str = "iirs://chat.example.org:4433/#AAAA";
const NO_DISPLAY: &str = "there is no display";

/// The program on a machine that knows this home directory only.
fn iirs(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iirs"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn the_version_names_the_commit_where_there_is_one() {
    let home = TempDir::new().unwrap();
    let output = iirs(home.path()).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version, format!("iirs {}\n", client::VERSION));
    let plain = env!("CARGO_PKG_VERSION");
    let expected = match git(&["ls-files", "--error-unmatch", "Cargo.toml"]) {
        Some(_) => {
            // not HEAD: somebody may have committed since this was built
            let built = client::VERSION.split(['(', ',']).nth(1).unwrap();
            let commit = git(&["log", "-1", "--abbrev=12", "--format=%h, %cs", built]);
            format!("{plain} ({})", commit.expect("the commit is in the repository"))
        }
        None => plain.to_owned(),
    };
    assert_eq!(client::VERSION, expected);
}

#[test]
fn everything_is_kept_in_the_data_directory() {
    let home = TempDir::new().unwrap();
    let data = home.path().join("data");
    let output = iirs(home.path()).env("XDG_DATA_HOME", &data).output().unwrap();
    assert!(complaint(&output).contains(NO_DISPLAY), "{}", complaint(&output));
    assert_eq!(output.status.code(), Some(1));
    assert!(data.join("iirs").is_dir());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "and nowhere else");
}

#[test]
fn without_a_usable_name_of_it_that_is_the_usual_one() {
    for name in [None, Some(""), Some("relative/data")] {
        let home = TempDir::new().unwrap();
        let mut command = iirs(home.path());
        command.envs(name.map(|name| ("XDG_DATA_HOME", name)));
        let output = command.output().unwrap();
        assert!(complaint(&output).contains(NO_DISPLAY), "{}", complaint(&output));
        assert!(home.path().join(".local/share/iirs").is_dir(), "{name:?}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "{name:?}");
    }
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named_with_what_to_do() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let output = iirs(home.path()).env("XDG_DATA_HOME", &file).output().unwrap();
    let complaint = complaint(&output);
    assert_eq!(output.status.code(), Some(1));
    for part in [&*file.join("iirs").to_string_lossy(), "--profile DIR", "XDG_DATA_HOME"] {
        assert!(complaint.contains(part), "{complaint}");
    }
    assert_eq!(complaint.matches("os error").count(), 1, "it is said once: {complaint}");
}

#[test]
fn what_is_no_link_is_an_error_before_any_window() {
    let home = TempDir::new().unwrap();
    let output = iirs(home.path()).arg("chat.example.org").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    assert!(complaint.contains("iirs://"), "{complaint}");
    assert_eq!(complaint.matches("os error").count(), 1, "it is said once: {complaint}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn a_second_start_gives_the_window_its_link_and_ends_well() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("profile");
    fs::create_dir(&dir).unwrap();
    // a window, as far as another start can see
    let lock = File::create(dir.join("window.lock")).unwrap();
    lock.lock().unwrap();
    let window = UnixListener::bind(dir.join("window.sock")).unwrap();
    let password = home.path().join("password");
    fs::write(&password, "a good long password").unwrap();
    let at_once = ["--user", "ann", "--password-file", "password", "--link", LINK];
    for (arguments, code) in [(&[LINK][..], 0), (&["--link", LINK], 0), (&at_once, 1)] {
        let mut command = iirs(home.path());
        let output = std::thread::scope(|scope| {
            let start = scope
                .spawn(|| command.arg("--profile").arg(&dir).args(arguments).output().unwrap());
            let (mut stream, _) = window.accept().unwrap();
            let mut link = String::new();
            stream.read_to_string(&mut link).unwrap();
            assert_eq!(link, LINK);
            stream.write_all(b"ok\n").unwrap();
            start.join().unwrap()
        });
        let complaint = complaint(&output);
        assert_eq!(output.status.code(), Some(code), "{complaint}");
        assert!(complaint.lines().count() == 1 && complaint.contains("--profile"), "{complaint}");
    }
}
