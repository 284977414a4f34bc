//! Has the whole store read at the start and then every day, so that what the disk loses is missed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::store::{SledStore, StoreError};

/// From the end of a scrub to the next one.
pub const SCRUB_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Scrubs a store until the server stops, or the store failed.
pub(crate) async fn scrub(store: Arc<SledStore>, stop: watch::Receiver<bool>) {
    let once = || in_a_thread(store.clone(), stop.clone());
    every_day(stop.clone(), once).await;
}

/// Does something now and then every day, until `stop` says true, its sender is gone, or what is done says not to
/// go on.
async fn every_day<F: Future<Output = bool>>(
    mut stop: watch::Receiver<bool>,
    mut act: impl FnMut() -> F,
) {
    while act().await {
        tokio::select! {
            _ = stop.wait_for(|&stop| stop) => return,
            () = tokio::time::sleep(SCRUB_EVERY) => (),
        }
    }
}

/// Scrubs once, in a thread that nothing waits for when the server ends after a failure; tells whether to go on.
async fn in_a_thread(store: Arc<SledStore>, stop: watch::Receiver<bool>) -> bool {
    let (send, ended) = oneshot::channel();
    let scrub = move || {
        let scrubbed = store.scrub(|| !*stop.borrow() && stop.has_changed().is_ok());
        // Freed before anybody hears of it: a server that stops waits for that.
        drop(store);
        // Who does not hear it has stopped.
        let _ = send.send(scrubbed);
    };
    if let Err(error) = std::thread::Builder::new().name("scrub".to_owned()).spawn(scrub) {
        tracing::error!("the store is not scrubbed today: {error}; raise the limit of processes");
        return true;
    }
    match ended.await {
        Ok(Ok(Some(records))) => {
            tracing::info!(records, "the store was scrubbed: nothing is missing");
            true
        }
        // The server stops, or the store has said what is wrong with it.
        Ok(Ok(None) | Err(StoreError::Fatal(_) | StoreError::Closed | StoreError::TooLong)) => {
            false
        }
        Err(_) => {
            tracing::error!(
                "the scrub of the store panicked; start the server again and report this"
            );
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    /// How long a scrub takes here.
    const TAKES: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn the_store_is_scrubbed_at_the_start_and_then_every_day_until_the_server_stops() {
        let (stop, stopped) = watch::channel(false);
        let (began, at) = (Instant::now(), Cell::new(Vec::new()));
        let act = || async {
            let mut times = at.take();
            times.push(began.elapsed());
            at.set(times);
            tokio::time::sleep(TAKES).await;
            true
        };
        let in_the_third_day = async {
            tokio::time::sleep(3 * SCRUB_EVERY).await;
            stop.send(true).unwrap();
            Instant::now()
        };
        let ends = async {
            every_day(stopped, act).await;
            Instant::now()
        };
        let (asked, ended) = tokio::join!(in_the_third_day, ends);
        assert_eq!(asked, ended, "the pause held up the end");
        let day = SCRUB_EVERY + TAKES;
        assert_eq!(at.take(), [Duration::ZERO, day, 2 * day]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_gone_or_a_store_that_failed_is_scrubbed_no_more() {
        let began = Instant::now();
        let times = Cell::new(0);
        let act = |goes_on| {
            times.set(times.get() + 1);
            std::future::ready(goes_on)
        };
        let (stop, stopped) = watch::channel(false);
        drop(stop);
        every_day(stopped, || act(true)).await;
        let (_stop, stopped) = watch::channel(false);
        every_day(stopped, || act(false)).await;
        assert_eq!((times.get(), began.elapsed()), (2, Duration::ZERO));
    }
}
