//! Whether the server lives and serves, for those that restart it or stop sending people to it.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

use crate::clock;
use crate::driver::Rounds;
use crate::store::{SledStore, StoreError};

/// Rounds that may be left out before the server counts as not serving.
pub const ROUNDS_LATE: u32 = 3;

/// The least time without a new round that counts as not serving.
pub const LATE_MIN: Duration = Duration::from_secs(5);

/// What is wrong with a running server.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Unwell {
    /// The store failed or stands still.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// No round was opened lately.
    #[error(
        "no round was opened for {0} s: see the log; if it says nothing, the machine has too little processor time"
    )]
    Rounds(u64),
    /// It was told to stop.
    #[error("the server is stopping")]
    Stopping,
}

/// Looks at a running server.
#[derive(Clone)]
pub struct Health {
    /// The store.
    pub store: Arc<SledStore>,
    /// The rounds.
    pub rounds: Rounds,
    /// Length of a round.
    pub period: Duration,
    /// Whether the server was told to stop.
    pub stop: watch::Receiver<bool>,
}

impl Health {
    /// Tells whether a restart would not help: the store works.
    ///
    /// # Errors
    /// [`Unwell::Store`].
    pub fn lives(&self) -> Result<(), Unwell> {
        Ok(self.store.alive()?)
    }

    /// Tells whether clients are served: the store works, and rounds come.
    ///
    /// # Errors
    /// Every variant of [`Unwell`].
    pub fn serves(&self) -> Result<(), Unwell> {
        self.lives()?;
        if *self.stop.borrow() {
            return Err(Unwell::Stopping);
        }
        let since = clock::now().saturating_duration_since(self.rounds.opened());
        if since > late(self.period) { Err(Unwell::Rounds(since.as_secs())) } else { Ok(()) }
    }
}

/// Returns the time without a new round from which on a server with this period does not serve.
fn late(period: Duration) -> Duration {
    (period * ROUNDS_LATE).max(LATE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rounds_may_be_late_for_seconds_and_long_ones_for_three() {
        assert_eq!(late(Duration::from_millis(100)), Duration::from_secs(5));
        assert_eq!(late(Duration::from_secs(10)), Duration::from_secs(30));
    }
}
