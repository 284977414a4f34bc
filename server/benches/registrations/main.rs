//! How many registrations a second are acknowledged durably, by group commit:
//! `cargo bench -p server --bench registrations`.
//!
//! First the store alone: so many clients at once register one account after the other, each waits until its account is
//! on the disk. Then with all that the server computes for a registration: OPAQUE and the check of the signed
//! record. What the client computes, the stretching of its password above all, is made beforehand and
//! between, and left out. QUIC is not in it. The target is 1,000 a second.

#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking, in its helpers too")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use server::accounts::{Accounts, PendingRegistration};
use server::clock;
use server::config::Registration;
use server::identity::RootKey;
use server::limits::Limits;
use server::store::{NewAccount, NewPassword, Origin, SledStore, Store as _};
use tokio::task::JoinSet;
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::codec::Wire as _;
use wire::control::{RegisterFinish, RegisterStart};
use wire::directory::Record;
use wire::ids::Name;
use wire::link::Pin;
use wire::login::{LoginServer, register_start};
use wire::public_key::AgreementKey;

const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &[u8] = b"password";

/// Accounts that each number of clients registers in the store.
const STORED: usize = 8192;

/// Accounts that are registered with all that the server computes.
const WHOLE: usize = 4096;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    for clients in [1, 16, 64, 256, 1024] {
        let accounts: Vec<_> = (0..STORED).map(|number| account(&name(clients, number))).collect();
        let (_dir, store) = store();
        let took = runtime.block_on(register(&store, accounts, clients));
        let rate = STORED as f64 / took.as_secs_f64();
        println!("store alone, {clients:>4} clients at once   {rate:>8.0} a second");
    }
    let took = runtime.block_on(whole(256));
    let rate = WHOLE as f64 / took.as_secs_f64();
    println!("with OPAQUE and the check, 256 at once {rate:>8.0} a second   (target: 1,000)");
}

fn store() -> (tempfile::TempDir, Arc<SledStore>) {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path(), Origin { genesis_ms: 0, round_ms: 2000 }).unwrap();
    (dir, Arc::new(store))
}

fn name(clients: usize, number: usize) -> Name {
    format!("n{clients}-{number}").parse().unwrap()
}

fn account(name: &Name) -> NewAccount {
    let agreement = AgreementKey::random(&mut OsRng).public();
    let record = Record::new(*name, agreement, &SigningKey::random(&mut OsRng));
    NewAccount {
        name: *name,
        password: NewPassword {
            password_file: vec![0; 192],
            stretching: CHEAP,
            sealed_master: SealedMaster([1; 80]),
            sealed_identity: SealedIdentity([2; 112]),
        },
        directory_record: record.encode().try_into().unwrap(),
        created_ms: clock::unix_ms(),
    }
}

/// Registers accounts, so many at once; returns how long it took until the last was durable.
async fn register(
    store: &Arc<SledStore>,
    mut accounts: Vec<NewAccount>,
    clients: usize,
) -> Duration {
    let share = accounts.len() / clients;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (store, mine) = (store.clone(), accounts.split_off(accounts.len() - share));
        tasks.spawn(async move {
            for account in mine {
                store.register(account, None).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    began.elapsed()
}

/// Registers as clients do; returns how long the server took over both steps.
async fn whole(clients: usize) -> Duration {
    let (_dir, store) = store();
    let (root, login) = (RootKey::generate(), LoginServer::random(&mut OsRng));
    let pin = Pin(root.pin());
    let limits = Limits::new(1_000_000);
    let accounts =
        Arc::new(Accounts::new(store, login, root, Vec::new(), Registration::Open, limits));
    let mut took = Duration::ZERO;
    for wave in 0..WHOLE / clients {
        let asked: Vec<_> = (0..clients)
            .map(|number| {
                let name = name(wave, number);
                let (state, request) = register_start(name, pin, PASSWORD, &mut OsRng).unwrap();
                (state, RegisterStart { name, request, invite: Invite::NONE })
            })
            .collect();
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for (state, start) in asked {
            let accounts = accounts.clone();
            tasks.spawn(async move {
                let (pending, reply) = accounts.register_start(&start, HERE).unwrap();
                (state, pending, reply, start.name)
            });
        }
        let answered = tasks.join_all().await;
        took += began.elapsed();
        let finishes: Vec<_> = answered
            .into_iter()
            .map(|(state, pending, reply, name)| {
                let (upload, _) =
                    state.finish(PASSWORD, &reply.response, &CHEAP, &mut OsRng).unwrap();
                (pending, finish(name, upload))
            })
            .collect();
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for (pending, finish) in finishes {
            tasks.spawn(finished(accounts.clone(), pending, finish));
        }
        tasks.join_all().await;
        took += began.elapsed();
    }
    took
}

async fn finished(accounts: Arc<Accounts>, pending: PendingRegistration, finish: RegisterFinish) {
    let account = accounts.register_check(&pending, &finish).unwrap();
    accounts.register(pending, account).await.unwrap();
}

fn finish(name: Name, upload: [u8; wire::size::REGISTRATION_UPLOAD]) -> RegisterFinish {
    let agreement = AgreementKey::random(&mut OsRng).public();
    RegisterFinish {
        upload,
        stretching: CHEAP,
        master: SealedMaster([1; 80]),
        identity: SealedIdentity([2; 112]),
        record: Record::new(name, agreement, &SigningKey::random(&mut OsRng)),
    }
}
