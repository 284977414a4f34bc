//! One connection that is not signed in, and what its server must do with each of its frames.

use std::collections::HashMap;
use std::sync::Arc;

use client_core::identity::Identity;
use server::accounts::{SignedIn, Standing};
use server::config::Registration;
use server::limits::PER_NAME_HERE;
use server::session::Hub;
use server::session::probe::{Asked, Caller};
use server::store::Store as _;
use wire::account::{Invite, Stretching};
use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{
    ClientControl, LoginFinish, LoginReply, LoginStart, Refusal, RegisterFinish, RegisterReply,
    RegisterStart, Resume, ServerControl,
};
use wire::directory::Record;
use wire::ids::{AccountIndex, Name, Token};
use wire::login::{
    LoginContext, LoginServer, LoginState, RegisterState, login_start, register_start,
};
use wire::size::{CONTROL_FRAME, CREDENTIAL_FINALIZATION, REGISTRATION_UPLOAD};

use super::{EXPIRED, World};
use crate::house::{CHEAP, IDENTITY, MASTER, Newcomer, PASSWORD};
use crate::input::{Input, padded};

/// Requests that a connection may make.
const REQUESTS_MAX: usize = 32;

/// Who may register.
pub(super) struct Rules {
    pub(super) registration: Registration,
    pub(super) per_hour: u32,
}

/// A first step of the client.
enum Begun {
    Registration(RegisterState, Vec<u8>),
    /// With whether it is with the right password.
    Login(LoginState, Vec<u8>, bool),
}

/// What the server waits for.
enum Step {
    Fresh,
    Registering(Name, Invite),
    /// Whose login, and the one message that proves the password, if the client can make it.
    LoggingIn(Name, Option<[u8; CREDENTIAL_FINALIZATION]>),
}

/// What the last frame may come to.
enum Expected {
    /// It was answered.
    Nothing,
    /// The end of the connection.
    End,
    Refused(Refusal),
    /// The first step of a registration; or it is malformed, unless it is the client's own.
    Registering(Name, Invite, bool),
    Registered(Name, Invite, [u8; REGISTRATION_UPLOAD]),
    /// The first step of a login; or it is malformed, unless it is the client's own; or there were too many.
    LoggingIn(Name, bool),
    SignedIn(AccountIndex),
    TimeOut,
    Left,
}

/// A connection, and what its server must know of it.
pub(super) struct Guest<'w> {
    world: &'w World,
    rules: Rules,
    context: Arc<LoginContext>,
    newcomer: Newcomer,
    input: Input<'w>,
    /// Those that the client may register.
    identities: Vec<Identity>,
    /// Of those whose password the client knows.
    accounts: HashMap<Name, AccountIndex>,
    begun: Option<Begun>,
    /// The second step of a registration, but for its record.
    proof: Option<[u8; REGISTRATION_UPLOAD]>,
    /// What proved an earlier login.
    old_proof: [u8; CREDENTIAL_FINALIZATION],
    step: Step,
    expected: Expected,
    answered: usize,
    registered: u32,
    invite_used: Option<Invite>,
    attempts: HashMap<Name, u32>,
}

impl<'w> Guest<'w> {
    pub(super) fn new(
        world: &'w World,
        rules: Rules,
        context: Arc<LoginContext>,
        mut newcomer: Newcomer,
        input: Input<'w>,
    ) -> Self {
        let names = ["a", "b"].map(|end| format!("p{}{end}", newcomer.number));
        let names = names.map(|name| name.parse().expect("it is a name"));
        let identities = names.map(|name| Identity::random(name, &mut newcomer.rng)).into();
        Self {
            world,
            rules,
            context,
            newcomer,
            input,
            identities,
            accounts: world.accounts.clone(),
            begun: None,
            proof: None,
            old_proof: [0; CREDENTIAL_FINALIZATION],
            step: Step::Fresh,
            expected: Expected::Nothing,
            answered: 0,
            registered: 0,
            invite_used: None,
            attempts: HashMap::new(),
        }
    }

    pub(super) fn invite_used(&self) -> Option<Invite> {
        self.invite_used
    }
}

impl Caller for Guest<'_> {
    fn asks(&mut self) -> Asked {
        assert!(matches!(self.expected, Expected::Nothing), "the session goes on after its end");
        assert!(self.answered < REQUESTS_MAX, "the session has no end");
        loop {
            if self.input.is_empty() {
                self.expected = Expected::Left;
                return Asked::Leave;
            }
            let request = match self.input.u8() % 12 {
                0 => {
                    let frame = padded(self.input.counted(), CONTROL_FRAME);
                    self.expects(&frame);
                    return Asked::Frame(frame);
                }
                1..=3 => Some(self.begins_login()),
                4 => self.finishes_login(),
                5 => Some(self.spoils_login()),
                6 | 7 => Some(self.begins_registration()),
                8 | 9 => self.finishes_registration(),
                10 => Some(self.resumes()),
                _ if self.input.u8() == 0 => {
                    self.expected = Expected::TimeOut;
                    return Asked::Silence;
                }
                _ => None,
            };
            let Some(request) = request else { continue };
            let frame = padded(&request.encode(), CONTROL_FRAME);
            self.expects(&frame);
            return Asked::Frame(frame);
        }
    }

    fn hears(&mut self, frame: &[u8]) {
        assert!(frame.len() == CONTROL_FRAME, "an answer of {} bytes", frame.len());
        let answer = ServerControl::decode(frame).expect("the client understands it");
        self.answered += 1;
        if let Step::LoggingIn(_, Some(proof)) = std::mem::replace(&mut self.step, Step::Fresh) {
            self.old_proof = proof;
        }
        match (std::mem::replace(&mut self.expected, Expected::Nothing), answer) {
            (Expected::Refused(why), ServerControl::Refused(refused)) => {
                assert!(refused.why == why, "{:?} where {why:?} is right", refused.why);
            }
            (Expected::Registering(name, invite, _), ServerControl::RegisterReply(reply)) => {
                self.step = Step::Registering(name, invite);
                self.makes_upload(&reply);
            }
            (Expected::Registered(name, invite, upload), ServerControl::Registered(it)) => {
                self.is_registered(name, invite, upload, it.index);
            }
            (Expected::LoggingIn(name, is_own), ServerControl::LoginReply(reply)) => {
                *self.attempts.entry(name).or_default() += 1;
                self.step = Step::LoggingIn(name, self.makes_proof(&name, &reply, is_own));
            }
            (Expected::LoggingIn(name, is_own), ServerControl::Refused(refused)) => {
                let attempts = self.attempts.entry(name).or_default();
                match refused.why {
                    Refusal::SlowDown => assert!(*attempts >= PER_NAME_HERE.free, "too slow"),
                    Refusal::BadRequest if !is_own => *attempts += 1,
                    why => panic!("{why:?} in a first step"),
                }
            }
            (Expected::Registering(_, _, false), ServerControl::Refused(refused)) => {
                assert!(refused.why == Refusal::BadRequest, "{:?}", refused.why);
            }
            (_, answer) => panic!("a wrong answer: {:02x?}", &answer.encode()[..16]),
        }
    }
}

impl Guest<'_> {
    fn name(&mut self) -> Name {
        let number = usize::from(self.input.u8());
        let names = &self.world.names;
        let own = || *self.identities[number % self.identities.len()].name();
        names.get(number % 8).copied().unwrap_or_else(own)
    }

    fn begins_login(&mut self) -> ClientControl {
        let name = self.name();
        let is_right = self.input.u8() % 4 < 3;
        let password = if is_right { PASSWORD } else { b"mistaken" };
        let started = login_start(name, password, &mut self.newcomer.rng);
        let (state, request) = started.expect("it is short");
        self.begun = Some(Begun::Login(state, request.to_vec(), is_right));
        ClientControl::LoginStart(LoginStart { name, request })
    }

    fn finishes_login(&mut self) -> Option<ClientControl> {
        let Step::LoggingIn(_, Some(finalization)) = self.step else { return None };
        Some(ClientControl::LoginFinish(LoginFinish { finalization }))
    }

    /// Makes a second step of any bytes, of an earlier login, or of the right one with a bit of it changed.
    fn spoils_login(&mut self) -> ClientControl {
        let finalization = match (self.input.u8() % 4, &self.step) {
            (0, _) => self.input.array(),
            (1, _) => self.old_proof,
            (_, Step::LoggingIn(_, Some(proof))) => {
                let mut proof = *proof;
                let place = usize::from(self.input.u8()) % proof.len();
                proof[place] ^= 1 << (self.input.u8() % 8);
                proof
            }
            (_, _) => [0; CREDENTIAL_FINALIZATION],
        };
        ClientControl::LoginFinish(LoginFinish { finalization })
    }

    fn begins_registration(&mut self) -> ClientControl {
        let name = self.name();
        let (pin, rng) = (self.newcomer.pin, &mut self.newcomer.rng);
        let (state, request) = register_start(name, pin, PASSWORD, rng).expect("it is short");
        self.begun = Some(Begun::Registration(state, request.to_vec()));
        let kept = self.world.kept.borrow();
        let invite = match self.input.u8() % 8 {
            0 => Invite::NONE,
            1 => EXPIRED,
            2 => kept.used,
            3 => Invite(self.input.array()),
            _ => kept.invite,
        };
        ClientControl::RegisterStart(RegisterStart { name, request, invite })
    }

    /// Makes the second step, which is right or wrong in one thing.
    fn finishes_registration(&mut self) -> Option<ClientControl> {
        let Step::Registering(name, _) = &self.step else { return None };
        let identity = self.identities.iter().find(|it| it.name() == name);
        let identity = identity.unwrap_or(&self.identities[0]);
        let mut record = *identity.record();
        let (mut stretching, mut upload) = (CHEAP, self.proof.unwrap_or([0; REGISTRATION_UPLOAD]));
        match self.input.u8() {
            1 => record = Record::deletion(*name, identity.signing()),
            2 => record = *self.identities[1].record(),
            3 => {
                let mut bytes = record.encode();
                let place = usize::from(self.input.u8()) % bytes.len();
                bytes[place] ^= 1 << (self.input.u8() % 8);
                record = Record::decode(&bytes).ok()?;
            }
            4 => {
                stretching = Stretching::decode(&self.input.array::<{ Stretching::SIZE }>()).ok()?
            }
            5 => upload = self.input.array(),
            _ => (),
        }
        let (master, identity) = (MASTER, IDENTITY);
        let finish = RegisterFinish { upload, stretching, master, identity, record };
        Some(ClientControl::RegisterFinish(Box::new(finish)))
    }

    fn resumes(&mut self) -> ClientControl {
        let kept = self.world.kept.borrow();
        let token = match self.input.u8() % 8 {
            0 => kept.newest.duplicate(),
            1 => kept.superseded.duplicate(),
            2 => kept.ended[0].duplicate(),
            3 => kept.ended[1].duplicate(),
            _ => Token::new(self.input.array()),
        };
        ClientControl::Resume(Resume { token })
    }

    /// Takes down what a frame may come to.
    fn expects(&mut self, frame: &[u8]) {
        self.expected = match ClientControl::decode(frame) {
            Ok(ClientControl::RegisterStart(start)) => self.expects_registration(&start),
            Ok(ClientControl::RegisterFinish(finish)) => match self.step {
                Step::Registering(name, invite) if is_whole(&name, &finish) => {
                    Expected::Registered(name, invite, finish.upload)
                }
                Step::Registering(..) => Expected::Refused(Refusal::BadRequest),
                Step::Fresh | Step::LoggingIn(..) => Expected::End,
            },
            Ok(ClientControl::LoginStart(start)) => {
                let is_own = matches!(&self.begun,
                    Some(Begun::Login(_, request, _)) if *request == start.request);
                Expected::LoggingIn(start.name, is_own)
            }
            Ok(ClientControl::LoginFinish(finish)) => match &self.step {
                Step::LoggingIn(name, Some(proof)) if *proof == finish.finalization => {
                    Expected::SignedIn(self.accounts[name])
                }
                Step::LoggingIn(..) => Expected::Refused(Refusal::WrongCredentials),
                Step::Fresh | Step::Registering(..) => Expected::End,
            },
            Ok(ClientControl::Resume(resume)) => self.expects_resume(&resume.token),
            Ok(
                ClientControl::Idle
                | ClientControl::Pull(_)
                | ClientControl::SignOut
                | ClientControl::ChangeStart(_)
                | ClientControl::ChangeFinish(_)
                | ClientControl::DeleteStart(_)
                | ClientControl::DeleteFinish(_)
                | ClientControl::ListSessions
                | ClientControl::EndSession(_)
                | ClientControl::VaultGet(_)
                | ClientControl::VaultPut(_),
            )
            | Err(_) => Expected::End,
        };
    }

    fn expects_registration(&self, start: &RegisterStart) -> Expected {
        let RegisterStart { name, invite, request } = start;
        let (needs_invite, kept) =
            (self.rules.registration == Registration::Invite, self.world.kept.borrow());
        let invite_stands = *invite == kept.invite && self.invite_used.is_none();
        let is_own = matches!(&self.begun, Some(Begun::Registration(_, own)) if own == request);
        if self.rules.registration == Registration::Closed {
            Expected::Refused(Refusal::RegistrationClosed)
        } else if needs_invite && *invite == Invite::NONE {
            Expected::Refused(Refusal::InviteNeeded)
        } else if self.registered >= self.rules.per_hour {
            Expected::Refused(Refusal::SlowDown)
        } else if needs_invite && !invite_stands {
            Expected::Refused(Refusal::InviteInvalid)
        } else if self.exists(name) {
            Expected::Refused(Refusal::NameTaken)
        } else {
            Expected::Registering(*name, *invite, is_own)
        }
    }

    fn expects_resume(&self, token: &Token) -> Expected {
        let (kept, is) = (self.world.kept.borrow(), |it: &Token| it.expose() == token.expose());
        if is(&kept.newest) {
            Expected::SignedIn(self.accounts[&self.world.names[0]])
        } else if is(&kept.superseded) {
            Expected::Refused(Refusal::TokenSuperseded)
        } else {
            Expected::Refused(Refusal::TokenEnded)
        }
    }

    fn exists(&self, name: &Name) -> bool {
        self.world.house.store.account(name).expect("the store holds").is_some()
    }

    fn makes_upload(&mut self, reply: &RegisterReply) {
        self.proof = None;
        let Some(Begun::Registration(state, _)) = self.begun.take() else { return };
        // it fails where other bytes began than this client's
        let upload = state.finish(PASSWORD, &reply.response, &CHEAP, &mut self.newcomer.rng);
        self.proof = upload.ok().map(|(upload, _)| upload);
    }

    fn is_registered(
        &mut self,
        name: Name,
        invite: Invite,
        upload: [u8; REGISTRATION_UPLOAD],
        index: AccountIndex,
    ) {
        self.registered += 1;
        assert!(self.registered <= self.rules.per_hour, "too many accounts");
        let account = self.world.house.store.account_by_index(index).expect("the store holds");
        assert!(account.is_some_and(|account| account.name == name), "another account");
        if self.proof == Some(upload) {
            self.accounts.insert(name, index);
        }
        if self.rules.registration == Registration::Invite {
            self.invite_used = Some(invite);
        }
    }

    /// Returns what proves the password; only who knows it can make that.
    fn makes_proof(
        &mut self,
        name: &Name,
        reply: &LoginReply,
        is_own: bool,
    ) -> Option<[u8; CREDENTIAL_FINALIZATION]> {
        let usual = if self.exists(name) { CHEAP } else { Stretching::STANDARD };
        assert!(reply.stretching == usual || self.registered > 0, "another cost");
        let Some(Begun::Login(state, _, is_right)) = self.begun.take() else { return None };
        let (context, rng) = (&self.context, &mut self.newcomer.rng);
        let proof = state.finish(PASSWORD, &reply.response, &CHEAP, context, rng);
        let is_possible = is_own && is_right && self.accounts.contains_key(name);
        assert!(proof.is_ok() == is_possible, "who may sign in cannot, or the other way round");
        proof.ok().map(|(finalization, _)| finalization)
    }

    /// Checks how the connection came to its end.
    pub(super) fn ends(&self, hub: &Hub, end: Result<SignedIn, Close>) {
        let is_over = self.answered == REQUESTS_MAX;
        match (&self.expected, end) {
            (Expected::SignedIn(index), Ok(signed_in)) => self.is_signed_in(hub, *index, signed_in),
            (Expected::End, Err(Close::Protocol))
            | (Expected::TimeOut, Err(Close::SignInTimeout))
            | (Expected::Left, Err(Close::Done)) => (),
            (Expected::Nothing, Err(Close::Protocol)) if is_over => (),
            (_, Ok(_)) => panic!("signed in without a proof"),
            (_, Err(close)) => panic!("closed after {} answers: {close:?}", self.answered),
        }
    }

    fn is_signed_in(&self, hub: &Hub, index: AccountIndex, signed_in: SignedIn) {
        let SignedIn { member, token, master, identity, .. } = signed_in;
        assert!(member.account == index && member.token == token.digest(), "another session");
        assert!(master == MASTER && identity == IDENTITY, "another's keys");
        let standing = hub.accounts.standing(&member).expect("the store holds");
        assert!(standing == Standing::Current, "{standing:?}");
        let mut kept = self.world.kept.borrow_mut();
        let is_new = kept.newest.expose() != token.expose();
        if index == self.world.accounts[&self.world.names[0]] && is_new {
            kept.superseded = std::mem::replace(&mut kept.newest, token);
        }
    }
}

/// Tells whether the second step of a registration holds what an account needs.
fn is_whole(name: &Name, finish: &RegisterFinish) -> bool {
    let RegisterFinish { upload, stretching, record, .. } = finish;
    let cheapest = Stretching { memory_kib: 8, passes: 1, lanes: 1 };
    let is_possible = stretching.is_within(&cheapest)
        && u64::from(stretching.memory_kib) >= 8 * u64::from(stretching.lanes);
    let is_his = record.name == *name && !record.is_deletion() && record.verify().is_ok();
    is_his && is_possible && LoginServer::password_record(upload).is_ok()
}
