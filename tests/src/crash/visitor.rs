//! A client that asks the server one thing after another before it joins, and may be cut off at any moment.

use std::sync::Arc;
use std::time::Duration;

use client_core::account::{
    AccountError, Deletion, PasswordChange, Passwords, Proved, SealedKeys, SignIn, SignUp,
};
use client_link::transport::connect;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rand_core::OsRng;
use tokio::sync::watch;
use wire::account::Stretching;
use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{ClientControl, Refusal, Resume, ServerControl, Session, VaultGet, VaultPut};
use wire::ids::{Name, Round, Token};
use wire::link::Link;
use wire::login::{LoginContext, LoginError};
use wire::public_key::AgreementKey;
use wire::round::{Join, ServerHeader};
use wire::size::{CONTROL_BODY, CONTROL_FRAME, VAULT_PARTS, round_frame};

use super::journal::{Journal, Life, Stage};

/// Longest time for a connection.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// Longest time for an answer of a server that lives.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long an answer of a server that was killed is still looked for: what it sent before is on its way, and counts.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Why a visit ended.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server is gone, or the connection is.
    Gone,
    /// The server lives and does not do what it must.
    Wrong(String),
}

/// What a server that lives said no with.
#[derive(Debug)]
pub(super) enum No {
    /// There is no such account, or the password is another.
    WrongCredentials,
    /// Too many failures; to be tried again after so long.
    SlowDown(Duration),
}

/// Parts of a vault.
pub(super) type Parts = [[u8; CONTROL_BODY]; VAULT_PARTS as usize];

/// A client on a connection to one life of the server.
pub(super) struct Visitor {
    connection: Connection,
    control: (SendStream, RecvStream),
    link: Link,
    context: LoginContext,
    lives: watch::Receiver<Life>,
    life: u32,
    _endpoint: Endpoint,
}

/// A client that has a seat.
pub(super) struct Seated {
    visitor: Visitor,
    rounds: Rounds,
}

/// The stream of the rounds.
struct Rounds {
    connection: Connection,
    receive: RecvStream,
    frame: Vec<u8>,
    filled: usize,
    slots: u8,
    life: u32,
    lives: watch::Receiver<Life>,
    journal: Arc<Journal>,
    /// Its end would be the end of the seat.
    _send: SendStream,
}

/// Returns the cost at which passwords are stretched here.
fn cost() -> Stretching {
    Stretching::for_tests()
}

impl Visitor {
    /// Connects to the server that serves now.
    pub(super) async fn connect(link: &Link, journal: &Journal) -> Result<Self, Trouble> {
        let lives = journal.lives();
        let before = *lives.borrow();
        let Life { number: life, stage: Stage::Serving } = before else {
            return Err(Trouble::Gone);
        };
        let connected = connect(&link.host, link.port, link.pin.0, CONNECTS_WITHIN);
        let connected = or_gone(lives.clone(), life, connected).await?;
        let connected = connected.map_err(|_| Trouble::Gone)?;
        let control = connected.connection.open_bi();
        let control = or_gone(lives.clone(), life, control).await?.map_err(|_| Trouble::Gone)?;
        // whoever answered the handshake answered in the life that it began and ended in
        if lives.borrow().number != life {
            return Err(Trouble::Gone);
        }
        let context = LoginContext::new(link.pin, &connected.exporter);
        Ok(Self {
            connection: connected.connection,
            control,
            link: link.clone(),
            context,
            lives,
            life,
            _endpoint: connected.endpoint,
        })
    }

    /// Makes an account; `Ok(Err(()))` if the name is taken.
    pub(super) async fn register(
        &mut self,
        name: Name,
        password: &str,
    ) -> Result<Result<(), ()>, Trouble> {
        let password = password.as_bytes();
        let start = SignUp::start(name, self.link.pin, None, password, &mut OsRng);
        let (sign_up, start) = start.map_err(wrong("a registration"))?;
        let reply = match self.ask(&start).await? {
            ServerControl::RegisterReply(reply) => reply,
            other => return taken(&other),
        };
        let finish = sign_up.finish(password, &reply, cost(), &mut OsRng);
        let finish = finish.map_err(wrong("the reply to a registration"))?;
        match self.ask(&finish).await? {
            ServerControl::Registered(_) => Ok(Ok(())),
            other => taken(&other),
        }
    }

    /// Signs in with a password, and opens the account's keys.
    pub(super) async fn sign_in(
        &mut self,
        name: Name,
        password: &str,
    ) -> Result<Result<Box<Session>, No>, Trouble> {
        let start = SignIn::start(name, password.as_bytes(), &mut OsRng);
        let (sign_in, start) = start.map_err(wrong("a sign-in"))?;
        let reply = match self.ask(&start).await? {
            ServerControl::LoginReply(reply) => reply,
            other => return no(&other).map(Err),
        };
        // What nobody here has is what the server says of an unknown name: not worth its 64 MiB.
        if reply.stretching != cost() {
            return self.fail().await.map(Err);
        }
        let finish =
            sign_in.finish(password.as_bytes(), &reply, &cost(), &self.context, &mut OsRng);
        let (proved, finish) = match finish {
            Ok(finish) => finish,
            Err(AccountError::Login(LoginError::WrongCredentials)) => {
                return self.fail().await.map(Err);
            }
            Err(error) => return Err(wrong("the reply to a sign-in")(error)),
        };
        match self.ask(&finish).await? {
            ServerControl::Session(session) => Ok(Ok(opened(proved, session)?)),
            other => no(&other).map(Err),
        }
    }

    /// Takes up a session again, which must work.
    pub(super) async fn resume(&mut self, token: &Token) -> Result<Box<Session>, Trouble> {
        let resume = ClientControl::Resume(Resume { token: token.duplicate() });
        match self.ask(&resume).await? {
            ServerControl::Session(session) => Ok(session),
            other => Err(Trouble::Wrong(format!("a session is not resumed: {}", said(&other)))),
        }
    }

    /// Changes the password of who is signed in; returns the session's new token.
    pub(super) async fn change_password(
        &mut self,
        name: Name,
        session: &Session,
        passwords: (&str, &str),
    ) -> Result<Token, Trouble> {
        let passwords = Passwords { old: passwords.0.as_bytes(), new: passwords.1.as_bytes() };
        let start = PasswordChange::start(name, self.link.pin, passwords, &mut OsRng);
        let (change, start) = start.map_err(wrong("a change of password"))?;
        let reply = match self.ask(&start).await? {
            ServerControl::ChangeReply(reply) => reply,
            other => return Err(unexpected("a change of password", &other)),
        };
        let keys = keys(session);
        let finish = change.finish(passwords, &reply, &keys, &cost(), &self.context, &mut OsRng);
        let finish = finish.map_err(wrong("the reply to a change of password"))?;
        match self.ask(&finish.frame).await? {
            ServerControl::Changed(changed) => Ok(changed.token),
            other => Err(unexpected("the end of a change of password", &other)),
        }
    }

    /// Deletes the account of who is signed in.
    pub(super) async fn delete(
        &mut self,
        name: Name,
        session: &Session,
        password: &str,
    ) -> Result<(), Trouble> {
        let start = Deletion::start(name, password.as_bytes(), &mut OsRng);
        let (deletion, start) = start.map_err(wrong("a deletion"))?;
        let reply = match self.ask(&start).await? {
            ServerControl::DeleteReply(reply) => reply,
            other => return Err(unexpected("a deletion", &other)),
        };
        let (password, keys) = (password.as_bytes(), keys(session));
        let finish = deletion.finish(password, &reply, &keys, &cost(), &self.context, &mut OsRng);
        let finish = finish.map_err(wrong("the reply to a deletion"))?;
        match self.ask(&finish).await? {
            ServerControl::Deleted => Ok(()),
            other => Err(unexpected("the end of a deletion", &other)),
        }
    }

    /// Reads the vault of who is signed in: its version, 0 for none, and its parts.
    pub(super) async fn vault(&mut self) -> Result<(u64, Parts), Trouble> {
        let (mut versions, mut parts) = ([0; VAULT_PARTS as usize], [[0; CONTROL_BODY]; _]);
        for part in 0..VAULT_PARTS {
            let answer = self.ask(&ClientControl::VaultGet(VaultGet { part })).await?;
            let ServerControl::VaultPart(it) = answer else {
                return Err(unexpected("a question for a vault", &answer));
            };
            let at = usize::from(part);
            (versions[at], parts[at]) = (it.version, it.bytes);
        }
        if versions.iter().any(|version| *version != versions[0]) {
            return Err(Trouble::Wrong(format!("a vault has parts of versions {versions:?}")));
        }
        Ok((versions[0], parts))
    }

    /// Joins the rounds.
    pub(super) async fn takes_seat(
        self,
        session: &Session,
        journal: &Arc<Journal>,
    ) -> Result<Seated, Trouble> {
        let own = AgreementKey::random(&mut OsRng);
        let stream = or_gone(self.lives.clone(), self.life, self.connection.open_bi()).await?;
        let (mut send, receive) = stream.map_err(|_| broken(&self.connection))?;
        let join = Join { key: own.public() }.encode(session.slots);
        send.write_all(&join).await.map_err(|_| broken(&self.connection))?;
        let rounds = Rounds {
            connection: self.connection.clone(),
            receive,
            frame: vec![0; round_frame(session.slots)],
            filled: 0,
            slots: session.slots,
            life: self.life,
            lives: self.lives.clone(),
            journal: journal.clone(),
            _send: send,
        };
        Ok(Seated { visitor: self, rounds })
    }

    /// Asks, and waits for the answer for as long as the server lives and a moment longer.
    async fn ask(&mut self, request: &ClientControl) -> Result<ServerControl, Trouble> {
        let (lives, life) = (self.lives.clone(), self.life);
        let (connection, (send, receive)) = (&self.connection, &mut self.control);
        let asked = async {
            let sent = send.write_all(&request.encode()).await;
            sent.map_err(|_| broken(connection))?;
            let mut frame = [0; CONTROL_FRAME];
            receive.read_exact(&mut frame).await.map_err(|_| broken(connection))?;
            ServerControl::decode(&frame).map_err(wrong("an answer"))
        };
        let answered = tokio::time::timeout(ANSWERS_WITHIN, or_gone(lives, life, asked));
        match answered.await {
            Ok(answer) => answer?,
            Err(_) => Err(Trouble::Wrong(format!("no answer within {ANSWERS_WITHIN:?}"))),
        }
    }

    /// Ends a sign-in whose password did not fit, with a last message that proves nothing.
    async fn fail(&mut self) -> Result<No, Trouble> {
        let answer = self.ask(&crate::world::Raw::made_up_finish()).await?;
        no(&answer)
    }
}

impl Seated {
    /// Stores a vault of version `base + 1` in place of that of version `base`, a part in each control round.
    pub(super) async fn store_vault(&mut self, base: u64, parts: &Parts) -> Result<(), Trouble> {
        let version = base + 1;
        for (part, bytes) in (0..).zip(parts) {
            let put = VaultPut { part, base, version, bytes: *bytes };
            let answer = self.ask(&ClientControl::VaultPut(Box::new(put))).await?;
            match answer {
                ServerControl::VaultStaged if part + 1 < VAULT_PARTS => (),
                ServerControl::VaultStored(stored) if stored.version == version => return Ok(()),
                other => return Err(unexpected("a part of a vault", &other)),
            }
        }
        Err(Trouble::Wrong("the server never stores the vault".to_owned()))
    }

    /// Asks in the next control round, and hears the rounds until the answer is there.
    async fn ask(&mut self, request: &ClientControl) -> Result<ServerControl, Trouble> {
        while !self.rounds.next().await?.has_control() {}
        let rounds = &mut self.rounds;
        let hear = async {
            loop {
                rounds.next().await?;
            }
        };
        tokio::select! {
            answer = self.visitor.ask(request) => answer,
            end = hear => end,
        }
    }
}

impl Rounds {
    /// Hears the next opening, and takes it down. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Round, Trouble> {
        while self.filled < self.frame.len() {
            let read = self.receive.read(&mut self.frame[self.filled..]);
            match or_gone(self.lives.clone(), self.life, read).await? {
                Ok(Some(bytes)) => self.filled += bytes,
                Ok(None) | Err(_) => return Err(broken(&self.connection)),
            }
        }
        self.filled = 0;
        let header = ServerHeader::decode(&self.frame, self.slots);
        let (header, _) = header.map_err(wrong("the header of a round"))?;
        if header.open != Round::NONE {
            self.journal.round_is_open(self.life, header.open.0);
        }
        Ok(header.open)
    }
}

/// Tells why a connection broke: a server that is killed closes none, and one whose disk failed is about to restart.
fn broken(connection: &Connection) -> Trouble {
    match connection.close_reason() {
        Some(ConnectionError::ApplicationClosed(close))
            if close.error_code != Close::Restarting.code().into() =>
        {
            Trouble::Wrong(format!("the server closed the connection: {close}"))
        }
        Some(_) | None => Trouble::Gone,
    }
}

/// Waits for something for as long as a life lasts, and a moment longer.
async fn or_gone<T>(
    mut lives: watch::Receiver<Life>,
    life: u32,
    work: impl Future<Output = T>,
) -> Result<T, Trouble> {
    tokio::pin!(work);
    let over = lives.wait_for(|now| now.number != life || now.stage == Stage::Dead);
    tokio::select! {
        biased;
        done = &mut work => return Ok(done),
        _ = over => (),
    }
    tokio::time::timeout(LAST_WORDS, work).await.map_err(|_| Trouble::Gone)
}

fn opened(proved: Proved, session: Box<Session>) -> Result<Box<Session>, Trouble> {
    proved.open(&session).map_err(wrong("the keys of an account"))?;
    Ok(session)
}

fn keys(session: &Session) -> SealedKeys {
    SealedKeys { master: session.master, identity: session.identity }
}

fn taken(answer: &ServerControl) -> Result<Result<(), ()>, Trouble> {
    match answer {
        ServerControl::Refused(refused) if refused.why == Refusal::NameTaken => Ok(Err(())),
        other => Err(unexpected("a registration", other)),
    }
}

fn no(answer: &ServerControl) -> Result<No, Trouble> {
    match answer {
        ServerControl::Refused(refused) if refused.why == Refusal::WrongCredentials => {
            Ok(No::WrongCredentials)
        }
        ServerControl::Refused(refused) if refused.why == Refusal::SlowDown => {
            Ok(No::SlowDown(Duration::from_millis(refused.retry_ms.into())))
        }
        other => Err(unexpected("a sign-in", other)),
    }
}

/// What else the server may say is to come again later.
fn unexpected(to: &str, answer: &ServerControl) -> Trouble {
    if matches!(answer, ServerControl::Refused(refused) if refused.why == Refusal::SlowDown) {
        return Trouble::Gone;
    }
    Trouble::Wrong(format!("the answer to {to} is {}", said(answer)))
}

fn wrong<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Trouble {
    move |error| Trouble::Wrong(format!("{what}: {error}"))
}

fn said(answer: &ServerControl) -> String {
    match answer {
        ServerControl::Refused(refused) => format!("{:?}", refused.why),
        ServerControl::VaultConflict(stored) => format!("a conflict with vault {}", stored.version),
        ServerControl::VaultStored(stored) => format!("that vault {} is stored", stored.version),
        ServerControl::Idle
        | ServerControl::RegisterReply(_)
        | ServerControl::Registered(_)
        | ServerControl::LoginReply(_)
        | ServerControl::Session(_)
        | ServerControl::Page(_)
        | ServerControl::SignedOut
        | ServerControl::ChangeReply(_)
        | ServerControl::Changed(_)
        | ServerControl::DeleteReply(_)
        | ServerControl::Deleted
        | ServerControl::Sessions(_)
        | ServerControl::SessionEnded
        | ServerControl::VaultPart(_)
        | ServerControl::VaultStaged => "another answer".to_owned(),
    }
}
