//! Numbers of rounds: which comes next, and the durable reservation that keeps them from repeating.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use wire::ids::Round;

use crate::store::{ReserveError, SledStore, Store as _};

/// Rounds reserved at once. Small, so that a server that is killed again and again does not run far
/// ahead of the clock.
pub const BLOCK: u64 = 16;

/// Reserved rounds below which the next block is reserved.
pub const BLOCK_LOW: u64 = 8;

/// Rounds that the clock may be ahead of the numbers before these jump after it: after a machine slept.
/// Below, they count by one, so that a clock that is nudged leaves no gaps.
pub const JUMP: u64 = 30;

/// Returns the first round of a process: never one that an earlier process may have opened, and not
/// behind the clock, so that not even a store from an old backup repeats one.
pub fn first(reserved: u64, by_clock: u64) -> Round {
    Round(reserved.max(by_clock).max(1))
}

/// Returns the round after `last`.
pub fn next(last: Round, by_clock: u64) -> Round {
    let next = last.next();
    if by_clock > next.0.saturating_add(JUMP) { Round(by_clock) } else { next }
}

/// Returns the round that the clock names.
pub fn by_clock(genesis_ms: u64, now_ms: u64, period: Duration) -> u64 {
    let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
    now_ms.saturating_sub(genesis_ms) / period_ms
}

/// Returns how much of the round that the clock names is left, more than nothing: the first round of a process ends then, so
/// that rounds keep their beat over a restart, and people who are back in time miss one less.
pub fn left(genesis_ms: u64, now_ms: u64, period: Duration) -> Duration {
    let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(period_ms - now_ms.saturating_sub(genesis_ms) % period_ms)
}

/// The reserved block: rounds below its end may be opened by this process.
pub struct Reservation {
    store: Arc<SledStore>,
    end: u64,
    pending: Option<JoinHandle<Result<u64, ReserveError>>>,
}

impl Reservation {
    /// Takes up the store's reservation, of which this process may use nothing yet.
    pub fn new(store: Arc<SledStore>) -> Self {
        Self { store, end: 0, pending: None }
    }

    /// Waits until `round` is reserved.
    ///
    /// # Errors
    /// [`ReserveError`]: the round must not be opened then.
    pub async fn cover(&mut self, round: Round) -> Result<(), ReserveError> {
        while round.0 >= self.end {
            let pending = match self.pending.take() {
                Some(pending) => pending,
                None => self.reserve(round.0.saturating_add(BLOCK)),
            };
            match pending.await {
                Ok(end) => self.end = end?,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(())
    }

    /// Has the next block reserved in the background if few rounds after `round` are left.
    pub fn ahead(&mut self, round: Round) {
        let left = self.end.saturating_sub(round.0.saturating_add(1));
        if left < BLOCK_LOW && self.pending.is_none() {
            self.pending = Some(self.reserve(self.end.saturating_add(BLOCK)));
        }
    }

    fn reserve(&self, end: u64) -> JoinHandle<Result<u64, ReserveError>> {
        let store = self.store.clone();
        tokio::spawn(async move { store.reserve_rounds(end).await.map(|()| end) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Origin, Store};

    const PERIOD: Duration = Duration::from_secs(2);
    const ORIGIN: Origin = Origin { genesis_ms: 1000, round_ms: 2000 };

    #[test]
    fn numbers_follow_the_clock_forward_and_never_go_back() {
        assert_eq!(first(0, 0), Round(1));
        assert_eq!(first(40, 7), Round(40));
        assert_eq!(first(40, 41), Round(41));
        assert_eq!(next(Round(9), 3), Round(10));
        assert_eq!(next(Round(9), 10 + JUMP), Round(10));
        assert_eq!(next(Round(9), 11 + JUMP), Round(11 + JUMP));
        assert_eq!(by_clock(1000, 999, PERIOD), 0);
        assert_eq!(by_clock(1000, 7999, PERIOD), 3);
    }

    #[test]
    fn the_first_round_ends_with_the_one_that_the_clock_names() {
        let left_ms = |now_ms| left(1000, now_ms, PERIOD).as_millis();
        assert_eq!([1000, 1001, 2999, 3000, 7500].map(left_ms), [2000, 1999, 1, 2000, 1500]);
        assert_eq!(left_ms(0), 2000, "the clock was set back");
    }

    /// Opens rounds as one process does, and returns them.
    async fn process(store: Arc<SledStore>, now_ms: u64, rounds: usize) -> Vec<u64> {
        let genesis_ms = store.origin().unwrap().genesis_ms;
        let clock = by_clock(genesis_ms, now_ms, PERIOD);
        let mut round = first(store.rounds_reserved().unwrap(), clock);
        let mut reservation = Reservation::new(store.clone());
        let mut opened = Vec::new();
        for _ in 0..rounds {
            reservation.cover(round).await.unwrap();
            assert!(store.rounds_reserved().unwrap() > round.0, "opened only when on the disk");
            opened.push(round.0);
            reservation.ahead(round);
            round = next(round, clock);
        }
        if let Some(pending) = reservation.pending {
            pending.await.unwrap().unwrap();
        }
        opened
    }

    fn copy(from: &std::path::Path, to: &std::path::Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn no_round_repeats_over_restarts_an_old_backup_and_a_clock_set_back() {
        let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = |path: &std::path::Path| Arc::new(SledStore::open(path, ORIGIN).unwrap());
        let mut seen = Vec::new();
        // Restarts while the clock stands still, then a clock that goes back to the beginning.
        for (now_ms, rounds) in [(1000, 20), (1000, 1), (1000, 3), (100_000, 40), (1000, 5)] {
            seen.extend(process(open(dir.path()), now_ms, rounds).await);
            if rounds == 1 {
                copy(dir.path(), backup.path());
            }
        }
        // The backup knows nothing of the later rounds; the clock does.
        let later_ms = 1000 + 2000 * (seen.iter().max().unwrap() + 1);
        seen.extend(process(open(backup.path()), later_ms, 20).await);
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    }
}
