//! What a sign-in costs the server's processor, step by step and as a whole, and how soon an empty server
//! listens: `cargo bench -p server`.
//!
//! The steps are processor time of one thread, without transport and disk. The whole is processor time of
//! a server process with real clients in another process, from the first packet to the first frame of
//! the rounds: QUIC, TLS, login, the token on the disk, the layer. The targets are under 2 ms of
//! processor for a whole sign-in and under 0.5 s to listening.

#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking, in its helpers too")]

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../../tests/raw/mod.rs"]
mod raw;

mod process;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use mixer::MixerKey;
use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use rustix::time::{ClockId, clock_gettime};
use server::accounts::Accounts;
use server::config::Registration;
use server::identity::RootKey;
use server::limits::Limits;
use server::store::{Origin, SledStore};
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::control::{LoginFinish, LoginStart, RegisterFinish, RegisterStart};
use wire::directory::Record;
use wire::ids::Name;
use wire::link::Pin;
use wire::login::{LoginServer, login_start, register_start};
use wire::public_key::AgreementKey;

const TIMES: u32 = 200;
const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &[u8] = b"password";

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let store = SledStore::open(dir.path(), Origin { genesis_ms: 0, round_ms: 2000 })
        .expect("a new store opens");
    let root = RootKey::generate();
    let pin = Pin(root.pin());
    let login = LoginServer::random(&mut OsRng);
    let accounts =
        Accounts::new(Arc::new(store), login, root, Vec::new(), Registration::Open, Limits::new(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let name: Name = "ann".parse().expect("this is a name");
    runtime.block_on(register(&accounts, name, pin));

    let mut spent = [Duration::ZERO; 4];
    for attempt in 0..TIMES {
        log_in(&accounts, name, &mut spent);
        guess(&accounts, attempt, &mut spent[2]);
    }
    let mixer = MixerKey::random(&mut OsRng);
    let client = AgreementKey::random(&mut OsRng).public();
    for _ in 0..TIMES {
        time(&mut spent[3], || mixer.layer_for(&client)).expect("the key is a point");
    }
    let [start, finish, unknown, layer] =
        spent.map(|sum| sum.as_secs_f64() * 1e3 / f64::from(TIMES));
    println!("login, first step    {start:.3} ms   (unknown name {unknown:.3} ms)");
    println!("login, second step   {finish:.3} ms");
    println!("layer of a new seat  {layer:.3} ms");
    println!("sign-in without transport and disk  {:.3} ms", start + finish + layer);
    process::measure();
}

async fn register(accounts: &Accounts, name: Name, pin: Pin) {
    let started = register_start(name, pin, PASSWORD, &mut OsRng);
    let (state, request) = started.expect("the password is short");
    let reply =
        accounts.register_start(&RegisterStart { name, request, invite: Invite::NONE }, HERE);
    let (pending, reply) = reply.expect("the name is free");
    let finished = state.finish(PASSWORD, &reply.response, &CHEAP, &mut OsRng);
    let (upload, _) = finished.expect("the server's answer is good");
    let agreement = AgreementKey::random(&mut OsRng).public();
    let finish = RegisterFinish {
        upload,
        stretching: CHEAP,
        master: SealedMaster([1; 80]),
        identity: SealedIdentity([2; 112]),
        record: Record::new(name, agreement, &SigningKey::random(&mut OsRng)),
    };
    let account = accounts.register_check(&pending, &finish).expect("the account is good");
    accounts.register(pending, account).await.expect("the store works");
}

/// Logs in and adds up the times of both steps.
fn log_in(accounts: &Accounts, name: Name, spent: &mut [Duration; 4]) {
    let context = accounts.context(&[4; 32]);
    let (state, request) = login_start(name, PASSWORD, &mut OsRng).expect("the password is short");
    let start = LoginStart { name, request };
    let started = time(&mut spent[0], || accounts.login_start(&start, HERE, &context));
    let (pending, reply) = started.expect("the first step works");
    let answered = state.finish(PASSWORD, &reply.response, &CHEAP, &context, &mut OsRng);
    let (finalization, _) = answered.expect("the password is right");
    let finish = LoginFinish { finalization };
    let proved = time(&mut spent[1], || accounts.login_finish(pending, &finish, &context));
    assert!(proved.is_ok(), "the password is right");
}

/// Tries a name that nobody has and adds up the time of the first step.
fn guess(accounts: &Accounts, attempt: u32, spent: &mut Duration) {
    let name = format!("nobody{attempt}").parse().expect("this is a name");
    let context = accounts.context(&[4; 32]);
    let (_, request) = login_start(name, PASSWORD, &mut OsRng).expect("the password is short");
    let start = LoginStart { name, request };
    let started = time(spent, || accounts.login_start(&start, HERE, &context));
    assert!(started.is_ok(), "an unknown name is answered like any other");
}

/// Adds up processor time of this thread, which other work on the machine does not change.
fn time<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let began = now();
    let value = work();
    *sum += now() - began;
    value
}
