//! What a program says to the engine and hears from it; the window and `iirs-headless` know nothing else.

use std::path::PathBuf;

pub use client_core::api::*;
use wire::account::Stretching;
use wire::ids::Name;
use wire::link::Link;
use zeroize::Zeroizing;

/// Commands that may wait for the engine.
pub const COMMANDS_MAX: usize = 1024;

/// Events that may wait for the program; more are dropped with a warning, since rounds wait for nobody.
pub const EVENTS_MAX: usize = 65_536;

/// Longest password, in bytes.
pub const PASSWORD_MAX: usize = 1024;

/// A password as it was typed; erased on drop, never shown.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes over a password.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Shows the bytes, to stretch them.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What the engine needs to begin.
pub struct Options {
    /// The server.
    pub link: Link,
    /// The account.
    pub user: Name,
    /// Its password.
    pub password: Password,
    /// Whether to make the account first.
    pub register: bool,
    /// Directory of this account's state on this machine.
    pub profile: PathBuf,
    /// Cost of stretching for what is made now, and the least that a server may ask for.
    pub stretching: Stretching,
}
