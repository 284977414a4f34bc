//! Connections that delay, hold back and break. Streams are reliable, as QUIC's are: what is lost on the
//! way comes late, or the whole connection breaks.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

use super::world::{millis, seeded};

/// Which way something travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From client to server.
    Up = 0,
    /// From server to client.
    Down = 1,
}

/// Which stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Requests and answers.
    Control,
    /// `join`, deposits, rounds.
    Round,
}

/// How the network behaves; bounds are the least and the most, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Delay of every frame.
    pub delay_ms: (u64, u64),
    /// Frames of a hundred whose packets are lost and sent again.
    pub late_percent: u64,
    /// How much later those come.
    pub late_ms: (u64, u64),
    /// How long a client takes to notice that its connection broke.
    pub client_notices_ms: (u64, u64),
    /// How long the server takes.
    pub server_notices_ms: (u64, u64),
}

impl Weather {
    /// A good network: 5 to 40 ms.
    pub const FAIR: Self = Self {
        delay_ms: (5, 40),
        late_percent: 0,
        late_ms: (0, 0),
        client_notices_ms: (200, 600),
        server_notices_ms: (200, 6000),
    };

    /// A bad one: up to 300 ms, and one frame of ten comes up to 3 seconds late, after its round.
    pub const FOUL: Self =
        Self { delay_ms: (20, 300), late_percent: 10, late_ms: (300, 3000), ..Self::FAIR };

    /// A way to the other side of the earth: 200 to 400 ms each way.
    pub const FAR: Self = Self { delay_ms: (200, 400), ..Self::FAIR };

    /// Returns how long there and back takes in the middle.
    pub fn round_trip(&self) -> Duration {
        let (least, most) = self.delay_ms;
        millis(least + most)
    }
}

/// Names a connection; never used twice.
pub type ConnId = usize;

/// All connections there ever were.
pub struct Network {
    /// How it behaves now.
    pub weather: Weather,
    seed: u64,
    connections: Vec<Connection>,
    opened: Vec<u64>,
}

struct Connection {
    peer: usize,
    whole: bool,
    ways: [Lane; 2],
}

/// One way of a connection.
struct Lane {
    rng: ChaCha20Rng,
    last: [Duration; 2],
}

impl Network {
    /// Makes a network without connections.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self { weather, seed, connections: Vec::new(), opened: Vec::new() }
    }

    /// Opens a connection of a peer.
    pub fn open(&mut self, peer: usize) -> ConnId {
        if self.opened.len() <= peer {
            self.opened.resize(peer + 1, 0);
        }
        self.opened[peer] += 1;
        let lane = |way: Way| Lane {
            rng: seeded(self.seed, "network", &[peer as u64, self.opened[peer], way as u64]),
            last: [Duration::ZERO; 2],
        };
        let ways = [lane(Way::Up), lane(Way::Down)];
        self.connections.push(Connection { peer, whole: true, ways });
        self.connections.len() - 1
    }

    /// Returns whose connection it is.
    pub fn peer(&self, conn: ConnId) -> usize {
        self.connections[conn].peer
    }

    /// Tells whether a connection still carries anything.
    pub fn is_whole(&self, conn: ConnId) -> bool {
        self.connections[conn].whole
    }

    /// Returns all connections that are whole.
    pub fn whole(&self) -> Vec<ConnId> {
        (0..self.connections.len()).filter(|&conn| self.is_whole(conn)).collect()
    }

    /// Breaks a connection: what is on its way is lost. Returns how long client and server take to notice.
    pub fn cut(&mut self, conn: ConnId) -> (Duration, Duration) {
        let weather = self.weather;
        let connection = &mut self.connections[conn];
        connection.whole = false;
        let [up, down] = &mut connection.ways;
        (up.draw(weather.client_notices_ms), down.draw(weather.server_notices_ms))
    }

    /// Returns when a frame arrives: after the one before it on the same stream.
    pub fn arrival(&mut self, conn: ConnId, way: Way, channel: Channel, now: Duration) -> Duration {
        let weather = self.weather;
        let lane = &mut self.connections[conn].ways[way as usize];
        let mut delay = lane.draw(weather.delay_ms);
        let late = lane.draw(weather.late_ms);
        if lane.rng.next_u64() % 100 < weather.late_percent {
            delay += late;
        }
        let last = &mut lane.last[channel as usize];
        *last = (now + delay).max(*last + Duration::from_micros(1));
        *last
    }
}

impl Lane {
    fn draw(&mut self, (least, most): (u64, u64)) -> Duration {
        millis(least + self.rng.next_u64() % (most - least + 1))
    }
}
