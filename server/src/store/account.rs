//! Accounts: what a registration writes, and how it is read.

use wire::account::{SealedIdentity, SealedMaster, Stretching};
use wire::ids::{AccountIndex, Name};
use wire::size;

use super::StoreError;
use super::directory::{self, DELETIONS_RESERVED, DIRECTORY_MAX};
use super::invite::{self, InviteHash};
use super::record::{AccountRecord, IndexRecord, encode};
use super::trees::{Change, Tree, Trees, undecodable};

/// What a registration brings.
pub struct NewAccount {
    /// The name, already known to be well formed.
    pub name: Name,
    /// What the password leaves.
    pub password: NewPassword,
    /// The account's public record, already verified.
    pub directory_record: [u8; size::RECORD],
    /// Now, in Unix milliseconds.
    pub created_ms: u64,
}

/// What a new password leaves at the server.
pub struct NewPassword {
    /// What OPAQUE keeps of the password, at most 512 bytes.
    pub password_file: Vec<u8>,
    /// The cost of the client's password stretching.
    pub stretching: Stretching,
    /// The account's master key, sealed by the client.
    pub sealed_master: SealedMaster,
    /// The account's identity keys, sealed by the client.
    pub sealed_identity: SealedIdentity,
}

/// A registered account that was not deleted. Its public record is in the directory, at its index.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's index: the place of its record in the directory.
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
    /// How often its password was changed.
    pub password_changes: u32,
}

impl Account {
    /// Returns what names this account with this password, once the password is proved.
    pub fn proved(&self) -> ProvedAccount {
        ProvedAccount { index: self.index, password_changes: self.password_changes }
    }
}

/// An account as it was when somebody proved its password. What needs the password is refused once
/// the account was deleted or got another one, so that a proof which took its time is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvedAccount {
    /// The account's index.
    pub index: AccountIndex,
    /// How often its password had been changed.
    pub password_changes: u32,
}

/// What an administrator sees of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account's index.
    pub index: AccountIndex,
    /// The account's name.
    pub name: Name,
    /// When the account was registered, in Unix milliseconds.
    pub created_ms: u64,
    /// Whether an administrator locked the account.
    pub disabled: bool,
}

/// Why an account was not registered. Nothing was written, unless the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Another account has this name.
    #[error("this name is taken, choose another")]
    NameTaken,
    /// The invite was used, has expired, or never was one. An expired one is forgotten.
    #[error("this invite was used or has expired; ask for another")]
    InviteInvalid,
    /// The directory has [`DIRECTORY_MAX`] records, less those reserved for deletions.
    #[error("this server takes no more accounts; use one that there is")]
    Full,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing was done for one who had proved a password. Nothing was written, unless the store
/// failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The account was deleted or its password changed since.
    #[error("the account was deleted or its password changed meanwhile; sign in again")]
    Stale,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A registration that is ready for the store thread.
pub(super) struct Registration {
    name: Name,
    account: Vec<u8>,
    record: [u8; size::RECORD],
    invite: Option<InviteHash>,
    now_ms: u64,
}

impl Registration {
    /// Encodes the account, and refuses one that is too long, before it reaches the store thread.
    pub(super) fn new(account: NewAccount, invite: Option<InviteHash>) -> Result<Self, StoreError> {
        let NewAccount { name, password, directory_record, created_ms } = account;
        let record = AccountRecord {
            name: name.as_str().to_owned(),
            password_file: password.password_file,
            memory_kib: password.stretching.memory_kib,
            passes: password.stretching.passes,
            lanes: password.stretching.lanes,
            sealed_master: password.sealed_master.0,
            sealed_identity: password.sealed_identity.0,
            created_ms,
            disabled: false,
            deleted: false,
            password_changes: 0,
        };
        let account = encode(&record)?;
        Ok(Self { name, account, record: directory_record, invite, now_ms: created_ms })
    }

    /// Adds account, name and directory entry, and uses up the invite. Runs on the store thread.
    pub(super) fn apply(self, trees: &Trees) -> Result<Result<u32, RegisterError>, StoreError> {
        // Before the name: who has no invite learns nothing of names.
        if let Some(invite) = &self.invite
            && !invite::stands(trees, invite, self.now_ms)?
        {
            return Ok(Err(RegisterError::InviteInvalid));
        }
        let name = self.name.as_str();
        if trees.get::<IndexRecord>(Tree::Names, name)?.is_some() {
            return Ok(Err(RegisterError::NameTaken));
        }
        let max = DIRECTORY_MAX - DELETIONS_RESERVED;
        let Some((index, appended)) = directory::append(trees, self.record, max)? else {
            return Ok(Err(RegisterError::Full));
        };
        let mut changes = vec![
            appended,
            Change::put_encoded(Tree::Accounts, index.to_be_bytes(), &self.account),
            Change::put(Tree::Names, name, &IndexRecord(index))?,
        ];
        changes.extend(self.invite.map(|invite| Change::remove(Tree::Invites, invite)));
        trees.apply(&changes)?;
        Ok(Ok(index))
    }
}

/// Returns the index behind a name.
pub(super) fn index_of(trees: &Trees, name: &Name) -> Result<Option<u32>, StoreError> {
    Ok(trees.get::<IndexRecord>(Tree::Names, name.as_str())?.map(|index| index.0))
}

/// Returns the account at an index.
pub(super) fn account_at(trees: &Trees, index: u32) -> Result<Option<Account>, StoreError> {
    record_at(trees, index)?.map(|record| account(index, record)).transpose()
}

/// Returns the record of the account at an index, unless it was deleted.
pub(super) fn record_at(trees: &Trees, index: u32) -> Result<Option<AccountRecord>, StoreError> {
    let record: Option<AccountRecord> = trees.get(Tree::Accounts, index.to_be_bytes())?;
    Ok(record.filter(|record| !record.deleted))
}

/// Returns the record of an account whose password was proved, unless the proof is worth nothing.
pub(super) fn record_of(
    trees: &Trees,
    proved: ProvedAccount,
) -> Result<Option<AccountRecord>, StoreError> {
    let record = record_at(trees, proved.index.0)?;
    Ok(record.filter(|record| record.password_changes == proved.password_changes))
}

/// Returns at most `max` accounts of those below index `len`, from one on.
pub(super) fn accounts(
    trees: &Trees,
    from: u32,
    len: u32,
    max: usize,
) -> Result<Vec<AccountSummary>, StoreError> {
    let there = |read: &Result<(u32, AccountRecord), _>| {
        read.as_ref().map_or(true, |(_, record)| !record.deleted)
    };
    let summary = |read: Result<(u32, AccountRecord), _>| {
        let (index, record) = read?;
        Ok(AccountSummary {
            index: AccountIndex(index),
            name: name(&record)?,
            created_ms: record.created_ms,
            disabled: record.disabled,
        })
    };
    trees.range(Tree::Accounts, from, len).filter(there).take(max).map(summary).collect()
}

/// Returns the name in an account's record.
pub(super) fn name(record: &AccountRecord) -> Result<Name, StoreError> {
    record.name.parse().map_err(|_| undecodable(Tree::Accounts))
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
        password_changes: record.password_changes,
    })
}
