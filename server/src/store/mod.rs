//! The store: what the server keeps on disk. sled appears here and in `migrations`, nowhere else.
//!
//! ```text
//!  callers ──reads──────────────────────────────► sled
//!     │                                            ▲
//!     └─writes─► queue ─► store thread: take all, apply, flush, fdatasync, count ─► answers
//! ```
//!
//! Invariants:
//! - A write is answered only when it is on the disk, and survives a power cut from then on.
//! - The store thread is the only writer. A write is in one transaction over all trees, which several that wait share.
//! - Accounts and directory are shown only as far as they are durable, so that no client ever saw
//!   a directory that a power cut takes back.
//! - Each transaction counts itself, and keeps the sum of all records; the count is kept beside sled, too. So a store
//!   that lost something is refused, or found out soon after it was opened ([`SledStore::scrub`]).
//! - Any storage error is fatal: the store takes no more writes and [`Store::fatal`] resolves.
//! - Nothing of a round is ever written here.

mod account;
mod backup;
mod check;
mod damaged;
mod deletion;
mod directory;
mod inspect;
mod invite;
mod open;
mod password;
mod record;
mod restore;
mod scrub;
mod sled_store;
mod state;
mod sums;
mod thread;
mod token;
mod trees;
mod vault;
mod watchdog;
mod written;

#[cfg(test)]
mod tests;

pub use account::{
    Account, AccountSummary, NewAccount, NewPassword, ProofError, ProvedAccount, RegisterError,
};
pub use backup::{Backup, BackupError, BackupInfo, JOURNAL_BYTES_MAX};
pub use check::{Depth, PROBLEMS_MAX, Report};
pub use deletion::DeleteError;
pub use directory::{DELETIONS_RESERVED, DIRECTORY_MAX, DirectoryEntry};
pub use inspect::{Migration, Scratch, check_store, migrate_copy, migrate_store};
pub use invite::{INVITES_MAX, InviteError, InviteHash};
pub use open::{CACHE_BYTES, OpenError};
#[cfg(feature = "test")]
pub use record::again as record_again;
pub use restore::{RESTORE_AHEAD_MS, RestoreError, RestoredStore, check_backup, restore, verify};
pub use sled_store::SledStore;
pub use state::{Origin, ReserveError, SecretKind};

use state::Restored;
pub use thread::STUCK_S;
pub use token::{NewToken, TOKENS_PER_ACCOUNT_MAX, TokenHash, TokenInfo, TokenRecord};
pub use vault::{StoredVault, VAULT_BYTES, VaultError};

use wire::directory::Head;
use wire::ids::{AccountIndex, Name, SessionId};
use wire::size;
use zeroize::Zeroizing;

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The storage failed, now or earlier; the store takes no more writes and the server must end.
    #[error("the store failed: {0}")]
    Fatal(String),
    /// The store was closed.
    #[error("the store is closed; start the server again")]
    Closed,
    /// A record would have more than 4,096 bytes; nothing was written.
    #[error("the record is longer than the store keeps; update the client that sent it")]
    TooLong,
}

/// What the rest of the server needs of the store.
///
/// Writes are durable when their future resolves. A write whose future is dropped may still happen.
/// Times are Unix milliseconds; the store asks no clock.
pub trait Store: Send + Sync + 'static {
    /// Adds an account and its directory record, and uses up the invite if one is given, all or
    /// nothing; returns the record's place in the directory, which is the account's index for good.
    fn register(
        &self,
        account: NewAccount,
        invite: Option<InviteHash>,
    ) -> impl Future<Output = Result<AccountIndex, RegisterError>> + Send;

    /// Puts a new password in place of the proved one and the new token in place of all tokens of
    /// the account, all or nothing.
    fn change_password(
        &self,
        account: ProvedAccount,
        password: NewPassword,
        token: NewToken,
    ) -> impl Future<Output = Result<(), ProofError>> + Send;

    /// Appends the deletion record, already verified, to the directory log, frees the name, and
    /// forgets password, sealed keys, tokens and vault, all or nothing. The index stays taken.
    fn delete_account(
        &self,
        account: ProvedAccount,
        record: [u8; size::RECORD],
    ) -> impl Future<Output = Result<(), DeleteError>> + Send;

    /// Returns the account of this name.
    fn account(&self, name: &Name) -> Result<Option<Account>, StoreError>;

    /// Returns the account of this index; `None` for a deleted one.
    fn account_by_index(&self, index: AccountIndex) -> Result<Option<Account>, StoreError>;

    /// Returns at most `max` accounts in the order of their indices, from this one on, without
    /// deleted ones: indices have gaps.
    fn accounts(&self, from: AccountIndex, max: usize) -> Result<Vec<AccountSummary>, StoreError>;

    /// Returns how many accounts there are, without deleted ones.
    fn account_count(&self) -> u32;

    /// Returns how many records the directory log has, at most [`DIRECTORY_MAX`]: one for each
    /// registration and each deletion. It never gets shorter.
    fn directory_len(&self) -> u32;

    /// Returns the head of the directory log, [`Head::EMPTY`] of the empty one.
    fn directory_head(&self) -> Result<Head, StoreError>;

    /// Returns at most `max` entries of the directory log, from this place on.
    fn directory(&self, from: u32, max: usize) -> Result<Vec<DirectoryEntry>, StoreError>;

    /// Adds a session token of an account and marks all its older ones superseded. Drops expired
    /// ones, and the oldest beyond [`TOKENS_PER_ACCOUNT_MAX`].
    fn add_token(
        &self,
        account: ProvedAccount,
        token: NewToken,
    ) -> impl Future<Output = Result<(), ProofError>> + Send;

    /// Returns what is known of a token, expired or not.
    fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError>;

    /// Returns the tokens of an account, oldest first, expired ones too; at most
    /// [`TOKENS_PER_ACCOUNT_MAX`].
    fn sessions(&self, account: AccountIndex) -> Result<Vec<TokenInfo>, StoreError>;

    /// Forgets the token of one of the account's sessions and returns its hash; `None` if the account
    /// has no such session.
    fn end_session(
        &self,
        account: AccountIndex,
        session: SessionId,
    ) -> impl Future<Output = Result<Option<TokenHash>, StoreError>> + Send;

    /// Forgets a token, at sign-out. An unknown one is no error.
    fn remove_token(&self, hash: TokenHash) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the account's sealed contacts; `None` if it never stored any.
    fn vault(&self, account: AccountIndex) -> Result<Option<StoredVault>, StoreError>;

    /// Stores the account's sealed contacts if the stored version is `base`, 0 standing for none, and
    /// the new one is higher.
    fn put_vault(
        &self,
        account: AccountIndex,
        base: u64,
        vault: StoredVault,
    ) -> impl Future<Output = Result<(), VaultError>> + Send;

    /// Adds invites, all or none, and drops the expired ones; at most [`INVITES_MAX`] wait.
    fn add_invites(
        &self,
        invites: Vec<InviteHash>,
        expires_ms: u64,
        now_ms: u64,
    ) -> impl Future<Output = Result<(), InviteError>> + Send;

    /// Returns when an invite ends, expired or not; `None` for a used or unknown one.
    fn invite(&self, invite: &InviteHash) -> Result<Option<u64>, StoreError>;

    /// Returns one of the server's own keys.
    fn secret(&self, kind: SecretKind) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;

    /// Keeps keys of the server, all or none, in place of those of the same kind.
    fn put_secrets(
        &self,
        secrets: Vec<(SecretKind, Zeroizing<Vec<u8>>)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns what round numbers count from.
    fn origin(&self) -> Result<Origin, StoreError>;

    /// Returns the end of the reserved block of round numbers, 0 at first.
    fn rounds_reserved(&self) -> Result<u64, StoreError>;

    /// Reserves round numbers up to `end`, which never goes back.
    fn reserve_rounds(&self, end: u64) -> impl Future<Output = Result<(), ReserveError>> + Send;

    /// Resolves with the reason once the storage failed; the server must end then.
    fn fatal(&self) -> impl Future<Output = String> + Send;

    /// Finishes the writes that wait, refuses further ones and ends the store thread. Blocks for
    /// the length of a batch. The directory is free for others once the store is dropped.
    fn close(&self) -> Result<(), StoreError>;
}
