//! The server's process: sockets, disk and clock around the mixer.

pub mod identity;
pub mod store;
pub mod transport;
