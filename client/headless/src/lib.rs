//! `iirs-headless`: the real client with JSON lines instead of a window, for bots, scripts, tests.
//!
//! ```text
//! standard input ── lines ── command ──┐        ┌── output ── standard output
//!                                      ▼        │
//!                                 run (one loop of select)
//!                                      │        ▲
//!                              Engine.commands  Engine.events
//! ```
//!
//! Invariant: nothing is read as a command before the first sign-in, so that until then a refusal is
//! the only error that can be printed. Invariant: the loop never waits for a slow reader of standard
//! output; a thread of its own writes.

pub mod args;
pub mod command;
pub mod lines;
#[path = "../../../packaging/manual.rs"]
pub mod manual;
pub mod output;
pub mod run;
pub mod secret;
pub mod start;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use clap_complete::Shell;
use client_link::engine::Engine;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use wire::account::Stretching;

use args::Args;
use lines::Lines;
use output::Printer;
use run::Session;
use start::{Refusal, Start};

/// Runs the whole program, from arguments to exit code: 0 done, 1 refused or failed, 2 usage.
///
/// `stretching` is the cost for a new account, and the least that a server may ask for.
pub fn main(stretching: Stretching) -> ExitCode {
    let matches = match Args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(usage) => {
            // A closed standard error leaves the exit code to tell.
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    if let Some(written) = manual(&matches) {
        return match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("iirs-headless: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let args = Args::from_arg_matches(&matches).expect("the same arguments were just checked");
    log_to_stderr(args.log.clone());
    match chat(args, stretching) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(refusal) => {
            // A closed standard output leaves the exit code to tell.
            let _ = output::print_now(&output::error(refusal.code(), &refusal.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Writes the man page or completions, if one of them is asked for; then all else is not.
fn manual(matches: &ArgMatches) -> Option<Result<(), manual::ManualError>> {
    if let Some(dir) = matches.get_one::<PathBuf>("man") {
        return Some(manual::write(Args::command(), dir));
    }
    let shell = matches.get_one::<Shell>("completions")?;
    // Who closes standard output wants no completions.
    let _ = io::stdout().write_all(manual::completions(Args::command(), *shell).as_bytes());
    Some(Ok(()))
}

fn chat(args: Args, stretching: Stretching) -> Result<bool, Refusal> {
    // A descriptor of our own, since the standard library's buffer would keep the password.
    let input = io::stdin().as_fd().try_clone_to_owned().map_err(Refusal::System)?;
    let mut input = Lines::new(File::from(input));
    let Start { options, contacts, linger } = Start::new(args, &mut input, stretching)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Refusal::System)?.block_on(async {
        let stop = stop_signal().map_err(Refusal::System)?;
        let output = Printer::spawn(io::stdout()).map_err(Refusal::System)?;
        let input = lines::spawn(input).map_err(Refusal::System)?;
        let session = Session::new(contacts, linger);
        Ok(run::run(Engine::start(options), input, output, session, stop).await)
    })
}

/// Completes when the system or the terminal asks the program to stop.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    })
}

fn log_to_stderr(chosen: Option<Targets>) {
    let from_environment = || std::env::var("RUST_LOG").ok()?.parse().ok();
    let default = || Targets::new().with_default(args::LOG_DEFAULT);
    let filter = chosen.or_else(from_environment).unwrap_or_else(default);
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .log_internal_errors(false);
    tracing_subscriber::registry().with(filter).with(to_stderr).init();
}
