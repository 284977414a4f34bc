//! Holds crowds in rounds and measures what that costs their servers.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::book::number;
use super::figures::Held;
use super::stage::{Stage, progress};

/// Rounds before counting begins, in which all have a seat.
const WARM_UP: u32 = 2;

/// Parts of the rounds that are measured each by itself, if there are as many rounds.
const PARTS: u32 = 5;

/// Clients that are in the rounds before the memory of the others is counted: one in so many.
const FIRST: usize = 10;

/// Takes everybody into the rounds, and measures so many rounds, of all servers at the same time.
pub(super) fn measure(stages: &mut [Stage], rounds: u32) -> anyhow::Result<Vec<Held>> {
    let mut taken = Vec::new();
    for stage in &mut *stages {
        taken.push(take_in(stage)?);
    }
    let round = stages.first().context("there is no server")?.round;
    pause(stages, WARM_UP * round)?;
    let mut watches = Vec::new();
    for stage in &*stages {
        stage.crowd.count_anew();
        watches.push(Watch::start(stage)?);
    }
    for done in 1..=rounds {
        pause(stages, round)?;
        for stage in &*stages {
            let tally = stage.crowd.tally();
            let (kind, kept, missed, p99) =
                (stage.kind, tally.kept, tally.missed, tally.reply_ms.p99);
            progress(&format!(
                "round {done} of {rounds}, {kind}: {kept} replies, {missed} missed, p99 {p99} ms"
            ));
        }
        if rounds < PARTS || done * PARTS / rounds > (done - 1) * PARTS / rounds {
            for (stage, watch) in stages.iter().zip(&mut watches) {
                watch.look(stage)?;
            }
        }
    }
    let held = stages.iter().zip(watches).zip(taken);
    held.map(|((stage, watch), taken)| watch.end(stage, rounds, &taken)).collect()
}

/// Waits for as long as the first of the stages does; they are in one program.
fn pause(stages: &[Stage], time: Duration) -> anyhow::Result<()> {
    stages.first().map_or(Ok(()), |stage| stage.pause(time))
}

/// What a server costs while it is watched.
struct Watch {
    processor: Duration,
    rounds: u64,
    began: (Duration, u64),
    /// Microseconds a client and round, of each part.
    parts: Vec<f64>,
}

impl Watch {
    fn start(stage: &Stage) -> anyhow::Result<Self> {
        let usage = stage.usage()?;
        let began = (usage.processor, usage.resident);
        Ok(Self { processor: usage.processor, rounds: 0, began, parts: Vec::new() })
    }

    /// Adds the part since the last look.
    fn look(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let (processor, tally) = (stage.usage()?.processor, stage.crowd.tally());
        let rounds = tally.kept + tally.missed;
        let cost = per_round(processor.saturating_sub(self.processor), rounds - self.rounds);
        self.parts.push(cost);
        (self.processor, self.rounds) = (processor, rounds);
        Ok(())
    }

    fn end(self, stage: &Stage, rounds: u32, taken: &Taken) -> anyhow::Result<Held> {
        let (usage, tally) = (stage.usage()?, stage.crowd.tally());
        let (processor, resident) = self.began;
        let spent = usage.processor.saturating_sub(processor);
        Ok(Held {
            server: stage.kind,
            clients: stage.clients(),
            rounds,
            missed: tally.missed,
            cpu_us_per_client_round: per_round(spent, tally.kept + tally.missed),
            parts: self.parts,
            rss_bytes_per_client: taken.bytes_a_client,
            rss_bytes: usage.resident,
            rss_bytes_grown: i64::try_from(usage.resident)? - i64::try_from(resident)?,
            reply_ms: tally.reply_ms,
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
