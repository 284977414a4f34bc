//! What is asked and told of what is kept on this machine: history, drafts and the lock. None of it reaches the wire.

use std::path::PathBuf;

use zeroize::Zeroizing;

#[cfg(doc)]
use super::{Command, ErrorCode, Event};

/// Longest draft that is kept, in bytes: about two messages.
pub const DRAFT_MAX: usize = 30 * 1024;

/// Longest text that is searched for, in bytes.
pub const SEARCH_MAX: usize = 256;

/// Messages that a search finds; it ends with the last of them.
pub const HITS_MAX: usize = 200;

/// What a program asks of what is kept on this machine, while the connection is lost too. Rounds go on meanwhile.
#[derive(Clone, PartialEq, Eq)]
pub enum Local {
    /// Erases the key of the history: [`LocalEvent::Locked`]. Messages still arrive and are kept, but no more is read
    /// or told of them than [`LocalEvent::Waits`], until [`Self::Unlock`]. What needs the history is refused with
    /// [`ErrorCode::Locked`], and so are pages and an export that were under way; a search ends without a word.
    ///
    /// What is on its way stays in memory: messages of ours that are not delivered, and parts of theirs.
    Lock,
    /// Stretches the password for the key of the history: [`LocalEvent::Unlocked`], or an
    /// [`ErrorCode::WrongCredentials`]. One at a time: another is [`ErrorCode::Busy`].
    Unlock {
        /// The account's password.
        password: Zeroizing<Vec<u8>>,
    },
    /// Keeps what is being written to somebody in place of what was kept before; an empty text is forgotten. At most
    /// [`DRAFT_MAX`] bytes; more is an [`ErrorCode::TextTooLong`]. Of at most 1,024 people; one more is an
    /// [`ErrorCode::QueueFull`].
    Draft {
        /// Account name of the peer.
        peer: String,
        /// What is written so far.
        text: String,
    },
    /// Looks for a text in the history, whatever its case, the newest first: [`LocalEvent::Found`] until it is done.
    /// Takes the place of a search before. At most [`SEARCH_MAX`] bytes; more is an [`ErrorCode::TextTooLong`], and
    /// nothing is found for an empty text.
    Search {
        /// Tells the answers from those to another search.
        number: u64,
        /// What is searched for.
        text: String,
        /// With whom, or with everybody.
        peer: Option<String>,
    },
    /// Ends a search.
    StopSearch,
    /// Chooses whether the history with somebody is deleted when the program ends: [`LocalEvent::Forgetful`].
    /// What is not delivered is kept until it is, and so is what is drafted. Of at most 1,024 people; one more is an
    /// [`ErrorCode::QueueFull`].
    ForgetOnExit {
        /// Account name of the peer.
        peer: String,
        /// Whether it is.
        forget: bool,
    },
    /// Deletes the history with somebody, or all of it: [`LocalEvent::HistoryDeleted`]. What is not delivered is kept.
    DeleteHistory {
        /// Account name of the peer.
        peer: Option<String>,
    },
    /// Writes the history with somebody, or all of it, into a new file in clear: [`LocalEvent::Exported`], or an
    /// [`ErrorCode::Disk`] and no file. A file that is there is never written over. One at a time: another is
    /// [`ErrorCode::Busy`].
    Export {
        /// Account name of the peer.
        peer: Option<String>,
        /// In which form.
        format: ExportFormat,
        /// Where to.
        file: PathBuf,
    },
}

/// The form of a history in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// For people: a line of day, time, offset from UTC and both names before each text, and an empty one after it.
    Text,
    /// For programs: a JSON object a line, as `iirs-headless` has them for messages, with `ours`, and of ours `id` and
    /// `state`.
    Json,
}

/// What is told of what is kept on this machine.
#[derive(Clone, PartialEq, Eq)]
pub enum LocalEvent {
    /// The password opened what is kept here; the server was not asked yet. Only if the program wants to begin so.
    Opened {
        /// Account name.
        user: String,
    },
    /// The history is locked.
    Locked,
    /// The history is open again; what is drafted and who is forgotten follows.
    Unlocked,
    /// A message arrived while the history was locked; it is on disk.
    Waits {
        /// From whom.
        peer: String,
    },
    /// All that was drafted and not sent, by person; told after the start and after [`Self::Unlocked`].
    Drafts {
        /// Account name and text.
        drafts: Vec<(String, String)>,
    },
    /// Whose history is deleted when the program ends; told after the start, after [`Self::Unlocked`] and when it changes.
    Forgetful {
        /// Account names, sorted.
        peers: Vec<String>,
    },
    /// A search found something, or went on.
    Found {
        /// The search's number.
        number: u64,
        /// What was found since the last such event, the newest first.
        hits: Vec<Hit>,
        /// Messages read so far.
        read: u64,
        /// Messages to read in all.
        of: u64,
        /// Whether it is done.
        done: bool,
    },
    /// The history with somebody is deleted, or all of it.
    HistoryDeleted {
        /// Account name of the peer, as the program gave it.
        peer: Option<String>,
    },
    /// A history is being written to a file.
    Exporting {
        /// Messages written so far.
        done: u64,
        /// Messages in all.
        of: u64,
    },
    /// A history was written to a file, which is on disk.
    Exported {
        /// Where to.
        file: PathBuf,
        /// How many messages.
        messages: u64,
    },
}

/// A message that a search found.
#[derive(Clone, PartialEq, Eq)]
pub struct Hit {
    /// With whom.
    pub peer: String,
    /// Its place in the history.
    pub cursor: u64,
    /// Whether this account wrote it.
    pub is_ours: bool,
    /// What was written.
    pub text: String,
    /// When, by the writer's clock, in milliseconds since 1970.
    pub sent_ms: u64,
}

/// Shows no name, no text and no password.
impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lock => "Lock",
            Self::Unlock { .. } => "Unlock",
            Self::Draft { .. } => "Draft",
            Self::Search { .. } => "Search",
            Self::StopSearch => "StopSearch",
            Self::ForgetOnExit { .. } => "ForgetOnExit",
            Self::DeleteHistory { .. } => "DeleteHistory",
            Self::Export { .. } => "Export",
        })
    }
}

/// Shows no name and no text.
impl std::fmt::Debug for LocalEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opened { .. } => f.write_str("Opened"),
            Self::Locked => f.write_str("Locked"),
            Self::Unlocked => f.write_str("Unlocked"),
            Self::Waits { .. } => f.write_str("Waits"),
            Self::Drafts { drafts } => write!(f, "Drafts({})", drafts.len()),
            Self::Forgetful { peers } => write!(f, "Forgetful({})", peers.len()),
            Self::Found { hits, read, of, done, .. } => {
                write!(f, "Found({} hits, {read} of {of}, done: {done})", hits.len())
            }
            Self::HistoryDeleted { .. } => f.write_str("HistoryDeleted"),
            Self::Exporting { done, of } => write!(f, "Exporting({done} of {of})"),
            Self::Exported { messages, .. } => write!(f, "Exported({messages} messages)"),
        }
    }
}
