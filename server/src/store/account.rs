//! Accounts and the directory log: what a registration writes, and how it is read.

use wire::account::{SealedIdentity, SealedMaster, Stretching};
use wire::directory::Head;
use wire::ids::{AccountIndex, Name};
use wire::size;

use super::StoreError;
use super::record::{AccountRecord, DirectoryRecord, IndexRecord, encode};
use super::trees::{Change, Tree, Trees, undecodable};

/// The accounts that one server registers.
pub const ACCOUNTS_MAX: u32 = 1 << 20;

/// What a registration brings.
pub struct NewAccount {
    /// The name, already known to be well formed.
    pub name: Name,
    /// What OPAQUE keeps of the password, at most 512 bytes.
    pub password_file: Vec<u8>,
    /// The cost of the client's password stretching.
    pub stretching: Stretching,
    /// The account's master key, sealed by the client.
    pub sealed_master: SealedMaster,
    /// The account's identity keys, sealed by the client.
    pub sealed_identity: SealedIdentity,
    /// The account's public record, already verified.
    pub directory_record: [u8; size::RECORD],
    /// Now, in Unix milliseconds.
    pub created_ms: u64,
}

/// A registered account. Its public record is in the directory, at its index.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's place in the directory.
    pub index: AccountIndex,
    /// The account's name.
    pub name: Name,
    /// What OPAQUE keeps of the password.
    pub password_file: Vec<u8>,
    /// The cost of the client's password stretching.
    pub stretching: Stretching,
    /// The account's master key, sealed by the client.
    pub sealed_master: SealedMaster,
    /// The account's identity keys, sealed by the client.
    pub sealed_identity: SealedIdentity,
    /// When the account was registered, in Unix milliseconds.
    pub created_ms: u64,
    /// Whether an administrator locked the account.
    pub disabled: bool,
}

/// What an administrator sees of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account's place in the directory.
    pub index: AccountIndex,
    /// The account's name.
    pub name: Name,
    /// When the account was registered, in Unix milliseconds.
    pub created_ms: u64,
    /// Whether an administrator locked the account.
    pub disabled: bool,
}

/// One entry of the directory log.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The account's public record.
    pub record: [u8; size::RECORD],
    /// The head of the log after this record.
    pub head: Head,
}

/// Why an account was not registered. Nothing was written, unless the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Another account has this name.
    #[error("this name is taken, choose another")]
    NameTaken,
    /// The server holds [`ACCOUNTS_MAX`] accounts.
    #[error("this server takes no more accounts; use one that there is")]
    Full,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A registration that is ready for the store thread.
pub(super) struct Registration {
    name: Name,
    account: Vec<u8>,
    record: [u8; size::RECORD],
}

impl Registration {
    /// Encodes the account, and refuses one that is too long, before it reaches the store thread.
    pub(super) fn new(account: NewAccount) -> Result<Self, StoreError> {
        let record = AccountRecord {
            name: account.name.as_str().to_owned(),
            password_file: account.password_file,
            memory_kib: account.stretching.memory_kib,
            passes: account.stretching.passes,
            lanes: account.stretching.lanes,
            sealed_master: account.sealed_master.0,
            sealed_identity: account.sealed_identity.0,
            created_ms: account.created_ms,
            disabled: false,
        };
        let encoded = encode(&record)?;
        Ok(Self { name: account.name, account: encoded, record: account.directory_record })
    }

    /// Adds account, name and directory entry. Runs on the store thread.
    pub(super) fn apply(self, trees: &Trees) -> Result<Result<u32, RegisterError>, StoreError> {
        let name = self.name.as_str();
        if trees.get::<IndexRecord>(Tree::Names, name)?.is_some() {
            return Ok(Err(RegisterError::NameTaken));
        }
        let (index, head) = match trees.last::<DirectoryRecord>(Tree::Directory)? {
            None => (0, Head::EMPTY),
            Some((last, entry)) => (last + 1, Head(entry.head)),
        };
        if index >= ACCOUNTS_MAX {
            return Ok(Err(RegisterError::Full));
        }
        let head = head.after(&self.record).0;
        let entry = DirectoryRecord { record: self.record, head };
        let key = index.to_be_bytes();
        trees.apply(&[
            Change::put_encoded(Tree::Accounts, key, &self.account),
            Change::put(Tree::Names, name, &IndexRecord(index))?,
            Change::put(Tree::Directory, key, &entry)?,
        ])?;
        Ok(Ok(index))
    }
}

/// Returns the length of the directory log, whether durable or not.
pub(super) fn directory_len(trees: &Trees) -> Result<u32, StoreError> {
    let last = trees.last::<DirectoryRecord>(Tree::Directory)?;
    Ok(last.map_or(0, |(index, _)| index + 1))
}

/// Returns the head of the first `len` entries of the log.
pub(super) fn directory_head(trees: &Trees, len: u32) -> Result<Head, StoreError> {
    let Some(last) = len.checked_sub(1) else { return Ok(Head::EMPTY) };
    let entry: DirectoryRecord = trees
        .get(Tree::Directory, last.to_be_bytes())?
        .ok_or_else(|| undecodable(Tree::Directory))?;
    Ok(Head(entry.head))
}

/// Returns at most `max` entries of the first `len`, from one on.
pub(super) fn directory(
    trees: &Trees,
    from: u32,
    len: u32,
    max: usize,
) -> Result<Vec<DirectoryEntry>, StoreError> {
    let entries = trees.range::<DirectoryRecord>(Tree::Directory, from, len, max)?;
    let entry = |(_, entry): (u32, DirectoryRecord)| DirectoryEntry {
        record: entry.record,
        head: Head(entry.head),
    };
    Ok(entries.into_iter().map(entry).collect())
}

/// Returns the index behind a name.
pub(super) fn index_of(trees: &Trees, name: &Name) -> Result<Option<u32>, StoreError> {
    Ok(trees.get::<IndexRecord>(Tree::Names, name.as_str())?.map(|index| index.0))
}

/// Returns the account at an index.
pub(super) fn account_at(trees: &Trees, index: u32) -> Result<Option<Account>, StoreError> {
    let record: Option<AccountRecord> = trees.get(Tree::Accounts, index.to_be_bytes())?;
    record.map(|record| account(index, record)).transpose()
}

/// Returns at most `max` accounts of those below index `len`, from one on.
pub(super) fn accounts(
    trees: &Trees,
    from: u32,
    len: u32,
    max: usize,
) -> Result<Vec<AccountSummary>, StoreError> {
    let records = trees.range::<AccountRecord>(Tree::Accounts, from, len, max)?;
    let summary = |(index, record): (u32, AccountRecord)| {
        Ok(AccountSummary {
            index: AccountIndex(index),
            name: name(&record)?,
            created_ms: record.created_ms,
            disabled: record.disabled,
        })
    };
    records.into_iter().map(summary).collect()
}

fn account(index: u32, record: AccountRecord) -> Result<Account, StoreError> {
    Ok(Account {
        index: AccountIndex(index),
        name: name(&record)?,
        password_file: record.password_file,
        stretching: Stretching {
            memory_kib: record.memory_kib,
            passes: record.passes,
            lanes: record.lanes,
        },
        sealed_master: SealedMaster(record.sealed_master),
        sealed_identity: SealedIdentity(record.sealed_identity),
        created_ms: record.created_ms,
        disabled: record.disabled,
    })
}

fn name(record: &AccountRecord) -> Result<Name, StoreError> {
    record.name.parse().map_err(|_| undecodable(Tree::Accounts))
}
