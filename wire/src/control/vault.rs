//! Frames of the vault. Each body is a third of it, so the numbers stand in the header.

use super::Header;
use crate::codec::{DecodeError, Reader};
use crate::size::{CONTROL_BODY, VAULT_PARTS};

/// Asks for a third of the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultGet {
    /// Which third, 0 to 2.
    pub part: u8,
}

/// Brings a third of the next vault. The server stages it, and stores all three with the last one.
pub struct VaultPut {
    /// Which third, 0 to 2.
    pub part: u8,
    /// Version that the new vault was made from, 0 if there was none.
    pub base: u64,
    /// Version of the new vault, above `base`.
    pub version: u64,
    /// The third, a piece of a sealed box.
    pub bytes: [u8; CONTROL_BODY],
}

/// A third of the stored vault.
pub struct VaultPart {
    /// Which third, 0 to 2.
    pub part: u8,
    /// Version of the stored vault; 0 with a body of zeros if there is none.
    pub version: u64,
    /// The third, a piece of a sealed box.
    pub bytes: [u8; CONTROL_BODY],
}

/// The version of the stored vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultVersion {
    /// The version, 0 if there is no vault.
    pub version: u64,
}

impl VaultGet {
    pub(super) fn header(&self, kind: u8) -> Header {
        Header { part: self.part, ..Header::of(kind) }
    }

    pub(super) fn read(header: &Header) -> Result<Self, DecodeError> {
        Ok(Self { part: part(header)? })
    }
}

impl VaultPut {
    pub(super) fn header(&self, kind: u8) -> Header {
        Header { kind, part: self.part, base: self.base, version: self.version }
    }

    pub(super) fn read(header: &Header, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let Header { base, version, .. } = *header;
        Ok(Self { part: part(header)?, base, version, bytes: input.array()? })
    }
}

impl VaultPart {
    pub(super) fn header(&self, kind: u8) -> Header {
        Header { part: self.part, version: self.version, ..Header::of(kind) }
    }

    pub(super) fn read(header: &Header, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let it = Self { part: part(header)?, version: header.version, bytes: input.array()? };
        if it.version == 0 && it.bytes.iter().any(|&byte| byte != 0) {
            return Err(DecodeError::Field("version"));
        }
        Ok(it)
    }
}

fn part(header: &Header) -> Result<u8, DecodeError> {
    let part = header.part;
    if part < VAULT_PARTS { Ok(part) } else { Err(DecodeError::Field("part")) }
}
