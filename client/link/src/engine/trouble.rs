//! What goes wrong between the engine and its server: for good, or until the next try.

use client_core::account::AccountError;
use client_core::directory::PageError;
use client_core::rounds::RoundError;
use quinn::ConnectionError;
use wire::close::Close;
use wire::control::{Refusal, Refused};
use wire::login::LoginError;

use crate::api::ErrorCode;
use crate::profile::{ProfileError, SubmitError};
use crate::transport::ConnectError;

const WRONG_CREDENTIALS: &str =
    "wrong name or password; check both and try again (there is no password reset)";

/// The end of an engine, told as one error.
pub(super) struct Failure {
    pub(super) code: ErrorCode,
    pub(super) text: String,
}

/// Why a connection is of no use.
pub(super) enum Trouble {
    /// Trying again does not help.
    Fatal(Failure),
    /// The connection is gone; the reason is for the log.
    Lost(String),
    /// The server does not take the session's token any more.
    TokenRefused(Refusal),
}

impl Failure {
    pub(super) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// Tells whether another try may go better: the server may be replaced, or somebody else's answer
    /// may have been forged.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.code, ErrorCode::ServerProtocol | ErrorCode::RoundRefused)
    }

    /// Tells whether the profile takes no more.
    pub(super) fn is_of_disk(&self) -> bool {
        matches!(self.code, ErrorCode::Disk | ErrorCode::ProfileDamaged)
    }

    /// The server said something that no server says at this point.
    pub(super) fn protocol(what: impl std::fmt::Display) -> Self {
        let text = format!("{what}; update iirs, or ask whoever runs the server to");
        Self::new(ErrorCode::ServerProtocol, text)
    }

    pub(super) fn signed_in_elsewhere() -> Self {
        let text = "this account signed in on another machine, which holds its seat now; \
                    sign in again here to take it back";
        Self::new(ErrorCode::SignedInElsewhere, text)
    }
}

impl Trouble {
    /// Turns what ends a first sign-in into its one error.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Fatal(failure) => failure,
            Self::Lost(reason) => {
                Failure::new(ErrorCode::NoServer, format!("not signed in: {reason}"))
            }
            Self::TokenRefused(Refusal::TokenSuperseded) => Failure::signed_in_elsewhere(),
            Self::TokenRefused(_) => {
                Failure::new(ErrorCode::SessionEnded, "the session has ended; sign in again")
            }
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Fatal(failure)
    }
}

impl From<ConnectionError> for Trouble {
    fn from(error: ConnectionError) -> Self {
        let close = match &error {
            ConnectionError::ApplicationClosed(close) => close,
            // what the server writes beside its code is not ours to say
            ConnectionError::ConnectionClosed(close) => {
                return Self::Lost(format!(
                    "the server closed the connection ({})",
                    close.error_code
                ));
            }
            ConnectionError::VersionMismatch
            | ConnectionError::TransportError(_)
            | ConnectionError::Reset
            | ConnectionError::TimedOut
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => return Self::Lost(error.to_string()),
        };
        match Close::from_code(close.error_code.into_inner()) {
            // A client that did not come back itself is replaced when somebody else takes the session
            // up by the same token: a copy of the profile. Coming back, the two would evict each
            // other in turns.
            Some(Close::TakenOver | Close::Replaced) => Failure::signed_in_elsewhere().into(),
            Some(Close::Disabled) => disabled().into(),
            Some(Close::SessionEnded) => {
                Self::TokenRefused(Refusal::TokenEnded).into_failure().into()
            }
            Some(
                reason @ (Close::Done
                | Close::Restarting
                | Close::Protocol
                | Close::UnknownRound
                | Close::SignInTimeout
                | Close::Lagging
                | Close::Full),
            ) => Self::Lost(reason.to_string()),
            None => Self::Lost(format!(
                "the server closed the connection with a code that this program does not know ({})",
                close.error_code
            )),
        }
    }
}

impl From<ConnectError> for Trouble {
    fn from(error: ConnectError) -> Self {
        match &error {
            ConnectError::WrongPin => Failure::new(ErrorCode::WrongPin, error.to_string()).into(),
            ConnectError::OtherVersion => Failure::protocol(error).into(),
            ConnectError::NoSuchHost { .. }
            | ConnectError::NoServer { .. }
            | ConnectError::Timeout { .. }
            | ConnectError::Busy
            | ConnectError::Closed { .. }
            | ConnectError::Tls(_) => Self::Lost(error.to_string()),
        }
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        let text = match refused.why {
            Refusal::TokenEnded | Refusal::TokenSuperseded => {
                return Self::TokenRefused(refused.why);
            }
            Refusal::Disabled => return disabled().into(),
            Refusal::NameTaken => "this name belongs to somebody already; choose another".into(),
            Refusal::WrongCredentials => WRONG_CREDENTIALS.into(),
            Refusal::SlowDown => {
                let seconds = refused.retry_ms.div_ceil(1000).max(1);
                format!("too many tries; try again in {seconds} s")
            }
            Refusal::BadRequest => {
                "the server refused the request as malformed; update iirs".into()
            }
            Refusal::DirectoryFull => "the server has no room for another account".into(),
            Refusal::RegistrationClosed => {
                "this server takes no new accounts; ask whoever runs it".into()
            }
            Refusal::InviteNeeded => {
                "this server wants an invitation code of new people; ask whoever runs it for one"
                    .into()
            }
            Refusal::InviteInvalid => {
                "the invitation code is wrong, used or has ended; check it, or ask for a new one"
                    .into()
            }
        };
        Failure { code: code_of(refused.why), text }.into()
    }
}

impl From<AccountError> for Trouble {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Login(LoginError::WrongCredentials) => {
                Failure::new(ErrorCode::WrongCredentials, WRONG_CREDENTIALS).into()
            }
            AccountError::Login(LoginError::Malformed | LoginError::Stretching)
            | AccountError::Stretching
            | AccountError::Keys(_) => Failure::protocol(error).into(),
        }
    }
}

impl From<RoundError> for Trouble {
    fn from(error: RoundError) -> Self {
        match error {
            RoundError::Repeated(_) | RoundError::Clock(_) => {
                Failure::new(ErrorCode::RoundRefused, error.to_string()).into()
            }
            RoundError::Behind(_) => Self::Lost(error.to_string()),
            RoundError::Malformed(_) | RoundError::Answer(_) | RoundError::Buckets(_) => {
                Failure::protocol(error).into()
            }
        }
    }
}

impl From<PageError> for Trouble {
    fn from(error: PageError) -> Self {
        let code = match error {
            PageError::Chain | PageError::Deletion => ErrorCode::DirectoryForked,
            PageError::OutOfOrder | PageError::TooLarge => ErrorCode::ServerProtocol,
        };
        let text =
            format!("{error}; ask whoever runs the server why, and trust no name until you know");
        Failure { code, text }.into()
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        let code = match error {
            ProfileError::WrongPassword => ErrorCode::WrongCredentials,
            ProfileError::InUse => ErrorCode::ProfileInUse,
            ProfileError::Newer => ErrorCode::ProfileNewer,
            ProfileError::OtherMaster => ErrorCode::ProfileOtherAccount,
            ProfileError::Missing
            | ProfileError::Exists
            | ProfileError::Stretching
            | ProfileError::Damaged(_) => ErrorCode::ProfileDamaged,
            ProfileError::Locked => ErrorCode::Locked,
            ProfileError::TooMany(_) => ErrorCode::QueueFull,
            ProfileError::TooLong(_) | ProfileError::Disk(_) | ProfileError::Stopped => {
                ErrorCode::Disk
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        Self::new(ErrorCode::Disk, error.to_string())
    }
}

fn disabled() -> Failure {
    let text = "the operator disabled this account; ask whoever runs the server";
    Failure::new(ErrorCode::Disabled, text)
}

fn code_of(why: Refusal) -> ErrorCode {
    match why {
        Refusal::NameTaken => ErrorCode::NameTaken,
        Refusal::WrongCredentials => ErrorCode::WrongCredentials,
        Refusal::SlowDown => ErrorCode::SlowDown,
        Refusal::Disabled => ErrorCode::Disabled,
        Refusal::DirectoryFull => ErrorCode::ServerFull,
        Refusal::RegistrationClosed => ErrorCode::RegistrationClosed,
        Refusal::InviteNeeded => ErrorCode::InviteNeeded,
        Refusal::InviteInvalid => ErrorCode::InviteInvalid,
        Refusal::BadRequest => ErrorCode::ServerProtocol,
        Refusal::TokenEnded | Refusal::TokenSuperseded => ErrorCode::SessionEnded,
    }
}
