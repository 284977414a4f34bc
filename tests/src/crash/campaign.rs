//! One campaign: the server is killed again and again, and looked at.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tokio::runtime::Runtime;
use wire::link::Link;

use super::chat::{Chat, Standing};
use super::disk::Faults;
use super::journal::{Check, Deed, Journal, Order};
use super::victim::Victim;
use super::writer::Writer;
use crate::processes::{Place, Verdict};

/// Clients that change accounts.
const WRITERS: u32 = 24;

/// Oldest age at which the server is killed, in milliseconds.
const AGE_MAX_MS: u32 = 2000;

/// Age below which one kill in three is, most of them before it serves.
const YOUNG_MAX_MS: u32 = 100;

/// Kills between two looks at everything.
const CHECK_EVERY: u32 = 20;

/// Longest time for a look at everything, or for the chat to come to rest.
const SETTLES_WITHIN: Duration = Duration::from_secs(180);

/// Pause between two looks at how far the clients are.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long a campaign goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// For so many kills.
    Kills(u32),
    /// For as many kills as fit.
    Time(Duration),
}

/// What a campaign is made of.
pub(super) struct Plan {
    /// The server's program.
    pub(super) program: PathBuf,
    /// How long it goes on.
    pub(super) length: Length,
    /// What decides the moments of the kills, and what the clients choose.
    pub(super) seed: u64,
    /// Whether the power goes with each kill, and what else is wrong with the disk then.
    pub(super) power: Option<Faults>,
    /// Becomes true when the person watching wants to stop.
    pub(super) interrupted: Arc<AtomicBool>,
}

/// A campaign under way.
pub(super) struct Campaign<'c> {
    plan: &'c Plan,
    place: &'c Place,
    journal: Arc<Journal>,
    /// The server.
    pub(super) victim: Victim,
    writers: u32,
    runtime: Runtime,
    rng: ChaCha20Rng,
    began: Instant,
    kills: u32,
    kills_serving: u32,
    checks: u32,
}

impl<'c> Campaign<'c> {
    /// Prepares a campaign in a place.
    pub(super) fn new(plan: &'c Plan, place: &'c Place) -> anyhow::Result<Self> {
        let journal = Arc::new(Journal::new());
        let mut victim = Victim::new(&plan.program, place, journal.clone())?;
        if let Some(faults) = plan.power {
            victim.on_a_power_disk(plan.seed, faults)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self {
            plan,
            place,
            journal,
            victim,
            writers: 0,
            runtime,
            rng: ChaCha20Rng::seed_from_u64(plan.seed),
            began: Instant::now(),
            kills: 0,
            kills_serving: 0,
            checks: 0,
        })
    }

    /// Returns how often the server was killed.
    pub(super) fn kills(&self) -> u32 {
        self.kills
    }

    /// Leaves the server's data in the place as they are now.
    pub(super) fn leave_data(&mut self) -> anyhow::Result<()> {
        self.victim.export()
    }

    /// Tells in a line what a campaign came to whose chat ended so.
    pub(super) fn outcome(&self, chat: &Standing) -> String {
        let Verdict { sent, delivered, lost, doubled, .. } = chat.verdict;
        let times = |deed| self.journal.times(deed);
        format!(
            "{} kills, {} of them before it served; {} writes acknowledged, lost 0; {} in doubt, half there 0; \
             {} accounts looked at; {} sessions resumed; {} rounds, twice 0; \
             {delivered} of {sent} words arrived, lost {lost}, doubled {doubled}",
            self.kills,
            self.kills - self.kills_serving,
            self.writes(),
            times(Deed::DoubtThere) + times(Deed::DoubtNotThere),
            times(Deed::LookedAt),
            times(Deed::Resumed) + chat.resumed,
            self.journal.rounds(),
        )
    }

    /// Runs it to its end; returns how the chat ended.
    ///
    /// # Errors
    /// The first thing that was not as it must be.
    pub(super) fn run(&mut self) -> anyhow::Result<Standing> {
        // nobody can come before there is a link, so the first life has no clients
        self.cycle()?;
        let link = self.begin(WRITERS)?;
        let profiles = self.place.path().join("profiles");
        let chat = Chat::start(&self.runtime, &link, &profiles, &self.journal);
        let people = chat.people();
        self.until("that everybody is in the rounds", || {
            let standing = chat.standing();
            (standing.connected == people && standing.acknowledged >= people).then_some(())
        })?;
        self.kill(Duration::ZERO)?;
        while !self.is_over() {
            self.cycle()?;
            if self.kills.is_multiple_of(CHECK_EVERY) {
                self.look(&chat)?;
            }
        }
        self.last_look(&chat)?;
        self.journal.order(Order::Stop);
        let standing = chat.standing();
        chat.ends(&self.runtime)?;
        self.nothing_is_wrong()?;
        self.victim.kill()?;
        self.victim.is_sound()?;
        Ok(standing)
    }

    /// Starts the server and clients that change accounts; the server stays. Returns the link.
    pub(super) fn begin(&mut self, writers: u32) -> anyhow::Result<Link> {
        self.victim.start(self.place)?;
        let link = self.victim.serves()?;
        self.writers = writers;
        for number in 0..writers {
            let writer = Writer::new(number, self.plan.seed, &link, &self.journal);
            self.runtime.spawn(writer.run());
        }
        Ok(link)
    }

    /// Starts the server, which must serve, has everybody look at what they have, and kills it.
    pub(super) fn look_around(&mut self) -> anyhow::Result<()> {
        self.check(false)?;
        self.journal.order(Order::Write);
        self.kill(Duration::ZERO)
    }

    /// Looks at every account there ever was, and ends.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        while self.check(true)? {
            self.kill(Duration::ZERO)?;
        }
        self.journal.order(Order::Stop);
        self.kill(Duration::ZERO)
    }

    fn is_over(&self) -> bool {
        match self.plan.length {
            Length::Kills(kills) => self.kills >= kills,
            Length::Time(time) => self.began.elapsed() >= time,
        }
    }

    /// Starts the server and kills it at a random moment.
    fn cycle(&mut self) -> anyhow::Result<()> {
        let most = if self.rng.next_u32().is_multiple_of(3) { YOUNG_MAX_MS } else { AGE_MAX_MS };
        let age_ms = self.rng.next_u32() % (most + 1);
        self.victim.start(self.place)?;
        self.kill(Duration::from_millis(age_ms.into()))
    }

    fn kill(&mut self, age: Duration) -> anyhow::Result<()> {
        let served = self.victim.kill_after(age)?;
        self.kills += 1;
        self.kills_serving += u32::from(served);
        self.nothing_is_wrong()
    }

    /// Lets the server live until everything was looked at and somebody of each pair was heard, then kills it.
    fn look(&mut self, chat: &Chat) -> anyhow::Result<()> {
        let before = chat.standing().acknowledged;
        self.check(false)?;
        self.journal.order(Order::Write);
        let people = chat.people();
        self.until("that the chat goes on", || {
            (chat.standing().acknowledged >= before + people).then_some(())
        })?;
        self.progress(chat);
        self.kill(Duration::ZERO)
    }

    /// Looks at every account there ever was, and waits until all that was said has arrived; the server stays.
    fn last_look(&mut self, chat: &Chat) -> anyhow::Result<()> {
        while self.check(true)? {
            self.kill(Duration::ZERO)?;
        }
        self.until("that all messages arrive", || {
            let Standing { verdict, acknowledged, .. } = chat.standing();
            (acknowledged >= verdict.sent && verdict.delivered >= verdict.sent).then_some(())
        })?;
        let verdict = chat.standing().verdict;
        if !verdict.is_perfect() {
            bail!("the chat is not as it was written: {verdict:?}");
        }
        self.progress(chat);
        Ok(())
    }

    /// Has everybody look at what they have; returns whether some have more to look at.
    fn check(&mut self, all: bool) -> anyhow::Result<bool> {
        self.victim.start(self.place)?;
        self.victim.serves()?;
        self.checks += 1;
        let number = self.checks;
        self.journal.order(Order::Check(Check { number, all }));
        self.until("that everybody has looked", || {
            self.journal.all_checked(number, self.writers as usize)
        })
    }

    /// Waits until something comes true, for as long as nothing is wrong.
    fn until<T>(&self, what: &str, mut reached: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + SETTLES_WITHIN;
        loop {
            if let Some(value) = reached() {
                return Ok(value);
            }
            self.nothing_is_wrong()?;
            if Instant::now() > deadline {
                bail!("waited for {SETTLES_WITHIN:?} in vain {what}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn nothing_is_wrong(&self) -> anyhow::Result<()> {
        if let Some(first) = self.journal.wrongs().first() {
            bail!("after {} kills: {first}", self.kills);
        }
        if self.plan.interrupted.load(Ordering::Relaxed) {
            bail!("stopped by a signal after {} kills", self.kills);
        }
        Ok(())
    }

    fn progress(&self, chat: &Chat) {
        let times = |deed| self.journal.times(deed);
        eprintln!(
            "{:>5} s  {:>5} kills  {:>6} writes  {:>5} resumed  {:>4} in doubt  {:>6} looked at  {:>5} rounds  {:>5} words",
            self.began.elapsed().as_secs(),
            self.kills,
            self.writes(),
            times(Deed::Resumed),
            times(Deed::DoubtThere) + times(Deed::DoubtNotThere),
            times(Deed::LookedAt),
            self.journal.rounds(),
            chat.standing().acknowledged,
        );
    }

    /// Returns how many writes were acknowledged.
    fn writes(&self) -> u64 {
        [Deed::Registered, Deed::PasswordChanged, Deed::VaultStored, Deed::Deleted, Deed::SignedIn]
            .into_iter()
            .map(|deed| self.journal.times(deed))
            .sum()
    }
}
