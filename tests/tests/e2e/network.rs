//! Networks in trouble between people and their server: every message arrives once and in order.

use std::time::Duration;

use client_link::api::ConnectionState;
use tests::network::{Proxy, Trouble};
use tests::world::{Person, Start, World};

/// Messages each way.
const MESSAGES: usize = 8;

/// Two people, each behind a network of their own.
struct Pair {
    people: [Person; 2],
    networks: [Proxy; 2],
}

impl Pair {
    async fn begin(world: &World, trouble: Trouble) -> Self {
        let networks = [
            Proxy::start(world.address(), trouble, 1).await,
            Proxy::start(world.address(), trouble, 2).await,
        ];
        let start = |name, network: &Proxy| {
            let link = network.link(&world.link());
            Person::begin(Start { link, register: true, ..world.somebody(name) })
        };
        let (ann, bob) = tokio::join!(start("ann", &networks[0]), start("bob", &networks[1]));
        ann.open("bob").await;
        bob.open("ann").await;
        Self { people: [ann, bob], networks }
    }

    /// Gives both everything that they are to say.
    async fn send_all(&self) {
        let [ann, bob] = &self.people;
        for text in texts() {
            ann.send("bob", &text, &text).await;
            bob.send("ann", &text, &text).await;
        }
    }

    /// Waits until a message of both has arrived.
    async fn delivers(&mut self, text: &str) {
        let [ann, bob] = &mut self.people;
        tokio::join!(ann.delivers(text), bob.delivers(text));
    }

    /// Waits until all has arrived, and checks that it did once and in order.
    async fn end(mut self) -> [Person; 2] {
        for text in texts() {
            self.delivers(&text).await;
        }
        for person in &mut self.people {
            assert_eq!(person.texts(), texts(), "of those to {}", person.name());
        }
        self.people
    }
}

fn texts() -> Vec<String> {
    (0..MESSAGES).map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn what_is_lost_and_overtaken_arrives_once_and_in_order() {
    let world = World::new().await;
    let trouble =
        Trouble { lost: 100, held: 300, held_for: Duration::from_millis(60), ..Trouble::default() };
    let pair = Pair::begin(&world, trouble).await;
    pair.send_all().await;
    let networks = pair.networks.clone();
    pair.end().await;
    for network in networks {
        let counts = network.counts();
        assert!(counts.lost > 0 && counts.held > 0, "the network is no trouble: {counts:?}");
    }
}

#[tokio::test]
async fn whose_address_changes_keeps_the_connection() {
    let world = World::new().await;
    let mut pair = Pair::begin(&world, Trouble::default()).await;
    pair.send_all().await;
    for (network, text) in [(0, "1"), (1, "3"), (0, "5")] {
        pair.delivers(text).await;
        pair.networks[network].change_addresses();
    }
    for mut person in pair.end().await {
        assert!(!person.was_lost(), "{} lost the connection", person.name());
    }
}

#[tokio::test]
async fn a_partition_delays_and_loses_nothing() {
    let world = World::new().await;
    let mut pair = Pair::begin(&world, Trouble::default()).await;
    pair.send_all().await;
    pair.delivers("1").await;
    let [ann_now, bob_now] = pair.people.each_mut().map(Person::now);
    pair.networks.iter().for_each(|network| network.part(true));
    let [ann, bob] = &mut pair.people;
    tokio::join!(
        ann.reaches(ann_now, ConnectionState::Lost),
        bob.reaches(bob_now, ConnectionState::Lost)
    );
    pair.networks.iter().for_each(|network| network.part(false));
    pair.end().await;
}
