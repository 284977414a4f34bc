//! Accounts: registration, login and sessions, between the frames of a connection and the store.
//!
//! Whether a name is known shows nowhere before the password is proved: an unknown name goes through
//! the same steps, at the same cost, to the same refusal.

mod deletion;
mod directory;
mod password;
mod sessions;
mod vault;

pub use deletion::{PendingDeletion, ProvedDeletion};
pub use directory::{SIGNATURES_MAX, SignedHead};
pub use password::{PendingChange, ProvedChange};
pub use vault::Put;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_core::OsRng;
use thiserror::Error;
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::codec::Wire as _;
use wire::control::{
    LoginFinish, LoginReply, LoginStart, Refusal, Refused, RegisterFinish, RegisterReply,
    RegisterStart, Registered,
};
use wire::ids::{AccountIndex, Name, Token};
use wire::link::Pin;
use wire::login::{LoginContext, LoginServer, ServerLoginState};
use wire::restore::RestoreNotice;
use wire::size::{CREDENTIAL_FINALIZATION, CREDENTIAL_REQUEST, REGISTRATION_UPLOAD};

use crate::clock;
use crate::config::Registration;
use crate::identity::RootKey;
use crate::limits::{Attempt, Limits};
use crate::store::{
    Account, InviteHash, NewAccount, NewPassword, NewToken, ProofError, RegisterError, SledStore,
    Store as _, StoreError, TokenHash,
};
use directory::Notary;

/// The cheapest stretching that Argon2 knows. The server takes whatever a client chose above it, since
/// it protects that client's password only; clients hold to a floor of their own.
const CHEAPEST: Stretching = Stretching { memory_kib: 8, passes: 1, lanes: 1 };

/// Argon2 wants this much memory for each lane, in KiB (RFC 9106, 3.1).
const KIB_PER_LANE: u32 = 8;

/// All accounts of the server, its OPAQUE secrets, and the key that signs their directory.
pub struct Accounts {
    store: Arc<SledStore>,
    login: LoginServer,
    pin: Pin,
    notary: Notary,
    registration: Mutex<Registration>,
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
/// for a name before its owner registers, or through invitation codes.
pub struct PendingRegistration {
    name: Name,
    invite: Invite,
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

/// Whether a session's token still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the newest of its account.
    Current,
    /// A newer sign-in took its place.
    Superseded,
    /// It was signed out or ended.
    Ended,
}

impl Accounts {
    /// Takes up the store, the server's secrets, what it was restored from, who may register, and the limits on
    /// guessing and registering.
    pub fn new(
        store: Arc<SledStore>,
        login: LoginServer,
        root: RootKey,
        restores: Vec<RestoreNotice>,
        registration: Registration,
        limits: Limits,
    ) -> Self {
        Self {
            store,
            login,
            pin: Pin(root.pin()),
            notary: Notary::new(root, restores),
            registration: Mutex::new(registration),
            limits: Arc::new(limits),
            sign_ins: AtomicU64::new(1),
        }
    }

    /// Returns who may register.
    pub fn registration(&self) -> Registration {
        *self.registration.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes who may register, also for registrations that have begun.
    pub fn set_registration(&self, registration: Registration) {
        *self.registration.lock().unwrap_or_else(PoisonError::into_inner) = registration;
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
        let admission = self.admission(&request.invite)?;
        self.limits.may_register(address).map_err(slow_down)?;
        let attempt = self.limits.attempt(None, address).map_err(slow_down)?;
        // Before the name: who has no code learns nothing of names.
        if let Some(invite) = admission
            && self.store.invite(&invite)?.is_none_or(|expires_ms| expires_ms <= clock::unix_ms())
        {
            return Err(refused(Refusal::InviteInvalid));
        }
        if self.store.account(&request.name)?.is_some() {
            return Err(refused(Refusal::NameTaken));
        }
        let response = self.login.register(&request.name, &request.request);
        let response = response.map_err(|_| bad_request())?;
        let RegisterStart { name, invite, .. } = *request;
        Ok((PendingRegistration { name, invite, attempt }, RegisterReply { response }))
    }

    /// Returns the invite that a registration uses up, if it needs one.
    fn admission(&self, invite: &Invite) -> Result<Option<InviteHash>, AccountError> {
        match self.registration() {
            Registration::Open => Ok(None),
            Registration::Closed => Err(refused(Refusal::RegistrationClosed)),
            Registration::Invite if *invite == Invite::NONE => Err(refused(Refusal::InviteNeeded)),
            Registration::Invite => Ok(Some(invite.digest())),
        }
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
        let RegisterFinish { upload, stretching, master, identity, record } = finish;
        if record.name != name || record.is_deletion() || record.verify().is_err() {
            return Err(bad_request());
        }
        let password = new_password(upload, stretching, master, identity)?;
        let mut directory_record = [0; wire::size::RECORD];
        record.encode_into(&mut directory_record);
        Ok(NewAccount { name, password, directory_record, created_ms: clock::unix_ms() })
    }

    /// Stores a checked account, and uses up its invite.
    ///
    /// # Errors
    /// [`AccountError`], for a name that was taken or an invite that was used meanwhile, or too many accounts
    /// of the address; nothing was stored.
    pub async fn register(
        &self,
        pending: PendingRegistration,
        account: NewAccount,
    ) -> Result<Registered, AccountError> {
        let admission = self.admission(&pending.invite)?;
        pending.attempt.register().map_err(slow_down)?;
        match self.store.register(account, admission).await {
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
        self.challenge(name, account, attempt, &request.request, context)
    }

    /// First step of a login by who is signed in already; its failures count like those of any other.
    fn challenge_member(
        &self,
        member: &Member,
        request: &[u8; CREDENTIAL_REQUEST],
        address: IpAddr,
        context: &LoginContext,
    ) -> Result<(PendingLogin, LoginReply), AccountError> {
        let account = self.store.account_by_index(member.account)?;
        let account = account.ok_or_else(|| refused(Refusal::TokenEnded))?;
        let name = account.name;
        let attempt = self.limits.attempt(Some(name), address).map_err(slow_down)?;
        self.challenge(name, Some(account), attempt, request, context)
    }

    fn challenge(
        &self,
        name: Name,
        account: Option<Account>,
        attempt: Attempt,
        request: &[u8; CREDENTIAL_REQUEST],
        context: &LoginContext,
    ) -> Result<(PendingLogin, LoginReply), AccountError> {
        let record = account.as_ref().map(|account| account.password_file.as_slice());
        let started = self.login.login(&name, record, request, context, &mut OsRng);
        let (state, response) = started.map_err(|_| bad_request())?;
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
        pending.prove(&request.finalization, context).map(Proved)
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

    /// Tells whether a session's token still stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn standing(&self, member: &Member) -> Result<Standing, StoreError> {
        Ok(match self.store.token(&member.token)? {
            Some(token) if token.superseded => Standing::Superseded,
            Some(_) => Standing::Current,
            None => Standing::Ended,
        })
    }

    /// Forgets a session's token.
    ///
    /// # Errors
    /// [`AccountError::Store`].
    pub async fn sign_out(&self, member: &Member) -> Result<(), AccountError> {
        Ok(self.store.remove_token(member.token).await?)
    }
}

impl PendingLogin {
    /// Second step of a login.
    fn prove(
        self,
        finalization: &[u8; CREDENTIAL_FINALIZATION],
        context: &LoginContext,
    ) -> Result<Account, AccountError> {
        let Self { state, name, account, attempt } = self;
        let proved = state.finish(&name, finalization, context);
        let (Ok(()), Some(account)) = (proved, account) else {
            return Err(refused(Refusal::WrongCredentials));
        };
        attempt.succeed();
        if account.disabled { Err(refused(Refusal::Disabled)) } else { Ok(account) }
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

/// Checks what a password leaves at the server.
fn new_password(
    upload: &[u8; REGISTRATION_UPLOAD],
    stretching: &Stretching,
    master: &SealedMaster,
    identity: &SealedIdentity,
) -> Result<NewPassword, AccountError> {
    if !is_possible(stretching) {
        return Err(bad_request());
    }
    let password_file = LoginServer::password_record(upload).map_err(|_| bad_request())?;
    Ok(NewPassword {
        password_file: password_file.to_vec(),
        stretching: *stretching,
        sealed_master: *master,
        sealed_identity: *identity,
    })
}

fn is_possible(stretching: &Stretching) -> bool {
    stretching.is_within(&CHEAPEST) && stretching.memory_kib / KIB_PER_LANE >= stretching.lanes
}

fn bad_request() -> AccountError {
    refused(Refusal::BadRequest)
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
