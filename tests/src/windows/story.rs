//! The story: one calls the other, they chat, lose the server, and go on.

use anyhow::{Context as _, bail};

use super::figures::Figure;
use super::stage::{ROUNDS_MAX, SIGN_IN_MAX, Stage};
use super::tour;
use super::window::{CLICK_MAX, Window};
use crate::processes::MessageState;

/// Where the three windows are, each within a screen of 1600 by 1000 with room for a title.
pub(super) const LEFT: &str = "780x940+5+30";
const RIGHT: &str = "780x940+805+30";

const WEAK: &str = "password1";

/// Everything that is typed into a conversation; a line break is typed as Shift+Enter.
const ANN: [&str; 5] = [
    "Good morning, bob! Did you get home all right?",
    "Anyway: I found your umbrella, it was behind the piano.",
    "Roses are red,\nviolets are blue,\nthis has three lines.",
    LONG,
    "Let us meet at the old pier, not at the new one.",
];
const BOB: [&str; 5] = [
    "Home and dry, thanks. Grüße aus Łódź!",
    "おはよう、アン🎉",
    "Привет от Маши",
    "مرحبا، שלום",
    "Reading. Do not wait for me: \"quotes\", {braces} & <angles> arrive as they are.",
];

/// Too long for two rounds.
const LONG: &str = "You asked for the whole story of the harbour, so here it is. Day 1: we rowed out before sunrise, \
    counted ten boats, and wrote down where each one lay. Day 2: seventeen boats, and one that nobody knew. \
    Day 3: fog. We heard boats, but saw none, so we counted bells: nine. Day 4: the unknown boat was gone, and \
    with it the good anchor of the harbour master. Day 5: we found the anchor, under the pier, polished. Day 6: \
    nobody counted, for it was Sunday. Day 7: twenty-four boats, and on the last one stood somebody who waved, \
    and that is how I met your aunt.";
const QUEUED: &str = "Are you there? The line went quiet.";
const AFTER: [&str; 2] = ["The lights are on again.", "And not a word was lost."];
const AGAIN: [&str; 2] = ["I signed out and in again.", "Welcome back!"];
const DARK: [&str; 2] = ["Good evening. Everything dark over here.", "Good night! 🌙"];

/// Returns everything that has to be on the keyboard.
pub(super) fn texts() -> Vec<&'static str> {
    [&ANN[..], &BOB, &[QUEUED], &AFTER, &AGAIN, &DARK, &tour::TEXTS].concat()
}

/// What was measured on the way.
pub(super) type Figures = Vec<Figure>;

/// Plays all of it, first in light, then once more in dark, in short.
///
/// # Errors
/// At the first thing that does not happen as it should.
pub(super) fn play(stage: &mut Stage<'_>) -> anyhow::Result<Figures> {
    let mut figures = Vec::new();
    stage.step("two windows open, and are told the link");
    let mut ann = stage.open("ann", LEFT, "light", &[])?;
    let mut bob = stage.open("bob", RIGHT, "light", &[])?;
    enter_link(stage, &mut ann)?;
    stage.step("ann registers, after a password that is too weak");
    try_weak_password(stage, &mut ann)?;
    register(stage, &mut ann, "light")?;
    stage.step("bob goes to sign in first, and registers from there");
    register_from_sign_in(stage, &mut bob)?;
    call_and_accept(stage, &mut ann, &mut bob)?;
    stage.step("they write each other");
    stage.say(&mut bob, "ann", BOB[0])?;
    for (of_ann, of_bob) in ANN.into_iter().zip(BOB).skip(1) {
        stage.say(&mut ann, "bob", of_ann)?;
        stage.say(&mut bob, "ann", of_bob)?;
    }
    stage.hear([&mut ann, &mut bob])?;
    stage.step("ann compares the safety number, and marks it");
    verify(stage, &mut ann)?;
    ann.shoot(&mut stage.desk, "chat-ann-light")?;
    bob.shoot(&mut stage.desk, "chat-bob-light")?;
    stage.step("nobody touches them for a while");
    figures.push(Figure::idle([&mut ann, &mut bob])?);
    figures.extend(Figure::memory(&ann)?);
    tour::look_around(stage, &mut ann, &mut bob)?;
    lose_and_find(stage, &mut ann, &mut bob)?;
    stage.step("ann signs out, and in again with her password");
    sign_out_and_in(stage, &mut ann)?;
    stage.say(&mut ann, "bob", AGAIN[0])?;
    stage.say(&mut bob, "ann", AGAIN[1])?;
    stage.hear([&mut ann, &mut bob])?;
    ann.shoot(&mut stage.desk, "chat-after-sign-in-light")?;
    stage.desk.shoot(None, "both-light")?;
    stage.step("both windows are closed");
    ann.leave(&stage.desk)?;
    bob.leave(&stage.desk)?;
    tour::start_without_server(stage)?;
    play_dark(stage)?;
    figures.insert(0, Figure::start(&stage.firsts));
    Ok(figures)
}

/// The full stop, then the same screens in dark, with the accounts that are there.
fn play_dark(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.step("somebody comes with a link whose identity is wrong, in light and in dark");
    for (name, theme) in [("cid", "light"), ("dan", "dark"), ("eve", "high-contrast")] {
        meet_impostor(stage, name, theme)?;
    }
    stage.step("dark: both open again, signed in at once, and are contacts still");
    let mut ann = open_signed_in(stage, "ann", LEFT)?;
    let mut bob = open_signed_in(stage, "bob", RIGHT)?;
    open_each_other(stage, &mut ann, &mut bob)?;
    stage.say(&mut ann, "bob", DARK[0])?;
    stage.say(&mut bob, "ann", DARK[1])?;
    stage.hear([&mut ann, &mut bob])?;
    ann.shoot(&mut stage.desk, "chat-ann-dark")?;
    stage.desk.shoot(None, "both-dark")?;
    tour::look_in_dark(stage, &mut ann)?;
    stage.step("dark: the server goes away for good, and both windows are closed");
    stage.kill([&mut ann, &mut bob])?;
    ann.shoot(&mut stage.desk, "offline-dark")?;
    // it has to close in the middle of an attempt, too
    ann.click(&stage.desk, "retry")?;
    ann.leave(&stage.desk)?;
    bob.leave(&stage.desk)
}

/// Pastes the link as people do, with spaces around it.
fn enter_link(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    window.await_screen("connect", CLICK_MAX)?;
    window.shoot(&mut stage.desk, "connect-light")?;
    let link = format!("  {} ", stage.server.link());
    window.fill(&stage.desk, "link", &link)?;
    window.click(&stage.desk, "to-register")?;
    window.await_screen("register", CLICK_MAX)
}

fn try_weak_password(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    window.fill(&stage.desk, "name", &window.name.clone())?;
    window.fill(&stage.desk, "password", WEAK)?;
    window.fill(&stage.desk, "repeat", WEAK)?;
    window.click(&stage.desk, "register")?;
    window.shoot(&mut stage.desk, "register-weak-light")?;
    // the later sign-in with the strong one proves that it was not taken
    if window.seen.registered > 0 || window.seen.screen != "register" {
        bail!("the password “{WEAK}” was taken");
    }
    Ok(())
}

fn register(stage: &mut Stage<'_>, window: &mut Window, theme: &str) -> anyhow::Result<()> {
    let password = password(&window.name);
    window.fill(&stage.desk, "name", &window.name.clone())?;
    window.fill(&stage.desk, "password", &password)?;
    window.fill(&stage.desk, "repeat", &password)?;
    window.click(&stage.desk, "remember")?;
    window.shoot(&mut stage.desk, &format!("register-{theme}"))?;
    window.click(&stage.desk, "register")?;
    window.until("the account to be made", SIGN_IN_MAX, |seen| seen.registered > 0)?;
    window.await_screen("main", SIGN_IN_MAX)?;
    window.until("the rounds", ROUNDS_MAX, |seen| seen.rounds > 0)?;
    window.shoot(&mut stage.desk, &format!("main-empty-{theme}"))
}

/// Takes the way by keyboard: Enter in the link field leads to the sign-in, Enter in the last field registers.
fn register_from_sign_in(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    window.await_screen("connect", CLICK_MAX)?;
    window.fill(&stage.desk, "link", stage.server.link())?;
    window.press(&stage.desk, "Return")?;
    window.await_screen("sign-in", CLICK_MAX)?;
    window.shoot(&mut stage.desk, "sign-in-light")?;
    window.click(&stage.desk, "to-register")?;
    window.await_screen("register", CLICK_MAX)?;
    let password = password(&window.name);
    window.fill(&stage.desk, "name", &window.name.clone())?;
    window.fill(&stage.desk, "password", &password)?;
    window.fill(&stage.desk, "repeat", &password)?;
    window.press(&stage.desk, "Return")?;
    window.until("the account to be made", SIGN_IN_MAX, |seen| seen.registered > 0)?;
    window.await_screen("main", SIGN_IN_MAX)
}

/// One writes to the other, who is called by that and accepts.
fn call_and_accept(
    stage: &mut Stage<'_>,
    ann: &mut Window,
    bob: &mut Window,
) -> anyhow::Result<()> {
    stage.step("ann finds bob and writes: that calls him");
    ann.until("bob in the list", ROUNDS_MAX, |seen| seen.places.contains_key("person-bob"))?;
    find(stage, ann, "bo", "bob")?;
    ann.shoot(&mut stage.desk, "stranger-light")?;
    stage.say(ann, "bob", ANN[0])?;
    ann.shoot(&mut stage.desk, "calling-light")?;
    stage.step("bob accepts the call");
    bob.until("a call", ROUNDS_MAX, |seen| seen.places.contains_key("accept-ann"))?;
    bob.shoot(&mut stage.desk, "called-light")?;
    bob.click(&stage.desk, "accept-ann")?;
    bob.until("ann’s conversation", CLICK_MAX, |seen| {
        seen.opened.last().is_some_and(|it| it == "ann")
    })?;
    stage.hear([ann, bob])
}

/// Looks at the safety number, sets the mark, and goes back to the messages.
fn verify(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    window.click(&stage.desk, "safety-number")?;
    window.click(&stage.desk, "verify")?;
    window.until("the mark", CLICK_MAX, |seen| seen.places.contains_key("unverify"))?;
    window.shoot(&mut stage.desk, "safety-number-light")?;
    window.press(&stage.desk, "Escape")
}

/// Searches for somebody, and opens the one who is found.
fn find(stage: &Stage<'_>, window: &mut Window, search: &str, peer: &str) -> anyhow::Result<()> {
    window.fill(&stage.desk, "search", search)?;
    window.press(&stage.desk, "Return")?;
    window.until(&format!("{peer}’s conversation"), CLICK_MAX, |seen| {
        seen.opened.last().is_some_and(|it| it == peer)
    })
}

/// One finds the other by the search field, the other by a click on the list.
fn open_each_other(
    stage: &mut Stage<'_>,
    ann: &mut Window,
    bob: &mut Window,
) -> anyhow::Result<()> {
    ann.await_screen("main", SIGN_IN_MAX)?;
    bob.await_screen("main", SIGN_IN_MAX)?;
    for (window, peer) in [(&mut *ann, "bob"), (&mut *bob, "ann")] {
        let row = format!("person-{peer}");
        window.until(&format!("{peer} in the list"), ROUNDS_MAX, |seen| {
            seen.places.contains_key(&row)
        })?;
    }
    find(stage, ann, "bo", "bob")?;
    bob.click(&stage.desk, "person-ann")?;
    bob.until("ann’s conversation", CLICK_MAX, |seen| {
        seen.opened.last().is_some_and(|it| it == "ann")
    })
}

/// The server is killed, ann writes meanwhile, and it is started again.
fn lose_and_find(stage: &mut Stage<'_>, ann: &mut Window, bob: &mut Window) -> anyhow::Result<()> {
    stage.step("the server is killed with SIGKILL");
    stage.kill([&mut *ann, &mut *bob])?;
    stage.say(ann, "bob", QUEUED)?;
    ann.shoot(&mut stage.desk, "offline-light")?;
    if ann.seen.state("bob", QUEUED) != Some(MessageState::Queued) {
        bail!("a message is on its way, and there is no server");
    }
    stage.step("the server is started again");
    stage.restart([&mut *ann, &mut *bob])?;
    stage.hear([&mut *ann, &mut *bob])?;
    stage.say(bob, "ann", AFTER[0])?;
    stage.say(ann, "bob", AFTER[1])?;
    stage.hear([ann, bob])
}

fn sign_out_and_in(stage: &mut Stage<'_>, window: &mut Window) -> anyhow::Result<()> {
    let (peers, sign_ins) = (window.seen.opened.len(), window.seen.signed_in);
    window.click(&stage.desk, "sign-out")?;
    window.await_screen("sign-in", CLICK_MAX)?;
    window.fill(&stage.desk, "name", &window.name.clone())?;
    window.fill(&stage.desk, "password", &password(&window.name))?;
    window.click(&stage.desk, "sign-in")?;
    window.until("to be signed in", SIGN_IN_MAX, |seen| seen.signed_in > sign_ins)?;
    window.await_screen("main", SIGN_IN_MAX)?;
    window.click(&stage.desk, "person-bob")?;
    window.until("bob’s conversation", CLICK_MAX, |seen| seen.opened.len() > peers)
}

/// A link with another identity than the server's: nothing is sent to it, and the window says so.
fn meet_impostor(stage: &mut Stage<'_>, name: &str, theme: &str) -> anyhow::Result<()> {
    let link = with_wrong_identity(stage.server.link())?;
    let mut window = stage.open(name, LEFT, theme, &["--link", &link])?;
    window.await_screen("connect", CLICK_MAX)?;
    if theme == "dark" {
        window.shoot(&mut stage.desk, "connect-dark")?;
    }
    window.click(&stage.desk, "to-register")?;
    window.await_screen("register", CLICK_MAX)?;
    let password = password(name);
    window.fill(&stage.desk, "name", name)?;
    window.fill(&stage.desk, "password", &password)?;
    window.fill(&stage.desk, "repeat", &password)?;
    if theme == "dark" {
        window.shoot(&mut stage.desk, "register-dark")?;
        window.click(&stage.desk, "to-sign-in")?;
        window.await_screen("sign-in", CLICK_MAX)?;
        window.fill(&stage.desk, "name", name)?;
        window.fill(&stage.desk, "password", &password)?;
        window.shoot(&mut stage.desk, "sign-in-dark")?;
        window.click(&stage.desk, "sign-in")?;
    } else {
        window.click(&stage.desk, "register")?;
    }
    window.until_error("wrong-pin", SIGN_IN_MAX)?;
    window.await_screen("stopped", CLICK_MAX)?;
    window.shoot(&mut stage.desk, &format!("stopped-{theme}"))?;
    window.close(&stage.desk)
}

fn open_signed_in(stage: &mut Stage<'_>, name: &str, geometry: &str) -> anyhow::Result<Window> {
    let file = stage.place.password(name, &password(name))?;
    let file = file.to_str().context("a path that is no text")?;
    let link = stage.server.link().to_owned();
    let more = ["--link", &link, "--user", name, "--password-file", file];
    stage.open(name, geometry, "dark", &more)
}

pub(super) fn password(name: &str) -> String {
    format!("only {name} knows this umbrella")
}

/// Takes another first character of the identity.
fn with_wrong_identity(link: &str) -> anyhow::Result<String> {
    let (address, identity) = link.split_once('#').context("a link without identity")?;
    let first = if identity.starts_with('A') { 'B' } else { 'A' };
    Ok(format!("{address}#{first}{}", identity.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_identity_is_another_one_at_the_same_address() {
        for first in ["A", "I"] {
            let link =
                format!("iirs://127.0.0.1:4433/#{first}scH2IdNk0X22wqddk6uUNWzSuMNy9oy72uPCWZ-70I");
            let wrong = with_wrong_identity(&link).unwrap();
            assert_eq!(wrong.len(), link.len());
            assert_ne!(wrong, link);
            assert!(wrong.starts_with("iirs://127.0.0.1:4433/#") && wrong.ends_with(&link[24..]));
        }
    }

    #[test]
    fn all_texts_are_different() {
        let texts: std::collections::BTreeSet<_> = texts().into_iter().collect();
        assert_eq!(
            texts.len(),
            ANN.len() + BOB.len() + 1 + AFTER.len() + AGAIN.len() + DARK.len() + tour::TEXTS.len()
        );
    }
}
