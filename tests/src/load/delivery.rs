//! Pairs of real clients that talk all the time beside a crowd, and how long what they type takes.
//!
//! ```text
//! account ─► engine signs in ─► in the rounds ─► first message delivered ─► types at drawn moments ─► leaves
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use client_link::api::{Command, ConnectionState, Event, MessageState, Options, Password};
use client_link::engine::Engine;
use hdrhistogram::Histogram;
use rand_core::{OsRng, RngCore as _};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};
use wire::account::Stretching;
use wire::link::Link;

use super::client::{PASSWORD, part};
use super::stage::{GLANCE, Kind, Stage, TOLD_EVERY, progress};
use super::{Crowd, Plan, Quantiles};
use crate::processes::Place;

/// Clients for each pair that talks.
const CLIENTS_A_PAIR: usize = 100;

/// Most pairs: an engine has threads, a profile on disk and the whole directory in memory, and takes as much of the
/// crowd's core as dozens of its clients.
const PAIRS_MAX: usize = 16;

/// Most people who talk.
pub(super) const PEOPLE_MAX: usize = 2 * PAIRS_MAX;

/// Shortest time between two messages of a person, and by how much it may be longer, in rounds. A conversation carries
/// one cell a round, so more would wait for each other. Since the second is whole, all moments of a round are as likely.
const BETWEEN: (f64, f64) = (1.0, 2.0);

/// A delivery that is told apart from longer ones: a thousand rounds, in thousandths of one.
const LONGEST: u64 = 1_000_000;

/// The longest that people may take to be in the rounds or to be heard, beside the rounds that this takes.
const WITHIN: Duration = Duration::from_secs(120);
const ROUNDS_WITHIN: u32 = 30;

/// Rounds that are given to the last messages that count.
const SETTLES_WITHIN: u32 = 10;

/// The longest that an engine may take to leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(20);

/// Everybody who talks; they leave when it is dropped.
pub(super) struct Chat {
    runtime: Runtime,
    board: Arc<Board>,
    stays: watch::Sender<()>,
    people: Vec<JoinHandle<()>>,
}

/// What became of the messages that were typed while it counted.
#[derive(serde::Serialize)]
pub(super) struct Delivery {
    /// From typed to shown, in rounds.
    pub(super) delivery_rounds: Quantiles,
    /// Pairs that talked.
    pub(super) pairs: usize,
    /// Messages.
    pub(super) messages: u64,
    /// Those of them that were not shown by the time that they were given; they count as if they had been by then.
    pub(super) undelivered: u64,
}

/// What they know together.
struct Board {
    round: Duration,
    page: Mutex<Page>,
}

struct Page {
    counting: bool,
    /// What was typed and is not shown yet, by its text.
    under_way: HashMap<String, Typed>,
    /// Thousandths of a round.
    took: Histogram<u64>,
    undelivered: u64,
    /// Rounds that were answered to anybody.
    rounds: u64,
    connected: usize,
    heard: usize,
    /// What ends the measurement.
    wrong: Option<String>,
    /// The last error that an engine told.
    trouble: Option<String>,
}

/// A message under way.
struct Typed {
    /// When it was to be typed.
    at: Instant,
    counts: bool,
}

impl Chat {
    /// Makes accounts at a stage's server, where the crowd is registered by now, and has their people enter the rounds;
    /// profiles are in the place. At the floor nobody talks.
    pub(super) fn start(stage: &Stage, place: &Place) -> anyhow::Result<Self> {
        let pairs = match stage.kind {
            Kind::Real => pairs(stage.clients()),
            Kind::Bare => 0,
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let board = Arc::new(Board::new(stage.round));
        let mut chat = Self { runtime, board, stays: watch::Sender::new(()), people: Vec::new() };
        if pairs == 0 {
            return Ok(chat);
        }
        let plan = Plan {
            link: stage.server.link().to_owned(),
            clients: 2 * pairs,
            round: stage.round,
            from: [127, 0, 0, 1].into(),
            prefix: "talk",
        };
        let accounts = Crowd::sign_up(&plan, &mut |_| ())?;
        let link: Link = plan.link.parse().context("the server's link is none")?;
        for number in 0..plan.clients {
            let [own, peer] = [number, number ^ 1].map(|number| accounts.name(number));
            let engine = Engine::start(Options {
                link: link.clone(),
                user: own,
                password: Password::new(PASSWORD.to_owned()),
                register: false,
                invite: None,
                profile: place.path().join("profiles").join(own.as_str()),
                early: false,
                stretching: Stretching::for_tests(),
            });
            let (own, peer) = (own.to_string(), peer.to_string());
            let board = chat.board.clone();
            let person = Person { own, peer, engine, board, typed: 0, next: None };
            let person = person.run(chat.stays.subscribe());
            chat.people.push(chat.runtime.spawn(person));
        }
        chat.wait(stage, "are not in the rounds", |page| plan.clients - page.connected)?;
        progress(&format!("{pairs} pairs that talk are in the rounds"));
        Ok(chat)
    }

    /// Waits until each of them knows that the first message arrived.
    pub(super) fn is_heard(&self, stage: &Stage) -> anyhow::Result<()> {
        let people = self.people.len();
        self.wait(stage, "were not heard yet", |page| people - page.heard)
    }

    /// Begins to count what is typed, or stops; what was counted stays.
    pub(super) fn count(&self, begins: bool) {
        self.board.page().counting = begins;
    }

    /// Returns how many rounds were answered, of all of them together.
    pub(super) fn rounds(&self) -> u64 {
        self.board.page().rounds
    }

    /// Waits until all that counts was shown, though not forever.
    pub(super) fn settle(&self, stage: &Stage) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLES_WITHIN * stage.round;
        while self.board.page().counted_under_way().next().is_some() {
            self.look()?;
            if Instant::now() > deadline {
                self.board.page().give_up(Instant::now(), stage.round);
            }
            stage.pause(GLANCE)?;
        }
        Ok(())
    }

    /// Returns what became of the messages that count, if anybody talks.
    pub(super) fn delivery(&self) -> Option<Delivery> {
        let pairs = self.people.len() / 2;
        (pairs > 0).then(|| self.board.page().delivery(pairs))
    }

    /// Has everybody leave, and waits for it.
    pub(super) fn end(self) -> anyhow::Result<()> {
        let Self { runtime, board, stays, people } = self;
        drop(stays);
        runtime.block_on(async {
            for person in people {
                timeout(LEAVES_WITHIN, person).await.context("somebody does not leave")??;
            }
            anyhow::Ok(())
        })?;
        board.page().look()
    }

    fn look(&self) -> anyhow::Result<()> {
        self.board.page().look()
    }

    fn wait(
        &self,
        stage: &Stage,
        what: &str,
        missing: impl Fn(&Page) -> usize,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + WITHIN + ROUNDS_WITHIN * stage.round;
        let mut told_at = Instant::now();
        loop {
            self.look()?;
            let missing = missing(&self.board.page());
            if missing == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                let trouble = self.board.page().trouble.take();
                let trouble = trouble.unwrap_or_else(|| "nobody told of an error".to_owned());
                bail!("{missing} of those who talk {what}; {trouble}");
            }
            if told_at.elapsed() > TOLD_EVERY {
                told_at = Instant::now();
                progress(&format!("{missing} of those who talk {what}"));
            }
            stage.pause(GLANCE)?;
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivery_rounds: Quantiles { p50, p99, max }, pairs, messages, undelivered } =
            self;
        write!(
            f,
            "{p50:.2} rounds from typed to shown, p99 {p99:.2}, the longest {max:.2}; {messages} messages of {pairs} pairs"
        )?;
        match undelivered {
            0 => Ok(()),
            some => write!(f, ", {some} of them not shown in time"),
        }
    }
}

impl Board {
    fn new(round: Duration) -> Self {
        let page = Page {
            counting: false,
            under_way: HashMap::new(),
            took: Histogram::new_with_max(LONGEST, 3).expect("the bounds are good ones"),
            undelivered: 0,
            rounds: 0,
            connected: 0,
            heard: 0,
            wrong: None,
            trouble: None,
        };
        Self { round, page: Mutex::new(page) }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// A message is typed that was to be typed at a moment.
    fn typed(&mut self, text: &str, at: Instant) {
        self.under_way.insert(text.to_owned(), Typed { at, counts: self.counting });
    }

    /// A message is shown.
    fn shown(&mut self, text: &str, at: Instant, round: Duration) {
        match self.under_way.remove(text) {
            Some(typed) if typed.counts => self.record(at.duration_since(typed.at), round),
            Some(_) => (),
            None => self.wrong = Some("a message was shown twice, or nobody typed it".to_owned()),
        }
    }

    /// Takes what counts and is not shown for delivered now.
    fn give_up(&mut self, at: Instant, round: Duration) {
        let waited: Vec<_> = self.counted_under_way().map(|typed| at - typed.at).collect();
        self.under_way.values_mut().for_each(|typed| typed.counts = false);
        for waited in waited {
            self.undelivered += 1;
            self.record(waited, round);
        }
    }

    fn record(&mut self, took: Duration, round: Duration) {
        self.took.saturating_record(thousandths(took, round));
    }

    fn counted_under_way(&self) -> impl Iterator<Item = &Typed> {
        self.under_way.values().filter(|typed| typed.counts)
    }

    fn delivery(&self, pairs: usize) -> Delivery {
        Delivery {
            delivery_rounds: Quantiles::of(&self.took, 1000.0),
            pairs,
            messages: self.took.len(),
            undelivered: self.undelivered,
        }
    }

    fn look(&self) -> anyhow::Result<()> {
        match &self.wrong {
            Some(wrong) => bail!("of those who talk: {wrong}"),
            None => Ok(()),
        }
    }
}

/// Somebody who talks.
struct Person {
    own: String,
    peer: String,
    engine: Engine,
    board: Arc<Board>,
    typed: u64,
    /// When the next message is to be typed, once the first one is delivered.
    next: Option<Instant>,
}

impl Person {
    /// Talks until nobody holds the other end of `stays`.
    async fn run(mut self, mut stays: watch::Receiver<()>) {
        let mut leaving = false;
        loop {
            let next = self.next;
            let event = tokio::select! {
                event = self.engine.events.recv() => event,
                moment = reached(next), if !leaving => {
                    self.write(moment).await;
                    // also if it is late by now: what was to be typed then has to be as late
                    self.next = Some(moment + self.pause());
                    continue;
                }
                _ = stays.changed(), if !leaving => {
                    leaving = true;
                    self.command(Command::Quit).await;
                    continue;
                }
            };
            match event {
                Some(Event::Ended { ok }) => {
                    if !leaving || !ok {
                        self.wrong("left the rounds for good");
                    }
                    return;
                }
                Some(event) => self.hear(event).await,
                None => return self.wrong("ended without a word"),
            }
        }
    }

    async fn hear(&mut self, event: Event) {
        let at = Instant::now();
        if let Event::Message { text, .. } = event {
            self.board.page().shown(&text, at, self.board.round);
        } else if let Event::State { state: MessageState::Delivered, .. } = event {
            if self.next.is_none() {
                self.board.page().heard += 1;
                self.next = Some(at + self.pause());
            }
        } else if let Event::Round { .. } = event {
            self.board.page().rounds += 1;
        } else if let Event::Connection(ConnectionState::Connected) = event {
            self.board.page().connected += 1;
            self.command(Command::Open { peer: self.peer.clone() }).await;
            self.write(at).await;
        } else if let Event::Error { code, text, .. } = event {
            let trouble = format!("{} got {}: {text}", self.own, code.as_str());
            self.board.page().trouble = Some(trouble);
        }
    }

    /// Types what was to be typed at a moment.
    async fn write(&mut self, moment: Instant) {
        self.typed += 1;
        let text = format!("message {} of {}", self.typed, self.own);
        self.board.page().typed(&text, moment);
        let label = self.typed.to_string();
        self.command(Command::Send { peer: self.peer.clone(), text, label }).await;
    }

    async fn command(&self, command: Command) {
        // an engine that ended says so in its last event
        let _ = self.engine.commands.send(command).await;
    }

    /// Draws the time until the next message.
    fn pause(&self) -> Duration {
        self.board.round.mul_f64(between(part(OsRng.next_u64())))
    }

    fn wrong(&self, what: &str) {
        let page = &mut *self.board.page();
        let trouble = page.trouble.take().map(|trouble| format!("; {trouble}"));
        page.wrong = Some(format!("{} {what}{}", self.own, trouble.unwrap_or_default()));
    }
}

/// Returns how many pairs talk beside so many clients.
fn pairs(clients: usize) -> usize {
    (clients / CLIENTS_A_PAIR).clamp(1, PAIRS_MAX)
}

/// Takes what was drawn, a part of 1, for the rounds between two messages.
fn between(drawn: f64) -> f64 {
    let (least, more) = BETWEEN;
    least + more * drawn
}

/// Returns how long something took, in thousandths of a round.
fn thousandths(took: Duration, round: Duration) -> u64 {
    let thousandths = took.as_micros() * 1000 / round.as_micros().max(1);
    u64::try_from(thousandths).unwrap_or(u64::MAX).clamp(1, LONGEST)
}

/// Waits for a moment, forever if there is none.
async fn reached(moment: Option<Instant>) -> Instant {
    match moment {
        Some(moment) => {
            sleep_until(moment.into()).await;
            moment
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(2);

    #[test]
    fn one_pair_in_a_hundred_clients_talks() {
        for (clients, wanted) in [(2, 1), (199, 1), (200, 2), (1000, 10), (20_000, PAIRS_MAX)] {
            assert_eq!(pairs(clients), wanted, "{clients}");
        }
    }

    #[test]
    fn times_are_told_in_rounds() {
        let ms = Duration::from_millis;
        for (took, wanted) in [(0, 1), (1000, 500), (2000, 1000), (3001, 1500), (5000, 2500)] {
            assert_eq!(thousandths(ms(took), ROUND), wanted, "{took} ms");
        }
        assert_eq!(thousandths(Duration::from_secs(1 << 40), ROUND), LONGEST);
    }

    #[test]
    fn all_moments_of_a_round_are_as_likely() {
        const DRAWN: u32 = 4000;
        let mut quarters = [0; 4];
        for number in 0..DRAWN {
            let rounds = between((f64::from(number) + 0.5) / f64::from(DRAWN));
            let at = (0..4).find(|quarter| rounds.fract() < f64::from(quarter + 1) / 4.0);
            quarters[at.unwrap() as usize] += 1;
        }
        assert_eq!(quarters, [DRAWN / 4; 4]);
        assert!((between(0.0), between(1.0)) == (1.0, 3.0));
    }

    #[test]
    fn what_was_typed_while_it_counted_is_measured_from_the_moment_that_was_meant() {
        let board = Board::new(ROUND);
        let page = &mut *board.page();
        let began = Instant::now();
        page.typed("before", began);
        page.counting = true;
        page.typed("one", began);
        page.typed("other", began + ROUND);
        page.counting = false;
        page.typed("after", began);
        for (text, at) in [("before", 9), ("after", 9), ("one", 2), ("other", 2)] {
            page.shown(text, began + at * ROUND, ROUND);
        }
        let Delivery { delivery_rounds, messages, undelivered, .. } = page.delivery(1);
        assert_eq!((messages, undelivered), (2, 0));
        assert_eq!(delivery_rounds, Quantiles { p50: 1.0, p99: 2.0, max: 2.0 });
        assert!(page.look().is_ok());
    }

    #[test]
    fn what_is_not_shown_in_time_counts_as_late_as_it_is() {
        let board = Board::new(ROUND);
        let page = &mut *board.page();
        let began = Instant::now();
        page.counting = true;
        page.typed("late", began);
        page.give_up(began + 10 * ROUND, ROUND);
        assert_eq!(page.counted_under_way().count(), 0);
        page.shown("late", began + 20 * ROUND, ROUND);
        let Delivery { delivery_rounds, messages, undelivered, .. } = page.delivery(1);
        assert_eq!((messages, undelivered), (1, 1));
        assert!((9.9..10.1).contains(&delivery_rounds.max), "{delivery_rounds:?}");
        assert!(page.look().is_ok());
    }

    #[test]
    fn what_is_shown_twice_is_wrong() {
        let board = Board::new(ROUND);
        let page = &mut *board.page();
        page.typed("once", Instant::now());
        page.shown("once", Instant::now(), ROUND);
        assert!(page.look().is_ok());
        page.shown("once", Instant::now(), ROUND);
        assert!(page.look().is_err());
    }
}
