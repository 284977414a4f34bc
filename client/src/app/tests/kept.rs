//! What is kept on this machine: drafts, searches, histories, and the lock.

use std::path::PathBuf;

use client_link::api::{
    Author, Command, Event, ExportFormat, HistoryEntry, Hit, Local, LocalEvent, MessageState,
};
use iced::keyboard::Modifiers;
use iced::keyboard::key::Named;
use wire::ids::MessageId;

use crate::screen::main::{self, Find, Pick};
use crate::words::main as said;

use super::*;

fn do_main(window: &mut Window, message: main::Message) {
    window.update(Message::Main(message));
}

fn local(window: &mut Window, event: LocalEvent) {
    window.tell(Event::Local(event));
}

#[test]
fn a_draft_is_kept_at_once_and_then_not_too_often() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "hello");
    let told = window.drafts();
    assert_eq!(told.first(), Some(&("bob".into(), "h".into())), "the first letter goes at once");
    assert!(told.len() < 5, "not each letter");
    assert!(window.app.main_screen().has_loose_drafts());
    window.click("person-cid");
    assert_eq!(window.drafts(), [("bob".into(), "hello".into())], "he is left");
    window.click("person-bob");
    window.click("send");
    assert_eq!(window.drafts(), [("bob".into(), String::new())], "it is sent");
}

#[test]
fn the_last_keystrokes_are_kept_when_the_window_closes() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "hello");
    let _ = window.drafts();
    window.update(Message::Terminated);
    assert_eq!(window.drafts(), [("bob".into(), "hello".into())]);
}

#[test]
fn what_was_drafted_before_fills_fields_that_are_empty() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "newer");
    let drafts = [("bob", "older"), ("cid", "hi cid")];
    let drafts = drafts.map(|(peer, text)| (peer.to_owned(), text.to_owned())).to_vec();
    local(&mut window, LocalEvent::Drafts { drafts });
    window.click("send");
    assert_eq!(sent(&window).1, "newer");
    window.click("person-cid");
    let _ = window.commands();
    window.click("send");
    match &window.commands()[..] {
        [Command::Call { .. }, Command::Send { text, .. }] => assert_eq!(text, "hi cid"),
        commands => panic!("{} commands", commands.len()),
    }
}

#[test]
fn an_emoji_is_written_where_the_cursor_is() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "ab");
    window.press("composer", Named::ArrowLeft, Modifiers::empty());
    window.click("emoji");
    window.type_into("composer", "beer");
    window.press("composer", Named::Enter, Modifiers::empty());
    assert!(!window.has("emoji-0"), "the panel is put away");
    window.click("send");
    let text = sent(&window).1;
    assert!(text.contains('🍺') && text.len() == 6, "{text}");
    do_main(&mut window, main::Message::Emoji(Pick::Toggle));
    window.click("emoji-1");
    window.click("send");
    assert_eq!(sent(&window).1, "😄");
}

fn hit(cursor: u64, text: &str) -> Hit {
    Hit { peer: "bob".into(), cursor, is_ours: false, text: text.into(), sent_ms: 0 }
}

fn entry(cursor: u64) -> HistoryEntry {
    let author = Author::Peer { id: MessageId(cursor.to_be_bytes()), round: 1 };
    HistoryEntry { cursor, author, text: format!("text {cursor}"), sent_ms: cursor }
}

fn page(before: u64, cursors: std::ops::RangeInclusive<u64>, more: bool) -> Event {
    let entries = cursors.rev().map(entry).collect();
    Event::History { peer: "bob".into(), before: Some(before), entries, more }
}

#[test]
fn a_search_leads_to_what_it_found_however_far_back_that_is() {
    let mut window = signed_in();
    window.click("person-bob");
    let _ = window.commands();
    let entries = (951..=1000).rev().map(entry).collect();
    window.tell(Event::History { peer: "bob".into(), before: None, entries, more: true });
    window.update(Message::Pressed(Shortcut::FindHere));
    window.type_into("find", "ne");
    let peer = Some("bob".to_owned());
    let search = |number, text: &str| {
        Command::Local(Local::Search { number, text: text.into(), peer: peer.clone() })
    };
    assert!(window.commands() == [search(1, "n"), search(2, "ne")]);
    let found = |number, hits, read, done| LocalEvent::Found { number, hits, read, of: 1000, done };
    local(&mut window, found(1, vec![hit(1, "of another search")], 5, false));
    local(&mut window, found(2, vec![hit(990, "a needle")], 500, false));
    assert!(window.shows(&said::searching(1, 500, 1000)));
    local(&mut window, found(2, vec![hit(700, "one more")], 1000, true));
    assert!(window.shows(&said::hit(1, 2)) && window.has("hit-1") && !window.has("hit-2"));
    window.press("find", Named::Enter, Modifiers::empty());
    assert!(window.has("messages") && window.commands().is_empty(), "that one is loaded");
    do_main(&mut window, main::Message::Stepped { back: false });
    let older = |before| Command::History { peer: "bob".into(), before: Some(before), max: 256 };
    assert!(window.commands() == [older(951)] && window.shows(said::LOADING));
    window.tell(page(951, 701..=950, true));
    assert!(window.commands() == [older(701)]);
    window.tell(page(701, 601..=700, true));
    assert!(window.shows("text 700") && window.shows(&said::hit(2, 2)));
    assert!(!window.shows("text 950"), "only what is around it is made");
    window.update(Message::Pressed(Shortcut::Escape));
    assert!(window.commands() == [Command::Local(Local::StopSearch)] && !window.has("find"));
}

#[test]
fn a_search_in_all_opens_the_conversation_of_a_hit() {
    let mut window = signed_in();
    window.update(Message::Pressed(Shortcut::FindEverywhere));
    window.type_into("find", "x");
    let search = Local::Search { number: 1, text: "x".into(), peer: None };
    assert!(window.commands() == [Command::Local(search)]);
    let nothing = LocalEvent::Found { number: 1, hits: vec![], read: 9, of: 9, done: true };
    local(&mut window, nothing);
    assert!(window.shows(said::NOT_FOUND));
    let hits = vec![hit(7, "text 7")];
    local(&mut window, LocalEvent::Found { number: 1, hits, read: 9, of: 9, done: true });
    window.click("hit-0");
    let history = Command::History { peer: "bob".into(), before: None, max: 50 };
    assert!(window.commands() == [Command::Open { peer: "bob".into() }, history]);
    let entries = (1..=9).rev().map(entry).collect();
    window.tell(Event::History { peer: "bob".into(), before: None, entries, more: false });
    assert!(window.shows("text 7") && !window.shows(said::LOADING));
    do_main(&mut window, main::Message::Find(Find::End));
    assert!(!window.has("find"));
}

#[test]
fn out_of_the_rounds_from_the_start_there_is_a_banner() {
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", PASSWORD);
    window.click("sign-in");
    window.tell(Event::SignedIn { user: "ann".into() });
    assert!(!window.shows(said::LOST), "it was not tried yet");
    window.tell(Event::RetryIn { ms: 8000 });
    assert!(window.shows(said::LOST) && window.has("retry"));
}

#[test]
fn the_chosen_hit_is_always_among_those_that_are_seen_first() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.update(Message::Pressed(Shortcut::FindHere));
    window.type_into("find", "x");
    let hits = (0..300).map(|cursor| hit(cursor, "x")).collect();
    local(&mut window, LocalEvent::Found { number: 1, hits, read: 9, of: 9, done: true });
    assert!(window.has("hit-199") && !window.has("hit-200"), "there is a limit");
    for _ in 0..9 {
        do_main(&mut window, main::Message::Stepped { back: false });
    }
    assert!(window.shows(&said::hit(10, 200)) && window.has("hit-7") && !window.has("hit-6"));
    for _ in 0..5 {
        do_main(&mut window, main::Message::Stepped { back: true });
    }
    assert!(window.shows(&said::hit(5, 200)) && window.has("hit-4") && !window.has("hit-3"));
}

#[test]
fn a_hit_that_is_gone_is_said_to_be() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.update(Message::Pressed(Shortcut::FindHere));
    window.type_into("find", "x");
    let hits = vec![hit(7, "text 7")];
    local(&mut window, LocalEvent::Found { number: 1, hits, read: 9, of: 9, done: true });
    window.click("hit-0");
    assert!(window.shows(said::HIT_GONE));
}

#[test]
fn a_history_is_written_to_a_file_after_two_questions() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.click("menu");
    window.click("export-json");
    window.click("confirm");
    assert!(window.commands().is_empty() && window.shows(said::ASK_EXPORT_SURE));
    window.click("confirm");
    match &window.commands()[..] {
        [Command::Local(Local::Export { peer, format, file })] => {
            assert!(peer.as_deref() == Some("bob") && *format == ExportFormat::Json);
            assert!(file.is_absolute());
        }
        commands => panic!("{} commands", commands.len()),
    }
    local(&mut window, LocalEvent::Exporting { done: 500, of: 1000 });
    assert!(window.shows(&said::exporting(500, 1000)));
    let file = PathBuf::from("/home/ann/iirs-bob.jsonl");
    local(&mut window, LocalEvent::Exported { file, messages: 1000 });
    assert!(window.shows(&said::exported(1000, "/home/ann/iirs-bob.jsonl")));
    assert!(!window.shows(&said::exporting(500, 1000)));
}

#[test]
fn a_history_is_deleted_after_two_questions_and_is_gone_from_the_screen() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "secret"));
    window.click("menu");
    window.click("delete-history");
    window.click("confirm");
    window.click("confirm");
    let peer = Some("bob".to_owned());
    assert!(window.commands() == [Command::Local(Local::DeleteHistory { peer: peer.clone() })]);
    assert!(window.shows("secret"), "until the engine has done it");
    local(&mut window, LocalEvent::HistoryDeleted { peer });
    assert!(!window.shows("secret"));
    // what is not delivered is still there
    let history = Command::History { peer: "bob".into(), before: None, max: 50 };
    assert!(window.commands() == [history]);
    window.tell(Event::History { peer: "bob".into(), before: None, entries: vec![], more: false });
    assert!(window.shows(said::EMPTY));
}

#[test]
fn what_was_refused_is_kept_as_a_draft_and_outlives_a_lock() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "precious");
    window.click("send");
    let (label, _) = sent(&window);
    let _ = window.drafts();
    let about = About { peer: Some("bob".into()), label: Some(label) };
    window.tell(error(ErrorCode::QueueFull, about));
    assert!(window.app.main_screen().has_loose_drafts());
    window.update(Message::Pressed(Shortcut::Lock));
    assert_eq!(window.drafts(), [("bob".into(), "precious".into())]);
    assert!(!window.app.main_screen().has_loose_drafts(), "nothing is told while it is locked");
}

#[test]
fn a_draft_that_the_engine_does_not_keep_is_asked_about_before_the_end() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.update(Message::CloseRequested);
    window.click("stay");
    window.type_into("composer", "precious");
    let about = About { peer: Some("bob".into()), label: None };
    let _ = (window.drafts(), window.commands());
    window.update(Message::CloseRequested);
    assert!(window.commands() == [Command::Quit], "it was kept");
    let mut window = signed_in();
    open_bob(&mut window);
    window.update(Message::CloseRequested);
    window.click("stay");
    window.type_into("composer", &"long ".repeat(7));
    window.tell(error(ErrorCode::QueueFull, about));
    assert_eq!(window.app.main_screen().unkept(), ["bob"]);
}

#[test]
fn what_comes_while_nobody_looks_is_not_read() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.update(Message::Focused(false));
    window.tell(message(1, "bob", "psst"));
    assert_eq!(window.app.title(), "(1) ann – iirs");
    window.update(Message::Focused(true));
    assert_eq!(window.app.title(), "ann – iirs");
    assert!(window.shows(&said::unread(1)), "where it begins is marked");
}

#[test]
fn whose_history_is_forgotten_is_said_in_the_head() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.click("menu");
    window.click("forget-on-exit");
    let forget = |forget| Local::ForgetOnExit { peer: "bob".into(), forget };
    assert!(window.commands() == [Command::Local(forget(true))] && !window.shows(said::FORGETS));
    local(&mut window, LocalEvent::Forgetful { peers: vec!["bob".into()] });
    assert!(window.shows(said::FORGETS));
    window.click("menu");
    window.click("forget-on-exit");
    assert!(window.commands() == [Command::Local(forget(false))]);
}

#[test]
fn a_lock_takes_everything_off_the_screen_and_still_counts() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "secret"));
    window.type_into("composer", "draft");
    let _ = window.drafts();
    window.app.with_main(|main, engine, now| main.lock(engine, now));
    assert_eq!(window.drafts(), [("bob".into(), "draft".into())]);
    assert!(!window.shows("secret"));
    local(&mut window, LocalEvent::Waits { peer: "bob".into() });
    local(&mut window, LocalEvent::Waits { peer: "cid".into() });
    assert_eq!(window.app.title(), "(2) ann – iirs");
    window.app.with_main(|main, engine, now| drop(main.unlock(engine, now)));
    let history = Command::History { peer: "bob".into(), before: None, max: 50 };
    let open = Command::Open { peer: "bob".into() };
    assert!(window.commands() == [Command::Status, open, history]);
    let drafts = vec![("bob".into(), "draft".into())];
    local(&mut window, LocalEvent::Drafts { drafts });
    let entries = vec![entry(2), entry(1)];
    window.tell(Event::History { peer: "bob".into(), before: None, entries, more: false });
    assert!(window.shows("text 1") && window.shows(&said::unread(1)));
    assert_eq!(window.app.title(), "(1) ann – iirs");
    window.click("send");
    assert_eq!(sent(&window).1, "draft");
}

#[test]
fn what_the_engine_has_not_confirmed_outlives_a_lock() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "precious");
    window.click("send");
    let (label, _) = sent(&window);
    window.app.with_main(|main, engine, now| main.lock(engine, now));
    assert_eq!(window.app.main_screen().unkept(), ["bob"]);
    window.tell(state(&label, MessageState::Queued, None));
    assert!(window.app.main_screen().unkept().is_empty() && !window.shows("precious"));
}
