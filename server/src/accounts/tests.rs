use p256::ecdsa::SigningKey;
use wire::account::Invite;
use wire::control::{ChangeFinish, ChangeStart};
use wire::directory::Record;
use wire::login::{RegisterState, login_start, register_start};
use wire::public_key::AgreementKey;
use wire::size::CREDENTIAL_FINALIZATION;

use super::*;
use crate::store::Origin;

const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const ORIGIN: Origin = Origin { genesis_ms: 1000, round_ms: 2000 };
const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1000;

struct World {
    _dir: tempfile::TempDir,
    store: Arc<SledStore>,
    pin: Pin,
    accounts: Accounts,
    context: LoginContext,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(dir.path(), ORIGIN).unwrap());
    let root = RootKey::generate();
    let pin = Pin(root.pin());
    let login = LoginServer::random(&mut OsRng);
    let (open, limits) = (Registration::Open, Limits::new(400));
    let accounts = Accounts::new(store.clone(), login, root, Vec::new(), open, limits);
    let context = accounts.context(&[4; 32]);
    World { _dir: dir, store, pin, accounts, context }
}

fn ann() -> Name {
    "ann".parse().unwrap()
}

fn why(error: Option<AccountError>) -> Refusal {
    match error {
        Some(AccountError::Refused(refused)) => refused.why,
        Some(AccountError::Store(error)) => panic!("{error}"),
        None => panic!("not refused"),
    }
}

impl World {
    fn start(
        &self,
        name: Name,
    ) -> Result<(RegisterState, PendingRegistration, RegisterReply), AccountError> {
        self.start_with(name, Invite::NONE)
    }

    fn start_with(
        &self,
        name: Name,
        invite: Invite,
    ) -> Result<(RegisterState, PendingRegistration, RegisterReply), AccountError> {
        let (state, request) = register_start(name, self.pin, b"right", &mut OsRng).unwrap();
        let start = RegisterStart { name, request, invite };
        let (pending, reply) = self.accounts.register_start(&start, HERE)?;
        Ok((state, pending, reply))
    }

    fn finish(&self, name: Name) -> (PendingRegistration, RegisterFinish) {
        self.finish_with(name, Invite::NONE)
    }

    fn finish_with(&self, name: Name, invite: Invite) -> (PendingRegistration, RegisterFinish) {
        let (state, pending, reply) = self.start_with(name, invite).unwrap();
        let (upload, _) = state.finish(b"right", &reply.response, &CHEAP, &mut OsRng).unwrap();
        let agreement = AgreementKey::random(&mut OsRng).public();
        let record = Record::new(name, agreement, &SigningKey::random(&mut OsRng));
        let (master, identity) = (SealedMaster([1; 80]), SealedIdentity([2; 112]));
        (pending, RegisterFinish { upload, stretching: CHEAP, master, identity, record })
    }

    /// Changes ann's password as far as the proof.
    fn prove_change(&self, member: &Member, new: &[u8]) -> ProvedChange {
        let (state, login) = login_start(ann(), b"right", &mut OsRng).unwrap();
        let (registering, registration) = register_start(ann(), self.pin, new, &mut OsRng).unwrap();
        let start = ChangeStart { login, registration };
        let started = self.accounts.change_start(member, &start, HERE, &self.context);
        let (pending, reply) = started.unwrap();
        let response = &reply.login.response;
        let last = state.finish(b"right", response, &CHEAP, &self.context, &mut OsRng);
        let upload = registering.finish(new, &reply.registration, &CHEAP, &mut OsRng);
        let finish = ChangeFinish {
            finalization: last.unwrap().0,
            upload: upload.unwrap().0,
            stretching: CHEAP,
            master: SealedMaster([3; 80]),
            identity: SealedIdentity([4; 112]),
        };
        self.accounts.change_check(pending, &finish, &self.context).unwrap()
    }

    async fn register(&self, name: Name) {
        let (pending, finish) = self.finish(name);
        let account = self.accounts.register_check(&pending, &finish).unwrap();
        self.accounts.register(pending, account).await.unwrap();
    }

    /// Logs in as a client that goes on even if it could not open the server's answer.
    fn prove(&self, name: Name, password: &[u8]) -> (Stretching, Result<Proved, AccountError>) {
        let (state, request) = login_start(name, password, &mut OsRng).unwrap();
        let start = LoginStart { name, request };
        let (pending, reply) = self.accounts.login_start(&start, HERE, &self.context).unwrap();
        let answered = state.finish(password, &reply.response, &CHEAP, &self.context, &mut OsRng);
        let finalization = answered.map_or([9; CREDENTIAL_FINALIZATION], |(last, _)| last);
        let finish = LoginFinish { finalization };
        (reply.stretching, self.accounts.login_finish(pending, &finish, &self.context))
    }

    async fn log_in(&self, token_ms: u64) -> SignedIn {
        let proved = self.prove(ann(), b"right").1.ok().unwrap();
        self.accounts.begin(proved, token_ms).await.unwrap()
    }
}

#[tokio::test]
async fn an_unknown_name_is_answered_like_a_wrong_password() {
    let world = world();
    world.register(ann()).await;
    let (known, wrong) = world.prove(ann(), b"wrong");
    let (unknown, nobody) = world.prove("nobody".parse().unwrap(), b"right");
    assert_eq!(why(wrong.err()), Refusal::WrongCredentials);
    assert_eq!(why(nobody.err()), Refusal::WrongCredentials);
    assert_eq!((known, unknown), (CHEAP, Stretching::STANDARD));
    assert!(world.prove(ann(), b"right").1.is_ok());
}

#[tokio::test]
async fn sessions_resume_until_they_expire_are_superseded_or_signed_out() {
    let world = world();
    world.register(ann()).await;
    let first = world.log_in(MONTH_MS).await;
    let resumed = world.accounts.resume(&first.token).unwrap();
    assert_eq!(resumed.member.token, first.member.token);
    assert!(resumed.member.sign_in > first.member.sign_in);
    assert_eq!(resumed.expires_ms, first.expires_ms);

    let second = world.log_in(MONTH_MS).await;
    let superseded = world.accounts.resume(&first.token);
    assert_eq!(why(superseded.err()), Refusal::TokenSuperseded);
    world.accounts.sign_out(&second.member).await.unwrap();
    assert_eq!(why(world.accounts.resume(&second.token).err()), Refusal::TokenEnded);

    let expired = world.log_in(0).await;
    assert_eq!(why(world.accounts.resume(&expired.token).err()), Refusal::TokenEnded);
    let unknown = world.accounts.resume(&Token::new([7; 32]));
    assert_eq!(why(unknown.err()), Refusal::TokenEnded);
}

#[tokio::test]
async fn a_taken_name_is_refused_at_either_step() {
    let world = world();
    let (pending, late) = world.finish(ann());
    world.register(ann()).await;
    assert_eq!(why(world.start(ann()).err()), Refusal::NameTaken);
    let account = world.accounts.register_check(&pending, &late).unwrap();
    assert_eq!(why(world.accounts.register(pending, account).await.err()), Refusal::NameTaken);
    assert_eq!(world.store.account_count(), 1);
}

/// Else anybody could have a list of passwords evaluated for a name before its owner registers.
#[tokio::test]
async fn first_steps_that_lead_to_no_account_slow_their_address_down() {
    let world = world();
    let refused = (0..1000).find_map(|_| world.start(ann()).err());
    assert_eq!(why(refused), Refusal::SlowDown);
}

#[tokio::test]
async fn accounts_that_are_made_slow_nobody_down() {
    let world = world();
    for number in 0..300 {
        world.register(format!("n{number}").parse().unwrap()).await;
    }
}

/// Else one address could fill the directory, which every client downloads.
#[tokio::test]
async fn accounts_of_one_address_are_so_many_an_hour() {
    let world = world();
    world.accounts.limits().set_registrations_per_hour(2);
    let (pending, late) = world.finish(ann());
    let (doubled, other) = world.finish("bob".parse().unwrap());
    let check = |pending, finish| world.accounts.register_check(pending, finish).unwrap();
    let (late, other) = (check(&pending, &late), check(&doubled, &other));
    world.register("one".parse().unwrap()).await;
    world.accounts.register(pending, late).await.unwrap();
    let refused = world.accounts.register(doubled, other).await.err();
    assert_eq!(why(refused), Refusal::SlowDown, "two that began in time do not both end");
    assert_eq!(why(world.start("two".parse().unwrap()).err()), Refusal::SlowDown);
    assert_eq!(world.store.account_count(), 2);
    assert_eq!(world.log_in(MONTH_MS).await.member.account.0, 1, "who has an account signs in");
}

#[tokio::test]
async fn what_does_not_verify_is_not_registered() {
    let world = world();
    let bob: Name = "bob".parse().unwrap();
    let good = || world.finish(ann()).1;
    let check = |finish: RegisterFinish| {
        let (_, pending, _) = world.start(ann()).unwrap();
        why(world.accounts.register_check(&pending, &finish).err())
    };
    assert_eq!(check(world.finish(bob).1), Refusal::BadRequest, "the record is another name's");
    let mut forged = good();
    forged.record.signature[0] ^= 1;
    assert_eq!(check(forged), Refusal::BadRequest);
    assert_eq!(check(RegisterFinish { upload: [0; 129], ..good() }), Refusal::BadRequest);
    let impossible = [
        Stretching { passes: 0, ..CHEAP },
        Stretching { lanes: 5, ..CHEAP },
        Stretching { memory_kib: u32::MAX, ..CHEAP },
    ];
    for stretching in impossible {
        assert_eq!(check(RegisterFinish { stretching, ..good() }), Refusal::BadRequest);
    }
    assert_eq!(world.store.account_count(), 0);
}

#[tokio::test]
async fn a_login_over_another_connection_proves_nothing() {
    let world = world();
    world.register(ann()).await;
    let elsewhere = world.accounts.context(&[5; 32]);
    let (state, request) = login_start(ann(), b"right", &mut OsRng).unwrap();
    let start = LoginStart { name: ann(), request };
    let (pending, reply) = world.accounts.login_start(&start, HERE, &elsewhere).unwrap();
    let opened = state.finish(b"right", &reply.response, &CHEAP, &world.context, &mut OsRng);
    assert!(opened.is_err(), "the client sees it first");
    let finish = LoginFinish { finalization: [0; CREDENTIAL_FINALIZATION] };
    let finished = world.accounts.login_finish(pending, &finish, &elsewhere);
    assert_eq!(why(finished.err()), Refusal::WrongCredentials);
}

#[tokio::test]
async fn what_was_proved_with_the_old_password_is_worth_nothing_after_a_change() {
    let world = world();
    world.register(ann()).await;
    let session = world.log_in(MONTH_MS).await;
    let login = world.prove(ann(), b"right").1.ok().unwrap();
    let (first, second) = (
        world.prove_change(&session.member, b"new"),
        world.prove_change(&session.member, b"other"),
    );
    let (member, changed) = world.accounts.change(&session.member, first, MONTH_MS).await.unwrap();
    assert!(member.token == changed.token.digest() && member.sign_in == session.member.sign_in);
    let late = world.accounts.change(&member, second, MONTH_MS).await;
    assert_eq!(why(late.err()), Refusal::WrongCredentials, "one of two changes holds");
    let late = world.accounts.begin(login, MONTH_MS).await;
    assert_eq!(why(late.err()), Refusal::WrongCredentials, "a login that took its time");
    assert_eq!(why(world.accounts.resume(&session.token).err()), Refusal::TokenEnded);
    assert!(world.accounts.resume(&changed.token).is_ok());
    assert!(world.prove(ann(), b"new").1.is_ok() && world.prove(ann(), b"other").1.is_err());
}

#[tokio::test]
async fn guessing_codes_slows_an_address_down() {
    let world = world();
    world.accounts.set_registration(Registration::Invite);
    let guess = || world.start_with(ann(), Invite::random(&mut OsRng)).err();
    let answers: Vec<_> = (0..1000).map(|_| why(guess())).collect();
    let guesses = answers.iter().take_while(|&&why| why == Refusal::InviteInvalid).count();
    assert_eq!(guesses, crate::limits::PER_ADDRESS.free as usize);
    assert_eq!(answers[guesses], Refusal::SlowDown);
}

#[tokio::test]
async fn a_code_that_ends_or_is_used_meanwhile_registers_nobody() {
    let world = world();
    world.accounts.set_registration(Registration::Invite);
    let now_ms = clock::unix_ms();
    let [code, short] = [(); 2].map(|()| Invite::random(&mut OsRng));
    world.store.add_invites(vec![short.digest()], now_ms, now_ms).await.unwrap();
    assert_eq!(why(world.start_with(ann(), short).err()), Refusal::InviteInvalid, "it ended");
    world.store.add_invites(vec![code.digest()], now_ms + MONTH_MS, now_ms).await.unwrap();
    let mut ready = Vec::new();
    for who in ["one", "two"] {
        let name = who.parse().unwrap();
        let (pending, finish) = world.finish_with(name, code);
        let account = world.accounts.register_check(&pending, &finish).unwrap();
        ready.push((pending, account));
    }
    let (second, first) = (ready.pop().unwrap(), ready.pop().unwrap());
    assert!(world.accounts.register(first.0, first.1).await.is_ok());
    let late = world.accounts.register(second.0, second.1).await;
    assert_eq!(why(late.err()), Refusal::InviteInvalid);
    assert_eq!(world.store.account_count(), 1);
}

#[tokio::test]
async fn registration_that_closes_closes_for_those_who_began() {
    let world = world();
    let (pending, finish) = world.finish(ann());
    let account = world.accounts.register_check(&pending, &finish).unwrap();
    world.accounts.set_registration(Registration::Closed);
    let late = world.accounts.register(pending, account).await;
    assert_eq!(why(late.err()), Refusal::RegistrationClosed);
}
