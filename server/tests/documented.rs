//! Every number that docs/operations.md gives for the server is the one in the code.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

use std::path::Path;

use server::accounts::SIGNATURES_MAX;
use server::admin::{INVITE_DAYS_MAX, INVITES_PER_COMMAND_MAX};
use server::config::{Config, REGISTRATIONS_MAX, SEATS_MAX};
use server::driver::room::{FRAMES_WAITING_MAX, JOINING_SPARE};
use server::health::{LATE_MIN, ROUNDS_LATE};
use server::http::{
    CONNECTIONS_MAX as HTTP_CONNECTIONS_MAX, HEAD_BYTES_MAX, HEADERS_MAX, PATIENCE,
};
use server::identity::LEAF_LIFE;
use server::limits::{
    PER_ADDRESS, PER_NAME, PER_NAME_HERE, Policy, REGISTRATIONS_SAVED, REMEMBERED,
};
use server::listen::{
    CONNECTIONS_SPARE, HANDSHAKE, HANDSHAKES_MAX, HANDSHAKES_RETRY, connections_max,
};
use server::program::OPEN_FILES_MIN;
use server::quic::WAITS;
use server::run::STOP;
use server::scrubs::SCRUB_EVERY;
use server::session::strangers::STAY;
use server::session::{PULLS_MAX, REQUESTS_MAX, SECOND_STEP_ROUNDS, STEP};
use server::store::{
    CACHE_BYTES, DELETIONS_RESERVED, DIRECTORY_MAX, INVITES_MAX, STUCK_S, TOKENS_PER_ACCOUNT_MAX,
};
use server::transport::{
    BIDI_STREAMS_MAX, CONNECTION_WINDOW_BYTES, IDLE_TIMEOUT, SOCKET_BUFFER_BYTES,
    STREAM_WINDOW_BYTES,
};
use wire::control::{ROUND_MS_MAX, ROUND_MS_MIN};
use wire::size::{PACKET, SLOTS_MAX};

/// The part about the server.
fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let text = std::fs::read_to_string(path).unwrap();
    text.split_once("\n## iirs-headless\n").unwrap().0.to_owned()
}

/// Returns the rows of the table under this head.
fn rows<'d>(document: &'d str, head: &str) -> Vec<&'d str> {
    let (_, table) = document.split_once(&format!("\n{head}\n")).unwrap();
    table.lines().skip(1).take_while(|line| line.starts_with('|')).collect()
}

/// Writes a number with commas between thousands.
fn commas(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

fn failures(policy: Policy) -> String {
    format!("{}; {} s to {} s", policy.free, policy.first.as_secs(), policy.most.as_secs())
}

#[test]
fn every_limit_is_the_one_in_the_code() {
    let spare = commas(CONNECTIONS_SPARE as u64);
    let stay = format!("{} s, then who came first makes room", STAY.as_secs());
    let requests = format!("{}; {REQUESTS_MAX}", commas(PULLS_MAX));
    let (invites_max, at_once) = (commas(INVITES_MAX as u64), commas(INVITES_PER_COMMAND_MAX));
    let invites = format!("{invites_max}; {at_once}; 1 to {INVITE_DAYS_MAX} days");
    let expected = [
        ("idle connection", format!("{} s", IDLE_TIMEOUT.as_secs())),
        (
            "streams of a connection",
            format!("{BIDI_STREAMS_MAX} from the client, none from the server"),
        ),
        (
            "window of a stream, of a connection",
            format!("{} KiB, {} KiB", STREAM_WINDOW_BYTES >> 10, CONNECTION_WINDOW_BYTES >> 10),
        ),
        ("a handshake", format!("{} s", HANDSHAKE.as_secs())),
        (
            "handshakes under way; from then on an address must prove itself (Retry)",
            format!("{HANDSHAKES_MAX}; {HANDSHAKES_RETRY}"),
        ),
        (
            "attempts to connect that wait for a handshake, the newest first",
            format!("as many as connections, each {} ms", WAITS.as_millis()),
        ),
        ("connections", format!("2 · `seats_max` and {spare} more")),
        ("the stay of a stranger, once all connections or handshakes are taken", stay),
        ("a step between sign-in and seat", format!("{} s", STEP.as_secs())),
        (
            "clients that wait for the next round",
            format!("`seats_max` and {} more", commas(JOINING_SPARE as u64)),
        ),
        ("frames that wait for a client before it is closed", FRAMES_WAITING_MAX.to_string()),
        (
            "failed sign-ins under a name from one address before delays; delays",
            failures(PER_NAME_HERE),
        ),
        (
            "failed sign-ins under a name from all addresses before delays; delays",
            failures(PER_NAME),
        ),
        ("failures of an address before delays; delays", failures(PER_ADDRESS)),
        (
            "failures remembered after the last one",
            format!("{0} to {1} minutes", REMEMBERED.as_secs() / 60, REMEMBERED.as_secs() / 30),
        ),
        (
            "accounts that an address can register at once",
            format!("those of {} minutes", REGISTRATIONS_SAVED.as_secs() / 60),
        ),
        ("session tokens of an account", TOKENS_PER_ACCOUNT_MAX.to_string()),
        (
            "records of the directory, one for each registration and each deletion; for deletions only",
            format!("{}; the last {}", commas(DIRECTORY_MAX), commas(DELETIONS_RESERVED)),
        ),
        ("signatures of directory pages kept in memory", commas(SIGNATURES_MAX as u64)),
        ("pulls between sign-in and seat; other requests", requests),
        (
            "the second step of a password change or a deletion",
            format!("within `sign_in_ms` and {SECOND_STEP_ROUNDS} rounds"),
        ),
        ("invitation codes that wait to be used; of one command; their life", invites),
        (
            "files that the process may have open (`ulimit -n`)",
            format!("at least {OPEN_FILES_MIN}, or it does not start"),
        ),
    ];
    let expected = expected.map(|(limit, value)| format!("| {limit} | {value} |"));
    assert_eq!(limits(), expected);
}

/// Returns the rows of limits but the last one, which is the socket's.
fn limits() -> Vec<String> {
    let document = document();
    let mut found = rows(&document, "| limit | value |");
    let buffers = found.pop().unwrap();
    let asked = format!("| socket buffers | asks for {} MiB; ", SOCKET_BUFFER_BYTES >> 20);
    assert!(buffers.starts_with(&asked), "{buffers}");
    found.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_setting_is_there_with_its_default_and_its_most() {
    let defaults = Config::new("iirs-data", "0.0.0.0:4433".parse().unwrap()).to_string();
    let document = document();
    let documented = rows(&document, "| key | default | meaning |");
    let keys = documented.iter().map(|row| row.split('`').nth(1).unwrap());
    let in_file = defaults.lines().map(|line| line.trim_start_matches("# "));
    let settings: Vec<_> = in_file.filter_map(|line| line.split_once(" = ")).collect();
    assert_eq!(keys.collect::<Vec<_>>(), settings.iter().map(|at| at.0).collect::<Vec<_>>());
    for (row, (key, value)) in documented.iter().zip(settings) {
        let default = row.split('|').nth(2).unwrap().trim().trim_matches('`');
        // These have none.
        if key != "public" && key != "metrics" {
            assert_eq!(default, value.trim_matches('"'), "{key}");
        }
    }
    let row = |key: &str| documented.iter().find(|row| row.contains(&format!("`{key}`"))).unwrap();
    assert!(row("seats_max").contains(&format!("up to {}", commas(SEATS_MAX))));
    assert!(row("registrations_per_hour").contains(&commas(REGISTRATIONS_MAX)));
    assert!(row("slots").contains(&format!("1 to {SLOTS_MAX}")));
    for (key, least, most) in
        [("round_ms", ROUND_MS_MIN, ROUND_MS_MAX), ("sign_in_ms", 1000, 120_000)]
    {
        let range = format!("{} to {}", commas(least), commas(most));
        assert!(row(key).contains(&range), "{key}");
        let config = |value| {
            let mut config = Config::new("d", "0.0.0.0:1".parse().unwrap());
            *(if key == "round_ms" { &mut config.round_ms } else { &mut config.sign_in_ms }) =
                value;
            config.check().is_ok()
        };
        assert!(config(least) && config(most) && !config(least - 1) && !config(most + 1), "{key}");
    }
}

/// Files whose errors go to clients, whose program words them itself.
const TO_CLIENTS: [&str; 4] =
    ["accounts.rs", "store/account.rs", "store/deletion.rs", "store/vault.rs"];

/// Reads the text of a string literal, up to its end: lines joined, values as `…`.
fn literal(code: &str) -> String {
    let (mut text, mut chars) = (String::new(), code.chars());
    while let Some(char) = chars.next() {
        match char {
            '"' => break,
            '{' => {
                text.push('…');
                chars.by_ref().find(|&char| char == '}');
            }
            '\\' => match chars.next() {
                Some('\n') => {
                    let rest = chars.as_str().trim_start();
                    chars = rest.chars();
                }
                Some('n') => text.push(' '),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text.replace('`', "")
}

/// Collects what the errors of a file or directory say.
fn messages(path: &Path, found: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            messages(&entry.unwrap().path(), found);
        }
        return;
    }
    if TO_CLIENTS.iter().any(|file| path.ends_with(file)) {
        return;
    }
    let code = std::fs::read_to_string(path).unwrap();
    let code = code.split("#[cfg(test)]\nmod tests").next().unwrap();
    for begin in ["#[error(", "bail!(", ".context("] {
        for (at, _) in code.match_indices(begin) {
            let rest = code[at + begin.len()..].trim_start();
            if let Some(rest) = rest.strip_prefix('"') {
                found.push(literal(rest));
            }
        }
    }
}

#[test]
fn every_error_of_the_program_is_explained() {
    let mut said = Vec::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    messages(&sources.join("src"), &mut said);
    messages(&sources.join("../migrations/src/lib.rs"), &mut said);
    said.retain(|message| message != "…");
    assert!(said.len() > 30, "{said:#?}");
    let document = document();
    let rows = rows(&document, "| message | what to do |");
    let rows = rows.iter().map(|row| row.split('`').nth(1).unwrap());
    let known: Vec<_> = rows.map(|row| row.trim_end_matches('…').trim_end()).collect();
    said.retain(|message| !known.iter().any(|row| message.starts_with(row) && !row.is_empty()));
    assert!(said.is_empty(), "docs/operations.md, \"What errors mean\", lacks: {said:#?}");
}

#[test]
fn the_numbers_in_the_text_are_those_in_the_code() {
    assert_eq!(connections_max(1000), 2000 + CONNECTIONS_SPARE);
    let document = document();
    let stop_s = STOP.as_secs() + 1;
    assert_eq!(ROUNDS_LATE, 3);
    for said in [
        format!("exit 0 within {stop_s} s"),
        format!("Cache {} MiB", CACHE_BYTES >> 20),
        format!("stands still for {STUCK_S} s"),
        format!("and {} hours after the last one", SCRUB_EVERY.as_secs() / 3600),
        format!("valid for {} days", LEAF_LIFE.as_secs() / 86_400),
        format!("after the handshake is {} bytes", commas(PACKET)),
        format!("`migrations/fixtures/v{}.hex`", migrations::VERSION),
        format!(
            "{} KiB and {HEADERS_MAX} headers at most, in {} s",
            HEAD_BYTES_MAX >> 10,
            PATIENCE.as_secs()
        ),
        format!("{HTTP_CONNECTIONS_MAX} connections at once"),
        format!("in the last three rounds' time, {} s at least", LATE_MIN.as_secs()),
    ] {
        assert!(document.contains(&said), "{said}");
    }
}

/// What the workspace is made of, and what replaces crates of others, is in the image before it is built.
#[test]
fn the_container_file_copies_all_that_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let container = read("packaging/Containerfile");
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap().iter();
    let patches = manifest["patch"]["crates-io"].as_table().unwrap().values();
    let paths = members.chain(patches.map(|patch| &patch["path"]));
    let folders: std::collections::BTreeSet<_> =
        paths.map(|path| path.as_str().unwrap().split('/').next().unwrap()).collect();
    assert!(folders.contains("third_party") && folders.contains("server"), "{folders:?}");
    for folder in folders {
        assert!(container.contains(&format!("COPY {folder} {folder}\n")), "{folder} is missing");
    }
}
