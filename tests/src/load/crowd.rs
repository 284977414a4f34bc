//! A crowd: many clients in one process that share sockets, configuration and a book.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use quinn::{ClientConfig, EndpointConfig};
use server::quic::{Connection, Endpoint};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wire::ids::{Name, Token};
use wire::link::Link;

use super::book::{Book, Tally};
use super::{bare, client};
use client_link::transport::client_config;

/// Clients that sign up or take their first seat at once; below what makes a server ask addresses for proof.
const AT_ONCE: usize = 48;

/// Clients behind one socket, and most sockets: a round's replies must fit into the sockets' buffers.
const CLIENTS_A_SOCKET: usize = 256;
const SOCKETS_MAX: usize = 64;

/// Buffer that each socket asks for; the system may give less.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// What a crowd is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server's link.
    pub link: String,
    /// Clients.
    pub clients: usize,
    /// Length of a round.
    pub round: Duration,
    /// Address of this machine that they come from.
    pub from: IpAddr,
    /// What their names begin with.
    pub prefix: &'static str,
}

/// Clients that are signed up, and in the rounds once they were told to.
pub struct Crowd {
    runtime: Runtime,
    shared: Arc<Shared>,
    members: Members,
    seated: usize,
    clients: JoinSet<()>,
}

/// Who they are.
enum Members {
    /// Of the real server, each with a session.
    Real(Vec<Token>),
    /// So many of the floor.
    Bare(usize),
}

/// What all clients of a crowd share.
pub(super) struct Shared {
    pub(super) link: Link,
    pub(super) round: Duration,
    pub(super) gate: Semaphore,
    pub(super) book: Book,
    prefix: &'static str,
    server: SocketAddr,
    config: ClientConfig,
    sockets: Vec<Endpoint>,
}

impl Crowd {
    /// Makes a crowd for the floor, where nobody signs up.
    ///
    /// # Errors
    /// If there are no sockets for it.
    pub(super) fn bare(plan: &Plan) -> anyhow::Result<Self> {
        let (runtime, shared) = Self::begin(plan)?;
        let members = Members::Bare(plan.clients);
        Ok(Self { runtime, shared, members, seated: 0, clients: JoinSet::new() })
    }

    /// Signs up everybody; `told` hears how many are.
    ///
    /// # Errors
    /// If one of them cannot.
    pub fn sign_up(plan: &Plan, told: &mut dyn FnMut(usize)) -> anyhow::Result<Self> {
        let (runtime, shared) = Self::begin(plan)?;
        let members = Members::Real(runtime.block_on(sign_up_all(&shared, plan.clients, told))?);
        Ok(Self { runtime, shared, members, seated: 0, clients: JoinSet::new() })
    }

    fn begin(plan: &Plan) -> anyhow::Result<(Runtime, Arc<Shared>)> {
        // one thread of its own, so that what starts and stops the server need not wait for clients
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let shared = {
            let _context = runtime.enter();
            Arc::new(Shared::new(plan)?)
        };
        Ok((runtime, shared))
    }

    /// Has so many more take a seat, by their tokens; they stay until the crowd is dropped.
    pub fn seat(&mut self, more: usize) {
        let _context = self.runtime.enter();
        let clients = self.clients();
        for number in (0..clients).skip(self.seated).take(more) {
            let shared = self.shared.clone();
            match &self.members {
                Members::Real(tokens) => {
                    self.clients.spawn(client::live(shared, number, tokens[number].duplicate()))
                }
                Members::Bare(_) => self.clients.spawn(bare::live(shared, number)),
            };
        }
        self.seated = (self.seated + more).min(clients);
    }

    /// Has everybody leave; they can take a seat again.
    pub(super) fn unseat(&mut self) {
        self.clients.abort_all();
        self.runtime.block_on(async { while self.clients.join_next().await.is_some() {} });
        self.seated = 0;
    }

    /// Returns how many are signed up.
    pub fn clients(&self) -> usize {
        match &self.members {
            Members::Real(tokens) => tokens.len(),
            Members::Bare(clients) => *clients,
        }
    }

    /// Returns a client's account.
    pub(super) fn name(&self, number: usize) -> Name {
        self.shared.name(number)
    }

    /// Returns how many were told to take a seat.
    pub fn seated(&self) -> usize {
        self.seated
    }

    /// Counts who got a reply to a deposit since then.
    pub fn replied_since(&self, since: Instant) -> usize {
        self.shared.book.replied_since(since)
    }

    /// Begins to count rounds, or stops; what was counted stays.
    pub(super) fn count(&self, begins: bool) {
        self.shared.book.count(begins);
    }

    /// Counts rounds from now on.
    pub fn count_anew(&self) {
        self.shared.book.count_anew();
    }

    /// Has everybody count from the next reply on, as if there had been none before.
    pub(super) fn forgive(&self) {
        self.shared.book.forgive();
    }

    /// Says that the server starts anew.
    pub fn server_restarts(&self) {
        self.shared.book.forget_schedule();
    }

    /// Adds up what was counted.
    pub fn tally(&self) -> Tally {
        self.shared.book.tally()
    }

    /// Returns the rounds that each client missed in its longest gap, sorted.
    pub fn gaps(&self) -> Vec<u64> {
        self.shared.book.gaps()
    }

    /// Returns how many sessions were given, how many connections lost, and why the last one was.
    pub fn connections(&self) -> (u64, u64, Option<String>) {
        self.shared.book.connections()
    }
}

impl Shared {
    fn new(plan: &Plan) -> anyhow::Result<Self> {
        let link: Link = plan.link.parse().context("the server's link is none")?;
        let host: IpAddr = link.host.parse().context("the load goes to an address only")?;
        if !host.is_loopback() || !plan.from.is_loopback() {
            bail!("the load goes over loopback only, and not from {} to {host}", plan.from);
        }
        let sockets = plan.clients.div_ceil(CLIENTS_A_SOCKET).clamp(1, SOCKETS_MAX);
        let endpoint = |_| {
            let socket = socket(plan.from)?;
            anyhow::Ok(Endpoint::new(EndpointConfig::default(), None, socket.into())?)
        };
        let sockets = (0..sockets).map(endpoint).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            server: SocketAddr::new(host, link.port),
            config: client_config(link.pin.0),
            link,
            round: plan.round,
            gate: Semaphore::new(AT_ONCE),
            book: Book::new(plan.clients, plan.round),
            prefix: plan.prefix,
            sockets,
        })
    }

    /// Returns a client's account.
    pub(super) fn name(&self, number: usize) -> Name {
        format!("{}-{number:06}", self.prefix).parse().expect("such names are well formed")
    }

    /// Returns a number that no other client of any crowd has.
    pub(super) fn tag(&self, number: usize) -> u64 {
        let prefix = self.prefix.bytes().fold(0_u64, |sum, byte| (sum << 8) | u64::from(byte));
        (prefix << 32) ^ number as u64
    }

    /// Connects.
    pub(super) async fn connect(&self, number: usize) -> anyhow::Result<Connection> {
        let socket = &self.sockets[number % self.sockets.len()];
        Ok(socket.connect(self.config.clone(), self.server, &self.link.host)?.await?)
    }
}

/// Binds a client's socket with large buffers.
///
/// # Errors
/// If the address is not this machine's.
pub(crate) fn socket(from: IpAddr) -> anyhow::Result<Socket> {
    let address = SocketAddr::new(from, 0);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // less is no error
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket)
}

async fn sign_up_all(
    shared: &Arc<Shared>,
    clients: usize,
    told: &mut dyn FnMut(usize),
) -> anyhow::Result<Vec<Token>> {
    let mut tokens: Vec<Option<Token>> = (0..clients).map(|_| None).collect();
    let mut under_way = JoinSet::new();
    let mut next = 0;
    let mut done = 0;
    while done < clients {
        while next < clients && under_way.len() < AT_ONCE {
            let (shared, number) = (shared.clone(), next);
            under_way.spawn(async move { (number, client::sign_up(&shared, number).await) });
            next += 1;
        }
        let signed_up = under_way.join_next().await.context("nobody is left to sign up")?;
        let (number, token) = signed_up?;
        let name = shared.name(number);
        tokens[number] = Some(token.with_context(|| format!("{name} cannot sign up"))?);
        done += 1;
        told(done);
    }
    Ok(tokens.into_iter().flatten().collect())
}
