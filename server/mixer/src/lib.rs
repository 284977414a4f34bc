//! The mixer: takes the deposits of one round, swaps the cells that meet in a dead drop, and answers
//! every seat, as a chain of structs in which each step consumes the one before.
//!
//! ```text
//!        add, remove     one deposit a seat
//!             │                 │                  ───────── hop, way in ─────────
//! ┌───────► Seats ──new──► Open ┴─close─► Closed ──peel──► Peeled ──shuffle──► Shuffled
//! │                                                  │ ▲                          │
//! │                                       dial slots ▼ │ their replies    dead drops: exchange
//! │                                       dialing: buckets                        │
//! └──┬─────────────────── seal ───────── Returned ◄──unshuffle── Exchanged ◄──────┘
//!    │                             ─────────── hop, way out ──────────
//!    └──► Replies, Counts
//! ```
//!
//! A hop (`hop`) knows seats and layers and no dead drops; the exchange (`drops`) knows dead drops and
//! neither seats nor layers nor rounds. One process holds both today; a chain of servers would hold one
//! hop each and the exchange at its end. In a dial round the last slot of every seat is a dial slot: it goes
//! to the buckets (`dialing`), which know neither layers nor drops, and never to shuffle or exchange.
//!
//! Invariants:
//! - No IO, no clock, no random generator of its own: the caller passes them in. The caller's generator draws
//!   the secret order, and the seeds of the random bytes of one step (`noise`).
//! - What a slot holds is written once, into the row of its seat, and read once, into its partner's reply:
//!   what is shuffled and sorted are numbers. The memory goes from round to round (`memory`): it grows with
//!   the seats, is given back when less than a quarter is needed, and is erased, the order with the
//!   shuffle, all else with the seal, so that no round finds anything of another one.
//! - Layers are taken off and put on in batches of 64 seat numbers, on the threads that the caller gives
//!   (`threads`). How many there are and what the slots hold changes no batch; no byte depends on the threads.
//! - The mixer knows seats. Of an account it knows the index, to find the bucket that its seat reads, and
//!   uses it for nothing else.
//! - What the dial slots of a round hold changes no size and no count but that of malformed ones.
//! - The reply of a seat stands where its deposit stood, and has the same size, whatever any other seat
//!   sent, spoiled or left out.
//! - Nothing here grows with anything but the number of seats: what is dialed waits in one place a seat.

mod collect;
mod counts;
pub mod dialing;
pub mod drops;
mod hop;
mod key;
mod memory;
mod noise;
mod order;
mod reply;
mod seat;
mod threads;

pub use collect::{DepositError, Open};
pub use counts::Counts;
pub use hop::{Closed, Exchanged, Peeled, Returned, Shuffled};
pub use key::MixerKey;
pub use reply::{Replies, first_frame};
pub use seat::{SEATS_MAX, Seat, Seats, SeatsFull};
pub use threads::{NoThreads, Threads};
