//! A line: a stream that costs no wake-up. What comes goes to a sink as whole frames, what is to go is mailed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf as _, Bytes};
use quinn::StreamId;

use super::link::{Handle, Link, State};
use super::stream::SendStream;

/// Takes the frames of a stream, on the loop's own time and under the connection's lock: it must neither wait nor
/// touch the connection.
pub trait Sink: Send {
    /// Takes a frame; tells whether to go on.
    fn frame(&mut self, frame: &[u8]) -> bool;

    /// The stream is over. Nothing else comes.
    fn ended(&mut self, ending: Ending);
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// After a whole frame.
    Finished,
    /// Within a frame.
    CutOff,
    /// The client gave it up.
    GivenUp,
}

/// Keeps a sink at its stream; dropped, it takes it away, and nobody reads the stream any more.
pub struct Line {
    handle: Arc<Handle>,
}

/// A sink at its stream.
pub(super) struct Attached {
    stream: StreamId,
    frame_bytes: usize,
    /// The beginning of a frame whose end has not come; nothing is kept for whole ones.
    partial: Vec<u8>,
    sink: Box<dyn Sink>,
}

/// Mails frames to a client: they leave in order, and whoever mails never waits.
pub struct Outlet {
    link: Arc<Link>,
    frames: StreamId,
    control: StreamId,
    /// Frames that are mailed and not written.
    waiting: Arc<AtomicUsize>,
}

/// What is written at once.
pub(super) struct Mail {
    pub(super) link: Arc<Link>,
    letters: [Option<Letter>; 3],
}

/// A write to one stream, or its end.
enum Letter {
    Frame(StreamId, Bytes, #[expect(dead_code, reason = "it counts while it is there")] Counted),
    Control(StreamId, Bytes),
    Finish(StreamId),
}

/// A frame's place in the count of its outlet, given back when dropped.
struct Counted(Arc<AtomicUsize>);

/// Letters that wait until the client makes room.
#[derive(Default)]
pub(super) struct Backlog(VecDeque<Letter>);

impl Line {
    pub(super) fn attach(
        handle: Arc<Handle>,
        stream: StreamId,
        frame_bytes: usize,
        partial: &[u8],
        sink: Box<dyn Sink>,
    ) -> Self {
        {
            let link = &handle.0;
            let mut state = link.lock();
            if state.error().is_none() {
                let partial = partial.to_vec();
                state.line = Some(Attached { stream, frame_bytes, partial, sink });
                // what came before is told of once only
                state.pump();
                link.note(&mut state);
            }
        }
        Self { handle }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.handle.0.lock().line = None;
    }
}

impl Attached {
    pub(super) fn stream(&self) -> StreamId {
        self.stream
    }

    /// Takes in bytes that are no more than what is missing of a frame; tells whether to go on.
    fn take(&mut self, bytes: &[u8]) -> bool {
        if self.partial.is_empty() && bytes.len() == self.frame_bytes {
            return self.sink.frame(bytes);
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() < self.frame_bytes {
            return true;
        }
        let frame = std::mem::take(&mut self.partial);
        self.sink.frame(&frame)
    }

    fn ended(mut self, is_given_up: bool) {
        let ending = match (is_given_up, self.partial.is_empty()) {
            (true, _) => Ending::GivenUp,
            (false, true) => Ending::Finished,
            (false, false) => Ending::CutOff,
        };
        self.sink.ended(ending);
    }
}

impl State {
    /// Hands what came on the line to its sink.
    pub(super) fn pump(&mut self) {
        let Some(mut line) = self.line.take() else { return };
        let mut came_whole = false;
        loop {
            let mut stream = self.proto.recv_stream(line.stream);
            let Ok(mut chunks) = stream.read(true) else { return line.ended(true) };
            let wanted = line.frame_bytes - line.partial.len();
            let goes_on = match chunks.next(wanted) {
                Ok(Some(chunk)) => line.take(&chunk.bytes),
                Ok(None) => return line.ended(false),
                Err(quinn_proto::ReadError::Reset(_)) => return line.ended(true),
                Err(quinn_proto::ReadError::Blocked) => break,
            };
            if !goes_on {
                return;
            }
            came_whole |= line.partial.is_empty();
        }
        self.line = Some(line);
        if came_whole {
            // A quiet client sends nothing else in a round: the acknowledgement would wait 25 ms for company, go
            // alone, and fetch the connection once more.
            self.proto.acknowledge_now();
        }
    }

    /// Writes mail, behind what waits already.
    pub(super) fn take_mail(&mut self, mail: Mail) {
        let Mail { letters, link: _ } = mail;
        if self.error().is_none() {
            self.backlog.0.extend(letters.into_iter().flatten());
            self.deliver();
        }
    }

    /// Writes what waits, as far as the client makes room.
    pub(super) fn deliver(&mut self) {
        while let Some(letter) = self.backlog.0.front_mut() {
            let (stream, bytes) = match letter {
                Letter::Frame(stream, bytes, _) | Letter::Control(stream, bytes) => {
                    (*stream, bytes)
                }
                Letter::Finish(stream) => {
                    // It may be over already.
                    let _ = self.proto.send_stream(*stream).finish();
                    self.backlog.0.pop_front();
                    continue;
                }
            };
            // Copied, since all frames of a round are one piece of memory: a client that acknowledges nothing would
            // keep all of it.
            match self.proto.send_stream(stream).write(bytes) {
                Ok(written) => {
                    bytes.advance(written);
                    if bytes.is_empty() {
                        self.backlog.0.pop_front();
                    }
                }
                Err(quinn_proto::WriteError::Blocked) => return,
                Err(quinn_proto::WriteError::Stopped(code)) => {
                    self.backlog.0.pop_front();
                    // RFC 9000, section 3.5. Who does not want its frames is no member of the rounds.
                    let _ = self.proto.send_stream(stream).reset(code);
                    if let Some(line) = self.line.take() {
                        line.ended(true);
                    }
                }
                Err(quinn_proto::WriteError::ClosedStream) => {
                    self.backlog.0.pop_front();
                }
            }
        }
    }
}

impl Backlog {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Outlet {
    /// Mails to the streams of a connection: frames to one, what goes behind them to the other.
    pub fn new(frames: &SendStream, control: &SendStream) -> Self {
        let ((handle, frames), (_, control)) = (frames.parts(), control.parts());
        Self { link: handle.0.clone(), frames, control, waiting: Arc::default() }
    }

    /// Returns how many frames are mailed and not written.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Mails a frame, and what goes right behind it on the other stream, which may be the last there.
    pub fn mail(&self, frame: Bytes, control: Option<Bytes>, is_last_control: bool) {
        let letters = [
            Some(Letter::Frame(self.frames, frame, Counted::new(&self.waiting))),
            control.map(|bytes| Letter::Control(self.control, bytes)),
            is_last_control.then_some(Letter::Finish(self.control)),
        ];
        self.link.shard.mail(Mail { link: self.link.clone(), letters });
    }

    /// Says that nothing more is mailed: both streams end behind what was.
    pub fn finish(&self) {
        let letters = [Letter::Finish(self.frames), Letter::Finish(self.control)].map(Some);
        let [frames, control] = letters;
        self.link.shard.mail(Mail { link: self.link.clone(), letters: [frames, control, None] });
    }
}
