//! The server's process: sockets, disk and clock around the mixer.

pub mod accounts;
pub mod admin;
pub mod clock;
pub mod config;
mod congestion;
pub mod driver;
pub mod identity;
pub mod limits;
pub mod listen;
pub mod program;
pub mod run;
pub mod session;
pub mod store;
pub mod transport;
mod upkeep;
pub mod workers;

pub use program::main;
pub use run::{Running, Server};
