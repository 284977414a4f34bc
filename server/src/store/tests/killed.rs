//! What was acknowledged survives a kill.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const CHILD_DIR: &str = "IIRS_STORE_TEST_CHILD_DIR";
const CHILD_WRITERS: &str = "IIRS_STORE_TEST_CHILD_WRITERS";
const NAMES_EACH: usize = 50;

/// Not a test of its own: the process that `killed_child` kills.
#[test]
fn child_that_registers_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let writers: u32 = std::env::var(CHILD_WRITERS).unwrap().parse().unwrap();
    let store = std::sync::Arc::new(SledStore::open(dir.as_ref(), ORIGIN).unwrap());
    run(async {
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..writers {
            let store = store.clone();
            tasks.spawn(async move {
                for i in 0..NAMES_EACH {
                    let text = format!("w{writer}n{i}");
                    store.register(new_account(&text), None).await.unwrap();
                    writeln!(std::io::stdout(), "\nacknowledged {text}").unwrap();
                }
            });
        }
        tasks.join_all().await
    });
    // Neither closes nor writes anything more: the kill comes, or the end of standard input.
    std::io::stdin().read_line(&mut String::new()).unwrap();
    std::process::exit(1);
}

/// Registers in a child process, kills it after so many names, and returns those acknowledged.
fn killed_child(dir: &Path, writers: u32, kill_after: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::killed::child_that_registers_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD_DIR, dir)
        .env(CHILD_WRITERS, writers.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // A line without its end was cut by the kill.
    while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        if let Some(text) = line.trim_end().strip_prefix("acknowledged ") {
            acknowledged.push(text.to_owned());
            if acknowledged.len() == kill_after {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= kill_after);
    acknowledged
}

fn assert_all_are_there(dir: &TempDir, acknowledged: &[String]) {
    let store = open(dir);
    for text in acknowledged {
        assert!(store.account(&name(text)).unwrap().is_some(), "{text}");
    }
    assert_log_is_whole(&store);
}

#[test]
fn acknowledged_names_survive_a_kill_amid_writes() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = killed_child(dir.path(), 8, 100);
    assert_all_are_there(&dir, &acknowledged);
}

#[test]
fn the_last_acknowledged_name_survives_a_kill_with_no_write_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = killed_child(dir.path(), 1, NAMES_EACH);
    assert_all_are_there(&dir, &acknowledged);
}
