//! Streams as sessions read and write them: each waits for its own.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use quinn::{ConnectionError, StreamId, VarInt};

use super::line::{Line, Sink};
use super::link::{Handle, Want};

/// What cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The client gave the stream up.
    Reset,
    /// The connection is gone.
    ConnectionLost(ConnectionError),
}

/// What cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The client does not want the stream any more, or it is finished.
    Stopped,
    /// The connection is gone.
    ConnectionLost(ConnectionError),
}

/// The client's direction of a stream. Dropping it tells the client to send no more.
pub struct RecvStream {
    handle: Arc<Handle>,
    stream: StreamId,
    /// Whether it has come to its end, or somebody else reads it.
    is_over: bool,
}

/// The server's direction of a stream. Dropping it finishes it.
pub struct SendStream {
    handle: Arc<Handle>,
    stream: StreamId,
}

impl RecvStream {
    pub(super) fn new(handle: Arc<Handle>, stream: StreamId) -> Self {
        Self { handle, stream, is_over: false }
    }

    /// Reads what there is, and waits if there is nothing; `None` at the end of the stream. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ReadError> {
        std::future::poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    fn poll_read(
        &mut self,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<Option<usize>, ReadError>> {
        if self.is_over {
            return Poll::Ready(Ok(None));
        }
        let link = &self.handle.0;
        let mut state = link.lock();
        let read = {
            let mut stream = state.proto.recv_stream(self.stream);
            // Nobody else reads it or gives it up.
            let mut chunks = stream.read(true).map_err(|_| ReadError::Reset)?;
            let read = chunks.next(buffer.len());
            (read, chunks.finalize().should_transmit())
        };
        let (read, must_send) = read;
        if must_send {
            link.note(&mut state);
        }
        match read {
            Ok(Some(chunk)) => {
                buffer[..chunk.bytes.len()].copy_from_slice(&chunk.bytes);
                Poll::Ready(Ok(Some(chunk.bytes.len())))
            }
            Ok(None) => {
                self.is_over = true;
                Poll::Ready(Ok(None))
            }
            Err(quinn_proto::ReadError::Reset(_)) => {
                self.is_over = true;
                Poll::Ready(Err(ReadError::Reset))
            }
            Err(quinn_proto::ReadError::Blocked) => match state.error() {
                Some(error) => Poll::Ready(Err(ReadError::ConnectionLost(error.clone()))),
                None => {
                    state.waiting.push(Want::Read, self.stream, cx.waker());
                    Poll::Pending
                }
            },
        }
    }

    /// Hands all frames that still come to a sink, the first of which begins with `partial`.
    pub fn attach(mut self, frame_bytes: usize, partial: &[u8], sink: Box<dyn Sink>) -> Line {
        self.is_over = true;
        Line::attach(self.handle.clone(), self.stream, frame_bytes, partial, sink)
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let link = &self.handle.0;
        let mut state = link.lock();
        if state.error().is_none() {
            // It may be over already.
            let _ = state.proto.recv_stream(self.stream).stop(VarInt::from_u32(0));
            link.note(&mut state);
        }
    }
}

impl SendStream {
    pub(super) fn new(handle: Arc<Handle>, stream: StreamId) -> Self {
        Self { handle, stream }
    }

    /// Returns the connection and the stream's name.
    pub(super) fn parts(&self) -> (&Arc<Handle>, StreamId) {
        (&self.handle, self.stream)
    }

    /// Writes all of it, and waits for room.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.write_chunk(Bytes::copy_from_slice(bytes)).await
    }

    /// Writes all of it without copying, and waits for room.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn write_chunk(&mut self, mut bytes: Bytes) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            std::future::poll_fn(|cx| self.poll_write(cx, &mut bytes)).await?;
        }
        Ok(())
    }

    fn poll_write(&mut self, cx: &Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), WriteError>> {
        let link = &self.handle.0;
        let mut state = link.lock();
        if let Some(error) = state.error() {
            return Poll::Ready(Err(WriteError::ConnectionLost(error.clone())));
        }
        let mut stream = state.proto.send_stream(self.stream);
        match stream.write_chunks(std::slice::from_mut(bytes)) {
            Ok(_) => {
                link.note(&mut state);
                Poll::Ready(Ok(()))
            }
            Err(quinn_proto::WriteError::Blocked) => {
                state.waiting.push(Want::Write, self.stream, cx.waker());
                Poll::Pending
            }
            Err(quinn_proto::WriteError::Stopped(_) | quinn_proto::WriteError::ClosedStream) => {
                Poll::Ready(Err(WriteError::Stopped))
            }
        }
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    /// If the stream is over already.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        let link = &self.handle.0;
        let mut state = link.lock();
        let finished = state.proto.send_stream(self.stream).finish();
        link.note(&mut state);
        finished.map_err(|_| WriteError::Stopped)
    }

    /// Waits until the client has everything of a finished stream, or does not want it.
    pub async fn stopped(&mut self) {
        std::future::poll_fn(|cx| self.poll_stopped(cx)).await;
    }

    fn poll_stopped(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.handle.0.lock();
        match state.proto.send_stream(self.stream).stopped() {
            Ok(None) if state.error().is_none() => {
                state.waiting.push(Want::Finish, self.stream, cx.waker());
                Poll::Pending
            }
            Ok(_) | Err(_) => Poll::Ready(()),
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let link = &self.handle.0;
        let mut state = link.lock();
        if state.error().is_none() {
            // It may be over already.
            let _ = state.proto.send_stream(self.stream).finish();
            link.note(&mut state);
        }
    }
}
