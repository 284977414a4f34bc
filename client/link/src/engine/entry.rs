//! The way in: connect, register, sign in or resume, fetch the vault and what is missing of the directory.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use client_core::account::{SignIn, SignUp};
use client_core::client::Held;
use client_core::directory::{PageError, RECORDS_MAX};
use client_core::identity::{Identity, MasterKey};
use client_core::vault::SealedVault;
use rand_core::OsRng;
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use wire::account::{Invite, Stretching};
use wire::close::Close;
use wire::codec::Wire;
use wire::control::{ClientControl, Page, Pull, Resume, ServerControl, Session, VaultGet};
use wire::directory::head_signed;
use wire::ids::{Name, Token};
use wire::layer::Layer;
use wire::link::Link;
use wire::login::LoginContext;
use wire::public_key::AgreementKey;
use wire::restore::{Restores, restores_signed};
use wire::size::{CONTROL_BODY, CONTROL_FRAME, VAULT_PARTS};
use zeroize::Zeroizing;

use super::stream::{Streams, close};
use super::trouble::{Failure, Trouble};
use crate::api::{ErrorCode, Password};
use crate::pin::verify_signature;
use crate::profile::PasswordPlace;
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

/// Pages that were verified and wait for the core and the disk, each about 1 KiB, with the restores in front of them:
/// enough that the pulls do not wait while the core begins, which takes the longer the more contacts there are.
pub(super) const ARRIVALS_MAX: usize = 2048;

/// Times that the vault is fetched if it changes meanwhile.
const VAULT_TRIES: u32 = 3;

/// A session that asked for its seat. Nothing that depends on contacts or conversations is waited for before that
/// ([`Coming::while_making`]), so that the time between sign-in and `join` tells nothing of them.
pub(super) struct Entry {
    pub(super) streams: Box<Streams>,
    pub(super) layer: Layer,
    pub(super) session: Box<Session>,
    pub(super) vault: StoredVault,
    /// Whether the session began with the password on this way, in place of the one that the token was of.
    pub(super) is_new: bool,
}

/// The vault as the server keeps it.
pub(super) struct StoredVault {
    /// 0 if there is none.
    pub(super) version: u64,
    pub(super) sealed: SealedVault,
}

/// A way into the rounds, and what comes of the directory on it.
pub(super) struct Coming {
    pub(super) entry: Pin<Box<dyn Future<Output = Result<Entry, Trouble>> + Send>>,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
}

/// What comes of the directory, verified each by itself.
pub(super) enum Arrival {
    /// The server's restores, first of all.
    Restores(Restores),
    Page(Page),
}

impl Coming {
    /// Goes in with a session: fetches the vault and what the directory has beyond what is held, and joins.
    pub(super) fn with_session(gate: Gate, session: Box<Session>, held: Held) -> Self {
        let (send, arrivals) = mpsc::channel(ARRIVALS_MAX);
        Self { entry: Box::pin(Entry::make(gate, session, held, send, false)), arrivals }
    }

    /// Comes back with a token: connects, resumes, or signs in with what was typed, and goes in.
    pub(super) fn back(link: Link, token: Token, held: Held, typed: Option<Typed>) -> Self {
        let (send, arrivals) = mpsc::channel(ARRIVALS_MAX);
        Self { entry: Box::pin(come_back(link, token, held, typed, send)), arrivals }
    }

    /// Goes on while something else is made, on a thread of its own: no step of the way in waits for that, and the
    /// pages do until it is there.
    pub(super) async fn while_making<T>(mut self, making: impl Future<Output = T>) -> (T, Self) {
        let mut making = std::pin::pin!(making);
        let entry = tokio::select! {
            made = &mut making => return (made, self),
            entry = &mut self.entry => entry,
        };
        self.entry = Box::pin(std::future::ready(entry));
        (making.await, self)
    }
}

impl Entry {
    async fn make(
        mut gate: Gate,
        session: Box<Session>,
        held: Held,
        arrivals: mpsc::Sender<Arrival>,
        is_new: bool,
    ) -> Result<Self, Trouble> {
        let vault = gate.vault().await?;
        send(&arrivals, Arrival::Restores(session.restores.clone())).await?;
        gate.pull(held.pulls_from(&session.restores), &session, &arrivals).await?;
        let own = AgreementKey::random(&mut OsRng);
        let layer = Layer::for_client(&own, &session.mixer).map_err(Failure::protocol)?;
        let streams = Box::new(Streams::join(gate, session.slots, own.public()).await?);
        Ok(Self { streams, layer, session, vault, is_new })
    }
}

/// Who signs in, and with what cost of stretching.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) user: Name,
    pub(super) password: Arc<Password>,
    pub(super) stretching: Stretching,
    /// Shown when the account is made.
    pub(super) invite: Option<Invite>,
}

/// What a start without the server keeps until it is reached: its token may be of no use any more.
#[derive(Clone)]
pub(super) struct Typed {
    pub(super) person: Person,
    /// Knows whose profile it is.
    pub(super) place: PasswordPlace,
}

impl Typed {
    /// Signs in; the name may have changed hands, and the password be the same all the same.
    async fn sign_in(self, gate: &mut Gate, link: &Link) -> Result<Box<Session>, Trouble> {
        let (session, master, _) =
            gate.sign_in(link, &self.person).await.map_err(perhaps_changed)?;
        let place = self.place;
        blocking(move || place.check(master.expose())).await?.map_err(Failure::from)?;
        Ok(session)
    }
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
        let Person { user, password, stretching, invite } = person.clone();
        let password_bytes = password.expose();
        let (sign_up, start) = SignUp::start(user, link.pin, invite, password_bytes, &mut OsRng)?;
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
        let Person { user, password, stretching, .. } = person.clone();
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

    /// Fetches the vault; as many requests go out whether there is one or not.
    async fn vault(&mut self) -> Result<StoredVault, Trouble> {
        for _ in 0..VAULT_TRIES {
            let mut versions = [0; VAULT_PARTS as usize];
            let mut bodies = [[0; CONTROL_BODY]; VAULT_PARTS as usize];
            for ((part, version), body) in (0..VAULT_PARTS).zip(&mut versions).zip(&mut bodies) {
                let answer = self.ask(&ClientControl::VaultGet(VaultGet { part })).await?;
                let ServerControl::VaultPart(answer) = answer else {
                    return Err(out_of_turn().into());
                };
                if answer.part != part {
                    return Err(out_of_turn().into());
                }
                (*version, *body) = (answer.version, answer.bytes);
            }
            // another machine may have stored one in between
            if versions.iter().all(|version| *version == versions[0]) {
                let (version, sealed) = (versions[0], SealedVault::from_parts(&bodies));
                return Ok(StoredVault { version, sealed });
            }
        }
        Err(Trouble::Lost("the vault changes all the time; try again in a minute".into()))
    }

    /// Fetches the directory from a length up to the session's, page by page, each verified by itself; whether
    /// they continue what is here is the core's to say.
    async fn pull(
        &mut self,
        mut from: u32,
        session: &Session,
        arrivals: &mpsc::Sender<Arrival>,
    ) -> Result<(), Trouble> {
        if session.directory_length as usize > RECORDS_MAX {
            return Err(PageError::TooLarge.into());
        }
        while let Some(pull) = Pull::toward(from, session.directory_length) {
            self.write(&ClientControl::Pull(pull)).await?;
            for _ in 0..pull.pages {
                let ServerControl::Page(page) = self.read().await? else {
                    return Err(out_of_turn().into());
                };
                if page.records.is_empty() || page.from != from {
                    return Err(out_of_turn().into());
                }
                verify_page(&self.connected.root, &page)?;
                from = from.saturating_add(u32::try_from(page.records.len()).unwrap_or(u32::MAX));
                send(arrivals, Arrival::Page(page)).await?;
            }
        }
        Ok(())
    }

    /// Returns both halves of the control stream, for the rounds.
    pub(super) fn into_parts(self) -> (Connected, quinn::SendStream, quinn::RecvStream) {
        (self.connected, self.send, self.receive)
    }

    /// Asks for a session and checks that the mixer's key, the directory's head and the restores in it are the server's.
    async fn session(&mut self, request: &ClientControl) -> Result<Box<Session>, Trouble> {
        let ServerControl::Session(session) = self.ask(request).await? else {
            return Err(out_of_turn().into());
        };
        let signed = Session::mixer_signed(&session.mixer);
        verify_signature(&self.connected.leaf, &signed, &session.mixer_signature)
            .map_err(|_| Failure::protocol("the server's mixer key is not signed by the server"))?;
        let signed = head_signed(session.directory_length, &session.directory_head);
        verify_signature(&self.connected.root, &signed, &session.directory_signature)
            .map_err(|_| unsigned_directory())?;
        let signed = restores_signed(&session.restores.notices);
        verify_signature(&self.connected.root, &signed, &session.restores.signature)
            .map_err(|_| Failure::protocol("what the server says of its restores is not signed"))?;
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

async fn come_back(
    link: Link,
    token: Token,
    held: Held,
    typed: Option<Typed>,
    arrivals: mpsc::Sender<Arrival>,
) -> Result<Entry, Trouble> {
    let mut gate = match Gate::open_within(&link, RECONNECT_WITHIN).await {
        // Whoever can drop packets can forge this answer, which nothing protects: it ends no client
        // that has been in the rounds.
        Err(Trouble::Fatal(Failure { code: ErrorCode::ServerProtocol, text })) => {
            return Err(Trouble::Lost(text));
        }
        gate => gate?,
    };
    let (session, is_new) = match (gate.resume(token).await, typed) {
        (Err(Trouble::TokenRefused(_)), Some(typed)) => {
            (typed.sign_in(&mut gate, &link).await, true)
        }
        (session, _) => (session, false),
    };
    let session = match session {
        Err(Trouble::Fatal(Failure { code: ErrorCode::SlowDown, text })) => {
            return Err(Trouble::Lost(text));
        }
        session => session?,
    };
    Entry::make(gate, session, held, arrivals, is_new).await
}

async fn send(arrivals: &mpsc::Sender<Arrival>, arrival: Arrival) -> Result<(), Trouble> {
    let gone = |_| Trouble::Lost("nobody takes the directory".into());
    arrivals.send(arrival).await.map_err(gone)
}

/// Says what else it may be if the server refuses the password that opens the profile.
pub(super) fn perhaps_changed(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Fatal(Failure { code: ErrorCode::WrongCredentials, .. }) => {
            let text = "the server refuses this password, which opens the profile on this machine: it may have \
                        been changed on another machine; sign in with the new one";
            Failure::new(ErrorCode::WrongCredentials, text).into()
        }
        trouble => trouble,
    }
}

/// Verifies that the server's root key signed where a page leads to.
pub(super) fn verify_page(root: &CertificateDer<'_>, page: &Page) -> Result<(), Failure> {
    verify_signature(root, &page.signed(), &page.signature).map_err(|_| unsigned_directory())
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

fn unsigned_directory() -> Failure {
    Failure::protocol("the server's directory is not signed by the server")
}

pub(super) fn out_of_turn() -> Failure {
    Failure::protocol("the server answered out of turn")
}

#[cfg(test)]
mod tests {
    use wire::directory::Head;

    use super::*;

    fn page(from: u32) -> Arrival {
        let (records, signature) = (Vec::new(), [0; 64]);
        Arrival::Page(Page { from, length: u32::MAX, head: Head::EMPTY, records, signature })
    }

    fn place(arrival: &Arrival) -> u32 {
        match arrival {
            Arrival::Page(page) => page.from,
            Arrival::Restores(_) => panic!("no restores came"),
        }
    }

    #[tokio::test]
    async fn no_step_of_the_way_in_waits_for_the_client() {
        let (send_pages, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let (arrive, arrived) = std::sync::mpsc::channel();
        let entry = async move {
            for from in 0..1000 {
                tokio::task::yield_now().await;
                send_pages.send(page(from)).await.unwrap();
            }
            arrive.send(()).unwrap();
            Err(Trouble::Lost("at the end of the way".into()))
        };
        let coming = Coming { entry: Box::pin(entry), arrivals };
        let late = Duration::from_secs(5);
        let making = blocking(move || arrived.recv_timeout(late).is_ok());
        let (made, Coming { entry, mut arrivals }) = coming.while_making(making).await;
        assert!(made.ok().unwrap(), "the client is made after the end of the way");
        assert!(matches!(entry.await, Err(Trouble::Lost(_))));
        let kept = std::iter::from_fn(|| arrivals.try_recv().ok()).map(|it| place(&it));
        assert!(kept.eq(0..1000));
    }

    #[tokio::test]
    async fn a_client_that_is_made_first_goes_on_with_the_way_in() {
        let (send_pages, arrivals) = mpsc::channel(ARRIVALS_MAX);
        let (allow, allowed) = tokio::sync::oneshot::channel();
        let entry = async move {
            send_pages.send(page(7)).await.unwrap();
            allowed.await.unwrap();
            Err(Trouble::Lost("at the end of the way".into()))
        };
        let coming = Coming { entry: Box::pin(entry), arrivals };
        let ((), Coming { entry, mut arrivals }) =
            coming.while_making(std::future::ready(())).await;
        allow.send(()).unwrap();
        assert!(matches!(entry.await, Err(Trouble::Lost(_))));
        assert_eq!(place(&arrivals.recv().await.unwrap()), 7);
    }
}
