//! Losing the server, signing out, closing, and what becomes of what was written.

use client_link::api::{About, Command, ConnectionState, ErrorCode, Event, Local, MessageState};
use wire::link::{Link, Pin};

use crate::fake::{Window, link};
use crate::remember::Remembered;
use crate::screen::connect;
use crate::words;

use super::*;

#[test]
fn closing_ends_the_cover_which_is_asked_about_once() {
    let mut window = signed_in();
    window.update(Message::CloseRequested);
    assert!(window.commands().is_empty() && window.shows(words::sheets::quit::ABOUT));
    window.click("stay");
    assert!(!window.shows(words::sheets::quit::ABOUT));
    window.update(Message::CloseRequested);
    assert!(window.commands() == [Command::Quit], "that was asked already");
    let mut window = signed_in();
    window.update(Message::CloseRequested);
    window.click("quit");
    assert!(window.commands() == [Command::Quit] && window.shows(words::LEAVING));
    let mut window = signed_in();
    window.update(Message::Terminated);
    assert!(window.commands() == [Command::Quit], "the system does not ask");
}

#[test]
fn whoever_does_not_want_to_be_asked_is_not_the_next_time_either() {
    let mut window = signed_in();
    window.update(Message::CloseRequested);
    window.click("unasked");
    assert!(window.has("quit"), "it is still asked now");
    window.click("quit");
    window.tell(Event::Ended { ok: true });
    assert!(window.has_exited && Remembered::read(window.dir.path()).quits_unasked);
    let Window { dir, .. } = window;
    let mut window = Window::open_with(dir, |_| ());
    window.type_into("name", "ann");
    sign_in_again(&mut window, PASSWORD);
    window.update(Message::CloseRequested);
    assert!(window.commands() == [Command::Quit]);
}

#[test]
fn the_window_can_be_locked_instead() {
    let mut window = signed_in();
    window.update(Message::CloseRequested);
    window.click("lock-instead");
    assert!(window.commands() == [Command::Local(Local::Lock)] && window.has("unlock"));
}

#[test]
fn out_of_the_rounds_there_is_a_banner_and_a_way_to_try_now() {
    let mut window = signed_in();
    open_bob(&mut window);
    assert!(window.shows("covered") && !window.has("retry"));
    window.tell(Event::Connection(ConnectionState::Lost));
    window.tell(Event::RetryIn { ms: 3_600_000 });
    assert!(window.shows("not covered") && window.shows("Next try in 60 min."));
    window.type_into("composer", "later");
    window.click("send");
    assert_eq!(sent(&window).1, "later");
    window.click("retry");
    assert!(window.commands() == [Command::Retry]);
    window.tell(Event::Connection(ConnectionState::Resumed));
    assert!(window.shows("covered") && !window.has("retry"));
}

#[test]
fn signed_in_elsewhere_stops_and_gives_the_draft_back() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "half a sen");
    window.tell(error(ErrorCode::SignedInElsewhere, About::default()));
    window.tell(Event::Ended { ok: false });
    assert!(window.shows(words::ending::title(ErrorCode::SignedInElsewhere)));
    window.double_click("again");
    window.type_into("name", "");
    sign_in_again(&mut window, PASSWORD);
    window.type_into("composer", "tence");
    window.click("send");
    assert_eq!(sent(&window).1, "half a sentence");
}

#[test]
fn what_no_engine_kept_is_in_the_field_again() {
    let mut window = signed_in();
    open_bob(&mut window);
    let mut labels = Vec::new();
    for text in ["kept", "refused", "not taken"] {
        window.type_into("composer", text);
        window.click("send");
        labels.push(sent(&window).0);
    }
    window.tell(state(&labels[0], MessageState::Queued, None));
    let about = About { peer: Some("bob".into()), label: Some(labels[1].clone()) };
    window.tell(error(ErrorCode::QueueFull, about));
    window.type_into("composer", "draft");
    window.click("sign-out");
    let _ = window.commands();
    window.click("send");
    assert!(window.commands().is_empty(), "nothing is sent any more");
    window.tell(Event::Ended { ok: true });
    sign_in_again(&mut window, PASSWORD);
    window.click("send");
    assert_eq!(sent(&window).1, "refused\nnot taken\ndraft");
}

#[test]
fn a_draft_goes_to_no_other_server() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "secret");
    window.click("sign-out");
    window.tell(Event::Ended { ok: true });
    window.click("back");
    let other = Link { pin: Pin([8; 32]), ..link() };
    window.update(Message::Connect(connect::Message::LinkTyped(other.to_string())));
    window.click("to-sign-in");
    window.type_into("name", "ann");
    sign_in_again(&mut window, "pw");
    assert!(!window.shows("secret"));
    window.click("send");
    assert!(window.commands().is_empty());
}

#[test]
fn trouble_that_passed_is_not_why_a_session_ends() {
    for (passed, error_code) in [(true, ErrorCode::ServerProtocol), (false, ErrorCode::SlowDown)] {
        let mut window = signed_in();
        window.tell(error(error_code, About::default()));
        if passed {
            window.tell(Event::Connection(ConnectionState::Resumed));
        }
        window.click("sign-out");
        window.tell(Event::Ended { ok: true });
        assert!(window.shows(words::ending::SIGNED_OUT));
    }
}

#[test]
fn an_engine_that_breaks_is_noticed() {
    let mut window = signed_in();
    window.break_engine();
    assert!(window.shows(words::ending::TITLE) && !window.has("composer"));
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", "pw");
    window.click("sign-in");
    window.break_engine();
    window.click("sign-in");
    assert_eq!(window.engines(), 1, "the broken one is gone, and this is the next");
}

#[test]
fn signing_out_leads_to_the_form() {
    let mut window = signed_in();
    window.double_click("sign-out");
    assert!(window.commands() == [Command::SignOut]);
    window.tell(Event::Ended { ok: true });
    assert!(window.has("sign-in") && window.shows(words::ending::SIGNED_OUT));
}

#[test]
fn closing_leaves_the_rounds_first() {
    let mut window = signed_in();
    close(&mut window);
    assert!(window.commands() == [Command::Quit] && !window.has_exited);
    assert!(window.shows(words::LEAVING));
    window.tell(Event::Ended { ok: true });
    assert!(window.has_exited);
}

#[test]
fn closing_waits_neither_for_nothing_nor_for_ever() {
    let mut window = Window::open();
    window.update(Message::CloseRequested);
    assert!(window.has_exited);
    let mut window = signed_in();
    close(&mut window);
    window.update(Message::LeaveExpired);
    assert!(window.has_exited);
    let mut window = signed_in();
    close(&mut window);
    window.update(Message::CloseRequested);
    assert!(window.has_exited, "whoever asks once more means it");
}

#[test]
fn an_engine_that_ends_without_a_word_is_told() {
    let mut window = signed_in();
    window.tell(Event::Ended { ok: false });
    assert!(window.shows(words::ending::TITLE) && window.shows(words::ending::SILENT));
}

/// Asks for the end, and says yes.
fn close(window: &mut Window) {
    window.update(Message::CloseRequested);
    window.click("quit");
}
