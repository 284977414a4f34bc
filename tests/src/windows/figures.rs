//! What a window costs: time to its first picture, processor while nobody touches it, memory.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::window::{FirstPicture, Window};

/// Bounds of the design: seconds, percent of a core, megabytes.
const START_BOUND_S: f64 = 0.5;
const IDLE_BOUND_PERCENT: f64 = 1.0;
const MEMORY_BOUND_MB: f64 = 150.0;

/// How far over its bound a figure is no more the fault of a busy machine.
const FAR: f64 = 2.0;

/// Least time over which the processor is measured.
const IDLE: Duration = Duration::from_secs(20);

/// One figure with its bound.
pub(super) struct Figure {
    what: &'static str,
    value: f64,
    bound: f64,
    unit: &'static str,
    remark: String,
}

impl Figure {
    /// Makes that of all starts.
    pub(super) fn start(firsts: &[FirstPicture]) -> Self {
        let told = spread(firsts.iter().map(|it| it.told.as_secs_f64()));
        let there = spread(firsts.iter().map(|it| it.there.as_secs_f64()));
        let remark = format!(
            "median of {} starts, worst {:.2}; by its own word median {:.2}, worst {:.2}",
            firsts.len(),
            there.1,
            told.0,
            told.1,
        );
        let what = "start to first picture on the screen";
        Self { what, value: there.0, bound: START_BOUND_S, unit: "s", remark }
    }

    /// Measures the processor time of both windows over rounds in which nobody touches them, and takes
    /// the higher.
    pub(super) fn idle(windows: [&mut Window; 2]) -> anyhow::Result<Self> {
        let [a, b] = windows;
        let began = Instant::now();
        let before = [ticks(a.process())?, ticks(b.process())?];
        let rounds = a.seen.rounds;
        while began.elapsed() < IDLE {
            let now = a.seen.rounds;
            a.until("a round", IDLE, |seen| seen.rounds > now)?;
        }
        let seconds = began.elapsed().as_secs_f64();
        let used = [ticks(a.process())? - before[0], ticks(b.process())? - before[1]];
        let percent = used.map(|ticks| ticks / ticks_a_second() / seconds * 100.0);
        let (rounds, names) = (a.seen.rounds - rounds, [&a.name, &b.name]);
        let remark = format!(
            "the higher of two over {seconds:.0} s, {rounds} rounds; {} {:.2}, {} {:.2}",
            names[0], percent[0], names[1], percent[1]
        );
        let what = "processor between rounds, untouched";
        let value = percent[0].max(percent[1]);
        Ok(Self { what, value, bound: IDLE_BOUND_PERCENT, unit: "% of a core", remark })
    }

    /// Reads the memory of a window, now and at its peak.
    pub(super) fn memory(window: &Window) -> anyhow::Result<[Self; 2]> {
        let status = fs::read_to_string(format!("/proc/{}/status", window.process()))?;
        let figure = |what, field: &str| -> anyhow::Result<Self> {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kib = line.and_then(|it| it.trim().strip_suffix("kB")).map(str::trim);
            let kib: f64 = kib.and_then(|it| it.parse().ok()).context("no such line in /proc")?;
            let remark = format!("{} of {}’s window", field.trim_end_matches(':'), window.name);
            let value = kib * 1024.0 / 1e6;
            Ok(Self { what, value, bound: MEMORY_BOUND_MB, unit: "MB", remark })
        };
        Ok([figure("resident memory in a chat", "VmRSS:")?, figure("… at its peak", "VmHWM:")?])
    }

    /// Tells whether it is so far over its bound that no busy machine explains it.
    pub(super) fn is_far_over(&self) -> bool {
        self.value > FAR * self.bound
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, bound, unit, remark } = self;
        let verdict = if value <= bound { "ok" } else { "over" };
        write!(f, "{what:<37}{value:>7.2} {unit} (bound {bound} {unit}) {verdict}; {remark}")
    }
}

/// Returns the median and the highest.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at(values.len() / 2), at(values.len().wrapping_sub(1)))
}

/// Returns the processor time of all threads of a process, in the system's ticks.
fn ticks(process: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // the second field is a name in brackets that may have spaces in it
    let (_, fields) = stat.rsplit_once(')').context("no such line in /proc")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    next().zip(next()).map(|(user, system)| user + system).context("no such line in /proc")
}

#[expect(clippy::cast_precision_loss, reason = "there are 100 of them in a second, or 1,000")]
fn ticks_a_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(there_ms: [u64; 3]) -> Figure {
        let first = |ms| FirstPicture { told: Duration::ZERO, there: Duration::from_millis(ms) };
        Figure::start(&there_ms.map(first))
    }

    #[test]
    fn the_median_counts_against_the_bound_and_only_twice_the_bound_fails() {
        for (there_ms, verdict, is_far_over) in [
            ([400, 100, 3000], " ok;", false),
            ([900, 501, 100], " over;", false),
            ([1100, 1001, 100], " over;", true),
        ] {
            let figure = start(there_ms);
            let shown = figure.to_string();
            assert!(shown.contains(verdict) && figure.is_far_over() == is_far_over, "{shown}");
        }
    }

    #[test]
    fn the_processor_time_of_a_process_is_found() {
        let own = ticks(std::process::id()).unwrap();
        assert!(own >= 0.0 && ticks_a_second() >= 1.0);
    }
}
