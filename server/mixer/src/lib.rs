//! The mixer: takes the deposits of one round, swaps the cells that meet in a dead drop, and answers
//! every seat, as a chain of structs in which each step consumes the one before.
//!
//! ```text
//!        add, remove     one deposit a seat
//!             │                 │                  ───────── hop, way in ─────────
//! ┌───────► Seats ──new──► Open ┴─close─► Closed ──peel──► Peeled ──shuffle──► Shuffled
//! │                                                                               │
//! │                                                                 dead drops: exchange
//! │                                                                               │
//! └──┬─────────────────── seal ───────── Returned ◄──unshuffle── Exchanged ◄──────┘
//!    │                             ─────────── hop, way out ──────────
//!    └──► Replies, Counts
//! ```
//!
//! A hop (`hop`) knows seats and layers and no dead drops; the exchange (`drops`) knows dead drops and
//! neither seats nor layers nor rounds. One process holds both today; a chain of servers would hold one
//! hop each and the exchange at its end.
//!
//! Invariants:
//! - No IO, no clock, no random generator of its own: the caller passes them in. The generator is asked
//!   in small pieces, so it should be one in user space, such as ChaCha20 with a fresh seed.
//! - The mixer knows seats, never accounts.
//! - The reply of a seat stands where its deposit stood, and has the same size, whatever any other seat
//!   sent, spoiled or left out.
//! - Nothing here grows with anything but the number of seats.

mod collect;
mod counts;
pub mod drops;
mod hop;
mod key;
mod order;
mod reply;
mod seat;

pub use collect::{DepositError, Open};
pub use counts::Counts;
pub use hop::{Closed, Exchanged, Peeled, Returned, Shuffled};
pub use key::MixerKey;
pub use reply::{Replies, first_frame};
pub use seat::{SEATS_MAX, Seat, Seats, SeatsFull};
