//! Schema version 2. Frozen: once released, nothing in this file changes.
//!
//! | tree             | key                       | value                 | record version |
//! |------------------|---------------------------|-----------------------|----------------|
//! | `meta`           | `schema`                  | 00 00 00 02           |                |
//! | `accounts`       | account index, u32 BE     | [`Account`]           | 02             |
//! | `names`          | account name, UTF-8       | [`AccountIndex`]      | 01             |
//! | `directory`      | directory index, u32 BE   | [`DirectoryEntry`]    | 01             |
//! | `tokens`         | SHA-256 of the token, 32  | [`Token`]             | 02             |
//! | `account-tokens` | account index, u32 BE     | [`AccountTokens`]     | 01             |
//! | `vaults`         | account index, u32 BE     | [`Vault`]             | 01             |
//! | `invites`        | SHA-256 of the invite, 32 | [`Invite`]            | 01             |
//! | `secrets`        | kind, ASCII               | [`Secret`]            | 01             |
//! | `state`          | what it counts, ASCII     | [`Number`]            | 01             |
//!
//! A value is encoded as in version 1, except that its first byte is the version of its own record
//! type: what did not change since version 1 keeps its bytes. That byte also tells what of a
//! migration is done.
//!
//! An account index is the directory index of the record that registered the account, so a deletion,
//! which takes a directory index of its own, leaves a gap. A deleted account stays as a stub, without
//! name, tokens and vault in the other trees. `state` counts the deletions under `deletions`; without
//! the entry there were none.

use bincode::Options;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sled::IVec;
use sled::transaction::Transactional;

pub use crate::v1::{
    ACCOUNT_TOKENS, ACCOUNTS, AccountIndex, AccountTokens, DIRECTORY, DirectoryEntry, HeldToken,
    NAMES, Number, SECRETS, STATE, Secret, TOKENS,
};
use crate::{Error, META_TREE, SCHEMA_KEY, Sync, v1};

/// The tree of the sealed vaults by account index.
pub const VAULTS: &str = "vaults";
/// The tree of invites by the hash of their code.
pub const INVITES: &str = "invites";

/// The trees of version 2 beside `meta`.
pub const TREES: [&str; 9] =
    [ACCOUNTS, NAMES, DIRECTORY, TOKENS, ACCOUNT_TOKENS, VAULTS, INVITES, SECRETS, STATE];

const VALUE_BYTES_MAX: usize = 4096;

/// The entries of one batch: about 60 KiB of accounts. sled stands still for good if many writes of its log are
/// under way at once (its issue 1412), so a batch is small and waited for.
const BATCH: usize = 128;

/// The entries after which the log hears of a migration that is under way.
const REPORT_EVERY: u64 = 65_536;

/// Brings a database from version 1 to version 2.
///
/// Reads everything first, so that a damaged database is refused unchanged. Then writes batch by
/// batch, each durable before the next, and the version last. Cut short, it takes up where it was.
pub(crate) fn migrate(db: &sled::Db, sync: Sync<'_>) -> Result<(), Error> {
    migrate_by(db, sync, BATCH)
}

fn migrate_by(db: &sled::Db, sync: Sync<'_>, batch: usize) -> Result<(), Error> {
    convert_all::<v1::Account, Account>(db, ACCOUNTS, batch, &mut |_, _| Ok(()))?;
    convert_all::<v1::Token, Token>(db, TOKENS, batch, &mut |_, _| Ok(()))?;
    let mut write = |tree: &sled::Tree, changes: &[(IVec, Vec<u8>)]| {
        (tree,).transaction(|(tree,)| {
            for (key, value) in changes {
                tree.insert(key, value.as_slice())?;
            }
            Ok(())
        })?;
        Ok(sync()?)
    };
    convert_all::<v1::Account, Account>(db, ACCOUNTS, batch, &mut write)?;
    convert_all::<v1::Token, Token>(db, TOKENS, batch, &mut write)?;
    for name in TREES {
        db.open_tree(name)?;
    }
    let meta = db.open_tree(META_TREE)?;
    Ok((&meta,).transaction(|(meta,)| {
        meta.insert(SCHEMA_KEY, &2u32.to_be_bytes())?;
        Ok(())
    })?)
}

/// Takes one batch of entries that are still of version 1, in their new form.
type TakeBatch<'t> = dyn FnMut(&sled::Tree, &[(IVec, Vec<u8>)]) -> Result<(), Error> + 't;

/// Converts the entries of a tree that are still of version 1, and hands them on in batches.
fn convert_all<Old, New>(
    db: &sled::Db,
    name: &'static str,
    batch: usize,
    take: &mut TakeBatch<'_>,
) -> Result<(), Error>
where
    Old: DeserializeOwned,
    New: Record + From<Old>,
{
    let tree = db.open_tree(name)?;
    let mut changes = Vec::with_capacity(batch);
    for (seen, entry) in (1u64..).zip(tree.iter()) {
        let (key, value) = entry?;
        if decode::<New>(&value).is_none() {
            let old = v1::decode::<Old>(&value).ok_or(Error::Damaged { tree: name })?;
            changes.push((key, encode(&New::from(old)).ok_or(Error::Damaged { tree: name })?));
        }
        if changes.len() == batch {
            take(&tree, &changes)?;
            changes.clear();
        }
        if seen % REPORT_EVERY == 0 {
            tracing::info!("schema version 2: went over {seen} entries of {name}");
        }
    }
    if changes.is_empty() { Ok(()) } else { take(&tree, &changes) }
}

/// A record type and the version byte of its values.
pub trait Record: Serialize + DeserializeOwned {
    /// The first byte of a value.
    const VERSION: u8;
}

/// One account, or the stub of one that was deleted.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name as it was registered; it may be another account's by now if this one was deleted.
    pub name: String,
    /// The OPAQUE password file; empty in a stub.
    pub password_file: Vec<u8>,
    /// The memory of the client's password stretching, in KiB; 0 in a stub.
    pub memory_kib: u32,
    /// The passes of the client's password stretching; 0 in a stub.
    pub passes: u32,
    /// The lanes of the client's password stretching; 0 in a stub.
    pub lanes: u32,
    /// The account's master key, sealed by the client; zeros in a stub.
    #[serde(with = "array")]
    pub sealed_master: [u8; 80],
    /// The account's identity keys, sealed by the client; zeros in a stub.
    #[serde(with = "array")]
    pub sealed_identity: [u8; 112],
    /// When the account was registered, in Unix milliseconds.
    pub created_ms: u64,
    /// Whether an administrator locked the account.
    pub disabled: bool,
    /// Whether the account was deleted.
    pub deleted: bool,
    /// How often its password was changed.
    pub password_changes: u32,
}

/// One session token, known by its hash only.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The account's index.
    pub account_index: u32,
    /// When the token was made, in Unix milliseconds; 0 if that was under version 1.
    pub created_ms: u64,
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// Whether a newer sign-in took its place.
    pub superseded: bool,
}

/// The contacts of one account, sealed by the client.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// The version that the client gave it, which only grows.
    pub version: u64,
    /// The sealed bytes.
    #[serde(with = "array")]
    pub sealed: [u8; 3072],
}

/// One invite that was not used yet, known by its hash only.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// When the invite ends, in Unix milliseconds.
    pub expires_ms: u64,
}

impl From<v1::Account> for Account {
    fn from(old: v1::Account) -> Self {
        Self {
            name: old.name,
            password_file: old.password_file,
            memory_kib: old.memory_kib,
            passes: old.passes,
            lanes: old.lanes,
            sealed_master: old.sealed_master,
            sealed_identity: old.sealed_identity,
            created_ms: old.created_ms,
            disabled: old.disabled,
            deleted: false,
            password_changes: 0,
        }
    }
}

impl From<v1::Token> for Token {
    fn from(old: v1::Token) -> Self {
        let v1::Token { account_index, expires_ms, superseded } = old;
        Self { account_index, created_ms: 0, expires_ms, superseded }
    }
}

impl Record for Account {
    const VERSION: u8 = 2;
}

impl Record for Token {
    const VERSION: u8 = 2;
}

impl Record for Vault {
    const VERSION: u8 = 1;
}

impl Record for Invite {
    const VERSION: u8 = 1;
}

impl Record for AccountIndex {
    const VERSION: u8 = 1;
}

impl Record for DirectoryEntry {
    const VERSION: u8 = 1;
}

impl Record for AccountTokens {
    const VERSION: u8 = 1;
}

impl Record for Secret {
    const VERSION: u8 = 1;
}

impl Record for Number {
    const VERSION: u8 = 1;
}

/// Encodes a record to a value; `None` if it would be longer than a value may be.
pub fn encode<R: Record>(record: &R) -> Option<Vec<u8>> {
    let mut value = vec![R::VERSION];
    bincode_options().serialize_into(&mut value, record).ok()?;
    Some(value)
}

/// Decodes a value to a record; `None` if it is not exactly one record of its type and version.
pub fn decode<R: Record>(value: &[u8]) -> Option<R> {
    let (&version, record) = value.split_first()?;
    if version != R::VERSION {
        return None;
    }
    bincode_options().deserialize(record).ok()
}

fn bincode_options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(VALUE_BYTES_MAX as u64 - 1)
        .reject_trailing_bytes()
}

/// Byte arrays longer than serde's 32: the bytes, without a length.
mod array {
    use serde::de::{Deserializer, Error, SeqAccess, Visitor};
    use serde::ser::{SerializeTuple, Serializer};

    pub(super) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(N)?;
        for byte in bytes {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        deserializer.deserialize_tuple(N, Bytes)
    }

    struct Bytes<const N: usize>;

    impl<'de, const N: usize> Visitor<'de> for Bytes<N> {
        type Value = [u8; N];

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(formatter, "{N} bytes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<[u8; N], A::Error> {
            let mut bytes = [0; N];
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = elements.next_element()?.ok_or_else(|| Error::invalid_length(at, &self))?;
            }
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests;
