//! The trees of the database, and the one way to change them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sled::transaction::{TransactionError, Transactional};
use sled::{Db, IVec};

use super::StoreError;
use super::backup::Journal;
use super::record::{Record, SumsRecord, decode, encode};
use super::sums::{self, Differences, Walks};

/// One tree; the keys and records of each are written down in `migrations/src/v2.rs` and `v3.rs`.
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
    /// What the others add up to ([`super::sums`]).
    Sums,
}

impl Tree {
    /// All trees, in the order of their names.
    pub(super) const ALL: [Self; 10] = [
        Self::Accounts,
        Self::Names,
        Self::Directory,
        Self::Tokens,
        Self::AccountTokens,
        Self::Vaults,
        Self::Invites,
        Self::Secrets,
        Self::State,
        Self::Sums,
    ];

    /// Returns its name in the database.
    pub(super) fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// The trees' names in the order of [`Tree`], which is that of schema version 3: backups count on it.
const NAMES: [&str; 10] = [
    "accounts",
    "names",
    "directory",
    "tokens",
    "account-tokens",
    "vaults",
    "invites",
    "secrets",
    "state",
    "sums",
];

/// The open database.
#[derive(Clone)]
pub(super) struct Trees {
    db: Db,
    trees: Vec<sled::Tree>,
    journal: Arc<Journal>,
    walks: Arc<Walks>,
    /// What the store thread has changed and not yet committed; nobody else has it.
    batch: Option<Arc<Mutex<Batch>>>,
}

/// Changes that are read as if they were made, and are made together.
#[derive(Default)]
struct Batch {
    changes: BTreeMap<(usize, IVec), Option<IVec>>,
    bytes: usize,
}

impl Batch {
    fn take(&mut self, changes: &[Change]) {
        for Change { tree, key, value } in changes {
            self.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
            self.changes.insert((*tree as usize, key.clone()), value.clone());
        }
    }

    /// Returns one change a key.
    fn into_changes(self) -> impl Iterator<Item = Change> {
        let changes = self.changes.into_iter();
        changes.map(|((tree, key), value)| Change { tree: Tree::ALL[tree], key, value })
    }
}

/// One entry that a write puts or removes.
pub(super) struct Change {
    pub(super) tree: Tree,
    pub(super) key: IVec,
    pub(super) value: Option<IVec>,
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
        Ok(Self { db, trees, journal: Arc::default(), walks: Arc::default(), batch: None })
    }

    /// Returns the same trees for one who collects changes until [`Self::commit`].
    pub(super) fn collecting(&self) -> Self {
        Self { batch: Some(Arc::default()), ..self.clone() }
    }

    /// Returns the bytes of keys and values that were collected.
    pub(super) fn collected(&self) -> usize {
        self.batch().map_or(0, |batch| batch.bytes)
    }

    /// Makes what was collected, in one transaction: all or none. Only the store thread may call this.
    pub(super) fn commit(&self) -> Result<(), StoreError> {
        let Some(batch) = self.batch().map(|mut batch| std::mem::take(&mut *batch)) else {
            return Ok(());
        };
        if batch.changes.is_empty() { Ok(()) } else { self.make(batch) }
    }

    fn batch(&self) -> Option<MutexGuard<'_, Batch>> {
        let batch = self.batch.as_ref()?;
        Some(batch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what was collected of a tree: puts and removes by key.
    fn collected_of(&self, tree: Tree) -> BTreeMap<IVec, Option<IVec>> {
        let Some(batch) = self.batch() else { return BTreeMap::new() };
        let from = (Bound::Included((tree as usize, IVec::default())), Bound::Unbounded);
        let mine = batch.changes.range(from).take_while(|((of, _), _)| *of == tree as usize);
        mine.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// Returns what a backup that is under way is told of the changes.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns the walks that are under way.
    pub(super) fn walks(&self) -> &Walks {
        &self.walks
    }

    /// Reads all entries of a tree as they lie there, as they are asked for.
    pub(super) fn raw(
        &self,
        tree: Tree,
    ) -> impl Iterator<Item = Result<(IVec, IVec), StoreError>> + use<> {
        self.raw_from(tree, Bound::Unbounded)
    }

    /// Reads the entries of a tree from a key on.
    pub(super) fn raw_from(
        &self,
        tree: Tree,
        from: Bound<IVec>,
    ) -> impl Iterator<Item = Result<(IVec, IVec), StoreError>> + use<> {
        let range = (from, Bound::Unbounded);
        self.trees[tree as usize].range(range).map(|entry| Ok(entry?))
    }

    /// Reads an entry as it lies there, whatever was collected.
    pub(super) fn committed(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        Ok(self.trees[tree as usize].get(key)?)
    }

    /// Reads what was committed adds up to.
    pub(super) fn sums(&self) -> Result<SumsRecord, StoreError> {
        let value = self.committed(Tree::Sums, sums::ALL.as_bytes())?;
        value.and_then(|value| decode(&value)).ok_or_else(|| undecodable(Tree::Sums))
    }

    /// Returns the names of all trees of the database, also such as are not ours.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.db.tree_names().into_iter();
        names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    /// Tells whether a tree that is not ours is empty.
    pub(super) fn is_empty(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.db.open_tree(name)?.is_empty())
    }

    /// Reads the record under a key.
    pub(super) fn get<R: Record>(
        &self,
        tree: Tree,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<R>, StoreError> {
        let key = key.as_ref();
        let collected =
            self.batch().and_then(|batch| batch.changes.get(&(tree as usize, key.into())).cloned());
        let value = match collected {
            Some(value) => value,
            None => self.trees[tree as usize].get(key)?,
        };
        value.map(|value| decode(&value).ok_or_else(|| undecodable(tree))).transpose()
    }

    /// Reads the records of u32 keys, from this one on and below `end`, as they are asked for; those that were
    /// committed.
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

    /// Reads all records of a tree with their keys, as they are asked for, in no order.
    pub(super) fn all<R: Record>(
        &self,
        tree: Tree,
    ) -> impl Iterator<Item = Result<(IVec, R), StoreError>> + use<R> {
        let collected = self.collected_of(tree);
        let new: Vec<_> = collected
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
            .collect();
        let old = self.trees[tree as usize].iter();
        let old = old.filter(move |entry| {
            entry.as_ref().map_or(true, |(key, _)| !collected.contains_key(key))
        });
        old.chain(new.into_iter().map(Ok)).map(move |entry| {
            let (key, value) = entry?;
            Ok((key, decode(&value).ok_or_else(|| undecodable(tree))?))
        })
    }

    /// Reads the record with the highest u32 key.
    pub(super) fn last<R: Record>(&self, tree: Tree) -> Result<Option<(u32, R)>, StoreError> {
        let batch = self.batch();
        let batch = batch.as_ref().map(|batch| &batch.changes);
        let is_old = |key: &IVec| {
            batch.is_none_or(|changes| !changes.contains_key(&(tree as usize, key.clone())))
        };
        let mut old = self.trees[tree as usize].iter().rev();
        let old =
            old.find(|entry| entry.as_ref().map_or(true, |(key, _)| is_old(key))).transpose()?;
        let mine = (tree as usize, IVec::default())..(tree as usize + 1, IVec::default());
        let new = batch.and_then(|changes| {
            let mut new = changes.range(mine).rev();
            new.find_map(|((_, key), value)| Some((key.clone(), value.clone()?)))
        });
        let last = old.into_iter().chain(new).max_by(|one, other| one.0.cmp(&other.0));
        last.map(|entry| indexed(tree, &entry)).transpose()
    }

    /// Makes changes, all or none: at once, or with the batch if one is collected.
    pub(super) fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        if let Some(mut batch) = self.batch() {
            batch.take(changes);
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.take(changes);
        self.make(batch)
    }

    /// Makes changes and counts them in, in one transaction.
    fn make(&self, batch: Batch) -> Result<(), StoreError> {
        let changes: Vec<_> = batch.into_changes().collect();
        let mut walks = self.walks.hold();
        let differences = Differences::new(self, &changes)?;
        let counted = [differences.counted(self.sums()?)?];
        self.journal.note(&changes);
        self.journal.note(&counted);
        let outcome = self.trees.as_slice().transaction(|trees| {
            for Change { tree, key, value } in changes.iter().chain(&counted) {
                match value {
                    Some(value) => trees[*tree as usize].insert(key, value)?,
                    None => trees[*tree as usize].remove(key)?,
                };
            }
            Ok(())
        });
        outcome.map_err(|error: TransactionError<sled::Error>| match error {
            TransactionError::Abort(error) | TransactionError::Storage(error) => {
                StoreError::from(error)
            }
        })?;
        walks.note(&differences);
        Ok(())
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
