//! Sign-in: registration, login and resumption over the control stream.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::time::timeout_at;
use wire::close::Close;
use wire::control::{
    ClientControl, LoginFinish, LoginStart, Refused, RegisterFinish, RegisterStart, Resume,
    ServerControl,
};
use wire::login::LoginContext;

use super::frames::End;
use super::{Control, Hub, failed};
use crate::accounts::{AccountError, PendingLogin, PendingRegistration, SignedIn};
use crate::clock;

/// Requests that one connection may make before it is signed in.
const REQUESTS_MAX: u32 = 32;

/// Accounts that one connection may register; each one gives it new time to sign in.
const REGISTRATIONS_MAX: u32 = 4;

/// Who asks and is not signed in: a connection's control stream, or the fuzzer.
pub(super) trait Talk {
    /// Returns the next request. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<ClientControl, End>;

    /// Sends an answer, which must be taken by `deadline`.
    async fn answer(&mut self, answer: &ServerControl, deadline: Instant) -> Result<(), End>;
}

impl Talk for Control {
    async fn next(&mut self) -> Result<ClientControl, End> {
        self.reader.next_control().await
    }

    async fn answer(&mut self, answer: &ServerControl, deadline: Instant) -> Result<(), End> {
        self.writer.control_by(deadline, answer).await
    }
}

/// A connection that is not signed in.
pub(super) struct SignIn<'s, T> {
    pub(super) hub: &'s Arc<Hub>,
    pub(super) talk: &'s mut T,
    pub(super) address: IpAddr,
    pub(super) context: Arc<LoginContext>,
    pub(super) deadline: Instant,
}

/// What the next request may go on with.
enum Step {
    Fresh,
    Registering(PendingRegistration),
    LoggingIn(Box<PendingLogin>),
}

/// What a request came to.
enum Done {
    Answer(ServerControl, Step),
    Registered(ServerControl),
    SignedIn(SignedIn),
}

/// Answers requests until one of them signs in.
pub(super) async fn run<T: Talk>(sign_in: &mut SignIn<'_, T>) -> Result<SignedIn, End> {
    let (mut step, mut registrations) = (Step::Fresh, 0);
    for _ in 0..REQUESTS_MAX {
        let request = timeout_at(sign_in.deadline.into(), sign_in.talk.next()).await;
        let request = request.map_err(|_| Close::SignInTimeout)??;
        let answer = match serve(sign_in, step, request).await? {
            Ok(Done::SignedIn(signed_in)) => return Ok(signed_in),
            Ok(Done::Answer(answer, next)) => {
                step = next;
                answer
            }
            Ok(Done::Registered(answer)) => {
                registrations += 1;
                if registrations < REGISTRATIONS_MAX {
                    sign_in.deadline = clock::now() + sign_in.hub.sign_in_time();
                }
                step = Step::Fresh;
                answer
            }
            Err(refused) => {
                step = Step::Fresh;
                ServerControl::Refused(refused)
            }
        };
        sign_in.talk.answer(&answer, sign_in.deadline).await?;
    }
    Err(End::protocol("too many requests before sign-in"))
}

/// Serves one request; refusals leave the connection open.
async fn serve<T>(
    sign_in: &SignIn<'_, T>,
    step: Step,
    request: ClientControl,
) -> Result<Result<Done, Refused>, End> {
    let done = match (request, step) {
        (ClientControl::RegisterStart(start), _) => sign_in.register_start(start).await,
        (ClientControl::RegisterFinish(finish), Step::Registering(pending)) => {
            sign_in.register_finish(pending, finish).await
        }
        (ClientControl::LoginStart(start), _) => sign_in.login_start(start).await,
        (ClientControl::LoginFinish(finish), Step::LoggingIn(pending)) => {
            sign_in.login_finish(*pending, finish).await
        }
        (ClientControl::Resume(resume), _) => sign_in.resume(resume).await,
        (ClientControl::RegisterFinish(_) | ClientControl::LoginFinish(_), _) => {
            return Err(End::protocol("a second step without its first"));
        }
        (
            ClientControl::Idle
            | ClientControl::Pull(_)
            | ClientControl::SignOut
            | ClientControl::ChangeStart(_)
            | ClientControl::ChangeFinish(_)
            | ClientControl::DeleteStart(_)
            | ClientControl::DeleteFinish(_)
            | ClientControl::ListSessions
            | ClientControl::EndSession(_)
            | ClientControl::VaultGet(_)
            | ClientControl::VaultPut(_),
            _,
        ) => {
            return Err(End::protocol("a request that needs a sign-in"));
        }
    };
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(AccountError::Refused(refused)) => Ok(Err(refused)),
        Err(AccountError::Store(error)) => Err(failed(&error)),
    }
}

impl<T> SignIn<'_, T> {
    async fn register_start(&self, start: RegisterStart) -> Result<Done, AccountError> {
        let (hub, address) = (self.hub.clone(), self.address);
        let reply = move || hub.accounts.register_start(&start, address);
        let (pending, reply) = self.hub.workers.run(reply).await?;
        Ok(Done::Answer(ServerControl::RegisterReply(reply), Step::Registering(pending)))
    }

    async fn register_finish(
        &self,
        pending: PendingRegistration,
        finish: Box<RegisterFinish>,
    ) -> Result<Done, AccountError> {
        let hub = self.hub.clone();
        let check = move || {
            let account = hub.accounts.register_check(&pending, &finish)?;
            Ok::<_, AccountError>((pending, account))
        };
        let (pending, account) = self.hub.workers.run(check).await?;
        let registered = self.hub.accounts.register(pending, account).await?;
        Ok(Done::Registered(ServerControl::Registered(registered)))
    }

    async fn login_start(&self, start: LoginStart) -> Result<Done, AccountError> {
        let (hub, address, context) = (self.hub.clone(), self.address, self.context.clone());
        let reply = move || hub.accounts.login_start(&start, address, &context);
        let (pending, reply) = self.hub.workers.run(reply).await?;
        let answer = ServerControl::LoginReply(Box::new(reply));
        Ok(Done::Answer(answer, Step::LoggingIn(Box::new(pending))))
    }

    async fn login_finish(
        &self,
        pending: PendingLogin,
        finish: LoginFinish,
    ) -> Result<Done, AccountError> {
        let (hub, context) = (self.hub.clone(), self.context.clone());
        let prove = move || hub.accounts.login_finish(pending, &finish, &context);
        let proved = self.hub.workers.run(prove).await?;
        let token_ms = self.hub.token_ms.load(Ordering::Relaxed);
        Ok(Done::SignedIn(self.hub.accounts.begin(proved, token_ms).await?))
    }

    async fn resume(&self, resume: Resume) -> Result<Done, AccountError> {
        let hub = self.hub.clone();
        let resumed = move || hub.accounts.resume(&resume.token);
        Ok(Done::SignedIn(self.hub.workers.run(resumed).await?))
    }
}
