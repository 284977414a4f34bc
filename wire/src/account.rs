//! What an account keeps at the server beside its public record.

use crate::codec::{DecodeError, Reader, Wire, Writer, wire_bytes};
use crate::size;

/// Cost of stretching a password with Argon2id (RFC 9106), 12 bytes.
///
/// The cost is a value that the caller passes; no feature changes a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretching {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes that can be worked on at once.
    pub lanes: u32,
}

impl Stretching {
    /// What a new account uses, and the least that a client accepts from a server.
    pub const STANDARD: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };

    /// The most that a client works through when a server asks for it: 1 GiB, 16 passes, 16 lanes.
    pub const CEILING: Self = Self { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

    /// Returns a cost that makes tests quick and protects nothing.
    #[cfg(feature = "test")]
    pub const fn for_tests() -> Self {
        Self { memory_kib: 32, passes: 1, lanes: 1 }
    }

    /// Tells whether each number is at least that of `floor` and at most that of [`Self::CEILING`].
    pub fn is_within(&self, floor: &Self) -> bool {
        let fits = |least, it, most| (least..=most).contains(&it);
        fits(floor.memory_kib, self.memory_kib, Self::CEILING.memory_kib)
            && fits(floor.passes, self.passes, Self::CEILING.passes)
            && fits(floor.lanes, self.lanes, Self::CEILING.lanes)
    }
}

impl Wire for Stretching {
    const SIZE: usize = 12;

    fn write(&self, out: &mut Writer<'_>) {
        out.u32(self.memory_kib);
        out.u32(self.passes);
        out.u32(self.lanes);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { memory_kib: input.u32()?, passes: input.u32()?, lanes: input.u32()? })
    }
}

wire_bytes! {
    /// The account's master key, sealed under OPAQUE's export key, 80 bytes.
    SealedMaster(size::SEALED_MASTER);
    /// The account's signing and agreement secrets, sealed under its master key, 112 bytes.
    SealedIdentity(size::SEALED_IDENTITY);
}
