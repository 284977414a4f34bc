//! What can go wrong, by stable names.

/// What an error is about, as far as it is about one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Account name, as the program gave it.
    pub peer: Option<String>,
    /// Label of a message.
    pub label: Option<String>,
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
    /// The history is locked.
    Locked,
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
            Self::Locked => "locked",
            Self::Busy => "busy",
            Self::TextEmpty => "text-empty",
            Self::TextTooLong => "text-too-long",
            Self::LabelTooLong => "label-too-long",
            Self::QueueFull => "queue-full",
        }
    }
}
