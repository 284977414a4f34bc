//! The way in: connect, register, sign in or resume, fetch what is missing of the directory.

use std::sync::Arc;
use std::time::Duration;

use client_core::account::{SignIn, SignUp};
use client_core::directory::{PageError, RECORDS_MAX};
use client_core::identity::{Identity, MasterKey};
use rand_core::OsRng;
use wire::account::Stretching;
use wire::close::Close;
use wire::codec::Wire;
use wire::control::{ClientControl, Page, Pull, Resume, ServerControl, Session};
use wire::ids::{Name, Token};
use wire::layer::Layer;
use wire::link::Link;
use wire::login::LoginContext;
use wire::public_key::AgreementKey;
use wire::size::CONTROL_FRAME;
use zeroize::Zeroizing;

use super::stream::{Streams, close};
use super::trouble::{Failure, Trouble};
use crate::api::{ErrorCode, Password};
use crate::pin::verify_leaf_signature;
use crate::transport::{Connected, connect};

/// Time for the first attempt to connect; scripts are told of a missing server within 10 s.
const CONNECT_WITHIN: Duration = Duration::from_secs(9);

/// Time for an attempt to come back: short, since a handshake repeats itself ever more slowly and a
/// server that has just started would wait for the next repetition.
const RECONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Time for the answer to one request.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A verified connection with its control stream, before it joins the rounds.
pub(super) struct Gate {
    pub(super) connected: Connected,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
}

/// A session that asked for its seat. Nothing that depends on conversations happens before that, so that
/// the time between sign-in and `join` tells nothing of them.
pub(super) struct Entry {
    pub(super) streams: Box<Streams>,
    pub(super) layer: Layer,
    pub(super) session: Box<Session>,
    pub(super) pages: Vec<Page>,
}

impl Entry {
    /// Fetches what is missing of the directory beyond `length`, and joins.
    pub(super) async fn make(
        mut gate: Gate,
        session: Box<Session>,
        length: u32,
    ) -> Result<Self, Trouble> {
        let pages = gate.pull(length, &session).await?;
        let own = AgreementKey::random(&mut OsRng);
        let layer = Layer::for_client(&own, &session.mixer).map_err(Failure::protocol)?;
        let streams = Box::new(Streams::join(gate, session.slots, own.public()).await?);
        Ok(Self { streams, layer, session, pages })
    }
}

/// Who signs in, and with what cost of stretching.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) user: Name,
    pub(super) password: Arc<Password>,
    pub(super) stretching: Stretching,
}

impl Gate {
    /// Connects for the first time and opens the control stream.
    pub(super) async fn open(link: &Link) -> Result<Self, Trouble> {
        Self::open_within(link, CONNECT_WITHIN).await
    }

    async fn open_within(link: &Link, within: Duration) -> Result<Self, Trouble> {
        let opened = async {
            let connected = connect(&link.host, link.port, link.pin.0, within).await?;
            let (send, receive) = connected.connection.open_bi().await?;
            Ok(Self { connected, send, receive })
        };
        let silent = |_| Err(Trouble::Lost("the server takes no streams; try again later".into()));
        tokio::time::timeout(within, opened).await.unwrap_or_else(silent)
    }

    /// Makes the account.
    pub(super) async fn register(&mut self, link: &Link, person: &Person) -> Result<(), Trouble> {
        let Person { user, password, stretching } = person.clone();
        let (sign_up, start) = SignUp::start(user, link.pin, password.expose(), &mut OsRng)?;
        let ServerControl::RegisterReply(reply) = self.ask(&start).await? else {
            return Err(out_of_turn().into());
        };
        let finish = move || sign_up.finish(password.expose(), &reply, stretching, &mut OsRng);
        let finish = blocking(finish).await??;
        match self.ask(&finish).await? {
            ServerControl::Registered(_) => Ok(()),
            _ => Err(out_of_turn().into()),
        }
    }

    /// Signs in with the password.
    pub(super) async fn sign_in(
        &mut self,
        link: &Link,
        person: &Person,
    ) -> Result<(Box<Session>, MasterKey, Identity), Trouble> {
        let Person { user, password, stretching } = person.clone();
        let context = LoginContext::new(link.pin, &self.connected.exporter);
        let (sign_in, start) = SignIn::start(user, password.expose(), &mut OsRng)?;
        let ServerControl::LoginReply(reply) = self.ask(&start).await? else {
            return Err(out_of_turn().into());
        };
        let finish =
            move || sign_in.finish(password.expose(), &reply, &stretching, &context, &mut OsRng);
        let (proved, finish) = blocking(finish).await??;
        let session = self.session(&finish).await?;
        let (master, identity) = proved.open(&session)?;
        Ok((session, master, identity))
    }

    /// Takes a session up again.
    pub(super) async fn resume(&mut self, token: Token) -> Result<Box<Session>, Trouble> {
        self.session(&ClientControl::Resume(Resume { token })).await
    }

    /// Fetches the directory from a length up to the session's.
    async fn pull(&mut self, mut from: u32, session: &Session) -> Result<Vec<Page>, Trouble> {
        if session.directory_length as usize > RECORDS_MAX {
            return Err(PageError::TooLarge.into());
        }
        let mut pages = Vec::new();
        while let Some(pull) = Pull::toward(from, session.directory_length) {
            self.write(&ClientControl::Pull(pull)).await?;
            for _ in 0..pull.pages {
                let ServerControl::Page(page) = self.read().await? else {
                    return Err(out_of_turn().into());
                };
                if page.records.is_empty() {
                    return Err(out_of_turn().into());
                }
                from = from.saturating_add(u32::from(page.records.len() as u16));
                pages.push(page);
            }
        }
        Ok(pages)
    }

    /// Returns both halves of the control stream, for the rounds.
    pub(super) fn into_parts(self) -> (Connected, quinn::SendStream, quinn::RecvStream) {
        (self.connected, self.send, self.receive)
    }

    /// Asks for a session and checks that the mixer's key in it is the server's.
    async fn session(&mut self, request: &ClientControl) -> Result<Box<Session>, Trouble> {
        let ServerControl::Session(session) = self.ask(request).await? else {
            return Err(out_of_turn().into());
        };
        let signed = Session::mixer_signed(&session.mixer);
        verify_leaf_signature(&self.connected.leaf, &signed, &session.mixer_signature)
            .map_err(|_| Failure::protocol("the server's mixer key is not signed by the server"))?;
        Ok(session)
    }

    async fn ask(&mut self, request: &ClientControl) -> Result<ServerControl, Trouble> {
        self.write(request).await?;
        self.read().await
    }

    async fn write(&mut self, request: &ClientControl) -> Result<(), Trouble> {
        let frame = Zeroizing::new(request.encode());
        match tokio::time::timeout(ANSWER_WITHIN, self.send.write_all(&frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(&error)),
            Err(_) => Err(Trouble::Lost("the server takes nothing; try again in a minute".into())),
        }
    }

    async fn read(&mut self) -> Result<ServerControl, Trouble> {
        let mut frame = Zeroizing::new(vec![0; CONTROL_FRAME]);
        let read = tokio::time::timeout(ANSWER_WITHIN, self.receive.read_exact(&mut frame));
        match read.await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => return Err(self.lost(&error)),
            Err(_) => {
                return Err(Trouble::Lost(
                    "the server does not answer; try again in a minute".into(),
                ));
            }
        }
        match ServerControl::decode(&frame).map_err(Failure::protocol)? {
            ServerControl::Refused(refused) => Err(refused.into()),
            control => Ok(control),
        }
    }

    fn lost(&self, error: &dyn std::fmt::Display) -> Trouble {
        match self.connected.connection.close_reason() {
            Some(reason) => reason.into(),
            None => Trouble::Lost(error.to_string()),
        }
    }
}

/// Comes back with a token: connects, resumes, and fetches what the directory gained since `length`.
pub(super) async fn come_back(link: Link, token: Token, length: u32) -> Result<Entry, Trouble> {
    let mut gate = match Gate::open_within(&link, RECONNECT_WITHIN).await {
        // Whoever can drop packets can forge this answer, which nothing protects: it ends no client
        // that has been in the rounds.
        Err(Trouble::Fatal(Failure { code: ErrorCode::ServerProtocol, text })) => {
            return Err(Trouble::Lost(text));
        }
        gate => gate?,
    };
    let session = match gate.resume(token).await {
        Err(Trouble::Fatal(Failure { code: ErrorCode::SlowDown, text })) => {
            return Err(Trouble::Lost(text));
        }
        session => session?,
    };
    Entry::make(gate, session, length).await
}

/// Ends a session at the server, outside of the rounds, where a request would be seen.
pub(super) async fn sign_out(link: Link, token: Token) -> Result<(), Trouble> {
    let mut gate = Gate::open_within(&link, RECONNECT_WITHIN).await?;
    match gate.resume(token).await {
        // it has ended already
        Err(Trouble::TokenRefused(_)) => (),
        session => {
            session?;
            let ServerControl::SignedOut = gate.ask(&ClientControl::SignOut).await? else {
                return Err(out_of_turn().into());
            };
        }
    }
    close(&gate.connected, Close::Done).await;
    Ok(())
}

/// Runs long work on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let failed = |_| Failure::protocol("a worker thread failed");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

fn out_of_turn() -> Failure {
    Failure::protocol("the server answered out of turn")
}
