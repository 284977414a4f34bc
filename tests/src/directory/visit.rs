//! A person with one machine, who comes and goes through a relay that counts.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio::runtime::Runtime;
use wire::link::Link;

use super::figures::Cost;
use super::go_on;
use crate::processes::{Place, Process, Programs, Said, Server};
use crate::processes::{Usage, forget_peak};
use crate::world::{Relay, Way};

/// Name and password.
const GUEST: &str = "guest";

/// Bytes to the client after which only the directory can be what comes.
const DIRECTORY_COMES: usize = 64 << 10;

/// Pause between two looks at what came.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Longest time of anything, and what each account of the directory may add to it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_millis(2));

/// Longest time that the client takes to leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);

/// Who comes.
pub(super) struct Guest<'p> {
    program: PathBuf,
    place: &'p Place,
    profile: PathBuf,
    password: PathBuf,
    link: Link,
    server: SocketAddr,
    runtime: &'p Runtime,
    interrupted: Arc<AtomicBool>,
}

/// A client that runs.
pub(super) struct Visit {
    process: Process,
    lines: Receiver<Option<String>>,
    patience: Duration,
    interrupted: Arc<AtomicBool>,
}

impl<'p> Guest<'p> {
    /// Makes somebody without profile and account.
    pub(super) fn new(
        programs: &Programs,
        place: &'p Place,
        server: &Server,
        runtime: &'p Runtime,
        interrupted: &Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let password = place.password(GUEST, "correct horse battery staple")?;
        Ok(Self {
            program: programs.headless.clone(),
            place,
            profile: place.path().join("profile"),
            password,
            link: server.link().parse()?,
            server: server.address(),
            runtime,
            interrupted: interrupted.clone(),
        })
    }

    /// Starts the client, with a directory of about so many accounts, and waits until it is in a round.
    pub(super) fn start(&self, accounts: u32, register: bool) -> anyhow::Result<(Visit, Cost)> {
        let relay = self.runtime.block_on(Relay::start(self.server));
        let came = |way: Way| -> usize {
            let datagrams = relay.datagrams();
            datagrams.iter().filter(|it| it.way == way).map(|it| it.bytes).sum()
        };
        let mut command = Command::new(&self.program);
        command.arg("--link").arg(relay.link(&self.link).to_string()).args(["--user", GUEST]);
        command.arg("--password-file").arg(&self.password);
        command.arg("--profile").arg(&self.profile);
        if register {
            command.arg("--register");
        }
        let (send, lines) = channel();
        // the visit may be over already
        let hear = move |line| drop(send.send(line));
        let began = Instant::now();
        let process = Process::start(command, self.place.log(GUEST)?, hear)?;
        let patience = PATIENCE.0 + PATIENCE.1 * accounts;
        let mut visit = Visit { process, lines, patience, interrupted: self.interrupted.clone() };
        let process = visit.process.id();
        let mut comes = false;
        let mut look = || {
            if !comes && came(Way::Down) > DIRECTORY_COMES {
                comes = true;
                forget_peak(process)?;
            }
            Ok(())
        };
        let signed_in = |said: &Said| matches!(said, Said::SignedIn { .. }).then_some(());
        visit.until("that it has signed in", signed_in, &mut look)?;
        let signed_in_s = began.elapsed().as_secs_f64();
        let (bytes_down, bytes_up) = (came(Way::Down), came(Way::Up));
        let processor_s = Usage::of(process)?.processor.as_secs_f64();
        let round = |said: &Said| matches!(said, Said::Round { .. }).then_some(());
        visit.until("that it is in a round", round, &mut look)?;
        let Usage { resident, peak, .. } = Usage::of(process)?;
        let cost = Cost { signed_in_s, processor_s, bytes_down, bytes_up, resident, peak };
        Ok((visit, cost))
    }

    /// Returns how many bytes the profile has on disk.
    pub(super) fn disk_bytes(&self) -> anyhow::Result<u64> {
        let files = fs::read_dir(&self.profile)?;
        files.map(|file| Ok(file?.metadata()?.len())).sum()
    }
}

impl Visit {
    /// Asks for the safety numbers of people, all at once; returns how long all answers take.
    pub(super) fn look_up(
        &mut self,
        names: impl Iterator<Item = String>,
    ) -> anyhow::Result<Duration> {
        let names: Vec<_> = names.collect();
        let began = Instant::now();
        for name in &names {
            self.process.write_line(&json!({"do": "safety-number", "peer": name}).to_string())?;
        }
        for name in &names {
            let answer = |said: &Said| match said {
                Said::SafetyNumber { peer, .. } => (peer == name).then_some(()),
                _ => None,
            };
            self.until("a safety number", answer, &mut || Ok(()))?;
        }
        Ok(began.elapsed())
    }

    /// Asks for all names; returns how many different ones there are, and how long that takes.
    pub(super) fn names(&mut self) -> anyhow::Result<(usize, Duration)> {
        let began = Instant::now();
        self.process.write_line(&json!({"do": "directory"}).to_string())?;
        let names = |said: &Said| match said {
            Said::Directory { names } => Some(names.clone()),
            _ => None,
        };
        let mut names = self.until("the directory", names, &mut || Ok(()))?;
        let took = began.elapsed();
        names.sort_unstable();
        names.dedup();
        Ok((names.len(), took))
    }

    /// Has the client leave.
    pub(super) fn leave(mut self) -> anyhow::Result<()> {
        self.process.write_line(&json!({"do": "quit"}).to_string())?;
        let status = self.process.ended(LEAVES_WITHIN)?;
        if !status.success() {
            bail!("the client does not leave as it should: {status}");
        }
        Ok(())
    }

    /// Waits until the client says what is wanted; `look` is called all the time.
    fn until<T>(
        &mut self,
        what: &str,
        wanted: impl Fn(&Said) -> Option<T>,
        look: &mut dyn FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            go_on(&self.interrupted)?;
            look()?;
            let line = match self.lines.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => continue,
                line => line.ok().flatten().context("the client has ended")?,
            };
            let said = serde_json::from_str(&line);
            match said.with_context(|| format!("no manual knows {line}"))? {
                Said::Error { code, text } => bail!("the client got {code}: {text}"),
                said => {
                    if let Some(found) = wanted(&said) {
                        return Ok(found);
                    }
                }
            }
        }
        bail!("the client does not say {what} within {:?}", self.patience)
    }
}
