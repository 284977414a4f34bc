//! What goes back: one frame for every seat, all of one size.

use rand_core::CryptoRngCore;
use wire::ids::Round;
use wire::round::ServerHeader;
use wire::size::{round_frame, server_header};

use crate::seat::Seat;

/// The frames that answer a round, in seat order.
pub struct Replies {
    slots: u8,
    seats: Vec<Seat>,
    frames: Vec<u8>,
}

impl Replies {
    pub(crate) fn new(slots: u8, seats: Vec<Seat>, frames: Vec<u8>) -> Self {
        Self { slots, seats, frames }
    }

    /// Goes through seats and frames of [`wire::size::round_frame`] bytes, in the order in which they
    /// are to be sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Seat, &[u8])> {
        self.seats.iter().copied().zip(self.frames.chunks_exact(round_frame(self.slots)))
    }

    /// Gives up the seats and, one behind the other in the same order, their frames, so that a caller
    /// can share the bytes without copying.
    pub fn into_parts(self) -> (Vec<Seat>, Vec<u8>) {
        (self.seats, self.frames)
    }
}

/// Makes the first frame of a seat, which answers no round: random bytes stand for its replies.
///
/// # Panics
/// If the header answers a round, which is a bug of the caller.
pub fn first_frame(header: &ServerHeader, rng: &mut impl CryptoRngCore) -> Vec<u8> {
    assert_eq!(header.answered, Round::NONE, "a first frame answers no round");
    let mut frame = vec![0; round_frame(header.slots)];
    header.write_to(&mut frame);
    rng.fill_bytes(&mut frame[server_header(header.slots)..]);
    frame
}
