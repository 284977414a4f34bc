//! The history of the server's database: one frozen file a schema version, and the ladder that
//! brings a database of any released version up to the newest.
//!
//! The schema version lives in the tree `meta` under the key `schema`, as exactly four bytes, big
//! endian. That one place never changes, so every program can tell how old, or how new, any
//! database is. It is written with the data that it describes, or after all of them are durable.
//!
//! Invariant: a released step never changes again. What it needs of its schema (tree names, record
//! types, encodings) is copied into its file; this crate imports neither `server` nor `wire`.

pub mod fixture;
pub mod v1;
pub mod v2;
pub mod v3;

use sled::Db;
use sled::transaction::TransactionError;

/// The schema version that [`open`] leaves behind, and the newest that it accepts.
pub const VERSION: u32 = STEPS.len() as u32;

/// The tree that holds the schema version.
pub const META_TREE: &str = "meta";

/// The key of the schema version in [`META_TREE`].
pub const SCHEMA_KEY: &str = "schema";

/// Makes durable what was written so far, power cuts included, which sled's own flush does not.
pub type Sync<'s> = &'s dyn Fn() -> sled::Result<()>;

/// Brings a database from one schema version to the next; the version is raised last. A step that
/// was cut short at any point may run again.
type Step = fn(&Db, Sync<'_>) -> Result<(), Error>;

/// `STEPS[n]` leads to schema version `n + 1`; the first turns an empty database into version 1.
const STEPS: [Step; 3] = [|db, _| v1::create(db), v2::migrate, v3::migrate];

/// The trees whose entries each step rewrites.
const REWRITTEN: [&[&str]; STEPS.len()] = [&[], &[v2::ACCOUNTS, v2::TOKENS], &[]];

/// What [`open`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The database was empty and now has the newest schema.
    Created,
    /// The database already had the newest schema; nothing was written.
    Current,
    /// The database had this older schema and now has the newest.
    Migrated {
        /// The schema version that was found.
        from: u32,
    },
}

/// Why a database cannot be opened. Nothing was written, unless the storage itself failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A later release wrote this database.
    #[error(
        "the database has schema version {found}, and this program knows versions up to {VERSION}: \
         run the release that wrote it or a later one"
    )]
    Newer {
        /// The schema version that was found.
        found: u32,
    },
    /// The version entry has the wrong length or an impossible value.
    #[error(
        "the schema version in the database is unreadable: this is not a database of iirs, or it \
         is damaged; put a backup in its place"
    )]
    UnreadableVersion,
    /// There is data but no version entry.
    #[error(
        "the database holds data but no schema version: this is not a database of iirs, or it is \
         damaged; put a backup in its place"
    )]
    NoVersion,
    /// An entry is not what its schema says.
    #[error("an entry of {tree} in the database is damaged; put a backup in its place")]
    Damaged {
        /// The tree's name.
        tree: &'static str,
    },
    /// sled failed.
    #[error("the database failed: {0}")]
    Storage(#[from] sled::Error),
}

impl From<TransactionError<Self>> for Error {
    fn from(error: TransactionError<Self>) -> Self {
        match error {
            TransactionError::Abort(error) => error,
            TransactionError::Storage(error) => Self::Storage(error),
        }
    }
}

/// Brings a database to the newest schema, one step after the other.
///
/// The caller makes the end result durable; a step that writes in batches uses `sync` in between.
/// Refuses newer, unreadable, damaged and foreign databases.
pub fn open(db: &Db, sync: Sync<'_>) -> Result<Opened, Error> {
    let found = version(db)?;
    let steps_done = found.unwrap_or(0);
    if steps_done > 0 && steps_done < VERSION {
        tracing::info!(
            "bringing the database from schema version {steps_done} to {VERSION}; releases that \
             know only the old one cannot read it afterwards"
        );
    }
    for step in &STEPS[steps_done as usize..] {
        step(db, sync)?;
    }
    Ok(match found {
        None => Opened::Created,
        Some(VERSION) => Opened::Current,
        Some(from) => Opened::Migrated { from },
    })
}

/// Reads the schema version, 1 to [`VERSION`]; `None` says that the database is empty.
///
/// Empty means that no tree has an entry: a creation that was cut short leaves trees behind, but
/// no entries.
pub fn version(db: &Db) -> Result<Option<u32>, Error> {
    let names = db.tree_names();
    if names.iter().any(|name| name == META_TREE.as_bytes())
        && let Some(value) = db.open_tree(META_TREE)?.get(SCHEMA_KEY)?
    {
        return known_version(&value).map(Some);
    }
    for name in names {
        if !db.open_tree(name)?.is_empty() {
            return Err(Error::NoVersion);
        }
    }
    Ok(None)
}

/// Returns the trees beside [`META_TREE`] of a schema version that this program knows; none of another. Backups
/// name a tree by its place here.
pub fn trees(version: u32) -> &'static [&'static str] {
    match version {
        1 => &v1::TREES,
        2 => &v2::TREES,
        3 => &v3::TREES,
        _ => &[],
    }
}

/// Returns the trees whose entries are rewritten on the way from a schema version to the newest.
pub fn rewritten(from: u32) -> impl Iterator<Item = &'static &'static str> {
    REWRITTEN.iter().skip(from as usize).copied().flatten()
}

fn known_version(value: &[u8]) -> Result<u32, Error> {
    let bytes = value.try_into().map_err(|_| Error::UnreadableVersion)?;
    match u32::from_be_bytes(bytes) {
        0 => Err(Error::UnreadableVersion),
        found if found > VERSION => Err(Error::Newer { found }),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> (tempfile::TempDir, Db) {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::Config::new().path(dir.path()).cache_capacity(1 << 20).open().unwrap();
        (dir, db)
    }

    fn with_schema(value: &[u8]) -> Result<Opened, Error> {
        let (_dir, db) = empty();
        db.open_tree(META_TREE).unwrap().insert(SCHEMA_KEY, value).unwrap();
        let outcome = open(&db, &|| Ok(()));
        assert_eq!(db.open_tree(META_TREE).unwrap().get(SCHEMA_KEY).unwrap().unwrap(), value);
        outcome
    }

    #[test]
    fn an_empty_database_gets_the_newest_schema_and_keeps_it() {
        let (_dir, db) = empty();
        assert_eq!(version(&db).unwrap(), None);
        assert_eq!(open(&db, &|| Ok(())).unwrap(), Opened::Created);
        assert_eq!(version(&db).unwrap(), Some(VERSION));
        assert_eq!(open(&db, &|| Ok(())).unwrap(), Opened::Current);
    }

    #[test]
    fn a_creation_that_was_cut_short_counts_as_empty_and_runs_again() {
        let (_dir, db) = empty();
        db.open_tree(META_TREE).unwrap();
        db.open_tree(v1::ACCOUNTS).unwrap();
        assert_eq!(open(&db, &|| Ok(())).unwrap(), Opened::Created);
        v1::create(&db).unwrap();
        assert_eq!(version(&db).unwrap(), Some(1));
    }

    #[test]
    fn a_newer_schema_is_refused_with_what_to_do() {
        let error = with_schema(&(VERSION + 1).to_be_bytes()).unwrap_err();
        assert!(matches!(error, Error::Newer { found } if found == VERSION + 1));
        assert!(error.to_string().contains("run the release that wrote it"), "{error}");
    }

    #[test]
    fn an_unreadable_version_is_refused() {
        for value in [&[][..], &[0, 0, 1], &[0, 0, 0, 0], &[0, 0, 0, 0, 1]] {
            assert!(matches!(with_schema(value), Err(Error::UnreadableVersion)), "{value:?}");
        }
    }

    #[test]
    fn data_without_a_version_is_refused() {
        let (_dir, db) = empty();
        db.open_tree("accounts").unwrap().insert([0; 4], "ann").unwrap();
        assert!(matches!(open(&db, &|| Ok(())), Err(Error::NoVersion)));
        assert_eq!(db.open_tree("accounts").unwrap().len(), 1);
    }

    #[test]
    fn a_foreign_database_is_refused() {
        let (_dir, db) = empty();
        db.insert("in the default tree", "something").unwrap();
        assert!(matches!(open(&db, &|| Ok(())), Err(Error::NoVersion)));
    }
}
