//! Opens the data directory.
//!
//! ```text
//! data directory   0700
//!   lock           held while the store is open
//!   store/         sled, and beside its files `written` ([`super::written`]), perhaps `damaged` ([`super::damaged`])
//!   store.new/     a store in the making; found at a start, its making was cut short
//!   store.restoring/  one that is made from a backup ([`super::restore`])
//! ```
//!
//! Invariant: whatever is found wrong is left as it is and named, with what to do about it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sled::Db;

use super::record::SumsRecord;
use super::trees::Trees;
use super::written::{WRITTEN, Written};
use super::{Origin, StoreError, damaged, state};
use crate::clock;

pub(super) const LOCK: &str = "lock";
pub(super) const STORE: &str = "store";
/// A store that is made from a backup.
pub(super) const RESTORING: &str = "store.restoring";
const NEW_STORE: &str = "store.new";

/// sled's log and its configuration, inside the store's directory.
pub(super) const SLED_LOG: &str = "db";
const SLED_CONF: &str = "conf";

/// sled's cache, as it counts: the bytes of pages on the disk, which take several times as much in memory. With 64 MiB a
/// scrub of a million accounts took 337 MiB in all, with this 231.
pub const CACHE_BYTES: u64 = 16 << 20;

pub(super) const DIR_MODE: u32 = 0o700;
pub(super) const FILE_MODE: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// The schema version since which a store counts its writes.
const COUNTED_SINCE: u32 = 3;

/// How long sled's helper threads may keep a closed database locked.
const SLED_CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// Why a data directory was not opened. What is in it was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    #[error(
        "the data directory {} is in use by another server: stop that one, or give this one a \
         directory of its own with --data-dir", path.display()
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The directory is open to other users and holds things that are not ours.
    #[error(
        "the data directory {} holds other things and other users can enter it: give an empty \
         directory with --data-dir, or close this one with chmod 700", path.display()
    )]
    NotPrivate {
        /// The data directory.
        path: PathBuf,
    },
    /// No server made anything here.
    #[error(
        "{} is not the data directory of a server: give that one with --data-dir, or start a server \
         here with `iirs-server run`", path.display()
    )]
    NoStore {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}; {advice}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// What to do about it.
        advice: &'static str,
    },
    /// The schema is newer, or not ours.
    #[error("cannot open the store in {}: {error}", path.display())]
    Schema {
        /// The data directory.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        error: migrations::Error,
    },
    /// A part is missing or sled cannot read it.
    #[error(
        "the store in {} is damaged ({reason}): nothing was changed; put a backup of the directory \
         in its place, or move it away to start with an empty one", path.display()
    )]
    Damaged {
        /// The data directory.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Writes that were on the disk are gone.
    #[error(
        "the store in {} lost what was acknowledged: it has {found} writes, and {written} were on the disk; \
         check the disk, and put a backup of the directory in its place", path.display()
    )]
    LostWrites {
        /// The data directory.
        path: PathBuf,
        /// Writes that the store has.
        found: u64,
        /// Writes that it had.
        written: u64,
    },
    /// A backup was put back here, and that was cut short.
    #[error(
        "a backup was being restored to {} and that was cut short: run `iirs-server restore` again, or give \
         another directory with --data-dir", path.display()
    )]
    HalfRestored {
        /// The data directory.
        path: PathBuf,
    },
    /// The schema is older, and nobody asked to change it.
    #[error(
        "the store in {} has schema version {found}, and this program checks version {}: bring it up with \
         `iirs-server migrate`, or see first what that would do with `iirs-server migrate --dry-run`",
        path.display(), migrations::VERSION
    )]
    Older {
        /// The data directory.
        path: PathBuf,
        /// The schema version that was found.
        found: u32,
    },
    /// The store could not start on a sound directory.
    #[error("cannot start the store in {}: {error}", path.display())]
    Failed {
        /// The data directory.
        path: PathBuf,
        /// What failed, and what to do.
        error: StoreError,
    },
}

/// An open data directory.
pub(super) struct OpenDirectory {
    /// Held as long as the store is open.
    pub(super) lock: File,
    /// The database, of the newest schema.
    pub(super) trees: Trees,
    /// What the database was opened with; sled tells failures of its own threads through it.
    pub(super) config: sled::Config,
    /// sled's log through a descriptor of our own.
    pub(super) log: File,
    /// How many writes are durable.
    pub(super) written: Written,
}

/// Locks the data directory, clears what a crash left, and opens the store, a new one if need be.
pub(super) fn open_directory(data_dir: &Path, origin: Origin) -> Result<OpenDirectory, OpenError> {
    make_private(data_dir)?;
    let lock = lock(data_dir)?;
    let (store, new) = (data_dir.join(STORE), data_dir.join(NEW_STORE));
    remove_if_there(&new)?;
    if !exists(&store)? {
        if exists(&data_dir.join(RESTORING))? {
            return Err(OpenError::HalfRestored { path: data_dir.into() });
        }
        create(data_dir, &new, origin)?;
        sync_way_to(data_dir)?;
        fs::rename(&new, &store).map_err(io_error("name", &store))?;
    }
    // Every time: an earlier start may have been killed between the name and this.
    sync(data_dir)?;
    open_locked(data_dir, lock)
}

/// Locks the data directory and opens the store that is in it; leaves a directory without one as it is.
pub(super) fn open_existing(data_dir: &Path) -> Result<OpenDirectory, OpenError> {
    // Asks for the directory itself first: what is wrong with it would look like a missing store.
    fs::read_dir(data_dir).map_err(io_error("read", data_dir))?;
    for part in [LOCK.into(), Path::new(STORE).join(SLED_CONF)] {
        if !exists(&data_dir.join(part))? {
            return Err(OpenError::NoStore { path: data_dir.into() });
        }
    }
    make_private(data_dir)?;
    open_locked(data_dir, lock(data_dir)?)
}

/// Locks a data directory that is one, and changes nothing in it.
pub(super) fn lock_existing(data_dir: &Path) -> Result<File, OpenError> {
    fs::read_dir(data_dir).map_err(io_error("read", data_dir))?;
    if !(exists(&data_dir.join(LOCK))? && exists(&data_dir.join(STORE).join(SLED_CONF))?) {
        return Err(OpenError::NoStore { path: data_dir.into() });
    }
    lock(data_dir)
}

/// Opens the database in a directory, whatever its schema.
pub(super) fn open_as_it_is(
    data_dir: &Path,
    store: &Path,
) -> Result<(Db, sled::Config), OpenError> {
    remove_unfinished_snapshots(store)?;
    for part in [store.join(SLED_CONF), store.join(SLED_LOG)] {
        if !exists(&part)? {
            let reason = format!("{} is missing", part.display());
            return Err(OpenError::Damaged { path: data_dir.into(), reason });
        }
    }
    open_sled(data_dir, store)
}

/// Reads the schema version of an existing store. An empty one is damage: it was never empty.
pub(super) fn schema(data_dir: &Path, db: &Db) -> Result<u32, OpenError> {
    let found = migrations::version(db).map_err(|error| wrong_schema(data_dir, error))?;
    found.ok_or_else(|| {
        let reason = "it is empty".to_owned();
        OpenError::Damaged { path: data_dir.into(), reason }
    })
}

fn open_locked(data_dir: &Path, lock: File) -> Result<OpenDirectory, OpenError> {
    let store = data_dir.join(STORE);
    damaged::refuse_marked(data_dir, &store)?;
    let (db, config) = open_as_it_is(data_dir, &store)?;
    let log_path = store.join(SLED_LOG);
    let log = File::open(&log_path).map_err(io_error("open", &log_path))?;
    migrate(data_dir, &store, &db, &log)?;
    tighten(&store)?;
    db.flush().map_err(|error| failed(data_dir, error))?;
    log.sync_data().map_err(io_error("sync", &log_path))?;
    let trees = Trees::open(db).map_err(|error| failed(data_dir, error))?;
    let written = open_written(data_dir, &store, &trees)?;
    Ok(OpenDirectory { lock, trees, config, log, written })
}

/// Opens the number of writes that are durable, and makes that of a store that was only just migrated. It covers all
/// that the store has, which is durable by now, also what was written and never acknowledged.
fn open_written(data_dir: &Path, store: &Path, trees: &Trees) -> Result<Written, OpenError> {
    let Some(mut written) = compare_written(data_dir, store, trees)? else {
        return Written::create(store, 0);
    };
    let found = sums(data_dir, trees)?.written;
    written.raise(found).map_err(io_error("write", &store.join(WRITTEN)))?;
    Ok(written)
}

fn sums(data_dir: &Path, trees: &Trees) -> Result<SumsRecord, OpenError> {
    trees.sums().map_err(|error| OpenError::Failed { path: data_dir.into(), error })
}

/// Compares the writes that a store has with those that were durable; `None` if none were counted yet.
pub(super) fn compare_written(
    data_dir: &Path,
    store: &Path,
    trees: &Trees,
) -> Result<Option<Written>, OpenError> {
    let found = sums(data_dir, trees)?.written;
    match Written::open(data_dir, store)? {
        Some(written) if found < written.number() => {
            let written = written.number();
            Err(OpenError::LostWrites { path: data_dir.into(), found, written })
        }
        None if found > 0 => {
            let reason = format!("{} is missing", store.join(WRITTEN).display());
            Err(OpenError::Damaged { path: data_dir.into(), reason })
        }
        written => Ok(written),
    }
}

/// Makes the data directory if there is none, and closes it to other users.
pub(super) fn make_private(data_dir: &Path) -> Result<(), OpenError> {
    let make = DirBuilder::new().recursive(true).mode(DIR_MODE).create(data_dir);
    make.map_err(io_error("make the data directory", data_dir))?;
    let metadata = fs::metadata(data_dir).map_err(io_error("look at", data_dir))?;
    if metadata.permissions().mode() & OTHERS == 0 {
        return Ok(());
    }
    let entries = fs::read_dir(data_dir).map_err(io_error("read", data_dir))?;
    let is_ours = exists(&data_dir.join(STORE))? || exists(&data_dir.join(LOCK))?;
    if !is_ours && entries.count() > 0 {
        return Err(OpenError::NotPrivate { path: data_dir.into() });
    }
    tracing::warn!("other users could enter the data directory; closed it to them (mode 0700)");
    set_mode(data_dir, DIR_MODE)
}

pub(super) fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let path = data_dir.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(&path)
        .map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: data_dir.into() }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}

/// Makes a complete store under another name, closed and on the disk. sled writes its
/// configuration in two unsynced steps: cut between them, the store could never be opened.
fn create(data_dir: &Path, new: &Path, origin: Origin) -> Result<(), OpenError> {
    DirBuilder::new().mode(DIR_MODE).create(new).map_err(io_error("make", new))?;
    let (db, _) = open_sled(data_dir, new)?;
    // Nothing is synced in between: all of it is, at the end, before it gets its name.
    migrations::open(&db, &|| Ok(())).map_err(|error| wrong_schema(data_dir, error))?;
    let trees = Trees::open(db).map_err(|error| failed(data_dir, error))?;
    let begun = state::set_origin(&trees, origin).and_then(|()| trees.flush());
    let begun = begun.and_then(|()| trees.sums());
    let begun = begun.map_err(|error| OpenError::Failed { path: data_dir.into(), error })?;
    Written::create(new, begun.written)?;
    drop(trees);
    tighten(new)?;
    sync_tree(new)
}

/// A crash while sled opens leaves `snap.….generating`, which sled then takes for a damaged
/// snapshot (its issues 1527 and 1533).
fn remove_unfinished_snapshots(store: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(store).map_err(io_error("read", store))? {
        let path = entry.map_err(io_error("read", store))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}

/// Opens sled. Its helper threads can hold a database a moment longer than its owner; nobody else
/// can, under our lock.
pub(super) fn open_sled(data_dir: &Path, store: &Path) -> Result<(Db, sled::Config), OpenError> {
    let deadline = clock::now() + SLED_CLOSES_WITHIN;
    loop {
        let config = sled::Config::new().path(store).cache_capacity(CACHE_BYTES);
        // sled panics on some damage.
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
        match opened {
            Ok(Ok(db)) => return Ok((db, config)),
            Ok(Err(error)) if is_still_closing(&error) && clock::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(Err(error)) => return Err(failed(data_dir, error)),
            Err(_) => {
                let reason = "sled cannot read it".to_owned();
                return Err(OpenError::Damaged { path: data_dir.into(), reason });
            }
        }
    }
}

fn is_still_closing(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// Brings an existing store to the newest schema; one that lost its end is not touched.
pub(super) fn migrate(data_dir: &Path, store: &Path, db: &Db, log: &File) -> Result<(), OpenError> {
    if schema(data_dir, db)? < COUNTED_SINCE
        && let Some(written) = Written::open(data_dir, store)?
        && written.number() > 0
    {
        let path = data_dir.into();
        return Err(OpenError::LostWrites { path, found: 0, written: written.number() });
    }
    let sync = || {
        db.flush()?;
        Ok(log.sync_data()?)
    };
    migrations::open(db, &sync).map_err(|error| wrong_schema(data_dir, error))?;
    Ok(())
}

pub(super) fn wrong_schema(data_dir: &Path, error: migrations::Error) -> OpenError {
    match error {
        migrations::Error::Storage(error) => failed(data_dir, error),
        migrations::Error::Newer { .. }
        | migrations::Error::UnreadableVersion
        | migrations::Error::NoVersion
        | migrations::Error::Damaged { .. } => OpenError::Schema { path: data_dir.into(), error },
    }
}

pub(super) fn failed(data_dir: &Path, error: sled::Error) -> OpenError {
    match error {
        sled::Error::Io(error) => io_error("open the store in", data_dir)(error),
        sled::Error::Corruption { .. }
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => {
            OpenError::Damaged { path: data_dir.into(), reason: error.to_string() }
        }
    }
}

/// Closes files and directories of the store to other users; sled makes them as the umask says.
pub(super) fn tighten(path: &Path) -> Result<(), OpenError> {
    each_entry(path, &|entry, is_dir| set_mode(entry, if is_dir { DIR_MODE } else { FILE_MODE }))
}

/// Syncs all files and directories of the store.
pub(super) fn sync_tree(path: &Path) -> Result<(), OpenError> {
    each_entry(path, &|entry, _| sync(entry))
}

fn each_entry(
    path: &Path,
    act: &impl Fn(&Path, bool) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let is_dir = fs::symlink_metadata(path).map_err(io_error("look at", path))?.is_dir();
    if is_dir {
        for entry in fs::read_dir(path).map_err(io_error("read", path))? {
            each_entry(&entry.map_err(io_error("read", path))?.path(), act)?;
        }
    }
    act(path, is_dir)
}

/// Syncs the directories that lead to the data directory, so that a power cut cannot take it away with all that is in it.
/// Who may not read one of them did not make anything in it.
fn sync_way_to(data_dir: &Path) -> Result<(), OpenError> {
    let absolute = data_dir.canonicalize().map_err(io_error("look at", data_dir))?;
    for above in absolute.ancestors().skip(1) {
        match File::open(above).and_then(|directory| directory.sync_all()) {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => {
                return Err(io_error("sync", above)(error));
            }
            Ok(()) | Err(_) => (),
        }
    }
    Ok(())
}

pub(super) fn sync(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io_error("sync", path))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), OpenError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io_error("close", path))
}

pub(super) fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(io_error("look at", path))
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| {
        let advice = match source.kind() {
            ErrorKind::PermissionDenied => {
                "run the server as the user who owns it, or choose another with --data-dir"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free space on the disk and start again"
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "a file is in the way: choose a directory with --data-dir"
            }
            ErrorKind::ReadOnlyFilesystem => {
                "mount the disk for writing, or choose another directory with --data-dir"
            }
            _ => "check the disk, or choose another directory with --data-dir",
        };
        OpenError::Io { doing, path, source, advice }
    }
}
