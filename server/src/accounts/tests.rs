use p256::ecdsa::SigningKey;
use wire::account::Invite;
use wire::login::{RegisterState, login_start, register_start};
use wire::public_key::AgreementKey;
use wire::size::CREDENTIAL_FINALIZATION;

use super::*;
use crate::store::Origin;

const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
const PIN: Pin = Pin([3; 32]);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const ORIGIN: Origin = Origin { genesis_ms: 1000, round_ms: 2000 };
const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1000;

struct World {
    _dir: tempfile::TempDir,
    store: Arc<SledStore>,
    accounts: Accounts,
    context: LoginContext,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(dir.path(), ORIGIN).unwrap());
    let accounts =
        Accounts::new(store.clone(), LoginServer::random(&mut OsRng), PIN, Limits::new(400));
    let context = accounts.context(&[4; 32]);
    World { _dir: dir, store, accounts, context }
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
        let (state, request) = register_start(name, PIN, b"right", &mut OsRng).unwrap();
        let start = RegisterStart { name, request, invite: Invite::NONE };
        let (pending, reply) = self.accounts.register_start(&start, HERE)?;
        Ok((state, pending, reply))
    }

    fn finish(&self, name: Name) -> (PendingRegistration, RegisterFinish) {
        let (state, pending, reply) = self.start(name).unwrap();
        let (upload, _) = state.finish(b"right", &reply.response, &CHEAP, &mut OsRng).unwrap();
        let agreement = AgreementKey::random(&mut OsRng).public();
        let record = Record::new(name, agreement, &SigningKey::random(&mut OsRng));
        let (master, identity) = (SealedMaster([1; 80]), SealedIdentity([2; 112]));
        (pending, RegisterFinish { upload, stretching: CHEAP, master, identity, record })
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
