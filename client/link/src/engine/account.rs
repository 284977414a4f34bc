//! Changes of the account from within the rounds: one at a time, over the control schedule, so that nothing
//! on the wire tells of them. Passwords are stretched beside the rounds.
//!
//! ```text
//! command ─► first step ─► (schedule) ─► reply ─► stretching ─► second step ─► (schedule) ─► done
//! ```

use std::future::Future;
use std::pin::Pin as Pinned;
use std::sync::Arc;

use client_core::account::{
    AccountError, ChangeProved, Deletion, PasswordChange, Passwords, SealedKeys,
};
use client_core::identity::MasterKey;
use rand_core::OsRng;
use wire::account::Stretching;
use wire::control::{
    ChangeReply, Changed, ClientControl, EndSession, LoginReply, Refusal, Refused, ServerControl,
    SessionInfo,
};
use wire::ids::{Name, SessionId, Token};
use wire::link::Pin;
use wire::login::{LoginContext, LoginError};

use super::entry::{blocking, out_of_turn};
use super::trouble::{Failure, Trouble};
use crate::api::{About, Command, ErrorCode, Event, Password, SessionStatus};
use crate::profile::PasswordPlace;

/// The account's changes.
pub(super) struct AccountWork {
    user: Name,
    pin: Pin,
    /// Cost for a new password, and the least that a server may ask for.
    stretching: Stretching,
    /// The account's keys as the server has them, since a session came.
    keys: Option<SealedKeys>,
    place: PasswordPlace,
    doing: Option<Doing>,
}

/// What the engine is to do.
pub(super) enum Then {
    /// Ask the server in a control round.
    Ask(ClientControl),
    /// Tell the program.
    Tell(Event),
    /// This token takes the place of the session's.
    Renew(Token),
    /// The account is gone.
    Leave,
}

/// How far the change under way is.
enum Doing {
    /// The first step of a change of password is out.
    ChangeStarted(PasswordChange, Arc<Typed>),
    /// The first step of a deletion is out.
    DeleteStarted(Deletion, Arc<Password>),
    /// A thread stretches for the second step.
    Proving(Working<Proof>),
    /// The second step of a change of password is out.
    ChangeProved(SealedKeys, MasterKey, Arc<Typed>),
    /// The second step of a deletion is out.
    DeleteProved,
    /// The server took the new password; a thread seals the profile under it.
    Sealing(Working<()>),
    /// The list of sessions is asked for.
    Listing,
    /// The end of this session is asked for.
    Ending(SessionId),
}

type Working<T> = Pinned<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// Both passwords as they were typed.
struct Typed {
    old: Password,
    new: Password,
}

/// What stretching gave.
enum Proof {
    Change(Box<ChangeProved>, Arc<Typed>),
    Deletion(Box<ClientControl>),
}

impl AccountWork {
    pub(super) fn new(user: Name, pin: Pin, stretching: Stretching, place: PasswordPlace) -> Self {
        Self { user, pin, stretching, keys: None, place, doing: None }
    }

    /// Takes the account's keys as a session brings them.
    pub(super) fn set_keys(&mut self, keys: SealedKeys) {
        self.keys = Some(keys);
    }

    /// Begins what a command asks; `is_in` tells whether there is a server to ask.
    pub(super) fn begin(&mut self, command: Command, is_in: bool) -> Then {
        if self.doing.is_some() {
            let text = "another change of the account is under way; wait for its end";
            return refuse(Failure::new(ErrorCode::Busy, text));
        }
        if !is_in {
            let text = "not connected to the server now; try again once the connection is back";
            return refuse(Failure::new(ErrorCode::NoServer, text));
        }
        match self.first_step(command) {
            Ok((doing, request)) => {
                self.doing = Some(doing);
                Then::Ask(request)
            }
            Err(failure) => refuse(failure),
        }
    }

    /// Takes the server's answer; `exporter` is that of the connection it came over.
    pub(super) fn answer(&mut self, answer: ServerControl, exporter: &[u8; 32]) -> Option<Then> {
        // what belongs to a change that was given up is nobody's answer
        let doing = self.doing.take()?;
        if let ServerControl::Refused(refused) = answer {
            return Some(refuse(refusal(&doing, refused)));
        }
        let context = LoginContext::new(self.pin, exporter);
        match (doing, answer) {
            (Doing::ChangeStarted(change, typed), ServerControl::ChangeReply(reply)) => {
                self.prove_change(change, typed, *reply, context)
            }
            (Doing::DeleteStarted(deletion, password), ServerControl::DeleteReply(reply)) => {
                self.prove_deletion(deletion, password, *reply, context)
            }
            (Doing::ChangeProved(keys, master, typed), ServerControl::Changed(changed)) => {
                Some(self.changed(keys, master, typed, changed))
            }
            (Doing::DeleteProved, ServerControl::Deleted) => Some(Then::Leave),
            (Doing::Listing, ServerControl::Sessions(sessions)) => Some(Then::Tell(list(sessions))),
            (Doing::Ending(id), ServerControl::SessionEnded) => {
                Some(Then::Tell(Event::SessionEnded { id: id.to_string() }))
            }
            (working @ (Doing::Proving(_) | Doing::Sealing(_)), _) => {
                self.doing = Some(working);
                None
            }
            (_, _) => Some(refuse(out_of_turn())),
        }
    }

    /// Returns what a thread's work leads to; waits for ever if none works. Nothing is lost if it is cancelled.
    pub(super) async fn next(&mut self) -> Then {
        match &mut self.doing {
            Some(Doing::Proving(working)) => {
                let proof = working.await;
                self.doing = None;
                match proof {
                    Ok(Proof::Change(proved, typed)) => {
                        let ChangeProved { frame, keys, master } = *proved;
                        self.doing = Some(Doing::ChangeProved(keys, master, typed));
                        Then::Ask(frame)
                    }
                    Ok(Proof::Deletion(request)) => {
                        self.doing = Some(Doing::DeleteProved);
                        Then::Ask(*request)
                    }
                    Err(failure) => refuse(failure),
                }
            }
            Some(Doing::Sealing(working)) => {
                let sealed = working.await;
                self.doing = None;
                match sealed {
                    Ok(()) => Then::Tell(Event::PasswordChanged),
                    Err(Failure { code, text }) => {
                        let text = format!(
                            "the password is changed at the server, but this machine's profile still has the \
                             old one ({text}); sign in again with the new password to mend that"
                        );
                        refuse(Failure { code, text })
                    }
                }
            }
            _ => std::future::pending().await,
        }
    }

    /// Gives up what could not be asked; returns what to tell of it.
    pub(super) fn unasked(&mut self, reason: &str) -> Event {
        self.doing = None;
        error(Failure::new(ErrorCode::Busy, reason))
    }

    /// Gives up what the lost connection was to carry; returns what to tell of it.
    pub(super) fn lost(&mut self) -> Option<Event> {
        let text = match self.doing.take()? {
            // the server has done its part
            sealing @ Doing::Sealing(_) => {
                self.doing = Some(sealing);
                return None;
            }
            Doing::ChangeStarted(..) | Doing::Proving(_) | Doing::DeleteStarted(..) => {
                "the connection was lost and nothing was changed; try again"
            }
            Doing::ChangeProved(..) => {
                "the connection was lost before the server said whether it took the new password; \
                 if the old one is refused from now on, it did: sign in with the new one; else try again"
            }
            Doing::DeleteProved => {
                "the connection was lost before the server said whether it deleted the account; if you can \
                 still sign in, it did not: try again"
            }
            Doing::Listing | Doing::Ending(_) => "the connection was lost; try again",
        };
        Some(error(Failure::new(ErrorCode::NoServer, text)))
    }

    fn first_step(&self, command: Command) -> Result<(Doing, ClientControl), Failure> {
        match command {
            Command::ChangePassword { old, new } => {
                let typed = Typed { old: typed(&old)?, new: typed(&new)? };
                let passwords = typed.passwords();
                let started = PasswordChange::start(self.user, self.pin, passwords, &mut OsRng);
                let (change, request) = started.map_err(failure)?;
                Ok((Doing::ChangeStarted(change, Arc::new(typed)), request))
            }
            Command::DeleteAccount { password } => {
                let password = typed(&password)?;
                let started = Deletion::start(self.user, password.expose(), &mut OsRng);
                let (deletion, request) = started.map_err(failure)?;
                Ok((Doing::DeleteStarted(deletion, Arc::new(password)), request))
            }
            Command::EndSession { id } => {
                let id = session_id(&id).ok_or_else(no_session)?;
                Ok((Doing::Ending(id), ClientControl::EndSession(EndSession { id })))
            }
            // the engine passes no other command
            _ => Ok((Doing::Listing, ClientControl::ListSessions)),
        }
    }

    fn prove_change(
        &mut self,
        change: PasswordChange,
        typed: Arc<Typed>,
        reply: ChangeReply,
        context: LoginContext,
    ) -> Option<Then> {
        let (keys, stretching) = (self.keys?, self.stretching);
        let work = move || {
            let passwords = typed.passwords();
            let proved = change.finish(passwords, &reply, &keys, &stretching, &context, &mut OsRng);
            Ok(Proof::Change(Box::new(proved.map_err(failure)?), typed))
        };
        self.doing = Some(Doing::Proving(Box::pin(async { blocking(work).await? })));
        None
    }

    fn prove_deletion(
        &mut self,
        deletion: Deletion,
        password: Arc<Password>,
        reply: LoginReply,
        context: LoginContext,
    ) -> Option<Then> {
        let (keys, floor) = (self.keys?, self.stretching);
        let work = move || {
            let password = password.expose();
            let request = deletion.finish(password, &reply, &keys, &floor, &context, &mut OsRng);
            Ok(Proof::Deletion(Box::new(request.map_err(failure)?)))
        };
        self.doing = Some(Doing::Proving(Box::pin(async { blocking(work).await? })));
        None
    }

    fn changed(
        &mut self,
        keys: SealedKeys,
        master: MasterKey,
        typed: Arc<Typed>,
        changed: Changed,
    ) -> Then {
        self.keys = Some(keys);
        let (place, stretching) = (self.place.clone(), self.stretching);
        let work = move || {
            place.put(typed.new.expose(), stretching, master.expose()).map_err(Failure::from)
        };
        self.doing = Some(Doing::Sealing(Box::pin(async { blocking(work).await? })));
        Then::Renew(changed.token)
    }
}

impl Typed {
    fn passwords(&self) -> Passwords<'_> {
        Passwords { old: self.old.expose(), new: self.new.expose() }
    }
}

fn typed(bytes: &[u8]) -> Result<Password, Failure> {
    Password::from_bytes(bytes)
        .map_err(|error| Failure::new(ErrorCode::PasswordInvalid, error.to_string()))
}

fn session_id(id: &str) -> Option<SessionId> {
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_id.then(|| u64::from_str_radix(id, 16).ok())??;
    Some(SessionId(number.to_be_bytes()))
}

fn no_session() -> Failure {
    let text =
        "there is no other session of this id; look at the list again (signing out ends this one)";
    Failure::new(ErrorCode::SessionEnded, text)
}

fn list(mut sessions: Vec<SessionInfo>) -> Event {
    sessions.sort_by_key(|session| session.created_ms);
    let sessions = sessions.into_iter().map(|session| {
        let SessionInfo { id, created_ms, expires_ms, current, superseded } = session;
        SessionStatus { id: id.to_string(), created_ms, expires_ms, current, superseded }
    });
    Event::Sessions { sessions: sessions.collect() }
}

fn refusal(doing: &Doing, refused: Refused) -> Failure {
    match (doing, refused.why) {
        (_, Refusal::WrongCredentials) => wrong_password(),
        (Doing::Ending(_), Refusal::BadRequest) => no_session(),
        (_, _) => Trouble::from(refused).into_failure(),
    }
}

fn failure(error: AccountError) -> Failure {
    match error {
        AccountError::Login(LoginError::WrongCredentials) => wrong_password(),
        error => Trouble::from(error).into_failure(),
    }
}

fn wrong_password() -> Failure {
    let text = "the password is wrong; type this account's password as it is so far";
    Failure::new(ErrorCode::WrongCredentials, text)
}

fn refuse(failure: Failure) -> Then {
    Then::Tell(error(failure))
}

fn error(failure: Failure) -> Event {
    let Failure { code, text } = failure;
    Event::Error { code, text, about: About::default() }
}
