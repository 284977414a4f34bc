//! Real processes: a server that can be killed and started again, and clients that speak JSON lines.
//!
//! Everything that the clients print meets in one channel, so that a test waits for the next line of any
//! of them, with a deadline, and never for time to pass. Children die with what holds them.

mod build;
mod client;
pub mod cores;
mod hall;
mod interrupt;
mod ledger;
mod place;
mod process;
mod program;
mod said;
pub mod scripts;
mod server;
mod told;
mod usage;

use std::path::PathBuf;

pub use build::{Profile, build};
pub use client::{Arguments, Client};
pub use hall::{End, Hall, Heard, What};
pub use interrupt::watch_interrupts;
pub use ledger::{Ledger, Verdict};
pub use place::Place;
pub use process::Process;
pub use program::program;
pub use said::{Contact, MessageState, Said, Session, Talk};
pub use server::Server;
pub use told::Told;
pub use usage::{Usage, forget_peak};

/// The two programs that a [`Hall`] and its server run.
#[derive(Clone)]
pub struct Programs {
    /// `iirs-server`, or the same under another name.
    pub server: PathBuf,
    /// `iirs-headless`, or the same under another name.
    pub headless: PathBuf,
}
