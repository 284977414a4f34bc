//! A start with what is kept on this machine, before the server is reached.

use client_link::api::{
    Command, ConnectionState, ErrorCode, Event, Local, LocalEvent, MessageState, Standing,
};
use tests::world::{Person, Relay, Start, World};

fn early(world: &World, name: &str) -> Start {
    Start { early: true, ..world.somebody(name) }
}

fn opened(name: &str) -> Event {
    Event::Local(LocalEvent::Opened { user: name.to_owned() })
}

async fn hears(person: &mut Person, wanted: &Event) {
    person.hears(0, &format!("{wanted:?}"), |event| (event == wanted).then_some(())).await;
}

#[tokio::test]
async fn without_a_server_the_history_is_read_and_what_is_written_waits() {
    let mut world = World::quick().await;
    let (mut ann, mut bob) = world.pair("ann", "bob").await;
    ann.tells(&mut bob, "before").await;
    let draft = Local::Draft { peer: "bob".into(), text: "half a sentence".into() };
    ann.command(Command::Local(draft)).await;
    ann.leaves().await;
    bob.leaves().await;
    world.stop().await;

    let mut ann = Person::start(early(&world, "ann"));
    hears(&mut ann, &opened("ann")).await;
    hears(&mut ann, &Event::Connection(ConnectionState::Lost)).await;
    let drafts = vec![("bob".to_owned(), "half a sentence".to_owned())];
    hears(&mut ann, &Event::Local(LocalEvent::Drafts { drafts })).await;
    let both = |event: &Event| match event {
        Event::Listed { names } => Some(names.len() == 2 && names.contains(&"bob".to_owned())),
        _ => None,
    };
    assert!(ann.hears(0, "the names", both).await);
    ann.hears(0, "the pause", |it| matches!(it, Event::RetryIn { .. }).then_some(())).await;
    ann.command(Command::History { peer: "bob".into(), before: None, max: 9 }).await;
    let page = |event: &Event| match event {
        Event::History { entries, .. } => Some(entries[0].text.clone()),
        _ => None,
    };
    assert_eq!(ann.hears(0, "the history", page).await, "before");
    ann.send("bob", "written without a server", "a2").await;
    ann.has_come("a2", MessageState::Queued).await;
    assert_eq!(ann.errors(), []);
    let order: Vec<_> = ann
        .log()
        .iter()
        .filter_map(|event| match event {
            Event::Local(LocalEvent::Opened { .. }) => Some("opened"),
            Event::Local(LocalEvent::Drafts { .. }) => Some("drafts"),
            Event::Connection(ConnectionState::Connecting) => Some("connecting"),
            Event::Connection(ConnectionState::Lost) => Some("lost"),
            _ => None,
        })
        .take(4)
        .collect();
    assert_eq!(order, ["opened", "drafts", "connecting", "lost"]);

    world.start_again().await;
    ann.command(Command::Retry).await;
    hears(&mut ann, &Event::SignedIn { user: "ann".into() }).await;
    ann.reaches(0, ConnectionState::Connected).await;
    let mut bob = Person::begin(world.somebody("bob")).await;
    ann.delivers("a2").await;
    bob.receives("written without a server").await;
    let signed_in = |event: &&Event| matches!(event, Event::SignedIn { .. });
    assert_eq!(ann.log().iter().filter(signed_in).count(), 1);
    ann.leaves().await;
}

#[tokio::test]
async fn what_was_written_without_a_server_survives_the_program() {
    let mut world = World::quick().await;
    let (ann, bob) = world.pair("ann", "bob").await;
    ann.leaves().await;
    bob.leaves().await;
    world.stop().await;
    let mut ann = Person::start(early(&world, "ann"));
    ann.send("bob", "kept", "a1").await;
    ann.has_come("a1", MessageState::Queued).await;
    ann.leaves().await;
    world.start_again().await;
    let mut ann = Person::start(early(&world, "ann"));
    let mut bob = Person::start(early(&world, "bob"));
    bob.receives("kept").await;
    ann.delivers("a1").await;
}

#[tokio::test]
async fn a_token_that_is_refused_gives_way_to_the_password_and_contacts_are_called_anew() {
    let world = World::quick().await;
    let (mut ann, mut bob) = tokio::join!(world.sign_up("ann"), world.sign_up("bob"));
    ann.gets_through(&mut bob).await;
    ann.leaves().await;
    // another machine takes the session's place, and calls the contacts anew
    let second = Start { profile: world.profile("second machine"), ..world.somebody("ann") };
    Person::begin(second).await.leaves().await;

    let mut ann = Person::start(early(&world, "ann"));
    hears(&mut ann, &opened("ann")).await;
    ann.sees(0, "bob", Standing::Contact, false).await;
    ann.reaches(0, ConnectionState::Connected).await;
    ann.meets(0, "bob").await;
    ann.tells(&mut bob, "by the new root").await;
    assert_eq!(ann.errors(), []);
    ann.leaves().await;
    // the new token is the one that is kept
    let mut ann = Person::start(early(&world, "ann"));
    ann.reaches(0, ConnectionState::Connected).await;
    bob.tells(&mut ann, "and it is taken").await;
}

#[tokio::test]
async fn a_lock_before_the_server_is_reached_forgets_the_password_that_was_typed() {
    let mut world = World::quick().await;
    let ann = world.sign_up("ann").await;
    ann.leaves().await;
    let second = Start { profile: world.profile("second machine"), ..world.somebody("ann") };
    Person::begin(second).await.leaves().await;
    world.stop().await;
    let mut ann = Person::start(early(&world, "ann"));
    ann.reaches(0, ConnectionState::Lost).await;
    ann.command(Command::Local(Local::Lock)).await;
    hears(&mut ann, &Event::Local(LocalEvent::Locked)).await;
    world.start_again().await;
    ann.command(Command::Retry).await;
    let (ok, _) = ann.ends().await;
    assert!(!ok);
    assert_eq!(ann.errors()[0].0, ErrorCode::SignedInElsewhere);
}

#[tokio::test]
async fn another_server_behind_the_address_is_a_full_stop() {
    let (world, other) = tokio::join!(World::quick(), World::quick());
    world.sign_up("ann").await.leaves().await;
    let relay = Relay::start(other.address()).await;
    let mut ann = Person::start(Start { link: relay.link(&world.link()), ..early(&world, "ann") });
    hears(&mut ann, &opened("ann")).await;
    let (ok, _) = ann.ends().await;
    assert!(!ok);
    assert_eq!(ann.errors()[0].0, ErrorCode::WrongPin);
}

#[tokio::test]
async fn who_has_no_session_here_begins_at_the_server() {
    let world = World::quick().await;
    let ann = world.sign_up("ann").await;
    ann.command(Command::SignOut).await;
    let mut ann = ann;
    assert!(ann.ends().await.0);
    let mut ann = Person::start(early(&world, "ann"));
    ann.reaches(0, ConnectionState::Connected).await;
    let log = ann.leaves().await;
    assert!(!log.contains(&opened("ann")), "{log:?}");
    // nor does whoever does not want to begin early
    let log = Person::begin(world.somebody("ann")).await.leaves().await;
    assert!(!log.contains(&opened("ann")), "{log:?}");
    // a wrong password opens nothing
    let mut ann = Person::start(Start { password: "wrong".into(), ..early(&world, "ann") });
    let (ok, log) = ann.ends().await;
    assert!(!ok && !log.contains(&opened("ann")));
    assert_eq!(ann.errors()[0].0, ErrorCode::WrongCredentials);
}

#[tokio::test]
async fn signing_out_without_a_server_says_that_the_session_stays_there() {
    let mut world = World::quick().await;
    world.sign_up("ann").await.leaves().await;
    world.stop().await;
    let mut ann = Person::start(early(&world, "ann"));
    hears(&mut ann, &opened("ann")).await;
    ann.command(Command::SignOut).await;
    assert!(ann.ends().await.0);
    assert_eq!(ann.errors()[0].0, ErrorCode::NoServer);
}
