//! Accounts as they are in life: registered, signed in, with a vault if there is room for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};
use server::clock;
use server::store::{
    NewToken, Origin, ProvedAccount, SledStore, Store as _, StoredVault, VAULT_BYTES,
};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use wire::ids::AccountIndex;

use super::{ROUND_MS, go_on, progress};
use crate::directory::fill::fill as register;

/// Accounts that get a token and a vault at once.
const BATCH: usize = 1000;

/// Accounts after which it is told how far it is.
const TOLD_EVERY: u32 = 50_000;

/// Life of a token.
const TOKEN_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// What a store is filled with.
#[derive(Clone, Copy)]
pub(super) struct Contents {
    /// Accounts, each with a token.
    pub(super) accounts: u32,
    /// Whether each has a vault.
    pub(super) vaults: bool,
}

/// Fills a data directory; no server may have it open. Tells whether any accounts were missing.
pub(super) fn fill(
    runtime: &Runtime,
    data_dir: &Path,
    contents: Contents,
    interrupted: &AtomicBool,
) -> anyhow::Result<bool> {
    let Contents { accounts, vaults } = contents;
    let there = if data_dir.join("store").exists() {
        SledStore::open_existing(data_dir)?.directory_len()
    } else {
        0
    };
    if there >= accounts {
        return Ok(false);
    }
    if there > 0 {
        // A fill that was stopped left out numbers in the middle.
        bail!("{} has {there} accounts: give an empty directory", data_dir.display());
    }
    register(runtime, data_dir, 0..accounts, interrupted)?;
    let origin = Origin { genesis_ms: clock::unix_ms(), round_ms: ROUND_MS };
    let store = Arc::new(SledStore::open(data_dir, origin)?);
    let mut indices = 0..accounts;
    loop {
        go_on(interrupted)?;
        let batch: Vec<u32> = indices.by_ref().take(BATCH).collect();
        let Some(last) = batch.last() else { break };
        if last / TOLD_EVERY > batch[0].saturating_sub(1) / TOLD_EVERY {
            progress(&format!(
                "{last} of {accounts} have a token{}",
                if vaults { " and a vault" } else { "" }
            ));
        }
        runtime.block_on(live(&store, batch, vaults))?;
    }
    store.close().context("the store does not close")?;
    Ok(true)
}

async fn live(store: &Arc<SledStore>, batch: Vec<u32>, vaults: bool) -> anyhow::Result<()> {
    let now_ms = clock::unix_ms();
    let mut writes = JoinSet::new();
    for index in batch {
        let store = Arc::clone(store);
        writes.spawn(async move {
            let account = ProvedAccount { index: AccountIndex(index), password_changes: 0 };
            let hash = Sha256::digest(index.to_be_bytes()).into();
            let token = NewToken { hash, created_ms: now_ms, expires_ms: now_ms + TOKEN_MS };
            store.add_token(account, token).await?;
            if vaults {
                let sealed = Box::new([index as u8; VAULT_BYTES]);
                store.put_vault(account.index, 0, StoredVault { version: 1, sealed }).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(written) = writes.join_next().await {
        written??;
    }
    Ok(())
}
