//! The whole window on a scripted engine: what is clicked, typed and told, and what comes of it.

mod calls;
mod chat;
mod ending;
mod entry;
mod front;
mod kept;
mod pictures;
mod reading;

use client_link::api::{
    About, Command, ConnectionState, ContactStatus, ConversationStatus, ErrorCode, Event,
    MessageState, Standing, Status,
};
use wire::ids::MessageId;

use super::{AtOnce, Message, Shortcut};
use crate::fake::{Window, link};

const PASSWORD: &str = "correct horse battery staple";

/// A window in which ann has signed in, bob is a contact, and the directory has more people.
fn signed_in() -> Window {
    let mut window = at_sign_in();
    window.type_into("name", "ann");
    window.type_into("password", PASSWORD);
    window.click("sign-in");
    window.tell(Event::SignedIn { user: "ann".into() });
    let names = ["ann", "bob", "cid", "zoe"].map(str::to_owned).to_vec();
    window.tell(Event::Listed { names });
    window.tell(contact("bob", Standing::Contact, false));
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
        under_way: None,
    };
    Event::Status(Status {
        connection: ConnectionState::Connected,
        round: 9,
        seats: 3,
        missed: 0,
        real: 1,
        cover: 7,
        conversations: peers.iter().map(conversation).collect(),
        refused_calls: 0,
    })
}

fn contact(peer: &str, standing: Standing, verified: bool) -> Event {
    Event::Contact(ContactStatus { peer: peer.into(), standing, verified })
}

/// Opens the conversation with bob and answers for its history.
fn open_bob(window: &mut Window) {
    window.click("person-bob");
    let history = Command::History { peer: "bob".into(), before: None, max: 50 };
    assert!(window.commands() == [Command::Open { peer: "bob".into() }, history]);
    window.tell(Event::History { peer: "bob".into(), before: None, entries: vec![], more: false });
}

/// Signs ann in once more from the form, with bob in the directory, and opens the conversation with him.
fn sign_in_again(window: &mut Window, password: &str) {
    window.type_into("password", password);
    window.click("sign-in");
    window.tell(Event::SignedIn { user: "ann".into() });
    window.tell(Event::Listed { names: vec!["bob".into()] });
    window.tell(contact("bob", Standing::Contact, false));
    let _ = window.commands();
    open_bob(window);
}

/// Takes the one message that was sent; returns its label and text.
fn sent(window: &Window) -> (String, String) {
    match &window.commands()[..] {
        [Command::Send { peer, text, label }] if peer == "bob" => (label.clone(), text.clone()),
        commands => panic!("{} commands instead of one message", commands.len()),
    }
}
