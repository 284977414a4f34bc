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
    /// All kinds.
    pub const ALL: [Self; 4] =
        [Self::RootKey, Self::OpaqueSetup, Self::ResetKey, Self::ConnectionIdKey];

    /// Returns the name that the key has in the store.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::RootKey => "root-key",
            Self::OpaqueSetup => "opaque-setup",
            Self::ResetKey => "reset-key",
            Self::ConnectionIdKey => "connection-id-key",
        }
    }
}

/// What round numbers count from. It never changes: clients would refuse the numbers that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When the store was made, in Unix milliseconds.
    pub genesis_ms: u64,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
}

/// Why rounds were not reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// More rounds are reserved already; a reservation never goes back.
    #[error(
        "rounds are reserved up to {reserved} already, not only up to {asked}; start the server again, \
         and report this if it comes again"
    )]
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
const ROUND_MS: &str = "round-ms";
const ROUNDS_RESERVED: &str = "rounds-reserved";
const DELETIONS: &str = "deletions";
const BACKED_UP_MS: &str = "backed-up-ms";
const RESTORED_LEN: &str = "restored-len";

/// The names of all numbers.
pub(super) const NUMBERS: [&str; 6] =
    [GENESIS_MS, ROUND_MS, ROUNDS_RESERVED, DELETIONS, BACKED_UP_MS, RESTORED_LEN];

/// What a store knows of the backup that it was restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made, in Unix milliseconds.
    pub backed_up_ms: u64,
    /// Records that the directory had then.
    pub directory_len: u32,
}

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

/// Reads what round numbers count from.
pub(super) fn origin(trees: &Trees) -> Result<Origin, StoreError> {
    let damaged = || undecodable(Tree::State);
    let genesis_ms = number(trees, GENESIS_MS)?.ok_or_else(damaged)?;
    let round_ms = number(trees, ROUND_MS)?.ok_or_else(damaged)?;
    Ok(Origin { genesis_ms, round_ms: u32::try_from(round_ms).map_err(|_| damaged())? })
}

/// Writes what round numbers count from.
pub(super) fn set_origin(trees: &Trees, origin: Origin) -> Result<(), StoreError> {
    let Origin { genesis_ms, round_ms } = origin;
    trees.apply(&[
        Change::put(Tree::State, GENESIS_MS, &NumberRecord(genesis_ms))?,
        Change::put(Tree::State, ROUND_MS, &NumberRecord(round_ms.into()))?,
    ])
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

/// Reads what the store was restored from; `None` if it never was.
pub(super) fn restored(trees: &Trees) -> Result<Option<Restored>, StoreError> {
    let numbers = (number(trees, BACKED_UP_MS)?, number(trees, RESTORED_LEN)?);
    let (Some(backed_up_ms), Some(directory_len)) = numbers else { return Ok(None) };
    let directory_len = u32::try_from(directory_len).map_err(|_| undecodable(Tree::State))?;
    Ok(Some(Restored { backed_up_ms, directory_len }))
}

/// Writes what the store was restored from, and reserves the rounds that were opened since.
pub(super) fn set_restored(
    trees: &Trees,
    restored: Restored,
    reserved: u64,
) -> Result<(), StoreError> {
    let Restored { backed_up_ms, directory_len } = restored;
    trees.apply(&[
        Change::put(Tree::State, BACKED_UP_MS, &NumberRecord(backed_up_ms))?,
        Change::put(Tree::State, RESTORED_LEN, &NumberRecord(directory_len.into()))?,
        Change::put(Tree::State, ROUNDS_RESERVED, &NumberRecord(reserved))?,
    ])
}

/// Reads how many accounts were deleted, whether durable or not.
pub(super) fn deletions(trees: &Trees) -> Result<u32, StoreError> {
    let deletions = number(trees, DELETIONS)?.unwrap_or(0);
    u32::try_from(deletions).map_err(|_| undecodable(Tree::State))
}

/// Returns the change that counts one more deletion.
pub(super) fn one_more_deletion(trees: &Trees) -> Result<Change, StoreError> {
    let deletions = u64::from(deletions(trees)?) + 1;
    Change::put(Tree::State, DELETIONS, &NumberRecord(deletions))
}

fn number(trees: &Trees, key: &str) -> Result<Option<u64>, StoreError> {
    Ok(trees.get::<NumberRecord>(Tree::State, key)?.map(|number| number.0))
}
