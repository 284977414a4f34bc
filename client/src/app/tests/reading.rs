//! Reading what was written: where the reader is, what is chosen, links, and the way from one to the next.

use client_link::api::{Author, Command, Event, HistoryEntry, MessageState, Standing};
use iced::keyboard::Modifiers;
use iced::keyboard::key::Named;
use wire::ids::MessageId;

use crate::screen::main::{self, Way};
use crate::widget::roll::Seen;
use crate::words::main as said;

use super::*;

fn do_main(window: &mut Window, message: main::Message) {
    window.update(Message::Main(message));
}

/// A page of messages of bob with these cursors, the newest first.
fn page(before: Option<u64>, cursors: impl IntoIterator<Item = u64>, more: bool) -> Event {
    let entry = |cursor: u64| HistoryEntry {
        cursor,
        author: Author::Peer { id: MessageId(cursor.to_be_bytes()), round: cursor },
        text: format!("text {cursor}"),
        sent_ms: cursor,
    };
    let entries = cursors.into_iter().map(entry).collect();
    Event::History { peer: "bob".into(), before, entries, more }
}

fn history(before: u64) -> Command {
    Command::History { peer: "bob".into(), before: Some(before), max: 50 }
}

#[test]
fn what_was_not_looked_at_is_marked_until_the_conversation_is_left() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "looked at"));
    window.click("person-cid");
    window.tell(message(2, "bob", "first"));
    window.tell(message(3, "bob", "second"));
    window.click("person-bob");
    assert!(window.shows(&said::unread(2)));
    window.tell(message(4, "bob", "third"));
    assert!(window.shows(&said::unread(2)), "it stays where it was");
    window.click("person-cid");
    window.click("person-bob");
    assert!(!window.has("unread"));
}

#[test]
fn a_reader_who_scrolled_up_is_told_what_comes_and_led_there() {
    let mut window = signed_in();
    open_bob(&mut window);
    for number in 1..=60 {
        window.tell(message(number, "bob", "hello"));
    }
    assert!(!window.has("to-end"));
    do_main(&mut window, main::Message::Seen(Seen { first: 30, last: 40, is_end: false }));
    assert!(window.shows(&said::newer(0)));
    window.tell(message(61, "bob", "new"));
    assert!(window.shows(&said::newer(1)));
    window.click("to-end");
    assert!(!window.has("to-end"));
}

#[test]
fn older_messages_load_by_themselves_near_the_top_and_once() {
    let mut window = signed_in();
    window.click("person-bob");
    let _ = window.commands();
    window.tell(page(None, (51..=100).rev(), true));
    let seen = |first, last| main::Message::Seen(Seen { first, last, is_end: false });
    do_main(&mut window, seen(30, 40));
    assert!(window.commands().is_empty(), "that is far from the oldest");
    do_main(&mut window, seen(10, 20));
    do_main(&mut window, seen(9, 20));
    assert!(window.commands() == [history(51)]);
    window.tell(page(Some(51), (41..=50).rev(), false));
    do_main(&mut window, seen(51, 10));
    assert!(window.commands().is_empty(), "there are no more");
}

#[test]
fn messages_are_chosen_and_copied_by_keyboard() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "first"));
    window.tell(message(2, "bob", "second"));
    let up = |window: &mut Window| window.press("composer", Named::ArrowUp, Modifiers::empty());
    up(&mut window);
    assert!(window.shows(said::CHOSEN_KEYS) && window.has("copy"));
    do_main(&mut window, main::Message::CopyPressed);
    assert!(window.shows(said::COPIED));
    do_main(&mut window, main::Message::ChooseMoved { back: true });
    assert!(window.shows(said::COPY), "that is another message");
    do_main(&mut window, main::Message::DetailsPressed);
    assert!(window.has("details-shown") && window.shows("Arrived in round 9"));
    window.update(Message::Pressed(Shortcut::Escape));
    assert!(!window.has("copy") && !window.has("details-shown"));
    window.type_into("composer", "text");
    up(&mut window);
    assert!(!window.has("copy"), "the arrow is the field's while something is in it");
}

#[test]
fn a_message_is_chosen_and_copied_by_mouse() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "first"));
    window.click("choose-1");
    window.click("copy");
    assert!(window.shows(said::COPIED));
    window.click("details");
    assert!(window.has("details-shown"));
}

#[test]
fn a_link_is_shown_before_anything_is_opened() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "see www.p\u{430}ypal.com/\u{202e}x, and iirs://a.b:4433/#x"));
    let press = |link| main::Message::Link(Way::Pressed(1, link));
    do_main(&mut window, press(0));
    assert!(window.shows("https://www.xn--pypal-4ve.com/"), "what is written behind it ends it");
    assert!(window.shows(&said::link_leads("www.xn--pypal-4ve.com")) && window.has("link-open"));
    window.click("link-cancel");
    assert!(!window.has("link-open"));
    do_main(&mut window, press(1));
    assert!(window.shows("iirs://a.b:4433/#x") && window.shows(said::LINK_IIRS));
    window.click("link-copy");
    do_main(&mut window, press(2));
    assert!(!window.has("link-copy"), "there is no third");
}

#[test]
fn the_conversation_that_spoke_last_comes_first_and_keys_lead_along() {
    let mut window = signed_in();
    for peer in ["cid", "zoe"] {
        window.tell(contact(peer, Standing::Contact, false));
    }
    window.tell(message(1, "zoe", "hi"));
    open_bob(&mut window);
    let next = |back| main::Message::NextPressed { back };
    do_main(&mut window, next(true));
    let opened = |window: &Window| match window.commands().first() {
        Some(Command::Open { peer }) => peer.clone(),
        _ => String::new(),
    };
    assert_eq!(opened(&window), "zoe", "she spoke last");
    do_main(&mut window, next(true));
    assert_eq!(opened(&window), "", "there is none before");
    do_main(&mut window, next(false));
    do_main(&mut window, next(false));
    let _ = window.commands();
    assert_eq!(window.app.main_screen().shown(), Some("cid"));
    do_main(&mut window, main::Message::Stepped { back: false });
    do_main(&mut window, main::Message::SearchSubmitted);
    assert_eq!(opened(&window), "zoe", "the first row was chosen by an arrow");
}

#[test]
fn a_narrow_window_shows_the_list_or_a_conversation() {
    let mut window = signed_in();
    for (width, height) in [(320.0, 400.0), (619.0, 420.0)] {
        window.resize(width, height);
        assert!(window.fits("search") && window.fits("person-bob") && !window.has("composer"));
        window.click("person-bob");
        for id in ["composer", "send", "menu", "close", "meaning"] {
            assert!(window.fits(id), "{id} at {width} x {height}");
        }
        assert!(!window.has("search") && !window.has("safety-number"));
        window.click("menu");
        for id in ["composer", "send", "menu", "close", "meaning", "safety-number"] {
            assert!(window.fits(id), "{id} under the menu at {width} x {height}");
        }
        window.click("menu");
        window.click("close");
    }
    window.resize(620.0, 420.0);
    window.click("person-bob");
    for id in ["composer", "send", "menu", "close", "search"] {
        assert!(window.fits(id), "{id} beside the list");
    }
    window.resize(900.0, 420.0);
    assert!(window.fits("safety-number") && window.fits("close"));
}

#[test]
fn long_names_fit_everywhere() {
    let mut window = signed_in();
    let name = "m".repeat(32);
    window.tell(contact(&name, Standing::KeyChanged, false));
    for width in [320.0, 620.0, 780.0, 980.0] {
        window.resize(width, 700.0);
        let row = format!("person-{name}");
        assert!(window.fits(&row));
        window.click(&row);
        for id in ["composer", "send", "close", "accept-key", "forget", "block"] {
            assert!(window.fits(id), "{id} at {width}");
        }
        window.click("close");
    }
}

#[test]
fn states_and_waiting_are_said_in_words() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(status(&[("bob", true)]));
    for text in ["one", "two"] {
        window.type_into("composer", text);
        window.click("send");
        let (label, _) = sent(&window);
        window.tell(state(&label, MessageState::Queued, None));
    }
    let clock = crate::present::clock(window.app.here.unix_ms, &window.app.here);
    assert!(window.shows(&format!("{clock} · queued, 1 ahead")));
    window.tell(status(&[("bob", false)]));
    assert!(window.shows(&format!("{clock} · waiting for bob to be online")));
}
