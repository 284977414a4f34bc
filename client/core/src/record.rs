//! What a client keeps on disk, as values; `client_link` seals and stores them.

use wire::directory::{Head, Record};
use wire::ids::{AccountIndex, IdentityHash, MessageId, Round, Token};
use wire::kdf::Secret;

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

/// Somebody whom this account talks to, called, or blocked, as the profile keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who it is, by the keys that the account holds to.
    pub record: Record,
    /// Place of that record in the directory.
    pub index: AccountIndex,
    /// Whether safety numbers were compared.
    pub verified: bool,
    /// Whether he is blocked.
    pub blocked: bool,
    /// Whether he is no contact any more, which the vault at the server does not say yet.
    pub forgotten: bool,
    /// Why the vault at the server does not say this yet, if it does not.
    pub unsaved: Option<Unsaved>,
}

/// Why a vault is still to say how a contact stands; also how much that weighs against what another machine stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsaved {
    /// Nothing changed here, and the server was restored: its vault may be of before, or of a machine that knew less or
    /// more. Of both the careful word counts.
    Restored,
    /// It changed on this machine, and what was stored elsewhere meanwhile does not count.
    Changed,
}

/// The root of a called conversation as it is kept between two processes: enough to find the drops from here on.
///
/// Invariant: no word that a person wrote is sealed under anything in it.
pub struct SavedRoot {
    /// Whose call it is.
    pub caller: IdentityHash,
    /// The call's first round.
    pub first: Round,
    /// Whether the peer was heard on it.
    pub heard: bool,
    /// Key of hello cells.
    pub hello: Secret,
    /// Outer chain of the wheel.
    pub outer: Secret,
    /// How often the outer chain has stepped.
    pub steps: u32,
}

impl SavedRoot {
    /// Makes a second copy, named so that each one can be found.
    pub fn duplicate(&self) -> Self {
        let Self { caller, first, heard, hello, outer, steps } = self;
        let (hello, outer) = (hello.duplicate(), outer.duplicate());
        Self { caller: *caller, first: *first, heard: *heard, hello, outer, steps: *steps }
    }
}

/// One thing to keep.
pub enum Change {
    /// A contact is new or changed.
    Contact(Box<Contact>),
    /// Somebody is no contact any more, and not blocked; his root goes too.
    Forgotten(IdentityHash),
    /// A contact's conversation goes by this root from now on.
    Rooted(IdentityHash, SavedRoot),
    /// Calls of this caller are not told before that round.
    Declined(IdentityHash, Round),
    /// The vault at the server has this version and says what these contacts' rows say.
    Vault(u64, Vec<IdentityHash>),
    /// The vault may be written with this version from now on, and with none up to it ever again.
    VaultUsed(u64),
    /// The directory gained these records, from that place on.
    Listed(u32, Vec<(Record, Head)>),
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
    /// The server was restored: the directory has no more records than these, and all notices up to that time are
    /// taken.
    Restored {
        /// Records that stay.
        length: u32,
        /// The newest notice's time, in milliseconds since 1970.
        restored_ms: u64,
        /// Whether there were more.
        dropped: bool,
    },
    /// All restores up to that time were told.
    RestoreTold(u64),
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
    /// Tells whether somebody waits for it to be durable; what nobody waits for goes with the next that is. The vault's
    /// version may not be forgotten in a crash, or the server could put back the one before.
    pub fn is_urgent(&self) -> bool {
        match self {
            Self::Contact(_)
            | Self::Forgotten(_)
            | Self::Rooted(..)
            | Self::Declined(..)
            | Self::VaultUsed(_)
            | Self::Opened(_)
            | Self::Closed(_)
            | Self::Queued(_)
            | Self::Delivered(..)
            | Self::Received(_)
            | Self::Token(_)
            | Self::Clock(_)
            | Self::Vault(..)
            | Self::Restored { .. }
            | Self::RestoreTold(_) => true,
            Self::Sent(..) | Self::Mark(_) | Self::Directory(..) | Self::Listed(..) => false,
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
    /// Contacts and blocked people.
    pub contacts: Vec<Contact>,
    /// The contacts' roots.
    pub roots: Vec<(IdentityHash, SavedRoot)>,
    /// Callers whose calls are not told before a round.
    pub declined: Vec<(IdentityHash, Round)>,
    /// Highest version of the vault that was seen.
    pub vault: u64,
    /// Highest version that the vault may have been written with.
    pub vault_used: u64,
    /// The server's restores as far as they are known.
    pub restores: KnownRestores,
}

/// How far the restores of a server are known, by their times in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownRestores {
    /// The newest whose notice was taken: no notice up to it shortens the directory any more.
    pub taken_ms: u64,
    /// The newest that was told.
    pub told_ms: u64,
    /// The newest for which something was dropped, which must be told in any case.
    pub dropped_ms: u64,
}
