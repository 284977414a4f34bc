//! Network trouble: two real clients chat through bad networks.

mod chat;
mod proxy;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use crate::processes::{Place, Profile, Programs, build, program, watch_interrupts};
use chat::{Chat, Outcome};

pub use proxy::{Counts, Proxy, Trouble};

/// Most messages each way.
const MESSAGES_MAX: u32 = 200;

/// Has two people chat through bad networks, and checks that every message arrives once and in order.
///
/// For each trouble it starts a real server and two real clients (`iirs-headless`), each behind a network of its own: a
/// program that passes on UDP datagrams over loopback and does to them what the trouble says, by a seed. They send
/// messages both ways; a partition and a change of address come once a quarter has arrived. All troubles at once.
#[derive(Parser)]
#[command(name = "network", bin_name = "cargo network")]
#[command(after_help = "What the table shows, a line for each trouble:
  messages   that were sent, both ways together
  delivered  that arrived unchanged, each counted once
  doubled    arrivals beyond the first
  disorder   directions in which the order of arrival was not that of sending
  missed     rounds that a client's deposits missed, of both together, while connected
  lost       connections that were lost, and came back by themselves
  datagrams  that the networks lost, of all that they saw
  seconds    until all was delivered and acknowledged

The same seed draws the same luck for the datagrams in their order; when they come is up to the machine.
The exit code is 0 only if every message arrived once and in order. Otherwise it is 1, and the directory with data and
logs stays to be looked at. 2 is for wrong arguments.

Example: cargo network --seed 7 --messages 20")]
struct Arguments {
    /// Messages each way
    #[arg(long, value_name = "N", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(4..=MESSAGES_MAX as i64))]
    messages: u32,

    /// Length of a round in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2000,
        value_parser = clap::value_parser!(u32).range(100..=10_000))]
    round_ms: u32,

    /// What the networks' luck is drawn from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// What happens in the middle of a chat.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Nothing,
    /// Nothing passes for a while.
    Partition(Duration),
    /// One client's address changes, then the other's.
    Move,
}

/// A trouble and its name.
struct Case {
    name: &'static str,
    trouble: Trouble,
    event: Event,
}

/// Returns all troubles.
fn cases() -> Vec<Case> {
    let lossy = |lost| Trouble { lost, ..Trouble::default() };
    let ms = Duration::from_millis;
    let case = |name, trouble, event| Case { name, trouble, event };
    let nothing = Event::Nothing;
    vec![
        case("none", Trouble::default(), nothing),
        case("loss 1 %", lossy(10), nothing),
        case("loss 5 %", lossy(50), nothing),
        case("loss 20 %", lossy(200), nothing),
        case(
            "reordering, 30 % held 20-80 ms",
            Trouble { held: 300, held_for: ms(80), ..Trouble::default() },
            nothing,
        ),
        case(
            "delay 300 ms, jitter 100 ms",
            Trouble { delay: ms(300), jitter: ms(100), ..Trouble::default() },
            nothing,
        ),
        case("partition of 30 s", Trouble::default(), Event::Partition(ms(30_000))),
        case("changes of address", Trouble::default(), Event::Move),
    ]
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    program(|arguments: Arguments| run(&arguments))
}

/// Plays all troubles, each in a thread of its own; returns whether every message arrived once and in order.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let Arguments { messages, round_ms, seed } = *arguments;
    let [server, headless] = build(Profile::Own, ["iirs-server", "iirs-headless"])?;
    let programs = Programs { server, headless };
    let interrupted = watch_interrupts()?;
    let cases = cases();
    let outcomes: Vec<anyhow::Result<Outcome>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(&cases)
            .map(|(number, case)| {
                let (programs, interrupted) = (programs.clone(), Arc::clone(&interrupted));
                let chat = Chat { messages, round_ms, seed: seed.wrapping_mul(1000) + number };
                scope.spawn(move || play(case, &chat, &programs, &interrupted))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked"))))
            .collect()
    });
    println!("{}", Outcome::HEADING);
    let mut perfect = true;
    for (case, outcome) in cases.iter().zip(outcomes) {
        match outcome {
            Ok(outcome) => {
                println!("{:<32}{outcome}", case.name);
                perfect &= outcome.is_perfect();
            }
            Err(error) => {
                println!("{:<32}failed: {error:#}", case.name);
                perfect = false;
            }
        }
    }
    println!("seed {seed}, rounds of {round_ms} ms");
    Ok(perfect)
}

fn play(
    case: &Case,
    chat: &Chat,
    programs: &Programs,
    interrupted: &std::sync::atomic::AtomicBool,
) -> anyhow::Result<Outcome> {
    let mut place = Place::new("network")?;
    let outcome = chat.play(case, programs, &place, interrupted);
    if !outcome.as_ref().is_ok_and(Outcome::is_perfect) {
        eprintln!("\n{}", place.keep());
        eprintln!("cargo network: {}: data and logs stay in {}", case.name, place.path().display());
    }
    outcome
}
