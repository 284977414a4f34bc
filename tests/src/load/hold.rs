//! Holds a crowd in rounds and measures what that costs the server.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::book::number;
use super::figures::{Figures, Held};
use super::stage::{Stage, progress};

/// Rounds before counting begins, in which all have a seat.
const WARM_UP: u32 = 2;

/// Takes everybody into the rounds, in two halves, and measures so many rounds.
pub(super) fn measure(stage: &mut Stage, rounds: u32) -> anyhow::Result<Figures> {
    let clients = stage.clients();
    let half = clients / 2;
    let first = seat(stage, half)?;
    let second = seat(stage, clients - half)?;
    progress(&format!("all {clients} clients are in the rounds"));
    stage.pause(WARM_UP * stage.round)?;
    let before = stage.usage()?;
    stage.crowd.count_anew();
    for round in 1..=rounds {
        stage.pause(stage.round)?;
        let tally = stage.crowd.tally();
        let (kept, missed, p99) = (tally.kept, tally.missed, tally.reply_ms.p99);
        progress(&format!(
            "round {round} of {rounds}: {kept} replies, {missed} missed, p99 {p99} ms"
        ));
    }
    let after = stage.usage()?;
    let tally = stage.crowd.tally();
    let cpu_us = after.processor.saturating_sub(before.processor).as_secs_f64() * 1e6;
    let rounds_held = number(tally.kept + tally.missed);
    let more_bytes = number(second.resident) - number(first.resident);
    Ok(Figures::Held(Held {
        clients,
        rounds,
        missed: tally.missed,
        cpu_us_per_client_round: cpu_us / rounds_held.max(1.0),
        rss_bytes_per_client: more_bytes / number((clients - half) as u64),
        reply_ms: tally.reply_ms,
        handshakes_per_s: second.handshakes_per_s,
    }))
}

/// What taking seats came to.
struct Taken {
    resident: u64,
    handshakes_per_s: f64,
}

/// Has so many more clients take a seat.
fn seat(stage: &mut Stage, more: usize) -> anyhow::Result<Taken> {
    let began = Instant::now();
    let (before, ..) = stage.crowd.connections();
    stage.crowd.seat(more);
    let all = before + more as u64;
    let mut took = None;
    while took.is_none() && began.elapsed() < Duration::from_secs(600) {
        stage.pause(Duration::from_millis(5))?;
        let (entered, ..) = stage.crowd.connections();
        took = (entered >= all).then(|| began.elapsed());
    }
    let took = took.context("the handshakes take longer than 10 minutes")?;
    stage.all_reply(Instant::now())?;
    let handshakes_per_s = number(more as u64) / took.as_secs_f64();
    Ok(Taken { resident: stage.usage()?.resident, handshakes_per_s })
}
