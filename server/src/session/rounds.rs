//! A session with a seat: one deposit up and one frame down in every round, and one control frame each
//! way in every control round.
//!
//! Deposits come and frames go without waking anybody ([`crate::quic`]); the session itself wakes for control frames
//! and for its end.
//!
//! Invariant: frames go down when the driver says so. The answer to a control frame goes right behind
//! the next opening, so that its time says nothing of what was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::timeout;
use wire::close::Close;
use wire::control::ServerControl;
use wire::layer::Layer;
use wire::round::ClientFrame;

use super::desk::{Desk, Served};
use super::frames::{End, FrameReader, FrameWriter};
use super::{Control, FAREWELL, FLUSH, Hub};
use crate::driver::Place;
use crate::driver::room::{FRAMES_WAITING_MAX, Lagging, Opening, Outlet, Taken};
use crate::quic::{self, Ending, Sink};

/// Control rounds that a client may be behind with its control frames.
const CONTROL_CREDITS_MAX: usize = 2;

/// The two directions of the stream of the rounds.
pub(super) struct Streams {
    pub(super) deposits: FrameReader,
    pub(super) frames: FrameWriter,
}

/// What the client may send, and what waits to be sent to it.
#[derive(Default)]
struct Turn {
    /// Openings sent without a deposit since.
    deposits: u32,
    /// Control rounds opened without a control frame since.
    controls: usize,
    /// Answers for the next openings, at most one for each credit.
    answers: VecDeque<ServerControl>,
    /// Hears that the last answer of all was sent.
    last: Option<oneshot::Sender<()>>,
}

/// The session's frames, on their way down.
struct Down {
    outlet: quic::Outlet,
    turn: Arc<Mutex<Turn>>,
}

/// The session's deposits, on their way up.
struct Up {
    place: Arc<Place>,
    turn: Arc<Mutex<Turn>>,
    slots: u8,
    over: Option<oneshot::Sender<End>>,
}

/// Serves the rounds to the session's end.
pub(super) async fn run(
    hub: &Arc<Hub>,
    mut desk: Desk<'_>,
    layer: Layer,
    control: Control,
    streams: Streams,
) -> Result<Infallible, End> {
    let Control { reader, mut writer } = control;
    let Streams { deposits, mut frames } = streams;
    let (last, was_last) = oneshot::channel();
    let turn = Arc::new(Mutex::new(Turn { last: Some(last), ..Turn::default() }));
    desk.is_seated();
    let down = Box::new(Down { outlet: frames.outlet(&writer), turn: turn.clone() });
    let (place, ended) = hub.rounds.join(*desk.member(), layer, down);
    let place = Arc::new(place);
    let (over, is_over) = oneshot::channel();
    let slots = hub.offer.slots;
    let up = Up { place: place.clone(), turn: turn.clone(), slots, over: Some(over) };
    let _line = deposits.attach(Box::new(up));
    tokio::select! {
        biased;
        end = ended => match end {
            Ok(close) => Err(close.into()),
            // The server stops. A client that does not take its last frames in time loses them; the rounds first: a
            // client may leave at the end of either stream.
            Err(_) => {
                let flushed = async {
                    frames.ended().await;
                    writer.ended().await;
                };
                let _ = timeout(FLUSH, flushed).await;
                Err(Close::Restarting.into())
            }
        },
        // Without a message the connection is gone.
        end = is_over => Err(end.unwrap_or(End::Gone)),
        end = take_controls(hub, &mut desk, &place, reader, &turn, was_last) => {
            end?;
            let _ = timeout(FAREWELL, writer.ended()).await;
            Err(Close::Done.into())
        }
    }
}

/// Answers control frames: at most one for each control round. The answers wait for the next opening. Returns when the
/// last answer of all was sent.
async fn take_controls(
    hub: &Arc<Hub>,
    desk: &mut Desk<'_>,
    place: &Place,
    mut frames: FrameReader,
    turn: &Mutex<Turn>,
    was_last: oneshot::Receiver<()>,
) -> Result<(), End> {
    loop {
        let request = desk.next(&mut frames).await?;
        {
            let mut turn = lock(turn);
            let left = turn.controls.checked_sub(1);
            turn.controls =
                left.ok_or_else(|| End::protocol("more control frames than control rounds"))?;
        }
        let answer = match Box::pin(desk.serve(request)).await? {
            Served::Idle => ServerControl::Idle,
            Served::Answer(answer) => answer,
            Served::Pages(pull) if pull.pages == 1 => {
                let page = Box::pin(hub.pages(pull)).await?.pop();
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
            return was_last.await.map_err(|_| End::Gone);
        }
    }
}

impl Outlet for Down {
    fn send(&self, Opening { round, frame }: Opening) -> Result<(), Lagging> {
        if self.outlet.waiting() >= FRAMES_WAITING_MAX {
            return Err(Lagging);
        }
        let mut turn = lock(&self.turn);
        turn.deposits += 1;
        if round.has_control() {
            turn.controls = (turn.controls + 1).min(CONTROL_CREDITS_MAX);
        }
        let answer = turn.answers.pop_front();
        let is_last = matches!(answer, Some(ServerControl::Deleted));
        let answer = answer.map(|answer| FrameWriter::encoded(&answer));
        self.outlet.mail(frame, answer, is_last);
        if let Some(last) = turn.last.take_if(|_| is_last) {
            // The session may have ended by itself.
            let _ = last.send(());
        }
        Ok(())
    }

    fn finish(&self) {
        self.outlet.finish();
    }
}

impl Sink for Up {
    fn frame(&mut self, frame: &[u8]) -> bool {
        match self.take(frame) {
            Ok(()) => true,
            Err(end) => {
                self.end(end);
                false
            }
        }
    }

    fn ended(&mut self, ending: Ending) {
        self.end(match ending {
            // The end of the stream is how a client leaves.
            Ending::Finished => Close::Done.into(),
            Ending::CutOff => End::protocol("a frame was cut off"),
            Ending::GivenUp => End::protocol("a stream was given up"),
        });
    }
}

impl Up {
    /// Hands a deposit to the open round: at most one for each opening.
    fn take(&self, frame: &[u8]) -> Result<(), End> {
        let ClientFrame::Deposit(deposit) = ClientFrame::decode(frame, self.slots)? else {
            return Err(End::protocol("a second `join`"));
        };
        match self.place.deposit(&deposit) {
            Ok(Taken::InTime | Taken::Late) => (),
            Err(Close::Protocol) => return Err(End::protocol("a second deposit in one round")),
            Err(close) => return Err(close.into()),
        }
        let mut turn = lock(&self.turn);
        let left = turn.deposits.checked_sub(1);
        turn.deposits = left.ok_or_else(|| End::protocol("more deposits than rounds"))?;
        Ok(())
    }

    fn end(&mut self, end: End) {
        if let Some(over) = self.over.take() {
            // The session may have ended by itself.
            let _ = over.send(end);
        }
    }
}

fn lock(turn: &Mutex<Turn>) -> MutexGuard<'_, Turn> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}
