//! The floor: what QUIC alone costs. A plain quinn server with the real server's settings, one frame of the real size
//! up and one down a round, and nothing done with them.

mod client;
mod server;

pub(super) use client::live;
pub(super) use server::serve;
