//! Invites, of which the store knows only the hash. Each is good for one registration.

use wire::size;

use super::StoreError;
use super::record::InviteRecord;
use super::trees::{Change, Tree, Trees};

/// The invites that may wait to be used.
pub const INVITES_MAX: usize = 4096;

/// SHA-256 of an invite's code, 32 bytes.
pub type InviteHash = [u8; size::HASH];

/// Why invites were not added. Nothing was written, unless the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// There would be more than [`INVITES_MAX`].
    #[error(
        "{waiting} invites wait to be used, and {INVITES_MAX} may: make fewer, or wait until some \
         are used or expire"
    )]
    TooMany {
        /// The invites that there are, without expired ones.
        waiting: usize,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns when an invite ends, if there is one.
pub(super) fn expires_ms(trees: &Trees, hash: &InviteHash) -> Result<Option<u64>, StoreError> {
    Ok(trees.get::<InviteRecord>(Tree::Invites, hash)?.map(|invite| invite.expires_ms))
}

/// Tells whether an invite is good for a registration, and drops it if it expired. Runs on the store
/// thread.
pub(super) fn stands(trees: &Trees, hash: &InviteHash, now_ms: u64) -> Result<bool, StoreError> {
    let Some(expires_ms) = expires_ms(trees, hash)? else { return Ok(false) };
    if expires_ms > now_ms {
        return Ok(true);
    }
    trees.apply(&[Change::remove(Tree::Invites, hash)])?;
    Ok(false)
}

/// Adds invites and drops the expired ones. Runs on the store thread.
pub(super) fn add(
    trees: &Trees,
    hashes: &[InviteHash],
    expires_ms: u64,
    now_ms: u64,
) -> Result<Result<(), InviteError>, StoreError> {
    let mut changes = Vec::new();
    let mut waiting = 0;
    for read in trees.all::<InviteRecord>(Tree::Invites) {
        let (hash, invite) = read?;
        if invite.expires_ms > now_ms {
            waiting += 1;
        } else {
            changes.push(Change::remove(Tree::Invites, hash));
        }
    }
    if waiting + hashes.len() > INVITES_MAX {
        return Ok(Err(InviteError::TooMany { waiting }));
    }
    for hash in hashes {
        changes.push(Change::put(Tree::Invites, hash, &InviteRecord { expires_ms })?);
    }
    trees.apply(&changes)?;
    Ok(Ok(()))
}
