//! The mark of a store in which a scrub or a backup found records missing.
//!
//! A server that ends for that is started again by systemd, and would acknowledge more until the next scrub gets to the
//! end, in a store that no backup can be taken of. So the store is marked, durably, and no server opens it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::open::{self, FILE_MODE, OpenError, io_error};

/// The file, in sled's directory.
const DAMAGED: &str = "damaged";

/// What stands in it.
const TEXT: &str = "A scrub or a backup found records of this store missing. Put a backup in its place. Without one, take \
this file away to start once more with what is left; the next scrub finds the same.\n";

/// Has a store not be opened again until somebody takes the mark away.
pub(super) fn mark(store: &Path) -> Result<(), OpenError> {
    let mark = store.join(DAMAGED);
    let make = || {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&mark)?;
        file.write_all(TEXT.as_bytes())?;
        file.sync_all()
    };
    make().map_err(io_error("write", &mark))?;
    open::sync(store)
}

/// Refuses a store that is marked.
pub(super) fn refuse_marked(data_dir: &Path, store: &Path) -> Result<(), OpenError> {
    let mark = store.join(DAMAGED);
    if !open::exists(&mark)? {
        return Ok(());
    }
    let reason = format!("an earlier scrub or backup found records missing: {}", mark.display());
    Err(OpenError::Damaged { path: data_dir.into(), reason })
}
