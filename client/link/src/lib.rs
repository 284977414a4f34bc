//! The client's shell around the core: QUIC, reconnects, the clock and the profile on disk.

pub mod api;
mod clock;
mod congestion;
pub mod engine;
pub mod password;
pub mod pin;
pub mod profile;
pub mod transport;
