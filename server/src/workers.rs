//! Workers for computations that would hold up the rounds: OPAQUE, key agreement, reads from the disk.

use std::num::NonZero;

use tokio::sync::Semaphore;

/// Returns how many threads may compute at once and leave a core to those that move packets: one fewer than
/// this process may use cores, and at least one.
pub fn beside_packets() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_sub(1).max(1)
}

/// A bounded number of threads beside those that move packets.
///
/// One fewer than the machine has cores, so that a storm of sign-ins waits in line here and a round that
/// is due finds a core.
pub struct Workers {
    permits: Semaphore,
}

impl Workers {
    /// Makes as many as [`beside_packets`] says.
    pub fn new() -> Self {
        Self { permits: Semaphore::new(beside_packets()) }
    }

    /// Computes on a worker, after all who asked before.
    ///
    /// # Panics
    /// If `work` does, with the same payload.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = self.permits.acquire().await.expect("nobody closes the semaphore");
        match tokio::task::spawn_blocking(work).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self::new()
    }
}
