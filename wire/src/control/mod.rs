//! Control frames, 1,056 bytes both ways: a header of 32 bytes (version, kind; numbers of the
//! vault, else zeros) and a body.
//!
//! Before a client joins the rounds they are request and response. After it joined, exactly one goes
//! each way in every round r with r mod 5 = 2, [`ClientControl::Idle`] if there is nothing to say.

mod client;
mod refusal;
mod server;
mod vault;

pub use client::{
    ChangeFinish, ChangeStart, ClientControl, DeleteFinish, DeleteStart, EndSession, LoginFinish,
    LoginStart, Pull, RegisterFinish, RegisterStart, Resume,
};
pub use refusal::{Refusal, Refused};
pub use server::{
    ChangeReply, Changed, LoginReply, Page, RegisterReply, Registered, ServerControl, Session,
    SessionInfo,
};
pub use vault::{VaultGet, VaultPart, VaultPut, VaultVersion};

use crate::VERSION;
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::size::HEADER;

/// Pages that one request before `join` may ask for.
pub const PULL_PAGES_MAX: u8 = 64;

/// Shortest round that a server may run, in milliseconds.
pub const ROUND_MS_MIN: u32 = 100;

/// Longest round that a server may run, in milliseconds: a frame each way must come well within a
/// connection's idle timeout of 15 s.
pub const ROUND_MS_MAX: u32 = 10_000;

/// The first 32 bytes; all but the vault's frames leave everything after `kind` at zero.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Header {
    kind: u8,
    part: u8,
    base: u64,
    version: u64,
}

impl Header {
    fn of(kind: u8) -> Self {
        Self { kind, part: 0, base: 0, version: 0 }
    }
}

impl Wire for Header {
    const SIZE: usize = HEADER;

    fn write(&self, out: &mut Writer<'_>) {
        out.u8(VERSION);
        out.u8(self.kind);
        out.u8(self.part);
        out.zeros(5);
        out.u64(self.base);
        out.u64(self.version);
        out.zeros(8);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = input.u8()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let (kind, part) = (input.u8()?, input.u8()?);
        input.zeros(5, "reserved")?;
        let (base, version) = (input.u64()?, input.u64()?);
        input.zeros(8, "reserved")?;
        Ok(Self { kind, part, base, version })
    }
}
