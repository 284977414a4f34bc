//! The simulator: the real mixer, the real room of the server and the real client core on virtual time.
//!
//! ```text
//!   script ─► world ─► person (Client, disk) ─► network ─► service (Room, mixer)
//!               │          │        ▲              │  ▲         │
//!               │          ▼        └──────────────┘  └─────────┘
//!               │        model: what was written, what may be shown, what may be told
//!               └─► cheats with a valid layer           observer: time, peer, way, size
//! ```
//!
//! Invariants:
//! - One thread, one queue of happenings in order of time; all chance comes from one seed. Two runs of one
//!   seed are equal, byte for byte.
//! - What the network draws for a connection depends on the peer and on how often it has connected, never on
//!   what others do, so that two worlds that differ in what people say can be compared.
//! - Nothing here repeats what the system does: rounds, seats, cells, epochs and delivery are the real ones.
//!   Only sockets, disks, clocks and sign-in are stood in for.

pub mod chaos;
pub mod cheat;
pub mod disk;
pub mod model;
pub mod network;
pub mod observer;
pub mod person;
pub mod service;
pub mod telling;
pub mod texts;
pub mod world;

pub use chaos::{Faults, chaos};
pub use cheat::Cheat;
pub use network::Weather;
pub use person::Leak;
pub use world::{Setup, World};
