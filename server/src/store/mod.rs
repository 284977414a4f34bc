//! The store: what the server keeps on disk. sled appears here and in `migrations`, nowhere else.
//!
//! ```text
//!  callers ──reads──────────────────────────────► sled
//!     │                                            ▲
//!     └─writes─► queue ─► store thread: take all, apply, flush, fdatasync ─► answers
//! ```
//!
//! Invariants:
//! - A write is answered only when it is on the disk, and survives a power cut from then on.
//! - The store thread is the only writer; one write is one transaction over all trees.
//! - Accounts and directory are shown only as far as they are durable, so that no client ever saw
//!   a directory that a power cut takes back.
//! - Any storage error is fatal: the store takes no more writes and [`Store::fatal`] resolves.
//! - Nothing of a round is ever written here.

mod account;
mod open;
mod record;
mod sled_store;
mod state;
mod thread;
mod token;
mod trees;
mod watchdog;

#[cfg(test)]
mod tests;

pub use account::{
    ACCOUNTS_MAX, Account, AccountSummary, DirectoryEntry, NewAccount, RegisterError,
};
pub use open::{CACHE_BYTES, OpenError};
pub use sled_store::SledStore;
pub use state::{Origin, ReserveError, SecretKind};
pub use thread::STUCK_S;
pub use token::{TOKENS_PER_ACCOUNT_MAX, TokenHash, TokenRecord};

use wire::directory::Head;
use wire::ids::{AccountIndex, Name};
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
    /// Adds an account and its directory record in one transaction; returns its place in the
    /// directory. A taken name changes nothing.
    fn register(
        &self,
        account: NewAccount,
    ) -> impl Future<Output = Result<AccountIndex, RegisterError>> + Send;

    /// Returns the account of this name.
    fn account(&self, name: &Name) -> Result<Option<Account>, StoreError>;

    /// Returns the account at this place in the directory.
    fn account_by_index(&self, index: AccountIndex) -> Result<Option<Account>, StoreError>;

    /// Returns at most `max` accounts in directory order, from this place on.
    fn accounts(&self, from: AccountIndex, max: usize) -> Result<Vec<AccountSummary>, StoreError>;

    /// Returns how many accounts were ever registered, at most [`ACCOUNTS_MAX`].
    fn account_count(&self) -> u32;

    /// Returns how many records the directory log has; one an account, none is ever taken out.
    fn directory_len(&self) -> u32;

    /// Returns the head of the directory log, [`Head::EMPTY`] of the empty one.
    fn directory_head(&self) -> Result<Head, StoreError>;

    /// Returns at most `max` entries of the directory log, from this place on.
    fn directory(&self, from: u32, max: usize) -> Result<Vec<DirectoryEntry>, StoreError>;

    /// Adds a session token of an account and marks all its older ones superseded. Drops expired
    /// ones, and the oldest beyond [`TOKENS_PER_ACCOUNT_MAX`].
    fn add_token(
        &self,
        hash: TokenHash,
        account: AccountIndex,
        expires_ms: u64,
        now_ms: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns what is known of a token, expired or not.
    fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError>;

    /// Forgets a token, at sign-out. An unknown one is no error.
    fn remove_token(&self, hash: TokenHash) -> impl Future<Output = Result<(), StoreError>> + Send;

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
