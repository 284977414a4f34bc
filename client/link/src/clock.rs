//! The only place in the client that asks the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client_core::client::Now;
use tokio::time::Instant;

/// The clock of one engine: time since its start, and the system's time of day.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns the time as the core takes it.
    pub(crate) fn now(&self) -> Now {
        Now { at: self.start.elapsed(), unix_ms: unix_ms() }
    }

    /// Returns the moment that the core calls `at`.
    pub(crate) fn instant(&self, at: Duration) -> Instant {
        self.start + at
    }
}

/// Milliseconds since 1970; 0 if the system's clock is before that.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
