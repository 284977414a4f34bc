//! What was measured, as a table.

use std::fmt;
use std::time::Duration;

use super::ROUND_MS;
use super::serving::{Scrub, Start};

/// All of it.
pub(super) struct Figures {
    pub(super) accounts: u32,
    /// How long filling took, if it was not full already.
    pub(super) filled: Option<Duration>,
    pub(super) first: Start,
    pub(super) starts: Vec<Start>,
    pub(super) scrub: Scrub,
    /// A start that brings a store of schema version 2 to the newest one.
    pub(super) migration: Start,
    pub(super) disk_bytes: u64,
    pub(super) backup: Option<BackupCost>,
}

/// What a backup costs.
pub(super) struct BackupCost {
    pub(super) made: Duration,
    /// Rounds that the server answered meanwhile.
    pub(super) rounds: u64,
    /// The most memory that the server had until then.
    pub(super) peak: u64,
    pub(super) bytes: u64,
    pub(super) restored: Duration,
    pub(super) checked: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accounts, filled, first, starts, scrub, migration, disk_bytes, backup } = self;
        writeln!(out, "{accounts} accounts, {} MB on the disk", mb(*disk_bytes))?;
        if let Some(filled) = filled {
            writeln!(out, "filled            {:.1} s", filled.as_secs_f64())?;
        }
        writeln!(out, "{:<18}{}", "first start", row(first))?;
        for start in starts {
            writeln!(out, "{:<18}{}", "start", row(start))?;
        }
        let Scrub { took, processor, rounds, left_out, resident, peak } = scrub;
        writeln!(
            out,
            "scrub             {:.1} s ({:.1} s of processor), {} MiB resident at its end, peak {} MiB",
            took.as_secs_f64(),
            processor.as_secs_f64(),
            mib(*resident),
            mib(*peak)
        )?;
        let due = took.as_millis() / u128::from(ROUND_MS);
        writeln!(
            out,
            "                  {rounds} rounds of {due} that were due, {left_out} left out"
        )?;
        writeln!(out, "{:<18}{}", "from version 2", row(migration))?;
        let Some(BackupCost { made, rounds, peak, bytes, restored, checked }) = backup else {
            return Ok(());
        };
        let made_s = made.as_secs_f64();
        writeln!(
            out,
            "backup            {made_s:.1} s, {} MB, {rounds} rounds of 1 s meanwhile",
            mb(*bytes)
        )?;
        writeln!(out, "                  the server's peak {} MiB", mib(*peak))?;
        writeln!(out, "restore           {:.1} s", restored.as_secs_f64())?;
        write!(out, "check             {:.1} s", checked.as_secs_f64())
    }
}

fn row(start: &Start) -> String {
    let Start { listening, processor, resident, peak } = start;
    format!(
        "listening after {:.2} s ({:.2} s of processor), {} MiB resident, peak {} MiB",
        listening.as_secs_f64(),
        processor.as_secs_f64(),
        mib(*resident),
        mib(*peak)
    )
}

fn mb(bytes: u64) -> u64 {
    bytes / 1_000_000
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}
