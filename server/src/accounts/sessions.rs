//! The sessions of one account: which there are, and the end of one.

use wire::control::SessionInfo;
use wire::ids::SessionId;

use super::{AccountError, Accounts, Member, bad_request};
use crate::clock;
use crate::store::{Store as _, StoreError, TokenHash, TokenInfo};

impl Accounts {
    /// Returns the account's sessions, oldest first, without those whose time is over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sessions(&self, member: &Member) -> Result<Vec<SessionInfo>, StoreError> {
        let now_ms = clock::unix_ms();
        let info = |TokenInfo { hash, created_ms, expires_ms, superseded }| SessionInfo {
            id: SessionId::of(&hash),
            created_ms,
            expires_ms,
            current: hash == member.token,
            superseded,
        };
        let all = self.store.sessions(member.account)?.into_iter().map(info);
        Ok(all.filter(|session| session.current || session.expires_ms > now_ms).collect())
    }

    /// Forgets the token of another session of the account; returns the token's digest.
    ///
    /// # Errors
    /// [`AccountError`]: there is no such session, or it is the one that asks, which signs out instead.
    pub async fn end_session(
        &self,
        member: &Member,
        session: SessionId,
    ) -> Result<TokenHash, AccountError> {
        if session == SessionId::of(&member.token) {
            return Err(bad_request());
        }
        let ended = self.store.end_session(member.account, session).await?;
        ended.ok_or_else(bad_request)
    }

    /// Tells whether a token's session is still known, superseded or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_known(&self, token: &TokenHash) -> Result<bool, StoreError> {
        Ok(self.store.token(token)?.is_some())
    }
}
