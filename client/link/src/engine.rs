//! The engine: one account's client on a thread of its own.

use tokio::sync::mpsc;

use crate::api::{Command, Event};

/// A running client; the window and `iirs-headless` hold the same one.
pub struct Engine {
    /// Where commands go.
    pub commands: mpsc::Sender<Command>,
    /// Where events come from; [`Event::Ended`] is the last.
    pub events: mpsc::Receiver<Event>,
}
