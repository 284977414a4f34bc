//! What all records add up to, kept in the transaction of each change, so that a record that the disk loses is missed.
//!
//! The sum is that of `migrations/src/v3.rs`: 128 bits of a SHA-256 of each record, added modulo 2^128. It does not
//! depend on the order, and a change takes the old record out and puts the new one in.
//!
//! A walk adds up what is really there, while the store goes on:
//!
//! ```text
//!  tree, key ──────────────────────────────────────────►
//!  ████████ walked ████████│ still to come
//!      a change here       │ a change here is met
//!      corrects the sum    │ when the walk gets there
//! ```
//!
//! Invariant: no change is made while a walk reads, and no walk reads while a change is made. So at its end a walk has
//! the sum of one moment.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use sled::IVec;

use super::StoreError;
use super::record::SumsRecord;
use super::trees::{Change, Tree, Trees};

/// The key of the one record of [`Tree::Sums`].
pub(super) const ALL: &str = "all";

/// Records that a walk reads while changes wait: at most 256 KiB.
const READ_AT_ONCE: usize = 64;

/// What is said of a store that sled cannot read.
const UNREADABLE: &str = "sled cannot read all of the store; put a backup in its place";

/// What is said when records are missing.
pub(super) const MISSING: &str = "records of the store are missing, or were changed by something else than the server: check the disk, \
     and put a backup in its place";

/// A sum of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u128);

impl Sum {
    /// Returns the sum of one record; 0 of a tree that is not summed.
    pub(super) fn of(tree: Tree, key: &[u8], value: &[u8]) -> Self {
        if matches!(tree, Tree::Sums) {
            return Self::default();
        }
        let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let digest = Sha256::new()
            .chain_update([tree as u8])
            .chain_update(length.to_be_bytes())
            .chain_update(key)
            .chain_update(value)
            .finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(first))
    }

    /// Adds records.
    pub(super) fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Returns what has to be added to put `new` in the place of `old`.
    fn difference(old: Self, new: Self) -> Self {
        Self(new.0.wrapping_sub(old.0))
    }
}

/// What changes do to the sum.
pub(super) struct Differences<'c> {
    of: Vec<(&'c Change, Sum)>,
}

impl<'c> Differences<'c> {
    /// Looks up what each change replaces. No two of them may be of one key.
    pub(super) fn new(trees: &Trees, changes: &'c [Change]) -> Result<Self, StoreError> {
        let difference = |change: &'c Change| {
            let Change { tree, key, value } = change;
            let sum = |value: &Option<IVec>| {
                value.as_ref().map_or(Sum::default(), |value| Sum::of(*tree, key, value))
            };
            let old = trees.committed(*tree, key)?;
            Ok((change, Sum::difference(sum(&old), sum(value))))
        };
        Ok(Self { of: changes.iter().map(difference).collect::<Result<_, StoreError>>()? })
    }

    /// Returns the change of the kept sums that goes with them.
    pub(super) fn counted(
        &self,
        SumsRecord { written, sum }: SumsRecord,
    ) -> Result<Change, StoreError> {
        let mut sum = Sum(sum);
        self.of.iter().for_each(|(_, difference)| sum.add(*difference));
        Change::put(Tree::Sums, ALL, &SumsRecord { written: written + 1, sum: sum.0 })
    }
}

/// The walks that are under way.
#[derive(Default)]
pub(super) struct Walks(Mutex<Under>);

/// Walks by number; while this is held nothing is changed.
#[derive(Default)]
pub(super) struct Under {
    next: u64,
    walks: BTreeMap<u64, Walked>,
}

/// How far a walk is, and what it added up.
#[derive(Default)]
struct Walked {
    /// Place of the tree that it is in; all before are walked.
    tree: usize,
    /// The last key of it that was read.
    last: Option<IVec>,
    sum: Sum,
}

impl Walked {
    fn has(&self, tree: Tree, key: &IVec) -> bool {
        let tree = tree as usize;
        tree < self.tree || tree == self.tree && self.last.as_ref().is_some_and(|last| key <= last)
    }
}

impl Walks {
    /// Keeps walks from reading; whoever makes changes holds this.
    pub(super) fn hold(&self) -> MutexGuard<'_, Under> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Under {
    /// Corrects what was walked already, after changes were made.
    pub(super) fn note(&mut self, differences: &Differences<'_>) {
        for walked in self.walks.values_mut() {
            for (Change { tree, key, .. }, difference) in &differences.of {
                if walked.has(*tree, key) {
                    walked.sum.add(*difference);
                }
            }
        }
    }
}

/// Keys and values.
pub(super) type Records = Vec<(IVec, IVec)>;

/// Reads all records, in the order of trees and keys, while others may be written.
pub(super) struct Walk<'t> {
    trees: &'t Trees,
    number: u64,
}

impl<'t> Walk<'t> {
    /// Begins one.
    pub(super) fn begin(trees: &'t Trees) -> Self {
        let mut under = trees.walks().hold();
        let number = under.next;
        under.next += 1;
        under.walks.insert(number, Walked::default());
        Self { trees, number }
    }

    /// Reads the next records, of one tree; `None` after the last one.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Fatal`] if sled cannot read them.
    pub(super) fn next(&mut self) -> Result<Option<(Tree, Records)>, StoreError> {
        // sled panics on some damage.
        let read = catch_unwind(AssertUnwindSafe(|| self.read()));
        read.unwrap_or_else(|_| Err(StoreError::Fatal(UNREADABLE.to_owned())))
    }

    fn read(&mut self) -> Result<Option<(Tree, Records)>, StoreError> {
        let mut under = self.trees.walks().hold();
        let walked = under.walks.entry(self.number).or_default();
        while let Some(&tree) = Tree::ALL.get(walked.tree) {
            let from = walked.last.clone().map_or(Bound::Unbounded, Bound::Excluded);
            let entries = self.trees.raw_from(tree, from).take(READ_AT_ONCE);
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            // A tree is left at its end, even if it grows: who writes must not keep the walk in it.
            if entries.len() < READ_AT_ONCE {
                walked.tree += 1;
                walked.last = None;
            } else {
                walked.last = entries.last().map(|(key, _)| key.clone());
            }
            if entries.is_empty() {
                continue;
            }
            for (key, value) in &entries {
                walked.sum.add(Sum::of(tree, key, value));
            }
            return Ok(Some((tree, entries)));
        }
        Ok(None)
    }

    /// Compares, after the last record, what was added up with what was kept.
    ///
    /// # Errors
    /// [`StoreError::Fatal`] if records are missing.
    pub(super) fn compare(self) -> Result<(), StoreError> {
        let mut under = self.trees.walks().hold();
        let walked = under.walks.entry(self.number).or_default().sum;
        let kept = Sum(self.trees.sums()?.sum);
        drop(under);
        if walked == kept { Ok(()) } else { Err(StoreError::Fatal(MISSING.to_owned())) }
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.trees.walks().hold().walks.remove(&self.number);
    }
}
