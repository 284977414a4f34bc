//! Load: a real server as a process of its own, and a crowd of real clients in this one.

mod book;
mod client;
mod crowd;
mod figures;
mod hold;
mod stage;
mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::processes::{Place, Profile, build, cores, program, watch_interrupts};

pub use book::{Quantiles, Tally};

pub(crate) use crowd::socket;
pub use crowd::{Crowd, Plan};
pub use stage::{Settings, Stage};

/// Most clients of one run.
const CLIENTS_MAX: u32 = 20_000;

/// Most rounds of one run.
const ROUNDS_MAX: u32 = 1_800;

/// Measures what a server costs with many clients in the rounds, and how it takes being restarted.
///
/// Starts the real server as a process of its own on an empty data directory, registers clients (with the cheapest
/// stretching of their password), has them take seats by their tokens, and holds them in rounds: real QUIC, real
/// deposits of cover, and a look at each reply. Everything stays on the loopback interface. With two cores the server has the
/// first and the clients have the second; with one they share it, and figures of time say little.
#[derive(Parser)]
#[command(name = "load", bin_name = "cargo load")]
#[command(
    after_help = "Progress goes to standard error, and at the end one JSON object to standard output (and to --json F):
  clients, rounds          what was asked for
  missed                   replies that were due and did not come, of all clients together
  cpu_us_per_client_round  processor time of the server, microseconds
  rss_bytes_per_client     memory of the server, from half of the clients to all of them, by client
  reply_ms                 from the planned close of a round to its reply: p50, p99, max
  handshakes_per_s         connections made and sessions taken up again by token, a second, as fast as they go

With --upgrade the server is stopped with SIGTERM at several moments of a round and a new one started on the same
directory and port, then the same with SIGKILL; the table shows the rounds that each client missed. The exit code is 1
if 99 in 100 clients did not miss at most 2 when it was stopped with SIGTERM.

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

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let [server] = build(Profile::Own, ["iirs-server"])?;
    let interrupted = watch_interrupts()?;
    let server_alone = cores::has_two();
    if server_alone {
        cores::keep_on(cores::OTHERS)?;
    }
    let mut place = Place::new("load")?;
    let settings = Settings {
        program: server,
        clients: arguments.clients as usize,
        round_ms: arguments.round_ms,
        server_alone,
        config: None,
    };
    let stage = Stage::set(&settings, &place, interrupted);
    let done = stage.and_then(|mut stage| {
        let figures = if arguments.upgrade {
            upgrade::measure(&mut stage, &place)
        } else {
            hold::measure(&mut stage, arguments.rounds)
        }?;
        stage.end()?;
        Ok(figures)
    });
    let figures = done.inspect_err(|_| {
        eprintln!("\n{}", place.keep());
        eprintln!("cargo load: data and logs stay in {}", place.path().display());
    })?;
    println!("{figures}");
    let json = serde_json::to_string(&figures)?;
    println!("{json}");
    if let Some(file) = &arguments.json {
        std::fs::write(file, format!("{json}\n"))?;
    }
    figures.check()
}
