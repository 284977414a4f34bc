//! Breaking the server: killed with SIGKILL at any moment, again and again, and looked at after each start.

mod account;
mod campaign;
mod chat;
mod damage;
mod disk;
mod faults;
mod journal;
mod victim;
mod visitor;
mod writer;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use rand_core::{OsRng, RngCore as _};

use crate::processes::{Place, Profile, build, program, watch_interrupts};
use campaign::{Campaign, Length, Plan};
use disk::Faults;

/// Kills a server again and again, start-up included, and looks whether it kept what it acknowledged.
///
/// A real `iirs-server` is started and killed with SIGKILL 0 to 2,000 ms later, over and over. Meanwhile clients register,
/// change passwords, store vaults, delete accounts, and two pairs of real clients chat. What they were told is kept
/// outside of the server; whenever it is back they look at what they have first, and every 20 kills at everything.
#[derive(Parser)]
#[command(name = "crash", bin_name = "cargo crash")]
#[command(
    after_help = "It fails if an acknowledged write is missing, one is half there, a start does not succeed, a round number comes
twice, a session is not resumed without a password, or a message is lost, doubled or out of order. Then the exit code is 1,
what to run again is printed, and the directory with data and logs stays. The seed repeats the moments of the kills and
what the clients choose, not how fast this machine is.

What the lines show, all since the beginning:
  kills      how often the server was killed
  writes     acknowledged writes: accounts made and deleted, passwords changed, vaults stored, sessions begun
  resumed    sessions that were taken up again without a password
  in doubt   writes that a kill left without an answer: found to be there, or not, but never half
  looked at  accounts that were read in full and compared
  rounds     different rounds that clients saw open
  words      messages of the chat whose senders know that they arrived"
)]
struct Arguments {
    /// Stop after so many kills
    #[arg(long, value_name = "N", default_value_t = 100)]
    cycles: u32,

    /// Stop after so many seconds instead, and what is under way then
    #[arg(long, value_name = "N", conflicts_with = "cycles")]
    seconds: Option<u64>,

    /// Decides when the server is killed and what the clients do [default: a random one]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// With each kill the power goes: what was not synced is lost, kept or torn. Needs root or fuse3, and /dev/fuse
    #[arg(long)]
    power: bool,

    /// On a disk whose fdatasync does nothing: to see that the harness finds what is lost then, and fails
    #[arg(long, requires = "power")]
    without_fdatasync: bool,

    /// Instead of kills: full and failing disks, limits too low, leftovers, damaged files. Needs what --power needs
    #[arg(long, conflicts_with_all = ["power", "cycles", "seconds"])]
    faults: bool,

    /// How often each file is damaged in each way, with --faults
    #[arg(long, value_name = "N", default_value_t = 20, requires = "faults")]
    tries: u32,
}

/// Runs the whole program, from arguments to exit code: 0 nothing was lost, 1 something was, or it could not run, 2 usage.
pub fn main() -> ExitCode {
    program(|arguments: Arguments| crash(&arguments).map(|()| true))
}

fn crash(arguments: &Arguments) -> anyhow::Result<()> {
    let seed = arguments.seed.unwrap_or_else(|| OsRng.next_u32().into());
    let length = match arguments.seconds {
        Some(seconds) => Length::Time(Duration::from_secs(seconds)),
        None => Length::Kills(arguments.cycles),
    };
    let [program] = build(Profile::Own, ["iirs-server"])?;
    let interrupted = watch_interrupts()?;
    let mut place = Place::new("crash")?;
    println!("seed {seed}");
    if arguments.faults {
        let ran = damage::run(&place, seed, arguments.tries)
            .and_then(|()| faults::run(program, seed, &place, interrupted));
        if ran.is_err() {
            let logs = place.keep();
            eprintln!("\n{logs}--- data and logs stay in {}", place.path().display());
        }
        return ran
            .with_context(|| format!("play it again with `cargo crash --faults --seed {seed}`"));
    }
    let faults = Faults { without_fdatasync: arguments.without_fdatasync, ..Faults::default() };
    let power = arguments.power.then_some(faults);
    let plan = Plan { program, length, seed, power, interrupted };
    let mut campaign = Campaign::new(&plan, &place)?;
    let ran = campaign.run();
    let error = match ran {
        Ok(chat) => {
            println!("{}", campaign.outcome(&chat));
            return Ok(());
        }
        Err(error) => error,
    };
    let kills = campaign.kills().max(1);
    let left = campaign.leave_data();
    drop(campaign);
    // Who switches the sync off knows what comes.
    if arguments.without_fdatasync {
        return Err(error);
    }
    let logs = place.keep();
    eprintln!("\n{logs}--- data and logs stay in {}", place.path().display());
    left.context("but the data could not be left there")?;
    let power = if arguments.power { " --power" } else { "" };
    let again = format!("cargo crash{power} --cycles {kills} --seed {seed}");
    Err(error.context(format!("something is wrong; play it again with `{again}`")))
}
