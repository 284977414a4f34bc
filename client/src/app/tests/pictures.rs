//! Pictures of the screens, to be looked at: `cargo test -p client --lib pictures -- --ignored` writes them to /tmp/iirs-pictures.

use client_link::api::{LocalEvent, SessionStatus};
use iced::Size;

use super::*;
use crate::args::ThemeChoice;
use crate::fake::profile_of;
use crate::remember::Zoom;

const DIR: &str = "/tmp/iirs-pictures";

/// Draws what the window shows in all themes, narrow and wide, at both ends of the size of text.
fn draw(window: &mut Window, name: &str) {
    let themes = [
        (ThemeChoice::Light, "light"),
        (ThemeChoice::Dark, "dark"),
        (ThemeChoice::HighContrast, "contrast"),
    ];
    for (theme, theme_name) in themes {
        for (width, height, percent) in
            [(980.0, 700.0, 100), (980.0, 700.0, 200), (320.0, 640.0, 100)]
        {
            window.app.remembered.theme = theme;
            window.app.remembered.zoom = Zoom::from_percent(percent).unwrap();
            let path = format!("{DIR}/{name}-{theme_name}-{width}-{percent}");
            window.picture(Size::new(width, height), &path);
        }
    }
    window.app.remembered.zoom = Zoom::default();
}

fn key(window: &mut Window, shortcut: Shortcut) {
    window.update(Message::Pressed(shortcut));
}

#[test]
#[ignore = "writes pictures for people"]
fn forms() {
    let mut window = Window::open();
    draw(&mut window, "connect");
    window.type_into("link", &link().to_string());
    window.click("to-register");
    window.type_into("name", "ann");
    window.type_into("password", PASSWORD);
    draw(&mut window, "register");
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.click("sign-in");
    draw(&mut window, "sign-in");
    let mut window = Window::open_with(profile_of("ann"), |_| ());
    window.type_into("password", PASSWORD);
    window.click("unlock");
    window.tell(Event::Progress(client_link::api::Step::Directory { names: 900, done: 300 }));
    draw(&mut window, "unlock");
    window.tell(error(ErrorCode::WrongPin, About::default()));
    window.tell(Event::Ended { ok: false });
    draw(&mut window, "wrong-pin");
}

#[test]
#[ignore = "writes pictures for people"]
fn settings() {
    let mut window = signed_in();
    key(&mut window, Shortcut::Settings);
    let session = |id: &str, days: u64| SessionStatus {
        id: id.repeat(16),
        created_ms: crate::clock::now().unix_ms - days * 86_400_000,
        expires_ms: crate::clock::now().unix_ms + 20 * 86_400_000,
        current: id == "a",
        superseded: id == "b",
    };
    window.tell(Event::Sessions { sessions: vec![session("b", 9), session("a", 0)] });
    draw(&mut window, "account");
    window.click("password-open");
    window.type_into("password-old", "x");
    window.type_into("password-new", PASSWORD);
    draw(&mut window, "password");
    for section in ["privacy", "appearance", "network", "about"] {
        window.click(&format!("section-{section}"));
        draw(&mut window, section);
    }
    window.click("section-privacy");
    window.click("export");
    window.click("export-text");
    draw(&mut window, "export");
    window.click("export-yes");
    window.tell(Event::Local(LocalEvent::Exporting { done: 1000, of: 4000 }));
    draw(&mut window, "exporting");
}

#[test]
#[ignore = "writes pictures for people"]
fn lock_and_sheets() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "hello"));
    draw(&mut window, "main");
    key(&mut window, Shortcut::Keys);
    draw(&mut window, "keys");
    key(&mut window, Shortcut::Escape);
    window.click("meaning");
    draw(&mut window, "meaning");
    key(&mut window, Shortcut::Escape);
    window.update(Message::CloseRequested);
    draw(&mut window, "quit");
    key(&mut window, Shortcut::Escape);
    key(&mut window, Shortcut::Lock);
    draw(&mut window, "locked");
}
