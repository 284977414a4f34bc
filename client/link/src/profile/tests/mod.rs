//! What a profile keeps, through restarts, damage, crashes and a full disk.

mod crash;
mod damage;
mod deletion;
mod keeping;
mod lock;
mod opening;
mod records;
mod speed;
mod walk;

use std::path::Path;
use std::time::{Duration, Instant};

use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use tempfile::TempDir;
use wire::directory::{Head, Record};
use wire::ids::{AccountIndex, MessageId, Round, Token};
use wire::link::Pin;
use wire::public_key::AgreementKey;

use super::*;
use client_core::directory::Records as _;
use client_core::record::{Contact, Incoming, Outgoing, SavedRoot, Unsaved};

const PASSWORD: &[u8] = b"correct horse";
const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
const MASTER: [u8; 32] = *b"the master key of ann's account.";
const TOKEN: [u8; 32] = *b"a token that stands for sign-in.";
const HOST: &str = "chat.example.org";

fn account() -> ProfileAccount {
    let link =
        Link { host: HOST.into(), port: 4433, pin: Pin(*b"the pin of ann's server, 32 byte") };
    ProfileAccount { link, user: "ann.of.the.hill".parse().unwrap() }
}

fn create(dir: &Path) -> Result<Profile, ProfileError> {
    Profile::create(dir, PASSWORD, CHEAP, &account(), &Secret::new(MASTER))
}

fn created() -> (TempDir, Profile) {
    let dir = TempDir::new().unwrap();
    let profile = create(dir.path()).unwrap();
    (dir, profile)
}

/// Unlocks a profile that nobody uses. A process that another test starts has this one's files, their locks included,
/// for the moment until it is a program of its own.
fn unlock(dir: &Path) -> Result<Unlocked, ProfileError> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Profile::unlock(dir, PASSWORD, &CHEAP) {
            Err(ProfileError::InUse) if Instant::now() < deadline => std::thread::yield_now(),
            outcome => return outcome,
        }
    }
}

fn reopened(dir: &Path, profile: Profile) -> Unlocked {
    drop(profile);
    unlock(dir).ok().unwrap()
}

/// The key of the history, from the password.
fn history_key(profile: &Profile) -> HistoryKey {
    profile.password_place().history_key(PASSWORD, &CHEAP).ok().unwrap()
}

fn record(name: &str) -> Record {
    let agreement = AgreementKey::random(&mut OsRng).public();
    Record::new(name.parse().unwrap(), agreement, &SigningKey::random(&mut OsRng))
}

fn peer(byte: u8) -> IdentityHash {
    IdentityHash([byte; 32])
}

fn id(number: u64) -> MessageId {
    MessageId((0x1d1d_1d1d_0000_0000 + number).to_be_bytes())
}

fn ours(number: u64, peer: IdentityHash, text: &str) -> Outgoing {
    let label = format!("label-{number}");
    Outgoing { id: id(number), peer, label, text: text.into(), sent_ms: 7, sent: None }
}

fn theirs(number: u64, peer: IdentityHash, text: &str) -> Incoming {
    Incoming { id: id(number), peer, text: text.into(), sent_ms: 8, round: Round(9) }
}

fn contact(record: Record) -> Contact {
    let index = AccountIndex(7);
    let unsaved = Some(Unsaved::Changed);
    Contact { record, index, verified: true, blocked: false, forgotten: false, unsaved }
}

fn root(caller: IdentityHash, byte: u8) -> SavedRoot {
    let (hello, outer) = (Secret::new([byte; 32]), Secret::new([byte + 1; 32]));
    SavedRoot { caller, first: Round(40), heard: true, hello, outer, steps: 3 }
}

/// Records of different names with the head after each; they are not signed, which is not the profile's to see.
fn chain(from: u32, count: u32, mut head: Head) -> Vec<(Record, Head)> {
    let key = record("x");
    let mut records = Vec::new();
    for index in from..from + count {
        let name = format!("person.{index}").parse().unwrap();
        let record = Record { name, ..key };
        head = head.after(&record.encode().try_into().unwrap());
        records.push((record, head));
    }
    records
}

/// Every entry of the history, the oldest first, read in pages of three.
fn whole_history(profile: &Profile, peer: &IdentityHash) -> Result<Vec<Message>, ProfileError> {
    let (mut entries, mut before) = (Vec::new(), None);
    loop {
        let page = profile.history(peer, before, 3)?.entries;
        let Some(last) = page.last() else { break };
        before = Some(last.cursor);
        entries.extend(page.into_iter().map(|entry| entry.message));
    }
    entries.reverse();
    Ok(entries)
}
