//! A change of password: the new one takes the place of the old, and of every session.

use super::StoreError;
use super::account::{self, NewPassword, ProofError, ProvedAccount};
use super::record::{AccountRecord, encode};
use super::token::{self, NewToken};
use super::trees::{Change, Tree, Trees};

/// Puts the new password, removes all tokens of the account and adds the new one. Runs on the store
/// thread.
pub(super) fn change(
    trees: &Trees,
    proved: ProvedAccount,
    password: NewPassword,
    token: NewToken,
) -> Result<Result<(), ProofError>, StoreError> {
    let Some(old) = account::record_of(trees, proved)? else {
        return Ok(Err(ProofError::Stale));
    };
    let record = AccountRecord {
        password_file: password.password_file,
        memory_kib: password.stretching.memory_kib,
        passes: password.stretching.passes,
        lanes: password.stretching.lanes,
        sealed_master: password.sealed_master.0,
        sealed_identity: password.sealed_identity.0,
        password_changes: old.password_changes.wrapping_add(1),
        ..old
    };
    // The client sent it: too long is an answer, not a failure of the store.
    let account = match encode(&record) {
        Ok(account) => account,
        Err(error) => return Ok(Err(error.into())),
    };
    let index = proved.index.0;
    let mut changes = vec![Change::put_encoded(Tree::Accounts, index.to_be_bytes(), &account)];
    changes.extend(token::replace_all(trees, index, token)?);
    trees.apply(&changes)?;
    Ok(Ok(()))
}
