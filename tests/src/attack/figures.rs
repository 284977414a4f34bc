//! What attacks came to.

use std::fmt;
use std::time::Duration;

use anyhow::bail;

use super::assault::Done;
use super::kind::Kind;
use crate::load::Tally;

/// The least share of their rounds that people keep.
const KEPT_MIN: f64 = 0.99;

const MIB: u64 = 1 << 20;

/// What one attack came to.
pub(super) struct Outcome {
    pub(super) kind: Kind,
    pub(super) done: Done,
    pub(super) tally: Tally,
    pub(super) newcomer: Option<Duration>,
    pub(super) core: f64,
    pub(super) resident: u64,
    pub(super) resident_max: u64,
}

/// What all attacks came to.
#[derive(Default)]
pub(super) struct Table(Vec<Outcome>);

impl Outcome {
    /// Says which bound is broken, if one is.
    pub(super) fn broken(&self) -> Option<String> {
        let Self { kind, done, tally, newcomer, core: _, resident, resident_max } = self;
        let name = kind.name();
        if done.attempts == 0 {
            return Some(format!("{name}: the attacker did nothing"));
        }
        let (most, least) = (done.most, kind.held_min());
        if most < least {
            return Some(format!(
                "{name}: the attacker held {most} connections at once; {least} are an attack"
            ));
        }
        if newcomer.is_none() {
            return Some(format!("{name}: somebody new did not get in while it lasted"));
        }
        if tally.share() < KEPT_MIN {
            let percent = 100.0 * tally.share();
            return Some(format!(
                "{name}: people kept {percent:.2} % of their rounds; 99 is the least"
            ));
        }
        if resident > resident_max {
            let [is, most] = [resident, resident_max].map(|bytes| bytes / MIB);
            return Some(format!("{name}: the server took {is} MiB; {most} is the most"));
        }
        None
    }
}

impl Table {
    pub(super) fn add(&mut self, outcome: Outcome) {
        self.0.push(outcome);
    }

    /// Fails if a bound is broken.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let broken: Vec<_> = self.0.iter().filter_map(Outcome::broken).collect();
        if !broken.is_empty() {
            bail!("{}", broken.join("; "));
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<32}{:>9}{:>9}{:>9}{:>9}{:>9}{:>15}{:>9}{:>10}{:>7}{:>10}{:>10}",
            "attack",
            "attempts",
            "taken",
            "at once",
            "served",
            "refused",
            "rounds kept",
            "p99",
            "newcomer",
            "core",
            "memory",
            "bound"
        )?;
        for outcome in &self.0 {
            write!(f, "\n{outcome}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, done, tally, newcomer, core, resident, resident_max } = self;
        let Done { attempts, taken, served, refused, most } = done;
        let kept = format!("{} of {}", tally.kept, tally.kept + tally.missed);
        let newcomer =
            newcomer.map_or_else(|| "none".to_owned(), |it| format!("{:.1} s", it.as_secs_f64()));
        let [resident, bound] =
            [resident, resident_max].map(|bytes| format!("{} MiB", bytes / MIB));
        write!(
            f,
            "{:<32}{attempts:>9}{taken:>9}{most:>9}{served:>9}{refused:>9}{kept:>15}{:>6.0} ms{newcomer:>10}{:>5.0} %{resident:>10}{bound:>10}",
            kind.name(),
            tally.reply_ms.p99,
            100.0 * core
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_can_be_broken() {
        let good = || Outcome {
            kind: Kind::Slow,
            done: Done { attempts: 1, most: 1_000, ..Done::default() },
            tally: Tally { kept: 990, missed: 10, ..Tally::default() },
            newcomer: Some(Duration::from_secs(1)),
            core: 0.5,
            resident: 100 * MIB,
            resident_max: 100 * MIB,
        };
        let broken = |change: &dyn Fn(&mut Outcome)| {
            let mut outcome = good();
            change(&mut outcome);
            outcome.broken().unwrap_or_default()
        };
        assert_eq!(broken(&|_| ()), "");
        assert!(broken(&|it| it.done.attempts = 0).contains("nothing"));
        assert!(broken(&|it| it.done.most = 949).contains("held 949"));
        assert!(broken(&|it| it.newcomer = None).contains("new"));
        assert!(broken(&|it| it.tally.missed = 11).contains("98.90 %"));
        assert!(broken(&|it| it.resident = 101 * MIB).contains("101 MiB"));
    }
}
