//! Names and numbers that must not be mixed up.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::codec::{DecodeError, Reader, Wire, Writer, wire_bytes};
use crate::size;

/// Number of a round; a server never opens the same one twice, and never round 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round(pub u64);

impl Round {
    /// Stands for "no round" where a header has to name one.
    pub const NONE: Self = Self(0);

    /// Returns the round after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Tells whether every client sends one control frame in this round.
    pub fn has_control(self) -> bool {
        self.0 % CONTROL_EVERY == CONTROL_AT
    }

    /// Tells whether the last slot of every deposit and reply of this round is a dial slot.
    pub fn has_dial(self) -> bool {
        self.0 % DIAL_EVERY == DIAL_AT
    }
}

/// A control frame goes both ways in every round r with r mod this …
pub const CONTROL_EVERY: u64 = 5;
/// … equal to this.
pub const CONTROL_AT: u64 = 2;
/// The last slot is a dial slot in every round r with r mod this …
pub const DIAL_EVERY: u64 = 5;
/// … equal to this.
pub const DIAL_AT: u64 = 0;

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Place of an account in the directory, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountIndex(pub u32);

wire_bytes! {
    /// Name of a dead drop in one round, 16 bytes.
    DropId(size::DROP_ID);
    /// SHA-256 over an account's name and both its public keys, 32 bytes.
    IdentityHash(size::HASH);
    /// Random name of a message, 8 bytes.
    MessageId(size::MESSAGE_ID);
    /// Name of a session in a list of sessions, 8 bytes; it opens nothing.
    SessionId(size::SESSION_ID);
}

impl fmt::Debug for IdentityHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({:016x})", u64::from_be_bytes(self.0))
    }
}

impl SessionId {
    /// Returns the id of the session whose token has this digest.
    pub fn of(digest: &[u8; size::HASH]) -> Self {
        let mut id = Self([0; size::SESSION_ID]);
        id.0.copy_from_slice(&digest[..size::SESSION_ID]);
        id
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl MessageId {
    /// Draws a message id.
    pub fn random(rng: &mut impl rand_core::RngCore) -> Self {
        let mut id = Self([0; size::MESSAGE_ID]);
        rng.fill_bytes(&mut id.0);
        id
    }
}

impl DropId {
    /// Draws the drop of cover.
    pub fn random(rng: &mut impl rand_core::RngCore) -> Self {
        let mut id = Self([0; size::DROP_ID]);
        rng.fill_bytes(&mut id.0);
        id
    }
}

/// Session token, 32 random bytes that stand for a sign-in; erased on drop, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Token([u8; size::TOKEN]);

impl Token {
    /// Takes over a token's bytes.
    pub fn new(bytes: [u8; size::TOKEN]) -> Self {
        Self(bytes)
    }

    /// Draws a token.
    pub fn random(rng: &mut (impl rand_core::CryptoRng + rand_core::RngCore)) -> Self {
        let mut token = Self([0; size::TOKEN]);
        rng.fill_bytes(&mut token.0);
        token
    }

    /// Shows the bytes, to send or to seal them.
    pub fn expose(&self) -> &[u8; size::TOKEN] {
        &self.0
    }

    /// Makes a second copy, named so that each one can be found.
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// Returns what the server keeps of a token: its SHA-256, 32 bytes.
    pub fn digest(&self) -> [u8; size::HASH] {
        crate::kdf::hash(crate::kdf::Label("iirs 1 session token"), &[&self.0])
    }
}

impl Wire for Token {
    const SIZE: usize = size::TOKEN;

    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(&self.0);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.array()?))
    }
}

/// Account name: 1–32 bytes of `a-z 0-9 . _ -`, first a letter.
///
/// On the wire 33 bytes: length, then the bytes, then zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    length: u8,
    bytes: [u8; size::NAME_MAX],
}

/// Why a text is not an account name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// No byte, or more than 32.
    #[error("a name has 1 to 32 characters")]
    Length,
    /// Another character than the allowed ones.
    #[error("a name is made of a-z, 0-9, '.', '_' and '-'")]
    Character,
    /// The first character is not a letter.
    #[error("a name starts with a letter")]
    First,
}

impl Name {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("a name is ASCII")
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads a name as somebody typed it; capital letters are folded.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let length = u8::try_from(text.len()).map_err(|_| NameError::Length)?;
        if length == 0 || text.len() > size::NAME_MAX {
            return Err(NameError::Length);
        }
        let mut bytes = [0; size::NAME_MAX];
        for (byte, typed) in bytes.iter_mut().zip(text.bytes()) {
            *byte = match typed.to_ascii_lowercase() {
                folded @ (b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-') => folded,
                _ => return Err(NameError::Character),
            };
        }
        if !bytes[0].is_ascii_lowercase() {
            return Err(NameError::First);
        }
        Ok(Self { length, bytes })
    }
}

impl Wire for Name {
    const SIZE: usize = size::NAME;

    fn write(&self, out: &mut Writer<'_>) {
        out.u8(self.length);
        out.bytes(&self.bytes);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let malformed = DecodeError::Field("name");
        let length = input.u8()?;
        let bytes = input.array::<{ size::NAME_MAX }>()?;
        let used = bytes.get(..usize::from(length)).ok_or(malformed)?;
        let text = std::str::from_utf8(used).map_err(|_| malformed)?;
        let name: Self = text.parse().map_err(|_| malformed)?;
        if name.bytes == bytes { Ok(name) } else { Err(malformed) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_bounded() {
        assert_eq!("Ann.B-9_x".parse::<Name>().unwrap().as_str(), "ann.b-9_x");
        assert_eq!("".parse::<Name>(), Err(NameError::Length));
        assert_eq!("a".repeat(33).parse::<Name>(), Err(NameError::Length));
        assert_eq!("9a".parse::<Name>(), Err(NameError::First));
        assert_eq!("-a".parse::<Name>(), Err(NameError::First));
        assert_eq!("añ".parse::<Name>(), Err(NameError::Character));
        assert_eq!("a b".parse::<Name>(), Err(NameError::Character));
        assert!("a".repeat(32).parse::<Name>().is_ok());
    }

    #[test]
    fn a_name_with_capitals_or_padding_is_not_canonical() {
        let name: Name = "ann".parse().unwrap();
        let mut bytes = name.encode();
        assert!(Name::decode(&bytes) == Ok(name));
        bytes[1] = b'A';
        assert!(Name::decode(&bytes).is_err());
        bytes[1] = b'a';
        bytes[32] = 1;
        assert!(Name::decode(&bytes).is_err());
        bytes[0] = 255;
        assert!(Name::decode(&bytes).is_err());
    }

    #[test]
    fn a_session_is_named_by_the_front_of_its_tokens_digest() {
        let mut digest = [0xee; size::HASH];
        digest[..8].copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 0xff]);
        assert_eq!(SessionId::of(&digest).to_string(), "00010203040506ff");
    }

    #[test]
    fn debug_shows_neither_name_nor_whole_identity() {
        let name: Name = "ann".parse().unwrap();
        assert!(!format!("{name:?}").contains("ann"));
        assert!(format!("{:?}", IdentityHash([7; 32])).len() < 30);
    }
}
