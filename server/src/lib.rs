//! The server's process: sockets, disk and clock around the mixer.

pub mod accounts;
pub mod admin;
pub mod clock;
pub mod config;
mod congestion;
pub mod driver;
pub mod health;
pub mod http;
pub mod identity;
pub mod limits;
pub mod listen;
pub mod logging;
#[path = "../../packaging/manual.rs"]
pub mod manual;
pub mod metrics;
pub mod program;
pub mod quic;
pub mod run;
pub mod scrubs;
pub mod service;
pub mod session;
pub mod store;
pub mod transport;
mod upkeep;
pub mod workers;

pub use program::main;
pub use run::{Running, Server};
