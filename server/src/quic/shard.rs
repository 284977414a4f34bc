//! One socket and all connections that come through it, as the loop and everybody else share them.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{ClientConfig, ConnectError, ConnectionError, EndpointConfig, ServerConfig, VarInt};
use quinn_proto::{ConnectionHandle, EcnCodepoint};
use quinn_udp::{Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::sync::Notify;

use super::line::Mail;
use super::link::Link;
use crate::clock;

/// How long an attempt to connect waits to be taken. Clients that come back give it up after 3 s and begin another one; the
/// others send their first packet again then, which must not find the old attempt.
pub const WAITS: Duration = Duration::from_millis(2500);

/// What the loop shares with everybody else.
pub(super) struct Shard {
    pub(super) socket: tokio::net::UdpSocket,
    pub(super) udp: UdpSocketState,
    core: Mutex<Core>,
    desk: Mutex<Desk>,
    /// There is something on the desk.
    pub(super) work: Notify,
    /// There is an attempt, or the endpoint is closed.
    pub(super) attempts: Notify,
    /// There is no connection any more.
    pub(super) idle: Notify,
}

/// quinn's endpoint, and the connections by its names for them.
pub(super) struct Core {
    pub(super) endpoint: quinn_proto::Endpoint,
    links: Vec<Option<Arc<Link>>>,
    pub(super) open: usize,
    pub(super) attempts: Attempts<quinn_proto::Incoming>,
    pub(super) is_closed: bool,
}

/// Attempts to connect that nobody has taken yet, with the time of each.
pub(super) struct Attempts<T>(VecDeque<(Instant, T)>);

/// What lies there for the loop.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) noted: VecDeque<Arc<Link>>,
    pub(super) mail: VecDeque<Mail>,
    /// Whether the loop takes nothing any more.
    is_over: bool,
}

impl Shard {
    pub(super) fn new(
        config: EndpointConfig,
        server: Option<ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let udp = UdpSocketState::new((&socket).into())?;
        let (config, server) = (Arc::new(config), server.map(Arc::new));
        let endpoint = quinn_proto::Endpoint::new(config, server, !udp.may_fragment(), None);
        let core = Core {
            endpoint,
            links: Vec::new(),
            open: 0,
            attempts: Attempts::default(),
            is_closed: false,
        };
        Ok(Self {
            socket: tokio::net::UdpSocket::from_std(socket)?,
            udp,
            core: Mutex::new(core),
            desk: Mutex::default(),
            work: Notify::new(),
            attempts: Notify::new(),
            idle: Notify::new(),
        })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn note(&self, link: Arc<Link>) {
        let mut desk = self.desk();
        if !desk.is_over {
            desk.noted.push_back(link);
            self.work.notify_one();
        }
    }

    pub(super) fn mail(&self, mail: Mail) {
        let mut desk = self.desk();
        if !desk.is_over {
            desk.mail.push_back(mail);
            self.work.notify_one();
        }
    }

    pub(super) async fn accept(&self) -> Option<quinn_proto::Incoming> {
        loop {
            let another = self.attempts.notified();
            {
                let mut core = self.core();
                if let Some(attempt) = core.attempt(clock::now()) {
                    return Some(attempt);
                }
                if core.is_closed {
                    return None;
                }
            }
            another.await;
        }
    }

    pub(super) fn set_server_config(&self, server: Option<ServerConfig>) {
        self.core().endpoint.set_server_config(server.map(Arc::new));
    }

    pub(super) fn open_connections(&self) -> usize {
        self.core().open
    }

    pub(super) fn retry(&self, attempt: quinn_proto::Incoming) {
        let mut answer = Vec::new();
        let transmit = {
            let mut core = self.core();
            core.endpoint.retry(attempt, &mut answer).unwrap_or_else(|error| {
                answer.clear();
                core.endpoint.refuse(error.into_incoming(), &mut answer)
            })
        };
        self.answer(&transmit, &answer);
    }

    pub(super) fn refuse(&self, attempt: quinn_proto::Incoming) {
        let mut answer = Vec::new();
        let transmit = self.core().endpoint.refuse(attempt, &mut answer);
        self.answer(&transmit, &answer);
    }

    /// Begins a handshake.
    pub(super) fn begin(
        shard: &Arc<Self>,
        attempt: quinn_proto::Incoming,
    ) -> Result<Arc<Link>, ConnectionError> {
        let mut answer = Vec::new();
        let begun = {
            let mut core = shard.core();
            if core.is_closed {
                core.endpoint.ignore(attempt);
                return Err(ConnectionError::LocallyClosed);
            }
            core.endpoint.accept(attempt, clock::now(), &mut answer, None).map(|(handle, proto)| {
                let link = Link::new(handle, proto, shard.clone());
                core.enter(link.clone());
                link
            })
        };
        match begun {
            Ok(link) => {
                link.note(&mut link.lock());
                Ok(link)
            }
            Err(error) => {
                if let Some(transmit) = error.response {
                    shard.answer(&transmit, &answer);
                }
                Err(error.cause)
            }
        }
    }

    /// Begins a handshake with a server.
    pub(super) fn connect(
        shard: &Arc<Self>,
        config: ClientConfig,
        server: SocketAddr,
        name: &str,
    ) -> Result<Arc<Link>, ConnectError> {
        let link = {
            let mut core = shard.core();
            if core.is_closed {
                return Err(ConnectError::EndpointStopping);
            }
            let (handle, proto) = core.endpoint.connect(clock::now(), config, server, name)?;
            let link = Link::new(handle, proto, shard.clone());
            core.enter(link.clone());
            link
        };
        link.note(&mut link.lock());
        Ok(link)
    }

    pub(super) fn close(&self, code: VarInt, reason: &Bytes) {
        let links: Vec<_> = {
            let mut core = self.core();
            core.is_closed = true;
            core.endpoint.set_server_config(None);
            core.links.iter().flatten().cloned().collect()
        };
        self.attempts.notify_waiters();
        for link in links {
            link.close(code, reason.clone());
        }
    }

    pub(super) async fn wait_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.core().open == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Lets go of everything; nothing is sent any more.
    pub(super) fn abandon(&self) {
        let (links, attempts) = {
            let mut core = self.core();
            core.is_closed = true;
            core.open = 0;
            (std::mem::take(&mut core.links), std::mem::take(&mut core.attempts))
        };
        for (_, attempt) in attempts.0 {
            self.core().endpoint.ignore(attempt);
        }
        for link in links.into_iter().flatten() {
            link.close(VarInt::from_u32(0), Bytes::new());
        }
        *self.desk() = Desk { is_over: true, ..Desk::default() };
        self.attempts.notify_waiters();
        self.idle.notify_waiters();
    }

    /// Sends what answers a datagram and belongs to no connection; a client tries again if it is lost.
    pub(super) fn answer(&self, transmit: &quinn_proto::Transmit, answer: &[u8]) {
        let _ = self.send(transmit, answer);
    }

    pub(super) fn send(&self, transmit: &quinn_proto::Transmit, bytes: &[u8]) -> io::Result<()> {
        let datagram = Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.map(|ecn| match ecn {
                EcnCodepoint::Ect0 => quinn_udp::EcnCodepoint::Ect0,
                EcnCodepoint::Ect1 => quinn_udp::EcnCodepoint::Ect1,
                EcnCodepoint::Ce => quinn_udp::EcnCodepoint::Ce,
            }),
            contents: &bytes[..transmit.size],
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        let send = || self.udp.send((&self.socket).into(), &datagram);
        self.socket.try_io(Interest::WRITABLE, send)
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Attempts<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Attempts<T> {
    pub(super) fn push(&mut self, now: Instant, attempt: T) {
        self.0.push_back((now, attempt));
    }

    /// Takes out the newest: with more attempts than handshakes, the oldest are those of clients that are about to give
    /// them up, and to serve these first would do most handshakes in vain.
    fn newest(&mut self) -> Option<T> {
        self.0.pop_back().map(|(_, attempt)| attempt)
    }

    /// Takes out one that has waited too long.
    fn stale(&mut self, now: Instant) -> Option<T> {
        self.0.pop_front_if(|(came, _)| now - *came >= WAITS).map(|(_, attempt)| attempt)
    }
}

impl Core {
    /// Takes the newest attempt, and forgets those that have waited too long; whoever still waits sends his first packet
    /// again, and it counts as a new one.
    fn attempt(&mut self, now: Instant) -> Option<quinn_proto::Incoming> {
        while let Some(attempt) = self.attempts.stale(now) {
            self.endpoint.ignore(attempt);
        }
        self.attempts.newest()
    }

    fn enter(&mut self, link: Arc<Link>) {
        let ConnectionHandle(at) = link.handle;
        if at >= self.links.len() {
            self.links.resize(at + 1, None);
        }
        self.links[at] = Some(link);
        self.open += 1;
    }

    pub(super) fn link(&self, ConnectionHandle(at): ConnectionHandle) -> Option<&Arc<Link>> {
        self.links.get(at)?.as_ref()
    }

    pub(super) fn leave(&mut self, ConnectionHandle(at): ConnectionHandle) {
        if self.links.get_mut(at).and_then(Option::take).is_some() {
            self.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_attempt_is_taken_first_and_one_that_waited_too_long_is_forgotten() {
        let start = clock::now();
        let mut attempts = Attempts::default();
        for at in [0, 1, 2, 3] {
            attempts.push(start + at * WAITS / 3, at);
        }
        assert_eq!(attempts.stale(start + WAITS - Duration::from_nanos(1)), None);
        assert_eq!(attempts.stale(start + WAITS), Some(0));
        assert_eq!(attempts.stale(start + WAITS), None);
        assert_eq!([attempts.newest(), attempts.newest()], [Some(3), Some(2)]);
        assert_eq!(attempts.stale(start + 2 * WAITS), Some(1));
        assert_eq!((attempts.newest(), attempts.stale(start + 9 * WAITS)), (None, None));
    }
}
