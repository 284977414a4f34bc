//! A tour of what a window has beside the chat: sheets, settings, search, lock, small windows, and a start without a server.

use anyhow::bail;

use super::stage::{ROUNDS_MAX, SIGN_IN_MAX, Stage};
use super::story::{LEFT, password};
use super::window::{CLICK_MAX, Window};
use crate::processes::MessageState;

/// What is written while ann's window is locked.
const LOCKED: &str = "You are not looking, are you?";

/// What ann writes without a server.
const OFFLINE: &str = "Written before there was a server.";

/// What is looked for, and how often it stands in the conversation.
const FOUND: (&str, u64) = ("umbrella", 1);

/// The settings, by their sections.
const SECTIONS: [&str; 5] = ["account", "privacy", "appearance", "network", "about"];

/// Steps from the size of type as it is to the largest, 200 %.
const LARGER: u32 = 5;

/// A window on a telephone.
const SMALL: (u16, u16) = (320, 640);

/// What has to be on the keyboard.
pub(super) const TEXTS: [&str; 3] = [LOCKED, OFFLINE, FOUND.0];

/// Looks at everything that lies on the main screen or stands in front of it.
pub(super) fn look_around(
    stage: &mut Stage<'_>,
    ann: &mut Window,
    bob: &mut Window,
) -> anyhow::Result<()> {
    stage.step("ann looks at the keys, at what is hidden from whom, and at all settings");
    look_at_sheets(stage, ann, "light")?;
    look_at_settings(stage, ann, "light")?;
    stage.step("ann searches what they wrote");
    search(stage, ann, "light")?;
    stage.step("ann locks her window; bob writes, and it waits");
    lock_and_unlock(stage, ann, bob)?;
    stage.step("bob's window is as small as a telephone");
    shrink(stage, bob)?;
    stage.step("a second start finds the window that is there");
    start_twice(stage, ann)
}

/// Looks at the same in dark, and at all of it as large as it gets.
pub(super) fn look_in_dark(stage: &mut Stage<'_>, ann: &mut Window) -> anyhow::Result<()> {
    stage.step("dark: ann looks at sheets, settings and search, and locks her window");
    look_at_sheets(stage, ann, "dark")?;
    look_at_settings(stage, ann, "dark")?;
    search(stage, ann, "dark")?;
    ann.press(&stage.desk, "ctrl+l")?;
    ann.await_screen("locked", CLICK_MAX)?;
    ann.shoot(&mut stage.desk, "locked-dark")?;
    unlock(stage, ann)
}

fn await_place(window: &mut Window, place: &str) -> anyhow::Result<()> {
    window.until(&format!("“{place}”"), CLICK_MAX, |seen| seen.places.contains_key(place))
}

fn look_at_sheets(stage: &mut Stage<'_>, window: &mut Window, theme: &str) -> anyhow::Result<()> {
    window.press(&stage.desk, "ctrl+slash")?;
    await_place(window, "keys-read")?;
    window.shoot(&mut stage.desk, &format!("keys-{theme}"))?;
    window.press(&stage.desk, "Escape")?;
    window.click(&stage.desk, "meaning")?;
    await_place(window, "meaning-read")?;
    window.shoot(&mut stage.desk, &format!("meaning-{theme}"))?;
    window.press(&stage.desk, "Escape")
}

/// Looks at each section as it is, and at chat and settings at 200 %.
fn look_at_settings(stage: &mut Stage<'_>, window: &mut Window, theme: &str) -> anyhow::Result<()> {
    window.press(&stage.desk, "ctrl+comma")?;
    window.await_screen("settings", CLICK_MAX)?;
    window.until("the list of sessions", ROUNDS_MAX, |seen| seen.sessions == Some(1))?;
    for section in SECTIONS {
        window.click(&stage.desk, &format!("section-{section}"))?;
        window.shoot(&mut stage.desk, &format!("settings-{section}-{theme}"))?;
    }
    for _ in 0..LARGER {
        window.press(&stage.desk, "ctrl+equal")?;
    }
    window.shoot(&mut stage.desk, &format!("settings-large-{theme}"))?;
    window.press(&stage.desk, "Escape")?;
    window.await_screen("main", CLICK_MAX)?;
    window.shoot(&mut stage.desk, &format!("chat-large-{theme}"))?;
    window.press(&stage.desk, "ctrl+0")
}

fn search(stage: &mut Stage<'_>, window: &mut Window, theme: &str) -> anyhow::Result<()> {
    let (text, hits) = FOUND;
    window.press(&stage.desk, "ctrl+f")?;
    window.fill(&stage.desk, "find", text)?;
    window.until("what is looked for", CLICK_MAX, |seen| seen.found >= hits)?;
    window.shoot(&mut stage.desk, &format!("search-{theme}"))?;
    window.press(&stage.desk, "Return")?;
    window.press(&stage.desk, "Escape")
}

/// What comes while the window is locked is on disk, and shown once it is unlocked.
fn lock_and_unlock(
    stage: &mut Stage<'_>,
    ann: &mut Window,
    bob: &mut Window,
) -> anyhow::Result<()> {
    ann.press(&stage.desk, "ctrl+l")?;
    ann.await_screen("locked", CLICK_MAX)?;
    let rounds = ann.seen.rounds;
    bob.click(&stage.desk, "composer")?;
    bob.write(&stage.desk, LOCKED)?;
    bob.press(&stage.desk, "Return")?;
    ann.until("a message that waits", ROUNDS_MAX, |seen| seen.waits > 0)?;
    bob.until("it to be known as delivered", ROUNDS_MAX, |seen| {
        seen.state("ann", LOCKED) == Some(MessageState::Delivered)
    })?;
    ann.until("the rounds to go on", ROUNDS_MAX, |seen| seen.rounds > rounds)?;
    if ann.seen.arrivals("bob", LOCKED) > 0 {
        bail!("the locked window was told what bob wrote");
    }
    ann.shoot(&mut stage.desk, "locked-light")?;
    ann.fill(&stage.desk, "password", "not this one")?;
    ann.press(&stage.desk, "Return")?;
    ann.until_error("wrong-credentials", SIGN_IN_MAX)?;
    unlock(stage, ann)?;
    await_loaded(ann, LOCKED)
}

fn unlock(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    window.fill(&stage.desk, "password", &password(&window.name.clone()))?;
    window.press(&stage.desk, "Return")?;
    window.await_screen("main", SIGN_IN_MAX)
}

fn await_loaded(window: &mut Window, text: &str) -> anyhow::Result<()> {
    window.until(&format!("“{text}” from the disk"), CLICK_MAX, |seen| {
        seen.loaded.iter().any(|(_, it)| it == text)
    })
}

fn shrink(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    let before = window.size(&stage.desk)?;
    window.resize(&stage.desk, SMALL)?;
    window.shoot(&mut stage.desk, "small-chat-light")?;
    window.press(&stage.desk, "ctrl+w")?;
    window.shoot(&mut stage.desk, "small-people-light")?;
    window.resize(&stage.desk, before)?;
    window.click(&stage.desk, "person-ann")
}

fn start_twice(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    let link = stage.server.link().to_owned();
    stage.start_again(&window.name, &link)?;
    await_place(window, "notice")?;
    window.shoot(&mut stage.desk, "second-start-light")?;
    window.click(&stage.desk, "notice")
}

/// The server is away: ann opens what is on her disk, reads, and writes what goes out once there is a server.
pub(super) fn start_without_server(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.step(
        "there is no server: ann's window opens with her password, and shows what is on disk",
    );
    stage.server.kill()?;
    let mut ann = stage.open("ann", LEFT, "light", &[])?;
    ann.await_screen("unlock", CLICK_MAX)?;
    ann.shoot(&mut stage.desk, "unlock-light")?;
    ann.fill(&stage.desk, "password", &password("ann"))?;
    ann.press(&stage.desk, "Return")?;
    ann.await_screen("main", SIGN_IN_MAX)?;
    ann.click(&stage.desk, "person-bob")?;
    await_loaded(&mut ann, LOCKED)?;
    stage.say(&mut ann, "bob", OFFLINE)?;
    ann.until("no server", SIGN_IN_MAX, |seen| seen.lost > 0)?;
    ann.shoot(&mut stage.desk, "without-server-light")?;
    stage.step("the server is there again, and ann comes into the rounds by herself");
    stage.server.restart(stage.place)?;
    stage.restarts += 1;
    ann.until("the rounds", ROUNDS_MAX, |seen| seen.rounds > 0)?;
    ann.leave(&stage.desk)
}
