//! A store of an older schema, made of one of the newest.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use migrations::{META_TREE, SCHEMA_KEY, v3};

/// How long sled may take to close.
const CLOSES_WITHIN: Duration = Duration::from_secs(60);

/// Makes the store of a data directory one of schema version 2, which is the newest without counts and sums; no server
/// may have it open.
pub(crate) fn make_version_2(data_dir: &Path) -> anyhow::Result<()> {
    let store = data_dir.join("store");
    fs::remove_file(store.join("written"))?;
    let db = open(&store)?;
    db.open_tree(v3::SUMS)?.clear()?;
    db.open_tree(META_TREE)?.insert(SCHEMA_KEY, &2u32.to_be_bytes())?;
    db.flush().context("the store does not become older")?;
    Ok(())
}

/// Opens sled, which may hold a closed database a moment longer.
fn open(store: &Path) -> anyhow::Result<sled::Db> {
    let deadline = Instant::now() + CLOSES_WITHIN;
    loop {
        match sled::Config::new().path(store).cache_capacity(1 << 24).open() {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(_)) if Instant::now() < deadline => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
}
