//! What a program says to the client and hears from it; the window and `iirs-headless` know nothing else.

use wire::ids::MessageId;
use zeroize::Zeroizing;

/// What a program asks of the client.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens a conversation; a name that is not in the directory waits for its next sync.
    Open {
        /// Account name of the peer.
        peer: String,
    },
    /// Closes a conversation; what is queued in it waits until it is opened again.
    Close {
        /// Account name of the peer.
        peer: String,
    },
    /// Sends a message in an open conversation.
    Send {
        /// Account name of the peer.
        peer: String,
        /// 1 to 16,384 bytes of UTF-8.
        text: String,
        /// Name for the message in every [`Event::State`], at most 128 bytes.
        label: String,
    },
    /// Asks for [`Event::Directory`].
    Directory,
    /// Asks for [`Event::Status`].
    Status,
    /// Asks for [`Event::History`], whether the conversation is open or not; answers come in the order of the
    /// questions, while the connection is lost too.
    History {
        /// Account name of the peer.
        peer: String,
        /// Only what is older than the entry with this cursor.
        before: Option<u64>,
        /// Most entries to return; more than 256 count as 256.
        max: usize,
    },
    /// Asks for [`Event::SafetyNumber`], or an [`ErrorCode::UnknownPeer`], [`ErrorCode::SelfConversation`] or
    /// [`ErrorCode::KeyChanged`]. The conversation need not be open; a name that is not in the directory yet is unknown.
    SafetyNumber {
        /// Account name of the peer.
        peer: String,
    },
    /// Calls somebody, who need not expect it: [`Event::Calling`] when the invitation goes out, [`Event::Answered`] when
    /// he is there. Whom one calls becomes a contact; what is sent to him meanwhile waits for the answer. Who is a
    /// contact already is woken, or called anew if that is in vain.
    Call {
        /// Account name of the peer.
        peer: String,
    },
    /// Accepts the call of [`Event::Request`]: the caller becomes a contact.
    Accept {
        /// Account name of the caller.
        peer: String,
    },
    /// Declines a call silently; for a day the caller's further calls are not told.
    Decline {
        /// Account name of the caller.
        peer: String,
    },
    /// Hears nothing more of somebody, and ends what there is with him; he is not told.
    Block {
        /// Account name of the peer.
        peer: String,
    },
    /// Takes a block back; who it was is a stranger again.
    Unblock {
        /// Account name of the peer.
        peer: String,
    },
    /// Forgets a contact and ends the conversation; its history stays.
    Forget {
        /// Account name of the peer.
        peer: String,
    },
    /// Sets or takes back the mark that both people compared their safety number; the conversation's peer must be a
    /// contact.
    Verify {
        /// Account name of the peer.
        peer: String,
        /// Whether the numbers were found the same.
        verified: bool,
    },
    /// Decides, after [`Event::KeyChanged`], that the name's new key is the right one: he stays a contact, without
    /// the mark of [`Self::Verify`], and is called anew. What was not delivered to the old key is not sent to the new one.
    AcceptKey {
        /// Account name of the peer.
        peer: String,
    },
    /// Asks for [`Event::Contacts`].
    Contacts,
    /// Changes the password: [`Event::PasswordChanged`], or an error and everything is as before.
    ChangePassword {
        /// The password so far.
        old: Zeroizing<Vec<u8>>,
        /// The new one.
        new: Zeroizing<Vec<u8>>,
    },
    /// Asks for [`Event::Sessions`].
    Sessions,
    /// Ends another session of this account: [`Event::SessionEnded`].
    EndSession {
        /// Its id, as [`Event::Sessions`] has it.
        id: String,
    },
    /// Deletes the account at the server for good: [`Event::AccountDeleted`], and the end. History on this machine stays.
    DeleteAccount {
        /// The account's password.
        password: Zeroizing<Vec<u8>>,
    },
    /// Tries to come back to the rounds now, without waiting for [`Event::RetryIn`] to pass; nothing unless such a
    /// pause lasts.
    Retry,
    /// Leaves, forgets the session's token, and ends the session at the server; if that is not reached in 3 s,
    /// an [`ErrorCode::NoServer`] says so before the end. Before the sign-in it is [`Self::Quit`].
    SignOut,
    /// Waits until nothing is queued, then leaves.
    Drain {
        /// Whether to stay a random 30 to 120 rounds more, since leaving with the last acknowledgement
        /// would tell that one talked.
        linger: bool,
    },
    /// Leaves now.
    Quit,
}

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

/// What an error is about, as far as it is about one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Account name, as the program gave it.
    pub peer: Option<String>,
    /// Label of a message.
    pub label: Option<String>,
}

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

/// Stable names of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Wrong password or unknown name.
    WrongCredentials,
    /// The name belongs to somebody.
    NameTaken,
    /// The server's identity is not the link's.
    WrongPin,
    /// No server answers.
    NoServer,
    /// The password is empty or too long.
    PasswordInvalid,
    /// Another program uses the profile.
    ProfileInUse,
    /// The profile belongs to another account or server.
    ProfileOtherAccount,
    /// The profile was written by a newer program.
    ProfileNewer,
    /// The profile does not open.
    ProfileDamaged,
    /// The disk failed.
    Disk,
    /// The session's token is of no use any more.
    SessionEnded,
    /// A newer sign-in took this session's place.
    SignedInElsewhere,
    /// The operator disabled the account.
    Disabled,
    /// Too many tries.
    SlowDown,
    /// The server has no room.
    ServerFull,
    /// The server showed two people different directories.
    DirectoryForked,
    /// The server said something that this program does not understand.
    ServerProtocol,
    /// The server's round numbers are impossible; somebody may be replaying.
    RoundRefused,
    /// The directory shows another key for a person than before.
    KeyChanged,
    /// No such name in the directory.
    UnknownPeer,
    /// The conversation is not open.
    NotOpen,
    /// A conversation with oneself.
    SelfConversation,
    /// Too many conversations are open.
    TooManyConversations,
    /// Nobody of that name calls.
    NoRequest,
    /// He is blocked.
    Blocked,
    /// He is no contact.
    NotAContact,
    /// There is no place for one more contact.
    TooManyContacts,
    /// He deleted his account.
    AccountGone,
    /// The vault at the server does not open.
    VaultDamaged,
    /// The server showed an older vault than before.
    VaultRolledBack,
    /// The server takes no registrations.
    RegistrationClosed,
    /// The server wants an invite code for a registration.
    InviteNeeded,
    /// The invite code is unknown, used or too old.
    InviteInvalid,
    /// Another change of the account is under way.
    Busy,
    /// The text is empty.
    TextEmpty,
    /// The text is over 16 KiB.
    TextTooLong,
    /// The label is over 128 bytes.
    LabelTooLong,
    /// Too many messages wait.
    QueueFull,
}

impl ErrorCode {
    /// Returns the code's name in JSON, which scripts may rely on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong-credentials",
            Self::NameTaken => "name-taken",
            Self::WrongPin => "wrong-pin",
            Self::NoServer => "no-server",
            Self::PasswordInvalid => "password-invalid",
            Self::ProfileInUse => "profile-in-use",
            Self::ProfileOtherAccount => "profile-other-account",
            Self::ProfileNewer => "profile-newer",
            Self::ProfileDamaged => "profile-damaged",
            Self::Disk => "disk",
            Self::SessionEnded => "session-ended",
            Self::SignedInElsewhere => "signed-in-elsewhere",
            Self::Disabled => "disabled",
            Self::SlowDown => "slow-down",
            Self::ServerFull => "server-full",
            Self::DirectoryForked => "directory-forked",
            Self::ServerProtocol => "server-protocol",
            Self::RoundRefused => "round-refused",
            Self::KeyChanged => "key-changed",
            Self::UnknownPeer => "unknown-peer",
            Self::NotOpen => "not-open",
            Self::SelfConversation => "self-conversation",
            Self::TooManyConversations => "too-many-conversations",
            Self::NoRequest => "no-request",
            Self::Blocked => "blocked",
            Self::NotAContact => "not-a-contact",
            Self::TooManyContacts => "too-many-contacts",
            Self::AccountGone => "account-gone",
            Self::VaultDamaged => "vault-damaged",
            Self::VaultRolledBack => "vault-rolled-back",
            Self::RegistrationClosed => "registration-closed",
            Self::InviteNeeded => "invite-needed",
            Self::InviteInvalid => "invite-invalid",
            Self::Busy => "busy",
            Self::TextEmpty => "text-empty",
            Self::TextTooLong => "text-too-long",
            Self::LabelTooLong => "label-too-long",
            Self::QueueFull => "queue-full",
        }
    }
}
