//! When the window locks by itself: nobody pressed a key or moved the mouse for long enough.
//!
//! Two clocks are watched: one that stands still while the machine sleeps, and that of the day, which goes on; so a machine
//! that wakes up after longer than the limit is locked before anything is seen.

use std::time::Duration;

use iced::advanced::subscription::{Event, EventStream, Hasher, Recipe, from_recipe};
use iced::futures::StreamExt as _;
use iced::futures::future::ready;
use iced::futures::stream::BoxStream;
use iced::{Event as Input, Subscription};

use crate::clock::{self, Now};

/// How often input is noticed at most: more of it changes nothing.
const NOTICED_EVERY: Duration = Duration::from_secs(1);

/// Since when nobody was there.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    since: Now,
}

impl Idle {
    /// Begins with somebody who is there.
    pub fn new(now: Now) -> Self {
        Self { since: now }
    }

    /// Somebody is there, unless nobody was for the limit: what moved the mouse then may be anybody.
    pub fn input(&mut self, now: Now, limit: Option<Duration>) {
        if !self.is_over(now, limit) {
            self.since = now;
        }
    }

    /// Tells whether nobody was there for the limit.
    pub fn is_over(&self, now: Now, limit: Option<Duration>) -> bool {
        let Some(limit) = limit else { return false };
        let awake = now.at.saturating_duration_since(self.since.at);
        let by_day = Duration::from_millis(now.unix_ms.saturating_sub(self.since.unix_ms));
        awake >= limit || by_day >= limit
    }
}

/// Tells whenever a key was pressed or the mouse moved, once a second at most.
pub fn inputs() -> Subscription<()> {
    from_recipe(Inputs)
}

struct Inputs;

impl Recipe for Inputs {
    type Output = ();

    fn hash(&self, state: &mut Hasher) {
        use std::hash::Hash as _;
        std::any::TypeId::of::<Self>().hash(state);
    }

    fn stream(self: Box<Self>, input: EventStream) -> BoxStream<'static, ()> {
        let mut noticed = None;
        input
            .filter_map(move |event| {
                let now = clock::now().at;
                let is_new = noticed.is_none_or(|at| now.duration_since(at) >= NOTICED_EVERY);
                let is_noticed = is_new && is_somebody(&event);
                if is_noticed {
                    noticed = Some(now);
                }
                ready(is_noticed.then_some(()))
            })
            .boxed()
    }
}

fn is_somebody(event: &Event) -> bool {
    match event {
        Event::Interaction { event, .. } => match event {
            Input::Keyboard(_) | Input::Mouse(_) | Input::Touch(_) | Input::InputMethod(_) => true,
            Input::Window(_) => false,
        },
        Event::SystemThemeChanged(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_secs(60));

    fn at(start: Instant, awake_s: u64, by_day_s: u64) -> Now {
        Now { at: start + Duration::from_secs(awake_s), unix_ms: 1_000_000 + by_day_s * 1000 }
    }

    #[test]
    fn it_is_over_when_either_clock_says_so_and_never_without_a_limit() {
        let start = Instant::now();
        let idle = Idle::new(at(start, 0, 0));
        assert!(!idle.is_over(at(start, 59, 59), LIMIT));
        assert!(idle.is_over(at(start, 60, 60), LIMIT));
        assert!(idle.is_over(at(start, 1, 3600), LIMIT), "it slept");
        assert!(idle.is_over(at(start, 61, 0), LIMIT), "the clock of the day stood still");
        assert!(!idle.is_over(at(start, 9999, 9999), None));
        let before = Now { unix_ms: 0, ..at(start, 1, 0) };
        assert!(!idle.is_over(before, LIMIT), "a clock that was put back locks nothing");
    }

    #[test]
    fn who_is_there_puts_it_off_and_who_comes_too_late_does_not() {
        let start = Instant::now();
        let mut idle = Idle::new(at(start, 0, 0));
        idle.input(at(start, 50, 50), LIMIT);
        assert!(!idle.is_over(at(start, 100, 100), LIMIT));
        idle.input(at(start, 110, 9000), LIMIT);
        assert!(
            idle.is_over(at(start, 110, 9000), LIMIT),
            "the mouse that wakes it unlocks nothing"
        );
    }

    #[test]
    fn of_much_input_little_is_noticed() {
        let window = iced::window::Id::unique();
        let moved = |x| Event::Interaction {
            window,
            event: Input::Mouse(iced::mouse::Event::CursorMoved {
                position: iced::Point::new(x, 0.0),
            }),
            status: iced::event::Status::Ignored,
        };
        let events = iced::futures::stream::iter([
            Event::SystemThemeChanged(iced::theme::Mode::Dark),
            moved(1.0),
            moved(2.0),
            moved(3.0),
        ]);
        let noticed = Box::new(Inputs).stream(events.boxed()).collect::<Vec<()>>();
        assert_eq!(iced::futures::executor::block_on(noticed).len(), 1);
    }
}
