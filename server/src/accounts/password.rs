//! A change of password, by who is signed in and knows the old one.

use std::net::IpAddr;

use rand_core::OsRng;
use wire::control::{ChangeFinish, ChangeReply, ChangeStart, Changed};
use wire::ids::Token;
use wire::login::LoginContext;

use super::{AccountError, Accounts, Member, PendingLogin, bad_request, new_password};
use crate::clock;
use crate::store::{NewPassword, NewToken, ProvedAccount, Store as _};

/// A change of password between its two steps.
pub struct PendingChange(PendingLogin);

/// A change of password whose old one was proved.
pub struct ProvedChange {
    account: ProvedAccount,
    password: NewPassword,
}

impl Accounts {
    /// First step of a change of password. Computes for about 1 ms.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn change_start(
        &self,
        member: &Member,
        request: &ChangeStart,
        address: IpAddr,
        context: &LoginContext,
    ) -> Result<(PendingChange, ChangeReply), AccountError> {
        let (pending, login) = self.challenge_member(member, &request.login, address, context)?;
        let registration = self.login.register(&pending.name, &request.registration);
        let registration = registration.map_err(|_| bad_request())?;
        Ok((PendingChange(pending), ChangeReply { login, registration }))
    }

    /// Checks the second step of a change of password against the first.
    ///
    /// # Errors
    /// [`AccountError`]: wrong credentials, or something in it does not verify.
    pub fn change_check(
        &self,
        pending: PendingChange,
        finish: &ChangeFinish,
        context: &LoginContext,
    ) -> Result<ProvedChange, AccountError> {
        let account = pending.0.prove(&finish.finalization, context)?.proved();
        let ChangeFinish { upload, stretching, master, identity, .. } = finish;
        let password = new_password(upload, stretching, master, identity)?;
        Ok(ProvedChange { account, password })
    }

    /// Puts the new password in place of the old one, and a new token in place of all of the account; returns
    /// the session under that token.
    ///
    /// # Errors
    /// [`AccountError`]: the account was deleted or its password changed since it was proved.
    pub async fn change(
        &self,
        member: &Member,
        change: ProvedChange,
        token_ms: u64,
    ) -> Result<(Member, Changed), AccountError> {
        let ProvedChange { account, password } = change;
        let (token, created_ms) = (Token::random(&mut OsRng), clock::unix_ms());
        let expires_ms = created_ms.saturating_add(token_ms);
        let hash = token.digest();
        let new = NewToken { hash, created_ms, expires_ms };
        self.store.change_password(account, password, new).await?;
        Ok((Member { token: hash, ..*member }, Changed { token, expires_ms }))
    }
}
