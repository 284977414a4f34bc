//! What a window writes into its event log.

use serde::Deserialize;

use super::MessageState;

/// One line of the event log of `iirs`; every line also has `at_ms`, which nobody needs here.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "docs/operations.md explains every line and field")]
pub enum Told {
    Drawn,
    Screen { name: String },
    Place { id: String, x: f64, y: f64, width: f64, height: f64 },
    Opened { peer: String },
    SignedIn { user: String },
    Registered { user: String },
    Round { number: u64, seats: u32, missed: u64 },
    Message { peer: String, text: String, round: u64 },
    State { peer: String, text: String, state: MessageState, round: Option<u64> },
    Connection { state: String },
    RetryIn { ms: u64 },
    Loaded { peer: String, texts: Vec<String> },
    Waits { peer: String },
    Sessions { number: u64 },
    Found { hits: u64, done: bool },
    Error { code: String, text: String },
    Ended { ok: bool },
}
