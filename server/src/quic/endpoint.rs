//! The endpoint as the rest of the server holds it, and attempts to connect.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use quinn::{ClientConfig, ConnectError, ConnectionError, EndpointConfig, ServerConfig, VarInt};
use tokio::task::JoinHandle;

use super::link::{Connection, Handle};
use super::run;
use super::shard::Shard;

/// A bound socket that takes connections. Once the last handle is dropped nothing goes on.
#[derive(Clone)]
pub struct Endpoint(Arc<Owner>);

struct Owner {
    shard: Arc<Shard>,
    run: JoinHandle<()>,
}

/// An attempt to connect. Dropped, it is refused.
pub struct Incoming {
    shard: Arc<Shard>,
    attempt: Option<quinn_proto::Incoming>,
}

/// A handshake under way. Dropped, it is given up.
pub struct Connecting(Arc<Handle>);

impl Endpoint {
    /// Takes connections from a socket if there is a configuration for them. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the socket cannot be used that way.
    pub fn new(
        config: EndpointConfig,
        server: Option<ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<Self> {
        let shard = Arc::new(Shard::new(config, server, socket)?);
        let run = tokio::spawn(run::run(shard.clone()));
        Ok(Self(Arc::new(Owner { shard, run })))
    }

    /// Returns the socket's address.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.shard.local_addr()
    }

    /// Waits for the next attempt; `None` once the endpoint is closed.
    pub async fn accept(&self) -> Option<Incoming> {
        let attempt = self.0.shard.accept().await?;
        Some(Incoming { shard: self.0.shard.clone(), attempt: Some(attempt) })
    }

    /// Connects to a server, as the many clients of `cargo load` do.
    ///
    /// # Errors
    /// If the address or the name cannot be one of a server, or the endpoint is closed.
    pub fn connect(
        &self,
        config: ClientConfig,
        server: SocketAddr,
        name: &str,
    ) -> Result<Connecting, ConnectError> {
        let link = Shard::connect(&self.0.shard, config, server, name)?;
        Ok(Connecting(Arc::new(Handle(link))))
    }

    /// Changes how later connections are taken; without a configuration none is.
    pub fn set_server_config(&self, server: Option<ServerConfig>) {
        self.0.shard.set_server_config(server);
    }

    /// Returns how many connections there are, closing ones among them.
    pub fn open_connections(&self) -> usize {
        self.0.shard.open_connections()
    }

    /// Closes all connections, and refuses later ones.
    pub fn close(&self, code: VarInt, reason: &[u8]) {
        self.0.shard.close(code, &Bytes::copy_from_slice(reason));
    }

    /// Waits until there is no connection any more.
    pub async fn wait_idle(&self) {
        self.0.shard.wait_idle().await;
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.run.abort();
        self.shard.abandon();
    }
}

impl Incoming {
    /// Tells whether the client can be asked to prove its address; it was not yet.
    pub fn may_retry(&self) -> bool {
        self.attempt.as_ref().is_some_and(quinn_proto::Incoming::may_retry)
    }

    /// Has the client prove its address (RFC 9000, section 8.1.2), if it did not yet, and refuses it if it did.
    pub fn retry(mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.shard.retry(attempt);
        }
    }

    /// Refuses the client.
    pub fn refuse(self) {
        drop(self);
    }

    /// Begins the handshake.
    ///
    /// # Errors
    /// If the client's first packet is a wrong one, or it has waited too long.
    pub fn accept(mut self) -> Result<Connecting, ConnectionError> {
        let attempt = self.attempt.take().ok_or(ConnectionError::LocallyClosed)?;
        let link = Shard::begin(&self.shard, attempt)?;
        Ok(Connecting(Arc::new(Handle(link))))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.shard.refuse(attempt);
        }
    }
}

impl Future for Connecting {
    type Output = Result<Connection, ConnectionError>;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let connected = self.0.0.poll_connected(cx);
        connected.map_ok(|()| Connection(self.0.clone()))
    }
}
