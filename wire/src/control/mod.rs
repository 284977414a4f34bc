//! Control frames, 1,056 bytes both ways: a header of 32 bytes (version, kind, zeros) and a body.
//!
//! Before a client joins the rounds they are request and response. After it joined, exactly one goes
//! each way in every round r with r mod 5 = 2, [`ClientControl::Idle`] if there is nothing to say.

mod client;
mod refusal;
mod server;

pub use client::{
    ClientControl, LoginFinish, LoginStart, Pull, RegisterFinish, RegisterStart, Resume,
};
pub use refusal::{Refusal, Refused};
pub use server::{LoginReply, Page, RegisterReply, Registered, ServerControl, Session};

use crate::VERSION;
use crate::codec::{DecodeError, Reader, Writer};
use crate::size::HEADER;

/// Pages that one request before `join` may ask for.
pub const PULL_PAGES_MAX: u8 = 64;

/// Shortest round that a server may run, in milliseconds.
pub const ROUND_MS_MIN: u32 = 100;

/// Longest round that a server may run, in milliseconds: a frame each way must come well within a
/// connection's idle timeout of 15 s.
pub const ROUND_MS_MAX: u32 = 10_000;

fn write_header(out: &mut Writer<'_>, kind: u8) {
    out.u8(VERSION);
    out.u8(kind);
    out.zeros(HEADER - 2);
}

fn read_header(input: &mut Reader<'_>) -> Result<u8, DecodeError> {
    let version = input.u8()?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = input.u8()?;
    input.zeros(HEADER - 2, "reserved")?;
    Ok(kind)
}
