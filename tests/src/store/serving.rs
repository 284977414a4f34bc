//! A server on a large store, from its start to its end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use server::admin::{self, Answer, Request};

use super::ROUND_MS;
use crate::processes::Usage;
use crate::processes::{Place, Process};

/// Far beyond what a start takes on a busy machine.
const SERVES_WITHIN: Duration = Duration::from_secs(600);

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

/// A server that serves.
pub(super) struct Serving {
    process: Process,
    dir: PathBuf,
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
        let began = Instant::now();
        let process = Process::start(command, place.log("server")?, hear)?;
        let line = lines.recv_timeout(SERVES_WITHIN);
        let listening = began.elapsed();
        let line =
            line.with_context(|| format!("it does not serve; {}", place.path().display()))?;
        if !line.starts_with("listening ") {
            bail!("the server printed {line:?}");
        }
        let Usage { resident, peak, processor } = Usage::of(process.id())?;
        let start = Start { listening, processor, resident, peak };
        Ok(Self { process, dir: dir.to_owned(), start })
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
