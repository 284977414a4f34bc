//! The attacker: a process of its own that does one thing for a while.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use client_link::transport::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES, client_config};
use quinn::{
    ClientConfig, Connecting, Connection, Endpoint, EndpointConfig, TokioRuntime, TransportConfig,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::link::Link;

use super::kind::Kind;
use super::{hostile, initials};
use crate::load::socket;

/// Addresses of this machine that the attacker comes from.
const ADDRESSES: u8 = 100;

/// Handshakes that the attacker has under way at once.
const HANDSHAKES: usize = 128;

/// The longest that a handshake is waited for.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);

/// The longest that the attacker takes to get all connections that it wants at once.
pub(super) const FILLS_WITHIN: Duration = Duration::from_secs(100);

/// How often a connection that does nothing says that it is still there; the server takes it for gone after 15 s.
const KEEPS_ALIVE: Duration = Duration::from_secs(5);

/// What the attacker prints once the time of its attack begins.
pub(super) const BEGINS: &str = "begins";

/// Pause after an attempt that failed at once, so that it is the server that is tried.
const PAUSE: Duration = Duration::from_millis(20);

/// What the attacker did.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Done {
    /// Attempts: connections, or datagrams of a flood of them.
    pub(super) attempts: u64,
    /// Connections that the server took.
    pub(super) taken: u64,
    /// Requests that it answered with what was asked for.
    pub(super) served: u64,
    /// Requests that it refused.
    pub(super) refused: u64,
    /// The most connections at once.
    pub(super) most: u64,
}

/// What all tasks of the attacker share.
pub(super) struct Assault {
    pub(super) link: Link,
    pub(super) server: SocketAddr,
    pub(super) served: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) attempts: AtomicU64,
    config: ClientConfig,
    sockets: Vec<Endpoint>,
    taken: AtomicU64,
    held: watch::Sender<u64>,
    most: AtomicU64,
    handshakes: Semaphore,
}

/// A connection of the attacker, counted while it is held.
pub(super) struct Held<'a> {
    pub(super) connection: Connection,
    assault: &'a Assault,
}

/// Attacks a server for a while, once it holds as many connections as it wants; the address must be of loopback.
pub(super) fn run(kind: Kind, link: &str, time: Duration) -> anyhow::Result<Done> {
    let link: Link = link.parse().context("the server's link is none")?;
    let host: IpAddr = link.host.parse().context("an attack goes to an address only")?;
    if !host.is_loopback() {
        bail!("an attack goes over loopback only, and not to {host}");
    }
    let port = link.port;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let assault = Arc::new(Assault::new(link, SocketAddr::new(host, port))?);
        if kind == Kind::Initials {
            let flights = initials::made(&assault)?;
            println!("{BEGINS}");
            initials::flood(&assault, &flights, Instant::now() + time)?;
            return Ok(assault.done());
        }
        let mut tasks = JoinSet::new();
        for task in 0..kind.at_once() {
            tasks.spawn(again_and_again(assault.clone(), kind, task));
        }
        // what it held at the most tells whether that was enough
        let _ = timeout(FILLS_WITHIN, assault.holds(kind.held_min())).await;
        println!("{BEGINS}");
        tokio::time::sleep(time).await;
        tasks.shutdown().await;
        Ok(assault.done())
    })
}

/// One task of the attacker: it ends when it is stopped.
async fn again_and_again(assault: Arc<Assault>, kind: Kind, task: usize) {
    for turn in 0.. {
        let number = task + kind.at_once() * turn;
        let attempt = async {
            if kind == Kind::HalfOpen {
                return initials::half_open(&assault, number).await;
            }
            let held = assault.connect(number).await?;
            match kind {
                Kind::Idle => hostile::idle(&held).await,
                Kind::Slow => hostile::slow(&held).await,
                Kind::Stuffed => hostile::stuffed(&held).await,
                Kind::Logins => hostile::logins(&assault, &held, number).await,
                Kind::Registrations => hostile::registrations(&assault, &held, number).await,
                Kind::Garbage => hostile::garbage(&held, number).await,
                Kind::Unread => hostile::unread(&assault, &held, number).await,
                Kind::Initials | Kind::HalfOpen => bail!("no connection is needed for that"),
            }
        };
        // what the server does to it is its luck
        if attempt.await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Assault {
    fn new(link: Link, server: SocketAddr) -> anyhow::Result<Self> {
        let sockets = (1..=ADDRESSES).map(|at| {
            let (config, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
            let socket = socket(Ipv4Addr::new(127, 0, 1, at).into())?;
            anyhow::Ok(Endpoint::new(config, None, socket.into(), runtime)?)
        });
        let mut transport = TransportConfig::default();
        transport.keep_alive_interval(Some(KEEPS_ALIVE));
        // as much as real clients let come
        transport.stream_receive_window(STREAM_WINDOW_BYTES.into());
        transport.receive_window(CONNECTION_WINDOW_BYTES.into());
        let mut config = client_config(link.pin.0);
        config.transport_config(Arc::new(transport));
        Ok(Self {
            server,
            config,
            sockets: sockets.collect::<anyhow::Result<_>>()?,
            handshakes: Semaphore::new(HANDSHAKES),
            link,
            served: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            held: watch::Sender::new(0),
            most: AtomicU64::new(0),
        })
    }

    /// Waits until it holds so many connections at once.
    async fn holds(&self, connections: u64) {
        // the sender is here
        let _ = self.held.subscribe().wait_for(|&held| held >= connections).await;
    }

    /// Begins a connection of this number to an address.
    pub(super) fn begin(&self, number: usize, to: SocketAddr) -> anyhow::Result<Connecting> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let socket = &self.sockets[number % self.sockets.len()];
        Ok(socket.connect_with(self.config.clone(), to, &self.link.host)?)
    }

    async fn connect(&self, number: usize) -> anyhow::Result<Held<'_>> {
        let _room = self.handshakes.acquire().await?;
        let connecting = self.begin(number, self.server)?;
        let connection = timeout(CONNECTS_WITHIN, connecting).await??;
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.held.send_modify(|held| {
            *held += 1;
            self.most.fetch_max(*held, Ordering::Relaxed);
        });
        Ok(Held { connection, assault: self })
    }

    fn done(&self) -> Done {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Done {
            attempts: of(&self.attempts),
            taken: of(&self.taken),
            served: of(&self.served),
            refused: of(&self.refused),
            most: of(&self.most),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.assault.held.send_modify(|held| *held -= 1);
    }
}
