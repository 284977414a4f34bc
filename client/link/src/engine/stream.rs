//! The two streams of a client in the rounds, as frames.

use std::time::Duration;

use quinn::{RecvStream, SendStream, WriteError};
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use wire::close::Close;
use wire::public_key::PublicKey;
use wire::round::Join;
use wire::size::{CONTROL_FRAME, round_frame};

use super::entry::Gate;
use super::trouble::Trouble;
use crate::transport::Connected;

/// Frames that were read and wait for the engine.
const FRAMES_MAX: usize = 8;

/// Time that the server has to take the round stream.
const JOIN_WITHIN: Duration = Duration::from_secs(5);

/// Time that the server has to make room for a frame.
const WRITE_WITHIN: Duration = Duration::from_secs(1);

/// Time for the close to reach the server when the engine leaves.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// A connection that has joined the rounds.
pub(super) struct Streams {
    connected: Connected,
    control: SendStream,
    rounds: SendStream,
    control_frames: mpsc::Receiver<Vec<u8>>,
    round_frames: mpsc::Receiver<Vec<u8>>,
    readers: [JoinHandle<()>; 2],
}

/// A frame that came.
pub(super) enum Frame {
    Round(Vec<u8>),
    Control(Vec<u8>),
}

impl Streams {
    /// Opens the round stream and asks for a seat.
    pub(super) async fn join(gate: Gate, slots: u8, key: PublicKey) -> Result<Self, Trouble> {
        let (connected, control, control_receive) = gate.into_parts();
        let opened = tokio::time::timeout(JOIN_WITHIN, connected.connection.open_bi()).await;
        let no_stream = |_| Trouble::Lost("the server takes no streams; try again later".into());
        let (rounds, rounds_receive) = opened.map_err(no_stream)??;
        let (send_control, control_frames) = mpsc::channel(FRAMES_MAX);
        let (send_round, round_frames) = mpsc::channel(FRAMES_MAX);
        let readers = [
            tokio::spawn(read(control_receive, CONTROL_FRAME, send_control)),
            tokio::spawn(read(rounds_receive, round_frame(slots), send_round)),
        ];
        let mut streams =
            Self { connected, control, rounds, control_frames, round_frames, readers };
        streams.deposit(&Join { key }.encode(slots)).await?;
        Ok(streams)
    }

    /// Returns the next frame of either stream, also of a connection that the server closed since: its last
    /// answer may be among them.
    pub(super) async fn next(&mut self) -> Result<Frame, Trouble> {
        let frame = tokio::select! {
            frame = self.round_frames.recv() => frame.map(Frame::Round),
            frame = self.control_frames.recv() => frame.map(Frame::Control),
        };
        if let Some(frame) = frame {
            return Ok(frame);
        }
        if self.connected.connection.close_reason().is_some() {
            // both readers end now; each hands over first what came before
            tokio::select! {
                Some(frame) = self.round_frames.recv() => return Ok(Frame::Round(frame)),
                Some(frame) = self.control_frames.recv() => return Ok(Frame::Control(frame)),
                else => (),
            }
        }
        Err(self.lost("a stream ended"))
    }

    /// Sends a frame over the round stream. What a closed connection does not take is lost without an error;
    /// [`Self::next`] tells of its end.
    pub(super) async fn deposit(&mut self, frame: &[u8]) -> Result<(), Trouble> {
        let written = tokio::time::timeout(WRITE_WITHIN, self.rounds.write_all(frame)).await;
        self.sent(written)
    }

    /// Sends a frame over the control stream, as [`Self::deposit`] does.
    pub(super) async fn control(&mut self, frame: &[u8]) -> Result<(), Trouble> {
        let written = tokio::time::timeout(WRITE_WITHIN, self.control.write_all(frame)).await;
        self.sent(written)
    }

    fn sent(&self, written: Result<Result<(), WriteError>, Elapsed>) -> Result<(), Trouble> {
        match written {
            Ok(Ok(()) | Err(WriteError::ConnectionLost(_))) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.lost("the server takes nothing")),
        }
    }

    /// Returns the server's root certificate.
    pub(super) fn root(&self) -> &CertificateDer<'static> {
        &self.connected.root
    }

    /// Returns how long the connection takes there and back, as it was measured so far.
    pub(super) fn round_trip(&self) -> Duration {
        self.connected.connection.rtt()
    }

    /// Returns the value that binds a login to this connection.
    pub(super) fn exporter(&self) -> [u8; 32] {
        self.connected.exporter
    }

    /// Ends the connection; waits a moment for the close to reach the server.
    pub(super) async fn close(self, why: Close) {
        close(&self.connected, why).await;
    }

    fn lost(&self, otherwise: &str) -> Trouble {
        match self.connected.connection.close_reason() {
            Some(reason) => reason.into(),
            None => Trouble::Lost(otherwise.into()),
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

/// Ends a connection; waits a moment for the close to reach the server.
pub(super) async fn close(connected: &Connected, why: Close) {
    let reason = why.to_string();
    connected.connection.close(why.code().into(), reason.as_bytes());
    let _ = tokio::time::timeout(CLOSE_WITHIN, connected.endpoint.wait_idle()).await;
}

async fn read(mut stream: RecvStream, bytes: usize, frames: mpsc::Sender<Vec<u8>>) {
    loop {
        let mut frame = vec![0; bytes];
        if stream.read_exact(&mut frame).await.is_err() || frames.send(frame).await.is_err() {
            return;
        }
    }
}
