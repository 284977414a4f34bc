//! The vault of an account: its contacts, sealed by the client.

use wire::control::{Refusal, VaultPart, VaultVersion};
use wire::ids::AccountIndex;
use wire::size::CONTROL_BODY;

use super::{AccountError, Accounts, refused};
use crate::store::{Store as _, StoreError, StoredVault, VaultError};

/// What became of a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is on the disk.
    Stored(VaultVersion),
    /// Nothing was stored: this version is there already.
    Conflict(VaultVersion),
}

impl Accounts {
    /// Reads a third of the account's vault.
    ///
    /// # Errors
    /// [`StoreError`].
    ///
    /// # Panics
    /// For a part above 2, of which the wire knows none.
    pub fn vault_part(&self, account: AccountIndex, part: u8) -> Result<VaultPart, StoreError> {
        let mut it = VaultPart { part, version: 0, bytes: [0; CONTROL_BODY] };
        if let Some(StoredVault { version, sealed }) = self.store.vault(account)? {
            let (parts, _) = sealed.as_chunks::<CONTROL_BODY>();
            it.version = version;
            it.bytes = parts[usize::from(part)];
        }
        Ok(it)
    }

    /// Stores a vault if the stored one has version `base`, 0 standing for none, and the new one is higher.
    ///
    /// # Errors
    /// [`AccountError`]: the account was deleted.
    pub async fn put_vault(
        &self,
        account: AccountIndex,
        base: u64,
        vault: StoredVault,
    ) -> Result<Put, AccountError> {
        let version = vault.version;
        match self.store.put_vault(account, base, vault).await {
            Ok(()) => Ok(Put::Stored(VaultVersion { version })),
            Err(VaultError::Conflict { version }) => Ok(Put::Conflict(VaultVersion { version })),
            Err(VaultError::NoAccount) => Err(refused(Refusal::TokenEnded)),
            Err(VaultError::Store(error)) => Err(error.into()),
        }
    }
}
