//! A server that changes what it showed before, signed and well-formed: the directory's past, and vaults.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use client_core::identity::Identity;
use client_link::api::{Command, ConnectionState, ErrorCode, Event, Standing};
use rand_core::OsRng;
use tests::world::hostile::{Asked, Does, Honest, Hostile, head};
use tests::world::{Person, Start};
use wire::codec::Wire as _;
use wire::control::ServerControl;
use wire::directory::Record;
use wire::restore::RestoreNotice;
use wire::size::SIGNATURE;

const HONEST: u32 = 0;
/// Has no record in its directory any more.
const FORGETS: u32 = 1;
/// Has other keys for the first record, and one record more.
const REWRITES: u32 = 2;
/// Has no vault any more.
const ROLLS_BACK: u32 = 3;
/// Changes a byte of the vault.
const TAMPERS: u32 = 4;
/// Says besides that it is a newer one.
const TAMPERS_ANEW: u32 = 5;
/// Says that it was put back from a backup that had all records but the last.
const RESTORED: u32 = 6;
/// Says the same of a later time, and no root key signed that.
const FORGES: u32 = 7;
/// Says it of a later time and of a directory that nobody saw.
const RESTORED_FROM_ANOTHER: u32 = 8;

struct Liar {
    hostile: Hostile,
    mode: Arc<AtomicU32>,
    profiles: tempfile::TempDir,
}

/// What the server makes of its directory and its vaults.
#[derive(Default)]
struct Lies {
    shown: Vec<Record>,
    told: Vec<Record>,
}

impl Lies {
    fn answer(&mut self, mode: u32, honest: ServerControl) -> Option<ServerControl> {
        match (mode, honest) {
            (HONEST, ServerControl::Page(page)) if page.from == 0 => {
                self.shown = page.records;
                None
            }
            (FORGETS, ServerControl::Session(mut session)) => {
                (session.directory_length, session.directory_head) = (0, head(&[]));
                Some(ServerControl::Session(session))
            }
            (REWRITES, ServerControl::Session(mut session)) => {
                self.told = self.shown.clone();
                self.told[0] = somebody_else(&self.shown[0]);
                self.told.push(somebody_else(&self.shown[0]));
                session.directory_length = self.told.len() as u32;
                session.directory_head = head(&self.told);
                Some(ServerControl::Session(session))
            }
            (REWRITES, ServerControl::Page(mut page)) => {
                page.records = self.told[page.from as usize..].to_vec();
                (page.length, page.head) = (self.told.len() as u32, head(&self.told));
                Some(ServerControl::Page(page))
            }
            (RESTORED | FORGES | RESTORED_FROM_ANOTHER, ServerControl::Session(mut session)) => {
                let kept = &self.shown[..self.shown.len() - 1];
                (session.directory_length, session.directory_head) =
                    (kept.len() as u32, head(kept));
                let is_another = mode == RESTORED_FROM_ANOTHER;
                let notice = RestoreNotice {
                    backed_up_ms: 900,
                    restored_ms: if mode == RESTORED { 1000 } else { 2000 },
                    length: kept.len() as u32,
                    head: if is_another { head(&kept[1..]) } else { head(kept) },
                };
                session.restores.notices.push(notice);
                if mode == FORGES {
                    session.restores.signature = [0; SIGNATURE];
                }
                Some(ServerControl::Session(session))
            }
            (RESTORED, ServerControl::Page(mut page)) => {
                let kept = &self.shown[..self.shown.len() - 1];
                page.records.truncate(kept.len().checked_sub(page.from as usize)?);
                let until = page.from as usize + page.records.len();
                (page.length, page.head) = (kept.len() as u32, head(&kept[..until]));
                Some(ServerControl::Page(page))
            }
            (ROLLS_BACK, ServerControl::VaultPart(mut part)) => {
                part.version = 0;
                part.bytes.fill(0);
                Some(ServerControl::VaultPart(part))
            }
            (TAMPERS | TAMPERS_ANEW, ServerControl::VaultPart(mut part)) => {
                part.version += u64::from(mode == TAMPERS_ANEW);
                part.bytes[9] ^= 1;
                Some(ServerControl::VaultPart(part))
            }
            (_, _) => None,
        }
    }
}

/// The name of a record with keys that the server made.
fn somebody_else(record: &Record) -> Record {
    *Identity::random(record.name, &mut OsRng).record()
}

impl Liar {
    fn new() -> Self {
        let mode = Arc::new(AtomicU32::new(HONEST));
        let (now, lies) = (mode.clone(), Mutex::new(Lies::default()));
        let manner = move |asked, _, honest| match (asked, honest) {
            (Asked::Session | Asked::Page | Asked::Vault, Honest::Control(honest))
            | (Asked::InRounds, Honest::Control(honest @ ServerControl::Page(_))) => {
                let answer = lies.lock().unwrap().answer(now.load(Ordering::SeqCst), honest);
                answer.map_or(Does::Honestly, |answer| Does::Says(answer.encode()))
            }
            (_, _) => Does::Honestly,
        };
        let hostile = Hostile::start(Arc::new(manner));
        Self { hostile, mode, profiles: tempfile::tempdir().unwrap() }
    }

    fn becomes(&self, mode: u32) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    fn somebody(&self, name: &str) -> Start {
        Start {
            link: self.hostile.link.clone(),
            name: name.into(),
            password: format!("the password of {name}"),
            register: false,
            invite: None,
            profile: self.profiles.path().join(name),
            early: false,
        }
    }

    /// Registers bob, who leaves, and ann, who calls him.
    async fn ann_who_calls_bob(&self) -> Person {
        let bob = Start { register: true, ..self.somebody("bob") };
        Person::begin(bob).await.leaves().await;
        let mut ann = Person::begin(Start { register: true, ..self.somebody("ann") }).await;
        ann.call("bob").await;
        ann.sees(0, "bob", Standing::Calling, false).await;
        ann
    }
}

/// Returns the times of the restores that somebody was told.
fn told(person: &mut Person) -> Vec<u64> {
    let told = person.log().iter().filter_map(|event| match event {
        Event::ServerRestored { restored_ms, .. } => Some(*restored_ms),
        _ => None,
    });
    told.collect()
}

/// Returns the names of somebody's directory.
async fn names(person: &mut Person) -> Vec<String> {
    let mark = person.now();
    person.command(Command::Directory).await;
    let names = |event: &Event| match event {
        Event::Directory { names } => Some(names.clone()),
        _ => None,
    };
    person.hears(mark, "the directory", names).await
}

fn bob() -> Vec<(String, Standing, bool)> {
    vec![("bob".to_owned(), Standing::Calling, false)]
}

#[tokio::test]
async fn a_past_that_was_rewritten_or_forgotten_is_told_and_makes_no_wrong_contact() {
    let liar = Liar::new();
    let mut ann = liar.ann_who_calls_bob().await;
    let number = ann.safety_number("bob").await;
    ann.leaves().await;

    liar.becomes(REWRITES);
    let mut ann = Person::start(liar.somebody("ann"));
    let text = ann.hears_error(0, ErrorCode::DirectoryForked).await;
    assert!(text.contains("ask"), "{text}");
    assert!(!ann.ends().await.0);
    assert!(!ann.log().iter().any(|event| matches!(event, Event::SignedIn { .. })));

    liar.becomes(FORGETS);
    let mut ann = Person::begin(liar.somebody("ann")).await;
    ann.hears_error(0, ErrorCode::DirectoryForked).await;
    assert_eq!((ann.contacts().await, ann.safety_number("bob").await), (bob(), number.clone()));
    ann.leaves().await;

    // what was on disk is there still, and goes on
    liar.becomes(HONEST);
    let mut ann = Person::begin(liar.somebody("ann")).await;
    assert_eq!((ann.contacts().await, ann.safety_number("bob").await), (bob(), number));
    assert_eq!(ann.errors(), []);
}

#[tokio::test]
async fn a_restore_that_the_server_signed_is_followed_once_and_a_forged_or_old_one_never() {
    let liar = Liar::new();
    liar.ann_who_calls_bob().await.leaves().await;
    Person::begin(Start { register: true, ..liar.somebody("cid") }).await.leaves().await;
    let mut ann = Person::begin(liar.somebody("ann")).await;
    assert_eq!(names(&mut ann).await, ["ann", "bob", "cid"]);
    ann.leaves().await;

    // no key of the server's
    liar.becomes(FORGES);
    let mut ann = Person::start(liar.somebody("ann"));
    ann.hears_error(0, ErrorCode::ServerProtocol).await;
    assert!(!ann.ends().await.0 && told(&mut ann).is_empty());

    // a directory that she never had: nothing of hers is dropped
    liar.becomes(RESTORED_FROM_ANOTHER);
    let mut ann = Person::begin(liar.somebody("ann")).await;
    ann.hears_error(0, ErrorCode::DirectoryForked).await;
    assert_eq!(names(&mut ann).await, ["ann", "bob", "cid"]);
    assert!(told(&mut ann).is_empty());
    ann.leaves().await;

    liar.becomes(RESTORED);
    for expected in [vec![1000], vec![]] {
        let mut ann = Person::begin(liar.somebody("ann")).await;
        assert_eq!(names(&mut ann).await, ["ann", "bob"]);
        ann.sits_through(6).await;
        assert_eq!((told(&mut ann), ann.errors()), (expected, vec![]));
        assert_eq!(ann.contacts().await, bob());
        ann.leaves().await;
    }

    // somebody registers, and the notice of before takes nobody back any more
    liar.becomes(HONEST);
    let mut ann = Person::begin(liar.somebody("ann")).await;
    assert_eq!(names(&mut ann).await, ["ann", "bob", "cid"]);
    ann.leaves().await;
    liar.becomes(RESTORED);
    let mut ann = Person::begin(liar.somebody("ann")).await;
    ann.hears_error(0, ErrorCode::DirectoryForked).await;
    assert_eq!(names(&mut ann).await, ["ann", "bob", "cid"]);
    assert!(told(&mut ann).is_empty());
}

#[tokio::test]
async fn a_directory_that_grows_shorter_while_the_client_is_away_is_told_when_it_comes_back() {
    let liar = Liar::new();
    let mut ann = liar.ann_who_calls_bob().await;
    liar.becomes(FORGETS);
    let mark = ann.now();
    liar.hostile.cut();
    ann.reaches(mark, ConnectionState::Resumed).await;
    ann.hears_error(mark, ErrorCode::DirectoryForked).await;
    assert_eq!(ann.contacts().await, bob());
}

#[tokio::test]
async fn a_vault_that_is_older_or_damaged_is_told_and_the_contacts_stay() {
    let liar = Liar::new();
    let mut ann = liar.ann_who_calls_bob().await;
    let stored = ann.stores().await;
    ann.leaves().await;
    for (mode, code) in [
        (ROLLS_BACK, ErrorCode::VaultRolledBack),
        (TAMPERS_ANEW, ErrorCode::VaultDamaged),
        (TAMPERS, ErrorCode::VaultDamaged),
    ] {
        liar.becomes(mode);
        let mut ann = Person::begin(liar.somebody("ann")).await;
        let text = ann.hears_error(0, code).await;
        assert!(text.len() > 40, "{text}");
        let errors = ann.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(ann.contacts().await, bob());
        ann.leaves().await;
    }
    // what it knows takes the place of the damaged one, under a version that none had before
    let mut ann = Person::begin(liar.somebody("ann")).await;
    assert!(ann.stores().await > stored);
    liar.becomes(HONEST);
    ann.command(Command::Quit).await;
    assert!(ann.ends().await.0);
    let elsewhere = Start { profile: liar.profiles.path().join("new"), ..liar.somebody("ann") };
    let mut ann = Person::begin(elsewhere).await;
    ann.sees(0, "bob", Standing::Calling, false).await;
    assert_eq!(ann.errors(), []);
}
