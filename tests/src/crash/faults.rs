//! Disks that are full or fail, limits that are too low, and what a crash or a person left in the data directory.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use super::campaign::{Campaign, Length, Plan};
use super::disk::{Coming, Fault, Faults};
use crate::processes::Place;

/// Clients that change accounts.
const WRITERS: u32 = 6;

/// Longest time until a fault comes, in milliseconds.
const COMES_MAX_MS: u32 = 400;

/// Tries of each fault of the disk.
const TRIES: u32 = 12;

/// File descriptors that the server may have: from what the system needs to load it, to enough.
const DESCRIPTORS: [u32; 14] = [4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 63, 64, 128];

/// What is wrong, and what of it the log must say.
#[derive(Clone, Copy)]
struct Kind {
    what: &'static str,
    fault: Fault,
    /// Bytes, writes or syncs before it comes, at most.
    after_max: usize,
    says: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind { what: "disk full", fault: Fault::Full, after_max: 200_000, says: "free space on" },
    Kind { what: "EIO on write", fault: Fault::Write, after_max: 60, says: "check the disk" },
    Kind { what: "EIO on sync", fault: Fault::Sync, after_max: 40, says: "check the disk" },
    Kind { what: "disk becomes read-only", fault: Fault::ReadOnly, after_max: 60, says: "disk" },
];

/// Runs all of it; tells each fault in a line of standard output.
///
/// # Errors
/// The first thing that was not as it must be.
pub(super) fn run(
    program: PathBuf,
    seed: u64,
    place: &Place,
    interrupted: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let power = Some(Faults::default());
    let plan = Plan { program, length: Length::Kills(0), seed, power, interrupted };
    let mut campaign = Campaign::new(&plan, place)?;
    let ran = Bench::begin(&mut campaign, &plan, place).and_then(|mut bench| bench.run());
    if ran.is_err() {
        campaign.leave_data()?;
    }
    ran
}

/// Where faults are tried.
struct Bench<'b, 'c> {
    campaign: &'b mut Campaign<'c>,
    plan: &'c Plan,
    place: &'c Place,
    rng: ChaCha20Rng,
    tries: u32,
}

impl<'b, 'c> Bench<'b, 'c> {
    fn begin(
        campaign: &'b mut Campaign<'c>,
        plan: &'c Plan,
        place: &'c Place,
    ) -> anyhow::Result<Self> {
        campaign.begin(WRITERS)?;
        campaign.victim.kill()?;
        let rng = ChaCha20Rng::seed_from_u64(plan.seed);
        Ok(Self { campaign, plan, place, rng, tries: 0 })
    }

    fn run(&mut self) -> anyhow::Result<()> {
        for kind in KINDS {
            let (mut at_start, mut serving) = (0, 0);
            for number in 0..TRIES {
                let early = number.is_multiple_of(3);
                let served = self
                    .disk_fault(kind, early)
                    .with_context(|| format!("{}, try {}", kind.what, number + 1))?;
                serving += u32::from(served);
                at_start += u32::from(!served);
            }
            self.tell(
                kind.what,
                &format!(
                    "{at_start} at the start, {serving} while it served; exit 1, nothing lost"
                ),
            );
        }
        let (ended, served) = self.descriptors()?;
        self.tell(
            "no file descriptors",
            &format!("{ended} limits too low: exit 1; {served} enough; nothing lost"),
        );
        let planted = self.planted()?;
        self.tell("planted leftovers", &format!("{planted} starts: cleared, nothing lost"));
        self.campaign.end()
    }

    /// Has the disk fail and come back; returns whether the server served when it failed.
    fn disk_fault(&mut self, kind: Kind, early: bool) -> anyhow::Result<bool> {
        let after = if early { self.below(kind.after_max / 4) } else { self.below(kind.after_max) };
        let coming = Some(Coming { fault: kind.fault, after });
        let log = self.log_name();
        if early {
            self.set(coming)?;
        }
        self.campaign.victim.start_after("", self.place.log(&log)?)?;
        let mut ended = self.campaign.victim.serves_or_ends()?;
        let served = ended.is_none();
        if !early {
            let pause = self.below(COMES_MAX_MS as usize);
            // the moment of the fault, not a wait for something
            std::thread::sleep(Duration::from_millis(pause as u64));
            self.set(coming)?;
        }
        if ended.is_none() {
            ended = Some(self.campaign.victim.ends()?);
        }
        let code = ended.and_then(|status| status.code());
        ensure!(code == Some(1), "the server ended with {code:?} instead of 1");
        self.said(&log, kind.says)?;
        self.set(None)?;
        // What could not be synced is still seen until the system needs the memory: it is gone here at once.
        if kind.fault == Fault::Sync || self.rng.next_u32().is_multiple_of(2) {
            self.campaign.victim.cut()?;
        }
        self.intact()?;
        Ok(served)
    }

    /// Starts the server with few file descriptors; returns how often it ended and how often it served.
    fn descriptors(&mut self) -> anyhow::Result<(u32, u32)> {
        let (mut ended, mut served) = (0, 0);
        for limit in DESCRIPTORS {
            let log = self.log_name();
            let before = format!("ulimit -n {limit};");
            self.campaign.victim.start_after(&before, self.place.log(&log)?)?;
            let end = self.campaign.victim.serves_or_ends();
            match end.with_context(|| format!("{limit} file descriptors"))? {
                Some(status) => {
                    ensure!(status.code() == Some(1), "{limit} file descriptors: {status}");
                    self.said(&log, "ulimit -n")
                        .with_context(|| format!("{limit} file descriptors"))?;
                    ended += 1;
                }
                None => {
                    self.campaign.victim.kill()?;
                    served += 1;
                }
            }
        }
        self.intact()?;
        Ok((ended, served))
    }

    /// Plants what a crash leaves, and starts; returns how often.
    fn planted(&mut self) -> anyhow::Result<u32> {
        let data = self.campaign.victim.data();
        let mut planted = 0;
        for bytes in [0, 1, 100, 70_000] {
            let mut junk = vec![0; bytes];
            self.rng.fill_bytes(&mut junk);
            fs::write(data.join("store/snap.0000000000000042.generating"), &junk)?;
            fs::create_dir_all(data.join("store.new/blobs"))?;
            fs::write(data.join("store.new/conf"), &junk)?;
            self.intact()?;
            planted += 1;
        }
        Ok(planted)
    }

    /// Starts the server, which must serve, and has everybody look at everything.
    fn intact(&mut self) -> anyhow::Result<()> {
        if self.plan.interrupted.load(Ordering::Relaxed) {
            bail!("stopped by a signal");
        }
        self.campaign.look_around()
    }

    /// Checks what the server said before it ended.
    fn said(&self, log: &str, words: &str) -> anyhow::Result<()> {
        let said = fs::read_to_string(self.place.path().join(format!("{log}.log")))?;
        ensure!(!said.contains("panicked"), "the server panicked: {log}.log");
        let last = said.lines().rev().find(|line| !line.starts_with("> ")).unwrap_or_default();
        ensure!(last.contains(words), "the server does not say {words:?} in the end, but {last:?}");
        Ok(())
    }

    fn set(&self, coming: Option<Coming>) -> anyhow::Result<()> {
        let disk = self.campaign.victim.disk().context("the server is on no such disk")?;
        disk.set_faults(Faults { coming, ..Faults::default() });
        Ok(())
    }

    fn log_name(&mut self) -> String {
        self.tries += 1;
        format!("server-{}", self.tries)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound.max(1)
    }

    fn tell(&self, what: &str, outcome: &str) {
        println!("{what}: {outcome}");
    }
}
