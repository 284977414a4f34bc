//! QUIC as every connection of this server uses it: one packet size, one key exchange, no traces
//! that link two connections, and limits sized for small frames in place of bulk transfer.
//!
//! What an observer sees of a connection must not depend on what is said in it, so every 1-RTT
//! packet is padded to [`wire::size::PACKET`], path probing is off, and nothing is sent to keep a
//! silent connection alive: the rounds do that.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use rand_core::{OsRng, RngCore as _};
use rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use wire::size::{SLOTS_MAX, round_frame};
use zeroize::Zeroizing;

use crate::congestion::CubicWithFloor;
use crate::identity::Leaf;
use crate::quic::{Connection, Endpoint};

/// How long a connection lives without a packet from the other side.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Streams that a client may have open at once: control, rounds, and room to replace either.
pub const BIDI_STREAMS_MAX: u32 = 4;

/// Bytes that one stream may bring before the server has read them. Clients send single frames; what they fetch goes
/// the other way, so that a small window slows nothing down, and bounds what a stranger can leave here.
pub const STREAM_WINDOW_BYTES: u32 = 16 * 1024;

/// Bytes that all streams of a connection may bring before the server has read them.
pub const CONNECTION_WINDOW_BYTES: u32 = BIDI_STREAMS_MAX * STREAM_WINDOW_BYTES;

// A deposit, and the next one before the first was read.
const _: () = assert!(STREAM_WINDOW_BYTES as usize > 2 * round_frame(SLOTS_MAX));

/// Bytes that wait in a connection for the client's acknowledgement before a write blocks.
pub const SEND_WINDOW_BYTES: u64 = 256 * 1024;

/// Bytes kept for one connection attempt that is not accepted yet, beyond its first packet.
pub const INCOMING_BUFFER_BYTES: u64 = 8 * 1024;

/// Bytes kept for all connection attempts that are not accepted yet, beyond first packets.
pub const INCOMING_BUFFERS_BYTES: u64 = 16 * 1024 * 1024;

/// The least time between two stateless resets: after a restart all clients must learn quickly
/// that their connections are gone.
pub const RESET_INTERVAL_MIN: Duration = Duration::from_micros(50);

/// Socket buffer asked of the system in each direction, in bytes: a round boundary is a burst from
/// every client at once.
pub const SOCKET_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// Why the transport could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// rustls refused the certificate or the key.
    #[error("TLS cannot use the server's certificate: {0}; report this")]
    Tls(#[from] rustls::Error),
    /// The address could not be bound.
    #[error("cannot listen on {address}: {source}; give a free address of this machine: --listen")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The keys that must outlive a restart, so that the next process can tell clients of the last one
/// that their connections are gone (stateless reset, RFC 9000, section 10.3). Erased on drop.
pub struct TransportKeys {
    reset_key: Zeroizing<[u8; 64]>,
    connection_id_key: Zeroizing<u64>,
}

impl TransportKeys {
    /// Bytes of the keys in the store: reset key 64, connection-id key 8 (little-endian).
    pub const BYTES: usize = 72;

    /// Draws new keys from the system's generator.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        OsRng.fill_bytes(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    /// Reads keys that [`Self::to_bytes`] wrote; every value is a valid key.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (reset, id) = bytes.split_at(64);
        let mut keys =
            Self { reset_key: Zeroizing::new([0; 64]), connection_id_key: Zeroizing::new(0) };
        keys.reset_key.copy_from_slice(reset);
        *keys.connection_id_key = u64::from_le_bytes(id.try_into().expect("72 - 64 = 8 bytes"));
        keys
    }

    /// Writes the keys for the store.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        bytes[..64].copy_from_slice(self.reset_key.as_ref());
        bytes[64..].copy_from_slice(&self.connection_id_key.to_le_bytes());
        bytes
    }
}

/// The limits that depend on the size of the group.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connection attempts that may wait to be accepted; above it new ones are refused at once.
    /// At least the number of seats: after a restart everyone comes back together.
    pub incoming_max: usize,
}

/// A bound endpoint, and what the system gave it.
pub struct Bound {
    /// The endpoint, accepting connections.
    pub endpoint: Endpoint,
    /// What connections are taken with.
    pub config: ServerConfig,
    /// The socket buffers that the system gave.
    pub buffers: SocketBuffers,
}

/// Usable bytes of the socket's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketBuffers {
    /// Bytes of the buffer for what comes in.
    pub receive_bytes: usize,
    /// Bytes of the buffer for what goes out.
    pub send_bytes: usize,
}

impl SocketBuffers {
    /// Tells whether the system gave less than [`SOCKET_BUFFER_BYTES`], so that large groups will
    /// lose packets at round boundaries (on Linux: raise `net.core.rmem_max` and `wmem_max`).
    pub fn is_short(&self) -> bool {
        self.receive_bytes.min(self.send_bytes) < SOCKET_BUFFER_BYTES
    }
}

/// Binds `address` and starts to take connections. An unspecified IPv6 address takes IPv4 too.
///
/// Must be called inside a tokio runtime.
pub fn bind(
    address: SocketAddr,
    leaf: &Leaf,
    keys: &TransportKeys,
    limits: Limits,
) -> Result<Bound, TransportError> {
    let config = server_config(leaf, limits)?;
    open(address, config, keys).map_err(|source| TransportError::Bind { address, source })
}

/// Builds the configuration of accepted connections. Retry-token keys are drawn anew: such a token
/// is worth 15 seconds, and one from before a restart only costs a round trip.
pub fn server_config(leaf: &Leaf, limits: Limits) -> Result<ServerConfig, TransportError> {
    let crypto = QuicServerConfig::try_from(tls_config(leaf)?)
        .expect("the provider has TLS13_AES_128_GCM_SHA256, which Initial packets need");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    let mut no_tokens = quinn::ValidationTokenConfig::default();
    no_tokens.sent(0).log(Arc::new(quinn::NoneTokenLog));
    config
        .transport_config(Arc::new(transport_config()))
        .validation_token_config(no_tokens)
        // A laptop that changes networks, or a router that renumbers, keeps its seat. The new path
        // is validated first, and what moves a connection is the network, never what is said.
        .migration(true)
        .max_incoming(limits.incoming_max)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFERS_BYTES);
    Ok(config)
}

/// Builds the configuration of the endpoint, from keys that outlive a restart.
pub fn endpoint_config(keys: &TransportKeys) -> EndpointConfig {
    let reset_key = hmac::Key::new(hmac::HMAC_SHA256, keys.reset_key.as_ref());
    let id_key = *keys.connection_id_key;
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    config
        .cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id_key)))
        .min_reset_interval(RESET_INTERVAL_MIN);
    config
}

/// Derives the value that binds a login to this connection, 32 bytes, equal on both sides.
/// `None` if the connection has no keys yet.
pub fn login_exporter(connection: &Connection) -> Option<[u8; 32]> {
    let mut exporter = [0; 32];
    connection.export_keying_material(&mut exporter, wire::login::EXPORTER_LABEL, b"").ok()?;
    Some(exporter)
}

/// TLS 1.3 with the hybrid key exchange only. No tickets and no early data: both can be replayed,
/// and a ticket links two connections of one person.
fn tls_config(leaf: &Leaf) -> Result<rustls::ServerConfig, rustls::Error> {
    let provider = rustls::crypto::CryptoProvider {
        kx_groups: vec![X25519MLKEM768],
        ..rustls::crypto::aws_lc_rs::default_provider()
    };
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(leaf.chain(), leaf.private_key())?;
    config.alpn_protocols = vec![wire::ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

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
        .max_concurrent_bidi_streams(VarInt::from_u32(BIDI_STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .congestion_controller_factory(Arc::new(CubicWithFloor::default()))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0);
    config
}

/// Binds a socket with large buffers; an unspecified IPv6 address takes IPv4 too.
///
/// # Errors
/// If the address is not this machine's, or not free.
pub fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // Some systems refuse in place of giving less; the sizes read back tell it all the same.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn open(address: SocketAddr, config: ServerConfig, keys: &TransportKeys) -> io::Result<Bound> {
    let socket = socket(address)?;
    let buffers = SocketBuffers::of(&socket)?;
    let endpoint = Endpoint::new(endpoint_config(keys), Some(config.clone()), socket)?;
    Ok(Bound { endpoint, config, buffers })
}

impl SocketBuffers {
    /// Reads what the system gave.
    fn of(socket: &UdpSocket) -> io::Result<Self> {
        let socket = SockRef::from(socket);
        // Linux counts its own bookkeeping in and reports twice what is usable (socket(7)).
        let share = if cfg!(target_os = "linux") { 2 } else { 1 };
        Ok(Self {
            receive_bytes: socket.recv_buffer_size()? / share,
            send_bytes: socket.send_buffer_size()? / share,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_writing_and_reading() {
        let keys = TransportKeys::generate();
        let again = TransportKeys::from_bytes(&keys.to_bytes());
        assert_eq!(*keys.reset_key, *again.reset_key);
        assert_eq!(*keys.connection_id_key, *again.connection_id_key);
        assert_ne!(*keys.reset_key, *TransportKeys::generate().reset_key);
        assert_ne!(*keys.connection_id_key, 0);
    }

    #[test]
    fn buffers_are_short_if_either_is() {
        let full =
            SocketBuffers { receive_bytes: SOCKET_BUFFER_BYTES, send_bytes: SOCKET_BUFFER_BYTES };
        assert!(!full.is_short());
        assert!(SocketBuffers { send_bytes: SOCKET_BUFFER_BYTES - 1, ..full }.is_short());
        assert!(SocketBuffers { receive_bytes: 212_992, ..full }.is_short());
    }
}
