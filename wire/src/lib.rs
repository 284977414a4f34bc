//! The language that iirs clients and servers speak: every frame as a fixed-size binary layout,
//! and the cryptographic shapes around it.
//!
//! Invariant: no IO, no clock, no global randomness; what a value means at a given moment is decided
//! by the callers. All integers are little-endian, all values have one size, and decoding takes
//! exactly that size, never panics, and accepts only what encoding produces.
//!
//! The byte tables are in `docs/wire.md`.

pub mod account;
pub mod close;
pub mod codec;
pub mod control;
pub mod dial;
pub mod directory;
pub mod ids;
pub mod invitation;
pub mod kdf;
pub mod layer;
pub mod link;
#[cfg(feature = "login")]
pub mod login;
pub mod peer;
pub mod public_key;
pub mod restore;
pub mod round;
pub mod sealed;
pub mod size;

/// Application protocol name offered and required in the TLS handshake (RFC 7301).
pub const ALPN: &[u8] = b"iirs/1";

/// Version byte of every frame and of the peer message.
pub const VERSION: u8 = 1;
