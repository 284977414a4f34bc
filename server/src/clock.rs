//! The clock: the only place of the server that asks for the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the time that only goes forward, for intervals and deadlines.
pub fn now() -> Instant {
    Instant::now()
}

/// Returns the time of day, for certificates.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Returns the time of day in Unix milliseconds; 0 for a clock that stands before 1970.
pub fn unix_ms() -> u64 {
    let since = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns whole milliseconds, at most `u32::MAX`.
pub fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
