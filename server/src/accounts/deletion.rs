//! The deletion of an account, by who is signed in and knows the password.

use std::net::IpAddr;

use wire::codec::Wire as _;
use wire::control::{DeleteFinish, DeleteStart, LoginReply, Refusal};
use wire::directory::Record;
use wire::ids::AccountIndex;
use wire::login::LoginContext;
use wire::size;

use super::{AccountError, Accounts, Member, PendingLogin, bad_request, refused};
use crate::store::{DeleteError, ProvedAccount, Store as _, StoreError};

/// A deletion between its two steps.
pub struct PendingDeletion(PendingLogin);

/// A deletion whose password was proved and whose record is the account's own.
pub struct ProvedDeletion {
    account: ProvedAccount,
    record: [u8; size::RECORD],
}

impl Accounts {
    /// First step of a deletion. Computes for about 0.8 ms.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn delete_start(
        &self,
        member: &Member,
        request: &DeleteStart,
        address: IpAddr,
        context: &LoginContext,
    ) -> Result<(PendingDeletion, LoginReply), AccountError> {
        let (pending, reply) = self.challenge_member(member, &request.login, address, context)?;
        Ok((PendingDeletion(pending), reply))
    }

    /// Checks the second step of a deletion against the first: the password, and that the account's own key
    /// signed the record.
    ///
    /// # Errors
    /// [`AccountError`]: wrong credentials, or a record that deletes something else.
    pub fn delete_check(
        &self,
        pending: PendingDeletion,
        finish: &DeleteFinish,
        context: &LoginContext,
    ) -> Result<ProvedDeletion, AccountError> {
        let account = pending.0.prove(&finish.finalization, context)?;
        let record = &finish.record;
        let registered = self.registered(account.index)?;
        let is_own = record.name == account.name && record.signing == registered.signing;
        if !is_own || !record.is_deletion() || record.verify().is_err() {
            return Err(bad_request());
        }
        let mut bytes = [0; size::RECORD];
        record.encode_into(&mut bytes);
        Ok(ProvedDeletion { account: account.proved(), record: bytes })
    }

    /// Deletes the account with all of its sessions.
    ///
    /// # Errors
    /// [`AccountError`]: the account was deleted or its password changed since it was proved.
    pub async fn delete(&self, deletion: ProvedDeletion) -> Result<(), AccountError> {
        let ProvedDeletion { account, record } = deletion;
        match self.store.delete_account(account, record).await {
            Ok(()) => Ok(()),
            Err(DeleteError::Stale) => Err(refused(Refusal::WrongCredentials)),
            Err(DeleteError::Full) => Err(refused(Refusal::DirectoryFull)),
            Err(DeleteError::Store(error)) => Err(error.into()),
        }
    }

    /// Returns the record that an account was registered with.
    fn registered(&self, account: AccountIndex) -> Result<Record, StoreError> {
        let entries = self.store.directory(account.0, 1)?;
        let record = entries.first().and_then(|entry| Record::decode(&entry.record).ok());
        let damaged = "an account has no record in the directory; put a backup in its place";
        record.ok_or_else(|| StoreError::Fatal(damaged.into()))
    }
}
