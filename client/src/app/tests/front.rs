//! What stands in front of the main screen: the settings and the lock; and what goes on behind.

use client_link::api::{ExportFormat, Local, LocalEvent, SessionStatus};
use iced::keyboard::key::Named;
use iced::theme::Mode;

use super::*;
use crate::args::ThemeChoice;
use crate::autolock::Idle;
use crate::clock::{self, Now};
use crate::fake::profile_of;
use crate::remember::{LockAfter, Notifications, Remembered, Zoom};
use crate::screen::drive::Keyboard;
use crate::screen::main;
use crate::theme::{Colours, DARK, HIGH_CONTRAST, LIGHT};
use crate::words;
use crate::words::settings as said;

const HOUR_MS: u64 = 3_600_000;

fn key(window: &mut Window, shortcut: Shortcut) {
    window.update(Message::Pressed(shortcut));
}

/// Opens the settings, with what the engine was asked taken away.
fn in_settings() -> Window {
    let mut window = signed_in();
    // so high that nothing is scrolled out of reach
    window.size.height = 1800.0;
    key(&mut window, Shortcut::Settings);
    assert!(window.commands() == [Command::Sessions, Command::Status]);
    window.tell(Event::Sessions { sessions: ["a", "b", "c"].map(session).to_vec() });
    window
}

fn session(id: &str) -> SessionStatus {
    let (id, current) = (id.repeat(16), id == "a");
    SessionStatus { id, created_ms: 1, expires_ms: u64::MAX, current, superseded: false }
}

fn remembered(window: &mut Window) -> Remembered {
    window.update(Message::Ticked);
    Remembered::read(window.dir.path())
}

/// Takes the passwords of a change that was asked for.
fn changed(window: &Window) -> (Vec<u8>, Vec<u8>) {
    match &window.commands()[..] {
        [Command::ChangePassword { old, new }] => (old.to_vec(), new.to_vec()),
        commands => panic!("{} commands instead of one", commands.len()),
    }
}

#[test]
fn the_settings_come_and_go_and_the_main_screen_goes_on_behind() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.type_into("composer", "half");
    window.click("settings");
    assert!(window.has("section-about") && !window.has("composer"));
    assert!(window.shows("ann") && window.shows("chat.example.org"));
    window.tell(message(1, "cid", "hello"));
    assert_eq!(window.app.title(), "(1) ann – iirs");
    key(&mut window, Shortcut::Escape);
    assert!(window.has("composer"));
    window.click("send");
    let sent = window.commands().into_iter().find_map(|it| match it {
        Command::Send { text, .. } => Some(text),
        _ => None,
    });
    assert_eq!(sent.as_deref(), Some("half"));
    key(&mut window, Shortcut::Settings);
    window.click("back");
    assert!(window.has("composer"));
}

#[test]
fn the_password_is_changed_with_words_while_that_lasts() {
    let mut window = in_settings();
    window.click("password-open");
    window.type_into("password-old", PASSWORD);
    window.type_into("password-new", "weak");
    window.click("password-change");
    assert!(window.shows(words::register::PASSWORD_WEAK) && window.commands().is_empty());
    let new = "violin harbour 7 cactus";
    window.type_into("password-new", &new["weak".len()..]);
    window.type_into("password-repeat", new);
    window.click("password-change");
    assert!(window.shows(words::register::REPEAT_DIFFERS), "it begins with what was there");
    key(&mut window, Shortcut::Escape);
    window.click("password-open");
    window.type_into("password-old", PASSWORD);
    window.type_into("password-new", new);
    window.type_into("password-repeat", new);
    window.click("password-change");
    assert_eq!(changed(&window), (PASSWORD.into(), new.into()));
    assert!(window.shows(said::password::CHANGING));
    window.tell(error(ErrorCode::WrongCredentials, About::default()));
    assert!(window.shows(said::password::WRONG) && !window.shows(said::password::CHANGING));
    window.click("password-change");
    assert_eq!(changed(&window).1, new.as_bytes());
    window.tell(Event::PasswordChanged);
    assert!(window.shows(said::password::CHANGED) && !window.has("password-old"));
    assert!(window.has("end-others") && !window.has(&format!("end-{}", "b".repeat(16))));
    window.click("back");
    assert!(!window.has("notice"), "what was told there is not told again");
}

#[test]
fn sessions_are_ended_one_at_a_time() {
    let mut window = in_settings();
    let end = |id: &str| Command::EndSession { id: id.repeat(16) };
    assert!(!window.has(&format!("end-{}", "a".repeat(16))), "this one signs out");
    window.click(&format!("end-{}", "c".repeat(16)));
    assert!(window.commands() == [end("c")]);
    window.click("end-others");
    assert!(window.commands().is_empty(), "one at a time");
    window.tell(Event::SessionEnded { id: "c".repeat(16) });
    window.click("end-others");
    assert!(window.commands() == [end("b")]);
    window.tell(error(ErrorCode::NoServer, About::default()));
    assert!(window.shows("No-server happened."));
    window.click("list");
    assert!(window.commands() == [Command::Sessions]);
}

#[test]
fn all_others_are_ended_in_their_order() {
    let mut window = in_settings();
    window.click("end-others");
    let end = |id: &str| Command::EndSession { id: id.repeat(16) };
    assert!(window.commands() == [end("b")]);
    window.tell(Event::SessionEnded { id: "b".repeat(16) });
    assert!(window.commands() == [end("c")]);
    window.tell(Event::SessionEnded { id: "c".repeat(16) });
    assert!(window.commands().is_empty() && window.shows(said::sessions::THIS));
}

#[test]
fn an_account_is_deleted_only_after_name_password_and_two_questions() {
    let mut window = in_settings();
    window.click("delete-open");
    window.click("delete-next");
    assert!(window.shows(said::deletion::NAME_DIFFERS));
    window.type_into("delete-name", "ann");
    window.click("delete-next");
    assert!(window.shows(said::deletion::PASSWORD_EMPTY));
    window.type_into("delete-password", PASSWORD);
    window.click("delete-next");
    assert!(window.shows(said::deletion::SURE) && window.commands().is_empty());
    window.click("delete-yes");
    let [Command::DeleteAccount { password }] = &window.commands()[..] else { panic!() };
    assert_eq!(password[..], PASSWORD.as_bytes()[..]);
    assert!(window.shows(said::deletion::DELETING));
    window.tell(error(ErrorCode::WrongCredentials, About::default()));
    assert!(window.shows(said::deletion::WRONG) && window.has("delete-next"));
    window.click("delete-next");
    window.click("delete-yes");
    window.tell(Event::AccountDeleted);
    window.tell(Event::Ended { ok: true });
    assert!(window.shows(words::ending::DELETED_TITLE));
}

#[test]
fn a_history_is_exported_and_deleted_after_two_questions() {
    let mut window = in_settings();
    window.click("section-privacy");
    window.click("export");
    window.click("export-json");
    assert!(window.commands().is_empty(), "what it means is said first");
    window.click("export-yes");
    let file = window.dir.path().join("iirs-1970-01-01.jsonl");
    let export = Local::Export { peer: None, format: ExportFormat::Json, file: file.clone() };
    // the day is that of the clock, so only what does not depend on it is compared
    match (&window.commands()[..], export) {
        (
            [Command::Local(Local::Export { peer: None, format, file })],
            Local::Export { format: expected, .. },
        ) => {
            assert_eq!((*format, file.parent()), (expected, Some(window.dir.path())));
        }
        _ => panic!("no export"),
    }
    window.tell(Event::Local(LocalEvent::Exporting { done: 1000, of: 4000 }));
    assert!(window.shows(&said::history::exporting(1000, 4000)));
    window.tell(Event::Local(LocalEvent::Exported { file: file.clone(), messages: 4000 }));
    assert!(window.shows(&said::history::exported(&file, 4000)));
    window.click("history-delete");
    window.click("history-delete-next");
    assert!(window.commands().is_empty());
    window.click("history-delete-yes");
    assert!(window.commands() == [Command::Local(Local::DeleteHistory { peer: None })]);
    window.tell(error(ErrorCode::Disk, About::default()));
    assert!(window.shows(&said::history::failed("Disk happened.")));
}

#[test]
fn what_is_chosen_counts_at_once_and_at_the_next_start() {
    let mut window = in_settings();
    window.click("section-appearance");
    window.click("theme-3");
    assert_eq!(Colours::of(&window.app.theme()), &HIGH_CONTRAST);
    window.click("zoom-larger");
    key(&mut window, Shortcut::Larger);
    assert_eq!(window.app.scale_factor(), 1.25);
    window.click("section-privacy");
    window.click("lock-after-4");
    window.click("notifications-2");
    let now = remembered(&mut window);
    assert_eq!(
        (now.theme, now.zoom),
        (ThemeChoice::HighContrast, Zoom::from_percent(125).unwrap())
    );
    assert_eq!((now.lock_after, now.notifications), (LockAfter::Never, Notifications::Name));
    let Window { dir, .. } = window;
    let window = Window::open_with(dir, |_| ());
    assert_eq!(Colours::of(&window.app.theme()), &HIGH_CONTRAST);
    let Window { dir, .. } = window;
    let mut window = Window::open_with(dir, |setup| setup.theme = Some(ThemeChoice::System));
    assert_eq!(Colours::of(&window.app.theme()), &LIGHT, "the arguments win");
    window.update(Message::SystemTheme(Mode::Dark));
    assert_eq!(Colours::of(&window.app.theme()), &DARK);
}

#[test]
fn a_window_comes_back_as_large_as_it_was() {
    let mut window = Window::open();
    key(&mut window, Shortcut::Larger);
    window.update(Message::Resized(iced::Size::new(900.0, 700.0)));
    assert_eq!(remembered(&mut window).size, Some((990, 770)), "in pixels of the desktop");
    window.update(Message::Resized(iced::Size::new(0.0, 0.0)));
    assert_eq!(remembered(&mut window).size, Some((990, 770)));
    key(&mut window, Shortcut::Standard);
    key(&mut window, Shortcut::Smaller);
    assert_eq!(window.app.scale_factor(), 0.9);
}

#[test]
fn a_locked_window_shows_nothing_and_the_rounds_go_on() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "top secret"));
    key(&mut window, Shortcut::Lock);
    assert!(window.commands() == [Command::Local(Local::Lock)]);
    for gone in ["top secret", "bob", "ann"] {
        assert!(!window.shows(gone), "{gone}");
    }
    assert!(window.shows(words::unlock::COVERED) && window.app.title() == "iirs – locked");
    for other in [Shortcut::Settings, Shortcut::Find, Shortcut::Escape, Shortcut::Lock] {
        key(&mut window, other);
    }
    assert!(window.has("unlock") && window.commands().is_empty());
    window.tell(Event::Connection(ConnectionState::Lost));
    assert!(window.shows(words::unlock::NOT_COVERED));
    window.type_into("password", "wrong");
    window.click("unlock");
    let [Command::Local(Local::Unlock { password })] = &window.commands()[..] else { panic!() };
    assert_eq!(password[..], b"wrong"[..]);
    window.tell(error(ErrorCode::WrongCredentials, About::default()));
    assert!(window.shows(words::unlock::WRONG));
    window.tell(Event::Local(LocalEvent::Unlocked));
    assert!(window.has("composer") && !window.has("notice"));
    window.tell(Event::Ended { ok: false });
    assert!(window.shows(words::ending::SILENT), "a wrong password is not why");
}

#[test]
fn a_busy_engine_is_told_of_the_lock_later() {
    let mut window = signed_in();
    for _ in 0..client_link::api::COMMANDS_MAX {
        window.update(Message::Main(main::Message::RetryPressed));
    }
    window.click("lock");
    assert!(window.has("unlock"), "it is locked at once all the same");
    assert!(!window.commands().contains(&Command::Local(Local::Lock)));
    window.update(Message::Ticked);
    window.update(Message::Ticked);
    assert!(window.commands() == [Command::Local(Local::Lock)]);
}

#[test]
fn a_window_that_nobody_uses_locks_by_itself() {
    let mut window = signed_in();
    let long_ago = |window: &mut Window| {
        let now = clock::now();
        let since = Now { unix_ms: now.unix_ms - HOUR_MS, ..now };
        window.app.idle = Idle::new(since);
    };
    window.update(Message::Ticked);
    assert!(!window.has("unlock"));
    long_ago(&mut window);
    window.update(Message::SomebodyIsThere);
    assert!(window.has("unlock"), "who comes after an hour unlocks first");
    window.tell(Event::Local(LocalEvent::Unlocked));
    window.update(Message::Ticked);
    assert!(!window.has("unlock"));
    key(&mut window, Shortcut::Settings);
    long_ago(&mut window);
    window.update(Message::Ticked);
    assert!(window.has("unlock"), "from the settings, too");
    window.tell(Event::Local(LocalEvent::Unlocked));
    assert!(window.has("search"));
    let mut window = Window::open();
    long_ago(&mut window);
    window.update(Message::Ticked);
    assert!(window.has("link"), "there is nothing to be locked");
}

#[test]
fn the_desktop_is_told_of_what_nobody_sees() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "seen"));
    assert!(window.notices().is_empty());
    window.tell(message(2, "cid", "secret"));
    assert_eq!(window.notices(), ["1 new message"]);
    window.update(Message::Focused(false));
    window.tell(message(3, "bob", "secret"));
    window.tell(Event::Request { peer: "zoe".into() });
    assert_eq!(window.notices(), ["2 new messages", "Somebody calls"]);
    window.update(Message::Focused(true));
    assert_eq!(window.notices(), [""], "it is taken away");
    window.app.remembered.notifications = Notifications::Name;
    window.update(Message::Focused(false));
    window.tell(message(4, "bob", "secret"));
    assert_eq!(window.notices(), ["New message from bob"]);
    key(&mut window, Shortcut::Lock);
    let _ = window.notices();
    window.tell(Event::Local(LocalEvent::Waits { peer: "bob".into() }));
    window.tell(Event::Request { peer: "zoe".into() });
    assert_eq!(window.notices(), ["1 new message", "Somebody calls"], "nobody is named");
    assert!(window.shows("ann"), "names were wished for");
    window.tell(Event::Ended { ok: false });
    assert_eq!(window.notices(), [""]);
}

#[test]
fn the_account_of_the_last_time_needs_its_password_only() {
    let mut window = Window::open_with(profile_of("ann"), |_| ());
    assert!(window.has("unlock") && !window.has("name"));
    window.type_into("password", PASSWORD);
    window.click("unlock");
    assert!(window.engine(|engine| engine.options.early && !engine.options.register));
    window.tell(Event::Progress(client_link::api::Step::Unlocking));
    window.tell(Event::Local(LocalEvent::Opened { user: "ann".into() }));
    assert!(window.has("search"), "before the server is reached");
    window.tell(Event::Listed { names: vec!["ann".into(), "bob".into()] });
    window.click("person-bob");
    window.tell(Event::SignedIn { user: "ann".into() });
    assert!(window.has("composer"), "the sign-in changes nothing");
    window.tell(error(ErrorCode::Disabled, About::default()));
    window.tell(Event::Ended { ok: false });
    assert!(window.shows(words::ending::title(ErrorCode::Disabled)));
    let mut window = Window::open_with(profile_of("ann"), |_| ());
    window.click("other");
    assert!(window.has("name") && window.has("to-register"));
    let window = Window::open_with(profile_of("ann"), |setup| setup.user = Some("bob".into()));
    assert!(window.has("name") && window.shows("bob"), "another name was given");
}

#[test]
fn an_attempt_that_opened_and_failed_says_why() {
    let mut window = Window::open_with(profile_of("ann"), |_| ());
    window.type_into("password", PASSWORD);
    window.click("unlock");
    window.tell(Event::Local(LocalEvent::Opened { user: "ann".into() }));
    window.tell(error(ErrorCode::WrongPin, About::default()));
    window.tell(Event::Ended { ok: false });
    assert!(window.shows(words::ending::title(ErrorCode::WrongPin)));
    let mut window = Window::open_with(profile_of("ann"), |_| ());
    window.type_into("password", "wrong");
    window.click("unlock");
    window.tell(error(ErrorCode::WrongCredentials, About::default()));
    window.tell(Event::Ended { ok: false });
    assert!(window.has("unlock"));
    assert!(window.shows(&words::failure::words(ErrorCode::WrongCredentials, "")));
}

#[test]
fn a_link_is_taken_from_a_file_that_is_dropped() {
    let mut window = Window::open();
    let file = window.dir.path().join("link.txt");
    std::fs::write(&file, format!("Our group:\n{}\n", link())).unwrap();
    window.update(Message::Dropped(file.clone()));
    assert!(window.shows(&link().to_string()));
    std::fs::write(&file, "nothing").unwrap();
    window.update(Message::Dropped(file.clone()));
    assert!(window.shows(words::connect::FILE_WITHOUT_LINK));
    assert!(window.shows(&link().to_string()), "what was there stays");
    window.click("to-sign-in");
    window.update(Message::Dropped(file));
    assert!(window.has("sign-in"));
}

#[test]
fn a_sheet_lies_on_what_cannot_be_reached_meanwhile() {
    let mut window = signed_in();
    open_bob(&mut window);
    key(&mut window, Shortcut::Keys);
    assert!(window.has("keys-read") && !window.has("composer"));
    key(&mut window, Shortcut::Close);
    key(&mut window, Shortcut::Keys);
    assert!(window.has("composer"), "the conversation is still there");
    window.click("meaning");
    assert!(window.has("meaning-read"));
    key(&mut window, Shortcut::Escape);
    key(&mut window, Shortcut::Settings);
    window.click("section-about");
    window.click("keys");
    window.click("keys-read");
    assert!(window.has("section-about"));
}

/// Returns all that Tab reaches in the window, in its order.
fn walk(window: &Window) -> Vec<String> {
    Keyboard::new(window.app.view()).walk()
}

#[test]
fn every_screen_is_used_by_keyboard_alone() {
    let mut window = Window::open();
    assert_eq!(walk(&window), ["link", "to-sign-in", "to-register"]);
    window.type_into("link", &link().to_string());
    window.click("to-register");
    let form = ["name", "password", "repeat", "show", "remember", "register", "to-sign-in", "back"];
    assert_eq!(walk(&window), form);
    window.click("to-sign-in");
    let form = ["name", "password", "show", "remember", "sign-in", "to-register", "back"];
    assert_eq!(walk(&window), form);
    let window = Window::open_with(profile_of("ann"), |_| ());
    assert_eq!(walk(&window), ["password", "show", "unlock", "other"]);
    let mut window = in_settings();
    let sections = ["account", "privacy", "appearance", "network", "about"];
    let sections = sections.map(|it| format!("section-{it}"));
    let ends = ["b", "c"].map(|id| format!("end-{}", id.repeat(16)));
    let rest = ["end-others", "list", "delete-open"].map(str::to_owned);
    let own = ["lock", "sign-out", "password-open"].map(str::to_owned);
    let all =
        [vec!["back".to_owned()], sections.to_vec(), own.to_vec(), ends.to_vec(), rest.to_vec()];
    assert_eq!(walk(&window), all.concat());
    key(&mut window, Shortcut::Keys);
    assert_eq!(walk(&window), ["keys-read"]);
    window.update(Message::CloseRequested);
    assert_eq!(walk(&window), ["unasked", "stay", "lock-instead", "quit"]);
    key(&mut window, Shortcut::Lock);
    assert_eq!(walk(&window), ["password", "show", "unlock"]);
    window.tell(Event::Ended { ok: false });
    assert_eq!(walk(&window), ["again", "quit"]);
}

#[test]
fn enter_and_space_press_what_has_the_focus() {
    let window = signed_in();
    let mut keyboard = Keyboard::new(window.app.view());
    while keyboard.focused().as_deref() != Some("settings") {
        keyboard.tab(false);
    }
    for key in [Named::Enter, Named::Space] {
        let pressed = keyboard.press(key);
        assert!(matches!(pressed[..], [Message::Main(main::Message::SettingsPressed)]));
    }
    assert!(keyboard.press(Named::ArrowDown).is_empty());
}

#[test]
fn a_shortcut_with_a_sign_is_typed_into_no_field() {
    let mut window = signed_in();
    open_bob(&mut window);
    for sign in ["=", "-", "0", ",", "/"] {
        window.press_sign("search", sign);
        window.press_sign("composer", sign);
    }
    window.type_into("composer", "a=b");
    window.click("send");
    assert_eq!(sent(&window).1, "a=b");
    assert!(!window.shows("=-0,/"));
}
