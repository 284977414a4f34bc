//! The server that is killed: one data directory, one port, one process after the other.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use wire::link::Link;

use super::disk::{DEVICE, Faults, PowerDisk};
use super::journal::{Journal, Life, Stage};
use crate::processes::{Place, Process};

/// Length of a round, in milliseconds: the shortest there is.
const ROUND_MS: u32 = 100;

/// Longest time from start to serving.
const SERVES_WITHIN: Duration = Duration::from_secs(30);

/// Longest time from a fault to the end of the process.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Ports to choose from; the system gives none of them to clients while the server is away.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// The server that is killed.
pub(super) struct Victim {
    program: PathBuf,
    disk_dir: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    journal: Arc<Journal>,
    life: u32,
    link: Option<Link>,
    process: Option<Alive>,
    power: Option<Power>,
}

/// A disk that loses power with the server.
struct Power {
    disk: PowerDisk,
    rng: ChaCha20Rng,
}

struct Alive {
    process: Process,
    /// The link, once it serves.
    said: Receiver<String>,
    served: bool,
    started: Instant,
}

impl Victim {
    /// Makes a server that was never started.
    pub(super) fn new(
        program: &Path,
        place: &Place,
        journal: Arc<Journal>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            program: program.to_owned(),
            disk_dir: place.path().join("server"),
            log: place.log_path("server"),
            address: free_address()?,
            journal,
            life: 0,
            link: None,
            process: None,
            power: None,
        })
    }

    /// Puts it on a disk that loses power at each kill; the seed decides what is left then.
    pub(super) fn on_a_power_disk(&mut self, seed: u64, faults: Faults) -> anyhow::Result<()> {
        fs::create_dir(&self.disk_dir)?;
        let disk = PowerDisk::mount(&self.disk_dir, faults).with_context(|| {
            format!(
                "cannot mount a disk of this program: be root, or install fuse3, and have {DEVICE}"
            )
        })?;
        self.power = Some(Power { disk, rng: ChaCha20Rng::seed_from_u64(seed) });
        Ok(())
    }

    /// Returns the data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.disk_dir.join("data")
    }

    /// Returns the disk that loses power.
    pub(super) fn disk(&self) -> Option<&PowerDisk> {
        self.power.as_ref().map(|power| &power.disk)
    }

    /// Leaves what is on the disk that loses power in a directory, and beside it what was there at the last start.
    pub(super) fn export(&mut self) -> anyhow::Result<()> {
        self.process = None;
        if let Some(power) = &mut self.power {
            let before = self.disk_dir.with_extension("at-the-last-start");
            power.disk.export(&self.disk_dir, &before)?;
        }
        Ok(())
    }

    /// Starts the process, and waits for nothing.
    pub(super) fn start(&mut self, place: &Place) -> anyhow::Result<()> {
        self.start_as(Command::new(&self.program), place.log("server")?)
    }

    /// Starts the process through a shell that does something first, with a log of its own.
    pub(super) fn start_after(&mut self, before: &str, log: File) -> anyhow::Result<()> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{before} exec \"$@\"")).arg("sh").arg(&self.program);
        self.start_as(shell, log)
    }

    fn start_as(&mut self, mut command: Command, log: File) -> anyhow::Result<()> {
        command.arg("run").arg("--data-dir").arg(self.data());
        command.arg("--listen").arg(self.address.to_string());
        command.arg("--round-ms").arg(ROUND_MS.to_string());
        command.args(["--registrations-per-hour", "1000000"]);
        self.life += 1;
        let number = self.life;
        self.journal.live(Life { number, stage: Stage::Starting });
        let (send, said) = channel();
        let journal = self.journal.clone();
        let hear = move |line: Option<String>| {
            if let Some(link) = line.as_deref().and_then(|line| line.strip_prefix("link ")) {
                journal.live(Life { number, stage: Stage::Serving });
                // it may be killed before anybody asks
                let _ = send.send(link.to_owned());
            }
        };
        let process = Process::start(command, log, hear)?;
        self.process = Some(Alive { process, said, served: false, started: Instant::now() });
        Ok(())
    }

    /// Waits until it serves; returns the link.
    pub(super) fn serves(&mut self) -> anyhow::Result<Link> {
        let alive = self.process.as_mut().context("the server was not started")?;
        match alive.said.recv_timeout(SERVES_WITHIN) {
            Ok(said) => {
                alive.served = true;
                self.is_same(&said)
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("the server does not serve in {SERVES_WITHIN:?}")
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = alive.process.ended(SERVES_WITHIN)?;
                bail!("the server does not start again: {status}: {}", self.last_words())
            }
        }
    }

    /// Waits until it serves, or has ended by itself; returns how it ended then.
    pub(super) fn serves_or_ends(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let alive = self.process.as_mut().context("the server was not started")?;
        match alive.said.recv_timeout(SERVES_WITHIN) {
            Ok(said) => {
                alive.served = true;
                self.is_same(&said).map(|_| None)
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("the server neither serves nor ends in {SERVES_WITHIN:?}")
            }
            Err(RecvTimeoutError::Disconnected) => self.ends().map(Some),
        }
    }

    /// Waits until it has ended by itself; the power stays.
    pub(super) fn ends(&mut self) -> anyhow::Result<ExitStatus> {
        let mut alive = self.process.take().context("the server was not started")?;
        let ended = alive.process.ended(ENDS_WITHIN);
        alive.process.kill()?;
        self.journal.live(Life { number: self.life, stage: Stage::Dead });
        ended
    }

    /// Takes the power away and gives it back, of a disk that loses it.
    pub(super) fn cut(&mut self) -> anyhow::Result<()> {
        if let Some(Power { disk, rng }) = &mut self.power {
            disk.cut(rng).context("the power cannot be cut")?;
        }
        Ok(())
    }

    /// Lets it live until so long after its start, and kills it with SIGKILL; returns whether it served.
    ///
    /// # Errors
    /// If it ended by itself, or came back as another server.
    pub(super) fn kill_after(&mut self, age: Duration) -> anyhow::Result<bool> {
        let alive = self.process.as_ref().context("the server was not started")?;
        std::thread::sleep(age.saturating_sub(alive.started.elapsed()));
        self.kill()
    }

    /// Kills it with SIGKILL now; returns whether it served.
    ///
    /// # Errors
    /// As [`Self::kill_after`].
    pub(super) fn kill(&mut self) -> anyhow::Result<bool> {
        let mut alive = self.process.take().context("the server was not started")?;
        let ended = alive.process.has_ended()?;
        alive.process.kill()?;
        self.journal.live(Life { number: self.life, stage: Stage::Dead });
        if let Some(status) = ended {
            bail!("the server ended by itself: {status}: {}", self.last_words());
        }
        self.cut()?;
        // all it said was heard by now, and `serves` may have taken it
        match alive.said.try_recv() {
            Ok(said) => self.is_same(&said).map(|_| true),
            Err(_) => Ok(alive.served),
        }
    }

    /// Has `iirs-server check` read every record of what it left.
    ///
    /// # Errors
    /// If anything is wrong with it.
    pub(super) fn is_sound(&self) -> anyhow::Result<()> {
        let mut check = Command::new(&self.program);
        let checked = check.arg("check").arg("--data-dir").arg(self.data()).output()?;
        if !checked.status.success() {
            let said = String::from_utf8_lossy(&checked.stdout);
            bail!("`iirs-server check` after the last kill: {}\n{said}", checked.status);
        }
        Ok(())
    }

    /// Returns the last line of the server's log: why it ended, if it ended by itself.
    fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().next_back().unwrap_or("its log is empty").to_owned()
    }

    /// Takes the link of this start, which must be that of all others.
    fn is_same(&mut self, said: &str) -> anyhow::Result<Link> {
        let link: Link = said.parse()?;
        match &self.link {
            Some(known) if *known != link => bail!("the server is {link}, and was {known} before"),
            Some(_) => (),
            None => self.link = Some(link.clone()),
        }
        Ok(link)
    }
}

/// Finds a port that nobody has.
fn free_address() -> anyhow::Result<SocketAddr> {
    let first = u16::try_from(std::process::id() % 7_000)?;
    let mut ports = PORTS.skip(usize::from(first));
    let free = ports.find_map(|port| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        UdpSocket::bind(address).ok().map(|_| address)
    });
    free.context("all ports from 20,000 on are in use")
}
