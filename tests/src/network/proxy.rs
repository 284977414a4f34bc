//! A bad network between one client and its server: it loses, holds back and reorders datagrams, parts the two, and
//! gives the client another address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;
use wire::link::Link;

/// Longest datagram that is passed on.
const DATAGRAM_MAX: usize = 2048;

/// Most datagrams that are held back at once; further ones are lost, as in any queue.
const HELD_MAX: usize = 4096;

/// What a network does to each datagram, both ways alike.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trouble {
    /// Share that is lost, in thousandths.
    pub lost: u32,
    /// Share that is held back so that others overtake it, in thousandths.
    pub held: u32,
    /// How long it is held back at most; at least a quarter of it.
    pub held_for: Duration,
    /// How long every datagram takes, on the average.
    pub delay: Duration,
    /// How much longer or shorter it may take.
    pub jitter: Duration,
}

/// What a network did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that came.
    pub seen: u64,
    /// Datagrams that were lost.
    pub lost: u64,
    /// Datagrams that were held back or delayed.
    pub held: u64,
    /// Times that the clients' address changed.
    pub moves: u32,
}

/// A network; it ends with the runtime.
#[derive(Clone)]
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    server: SocketAddr,
    trouble: Trouble,
    parted: bool,
    /// Held datagrams that are still to be sent.
    waiting: usize,
    rng: ChaCha20Rng,
    counts: Counts,
    ways: HashMap<SocketAddr, Way>,
}

/// A client's way to the server.
struct Way {
    inside: Arc<UdpSocket>,
    back: AbortHandle,
}

impl Proxy {
    /// Starts a network to a server that does what it does by the seed.
    ///
    /// # Panics
    /// If the loopback interface has no free port.
    pub async fn start(server: SocketAddr, trouble: Trouble, seed: u64) -> Self {
        let outside = bound(Ipv4Addr::LOCALHOST).await;
        let port = outside.local_addr().expect("the socket is bound").port();
        let state = State {
            server,
            trouble,
            parted: false,
            waiting: 0,
            rng: ChaCha20Rng::seed_from_u64(seed),
            counts: Counts::default(),
            ways: HashMap::new(),
        };
        let proxy = Self { port, state: Arc::new(Mutex::new(state)) };
        tokio::spawn(proxy.clone().carry_up(outside));
        proxy
    }

    /// Returns the link that leads through the network.
    #[must_use]
    pub fn link(&self, link: &Link) -> Link {
        Link { port: self.port, ..link.clone() }
    }

    /// Has the network do this to each datagram from now on.
    pub fn trouble(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    /// Lets nothing through from now on, or all that it did before.
    pub fn part(&self, parted: bool) {
        self.state().parted = parted;
    }

    /// Gives all clients another address and port from the server's view, as a router that forgot them; what is on
    /// its way to the old ones is lost.
    pub fn change_addresses(&self) {
        let mut state = self.state();
        state.counts.moves += 1;
        for (_, way) in state.ways.drain() {
            way.back.abort();
        }
    }

    /// Returns what the network did.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    async fn carry_up(self, outside: Arc<UdpSocket>) {
        let mut datagram = [0; DATAGRAM_MAX];
        loop {
            let Ok((bytes, client)) = outside.recv_from(&mut datagram).await else { continue };
            let inside = match self.inside(client) {
                Some(inside) => inside,
                None => self.open(client, &outside).await,
            };
            let server = self.state().server;
            self.pass(inside, &datagram[..bytes], server);
        }
    }

    fn inside(&self, client: SocketAddr) -> Option<Arc<UdpSocket>> {
        self.state().ways.get(&client).map(|way| way.inside.clone())
    }

    /// Opens a client's way to the server, from an address that is new after each change.
    async fn open(&self, client: SocketAddr, outside: &Arc<UdpSocket>) -> Arc<UdpSocket> {
        let moves = self.state().counts.moves;
        let host = u8::try_from(2 + moves % 250).expect("at most 251");
        let inside = bound(Ipv4Addr::new(127, 0, 0, host)).await;
        let back = self.clone().carry_down(inside.clone(), outside.clone(), client);
        let back = tokio::spawn(back).abort_handle();
        self.state().ways.insert(client, Way { inside: inside.clone(), back });
        inside
    }

    async fn carry_down(self, inside: Arc<UdpSocket>, outside: Arc<UdpSocket>, client: SocketAddr) {
        let mut datagram = [0; DATAGRAM_MAX];
        loop {
            let Ok(bytes) = inside.recv(&mut datagram).await else { continue };
            self.pass(outside.clone(), &datagram[..bytes], client);
        }
    }

    /// Sends a datagram on, now or later or not at all.
    fn pass(&self, socket: Arc<UdpSocket>, datagram: &[u8], to: SocketAddr) {
        let Some(after) = self.state().fate() else { return };
        if after.is_zero() {
            // what does not fit into a socket's buffer is lost, as in any network
            let _ = socket.try_send_to(datagram, to);
            return;
        }
        let (proxy, datagram) = (self.clone(), datagram.to_vec());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            proxy.state().waiting -= 1;
            let _ = socket.try_send_to(&datagram, to);
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Draws how long the next datagram is held back; `None` if it is lost.
    fn fate(&mut self) -> Option<Duration> {
        let Trouble { lost, held, held_for, delay, jitter } = self.trouble;
        self.counts.seen += 1;
        // the same numbers are drawn whatever happens, so that a seed stands for the same luck
        let (is_lost, is_held) = (self.drawn(1000) < lost, self.drawn(1000) < held);
        let (part, shift) = (self.drawn(1000), self.drawn(2001));
        if self.parted || is_lost || self.waiting >= HELD_MAX {
            self.counts.lost += 1;
            return None;
        }
        let mut after = (delay + jitter * shift / 1000).saturating_sub(jitter);
        if is_held {
            after += held_for / 4 + held_for * 3 / 4 * part / 1000;
        }
        if !after.is_zero() {
            self.counts.held += 1;
            self.waiting += 1;
        }
        Some(after)
    }

    fn drawn(&mut self, below: u32) -> u32 {
        self.rng.next_u32() % below
    }
}

async fn bound(host: Ipv4Addr) -> Arc<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(IpAddr::V4(host), 0)).await;
    Arc::new(socket.expect("loopback has a free port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(trouble: Trouble) -> State {
        State {
            server: SocketAddr::from(([127, 0, 0, 1], 1)),
            trouble,
            parted: false,
            waiting: 0,
            rng: ChaCha20Rng::seed_from_u64(7),
            counts: Counts::default(),
            ways: HashMap::new(),
        }
    }

    #[test]
    fn as_many_are_lost_and_held_as_the_trouble_says() {
        let trouble = Trouble {
            lost: 200,
            held: 300,
            held_for: Duration::from_millis(40),
            ..Trouble::default()
        };
        let mut network = state(trouble);
        let fates: Vec<_> = (0..2000).map(|_| network.fate()).collect();
        let lost = fates.iter().filter(|it| it.is_none()).count();
        let held: Vec<_> = fates.into_iter().flatten().filter(|it| !it.is_zero()).collect();
        assert!((300..500).contains(&lost), "{lost}");
        assert!((380..580).contains(&held.len()), "{}", held.len());
        let bounds = Duration::from_millis(10)..=Duration::from_millis(40);
        assert!(held.iter().all(|it| bounds.contains(it)));
        assert_eq!(network.counts.lost, lost as u64);
    }

    #[test]
    fn jitter_lies_around_the_delay() {
        let (delay, jitter) = (Duration::from_millis(300), Duration::from_millis(100));
        let mut network = state(Trouble { delay, jitter, ..Trouble::default() });
        let fates: Vec<_> = (0..1000).filter_map(|_| network.fate()).collect();
        let (least, most) = (fates.iter().min().unwrap(), fates.iter().max().unwrap());
        assert!(*least >= delay - jitter && *least < delay - jitter / 2, "{least:?}");
        assert!(*most <= delay + jitter && *most > delay + jitter / 2, "{most:?}");
    }

    #[test]
    fn the_same_seed_has_the_same_luck() {
        let trouble = Trouble { lost: 50, ..Trouble::default() };
        let luck = || {
            let mut network = state(trouble);
            (0..500).map(|_| network.fate()).collect::<Vec<_>>()
        };
        assert_eq!(luck(), luck());
    }
}
