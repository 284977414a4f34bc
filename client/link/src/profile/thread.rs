//! The profile's thread: rounds never wait for the disk.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use client_core::record::Change;
use thiserror::Error;
use tokio::sync::mpsc;

use super::data::Data;
use super::history::HistoryReader;
use super::{PasswordPlace, Profile, ProfileError};

/// Batches that may wait for the disk, and completions that may wait for the engine.
pub const BATCHES_WAITING_MAX: usize = 256;

/// Batches that share one transaction.
const BATCHES_TOGETHER_MAX: usize = 64;

/// What became of batches; they come in the order of submission.
pub enum Completion {
    /// This batch is kept: what is urgent in it is durable.
    Saved {
        /// The number that it was submitted with.
        batch: u64,
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
    batches: SyncSender<(u64, Vec<Change>)>,
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
        let (batches, waiting) = sync_channel(BATCHES_WAITING_MAX);
        let (completions, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        let (data, password) = (Arc::clone(&profile.data), profile.password_place());
        let name = "profile".to_owned();
        let thread =
            Builder::new().name(name).spawn(move || run(profile, &waiting, &completions))?;
        Ok((Self { batches, thread, data, password }, receiver))
    }

    /// Hands over changes without waiting; they are kept in the order of submission, those that wait
    /// together in one transaction.
    ///
    /// # Errors
    /// [`SubmitError`] if they are not taken, after which nothing more may be acknowledged.
    pub fn submit(&self, batch: u64, changes: Vec<Change>) -> Result<(), SubmitError> {
        self.batches.try_send((batch, changes)).map_err(|error| match error {
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
        let Self { batches, thread, data, password } = self;
        drop((batches, data, password));
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

fn run(
    mut profile: Profile,
    waiting: &Receiver<(u64, Vec<Change>)>,
    completions: &mpsc::Sender<Completion>,
) {
    while let Ok(first) = waiting.recv() {
        let together = std::iter::once(first).chain(waiting.try_iter());
        let (numbers, changes): (Vec<_>, Vec<_>) = together.take(BATCHES_TOGETHER_MAX).unzip();
        let changes: Vec<_> = changes.into_iter().flatten().collect();
        if let Err(error) = profile.apply(&changes) {
            // an engine that has gone needs no answer, here and below
            let _ = completions.blocking_send(Completion::Failed { error });
            return;
        }
        for batch in numbers {
            let _ = completions.blocking_send(Completion::Saved { batch });
        }
    }
}

#[cfg(test)]
mod tests {
    use client_core::record::Incoming;
    use tempfile::TempDir;
    use tokio::runtime::Builder as Runtime;
    use wire::account::Stretching;
    use wire::ids::{IdentityHash, MessageId, Round};
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

    fn received(number: u64, text: &str) -> Vec<Change> {
        let (id, text) = (MessageId(number.to_be_bytes()), text.into());
        vec![Change::Received(Incoming { id, peer: PEER, text, sent_ms: 0, round: Round(1) })]
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
            thread.submit(number, received(number, "x")).unwrap();
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
            thread.submit(number, received(number, "x")).unwrap();
        }
        close(thread, completions).unwrap();
        let profile = Profile::unlock(dir.path(), b"x", &CHEAP).ok().unwrap().profile;
        assert_eq!(profile.history(&PEER, None, 256).unwrap().entries.len(), 200);
    }

    #[test]
    fn after_a_failure_nothing_more_is_taken() {
        let (_dir, thread, mut completions) = started();
        thread.submit(1, received(1, &"x".repeat(20_000))).unwrap();
        assert!(matches!(completions.blocking_recv(), Some(Completion::Failed { .. })));
        assert!(completions.blocking_recv().is_none());
        assert_eq!(thread.submit(2, received(2, "x")), Err(SubmitError::Stopped));
        assert!(thread.reader().page(&PEER, None, 9).unwrap().entries.is_empty());
        close(thread, completions).unwrap();
    }

    #[test]
    fn a_stuck_disk_never_makes_the_caller_wait() {
        let (_dir, thread, mut completions) = started();
        let stuck = thread.data.write(true).unwrap();
        let submitted = (0..).find(|&number| thread.submit(number, received(number, "x")).is_err());
        let submitted = submitted.unwrap();
        let most = (BATCHES_WAITING_MAX + BATCHES_TOGETHER_MAX) as u64;
        assert!((BATCHES_WAITING_MAX as u64..=most).contains(&submitted));
        assert_eq!(thread.submit(submitted, Vec::new()), Err(SubmitError::Stuck));
        drop(stuck);
        for number in 0..submitted {
            let completion = completions.blocking_recv().unwrap();
            assert!(matches!(completion, Completion::Saved { batch } if batch == number));
        }
        close(thread, completions).unwrap();
    }
}
