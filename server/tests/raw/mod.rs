//! A client that says what it is told to, right or wrong, over real QUIC.

#[allow(dead_code, reason = "other tests use the rest")]
pub(crate) mod account;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use p256::ecdsa::SigningKey;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig};
use rand_core::OsRng;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group::X25519MLKEM768};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use server::config::Config;
use server::{Running, Server};
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{
    ClientControl, LoginFinish, LoginStart, RegisterFinish, RegisterStart, Resume, ServerControl,
    Session,
};
use wire::directory::Record;
use wire::ids::{Name, Round, Token};
use wire::layer::{Direction, Layer, Place};
use wire::link::Pin;
use wire::login::{EXPORTER_LABEL, LoginContext, login_start, register_start};
use wire::public_key::{AgreementKey, PublicKey};
use wire::round::{Join, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, CONTROL_FRAME, DEPOSIT, REPLY_SLOT, round_frame};

pub(crate) const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
pub(crate) const ROUND_MS: u32 = 100;
pub(crate) const SLOTS: u8 = 2;
const DEADLINE: Duration = Duration::from_secs(10);
pub(crate) const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) fn config(dir: &tempfile::TempDir) -> Config {
    Config { round_ms: ROUND_MS, ..Config::new(dir.path().join("data"), LOCAL) }
}

pub(crate) async fn start(dir: &tempfile::TempDir) -> Running {
    Server::start(config(dir)).await.unwrap()
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("this takes far less than 10 s")
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) control: (SendStream, RecvStream),
    pin: Pin,
    _endpoint: Endpoint,
}

/// A client with a seat, or soon to have one.
pub(crate) struct Seated {
    pub(crate) client: Client,
    pub(crate) rounds: (SendStream, RecvStream),
    pub(crate) layer: Layer,
}

/// What a round's frame said to a seat.
pub(crate) struct Heard {
    pub(crate) header: ServerHeader,
    pub(crate) cells: Vec<Option<[u8; CELL]>>,
}

/// Makes a socket whose connections trust every server.
pub(crate) fn endpoint() -> Endpoint {
    endpoint_with(TransportConfig::default())
}

/// Makes such a socket with other limits.
pub(crate) fn endpoint_with(transport: TransportConfig) -> Endpoint {
    let provider = CryptoProvider { kx_groups: vec![X25519MLKEM768], ..default_provider() };
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    tls.alpn_protocols = vec![wire::ALPN.to_vec()];
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client(LOCAL).unwrap();
    endpoint.set_default_client_config(config);
    endpoint
}

impl Client {
    pub(crate) async fn connect(server: &Running) -> Self {
        Self::connect_to(server.local_addr, server.link.pin).await
    }

    pub(crate) async fn connect_to(address: SocketAddr, pin: Pin) -> Self {
        Self::connect_from(endpoint(), address, pin).await
    }

    pub(crate) async fn connect_from(endpoint: Endpoint, address: SocketAddr, pin: Pin) -> Self {
        let connection = soon(endpoint.connect(address, "localhost").unwrap()).await.unwrap();
        let control = connection.open_bi().await.unwrap();
        Self { connection, control, pin, _endpoint: endpoint }
    }

    pub(crate) async fn send(&mut self, request: &ClientControl) {
        self.control.0.write_all(&request.encode()).await.unwrap();
    }

    pub(crate) async fn answer(&mut self) -> ServerControl {
        let mut frame = [0; CONTROL_FRAME];
        soon(self.control.1.read_exact(&mut frame)).await.unwrap();
        ServerControl::decode(&frame).unwrap()
    }

    pub(crate) async fn ask(&mut self, request: &ClientControl) -> ServerControl {
        self.send(request).await;
        self.answer().await
    }

    /// Registers; returns the refusal if there is one.
    pub(crate) async fn register(
        &mut self,
        who: &str,
        password: &str,
    ) -> Result<u32, ServerControl> {
        self.register_with(who, password, Invite::NONE, &SigningKey::random(&mut OsRng)).await
    }

    /// Registers with an invitation code and a signing key; returns the refusal if there is one.
    pub(crate) async fn register_with(
        &mut self,
        who: &str,
        password: &str,
        invite: Invite,
        key: &SigningKey,
    ) -> Result<u32, ServerControl> {
        let agreement = AgreementKey::random(&mut OsRng).public();
        self.register_record(password, invite, Record::new(name(who), agreement, key)).await
    }

    /// Registers with a record, right or wrong; returns the refusal if there is one.
    pub(crate) async fn register_record(
        &mut self,
        password: &str,
        invite: Invite,
        record: Record,
    ) -> Result<u32, ServerControl> {
        let (name, password) = (record.name, password.as_bytes());
        let (state, request) = register_start(name, self.pin, password, &mut OsRng).unwrap();
        let start = ClientControl::RegisterStart(RegisterStart { name, request, invite });
        let reply = match self.ask(&start).await {
            ServerControl::RegisterReply(reply) => reply,
            other => return Err(other),
        };
        let finish = state.finish(password, &reply.response, &CHEAP, &mut OsRng);
        let (upload, _export) = finish.unwrap();
        let finish = RegisterFinish {
            upload,
            stretching: CHEAP,
            master: SealedMaster([1; 80]),
            identity: SealedIdentity([2; 112]),
            record,
        };
        match self.ask(&ClientControl::RegisterFinish(Box::new(finish))).await {
            ServerControl::Registered(registered) => Ok(registered.index.0),
            other => Err(other),
        }
    }

    /// Logs in; returns the refusal if there is one. A client that could not open the server's answer
    /// goes on all the same, with a made-up last message.
    pub(crate) async fn log_in(
        &mut self,
        who: &str,
        password: &str,
    ) -> Result<Box<Session>, ServerControl> {
        let (name, password) = (name(who), password.as_bytes());
        let (state, request) = login_start(name, password, &mut OsRng).unwrap();
        let reply = match self.ask(&ClientControl::LoginStart(LoginStart { name, request })).await {
            ServerControl::LoginReply(reply) => reply,
            other => return Err(other),
        };
        let finish = state.finish(password, &reply.response, &CHEAP, &self.context(), &mut OsRng);
        let finalization = finish.map_or([7; 32], |(last, _export)| last);
        self.session(&ClientControl::LoginFinish(LoginFinish { finalization })).await
    }

    /// Returns what a login over this connection is bound to.
    pub(crate) fn context(&self) -> LoginContext {
        let mut exporter = [0; 32];
        self.connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").unwrap();
        LoginContext::new(self.pin, &exporter)
    }

    pub(crate) async fn resume(&mut self, token: &Token) -> Result<Box<Session>, ServerControl> {
        self.session(&ClientControl::Resume(Resume { token: token.duplicate() })).await
    }

    /// Sends `join`; the first frame comes when the next round opens.
    pub(crate) async fn join(self, session: &Session) -> Seated {
        let (own, mut rounds) =
            (AgreementKey::random(&mut OsRng), self.connection.open_bi().await.unwrap());
        rounds.0.write_all(&Join { key: own.public() }.encode(SLOTS)).await.unwrap();
        let layer = Layer::for_client(&own, &session.mixer).unwrap();
        Seated { client: self, rounds, layer }
    }

    /// Returns the code that the server closes the connection with.
    pub(crate) async fn closed(&self) -> Close {
        match soon(self.connection.closed()).await {
            ConnectionError::ApplicationClosed(close) => {
                Close::from_code(close.error_code.into_inner()).unwrap()
            }
            other => panic!("not closed by the server: {other}"),
        }
    }

    async fn session(&mut self, request: &ClientControl) -> Result<Box<Session>, ServerControl> {
        match self.ask(request).await {
            ServerControl::Session(session) => Ok(session),
            other => Err(other),
        }
    }
}

impl Seated {
    /// Registers a new account and takes a seat for it.
    pub(crate) async fn new(server: &Running, who: &str) -> (Self, Box<Session>) {
        let mut client = Client::connect(server).await;
        client.register(who, "password").await.ok().unwrap();
        let session = client.log_in(who, "password").await.ok().unwrap();
        (client.join(&session).await, session)
    }

    /// Takes the next frame, and opens it with the layer of the round that it answers.
    pub(crate) async fn hear(&mut self) -> Heard {
        let mut frame = vec![0; round_frame(SLOTS)];
        soon(self.rounds.1.read_exact(&mut frame)).await.unwrap();
        let (header, replies) = ServerHeader::decode(&frame, SLOTS).unwrap();
        assert_eq!(header.buckets, wire::dial::buckets(header.directory_length));
        let open = |(slot, layered): (u8, &[u8])| {
            let place = Place { direction: Direction::Reply, slot, slots: SLOTS };
            let mut cell = [0; CELL];
            self.layer.open(header.answered, place, layered, &mut cell).ok().map(|()| cell)
        };
        let cells = (0..).zip(replies.chunks_exact(REPLY_SLOT)).map(open).collect();
        if header.answered != Round::NONE {
            self.layer.step();
        }
        Heard { header, cells }
    }

    /// Deposits a cell of one repeated byte in every slot, each at a dead drop of one repeated byte.
    pub(crate) async fn deposit(&mut self, round: Round, slots: [(u8, u8); SLOTS as usize]) {
        let mut frame = deposit_frame(round, SLOTS);
        for ((slot, layered), (drop, cell)) in (0..).zip(deposit_slots_mut(&mut frame)).zip(slots) {
            let mut plain = [cell; DEPOSIT];
            plain[..16].fill(drop);
            let place = Place { direction: Direction::Deposit, slot, slots: SLOTS };
            self.layer.seal(round, place, &plain, layered);
        }
        self.rounds.0.write_all(&frame).await.unwrap();
    }

    /// Asks in the next control round.
    pub(crate) async fn ask(&mut self, request: &ClientControl) -> ServerControl {
        self.hear_until(|heard| heard.header.open.has_control()).await;
        self.client.ask(request).await
    }

    /// Hears frames until one opens a round with this property.
    pub(crate) async fn hear_until(&mut self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let heard = self.hear().await;
            if wanted(&heard) {
                return heard;
            }
        }
    }
}

/// Trusts every certificate: who the server is, other tests ask.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// Names a key that no account has.
pub(crate) fn any_key() -> PublicKey {
    AgreementKey::random(&mut OsRng).public()
}
