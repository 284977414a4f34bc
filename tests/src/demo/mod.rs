//! The demo: real programs, real rounds, a server that is killed in the middle.

mod build;
mod interrupt;
mod screen;
mod show;
mod texts;

use std::process::ExitCode;

use clap::Parser;

use crate::processes::Place;
use screen::Screen;
use show::Show;

/// Shows iirs at work: two people chat through a server that is killed in the middle.
///
/// Builds the real programs, starts a server on this machine with an empty data directory and rounds
/// of 2 seconds, and lets two people, ann and bob, register, open each other and send 20 messages each
/// way, all at once. When half of them have arrived the server is killed with SIGKILL, and started
/// again on the same directory; the chat goes on by itself. Takes about 2 minutes and nothing but this
/// machine: no display, no network, no root.
#[derive(Parser)]
#[command(name = "demo", bin_name = "cargo demo")]
#[command(after_help = "What it shows while it runs:
  round    number of the round that was answered last; each takes 2 seconds
  seats    people in that round; an observer sees that they are there, not whether they talk
  covered  this person takes part in the rounds; not covered: the server is away, which they are told
  arrived  messages that the receiver printed, compared byte for byte with what was typed
  known    messages of which the sender knows that they are on the receiver's disk

The last line is `delivered 40 of 40, lost 0, doubled 0, restarts 1, rounds N`; the exit code is 0 only
if it says exactly that, and every message came in order. Otherwise it is 1, with the true numbers, and
the directory with data and logs stays to be looked at. 2 is for wrong arguments.")]
struct Arguments {
    /// Without windows: the transcript on standard output. For now that is all there is
    #[arg(long)]
    headless: bool,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    let Arguments { headless: _ } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            // nothing can be said if the terminal is gone
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    match play() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds, plays, and tells the outcome; returns whether it is the promised one.
fn play() -> anyhow::Result<bool> {
    let mut screen = Screen::new();
    screen
        .heading("Building the two programs", "the demo runs what you would run, not parts of it");
    let programs = build::programs()?;
    let interrupted = interrupt::watch()?;
    let mut place = Place::new("demo")?;
    let mut show = Show::new(programs, &place, screen, interrupted);
    let played = show.play();
    let outcome = show.end();
    let as_promised = played.is_ok() && outcome.is_as_promised();
    if !as_promised {
        let logs = place.keep();
        eprintln!("\n{logs}");
    }
    if let Err(error) = played {
        eprintln!("cargo demo: {error:#}");
    }
    if !as_promised {
        eprintln!("cargo demo: data and logs stay in {}", place.path().display());
    }
    println!("{outcome}");
    Ok(as_promised)
}
