//! A running server: everything put together, and taken down in order.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mixer::MixerKey;
use rand_core::OsRng;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout_at;
use wire::close::Close;
use wire::control::Session;
use wire::link::{Link, Pin};
use wire::login::{LoginError, LoginServer};
use zeroize::Zeroizing;

use crate::accounts::Accounts;
use crate::admin::{self, Office};
use crate::config::{Config, ConfigError, Public};
use crate::driver::{Driver, DriverError, Pace, Rounds};
use crate::health::Health;
use crate::http::{self, Desk};
use crate::identity::{IdentityError, Leaf, RootKey};
use crate::limits::Limits as AccountLimits;
use crate::scrubs::scrub;
use crate::session::presence::Presence;
use crate::session::strangers::Strangers;
use crate::session::{Hub, Offer};
use crate::store::{OpenError, Origin, SecretKind, SledStore, Store as _, StoreError};
use crate::transport::{self, Bound, Limits, SocketBuffers, TransportError, TransportKeys};
use crate::workers::{Workers, beside_packets};
use crate::{clock, listen};

/// The longest that stopping takes.
pub const STOP: Duration = Duration::from_millis(4500);

/// How long clients may take to acknowledge that their connections are closed.
const FAREWELL: Duration = Duration::from_millis(500);

/// Bytes of the reset key among the transport's keys; the rest is the connection-id key.
const RESET_KEY_BYTES: usize = 64;

/// The server; see [`Server::start`].
pub struct Server;

/// Why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory was made with rounds of another length. Round numbers follow the clock by
    /// it, and clients of before would refuse the ones that followed.
    #[error(
        "the data directory {} was made with rounds of {kept} ms, which last for its life, and round_ms \
         is {asked}: set round_ms to {kept} (--round-ms {kept}), or give an empty directory with \
         --data-dir", path.display()
    )]
    RoundLength {
        /// The data directory.
        path: PathBuf,
        /// Length of its rounds in milliseconds.
        kept: u32,
        /// The length that was asked for.
        asked: u32,
    },
    /// A kept key is none.
    #[error("the stored {0} is damaged; restore the data directory from a backup")]
    Key(&'static str),
    /// The identity could not be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The socket could not be opened.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The rounds could not begin.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The socket for admin commands could not be opened.
    #[error("cannot make the socket for admin commands in the data directory: {0}; check the disk")]
    Admin(std::io::Error),
    /// The system did not say what address the socket has.
    #[error("cannot read the address of the socket: {0}; try again")]
    Address(std::io::Error),
    /// The socket for metrics could not be opened.
    #[error(
        "cannot listen on {address} for metrics: {source}; give another address with --metrics, or none"
    )]
    Metrics {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a running server ended by itself.
#[derive(Debug, Error)]
pub enum RunError {
    /// The storage failed.
    #[error("the store failed: {0}")]
    Storage(String),
    /// The storage did not finish its writes in time.
    #[error(
        "the store did not close in time: check the disk; nothing that was acknowledged is lost"
    )]
    StoreHangs,
    /// The rounds cannot go on.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A part of the server ended, which is a bug.
    #[error("a part of the server ended unexpectedly ({0}); start it again and report this")]
    Part(String),
}

/// A server that serves. Dropping it stops it, too, without waiting.
pub struct Running {
    /// Address of the socket.
    pub local_addr: SocketAddr,
    /// Link that clients take.
    pub link: Link,
    /// Address of the socket for metrics, if there is one.
    pub metrics_addr: Option<SocketAddr>,
    /// How it is.
    pub health: Health,
    config: Config,
    hub: Arc<Hub>,
    store: Arc<SledStore>,
    endpoint: crate::quic::Endpoint,
    transport: quinn::ServerConfig,
    stop: watch::Sender<bool>,
    driver: JoinHandle<Result<(), DriverError>>,
    listener: JoinHandle<()>,
    admin: JoinHandle<()>,
    http: JoinHandle<()>,
}

/// The keys that the store keeps for the server.
struct Keys {
    root: RootKey,
    login: LoginServer,
    transport: TransportKeys,
}

impl Server {
    /// Starts a server in this process and its tokio runtime; makes all that is missing in an empty data
    /// directory. When it returns, clients can connect.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then, and nothing that was there before is overwritten.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        config.check()?;
        let data_dir = config.data_dir.clone();
        let origin = Origin { genesis_ms: clock::unix_ms(), round_ms: config.round_ms };
        let store = blocking(move || SledStore::open(&data_dir, origin)).await?;
        let store = Arc::new(store);
        let Origin { genesis_ms, round_ms } = store.origin()?;
        if round_ms != config.round_ms {
            let (path, asked) = (config.data_dir, config.round_ms);
            return Err(StartError::RoundLength { path, kept: round_ms, asked });
        }
        let Keys { root, login, transport } = Keys::of(&store).await?;
        let (metrics, metrics_addr) = bind_metrics(config.metrics).await?;
        let Public { host, .. } = config.public_for(config.listen);
        let leaf = Leaf::new(&root, &host, clock::wall())?;
        let connections_max = listen::connections_max(config.seats_max);
        let limits = Limits { incoming_max: connections_max };
        let bound = transport::bind(config.listen, &leaf, &transport, limits)?;
        let local_addr = bound.endpoint.local_addr().map_err(StartError::Address)?;
        let Public { host, port } = config.public_for(local_addr);
        let link = Link { host, port, pin: Pin(root.pin()) };
        warn(&config, &bound);

        let (driver, rounds) = Driver::start(store.clone(), pace(&config)).await?;
        let (stop, stopped) = watch::channel(false);
        let limits = AccountLimits::new(config.registrations_per_hour);
        let (restores, registration) = (store.restores()?, config.registration);
        let accounts = Accounts::new(store.clone(), login, root, restores, registration, limits);
        let hub = Hub::new(&config, accounts, rounds.clone(), &leaf, genesis_ms, &stopped);
        let hub = Arc::new(hub);
        let health = Health {
            store: store.clone(),
            rounds: rounds.clone(),
            period: config.round(),
            stop: stopped.clone(),
        };
        let office = Office {
            store: store.clone(),
            hub: hub.clone(),
            rounds,
            endpoint: bound.endpoint.clone(),
            link: link.clone(),
            round_ms: config.round_ms,
            started: clock::now(),
        };
        let office = Arc::new(office);
        let desk = Desk { office: office.clone(), health: health.clone() };
        let socket = admin::bind(&config.data_dir).map_err(StartError::Admin)?;
        let endpoint = bound.endpoint;
        tokio::spawn(scrub(store.clone(), stopped.clone()));
        let listening = listen::listen(endpoint.clone(), hub.clone(), stopped.clone());
        Ok(Running {
            driver: tokio::spawn(driver.run(stopped.clone())),
            listener: tokio::spawn(listening),
            admin: tokio::spawn(admin::serve(socket, office, stopped.clone())),
            http: tokio::spawn(http::serve(metrics, desk, stopped)),
            local_addr,
            link,
            metrics_addr,
            health,
            config,
            hub,
            store,
            endpoint,
            transport: bound.config,
            stop,
        })
    }
}

impl Running {
    /// Waits until the server cannot go on by itself.
    pub async fn failed(&mut self) -> RunError {
        let part = |ended: Result<(), tokio::task::JoinError>| {
            RunError::Part(ended.err().map_or_else(|| "no reason".to_owned(), |it| it.to_string()))
        };
        tokio::select! {
            reason = self.store.fatal() => RunError::Storage(reason),
            ended = &mut self.driver => match ended {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) => part(Ok(())),
                Err(error) => part(Err(error)),
            },
            ended = &mut self.listener => part(ended),
            ended = &mut self.admin => part(ended),
            ended = &mut self.http => part(ended),
        }
    }

    /// Puts a changed configuration in force, as far as a running server can; returns the keys of
    /// changes that wait for a restart.
    pub fn reload(&mut self, config: Config) -> Vec<&'static str> {
        let waiting = self.config.fixed_keys_changed(&config);
        let connections_max = listen::connections_max(config.seats_max);
        self.hub.connections_max.store(connections_max, Ordering::Relaxed);
        self.transport.max_incoming(connections_max);
        self.endpoint.set_server_config(Some(self.transport.clone()));
        self.hub.rounds.set_seats_max(config.seats_max);
        let limits = self.hub.accounts.limits();
        limits.set_registrations_per_hour(config.registrations_per_hour);
        self.hub.accounts.set_registration(config.registration);
        self.hub.token_ms.store(config.token_ms(), Ordering::Relaxed);
        self.hub.sign_in_ms.store(config.sign_in_ms.into(), Ordering::Relaxed);
        waiting
    }

    /// Stops: takes no more connections, finishes the round, closes the connections with a code that
    /// says to come back, and closes the store. Takes at most [`STOP`], after which it leaves behind
    /// what has not ended.
    ///
    /// # Errors
    /// [`RunError`] if something failed meanwhile; the server has ended all the same.
    pub async fn stop(self) -> Result<(), RunError> {
        let deadline = clock::now() + STOP;
        let Self { hub, store, endpoint, stop, mut driver, mut listener, .. } = self;
        let Self { mut admin, mut http, health, .. } = self;
        drop(health);
        // The receivers are in the tasks that are waited for below.
        let _ = stop.send(true);
        let part = |error: tokio::task::JoinError| RunError::Part(error.to_string());
        let ended = async {
            let outcome = (&mut driver).await.map_err(part).and_then(|driven| Ok(driven?));
            let outcome = outcome.and((&mut listener).await.map_err(part));
            let outcome = outcome.and((&mut admin).await.map_err(part));
            outcome.and((&mut http).await.map_err(part))
        };
        // The rest of the time is for the farewells to the clients and to the store.
        let ended = timeout_at((deadline - 2 * FAREWELL).into(), ended).await;
        let outcome = ended.unwrap_or_else(|_| {
            driver.abort();
            listener.abort();
            admin.abort();
            http.abort();
            tracing::warn!("not everything ended in time; what did not was cut off");
            Ok(())
        });
        Self::close(&endpoint).await;
        drop((endpoint, hub));
        let closed = timeout_at(deadline.into(), close_store(store)).await;
        closed.map_err(|_| RunError::StoreHangs)?.map_err(|e| RunError::Storage(e.to_string()))?;
        outcome
    }

    /// Ends at once after a failure: nothing that was acknowledged is lost.
    pub async fn abandon(self) {
        Self::close(&self.endpoint).await;
    }

    async fn close(endpoint: &crate::quic::Endpoint) {
        let restarting = Close::Restarting;
        endpoint.close(restarting.code().into(), restarting.to_string().as_bytes());
        // Clients that do not answer find out by themselves.
        let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
    }
}

impl Keys {
    /// Reads the server's keys, and makes those of a new store.
    async fn of(store: &Arc<SledStore>) -> Result<Self, StartError> {
        use SecretKind::{ConnectionIdKey, OpaqueSetup, ResetKey, RootKey as Root};

        if store.secret(Root)?.is_none() {
            // A store that was used lost its keys: others in their place would be another server.
            if store.rounds_reserved()? > 0 || store.directory_len() > 0 {
                return Err(StartError::Key("root key"));
            }
            let transport = TransportKeys::generate().to_bytes();
            let (reset, connection_id) = transport.split_at(RESET_KEY_BYTES);
            let secrets = vec![
                (Root, RootKey::generate().to_pkcs8()),
                (OpaqueSetup, LoginServer::random(&mut OsRng).expose()),
                (ResetKey, Zeroizing::new(reset.to_vec())),
                (ConnectionIdKey, Zeroizing::new(connection_id.to_vec())),
            ];
            store.put_secrets(secrets).await?;
        }
        let missing = |kind| move || StartError::Key(kind);
        let login = login_server(&store.secret(OpaqueSetup)?.ok_or_else(missing("login key"))?)?;
        let reset = store.secret(ResetKey)?.ok_or_else(missing("reset key"))?;
        let id = store.secret(ConnectionIdKey)?.ok_or_else(missing("connection-id key"))?;
        let bytes = Zeroizing::new([&reset[..], &id[..]].concat());
        let bytes = Zeroizing::new(
            <[u8; TransportKeys::BYTES]>::try_from(bytes.as_slice())
                .map_err(|_| StartError::Key("reset key"))?,
        );
        Ok(Self { root: root_key(store)?, login, transport: TransportKeys::from_bytes(&bytes) })
    }
}

/// Returns the link of a server that does not run, from its store.
///
/// # Errors
/// [`StartError`] if the store has no identity yet or cannot be read.
pub fn link_of(store: &SledStore, config: &Config) -> Result<Link, StartError> {
    let Public { host, port } = config.public_for(config.listen);
    Ok(Link { host, port, pin: Pin(root_key(store)?.pin()) })
}

/// Tells what is wrong with the server's keys, each by itself.
pub(crate) fn check_secrets(secrets: &[(SecretKind, Zeroizing<Vec<u8>>)]) -> Vec<String> {
    let wrong = |(kind, secret): &(SecretKind, Zeroizing<Vec<u8>>)| match kind {
        SecretKind::RootKey => RootKey::from_pkcs8(secret).err().map(|_| "root-key is no key"),
        SecretKind::OpaqueSetup => login_server(secret).err().map(|_| "opaque-setup is no setup"),
        SecretKind::ResetKey => {
            (secret.len() != RESET_KEY_BYTES).then_some("reset-key has a wrong length")
        }
        SecretKind::ConnectionIdKey => (secret.len() != TransportKeys::BYTES - RESET_KEY_BYTES)
            .then_some("connection-id-key has a wrong length"),
    };
    secrets.iter().filter_map(wrong).map(|text| format!("secrets: {text}")).collect()
}

fn login_server(secret: &[u8]) -> Result<LoginServer, StartError> {
    LoginServer::from_bytes(secret, &mut OsRng)
        .map_err(|_: LoginError| StartError::Key("login key"))
}

fn pace(config: &Config) -> Pace {
    Pace {
        period: config.round(),
        slots: config.slots,
        seats_max: config.seats_max,
        threads: beside_packets(),
    }
}

fn root_key(store: &SledStore) -> Result<RootKey, StartError> {
    let der = store.secret(SecretKind::RootKey)?.ok_or(StartError::Key("root key"))?;
    Ok(RootKey::from_pkcs8(&der)?)
}

impl Hub {
    fn new(
        config: &Config,
        accounts: Accounts,
        rounds: Rounds,
        leaf: &Leaf,
        genesis_ms: u64,
        stop: &watch::Receiver<bool>,
    ) -> Self {
        let mixer = MixerKey::random(&mut OsRng);
        let offer = Offer {
            slots: config.slots,
            round_ms: config.round_ms,
            genesis_ms,
            mixer: mixer.public(),
            mixer_signature: leaf.sign(&Session::mixer_signed(&mixer.public())),
        };
        Self {
            accounts,
            rounds,
            presence: Presence::default(),
            strangers: Strangers::default(),
            handshakes: Strangers::default(),
            mixer,
            offer,
            workers: Workers::new(),
            connections_max: AtomicUsize::new(listen::connections_max(config.seats_max)),
            token_ms: AtomicU64::new(config.token_ms()),
            sign_in_ms: AtomicU64::new(config.sign_in_ms.into()),
            stop: stop.clone(),
        }
    }
}

/// Opens the socket for metrics, if there is to be one.
async fn bind_metrics(
    address: Option<SocketAddr>,
) -> Result<(Option<TcpListener>, Option<SocketAddr>), StartError> {
    let Some(address) = address else { return Ok((None, None)) };
    let failed = |source| StartError::Metrics { address, source };
    let listener = http::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!("metrics are at http://{bound}/metrics");
    Ok((Some(listener), Some(bound)))
}

/// Closes the store and frees the data directory, once the last computations let go of it.
async fn close_store(store: Arc<SledStore>) -> Result<(), StoreError> {
    let deadline = clock::now() + FAREWELL;
    while Arc::strong_count(&store) > 1 && clock::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    blocking(move || store.close()).await
}

/// Says what will not work as the operator may think.
fn warn(config: &Config, bound: &Bound) {
    let is_local = |host: &str| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if config.listen.ip().is_unspecified() && config.public.is_none() {
        tracing::warn!("the link leads to this machine only: set --public HOST:PORT for others");
    } else if !is_local(&config.public_for(config.listen).host) && bound.buffers.is_short() {
        let SocketBuffers { receive_bytes, send_bytes } = bound.buffers;
        tracing::warn!(
            receive_bytes,
            send_bytes,
            "the system gives small socket buffers, and large groups will lose packets: raise \
             net.core.rmem_max and net.core.wmem_max to 16777216"
        );
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
