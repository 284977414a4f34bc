//! What all clients of a crowd went through, added up as it happens.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use wire::round::ServerHeader;

/// The latest reply that is told apart from later ones: a minute, in microseconds.
const LATEST_US: u64 = 60_000_000;

/// The tallies of one crowd.
pub(super) struct Book {
    began: Instant,
    round: Duration,
    pages: Mutex<Pages>,
}

struct Pages {
    members: Vec<Standing>,
    /// When round 0 would have closed, after the book began, in microseconds; the earliest that any client was told.
    schedule_us: Option<i128>,
    measuring: bool,
    replies: Histogram<u64>,
    entered: u64,
    lost: u64,
    trouble: Option<String>,
}

/// How one client stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Standing {
    /// When the last reply to a deposit came.
    last: Option<Instant>,
    /// Replies since counting began.
    kept: u64,
    /// Replies that were due and did not come since then.
    missed: u64,
    /// The longest time between two replies since then.
    longest: Duration,
}

/// What a crowd came to since counting began.
#[derive(Clone, Default)]
pub struct Tally {
    /// Replies to deposits that came.
    pub kept: u64,
    /// Replies that were due and did not come.
    pub missed: u64,
    /// From the close of a round, as it was planned, to its reply: half, 99 in 100 and the latest, in milliseconds.
    pub reply_ms: Quantiles,
}

/// Three places of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// What 99 in 100 are not above.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

impl Quantiles {
    /// Takes them from counts of what is a part of the unit: so many make one.
    pub(super) fn of(counts: &Histogram<u64>, parts: f64) -> Self {
        let at = |quantile| number(counts.value_at_quantile(quantile)) / parts;
        Self { p50: at(0.5), p99: at(0.99), max: number(counts.max()) / parts }
    }
}

impl Tally {
    /// Returns how many replies were due.
    pub(super) fn rounds(&self) -> u64 {
        self.kept + self.missed
    }

    /// Returns the share of rounds that were kept, 1 if none was due.
    pub fn share(&self) -> f64 {
        let due = self.rounds();
        if due == 0 { 1.0 } else { number(self.kept) / number(due) }
    }
}

impl Book {
    /// Opens a book for so many clients and rounds of this length.
    pub(super) fn new(members: usize, round: Duration) -> Self {
        let pages = Pages {
            members: vec![Standing::default(); members],
            schedule_us: None,
            measuring: false,
            replies: Histogram::new_with_max(LATEST_US, 3).expect("the bounds are good ones"),
            entered: 0,
            lost: 0,
            trouble: None,
        };
        Self { began: Instant::now(), round, pages: Mutex::new(pages) }
    }

    /// A client has its session, or has it again.
    pub(super) fn entered(&self) {
        self.pages().entered += 1;
    }

    /// Begins to count, or stops; what was counted stays, and with it what has not come by now and was due.
    pub(super) fn count(&self, begins: bool) {
        let now = Instant::now();
        let mut pages = self.pages();
        pages.measuring = begins;
        if !begins {
            for member in &mut pages.members {
                let silent = member.last.take().map(|last| now.duration_since(last));
                member.missed += silent.map_or(0, |silent| rounds(silent, self.round, 0.5));
            }
        }
    }

    /// Has the gap in which the server was away count for nobody: everybody counts from the next reply.
    pub(super) fn forgive(&self) {
        self.pages().members.iter_mut().for_each(|member| member.last = None);
    }

    /// A client lost its connection, or got none.
    pub(super) fn lost(&self, why: String) {
        let mut pages = self.pages();
        pages.lost += 1;
        pages.trouble = Some(why);
    }

    /// Returns the round of a crowd that keeps its own time.
    pub(super) fn round_at(&self, at: Instant) -> u64 {
        let passed = at.duration_since(self.began).as_micros() / self.round.as_micros();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// Returns when a round of such a crowd begins.
    pub(super) fn starts_at(&self, round: u64) -> Instant {
        self.began + self.round * u32::try_from(round).unwrap_or(u32::MAX)
    }

    /// What was to be sent at `moment` of a round came back. It counts as if all moments were the round's first one.
    pub(super) fn echoed(&self, member: usize, round: u64, moment: Instant) {
        let at = Instant::now();
        let mut pages = self.pages();
        if pages.measuring {
            let late_us = u64::try_from(at.duration_since(moment).as_micros()).unwrap_or(u64::MAX);
            pages.replies.saturating_record(late_us.clamp(1, LATEST_US));
        }
        let measuring = pages.measuring;
        pages.members[member].replied(self.starts_at(round), self.round, measuring);
    }

    /// A frame came; `answers` says whether it holds the reply to this client's deposit.
    pub(super) fn heard(&self, member: usize, at: Instant, header: &ServerHeader, answers: bool) {
        let mut pages = self.pages();
        let at_us = micros(at.duration_since(self.began));
        let round_us = micros(self.round);
        let closes_us = at_us + i128::from(header.closes_ms) * 1000;
        let schedule_us = closes_us - i128::from(header.open.0) * round_us;
        let schedule_us = pages.schedule_us.map_or(schedule_us, |known| known.min(schedule_us));
        pages.schedule_us = Some(schedule_us);
        if !answers {
            return;
        }
        if pages.measuring {
            let due_us = schedule_us + i128::from(header.answered.0) * round_us;
            let late_us = u64::try_from(at_us - due_us).unwrap_or(0).clamp(1, LATEST_US);
            pages.replies.saturating_record(late_us);
        }
        let measuring = pages.measuring;
        pages.members[member].replied(at, self.round, measuring);
    }

    /// Counts from now on, with the schedule that clients are told from now on.
    pub(super) fn count_anew(&self) {
        let mut pages = self.pages();
        pages.measuring = true;
        pages.replies.reset();
        for member in &mut pages.members {
            *member = Standing { last: member.last, ..Standing::default() };
        }
    }

    /// Forgets the schedule, which a server that starts anew sets anew.
    pub(super) fn forget_schedule(&self) {
        self.pages().schedule_us = None;
    }

    /// Adds everything up; what has not come by now, and was due for more than half a round, is missed.
    pub(super) fn tally(&self) -> Tally {
        let now = Instant::now();
        let pages = self.pages();
        let mut tally = Tally::default();
        for member in &pages.members {
            tally.kept += member.kept;
            tally.missed += member.missed;
            if let Some(last) = member.last {
                tally.missed += rounds(now.duration_since(last), self.round, 0.5);
            }
        }
        tally.reply_ms = Quantiles::of(&pages.replies, 1000.0);
        tally
    }

    /// Returns the replies that were due and came more than a quarter of a round late or not at all in the longest
    /// gap of each client that ever had one, sorted.
    pub(super) fn gaps(&self) -> Vec<u64> {
        let now = Instant::now();
        let pages = self.pages();
        let gap = |member: &Standing| {
            let since = now.duration_since(member.last?);
            Some(rounds(member.longest.max(since), self.round, 0.25))
        };
        let mut gaps: Vec<_> = pages.members.iter().filter_map(gap).collect();
        gaps.sort_unstable();
        gaps
    }

    /// Counts clients that got a reply since `since`.
    pub(super) fn replied_since(&self, since: Instant) -> usize {
        let pages = self.pages();
        pages.members.iter().filter(|it| it.last.is_some_and(|last| last >= since)).count()
    }

    /// Returns how many sessions were given, how many connections lost, and why the last one was.
    pub(super) fn connections(&self) -> (u64, u64, Option<String>) {
        let pages = self.pages();
        (pages.entered, pages.lost, pages.trouble.clone())
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn replied(&mut self, at: Instant, round: Duration, measuring: bool) {
        if let Some(last) = self.last.filter(|_| measuring) {
            let gap = at.duration_since(last);
            self.missed += rounds(gap, round, 0.5);
            self.longest = self.longest.max(gap);
        }
        self.kept += u64::from(measuring);
        self.last = Some(at);
    }
}

/// Counts the replies that were due in the time between two others, each a round after the last; one that is as late
/// as `slack` rounds is not missed yet.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small number of rounds, not below zero"
)]
fn rounds(gap: Duration, round: Duration, slack: f64) -> u64 {
    let due = (gap.as_secs_f64() / round.as_secs_f64() - slack).ceil() - 1.0;
    due.max(0.0) as u64
}

fn micros(duration: Duration) -> i128 {
    i128::try_from(duration.as_micros()).unwrap_or(i128::MAX / 4)
}

/// Takes a count into arithmetic of figures.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(2);

    #[test]
    fn what_was_due_between_two_replies_is_missed() {
        let secs = Duration::from_secs_f64;
        for (gap, missed) in [(1.9, 0), (2.0, 0), (2.9, 0), (3.1, 1), (4.9, 1), (5.1, 2), (7.0, 2)]
        {
            assert_eq!(rounds(secs(gap), ROUND, 0.5), missed, "{gap}");
        }
        for (gap, missed) in [(2.4, 0), (2.6, 1), (4.4, 1), (4.65, 2)] {
            assert_eq!(rounds(secs(gap), ROUND, 0.25), missed, "{gap}");
        }
    }

    #[test]
    fn a_client_counts_from_its_first_reply() {
        let mut standing = Standing::default();
        let began = Instant::now();
        standing.replied(began, ROUND, false);
        standing.replied(began + 2 * ROUND, ROUND, true);
        standing.replied(began + 3 * ROUND, ROUND, true);
        assert_eq!((standing.kept, standing.missed, standing.longest), (2, 1, 2 * ROUND));
    }

    /// As when servers take turns: who was not answered at the end of one comes back in the next.
    #[test]
    fn what_was_missed_when_counting_stopped_stays_missed() {
        let book = Book::new(2, ROUND);
        book.count(true);
        let now = Instant::now();
        for (member, silent) in [(0, 5), (1, 0)] {
            book.pages().members[member].last = Some(now - silent * ROUND - ROUND / 4);
        }
        assert_eq!(book.tally().missed, 4);
        book.count(false);
        assert_eq!(book.tally().missed, 4, "and not once more");
        book.pages().members[0].replied(now, ROUND, false);
        book.count(true);
        assert_eq!((book.tally().missed, book.tally().kept), (4, 0));
    }

    #[test]
    fn a_reply_is_late_by_the_earliest_schedule_that_anybody_heard() {
        let book = Book::new(2, ROUND);
        book.count_anew();
        let at = |ms: u64| book.began + Duration::from_millis(ms);
        let header = |open: u64, closes_ms: u32| ServerHeader {
            slots: 2,
            closes_ms,
            open: wire::ids::Round(open),
            answered: wire::ids::Round(open - 1),
            seats: 2,
            directory_length: 2,
            buckets: 1,
        };
        book.heard(0, at(100), &header(7, 1900), true);
        book.heard(1, at(400), &header(7, 1900), true);
        let Tally { kept, missed, reply_ms } = book.tally();
        assert_eq!((kept, missed), (2, 0));
        assert!((reply_ms.max - 400.0).abs() < 1.0, "{reply_ms:?}");
        assert!((reply_ms.p50 - 100.0).abs() < 1.0, "{reply_ms:?}");
    }
}
