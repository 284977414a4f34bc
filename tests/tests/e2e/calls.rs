//! Calls: of strangers, of people who are away, of both at once, and of people who are not wanted.

use client_link::api::{Command, ErrorCode, Event, Standing};
use tests::world::{Person, World};

async fn two(world: &World) -> (Person, Person) {
    let bob = world.sign_up("bob").await;
    (world.sign_up("ann").await, bob)
}

fn is_calling(peer: &str) -> Event {
    Event::Calling { peer: peer.to_owned() }
}

#[tokio::test]
async fn a_stranger_calls_and_both_talk() {
    let world = World::quick().await;
    let (mut ann, mut bob) = two(&world).await;
    ann.call("bob").await;
    ann.send("bob", "it is me", "1").await;
    bob.is_rung(0, "ann").await;
    assert_eq!(bob.contacts().await, [], "who calls is no contact yet");
    assert_eq!(ann.contacts().await, [("bob".into(), Standing::Calling, false)]);
    assert_eq!(bob.texts(), Vec::<String>::new(), "nothing is heard of a stranger");
    bob.accepts("ann").await;
    tokio::join!(ann.meets(0, "bob"), bob.meets(0, "ann"));
    tokio::join!(ann.delivers("1"), bob.receives("it is me"));
    bob.tells(&mut ann, "hello ann").await;
    assert_eq!(ann.contacts().await, [("bob".into(), Standing::Contact, false)]);
    assert_eq!(bob.contacts().await, [("ann".into(), Standing::Contact, false)]);
    let told = ann.log().iter().filter(|event| **event == is_calling("bob")).count();
    assert_eq!((told, bob.callers()), (1, vec!["ann".to_owned()]), "each is told once");
    assert_eq!((ann.errors(), bob.errors()), (vec![], vec![]));
}

#[tokio::test]
async fn who_is_declined_is_told_nothing_and_rings_no_more() {
    let world = World::quick().await;
    let (mut ann, mut bob) = two(&world).await;
    ann.call("bob").await;
    bob.is_rung(0, "ann").await;
    bob.command(Command::Decline { peer: "ann".into() }).await;
    // she goes on calling, also with a call that is none of those before
    bob.has_refused(1).await;
    ann.command(Command::Forget { peer: "bob".into() }).await;
    ann.call("bob").await;
    let refused = bob.refused_calls().await;
    bob.has_refused(refused + 2).await;
    assert_eq!(bob.callers(), ["ann"]);
    assert_eq!(ann.contacts().await, [("bob".into(), Standing::Calling, false)]);
    assert_eq!((ann.errors(), bob.contacts().await), (vec![], vec![]));

    // it is remembered, and he may call himself
    bob.leaves().await;
    let mut bob = Person::begin(world.somebody("bob")).await;
    bob.has_refused(1).await;
    assert_eq!(bob.callers(), Vec::<String>::new());
    bob.call("ann").await;
    tokio::join!(bob.meets(0, "ann"), ann.meets(0, "bob"));
    ann.tells(&mut bob, "so you do want to talk").await;
    assert_eq!(ann.callers(), Vec::<String>::new(), "she called him first");
}

#[tokio::test]
async fn who_is_blocked_is_not_heard_until_that_is_taken_back() {
    let world = World::quick().await;
    let (mut ann, mut bob) = two(&world).await;
    ann.call("bob").await;
    bob.is_rung(0, "ann").await;
    bob.command(Command::Block { peer: "ann".into() }).await;
    bob.sees(0, "ann", Standing::Blocked, false).await;
    bob.has_refused(2).await;
    let from = bob.now();
    bob.call("ann").await;
    bob.hears_error(from, ErrorCode::Blocked).await;
    bob.command(Command::Accept { peer: "ann".into() }).await;
    bob.hears_error(from, ErrorCode::NoRequest).await;
    assert_eq!(bob.callers(), ["ann"]);
    assert_eq!(ann.errors(), [], "she is not told");

    bob.command(Command::Unblock { peer: "ann".into() }).await;
    ann.command(Command::Forget { peer: "bob".into() }).await;
    ann.call("bob").await;
    bob.is_rung(from, "ann").await;
    bob.accepts("ann").await;
    ann.meets(0, "bob").await;
    ann.tells(&mut bob, "thanks").await;

    // in the middle of a conversation, too
    let mark = bob.now();
    bob.command(Command::Block { peer: "ann".into() }).await;
    bob.sees(mark, "ann", Standing::Blocked, false).await;
    ann.send("bob", "are you there?", "never").await;
    ann.call("bob").await;
    bob.sits_through(15).await;
    assert_eq!(bob.texts(), ["thanks"]);
    assert_eq!(ann.errors(), []);
}

#[tokio::test]
async fn whoever_was_away_is_rung_when_he_comes() {
    let world = World::quick().await;
    let (mut ann, bob) = two(&world).await;
    bob.leaves().await;
    ann.call("bob").await;
    ann.send("bob", "I waited for you", "1").await;
    let calling = |event: &Event| (*event == is_calling("bob")).then_some(());
    ann.hears(0, "that the call goes out", calling).await;
    ann.sits_through(10).await;
    let mut bob = Person::begin(world.somebody("bob")).await;
    bob.accepts("ann").await;
    tokio::join!(ann.meets(0, "bob"), bob.meets(0, "ann"));
    tokio::join!(ann.delivers("1"), bob.receives("I waited for you"));
}

#[tokio::test]
async fn two_who_call_each_other_at_once_are_in_one_conversation() {
    let world = World::quick().await;
    let (mut ann, mut bob) = two(&world).await;
    // both know each other's name, so that neither waits for the directory
    let listed = |event: &Event| match event {
        Event::Listed { names } => names.contains(&"ann".to_owned()).then_some(()),
        _ => None,
    };
    bob.hears(0, "ann in the directory", listed).await;
    tokio::join!(ann.call("bob"), bob.call("ann"));
    tokio::join!(ann.send("bob", "from ann", "1"), bob.send("ann", "from bob", "2"));
    tokio::join!(ann.meets(0, "bob"), bob.meets(0, "ann"));
    tokio::join!(ann.delivers("1"), bob.delivers("2"));
    tokio::join!(ann.receives("from bob"), bob.receives("from ann"));
    assert_eq!((ann.callers(), bob.callers()), (vec![], vec![]), "nobody is asked");
    for (one, other) in [(&mut ann, "bob"), (&mut bob, "ann")] {
        assert_eq!(one.contacts().await, [(other.into(), Standing::Contact, false)]);
        assert_eq!(one.errors(), []);
    }
    ann.tells(&mut bob, "one").await;
    bob.tells(&mut ann, "two").await;
    assert_eq!((ann.texts().len(), bob.texts().len()), (2, 2), "each text comes once");
}

#[tokio::test]
async fn a_caller_who_starts_anew_is_found_by_whom_he_called() {
    let world = World::quick().await;
    let (ann, mut bob) = two(&world).await;
    ann.call("bob").await;
    ann.send("bob", "are you there?", "1").await;
    bob.is_rung(0, "ann").await;
    ann.leaves().await;
    bob.accepts("ann").await;
    bob.send("ann", "yes", "2").await;
    let mut ann = Person::begin(world.somebody("ann")).await;
    tokio::join!(ann.meets(0, "bob"), bob.meets(0, "ann"));
    tokio::join!(ann.delivers("1"), bob.delivers("2"));
    tokio::join!(ann.receives("yes"), bob.receives("are you there?"));
}

#[tokio::test]
async fn a_conversation_goes_on_after_either_or_both_start_anew() {
    let world = World::quick().await;
    let (mut ann, mut bob) = two(&world).await;
    ann.gets_through(&mut bob).await;
    ann.tells(&mut bob, "before").await;
    ann.leaves().await;
    bob.send("ann", "while you were away", "2").await;
    let mut ann = Person::begin(world.somebody("ann")).await;
    tokio::join!(bob.delivers("2"), ann.receives("while you were away"));
    ann.tells(&mut bob, "after").await;

    tokio::join!(ann.leaves(), bob.leaves());
    let (mut ann, mut bob) =
        tokio::join!(Person::begin(world.somebody("ann")), Person::begin(world.somebody("bob")));
    bob.tells(&mut ann, "both anew").await;
    ann.tells(&mut bob, "so it is").await;
    assert_eq!(ann.contacts().await, [("bob".into(), Standing::Contact, false)]);
    assert_eq!((ann.callers(), bob.callers()), (vec![], vec![]));
    assert_eq!((ann.texts(), bob.texts()), (vec!["both anew".into()], vec!["so it is".into()]));
}

#[tokio::test]
async fn a_third_person_calls_one_of_two_who_talk_and_all_go_on() {
    let world = World::quick().await;
    let (mut ann, mut bob) = two(&world).await;
    let mut cid = world.sign_up("cid").await;
    ann.gets_through(&mut bob).await;
    cid.call("ann").await;
    cid.send("ann", "may I?", "c1").await;
    for turn in 0..3 {
        ann.tells(&mut bob, &format!("a{turn}")).await;
        bob.tells(&mut ann, &format!("b{turn}")).await;
    }
    ann.accepts("cid").await;
    tokio::join!(ann.meets(0, "cid"), cid.meets(0, "ann"));
    for (person, peer, text) in [
        (&ann, "bob", "to bob"),
        (&ann, "cid", "to cid"),
        (&bob, "ann", "of bob"),
        (&cid, "ann", "of cid"),
    ] {
        person.send(peer, text, text).await;
    }
    tokio::join!(
        async {
            for text in ["may I?", "of bob", "of cid"] {
                ann.receives(text).await;
            }
            ann.delivers("to bob").await;
            ann.delivers("to cid").await;
        },
        bob.receives("to bob"),
        cid.receives("to cid"),
    );
    assert_eq!(cid.contacts().await, [("ann".into(), Standing::Contact, false)]);
    assert_eq!(bob.contacts().await, [("ann".into(), Standing::Contact, false)]);
    assert_eq!((bob.callers(), bob.errors()), (vec!["ann".to_owned()], vec![]));
}

#[tokio::test]
async fn what_cannot_be_asked_is_an_error_that_says_what_to_do() {
    let world = World::new().await;
    let mut ann = world.sign_up("ann").await;
    let peer = |peer: &str| peer.to_owned();
    for (command, code) in [
        (Command::Call { peer: peer("ann") }, ErrorCode::SelfConversation),
        (Command::Call { peer: peer("Not a name!") }, ErrorCode::UnknownPeer),
        (Command::Call { peer: peer("nobody") }, ErrorCode::UnknownPeer),
        (Command::Accept { peer: peer("bob") }, ErrorCode::NoRequest),
        (Command::Decline { peer: peer("bob") }, ErrorCode::NoRequest),
        (Command::Block { peer: peer("ann") }, ErrorCode::SelfConversation),
        (Command::Block { peer: peer("bob") }, ErrorCode::UnknownPeer),
        (Command::Unblock { peer: peer("bob") }, ErrorCode::NotAContact),
        (Command::Forget { peer: peer("bob") }, ErrorCode::NotAContact),
        (Command::Verify { peer: peer("bob"), verified: true }, ErrorCode::NotAContact),
        (Command::AcceptKey { peer: peer("bob") }, ErrorCode::NotAContact),
    ] {
        let from = ann.now();
        ann.command(command).await;
        let text = ann.hears_error(from, code).await;
        assert!(text.len() > 20, "{text}");
    }
    assert_eq!(ann.contacts().await, []);
}
