//! [`Store`] on sled.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use wire::directory::Head;
use wire::ids::{AccountIndex, Name};
use zeroize::Zeroizing;

use super::account::{self, Registration};
use super::open::{OpenDirectory, open_directory, open_existing};
use super::thread::{Condition, StoreThread};
use super::trees::Trees;
use super::{
    Account, AccountSummary, DirectoryEntry, NewAccount, OpenError, Origin, RegisterError,
    ReserveError, SecretKind, Store, StoreError, TokenHash, TokenRecord, state, token,
};

/// The store in a data directory, which no other process can open while this exists.
pub struct SledStore {
    // Fields are dropped in this order: the thread ends, sled closes, the directory is free.
    thread: StoreThread,
    trees: Trees,
    condition: Arc<Condition>,
    _lock: File,
}

impl SledStore {
    /// Opens the store of a data directory, and makes both if there are none. Blocks.
    ///
    /// A new store gets `origin`, an older one keeps its own. The directory is made private to its
    /// owner.
    pub fn open(data_dir: &Path, origin: Origin) -> Result<Self, OpenError> {
        Self::of(data_dir, open_directory(data_dir, origin)?)
    }

    /// Opens the store of a data directory; makes none. Blocks.
    pub fn open_existing(data_dir: &Path) -> Result<Self, OpenError> {
        Self::of(data_dir, open_existing(data_dir)?)
    }

    fn of(data_dir: &Path, opened: OpenDirectory) -> Result<Self, OpenError> {
        let OpenDirectory { lock, db, config, log } = opened;
        let failed = |error: StoreError| OpenError::Failed { path: data_dir.into(), error };
        let trees = Trees::open(db).map_err(|error| failed(error.into()))?;
        let directory_len = account::directory_len(&trees).map_err(failed)?;
        let condition = Arc::new(Condition::new(directory_len));
        let thread = StoreThread::start(trees.clone(), config, log, condition.clone())
            .map_err(|error| failed(error.into()))?;
        Ok(Self { thread, trees, condition, _lock: lock })
    }

    /// Reads, and takes note if that fails.
    fn read<T>(&self, read: impl FnOnce(&Trees) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.condition.check()?;
        read(&self.trees).inspect_err(|error| self.condition.note(error))
    }
}

impl Store for SledStore {
    async fn register(&self, account: NewAccount) -> Result<AccountIndex, RegisterError> {
        let registration = Registration::new(account)?;
        let index = self.thread.write(move |trees| registration.apply(trees)).await??;
        Ok(AccountIndex(index))
    }

    fn account(&self, name: &Name) -> Result<Option<Account>, StoreError> {
        match self.read(|trees| account::index_of(trees, name))? {
            Some(index) => self.account_by_index(AccountIndex(index)),
            None => Ok(None),
        }
    }

    fn account_by_index(&self, index: AccountIndex) -> Result<Option<Account>, StoreError> {
        if index.0 >= self.directory_len() {
            return Ok(None);
        }
        self.read(|trees| account::account_at(trees, index.0))
    }

    fn accounts(&self, from: AccountIndex, max: usize) -> Result<Vec<AccountSummary>, StoreError> {
        let len = self.directory_len();
        self.read(|trees| account::accounts(trees, from.0, len, max))
    }

    fn account_count(&self) -> u32 {
        self.directory_len()
    }

    fn directory_len(&self) -> u32 {
        self.condition.directory_len()
    }

    fn directory_head(&self) -> Result<Head, StoreError> {
        let len = self.directory_len();
        self.read(|trees| account::directory_head(trees, len))
    }

    fn directory(&self, from: u32, max: usize) -> Result<Vec<DirectoryEntry>, StoreError> {
        let len = self.directory_len();
        self.read(|trees| account::directory(trees, from, len, max))
    }

    async fn add_token(
        &self,
        hash: TokenHash,
        account: AccountIndex,
        expires_ms: u64,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.thread.write(move |trees| token::add(trees, hash, account.0, expires_ms, now_ms)).await
    }

    fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        self.read(|trees| token::token(trees, hash))
    }

    async fn remove_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.thread.write(move |trees| token::remove(trees, &hash)).await
    }

    fn secret(&self, kind: SecretKind) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.read(|trees| state::secret(trees, kind))
    }

    async fn put_secrets(
        &self,
        secrets: Vec<(SecretKind, Zeroizing<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        let changes = state::secret_changes(secrets)?;
        self.thread.write(move |trees| trees.apply(&changes)).await
    }

    fn origin(&self) -> Result<Origin, StoreError> {
        self.read(state::origin)
    }

    fn rounds_reserved(&self) -> Result<u64, StoreError> {
        self.read(state::rounds_reserved)
    }

    async fn reserve_rounds(&self, end: u64) -> Result<(), ReserveError> {
        self.thread.write(move |trees| state::reserve_rounds(trees, end)).await?
    }

    async fn fatal(&self) -> String {
        self.condition.failed().await
    }

    fn close(&self) -> Result<(), StoreError> {
        self.thread.close()
    }
}
