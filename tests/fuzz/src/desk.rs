//! What a signed-in client asks about its own account: any requests, in any order, against a real store.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use client_core::identity::Identity;
use mixer::MixerKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use server::accounts::{Accounts, Member};
use server::config::Registration;
use server::driver::{Driver, Pace};
use server::identity::RootKey;
use server::limits::Limits;
use server::session::presence::Presence;
use server::session::probe::{Said, Visit};
use server::session::strangers::Strangers;
use server::session::{Hub, Offer};
use server::store::{Origin, SledStore};
use server::workers::Workers;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::codec::Wire as _;
use wire::control::{
    ChangeFinish, ChangeStart, ClientControl, DeleteFinish, DeleteStart, EndSession, LoginFinish,
    LoginStart, Pull, RegisterFinish, RegisterStart, ServerControl, SessionInfo, VaultGet,
    VaultPut,
};
use wire::directory::Record;
use wire::ids::Name;
use wire::link::Pin;
use wire::login::{
    LoginContext, LoginServer, LoginState, RegisterState, login_start, register_start,
};
use wire::size::{CONTROL_BODY, CONTROL_FRAME, SIGNATURE, VAULT_PARTS};

use crate::input::{Input, padded};

/// Requests that are taken of one input.
const STEPS_MAX: usize = 32;
/// The cheapest that there is.
const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
const ROUND_MS: u32 = 2000;
const MINUTE_MS: u64 = 60_000;
const PASSWORD: &[u8] = b"password";

thread_local! {
    static WORLD: World = World::open();
}

/// Plays requests of somebody who registered just for them, from an address of his own: so no input meets what an
/// earlier one left.
pub(crate) fn desk(bytes: &[u8]) {
    WORLD.with(|world| world.runtime.block_on(world.play(bytes)));
}

struct World {
    runtime: Runtime,
    hub: Arc<Hub>,
    pin: Pin,
    people: Cell<u32>,
    _directory: TempDir,
}

impl World {
    fn open() -> Self {
        let directory = tempfile::tempdir().expect("there is room for a store");
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("there are threads");
        let origin = Origin { genesis_ms: 1000, round_ms: ROUND_MS };
        let store = Arc::new(SledStore::open(directory.path(), origin).expect("it is new"));
        let period = Duration::from_millis(ROUND_MS.into());
        let pace = Pace { period, slots: 2, seats_max: 1, threads: 1 };
        let started = runtime.block_on(Driver::start(store.clone(), pace));
        let (_, rounds) = started.expect("the store takes a round");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (root, login) = (RootKey::generate(), LoginServer::random(&mut rng));
        let (pin, limits) = (Pin(root.pin()), Limits::new(u32::MAX));
        let accounts = Accounts::new(store, login, root, Vec::new(), Registration::Open, limits);
        let mixer = MixerKey::random(&mut rng);
        let offer = Offer {
            slots: 2,
            round_ms: ROUND_MS,
            genesis_ms: 1000,
            mixer: mixer.public(),
            mixer_signature: [0; SIGNATURE],
        };
        let hub = Hub {
            accounts,
            rounds,
            presence: Presence::default(),
            strangers: Strangers::default(),
            handshakes: Strangers::default(),
            mixer,
            offer,
            workers: Workers::new(),
            connections_max: AtomicUsize::new(1),
            token_ms: AtomicU64::new(MINUTE_MS),
            sign_in_ms: AtomicU64::new(MINUTE_MS),
            stop: watch::channel(false).1,
        };
        let people = Cell::new(1);
        Self { runtime, hub: Arc::new(hub), pin, people, _directory: directory }
    }

    async fn play(&self, bytes: &[u8]) {
        let number = self.people.replace(self.people.get() + 1);
        let mut rng = ChaCha20Rng::seed_from_u64(number.into());
        let name: Name = format!("p{number}").parse().expect("it is a name");
        let identity = Identity::random(name, &mut rng);
        let address = IpAddr::V4(Ipv4Addr::from(number));
        let context = Arc::new(self.hub.accounts.context(&[9; 32]));
        let member = self.sign_up(&identity, address, &context, &mut rng).await;
        let mut visit = Visit::begin(&self.hub, member, address, context.clone());
        let mut guest = Guest::new(identity, self.pin, context, rng);
        let mut input = Input::new(bytes);
        for _ in 0..STEPS_MAX {
            if input.is_empty() || guest.is_gone {
                break;
            }
            let Some(request) = guest.asks(&mut input) else { continue };
            let frame = padded(&request.encode(), CONTROL_FRAME);
            // what the wire does not carry reaches no desk
            let Ok(request) = ClientControl::decode(&frame) else { continue };
            let expected = guest.expects(&request);
            let said = visit.ask(request).await.expect("the store holds");
            guest.hears(&expected, said);
        }
    }

    /// Registers somebody and signs him in.
    async fn sign_up(
        &self,
        identity: &Identity,
        address: IpAddr,
        context: &LoginContext,
        rng: &mut ChaCha20Rng,
    ) -> Member {
        let (accounts, name) = (&self.hub.accounts, *identity.name());
        let started = register_start(name, self.pin, PASSWORD, rng);
        let (state, request) = started.expect("it is short");
        let start = RegisterStart { name, request, invite: Invite::NONE };
        let (pending, reply) = accounts.register_start(&start, address).expect("he may");
        let upload = state.finish(PASSWORD, &reply.response, &CHEAP, rng).expect("it answers").0;
        let (master, sealed) = (SealedMaster([1; 80]), SealedIdentity([2; 112]));
        let record = *identity.record();
        let finish = RegisterFinish { upload, stretching: CHEAP, master, identity: sealed, record };
        let account = accounts.register_check(&pending, &finish).expect("it is whole");
        accounts.register(pending, account).await.expect("the name is new");
        let (state, request) = login_start(name, PASSWORD, rng).expect("it is short");
        let start = LoginStart { name, request };
        let (pending, reply) = accounts.login_start(&start, address, context).expect("he may");
        let proof = state.finish(PASSWORD, &reply.response, &CHEAP, context, rng);
        let finish = LoginFinish { finalization: proof.expect("it is his").0 };
        let proved = accounts.login_finish(pending, &finish, context).expect("he knows it");
        accounts.begin(proved, MINUTE_MS).await.expect("the account is there").member
    }
}

/// First steps of the client that nothing has come of yet.
enum Begun {
    Change(LoginState, RegisterState),
    Deletion(LoginState),
}

/// What the desk waits for.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Change,
    Deletion,
}

/// What a request may come to, beside a refusal.
enum Expected {
    /// No answer.
    Nothing,
    Pages,
    SignIn,
    SignedOut,
    Started(Step),
    /// The second step; whether it can be what it says.
    Finished(Step, bool),
    Sessions,
    SessionEnded,
    Third(u8),
    /// A third of a vault that is out of order.
    Refused,
    Staged,
    Stored(u64),
    Conflict(u64),
}

/// A client, and what its desk must know of it.
struct Guest {
    identity: Identity,
    pin: Pin,
    context: Arc<LoginContext>,
    rng: ChaCha20Rng,
    begun: Option<Begun>,
    /// A second step that the client can take.
    finish: Option<ClientControl>,
    step: Option<Step>,
    /// Next part, base and version.
    staged: Option<(u8, u64, u64)>,
    stored: u64,
    sessions: Vec<SessionInfo>,
    is_gone: bool,
}

impl Guest {
    fn new(identity: Identity, pin: Pin, context: Arc<LoginContext>, rng: ChaCha20Rng) -> Self {
        Self {
            identity,
            pin,
            context,
            rng,
            begun: None,
            finish: None,
            step: None,
            staged: None,
            stored: 0,
            sessions: Vec::new(),
            is_gone: false,
        }
    }

    /// Makes a request: what a client would ask, or any bytes.
    fn asks(&mut self, input: &mut Input<'_>) -> Option<ClientControl> {
        Some(match input.u8() % 12 {
            0 => {
                let frame = padded(input.counted(), CONTROL_FRAME);
                return ClientControl::decode(&frame).ok();
            }
            1 => {
                let (part, base, version) = (input.u8(), input.u8().into(), input.u8().into());
                let bytes = [input.u8(); CONTROL_BODY];
                ClientControl::VaultPut(Box::new(VaultPut { part, base, version, bytes }))
            }
            2 => {
                // the next third of what is staged, or the first one of what may be stored
                let (part, base, version) =
                    self.staged.unwrap_or((0, self.stored, self.stored.saturating_add(1)));
                let bytes = [input.u8(); CONTROL_BODY];
                ClientControl::VaultPut(Box::new(VaultPut { part, base, version, bytes }))
            }
            3 => ClientControl::VaultGet(VaultGet { part: input.u8() }),
            4 => ClientControl::ListSessions,
            5 => {
                let id = self.sessions.get(usize::from(input.u8()))?.id;
                ClientControl::EndSession(EndSession { id })
            }
            6 => self.begins_change(),
            7 => self.begins_deletion(),
            8 => self.finish.take()?,
            9 => ClientControl::Pull(Pull { from: input.u8().into(), pages: input.u8() }),
            10 => ClientControl::SignOut,
            _ => ClientControl::Idle,
        })
    }

    fn begins_change(&mut self) -> ClientControl {
        let name = *self.identity.name();
        let (state, login) = login_start(name, PASSWORD, &mut self.rng).expect("it is short");
        let registering = register_start(name, self.pin, PASSWORD, &mut self.rng);
        let (registering, registration) = registering.expect("it is short");
        self.begun = Some(Begun::Change(state, registering));
        ClientControl::ChangeStart(ChangeStart { login, registration })
    }

    fn begins_deletion(&mut self) -> ClientControl {
        let name = *self.identity.name();
        let (state, login) = login_start(name, PASSWORD, &mut self.rng).expect("it is short");
        self.begun = Some(Begun::Deletion(state));
        ClientControl::DeleteStart(DeleteStart { login })
    }

    /// Says what a request may come to, and takes down what the desk forgets with it.
    fn expects(&mut self, request: &ClientControl) -> Expected {
        match request {
            ClientControl::Idle => Expected::Nothing,
            ClientControl::Pull(_) => Expected::Pages,
            ClientControl::RegisterStart(_)
            | ClientControl::RegisterFinish(_)
            | ClientControl::LoginStart(_)
            | ClientControl::LoginFinish(_)
            | ClientControl::Resume(_) => Expected::SignIn,
            ClientControl::SignOut => Expected::SignedOut,
            ClientControl::ChangeStart(_) => self.expects_start(Step::Change),
            ClientControl::DeleteStart(_) => self.expects_start(Step::Deletion),
            ClientControl::ChangeFinish(_) => self.expects_finish(Step::Change),
            ClientControl::DeleteFinish(_) => self.expects_finish(Step::Deletion),
            ClientControl::ListSessions => Expected::Sessions,
            ClientControl::EndSession(_) => Expected::SessionEnded,
            ClientControl::VaultGet(get) => Expected::Third(get.part),
            ClientControl::VaultPut(put) => self.expects_put(put),
        }
    }

    fn expects_start(&mut self, step: Step) -> Expected {
        self.step = None;
        Expected::Started(step)
    }

    fn expects_finish(&mut self, step: Step) -> Expected {
        Expected::Finished(step, self.step.take() == Some(step))
    }

    fn expects_put(&mut self, put: &VaultPut) -> Expected {
        let VaultPut { part, base, version, .. } = *put;
        let follows = part == 0 || self.staged == Some((part, base, version));
        self.staged = None;
        if !follows {
            return Expected::Refused;
        }
        if part + 1 < VAULT_PARTS {
            self.staged = Some((part + 1, base, version));
            return Expected::Staged;
        }
        if base == self.stored && version > self.stored {
            return Expected::Stored(version);
        }
        Expected::Conflict(self.stored)
    }

    /// Checks what came of a request.
    fn hears(&mut self, expected: &Expected, said: Said) {
        let answer = match said {
            Said::Answer(answer) => *answer,
            Said::Nothing => return assert!(matches!(expected, Expected::Nothing)),
            Said::Pages => return assert!(matches!(expected, Expected::Pages)),
            Said::SignIn => return assert!(matches!(expected, Expected::SignIn)),
        };
        match (expected, answer) {
            (Expected::Started(Step::Change), ServerControl::ChangeReply(reply)) => {
                self.step = Some(Step::Change);
                self.finishes_change(&reply);
            }
            (Expected::Started(Step::Deletion), ServerControl::DeleteReply(reply)) => {
                self.step = Some(Step::Deletion);
                self.finishes_deletion(&reply);
            }
            (Expected::Finished(Step::Change, true), ServerControl::Changed(_)) => (),
            (Expected::Finished(Step::Deletion, true), ServerControl::Deleted)
            | (Expected::SignedOut, ServerControl::SignedOut) => self.is_gone = true,
            (Expected::Sessions, ServerControl::Sessions(sessions)) => self.sessions = sessions,
            (Expected::SessionEnded, ServerControl::SessionEnded)
            | (Expected::Staged, ServerControl::VaultStaged) => (),
            (Expected::Third(part), ServerControl::VaultPart(it)) => {
                assert!((it.part, it.version) == (*part, self.stored));
            }
            (Expected::Stored(version), ServerControl::VaultStored(it)) => {
                assert!(it.version == *version);
                self.stored = *version;
            }
            (Expected::Conflict(stored), ServerControl::VaultConflict(it)) => {
                assert!(it.version == *stored);
            }
            (
                Expected::SignedOut
                | Expected::Started(_)
                | Expected::Finished(..)
                | Expected::Sessions
                | Expected::SessionEnded
                | Expected::Refused,
                ServerControl::Refused(_),
            ) => (),
            (_, answer) => panic!("a wrong answer: {:02x?}", &answer.encode()[..16]),
        }
    }

    fn finishes_change(&mut self, reply: &wire::control::ChangeReply) {
        let Some(Begun::Change(login, registering)) = self.begun.take() else { return };
        let response = &reply.login.response;
        let proof = login.finish(PASSWORD, response, &CHEAP, &self.context, &mut self.rng);
        let upload = registering.finish(PASSWORD, &reply.registration, &CHEAP, &mut self.rng);
        // they fail where other bytes began than this client's
        let (Ok((finalization, _)), Ok((upload, _))) = (proof, upload) else { return };
        let (master, identity) = (SealedMaster([3; 80]), SealedIdentity([4; 112]));
        let stretching = CHEAP;
        let finish = ChangeFinish { finalization, upload, stretching, master, identity };
        self.finish = Some(ClientControl::ChangeFinish(Box::new(finish)));
    }

    fn finishes_deletion(&mut self, reply: &wire::control::LoginReply) {
        let Some(Begun::Deletion(login)) = self.begun.take() else { return };
        let proof = login.finish(PASSWORD, &reply.response, &CHEAP, &self.context, &mut self.rng);
        let Ok((finalization, _)) = proof else { return };
        let record = Record::deletion(*self.identity.name(), self.identity.signing());
        self.finish =
            Some(ClientControl::DeleteFinish(Box::new(DeleteFinish { finalization, record })));
    }
}
