//! The server's own keys and numbers.

use wire::restore::RESTORE_MS_MAX;
use wire::size::RESTORES_MAX;
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

/// The numbers of each restore, the oldest first: when the backup was made, when it was put back, and how long the
/// directory was.
const RESTORES: [[&str; 3]; RESTORES_MAX] = [
    ["restore-1-backed-up-ms", "restore-1-ms", "restore-1-length"],
    ["restore-2-backed-up-ms", "restore-2-ms", "restore-2-length"],
    ["restore-3-backed-up-ms", "restore-3-ms", "restore-3-length"],
    ["restore-4-backed-up-ms", "restore-4-ms", "restore-4-length"],
];

/// The latest time that is taken from a clock for a restore, 1 January 2200: each further one is later by 1 ms at
/// least, and has to fit.
const RESTORED_MS_MAX: u64 = 7_258_118_400_000;

const _: () = assert!(RESTORED_MS_MAX < RESTORE_MS_MAX / 2);

/// A backup that the store was put back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Restored {
    /// When the backup was made, in Unix milliseconds.
    pub(super) backed_up_ms: u64,
    /// When it was put back, in Unix milliseconds; later than any restore before it.
    pub(super) restored_ms: u64,
    /// Records that the directory had then.
    pub(super) directory_len: u32,
}

impl Restored {
    /// Tells whether clients can be told of it, and of further ones after it.
    pub(super) fn fits(&self) -> bool {
        self.backed_up_ms.max(self.restored_ms) <= RESTORE_MS_MAX / 2
    }
}

/// Tells whether a number is one of those of restores.
pub(super) fn is_of_restore(key: &[u8]) -> bool {
    RESTORES.as_flattened().iter().any(|number| number.as_bytes() == key)
}

/// Tells whether the server has a number of this name.
pub(super) fn is_number(key: &[u8]) -> bool {
    let numbers = [GENESIS_MS, ROUND_MS, ROUNDS_RESERVED, DELETIONS];
    numbers.iter().any(|number| number.as_bytes() == key) || is_of_restore(key)
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

/// Reads what the store was restored from, the oldest first; nothing if it never was.
pub(super) fn restored(trees: &Trees) -> Result<Vec<Restored>, StoreError> {
    let mut restores = Vec::new();
    for [backed_up, restored, length] in RESTORES {
        let numbers = (number(trees, backed_up)?, number(trees, restored)?, number(trees, length)?);
        let (Some(backed_up_ms), Some(restored_ms), Some(directory_len)) = numbers else { break };
        let directory_len = u32::try_from(directory_len).map_err(|_| undecodable(Tree::State))?;
        restores.push(Restored { backed_up_ms, restored_ms, directory_len });
    }
    Ok(restores)
}

/// Returns the restores of a store with one more, which is of a backup that has the others in it.
///
/// Of too many the two oldest become one, which goes back as far as the first and came when the second did: it serves
/// who knows neither, and who knows the first alone fetches a little more than he would have to.
pub(super) fn with_one_more(
    mut restores: Vec<Restored>,
    backed_up_ms: u64,
    now_ms: u64,
    directory_len: u32,
) -> Vec<Restored> {
    let earliest = restores.last().map_or(0, |last| last.restored_ms + 1);
    let restored_ms = now_ms.min(RESTORED_MS_MAX).max(earliest);
    let backed_up_ms = backed_up_ms.min(RESTORED_MS_MAX);
    if restores.len() == RESTORES_MAX {
        let oldest = restores.remove(0);
        restores[0] = Restored { restored_ms: restores[0].restored_ms, ..oldest };
    }
    restores.push(Restored { backed_up_ms, restored_ms, directory_len });
    restores
}

/// Writes what the store was restored from, and reserves the rounds that were opened since.
pub(super) fn set_restored(
    trees: &Trees,
    restores: &[Restored],
    reserved: u64,
) -> Result<(), StoreError> {
    let mut numbers = vec![(ROUNDS_RESERVED, reserved)];
    for (names, restore) in RESTORES.into_iter().zip(restores) {
        let Restored { backed_up_ms, restored_ms, directory_len } = *restore;
        numbers.extend(names.into_iter().zip([backed_up_ms, restored_ms, directory_len.into()]));
    }
    let put = |(name, number)| Change::put(Tree::State, name, &NumberRecord(number));
    trees.apply(&numbers.into_iter().map(put).collect::<Result<Vec<_>, _>>()?)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(backed_up_ms: u64, restored_ms: u64, directory_len: u32) -> Restored {
        Restored { backed_up_ms, restored_ms, directory_len }
    }

    #[test]
    fn restores_are_in_order_whatever_the_clock_says() {
        let mut restores = Vec::new();
        for (now_ms, restored_ms) in
            [(50, 50), (40, 51), (u64::MAX, RESTORED_MS_MAX), (60, RESTORED_MS_MAX + 1)]
        {
            restores = with_one_more(restores, u64::MAX, now_ms, 7);
            assert_eq!(restores.last(), Some(&restored(RESTORED_MS_MAX, restored_ms, 7)));
        }
    }

    #[test]
    fn of_too_many_restores_the_oldest_goes_into_the_one_behind_it() {
        let mut restores = Vec::new();
        for number in 1..=6 {
            restores = with_one_more(restores, number, 10 * number, 100 * number as u32);
        }
        let kept = [restored(1, 30, 100), restored(4, 40, 400), restored(5, 50, 500)];
        assert_eq!(restores[..3], kept);
        assert_eq!(restores[3..], [restored(6, 60, 600)]);
    }
}
