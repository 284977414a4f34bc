//! QUIC as every client uses it, and the way from a link's host and pin to a verified connection.
//!
//! The values mirror the server's `transport`: one packet size, one key exchange, and nothing that
//! links two connections of one person (no tickets, no address tokens, no host name in clear).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectionError, Endpoint, IdleTimeout, TransportConfig, VarInt};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768;
use rustls::pki_types::CertificateDer;
use tokio::task::JoinSet;

use crate::congestion::ConstantWindow;
use crate::pin::PinnedVerifier;

/// How long a connection lives without a packet from the other side.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes that one stream may bring before the client has read them.
pub const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// Bytes that all streams of a connection may bring before the client has read them.
pub const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes that wait for the server's acknowledgement before a write blocks.
pub const SEND_WINDOW_BYTES: u64 = 256 * 1024;

/// Addresses of one host that are tried.
pub const ADDRESSES_MAX: usize = 8;

/// How long after one address the next one is tried too (RFC 8305, section 5).
pub const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// The TLS alert `no_application_protocol` as a QUIC error code (RFC 9001, section 4.8).
const NO_APPLICATION_PROTOCOL: u64 = 0x178;

/// A connection to the server that the link names, verified.
pub struct Connected {
    /// The connection.
    pub connection: quinn::Connection,
    /// The server's leaf certificate, whose key signs the mixer's key.
    pub leaf: CertificateDer<'static>,
    /// The server's root certificate, whose key is the one of the pin and signs the directory's heads.
    pub root: CertificateDer<'static>,
    /// The value that binds a login to this connection, equal on both sides.
    pub exporter: [u8; 32],
    /// The socket below; `wait_idle` on it lets a close reach the server before the process ends.
    pub endpoint: Endpoint,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The server did not prove the identity in the link. Never tried again by itself.
    #[error(
        "the server is not the one that your link names: somebody may be posing as it. Do not \
         sign in; ask whoever runs the server, by another way, whether the link changed"
    )]
    WrongPin,
    /// The name has no address.
    #[error("there is no host {host:?}; check the link and your network")]
    NoSuchHost {
        /// The host as the link has it.
        host: String,
    },
    /// The host was found, but nothing there can be reached.
    #[error(
        "cannot reach a server at {host} port {port}: {reason}; check your network, then ask whoever runs the server"
    )]
    NoServer {
        /// The host as the link has it.
        host: String,
        /// The port as the link has it.
        port: u16,
        /// What the system or the server said.
        reason: String,
    },
    /// No answer came in time.
    #[error(
        "no server answered at {host} port {port}; check your network, then ask whoever runs the server whether it is up"
    )]
    Timeout {
        /// The host as the link has it.
        host: String,
        /// The port as the link has it.
        port: u16,
    },
    /// The server has more connection attempts than it can take.
    #[error("the server is busy; try again in a minute")]
    Busy,
    /// The server speaks another version of the protocol.
    #[error("the server speaks another version of the protocol; update the older of the two")]
    OtherVersion,
    /// The server closed the connection with one of its own codes.
    #[error("the server closed the connection (code {code}); try again in a minute")]
    Closed {
        /// The application's close code.
        code: u64,
    },
    /// The pinned server made a handshake that cannot be accepted: its certificate is expired or
    /// for another host, or the key exchange failed.
    #[error(
        "the secure connection failed: {0}; check this computer's clock, then tell whoever runs the server"
    )]
    Tls(String),
}

/// Connects to the server with this pin at `host`, a DNS name or an IP address (an IPv6 address
/// with or without brackets), trying all its addresses, all within `within`. The first address
/// that answers with the right identity wins; one wrong identity ends the attempt.
///
/// Each attempt has a socket of its own, so that no network change outlives a reconnect.
pub async fn connect(
    host: &str,
    port: u16,
    pin: [u8; 32],
    within: Duration,
) -> Result<Connected, ConnectError> {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let target = Target { host: host.to_owned(), port, pin };
    let attempt = async {
        let addresses = resolve(&target).await?;
        race(&target, addresses).await
    };
    tokio::time::timeout(within, attempt).await.unwrap_or_else(|_| Err(target.timeout()))
}

/// Builds the configuration of one connection attempt to the server with this pin.
pub fn client_config(pin: [u8; 32]) -> ClientConfig {
    config_with(Arc::new(PinnedVerifier::new(pin, provider())))
}

/// Derives the value that binds a login to this connection, 32 bytes, equal on both sides.
/// `None` if the connection has no keys yet.
pub fn login_exporter(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let mut exporter = [0; 32];
    connection.export_keying_material(&mut exporter, wire::login::EXPORTER_LABEL, b"").ok()?;
    Some(exporter)
}

/// What a link names.
#[derive(Clone)]
struct Target {
    host: String,
    port: u16,
    pin: [u8; 32],
}

impl Target {
    fn timeout(&self) -> ConnectError {
        ConnectError::Timeout { host: self.host.clone(), port: self.port }
    }

    fn no_server(&self, reason: impl ToString) -> ConnectError {
        ConnectError::NoServer {
            host: self.host.clone(),
            port: self.port,
            reason: reason.to_string(),
        }
    }

    fn explain(&self, error: ConnectionError, verifier: &PinnedVerifier) -> ConnectError {
        if verifier.saw_wrong_identity() {
            return ConnectError::WrongPin;
        }
        match error {
            ConnectionError::VersionMismatch => ConnectError::OtherVersion,
            ConnectionError::TimedOut => self.timeout(),
            ConnectionError::ApplicationClosed(close) => {
                ConnectError::Closed { code: close.error_code.into_inner() }
            }
            ConnectionError::TransportError(error) => by_code(error.code, error.reason),
            ConnectionError::ConnectionClosed(close) => {
                by_code(close.error_code, close.error_code.to_string())
            }
            ConnectionError::Reset
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => self.no_server(error),
        }
    }
}

fn by_code(code: quinn::TransportErrorCode, reason: String) -> ConnectError {
    if code == quinn::TransportErrorCode::CONNECTION_REFUSED {
        return ConnectError::Busy;
    }
    if u64::from(code) == NO_APPLICATION_PROTOCOL {
        return ConnectError::OtherVersion;
    }
    ConnectError::Tls(reason)
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, ConnectError> {
    let no_such_host = || ConnectError::NoSuchHost { host: target.host.clone() };
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let addresses: Vec<_> = found.map_err(|_| no_such_host())?.take(ADDRESSES_MAX).collect();
    if addresses.is_empty() { Err(no_such_host()) } else { Ok(addresses) }
}

/// Tries the addresses one after another without waiting for the ones before to fail.
async fn race(target: &Target, addresses: Vec<SocketAddr>) -> Result<Connected, ConnectError> {
    let mut attempts = JoinSet::new();
    for (place, address) in (0..).zip(addresses) {
        let target = target.clone();
        attempts.spawn(async move {
            tokio::time::sleep(NEXT_ADDRESS_AFTER * place).await;
            connect_address(&target, address).await
        });
    }
    let mut failure = target.no_server("no address could be tried");
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(ConnectError::WrongPin)) => return Err(ConnectError::WrongPin),
            Ok(Err(error)) => failure = error,
            Err(stopped) => failure = target.no_server(stopped),
        }
    }
    Err(failure)
}

async fn connect_address(target: &Target, address: SocketAddr) -> Result<Connected, ConnectError> {
    let local: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let endpoint =
        Endpoint::client(SocketAddr::new(local, 0)).map_err(|error| target.no_server(error))?;
    let verifier = Arc::new(PinnedVerifier::new(target.pin, provider()));
    let connection = endpoint
        .connect_with(config_with(verifier.clone()), address, &target.host)
        .map_err(|error| target.no_server(error))?
        .await
        .map_err(|error| target.explain(error, &verifier))?;
    let (leaf, root) = chain_of(&connection).ok_or_else(|| no_keys(&connection))?;
    let exporter = login_exporter(&connection).ok_or_else(|| no_keys(&connection))?;
    Ok(Connected { connection, leaf, root, exporter, endpoint })
}

/// Returns leaf and root, which is all that the verifier lets a chain have.
fn chain_of(
    connection: &quinn::Connection,
) -> Option<(CertificateDer<'static>, CertificateDer<'static>)> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let [leaf, root] = <[_; 2]>::try_from(*chain).ok()?;
    Some((leaf, root))
}

/// A connection can be lost between the handshake and the first question to it.
fn no_keys(connection: &quinn::Connection) -> ConnectError {
    let reason = connection.close_reason().map(|reason| reason.to_string());
    ConnectError::Tls(reason.unwrap_or_else(|| "no keys after the handshake".to_owned()))
}

fn config_with(verifier: Arc<PinnedVerifier>) -> ClientConfig {
    let crypto = QuicClientConfig::try_from(tls_config(verifier))
        .expect("the provider has TLS13_AES_128_GCM_SHA256, which Initial packets need");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport_config()))
        .token_store(Arc::new(quinn::NoneTokenStore));
    config
}

/// TLS 1.3 with the hybrid key exchange only; no tickets, no early data. The host name is not sent:
/// a server has one identity, and the certificate is checked against the name all the same.
fn tls_config(verifier: Arc<PinnedVerifier>) -> rustls::ClientConfig {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has cipher suites and a key exchange of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![wire::ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    config
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![X25519MLKEM768],
        ..rustls::crypto::aws_lc_rs::default_provider()
    })
}

/// The client opens all streams, so the server may open none.
fn transport_config() -> TransportConfig {
    let idle = IdleTimeout::try_from(IDLE_TIMEOUT).expect("15 s fit into a QUIC integer");
    let mut config = TransportConfig::default();
    config
        .pad_to_mtu(true)
        .initial_mtu(wire::size::PACKET)
        .min_mtu(wire::size::PACKET)
        .mtu_discovery_config(None)
        .allow_spin(false)
        .keep_alive_interval(None)
        .max_idle_timeout(Some(idle))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .congestion_controller_factory(Arc::new(ConstantWindow))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0);
    config
}
