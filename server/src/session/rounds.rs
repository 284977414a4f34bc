//! A session with a seat: one deposit up and one frame down in every round, and one control frame each
//! way in every control round.
//!
//! Invariant: frames go down when the driver says so. The answer to a control frame goes right behind
//! the next opening, so that its time says nothing of what was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::close::Close;
use wire::control::ServerControl;
use wire::round::ClientFrame;

use super::desk::{Desk, Served};
use super::frames::{End, FrameReader, FrameWriter};
use super::{Control, FAREWELL, FLUSH, Hub};
use crate::driver::room::{Opening, Taken};
use crate::driver::{Feed, Place};

/// Control rounds that a client may be behind with its control frames.
const CONTROL_CREDITS_MAX: usize = 2;

/// What the client may send, and what waits to be sent to it.
#[derive(Default)]
struct Turn {
    /// Openings sent without a deposit since.
    deposits: u32,
    /// Control rounds opened without a control frame since.
    controls: usize,
    /// Answers for the next openings, at most one for each credit.
    answers: VecDeque<ServerControl>,
}

/// Serves the rounds to the session's end.
pub(super) async fn run(
    hub: &Arc<Hub>,
    mut desk: Desk<'_>,
    place: Place,
    feed: Feed,
    control: Control,
    deposits: FrameReader,
    frames: FrameWriter,
) -> Result<Infallible, End> {
    let Feed { frames: mut openings, ended } = feed;
    let Control { reader, writer } = control;
    let turn = Mutex::new(Turn::default());
    let ended = async {
        match ended.await {
            Ok(close) => Err(close.into()),
            // The server stops; the openings end, too, and are sent to their end. A client that does not
            // take its last frames in time loses them.
            Err(_) => {
                tokio::time::sleep(FLUSH).await;
                Err(Close::Restarting.into())
            }
        }
    };
    tokio::select! {
        biased;
        end = ended => end,
        end = take_deposits(hub, &place, deposits, &turn) => end,
        end = take_controls(hub, &mut desk, &place, reader, &turn) => end,
        end = send(&mut openings, frames, writer, &turn) => end,
    }
}

/// Hands deposits to the open round: at most one for each opening.
async fn take_deposits(
    hub: &Hub,
    place: &Place,
    mut frames: FrameReader,
    turn: &Mutex<Turn>,
) -> Result<Infallible, End> {
    loop {
        let frame = frames.next().await?;
        let ClientFrame::Deposit(deposit) = ClientFrame::decode(frame, hub.offer.slots)? else {
            return Err(End::protocol("a second `join`"));
        };
        match place.deposit(&deposit) {
            Ok(Taken::InTime | Taken::Late) => (),
            Err(Close::Protocol) => return Err(End::protocol("a second deposit in one round")),
            Err(close) => return Err(close.into()),
        }
        let mut turn = lock(turn);
        let left = turn.deposits.checked_sub(1);
        turn.deposits = left.ok_or_else(|| End::protocol("more deposits than rounds"))?;
    }
}

/// Answers control frames: at most one for each control round. The answers wait for the next opening.
async fn take_controls(
    hub: &Arc<Hub>,
    desk: &mut Desk<'_>,
    place: &Place,
    mut frames: FrameReader,
    turn: &Mutex<Turn>,
) -> Result<Infallible, End> {
    loop {
        let request = desk.next(&mut frames).await?;
        {
            let mut turn = lock(turn);
            let left = turn.controls.checked_sub(1);
            turn.controls =
                left.ok_or_else(|| End::protocol("more control frames than control rounds"))?;
        }
        let answer = match desk.serve(request).await? {
            Served::Idle => ServerControl::Idle,
            Served::Answer(answer) => answer,
            Served::Pages(pull) if pull.pages == 1 => {
                let page = hub.pages(pull).await?.pop();
                page.expect("one page was asked for")
            }
            Served::Pages(_) => return Err(End::protocol("more than one page in a control round")),
            Served::SignIn => return Err(End::protocol("a sign-in after `join`")),
        };
        if matches!(answer, ServerControl::Changed(_)) {
            place.renew(desk.member().token);
        }
        let is_last = matches!(answer, ServerControl::Deleted);
        lock(turn).answers.push_back(answer);
        if is_last {
            return std::future::pending().await;
        }
    }
}

/// Sends each opening, and behind it the answer that waits.
async fn send(
    openings: &mut tokio::sync::mpsc::Receiver<Opening>,
    mut frames: FrameWriter,
    mut control: FrameWriter,
    turn: &Mutex<Turn>,
) -> Result<Infallible, End> {
    while let Some(Opening { round, frame }) = openings.recv().await {
        let answer = {
            let mut turn = lock(turn);
            turn.deposits += 1;
            if round.has_control() {
                turn.controls = (turn.controls + 1).min(CONTROL_CREDITS_MAX);
            }
            turn.answers.pop_front()
        };
        frames.frame(frame).await?;
        if let Some(answer) = answer {
            control.control(&answer).await?;
            if matches!(answer, ServerControl::Deleted) {
                let _ = tokio::time::timeout(FAREWELL, control.flushed()).await;
                return Err(Close::Done.into());
            }
        }
    }
    // The rounds first: a client may leave at the end of either stream.
    frames.flushed().await;
    control.flushed().await;
    Err(Close::Restarting.into())
}

fn lock(turn: &Mutex<Turn>) -> MutexGuard<'_, Turn> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}
