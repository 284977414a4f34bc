//! The store thread: the only writer, with group commit.
//!
//! It takes all writes that wait, applies them, flushes, syncs the log once, then the number of writes beside it, and
//! only then answers.
//! While it syncs, the next ones gather.

use std::convert::Infallible;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};

use super::directory::Extent;
use super::sums::MISSING;
use super::trees::Trees;
use super::watchdog::Watchdog;
use super::written::Written;
use super::{StoreError, damaged};

/// The writes that may wait; further callers wait for room.
const WRITES_WAITING_MAX: usize = 4096;

/// The writes that share one sync.
const BATCH_MAX: usize = 1024;

/// How often the watchdog looks while nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often closing looks whether the storage failed, while it waits for the thread.
const LOOK_WHILE_CLOSING: Duration = Duration::from_millis(20);

/// How many seconds a batch may take before the watchdog says so, and how often it says it again.
pub const STUCK_S: u64 = 10;

/// What is said of a panic of the thread.
const PANICKED: &str = "the store thread panicked; start the server again and report this";

/// Bytes of changes that go into one transaction; then sled is waited for.
///
/// sled writes its log on seven threads. It waits, with the lock that those threads need at the end of each
/// write, until its file was shortened, which one of them is to do: with seven writes under way nobody is
/// left for that, and everything stands still for good (its issue 1412). Each transaction begins two or
/// three writes of the log. So no second one begins before those of the first are through.
const TRANSACTION_BYTES: usize = 64 << 10;

/// A write: makes its changes and returns what answers its caller once they are durable.
struct Write {
    work: Box<Work>,
    /// Sees what was committed, and nothing of a batch.
    alone: bool,
}
type Work = dyn FnOnce(&Trees) -> Result<Answer, StoreError> + Send;
type Answer = Box<dyn FnOnce() + Send>;

/// Whether the storage works, and how far it is durable.
pub(super) struct Condition {
    failure: watch::Sender<Option<String>>,
    /// Where sled's files are.
    store: PathBuf,
    directory_len: AtomicU32,
    account_count: AtomicU32,
    /// Seconds that the batch in work has taken so far, as far as the watchdog looked.
    batch_s: AtomicU64,
}

impl Condition {
    /// Starts with the directory that is on the disk.
    pub(super) fn new(store: PathBuf, extent: Extent) -> Self {
        Self {
            failure: watch::Sender::new(None),
            store,
            directory_len: extent.directory_len.into(),
            account_count: extent.account_count.into(),
            batch_s: AtomicU64::new(0),
        }
    }

    /// Fails, with what to do, if the storage failed or one batch takes [`STUCK_S`] and more.
    pub(super) fn alive(&self) -> Result<(), StoreError> {
        self.check()?;
        match self.batch_s.load(Ordering::Relaxed) {
            taken_s @ STUCK_S.. => Err(StoreError::Fatal(stuck(taken_s))),
            0..STUCK_S => Ok(()),
        }
    }

    /// Fails if the storage failed before.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.failure.borrow().clone().map_or(Ok(()), |reason| Err(StoreError::Fatal(reason)))
    }

    /// Takes note that the storage failed; the first failure counts. A store in which records are missing is not
    /// opened again: what is acknowledged in it could be in no backup.
    pub(super) fn note(&self, error: &StoreError) {
        if matches!(error, StoreError::Fatal(reason) if reason == MISSING)
            && let Err(error) = damaged::mark(&self.store)
        {
            tracing::error!("{error}");
        }
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                tracing::error!("{error}");
                *failure = Some(match error {
                    StoreError::Fatal(reason) => reason.clone(),
                    StoreError::Closed | StoreError::TooLong => error.to_string(),
                });
            }
            first
        });
    }

    /// Resolves with the reason once the storage failed.
    pub(super) async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        let reason = failure.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.expect("the sender is borrowed and the condition was that there is a reason")
    }

    /// Returns the length of the directory that is on the disk.
    pub(super) fn directory_len(&self) -> u32 {
        self.directory_len.load(Ordering::Acquire)
    }

    /// Returns how many accounts that were not deleted are on the disk.
    pub(super) fn account_count(&self) -> u32 {
        self.account_count.load(Ordering::Acquire)
    }

    fn durable(&self, extent: Extent) {
        self.directory_len.store(extent.directory_len, Ordering::Release);
        self.account_count.store(extent.account_count, Ordering::Release);
    }
}

/// The callers' end of the store thread.
pub(super) struct StoreThread {
    condition: Arc<Condition>,
    writes: Mutex<Option<Sender<Write>>>,
    /// Disconnected as soon as the thread has let go of the database.
    running: Mutex<Receiver<Infallible>>,
    room: Arc<Semaphore>,
}

impl StoreThread {
    /// Starts the thread. `log` is sled's log file, through a descriptor of our own.
    pub(super) fn start(
        trees: Trees,
        config: sled::Config,
        log: File,
        written: Written,
        condition: Arc<Condition>,
    ) -> std::io::Result<Self> {
        let noted = condition.clone();
        let watchdog = Watchdog::start(LOOK_EVERY, move |batch| {
            // sled keeps the failure of its own threads here, and may let a writer wait for ever.
            if let Err(error) = config.global_error() {
                noted.note(&error.into());
            }
            let taken_s = batch.map_or(0, |taken| taken.as_secs());
            noted.batch_s.store(taken_s, Ordering::Relaxed);
            report_if_stuck(taken_s);
        })?;
        let (writes, received) = channel();
        let (alive, running) = channel();
        let worker = Worker { trees, log, watchdog, condition: condition.clone() };
        std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            let _alive = alive;
            worker.run(&received, written);
        })?;
        Ok(Self {
            condition,
            writes: Mutex::new(Some(writes)),
            running: Mutex::new(running),
            room: Arc::new(Semaphore::new(WRITES_WAITING_MAX)),
        })
    }

    /// Has the thread do `work`; resolves when that is durable. An error of `work` is fatal.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Trees) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue(work, false).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Trees) -> Result<T, StoreError> + Send + 'static,
        alone: bool,
    ) -> Result<T, StoreError> {
        self.condition.check()?;
        let room = self.room.clone().acquire_owned().await.expect("nobody closes the semaphore");
        let (answer, answered) = oneshot::channel();
        let condition = self.condition.clone();
        let work = move |trees: &Trees| {
            // Noted before the caller wakes, which asks for the reason.
            let value = work(trees).inspect_err(|error| condition.note(error))?;
            let answer: Answer = Box::new(move || {
                drop(room);
                // The caller may have gone; the write stays.
                let _ = answer.send(value);
            });
            Ok(answer)
        };
        self.send(Write { work: Box::new(work), alone })?;
        tokio::select! {
            biased;
            answer = answered => answer.map_err(|_| self.ended()),
            reason = self.condition.failed() => Err(StoreError::Fatal(reason)),
        }
    }

    /// Has the thread do `work` between two batches, for callers that may block; what was written before is durable
    /// when this returns.
    pub(super) fn between<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Trees) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(self.queue(work, true))
    }

    /// Takes note that the store was found damaged.
    pub(super) fn note(&self, error: &StoreError) {
        self.condition.note(error);
    }

    /// Finishes the writes that wait, then ends the thread. A thread that hangs in a failed storage
    /// is left behind.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.recv_timeout(LOOK_WHILE_CLOSING) == Err(RecvTimeoutError::Timeout) {
            self.condition.check()?;
        }
        self.condition.check()
    }

    fn send(&self, write: Write) -> Result<(), StoreError> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writes) = writes.as_ref() else { return Err(StoreError::Closed) };
        writes.send(write).map_err(|_| self.ended())
    }

    fn ended(&self) -> StoreError {
        let ended = || {
            StoreError::Fatal(
                "the store thread has ended; start the server again and report this".to_owned(),
            )
        };
        self.condition.check().err().unwrap_or_else(ended)
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        // Who drops without closing does not want to know how it went.
        let _ = self.close();
    }
}

/// What the thread owns.
struct Worker {
    trees: Trees,
    log: File,
    watchdog: Watchdog,
    condition: Arc<Condition>,
}

impl Worker {
    fn run(self, writes: &Receiver<Write>, mut written: Written) {
        let _on_panic = NotePanic(&self.condition);
        let mut next = None;
        while let Some(first) = next.take().or_else(|| writes.recv().ok()) {
            let (batch, carried) = gather(first, writes);
            next = carried;
            let _watched = self.watchdog.batch();
            // Dropped, and so their callers woken, only after an error is noted.
            let mut answers = Vec::with_capacity(batch.len());
            if let Err(error) = self.commit(batch, &mut written, &mut answers) {
                self.condition.note(&error);
                return;
            }
            self.condition.batch_s.store(0, Ordering::Relaxed);
            answers.into_iter().for_each(|answer| answer());
        }
    }

    fn commit(
        &self,
        batch: Vec<Write>,
        written: &mut Written,
        answers: &mut Vec<Answer>,
    ) -> Result<(), StoreError> {
        let collecting = self.trees.collecting();
        for Write { work, alone } in batch {
            answers.push(work(if alone { &self.trees } else { &collecting })?);
            if collecting.collected() >= TRANSACTION_BYTES {
                collecting.commit()?;
                self.trees.flush()?;
            }
        }
        collecting.commit()?;
        self.trees.flush()?;
        // sled's own flush ends at `sync_file_range`, which a power cut does not respect. The
        // descriptor is ours and open since the start, so that the kernel also reports through it
        // what failed to be written behind the back of sled's background thread.
        self.log.sync_data()?;
        written.raise(self.trees.sums()?.written)?;
        self.condition.durable(Extent::of(&self.trees)?);
        Ok(())
    }
}

/// Takes the writes that wait, up to the first that is to be alone, which it returns. No batch waits for more: while
/// one syncs, the next gathers, and a window of 2 ms was measured to gain nothing.
fn gather(first: Write, writes: &Receiver<Write>) -> (Vec<Write>, Option<Write>) {
    if first.alone {
        return (vec![first], None);
    }
    let mut batch = vec![first];
    while batch.len() < BATCH_MAX
        && let Ok(write) = writes.try_recv()
    {
        if write.alone {
            return (batch, Some(write));
        }
        batch.push(write);
    }
    (batch, None)
}

fn report_if_stuck(taken_s: u64) {
    if taken_s >= STUCK_S && taken_s.is_multiple_of(STUCK_S) {
        tracing::error!("{}", stuck(taken_s));
    }
}

fn stuck(taken_s: u64) -> String {
    format!(
        "the store has worked on one batch for {taken_s} s: check the disk, and restart the server \
         if this goes on"
    )
}

/// Makes a panic of the thread a failure of the store.
struct NotePanic<'c>(&'c Condition);

impl Drop for NotePanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.note(&StoreError::Fatal(PANICKED.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::DirectoryRecord;
    use crate::store::state;
    use crate::store::trees::{Change, Tree};

    /// A store thread on a fresh database, with a log that may be another file.
    fn start(log: Option<&str>) -> (tempfile::TempDir, Trees, Arc<Condition>, StoreThread) {
        let dir = tempfile::tempdir().unwrap();
        let config = sled::Config::new().path(dir.path()).cache_capacity(1 << 20);
        let db = config.open().unwrap();
        migrations::open(&db, &|| Ok(())).unwrap();
        let trees = Trees::open(db).unwrap();
        let log = log.map_or(dir.path().join("db"), Into::into);
        let condition = Arc::new(Condition::new(PathBuf::new(), Extent::default()));
        let log = File::open(log).unwrap();
        let written = Written::create(dir.path(), 0).unwrap();
        let thread =
            StoreThread::start(trees.clone(), config, log, written, condition.clone()).unwrap();
        (dir, trees, condition, thread)
    }

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn reserve(thread: &StoreThread, end: u64) -> Result<(), StoreError> {
        run(thread.write(move |trees| state::reserve_rounds(trees, end))).map(|outcome| {
            outcome.unwrap();
        })
    }

    #[test]
    fn a_failed_sync_is_fatal_for_good() {
        let (_dir, _trees, condition, thread) = start(Some("/dev/null"));
        let failure = reserve(&thread, 1).unwrap_err();
        assert!(
            matches!(&failure, StoreError::Fatal(reason) if reason.contains("Invalid argument"))
        );
        assert_eq!(reserve(&thread, 2), Err(failure.clone()));
        assert_eq!(thread.close(), Err(failure.clone()));
        assert_eq!(StoreError::Fatal(run(condition.failed())), failure);
    }

    #[test]
    fn the_directory_is_as_long_as_it_is_durable() {
        let entry = |trees: &Trees| {
            let entry = DirectoryRecord { record: [1; 163], head: [2; 32] };
            trees.apply(&[Change::put(Tree::Directory, 0u32.to_be_bytes(), &entry)?])
        };
        let (_dir, _trees, condition, thread) = start(None);
        run(thread.write(entry)).unwrap();
        assert_eq!(condition.directory_len(), 1);

        let (_dir, trees, condition, thread) = start(Some("/dev/null"));
        run(thread.write(entry)).unwrap_err();
        assert_eq!((Extent::of(&trees).unwrap().directory_len, condition.directory_len()), (1, 0));
    }

    #[test]
    fn a_failed_write_fails_its_batch_and_all_after_it() {
        let (_dir, _trees, condition, thread) = start(None);
        reserve(&thread, 1).unwrap();
        let failure = StoreError::Fatal("the disk is gone".to_owned());
        let fails = failure.clone();
        let (failed, same_batch) = run(async {
            tokio::join!(
                thread.write(move |_| Err::<(), _>(fails)),
                thread.write(|trees| state::reserve_rounds(trees, 2)),
            )
        });
        assert_eq!(failed, Err(failure.clone()));
        assert_eq!(same_batch, Err(failure.clone()));
        assert_eq!(condition.check(), Err(failure));
    }

    #[test]
    fn a_panic_of_the_thread_is_fatal() {
        let (_dir, _trees, condition, thread) = start(None);
        let outcome = run(thread.write(|_| -> Result<(), StoreError> { panic!("on purpose") }));
        assert!(matches!(outcome, Err(StoreError::Fatal(_))));
        assert_eq!(run(condition.failed()), PANICKED);
    }

    #[test]
    fn writes_that_wait_share_a_batch_and_a_lone_one_waits_for_nobody() {
        let (writes, received) = channel::<Write>();
        let write = || Write { work: Box::new(|_| Ok(Box::new(|| {}))), alone: false };
        let gathered = || gather(write(), &received).0.len();
        assert_eq!(gathered(), 1);
        for _ in 0..BATCH_MAX + 5 {
            writes.send(write()).unwrap();
        }
        assert_eq!(gathered(), BATCH_MAX);
        assert_eq!(gathered(), 7);

        for alone in [false, true, false] {
            writes.send(Write { alone, ..write() }).unwrap();
        }
        let (batch, carried) = gather(write(), &received);
        assert_eq!(batch.len(), 2);
        let carried = carried.unwrap();
        assert!(carried.alone && gather(carried, &received).0.len() == 1);
        assert_eq!(gathered(), 2);
    }

    #[test]
    fn a_thread_that_hangs_after_a_failure_holds_nobody_up() {
        let (_dir, _trees, condition, thread) = start(None);
        let (release, released) = channel::<()>();
        let failure = StoreError::Fatal("the disk is full".to_owned());
        let outcome = run(async {
            let hangs = thread.write(move |_| {
                let _ = released.recv();
                Ok(())
            });
            let fails = async { condition.note(&failure) };
            tokio::join!(hangs, fails).0
        });
        assert_eq!(outcome, Err(failure.clone()));
        assert_eq!(thread.close(), Err(failure));
        drop(release);
    }

    #[test]
    fn closing_finishes_what_waits() {
        let (_dir, _trees, _condition, thread) = start(None);
        let outcomes = run(async {
            let writes =
                (1..=20).map(|end| thread.write(move |trees| state::reserve_rounds(trees, end)));
            let mut writes: Vec<_> = writes.map(Box::pin).collect();
            for write in &mut writes {
                assert!(poll_once(write).await.is_pending());
            }
            thread.close().unwrap();
            let mut outcomes = Vec::new();
            for write in writes {
                outcomes.push(write.await);
            }
            outcomes
        });
        assert!(outcomes.into_iter().all(|outcome| outcome == Ok(Ok(()))));
    }

    /// Polls a future once.
    async fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))
        })
        .await
    }
}
