//! Attacks on the server's limits, beside people who want their rounds.

mod assault;
mod figures;
mod hostile;
mod initials;
mod kind;

use std::fs;
use std::net::IpAddr;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum as _};

use crate::load::{self, Crowd, Plan, Settings, Stage};
use crate::processes::{
    Place, Process, Profile, Usage, build, cores, forget_peak, program, watch_interrupts,
};
use assault::Done;
use figures::{Outcome, Table};
use kind::Kind;

/// Accounts that the crowd registers before the server is told its usual limit.
const REGISTRATIONS: u32 = 1_000_000;

/// The server's usual limit of registrations an hour from one address.
const REGISTRATIONS_USUAL: u32 = 64;

/// Seats of the server: with them it takes 10,500 connections, more than the attacker must hold at once, and no more
/// than it tries to get.
const SEATS: u32 = 4738;

/// The longest that the server lets somebody be without signing in, in milliseconds: the most that it can be told,
/// so that the attacker's connections stay until they have to make room.
const SIGN_IN_MS: u32 = 120_000;

/// Rounds before the attack in which people are counted, and after it.
const AROUND: u32 = 1;

/// How much longer than its time an attacker may take to begin and to end.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// How often the attacker and the newcomer are looked after.
const GLANCE: Duration = Duration::from_millis(50);

/// Attacks a server in all ways that its limits are for, while people keep their rounds.
///
/// For each attack it starts the real server on an empty directory with its usual limits, has a group of people take
/// seats, and then an attacker, in a process of its own, do one thing for a while, from many addresses of loopback. Everything
/// stays on this machine. The server has the first core; people and attacker share the second, where the attacker has the
/// lowest priority, so that people wait for the server and not for their attacker.
#[derive(Parser)]
#[command(name = "attack", bin_name = "cargo attack")]
#[command(after_help = "What the table shows, a line for each attack:
  attempts, taken   connections that the attacker tried and got; of a flood of packets, the packets
  at once           the most that it held
  served, refused   its requests that the server served, and refused
  rounds kept       of the people's rounds while it lasts: deposits that were in time, and their replies
  p99               milliseconds from the close of a round to the reply, in 99 of 100 cases
  newcomer          seconds that somebody from another address took to register and sign in, from a quarter of the time on
  core              share of its core that the server took
  memory, bound     resident memory of the server at the most, and what its limits allow for this attack

The exit code is 1 if people keep fewer than 99 of 100 rounds, if nobody new gets in, if the server takes more memory
than its limits allow or does not stop in order, and if the attacker did not come to as many connections as it is for; then data and logs stay to be looked at. 2 is for wrong arguments.

Example: cargo attack --seconds 30 --only idle --only garbage")]
struct Arguments {
    /// How long each attack lasts once the attacker holds all connections that it wants
    #[arg(long, value_name = "S", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(3..=600))]
    seconds: u32,

    /// People who keep their rounds
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(2..=1000))]
    people: u32,

    /// Length of a round in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(100..=10_000))]
    round_ms: u32,

    /// Only this attack; may be given several times
    #[arg(long, value_name = "ATTACK")]
    only: Vec<Kind>,

    /// Be the attacker
    #[arg(long, hide = true, requires = "link")]
    be: Option<Kind>,

    /// The server that the attacker attacks
    #[arg(long, hide = true)]
    link: Option<String>,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    program(|arguments: Arguments| {
        let done = match (arguments.be, &arguments.link) {
            (Some(kind), Some(link)) => attack(kind, link, arguments.seconds),
            (Some(_) | None, _) => run(&arguments),
        };
        done.map(|()| true)
    })
}

fn attack(kind: Kind, link: &str, seconds: u32) -> anyhow::Result<()> {
    let done = assault::run(kind, link, Duration::from_secs(seconds.into()))?;
    println!("{}", serde_json::to_string(&done)?);
    Ok(())
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let [server] = build(Profile::Own, ["iirs-server"])?;
    let interrupted = watch_interrupts()?;
    let server_alone = cores::has_two();
    if server_alone {
        cores::keep_on(cores::OTHERS)?;
    } else {
        eprintln!(
            "there is one core only: people wait for their attacker, too, and may miss rounds"
        );
    }
    let mut table = Table::default();
    for &kind in Kind::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(&kind) {
            continue;
        }
        eprintln!("{} for {} s", kind.name(), arguments.seconds);
        let mut place = Place::new("attack")?;
        let settings = Settings {
            kind: load::Kind::Real,
            program: server.clone(),
            clients: arguments.people as usize,
            round_ms: arguments.round_ms,
            server_alone,
            config: Some(place.path().join("iirs.toml")),
        };
        let outcome = endure(kind, arguments, &settings, &place, &interrupted);
        let held = outcome.as_ref().is_ok_and(|outcome| outcome.broken().is_none());
        if !held {
            eprintln!("\n{}", place.keep());
            eprintln!("cargo attack: data and logs stay in {}", place.path().display());
        }
        let outcome = outcome?;
        eprintln!("   {}", outcome.broken().unwrap_or_else(|| "all bounds held".to_owned()));
        table.add(outcome);
    }
    println!("{table}");
    table.check()
}

/// Has a server and its people endure one attack.
fn endure(
    kind: Kind,
    arguments: &Arguments,
    settings: &Settings,
    place: &Place,
    interrupted: &Arc<AtomicBool>,
) -> anyhow::Result<Outcome> {
    let config = settings.config.as_ref().context("the server has no configuration")?;
    fs::write(config, configured(REGISTRATIONS))?;
    let mut stage = Stage::set(settings, place, interrupted.clone())?;
    fs::write(config, configured(REGISTRATIONS_USUAL))?;
    stage.server.reload()?;
    stage.crowd.seat(settings.clients);
    stage.all_reply(Instant::now())?;
    let process = stage.server.process_id()?;
    forget_peak(process)?;
    let before = stage.usage()?;
    let began = Instant::now();
    stage.crowd.count_anew();
    stage.pause(AROUND * stage.round)?;
    let mut attacker = Attacker::start(kind, arguments, &stage, place)?;
    attacker.begins(&stage)?;
    let lasts = Duration::from_secs(arguments.seconds.into());
    let newcomer = newcomer(&stage, lasts / 4);
    let done = attacker.ends(&stage, lasts + ENDS_WITHIN)?;
    let newcomer = newcomer.try_recv().ok();
    stage.pause(AROUND * stage.round)?;
    let tally = stage.crowd.tally();
    let after = Usage::of(process)?;
    let took = began.elapsed().as_secs_f64();
    let core = after.processor.saturating_sub(before.processor).as_secs_f64() / took;
    stage.end()?;
    let resident_max = kind.resident_max(server::listen::connections_max(SEATS));
    Ok(Outcome { kind, done, tally, newcomer, core, resident: after.peak, resident_max })
}

fn configured(registrations_per_hour: u32) -> String {
    format!(
        "registrations_per_hour = {registrations_per_hour}\nseats_max = {SEATS}\nsign_in_ms = {SIGN_IN_MS}\n"
    )
}

/// Has somebody from an address of their own register and sign in after a while; tells how long that takes.
fn newcomer(stage: &Stage, after: Duration) -> Receiver<Duration> {
    let (send, took) = channel();
    let plan = Plan {
        link: stage.server.link().to_owned(),
        clients: 1,
        round: stage.round,
        from: IpAddr::from([127, 0, 0, 9]),
        prefix: "new",
    };
    std::thread::spawn(move || {
        std::thread::sleep(after);
        let began = Instant::now();
        // whoever is refused tries again, as people do
        while Crowd::sign_up(&plan, &mut |_| ()).is_err() {
            std::thread::sleep(GLANCE);
            if began.elapsed() > ENDS_WITHIN {
                return;
            }
        }
        // nobody may want to know any more
        let _ = send.send(began.elapsed());
    });
    took
}

/// The attacker's process.
struct Attacker {
    process: Process,
    lines: Receiver<String>,
}

impl Attacker {
    fn start(
        kind: Kind,
        arguments: &Arguments,
        stage: &Stage,
        place: &Place,
    ) -> anyhow::Result<Self> {
        let word = kind.to_possible_value().context("an attack without a name")?;
        // it inherits the core, and has the lowest priority there
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(std::env::current_exe()?);
        command.args(["--be", word.get_name(), "--link", stage.server.link()]);
        command.args(["--seconds", &arguments.seconds.to_string()]);
        let (send, lines) = channel();
        let hear = move |line: Option<String>| line.into_iter().for_each(|it| drop(send.send(it)));
        Ok(Self { process: Process::start(command, place.log("attacker")?, hear)?, lines })
    }

    /// Waits until it holds what it wants to hold, and its time begins.
    fn begins(&mut self, stage: &Stage) -> anyhow::Result<()> {
        match self.line(stage, assault::FILLS_WITHIN + ENDS_WITHIN)?.as_str() {
            assault::BEGINS => Ok(()),
            line => bail!("the attacker says nonsense: {line}"),
        }
    }

    /// Waits until it ends; returns what it did.
    fn ends(&mut self, stage: &Stage, within: Duration) -> anyhow::Result<Done> {
        let line = self.line(stage, within)?;
        let done = serde_json::from_str(&line).context("the attacker says nonsense")?;
        self.process.ended(ENDS_WITHIN)?;
        Ok(done)
    }

    /// Waits for its next line.
    fn line(&mut self, stage: &Stage, within: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + within;
        loop {
            if let Ok(line) = self.lines.try_recv() {
                return Ok(line);
            }
            if Instant::now() > deadline {
                bail!("the attacker neither begins nor ends");
            }
            stage.pause(GLANCE)?;
        }
    }
}
