//! Closing a client leaves nothing running. A program of its own, since it counts the threads of the
//! whole process.

use std::collections::BTreeSet;
use std::fs;

use client_link::api::Command;
use tests::world::{Person, World, soon};

/// What the server's runtime calls its threads here, so that they can be told from a client's.
const SERVER: &str = "of-the-server";

/// Threads of the process by number, with their names, but for those of the server's runtime, which come
/// and go with its work.
fn threads() -> BTreeSet<(String, String)> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux shows its threads").flatten();
    let named = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
        Some((task.file_name().to_string_lossy().into_owned(), name))
    });
    named.filter(|(_, name)| name != SERVER).collect()
}

fn has(threads: &BTreeSet<(String, String)>, wanted: &str) -> bool {
    threads.iter().any(|(_, name)| name == wanted)
}

async fn only(before: &BTreeSet<(String, String)>, when: &str) {
    let gone = async {
        // sled's own threads come and go with the server's work
        while !threads().iter().all(|it| before.contains(it) || it.1.contains("sled")) {
            tokio::task::yield_now().await;
        }
    };
    soon(&format!("the threads to end {when}; {before:?}, then {:?}", threads()), gone).await;
}

/// The original's window closed, and its threads went on.
#[test]
fn closing_leaves_no_thread_running() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(SERVER)
        .enable_all()
        .build()
        .expect("the system gives threads");
    runtime.block_on(async {
        let world = World::new().await;
        world.status().await;
        let before = threads();

        let ann = world.sign_up("ann").await;
        let during = threads();
        assert!(has(&during, "engine") && has(&during, "profile"), "{during:?}");
        ann.leaves().await;
        only(&before, "when asked to").await;

        let dropped = Person::begin(world.somebody("ann")).await;
        dropped.open("nobody").await;
        drop(dropped);
        only(&before, "when the program is gone").await;

        let mut drained = Person::begin(world.somebody("ann")).await;
        drained.command(Command::Drain { linger: false }).await;
        drained.ends().await;
        only(&before, "when drained").await;

        let mut wrong = world.somebody("ann");
        wrong.password.push('x');
        Person::start(wrong).ends().await;
        only(&before, "after a refusal").await;

        // Coming back, which also ends.
        let mut world = world;
        let lost = Person::begin(world.somebody("ann")).await;
        world.stop().await;
        lost.leaves().await;
        let engines = || threads().iter().any(|(_, name)| name == "engine" || name == "profile");
        let gone = async {
            while engines() {
                tokio::task::yield_now().await;
            }
        };
        soon("the threads of a client without a server to end", gone).await;
    });
}
