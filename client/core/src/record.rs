//! What a client keeps on disk, as values; `client_link` seals and stores them.

use wire::directory::{Head, Record};
use wire::ids::{IdentityHash, MessageId, Round, Token};

/// Ids of received messages that are kept for each peer, so that each is shown once.
pub const RECEIVED_IDS_MAX: usize = 1024;

/// Longest label that a caller may give a message, in bytes.
pub const LABEL_MAX: usize = 128;

/// A message of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Random id, by which the peer shows it once.
    pub id: MessageId,
    /// To whom.
    pub peer: IdentityHash,
    /// Name that the caller knows the message by, at most 128 bytes.
    pub label: String,
    /// 1 to 16,384 bytes.
    pub text: String,
    /// When it was written, milliseconds since 1970.
    pub sent_ms: u64,
    /// Round in which its last fragment first went out.
    pub sent: Option<Round>,
}

/// A message of a peer.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The sender's random id of it.
    pub id: MessageId,
    /// From whom.
    pub peer: IdentityHash,
    /// 1 to 16,384 bytes.
    pub text: String,
    /// When it was written, milliseconds since 1970, by the sender's clock.
    pub sent_ms: u64,
    /// Round that completed it.
    pub round: Round,
}

/// One thing to keep.
pub enum Change {
    /// A conversation was opened.
    Opened(Box<Record>),
    /// A conversation was closed; who the peer was is kept.
    Closed(IdentityHash),
    /// A message was written; it is queued once this is durable.
    Queued(Outgoing),
    /// The last fragment of a message went out for the first time.
    Sent(MessageId, Round),
    /// Every fragment of a message is acknowledged.
    Delivered(MessageId, Round),
    /// A message arrived; it is acknowledged once this is durable.
    Received(Incoming),
    /// The highest round that was used; written lazily, never ahead of use.
    Mark(Round),
    /// The session's token, or that there is none.
    Token(Option<Token>),
    /// When the server's rounds began and how long they are.
    Clock(ServerClock),
    /// Length and head of the directory as it was seen last.
    Directory(u32, Head),
}

/// What numbers a server's rounds; it stays the same for the life of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    /// When round 0 would have begun, milliseconds since 1970.
    pub genesis_ms: u64,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
}

impl Change {
    /// Tells whether somebody waits for it to be durable; what nobody waits for goes with the next that is.
    pub fn is_urgent(&self) -> bool {
        match self {
            Self::Opened(_)
            | Self::Closed(_)
            | Self::Queued(_)
            | Self::Delivered(..)
            | Self::Received(_)
            | Self::Token(_)
            | Self::Clock(_) => true,
            Self::Sent(..) | Self::Mark(_) | Self::Directory(..) => false,
        }
    }
}

/// What a restart needs.
#[derive(Default)]
pub struct Saved {
    /// Records of the peers with whom a conversation is open.
    pub open: Vec<Record>,
    /// Records of the peers whose conversation was closed: a name stays with its keys.
    pub closed: Vec<Record>,
    /// Messages that are not delivered, in the order in which they were written.
    pub outgoing: Vec<Outgoing>,
    /// The last ids received from each peer, oldest first, at most 1,024 each.
    pub received: Vec<(IdentityHash, Vec<MessageId>)>,
    /// The highest round known to be used.
    pub mark: Round,
    /// Token of the session.
    pub token: Option<Token>,
    /// What numbers the server's rounds.
    pub clock: Option<ServerClock>,
    /// Length and head of the directory as it was seen last.
    pub directory: Option<(u32, Head)>,
}
