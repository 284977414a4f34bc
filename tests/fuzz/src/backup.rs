//! Any bytes as a backup that somebody verifies and restores.
//!
//! Hardly any bytes have the checksum of a backup, or records that fit together. So most inputs are changes to one that
//! has both, under every schema version, and the checksum is made anew.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use client_core::identity::Identity;
use migrations::{v1, v2, v3};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use server::store::{
    BackupInfo, Depth, NewAccount, NewPassword, NewToken, Origin, ProvedAccount, RegisterError,
    RestoreError, RestoredStore, SecretKind, SledStore, Store as _, StoredVault, VAULT_BYTES,
    check_store, restore, verify,
};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Builder;
use wire::codec::Wire as _;
use wire::directory::Record;
use wire::ids::AccountIndex;
use wire::restore::{RESTORE_MS_MAX, RestoreNotice};
use wire::size::{RECORD, REGISTRATION_UPLOAD, RESTORES_MAX};

use crate::house::{CHEAP, IDENTITY, MASTER};
use crate::input::Input;

/// Changes that are taken of one input.
const CHANGES_MAX: usize = 32;
const NOW_MS: u64 = 1_800_000_000_000;
const ORIGIN: Origin = Origin { genesis_ms: 1_700_000_000_000, round_ms: 2000 };
const AFTER_ROUND: u64 = 7;

const MAGIC: [u8; 8] = *b"iirsbak1";
const HEADER_BYTES: usize = 20;
const PUT: u8 = 1;
const REMOVE: u8 = 2;
const END: u8 = 3;
/// Places in the trees of version 3.
const SUMS: u8 = 9;

thread_local! {
    static SOUND: Vec<Draft> = sound();
}

/// Verifies and restores the bytes as they are, or what they make of a sound backup.
pub(crate) fn backup(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = usize::from(input.u8()) % 5;
    let is_sound = kind < 4 && input.is_empty();
    let file = SOUND.with(|sound| match sound.get(kind) {
        Some(draft) => changed(draft.clone(), &mut input).encode(),
        None => input.take(usize::MAX).to_vec(),
    });
    let verified = verify(&mut Cursor::new(&file));
    if let Ok(info) = &verified {
        assert!(info.bytes == file.len() as u64, "{} bytes of {}", info.bytes, file.len());
    }
    let directory = tempfile::tempdir().expect("there is room for a store");
    let mut told = |_: &'static str, _: u64| ();
    let to = directory.path();
    match restore(&mut Cursor::new(&file), to, NOW_MS, AFTER_ROUND, &mut told) {
        Ok(restored) => {
            assert!(verified.is_ok_and(|info| info == restored.backup), "unverified");
            works(to, &restored);
        }
        Err(error) => {
            assert!(!is_sound, "{error}");
            assert!(!to.join("store").exists(), "{error}, and it is in place");
            let is_backup = matches!(error, RestoreError::Backup(_));
            assert!(verified.is_err() == is_backup, "{error}");
        }
    }
}

/// Checks that a store which was restored is a whole one and goes on.
fn works(directory: &Path, restored: &RestoredStore) {
    let RestoredStore { backup, first_round, .. } = restored;
    let report = check_store(directory, Depth::Links, &mut |_, _| ()).expect("it opens");
    assert!(report.is_sound(), "{:?}", report.problems);
    let store = SledStore::open_existing(directory).expect("it opens");
    let extent = |info: &BackupInfo| (info.directory_len, info.accounts);
    assert!((store.directory_len(), store.account_count()) == extent(backup));
    assert!(*first_round > AFTER_ROUND && store.rounds_reserved() == Ok(*first_round));
    let restores = store.restores().expect("they are of the directory");
    assert!(!restores.is_empty(), "it does not know that it was restored");
    for notice in restores {
        assert!(RestoreNotice::decode(&notice.encode()) == Ok(notice), "clients refuse it");
    }
    let mut file = Vec::new();
    let again = store.begin_backup().expect("there is no other").write(&mut file, NOW_MS, || true);
    let again = again.expect("nothing is missing");
    assert!(verify(&mut Cursor::new(&file)).is_ok_and(|info| info == again));
    assert!(extent(&again) == extent(backup));
    let runtime = Builder::new_current_thread().build().expect("there are threads");
    let (zoe, _) = account("zoe");
    let place = store.directory_len();
    match runtime.block_on(store.register(zoe, None)) {
        Ok(index) => assert!(index == AccountIndex(place)),
        Err(RegisterError::NameTaken | RegisterError::Full) => (),
        Err(error) => panic!("{error}"),
    }
}

/// A tree, a key in it, and its value, or none to remove it.
type Step = (u8, Vec<u8>, Option<Vec<u8>>);

/// A backup that is not written yet.
#[derive(Clone)]
struct Draft {
    schema: u32,
    created_ms: u64,
    steps: Vec<Step>,
    /// Records of the directory, and accounts.
    extent: (u32, u32),
    /// What is added to the number of records.
    uncounted: u64,
}

impl Draft {
    /// Reads a backup that the server made.
    fn decode(file: &[u8]) -> Self {
        let mut input = Input::new(&file[HEADER_BYTES..]);
        let number = |input: &mut Input<'_>| u32::from_be_bytes(input.array());
        let mut draft = Self {
            schema: migrations::VERSION,
            created_ms: NOW_MS,
            steps: Vec::new(),
            extent: (0, 0),
            uncounted: 0,
        };
        loop {
            let kind = input.u8();
            if kind == END {
                input.take(8);
                draft.extent = (number(&mut input), number(&mut input));
                return draft;
            }
            let tree = input.u8();
            let [key, value] =
                [u16::from_be_bytes(input.array()), u16::from_be_bytes(input.array())];
            let (key, value) = (input.take(key.into()), input.take(value.into()));
            draft.steps.push((tree, key.to_vec(), Some(value.to_vec())));
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend(self.schema.to_be_bytes());
        file.extend(self.created_ms.to_be_bytes());
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        for (tree, key, value) in &self.steps {
            file.extend([if value.is_some() { PUT } else { REMOVE }, *tree]);
            file.extend(length(key));
            if let Some(value) = value {
                file.extend(length(value));
            }
            file.extend(key);
            file.extend(value.as_deref().unwrap_or_default());
        }
        file.push(END);
        file.extend((self.steps.len() as u64).wrapping_add(self.uncounted).to_be_bytes());
        file.extend(self.extent.0.to_be_bytes());
        file.extend(self.extent.1.to_be_bytes());
        let digest = Sha256::digest(&file);
        file.extend(digest);
        file
    }

    /// Takes another schema version, and leaves out what that has no tree for.
    fn becomes(&mut self, schema: u32) {
        self.schema = schema;
        let trees = migrations::trees(schema).len();
        self.steps.retain(|(tree, _, _)| usize::from(*tree) < trees);
    }

    /// Adds up what the steps come to, as a server would have.
    fn add_up(&mut self) {
        let mut records = BTreeMap::new();
        for (tree, key, value) in &self.steps {
            records.insert((*tree, key.as_slice()), value.as_deref());
        }
        let written = records.get(&(SUMS, v3::ALL.as_bytes())).copied().flatten();
        let Some(mut sums) = written.and_then(v3::decode::<v3::Sums>) else { return };
        let summand = |((tree, key), value): ((u8, &[u8]), Option<&[u8]>)| {
            value.filter(|_| tree != SUMS).map_or(0, |value| v3::summand(tree, key, value))
        };
        sums.sum = records.into_iter().map(summand).fold(0, u128::wrapping_add);
        self.steps.push((SUMS, v3::ALL.into(), v3::encode(&sums)));
    }
}

/// Changes a sound backup.
fn changed(mut draft: Draft, input: &mut Input<'_>) -> Draft {
    let is_added_up = !input.u8().is_multiple_of(4);
    for _ in 0..CHANGES_MAX {
        if input.is_empty() {
            break;
        }
        let (what, place) = (input.u8(), input.u8());
        match what % 16 {
            0 if place < 128 => draft.schema = place.into(),
            0 => draft.becomes(u32::from(place - 128)),
            1 => draft.created_ms = u64::from_le_bytes(input.array()),
            2 => draft.extent.0 = draft.extent.0.wrapping_add_signed(i32::from(place) - 128),
            3 => draft.extent.1 = draft.extent.1.wrapping_add_signed(i32::from(place) - 128),
            4 if place < 128 => draft.uncounted = place.into(),
            4 => draft.steps.truncate(usize::from(place - 128)),
            5 => {
                let put =
                    (input.u8() % 12, input.counted().to_vec(), Some(input.counted().to_vec()));
                draft.steps.push(put);
            }
            what => {
                if let Some(at) = usize::from(place).checked_rem(draft.steps.len()) {
                    changes_step(&mut draft.steps, at, what, input);
                }
            }
        }
    }
    if is_added_up {
        draft.add_up();
    }
    draft
}

fn changes_step(steps: &mut Vec<Step>, at: usize, what: u8, input: &mut Input<'_>) {
    let (tree, key, value) = &mut steps[at];
    match (what, value) {
        (6, _) => drop(steps.remove(at)),
        (7, _) => {
            let again = steps[at].clone();
            steps.push(again);
        }
        (8, _) => {
            let other = usize::from(input.u8()) % steps.len();
            steps.swap(at, other);
        }
        (9, _) if input.u8().is_multiple_of(2) => *key = input.counted().to_vec(),
        (9, _) => key.fill(input.u8()),
        (10, _) => *tree = input.u8() % 12,
        (11, _) => steps[at].2 = None,
        (12, value) => *value = Some(input.counted().to_vec()),
        // a number of today, which few inputs would hit
        (13, value) => *value = v2::encode(&v2::Number(number(input))),
        (14, Some(value)) => {
            let from = usize::from(input.u16()) % (value.len() + 1);
            value[from..].fill(input.u8());
        }
        (_, Some(value)) => {
            let place = usize::from(input.u16()).checked_rem(value.len());
            if let Some(byte) = place.and_then(|place| value.get_mut(place)) {
                *byte = input.u8();
            }
        }
        (_, None) => (),
    }
}

/// Returns a number, often one at the end of a range.
fn number(input: &mut Input<'_>) -> u64 {
    match input.u8() {
        0 => u64::MAX,
        1 => u64::MAX - 1,
        2 => u32::MAX.into(),
        3 => RESTORE_MS_MAX,
        _ => u64::from_le_bytes(input.array()),
    }
}

/// Returns sound backups: one of each schema version, the newest first, and one of a store that was restored often.
fn sound() -> Vec<Draft> {
    let directory = tempfile::tempdir().expect("there is room for a store");
    let store = SledStore::open(directory.path(), ORIGIN).expect("it is new");
    let runtime = Builder::new_current_thread().build().expect("there are threads");
    runtime.block_on(async {
        for name in ["ann", "bob", "cid"] {
            store.register(account(name).0, None).await.expect("the name is new");
        }
        for (place, index) in [(1, 0), (2, 0), (3, 2)] {
            let token = NewToken { hash: [place; 32], created_ms: NOW_MS, expires_ms: u64::MAX };
            store.add_token(proved(index), token).await.expect("the account is there");
        }
        let secrets = SecretKind::ALL.map(|kind| (kind, vec![kind as u8; 64].into()));
        store.put_secrets(secrets.to_vec()).await.expect("there is room");
        store.reserve_rounds(77).await.expect("they are new");
    });
    let young = backed_up(&store);
    runtime.block_on(async {
        let vault = StoredVault { version: 3, sealed: Box::new([7; VAULT_BYTES]) };
        store.put_vault(AccountIndex(2), 0, vault).await.expect("there is none");
        store.add_invites(vec![[5; 32], [6; 32]], u64::MAX, 0).await.expect("there is room");
        let (_, deletion) = account("bob");
        store.delete_account(proved(1), deletion).await.expect("he is there");
    });
    let old = backed_up(&store);
    let mut restored = old.clone();
    for _ in 0..RESTORES_MAX {
        let to = tempfile::tempdir().expect("there is room for a store");
        let mut file = Cursor::new(restored.encode());
        let done = restore(&mut file, to.path(), NOW_MS, AFTER_ROUND, &mut |_, _| ());
        done.expect("it is sound");
        restored = backed_up(&SledStore::open_existing(to.path()).expect("it opens"));
    }
    vec![old.clone(), second(&old), first(&young), restored]
}

/// Returns the account of a name with its deletion; the same every time.
fn account(name: &str) -> (NewAccount, [u8; RECORD]) {
    let mut rng = ChaCha20Rng::seed_from_u64(name.bytes().map(u64::from).sum());
    let name = name.parse().expect("it is a name");
    let identity = Identity::random(name, &mut rng);
    let record = |record: &Record| record.encode().try_into().expect("it is a record");
    let password = NewPassword {
        password_file: vec![7; REGISTRATION_UPLOAD],
        stretching: CHEAP,
        sealed_master: MASTER,
        sealed_identity: IDENTITY,
    };
    let directory_record = record(identity.record());
    let account = NewAccount { name, password, directory_record, created_ms: NOW_MS };
    (account, record(&Record::deletion(name, identity.signing())))
}

fn proved(index: u32) -> ProvedAccount {
    ProvedAccount { index: AccountIndex(index), password_changes: 0 }
}

fn backed_up(store: &SledStore) -> Draft {
    let mut file = Vec::new();
    let backup = store.begin_backup().expect("there is no other");
    backup.write(&mut file, NOW_MS, || true).expect("nothing is missing");
    Draft::decode(&file)
}

/// Returns what a server of schema version 2 would have backed up: the same without sums.
fn second(newest: &Draft) -> Draft {
    let steps = newest.steps.iter().filter(|(tree, _, _)| *tree != SUMS).cloned().collect();
    Draft { schema: 2, steps, ..newest.clone() }
}

/// Returns what one of schema version 1 would have backed up, before anything was deleted.
fn first(newest: &Draft) -> Draft {
    let mut steps = Vec::new();
    for (tree, key, value) in newest.steps.clone() {
        let name = v3::TREES[usize::from(tree)];
        let place = (0..).zip(v1::TREES).find(|(_, it)| *it == name).map(|(place, _)| place);
        let Some(place) = place else { continue };
        let value = value.and_then(|value| match name {
            v1::ACCOUNTS => v2::decode(&value).and_then(|it| v1::encode(&first_account(it))),
            v1::TOKENS => v2::decode(&value).and_then(|it| v1::encode(&first_token(&it))),
            _ => Some(value),
        });
        steps.push((place, key, value));
    }
    Draft { schema: 1, steps, ..newest.clone() }
}

fn first_account(it: v2::Account) -> v1::Account {
    v1::Account {
        name: it.name,
        password_file: it.password_file,
        memory_kib: it.memory_kib,
        passes: it.passes,
        lanes: it.lanes,
        sealed_master: it.sealed_master,
        sealed_identity: it.sealed_identity,
        created_ms: it.created_ms,
        disabled: it.disabled,
    }
}

fn first_token(it: &v2::Token) -> v1::Token {
    let v2::Token { account_index, expires_ms, superseded, .. } = *it;
    v1::Token { account_index, expires_ms, superseded }
}
