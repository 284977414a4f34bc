//! What two people compare to know that nobody sits between them.

use client_link::api::{Command, ErrorCode, Event};
use tests::world::{Person, Start, World};

/// Waits until a name is in somebody's directory.
async fn knows(person: &mut Person, wanted: &str) {
    let listed = |event: &Event| match event {
        Event::Listed { names } => names.iter().any(|name| name == wanted).then_some(()),
        _ => None,
    };
    person.hears(0, &format!("{wanted} in the directory"), listed).await;
}

#[tokio::test]
async fn two_people_have_the_same_safety_number_and_a_third_another() {
    let world = World::new().await;
    let (ann, mut bob) = (world.sign_up("ann").await, world.sign_up("bob").await);
    let mut cid = world.sign_up("cid").await;
    knows(&mut bob, "cid").await;
    ann.leaves().await;
    // it takes no open conversation, and it is the account's, not the machine's
    let elsewhere = Start { profile: world.profile("new machine"), ..world.somebody("ann") };
    let mut ann = Person::begin(elsewhere).await;
    let number = ann.safety_number("bob").await;
    assert!(number.len() == 60 && number.bytes().all(|it| it.is_ascii_digit()), "{number}");
    assert_eq!(bob.safety_number("ann").await, number);
    let others = [ann.safety_number("cid").await, bob.safety_number("cid").await];
    assert_eq!(cid.safety_number("ann").await, others[0]);
    assert_eq!(cid.safety_number("bob").await, others[1]);
    assert!(others[0] != number && others[1] != number && others[0] != others[1]);
}

#[tokio::test]
async fn a_safety_number_stays_the_same_through_a_conversation_and_a_restart() {
    let world = World::new().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    let number = ann.safety_number("bob").await;
    ann.send("bob", "hi", "1").await;
    ann.delivers("1").await;
    ann.leaves().await;
    let mut ann = Person::begin(world.somebody("ann")).await;
    assert_eq!(ann.safety_number("bob").await, number);
    assert_eq!(bob.safety_number("ann").await, number);
}

#[tokio::test]
async fn nobody_and_oneself_have_no_safety_number() {
    let world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    for (peer, expected) in [("zoe", ErrorCode::UnknownPeer), ("ann", ErrorCode::SelfConversation)]
    {
        let from = ann.now();
        ann.command(Command::SafetyNumber { peer: peer.into() }).await;
        let refused = |event: &Event| match event {
            Event::Error { code, about, .. } => Some((*code, about.peer.clone())),
            _ => None,
        };
        let refused = ann.hears(from, "a refusal", refused).await;
        assert_eq!(refused, (expected, Some(peer.to_owned())));
    }
}
