//! The whole window on a scripted engine: what is clicked, typed and told, and what comes of it.

use client_link::api::{
    About, Author, Command, ConnectionState, ConversationStatus, ErrorCode, Event, HistoryEntry,
    MessageState, Status, Step,
};
use iced::keyboard::Modifiers;
use iced::keyboard::key::Named;
use tempfile::TempDir;
use wire::ids::MessageId;
use wire::link::{Link, Pin};
use wire::size::TEXT_MAX;

use super::{AtOnce, Message, Shortcut};
use crate::fake::{Window, link};
use crate::remember::Remembered;
use crate::screen::attempt::Attempt;
use crate::screen::connect;
use crate::words;

const PASSWORD: &str = "correct horse battery staple";

/// A window in which ann has signed in, and the directory has more people.
fn signed_in() -> Window {
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", PASSWORD);
    window.click("sign-in");
    window.tell(Event::SignedIn { user: "ann".into() });
    let names = ["ann", "bob", "cid", "zoe"].map(str::to_owned).to_vec();
    window.tell(Event::Listed { names });
    window.tell(Event::Connection(ConnectionState::Connected));
    window.tell(Event::RoundOpen { number: 8, closes_ms: 2000, round_ms: 2000 });
    assert!(window.commands() == [Command::Status]);
    window
}

fn at_sign_in() -> Window {
    let mut window = Window::open();
    window.type_into("link", &format!("  {} \t", link()));
    window.click("to-sign-in");
    window
}

fn error(code: ErrorCode, about: About) -> Event {
    Event::Error { code, text: format!("{} happened", code.as_str()), about }
}

fn state(label: &str, state: MessageState, round: Option<u64>) -> Event {
    Event::State { label: label.into(), peer: "bob".into(), state, round }
}

fn message(number: u8, peer: &str, text: &str) -> Event {
    let id = MessageId([number; 8]);
    Event::Message { id, peer: peer.into(), text: text.into(), sent_ms: 0, round: 9 }
}

fn status(peers: &[(&str, bool)]) -> Event {
    let conversation = |&(peer, live): &(&str, bool)| ConversationStatus {
        peer: peer.into(),
        live,
        refused: 0,
        queued: 0,
    };
    Event::Status(Status {
        connection: ConnectionState::Connected,
        round: 9,
        seats: 3,
        missed: 0,
        conversations: peers.iter().map(conversation).collect(),
    })
}

/// Opens the conversation with bob and answers for its history.
fn open_bob(window: &mut Window) {
    window.click("person-bob");
    let history = Command::History { peer: "bob".into(), before: None, max: 50 };
    assert!(window.commands() == [Command::Open { peer: "bob".into() }, history]);
    window.tell(Event::History { peer: "bob".into(), before: None, entries: vec![], more: false });
}

/// Takes the one message that was sent; returns its label and text.
fn sent(window: &Window) -> (String, String) {
    match &window.commands()[..] {
        [Command::Send { peer, text, label }] if peer == "bob" => (label.clone(), text.clone()),
        commands => panic!("{} commands instead of one message", commands.len()),
    }
}

#[test]
fn a_link_leads_to_an_account_and_that_to_the_people() {
    let mut window = Window::open();
    window.type_into("link", &format!("  {}\u{200b} ", link()));
    window.click("to-register");
    window.type_into("name", "Ann");
    window.type_into("password", PASSWORD);
    window.type_into("repeat", PASSWORD);
    window.double_click("register");
    window.click("register");
    assert_eq!(window.engines(), 1);
    window.engine(|engine| {
        let options = &engine.options;
        assert_eq!((options.user.as_str(), options.register), ("ann", true));
        assert!(options.link == link() && options.password.expose() == PASSWORD.as_bytes());
    });
    window.tell(Event::Progress(Step::Registering));
    window.tell(Event::Registered { user: "ann".into() });
    window.tell(Event::SignedIn { user: "ann".into() });
    assert_eq!(window.app.title(), "ann – iirs");
    assert!(window.shows("ann") && window.shows(words::main::CHOOSE));
    let remembered = Remembered::read(window.dir.path());
    assert_eq!(remembered.link, Some(link()));
}

#[test]
fn an_account_that_was_made_is_not_made_again() {
    let mut window = Window::open();
    window.type_into("link", &link().to_string());
    window.click("to-register");
    window.type_into("name", "ann");
    window.type_into("password", PASSWORD);
    window.type_into("repeat", PASSWORD);
    window.click("register");
    window.tell(Event::Registered { user: "ann".into() });
    window.tell(error(ErrorCode::NoServer, About::default()));
    window.tell(Event::Ended { ok: false });
    assert!(window.has("sign-in"), "to sign in is what is left to do");
    assert!(window.shows(&words::ending::registered("ann", Some("No-server happened."))));
}

#[test]
fn the_last_server_and_the_name_are_filled_in_if_they_are_to_be() {
    let dir = TempDir::new().unwrap();
    let user = Some("ann".parse().unwrap());
    Remembered { link: Some(link()), user }.write(dir.path()).unwrap();
    let window = Window::open_with(dir, |_| ());
    assert!(window.has("sign-in") && window.shows("ann"));
}

#[test]
fn another_link_than_the_last_is_shown_first_and_a_bad_one_with_what_is_wrong() {
    let window = Window::open_with(TempDir::new().unwrap(), |setup| {
        setup.link = Some(link().to_string());
    });
    assert!(window.has("to-register") && window.shows(&link().to_string()));
    let window = Window::open_with(TempDir::new().unwrap(), |setup| {
        setup.link = Some("http://example.org".into());
    });
    assert!(window.shows("http://example.org") && window.has("to-register"));
    let plain = Window::open();
    assert!(plain.has("to-register"));
}

#[test]
fn an_attempt_at_once_needs_nobody() {
    let mut window = Window::open_with(TempDir::new().unwrap(), |setup| {
        let password = client_link::api::Password::new(PASSWORD.into());
        let attempt = Attempt { user: "ann".parse().unwrap(), password, remember: false };
        setup.at_once = Some(AtOnce { link: link(), attempt, register: true });
    });
    assert!(window.engine(|engine| engine.options.register));
    window.tell(Event::SignedIn { user: "ann".into() });
    assert!(window.has("search"));
    assert_eq!(Remembered::read(window.dir.path()), Remembered::default(), "nobody was asked");
}

#[test]
fn a_wrong_password_leaves_everything_in_its_field() {
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", "wrong");
    window.press("password", Named::Enter, Modifiers::empty());
    window.tell(Event::Progress(Step::Connecting));
    window.tell(error(ErrorCode::WrongCredentials, About::default()));
    window.tell(Event::Ended { ok: false });
    let words = words::failure::words(ErrorCode::WrongCredentials, "");
    assert!(window.shows(&words) && window.shows("ann"));
    window.type_into("password", "er");
    window.click("sign-in");
    assert_eq!(window.engines(), 2);
    assert!(window.engine(|engine| engine.options.password.expose() == b"wronger"));
}

#[test]
fn a_cancelled_attempt_ends_before_the_next_one_begins() {
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", "pw");
    window.click("sign-in");
    window.double_click("cancel");
    assert!(window.commands() == [Command::Quit]);
    window.tell(Event::Ended { ok: true });
    window.click("sign-in");
    assert_eq!(window.engines(), 2);
    window.tell_of(1, Event::SignedIn { user: "ann".into() });
    assert!(!window.has("search"), "what an earlier engine says does not count");
}

#[test]
fn a_wrong_pin_is_a_full_stop() {
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", "pw");
    window.click("sign-in");
    window.tell(error(ErrorCode::WrongPin, About::default()));
    window.tell(Event::Ended { ok: false });
    assert!(window.shows(words::ending::title(ErrorCode::WrongPin)));
    assert!(window.shows("Wrong-pin happened.") && !window.has("sign-in"));
    window.click("again");
    assert!(window.shows(&link().to_string()), "only another link helps");
}

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
    let time = crate::present::time(window.app.here.unix_ms, &window.app.here);
    assert!(window.shows(&format!("{time} · being saved")));
    for (is, round, words) in [
        (MessageState::Queued, None, "queued"),
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
    assert!(window.shows("3") && !window.shows("psst"));
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
    assert!(window.shows("Key-changed happened.") && !window.shows(words::main::LIVE));
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
    assert!(!window.shows("hi ann") && window.has("composer"));
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
    assert!(window.shows("Key-changed happened."));
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
fn keys_do_what_the_mouse_does() {
    let key = |window: &mut Window, shortcut| window.update(Message::Pressed(shortcut));
    let mut window = Window::open();
    window.type_into("link", &link().to_string());
    key(&mut window, Shortcut::NewAccount);
    assert!(window.has("repeat"));
    key(&mut window, Shortcut::Escape);
    window.click("to-sign-in");
    key(&mut window, Shortcut::NewAccount);
    assert!(window.has("repeat"));
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", "pw");
    window.click("sign-in");
    key(&mut window, Shortcut::Escape);
    assert!(window.commands() == [Command::Quit]);
    window.tell(Event::Ended { ok: true });
    key(&mut window, Shortcut::Escape);
    assert!(window.has("to-register"));
    let mut window = signed_in();
    open_bob(&mut window);
    key(&mut window, Shortcut::Retry);
    key(&mut window, Shortcut::Close);
    assert!(window.commands() == [Command::Retry, Command::Close { peer: "bob".into() }]);
    window.tell(error(ErrorCode::SlowDown, About::default()));
    key(&mut window, Shortcut::Escape);
    assert!(!window.has("notice"));
    window.tell(Event::Ended { ok: false });
    key(&mut window, Shortcut::Enter);
    assert!(window.has("sign-in"));
}

#[test]
fn the_second_click_of_two_hits_nothing_on_the_next_screen() {
    let mut window = Window::open();
    window.type_into("link", &link().to_string());
    window.double_click("to-sign-in");
    assert!(window.has("sign-in") && window.has("password"));
    let mut window = signed_in();
    window.tell(Event::Ended { ok: false });
    window.double_click("again");
    assert!(window.has("sign-in"));
    window.double_click("back");
    assert!(window.has("to-register"));
}

#[test]
fn closing_with_a_draft_is_asked_about_once() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "half");
    window.update(Message::CloseRequested);
    assert!(window.commands().is_empty() && window.shows(&words::main::drafts("bob")));
    window.update(Message::CloseRequested);
    assert!(window.commands() == [Command::Quit]);
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "half");
    window.update(Message::Terminated);
    assert!(window.commands() == [Command::Quit], "the system does not ask");
}

#[test]
fn search_and_enter_open_the_first_that_is_found() {
    let mut window = signed_in();
    window.type_into("search", "CI");
    assert!(window.has("person-cid") && !window.has("person-bob"));
    window.press("search", Named::Enter, Modifiers::empty());
    assert!(window.commands().first() == Some(&Command::Open { peer: "cid".into() }));
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
    window.type_into("password", PASSWORD);
    window.click("sign-in");
    window.tell(Event::SignedIn { user: "ann".into() });
    window.tell(Event::Listed { names: vec!["bob".into()] });
    let _ = window.commands();
    open_bob(&mut window);
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
    window.type_into("password", PASSWORD);
    window.click("sign-in");
    window.tell(Event::SignedIn { user: "ann".into() });
    window.tell(Event::Listed { names: vec!["bob".into()] });
    let _ = window.commands();
    open_bob(&mut window);
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
    window.type_into("password", "pw");
    window.click("sign-in");
    window.tell(Event::SignedIn { user: "ann".into() });
    window.tell(Event::Listed { names: vec!["bob".into()] });
    let _ = window.commands();
    open_bob(&mut window);
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
fn an_attempt_that_was_given_up_does_not_sign_in() {
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", "pw");
    window.click("sign-in");
    window.click("cancel");
    window.tell(Event::SignedIn { user: "ann".into() });
    assert!(window.has("sign-in"));
    window.tell(Event::Ended { ok: true });
    assert!(!window.shows(words::ending::SIGNED_OUT));
    assert_eq!(Remembered::read(window.dir.path()), Remembered::default());
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
    window.update(Message::CloseRequested);
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
    window.update(Message::CloseRequested);
    window.update(Message::LeaveExpired);
    assert!(window.has_exited);
    let mut window = signed_in();
    window.update(Message::CloseRequested);
    window.update(Message::CloseRequested);
    assert!(window.has_exited, "whoever asks twice means it");
}

#[test]
fn an_engine_that_ends_without_a_word_is_told() {
    let mut window = signed_in();
    window.tell(Event::Ended { ok: false });
    assert!(window.shows(words::ending::TITLE) && window.shows(words::ending::SILENT));
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
        ("\n".repeat(60_000), words::main::TOO_MANY_LINES),
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
