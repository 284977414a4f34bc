//! The directory on its way to the disk: cut off, gone on with, and contradicted.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use client_core::identity::Identity;
use client_link::api::{ErrorCode, Event, Step};
use rand_core::OsRng;
use tests::world::hostile::{Asked, Does, Honest, Hostile, head};
use tests::world::{Person, Start};
use wire::codec::Wire as _;
use wire::control::{Page, ServerControl};
use wire::directory::{Head, Record};

/// What the server does with the directory.
const HONEST: u32 = 0;
/// Gives the first record of two, then ends the connection.
const CUTS: u32 = 1;
/// Says that its head is another one.
const OTHER_HEAD: u32 = 2;
/// Has one record more, which does not follow from those that it showed before.
const OTHER_PAST: u32 = 3;

struct World {
    hostile: Hostile,
    mode: Arc<AtomicU32>,
    /// From where pages were asked for.
    pulls: Arc<Mutex<Vec<u32>>>,
    profiles: tempfile::TempDir,
}

fn page(mode: u32, mut page: Page) -> Does {
    match mode {
        CUTS if page.from == 0 => {
            page.records.truncate(1);
            page.head = head(&page.records);
        }
        CUTS => return Does::Closes(0),
        OTHER_PAST => {
            page.records = vec![page.records.first().copied().unwrap_or_else(stranger)];
            page.head = Head([7; 32]);
        }
        _ => return Does::Honestly,
    }
    Does::Says(ServerControl::Page(page).encode())
}

fn stranger() -> Record {
    *Identity::random("eve".parse().unwrap(), &mut OsRng).record()
}

impl World {
    fn new() -> Self {
        let mode = Arc::new(AtomicU32::new(HONEST));
        let pulls = Arc::new(Mutex::new(Vec::new()));
        let (now, pulled) = (mode.clone(), pulls.clone());
        let manner = move |asked, _, honest| match (asked, honest, now.load(Ordering::SeqCst)) {
            (Asked::Page, Honest::Control(ServerControl::Page(it)), mode) => {
                pulled.lock().unwrap().push(it.from);
                page(mode, it)
            }
            (Asked::Session, Honest::Control(ServerControl::Session(mut it)), OTHER_HEAD) => {
                it.directory_head = Head([7; 32]);
                Does::Says(ServerControl::Session(it).encode())
            }
            (Asked::Session, Honest::Control(ServerControl::Session(mut it)), OTHER_PAST) => {
                it.directory_length += 1;
                it.directory_head = Head([7; 32]);
                Does::Says(ServerControl::Session(it).encode())
            }
            _ => Does::Honestly,
        };
        let hostile = Hostile::start(Arc::new(manner));
        Self { hostile, mode, pulls, profiles: tempfile::tempdir().unwrap() }
    }

    fn somebody(&self, name: &str, register: bool) -> Start {
        Start {
            link: self.hostile.link.clone(),
            name: name.into(),
            password: format!("the password of {name}"),
            register,
            invite: None,
            profile: self.profiles.path().join(name),
            early: false,
        }
    }

    fn becomes(&self, mode: u32) {
        self.mode.store(mode, Ordering::SeqCst);
        self.pulls.lock().unwrap().clear();
    }

    fn pulls(&self) -> Vec<u32> {
        self.pulls.lock().unwrap().clone()
    }
}

fn directory(log: &[Event]) -> (u32, u32) {
    let step = log.iter().find_map(|event| match event {
        Event::Progress(Step::Directory { names, done }) => Some((*names, *done)),
        _ => None,
    });
    step.unwrap()
}

#[tokio::test]
async fn a_directory_that_was_cut_off_is_gone_on_with() {
    let world = World::new();
    Person::begin(world.somebody("bob", true)).await.leaves().await;
    world.becomes(CUTS);
    let mut ann = Person::start(world.somebody("ann", true));
    let (ok, log) = ann.ends().await;
    assert!(!ok && directory(&log) == (2, 0), "{log:?}");
    assert_eq!(ann.errors().iter().map(|it| it.0).collect::<Vec<_>>(), [ErrorCode::NoServer]);
    assert_eq!(world.pulls(), [0, 1]);

    world.becomes(HONEST);
    let log = Person::begin(world.somebody("ann", false)).await.leaves().await;
    assert_eq!((directory(&log), world.pulls()), ((2, 1), vec![1]));
    let names = vec!["bob".to_owned(), "ann".to_owned()];
    assert!(log.contains(&Event::Listed { names }), "{log:?}");

    world.becomes(HONEST);
    let log = Person::begin(world.somebody("ann", false)).await.leaves().await;
    assert_eq!((directory(&log), world.pulls()), ((2, 2), vec![]), "all of it is on disk");
}

#[tokio::test]
async fn a_directory_that_contradicts_the_one_on_disk_is_told_and_not_taken() {
    let world = World::new();
    Person::begin(world.somebody("ann", true)).await.leaves().await;
    let forked = |event: &Event| match event {
        Event::Error { code, .. } => (*code == ErrorCode::DirectoryForked).then_some(()),
        _ => None,
    };
    for mode in [OTHER_HEAD, OTHER_PAST] {
        world.becomes(mode);
        let mut ann = Person::start(world.somebody("ann", false));
        ann.hears(0, "that the directory is another one", forked).await;
        if mode == OTHER_PAST {
            assert!(!ann.ends().await.0);
            assert!(!ann.log().iter().any(|it| matches!(it, Event::SignedIn { .. })));
        } else {
            ann.leaves().await;
        }
        world.becomes(HONEST);
        let mut ann = Person::begin(world.somebody("ann", false)).await;
        assert_eq!((directory(ann.log()), world.pulls()), ((1, 1), vec![]), "the copy is kept");
        assert_eq!(ann.errors(), []);
        ann.leaves().await;
    }
}
