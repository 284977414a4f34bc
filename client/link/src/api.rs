//! What a program says to the engine and hears from it; the window and `iirs-headless` know nothing else.

use std::path::PathBuf;

pub use client_core::api::*;
pub use wire::account::Invite;
use wire::account::Stretching;
use wire::ids::Name;
use wire::link::Link;

pub use crate::password::{PASSWORD_MAX, Password};

/// Commands that may wait for the engine.
pub const COMMANDS_MAX: usize = 1024;

/// Events that may wait for the program; more are dropped with a warning, since rounds wait for nobody.
pub const EVENTS_MAX: usize = 65_536;

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
    /// Invitation code for making the account, where the server wants one.
    pub invite: Option<Invite>,
    /// Directory of this account's state on this machine.
    pub profile: PathBuf,
    /// Whether to begin with what is kept on this machine before the server is reached, if the password opens it and a
    /// session and the account's identity are in it: [`LocalEvent::Opened`], commands are taken, and the server is
    /// reached as after a lost connection. The password is forgotten once it is, or at a [`Local::Lock`]; after that a
    /// session that has ended ends the client. Else nothing is done or told before the sign-in.
    pub early: bool,
    /// Cost of stretching for what is made now, and the least that a server may ask for.
    pub stretching: Stretching,
}
