//! Accounts: registration, login and sessions, between the frames of a connection and the store.
//!
//! Whether a name is known shows nowhere before the password is proved: an unknown name goes through
//! the same steps, at the same cost, to the same refusal.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_core::OsRng;
use thiserror::Error;
use wire::account::{SealedIdentity, SealedMaster, Stretching};
use wire::codec::Wire as _;
use wire::control::{
    LoginFinish, LoginReply, LoginStart, Page, Pull, Refusal, Refused, RegisterFinish,
    RegisterReply, RegisterStart, Registered,
};
use wire::directory::{Head, Record};
use wire::ids::{AccountIndex, Name, Token};
use wire::link::Pin;
use wire::login::{LoginContext, LoginServer, ServerLoginState};
use wire::size::{PAGE_RECORDS, SIGNATURE};

use crate::clock;
use crate::limits::{Attempt, Limits};
use crate::store::{
    Account, NewAccount, NewPassword, NewToken, ProofError, RegisterError, SledStore, Store as _,
    StoreError, TokenHash,
};

/// The cheapest stretching that Argon2 knows. The server takes whatever a client chose above it, since
/// it protects that client's password only; clients hold to a floor of their own.
const CHEAPEST: Stretching = Stretching { memory_kib: 8, passes: 1, lanes: 1 };

/// Argon2 wants this much memory for each lane, in KiB (RFC 9106, 3.1).
const KIB_PER_LANE: u32 = 8;

/// All accounts of the server, and its OPAQUE secrets.
pub struct Accounts {
    store: Arc<SledStore>,
    login: LoginServer,
    pin: Pin,
    limits: Arc<Limits>,
    /// Counts sign-ins, so that of two the newer one can be told.
    sign_ins: AtomicU64,
}

/// Why a request was not done.
#[derive(Debug, Error)]
pub enum AccountError {
    /// The client is told why; the connection goes on.
    #[error("refused: {0:?}")]
    Refused(Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A registration between its two steps. Until the account is stored it counts as a failed attempt:
/// a server that answered first steps for nothing would let anybody work through a list of passwords
/// for a name before its owner registers.
pub struct PendingRegistration {
    name: Name,
    attempt: Attempt,
}

/// A login between its two steps.
pub struct PendingLogin {
    state: ServerLoginState,
    name: Name,
    account: Option<Account>,
    attempt: Attempt,
}

/// An account that proved its password.
pub struct Proved(Account);

/// A session that began or was taken up again.
pub struct SignedIn {
    /// Who it is, for the rounds.
    pub member: Member,
    /// Token that takes the session up again.
    pub token: Token,
    /// When the token ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// The account's sealed master key.
    pub master: SealedMaster,
    /// The account's sealed identity.
    pub identity: SealedIdentity,
}

/// A session that wants a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its account, which has one seat at most.
    pub account: AccountIndex,
    /// Its token's digest: the same for a client that comes back.
    pub token: TokenHash,
    /// Its place among all sign-ins of this process; a newer one has a higher number.
    pub sign_in: u64,
}

impl Accounts {
    /// Takes up the store, its OPAQUE secrets, and the limits on guessing and registering.
    pub fn new(store: Arc<SledStore>, login: LoginServer, pin: Pin, limits: Limits) -> Self {
        Self { store, login, pin, limits: Arc::new(limits), sign_ins: AtomicU64::new(1) }
    }

    /// Returns the limits on guessing and registering.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns what a login over a connection with this exporter is bound to.
    pub fn context(&self, exporter: &[u8; 32]) -> LoginContext {
        LoginContext::new(self.pin, exporter)
    }

    /// First step of a registration. Computes for about 0.2 ms.
    ///
    /// # Errors
    /// [`AccountError`], for a taken name among others; nothing was stored.
    pub fn register_start(
        &self,
        request: &RegisterStart,
        address: IpAddr,
    ) -> Result<(PendingRegistration, RegisterReply), AccountError> {
        // Before the client computes for what would be refused.
        self.limits.may_register(address).map_err(slow_down)?;
        let attempt = self.limits.attempt(None, address).map_err(slow_down)?;
        if self.store.account(&request.name)?.is_some() {
            return Err(refused(Refusal::NameTaken));
        }
        let response = self.login.register(&request.name, &request.request);
        let response = response.map_err(|_| refused(Refusal::BadRequest))?;
        Ok((PendingRegistration { name: request.name, attempt }, RegisterReply { response }))
    }

    /// Checks the second step of a registration against the first. Computes for about 0.3 ms.
    ///
    /// # Errors
    /// [`AccountError::Refused`] if something in it does not verify.
    pub fn register_check(
        &self,
        pending: &PendingRegistration,
        finish: &RegisterFinish,
    ) -> Result<NewAccount, AccountError> {
        let name = pending.name;
        let bad = || refused(Refusal::BadRequest);
        let RegisterFinish { upload, stretching, master, identity, record } = finish;
        if record.name != name || record.verify().is_err() || !is_possible(stretching) {
            return Err(bad());
        }
        let password_file = LoginServer::password_record(upload).map_err(|_| bad())?.to_vec();
        let mut directory_record = [0; wire::size::RECORD];
        record.encode_into(&mut directory_record);
        Ok(NewAccount {
            name,
            password: NewPassword {
                password_file,
                stretching: *stretching,
                sealed_master: *master,
                sealed_identity: *identity,
            },
            directory_record,
            created_ms: clock::unix_ms(),
        })
    }

    /// Stores a checked account.
    ///
    /// # Errors
    /// [`AccountError`], for a name that was taken meanwhile or too many accounts of the address; nothing was stored.
    pub async fn register(
        &self,
        pending: PendingRegistration,
        account: NewAccount,
    ) -> Result<Registered, AccountError> {
        pending.attempt.register().map_err(slow_down)?;
        match self.store.register(account, None).await {
            Ok(index) => {
                pending.attempt.succeed();
                Ok(Registered { index })
            }
            Err(RegisterError::NameTaken) => Err(refused(Refusal::NameTaken)),
            Err(RegisterError::InviteInvalid) => Err(refused(Refusal::InviteInvalid)),
            Err(RegisterError::Full) => Err(refused(Refusal::DirectoryFull)),
            Err(RegisterError::Store(error)) => Err(error.into()),
        }
    }

    /// First step of a login. Computes for about 0.8 ms.
    ///
    /// # Errors
    /// [`AccountError`]; none of them tells whether the name is known.
    pub fn login_start(
        &self,
        request: &LoginStart,
        address: IpAddr,
        context: &LoginContext,
    ) -> Result<(PendingLogin, LoginReply), AccountError> {
        let name = request.name;
        let attempt = self.limits.attempt(Some(name), address).map_err(slow_down)?;
        let account = self.store.account(&name)?;
        let record = account.as_ref().map(|account| account.password_file.as_slice());
        let started = self.login.login(&name, record, &request.request, context, &mut OsRng);
        let (state, response) = started.map_err(|_| refused(Refusal::BadRequest))?;
        let stretching = account.as_ref().map_or(Stretching::STANDARD, |known| known.stretching);
        let pending = PendingLogin { state, name, account, attempt };
        Ok((pending, LoginReply { response, stretching }))
    }

    /// Second step of a login.
    ///
    /// # Errors
    /// [`AccountError`]: wrong credentials, or a disabled account whose password was right.
    pub fn login_finish(
        &self,
        pending: PendingLogin,
        request: &LoginFinish,
        context: &LoginContext,
    ) -> Result<Proved, AccountError> {
        let PendingLogin { state, name, account, attempt } = pending;
        let proved = state.finish(&name, &request.finalization, context);
        let (Ok(()), Some(account)) = (proved, account) else {
            return Err(refused(Refusal::WrongCredentials));
        };
        attempt.succeed();
        if account.disabled { Err(refused(Refusal::Disabled)) } else { Ok(Proved(account)) }
    }

    /// Begins a session, whose token supersedes all older ones of the account.
    ///
    /// # Errors
    /// [`AccountError`]: the account was deleted or its password changed since it was proved.
    pub async fn begin(&self, proved: Proved, token_ms: u64) -> Result<SignedIn, AccountError> {
        let Proved(account) = proved;
        let (token, now_ms) = (Token::random(&mut OsRng), clock::unix_ms());
        let expires_ms = now_ms.saturating_add(token_ms);
        let new = NewToken { hash: token.digest(), created_ms: now_ms, expires_ms };
        self.store.add_token(account.proved(), new).await?;
        // Drawn after the older tokens are superseded, and by `resume` before it looks: so no
        // superseded session is ever the newer one.
        let sign_in = self.sign_ins.fetch_add(1, Ordering::SeqCst);
        Ok(signed_in(&account, token, expires_ms, sign_in))
    }

    /// Takes up a session again.
    ///
    /// # Errors
    /// [`AccountError`]: the token has ended or is superseded, or the account is disabled.
    pub fn resume(&self, token: &Token) -> Result<SignedIn, AccountError> {
        let sign_in = self.sign_ins.fetch_add(1, Ordering::SeqCst);
        let ended = || refused(Refusal::TokenEnded);
        let record = self.store.token(&token.digest())?.ok_or_else(ended)?;
        if record.expires_ms <= clock::unix_ms() {
            return Err(ended());
        }
        if record.superseded {
            return Err(refused(Refusal::TokenSuperseded));
        }
        let account = self.store.account_by_index(record.account)?.ok_or_else(ended)?;
        if account.disabled {
            return Err(refused(Refusal::Disabled));
        }
        Ok(signed_in(&account, token.duplicate(), record.expires_ms, sign_in))
    }

    /// Tells whether a session's token still stands: neither signed out nor superseded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_current(&self, member: &Member) -> Result<bool, StoreError> {
        Ok(self.store.token(&member.token)?.is_some_and(|record| !record.superseded))
    }

    /// Forgets a session's token.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn sign_out(&self, member: &Member) -> Result<(), AccountError> {
        Ok(self.store.remove_token(member.token).await?)
    }

    /// Returns the directory's length and the head at that length.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn directory(&self) -> Result<(u32, Head), StoreError> {
        let length = self.store.directory_len();
        Ok((length, self.head_at(length)?))
    }

    /// Reads the pages that a request asks for, exactly as many; those past the end are empty.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pages(&self, pull: Pull) -> Result<Vec<Page>, StoreError> {
        let length = self.store.directory_len();
        let mut from = pull.from.min(length);
        let mut pages = Vec::with_capacity(pull.pages.into());
        for _ in 0..pull.pages {
            let page = self.page(from, length)?;
            from += u32::try_from(page.records.len()).expect("a page has at most five records");
            pages.push(page);
        }
        Ok(pages)
    }

    fn page(&self, from: u32, length: u32) -> Result<Page, StoreError> {
        let most = PAGE_RECORDS.min((length - from) as usize);
        let entries = self.store.directory(from, most)?;
        let head = match entries.last() {
            Some(last) => last.head,
            None => self.head_at(from)?,
        };
        let damaged =
            |_| StoreError::Fatal("the directory is damaged; put a backup in its place".into());
        let records = entries.iter().map(|entry| Record::decode(&entry.record));
        let records = records.collect::<Result<_, _>>().map_err(damaged)?;
        Ok(Page { from, length, head, signature: [0; SIGNATURE], records })
    }

    /// Returns the head after `length` records.
    fn head_at(&self, length: u32) -> Result<Head, StoreError> {
        let Some(last) = length.checked_sub(1) else { return Ok(Head::EMPTY) };
        let entries = self.store.directory(last, 1)?;
        Ok(entries.first().map_or(Head::EMPTY, |entry| entry.head))
    }
}

impl From<ProofError> for AccountError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Stale => refused(Refusal::WrongCredentials),
            ProofError::Store(error) => error.into(),
        }
    }
}

fn signed_in(account: &Account, token: Token, expires_ms: u64, sign_in: u64) -> SignedIn {
    SignedIn {
        member: Member { account: account.index, token: token.digest(), sign_in },
        token,
        expires_ms,
        master: account.sealed_master,
        identity: account.sealed_identity,
    }
}

fn is_possible(stretching: &Stretching) -> bool {
    stretching.is_within(&CHEAPEST) && stretching.memory_kib / KIB_PER_LANE >= stretching.lanes
}

fn refused(why: Refusal) -> AccountError {
    AccountError::Refused(Refused { why, retry_ms: 0 })
}

fn slow_down(wait: Duration) -> AccountError {
    let retry_ms = clock::millis(wait).max(1);
    AccountError::Refused(Refused { why: Refusal::SlowDown, retry_ms })
}

#[cfg(test)]
mod tests;
