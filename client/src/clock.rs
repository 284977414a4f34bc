//! The only place of the window that asks the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For what is counted down.
    pub at: Instant,
    /// Milliseconds since 1970, for what is dated.
    pub unix_ms: u64,
}

/// Asks the clock.
pub fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Now { at: Instant::now(), unix_ms }
}
