//! The deletion of an account: its record stays in the log, its name is free, the rest is gone.

use wire::size;

use super::account::{self, ProvedAccount};
use super::directory::{self, DIRECTORY_MAX};
use super::record::AccountRecord;
use super::trees::{Change, Tree, Trees};
use super::{StoreError, state, token};

/// Why an account was not deleted. Nothing was written, unless the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// The account was deleted or its password changed since it was proved.
    #[error("the account was deleted or its password changed meanwhile; sign in again")]
    Stale,
    /// The directory has [`DIRECTORY_MAX`] records, so that it takes no deletion either.
    #[error("the server's directory is full; ask its operator to disable the account")]
    Full,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Deletes an account. Runs on the store thread.
pub(super) fn delete(
    trees: &Trees,
    proved: ProvedAccount,
    record: [u8; size::RECORD],
) -> Result<Result<(), DeleteError>, StoreError> {
    let Some(account) = account::record_of(trees, proved)? else {
        return Ok(Err(DeleteError::Stale));
    };
    let Some((_, appended)) = directory::append(trees, record, DIRECTORY_MAX)? else {
        return Ok(Err(DeleteError::Full));
    };
    let key = proved.index.0.to_be_bytes();
    let mut changes = vec![
        appended,
        state::one_more_deletion(trees)?,
        Change::remove(Tree::Names, &account.name),
        Change::remove(Tree::Vaults, key),
        Change::put(Tree::Accounts, key, &stub(account))?,
    ];
    changes.extend(token::remove_all(trees, proved.index.0)?);
    trees.apply(&changes)?;
    Ok(Ok(()))
}

/// Returns what stays of an account: enough to tell what was at its index.
fn stub(account: AccountRecord) -> AccountRecord {
    AccountRecord {
        password_file: Vec::new(),
        memory_kib: 0,
        passes: 0,
        lanes: 0,
        sealed_master: [0; size::SEALED_MASTER],
        sealed_identity: [0; size::SEALED_IDENTITY],
        deleted: true,
        ..account
    }
}
