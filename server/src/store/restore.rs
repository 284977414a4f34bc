//! Makes a store from a backup.
//!
//! ```text
//! data directory
//!   lock              held meanwhile
//!   store.restoring/  the store in the making
//!   store/            it, once it is whole, checked and on the disk
//! ```
//!
//! Invariants:
//! - The file is read to its end, and its checksum found right, before anything is made.
//! - A directory with a half-made store is no data directory: `run` refuses it.
//! - The restored server opens no number of a round that the one before may have opened.
//! - The restored store knows that it was restored, and every session says so.

use std::fs::{self, DirBuilder};
use std::io::{BufReader, Read, Seek};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use super::backup::{BackupError, BackupInfo, BackupReader, Step};
use super::check::{Depth, Report, check};
use super::open::{self, DIR_MODE, LOCK, OpenError, RESTORING, STORE, io_error};
use super::state::{self, Origin};
use super::trees::Trees;
use super::written::Written;
use crate::driver::numbers;

/// How far ahead of the clock the rounds of a restored server begin, in milliseconds: three hours, an eighth
/// of what clients bear. Each kill of the server before may have put it 24 numbers ahead of the clock.
pub const RESTORE_AHEAD_MS: u64 = 3 * 60 * 60 * 1000;

/// How far ahead of the clock a round may be that the server before is said to have opened, in milliseconds: clients bear a
/// day, and the three hours less are for what is added by kills.
const AFTER_AHEAD_MAX_MS: u64 = 24 * 60 * 60 * 1000 - RESTORE_AHEAD_MS;

/// Bytes of keys and values that are written at once, before sled is waited for: as the store thread does.
const BATCH_BYTES: usize = 64 << 10;

/// Steps after which it is told how far it is.
const TOLD_EVERY: u64 = 50_000;

/// Why a backup was not restored. Nothing is in place then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup is none, or not whole.
    #[error("{0}")]
    Backup(#[from] BackupError),
    /// The directory has something in it.
    #[error(
        "{0} is not empty: give --data-dir a directory that is, or that is not there yet; a backup is never \
         put over anything"
    )]
    NotEmpty(String),
    /// The directory could not be made or written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The round that the server before is said to have opened is too far ahead of the clock.
    #[error(
        "--after-round {after} is more than 21 hours ahead: by the clock of this machine, the server before can have opened \
         {most} at the most; look at the number again, or set the clock right first. Nothing was put in place: clients \
         refuse a server that is so far ahead, and numbers never go back"
    )]
    TooFarAhead {
        /// The round that was given.
        after: u64,
        /// The highest one that is taken.
        most: u64,
    },
    /// What the backup holds does not fit together.
    #[error("the backup was read, and what is in it is wrong; nothing was put in place:\n  {0}")]
    Unsound(String),
}

/// What was restored.
pub struct RestoredStore {
    /// What the backup said of itself.
    pub backup: BackupInfo,
    /// The first number of a round that the server will open.
    pub first_round: u64,
    /// What was checked.
    pub report: Report,
}

/// Reads a backup to its end, without keeping anything; returns what it has in it.
///
/// # Errors
/// [`BackupError`].
pub fn verify(file: &mut (impl Read + Seek)) -> Result<BackupInfo, BackupError> {
    file.rewind()?;
    let mut reader = BackupReader::new(BufReader::with_capacity(1 << 20, file))?;
    let trees = migrations::trees(reader.info().schema).len();
    while let Some(Step { tree, .. }) = reader.next()? {
        if tree >= trees {
            return Err(BackupError::Damaged("a record of an unknown tree"));
        }
    }
    Ok(reader.info())
}

/// Makes the store of an empty or missing data directory from a backup. Blocks.
///
/// `now_ms` is the time by the clock, `after_round` a number of a round that the server before is known to
/// have opened. `told` hears what is done and how many records of it.
///
/// # Errors
/// [`RestoreError`].
pub fn restore(
    file: &mut (impl Read + Seek),
    data_dir: &Path,
    now_ms: u64,
    after_round: u64,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<RestoredStore, RestoreError> {
    refuse_unless_empty(data_dir)?;
    let verified = verify(file)?;
    open::make_private(data_dir)?;
    let _lock = open::lock(data_dir)?;
    let restoring = data_dir.join(RESTORING);
    open::remove_if_there(&restoring)?;
    let finished = build(file, data_dir, &restoring, verified, &mut *told)
        .and_then(|trees| finish(trees, &restoring, &verified, now_ms, after_round, told));
    if finished.is_err() {
        // nobody uses it, and it may have filled the disk
        let _ = open::remove_if_there(&restoring);
    }
    let (first_round, report) = finished?;
    open::tighten(&restoring)?;
    open::sync_tree(&restoring)?;
    let store = data_dir.join(STORE);
    fs::rename(&restoring, &store).map_err(io_error("name", &store))?;
    open::sync(data_dir)?;
    if let Some(parent) = data_dir.canonicalize().ok().as_deref().and_then(Path::parent) {
        // The data directory may be new itself. Not every parent can be opened, and then it was not.
        let _ = open::sync(parent);
    }
    Ok(RestoredStore { backup: verified, first_round, report })
}

/// Makes a store from a backup in a directory that is thrown away, and checks it.
///
/// # Errors
/// [`RestoreError`].
pub fn check_backup(
    file: &mut (impl Read + Seek),
    scratch: &Path,
    depth: Depth,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<(BackupInfo, Report), RestoreError> {
    let verified = verify(file)?;
    let restoring = scratch.join(RESTORING);
    let trees = build(file, scratch, &restoring, verified, &mut *told)?;
    Ok((verified, check(&trees, depth, told)))
}

/// What a restore that was cut short left does not count.
fn refuse_unless_empty(data_dir: &Path) -> Result<(), RestoreError> {
    let entries = match fs::read_dir(data_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("read", data_dir)(error).into()),
    };
    for entry in entries {
        let name = entry.map_err(io_error("read", data_dir))?.file_name();
        if name != LOCK && name != RESTORING {
            return Err(RestoreError::NotEmpty(data_dir.display().to_string()));
        }
    }
    Ok(())
}

/// Plays a backup into a new database, and brings that to the newest schema.
fn build(
    file: &mut (impl Read + Seek),
    data_dir: &Path,
    restoring: &Path,
    verified: BackupInfo,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<Trees, RestoreError> {
    let failed = |error: sled::Error| RestoreError::Open(open::failed(data_dir, error));
    DirBuilder::new().mode(DIR_MODE).create(restoring).map_err(io_error("make", restoring))?;
    let (db, _) = open::open_sled(data_dir, restoring)?;
    let meta = db.open_tree(migrations::META_TREE).map_err(failed)?;
    meta.insert(migrations::SCHEMA_KEY, &verified.schema.to_be_bytes()).map_err(failed)?;
    let names = migrations::trees(verified.schema);
    let trees = names.iter().map(|name| db.open_tree(name)).collect::<Result<Vec<_>, _>>();
    let trees = trees.map_err(failed)?;
    file.rewind().map_err(BackupError::from)?;
    let mut reader = BackupReader::new(BufReader::with_capacity(1 << 20, file))?;
    let (mut batch, mut batched, mut in_tree) = (sled::Batch::default(), 0, 0);
    let mut steps = 0;
    loop {
        let step = reader.next()?;
        let goes_on = step.as_ref().is_some_and(|it| it.tree == in_tree && batched < BATCH_BYTES);
        if !goes_on {
            let full = std::mem::take(&mut batch);
            trees[in_tree].apply_batch(full).map_err(failed)?;
            db.flush().map_err(failed)?;
            batched = 0;
        }
        let Some(Step { tree, key, value }) = step else { break };
        if tree >= trees.len() {
            return Err(BackupError::Damaged("a record of an unknown tree").into());
        }
        in_tree = tree;
        batched += key.len() + value.as_ref().map_or(0, Vec::len);
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
        steps += 1;
        if steps % TOLD_EVERY == 0 {
            told("records restored", steps);
        }
    }
    if reader.info() != verified {
        // Somebody wrote to the file between the two readings.
        return Err(BackupError::Damaged("it changed while it was read").into());
    }
    let sync = || db.flush().map(drop);
    migrations::open(&db, &sync).map_err(|error| open::wrong_schema(data_dir, error))?;
    Trees::open(db).map_err(failed)
}

/// Returns a time that is later than the restore of a server which opened a round of this number, and not later than its
/// clock if it only followed that. Clients hear of no restore that seems to be before one that they know, and where the
/// clock was set back nothing else tells of that one.
fn not_before_ms(origin: Origin, round: u64) -> u64 {
    let next_ms = round.saturating_add(1).saturating_mul(origin.round_ms.into());
    origin.genesis_ms.saturating_add(next_ms).saturating_sub(RESTORE_AHEAD_MS)
}

/// Returns the first round that a restored server opens.
fn first_round(trees: &Trees, now_ms: u64, after_round: u64) -> Result<u64, RestoreError> {
    let unsound = |error: super::StoreError| RestoreError::Unsound(error.to_string());
    let origin = state::origin(trees).map_err(unsound)?;
    let period = Duration::from_millis(origin.round_ms.into());
    let reserved = state::rounds_reserved(trees).map_err(unsound)?;
    let by_clock_and = |ahead_ms| {
        let then_ms = now_ms.saturating_add(ahead_ms);
        reserved.max(numbers::by_clock(origin.genesis_ms, then_ms, period))
    };
    let most = by_clock_and(AFTER_AHEAD_MAX_MS);
    if after_round > most {
        return Err(RestoreError::TooFarAhead { after: after_round, most });
    }
    Ok(by_clock_and(RESTORE_AHEAD_MS).max(after_round.saturating_add(1)))
}

/// Sets what a restored store knows of its past, checks it and closes it.
fn finish(
    trees: Trees,
    restoring: &Path,
    backup: &BackupInfo,
    now_ms: u64,
    after_round: u64,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<(u64, Report), RestoreError> {
    let unsound = |error: super::StoreError| RestoreError::Unsound(error.to_string());
    let first_round = first_round(&trees, now_ms, after_round)?;
    let report = check(&trees, Depth::Links, told);
    let directory_len = super::directory::Extent::of(&trees).map_err(unsound)?.directory_len;
    if (directory_len, report.accounts) != (backup.directory_len, backup.accounts) {
        let text = format!(
            "{directory_len} records of the directory and {} accounts, where {} and {} were promised",
            report.accounts, backup.directory_len, backup.accounts
        );
        return Err(RestoreError::Unsound(text));
    }
    if !report.is_sound() {
        return Err(RestoreError::Unsound(report.problems.join("\n  ")));
    }
    let origin = state::origin(&trees).map_err(unsound)?;
    let before = state::restored(&trees).map_err(unsound)?;
    let restored_ms = now_ms.max(not_before_ms(origin, after_round));
    let restores = state::with_one_more(before, backup.created_ms, restored_ms, directory_len);
    state::set_restored(&trees, &restores, first_round).map_err(unsound)?;
    trees.flush().map_err(unsound)?;
    Written::create(restoring, trees.sums().map_err(unsound)?.written)?;
    Ok((first_round, report))
}
