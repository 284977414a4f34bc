//! Files of the store that are cut short or have a flipped bit: refused with what to do, at the opening or by the scrub
//! that follows, or opened with everything in it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use server::store::{
    NewAccount, NewPassword, NewToken, Origin, ProvedAccount, SledStore, Store as _, StoreError,
    StoredVault, VAULT_BYTES,
};
use wire::account::{SealedIdentity, SealedMaster, Stretching};
use wire::ids::AccountIndex;
use wire::size::RECORD;

use crate::processes::Place;

/// Accounts in the store that is damaged: more than one segment of sled's log.
const ACCOUNTS: u32 = 400;

/// Accounts that a start adds before the store is closed again.
const EACH_START: u32 = 80;

/// Longest time that opening and reading may take.
const OPENS_WITHIN: Duration = Duration::from_secs(60);

/// What the reserved rounds are kept under.
const ROUNDS: &str = "rounds";

/// How a file is damaged.
#[derive(Clone, Copy)]
enum Damage {
    /// One bit is the other way.
    Flip,
    /// The file ends earlier.
    Cut,
}

/// What became of damaged stores.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Refused, with what to do.
    refused: u32,
    /// Opened, and ended with what to do by the scrub that every start of a server begins.
    scrubbed: u32,
    /// Opened, with everything in it.
    intact: u32,
    /// Opened, and something was missing: found only by comparing.
    missing: u32,
}

/// All that the store tells, by what it is about.
type Everything = BTreeMap<String, Vec<u8>>;

/// A store, and what is in it.
struct Specimen {
    dir: PathBuf,
    /// sled's snapshot, whose name changes.
    snapshot: String,
    everything: Everything,
    rng: ChaCha20Rng,
}

/// Damages each file of a store so often in each way; tells what became of it, a line for each.
///
/// # Errors
/// If a store hangs, panics, tells what nobody stored, or does not say what to do.
pub(super) fn run(place: &Place, seed: u64, tries: u32) -> anyhow::Result<()> {
    for (what, Tally { refused, scrubbed, intact, missing }) in
        Specimen::make(&place.path().join("damage"), seed)?.tries(tries)?
    {
        println!(
            "{what}: {refused} refused, {scrubbed} ended by the scrub, {intact} opened whole, {missing} opened with records missing"
        );
        ensure!(missing == 0, "records are missing without a word");
    }
    Ok(())
}

impl Specimen {
    /// Makes a store of a few starts in a directory.
    fn make(dir: &Path, seed: u64) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let data = dir.join("whole");
        let mut everything = Everything::new();
        for first in (0..ACCOUNTS).step_by(EACH_START as usize) {
            let store = open(&data)?;
            runtime.block_on(fill(&store, first))?;
            everything = read(&store)?;
            store.close()?;
        }
        let names: Vec<String> = fs::read_dir(data.join("store"))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        let snapshot = names.into_iter().find(|name| name.starts_with("snap."));
        let snapshot = snapshot.context("sled left no snapshot")?;
        let (dir, rng) = (dir.to_owned(), ChaCha20Rng::seed_from_u64(seed));
        Ok(Self { dir, snapshot, everything, rng })
    }

    /// Damages each file so often, and opens the store; returns what became of it, by damage.
    fn tries(&mut self, each: u32) -> anyhow::Result<Vec<(String, Tally)>> {
        let snapshot = self.snapshot.clone();
        let mut tallies = Vec::new();
        for (damage, verb) in [(Damage::Flip, "bit flipped in"), (Damage::Cut, "cut short:")] {
            for (file, named) in [
                ("db", "db"),
                ("conf", "conf"),
                (snapshot.as_str(), "snap.*"),
                ("written", "written"),
            ] {
                let mut tally = Tally::default();
                for number in 0..each {
                    let outcome = self.try_one(damage, file);
                    let outcome = outcome.with_context(|| format!("{verb} {named}, try {number}"));
                    match outcome? {
                        Outcome::Refused => tally.refused += 1,
                        Outcome::Scrubbed => tally.scrubbed += 1,
                        Outcome::Intact => tally.intact += 1,
                        Outcome::Missing => tally.missing += 1,
                    }
                }
                tallies.push((format!("{verb} {named}"), tally));
            }
        }
        Ok(tallies)
    }

    fn try_one(&mut self, damage: Damage, file: &str) -> anyhow::Result<Outcome> {
        let damaged = self.dir.join("damaged");
        copy(&self.dir.join("whole"), &damaged)?;
        let path = damaged.join("store").join(file);
        let mut bytes = fs::read(&path)?;
        let bit = self.rng.next_u64() % (bytes.len() as u64 * 8);
        let at = usize::try_from(bit / 8)?;
        match damage {
            Damage::Flip => bytes[at] ^= 1 << (bit % 8),
            Damage::Cut => bytes.truncate(at),
        }
        fs::write(&path, bytes)?;
        let (send, opened) = channel();
        // a thread of its own: what hangs is left behind, and what panics is noticed
        let data = damaged.clone();
        std::thread::spawn(move || drop(send.send(open_and_read(&data))));
        let read = opened.recv_timeout(OPENS_WITHIN);
        let read = read.with_context(|| format!("byte {at}: the store hangs or panics"))?;
        let outcome = match read {
            Ok(read) if read == self.everything => Outcome::Intact,
            Ok(read) => {
                // an older number of reserved rounds is one that was there, and misses the newer
                let made_up = read.iter().any(|(key, value)| {
                    let is_there = !value.is_empty() && key != ROUNDS;
                    is_there && self.everything.get(key) != Some(value)
                });
                ensure!(!made_up, "byte {at}: the store tells what nobody stored");
                Outcome::Missing
            }
            Err(refusal) => {
                let helps = ["put a backup", "start again", "check the disk"];
                if !helps.iter().any(|help| refusal.said.contains(help)) {
                    bail!("byte {at}: the store does not say what to do: {}", refusal.said);
                }
                if refusal.opened { Outcome::Scrubbed } else { Outcome::Refused }
            }
        };
        fs::remove_dir_all(&damaged)?;
        Ok(outcome)
    }
}

/// How a damaged store ended.
struct Refusal {
    said: String,
    /// Whether it was open by then.
    opened: bool,
}

enum Outcome {
    Refused,
    Scrubbed,
    Intact,
    Missing,
}

fn open(data: &Path) -> anyhow::Result<SledStore> {
    let origin = Origin { genesis_ms: 1_700_000_000_000, round_ms: 2000 };
    Ok(SledStore::open(data, origin)?)
}

/// Opens a store as a server does, reads, and waits for the scrub.
fn open_and_read(data: &Path) -> Result<Everything, Refusal> {
    let refusal = |opened| move |said: String| Refusal { said, opened };
    let store = SledStore::open_existing(data);
    let store = store.map_err(|error| error.to_string()).map_err(refusal(false))?;
    let everything = read(&store);
    store.scrub(|| true).map_err(|error| error.to_string()).map_err(refusal(true))?;
    everything.map_err(|error| error.to_string()).map_err(refusal(true))
}

async fn fill(store: &SledStore, first: u32) -> anyhow::Result<()> {
    for number in first..first + EACH_START {
        let byte = number.to_le_bytes()[0];
        let account = NewAccount {
            name: format!("account{number}").parse()?,
            password: NewPassword {
                password_file: vec![byte; 192],
                stretching: Stretching::STANDARD,
                sealed_master: SealedMaster([byte; 80]),
                sealed_identity: SealedIdentity([byte; 112]),
            },
            directory_record: [byte; RECORD],
            created_ms: 5,
        };
        let index = store.register(account, None).await?;
        let proved = ProvedAccount { index, password_changes: 0 };
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_le_bytes());
        let token = NewToken { hash, created_ms: 5, expires_ms: u64::MAX };
        store.add_token(proved, token).await?;
        let vault = StoredVault { version: 1, sealed: Box::new([byte; VAULT_BYTES]) };
        store.put_vault(index, 0, vault).await?;
        store.reserve_rounds(number.into()).await?;
    }
    Ok(())
}

/// Reads everything that the tries compare.
fn read(store: &SledStore) -> Result<Everything, StoreError> {
    let mut everything = Everything::new();
    everything.insert(ROUNDS.to_owned(), store.rounds_reserved()?.to_be_bytes().to_vec());
    for (place, entry) in store.directory(0, usize::MAX)?.into_iter().enumerate() {
        everything
            .insert(format!("directory {place}"), [&entry.record[..], &entry.head.0].concat());
    }
    for index in (0..ACCOUNTS).map(AccountIndex) {
        if let Some(account) = store.account_by_index(index)? {
            everything.insert(format!("account {}", index.0), account.password_file.clone());
            let by_name = store.account(&account.name)?.map_or(u32::MAX, |found| found.index.0);
            everything.insert(format!("name {}", index.0), by_name.to_be_bytes().to_vec());
        }
        if let Some(vault) = store.vault(index)? {
            everything.insert(format!("vault {}", index.0), vault.sealed.to_vec());
        }
        let sessions = store.sessions(index)?;
        let hashes = sessions.iter().flat_map(|session| session.hash).collect();
        everything.insert(format!("sessions {}", index.0), hashes);
    }
    Ok(everything)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
