//! Why a profile does not do what was asked.

use std::io;

use thiserror::Error;

/// Why a profile cannot be made, opened, read or changed; each says what to do next.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The directory holds no profile.
    #[error("there is no profile here yet; sign in or register to make one")]
    Missing,
    /// The directory holds a profile.
    #[error("there is a profile here already; sign in with it, or choose another directory")]
    Exists,
    /// The password does not open the profile.
    #[error("the password does not open this profile; try again, or choose another directory")]
    WrongPassword,
    /// The profile is sealed under another master key than this account's.
    #[error(
        "this profile belongs to another account, perhaps to an earlier one of the same name; choose another \
         directory, or move it away"
    )]
    OtherMaster,
    /// Another program holds the profile.
    #[error("another program uses this profile; end it, or choose another directory")]
    InUse,
    /// A newer program wrote the profile.
    #[error("a newer iirs wrote this profile; use that one; nothing was changed")]
    Newer,
    /// The profile's cost of guessing the password is below what is allowed, or above.
    #[error(
        "the profile's password stretching is outside of what this program takes; \
         move the profile's directory away and sign in again"
    )]
    Stretching,
    /// Something in the profile is not what was written there.
    #[error(
        "the profile is damaged ({0}); restore a copy of its directory, or move it away and sign \
         in again: the account is safe at its server, the history was only here"
    )]
    Damaged(&'static str),
    /// The history's key is not in memory.
    #[error("the history is locked; unlock it with the password first")]
    Locked,
    /// More drafts, or people to be forgotten, than a profile keeps.
    #[error("a profile keeps no more than {0}; clear some first")]
    TooMany(&'static str),
    /// A label, a text or a link is longer than a profile keeps.
    #[error("the {0} is longer than a profile keeps; shorten it")]
    TooLong(&'static str),
    /// The disk or the system failed.
    #[error("the profile's disk failed ({0}); free space or check the disk, then start again")]
    Disk(#[from] io::Error),
    /// An earlier change failed, so that no more are taken.
    #[error("the profile failed earlier and keeps no more changes; start again")]
    Stopped,
}

impl ProfileError {
    /// Tells whether what was asked was refused and everything is as before.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Locked | Self::TooMany(_) | Self::TooLong(_))
    }
}

/// What the database says, in our words.
impl From<redb::Error> for ProfileError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => match error.kind() {
                // redb's words for a file that is not one of its own or is cut off
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    Self::Damaged("data file")
                }
                _ => Self::Disk(error),
            },
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::RepairAborted
            | redb::Error::TableDoesNotExist(_)
            | redb::Error::TableTypeMismatch { .. } => Self::Damaged("data file"),
            other => Self::Disk(io::Error::other(other)),
        }
    }
}

/// Turns any of redb's errors into ours.
pub(super) fn of_redb(error: impl Into<redb::Error>) -> ProfileError {
    error.into().into()
}
