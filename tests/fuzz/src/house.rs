//! A server without connections, on a real store: what people who sign in and who are signed in come to.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use client_core::identity::Identity;
use mixer::MixerKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use server::accounts::{Accounts, SignedIn};
use server::config::Registration;
use server::driver::{Driver, Pace, Rounds};
use server::identity::RootKey;
use server::limits::Limits;
use server::session::presence::Presence;
use server::session::strangers::Strangers;
use server::session::{Hub, Offer};
use server::store::{Origin, SledStore};
use server::workers::Workers;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::control::{LoginFinish, LoginStart, RegisterFinish, RegisterStart};
use wire::ids::{AccountIndex, Name};
use wire::link::Pin;
use wire::login::{LoginContext, LoginServer, login_start, register_start};
use wire::size::SIGNATURE;

/// The cheapest that there is.
pub(crate) const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
/// Everybody's.
pub(crate) const PASSWORD: &[u8] = b"password";
/// What everybody seals.
pub(crate) const MASTER: SealedMaster = SealedMaster([1; 80]);
pub(crate) const IDENTITY: SealedIdentity = SealedIdentity([2; 112]);

/// How long a token of the hub lives.
pub(crate) const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
pub(crate) const MINUTE_MS: u64 = 60_000;
const ROUND_MS: u32 = 2000;

/// The store, and the keys of the server.
pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) store: Arc<SledStore>,
    pin: Pin,
    rounds: Rounds,
    root: Vec<u8>,
    login: Vec<u8>,
    people: Cell<u32>,
    _directory: TempDir,
}

/// Somebody who is at the house for the first time, so that no input meets what an earlier one left.
pub(crate) struct Newcomer {
    pub(crate) number: u32,
    pub(crate) address: IpAddr,
    pub(crate) pin: Pin,
    pub(crate) rng: ChaCha20Rng,
}

impl House {
    pub(crate) fn open() -> Self {
        let directory = tempfile::tempdir().expect("there is room for a store");
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("there are threads");
        let origin = Origin { genesis_ms: 1000, round_ms: ROUND_MS };
        let store = Arc::new(SledStore::open(directory.path(), origin).expect("it is new"));
        let period = Duration::from_millis(ROUND_MS.into());
        let pace = Pace { period, slots: 2, seats_max: 1, threads: 1 };
        let started = runtime.block_on(Driver::start(store.clone(), pace));
        let (_, rounds) = started.expect("the store takes a round");
        let (root, rng) = (RootKey::generate(), &mut ChaCha20Rng::seed_from_u64(1));
        let (pin, login) = (Pin(root.pin()), LoginServer::random(rng).expose().to_vec());
        let (root, people) = (root.to_pkcs8().to_vec(), Cell::new(1));
        Self { runtime, store, pin, rounds, root, login, people, _directory: directory }
    }

    /// Returns what sessions share, with nothing in it of earlier sessions but the store.
    pub(crate) fn hub(&self, registration: Registration, registrations_per_hour: u32) -> Arc<Hub> {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let root = RootKey::from_pkcs8(&self.root).expect("it was shown");
        let login = LoginServer::from_bytes(&self.login, &mut rng).expect("it was shown");
        let limits = Limits::new(registrations_per_hour);
        let store = self.store.clone();
        let accounts = Accounts::new(store, login, root, Vec::new(), registration, limits);
        let mixer = MixerKey::random(&mut rng);
        let offer = Offer {
            slots: 2,
            round_ms: ROUND_MS,
            genesis_ms: 1000,
            mixer: mixer.public(),
            mixer_signature: [0; SIGNATURE],
        };
        Arc::new(Hub {
            accounts,
            rounds: self.rounds.clone(),
            presence: Presence::default(),
            strangers: Strangers::default(),
            handshakes: Strangers::default(),
            mixer,
            offer,
            workers: Workers::new(),
            connections_max: AtomicUsize::new(1),
            token_ms: AtomicU64::new(DAY_MS),
            sign_in_ms: AtomicU64::new(MINUTE_MS),
            stop: watch::channel(false).1,
        })
    }

    pub(crate) fn newcomer(&self) -> Newcomer {
        let number = self.people.replace(self.people.get() + 1);
        let address = IpAddr::V4(Ipv4Addr::from(number));
        let rng = ChaCha20Rng::seed_from_u64(number.into());
        Newcomer { number, address, pin: self.pin, rng }
    }
}

impl Newcomer {
    /// Registers an account.
    pub(crate) async fn sign_up(&mut self, hub: &Hub, identity: &Identity) -> AccountIndex {
        let (accounts, name, rng) = (&hub.accounts, *identity.name(), &mut self.rng);
        let started = register_start(name, self.pin, PASSWORD, rng);
        let (state, request) = started.expect("it is short");
        let start = RegisterStart { name, request, invite: Invite::NONE };
        let (pending, reply) = accounts.register_start(&start, self.address).expect("he may");
        let upload = state.finish(PASSWORD, &reply.response, &CHEAP, rng).expect("it answers").0;
        let record = *identity.record();
        let (stretching, master, identity) = (CHEAP, MASTER, IDENTITY);
        let finish = RegisterFinish { upload, stretching, master, identity, record };
        let account = accounts.register_check(&pending, &finish).expect("it is whole");
        accounts.register(pending, account).await.expect("the name is new").index
    }

    /// Signs an account in, with a token that lives so long.
    pub(crate) async fn sign_in(
        &mut self,
        hub: &Hub,
        name: Name,
        context: &LoginContext,
        token_ms: u64,
    ) -> SignedIn {
        let (accounts, rng) = (&hub.accounts, &mut self.rng);
        let (state, request) = login_start(name, PASSWORD, rng).expect("it is short");
        let start = LoginStart { name, request };
        let (pending, reply) = accounts.login_start(&start, self.address, context).expect("he may");
        let proof = state.finish(PASSWORD, &reply.response, &CHEAP, context, rng);
        let finish = LoginFinish { finalization: proof.expect("it is his").0 };
        let proved = accounts.login_finish(pending, &finish, context).expect("he knows it");
        accounts.begin(proved, token_ms).await.expect("the account is there")
    }
}
