//! A client that says what it is told to, right or wrong, over real QUIC to a verified server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use client_core::account::{AccountError, Proved, SignIn, SignUp};
use client_link::transport::{client_config, login_exporter};
use quinn::{
    Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig, VarInt,
};
use rand_core::{OsRng, RngCore as _};
use wire::account::Stretching;
use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{ClientControl, LoginFinish, Resume, ServerControl, Session};
use wire::dial::DialReply;
use wire::ids::{Name, Round, Token};
use wire::layer::{Direction, Layer, Place};
use wire::link::Link;
use wire::login::LoginContext;
use wire::public_key::AgreementKey;
use wire::round::{Join, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{
    CELL, CONTROL_FRAME, CREDENTIAL_FINALIZATION, DEPOSIT, DROP_ID, REPLY_SLOT, round_frame,
};

use super::{LOCAL, soon};

/// A raw client that has not joined the rounds.
pub struct Raw {
    /// The connection.
    pub connection: Connection,
    /// The control stream.
    pub control: (SendStream, RecvStream),
    link: Link,
    exporter: [u8; 32],
    _endpoint: Endpoint,
}

/// A raw client with a seat, or soon to have one.
pub struct Seated {
    /// What it was before.
    pub raw: Raw,
    /// The round stream.
    pub rounds: (SendStream, RecvStream),
    layer: Layer,
    slots: u8,
}

/// What a round's frame said to a seat.
pub struct Heard {
    /// The server's header.
    pub header: ServerHeader,
    /// Bytes of the whole frame.
    pub bytes: usize,
    /// A cell for each slot whose layer held.
    pub cells: Vec<Option<[u8; CELL]>>,
}

impl Heard {
    /// Returns what the dial slot brought, if the round that this answers had one.
    pub fn dial_reply(&self) -> Option<DialReply> {
        let cell = self.cells.last().filter(|_| self.header.answered.has_dial())?;
        DialReply::decode(cell.as_ref()?).ok()
    }
}

impl Raw {
    /// Connects as every client does.
    pub async fn connect(link: &Link) -> Self {
        Self::connect_as(link, client_config(link.pin.0)).await
    }

    /// Connects as a client that lets so many unread bytes of a stream come, and stays all the same.
    pub async fn connect_with_window(link: &Link, bytes: u32) -> Self {
        let mut transport = TransportConfig::default();
        transport.stream_receive_window(VarInt::from_u32(bytes));
        // A client can hold up the idle timeout for ever.
        transport.keep_alive_interval(Some(Duration::from_secs(1)));
        let mut config = client_config(link.pin.0);
        config.transport_config(Arc::new(transport));
        Self::connect_as(link, config).await
    }

    async fn connect_as(link: &Link, config: quinn::ClientConfig) -> Self {
        let address = SocketAddr::new(LOCAL.ip(), link.port);
        let endpoint = Endpoint::client(LOCAL).expect("loopback has a free port");
        let connecting = endpoint.connect_with(config, address, &link.host);
        let connecting = connecting.expect("the address is a good one");
        let connection = soon("a connection", connecting).await.expect("the server accepts");
        let exporter = login_exporter(&connection).expect("the handshake is done");
        let control = soon("a stream", connection.open_bi()).await.expect("a stream is free");
        Self { connection, control, link: link.clone(), exporter, _endpoint: endpoint }
    }

    /// Writes bytes to the control stream; a server that closed meanwhile is no error here.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = soon("room on the control stream", self.control.0.write_all(bytes)).await;
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &ClientControl) {
        self.write(&request.encode()).await;
    }

    /// Reads the bytes of the next answer.
    pub async fn answer_bytes(&mut self) -> Vec<u8> {
        let mut frame = vec![0; CONTROL_FRAME];
        let read = self.control.1.read_exact(&mut frame);
        soon("an answer", read).await.expect("the server answers");
        frame
    }

    /// Reads the next answer.
    pub async fn answer(&mut self) -> ServerControl {
        ServerControl::decode(&self.answer_bytes().await).expect("the server speaks the protocol")
    }

    /// Sends a request and reads the answer.
    pub async fn ask(&mut self, request: &ClientControl) -> ServerControl {
        self.send(request).await;
        self.answer().await
    }

    /// Begins a registration.
    pub fn sign_up(&self, who: &str, password: &str) -> (SignUp, ClientControl) {
        SignUp::start(name(who), self.link.pin, None, password.as_bytes(), &mut OsRng)
            .expect("the password is short")
    }

    /// Registers at the cheapest cost.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn register(&mut self, who: &str, password: &str) -> Result<u32, ServerControl> {
        self.register_at(who, password, Stretching::for_tests()).await
    }

    /// Registers at a cost.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn register_at(
        &mut self,
        who: &str,
        password: &str,
        cost: Stretching,
    ) -> Result<u32, ServerControl> {
        let (sign_up, start) = self.sign_up(who, password);
        let finish = self.second_step(sign_up, &start, password, cost).await?;
        match self.ask(&finish).await {
            ServerControl::Registered(registered) => Ok(registered.index.0),
            other => Err(other),
        }
    }

    /// Takes the first step of a registration and returns the second.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn second_step(
        &mut self,
        sign_up: SignUp,
        start: &ClientControl,
        password: &str,
        cost: Stretching,
    ) -> Result<ClientControl, ServerControl> {
        match self.ask(start).await {
            ServerControl::RegisterReply(reply) => Ok(sign_up
                .finish(password.as_bytes(), &reply, cost, &mut OsRng)
                .expect("the server's reply is a good one")),
            other => Err(other),
        }
    }

    /// Logs in, with an answer to everything: who could not open the server's reply goes on all the
    /// same with a made-up last message.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn log_in(
        &mut self,
        who: &str,
        password: &str,
    ) -> Result<(Box<Session>, Proved), ServerControl> {
        let start = SignIn::start(name(who), password.as_bytes(), &mut OsRng);
        let (sign_in, start) = start.expect("the password is short");
        let reply = match self.ask(&start).await {
            ServerControl::LoginReply(reply) => reply,
            other => return Err(other),
        };
        let context = LoginContext::new(self.link.pin, &self.exporter);
        let floor = Stretching::for_tests();
        match sign_in.finish(password.as_bytes(), &reply, &floor, &context, &mut OsRng) {
            Ok((proved, finish)) => Ok((self.session(&finish).await?, proved)),
            Err(AccountError::Login(_)) => Err(self.ask(&Self::made_up_finish()).await),
            Err(error) => panic!("the server's reply is none: {error}"),
        }
    }

    /// Takes up a session again.
    ///
    /// # Errors
    /// What the server answered instead.
    pub async fn resume(&mut self, token: &Token) -> Result<Box<Session>, ServerControl> {
        self.session(&ClientControl::Resume(Resume { token: token.duplicate() })).await
    }

    /// Registers, logs in and joins.
    pub async fn seated(link: &Link, who: &str) -> (Seated, Box<Session>) {
        Self::connect(link).await.takes_seat(who).await
    }

    /// Registers, logs in and joins over this connection.
    pub async fn takes_seat(mut self, who: &str) -> (Seated, Box<Session>) {
        assert!(self.register(who, "p").await.is_ok(), "{who} is free");
        let Ok((session, _)) = self.log_in(who, "p").await else { panic!("{who} can log in") };
        (self.join(&session).await, session)
    }

    /// Sends `join`; the first frame comes when the next round opens.
    pub async fn join(self, session: &Session) -> Seated {
        let own = AgreementKey::random(&mut OsRng);
        let rounds = self.connection.open_bi().await.expect("a stream is free");
        let layer = Layer::for_client(&own, &session.mixer).expect("the mixer's key is one");
        let mut seated = Seated { raw: self, rounds, layer, slots: session.slots };
        seated.write(&Join { key: own.public() }.encode(session.slots)).await;
        seated
    }

    /// Makes a last step of a login that proves nothing.
    pub fn made_up_finish() -> ClientControl {
        ClientControl::LoginFinish(LoginFinish { finalization: [7; CREDENTIAL_FINALIZATION] })
    }

    /// Waits until the server closes the connection; returns code and reason.
    pub async fn closed(&self) -> (Close, String) {
        match soon("the close", self.connection.closed()).await {
            ConnectionError::ApplicationClosed(close) => {
                let code = Close::from_code(close.error_code.into_inner()).expect("a known code");
                (code, String::from_utf8_lossy(&close.reason).into_owned())
            }
            other => panic!("not closed by the server: {other}"),
        }
    }

    /// Waits until what was written has left in a datagram of its own.
    pub async fn sent_since(&self, before: u64) {
        let left = async {
            while self.datagrams_sent() == before && self.connection.close_reason().is_none() {
                tokio::task::yield_now().await;
            }
        };
        soon("a datagram to leave", left).await;
    }

    /// Returns how many datagrams this client has sent.
    pub fn datagrams_sent(&self) -> u64 {
        self.connection.stats().udp_tx.datagrams
    }

    async fn session(&mut self, request: &ClientControl) -> Result<Box<Session>, ServerControl> {
        match self.ask(request).await {
            ServerControl::Session(session) => Ok(session),
            other => Err(other),
        }
    }
}

impl Seated {
    /// Writes bytes to the round stream; a server that closed meanwhile is no error here.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = soon("room on the round stream", self.rounds.0.write_all(bytes)).await;
    }

    /// Takes the next frame, and opens it with the layer of the round that it answers.
    pub async fn hear(&mut self) -> Heard {
        let slots = self.slots;
        let mut frame = vec![0; round_frame(slots)];
        let read = self.rounds.1.read_exact(&mut frame);
        soon("a round", read).await.expect("the stream goes on");
        let (header, replies) = ServerHeader::decode(&frame, slots).expect("the server is right");
        let open = |(slot, layered): (u8, &[u8])| {
            let mut cell = [0; CELL];
            let place = Place { direction: Direction::Reply, slot, slots };
            self.layer.open(header.answered, place, layered, &mut cell).ok().map(|()| cell)
        };
        let cells = (0..).zip(replies.chunks_exact(REPLY_SLOT)).map(open).collect();
        if header.answered != Round::NONE {
            self.layer.step();
        }
        Heard { header, bytes: frame.len(), cells }
    }

    /// Hears frames until one is as wanted.
    pub async fn hear_until(&mut self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.hear().await;
            if wanted(&heard) {
                return heard;
            }
        }
    }

    /// Makes a deposit whose slots hold a cell of the byte `first`, `first + 1` and so on, and all lie
    /// at one drop, so that the first two swap.
    pub fn deposit(&self, round: Round, first: u8) -> Vec<u8> {
        self.sealed(round, |slot| {
            let mut plain = [first.wrapping_add(slot); DEPOSIT];
            plain[..DROP_ID].fill(first);
            plain
        })
    }

    /// Makes a deposit whose last slot, that of the dial, is `dial`, and whose other slots are drawn.
    pub fn deposit_with_dial(&self, round: Round, dial: &[u8; DEPOSIT]) -> Vec<u8> {
        self.sealed(round, |slot| {
            let mut plain = *dial;
            if slot + 1 < self.slots {
                OsRng.fill_bytes(&mut plain);
            }
            plain
        })
    }

    fn sealed(&self, round: Round, plain: impl Fn(u8) -> [u8; DEPOSIT]) -> Vec<u8> {
        let mut frame = deposit_frame(round, self.slots);
        for (slot, layered) in (0..).zip(deposit_slots_mut(&mut frame)) {
            let plain = plain(slot);
            let place = Place { direction: Direction::Deposit, slot, slots: self.slots };
            self.layer.seal(round, place, &plain, layered);
        }
        frame
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("tests use good names")
}
