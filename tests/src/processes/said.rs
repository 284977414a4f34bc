//! What `iirs-headless` prints.

use serde::Deserialize;

/// One line of `iirs-headless`, with the fields that its manual names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "docs/operations.md explains every line and field")]
pub enum Said {
    Registered {
        user: String,
    },
    SignedIn {
        user: String,
    },
    Round {
        number: u64,
        seats: u32,
        missed: u64,
    },
    State {
        id: String,
        peer: String,
        state: MessageState,
        round: Option<u64>,
    },
    Message {
        peer: String,
        text: String,
        sent_ms: u64,
        round: u64,
    },
    Directory {
        names: Vec<String>,
    },
    Status {
        connection: String,
        round: u64,
        seats: u32,
        missed: u64,
        refused_calls: u64,
        conversations: Vec<Talk>,
    },
    Connection {
        state: String,
    },
    Error {
        code: String,
        text: String,
    },
    Request {
        peer: String,
    },
    Calling {
        peer: String,
    },
    Answered {
        peer: String,
    },
    KeyChanged {
        peer: String,
    },
    ServerRestored {
        backed_up_ms: u64,
        restored_ms: u64,
    },
    Contact(Contact),
    Forgotten {
        peer: String,
    },
    Contacts {
        contacts: Vec<Contact>,
    },
    SafetyNumber {
        peer: String,
        digits: String,
    },
    VaultStored {
        version: u64,
    },
    Sessions {
        sessions: Vec<Session>,
    },
    SessionEnded {
        id: String,
    },
    PasswordChanged,
    AccountDeleted,
}

/// How far a message is; it only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "docs/operations.md explains them")]
pub enum MessageState {
    Queued,
    Sent,
    Delivered,
}

/// A conversation in a `status` line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "docs/operations.md explains them")]
pub struct Talk {
    pub peer: String,
    pub live: bool,
    pub queued: u32,
}

/// A contact, alone or in a `contacts` line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "docs/operations.md explains them")]
pub struct Contact {
    pub peer: String,
    pub standing: String,
    pub verified: bool,
}

/// A session in a `sessions` line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "docs/operations.md explains them")]
pub struct Session {
    pub id: String,
    pub created_ms: u64,
    pub expires_ms: u64,
    pub current: bool,
    pub superseded: bool,
}
