//! Frames of one fixed size on a QUIC stream.

use std::time::Instant;

use bytes::Bytes;
use quinn::ConnectionError;
use tokio::time::timeout_at;
use wire::close::Close;
use wire::codec::{DecodeError, Wire as _};
use wire::control::{ClientControl, ServerControl};
use wire::size::CONTROL_FRAME;
use zeroize::{Zeroize as _, Zeroizing};

use crate::quic::{Line, Outlet, ReadError, RecvStream, SendStream, Sink, WriteError};

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The server closes the connection with this code and reason.
    Close(Close, String),
    /// The connection is gone already.
    Gone,
}

impl End {
    /// Ends the session because the client broke the protocol.
    pub(super) fn protocol(what: impl std::fmt::Display) -> Self {
        Self::Close(Close::Protocol, format!("{}: {what}", Close::Protocol))
    }
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close, close.to_string())
    }
}

impl From<DecodeError> for End {
    fn from(error: DecodeError) -> Self {
        Self::protocol(error)
    }
}

impl From<ConnectionError> for End {
    fn from(_: ConnectionError) -> Self {
        Self::Gone
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(_) => Self::Gone,
            ReadError::Reset => Self::protocol("a stream was given up"),
        }
    }
}

impl From<WriteError> for End {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(_) => Self::Gone,
            WriteError::Stopped => Self::protocol("a stream was given up"),
        }
    }
}

/// Reads frames of one size; erased on drop, since some hold tokens.
pub(super) struct FrameReader {
    stream: RecvStream,
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
}

impl FrameReader {
    pub(super) fn new(stream: RecvStream, frame_bytes: usize) -> Self {
        Self { stream, buffer: Zeroizing::new(vec![0; frame_bytes]), filled: 0 }
    }

    /// Returns the next frame. Dropping the future loses nothing.
    ///
    /// The end of the stream is how a client leaves; within a frame it is an error.
    pub(super) async fn next(&mut self) -> Result<&[u8], End> {
        if self.filled == self.buffer.len() {
            self.filled = 0;
        }
        while self.filled < self.buffer.len() {
            match self.stream.read(&mut self.buffer[self.filled..]).await? {
                Some(count) => self.filled += count,
                None if self.filled == 0 => return Err(Close::Done.into()),
                None => return Err(End::protocol("a frame was cut off")),
            }
        }
        Ok(&self.buffer)
    }

    /// Hands all frames that still come to a sink, until the line is dropped.
    pub(super) fn attach(self, sink: Box<dyn Sink>) -> Line {
        let Self { stream, buffer, filled } = self;
        let partial = if filled < buffer.len() { &buffer[..filled] } else { &[] };
        stream.attach(buffer.len(), partial, sink)
    }

    /// Returns the next frame as a control frame, and erases its bytes.
    pub(super) async fn next_control(&mut self) -> Result<ClientControl, End> {
        let control = ClientControl::decode(self.next().await?)?;
        self.buffer.as_mut_slice().zeroize();
        Ok(control)
    }
}

/// Writes frames.
pub(super) struct FrameWriter(SendStream);

impl FrameWriter {
    pub(super) fn new(stream: SendStream) -> Self {
        Self(stream)
    }

    /// Makes a control frame.
    pub(super) fn encoded(control: &ServerControl) -> Bytes {
        let mut frame = Zeroizing::new([0; CONTROL_FRAME]);
        control.encode_into(frame.as_mut());
        Bytes::copy_from_slice(frame.as_ref())
    }

    /// Writes a control frame.
    pub(super) async fn control(&mut self, control: &ServerControl) -> Result<(), End> {
        Ok(self.0.write_chunk(Self::encoded(control)).await?)
    }

    /// Writes a control frame to a client without a seat, which must make room for it by `deadline`: one
    /// that reads nothing would otherwise hold its connection for ever.
    pub(super) async fn control_by(
        &mut self,
        deadline: Instant,
        control: &ServerControl,
    ) -> Result<(), End> {
        let written = timeout_at(deadline.into(), self.control(control));
        written.await.map_err(|_| Close::SignInTimeout)?
    }

    /// Mails frames to this stream, and what goes behind them to the one for control frames.
    pub(super) fn outlet(&self, control: &Self) -> Outlet {
        Outlet::new(&self.0, &control.0)
    }

    /// Waits until the client has everything that was written, to the end of the stream.
    pub(super) async fn ended(&mut self) {
        self.0.stopped().await;
    }
}
