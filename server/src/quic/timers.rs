//! When each link has to be looked at, in memory of its own: the time of most links changes several times between two
//! looks, and to find that out must not fetch the link itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Entries of the queue for each link, beyond which it is made anew: what was queued and then for an earlier time stays.
const ENTRIES_MAX: usize = 8;

/// The times of all links.
#[derive(Default)]
pub(super) struct Timers {
    queue: BinaryHeap<Reverse<(Instant, usize)>>,
    links: Vec<Times>,
}

/// The times of a link. It stands in the queue up to twice: with a time that is soon, and one that is far off.
#[derive(Clone, Copy, Default)]
struct Times {
    /// When it has to be looked at.
    due: Option<Instant>,
    /// Where it stands in the queue: never later than that.
    soon: Option<Instant>,
    /// Where it stands behind that.
    far: Option<Instant>,
}

impl Timers {
    /// Says when a link has to be looked at, and no more when it had to be before.
    pub(super) fn set(&mut self, link: usize, due: Option<Instant>) {
        if link >= self.links.len() {
            self.links.resize(link + 1, Times::default());
        }
        self.links[link].due = due;
        self.queue(link);
    }

    /// Returns when to ask next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out a link that has to be looked at by now.
    pub(super) fn due(&mut self, now: Instant) -> Option<usize> {
        while let Some(&Reverse((at, link))) = self.queue.peek()
            && at <= now
        {
            self.queue.pop();
            let times = &mut self.links[link];
            if times.soon == Some(at) {
                times.soon = None;
            } else if times.far == Some(at) {
                times.far = None;
            } else {
                // it was queued anew, for an earlier time
                continue;
            }
            match times.due {
                Some(due) if due <= now => {
                    times.due = None;
                    return Some(link);
                }
                Some(_) | None => self.queue(link),
            }
        }
        None
    }

    /// Has a link stand in the queue no later than it is due.
    fn queue(&mut self, link: usize) {
        let times = &mut self.links[link];
        let Some(due) = times.due else { return };
        if times.soon.or(times.far).is_some_and(|queued| queued <= due) {
            return;
        }
        match times.far {
            None => times.far = Some(due),
            Some(_) => times.soon = Some(due),
        }
        self.queue.push(Reverse((due, link)));
        if self.queue.len() > ENTRIES_MAX * self.links.len() {
            self.rebuild();
        }
    }

    /// Makes the queue anew from what is due.
    fn rebuild(&mut self) {
        self.queue.clear();
        for (link, times) in self.links.iter_mut().enumerate() {
            (times.far, times.soon) = (times.due, None);
            self.queue.extend(times.due.map(|due| Reverse((due, link))));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore as _, SeedableRng as _};

    use super::*;

    #[test]
    fn a_link_is_due_at_the_time_that_was_set_last() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(7, Some(at(15_000)));
        timers.set(7, Some(at(60)));
        timers.set(7, Some(at(15_500)));
        timers.set(3, Some(at(100)));
        assert_eq!(timers.due(at(99)), None);
        assert_eq!(timers.due(at(100)), Some(3));
        assert_eq!(timers.due(at(100)), None);
        assert_eq!(timers.due(at(15_499)), None);
        assert_eq!(timers.due(at(15_500)), Some(7));
        assert_eq!((timers.due(at(99_000)), timers.next()), (None, None));
    }

    #[test]
    fn a_link_that_is_queued_anew_all_the_time_does_not_fill_the_queue() {
        let start = Instant::now();
        let mut timers = Timers::default();
        for step in 0..10_000 {
            timers.set(0, Some(start + Duration::from_secs(15)));
            timers.set(0, Some(start + Duration::from_micros(14_000_000 - step)));
            assert!(timers.queue.len() <= ENTRIES_MAX + 1, "{}", timers.queue.len());
        }
        assert_eq!(timers.due(start + Duration::from_secs(14)), Some(0));
        assert_eq!(timers.due(start + Duration::from_secs(99)), None);
    }

    /// As with real links: far off, now and then soon, and the soon ones mostly taken back.
    #[test]
    fn every_link_comes_when_it_is_due_and_the_queue_stays_small() {
        const LINKS: usize = 50;
        let start = Instant::now();
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut timers = Timers::default();
        let mut due = [None; LINKS];
        let mut longest = 0;
        for step in 0..200_000_u64 {
            let now = start + Duration::from_millis(step);
            while let Some(link) = timers.due(now) {
                assert_eq!(due[link].take(), Some(now), "link {link} in step {step}");
            }
            assert!(due.iter().flatten().all(|&due| due > now), "late in step {step}");
            let link = rng.next_u32() as usize % LINKS;
            let wait = [1, 3, 60, 15_000, 15_000, 0][rng.next_u32() as usize % 6];
            due[link] = (wait > 0).then(|| now + Duration::from_millis(wait));
            timers.set(link, due[link]);
            longest = longest.max(timers.queue.len());
        }
        assert!(longest <= 4 * LINKS, "{longest} entries for {LINKS} links");
    }
}
