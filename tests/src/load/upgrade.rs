//! Restarts the server under load and counts the rounds that each client missed.

use std::time::{Duration, Instant};

use super::figures::{Restart, Restarts};
use super::stage::{Stage, progress};
use crate::older::make_version_2;
use crate::processes::Place;

/// Restarts of each kind, at moments that are spread over a round.
const RESTARTS: u32 = 4;

/// Takes everybody into the rounds, then restarts the server in order; the same with a store that the new one has to
/// migrate; and then by SIGKILL.
pub(super) fn measure(stage: &mut Stage, place: &Place) -> anyhow::Result<Restarts> {
    let clients = stage.clients();
    let began = Instant::now();
    stage.crowd.seat(clients);
    stage.all_reply(began)?;
    progress(&format!("all {clients} clients are in the rounds"));
    let terminated = restarts(stage, place, "SIGTERM", Stage::stop_server)?;
    let migrated = restarts(stage, place, "SIGTERM and a migration", |stage| {
        stage.stop_server()?;
        make_version_2(stage.server.data_dir())
    })?;
    let killed = restarts(stage, place, "SIGKILL", |stage| stage.server.kill())?;
    Ok(Restarts { clients, terminated, migrated, killed })
}

fn restarts(
    stage: &mut Stage,
    place: &Place,
    signal: &str,
    stop: impl Fn(&mut Stage) -> anyhow::Result<()>,
) -> anyhow::Result<Restart> {
    let mut restart = Restart::default();
    for turn in 0..RESTARTS {
        // everybody has a reply of the round before
        stage.pause(stage.round)?;
        stage.all_reply(Instant::now() - stage.round / 2)?;
        stage.pause(stage.round * (2 * turn + 1) / (2 * RESTARTS))?;
        stage.crowd.count_anew();
        let began = Instant::now();
        stop(stage)?;
        let stopped = Instant::now();
        stage.crowd.server_restarts();
        stage.server.restart(place)?;
        let served = Instant::now();
        stage.all_reply(served)?;
        let back = served.elapsed();
        restart.add(stage.crowd.gaps(), stopped - began, served - stopped, back);
        progress(&format!(
            "{signal} {} of {RESTARTS}: stopped in {}, serving in {}, everybody has a reply {} later; {}",
            turn + 1,
            seconds(stopped - began),
            seconds(served - stopped),
            seconds(back),
            restart.missed(),
        ));
    }
    Ok(restart)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
