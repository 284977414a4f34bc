//! A storm of sign-ins: a server is killed with everybody in the rounds, started again, and everybody comes back.

use std::time::Instant;

use super::book::number;
use super::figures::Storm;
use super::stage::{Stage, progress};
use crate::processes::Place;

/// Takes everybody into the rounds, restarts the server, and measures how they come back.
pub(super) fn measure(stage: &mut Stage, place: &Place) -> anyhow::Result<Storm> {
    let (kind, clients) = (stage.kind, stage.clients());
    stage.crowd.seat(clients);
    stage.entered(clients as u64, Instant::now())?;
    stage.all_reply(Instant::now())?;
    progress(&format!("all {clients} clients are in the rounds, {kind}"));
    let (before, lost, _) = stage.crowd.connections();
    stage.server.kill()?;
    stage.crowd.server_restarts();
    stage.server.restart(place)?;
    let served = Instant::now();
    stage.crowd.forgive();
    stage.crowd.count_anew();
    let took = stage.entered(before + clients as u64, served)?;
    let processor = stage.usage()?.processor;
    stage.all_reply(Instant::now())?;
    let tally = stage.crowd.tally();
    let (_, lost_after, _) = stage.crowd.connections();
    let storm = Storm {
        server: kind,
        clients,
        back_in_s: took.as_secs_f64(),
        back_per_s: number(clients as u64) / took.as_secs_f64(),
        cpu_us_per_client: processor.as_secs_f64() * 1e6 / number(clients as u64),
        tries_per_client: number(lost_after - lost) / number(clients as u64),
        kept: tally.kept,
        missed: tally.missed,
    };
    progress(&storm.to_string());
    Ok(storm)
}
