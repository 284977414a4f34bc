//! A large store: how soon a server listens on it, what it holds in memory, and what scrub, migration and backup cost.

mod figures;
mod fill;
mod serving;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Parser;
use tokio::runtime::Runtime;

use crate::older::make_version_2;
use crate::processes::{Place, Profile, build, program, watch_interrupts};
use figures::{BackupCost, Figures};
use fill::Contents;
use serving::{Serving, Start};

/// Length of a round, in milliseconds.
const ROUND_MS: u32 = 1000;

/// Starts that are measured, after one that reads what was written since the store was opened first.
const STARTS: usize = 3;

/// Measures a server on a store of many accounts: start, memory, scrub, migration, backup, restore, check.
///
/// Builds `iirs-server` in release. Fills a data directory with signed accounts, each with a session token and a
/// vault, starts the server on it several times, waits once until the scrub of the start is through, and has a
/// backup made while it runs, which is restored and checked. At the end the store is made one of schema version 2
/// and started once more. 100,000 accounts take a few minutes after the build and some 3 GB in the directory for
/// temporary files, or in --dir; 1,000,000 ten times as much, or a third of that with --no-vaults --no-backup.
///
/// Targets for 1,000,000 accounts: listening within 2 s, less than 256 MiB resident, no round left out.
#[derive(Parser)]
#[command(name = "store", bin_name = "cargo store")]
#[command(
    after_help = "The exit code is 0 if all of it worked, whatever the figures; 1 if not; 2 for wrong arguments.

Example: cargo store --accounts 1000000 --no-vaults --no-backup --dir /var/tmp/million"
)]
struct Arguments {
    /// How many accounts the store has
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accounts: u32,

    /// Directory that the store is filled in, which stays; one that is full already is taken as it is
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Give the accounts no vaults, which are most of what lies on the disk
    #[arg(long)]
    no_vaults: bool,

    /// Make no backup
    #[arg(long)]
    no_backup: bool,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    program(|arguments: Arguments| measure(&arguments).map(|()| true))
}

fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let [program] = build(Profile::Release, ["iirs-server"])?;
    let interrupted = watch_interrupts()?;
    let place = Place::new("store")?;
    let dir = arguments.dir.clone().unwrap_or_else(|| place.path().join("server"));
    let accounts = arguments.accounts;
    let began = Instant::now();
    let contents = Contents { accounts, vaults: !arguments.no_vaults };
    let filled = fill::fill(&Runtime::new()?, &dir, contents, &interrupted)?;
    let filled = filled.then(|| began.elapsed());
    progress("the first start, which reads what was written since the store was made");
    let first = Serving::start(&program, &dir, &place)?.stop()?;
    let mut starts = Vec::new();
    for number in 1..=STARTS {
        go_on(&interrupted)?;
        progress(&format!("start {number} of {STARTS}"));
        starts.push(Serving::start(&program, &dir, &place)?.stop()?);
    }
    progress("a start, until the store was scrubbed");
    let mut serving = Serving::start(&program, &dir, &place)?;
    let scrub = serving.scrubbed(&interrupted)?;
    serving.stop()?;
    let disk_bytes = bytes_in(&dir)?;
    let backup = if arguments.no_backup {
        None
    } else {
        Some(backup(&program, &dir, &place, &interrupted)?)
    };
    go_on(&interrupted)?;
    progress("a start that brings the same store from schema version 2 to the newest one");
    make_version_2(&dir)?;
    let migration = Serving::start(&program, &dir, &place)?.stop()?;
    let figures = Figures { accounts, filled, first, starts, scrub, migration, disk_bytes, backup };
    println!("{figures}");
    Ok(())
}

/// Has a backup made while the server runs, checks it and restores it.
fn backup(
    program: &Path,
    dir: &Path,
    place: &Place,
    interrupted: &AtomicBool,
) -> anyhow::Result<BackupCost> {
    let file = place.path().join("backup");
    let serving = Serving::start(program, dir, place)?;
    progress("a backup while it runs");
    let before = serving.rounds()?;
    let made = timed(program, &["backup".as_ref(), file.as_os_str()], dir)?;
    let rounds = serving.rounds()? - before;
    let Start { peak, .. } = serving.stop()?;
    let bytes = fs::metadata(&file)?.len();
    go_on(interrupted)?;
    progress("a restore of it");
    let to = place.path().join("restored");
    let restored = timed(program, &["restore".as_ref(), file.as_os_str()], &to)?;
    go_on(interrupted)?;
    progress("a check of what was restored");
    let checked = timed(program, &["check".as_ref()], &to)?;
    Ok(BackupCost { made, rounds, peak, bytes, restored, checked })
}

/// Runs a command on a data directory; returns how long it takes.
fn timed(program: &Path, arguments: &[&std::ffi::OsStr], dir: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let status = Command::new(program).args(arguments).arg("--data-dir").arg(dir).status()?;
    if !status.success() {
        bail!("{arguments:?} failed: {status}");
    }
    Ok(began.elapsed())
}

fn bytes_in(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn progress(text: &str) {
    eprintln!("{text}");
}

/// Fails once the person watching wants to stop.
fn go_on(interrupted: &AtomicBool) -> anyhow::Result<()> {
    if interrupted.load(Ordering::Relaxed) {
        bail!("stopped by a signal");
    }
    Ok(())
}
