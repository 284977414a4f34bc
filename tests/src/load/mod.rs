//! Load: a real server as a process of its own, and a crowd of real clients in this one.

mod bare;
mod book;
mod client;
mod crowd;
mod delivery;
mod figures;
mod hold;
mod stage;
mod storm;
mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::Parser;

use crate::processes::{Place, Profile, build, cores, program, watch_interrupts};
use figures::{Compared, Figures, Storms};

pub use book::{Quantiles, Tally};

pub(crate) use crowd::socket;
pub use crowd::{Crowd, Plan};
pub use stage::{Kind, Settings, Stage};

/// Most clients of one run.
const CLIENTS_MAX: u32 = 20_000;

/// Most rounds of one run.
const ROUNDS_MAX: u32 = 1_800;

/// Measures what a server costs with many clients in the rounds, and how it takes being restarted.
///
/// Starts the real server as a process of its own on an empty data directory, registers clients (with the cheapest
/// stretching of their password), has them take seats by their tokens, and holds them in rounds: real QUIC, real
/// deposits of cover, and a look at each reply. Beside them one pair for a hundred clients, at most 16, talks all the
/// time: real engines with profiles on disk. Everything stays on the loopback interface. With two cores the server has
/// the first and the clients have the second; with one they share it, and figures of time say little.
#[derive(Parser)]
#[command(name = "load", bin_name = "cargo load")]
#[command(
    after_help = "Progress goes to standard error, and at the end one JSON object to standard output (and to --json F):
  clients, rounds          what was asked for
  missed                   replies that were due and did not come, of all clients together
  cpu_us_per_client_round  processor time of the server, microseconds
  rss_bytes_per_client     memory of the server, from a tenth of the clients to all of them, by client
  rss_bytes, ..._grown     memory at the end, and what it grew by while rounds were measured
  reply_ms                 from the planned close of a round to its reply: p50, p99, max
  delivery_rounds          from a message typed, at the moment drawn for it, to shown at the peer, in lengths of a round:
                           p50, p99, max
  pairs, messages          pairs that talked, and what they typed while rounds were measured
  undelivered              messages not shown 10 rounds after that; they count as if they had been shown by then
  handshakes_per_s         connections made and sessions taken up again by token, a second, as fast as they go

With --bare the server is plain quinn with the same settings, which sends each frame back: the floor. With --compare
the clients are in turns with the server and with plain quinn, a fifth of the rounds each time, and the JSON has
bare_cpu_us_per_client_round and ratio, the median of the five turns, with the least and the greatest.

Each of those who talk types a message that fits one cell every one to three rounds, at any moment of a round. They come
on top of the clients: the server's processor time is divided by their rounds, too; clients, missed and the memory of a
client are without them. With --compare they stay in the server's rounds all the time, and what they type in its turns
counts. Nobody talks with --bare, --storm and --upgrade.

With --storm the server is killed and started again with everybody in the rounds, then the same with plain quinn;
the figures say how everybody comes back.

With --upgrade the server is stopped with SIGTERM at several moments of a round and a new one started on the same
directory and port, then the same with a store of the schema before the newest, which the new one migrates, and then with
SIGKILL; the table shows the rounds that each client missed. The exit code is 1 if 99 in 100 clients did not miss at most 2
when it was stopped with SIGTERM.

Exit codes: 0 done, 1 failed or missed its bound, 2 wrong use. Example: cargo load --clients 1000 --rounds 30"
)]
struct Arguments {
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(2..=CLIENTS_MAX as i64))]
    clients: u32,

    /// Rounds that are measured, after two in which all have a seat
    #[arg(long, value_name = "R", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=ROUNDS_MAX as i64))]
    rounds: u32,

    /// Length of a round in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2000,
        value_parser = clap::value_parser!(u32).range(100..=10_000))]
    round_ms: u32,

    /// Measure plain quinn in place of the server
    #[arg(long, conflicts_with_all = ["compare", "storm", "upgrade"])]
    bare: bool,

    /// Measure plain quinn beside the server, and the ratio
    #[arg(long, conflicts_with_all = ["storm", "upgrade"])]
    compare: bool,

    /// Kill the server, and measure how everybody comes back
    #[arg(long, conflicts_with_all = ["rounds", "upgrade"])]
    storm: bool,

    /// Restart the server under load, and show the rounds that each client missed
    #[arg(long, conflicts_with = "rounds")]
    upgrade: bool,

    /// Write the JSON object into a file, too
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    program(|arguments: Arguments| run(&arguments).map(|()| true))
}

/// Runs the floor's server.
pub fn bare() -> ExitCode {
    bare::serve()
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let [real, bare] = build(Profile::Own, ["iirs-server", "bare"])?;
    let interrupted = watch_interrupts()?;
    let server_alone = cores::has_two();
    if server_alone {
        cores::keep_on(cores::OTHERS)?;
    }
    let scene = Scene { arguments, programs: (real, bare), interrupted, server_alone };
    let figures = scene.play()?;
    println!("{figures}");
    let json = serde_json::to_string(&figures)?;
    println!("{json}");
    if let Some(file) = &arguments.json {
        std::fs::write(file, format!("{json}\n"))?;
    }
    figures.check()
}

/// What all stages of a run are set with.
struct Scene<'a> {
    arguments: &'a Arguments,
    programs: (PathBuf, PathBuf),
    interrupted: Arc<AtomicBool>,
    server_alone: bool,
}

impl Scene<'_> {
    fn play(&self) -> anyhow::Result<Figures> {
        let &Arguments { rounds, bare, compare, storm, upgrade, .. } = self.arguments;
        if upgrade {
            return self.with(&[Kind::Real], |stages, places| {
                Ok(Figures::Restarted(upgrade::measure(&mut stages[0], &places[0])?))
            });
        }
        if storm {
            let stormed = |kind| {
                self.with(&[kind], |stages, places| storm::measure(&mut stages[0], &places[0]))
            };
            return Ok(Figures::Stormed(Storms::new(stormed(Kind::Real)?, stormed(Kind::Bare)?)));
        }
        let kinds: &[_] = match (compare, bare) {
            (true, _) => &[Kind::Real, Kind::Bare],
            (false, true) => &[Kind::Bare],
            (false, false) => &[Kind::Real],
        };
        let held = self.with(kinds, |stages, places| hold::measure(stages, places, rounds))?;
        let mut held = held.into_iter();
        let first = held.next().context("nothing was measured")?;
        Ok(match held.next() {
            Some(bare) => Figures::Compared(Compared::new(first, &bare)),
            None => Figures::Held(first),
        })
    }

    /// Sets stages, has something measured on them, and takes them down; their data stay if it fails.
    fn with<T>(
        &self,
        kinds: &[Kind],
        measure: impl FnOnce(&mut [Stage], &[Place]) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut places = Vec::new();
        let mut stages = Vec::new();
        let done = (|| {
            for &kind in kinds {
                let (program, name) = match kind {
                    Kind::Real => (&self.programs.0, "load"),
                    Kind::Bare => (&self.programs.1, "load-bare"),
                };
                let settings = Settings {
                    kind,
                    program: program.clone(),
                    clients: self.arguments.clients as usize,
                    round_ms: self.arguments.round_ms,
                    server_alone: self.server_alone,
                    config: None,
                };
                places.push(Place::new(name)?);
                let place = places.last().context("there is a place")?;
                stages.push(Stage::set(&settings, place, self.interrupted.clone())?);
            }
            let measured = measure(&mut stages, &places)?;
            stages.drain(..).try_for_each(Stage::end)?;
            Ok(measured)
        })();
        done.inspect_err(|_| {
            for place in &mut places {
                eprintln!("\n{}", place.keep());
                eprintln!("cargo load: data and logs stay in {}", place.path().display());
            }
        })
    }
}
