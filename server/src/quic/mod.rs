//! QUIC for very many quiet connections: quinn's protocol (`quinn-proto`) and quinn's socket (`quinn-udp`) under one
//! loop of our own, in place of a task for each connection.
//!
//! ```text
//!   socket ──batch──► run         ──► link: quinn's connection and who waits for it
//!      ▲                │  ▲   │
//!      └────datagrams───┘  │   └─► line: whole frames of one stream, straight to their sink
//!                          │
//!   sessions: accept, read, write ──► what has to be sent   Outlet ──► the mail
//! ```
//!
//! Who signs in reads and writes through the streams here as through quinn's own, and is woken for it. Who has a seat
//! costs no wake-up: the loop hands a deposit to its sink as it comes ([`Sink`]), and writes what the driver of the
//! rounds mailed ([`Outlet`]).
//!
//! Invariants:
//! - Only the loop sends, but for answers to attempts to connect, so that datagrams leave in the order in which they
//!   were mailed.
//! - Locks are taken in this order: a link, then what a sink locks, then the endpoint or the desk.

mod endpoint;
mod line;
mod link;
mod run;
mod shard;
mod stream;
mod timers;

pub use endpoint::{Connecting, Endpoint, Incoming};
pub use line::{Ending, Line, Outlet, Sink};
pub use link::Connection;
pub use shard::WAITS;
pub use stream::{ReadError, RecvStream, SendStream, WriteError};
