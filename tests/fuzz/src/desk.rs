//! What a signed-in client asks about its own account: any requests, in any order, against a real store.

use std::sync::Arc;

use client_core::identity::Identity;
use rand_chacha::ChaCha20Rng;
use server::config::Registration;
use server::session::Hub;
use server::session::probe::{Said, Visit};
use wire::account::{SealedIdentity, SealedMaster};
use wire::codec::Wire as _;
use wire::control::{
    ChangeFinish, ChangeStart, ClientControl, DeleteFinish, DeleteStart, EndSession, Pull,
    ServerControl, SessionInfo, VaultGet, VaultPut,
};
use wire::directory::Record;
use wire::ids::Name;
use wire::link::Pin;
use wire::login::{LoginContext, LoginState, RegisterState, login_start, register_start};
use wire::size::{CONTROL_BODY, CONTROL_FRAME, VAULT_PARTS};

use crate::house::{CHEAP, House, MINUTE_MS, PASSWORD};
use crate::input::{Input, padded};

/// Requests that are taken of one input.
const STEPS_MAX: usize = 32;

thread_local! {
    static WORLD: World = World::open();
}

/// Plays requests of somebody who registered just for them.
pub(crate) fn desk(bytes: &[u8]) {
    WORLD.with(|world| world.house.runtime.block_on(world.play(bytes)));
}

struct World {
    hub: Arc<Hub>,
    house: House,
}

impl World {
    fn open() -> Self {
        let house = House::open();
        Self { hub: house.hub(Registration::Open, u32::MAX), house }
    }

    async fn play(&self, bytes: &[u8]) {
        let mut newcomer = self.house.newcomer();
        let name: Name = format!("p{}", newcomer.number).parse().expect("it is a name");
        let identity = Identity::random(name, &mut newcomer.rng);
        let context = Arc::new(self.hub.accounts.context(&[9; 32]));
        newcomer.sign_up(&self.hub, &identity).await;
        let member = newcomer.sign_in(&self.hub, name, &context, MINUTE_MS).await.member;
        let mut visit = Visit::begin(&self.hub, member, newcomer.address, context.clone());
        let mut guest = Guest::new(identity, newcomer.pin, context, newcomer.rng);
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
