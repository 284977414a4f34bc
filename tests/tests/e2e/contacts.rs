//! Contacts, marks and blocks: on another machine, from two machines, and with keys that change.

use client_link::api::{Command, ConnectionState, ErrorCode, Event, MessageState, Standing};
use tests::world::{Person, Relay, Start, Way, World};

/// Somebody on a machine that never saw the account.
fn elsewhere(world: &World, name: &str) -> Start {
    Start { profile: world.profile(&format!("{name} elsewhere")), ..world.somebody(name) }
}

async fn verifies(person: &mut Person, peer: &str) {
    let from = person.now();
    person.command(Command::Verify { peer: peer.into(), verified: true }).await;
    person.sees(from, peer, Standing::Contact, true).await;
}

fn friend(name: &str, verified: bool) -> (String, Standing, bool) {
    (name.to_owned(), Standing::Contact, verified)
}

fn blocked(name: &str) -> (String, Standing, bool) {
    (name.to_owned(), Standing::Blocked, false)
}

#[tokio::test]
async fn contacts_marks_and_blocks_are_there_on_another_machine() {
    let world = World::quick().await;
    let (mut bob, cid) = tokio::join!(world.sign_up("bob"), world.sign_up("cid"));
    let mut ann = world.sign_up("ann").await;
    ann.gets_through(&mut bob).await;
    ann.tells(&mut bob, "from the old machine").await;
    verifies(&mut ann, "bob").await;
    ann.command(Command::Block { peer: "cid".into() }).await;
    ann.sees(0, "cid", Standing::Blocked, false).await;
    ann.stores().await;

    let mut again = Person::begin(elsewhere(&world, "ann")).await;
    let text = ann.hears_error(0, ErrorCode::SignedInElsewhere).await;
    assert!(text.contains("another machine") && text.contains("sign in again here"), "{text}");
    assert!(!ann.ends().await.0);
    again.sees(0, "bob", Standing::Calling, true).await;
    again.sees(0, "cid", Standing::Blocked, false).await;

    // nobody does anything but talk
    let mark = bob.now();
    tokio::join!(
        again.send("bob", "from the new one", "1"),
        bob.send("ann", "where are you?", "2")
    );
    tokio::join!(again.delivers("1"), bob.delivers("2"));
    tokio::join!(again.receives("where are you?"), bob.receives("from the new one"));
    assert_eq!(again.contacts().await, [friend("bob", true), blocked("cid")]);
    let rung = bob.log()[mark..].iter().any(|event| matches!(event, Event::Request { .. }));
    assert!(!rung, "a contact is not asked about again");
    assert_eq!(bob.errors(), []);

    cid.call("ann").await;
    again.has_refused(1).await;
    assert_eq!(again.callers(), Vec::<String>::new());
}

/// Each machine made a contact of its own before it saw the vault of the other.
#[tokio::test]
async fn what_two_machines_changed_is_merged_and_nothing_is_lost() {
    let world = World::quick().await;
    let (mut bob, mut cid) = tokio::join!(world.sign_up("bob"), world.sign_up("cid"));
    let mut first = world.sign_up("ann").await;
    first.gets_through(&mut bob).await;
    verifies(&mut first, "bob").await;
    // before it is in the vault, unless this is the moment; the profile has it
    let mut second = Person::begin(elsewhere(&world, "ann")).await;
    first.hears_error(0, ErrorCode::SignedInElsewhere).await;
    second.gets_through(&mut cid).await;
    let version = second.stores().await;

    let mut first = Person::begin(world.somebody("ann")).await;
    second.hears_error(0, ErrorCode::SignedInElsewhere).await;
    first.meets(0, "cid").await;
    first.meets(0, "bob").await;
    assert_eq!(first.contacts().await, [friend("bob", true), friend("cid", false)]);
    assert!(first.stores().await > version, "a version is never written twice");

    let mut second = Person::begin(elsewhere(&world, "ann")).await;
    tokio::join!(second.send("bob", "hello bob", "1"), second.send("cid", "hello cid", "2"));
    second.delivers("1").await;
    second.delivers("2").await;
    tokio::join!(bob.receives("hello bob"), cid.receives("hello cid"));
    assert_eq!(second.contacts().await, [friend("bob", true), friend("cid", false)]);
    assert_eq!(second.errors(), []);
}

#[tokio::test]
async fn whoever_takes_the_name_of_one_who_left_is_not_taken_for_him() {
    let world = World::quick().await;
    let relay = Relay::start(world.address()).await;
    let behind = Start { link: relay.link(&world.link()), ..world.somebody("ann") };
    let registering = Start { register: true, ..behind.clone() };
    let (mut ann, mut bob) = tokio::join!(Person::begin(registering), world.sign_up("bob"));
    ann.gets_through(&mut bob).await;
    ann.tells(&mut bob, "hello").await;
    verifies(&mut ann, "bob").await;
    let number = ann.safety_number("bob").await;
    relay.stop(&[Way::Up, Way::Down]);
    ann.reaches(0, ConnectionState::Lost).await;
    ann.send("bob", "for the old bob only", "old").await;
    ann.has_come("old", MessageState::Queued).await;
    let password = world.somebody("bob").password.into_bytes().into();
    bob.command(Command::DeleteAccount { password }).await;
    assert!(bob.ends().await.0);
    let mark = ann.now();
    relay.stop(&[]);
    let text = ann.hears_error(mark, ErrorCode::AccountGone).await;
    assert!(text.contains("bob deleted the account"), "{text}");
    ann.sees(mark, "bob", Standing::KeyChanged, false).await;

    // he finds her in the directory, calls her, and is told apart
    let mark = ann.now();
    let other = Start { password: "another one".into(), ..elsewhere(&world, "bob") };
    let mut other = Person::begin(Start { register: true, ..other }).await;
    other.call("ann").await;
    let text = ann.hears_error(mark, ErrorCode::KeyChanged).await;
    assert!(text.contains("bob"), "{text}");
    ann.sees(mark, "bob", Standing::KeyChanged, false).await;
    let told = |event: &Event| (*event == Event::KeyChanged { peer: "bob".into() }).then_some(());
    ann.hears(mark, "that the key changed", told).await;
    ann.has_refused(1).await;
    assert_eq!(ann.callers(), Vec::<String>::new());
    let mark = ann.now();
    ann.send("bob", "for nobody", "refused").await;
    ann.hears_error(mark, ErrorCode::KeyChanged).await;
    let mark = ann.now();
    ann.call("bob").await;
    ann.hears_error(mark, ErrorCode::KeyChanged).await;

    // it lasts over a restart
    ann.leaves().await;
    let mut ann = Person::begin(behind).await;
    ann.sees(0, "bob", Standing::KeyChanged, false).await;
    let mark = ann.now();
    ann.command(Command::AcceptKey { peer: "bob".into() }).await;
    tokio::join!(ann.meets(mark, "bob"), other.meets(0, "ann"));
    ann.tells(&mut other, "for the new bob").await;
    other.tells(&mut ann, "so I am bob now").await;
    assert_eq!(ann.contacts().await, [friend("bob", false)]);
    assert_ne!(ann.safety_number("bob").await, number);
    other.sits_through(15).await;
    assert_eq!(other.texts(), ["for the new bob"], "nothing that was for the old one");
    assert!(!ann.log().contains(&Event::Connection(ConnectionState::Lost)));
}
