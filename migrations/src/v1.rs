//! Schema version 1. Frozen: once released, nothing in this file changes.
//!
//! | tree             | key                       | value             |
//! |------------------|---------------------------|-------------------|
//! | `meta`           | `schema`                  | 00 00 00 01       |
//! | `accounts`       | directory index, u32 BE   | [`Account`]       |
//! | `names`          | account name, UTF-8       | [`AccountIndex`]  |
//! | `directory`      | directory index, u32 BE   | [`DirectoryEntry`]|
//! | `tokens`         | SHA-256 of the token, 32  | [`Token`]         |
//! | `account-tokens` | directory index, u32 BE   | [`AccountTokens`] |
//! | `secrets`        | kind, ASCII               | [`Secret`]        |
//! | `state`          | what it counts, ASCII     | [`Number`]        |
//!
//! A value (except in `meta`) is the version byte 01 and then the record in bincode 1.3: integers
//! little endian and of fixed size, a bool one byte, an array its bytes, text and vectors a u64
//! length and their elements. A value has at most 4,096 bytes.

use bincode::Options;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sled::transaction::Transactional;

use crate::{Error, META_TREE, SCHEMA_KEY};

/// The tree of accounts by directory index.
pub const ACCOUNTS: &str = "accounts";
/// The tree from account name to directory index.
pub const NAMES: &str = "names";
/// The tree of the append-only directory log.
pub const DIRECTORY: &str = "directory";
/// The tree of session tokens by their hash.
pub const TOKENS: &str = "tokens";
/// The tree of the token hashes of each account.
pub const ACCOUNT_TOKENS: &str = "account-tokens";
/// The tree of the server's own keys.
pub const SECRETS: &str = "secrets";
/// The tree of the server's own numbers.
pub const STATE: &str = "state";

/// The trees of version 1 beside `meta`.
pub const TREES: [&str; 7] = [ACCOUNTS, NAMES, DIRECTORY, TOKENS, ACCOUNT_TOKENS, SECRETS, STATE];

const RECORD_VERSION: u8 = 1;
const VALUE_BYTES_MAX: usize = 4096;

/// Turns an empty database into one of version 1.
pub(crate) fn create(db: &sled::Db) -> Result<(), Error> {
    for name in TREES {
        db.open_tree(name)?;
    }
    let meta = db.open_tree(META_TREE)?;
    Ok((&meta,).transaction(|(meta,)| {
        meta.insert(SCHEMA_KEY, &1u32.to_be_bytes())?;
        Ok(())
    })?)
}

/// One account.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name as it was registered.
    pub name: String,
    /// The OPAQUE password file.
    pub password_file: Vec<u8>,
    /// The memory of the client's password stretching, in KiB.
    pub memory_kib: u32,
    /// The passes of the client's password stretching.
    pub passes: u32,
    /// The lanes of the client's password stretching.
    pub lanes: u32,
    /// The account's master key, sealed by the client.
    #[serde(with = "array")]
    pub sealed_master: [u8; 80],
    /// The account's identity keys, sealed by the client.
    #[serde(with = "array")]
    pub sealed_identity: [u8; 112],
    /// When the account was registered, in Unix milliseconds.
    pub created_ms: u64,
    /// Whether an administrator locked the account.
    pub disabled: bool,
}

/// Where an account stands in the directory.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountIndex(pub u32);

/// One entry of the directory log.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEntry {
    /// The account's public record.
    #[serde(with = "array")]
    pub record: [u8; 163],
    /// The head of the log after this record.
    pub head: [u8; 32],
}

/// One session token, known by its hash only.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The account's directory index.
    pub account_index: u32,
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// Whether a newer sign-in took its place.
    pub superseded: bool,
}

/// The tokens of one account, oldest first.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTokens(pub Vec<HeldToken>);

/// One token in the list of its account.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
}

/// One of the server's own keys.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub Vec<u8>);

/// One of the server's own numbers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number(pub u64);

/// Encodes a record to a value; `None` if it would be longer than a value may be.
pub fn encode<R: Serialize>(record: &R) -> Option<Vec<u8>> {
    let mut value = vec![RECORD_VERSION];
    bincode_options().serialize_into(&mut value, record).ok()?;
    Some(value)
}

/// Decodes a value to a record; `None` if it is not exactly one record of version 1.
pub fn decode<R: DeserializeOwned>(value: &[u8]) -> Option<R> {
    let (&version, record) = value.split_first()?;
    if version != RECORD_VERSION {
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
