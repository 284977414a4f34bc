//! The server's process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::cores::on_core;
use super::{Place, Process};

/// Longest time from start to serving; a store after a crash takes longest.
const SERVES_WITHIN: Duration = Duration::from_secs(20);

/// A server on the loopback interface, on one port and one data directory for life.
pub struct Server {
    program: PathBuf,
    data_dir: PathBuf,
    round_ms: u32,
    address: SocketAddr,
    link: String,
    more: Vec<String>,
    core: Option<usize>,
    process: Option<Process>,
}

impl Server {
    /// Starts a server with an empty data directory on a free port, and waits until it serves;
    /// `program` is `iirs-server`, or the same under another name.
    pub fn start(program: &Path, place: &Place, round_ms: u32) -> anyhow::Result<Self> {
        let mut server = Self::prepared(program, place, round_ms);
        server.restart(place)?;
        Ok(server)
    }

    /// Describes a server with an empty data directory on a free port; [`Server::restart`] starts it.
    pub fn prepared(program: &Path, place: &Place, round_ms: u32) -> Self {
        Self {
            program: program.to_owned(),
            data_dir: place.path().join("server"),
            round_ms,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            link: String::new(),
            more: Vec::new(),
            core: None,
            process: None,
        }
    }

    /// Starts the server again, on the same port and data directory, and waits until it serves.
    pub fn restart(&mut self, place: &Place) -> anyhow::Result<()> {
        let mut command = match self.core {
            Some(core) => on_core(core, &self.program),
            None => Command::new(&self.program),
        };
        command.arg("run").arg("--data-dir").arg(&self.data_dir);
        command.arg("--listen").arg(self.address.to_string());
        command.arg("--round-ms").arg(self.round_ms.to_string());
        command.args(&self.more);
        let (send, lines) = channel();
        // nobody hears what it prints once it serves
        let hear = move |line: Option<String>| line.into_iter().for_each(|it| drop(send.send(it)));
        let process = Process::start(command, place.log("server")?, hear)?;
        let deadline = Instant::now() + SERVES_WITHIN;
        self.address = promised(&lines, "listening ", deadline)?.parse()?;
        let link = promised(&lines, "link ", deadline)?;
        if !self.link.is_empty() && self.link != link {
            bail!("the server came back with another link: {link} instead of {}", self.link);
        }
        self.link = link;
        self.process = Some(process);
        Ok(())
    }

    /// Returns its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Adds an argument of `run`, for all starts from the next one on.
    pub fn and(&mut self, argument: &str) -> &mut Self {
        self.more.push(argument.to_owned());
        self
    }

    /// Keeps the server on one core, from the next start on.
    pub fn keep_on_core(&mut self, core: usize) -> &mut Self {
        self.core = Some(core);
        self
    }

    /// Returns the process id of the running server.
    ///
    /// # Errors
    /// If it does not run.
    pub fn process_id(&self) -> anyhow::Result<u32> {
        Ok(self.process.as_ref().context("the server does not run")?.id())
    }

    /// Asks the running server for an invitation code, as its operator does.
    ///
    /// # Errors
    /// If `invite` cannot be started, fails, or prints anything but one line.
    pub fn invite(&self) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("invite").arg("--data-dir").arg(&self.data_dir).args(["--count", "1"]);
        let output = command.output()?;
        let printed = String::from_utf8(output.stdout)?;
        match printed.lines().collect::<Vec<_>>()[..] {
            [code] if output.status.success() => Ok(code.to_owned()),
            _ => bail!(
                "invite: {}, {printed:?}, {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }

    /// Has a backup made, as the operator of a running server does.
    ///
    /// # Errors
    /// If `backup` cannot be started or fails.
    pub fn back_up(&self, file: &Path) -> anyhow::Result<()> {
        self.command("backup", file, &[])
    }

    /// Throws the data directory of a server that was killed away and restores a backup in its place; rounds go on
    /// behind a number that is known to have been opened.
    ///
    /// # Errors
    /// If `restore` cannot be started or fails.
    pub fn restore(&self, file: &Path, after_round: u64) -> anyhow::Result<()> {
        std::fs::remove_dir_all(&self.data_dir)?;
        self.command("restore", file, &["--after-round", &after_round.to_string()])
    }

    fn command(&self, name: &str, file: &Path, more: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command.arg(name).arg(file).arg("--data-dir").arg(&self.data_dir).args(more);
        let output = command.output()?;
        if !output.status.success() {
            bail!("{name}: {}, {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Returns the link that clients take.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the server does not run")?.kill()
    }

    /// Has the server read its configuration again.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.process.as_ref().context("the server does not run")?.reload()
    }

    /// Stops the server with SIGTERM.
    ///
    /// # Errors
    /// If it still runs after `within`.
    pub fn stop(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let mut process = self.process.take().context("the server does not run")?;
        process.terminate()?;
        process.ended(within).context("the server does not stop")
    }
}

fn promised(lines: &Receiver<String>, start: &str, deadline: Instant) -> anyhow::Result<String> {
    let left = deadline.saturating_duration_since(Instant::now());
    match lines.recv_timeout(left) {
        Ok(line) => line
            .strip_prefix(start)
            .map(str::to_owned)
            .with_context(|| format!("the server printed {line:?} instead of \"{start}…\"")),
        Err(RecvTimeoutError::Timeout) => bail!("the server printed no \"{start}…\" in time"),
        Err(RecvTimeoutError::Disconnected) => bail!("the server ended before it served"),
    }
}
