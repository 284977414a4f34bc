//! Accounts that nobody uses, put straight into a server's store.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::available_parallelism;

use anyhow::Context as _;
use client_core::identity::Identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use server::clock;
use server::store::{NewAccount, NewPassword, Origin, SledStore, Store as _};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use wire::account::{SealedIdentity, SealedMaster, Stretching};
use wire::codec::Wire as _;
use wire::size::{SEALED_IDENTITY, SEALED_MASTER};

use super::{ROUND_MS, go_on, progress};

/// Records that a thread makes at once, and that the store takes in one sync.
const BATCH: u32 = 1000;

/// Accounts after which it is told how far it is.
const TOLD_EVERY: u32 = 20_000;

/// Bytes that OPAQUE keeps of a password.
const PASSWORD_FILE: usize = 192;

/// Adds the accounts with these numbers to the store in a server's data directory; no server may have it open. Nobody can
/// sign in to them, their records are whole and signed.
pub(crate) fn fill(
    runtime: &Runtime,
    data_dir: &Path,
    numbers: Range<u32>,
    interrupted: &AtomicBool,
) -> anyhow::Result<()> {
    let origin = Origin { genesis_ms: clock::unix_ms(), round_ms: ROUND_MS };
    let store = Arc::new(SledStore::open(data_dir, origin)?);
    let (made, batches) = sync_channel(4);
    let (total, mut done) = (numbers.len(), 0);
    std::thread::scope(|scope| {
        let threads = available_parallelism().map_or(1, usize::from);
        for thread in 0..threads {
            let (made, mine) = (made.clone(), numbers.clone().skip(thread * BATCH as usize));
            scope.spawn(move || make(mine, threads, &made));
        }
        drop(made);
        // gone before the threads are waited for: then they stop, whatever is left to make
        let batches: Receiver<Vec<NewAccount>> = batches;
        for batch in &batches {
            go_on(interrupted)?;
            let length = batch.len();
            runtime.block_on(register(&store, batch))?;
            let told = done / TOLD_EVERY as usize;
            done += length;
            if done / TOLD_EVERY as usize > told {
                progress(&format!("{done} of {total} records made, signed and stored"));
            }
        }
        anyhow::Ok(())
    })?;
    store.close().context("the store of the records does not close")
}

/// Returns the name of a number.
pub(crate) fn name(number: u64) -> String {
    format!("person-{number:07}")
}

/// Makes every `threads`th batch, from the first of `numbers` on, until nobody takes them.
fn make(
    mut numbers: impl Iterator<Item = u32>,
    threads: usize,
    made: &SyncSender<Vec<NewAccount>>,
) {
    loop {
        let batch: Vec<_> = numbers.by_ref().take(BATCH as usize).map(account).collect();
        if batch.is_empty() || made.send(batch).is_err() {
            return;
        }
        for _ in 0..(threads - 1) * BATCH as usize {
            numbers.next();
        }
    }
}

fn account(number: u32) -> NewAccount {
    let name = name(number.into()).parse().expect("such names are well formed");
    let identity = Identity::random(name, &mut ChaCha20Rng::seed_from_u64(number.into()));
    let record = identity.record().encode();
    let password = NewPassword {
        password_file: vec![0; PASSWORD_FILE],
        stretching: Stretching::STANDARD,
        sealed_master: SealedMaster([0; SEALED_MASTER]),
        sealed_identity: SealedIdentity([0; SEALED_IDENTITY]),
    };
    let directory_record = record.try_into().expect("a record has its size");
    NewAccount { name, password, directory_record, created_ms: clock::unix_ms() }
}

/// Registers accounts, all at once, so that they share a sync.
async fn register(store: &Arc<SledStore>, batch: Vec<NewAccount>) -> anyhow::Result<()> {
    let mut registrations = JoinSet::new();
    for account in batch {
        let store = Arc::clone(store);
        registrations.spawn(async move { store.register(account, None).await });
    }
    while let Some(registered) = registrations.join_next().await {
        registered??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_an_account_once_whichever_thread_makes_it() {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let interrupted = AtomicBool::new(false);
        fill(&runtime, dir.path(), 0..3, &interrupted).unwrap();
        fill(&runtime, dir.path(), 3..8, &interrupted).unwrap();
        let store = SledStore::open_existing(dir.path()).unwrap();
        assert_eq!((store.directory_len(), store.account_count()), (8, 8));
        for number in 0..8 {
            assert!(store.account(&name(number).parse().unwrap()).unwrap().is_some());
        }
        for entry in store.directory(0, 8).unwrap() {
            wire::directory::Record::decode(&entry.record).unwrap().verify().unwrap();
        }
    }

    #[test]
    fn threads_share_the_batches() {
        let (made, batches) = sync_channel(8);
        let numbers = |skipped: u32| (skipped * BATCH..3 * BATCH + 1).map(|it| it % 2);
        for thread in 0..2 {
            make(numbers(thread), 2, &made);
        }
        drop(made);
        let lengths: Vec<_> = batches.iter().map(|it| it.len()).collect();
        assert_eq!(lengths, [1000, 1000, 1000, 1]);
    }

    #[test]
    fn a_wish_to_stop_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let interrupted = AtomicBool::new(true);
        let filled = fill(&Runtime::new().unwrap(), dir.path(), 0..1_000_000, &interrupted);
        assert!(filled.is_err());
    }
}
