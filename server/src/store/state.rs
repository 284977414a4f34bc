//! The server's own keys and numbers.

use zeroize::Zeroizing;

use super::StoreError;
use super::record::{NumberRecord, SecretRecord, encode};
use super::trees::{Change, Tree, Trees, undecodable};

/// A key that the server keeps, at most 4,087 bytes.
///
/// The store erases its own copies. sled's cache and log hold them in the clear: who reads the data
/// directory is the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// The private key and certificate whose pin the link carries.
    RootKey,
    /// The OPAQUE server setup.
    OpaqueSetup,
    /// QUIC's stateless reset key.
    ResetKey,
    /// The key of QUIC's connection ids.
    ConnectionIdKey,
}

impl SecretKind {
    fn key(self) -> &'static str {
        match self {
            Self::RootKey => "root-key",
            Self::OpaqueSetup => "opaque-setup",
            Self::ResetKey => "reset-key",
            Self::ConnectionIdKey => "connection-id-key",
        }
    }
}

/// Why rounds were not reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// More rounds are reserved already; a reservation never goes back.
    #[error("rounds are reserved up to {reserved} already, not only up to {asked}")]
    GoesBack {
        /// The end of the reserved block.
        reserved: u64,
        /// The end that was asked for.
        asked: u64,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const GENESIS_MS: &str = "genesis-ms";
const ROUNDS_RESERVED: &str = "rounds-reserved";

/// Reads one of the server's keys.
pub(super) fn secret(
    trees: &Trees,
    kind: SecretKind,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let record: Option<SecretRecord> = trees.get(Tree::Secrets, kind.key())?;
    Ok(record.map(|mut record| Zeroizing::new(std::mem::take(&mut record.0))))
}

/// Encodes keys, and refuses one that is too long, before they reach the store thread.
pub(super) fn secret_changes(
    secrets: Vec<(SecretKind, Zeroizing<Vec<u8>>)>,
) -> Result<Vec<Change>, StoreError> {
    let change = |(kind, mut secret): (SecretKind, Zeroizing<Vec<u8>>)| {
        let record = SecretRecord(std::mem::take(&mut *secret));
        let value = Zeroizing::new(encode(&record)?);
        Ok(Change::put_encoded(Tree::Secrets, kind.key(), &value))
    };
    secrets.into_iter().map(change).collect()
}

/// Reads when the store was made.
pub(super) fn genesis_ms(trees: &Trees) -> Result<u64, StoreError> {
    number(trees, GENESIS_MS)?.ok_or_else(|| undecodable(Tree::State))
}

/// Writes when the store was made.
pub(super) fn set_genesis_ms(trees: &Trees, now_ms: u64) -> Result<(), StoreError> {
    trees.apply(&[Change::put(Tree::State, GENESIS_MS, &NumberRecord(now_ms))?])
}

/// Reads the end of the reserved rounds.
pub(super) fn rounds_reserved(trees: &Trees) -> Result<u64, StoreError> {
    Ok(number(trees, ROUNDS_RESERVED)?.unwrap_or(0))
}

/// Reserves rounds. Runs on the store thread.
pub(super) fn reserve_rounds(
    trees: &Trees,
    end: u64,
) -> Result<Result<(), ReserveError>, StoreError> {
    let reserved = rounds_reserved(trees)?;
    if end < reserved {
        return Ok(Err(ReserveError::GoesBack { reserved, asked: end }));
    }
    trees.apply(&[Change::put(Tree::State, ROUNDS_RESERVED, &NumberRecord(end))?])?;
    Ok(Ok(()))
}

fn number(trees: &Trees, key: &str) -> Result<Option<u64>, StoreError> {
    Ok(trees.get::<NumberRecord>(Tree::State, key)?.map(|number| number.0))
}
