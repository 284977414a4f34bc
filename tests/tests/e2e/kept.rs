//! What is kept on this machine, through the engine: the lock, drafts, searches, exports, and what is deleted.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use client_link::api::{
    About, Author, Command, ErrorCode, Event, ExportFormat, HITS_MAX, Hit, Local, LocalEvent,
    MessageState,
};
use client_link::profile::Profile;
use tests::world::{Person, World};
use wire::account::Stretching;

async fn local(person: &Person, asked: Local) {
    person.command(Command::Local(asked)).await;
}

async fn hears_local<T>(
    person: &mut Person,
    from: usize,
    what: &str,
    mut pick: impl FnMut(&LocalEvent) -> Option<T>,
) -> T {
    person
        .hears(from, what, |event| match event {
            Event::Local(event) => pick(event),
            _ => None,
        })
        .await
}

async fn tells(person: &mut Person, from: usize, wanted: LocalEvent) {
    let what = format!("{wanted:?}");
    hears_local(person, from, &what, |event| (*event == wanted).then_some(())).await;
}

/// Waits for an error of this code; returns what it is about.
async fn refused(person: &mut Person, from: usize, wanted: ErrorCode) -> About {
    let refusal = |event: &Event| match event {
        Event::Error { code, about, .. } => (*code == wanted).then(|| about.clone()),
        _ => None,
    };
    person.hears(from, wanted.as_str(), refusal).await
}

/// Texts of the history with a peer, the newest first.
async fn texts(person: &mut Person, peer: &str) -> Vec<String> {
    let from = person.now();
    let asked = Command::History { peer: peer.to_owned(), before: None, max: 100 };
    person.command(asked).await;
    let answer = |event: &Event| match event {
        Event::History { entries, .. } => {
            Some(entries.iter().map(|entry| entry.text.clone()).collect())
        }
        _ => None,
    };
    person.hears(from, "the history", answer).await
}

fn unlock(password: &str) -> Local {
    Local::Unlock { password: password.as_bytes().to_vec().into() }
}

fn about(peer: &str) -> About {
    About { peer: Some(peer.to_owned()), label: None }
}

#[tokio::test]
async fn a_locked_history_tells_no_text_and_the_rounds_go_on() {
    let world = World::quick().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    ann.tells(&mut bob, "before").await;
    let mark = ann.now();
    local(&ann, Local::Lock).await;
    tells(&mut ann, mark, LocalEvent::Locked).await;

    bob.send("ann", "behind the lock", "b1").await;
    tells(&mut ann, mark, LocalEvent::Waits { peer: "bob".into() }).await;
    bob.delivers("b1").await;
    let asked = Command::History { peer: "bob".into(), before: None, max: 9 };
    let draft = Local::Draft { peer: "bob".into(), text: "x".into() };
    let everybody = Local::Search { number: 1, text: "x".into(), peer: None };
    for (command, whom) in [
        (asked, about("bob")),
        (Command::Local(draft), about("bob")),
        (Command::Local(everybody), About::default()),
        (Command::Local(Local::DeleteHistory { peer: Some("bob".into()) }), about("bob")),
    ] {
        let from = ann.now();
        ann.command(command).await;
        assert_eq!(refused(&mut ann, from, ErrorCode::Locked).await, whom);
    }
    let from = ann.now();
    ann.send("bob", "not now", "a1").await;
    let written = About { label: Some("a1".into()), ..about("bob") };
    assert_eq!(refused(&mut ann, from, ErrorCode::Locked).await, written);

    let from = ann.now();
    local(&ann, unlock("wrong")).await;
    refused(&mut ann, from, ErrorCode::WrongCredentials).await;
    assert_eq!(ann.texts(), Vec::<String>::new(), "no text is told");
    local(&ann, unlock("the password of ann")).await;
    local(&ann, unlock("the password of ann")).await;
    refused(&mut ann, from, ErrorCode::Busy).await;
    tells(&mut ann, from, LocalEvent::Unlocked).await;
    tells(&mut ann, from, LocalEvent::Drafts { drafts: vec![] }).await;
    assert_eq!(texts(&mut ann, "bob").await, ["behind the lock", "before"]);
    bob.send("ann", "after", "b2").await;
    ann.receives("after").await;
    assert!(!ann.was_lost());
    ann.leaves().await;
    bob.leaves().await;
}

#[tokio::test]
async fn a_program_that_ends_while_locked_loses_nothing() {
    let world = World::quick().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    let mark = ann.now();
    local(&ann, Local::Lock).await;
    bob.send("ann", "behind the lock", "b1").await;
    bob.delivers("b1").await;
    tells(&mut ann, mark, LocalEvent::Waits { peer: "bob".into() }).await;
    ann.leaves().await;
    let mut ann = Person::begin(world.somebody("ann")).await;
    assert_eq!(texts(&mut ann, "bob").await, ["behind the lock"]);
}

#[tokio::test]
async fn drafts_and_who_is_forgotten_are_told_at_the_start() {
    let world = World::quick().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    ann.tells(&mut bob, "to be forgotten").await;
    let mark = ann.now();
    tells(&mut ann, 0, LocalEvent::Drafts { drafts: vec![] }).await;
    local(&ann, Local::Draft { peer: "bob".into(), text: "half a sen".into() }).await;
    local(&ann, Local::Draft { peer: "bob".into(), text: "half a sentence".into() }).await;
    local(&ann, Local::Draft { peer: "bob".into(), text: "x".repeat(30 * 1024 + 1) }).await;
    assert_eq!(refused(&mut ann, mark, ErrorCode::TextTooLong).await, about("bob"));
    local(&ann, Local::Draft { peer: "no name".into(), text: "x".into() }).await;
    refused(&mut ann, mark, ErrorCode::UnknownPeer).await;
    local(&ann, Local::ForgetOnExit { peer: "bob".into(), forget: true }).await;
    tells(&mut ann, mark, LocalEvent::Forgetful { peers: vec!["bob".into()] }).await;
    assert_eq!(texts(&mut ann, "bob").await, ["to be forgotten"]);
    ann.leaves().await;

    let kept = || {
        let floor = Stretching::for_tests();
        Profile::unlock(&world.profile("ann"), b"the password of ann", &floor).ok().unwrap()
    };
    let drafts = vec![("bob".to_owned(), "half a sentence".to_owned())];
    assert_eq!(kept().profile.drafts().unwrap(), drafts);
    let mut ann = Person::begin(world.somebody("ann")).await;
    tells(&mut ann, 0, LocalEvent::Drafts { drafts }).await;
    tells(&mut ann, 0, LocalEvent::Forgetful { peers: vec!["bob".into()] }).await;
    assert_eq!(texts(&mut ann, "bob").await, Vec::<String>::new());
}

/// The hits of a search, and what its last word says of how much was read.
async fn found(person: &mut Person, asked: u64, text: &str, peer: Option<&str>) -> (Vec<Hit>, u64) {
    let from = person.now();
    let peer = peer.map(str::to_owned);
    local(person, Local::Search { number: asked, text: text.into(), peer }).await;
    let mut all = Vec::new();
    let read = hears_local(person, from, "the end of the search", |event| match event {
        LocalEvent::Found { number, hits, read, of, done } if *number == asked => {
            all.extend(hits.iter().cloned());
            assert!(read <= of);
            done.then_some(*read)
        }
        _ => None,
    });
    let read = read.await;
    (all, read)
}

#[tokio::test]
async fn a_search_finds_the_newest_first_whatever_the_case() {
    let world = World::quick().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    let mut cid = world.sign_up("cid").await;
    ann.open("cid").await;
    cid.open("ann").await;
    ann.tells(&mut bob, "Über den Fluß").await;
    cid.tells(&mut ann, "über alles").await;
    bob.tells(&mut ann, "nothing of it").await;

    let (hits, read) = found(&mut ann, 7, "ÜBER", None).await;
    let told: Vec<_> = hits.iter().map(|hit| (hit.peer.as_str(), hit.is_ours)).collect();
    assert_eq!((told, read), (vec![("cid", false), ("bob", true)], 3));
    assert_eq!(hits[1].text, "Über den Fluß");
    let page = Command::History { peer: "bob".into(), before: Some(hits[1].cursor + 1), max: 1 };
    let from = ann.now();
    ann.command(page).await;
    let at = |event: &Event| match event {
        Event::History { entries, .. } => Some(entries[0].text.clone()),
        _ => None,
    };
    assert_eq!(ann.hears(from, "the page", at).await, "Über den Fluß", "a hit can be jumped to");

    assert_eq!(found(&mut ann, 8, "über", Some("bob")).await.0.len(), 1);
    for (text, peer) in [("über", Some("nobody")), ("", None)] {
        let (hits, read) = found(&mut ann, 9, text, peer).await;
        assert_eq!((hits.len(), read), (0, 0));
    }
    let from = ann.now();
    local(&ann, Local::Search { number: 11, text: "x".repeat(257), peer: None }).await;
    refused(&mut ann, from, ErrorCode::TextTooLong).await;
}

/// Fills somebody's profile, who is not there, with messages of a peer.
fn fill(world: &World, who: &str, count: u64) {
    use client_core::record::{Change, Incoming};
    use wire::ids::{MessageId, Round};
    let floor = Stretching::for_tests();
    let password = format!("the password of {who}");
    let unlocked = Profile::unlock(&world.profile(who), password.as_bytes(), &floor).ok().unwrap();
    let (mut profile, peer) = (unlocked.profile, unlocked.saved.open[0].identity());
    let message = |number: u64| {
        let (id, text) = (MessageId(number.to_be_bytes()), format!("message {number}"));
        Change::Received(Incoming { id, peer, text, sent_ms: number, round: Round(number) })
    };
    profile.apply(&(1..=count).map(message).collect::<Vec<_>>()).unwrap();
}

#[tokio::test]
async fn a_search_ends_with_enough_hits_and_the_next_one_takes_its_place() {
    let world = World::quick().await;
    let (ann, _bob) = world.pair("ann", "bob").await;
    ann.leaves().await;
    fill(&world, "ann", 12_000);
    let mut ann = Person::begin(world.somebody("ann")).await;
    let (hits, read) = found(&mut ann, 1, "message", None).await;
    assert_eq!((hits.len(), read < 12_000), (HITS_MAX, true));
    assert_eq!(hits[0].text, "message 12000");
    // the first is not heard of any more once the second began
    let from = ann.now();
    let search = |number, text: &str| Local::Search { number, text: text.into(), peer: None };
    local(&ann, search(2, "not there")).await;
    local(&ann, search(3, "message 7")).await;
    let mut last = 0;
    hears_local(&mut ann, from, "the end of the search", |event| match event {
        LocalEvent::Found { number, done, .. } => {
            assert!(*number >= last, "an older search is heard");
            last = *number;
            (*done && *number == 3).then_some(())
        }
        _ => None,
    })
    .await;
    // one that is stopped says nothing more
    let from = ann.now();
    local(&ann, search(4, "not there")).await;
    local(&ann, Local::StopSearch).await;
    ann.sits_through(2).await;
    let ended = |event: &Event| {
        matches!(event, Event::Local(LocalEvent::Found { number: 4, done: true, .. }))
    };
    assert!(!ann.log()[from..].iter().any(ended));
}

async fn exports(person: &mut Person, peer: Option<&str>, format: ExportFormat, file: &Path) {
    let peer = peer.map(str::to_owned);
    local(person, Local::Export { peer, format, file: file.to_owned() }).await;
}

async fn exported(person: &mut Person, from: usize) -> u64 {
    let done = |event: &LocalEvent| match event {
        LocalEvent::Exported { messages, .. } => Some(*messages),
        _ => None,
    };
    hears_local(person, from, "the export", done).await
}

#[tokio::test]
async fn an_export_is_plain_the_oldest_first_and_for_the_owner_only() {
    let world = World::quick().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    ann.tells(&mut bob, "one\nin two lines").await;
    // who writes like this does not put words into ann's mouth, nor turn a terminal around
    let forged = "two\n2026-01-01 12:00:00 +01:00 ann to bob:\n\u{1b}[2J\u{202e}";
    bob.tells(&mut ann, forged).await;
    bob.tells(&mut ann, "two \"quoted\"").await;
    let dir = tempfile::tempdir().unwrap();
    let (text, json) = (dir.path().join("ann.txt"), dir.path().join("ann.json"));
    let from = ann.now();
    exports(&mut ann, Some("bob"), ExportFormat::Text, &text).await;
    assert_eq!(exported(&mut ann, from).await, 3);
    let written = std::fs::read_to_string(&text).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert!(lines[0].ends_with(" ann to bob:") && lines[0].starts_with("20"), "{written}");
    assert_eq!(lines[1..4], ["    one", "    in two lines", ""]);
    assert!(lines[4].ends_with(" bob to ann:"), "{written}");
    let shown = "    2026-01-01 12:00:00 +01:00 ann to bob:";
    assert_eq!(lines[5..9], ["    two", shown, "    \u{fffd}[2J\u{fffd}", ""]);
    assert_eq!(lines[10], "    two \"quoted\"");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no part is left");
    assert_eq!(text.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let from = ann.now();
    exports(&mut ann, None, ExportFormat::Json, &json).await;
    assert_eq!(exported(&mut ann, from).await, 3);
    let written = std::fs::read_to_string(&json).unwrap();
    let lines: Vec<serde_json::Value> =
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["text"], "one\nin two lines");
    assert_eq!((&lines[0]["ours"], &lines[0]["state"]), (&true.into(), &"delivered".into()));
    assert_eq!(lines[1]["text"], forged);
    assert_eq!((&lines[1]["peer"], &lines[1]["ours"]), (&"bob".into(), &false.into()));
    assert_eq!(lines[1]["is"], "message");

    // nothing is written over
    let from = ann.now();
    exports(&mut ann, None, ExportFormat::Text, &json).await;
    refused(&mut ann, from, ErrorCode::Disk).await;
    assert_eq!(std::fs::read_to_string(&json).unwrap(), written);
    let from = ann.now();
    exports(&mut ann, None, ExportFormat::Text, &dir.path().join("no/such/place")).await;
    refused(&mut ann, from, ErrorCode::Disk).await;
    exports(&mut ann, Some("nobody"), ExportFormat::Text, &dir.path().join("x")).await;
    refused(&mut ann, from, ErrorCode::UnknownPeer).await;
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn an_export_tells_how_far_it_is_and_one_that_fails_leaves_no_file() {
    let world = World::quick().await;
    let (ann, _bob) = world.pair("ann", "bob").await;
    ann.leaves().await;
    fill(&world, "ann", 2500);
    let mut ann = Person::begin(world.somebody("ann")).await;
    let dir = tempfile::tempdir().unwrap();
    let from = ann.now();
    exports(&mut ann, None, ExportFormat::Json, &dir.path().join("all")).await;
    assert_eq!(exported(&mut ann, from).await, 2500);
    let progress = ann.log()[from..].iter().filter_map(|event| match event {
        Event::Local(LocalEvent::Exporting { done, of }) => Some((*done, *of)),
        _ => None,
    });
    assert_eq!(progress.collect::<Vec<_>>(), [(1000, 2500), (2000, 2500)]);
    // a lock in the middle of one, or before it
    let cut = dir.path().join("cut");
    let from = ann.now();
    exports(&mut ann, None, ExportFormat::Text, &cut).await;
    local(&ann, Local::Lock).await;
    let ended = |event: &Event| match event {
        Event::Local(LocalEvent::Exported { .. }) => Some(true),
        Event::Error { code: ErrorCode::Locked, .. } => Some(false),
        _ => None,
    };
    let whole = ann.hears(from, "the end of the export", ended).await;
    ann.leaves().await;
    assert_eq!(cut.exists(), whole);
}

#[tokio::test]
async fn a_history_is_deleted_and_what_is_not_delivered_goes_on() {
    let world = World::quick().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    ann.tells(&mut bob, "old").await;
    bob.leaves().await;
    ann.send("bob", "waits", "a2").await;
    ann.has_come("a2", MessageState::Queued).await;
    let from = ann.now();
    local(&ann, Local::DeleteHistory { peer: Some("bob".into()) }).await;
    tells(&mut ann, from, LocalEvent::HistoryDeleted { peer: Some("bob".into()) }).await;
    assert_eq!(texts(&mut ann, "bob").await, ["waits"]);
    let from = ann.now();
    local(&ann, Local::DeleteHistory { peer: Some("nobody".into()) }).await;
    tells(&mut ann, from, LocalEvent::HistoryDeleted { peer: Some("nobody".into()) }).await;
    let mut bob = Person::begin(world.somebody("bob")).await;
    ann.delivers("a2").await;
    bob.receives("waits").await;
    let from = ann.now();
    local(&ann, Local::DeleteHistory { peer: None }).await;
    tells(&mut ann, from, LocalEvent::HistoryDeleted { peer: None }).await;
    assert_eq!(texts(&mut ann, "bob").await, Vec::<String>::new());
    ann.tells(&mut bob, "and on").await;
    let from = ann.now();
    ann.command(Command::History { peer: "bob".into(), before: None, max: 1 }).await;
    let delivered = |event: &Event| match event {
        Event::History { entries, .. } => {
            Some(matches!(entries[0].author, Author::Own { state: MessageState::Delivered, .. }))
        }
        _ => None,
    };
    assert!(ann.hears(from, "the history", delivered).await);
}
