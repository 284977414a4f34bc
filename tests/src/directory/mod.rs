//! A large directory: what a client pays for it in time, bytes, memory and disk.

mod figures;
pub(crate) mod fill;
mod visit;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use clap::Parser;
use tokio::runtime::Runtime;

use crate::processes::{Place, Profile, Programs, Server, build, program, watch_interrupts};
use figures::{Costs, Figures};
use fill::fill;
use visit::Guest;

/// Accounts of the small directory that everything is compared with.
const FEW: u32 = 10;

/// Accounts that are added for the start with a little news.
const NEWS: u32 = 500;

/// People that are looked up, spread over the directory.
const LOOK_UPS: u32 = 1000;

/// Length of a round, in milliseconds.
const ROUND_MS: u32 = 1000;

/// Longest time that the server takes to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// Measures what a directory of many accounts costs a client: time, bytes, memory, disk.
///
/// Builds `iirs-server` and `iirs-headless` in release. Fills a server's data directory with signed records,
/// starts the server on it, and has one person register on a new machine, through a relay that counts every
/// datagram; then come back with nothing new, and once more after 500 accounts were added, which are looked up. The
/// same with a directory of 10, to compare with. 100,000 accounts take about 2 minutes after the build, and 250 MB in
/// the directory for temporary files; no display, no network, no root.
#[derive(Parser)]
#[command(name = "directory", bin_name = "cargo directory")]
#[command(after_help = "What the table shows, a line for each start of the client:
  signed in  seconds from the start of the program until it tells that it has signed in, the directory fetched and
             on its way to the disk; stretching the password is in it, most of it with a directory of 10
  processor  seconds of processor time of the client until then; hardly depends on what else the machine does
  down, up   bytes of UDP payload until then, to the client and to the server
  resident   memory of the client in its first round
  peak       the most it had until then; where at least 64 KiB came, since then. Without that it holds the
             64 MiB that stretching a password takes for a moment

The exit code is 0 if the client has every name, and neither bytes nor memory are out of proportion: at most 300 bytes
down an account, and 256 bytes of resident memory an account over that with a directory of 10, and 16 MiB. Otherwise
it is 1, and the directory with data and logs stays to be looked at. 2 is for wrong arguments. Seconds are only
shown: they are the machine's.

Example: cargo directory --accounts 2000 --json | jq .sync.bytes_down_an_account")]
struct Arguments {
    /// How many accounts the server has before the one that is measured
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(1..=900_000))]
    accounts: u32,

    /// The figures as one JSON object on standard output; progress is on standard error as ever
    #[arg(long)]
    json: bool,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    program(|Arguments { accounts, json }| measure(accounts, json).map(|()| true))
}

fn measure(accounts: u32, json: bool) -> anyhow::Result<()> {
    let [server, headless] = build(Profile::Release, ["iirs-server", "iirs-headless"])?;
    let programs = Programs { server, headless };
    let interrupted = watch_interrupts()?;
    let few = costs(&programs, FEW, &interrupted)?;
    let many = costs(&programs, accounts, &interrupted)?;
    let figures = Figures::new(few, many);
    if json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        println!("{figures}");
    }
    figures.check()
}

/// Measures a directory of one size, in a place of its own.
fn costs(
    programs: &Programs,
    accounts: u32,
    interrupted: &Arc<AtomicBool>,
) -> anyhow::Result<Costs> {
    let mut place = Place::new("directory")?;
    let costs = costs_in(&place, programs, accounts, interrupted);
    if costs.is_err() {
        eprintln!("\n{}", place.keep());
        eprintln!("cargo directory: data and logs stay in {}", place.path().display());
    }
    costs
}

fn costs_in(
    place: &Place,
    programs: &Programs,
    accounts: u32,
    interrupted: &Arc<AtomicBool>,
) -> anyhow::Result<Costs> {
    let runtime = Runtime::new()?;
    let data_dir = place.path().join("server");
    fill(&runtime, &data_dir, 0..accounts, interrupted)?;
    let mut server = Server::start(&programs.server, place, ROUND_MS)?;
    let guest = Guest::new(programs, place, &server, &runtime, interrupted)?;

    progress(&format!("{accounts} accounts: one more registers on a new machine"));
    let (visit, first) = guest.start(accounts, true)?;
    visit.leave()?;
    let disk_bytes = guest.disk_bytes()?;

    progress(&format!("{accounts} accounts: comes back, nothing is new"));
    let (visit, again) = guest.start(accounts, false)?;
    visit.leave()?;

    server.stop(STOPS_WITHIN)?;
    fill(&runtime, &data_dir, accounts..accounts + NEWS, interrupted)?;
    server.restart(place)?;
    progress(&format!("{accounts} accounts: comes back to {NEWS} more, and looks people up"));
    let (mut visit, news) = guest.start(accounts + NEWS, false)?;
    let all = accounts + NEWS;
    let looked_up = all.min(LOOK_UPS);
    let numbers = (0..looked_up).map(|it| u64::from(it) * u64::from(all) / u64::from(looked_up));
    let look_ups_s = visit.look_up(numbers.map(fill::name))?.as_secs_f64();
    let (names, listing) = visit.names()?;
    visit.leave()?;
    server.stop(STOPS_WITHIN)?;
    // the guest is one of them
    let expected = all as usize + 1;
    if names != expected {
        bail!("the client shows {names} names of {expected}");
    }
    let (look_up_ms, listing_s) =
        (look_ups_s * 1000.0 / f64::from(looked_up), listing.as_secs_f64());
    Ok(Costs { accounts, first, again, news, disk_bytes, look_up_ms, listing_s })
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
