//! Why a request failed.

use crate::codec::{DecodeError, Reader};

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The name belongs to somebody.
    NameTaken = 1,
    /// Wrong password or unknown name, which are not told apart.
    WrongCredentials = 2,
    /// The token is unknown or has ended.
    TokenEnded = 3,
    /// A newer sign-in took the session's place.
    TokenSuperseded = 4,
    /// Too many tries; come back later.
    SlowDown = 5,
    /// The operator disabled the account.
    Disabled = 6,
    /// The request does not fit what went before, or its contents do not verify.
    BadRequest = 7,
    /// No account can be added.
    DirectoryFull = 8,
    /// The operator lets nobody register.
    RegistrationClosed = 9,
    /// The operator lets nobody register without an invitation code.
    InviteNeeded = 10,
    /// The invitation code is unknown, used or has ended.
    InviteInvalid = 11,
}

impl Refusal {
    /// All refusals.
    pub const ALL: [Self; 11] = [
        Self::NameTaken,
        Self::WrongCredentials,
        Self::TokenEnded,
        Self::TokenSuperseded,
        Self::SlowDown,
        Self::Disabled,
        Self::BadRequest,
        Self::DirectoryFull,
        Self::RegistrationClosed,
        Self::InviteNeeded,
        Self::InviteInvalid,
    ];
}

/// A failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: Refusal,
    /// Milliseconds to wait before the next try, 0 if waiting does not help.
    pub retry_ms: u32,
}

pub(super) fn read_refused(input: &mut Reader<'_>) -> Result<Refused, DecodeError> {
    let code = input.u8()?;
    let why = Refusal::ALL
        .into_iter()
        .find(|&why| why as u8 == code)
        .ok_or(DecodeError::Field("refusal"))?;
    Ok(Refused { why, retry_ms: input.u32()? })
}
