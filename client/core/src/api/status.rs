//! How messages, connection, conversations, contacts and sessions stand.

#[cfg(doc)]
use super::Command;

/// How far a message of ours is; it only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageState {
    /// On disk, waiting for rounds.
    Queued,
    /// Its last fragment went out for the first time.
    Sent,
    /// Every fragment is acknowledged: it is on the peer's disk.
    Delivered,
}

impl MessageState {
    /// Returns the state's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
        }
    }
}

/// How the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Trying to reach the server.
    Connecting,
    /// In the rounds for the first time.
    Connected,
    /// Not in the rounds: nothing covers this client now.
    Lost,
    /// Back in the rounds.
    Resumed,
}

impl ConnectionState {
    /// Returns the state's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Lost => "lost",
            Self::Resumed => "resumed",
        }
    }
}

/// Answer to [`Command::Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How the connection is.
    pub connection: ConnectionState,
    /// The last round that was answered.
    pub round: u64,
    /// Seats in it, as the server says.
    pub seats: u32,
    /// Rounds missed since the start.
    pub missed: u64,
    /// Slots sent since the start that carried a conversation, a call or a wake-up.
    pub real: u64,
    /// Slots sent since the start that carried cover.
    pub cover: u64,
    /// Open conversations, by name.
    pub conversations: Vec<ConversationStatus>,
    /// Calls since the start that were not told: replayed, too old, forged, of blocked or declined people.
    pub refused_calls: u64,
}

/// One open conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationStatus {
    /// With whom.
    pub peer: String,
    /// Whether both sides agreed on keys and text can flow.
    pub live: bool,
    /// Cells that opened and were not the peer's, or contradicted the session.
    pub refused: u64,
    /// Messages that are not delivered.
    pub queued: u32,
    /// The oldest of them, if it goes out in parts and has begun to.
    pub under_way: Option<UnderWay>,
}

/// How far a message is that takes more than one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Its label.
    pub label: String,
    /// Parts that the peer has acknowledged; a restart of either side begins anew.
    pub arrived: u16,
    /// All parts, at least 2.
    pub parts: u16,
}

/// Somebody whom this account talks to, called, or blocked.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactStatus {
    /// Account name.
    pub peer: String,
    /// How it stands.
    pub standing: Standing,
    /// Whether both safety numbers were compared and found the same.
    pub verified: bool,
}

/// How a contact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Called, and not heard yet.
    Calling,
    /// Was heard since the call: text flows.
    Contact,
    /// The directory shows another key, or none: the conversation stands still.
    KeyChanged,
    /// Blocked.
    Blocked,
}

impl Standing {
    /// Returns the standing's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Contact => "contact",
            Self::KeyChanged => "key-changed",
            Self::Blocked => "blocked",
        }
    }
}

/// A session of this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// Names it, 16 hexadecimal digits; not its token.
    pub id: String,
    /// When it signed in, in milliseconds since 1970; 0 if the server does not know.
    pub created_ms: u64,
    /// When it ends unless it ends before, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Whether it is this one.
    pub current: bool,
    /// Whether a newer sign-in took its place, so that it must sign in anew.
    pub superseded: bool,
}
