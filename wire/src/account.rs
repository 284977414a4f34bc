//! What an account keeps at the server beside its public record.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::codec::{DecodeError, Reader, Wire, Writer, wire_bytes};
use crate::kdf::{Label, hash};
use crate::size;

/// Crockford's base 32: no I, L, O or U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits of an invitation code: 5 bits each.
const INVITE_DIGITS: usize = size::INVITE * 8 / 5;

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
    /// Code that the server's operator hands out for one registration, 10 bytes; all zeros stand for none.
    Invite(size::INVITE);
}

/// Why a text is not an invitation code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InviteError {
    /// Not 16 characters beside dashes and spaces.
    #[error("an invitation code has 16 characters in four groups; copy the whole code")]
    Length,
    /// A character that no code has.
    #[error("an invitation code is made of digits and letters, without U; copy it once more")]
    Character,
    /// All zeros, which stand for no code.
    #[error("an invitation code is not all zeros; ask the server's operator for one")]
    Zeros,
}

impl Invite {
    /// Stands for "no code".
    pub const NONE: Self = Self([0; size::INVITE]);

    /// Draws a code.
    pub fn random(rng: &mut (impl rand_core::CryptoRng + rand_core::RngCore)) -> Self {
        let mut invite = Self::NONE;
        rng.fill_bytes(&mut invite.0);
        invite
    }

    /// Returns what the server keeps of a code: its SHA-256, 32 bytes.
    pub fn digest(&self) -> [u8; size::HASH] {
        hash(Label("iirs 1 invitation code"), &[&self.0])
    }
}

/// Sixteen digits of Crockford's base 32 in four groups: `XXXX-XXXX-XXXX-XXXX`.
impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.iter().fold(0_u128, |bits, &byte| bits << 8 | u128::from(byte));
        for place in 0..INVITE_DIGITS {
            if place > 0 && place.is_multiple_of(4) {
                f.write_str("-")?;
            }
            let digit = bits >> (5 * (INVITE_DIGITS - 1 - place)) & 31;
            write!(f, "{}", char::from(DIGITS[digit as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invite(…)")
    }
}

impl FromStr for Invite {
    type Err = InviteError;

    /// Reads a code as somebody typed it: dashes and white space are ignored, letters are folded, O is 0,
    /// I and L are 1.
    fn from_str(text: &str) -> Result<Self, InviteError> {
        let typed = text.chars().filter(|&typed| typed != '-' && !typed.is_whitespace());
        let (mut bits, mut count) = (0_u128, 0);
        for typed in typed {
            if count == INVITE_DIGITS {
                return Err(InviteError::Length);
            }
            bits = bits << 5 | digit(typed).ok_or(InviteError::Character)?;
            count += 1;
        }
        if count < INVITE_DIGITS {
            return Err(InviteError::Length);
        }
        let mut invite = Self::NONE;
        invite.0.copy_from_slice(&bits.to_be_bytes()[size_of::<u128>() - size::INVITE..]);
        if invite == Self::NONE { Err(InviteError::Zeros) } else { Ok(invite) }
    }
}

fn digit(typed: char) -> Option<u128> {
    let folded = match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let value = DIGITS.iter().position(|&digit| char::from(digit) == folded)?;
    Some(value as u128)
}

const _: () = assert!(INVITE_DIGITS == 16 && size::INVITE * 8 == INVITE_DIGITS * 5);

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Invite = Invite([0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf]);

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        assert_eq!(CODE.to_string(), "0123-4567-89AB-CDEF");
        for typed in [
            "0123-4567-89AB-CDEF",
            " oI23 4567\t89abcdef\n",
            "Ol23-4567-89aB-CdEf",
            "-0L23456789ABCDEF",
        ] {
            assert!(typed.parse() == Ok(CODE), "{typed}");
        }
        assert_eq!(Invite([0xff; 10]).to_string(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        assert!("zzzz-zzzz-zzzz-zzzz".parse() == Ok(Invite([0xff; 10])));
    }

    #[test]
    fn what_is_no_code_says_what_is_wrong() {
        let error = |text: &str| text.parse::<Invite>().err();
        assert_eq!(error(""), Some(InviteError::Length));
        assert_eq!(error("0123-4567-89AB-CDE"), Some(InviteError::Length));
        assert_eq!(error("0123-4567-89AB-CDEFG"), Some(InviteError::Length));
        assert_eq!(error("0123-4567-89AB-CDEU"), Some(InviteError::Character));
        assert_eq!(error("0123-4567-89AB-CDÉF"), Some(InviteError::Character));
        assert_eq!(error("oooo-0000-0000-0000"), Some(InviteError::Zeros));
        assert_eq!(error(&"-".repeat(100)), Some(InviteError::Length));
    }
}
