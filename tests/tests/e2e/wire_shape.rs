//! What an observer on the wire can count.
//!
//! Acknowledgements are QUIC's affair: one rides on a frame that leaves within 25 ms and goes alone
//! otherwise, so counts differ by chance with the random moments of the deposits. Over 100 rounds of
//! 200 ms they came to 239 to 247 datagrams up and 241 to 257 down, for those who talked and for the one
//! who did not alike. Content has no way to move them; the simulator checks that exactly.

use client_link::api::Event;
use tests::world::{Person, Relay, Start, Way, World};
use tokio::time::Instant;

/// The size of every datagram after the handshake.
const DATAGRAM: usize = 1200;

/// Rounds in which datagrams are counted: three times five, so with three control frames each way.
const ROUNDS: usize = 15;

/// A busy machine makes QUIC repeat itself; in one of so many tries it does not.
const TRIES: usize = 3;

/// Texts that keep two people busy for all tries, in four fragments each.
const TEXTS: usize = 60;

#[tokio::test]
async fn a_calling_a_talking_and_an_idle_client_look_alike() {
    let world = World::new().await;
    let (mut ann, ann_relay) = comes_in(&world, "ann").await;
    let (mut bob, bob_relay) = comes_in(&world, "bob").await;
    let (mut idle, idle_relay) = comes_in(&world, "idle").await;
    world.sign_up("away").await.leaves().await;
    ann.gets_through(&mut bob).await;
    for label in (0..TEXTS).map(|place| place.to_string()) {
        let text = label.repeat(1000 / label.len());
        tokio::join!(ann.send("bob", &text, &label), bob.send("ann", &text, &label));
    }
    ann.delivers("0").await;

    let mut counts = Vec::new();
    let alike = loop {
        let (begun, said) = (Instant::now(), ann.texts().len() + bob.texts().len());
        // Asked for anew, the call goes out in the next dial round, beside all that she says.
        let mark = ann.now();
        ann.call("away").await;
        idle.sits_through(ROUNDS).await;
        assert!(ann.texts().len() + bob.texts().len() > said, "ann and bob talk");
        let calling = Event::Calling { peer: "away".into() };
        assert!(ann.log()[mark..].contains(&calling), "ann calls in every window");
        let window = begun..Instant::now();
        let of = |relay: &Relay| [Way::Up, Way::Down].map(|way| count(relay, way, &window));
        let seen = [&ann_relay, &bob_relay, &idle_relay].map(of);
        counts.push(seen);
        let near = |one: usize, other: usize| 5 * one.abs_diff(other) <= other;
        let [talking @ .., idle] = seen;
        if talking.iter().all(|it| near(it[0], idle[0]) && near(it[1], idle[1])) {
            break true;
        }
        if counts.len() == TRIES {
            break false;
        }
    };
    assert!(alike, "datagrams up and down of ann, bob and the idle one: {counts:?}");
    assert!(idle.log().iter().all(|event| !matches!(event, Event::Message { .. })));
}

/// Registers somebody behind an observer of their own.
async fn comes_in(world: &World, name: &str) -> (Person, Relay) {
    let relay = Relay::start(world.address()).await;
    let link = relay.link(&world.link());
    let start = Start { link, register: true, ..world.somebody(name) };
    (Person::begin(start).await, relay)
}

/// Counts the datagrams of some time; all that ever passed after the handshake have one size.
fn count(relay: &Relay, way: Way, window: &std::ops::Range<Instant>) -> usize {
    let datagrams = relay.datagrams();
    let sizes = datagrams.iter().filter(|it| !it.handshake).map(|it| it.bytes);
    assert!(sizes.clone().all(|bytes| bytes == DATAGRAM), "{:?}", sizes.collect::<Vec<_>>());
    datagrams.iter().filter(|it| it.way == way && window.contains(&it.at)).count()
}
