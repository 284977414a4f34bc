//! From the link to the people, and what goes wrong on the way.

use client_link::api::{About, Command, ErrorCode, Event, Step};
use iced::keyboard::Modifiers;
use iced::keyboard::key::Named;
use tempfile::TempDir;

use crate::fake::{Window, link};
use crate::remember::Remembered;
use crate::screen::attempt::Attempt;
use crate::words;

use super::*;

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
    Remembered { link: Some(link()), user, ..Remembered::default() }.write(dir.path()).unwrap();
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
        let attempt =
            Attempt { user: "ann".parse().unwrap(), password, invite: None, remember: false };
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
    assert!(window.commands() == [Command::Retry], "what waits in a conversation still goes out");
    assert!(!window.has("composer"));
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
