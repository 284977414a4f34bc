//! What the client tells.

use wire::ids::MessageId;

#[cfg(doc)]
use super::Command;
use super::{
    About, ConnectionState, ContactStatus, ErrorCode, LocalEvent, MessageState, SessionStatus,
    Status,
};

/// What the client tells. Its `Debug` shows no name and no text.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// A step on the way into the rounds began.
    Progress(Step),
    /// The account was made.
    Registered {
        /// Its name.
        user: String,
    },
    /// Signed in, or the session was taken up again at the start.
    SignedIn {
        /// Account name.
        user: String,
    },
    /// A round is open: what is ready goes with it.
    RoundOpen {
        /// Its number.
        number: u64,
        /// Milliseconds until it closes.
        closes_ms: u32,
        /// Length of a round in milliseconds.
        round_ms: u32,
    },
    /// A round was answered.
    Round {
        /// Its number.
        number: u64,
        /// Seats in it, as the server says.
        seats: u32,
        /// Rounds missed since the start.
        missed: u64,
    },
    /// A message of ours went forward.
    State {
        /// The label it was sent with.
        label: String,
        /// To whom.
        peer: String,
        /// How far it is.
        state: MessageState,
        /// The round that did it; none for queued.
        round: Option<u64>,
    },
    /// A message arrived; it is on disk.
    Message {
        /// The sender's id of it.
        id: MessageId,
        /// From whom.
        peer: String,
        /// What they wrote, byte for byte.
        text: String,
        /// When, by their clock, in milliseconds since 1970.
        sent_ms: u64,
        /// Round that completed it.
        round: u64,
    },
    /// Answers [`Command::Directory`].
    Directory {
        /// All names, sorted.
        names: Vec<String>,
    },
    /// The directory grew; the first time, by all that is in it, the own name too.
    Listed {
        /// The new names, in the directory's order.
        names: Vec<String>,
    },
    /// Answers [`Command::History`] with what is on disk at that moment: what was told already, and perhaps messages
    /// and states whose events follow. Only [`MessageState::Sent`] may be told before it is here.
    History {
        /// Account name, as the program gave it.
        peer: String,
        /// The cursor that was asked for.
        before: Option<u64>,
        /// The newest first.
        entries: Vec<HistoryEntry>,
        /// Whether there are older ones.
        more: bool,
    },
    /// Answers [`Command::SafetyNumber`]: the peer's client has the same number, as long as nobody has put false keys
    /// between the two.
    SafetyNumber {
        /// Account name, as the program gave it.
        peer: String,
        /// 60 decimal digits, to be read in groups of five.
        digits: String,
    },
    /// Answers [`Command::Status`].
    Status(Status),
    /// Somebody calls; told once for each caller until [`Command::Accept`], [`Command::Decline`] or [`Command::Block`].
    Request {
        /// The caller's account name.
        peer: String,
    },
    /// An invitation to somebody is on its way for the first time.
    Calling {
        /// Account name.
        peer: String,
    },
    /// Whom we called, or whose call we accepted, was heard: text flows from now on.
    Answered {
        /// Account name.
        peer: String,
    },
    /// The directory shows another key for a contact than before, or none any more: his conversation stands still and
    /// his mark is gone until [`Command::AcceptKey`], [`Command::Forget`] or [`Command::Block`].
    KeyChanged {
        /// Account name.
        peer: String,
    },
    /// A contact changed or is new; told for all of them once after the sign-in.
    Contact(ContactStatus),
    /// Somebody is no contact any more, and not blocked.
    Forgotten {
        /// Account name.
        peer: String,
    },
    /// Answers [`Command::Contacts`].
    Contacts {
        /// Contacts and blocked people, by name.
        contacts: Vec<ContactStatus>,
    },
    /// Contacts, marks and blocks up to here are at the server, sealed.
    VaultStored {
        /// The vault's version.
        version: u64,
    },
    /// Answers [`Command::Sessions`].
    Sessions {
        /// This account's sessions, the oldest first.
        sessions: Vec<SessionStatus>,
    },
    /// A session was ended.
    SessionEnded {
        /// Its id.
        id: String,
    },
    /// The new password is the password; all other sessions have ended.
    PasswordChanged,
    /// The account is gone from the server.
    AccountDeleted,
    /// Something about what is kept on this machine.
    Local(LocalEvent),
    /// The server was put back from a backup: what was made or changed there after that is gone there. Told once for
    /// each restore.
    ServerRestored {
        /// When the backup was made, in milliseconds since 1970.
        backed_up_ms: u64,
        /// When it was put back, in milliseconds since 1970.
        restored_ms: u64,
    },
    /// The connection changed.
    Connection(ConnectionState),
    /// The client is out of the rounds and tries to come back after a pause.
    RetryIn {
        /// The pause in milliseconds.
        ms: u64,
    },
    /// Something failed; unless [`Event::Ended`] follows, the client goes on.
    Error {
        /// Stable code.
        code: ErrorCode,
        /// What happened and what to do next.
        text: String,
        /// What it is about.
        about: About,
    },
    /// The last event.
    Ended {
        /// Whether the client left because it was asked to.
        ok: bool,
    },
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Progress(step) => write!(f, "Progress({step:?})"),
            Self::Registered { .. } => f.write_str("Registered"),
            Self::SignedIn { .. } => f.write_str("SignedIn"),
            Self::RoundOpen { number, closes_ms, .. } => {
                write!(f, "RoundOpen({number}, {closes_ms} ms)")
            }
            Self::Round { number, seats, missed } => {
                write!(f, "Round({number}, {seats} seats, {missed} missed)")
            }
            Self::State { state, round, .. } => write!(f, "State({state:?}, {round:?})"),
            Self::Message { text, round, .. } => {
                write!(f, "Message({} bytes, round {round})", text.len())
            }
            Self::Directory { names } => write!(f, "Directory({} names)", names.len()),
            Self::Listed { names } => write!(f, "Listed({} names)", names.len()),
            Self::History { entries, more, .. } => {
                write!(f, "History({} entries, more: {more})", entries.len())
            }
            Self::SafetyNumber { .. } => f.write_str("SafetyNumber"),
            Self::Status(status) => write!(f, "Status(round {})", status.round),
            Self::Request { .. } => f.write_str("Request"),
            Self::Calling { .. } => f.write_str("Calling"),
            Self::Answered { .. } => f.write_str("Answered"),
            Self::KeyChanged { .. } => f.write_str("KeyChanged"),
            Self::Contact(_) => f.write_str("Contact"),
            Self::Forgotten { .. } => f.write_str("Forgotten"),
            Self::Contacts { contacts } => write!(f, "Contacts({})", contacts.len()),
            Self::VaultStored { version } => write!(f, "VaultStored({version})"),
            Self::Sessions { sessions } => write!(f, "Sessions({})", sessions.len()),
            Self::SessionEnded { .. } => f.write_str("SessionEnded"),
            Self::PasswordChanged => f.write_str("PasswordChanged"),
            Self::AccountDeleted => f.write_str("AccountDeleted"),
            Self::Local(event) => write!(f, "Local({event:?})"),
            Self::ServerRestored { .. } => f.write_str("ServerRestored"),
            Self::Connection(state) => write!(f, "Connection({state:?})"),
            Self::RetryIn { ms } => write!(f, "RetryIn({ms} ms)"),
            Self::Error { code, .. } => write!(f, "Error({code:?})"),
            Self::Ended { ok } => write!(f, "Ended({ok})"),
        }
    }
}

/// A step on the way into the rounds, in this order; a sign-in takes some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Stretching the password to open the profile on this machine.
    Unlocking,
    /// Reaching the server and checking its identity.
    Connecting,
    /// Stretching the password and making the keys of a new account.
    Registering,
    /// Stretching the password to prove it and to open the account's keys.
    SigningIn,
    /// Taking the last session up again, which needs no password.
    Resuming,
    /// Stretching the password to seal a new profile on this machine.
    MakingProfile,
    /// Fetching the directory.
    Directory {
        /// Names in it, as the server says.
        names: u32,
        /// How many of them are here already; told again every so often.
        done: u32,
    },
}

/// A message of the history.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its place; older entries have lower ones.
    pub cursor: u64,
    /// Who wrote it.
    pub author: Author,
    /// What was written.
    pub text: String,
    /// When, by the writer's clock, in milliseconds since 1970.
    pub sent_ms: u64,
}

/// Who wrote a message of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// This account.
    Own {
        /// The label it was sent with.
        label: String,
        /// How far it is.
        state: MessageState,
        /// The round that did it; none for queued.
        round: Option<u64>,
    },
    /// The peer.
    Peer {
        /// The sender's id of it.
        id: MessageId,
        /// Round that completed it.
        round: u64,
    },
}
