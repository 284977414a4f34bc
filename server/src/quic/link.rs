//! A link: quinn's connection, and who waits for something of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use quinn::{ConnectionError, Dir, StreamId, VarInt};
use quinn_proto::{ConnectionHandle, Event, StreamEvent};

use super::line::{Attached, Backlog};
use super::shard::Shard;
use super::stream::{RecvStream, SendStream};
use crate::clock;

/// A connection as the loop and its handles share it.
pub(super) struct Link {
    pub(super) handle: ConnectionHandle,
    pub(super) shard: Arc<Shard>,
    state: Mutex<State>,
}

/// What a link's lock guards.
pub(super) struct State {
    pub(super) proto: quinn_proto::Connection,
    /// Whether the loop was told to look at it.
    pub(super) noted: bool,
    /// Whether it waits for a socket that takes nothing.
    pub(super) starved: bool,
    /// The stream whose frames go to a sink.
    pub(super) line: Option<Attached>,
    /// Mail that the client makes no room for.
    pub(super) backlog: Backlog,
    pub(super) waiting: Waiting,
    connected: bool,
    error: Option<ConnectionError>,
}

/// Who waits for what.
#[derive(Default)]
pub(super) struct Waiting {
    connecting: Option<Waker>,
    accepting: Option<Waker>,
    closing: Option<Waker>,
    readers: Vec<(StreamId, Waker)>,
    writers: Vec<(StreamId, Waker)>,
    finishing: Vec<(StreamId, Waker)>,
}

/// What somebody waits for on a stream.
#[derive(Clone, Copy)]
pub(super) enum Want {
    Read,
    Write,
    Finish,
}

/// A connection of a client. Once the last handle and the last stream are dropped, it is closed.
#[derive(Clone)]
pub struct Connection(pub(super) Arc<Handle>);

/// Keeps a connection open.
pub(super) struct Handle(pub(super) Arc<Link>);

impl Link {
    pub(super) fn new(
        handle: ConnectionHandle,
        proto: quinn_proto::Connection,
        shard: Arc<Shard>,
    ) -> Arc<Self> {
        let state = State {
            proto,
            noted: false,
            starved: false,
            line: None,
            backlog: Backlog::default(),
            waiting: Waiting::default(),
            connected: false,
            error: None,
        };
        Arc::new(Self { handle, shard, state: Mutex::new(state) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the loop look at it: there may be something to send.
    pub(super) fn note(self: &Arc<Self>, state: &mut State) {
        if !std::mem::replace(&mut state.noted, true) {
            self.shard.note(self.clone());
        }
    }

    /// Closes it; the first reason counts.
    pub(super) fn close(self: &Arc<Self>, code: VarInt, reason: Bytes) {
        let mut state = self.lock();
        if state.error.is_none() {
            state.proto.close(clock::now(), code, reason);
            state.lost(ConnectionError::LocallyClosed);
            self.note(&mut state);
        }
    }

    /// Waits until the handshake is done.
    pub(super) fn poll_connected(&self, cx: &Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let mut state = self.lock();
        if let Some(error) = &state.error {
            return Poll::Ready(Err(error.clone()));
        }
        if state.connected {
            return Poll::Ready(Ok(()));
        }
        state.waiting.connecting = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_accept(self: &Arc<Self>, cx: &Context<'_>) -> Poll<Result<StreamId, ConnectionError>> {
        let mut state = self.lock();
        if let Some(stream) = state.proto.streams().accept(Dir::Bi) {
            // the client gets leave to open another one
            self.note(&mut state);
            return Poll::Ready(Ok(stream));
        }
        if let Some(error) = &state.error {
            return Poll::Ready(Err(error.clone()));
        }
        state.waiting.accepting = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.error.is_some() {
            return Poll::Ready(());
        }
        state.waiting.closing = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl State {
    /// Returns why the connection is gone, if it is.
    pub(super) fn error(&self) -> Option<&ConnectionError> {
        self.error.as_ref()
    }

    /// Takes in what quinn's connection has to say.
    pub(super) fn hear(&mut self) {
        while let Some(event) = self.proto.poll() {
            match event {
                Event::Connected => {
                    self.connected = true;
                    wake(&mut self.waiting.connecting);
                }
                Event::ConnectionLost { reason } => self.lost(reason),
                Event::Stream(event) => self.hear_stream(event),
                Event::HandshakeDataReady | Event::DatagramReceived | Event::DatagramsUnblocked => {
                }
            }
        }
    }

    fn hear_stream(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Opened { .. } => wake(&mut self.waiting.accepting),
            StreamEvent::Readable { id } => {
                if self.line.as_ref().is_some_and(|line| line.stream() == id) {
                    self.pump();
                } else {
                    self.waiting.wake(Want::Read, id);
                }
            }
            StreamEvent::Writable { id } => {
                self.deliver();
                self.waiting.wake(Want::Write, id);
            }
            StreamEvent::Finished { id } => self.waiting.wake(Want::Finish, id),
            StreamEvent::Stopped { id, .. } => {
                self.deliver();
                self.waiting.wake(Want::Finish, id);
                self.waiting.wake(Want::Write, id);
            }
            StreamEvent::Available { .. } => (),
        }
    }

    /// Lets everybody know that the connection is gone.
    fn lost(&mut self, error: ConnectionError) {
        self.error.get_or_insert(error);
        self.backlog.clear();
        self.line = None;
        self.waiting.wake_all();
    }
}

impl Waiting {
    /// Has somebody woken when there is what he wants of a stream.
    pub(super) fn push(&mut self, want: Want, stream: StreamId, waker: &Waker) {
        let list = self.list(want);
        list.retain(|(id, _)| *id != stream);
        list.push((stream, waker.clone()));
    }

    fn wake(&mut self, want: Want, stream: StreamId) {
        let list = self.list(want);
        if let Some(at) = list.iter().position(|(id, _)| *id == stream) {
            list.swap_remove(at).1.wake();
        }
    }

    fn wake_all(&mut self) {
        wake(&mut self.connecting);
        wake(&mut self.accepting);
        wake(&mut self.closing);
        for want in [Want::Read, Want::Write, Want::Finish] {
            self.list(want).drain(..).for_each(|(_, waker)| waker.wake());
        }
    }

    fn list(&mut self, want: Want) -> &mut Vec<(StreamId, Waker)> {
        match want {
            Want::Read => &mut self.readers,
            Want::Write => &mut self.writers,
            Want::Finish => &mut self.finishing,
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl Connection {
    /// Waits for the next stream that the client opens.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let stream = std::future::poll_fn(|cx| self.0.0.poll_accept(cx)).await?;
        Ok((SendStream::new(self.0.clone(), stream), RecvStream::new(self.0.clone(), stream)))
    }

    /// Opens a stream; `None` if the other side gives no leave for one, or the connection is gone.
    pub fn open_bi(&self) -> Option<(SendStream, RecvStream)> {
        let stream = self.0.0.lock().proto.streams().open(Dir::Bi)?;
        Some((SendStream::new(self.0.clone(), stream), RecvStream::new(self.0.clone(), stream)))
    }

    /// Returns where the other side is; that may change.
    pub fn remote_address(&self) -> SocketAddr {
        self.0.0.lock().proto.remote_address()
    }

    /// Derives keys that only both ends of this connection know (RFC 8446, section 7.5).
    ///
    /// # Errors
    /// If there are no keys yet, or the length is wrong.
    pub fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), quinn_proto::crypto::ExportKeyingMaterialError> {
        self.0.0.lock().proto.crypto_session().export_keying_material(output, label, context)
    }

    /// Forgets the TLS session but for the secrets of key updates: some 6 kB. Nothing can be exported any more.
    pub fn forget_handshake(&self) {
        self.0.0.lock().proto.forget_handshake();
    }

    /// Waits until the connection is gone.
    pub async fn closed(&self) {
        std::future::poll_fn(|cx| self.0.0.poll_closed(cx)).await;
    }

    /// Closes the connection; the first reason counts.
    pub fn close(&self, code: VarInt, reason: &[u8]) {
        self.0.0.close(code, Bytes::copy_from_slice(reason));
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close(VarInt::from_u32(0), Bytes::new());
    }
}
