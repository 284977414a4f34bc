//! Looks at a store without serving it: `check`, and what a migration would do.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rand_core::{OsRng, RngCore as _};

use super::check::{Depth, Report, check};
use super::open::{self, DIR_MODE, OpenError, STORE, io_error};
use super::trees::Trees;

/// A directory of its own for what is thrown away: 0700, gone when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in `parent`.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn new(parent: &Path) -> Result<Self, OpenError> {
        let path = parent.join(format!("iirs-{:016x}", OsRng.next_u64()));
        DirBuilder::new().mode(DIR_MODE).create(&path).map_err(io_error("make", &path))?;
        Ok(Self(path))
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}, which has secrets in it: {error}", self.0.display());
        }
    }
}

/// What bringing a store to the newest schema does, or did.
pub struct Migration {
    /// Schema version that was found.
    pub from: u32,
    /// Records that are rewritten, by tree.
    pub rewrites: Vec<(&'static str, u64)>,
    /// What a check of the migrated store found.
    pub report: Report,
}

/// Checks the store of a data directory that no server uses. It must have the newest schema.
///
/// # Errors
/// [`OpenError`] if it cannot be opened.
pub fn check_store(
    data_dir: &Path,
    depth: Depth,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<Report, OpenError> {
    let _lock = open::lock_existing(data_dir)?;
    let store = data_dir.join(STORE);
    let (db, _) = open::open_as_it_is(data_dir, &store)?;
    let found = open::schema(data_dir, &db)?;
    if found != migrations::VERSION {
        return Err(OpenError::Older { path: data_dir.into(), found });
    }
    let trees = Trees::open(db).map_err(|error| open::failed(data_dir, error))?;
    let mut report = check(&trees, depth, told);
    match open::compare_written(data_dir, &store, &trees) {
        Err(error @ (OpenError::LostWrites { .. } | OpenError::Damaged { .. })) => {
            report.problem(format!("written: {error}"));
        }
        compared => drop(compared?),
    }
    Ok(report)
}

/// Brings a copy of the store to the newest schema, checks it, and throws it away. The store itself is only
/// read, byte by byte.
///
/// # Errors
/// [`OpenError`] if the store cannot be read, opened or migrated, or lost writes.
pub fn migrate_copy(
    data_dir: &Path,
    scratch: &Path,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<Migration, OpenError> {
    let lock = open::lock_existing(data_dir)?;
    let copy = scratch.join(STORE);
    copy_tree(&data_dir.join(STORE), &copy)?;
    drop(lock);
    migrate(data_dir, &copy, told)
}

/// Brings the store to the newest schema, and checks it.
///
/// # Errors
/// [`OpenError`]; a store that is damaged is unchanged.
pub fn migrate_store(
    data_dir: &Path,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<Migration, OpenError> {
    let _lock = open::lock_existing(data_dir)?;
    migrate(data_dir, &data_dir.join(STORE), told)
}

fn migrate(
    data_dir: &Path,
    store: &Path,
    told: &mut dyn FnMut(&'static str, u64),
) -> Result<Migration, OpenError> {
    let failed = |error| open::failed(data_dir, error);
    let (db, _) = open::open_as_it_is(data_dir, store)?;
    let from = open::schema(data_dir, &db)?;
    let mut rewrites = Vec::new();
    for name in migrations::rewritten(from) {
        let tree = db.open_tree(name).map_err(failed)?;
        rewrites.push((*name, tree.len() as u64));
    }
    let log = File::open(store.join(open::SLED_LOG)).map_err(io_error("open", store))?;
    open::migrate(data_dir, store, &db, &log)?;
    let trees = Trees::open(db).map_err(failed)?;
    open::compare_written(data_dir, store, &trees)?;
    let report = check(&trees, Depth::Signatures, told);
    trees.flush().map_err(|error| OpenError::Failed { path: data_dir.into(), error })?;
    log.sync_data().map_err(io_error("sync", store))?;
    Ok(Migration { from, rewrites, report })
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), OpenError> {
    DirBuilder::new().mode(DIR_MODE).create(to).map_err(io_error("make", to))?;
    for entry in fs::read_dir(from).map_err(io_error("read", from))? {
        let entry = entry.map_err(io_error("read", from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(io_error("look at", &path))?.is_dir() {
            copy_tree(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(io_error("copy", &path))?;
        }
    }
    Ok(())
}
