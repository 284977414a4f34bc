//! An observer between clients and a server, who passes on what he is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::time::Instant;
use wire::link::Link;

use super::LOCAL;

/// Longest datagram that is passed on.
const DATAGRAM_MAX: usize = 2048;

/// Direction of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// What an observer notes of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram {
    /// When it passed.
    pub at: Instant,
    /// Which way.
    pub way: Way,
    /// Its UDP payload.
    pub bytes: usize,
    /// Whether it has a long header (RFC 9000, section 17.2), which means handshake.
    pub handshake: bool,
}

/// A relay; it ends with the runtime.
#[derive(Clone)]
pub struct Relay {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    server: SocketAddr,
    stopped: Vec<Way>,
    datagrams: Vec<Datagram>,
}

impl Relay {
    /// Starts a relay to a server.
    pub async fn start(server: SocketAddr) -> Self {
        let outside = UdpSocket::bind(LOCAL).await.expect("loopback has a free port");
        let port = outside.local_addr().expect("the socket is bound").port();
        let state = State { server, stopped: Vec::new(), datagrams: Vec::new() };
        let relay = Self { port, state: Arc::new(Mutex::new(state)) };
        tokio::spawn(relay.clone().carry_up(Arc::new(outside)));
        relay
    }

    /// Returns the link that leads through the relay.
    pub fn link(&self, link: &Link) -> Link {
        Link { port: self.port, ..link.clone() }
    }

    /// Drops datagrams on these ways from now on, and on no others.
    pub fn stop(&self, ways: &[Way]) {
        self.state().stopped = ways.to_vec();
    }

    /// Sends everything to another server from now on.
    pub fn redirect(&self, server: SocketAddr) {
        self.state().server = server;
    }

    /// Returns what passed so far.
    pub fn datagrams(&self) -> Vec<Datagram> {
        self.state().datagrams.clone()
    }

    async fn carry_up(self, outside: Arc<UdpSocket>) {
        let mut ways_in = HashMap::new();
        let mut datagram = [0; DATAGRAM_MAX];
        loop {
            let Ok((bytes, client)) = outside.recv_from(&mut datagram).await else { continue };
            let inside = match ways_in.get(&client) {
                Some(inside) => Arc::clone(inside),
                None => {
                    let bound = UdpSocket::bind(LOCAL).await.expect("loopback has a free port");
                    let inside = Arc::new(bound);
                    ways_in.insert(client, inside.clone());
                    let back = self.clone().carry_down(inside.clone(), outside.clone(), client);
                    tokio::spawn(back);
                    inside
                }
            };
            if let Some(server) = self.note(Way::Up, &datagram[..bytes]) {
                // A lost datagram is a network's right.
                let _ = inside.send_to(&datagram[..bytes], server).await;
            }
        }
    }

    async fn carry_down(self, inside: Arc<UdpSocket>, outside: Arc<UdpSocket>, client: SocketAddr) {
        let mut datagram = [0; DATAGRAM_MAX];
        loop {
            let Ok(bytes) = inside.recv(&mut datagram).await else { continue };
            if self.note(Way::Down, &datagram[..bytes]).is_some() {
                let _ = outside.send_to(&datagram[..bytes], client).await;
            }
        }
    }

    /// Notes a datagram; returns where it goes if it is to go up and on, and anything if down and on.
    fn note(&self, way: Way, datagram: &[u8]) -> Option<SocketAddr> {
        let mut state = self.state();
        if state.stopped.contains(&way) {
            return None;
        }
        let handshake = datagram.first().is_some_and(|first| first & 0x80 != 0);
        let at = Instant::now();
        state.datagrams.push(Datagram { at, way, bytes: datagram.len(), handshake });
        Some(state.server)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
