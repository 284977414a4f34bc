//! The demo: real programs, real rounds, a server that is killed in the middle.

mod calls;
mod screen;
mod show;
mod stage;
mod texts;
mod windowed;

use std::process::ExitCode;

use clap::Parser;

use crate::processes::{Place, Profile, Programs, build, program, watch_interrupts};
use screen::Screen;
use stage::Stage;
use windowed::Windowed;

/// Shows iirs at work, with windows where there is a display, and without them elsewhere.
///
/// On a display it builds `iirs-server` and the window `iirs`, starts a server on this machine with an
/// empty data directory and rounds of 2 seconds, and opens the windows of two people, ann and bob, side by
/// side: chat with yourself. It ends when both windows are closed, or with Ctrl+C, and leaves nothing behind.
///
/// Without a display, or with --headless, it plays a transcript: ann and bob register, open each
/// other and send 20 messages each way, all at once. When half of them have arrived the server is killed
/// with SIGKILL, and started again on the same directory; the chat goes on by itself. Takes about
/// 2 minutes and nothing but this machine: no display, no network, no root.
///
/// With --headless --call the transcript has a third person: ann calls bob, who expects nobody and accepts;
/// while they talk cid calls bob, who accepts, too, and all three go on, across a kill of the server. Rounds
/// last 1 second, all of it about one minute.
#[derive(Parser)]
#[command(name = "demo", bin_name = "cargo demo")]
#[command(after_help = "What the transcript shows while it runs:
  round    number of the round that was answered last; each takes 2 seconds, with --call 1
  seats    people in that round; an observer sees that they are there, not whether they talk
  covered  this person takes part in the rounds; not covered: the server is away, which they are told
  arrived  messages that the receiver printed, compared byte for byte with what was typed
  known    messages of which the sender knows that they are on the receiver's disk
  rings    with --call: the rounds from a call to its ringing, and to the answer. A call goes out in a dial
           round, every fifth, and rings in the same or the next one

Its last line is `delivered 40 of 40, lost 0, doubled 0, restarts 1, rounds N`, with --call
`delivered 24 of 24, lost 0, doubled 0, calls 2, restarts 1, rounds N`; the exit code is 0 only
if it says exactly that, and every message came in order. Otherwise it is 1, with the true numbers, and
the directory with data and logs stays to be looked at. 2 is for wrong arguments.

With windows the exit code is 0 if they opened and were closed; what ann and bob write is up to you.")]
struct Arguments {
    /// Without windows, display or not: the transcript on standard output
    #[arg(long)]
    headless: bool,

    /// A third person calls one of two who are talking; needs --headless
    #[arg(long, requires = "headless")]
    call: bool,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    program(|Arguments { headless, call }| match headless || !has_display() {
        true => play(call),
        false => open_windows().map(|()| true),
    })
}

/// Tells whether programs can open windows, as far as the environment says.
fn has_display() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"]
        .iter()
        .any(|it| std::env::var_os(it).is_some_and(|it| !it.is_empty()))
}

/// Builds, opens the windows, and waits until they are closed.
fn open_windows() -> anyhow::Result<()> {
    let mut screen = Screen::new();
    let why = "there is a display; without one, or with --headless, this plays a transcript";
    screen.heading("Building server and window", why);
    let programs = build(Profile::Own, ["iirs-server", "iirs"])?;
    let interrupted = watch_interrupts()?;
    let mut place = Place::new("demo")?;
    let watched = Windowed::start(&programs, &place, screen)
        .and_then(|windowed| windowed.watch(&interrupted));
    if watched.is_err() {
        let logs = place.keep();
        eprintln!("\n{logs}");
        eprintln!("cargo demo: data and logs stay in {}", place.path().display());
    }
    watched
}

/// Builds, plays, and tells the outcome; returns whether it is the promised one.
fn play(call: bool) -> anyhow::Result<bool> {
    let mut screen = Screen::new();
    screen
        .heading("Building the two programs", "the demo runs what you would run, not parts of it");
    let [server, headless] = build(Profile::Own, ["iirs-server", "iirs-headless"])?;
    let programs = Programs { server, headless };
    let interrupted = watch_interrupts()?;
    let mut place = Place::new("demo")?;
    let promise = if call { calls::PROMISE } else { show::PROMISE };
    let mut stage = Stage::new(promise, programs, &place, screen, interrupted);
    let played = if call { calls::play(&mut stage) } else { show::play(&mut stage) };
    let outcome = stage.end();
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
