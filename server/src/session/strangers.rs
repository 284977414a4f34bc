//! Strangers: whoever has not signed in, in the order in which they came: handshakes under way, and connections.
//!
//! When there is no room for one more, the stranger who has been here longest makes room, so that people come in while
//! somebody holds handshakes that never end, or connections that never sign in. Who signed in is never put out for that.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// How long a stranger may stay in any case.
pub const STAY: Duration = Duration::from_secs(1);

/// Strangers, with what is needed to put them out. Bounded by the number of connections.
pub struct Strangers<T>(Mutex<Present<T>>);

struct Present<T> {
    entered: u64,
    by_order: BTreeMap<u64, (Instant, T)>,
}

/// A stranger's entry; gone when dropped.
pub struct Stranger<'s, T> {
    strangers: &'s Strangers<T>,
    order: u64,
}

impl<T> Default for Strangers<T> {
    fn default() -> Self {
        Self(Mutex::new(Present { entered: 0, by_order: BTreeMap::new() }))
    }
}

impl<T> Strangers<T> {
    /// Enters.
    pub fn enter(&self, connection: T) -> Stranger<'_, T> {
        let mut present = self.present();
        present.entered += 1;
        let order = present.entered;
        present.by_order.insert(order, (clock::now(), connection));
        Stranger { strangers: self, order }
    }

    /// Takes out the stranger who came first, if that was at least [`STAY`] before `now`.
    pub fn longest(&self, now: Instant) -> Option<T> {
        let mut present = self.present();
        let first = present.by_order.first_entry()?;
        let long_enough = now.saturating_duration_since(first.get().0) >= STAY;
        long_enough.then(|| first.remove().1)
    }

    fn present(&self) -> MutexGuard<'_, Present<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Stranger<'_, T> {
    fn drop(&mut self) {
        self.strangers.present().by_order.remove(&self.order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_come_makes_room_once_his_stay_is_over() {
        let strangers = Strangers::default();
        let ann = strangers.enter("ann");
        let _bob = strangers.enter("bob");
        let _cid = strangers.enter("cid");
        let now = clock::now();
        assert_eq!(strangers.longest(now), None, "everybody may stay for a moment");
        let later = now + STAY;
        drop(ann);
        assert_eq!(strangers.longest(later), Some("bob"), "who signed in or left is no stranger");
        assert_eq!(strangers.longest(later), Some("cid"));
        assert_eq!(strangers.longest(later), None);
    }
}
