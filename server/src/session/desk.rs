//! The desk: what a signed-in client asks about its own account, before and after `join`.
//!
//! Invariant: whatever lies here between two requests is of one size: one first step, for a while only, and one
//! staged vault.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use wire::control::{
    ChangeFinish, ChangeStart, ClientControl, DeleteFinish, DeleteStart, EndSession, Pull, Refusal,
    Refused, ServerControl, VaultGet, VaultPut,
};
use wire::login::LoginContext;

use super::frames::{End, FrameReader};
use super::presence::Here;
use super::staging::Staging;
use super::{Hub, failed};
use crate::accounts::{AccountError, Member, PendingChange, PendingDeletion, Put};
use crate::clock;

/// What a signed-in connection has at the server.
pub(super) struct Desk<'h> {
    hub: &'h Arc<Hub>,
    here: Here<'h>,
    member: Member,
    address: IpAddr,
    context: Arc<LoginContext>,
    step: Step,
    /// When the step is dropped.
    step_until: Instant,
    staging: Staging,
}

/// What a second step may go on with. Each holds an attempt, which has failed once the step is dropped.
enum Step {
    None,
    Changing(Box<PendingChange>),
    Deleting(Box<PendingDeletion>),
}

/// What became of a request.
pub(super) enum Served {
    /// This answers it.
    Answer(ServerControl),
    /// Nothing was asked.
    Idle,
    /// Pages are asked for, which are no business of the desk.
    Pages(Pull),
    /// A sign-in is asked for, by who is signed in.
    SignIn,
}

impl<'h> Desk<'h> {
    /// Opens the desk of a connection whose login is bound to `context`.
    pub(super) fn new(
        hub: &'h Arc<Hub>,
        here: Here<'h>,
        member: Member,
        address: IpAddr,
        context: Arc<LoginContext>,
    ) -> Self {
        let (step, step_until, staging) = (Step::None, clock::now(), Staging::default());
        Self { hub, here, member, address, context, step, step_until, staging }
    }

    /// Returns whose desk it is, under the token that the session has now.
    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    /// Says that the connection joined the rounds.
    pub(super) fn is_seated(&self) {
        self.here.is_seated();
    }

    /// Returns the next request, and drops a first step whose second one does not come in time. Dropping the
    /// future loses nothing.
    pub(super) async fn next(&mut self, reader: &mut FrameReader) -> Result<ClientControl, End> {
        tokio::select! {
            biased;
            never = self.expire() => match never {},
            request = reader.next_control() => request,
        }
    }

    /// Drops the first step when its time is up; for whenever no request is waited for.
    pub(super) async fn expire(&mut self) -> Infallible {
        if !matches!(self.step, Step::None) {
            tokio::time::sleep_until(self.step_until.into()).await;
            self.step = Step::None;
        }
        std::future::pending().await
    }

    /// Keeps a first step until its second one, or until its time is up.
    fn keep(&mut self, step: Step) {
        self.step = step;
        self.step_until = clock::now() + self.hub.second_step_time();
    }

    /// Serves one request; a refusal is an answer.
    pub(super) async fn serve(&mut self, request: ClientControl) -> Result<Served, End> {
        let answer = match request {
            ClientControl::Idle => return Ok(Served::Idle),
            ClientControl::Pull(pull) => return Ok(Served::Pages(pull)),
            ClientControl::RegisterStart(_)
            | ClientControl::RegisterFinish(_)
            | ClientControl::LoginStart(_)
            | ClientControl::LoginFinish(_)
            | ClientControl::Resume(_) => return Ok(Served::SignIn),
            ClientControl::SignOut => self.sign_out().await,
            ClientControl::ChangeStart(start) => self.change_start(start).await,
            ClientControl::ChangeFinish(finish) => self.change_finish(finish).await,
            ClientControl::DeleteStart(start) => self.delete_start(start).await,
            ClientControl::DeleteFinish(finish) => self.delete_finish(finish).await,
            ClientControl::ListSessions => self.list_sessions().await,
            ClientControl::EndSession(end) => self.end_session(end).await,
            ClientControl::VaultGet(get) => self.vault_get(get).await,
            ClientControl::VaultPut(put) => self.vault_put(&put).await,
        };
        match answer {
            Ok(answer) => Ok(Served::Answer(answer)),
            Err(AccountError::Refused(refused)) => {
                Ok(Served::Answer(ServerControl::Refused(refused)))
            }
            Err(AccountError::Store(error)) => Err(failed(&error)),
        }
    }

    async fn sign_out(&mut self) -> Result<ServerControl, AccountError> {
        self.hub.accounts.sign_out(&self.member).await?;
        Ok(ServerControl::SignedOut)
    }

    async fn change_start(&mut self, start: ChangeStart) -> Result<ServerControl, AccountError> {
        self.step = Step::None;
        let (hub, member, address) = (self.hub.clone(), self.member, self.address);
        let context = self.context.clone();
        let reply = move || hub.accounts.change_start(&member, &start, address, &context);
        let (pending, reply) = self.hub.workers.run(reply).await?;
        self.keep(Step::Changing(Box::new(pending)));
        Ok(ServerControl::ChangeReply(Box::new(reply)))
    }

    async fn change_finish(
        &mut self,
        finish: Box<ChangeFinish>,
    ) -> Result<ServerControl, AccountError> {
        let Step::Changing(pending) = std::mem::replace(&mut self.step, Step::None) else {
            return Err(bad_request());
        };
        let (hub, context) = (self.hub.clone(), self.context.clone());
        let check = move || hub.accounts.change_check(*pending, &finish, &context);
        let proved = self.hub.workers.run(check).await?;
        let (hub, member, id) = (self.hub.clone(), self.member, self.here.id());
        let token_ms = self.hub.token_ms.load(Ordering::Relaxed);
        let changed = to_its_end(async move {
            let (member, changed) = hub.accounts.change(&member, proved, token_ms).await?;
            hub.presence.renew(id, member.token);
            end_others(&hub, member).await?;
            Ok((member, changed))
        });
        let (member, changed) = changed.await?;
        self.member = member;
        Ok(ServerControl::Changed(changed))
    }

    async fn delete_start(&mut self, start: DeleteStart) -> Result<ServerControl, AccountError> {
        self.step = Step::None;
        let (hub, member, address) = (self.hub.clone(), self.member, self.address);
        let context = self.context.clone();
        let reply = move || hub.accounts.delete_start(&member, &start, address, &context);
        let (pending, reply) = self.hub.workers.run(reply).await?;
        self.keep(Step::Deleting(Box::new(pending)));
        Ok(ServerControl::DeleteReply(Box::new(reply)))
    }

    async fn delete_finish(
        &mut self,
        finish: Box<DeleteFinish>,
    ) -> Result<ServerControl, AccountError> {
        let Step::Deleting(pending) = std::mem::replace(&mut self.step, Step::None) else {
            return Err(bad_request());
        };
        let (hub, context) = (self.hub.clone(), self.context.clone());
        let check = move || hub.accounts.delete_check(*pending, &finish, &context);
        let proved = self.hub.workers.run(check).await?;
        let (hub, member) = (self.hub.clone(), self.member);
        let deleted = to_its_end(async move {
            hub.accounts.delete(proved).await?;
            end_others(&hub, member).await
        });
        deleted.await?;
        Ok(ServerControl::Deleted)
    }

    async fn list_sessions(&self) -> Result<ServerControl, AccountError> {
        let (hub, member) = (self.hub.clone(), self.member);
        let sessions = self.hub.workers.run(move || hub.accounts.sessions(&member)).await?;
        Ok(ServerControl::Sessions(sessions))
    }

    async fn end_session(&self, end: EndSession) -> Result<ServerControl, AccountError> {
        let (hub, member) = (self.hub.clone(), self.member);
        let ended = to_its_end(async move {
            let token = hub.accounts.end_session(&member, end.id).await?;
            hub.presence.end(member.account, &token);
            Ok(())
        });
        ended.await?;
        Ok(ServerControl::SessionEnded)
    }

    async fn vault_get(&self, get: VaultGet) -> Result<ServerControl, AccountError> {
        let (hub, account) = (self.hub.clone(), self.member.account);
        let read = move || hub.accounts.vault_part(account, get.part);
        let part = self.hub.workers.run(read).await?;
        Ok(ServerControl::VaultPart(Box::new(part)))
    }

    async fn vault_put(&mut self, put: &VaultPut) -> Result<ServerControl, AccountError> {
        let staged = self.staging.take(put).map_err(|_| bad_request())?;
        let Some(vault) = staged else { return Ok(ServerControl::VaultStaged) };
        let put = self.hub.accounts.put_vault(self.member.account, put.base, vault).await?;
        Ok(match put {
            Put::Stored(version) => ServerControl::VaultStored(version),
            Put::Conflict(version) => ServerControl::VaultConflict(version),
        })
    }
}

/// Does what must not stop halfway, whatever becomes of the connection: a client that leaves as soon as it
/// asked must not leave behind the seat of a session without a token.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, AccountError>> + Send + 'static,
) -> Result<T, AccountError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Ends the other connections of an account whose tokens are gone. One that signed in since has a token.
async fn end_others(hub: &Arc<Hub>, own: Member) -> Result<(), AccountError> {
    let ending = hub.clone();
    let end = move || {
        for token in ending.presence.tokens(own.account) {
            if token != own.token && !ending.accounts.is_known(&token)? {
                ending.presence.end(own.account, &token);
            }
        }
        Ok(())
    };
    hub.workers.run(end).await
}

fn bad_request() -> AccountError {
    AccountError::Refused(Refused { why: Refusal::BadRequest, retry_ms: 0 })
}
