//! The threads that take layers off and put them on.

use std::iter::Sum;

use rayon::prelude::*;
use thiserror::Error;

/// With fewer pieces of work than this, waking the threads costs more than they spare.
const PIECES_MIN: usize = 4;

/// Things that are sorted in about the time of one piece of work.
const SORTED: usize = 4096;

/// Threads of the mixer's own, or none: then everything is done on the thread of the caller.
///
/// How the work is divided depends on the number of seats alone, never on what they sent, and what comes
/// out does not depend on the threads.
pub struct Threads(Option<rayon::ThreadPool>);

/// The system gives no more threads.
#[derive(Debug, Error)]
#[error("cannot start threads; raise the limit of processes")]
pub struct NoThreads(#[source] rayon::ThreadPoolBuildError);

impl Threads {
    /// Has everything done on the caller's thread.
    pub fn none() -> Self {
        Self(None)
    }

    /// Starts so many threads, which end with the value; for one or none the caller's does.
    ///
    /// # Errors
    /// [`NoThreads`] if the system refuses.
    pub fn start(count: usize) -> Result<Self, NoThreads> {
        if count < 2 {
            return Ok(Self::none());
        }
        let name = |number| format!("mixer {number}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(name).build();
        let pool = pool.map_err(NoThreads)?;
        Ok(Self(Some(pool)))
    }

    /// Does every piece of work, in no order.
    pub(crate) fn each<P: Send>(
        &self,
        pieces: impl ExactSizeIterator<Item = P>,
        work: impl Fn(P) + Send + Sync,
    ) {
        match self.pool(pieces.len()) {
            None => pieces.for_each(work),
            Some(pool) => {
                let pieces: Vec<_> = pieces.collect();
                pool.install(|| pieces.into_par_iter().for_each(work));
            }
        }
    }

    /// Does every piece of work, in no order, and adds up what comes out.
    pub(crate) fn sum<P: Send, S: Send + Sum>(
        &self,
        pieces: impl ExactSizeIterator<Item = P>,
        work: impl Fn(P) -> S + Send + Sync,
    ) -> S {
        match self.pool(pieces.len()) {
            None => pieces.map(work).sum(),
            Some(pool) => {
                let pieces: Vec<_> = pieces.collect();
                pool.install(|| pieces.into_par_iter().map(work).sum())
            }
        }
    }

    /// Sorts things of which no two are equal.
    pub(crate) fn sort<T: Ord + Send>(&self, things: &mut [T]) {
        match self.pool(things.len() / SORTED) {
            None => things.sort_unstable(),
            Some(pool) => pool.install(|| things.par_sort_unstable()),
        }
    }

    fn pool(&self, pieces: usize) -> Option<&rayon::ThreadPool> {
        self.0.as_ref().filter(|_| pieces >= PIECES_MIN)
    }
}
