//! The profile's thread: rounds never wait for the disk.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use client_core::record::Change;
use thiserror::Error;
use tokio::sync::mpsc;
use wire::account::SealedIdentity;
use wire::ids::{IdentityHash, Name, Token};

use super::data::Data;
use super::history::HistoryReader;
use super::{HistoryKey, PasswordPlace, Profile, ProfileError};

/// Batches that may wait for the disk, and completions that may wait for the engine.
pub const BATCHES_WAITING_MAX: usize = 256;

/// Batches that share one transaction.
const BATCHES_TOGETHER_MAX: usize = 64;

/// What the thread does, in the order of submission; each thing has one completion.
pub enum Work {
    /// Keeps a batch of changes, which has a number.
    Changes(u64, Vec<Change>),
    /// As [`Profile::begin_session`].
    Session(Token),
    /// As [`Profile::keep_identity`].
    Identity(SealedIdentity),
    /// As [`Profile::lock`].
    Lock,
    /// As [`Profile::open_history`].
    Unlock(HistoryKey),
    /// As [`Profile::draft`].
    Draft(Name, String),
    /// As [`Profile::forget_on_exit`].
    ForgetOnExit(Name, Option<IdentityHash>, bool),
    /// As [`Profile::delete_history`].
    Delete(Option<(Name, IdentityHash)>),
    /// As [`Profile::forget`].
    Forget,
}

/// What became of the work; they come in the order of submission.
pub enum Completion {
    /// This batch is kept: what is urgent in it is durable.
    Saved {
        /// The number that it was submitted with.
        batch: u64,
    },
    /// Something that nobody waits for is durable.
    Done,
    /// The key of the history is erased.
    Locked,
    /// The history is open again.
    Unlocked {
        /// What is drafted, by name.
        drafts: Vec<(String, String)>,
        /// Whose history is deleted when the program ends.
        forgetful: Vec<String>,
    },
    /// It is durable whose history is deleted when the program ends.
    Forgetful {
        /// Their names, sorted.
        peers: Vec<String>,
    },
    /// The history with somebody is deleted, or all of it.
    Deleted {
        /// With whom.
        peer: Option<Name>,
    },
    /// Something was refused, and everything is as before.
    Refused {
        /// Whom it was about.
        peer: Name,
        /// Why.
        error: ProfileError,
    },
    /// The profile failed and keeps nothing more; the last completion there is.
    Failed {
        /// Why.
        error: ProfileError,
    },
}

/// Why a batch was not taken; both are the end: nothing more may be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// As many batches wait as may: the disk is stuck.
    #[error("the profile's disk does not answer; check the disk, then start again")]
    Stuck,
    /// The profile failed earlier.
    #[error("the profile failed earlier and keeps no more changes; start again")]
    Stopped,
}

/// The engine's end of the thread that owns the profile.
pub struct ProfileThread {
    work: SyncSender<Work>,
    thread: JoinHandle<()>,
    data: Arc<Data>,
    password: PasswordPlace,
}

impl ProfileThread {
    /// Starts the thread; completions come from the receiver, which ends with the thread.
    ///
    /// # Errors
    /// What the system says if it gives no thread.
    pub fn start(profile: Profile) -> io::Result<(Self, mpsc::Receiver<Completion>)> {
        let (work, waiting) = sync_channel(BATCHES_WAITING_MAX);
        let (completions, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        let (data, password) = (Arc::clone(&profile.data), profile.password_place());
        let name = "profile".to_owned();
        let thread =
            Builder::new().name(name).spawn(move || run(profile, &waiting, &completions))?;
        Ok((Self { work, thread, data, password }, receiver))
    }

    /// Hands over work without waiting; it is done in the order of submission, batches that wait behind each other
    /// in one transaction.
    ///
    /// # Errors
    /// [`SubmitError`] if it is not taken, after which nothing more may be acknowledged.
    pub fn submit(&self, work: Work) -> Result<(), SubmitError> {
        self.work.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => SubmitError::Stuck,
            TrySendError::Disconnected(_) => SubmitError::Stopped,
        })
    }

    /// Returns what reads the history meanwhile, on whichever thread; the profile stays in use until that is
    /// dropped too.
    pub fn reader(&self) -> HistoryReader {
        HistoryReader { data: Arc::clone(&self.data) }
    }

    /// Returns the place of the profile's password, which can change meanwhile, on whichever thread; the profile
    /// stays in use until that is dropped too.
    pub fn password_place(&self) -> PasswordPlace {
        self.password.clone()
    }

    /// Tells whether a record of the directory could not be read that was there when the profile was opened.
    pub fn lost_records(&self) -> bool {
        self.data.is_unlisted()
    }

    /// Waits until all that was submitted is kept and the profile is closed.
    ///
    /// # Errors
    /// What made the profile fail.
    pub async fn close(
        self,
        mut completions: mpsc::Receiver<Completion>,
    ) -> Result<(), ProfileError> {
        let Self { work, thread, data, password } = self;
        drop((work, data, password));
        let mut result = Ok(());
        while let Some(completion) = completions.recv().await {
            if let Completion::Failed { error } = completion {
                result = Err(error);
            }
        }
        // the sender of completions goes last, so this does not wait
        thread.join().map_err(|_| ProfileError::Stopped)?;
        result
    }
}

fn run(mut profile: Profile, waiting: &Receiver<Work>, completions: &mpsc::Sender<Completion>) {
    let mut set_aside = None;
    while let Some(work) = set_aside.take().or_else(|| waiting.recv().ok()) {
        let done = match work {
            Work::Changes(batch, changes) => {
                let (numbers, changes) = together(batch, changes, waiting, &mut set_aside);
                profile.apply(&changes).map(|()| {
                    let saved = numbers.into_iter().map(|batch| Completion::Saved { batch });
                    saved.collect()
                })
            }
            work => one(&mut profile, work).map(|completion| vec![completion]),
        };
        // an engine that has gone needs no answer, here and below
        match done {
            Ok(done) => {
                done.into_iter().for_each(|it| drop(completions.blocking_send(it)));
            }
            Err(error) => {
                let _ = completions.blocking_send(Completion::Failed { error });
                return;
            }
        }
    }
}

/// Takes the batches that wait behind one, and sets what is no batch aside.
fn together(
    batch: u64,
    changes: Vec<Change>,
    waiting: &Receiver<Work>,
    set_aside: &mut Option<Work>,
) -> (Vec<u64>, Vec<Change>) {
    let (mut numbers, mut all) = (vec![batch], changes);
    while numbers.len() < BATCHES_TOGETHER_MAX {
        match waiting.try_recv() {
            Ok(Work::Changes(batch, changes)) => {
                numbers.push(batch);
                all.extend(changes);
            }
            Ok(work) => {
                *set_aside = Some(work);
                break;
            }
            Err(_) => break,
        }
    }
    (numbers, all)
}

/// Does what is no batch of the core's.
fn one(profile: &mut Profile, work: Work) -> Result<Completion, ProfileError> {
    match work {
        Work::Changes(batch, changes) => {
            profile.apply(&changes).map(|()| Completion::Saved { batch })
        }
        Work::Session(token) => profile.begin_session(token).map(|()| Completion::Done),
        Work::Identity(identity) => profile.keep_identity(&identity).map(|()| Completion::Done),
        Work::Lock => profile.lock().map(|()| Completion::Locked),
        Work::Unlock(key) => {
            profile.open_history(key)?;
            let (drafts, forgetful) = (profile.drafts()?, profile.forgetful()?);
            Ok(Completion::Unlocked { drafts, forgetful })
        }
        Work::Draft(peer, text) => {
            let drafted = profile.draft(&peer, &text);
            refused(peer, drafted.map(|()| Completion::Done))
        }
        Work::ForgetOnExit(peer, identity, forget) => {
            let chosen = profile.forget_on_exit(&peer, identity, forget);
            let chosen = chosen.and_then(|()| profile.forgetful());
            refused(peer, chosen.map(|peers| Completion::Forgetful { peers }))
        }
        Work::Delete(whose) => {
            profile.delete_history(whose.as_ref().map(|(_, identity)| identity))?;
            Ok(Completion::Deleted { peer: whose.map(|(name, _)| name) })
        }
        Work::Forget => profile.forget().map(|()| Completion::Done),
    }
}

/// A refusal is no failure of the profile.
fn refused(peer: Name, done: Result<Completion, ProfileError>) -> Result<Completion, ProfileError> {
    match done {
        Err(error) if error.is_refusal() => Ok(Completion::Refused { peer, error }),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use client_core::record::Incoming;
    use tempfile::TempDir;
    use tokio::runtime::Builder as Runtime;
    use wire::account::Stretching;
    use wire::ids::{MessageId, Round};
    use wire::kdf::Secret;
    use wire::link::{Link, Pin};

    use super::super::ProfileAccount;
    use super::*;

    const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };
    const PEER: IdentityHash = IdentityHash([1; 32]);

    fn started() -> (TempDir, ProfileThread, mpsc::Receiver<Completion>) {
        let dir = TempDir::new().unwrap();
        let link = Link { host: "h".into(), port: 1, pin: Pin([1; 32]) };
        let account = ProfileAccount { link, user: "ann".parse().unwrap() };
        let master = Secret::new([1; 32]);
        let profile = Profile::create(dir.path(), b"x", CHEAP, &account, &master).ok().unwrap();
        let (thread, completions) = ProfileThread::start(profile).unwrap();
        (dir, thread, completions)
    }

    fn received(number: u64, text: &str) -> Work {
        let (id, text) = (MessageId(number.to_be_bytes()), text.into());
        let incoming = Incoming { id, peer: PEER, text, sent_ms: 0, round: Round(1) };
        Work::Changes(number, vec![Change::Received(incoming)])
    }

    fn close(
        thread: ProfileThread,
        completions: mpsc::Receiver<Completion>,
    ) -> Result<(), ProfileError> {
        Runtime::new_current_thread().build().unwrap().block_on(thread.close(completions))
    }

    #[test]
    fn batches_are_saved_in_order_and_readable_meanwhile() {
        let (_dir, thread, mut completions) = started();
        for number in 0..100 {
            thread.submit(received(number, "x")).unwrap();
        }
        for number in 0..100 {
            let completion = completions.blocking_recv().unwrap();
            assert!(matches!(completion, Completion::Saved { batch } if batch == number));
        }
        assert_eq!(thread.reader().page(&PEER, None, 200).unwrap().entries.len(), 100);
        close(thread, completions).unwrap();
    }

    #[test]
    fn closing_keeps_what_was_submitted_and_frees_the_profile() {
        let (dir, thread, completions) = started();
        for number in 0..200 {
            thread.submit(received(number, "x")).unwrap();
        }
        close(thread, completions).unwrap();
        let profile = Profile::unlock(dir.path(), b"x", &CHEAP).ok().unwrap().profile;
        assert_eq!(profile.history(&PEER, None, 256).unwrap().entries.len(), 200);
    }

    #[test]
    fn after_a_failure_nothing_more_is_taken() {
        let (_dir, thread, mut completions) = started();
        thread.submit(received(1, &"x".repeat(20_000))).unwrap();
        assert!(matches!(completions.blocking_recv(), Some(Completion::Failed { .. })));
        assert!(completions.blocking_recv().is_none());
        assert_eq!(thread.submit(received(2, "x")), Err(SubmitError::Stopped));
        assert!(thread.reader().page(&PEER, None, 9).unwrap().entries.is_empty());
        close(thread, completions).unwrap();
    }

    #[test]
    fn a_stuck_disk_never_makes_the_caller_wait() {
        let (_dir, thread, mut completions) = started();
        let stuck = thread.data.write(true).unwrap();
        let submitted = (0..).find(|&number| thread.submit(received(number, "x")).is_err());
        let submitted = submitted.unwrap();
        let most = (BATCHES_WAITING_MAX + BATCHES_TOGETHER_MAX) as u64;
        assert!((BATCHES_WAITING_MAX as u64..=most).contains(&submitted));
        assert_eq!(thread.submit(Work::Changes(submitted, Vec::new())), Err(SubmitError::Stuck));
        drop(stuck);
        for number in 0..submitted {
            let completion = completions.blocking_recv().unwrap();
            assert!(matches!(completion, Completion::Saved { batch } if batch == number));
        }
        close(thread, completions).unwrap();
    }
}
