//! The loop that moves all datagrams of a shard.
//!
//! A turn of it takes what came in a batch, what was mailed and noted, and the timers that are due, each in pieces, so
//! that none keeps the others waiting long; it sleeps when there is nothing of any.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use quinn_proto::{ConnectionEvent, ConnectionHandle, DatagramEvent, EcnCodepoint};
use quinn_udp::{BATCH_SIZE, RecvMeta};
use tokio::io::Interest;

use super::link::{Link, State};
use super::shard::Shard;
use super::timers::Timers;
use crate::clock;

/// Most mail or noted links of one turn.
const PIECE: usize = 256;

/// Most datagrams that the system cuts one transmission into.
const SEGMENTS_MAX: usize = 10;

/// Most bytes of a datagram that is taken.
const DATAGRAM_MAX: usize = 1500;

/// How long the loop goes on before others get their turn.
const SLICE: Duration = Duration::from_millis(1);

/// How long datagrams gather after the first one that woke the loop: in a round they come one by one, from everybody at
/// a moment of his own, and a batch costs little more than one of them.
const GATHER: Duration = Duration::from_millis(1);

/// How long the loop sleeps if there is no timer.
const FOREVER: Duration = Duration::from_secs(3600);

/// What belongs to the loop alone.
struct Run {
    shard: Arc<Shard>,
    timers: Timers,
    /// A datagram for each place of a batch, or several that the system put together.
    buffer: Vec<u8>,
    events: Vec<(Arc<Link>, ConnectionEvent)>,
    outgoing: Vec<u8>,
    /// What the socket did not take, and who has something to send behind it.
    unsent: Option<(quinn_proto::Transmit, Vec<u8>)>,
    starved: VecDeque<Arc<Link>>,
}

/// Runs until it is aborted, or the socket fails.
pub(super) async fn run(shard: Arc<Shard>) {
    let batch = BATCH_SIZE * DATAGRAM_MAX * shard.udp.gro_segments();
    let mut run = Run {
        shard: shard.clone(),
        timers: Timers::default(),
        buffer: vec![0; batch],
        events: Vec::new(),
        outgoing: Vec::new(),
        unsent: None,
        starved: VecDeque::new(),
    };
    // Whatever ends the loop ends the endpoint, so that the server notices.
    let _ended = Ended(shard);
    let Err(error) = run.run().await;
    tracing::error!(%error, "the socket failed: no connection goes on");
}

/// Lets go of everything when the loop ends, even by a panic.
struct Ended(Arc<Shard>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Run {
    async fn run(&mut self) -> io::Result<std::convert::Infallible> {
        let mut yielded = clock::now();
        loop {
            let more = self.receive_a_piece()?;
            let worked = self.take_desk();
            let fired = self.fire();
            if self.unsent.is_some() {
                self.shard.socket.writable().await?;
                self.send_unsent();
            } else if !(more || worked || fired) {
                self.sleep().await?;
            } else if clock::now() - yielded < SLICE {
                continue;
            } else {
                tokio::task::yield_now().await;
            }
            yielded = clock::now();
        }
    }

    /// Waits until there is something to do.
    async fn sleep(&self) -> io::Result<()> {
        let next = self.timers.next().unwrap_or_else(|| clock::now() + FOREVER);
        tokio::select! {
            ready = self.shard.socket.readable() => {
                ready?;
                tokio::time::sleep(GATHER).await;
                Ok(())
            }
            () = self.shard.work.notified() => Ok(()),
            () = tokio::time::sleep_until(next.into()) => Ok(()),
        }
    }

    /// Takes as many datagrams as letters are sent in a turn, for each of those is acknowledged: what waits in the socket
    /// must not grow while a round is answered. Tells whether there may be more.
    fn receive_a_piece(&mut self) -> io::Result<bool> {
        for _ in 0..PIECE.div_ceil(BATCH_SIZE) {
            if !self.receive()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes a batch of datagrams; tells whether it was a whole one, so that there may be more at once.
    fn receive(&mut self) -> io::Result<bool> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let place = self.buffer.len() / BATCH_SIZE;
        let came = {
            let mut places = self.buffer.chunks_exact_mut(place);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
                IoSliceMut::new(places.next().expect("the buffer has a place for each"))
            });
            let Shard { socket, udp, .. } = &*self.shard;
            let receive = || udp.recv(socket.into(), &mut slices, &mut metas);
            match socket.try_io(Interest::READABLE, receive) {
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                // somebody's answer that nobody is there, which anybody can make up
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(true),
                Err(error) => return Err(error),
            }
        };
        let now = clock::now();
        self.route(&metas[..came], place, now);
        let mut events = std::mem::take(&mut self.events);
        for (link, event) in events.drain(..) {
            let mut state = link.lock();
            // What comes for a connection that is over must not end it once more.
            if !state.proto.is_drained() {
                state.proto.handle_event(event);
                self.drive(&link, &mut state, now);
            }
        }
        self.events = events;
        Ok(came == metas.len())
    }

    /// Finds whose the datagrams are.
    fn route(&mut self, metas: &[RecvMeta], place: usize, now: Instant) {
        let Self { shard, buffer, events, .. } = self;
        let mut core = shard.core();
        let mut answer = Vec::new();
        for (meta, bytes) in metas.iter().zip(buffer.chunks_exact(place)) {
            for datagram in bytes[..meta.len].chunks(meta.stride.max(1)) {
                let ecn = meta.ecn.map(|ecn| match ecn {
                    quinn_udp::EcnCodepoint::Ect0 => EcnCodepoint::Ect0,
                    quinn_udp::EcnCodepoint::Ect1 => EcnCodepoint::Ect1,
                    quinn_udp::EcnCodepoint::Ce => EcnCodepoint::Ce,
                });
                let datagram = BytesMut::from(datagram);
                answer.clear();
                let event =
                    core.endpoint.handle(now, meta.addr, meta.dst_ip, ecn, datagram, &mut answer);
                match event {
                    Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                        if let Some(link) = core.link(handle) {
                            events.push((link.clone(), event));
                        }
                    }
                    Some(DatagramEvent::NewConnection(attempt)) if core.is_closed => {
                        let transmit = core.endpoint.refuse(attempt, &mut answer);
                        shard.answer(&transmit, &answer);
                    }
                    Some(DatagramEvent::NewConnection(attempt)) => {
                        core.attempts.push(now, attempt);
                        shard.attempts.notify_one();
                    }
                    Some(DatagramEvent::Response(transmit)) => shard.answer(&transmit, &answer),
                    None => (),
                }
            }
        }
    }

    /// Takes a piece of what lies on the desk; tells whether there was any.
    fn take_desk(&mut self) -> bool {
        let (noted, mail) = {
            let mut desk = self.shard.desk();
            let noted = desk.noted.len().min(PIECE);
            let mail = desk.mail.len().min(PIECE);
            let noted: Vec<_> = desk.noted.drain(..noted).collect();
            (noted, desk.mail.drain(..mail).collect::<Vec<_>>())
        };
        let now = clock::now();
        for link in &noted {
            let mut state = link.lock();
            state.noted = false;
            self.drive(link, &mut state, now);
        }
        let worked = !noted.is_empty() || !mail.is_empty();
        for mail in mail {
            let link = mail.link.clone();
            let mut state = link.lock();
            state.take_mail(mail);
            self.drive(&link, &mut state, now);
        }
        worked
    }

    /// Looks at the links whose time has come; tells whether there were any.
    fn fire(&mut self) -> bool {
        let now = clock::now();
        for fired in 0..PIECE {
            let Some(handle) = self.timers.due(now) else { return fired > 0 };
            let Some(link) = self.shard.core().link(ConnectionHandle(handle)).cloned() else {
                continue;
            };
            self.drive(&link, &mut link.lock(), now);
        }
        true
    }

    /// Does what there is to do for a link.
    fn drive(&mut self, link: &Arc<Link>, state: &mut State, now: Instant) {
        loop {
            state.hear();
            self.tell_endpoint(link, state);
            self.transmit(link, state, now);
            match state.proto.poll_timeout() {
                // It comes back once the socket takes something again.
                Some(timeout) if timeout <= now && self.unsent.is_some() => return,
                Some(timeout) if timeout <= now => state.proto.handle_timeout(now),
                timeout => {
                    // Another link may have the handle of one that is over.
                    if !state.proto.is_drained() {
                        self.timers.set(link.handle.0, timeout);
                    }
                    return;
                }
            }
        }
    }

    fn tell_endpoint(&self, link: &Link, state: &mut State) {
        while let Some(event) = state.proto.poll_endpoint_events() {
            let mut core = self.shard.core();
            let is_drained = event.is_drained();
            let answer = core.endpoint.handle_event(link.handle, event);
            if is_drained {
                core.leave(link.handle);
                if core.open == 0 {
                    self.shard.idle.notify_waiters();
                }
            }
            drop(core);
            if let Some(answer) = answer {
                state.proto.handle_event(answer);
                state.hear();
            }
        }
    }

    /// Sends all that a link has to send.
    fn transmit(&mut self, link: &Arc<Link>, state: &mut State, now: Instant) {
        if self.unsent.is_some() {
            return self.starve(link, state);
        }
        let segments = self.shard.udp.max_gso_segments().min(SEGMENTS_MAX);
        loop {
            self.outgoing.clear();
            let Some(transmit) = state.proto.poll_transmit(now, segments, &mut self.outgoing)
            else {
                return;
            };
            match self.shard.send(&transmit, &self.outgoing) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent = Some((transmit, std::mem::take(&mut self.outgoing)));
                    return self.starve(link, state);
                }
                // As if the network had lost it.
                Ok(()) | Err(_) => (),
            }
        }
    }

    /// Sends what the socket did not take before, and what waits behind it.
    fn send_unsent(&mut self) {
        if let Some((transmit, bytes)) = self.unsent.take() {
            match self.shard.send(&transmit, &bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent = Some((transmit, bytes));
                    return;
                }
                Ok(()) | Err(_) => (),
            }
        }
        let now = clock::now();
        while self.unsent.is_none() {
            let Some(link) = self.starved.pop_front() else { return };
            let mut state = link.lock();
            state.starved = false;
            self.drive(&link, &mut state, now);
        }
    }

    /// Has a link send once the socket takes something again.
    fn starve(&mut self, link: &Arc<Link>, state: &mut State) {
        if !std::mem::replace(&mut state.starved, true) {
            self.starved.push_back(link.clone());
        }
    }
}
