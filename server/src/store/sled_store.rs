//! [`Store`] on sled.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use wire::directory::Head;
use wire::ids::{AccountIndex, Name, SessionId};
use wire::restore::RestoreNotice;
use wire::size;
use zeroize::Zeroizing;

use super::account::{self, Registration};
use super::directory::Extent;
use super::open::{OpenDirectory, STORE, open_directory, open_existing};
use super::thread::{Condition, StoreThread};
use super::trees::Trees;
use super::{
    Account, AccountSummary, Backup, BackupError, DeleteError, DirectoryEntry, InviteError,
    InviteHash, NewAccount, NewPassword, NewToken, OpenError, Origin, ProofError, ProvedAccount,
    RegisterError, ReserveError, Restored, SecretKind, Store, StoreError, StoredVault, TokenHash,
    TokenInfo, TokenRecord, VaultError, deletion, directory, invite, password, scrub, state, token,
    vault,
};

/// The store in a data directory, which no other process can open while this exists.
pub struct SledStore {
    // Fields are dropped in this order: the thread ends, sled closes, the directory is free.
    thread: StoreThread,
    pub(super) trees: Trees,
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
        let OpenDirectory { lock, trees, config, log, written } = opened;
        let failed = |error: StoreError| OpenError::Failed { path: data_dir.into(), error };
        let condition =
            Arc::new(Condition::new(data_dir.join(STORE), Extent::of(&trees).map_err(failed)?));
        let thread = StoreThread::start(trees.clone(), config, log, written, condition.clone())
            .map_err(|error| failed(error.into()))?;
        Ok(Self { thread, trees, condition, _lock: lock })
    }

    /// Begins a backup, between two writes. Blocks for the length of a batch; one at a time.
    ///
    /// # Errors
    /// [`BackupError::Busy`] if one is under way.
    pub fn begin_backup(&self) -> Result<Backup<'_>, BackupError> {
        Backup::begin(&self.trees, &self.thread)
    }

    /// Reads everything that the store holds, slowly, and compares it with what was written, as long as `go_on` says
    /// so; returns how many records there are, `None` if it was ended before. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Fatal`] if something is missing; the store takes no more writes then.
    pub fn scrub(&self, mut go_on: impl FnMut() -> bool) -> Result<Option<u64>, StoreError> {
        self.read(|trees| scrub::scrub(trees, &mut go_on))
    }

    /// Returns what clients are told of the restores of this store, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn restores(&self) -> Result<Vec<RestoreNotice>, StoreError> {
        self.read(|trees| {
            let notice = |restored| {
                let Restored { backed_up_ms, restored_ms, directory_len: length } = restored;
                let head = directory::head(trees, length)?;
                Ok(RestoreNotice { backed_up_ms, restored_ms, length, head })
            };
            state::restored(trees)?.into_iter().map(notice).collect()
        })
    }

    /// Tells whether the store works: it did not fail, and does not stand still.
    ///
    /// # Errors
    /// [`StoreError::Fatal`] with what is wrong and what to do.
    pub fn alive(&self) -> Result<(), StoreError> {
        self.condition.alive()
    }

    /// Reads, and takes note if that fails.
    fn read<T>(&self, read: impl FnOnce(&Trees) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.condition.check()?;
        read(&self.trees).inspect_err(|error| self.condition.note(error))
    }
}

impl Store for SledStore {
    async fn register(
        &self,
        account: NewAccount,
        invite: Option<InviteHash>,
    ) -> Result<AccountIndex, RegisterError> {
        let registration = Registration::new(account, invite)?;
        let index = self.thread.write(move |trees| registration.apply(trees)).await??;
        Ok(AccountIndex(index))
    }

    async fn change_password(
        &self,
        account: ProvedAccount,
        password: NewPassword,
        token: NewToken,
    ) -> Result<(), ProofError> {
        self.thread.write(move |trees| password::change(trees, account, password, token)).await?
    }

    async fn delete_account(
        &self,
        account: ProvedAccount,
        record: [u8; size::RECORD],
    ) -> Result<(), DeleteError> {
        self.thread.write(move |trees| deletion::delete(trees, account, record)).await?
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
        self.condition.account_count()
    }

    fn directory_len(&self) -> u32 {
        self.condition.directory_len()
    }

    fn directory_head(&self) -> Result<Head, StoreError> {
        let len = self.directory_len();
        self.read(|trees| directory::head(trees, len))
    }

    fn directory(&self, from: u32, max: usize) -> Result<Vec<DirectoryEntry>, StoreError> {
        let len = self.directory_len();
        self.read(|trees| directory::entries(trees, from, len, max))
    }

    async fn add_token(&self, account: ProvedAccount, token: NewToken) -> Result<(), ProofError> {
        self.thread.write(move |trees| token::add(trees, account, token)).await?
    }

    fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        self.read(|trees| token::token(trees, hash))
    }

    fn sessions(&self, account: AccountIndex) -> Result<Vec<TokenInfo>, StoreError> {
        self.read(|trees| token::sessions(trees, account.0))
    }

    async fn end_session(
        &self,
        account: AccountIndex,
        session: SessionId,
    ) -> Result<Option<TokenHash>, StoreError> {
        self.thread.write(move |trees| token::end_session(trees, account.0, session)).await
    }

    async fn remove_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.thread.write(move |trees| token::remove(trees, &hash)).await
    }

    fn vault(&self, account: AccountIndex) -> Result<Option<StoredVault>, StoreError> {
        self.read(|trees| vault::vault(trees, account.0))
    }

    async fn put_vault(
        &self,
        account: AccountIndex,
        base: u64,
        vault: StoredVault,
    ) -> Result<(), VaultError> {
        self.thread.write(move |trees| vault::put(trees, account.0, base, vault)).await?
    }

    async fn add_invites(
        &self,
        invites: Vec<InviteHash>,
        expires_ms: u64,
        now_ms: u64,
    ) -> Result<(), InviteError> {
        self.thread.write(move |trees| invite::add(trees, &invites, expires_ms, now_ms)).await?
    }

    fn invite(&self, invite: &InviteHash) -> Result<Option<u64>, StoreError> {
        self.read(|trees| invite::expires_ms(trees, invite))
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
