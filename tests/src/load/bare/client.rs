//! A client of the floor: one frame a round, at the moments of the real load, and a look at what comes back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rand_core::{OsRng, RngCore as _};
use server::quic::Connection;
use tokio::time::{sleep, sleep_until, timeout, timeout_at};
use wire::ids::Round;
use wire::size::{SLOTS_DEFAULT, round_frame};

use super::super::client::{
    PATIENCE, PAUSES, RECONNECT_WITHIN, part, place, read_exact, said, streams,
};
use super::super::crowd::Shared;

/// Lives until the task is dropped: connects, attends, comes back.
pub(in super::super) async fn live(shared: Arc<Shared>, number: usize) {
    let mut pause = PAUSES.0;
    let mut first = true;
    loop {
        let connected = if first {
            let _room = shared.gate.acquire().await.expect("nobody closes the gate");
            timeout(PATIENCE, shared.connect(number)).await
        } else {
            timeout(RECONNECT_WITHIN, shared.connect(number)).await
        };
        first = false;
        let why = match connected.context("no connection in time").flatten() {
            Ok(connection) => {
                shared.book.entered();
                let Err(why) = attend(&shared, number, &connection, &mut pause).await;
                connection.close(0_u32.into(), b"");
                why
            }
            Err(error) => error,
        };
        shared.book.lost(format!("{why:#}"));
        sleep(pause.mul_f64(0.5 + 0.5 * part(OsRng.next_u64()))).await;
        pause = (2 * pause).min(PAUSES.1);
    }
}

/// Sends and hears a frame in every round until they stop.
async fn attend(
    shared: &Shared,
    number: usize,
    connection: &Connection,
    pause: &mut Duration,
) -> anyhow::Result<Infallible> {
    let (mut up, mut down) = streams(connection)?;
    let mut frame = vec![0; round_frame(SLOTS_DEFAULT)];
    let mut round = shared.book.round_at(Instant::now());
    loop {
        round += 1;
        let moment = shared.book.starts_at(round)
            + shared.round.mul_f64(place(shared.tag(number), Round(round)));
        sleep_until(moment.into()).await;
        let fill = round.to_le_bytes()[0];
        frame.fill(fill);
        up.write_all(&frame).await.map_err(said)?;
        let read = read_exact(&mut down, &mut frame);
        timeout_at((moment + shared.round).into(), read).await.context("no frame in time")??;
        if frame[0] != fill {
            bail!("another frame came back");
        }
        shared.book.echoed(number, round, moment);
        *pause = PAUSES.0;
    }
}
