//! A server and its crowd, set up and watched.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::delivery::PEOPLE_MAX;
use super::{Crowd, Plan};
use crate::processes::{Place, Server, Usage, cores};

/// Seats of the server, if there are fewer clients: the default.
const SEATS: usize = 4096;

/// The longest that everybody may take to get the reply to a deposit, beside the time that the handshakes take.
const SEATED_WITHIN: Duration = Duration::from_secs(60);

/// Clients whose handshakes take a second, on a machine that is busy with others.
const HANDSHAKES_A_SECOND: usize = 50;

/// How often it is looked and told how far it is.
pub(super) const GLANCE: Duration = Duration::from_millis(20);
const GLANCE_SHORT: Duration = Duration::from_millis(5);
pub(super) const TOLD_EVERY: Duration = Duration::from_secs(2);

/// The longest that a server takes to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(8);

/// Which server stands on a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The real one.
    Real,
    /// The floor.
    Bare,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "the server",
            Self::Bare => "bare quinn",
        })
    }
}

/// How a stage is set.
pub struct Settings {
    /// Which server it is.
    pub kind: Kind,
    /// `iirs-server`, or the same under another name.
    pub program: PathBuf,
    /// Clients of the crowd.
    pub clients: usize,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
    /// Whether the server has a core of its own.
    pub server_alone: bool,
    /// The server's configuration file, in place of settings that let the crowd in.
    pub config: Option<PathBuf>,
}

/// A server on its own core, if there are two, and a crowd that is signed up.
pub struct Stage {
    /// The server.
    pub server: Server,
    /// The crowd.
    pub crowd: Crowd,
    /// Which server it is.
    pub kind: Kind,
    /// Length of a round.
    pub round: Duration,
    interrupted: Arc<AtomicBool>,
}

impl Stage {
    /// Starts a server on an empty directory of the place and signs everybody up.
    pub fn set(
        settings: &Settings,
        place: &Place,
        interrupted: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let Settings { kind, program, clients, round_ms, server_alone, config } = settings;
        let mut server = Server::prepared(program, place, *round_ms);
        if let Some(config) = config {
            server.and("--config").and(&config.to_string_lossy());
        } else {
            let seats = (*clients + PEOPLE_MAX).max(SEATS).to_string();
            server.and("--seats-max").and(&seats);
            if *kind == Kind::Real {
                server.and("--registrations-per-hour").and("1000000");
            }
        }
        if *server_alone {
            server.keep_on_core(cores::SERVER);
        }
        server.restart(place)?;
        let round = Duration::from_millis((*round_ms).into());
        let plan = Plan {
            link: server.link().to_owned(),
            clients: *clients,
            round,
            from: [127, 0, 0, 1].into(),
            prefix: "load",
        };
        let crowd = match kind {
            Kind::Real => signed_up(&plan),
            Kind::Bare => Crowd::bare(&plan),
        }?;
        Ok(Self { server, crowd, kind: *kind, round, interrupted })
    }

    /// Returns how many clients the crowd has.
    pub fn clients(&self) -> usize {
        self.crowd.clients()
    }

    /// Waits until so many sessions were given since the beginning, and returns how long after `since` that was.
    pub fn entered(&self, sessions: u64, since: Instant) -> anyhow::Result<Duration> {
        let handshakes = Duration::from_secs((self.clients() / HANDSHAKES_A_SECOND) as u64);
        let deadline = Instant::now() + SEATED_WITHIN + handshakes;
        let mut told_at = Instant::now();
        loop {
            let (entered, lost, why) = self.crowd.connections();
            if entered >= sessions {
                return Ok(since.elapsed());
            }
            let missing = sessions - entered;
            if Instant::now() > deadline {
                let why = why.unwrap_or_else(|| "no reason is known".to_owned());
                bail!("{missing} clients have no session; {lost} losses, the last: {why}");
            }
            if told_at.elapsed() > TOLD_EVERY {
                told_at = Instant::now();
                progress(&format!("{missing} clients have no session yet"));
            }
            self.pause(GLANCE_SHORT)?;
        }
    }

    /// Waits until everybody who was told to take a seat got a reply to a deposit since `since`.
    pub fn all_reply(&self, since: Instant) -> anyhow::Result<()> {
        let wanted = self.crowd.seated();
        let handshakes = Duration::from_secs((wanted / HANDSHAKES_A_SECOND) as u64);
        let deadline = Instant::now() + SEATED_WITHIN + 3 * self.round + handshakes;
        let mut told_at = Instant::now();
        loop {
            let replied = self.crowd.replied_since(since);
            if replied >= wanted {
                return Ok(());
            }
            if Instant::now() > deadline {
                let (_, lost, why) = self.crowd.connections();
                let why = why.unwrap_or_else(|| "no reason is known".to_owned());
                bail!(
                    "{replied} of {wanted} clients are in the rounds; {lost} losses, the last: {why}"
                );
            }
            if told_at.elapsed() > TOLD_EVERY {
                told_at = Instant::now();
                progress(&format!("{replied} of {wanted} clients are in the rounds"));
            }
            self.pause(GLANCE)?;
        }
    }

    /// Waits, but not longer than the person watching wants.
    pub fn pause(&self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("stopped by a signal");
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(GLANCE));
        }
    }

    /// Returns what the server uses.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.server.process_id()?)
    }

    /// Stops the server; the crowd goes with what holds it.
    pub fn stop_server(&mut self) -> anyhow::Result<()> {
        let status = self.server.stop(STOPS_WITHIN)?;
        if !status.success() {
            bail!("the server was asked to stop and ended with {status}");
        }
        Ok(())
    }

    /// Ends the crowd, then the server.
    pub fn end(self) -> anyhow::Result<()> {
        let Self { mut server, crowd, .. } = self;
        drop(crowd);
        let status = server.stop(STOPS_WITHIN)?;
        if !status.success() {
            bail!("the server was asked to stop and ended with {status}");
        }
        Ok(())
    }
}

fn signed_up(plan: &Plan) -> anyhow::Result<Crowd> {
    let clients = plan.clients;
    let mut told_at = Instant::now();
    let crowd = Crowd::sign_up(plan, &mut |done| {
        if told_at.elapsed() > TOLD_EVERY {
            told_at = Instant::now();
            progress(&format!("{done} of {clients} accounts registered"));
        }
    })?;
    progress(&format!("{clients} accounts registered"));
    Ok(crowd)
}

/// Tells how far it is.
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}
