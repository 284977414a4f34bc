//! The transport on real sockets: who is accepted as the server, and what an observer between the
//! two sees of a connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use client_link::pin::{PinnedVerifier, verify_signature};
use client_link::transport::{ConnectError, Connected, connect};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::rustls::client::Tls13ClientSessionValue;
use quinn::rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue};
use quinn::rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use quinn::rustls::{self, NamedGroup};
use server::identity::{LEAF_LIFE, Leaf, RootKey};
use server::quic::{Connection, RecvStream};
use server::transport::{Limits, TransportKeys, bind, login_exporter};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

const HOST: &str = "127.0.0.1";
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const LIMITS: Limits = Limits { incoming_max: 16 };
const DEADLINE: Duration = Duration::from_secs(10);
/// Longer than any refusal takes, so that a refusal is told from silence.
const WITHIN: Duration = Duration::from_secs(8);
/// A busy machine makes QUIC repeat itself; in one of so many tries it does not.
const TRIES: usize = 2;

#[tokio::test]
async fn both_sides_agree_on_the_exporter_and_the_leaf() {
    let root = RootKey::generate();
    let leaf = leaf_for(&root, HOST);
    let mut server = Server::start(&leaf, &TransportKeys::generate());
    let first = connect(HOST, server.port, root.pin(), WITHIN).await.unwrap();
    let second = connect(HOST, server.port, root.pin(), WITHIN).await.unwrap();

    let accepted = server.accepted().await;
    assert_eq!(login_exporter(&accepted), Some(first.exporter));
    assert_ne!(first.exporter, second.exporter, "the exporter names one connection");
    assert_eq!(first.leaf, leaf.chain()[0]);
    let signature = leaf.sign(b"mixer key");
    assert!(verify_signature(&first.leaf, b"mixer key", &signature).is_ok());
    assert!(verify_signature(&first.leaf, b"other key", &signature).is_err());
    let other = leaf_for(&root, HOST).sign(b"mixer key");
    assert!(verify_signature(&first.leaf, b"mixer key", &other).is_err());
}

#[tokio::test]
async fn nothing_can_be_exported_once_the_handshake_is_forgotten() {
    let root = RootKey::generate();
    let mut server = Server::start(&leaf_for(&root, HOST), &TransportKeys::generate());
    let client = connect(HOST, server.port, root.pin(), WITHIN).await.unwrap();
    let accepted = server.accepted().await;
    assert_eq!(login_exporter(&accepted), Some(client.exporter));
    accepted.forget_handshake();
    assert_eq!(login_exporter(&accepted), None);
}

#[tokio::test]
async fn a_host_name_is_tried_on_all_its_addresses() {
    let root = RootKey::generate();
    let server = Server::start(&leaf_for(&root, "localhost"), &TransportKeys::generate());
    assert!(connect("localhost", server.port, root.pin(), WITHIN).await.is_ok());
}

#[tokio::test]
async fn a_kept_root_key_is_still_the_pinned_one() {
    let root = RootKey::generate();
    let again = RootKey::from_pkcs8(&root.to_pkcs8()).unwrap();
    let server = Server::start(&leaf_for(&again, HOST), &TransportKeys::generate());
    assert!(connect(HOST, server.port, root.pin(), WITHIN).await.is_ok());
}

#[tokio::test]
async fn another_root_is_a_wrong_pin() {
    let server = Server::start(&leaf_for(&RootKey::generate(), HOST), &TransportKeys::generate());
    let pin = RootKey::generate().pin();
    assert_eq!(refusal(server.port, pin).await, ConnectError::WrongPin);
}

#[tokio::test]
async fn an_impostor_who_appends_the_true_root_is_a_wrong_pin() {
    let root = RootKey::generate();
    let (chain, key) = impostor_chain(&root);
    let server = Server::with_config(impostor_config(chain, key, aws_lc_rs::ALL_KX_GROUPS));
    assert_eq!(refusal(server.port, root.pin()).await, ConnectError::WrongPin);
}

#[tokio::test]
async fn an_impostor_with_more_certificates_is_a_wrong_pin() {
    let root = RootKey::generate();
    let (mut chain, key) = impostor_chain(&root);
    chain.insert(1, leaf_for(&root, HOST).chain()[0].clone());
    let server = Server::with_config(impostor_config(chain, key, aws_lc_rs::ALL_KX_GROUPS));
    assert_eq!(refusal(server.port, root.pin()).await, ConnectError::WrongPin);
}

/// The chain is public: whoever connects can copy it. Without the leaf's key it proves nothing.
#[tokio::test]
async fn a_copied_chain_without_its_key_is_refused() {
    let root = RootKey::generate();
    let (_, key) = impostor_chain(&root);
    let chain = leaf_for(&root, HOST).chain();
    let server = Server::with_config(impostor_config(chain, key, aws_lc_rs::ALL_KX_GROUPS));
    let error = refusal(server.port, root.pin()).await;
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn a_leaf_for_another_host_is_refused() {
    let root = RootKey::generate();
    for other in ["127.0.0.2", "localhost", "chat.example.org"] {
        let server = Server::start(&leaf_for(&root, other), &TransportKeys::generate());
        let error = refusal(server.port, root.pin()).await;
        assert!(matches!(error, ConnectError::Tls(_)), "{other}: {error:?}");
    }
}

#[tokio::test]
async fn a_leaf_outside_its_dates_is_refused() {
    let root = RootKey::generate();
    let day = Duration::from_secs(24 * 60 * 60);
    let now = SystemTime::now();
    for (made, accepted) in
        [(now - LEAF_LIFE - day, false), (now - LEAF_LIFE + day, true), (now + 3 * day, false)]
    {
        let leaf = Leaf::new(&root, HOST, made).unwrap();
        let server = Server::start(&leaf, &TransportKeys::generate());
        let result = connect(HOST, server.port, root.pin(), WITHIN).await;
        match result {
            Ok(_) => assert!(accepted),
            Err(error) => assert!(!accepted && matches!(error, ConnectError::Tls(_)), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn each_side_refuses_a_key_exchange_that_is_not_hybrid() {
    let root = RootKey::generate();
    let server = Server::start(&leaf_for(&root, HOST), &TransportKeys::generate());
    let client = raw_client(&root, &[aws_lc_rs::kx_group::X25519], |_| {});
    assert!(client.connect(server.address(), HOST).unwrap().await.is_err());
    let client = raw_client(&root, &[aws_lc_rs::kx_group::X25519MLKEM768], |_| {});
    assert!(client.connect(server.address(), HOST).unwrap().await.is_ok());

    let (chain, key) = impostor_chain(&root);
    let classical =
        Server::with_config(impostor_config(chain, key, &[aws_lc_rs::kx_group::X25519]));
    let error = refusal(classical.port, root.pin()).await;
    assert!(matches!(error, ConnectError::Tls(_)), "refused before any certificate: {error:?}");
}

#[tokio::test]
async fn another_protocol_version_is_said_to_be_that() {
    let root = RootKey::generate();
    let (chain, key) = impostor_chain(&root);
    let config = quinn_config(rustls_config(chain, key, aws_lc_rs::ALL_KX_GROUPS, b"iirs/2"));
    let server = Server::with_config(config);
    assert_eq!(refusal(server.port, root.pin()).await, ConnectError::OtherVersion);
}

#[tokio::test]
async fn nobody_there_and_no_such_host_are_told_apart() {
    let silent = UdpSocket::bind(ANY_PORT).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = connect(HOST, port, [0; 32], Duration::from_millis(100)).await.err().unwrap();
    assert_eq!(error, ConnectError::Timeout { host: HOST.to_owned(), port });
    let error = connect("host with spaces", port, [0; 32], WITHIN).await.err().unwrap();
    assert!(matches!(error, ConnectError::NoSuchHost { .. }), "{error:?}");
}

/// A client that would take a ticket or an address token is given none, so none can link its
/// connections, and it can send nothing early.
#[tokio::test]
async fn the_server_gives_nothing_to_resume_with() {
    let root = RootKey::generate();
    let mut server = Server::start(&leaf_for(&root, HOST), &TransportKeys::generate());
    let kept = Arc::new(Kept::default());
    let client = raw_client(&root, &[aws_lc_rs::kx_group::X25519MLKEM768], |tls| {
        tls.resumption = Resumption::store(kept.clone());
        tls.enable_early_data = true;
    });
    for _ in 0..2 {
        let connecting = client.connect(server.address(), HOST).unwrap();
        let connection = match connecting.into_0rtt() {
            Ok(_) => panic!("early data must be impossible"),
            Err(connecting) => connecting.await.unwrap(),
        };
        let accepted = server.accepted().await;
        // Tickets and tokens would come before the answer.
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(b"question").await.unwrap();
        let (mut back, mut question) = accepted.accept_bi().await.unwrap();
        read_exact(&mut question, &mut [0; 8]).await;
        back.write_all(b"answer").await.unwrap();
        receive.read_exact(&mut [0; 6]).await.unwrap();
        assert_eq!(connection.stats().frame_rx.new_token, 0, "an address token");
    }
    assert_eq!(kept.count.load(Ordering::SeqCst), 0, "session tickets");
}

/// What the threat model rests on: after the handshake every datagram has one size, in both
/// directions, whatever it carries: data of any length, acknowledgements alone, the close.
#[tokio::test]
async fn every_datagram_after_the_handshake_has_one_size() {
    let root = RootKey::generate();
    let mut server = Server::start(&leaf_for(&root, HOST), &TransportKeys::generate());
    let relay = Relay::start(server.address()).await;
    let client = connect(HOST, relay.port, root.pin(), WITHIN).await.unwrap();
    let accepted = server.accepted().await;
    let (mut up, mut down) = client.connection.open_bi().await.unwrap();
    up.write_all(&[0]).await.unwrap();
    let (mut back, mut forth) = accepted.accept_bi().await.unwrap();
    read_exact(&mut forth, &mut [0]).await;

    let mut frame = [7; 1056];
    for bytes in [1, 17, 512, 544, 800, 1056] {
        // The reader writes nothing, so what comes back is an acknowledgement alone.
        let mut fewest = Seen { up: usize::MAX, down: usize::MAX };
        for _ in 0..TRIES {
            let before = relay.seen();
            up.write_all(&frame[..bytes]).await.unwrap();
            read_exact(&mut forth, &mut frame[..bytes]).await;
            relay.wait_for(Way::Down, before.down + 1).await;
            fewest.up = fewest.up.min(relay.seen().up - before.up);

            let before = relay.seen();
            back.write_all(&frame[..bytes]).await.unwrap();
            down.read_exact(&mut frame[..bytes]).await.unwrap();
            relay.wait_for(Way::Up, before.up + 1).await;
            fewest.down = fewest.down.min(relay.seen().down - before.down);
        }
        assert_eq!(fewest, Seen { up: 1, down: 1 }, "datagrams for a frame of {bytes} bytes");
    }
    let before = relay.seen();
    client.connection.close(3_u32.into(), b"a reason of some length");
    relay.wait_for(Way::Up, before.up + 1).await;
    accepted.closed().await;

    let datagrams = relay.datagrams.lock().expect("no panic under the lock").clone();
    for way in [Way::Up, Way::Down] {
        let after: Vec<_> = datagrams
            .iter()
            .filter(|datagram| datagram.way == way && !datagram.handshake)
            .map(|datagram| datagram.bytes)
            .collect();
        assert!(after.len() >= 22, "{} datagrams are too few for the test", after.len());
        assert!(after.iter().all(|bytes| *bytes == 1200), "{way:?}: {after:?}");
    }
}

/// Padded acknowledgements count as in flight, and nothing makes the server acknowledge them: as long as the client
/// has nothing to say, they pile up, and must leave room for what it says then.
#[tokio::test]
async fn many_acknowledgements_keep_nothing_back() {
    let root = RootKey::generate();
    let mut server = Server::start(&leaf_for(&root, HOST), &TransportKeys::generate());
    let relay = Relay::start(server.address()).await;
    let client = connect(HOST, relay.port, root.pin(), WITHIN).await.unwrap();
    let accepted = server.accepted().await;
    let (mut up, _down) = client.connection.open_bi().await.unwrap();
    up.write_all(&[0]).await.unwrap();
    let (mut back, mut forth) = accepted.accept_bi().await.unwrap();
    read_exact(&mut forth, &mut [0]).await;
    // all that the stream window lets the server send, in pairs of packets, which are acknowledged at once
    for _ in 0..31 {
        let before = relay.seen();
        back.write_all(&[7; 2112]).await.unwrap();
        relay.wait_for(Way::Up, before.up + 1).await;
    }
    up.write_all(&[1]).await.unwrap();
    let heard = tokio::time::timeout(DEADLINE, read_exact(&mut forth, &mut [0])).await;
    heard.expect("what the client says gets through");
}

/// The next process knows the keys of the last one, so a client learns at its next packet that its
/// connection is gone.
#[tokio::test]
async fn a_restarted_server_resets_old_connections() {
    let root = RootKey::generate();
    let keys = TransportKeys::generate();
    let old = Server::start(&leaf_for(&root, HOST), &keys);
    let relay = Relay::start(old.address()).await;
    let client = connect(HOST, relay.port, root.pin(), WITHIN).await.unwrap();

    let kept = TransportKeys::from_bytes(&keys.to_bytes());
    let new = Server::start(&leaf_for(&root, HOST), &kept);
    relay.target.send_replace(new.address());
    let (mut send, _receive) = client.connection.open_bi().await.unwrap();
    send.write_all(b"hello").await.unwrap();
    let reason = tokio::time::timeout(DEADLINE, client.connection.closed()).await.unwrap();
    assert_eq!(reason, quinn::ConnectionError::Reset);
}

/// Fills a buffer from a stream of the real server.
async fn read_exact(stream: &mut RecvStream, buffer: &mut [u8]) {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = stream.read(&mut buffer[filled..]).await.expect("the connection lives");
        filled += read.expect("the stream goes on");
    }
}

fn leaf_for(root: &RootKey, host: &str) -> Leaf {
    Leaf::new(root, host, SystemTime::now()).expect("the host is a valid one")
}

async fn refusal(port: u16, pin: [u8; 32]) -> ConnectError {
    match connect(HOST, port, pin, WITHIN).await {
        Ok(Connected { .. }) => panic!("the server was accepted"),
        Err(error) => error,
    }
}

/// A server that accepts everyone.
struct Server {
    port: u16,
    accepted: mpsc::UnboundedReceiver<Connection>,
    /// Kept so that the socket stays open.
    _endpoint: Box<dyn std::any::Any>,
}

impl Server {
    fn start(leaf: &Leaf, keys: &TransportKeys) -> Self {
        let bound = bind(ANY_PORT, leaf, keys, LIMITS).expect("loopback has a free port");
        assert!(bound.buffers.receive_bytes > 0 && bound.buffers.send_bytes > 0);
        let port = bound.endpoint.local_addr().expect("the endpoint is bound").port();
        let (sender, accepted) = mpsc::unbounded_channel();
        let acceptor = bound.endpoint.clone();
        tokio::spawn(async move {
            while let Some(incoming) = acceptor.accept().await {
                let Ok(connecting) = incoming.accept() else { continue };
                if let Ok(connection) = connecting.await {
                    // The test may have ended.
                    let _ = sender.send(connection);
                }
            }
        });
        Self { port, accepted, _endpoint: Box::new(bound.endpoint) }
    }

    /// Has somebody else answer, whom no client takes for the server.
    fn with_config(config: quinn::ServerConfig) -> Self {
        let endpoint = quinn::Endpoint::server(config, ANY_PORT).expect("loopback has a free port");
        let port = endpoint.local_addr().expect("the endpoint is bound").port();
        let acceptor = endpoint.clone();
        tokio::spawn(async move {
            while let Some(incoming) = acceptor.accept().await {
                let _ = incoming.await;
            }
        });
        let (_, accepted) = mpsc::unbounded_channel();
        Self { port, accepted, _endpoint: Box::new(endpoint) }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(ANY_PORT.ip(), self.port)
    }

    async fn accepted(&mut self) -> Connection {
        let next = tokio::time::timeout(DEADLINE, self.accepted.recv()).await;
        next.expect("a client connects in time").expect("the acceptor lives")
    }
}

/// A leaf signed by the impostor's own root, which has the true root's name, and the true root.
fn impostor_chain(root: &RootKey) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let own_root = rcgen::KeyPair::generate().expect("a key");
    let mut own_params = rcgen::CertificateParams::default();
    own_params.distinguished_name = rcgen::DistinguishedName::new();
    own_params.distinguished_name.push(rcgen::DnType::CommonName, "iirs root");
    let issuer = rcgen::Issuer::new(own_params, own_root);
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = rcgen::CertificateParams::new([HOST.to_owned()])
        .and_then(|params| params.signed_by(&key, &issuer))
        .expect("a certificate");
    let true_root = root.certificate().expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS#8");
    (vec![leaf.into(), true_root], key)
}

fn impostor_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    groups: &[&'static dyn SupportedKxGroup],
) -> quinn::ServerConfig {
    quinn_config(rustls_config(chain, key, groups, b"iirs/1"))
}

/// The resolver is made by hand, since rustls would refuse a chain that does not fit its key.
fn rustls_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    groups: &[&'static dyn SupportedKxGroup],
    alpn: &[u8],
) -> rustls::ServerConfig {
    let key = aws_lc_rs::sign::any_supported_type(&key).expect("a P-256 key");
    let certified = rustls::sign::CertifiedKey::new(chain, key);
    let mut config = rustls::ServerConfig::builder_with_provider(provider(groups))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

fn quinn_config(config: rustls::ServerConfig) -> quinn::ServerConfig {
    let crypto = QuicServerConfig::try_from(config).expect("an initial cipher suite");
    quinn::ServerConfig::with_crypto(Arc::new(crypto))
}

fn provider(groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: groups.to_vec(), ..aws_lc_rs::default_provider() })
}

/// A client that accepts the pinned server, and is otherwise made by the test.
fn raw_client(
    root: &RootKey,
    groups: &[&'static dyn SupportedKxGroup],
    change_tls: impl FnOnce(&mut rustls::ClientConfig),
) -> quinn::Endpoint {
    let verifier = Arc::new(PinnedVerifier::new(root.pin(), provider(groups)));
    let mut tls = rustls::ClientConfig::builder_with_provider(provider(groups))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"iirs/1".to_vec()];
    change_tls(&mut tls);
    let crypto = QuicClientConfig::try_from(tls).expect("an initial cipher suite");
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let mut endpoint = quinn::Endpoint::client(ANY_PORT).expect("loopback has a free port");
    endpoint.set_default_client_config(config);
    endpoint
}

/// Counts the tickets that a server gives a client for its next connection.
#[derive(Debug, Default)]
struct Kept {
    count: AtomicUsize,
}

impl Kept {
    fn add(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

impl ClientSessionStore for Kept {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {
        self.add();
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {
        self.add();
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// What an observer notes of one datagram. A short header (RFC 9000, section 17.3) means that the
/// handshake is over.
#[derive(Clone, Copy, Debug)]
struct Datagram {
    way: Way,
    bytes: usize,
    handshake: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    up: usize,
    down: usize,
}

impl Seen {
    fn on(&self, way: Way) -> usize {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }
}

/// An observer between one client and a server, who passes everything on.
struct Relay {
    port: u16,
    target: watch::Sender<SocketAddr>,
    datagrams: Arc<Mutex<Vec<Datagram>>>,
    seen: watch::Receiver<Seen>,
}

impl Relay {
    async fn start(server: SocketAddr) -> Self {
        let outside = UdpSocket::bind(ANY_PORT).await.expect("loopback has a free port");
        let inside = UdpSocket::bind(ANY_PORT).await.expect("loopback has a free port");
        let port = outside.local_addr().expect("the socket is bound").port();
        let (target, servers) = watch::channel(server);
        let (counts, seen) = watch::channel(Seen::default());
        let datagrams = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(run_relay(outside, inside, servers, datagrams.clone(), counts));
        Self { port, target, datagrams, seen }
    }

    fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    async fn wait_for(&self, way: Way, count: usize) {
        let mut seen = self.seen.clone();
        let reached = seen.wait_for(|seen| seen.on(way) >= count);
        let reached = tokio::time::timeout(DEADLINE, reached).await;
        reached.expect("the datagram comes in time").expect("the relay lives");
    }
}

async fn run_relay(
    outside: UdpSocket,
    inside: UdpSocket,
    servers: watch::Receiver<SocketAddr>,
    datagrams: Arc<Mutex<Vec<Datagram>>>,
    counts: watch::Sender<Seen>,
) {
    let (mut from_client, mut from_server) = ([0; 2048], [0; 2048]);
    let mut client = None;
    loop {
        let (way, datagram) = tokio::select! {
            Ok((bytes, address)) = outside.recv_from(&mut from_client) => {
                client = Some(address);
                (Way::Up, &from_client[..bytes])
            }
            Ok((bytes, _)) = inside.recv_from(&mut from_server) => {
                (Way::Down, &from_server[..bytes])
            }
        };
        let note = Datagram { way, bytes: datagram.len(), handshake: datagram[0] & 0x80 != 0 };
        datagrams.lock().expect("no panic under the lock").push(note);
        let server = *servers.borrow();
        // A lost datagram is a network's right; the test's deadline would tell.
        let _ = match (way, client) {
            (Way::Up, _) => inside.send_to(datagram, server).await,
            (Way::Down, Some(client)) => outside.send_to(datagram, client).await,
            (Way::Down, None) => Ok(0),
        };
        counts.send_modify(|seen| match way {
            Way::Up => seen.up += 1,
            Way::Down => seen.down += 1,
        });
    }
}
