//! Looks after the store thread from outside. sled waits for ever when one of its own threads failed
//! at the wrong moment, for instance on a full disk, and nothing else would say so.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

enum Beat {
    Began,
    Ended,
}

/// The end of the watchdog that the store thread holds; its thread ends when this is dropped.
pub(super) struct Watchdog {
    beats: Sender<Beat>,
}

/// A batch in work; it ended when this is dropped.
pub(super) struct Watched<'w>(&'w Watchdog);

impl Watchdog {
    /// Starts a thread that calls `look` whenever nothing has happened for the length of `tick`,
    /// with how long the batch in work has taken so far, if there is one.
    pub(super) fn start(
        tick: Duration,
        look: impl Fn(Option<Duration>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (beats, received) = channel();
        let name = "store watchdog".to_owned();
        thread::Builder::new().name(name).spawn(move || watch(&received, tick, look))?;
        Ok(Self { beats })
    }

    /// Watches a batch.
    pub(super) fn batch(&self) -> Watched<'_> {
        self.beat(Beat::Began);
        Watched(self)
    }

    fn beat(&self, beat: Beat) {
        // The watchdog's thread cannot end before this sender; a failed send would change nothing.
        let _ = self.beats.send(beat);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.beat(Beat::Ended);
    }
}

fn watch(beats: &Receiver<Beat>, tick: Duration, look: impl Fn(Option<Duration>)) {
    let mut batch = None;
    loop {
        match beats.recv_timeout(tick) {
            Ok(Beat::Began) => batch = Some(Duration::ZERO),
            Ok(Beat::Ended) => batch = None,
            Err(RecvTimeoutError::Timeout) => {
                batch = batch.map(|taken| taken + tick);
                look(batch);
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);
    const DEADLINE: Duration = Duration::from_secs(10);

    #[test]
    fn a_batch_is_looked_at_until_it_ends() {
        let (looks, looked) = channel();
        let watchdog = Watchdog::start(TICK, move |taken| {
            let _ = looks.send(taken);
        })
        .unwrap();
        let next = || looked.recv_timeout(DEADLINE).unwrap();
        assert_eq!(next(), None);
        let batch = watchdog.batch();
        let first = std::iter::repeat_with(next).find_map(|taken| taken);
        assert_eq!((first, next()), (Some(TICK), Some(2 * TICK)));
        drop(batch);
        assert!(std::iter::repeat_with(next).any(|taken| taken.is_none()));
        drop(watchdog);
        while looked.recv_timeout(DEADLINE).is_ok() {}
        assert_eq!(looked.recv_timeout(DEADLINE), Err(RecvTimeoutError::Disconnected));
    }
}
