//! A server on a large store, from its start to its end, and its scrub.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use server::admin::{self, Answer, Request};

use super::{ROUND_MS, go_on, progress};
use crate::processes::Usage;
use crate::processes::{Place, Process};

/// Far beyond what a start takes on a busy machine.
const SERVES_WITHIN: Duration = Duration::from_secs(600);

/// What the server logs when a scrub is through.
const SCRUBBED: &str = "the store was scrubbed";

/// Pause between two looks at the log, which is all that tells of a scrub.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How often it is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(10);

const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// What one start costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// From the start of the program until it listens.
    pub(super) listening: Duration,
    /// Processor time until then.
    pub(super) processor: Duration,
    /// Memory that was resident then, in bytes.
    pub(super) resident: u64,
    /// The most that was, until it was stopped.
    pub(super) peak: u64,
}

/// What the scrub costs that begins with a start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scrub {
    /// From listening until it was through.
    pub(super) took: Duration,
    /// Processor time of the server meanwhile.
    pub(super) processor: Duration,
    /// Rounds that the server answered meanwhile.
    pub(super) rounds: u64,
    /// Rounds that it left out since it stood still.
    pub(super) left_out: u64,
    /// Memory that was resident at the end, in bytes.
    pub(super) resident: u64,
    /// The most that was, the start included.
    pub(super) peak: u64,
}

/// A server that serves.
pub(super) struct Serving {
    process: Process,
    dir: PathBuf,
    log: PathBuf,
    /// Bytes of the log that are of servers before.
    log_before: u64,
    listens: Instant,
    start: Start,
}

impl Serving {
    /// Starts a server and waits until it listens.
    pub(super) fn start(program: &Path, dir: &Path, place: &Place) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.arg("run").arg("--data-dir").arg(dir).args(["--listen", "127.0.0.1:0"]);
        command.arg("--round-ms").arg(ROUND_MS.to_string());
        let (send, lines) = channel();
        // nobody hears what it prints once it serves
        let hear = move |line: Option<String>| drop(line.map(|line| send.send(line)));
        let log = place.log("server")?;
        let log_before = log.metadata()?.len();
        let began = Instant::now();
        let process = Process::start(command, log, hear)?;
        let line = lines.recv_timeout(SERVES_WITHIN);
        let listens = Instant::now();
        let listening = listens - began;
        let line =
            line.with_context(|| format!("it does not serve; {}", place.path().display()))?;
        if !line.starts_with("listening ") {
            bail!("the server printed {line:?}");
        }
        let Usage { resident, peak, processor } = Usage::of(process.id())?;
        let start = Start { listening, processor, resident, peak };
        let (dir, log) = (dir.to_owned(), place.log_path("server"));
        Ok(Self { process, dir, log, log_before, listens, start })
    }

    /// Waits until the scrub is through that began with the start.
    pub(super) fn scrubbed(&mut self, interrupted: &AtomicBool) -> anyhow::Result<Scrub> {
        let mut told = self.listens;
        let log = loop {
            let log = self.logged()?;
            if log.contains(SCRUBBED) {
                break log;
            }
            if let Some(status) = self.process.has_ended()? {
                bail!("the server ended with {status}: {log}");
            }
            go_on(interrupted)?;
            if told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                let resident = Usage::of(self.process.id())?.resident >> 20;
                let seconds = self.listens.elapsed().as_secs();
                progress(&format!(
                    "the scrub is under way for {seconds} s, {resident} MiB resident"
                ));
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        let took = self.listens.elapsed();
        let (rounds, left_out) = (self.rounds()?, left_out(&log));
        let Usage { resident, peak, processor } = Usage::of(self.process.id())?;
        let processor = processor - self.start.processor;
        Ok(Scrub { took, processor, rounds, left_out, resident, peak })
    }

    /// Returns what it logged so far.
    fn logged(&self) -> anyhow::Result<String> {
        let mut log = File::open(&self.log)?;
        log.seek(SeekFrom::Start(self.log_before))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns how many rounds it answered so far.
    pub(super) fn rounds(&self) -> anyhow::Result<u64> {
        match admin::ask(&self.dir, Request::Status {})? {
            Answer::Status(status) => Ok(status.rounds),
            other => bail!("the server answered {other:?}"),
        }
    }

    /// Stops it, and returns what it cost.
    pub(super) fn stop(mut self) -> anyhow::Result<Start> {
        let peak = Usage::of(self.process.id())?.peak;
        self.process.terminate()?;
        let status = self.process.ended(STOPS_WITHIN)?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(Start { peak, ..self.start })
    }
}

/// Adds up the rounds that a log says were left out.
fn left_out(log: &str) -> u64 {
    let periods = |line: &str| line.split_once("left out rounds periods=")?.1.trim().parse().ok();
    log.lines().filter_map(|line: &str| -> Option<u64> { periods(line) }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_were_left_out_are_added_up() {
        let log = "2026-01-01T00:00:00Z  INFO server::driver: round round=1 seats=0\n\
                   2026-01-01T00:00:01Z  WARN server::driver: the server could not keep up and left out rounds periods=3\n\
                   2026-01-01T00:00:09Z  WARN server::driver: the server could not keep up and left out rounds periods=12\n";
        assert_eq!((left_out(log), left_out("")), (15, 0));
    }
}
