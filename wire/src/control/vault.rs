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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Wire;
    use crate::control::{ClientControl, ServerControl};

    #[test]
    fn a_vault_has_three_parts() {
        let put = |part| VaultPut { part, base: 0, version: 1, bytes: [7; CONTROL_BODY] };
        let kept = |part| VaultPart { part, version: 1, bytes: [7; CONTROL_BODY] };
        for part in 0..=u8::MAX {
            let get = ClientControl::VaultGet(VaultGet { part }).encode();
            let put = ClientControl::VaultPut(Box::new(put(part))).encode();
            let kept = ServerControl::VaultPart(Box::new(kept(part))).encode();
            assert_eq!(ClientControl::decode(&get).is_ok(), part < 3, "get {part}");
            assert_eq!(ClientControl::decode(&put).is_ok(), part < 3, "put {part}");
            assert_eq!(ServerControl::decode(&kept).is_ok(), part < 3, "part {part}");
        }
    }

    #[test]
    fn no_vault_has_no_contents() {
        let mut part = VaultPart { part: 0, version: 0, bytes: [0; CONTROL_BODY] };
        assert!(ServerControl::decode(&encode(&part)).is_ok());
        part.bytes[CONTROL_BODY - 1] = 1;
        assert_eq!(
            ServerControl::decode(&encode(&part)).err(),
            Some(DecodeError::Field("version"))
        );
        part.version = 1;
        assert!(ServerControl::decode(&encode(&part)).is_ok());
    }

    #[test]
    fn numbers_of_the_vault_stand_in_no_other_header() {
        let reserved = Some(DecodeError::Field("reserved"));
        for at in [2, 8, 16, 24] {
            let mut frame = ClientControl::ListSessions.encode();
            frame[at] = 1;
            assert_eq!(ClientControl::decode(&frame).err(), reserved, "list sessions, {at}");
            let mut frame = ServerControl::VaultStaged.encode();
            frame[at] = 1;
            assert_eq!(ServerControl::decode(&frame).err(), reserved, "vault staged, {at}");
        }
        let mut frame = ClientControl::VaultGet(VaultGet { part: 1 }).encode();
        frame[16] = 1;
        assert_eq!(ClientControl::decode(&frame).err(), reserved, "vault get with a version");
    }

    fn encode(part: &VaultPart) -> Vec<u8> {
        let VaultPart { part, version, bytes } = *part;
        ServerControl::VaultPart(Box::new(VaultPart { part, version, bytes })).encode()
    }
}
