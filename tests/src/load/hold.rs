//! Holds crowds in rounds and measures what that costs their servers.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Tally;
use super::book::number;
use super::delivery::Chat;
use super::figures::Held;
use super::stage::{Stage, progress};
use crate::processes::Place;

/// Rounds before counting begins, in which all have a seat.
const WARM_UP: u32 = 2;

/// Parts that the rounds are measured in, if two servers take turns.
const PARTS: u32 = 5;

/// Clients that are in the rounds before the memory of the others is counted: one in so many.
const FIRST: usize = 10;

/// Takes everybody into the rounds of one server after the other, and measures so many rounds of each: of one server at
/// once, of several in turns, with all clients in the rounds of one and none in those of the others. Who talks stays in
/// the real server's rounds for all turns.
pub(super) fn measure(
    stages: &mut [Stage],
    places: &[Place],
    rounds: u32,
) -> anyhow::Result<Vec<Held>> {
    let parts = if stages.len() > 1 { PARTS.min(rounds) } else { 1 };
    let watches = stages.iter().zip(places).map(|(stage, place)| Watch::begin(stage, place));
    let mut watches = watches.collect::<anyhow::Result<Vec<_>>>()?;
    for part in 0..parts {
        let share = rounds * (part + 1) / parts - rounds * part / parts;
        for (stage, watch) in stages.iter_mut().zip(&mut watches) {
            if parts > 1 {
                progress(&format!("part {} of {parts}, {}", part + 1, stage.kind));
            }
            watch.watch(stage, share)?;
            if parts > 1 {
                stage.crowd.unseat();
            }
        }
    }
    let held = stages.iter().zip(watches);
    held.map(|(stage, watch)| watch.end(stage, rounds)).collect()
}

/// What a server costs while it is watched.
struct Watch {
    chat: Chat,
    taken: Option<Taken>,
    spent: Duration,
    /// What the crowd came to by the end of the last part.
    tally: Tally,
    /// Rounds of everybody together, by then.
    rounds: u64,
    resident: u64,
    grown: i64,
    /// Microseconds a client and round, of each part.
    parts: Vec<f64>,
}

impl Watch {
    /// Has people enter the rounds who talk; nothing is watched yet.
    fn begin(stage: &Stage, place: &Place) -> anyhow::Result<Self> {
        Ok(Self {
            chat: Chat::start(stage, place)?,
            taken: None,
            spent: Duration::ZERO,
            tally: Tally::default(),
            rounds: 0,
            resident: 0,
            grown: 0,
            parts: Vec::new(),
        })
    }

    /// Takes everybody in and watches so many rounds.
    fn watch(&mut self, stage: &mut Stage, rounds: u32) -> anyhow::Result<()> {
        let taken = take_in(stage)?;
        self.taken.get_or_insert(taken);
        stage.pause(WARM_UP * stage.round)?;
        self.chat.is_heard(stage)?;
        let before = stage.usage()?;
        let attended = self.chat.rounds();
        self.count(stage, true);
        for done in 1..=rounds {
            stage.pause(stage.round)?;
            let (kind, tally) = (stage.kind, stage.crowd.tally());
            let (kept, missed, p99) = (tally.kept, tally.missed, tally.reply_ms.p99);
            let delivered = self.chat.delivery().map(|it| format!("; {it}")).unwrap_or_default();
            progress(&format!(
                "round {done} of {rounds}, {kind}: {kept} replies, {missed} missed, p99 {p99} ms{delivered}"
            ));
        }
        let after = stage.usage()?;
        self.count(stage, false);
        let spent = after.processor.saturating_sub(before.processor);
        let tally = stage.crowd.tally();
        let held = tally.rounds() - self.tally.rounds() + self.chat.rounds() - attended;
        self.parts.push(per_round(spent, held));
        self.tally = tally;
        self.spent += spent;
        self.rounds += held;
        self.resident = after.resident;
        self.grown += i64::try_from(after.resident)? - i64::try_from(before.resident)?;
        self.chat.settle(stage)
    }

    /// Begins to count what comes to the crowd and to who talks, or stops.
    fn count(&self, stage: &Stage, begins: bool) {
        stage.crowd.count(begins);
        self.chat.count(begins);
    }

    fn end(self, stage: &Stage, rounds: u32) -> anyhow::Result<Held> {
        let delivery = self.chat.delivery();
        self.chat.end()?;
        let taken = self.taken.context("nobody was in the rounds")?;
        Ok(Held {
            server: stage.kind,
            clients: stage.clients(),
            rounds,
            missed: self.tally.missed,
            cpu_us_per_client_round: per_round(self.spent, self.rounds),
            parts: self.parts,
            rss_bytes_per_client: taken.bytes_a_client,
            rss_bytes: self.resident,
            rss_bytes_grown: self.grown,
            reply_ms: self.tally.reply_ms,
            delivery,
            handshakes_per_s: taken.handshakes_per_s,
        })
    }
}

fn per_round(spent: Duration, rounds: u64) -> f64 {
    spent.as_secs_f64() * 1e6 / number(rounds.max(1))
}

/// What taking seats came to.
struct Taken {
    bytes_a_client: f64,
    handshakes_per_s: f64,
}

/// Takes everybody into the rounds, a few first.
fn take_in(stage: &mut Stage) -> anyhow::Result<Taken> {
    let clients = stage.clients();
    let few = clients.div_ceil(FIRST);
    seat(stage, few)?;
    let before = stage.usage()?.resident;
    let others = clients - few;
    let took = seat(stage, others)?;
    let after = stage.usage()?.resident;
    progress(&format!("all {clients} clients are in the rounds, {}", stage.kind));
    Ok(Taken {
        bytes_a_client: (number(after) - number(before)) / number(others.max(1) as u64),
        handshakes_per_s: number(others as u64) / took.as_secs_f64(),
    })
}

/// Has so many more clients take a seat; returns how long it took until all have their sessions.
fn seat(stage: &mut Stage, more: usize) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let (before, ..) = stage.crowd.connections();
    stage.crowd.seat(more);
    let took = stage.entered(before + more as u64, began)?;
    stage.all_reply(Instant::now())?;
    Ok(took)
}
