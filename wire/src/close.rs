//! Why a QUIC connection ends: application close codes.

use thiserror::Error;

/// Application close code of the connection; its text is the reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Close {
    /// The client leaves.
    #[error("done")]
    Done = 0,
    /// The server stops or starts anew; clients come back by themselves.
    #[error("restarting, come back")]
    Restarting = 1,
    /// A frame of the wrong kind, length or version, or out of turn.
    #[error("malformed or unexpected frame")]
    Protocol = 2,
    /// A deposit for a round that was never opened.
    #[error("deposit for a round that was never opened")]
    UnknownRound = 3,
    /// The same account signed in elsewhere and holds the seat now.
    #[error("signed in elsewhere")]
    TakenOver = 4,
    /// Sign-in was not done in time.
    #[error("sign-in took too long")]
    SignInTimeout = 5,
    /// The client does not take its frames off the stream.
    #[error("client does not keep up with the rounds")]
    Lagging = 6,
    /// No seat is free.
    #[error("server is full")]
    Full = 7,
    /// The account was disabled by the operator.
    #[error("account is disabled")]
    Disabled = 8,
    /// The same session came back on another connection, which holds the seat now.
    #[error("the same session came back on another connection")]
    Replaced = 9,
    /// The account's password was changed, the session was ended or the account was deleted elsewhere: its
    /// token is worth nothing any more.
    #[error("the session was ended, sign in again")]
    SessionEnded = 10,
}

impl Close {
    /// All codes.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Restarting,
        Self::Protocol,
        Self::UnknownRound,
        Self::TakenOver,
        Self::SignInTimeout,
        Self::Lagging,
        Self::Full,
        Self::Disabled,
        Self::Replaced,
        Self::SessionEnded,
    ];

    /// Returns the code as it travels.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// Reads a code.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|close| u64::from(close.code()) == code)
    }
}
