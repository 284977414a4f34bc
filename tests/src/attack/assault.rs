//! The attacker: a process of its own that does one thing for a while.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use client_link::transport::client_config;
use quinn::{ClientConfig, Connecting, Connection, Endpoint, EndpointConfig, TokioRuntime};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};
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
    pub(super) until: Instant,
    pub(super) served: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) attempts: AtomicU64,
    config: ClientConfig,
    sockets: Vec<Endpoint>,
    taken: AtomicU64,
    now: AtomicU64,
    most: AtomicU64,
    handshakes: Semaphore,
}

/// A connection of the attacker, counted while it is held.
pub(super) struct Held<'a> {
    pub(super) connection: Connection,
    assault: &'a Assault,
}

/// Attacks a server for a while; the address must be of loopback.
pub(super) fn run(kind: Kind, link: &str, time: Duration) -> anyhow::Result<Done> {
    let link: Link = link.parse().context("the server's link is none")?;
    let host: IpAddr = link.host.parse().context("an attack goes to an address only")?;
    if !host.is_loopback() {
        bail!("an attack goes over loopback only, and not to {host}");
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let sockets = (1..=ADDRESSES).map(|at| {
            let (config, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
            let socket = socket(Ipv4Addr::new(127, 0, 1, at).into())?;
            anyhow::Ok(Endpoint::new(config, None, socket.into(), runtime)?)
        });
        let assault = Arc::new(Assault {
            server: SocketAddr::new(host, link.port),
            config: client_config(link.pin.0),
            until: Instant::now() + time,
            sockets: sockets.collect::<anyhow::Result<_>>()?,
            handshakes: Semaphore::new(HANDSHAKES),
            link,
            served: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            now: AtomicU64::new(0),
            most: AtomicU64::new(0),
        });
        if kind == Kind::Initials {
            initials::flood(&assault)?;
            return Ok(assault.done());
        }
        let mut tasks = JoinSet::new();
        for task in 0..kind.at_once() {
            tasks.spawn(again_and_again(assault.clone(), kind, task));
        }
        while tasks.join_next().await.is_some() {}
        Ok(assault.done())
    })
}

/// One task of the attacker.
async fn again_and_again(assault: Arc<Assault>, kind: Kind, task: usize) {
    let mut turn = 0;
    while Instant::now() < assault.until {
        let number = task + kind.at_once() * turn;
        turn += 1;
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
        // an attack ends when its time is over; what the server does to it before is its luck
        if let Ok(Err(_)) = timeout_at(assault.until.into(), attempt).await {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Assault {
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
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
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
        self.assault.now.fetch_sub(1, Ordering::Relaxed);
    }
}
