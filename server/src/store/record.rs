//! How records lie in the database, schema version 3: the record type's version byte, then bincode.
//!
//! The layout is written down, with every tree and key, in `migrations/src/v2.rs` and `v3.rs`. A change here
//! needs a new schema version there; the tests hold both against the same fixture.

use bincode::Options;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::size;
use zeroize::Zeroize;

use super::{StoreError, VAULT_BYTES};

/// The most bytes of a value; larger ones would leave sled's pages for files of their own.
const VALUE_BYTES_MAX: usize = 4096;

/// A record type.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// The first byte of its values.
    const VERSION: u8 = 1;
}

/// One account; its key is its index. Of a deleted one only a stub is left.
#[derive(Serialize, Deserialize)]
pub(super) struct AccountRecord {
    pub(super) name: String,
    pub(super) password_file: Vec<u8>,
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
    #[serde(with = "array")]
    pub(super) sealed_master: [u8; size::SEALED_MASTER],
    #[serde(with = "array")]
    pub(super) sealed_identity: [u8; size::SEALED_IDENTITY],
    pub(super) created_ms: u64,
    pub(super) disabled: bool,
    pub(super) deleted: bool,
    pub(super) password_changes: u32,
}

/// The account index behind a name.
#[derive(Serialize, Deserialize)]
pub(super) struct IndexRecord(pub(super) u32);

/// One entry of the directory log; its key is its index.
#[derive(Serialize, Deserialize)]
pub(super) struct DirectoryRecord {
    #[serde(with = "array")]
    pub(super) record: [u8; size::RECORD],
    pub(super) head: [u8; size::HASH],
}

/// One session token; its key is its hash.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenEntry {
    pub(super) account_index: u32,
    /// 0 if it is not known.
    pub(super) created_ms: u64,
    pub(super) expires_ms: u64,
    pub(super) superseded: bool,
}

/// The tokens of one account, oldest first; its key is the account index.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct AccountTokens(pub(super) Vec<HeldToken>);

/// One token in the list of its account.
#[derive(Serialize, Deserialize)]
pub(super) struct HeldToken {
    pub(super) hash: [u8; size::HASH],
    pub(super) expires_ms: u64,
}

/// One account's sealed contacts; its key is the account index.
#[derive(Serialize, Deserialize)]
pub(super) struct VaultRecord {
    pub(super) version: u64,
    #[serde(with = "array")]
    pub(super) sealed: [u8; VAULT_BYTES],
}

/// One invite that was not used yet; its key is the hash of its code.
#[derive(Serialize, Deserialize)]
pub(super) struct InviteRecord {
    pub(super) expires_ms: u64,
}

/// One of the server's own keys; erased on drop.
#[derive(Serialize, Deserialize, Zeroize)]
#[zeroize(drop)]
pub(super) struct SecretRecord(pub(super) Vec<u8>);

/// One of the server's own numbers.
#[derive(Serialize, Deserialize)]
pub(super) struct NumberRecord(pub(super) u64);

/// What all records of the other trees add up to.
#[derive(Serialize, Deserialize)]
pub(super) struct SumsRecord {
    /// The transactions that were made.
    pub(super) written: u64,
    pub(super) sum: u128,
}

impl Record for AccountRecord {
    const VERSION: u8 = 2;
}

impl Record for TokenEntry {
    const VERSION: u8 = 2;
}

impl Record for IndexRecord {}
impl Record for DirectoryRecord {}
impl Record for AccountTokens {}
impl Record for VaultRecord {}
impl Record for InviteRecord {}
impl Record for SecretRecord {}
impl Record for NumberRecord {}
impl Record for SumsRecord {}

/// Encodes a record to a value.
pub(super) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, StoreError> {
    let Ok(bytes) = bincode_options().serialized_size(record) else {
        return Err(StoreError::TooLong);
    };
    // Allocated once: growing would leave copies of secrets behind.
    let mut value = Vec::with_capacity(1 + bytes as usize);
    value.push(R::VERSION);
    bincode_options()
        .serialize_into(&mut value, record)
        .expect("the size was within the limit and a vector takes all");
    Ok(value)
}

/// Decodes a value to a record; `None` if it is not exactly one record of its type's version.
pub(super) fn decode<R: Record>(value: &[u8]) -> Option<R> {
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

/// Decodes a value of a tree with today's record type and encodes it again; `None` if it is no such record.
///
/// # Panics
/// For a tree that there is not.
#[cfg(any(test, feature = "test"))]
pub fn again(tree: &str, value: &[u8]) -> Option<Vec<u8>> {
    fn again<R: Record>(value: &[u8]) -> Option<Vec<u8>> {
        decode::<R>(value).map(|record| encode(&record).expect("what was decoded is not too long"))
    }

    match tree {
        "accounts" => again::<AccountRecord>(value),
        "names" => again::<IndexRecord>(value),
        "directory" => again::<DirectoryRecord>(value),
        "tokens" => again::<TokenEntry>(value),
        "account-tokens" => again::<AccountTokens>(value),
        "vaults" => again::<VaultRecord>(value),
        "invites" => again::<InviteRecord>(value),
        "secrets" => again::<SecretRecord>(value),
        "state" => again::<NumberRecord>(value),
        "sums" => again::<SumsRecord>(value),
        other => panic!("no tree of today: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrations::fixture::{self, Entry};

    #[test]
    fn today_s_records_are_those_of_the_fixture_byte_for_byte() {
        for Entry { tree, key, value } in fixture::parse(fixture::V3).unwrap() {
            let written = match tree.as_str() {
                migrations::META_TREE => migrations::VERSION.to_be_bytes().to_vec(),
                tree => again(tree, &value).unwrap(),
            };
            assert_eq!(written, value, "{tree} {key:02x?}");
        }
    }

    #[test]
    fn anything_but_exactly_one_record_is_refused() {
        let value = encode(&NumberRecord(7)).unwrap();
        assert_eq!(decode::<NumberRecord>(&value).unwrap().0, 7);
        for wrong in [&[][..], &value[..8], &[&value[..], &[0]].concat(), &[2; 9]] {
            assert!(decode::<NumberRecord>(wrong).is_none(), "{wrong:02x?}");
        }
        let endless = [&[1][..], &u64::MAX.to_le_bytes()].concat();
        assert!(decode::<SecretRecord>(&endless).is_none());
    }

    #[test]
    fn a_value_has_at_most_4096_bytes() {
        assert_eq!(encode(&SecretRecord(vec![0; 4087])).unwrap().len(), VALUE_BYTES_MAX);
        let refused = encode(&SecretRecord(vec![0; 4088]));
        assert!(matches!(refused, Err(StoreError::TooLong)));
    }
}
