//! Calls, contacts, and what is decided about people.

use client_link::api::{About, Author, Command, ErrorCode, Event, HistoryEntry, Standing};
use wire::ids::MessageId;

use crate::fake::Window;
use crate::words::{self, main as said};

use super::*;
use crate::words::sheets::meaning;

fn peer(name: &str) -> String {
    name.to_owned()
}

fn about(name: &str) -> About {
    About { peer: Some(name.into()), label: None }
}

fn history(name: &str) -> Command {
    Command::History { peer: name.into(), before: None, max: 50 }
}

/// A window in which cid calls.
fn called() -> Window {
    let mut window = signed_in();
    window.tell(Event::Request { peer: peer("cid") });
    window
}

/// A window that shows zoe, to whom there is nothing yet.
fn at_zoe() -> Window {
    let mut window = signed_in();
    window.click("person-zoe");
    assert!(window.commands() == [history("zoe")], "a stranger is not woken");
    window.tell(Event::History { peer: peer("zoe"), before: None, entries: vec![], more: false });
    window
}

fn shortcut(window: &mut Window, shortcut: Shortcut) {
    window.update(Message::Pressed(shortcut));
}

#[test]
fn a_call_is_accepted_and_its_conversation_shown() {
    let mut window = called();
    assert!(window.shows(&said::calls("cid")) && window.app.title() == "(1) ann – iirs");
    window.tell(Event::Request { peer: peer("cid") });
    assert_eq!(window.app.title(), "(1) ann – iirs", "it is one call");
    window.double_click("accept-cid");
    let accept = Command::Accept { peer: peer("cid") };
    assert!(window.commands() == [accept, history("cid")], "accepted once");
    assert!(window.has("composer") && window.app.title() == "(1) ann – iirs");
    window.tell(contact("cid", Standing::Contact, false));
    assert!(!window.has("accept-cid") && !window.has("accept") && window.has("person-cid"));
    assert_eq!(window.app.title(), "ann – iirs");
    window.tell(status(&[("cid", true)]));
    assert!(window.shows(said::LIVE));
}

#[test]
fn a_call_that_cannot_be_accepted_waits_on() {
    let mut window = called();
    window.click("accept-cid");
    window.tell(error(ErrorCode::TooManyContacts, about("cid")));
    let _ = window.commands();
    assert!(window.shows(&words::failure::words(ErrorCode::TooManyContacts, "")));
    window.click("accept");
    assert!(window.commands().first() == Some(&Command::Accept { peer: peer("cid") }));
    window.tell(error(ErrorCode::NoRequest, about("cid")));
    assert!(!window.has("accept-cid") && window.has("call"), "it is over, and can be called back");
}

#[test]
fn a_declined_call_is_gone_at_once() {
    let mut window = called();
    window.double_click("decline-cid");
    assert!(window.commands() == [Command::Decline { peer: peer("cid") }]);
    assert!(!window.has("accept-cid") && window.app.title() == "ann – iirs");
    assert!(window.has("person-cid"), "a stranger as before");
}

#[test]
fn a_blocked_caller_moves_among_the_blocked_and_back() {
    let mut window = called();
    window.double_click("block-cid");
    assert!(window.commands() == [Command::Block { peer: peer("cid") }]);
    window.tell(contact("cid", Standing::Blocked, false));
    assert!(!window.has("accept-cid") && !window.has("person-cid"));
    assert!(window.shows(&said::blocked_people(1, false)));
    window.click("blocked");
    window.click("person-cid");
    let _ = window.commands();
    assert!(window.shows(said::BLOCKED) && !window.has("menu"));
    window.type_into("composer", "not heard");
    window.click("send");
    assert!(window.commands().is_empty(), "nothing is written to the blocked");
    window.double_click("unblock");
    assert!(window.commands().first() == Some(&Command::Unblock { peer: peer("cid") }));
    window.tell(Event::Forgotten { peer: peer("cid") });
    window.tell(error(ErrorCode::NotAContact, about("cid")));
    assert!(window.shows(said::STRANGER) && window.has("call") && !window.has("blocked"));
}

#[test]
fn the_first_message_to_somebody_calls() {
    let mut window = at_zoe();
    assert!(window.shows(&said::will_be_called("zoe")) && window.shows(said::EMPTY));
    window.type_into("composer", "hello");
    window.click("send");
    match &window.commands()[..] {
        [Command::Call { peer }, Command::Send { peer: to, text, .. }] => {
            assert_eq!((&**peer, &**to, &**text), ("zoe", "zoe", "hello"));
        }
        commands => panic!("{} commands instead of a call and a message", commands.len()),
    }
    window.tell(contact("zoe", Standing::Calling, false));
    assert!(!window.has("call") && window.shows(&said::calling("zoe")));
    assert!(window.shows(said::TAG_CALLING));
    window.type_into("composer", "more");
    window.click("send");
    assert!(matches!(&window.commands()[..], [Command::Send { .. }]), "one call is enough");
    window.tell(contact("zoe", Standing::Contact, false));
    assert!(!window.shows(said::TAG_CALLING) && window.shows(&said::waiting("zoe")));
    window.tell(status(&[("zoe", true)]));
    assert!(window.shows(said::LIVE));
}

#[test]
fn a_message_to_a_caller_accepts_the_call() {
    let mut window = called();
    window.click("person-cid");
    assert!(window.shows(&said::calls_you("cid")) && window.commands() == [history("cid")]);
    window.type_into("composer", "yes?");
    window.click("send");
    let commands = window.commands();
    // to call somebody who calls is to accept
    assert!(matches!(&commands[..], [Command::Call { .. }, Command::Send { .. }]));
}

#[test]
fn a_call_needs_no_message() {
    let mut window = at_zoe();
    window.click("call");
    assert!(window.commands() == [Command::Call { peer: peer("zoe") }]);
    window.tell(error(ErrorCode::TooManyContacts, about("zoe")));
    assert!(window.shows(&words::failure::words(ErrorCode::TooManyContacts, "")));
}

#[test]
fn calls_are_answered_by_keyboard() {
    for (key, command) in [
        (Shortcut::Yes, Command::Accept { peer: peer("cid") }),
        (Shortcut::No, Command::Decline { peer: peer("cid") }),
        (Shortcut::Block, Command::Block { peer: peer("cid") }),
    ] {
        let mut window = called();
        shortcut(&mut window, key);
        assert!(window.commands().is_empty(), "nobody is shown");
        window.click("person-cid");
        let _ = window.commands();
        shortcut(&mut window, key);
        assert!(window.commands().first() == Some(&command));
    }
    let mut window = signed_in();
    open_bob(&mut window);
    shortcut(&mut window, Shortcut::Yes);
    shortcut(&mut window, Shortcut::No);
    assert!(window.commands().is_empty(), "bob does not call");
}

#[test]
fn what_cannot_be_undone_is_asked_about() {
    for (id, ask, command) in [
        ("forget", said::ask_forget("bob"), Command::Forget { peer: peer("bob") }),
        ("block", said::ask_block("bob"), Command::Block { peer: peer("bob") }),
    ] {
        let mut window = signed_in();
        open_bob(&mut window);
        window.click("menu");
        window.double_click(id);
        assert!(window.shows(&ask) && window.commands().is_empty(), "two presses are one");
        window.click("keep");
        assert!(!window.shows(&ask) && window.commands().is_empty());
        window.click("menu");
        window.click(id);
        shortcut(&mut window, Shortcut::Escape);
        assert!(!window.shows(&ask) && window.commands().is_empty());
        window.click("menu");
        window.click(id);
        window.click("person-bob");
        assert!(!window.shows(&ask), "a question does not wait for the next look");
        let _ = window.commands();
        window.click("menu");
        window.click(id);
        window.double_click("confirm");
        assert!(window.commands() == [command]);
    }
    let mut window = signed_in();
    open_bob(&mut window);
    shortcut(&mut window, Shortcut::Block);
    assert!(window.commands().is_empty());
    shortcut(&mut window, Shortcut::Yes);
    assert!(window.commands() == [Command::Block { peer: peer("bob") }]);
}

#[test]
fn who_is_forgotten_is_a_stranger_with_a_past() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.tell(message(1, "bob", "so long"));
    window.tell(Event::Forgotten { peer: peer("bob") });
    assert!(window.shows("so long") && window.shows(said::STRANGER) && window.has("call"));
    window.type_into("composer", "again?");
    window.click("send");
    assert!(window.commands().first() == Some(&Command::Call { peer: peer("bob") }));
}

#[test]
fn a_stranger_is_blocked_without_a_question() {
    let mut window = at_zoe();
    window.click("menu");
    window.click("block");
    assert!(window.commands() == [Command::Block { peer: peer("zoe") }]);
}

/// The directory shows another key for bob, who was verified.
fn key_changed(window: &mut Window) {
    window.tell(error(ErrorCode::KeyChanged, about("bob")));
    window.tell(contact("bob", Standing::KeyChanged, false));
    window.tell(Event::KeyChanged { peer: peer("bob") });
}

#[test]
fn a_changed_key_stops_the_conversation_until_it_is_decided() {
    let mut window = signed_in();
    window.tell(contact("bob", Standing::Contact, true));
    key_changed(&mut window);
    assert!(window.shows(said::TAG_KEY_CHANGED) && !window.shows(said::TAG_VERIFIED));
    window.click("person-bob");
    assert!(window.commands() == [history("bob")], "he is not woken");
    assert!(window.shows(&said::key_changed("bob")) && window.shows(said::KEY_CHANGED));
    window.type_into("composer", "are you you?");
    window.click("send");
    assert!(window.commands().is_empty(), "nothing goes to a key that may be another's");
    for (id, ask) in [
        ("accept-key", said::ask_accept_key("bob")),
        ("forget", said::ask_forget("bob")),
        ("block", said::ask_block("bob")),
    ] {
        window.double_click(id);
        assert!(window.shows(&ask) && window.commands().is_empty(), "{id} is asked about");
        window.click("keep");
    }
    window.click("accept-key");
    window.click("confirm");
    assert!(window.commands() == [Command::AcceptKey { peer: peer("bob") }]);
    window.tell(Event::Forgotten { peer: peer("bob") });
    window.tell(contact("bob", Standing::Calling, false));
    assert!(!window.shows(&said::key_changed("bob")) && window.shows(&said::calling("bob")));
    window.click("send");
    assert_eq!(sent(&window).1, "are you you?", "what was drafted is still there");
}

#[test]
fn a_deleted_account_cannot_be_accepted_and_is_forgotten() {
    let mut window = signed_in();
    key_changed(&mut window);
    window.click("person-bob");
    window.click("accept-key");
    window.click("confirm");
    window.tell(error(ErrorCode::AccountGone, about("bob")));
    assert!(window.shows(&words::failure::words(ErrorCode::AccountGone, "")));
    window.click("forget");
    window.click("confirm");
    assert!(window.commands().last() == Some(&Command::Forget { peer: peer("bob") }));
    window.tell(Event::Forgotten { peer: peer("bob") });
    assert!(window.shows(said::STRANGER));
}

fn show_safety_number(window: &mut Window, peer: &str) {
    window.click("safety-number");
    let _ = window.commands();
    window.tell(Event::SafetyNumber { peer: peer.into(), digits: "12345".repeat(12) });
}

#[test]
fn equal_numbers_are_marked_and_the_mark_is_taken_back() {
    let mut window = signed_in();
    open_bob(&mut window);
    show_safety_number(&mut window, "bob");
    assert!(window.has("verify") && !window.shows(said::TAG_VERIFIED));
    window.click("verify");
    assert!(window.commands() == [Command::Verify { peer: peer("bob"), verified: true }]);
    window.tell(contact("bob", Standing::Contact, true));
    assert!(window.shows(said::TAG_VERIFIED) && window.shows(said::SAFETY_VERIFIED));
    window.click("unverify");
    assert!(window.commands() == [Command::Verify { peer: peer("bob"), verified: false }]);
    window.tell(contact("bob", Standing::Contact, false));
    assert!(!window.shows(said::TAG_VERIFIED) && window.has("verify"));
}

#[test]
fn strangers_cannot_be_marked() {
    let mut window = at_zoe();
    show_safety_number(&mut window, "zoe");
    assert!(window.shows(said::SAFETY_NO_CONTACT) && !window.has("verify"));
}

#[test]
fn a_contact_counts_what_was_not_read_and_a_blocked_one_nothing() {
    let mut window = signed_in();
    window.tell(message(1, "bob", "one"));
    window.tell(message(2, "bob", "two"));
    assert!(window.shows("2") && window.app.title() == "(2) ann – iirs");
    window.tell(contact("bob", Standing::Blocked, false));
    assert_eq!(window.app.title(), "ann – iirs");
    window.click("blocked");
    window.click("person-bob");
    assert!(window.shows("one"), "what was said stays");
}

#[test]
fn the_list_is_calls_then_contacts_then_everyone_and_a_search_keeps_calls() {
    let mut window = called();
    for group in [said::CALLS, said::CONTACTS, said::EVERYONE] {
        assert!(window.shows(group), "{group}");
    }
    window.tell(contact("bob", Standing::Blocked, false));
    assert!(!window.shows(said::CONTACTS) && !window.has("person-bob"));
    window.type_into("search", "bo");
    assert!(window.has("accept-cid"), "a call stays in sight");
    assert!(window.has("person-bob") && window.shows(said::TAG_BLOCKED), "searched, and found");
    assert!(!window.has("person-zoe") && !window.has("blocked"));
}

#[test]
fn a_contact_is_woken_whenever_it_is_looked_at() {
    let mut window = signed_in();
    open_bob(&mut window);
    window.click("person-zoe");
    let _ = window.commands();
    window.tell(status(&[("bob", true)]));
    window.click("person-bob");
    assert!(window.commands() == [Command::Open { peer: peer("bob") }]);
}

#[test]
fn what_the_bar_means_is_said_and_put_away() {
    let mut window = signed_in();
    window.click("meaning");
    assert!(window.has("meaning-read") && window.shows(meaning::TITLE));
    assert!(meaning::PARTS.iter().all(|part| part.text.iter().all(|it| window.shows(it))));
    shortcut(&mut window, Shortcut::Escape);
    assert!(!window.has("meaning-read"));
    window.click("meaning");
    window.click("meaning-read");
    assert!(!window.has("meaning-read"));
}

#[test]
fn the_past_with_somebody_who_is_no_contact_is_read() {
    let mut window = signed_in();
    window.click("person-zoe");
    let author = Author::Peer { id: MessageId([1; 8]), round: 1 };
    let entry = HistoryEntry { cursor: 1, author, text: "long ago".into(), sent_ms: 0 };
    let entries = vec![entry];
    window.tell(Event::History { peer: peer("zoe"), before: None, entries, more: false });
    assert!(window.shows("long ago") && window.has("call"));
}
