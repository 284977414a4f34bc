//! The vaults: each account's contacts, sealed by the client.

use wire::size;

use super::StoreError;
use super::account;
use super::record::VaultRecord;
use super::trees::{Change, Tree, Trees};

/// Bytes of a sealed vault.
pub const VAULT_BYTES: usize = size::VAULT;

/// An account's contacts, sealed by the client.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredVault {
    /// The version that the client gave it, 1 or higher; it only grows.
    pub version: u64,
    /// The sealed bytes.
    pub sealed: Box<[u8; VAULT_BYTES]>,
}

/// Why a vault was not stored. Nothing was written, unless the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The stored vault is not the one that the new one was made from, or is not older.
    #[error("the stored vault has version {version}: read it, merge, and store again")]
    Conflict {
        /// The version that is stored; 0 if there is none.
        version: u64,
    },
    /// The account was deleted.
    #[error("the account was deleted; sign in with another")]
    NoAccount,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the vault of an account.
pub(super) fn vault(trees: &Trees, account_index: u32) -> Result<Option<StoredVault>, StoreError> {
    let record: Option<VaultRecord> = trees.get(Tree::Vaults, account_index.to_be_bytes())?;
    Ok(record.map(|record| {
        let VaultRecord { version, sealed } = record;
        StoredVault { version, sealed: Box::new(sealed) }
    }))
}

/// Stores a vault in place of the one of version `base`. Runs on the store thread.
pub(super) fn put(
    trees: &Trees,
    account_index: u32,
    base: u64,
    vault: StoredVault,
) -> Result<Result<(), VaultError>, StoreError> {
    if account::record_at(trees, account_index)?.is_none() {
        return Ok(Err(VaultError::NoAccount));
    }
    let key = account_index.to_be_bytes();
    let stored = trees.get::<VaultRecord>(Tree::Vaults, key)?.map_or(0, |record| record.version);
    let StoredVault { version, sealed } = vault;
    if stored != base || version <= stored {
        return Ok(Err(VaultError::Conflict { version: stored }));
    }
    let record = VaultRecord { version, sealed: *sealed };
    trees.apply(&[Change::put(Tree::Vaults, key, &record)?])?;
    Ok(Ok(()))
}
