//! Schema version 3. Frozen: once released, nothing in this file changes.
//!
//! As version 2, and one tree more:
//!
//! | tree   | key   | value    | record version |
//! |--------|-------|----------|----------------|
//! | `sums` | `all` | [`Sums`] | 01             |
//!
//! Its one entry is written in the same transaction as every change of the other trees. Who finds another sum of all
//! records than the one in it, or fewer writes than were acknowledged, knows that something was lost.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sled::transaction::Transactional;

pub use crate::v2::{
    ACCOUNT_TOKENS, ACCOUNTS, Account, AccountIndex, AccountTokens, DIRECTORY, DirectoryEntry,
    HeldToken, INVITES, Invite, NAMES, Number, Record, SECRETS, STATE, Secret, TOKENS, Token,
    VAULTS, Vault, decode, encode,
};
use crate::{Error, META_TREE, SCHEMA_KEY, Sync, v2};

/// The tree of what all records add up to.
pub const SUMS: &str = "sums";
/// The one key of [`SUMS`].
pub const ALL: &str = "all";

/// The trees of version 3 beside `meta`.
pub const TREES: [&str; 10] =
    [ACCOUNTS, NAMES, DIRECTORY, TOKENS, ACCOUNT_TOKENS, VAULTS, INVITES, SECRETS, STATE, SUMS];

/// The entries after which the log hears of a migration that is under way.
const REPORT_EVERY: u64 = 65_536;

/// What all records of the other trees add up to.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// The transactions that were made under this schema.
    pub written: u64,
    /// The sum of the [`summand`]s of all records, modulo 2^128.
    pub sum: u128,
}

impl Record for Sums {
    const VERSION: u8 = 1;
}

/// Returns what a record adds to the sum: the first 16 bytes, big endian, of the SHA-256 of the tree's place in [`TREES`]
/// (1 byte), the length of the key (2, big endian), the key and the value.
pub fn summand(tree: u8, key: &[u8], value: &[u8]) -> u128 {
    let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
    let digest = Sha256::new()
        .chain_update([tree])
        .chain_update(length.to_be_bytes())
        .chain_update(key)
        .chain_update(value)
        .finalize();
    digest[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Brings a database from version 2 to version 3: adds up what is there, and writes the sum with the version. Cut short,
/// it begins again.
pub(crate) fn migrate(db: &sled::Db, sync: Sync<'_>) -> Result<(), Error> {
    sync()?;
    let mut sums = Sums::default();
    for (place, name) in (0..).zip(v2::TREES) {
        for (seen, entry) in (1u64..).zip(db.open_tree(name)?.iter()) {
            let (key, value) = entry?;
            sums.sum = sums.sum.wrapping_add(summand(place, &key, &value));
            if seen % REPORT_EVERY == 0 {
                tracing::info!("schema version 3: went over {seen} entries of {name}");
            }
        }
    }
    let value = encode(&sums).ok_or(Error::Damaged { tree: SUMS })?;
    let (tree, meta) = (db.open_tree(SUMS)?, db.open_tree(META_TREE)?);
    Ok((&tree, &meta).transaction(|(tree, meta)| {
        tree.insert(ALL, value.as_slice())?;
        meta.insert(SCHEMA_KEY, &3u32.to_be_bytes())?;
        Ok(())
    })?)
}
