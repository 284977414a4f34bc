//! A large store: how soon a server listens on it, and what it holds in memory.

mod fill;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Parser;
use tokio::runtime::Runtime;

use crate::directory::usage::Usage;
use crate::processes::{Profile, build, watch_interrupts};

/// Length of a round, in milliseconds.
const ROUND_MS: u32 = 1000;

const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// Measures a server on a store of many accounts.
#[derive(Parser)]
#[command(name = "store", bin_name = "cargo store")]
struct Arguments {
    /// How many accounts the store has
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accounts: u32,

    /// Directory that the store is filled in, and taken up again from
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            // nothing can be said if the terminal is gone
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    match measure(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo store: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let [program] = build(Profile::Release, ["iirs-server"])?;
    let interrupted = watch_interrupts()?;
    let runtime = Runtime::new()?;
    let began = Instant::now();
    fill::fill(&runtime, &arguments.dir, arguments.accounts, &interrupted)?;
    println!("filled in {:.1} s", began.elapsed().as_secs_f64());
    let _ = (program, Usage::of(std::process::id())?);
    Ok(())
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
