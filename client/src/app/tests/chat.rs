//! People, messages and what stands in their way.

use client_link::api::{
    About, Author, Command, ErrorCode, Event, HistoryEntry, MessageState, UnderWay,
};
use iced::keyboard::Modifiers;
use iced::keyboard::key::Named;
use wire::ids::MessageId;
use wire::size::TEXT_MAX;

use crate::{present, words};

use super::*;

#[test]
fn a_message_goes_from_the_field_to_delivered() {
    let mut window = signed_in();
    open_bob(&mut window);
    assert!(!window.has("person-ann"), "nobody talks to himself");
    window.type_into("composer", "hi bob");
    window.press("composer", Named::Enter, Modifiers::SHIFT);
    window.type_into("composer", "two");
    window.press("composer", Named::Enter, Modifiers::empty());
    let (label, text) = sent(&window);
    assert_eq!(text, "hi bob\ntwo");
    window.click("send");
    assert!(window.commands().is_empty(), "an empty field sends nothing");
    let time = present::time(window.app.here.unix_ms, &window.app.here);
    assert!(window.shows(&format!("{time} · being saved")));
    for (is, round, words) in [
        (MessageState::Queued, None, "waiting for bob to be online"),
        (MessageState::Sent, Some(9), "in round 9"),
        (MessageState::Delivered, Some(10), "delivered"),
        (MessageState::Sent, Some(9), "delivered"),
    ] {
        window.tell(state(&label, is, round));
        assert!(window.shows("hi bob\ntwo") && window.shows(&format!("{time} · {words}")));
    }
    window.tell(message(1, "bob", "hi ann"));
    assert!(window.shows("hi ann"));
}

#[test]
fn the_parts_of_a_long_message_are_counted_until_it_is_delivered() {
    let mut window = signed_in();
    open_bob(&mut window);
    let send = |window: &mut Window, text: &str| {
        window.type_into("composer", text);
        window.click("send");
        let label = sent(window).0;
        window.tell(state(&label, MessageState::Queued, None));
        label
    };
    let label = send(&mut window, &"long ".repeat(200));
    send(&mut window, "the next one");
    let time = present::time(window.app.here.unix_ms, &window.app.here);
    for arrived in [0, 3] {
        let Event::Status(mut status) = status(&[("bob", true)]) else { unreachable!() };
        let parts = UnderWay { label: label.clone(), arrived, parts: 4 };
        status.conversations[0].under_way = Some(parts);
        window.tell(Event::Status(status));
        assert!(window.shows(&format!("{time} · {arrived} of 4 parts delivered")));
        assert!(window.shows(&format!("{time} · queued, 1 ahead")), "the next one waits");
    }
    window.tell(state(&label, MessageState::Delivered, Some(9)));
    assert!(window.shows(&format!("{time} · delivered")), "whatever was counted before");
}

#[test]
fn two_presses_of_send_are_one_message() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "once");
    window.double_click("send");
    assert_eq!(sent(&window).1, "once");
}

#[test]
fn messages_for_a_conversation_that_is_not_shown_are_counted() {
    let mut window = signed_in();
    for number in 1..=3 {
        window.tell(message(number, "cid", "psst"));
    }
    window.tell(message(3, "cid", "psst"));
    assert!(window.shows("3") && !window.has("messages"));
    assert_eq!(window.app.title(), "(3) ann – iirs");
    window.click("person-cid");
    assert!(window.shows("psst") && !window.shows("3"));
}

#[test]
fn a_refused_message_says_why_and_comes_back_into_the_field() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "precious");
    window.click("send");
    let (label, _) = sent(&window);
    let about = About { peer: Some("bob".into()), label: Some(label) };
    window.tell(error(ErrorCode::QueueFull, about));
    window.type_into("composer", "next");
    window.click("again");
    window.click("send");
    assert_eq!(sent(&window).1, "next\nprecious");
}

#[test]
fn what_stands_in_the_way_of_a_conversation_is_said_in_it() {
    let mut window = signed_in();
    open_bob(&mut window);
    let about = || About { peer: Some("bob".into()), label: None };
    window.tell(error(ErrorCode::TooManyConversations, about()));
    assert!(window.shows("Too-many-conversations happened."));
    window.tell(status(&[]));
    window.click("person-bob");
    assert!(window.commands() == [Command::Open { peer: "bob".into() }], "it is tried again");
    window.tell(status(&[("bob", true)]));
    assert!(window.shows(words::main::LIVE));
    window.tell(error(ErrorCode::KeyChanged, about()));
    assert!(window.shows(words::main::KEY_CHANGED) && !window.shows(words::main::LIVE));
}

/// Twelve groups, each of its own: 00100, 00101 and so on.
fn digits() -> String {
    (100..112).map(|group| format!("{group:05}")).collect()
}

fn safety_number(peer: &str) -> Event {
    Event::SafetyNumber { peer: peer.into(), digits: digits() }
}

#[test]
fn a_safety_number_stands_in_place_of_the_messages_until_it_is_read() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "hi ann"));
    window.double_click("safety-number");
    assert!(window.commands() == [Command::SafetyNumber { peer: "bob".into() }], "asked once");
    assert!(window.shows("hi ann") && !window.has("back"), "until the engine has answered");
    window.tell(safety_number("bob"));
    for group in 100..112 {
        assert!(window.shows(&format!("{group:05}")), "{group}");
    }
    assert!(window.shows(&words::main::safety_compare("bob")));
    assert!(window.shows(words::main::SAFETY_EQUAL) && window.has("safety-code"));
    assert!(!window.has("messages") && window.has("composer"));
    window.click("safety-number");
    assert!(window.commands().is_empty() && window.has("safety-code"));
    window.click("back");
    assert!(window.shows("hi ann") && !window.has("safety-code"));
    window.click("safety-number");
    window.tell(safety_number("bob"));
    window.update(Message::Pressed(Shortcut::Escape));
    assert!(window.shows("hi ann") && !window.has("safety-code"));
}

#[test]
fn a_safety_number_is_of_the_one_who_was_asked_about_and_not_shown_late() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.click("safety-number");
    window.click("person-cid");
    window.tell(safety_number("bob"));
    assert!(!window.has("safety-code"), "it is bob's");
    window.click("person-bob");
    assert!(!window.has("safety-code"), "he is opened for what he wrote");
    window.tell(safety_number("bob"));
    assert!(!window.has("safety-code"), "nobody asked again");
}

#[test]
fn without_a_safety_number_it_is_said_why() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.click("safety-number");
    let about = About { peer: Some("bob".into()), label: None };
    window.tell(error(ErrorCode::KeyChanged, about.clone()));
    assert!(window.shows(&words::main::key_changed("bob")));
    window.tell(safety_number("bob"));
    assert!(!window.has("safety-code"));
    let mut window = signed_in();
    open_bob(&mut window);
    window.click("safety-number");
    window.tell(safety_number("bob"));
    window.tell(error(ErrorCode::KeyChanged, about));
    assert!(!window.has("safety-code"), "no number stays beside the warning");
}

#[test]
fn the_history_comes_in_pages_and_in_front() {
    let mut window = signed_in();
    window.click("person-bob");
    let _ = window.commands();
    window.tell(message(9, "bob", "nine"));
    let theirs = |cursor: u64| HistoryEntry {
        cursor,
        author: Author::Peer { id: MessageId([cursor as u8; 8]), round: 1 },
        text: if cursor == 9 { "nine".into() } else { format!("old {cursor}") },
        sent_ms: 0,
    };
    let page = |before, cursors: [u64; 2], more| Event::History {
        peer: "bob".into(),
        before,
        entries: cursors.map(theirs).to_vec(),
        more,
    };
    window.tell(page(None, [9, 8], true));
    assert!(window.shows("old 8") && window.shows("nine"));
    window.double_click("older");
    let older = Command::History { peer: "bob".into(), before: Some(8), max: 50 };
    assert!(window.commands() == [older], "one page at a time");
    window.tell(page(Some(8), [7, 6], false));
    assert!(window.shows("old 6") && !window.has("older"));
}

#[test]
fn a_history_that_cannot_be_read_is_said_and_read_again() {
    let mut window = signed_in();
    window.click("person-bob");
    let _ = window.commands();
    let about = || About { peer: Some("bob".into()), label: None };
    window.tell(error(ErrorCode::Disk, about()));
    assert!(window.shows("Disk happened.") && !window.shows(words::main::LOADING));
    window.click("person-bob");
    assert!(!window.shows("Disk happened.") && window.commands().len() == 2);
}

#[test]
fn search_and_enter_open_the_first_that_is_found() {
    let mut window = signed_in();
    window.type_into("search", "CI");
    assert!(window.has("person-cid") && !window.has("person-bob"));
    window.press("search", Named::Enter, Modifiers::empty());
    let history = Command::History { peer: "cid".into(), before: None, max: 50 };
    assert!(window.commands() == [history], "who is no contact is not woken");
    assert!(window.has("person-bob"), "the search is over");
    window.tell(status(&[("zoe", true)]));
    window.tell(Event::Listed { names: vec!["zo".into(), "cidy".into()] });
    window.type_into("search", "zo");
    window.press("search", Named::Enter, Modifiers::empty());
    let opened = |commands: Vec<Command>| match commands.first() {
        Some(Command::History { peer, .. } | Command::Open { peer }) => peer.clone(),
        _ => String::new(),
    };
    assert_eq!(opened(window.commands()), "zoe", "whom one talks with comes before strangers");
    window.type_into("search", "c");
    window.press("search", Named::Enter, Modifiers::empty());
    assert!(window.commands().is_empty(), "neither of two strangers is meant for sure");
    window.type_into("search", "idy");
    window.press("search", Named::Enter, Modifiers::empty());
    assert_eq!(opened(window.commands()), "cidy");
    window.type_into("search", "nobody of this name");
    assert!(window.shows(words::main::NOBODY_FOUND));
    window.press("search", Named::Enter, Modifiers::empty());
    assert!(window.commands().is_empty());
}

#[test]
fn of_a_long_message_more_is_shown_step_by_step() {
    let mut window = signed_in();
    open_bob(&mut window);
    // no font has these, which is what costs most
    let rare: String = (0..200).filter_map(|it| char::from_u32(0x12000 + it)).collect();
    window.tell(message(1, "bob", &rare));
    assert!(window.has("more") && !window.shows(&rare));
    window.click("more");
    assert!(!window.has("more") && window.shows(&rare));
}

#[test]
fn notices_are_put_away_one_by_one() {
    let mut window = signed_in();
    for code in [ErrorCode::SlowDown, ErrorCode::ServerProtocol, ErrorCode::RoundRefused] {
        window.tell(error(code, About::default()));
        window.tell(error(code, About::default()));
    }
    window.tell(error(ErrorCode::DirectoryForked, About::default()));
    assert!(window.shows(&words::main::more_notices(1)));
    assert!(window.shows("Slow-down happened.") && !window.shows("Directory-forked happened."));
    window.click("notice");
    assert!(!window.shows("Slow-down happened.") && window.shows("Directory-forked happened."));
    assert!(window.shows("Server-protocol happened."));
}

#[test]
fn that_the_server_was_restored_stays_to_be_read_until_it_is_put_away() {
    let mut window = signed_in();
    for backed_up_ms in [1_790_000_000_000, u64::MAX] {
        window.tell(Event::ServerRestored { backed_up_ms, restored_ms: 5 });
    }
    let here = present::Here { unix_ms: 0, zone: jiff::tz::TimeZone::system() };
    let said = [1_790_000_000_000, u64::MAX].map(|at| present::moment(at, &here));
    let said = said.map(|moment| words::main::restored(&moment));
    assert!(said[0].contains(" 2026, ") && said[1].contains("an impossible time"), "{said:?}");
    for number in 0..3 {
        window.tell(Event::Round { number, seats: 2, missed: 0 });
    }
    assert!(said.iter().all(|words| window.shows(words)));
    window.click("notice");
    assert!(!window.shows(&said[0]) && window.shows(&said[1]));
}

#[test]
fn a_busy_engine_loses_nothing_that_was_written() {
    let mut window = signed_in();
    open_bob(&mut window);
    // nobody takes the commands: the channel fills
    for _ in 0..1100 {
        window.tell(Event::Round { number: 9, seats: 2, missed: 0 });
    }
    window.type_into("composer", "still here");
    window.click("send");
    assert!(window.shows(words::main::BUSY));
    let _ = window.commands();
    window.click("send");
    assert_eq!(sent(&window).1, "still here");
}

#[test]
fn a_message_that_is_too_long_stays_in_the_field() {
    use iced::widget::text_editor::{Action, Edit};
    let mut window = signed_in();
    open_bob(&mut window);
    let paste = |text: String| {
        let edit = Action::Edit(Edit::Paste(text.into()));
        Message::Main(crate::screen::main::Message::DraftEdited(edit))
    };
    for (pasted, words) in [
        ("x".repeat(10 << 20), words::main::TOO_MUCH),
        ("\n".repeat(20_000), words::main::TOO_MANY_LINES),
    ] {
        window.update(paste(pasted));
        assert!(window.shows(words));
        window.click("notice");
    }
    window.update(paste("x".repeat(TEXT_MAX + 1)));
    window.click("send");
    assert!(window.shows(words::main::TOO_LONG) && window.commands().is_empty());
    window.press("composer", Named::Backspace, Modifiers::empty());
    window.click("send");
    assert_eq!(sent(&window).1.len(), TEXT_MAX);
}

#[test]
fn hostile_texts_are_shown_plainly_and_sent_as_they_are() {
    let mut window = signed_in();
    open_bob(&mut window);
    for (number, text) in
        [" ", "\u{202e}abc\0\u{1b}[2J", "شلوم שלום", "\u{200b}", "🏳️‍🌈🏳️‍🌈", &"w".repeat(TEXT_MAX)]
            .into_iter()
            .enumerate()
    {
        window.tell(message(number as u8, "bob", text));
    }
    assert!(window.shows("\u{fffd}abc\u{fffd}\u{fffd}[2J"));
    window.type_into("composer", "\u{202e}שלום");
    window.click("send");
    assert_eq!(sent(&window).1, "\u{202e}שלום");
}
