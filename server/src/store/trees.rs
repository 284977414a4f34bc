//! The trees of the database, and the one way to change them.

use sled::transaction::{TransactionError, Transactional};
use sled::{Db, IVec};

use super::StoreError;
use super::record::{Record, decode, encode};

/// One tree; the keys and records of each are written down in `migrations/src/v2.rs`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tree {
    Accounts,
    Names,
    Directory,
    Tokens,
    AccountTokens,
    Vaults,
    Invites,
    Secrets,
    State,
}

/// The trees' names in the order of [`Tree`].
const NAMES: [&str; 9] = [
    "accounts",
    "names",
    "directory",
    "tokens",
    "account-tokens",
    "vaults",
    "invites",
    "secrets",
    "state",
];

/// The open database.
#[derive(Clone)]
pub(super) struct Trees {
    db: Db,
    trees: Vec<sled::Tree>,
}

/// One entry that a write puts or removes.
pub(super) struct Change {
    tree: Tree,
    key: IVec,
    value: Option<IVec>,
}

impl Change {
    /// Puts a record under a key.
    pub(super) fn put<R: Record>(
        tree: Tree,
        key: impl AsRef<[u8]>,
        record: &R,
    ) -> Result<Self, StoreError> {
        Ok(Self::put_encoded(tree, key, &encode(record)?))
    }

    /// Puts a record that was encoded before.
    pub(super) fn put_encoded(tree: Tree, key: impl AsRef<[u8]>, value: &[u8]) -> Self {
        Self { tree, key: key.as_ref().into(), value: Some(value.into()) }
    }

    /// Removes a key.
    pub(super) fn remove(tree: Tree, key: impl AsRef<[u8]>) -> Self {
        Self { tree, key: key.as_ref().into(), value: None }
    }
}

impl Trees {
    /// Opens the trees of a database of the newest schema.
    pub(super) fn open(db: Db) -> sled::Result<Self> {
        let trees = NAMES.iter().map(|name| db.open_tree(name)).collect::<Result<_, _>>()?;
        Ok(Self { db, trees })
    }

    /// Reads the record under a key.
    pub(super) fn get<R: Record>(
        &self,
        tree: Tree,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<R>, StoreError> {
        let value = self.trees[tree as usize].get(key)?;
        value.map(|value| decode(&value).ok_or_else(|| undecodable(tree))).transpose()
    }

    /// Reads the records of u32 keys, from this one on and below `end`, as they are asked for.
    pub(super) fn range<R: Record>(
        &self,
        tree: Tree,
        from: u32,
        end: u32,
    ) -> impl Iterator<Item = Result<(u32, R), StoreError>> + use<R> {
        // sled takes a range that ends before it begins for a mistake.
        let range = from.min(end).to_be_bytes()..end.to_be_bytes();
        self.trees[tree as usize].range(range).map(move |entry| indexed(tree, &entry?))
    }

    /// Reads all records of a tree with their keys, as they are asked for.
    pub(super) fn all<R: Record>(
        &self,
        tree: Tree,
    ) -> impl Iterator<Item = Result<(IVec, R), StoreError>> + use<R> {
        self.trees[tree as usize].iter().map(move |entry| {
            let (key, value) = entry?;
            Ok((key, decode(&value).ok_or_else(|| undecodable(tree))?))
        })
    }

    /// Reads the record with the highest u32 key.
    pub(super) fn last<R: Record>(&self, tree: Tree) -> Result<Option<(u32, R)>, StoreError> {
        self.trees[tree as usize].last()?.map(|entry| indexed(tree, &entry)).transpose()
    }

    /// Makes changes in one transaction: all or none. Only the store thread may call this.
    pub(super) fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let outcome = self.trees.as_slice().transaction(|trees| {
            for Change { tree, key, value } in changes {
                match value {
                    Some(value) => trees[*tree as usize].insert(key, value)?,
                    None => trees[*tree as usize].remove(key)?,
                };
            }
            Ok(())
        });
        outcome.map_err(|error: TransactionError<sled::Error>| match error {
            TransactionError::Abort(error) | TransactionError::Storage(error) => error.into(),
        })
    }

    /// Returns all entries of all trees, as they lie in the database.
    #[cfg(test)]
    pub(super) fn contents(&self) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let mut contents = Vec::new();
        for (name, tree) in NAMES.iter().zip(&self.trees) {
            for entry in tree.iter() {
                let (key, value) = entry.unwrap();
                contents.push(((*name).to_owned(), key.to_vec(), value.to_vec()));
            }
        }
        contents
    }

    /// Hands everything to the operating system. Durable it is after `fdatasync` of the log.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        Ok(())
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => error.into(),
            other => Self::Fatal(format!("{other}; put a backup in its place if this comes again")),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Fatal(match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                "the disk is full; free space on it and start the server again".to_owned()
            }
            std::io::ErrorKind::FileTooLarge => format!(
                "{error}; raise the limit of file sizes (ulimit -f) and start the server again"
            ),
            _ => format!("{error}; check the disk and start the server again"),
        })
    }
}

/// The error of an entry that is not what its tree holds.
pub(super) fn undecodable(tree: Tree) -> StoreError {
    let name = NAMES[tree as usize];
    StoreError::Fatal(format!("an entry of {name} is damaged; put a backup in its place"))
}

fn indexed<R: Record>(tree: Tree, (key, value): &(IVec, IVec)) -> Result<(u32, R), StoreError> {
    let index = key.as_ref().try_into().map(u32::from_be_bytes);
    match (index, decode(value)) {
        (Ok(index), Some(record)) => Ok((index, record)),
        _ => Err(undecodable(tree)),
    }
}
