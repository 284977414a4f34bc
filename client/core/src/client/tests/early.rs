//! A client that works before its server is reached.

use wire::ids::{AccountIndex, MessageId};

use super::*;
use crate::record::{Contact, Outgoing, SavedRoot};
use crate::vault::SealedVault;

fn bob() -> Record {
    record("bob", 2)
}

/// What an earlier process kept: bob on a root, and a message to him.
fn saved() -> Saved {
    let no = false;
    let contact = Contact {
        record: bob(),
        index: AccountIndex(1),
        verified: no,
        blocked: no,
        forgotten: no,
        unsaved: None,
    };
    let root = SavedRoot {
        caller: bob().identity(),
        first: Round(40),
        heard: true,
        hello: Secret::new([1; 32]),
        outer: Secret::new([2; 32]),
        steps: 3,
    };
    let (label, text) = ("m1".to_owned(), "waits".to_owned());
    let (id, peer) = (MessageId([1; 8]), bob().identity());
    let outgoing = Outgoing { id, peer, label, text, sent_ms: 7, sent: None };
    Saved {
        contacts: vec![contact],
        roots: vec![(bob().identity(), root)],
        outgoing: vec![outgoing],
        ..Saved::default()
    }
}

fn client() -> Client {
    let generator = || ChaCha20Rng::seed_from_u64(9);
    let (mut records, listed) = (no_records(), [record("ann", 1), bob()]);
    for length in 1..=listed.len() {
        records.append(&[(listed[length - 1], head(&listed[..length]))]);
    }
    let (contents, schedule) = (Box::new(generator()), generator());
    Client::new(identity("ann", 1), saved(), vault_key(), records, contents, schedule)
}

fn events(client: &mut Client) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(output) = client.poll_output() {
        if let Output::Event(event) = output {
            events.push(event);
        }
    }
    events
}

#[test]
fn what_is_known_is_told_without_the_server_and_not_once_more_with_it() {
    let mut client = client();
    client.handle_opened();
    let told = events(&mut client);
    assert_eq!(told[0], Event::Connection(ConnectionState::Connecting));
    assert!(matches!(&told[1], Event::Contact(contact) if contact.peer == "bob"), "{told:?}");
    assert_eq!(told[2], Event::Listed { names: vec!["ann".into(), "bob".into()] });
    assert_eq!(told.len(), 3);
    client.handle_lost();
    assert_eq!(events(&mut client), [Event::Connection(ConnectionState::Lost)]);
    client.handle_lost();
    client.handle_directory_synced(NOW, 2, head(&[record("ann", 1), bob()]));
    client.handle_vault(0, &SealedVault::from_parts(&[[7; 1024]; 3]));
    assert_eq!(events(&mut client), [], "nothing is new");
}

#[test]
fn a_new_session_calls_the_contacts_anew_and_keeps_what_waits() {
    let mut client = client();
    let open = |client: &Client| {
        let conversation = &client.conversations[&bob().identity()].conversation;
        (conversation.saved_root().is_some(), conversation.undelivered())
    };
    assert_eq!(open(&client), (true, 1));
    client.handle_new_session();
    assert_eq!(open(&client), (false, 1));
    client.handle_command(NOW, send("bob"));
    assert!(keeps_a_message(&outputs(&mut client).1), "he is there to be written to");
}
