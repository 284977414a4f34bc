//! One client of a crowd: the real protocol with as little state as it can have.
//!
//! It does what `client_link` does, but keeps no directory, no profile and no conversations: a cover deposit in every
//! round at a moment between 10 and 75 % of it, `idle` in every control round, the frames of the server, and a way
//! back with growing pauses when they stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use client_core::account::{SignIn, SignUp};
use rand_core::{OsRng, RngCore as _};
use server::quic::{Connection, RecvStream, SendStream};
use server::transport::login_exporter;
use tokio::time::{sleep, sleep_until, timeout, timeout_at};
use wire::account::Stretching;
use wire::codec::Wire as _;
use wire::control::{ClientControl, Resume, ServerControl, Session};
use wire::ids::{Name, Round, Token};
use wire::layer::{Direction, Layer, Place};
use wire::login::LoginContext;
use wire::public_key::AgreementKey;
use wire::round::{Join, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, CONTROL_FRAME, DEPOSIT, DROP_ID, REPLY_SLOT, round_frame};

use super::crowd::Shared;

/// First and longest pause between attempts to come back, as real clients have them; each is drawn from the half of
/// it to the whole.
pub(super) const PAUSES: (Duration, Duration) =
    (Duration::from_millis(250), Duration::from_secs(30));

/// The longest that connecting may take on the way back, and then an answer, as with real clients.
pub(super) const RECONNECT_WITHIN: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long after a round's announced close the next frame may come, as with real clients.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// The longest that signing up, or a first sign-in, may take on a machine that is busy with others.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Everybody's password.
pub(super) const PASSWORD: &str = "load";

/// The window of deposit moments, in thousandths of the round.
const WINDOW: (u64, u64) = (100, 750);

/// A signed-in connection's seat.
struct Seat {
    connection: Connection,
    control: (SendStream, RecvStream),
    rounds: (SendStream, RecvStream),
    layer: Layer,
    slots: u8,
    /// Bytes of control answers that are still to come.
    owed: usize,
}

/// Registers an account and signs in to it; returns its token.
pub(super) async fn sign_up(shared: &Shared, number: usize) -> anyhow::Result<Token> {
    let signed_up = async {
        let connection = shared.connect(number).await?;
        let exporter = login_exporter(&connection).context("no keys after the handshake")?;
        let mut control = streams(&connection)?;
        let name: Name = shared.name(number);
        let (password, pin) = (PASSWORD.as_bytes(), shared.link.pin);
        let cost = Stretching::for_tests();
        let (up, start) = SignUp::start(name, pin, None, password, &mut OsRng)?;
        let reply = match ask(&mut control, &start).await? {
            ServerControl::RegisterReply(reply) => reply,
            other => bail!("registration: {}", refused(&other)),
        };
        let finish = up.finish(password, &reply, cost, &mut OsRng)?;
        match ask(&mut control, &finish).await? {
            ServerControl::Registered(_) => (),
            other => bail!("registration: {}", refused(&other)),
        }
        let (sign_in, start) = SignIn::start(name, password, &mut OsRng)?;
        let reply = match ask(&mut control, &start).await? {
            ServerControl::LoginReply(reply) => reply,
            other => bail!("sign-in: {}", refused(&other)),
        };
        let context = LoginContext::new(pin, &exporter);
        let (_, finish) = sign_in.finish(password, &reply, &cost, &context, &mut OsRng)?;
        let session = session_of(ask(&mut control, &finish).await?)?;
        connection.close(0_u32.into(), b"");
        Ok(session.token.duplicate())
    };
    timeout(PATIENCE, signed_up).await.context("not signed up in time")?
}

/// Lives until the task is dropped: takes a seat, attends, comes back.
pub(super) async fn live(shared: Arc<Shared>, number: usize, token: Token) {
    let mut pause = PAUSES.0;
    let mut first = true;
    loop {
        let entered = if first {
            let _room = shared.gate.acquire().await.expect("nobody closes the gate");
            enter(&shared, number, &token, PATIENCE).await
        } else {
            enter(&shared, number, &token, RECONNECT_WITHIN).await
        };
        first = false;
        let why = match entered {
            Ok(mut seat) => {
                let why = attend(&shared, number, &mut seat, &mut pause).await;
                seat.connection.close(0_u32.into(), b"");
                why
            }
            Err(error) => error,
        };
        shared.book.lost(format!("{why:#}"));
        sleep(pause.mul_f64(0.5 + 0.5 * part(OsRng.next_u64()))).await;
        pause = (2 * pause).min(PAUSES.1);
    }
}

/// Connects within a time, takes up the session, and asks for a seat.
async fn enter(
    shared: &Shared,
    number: usize,
    token: &Token,
    within: Duration,
) -> anyhow::Result<Seat> {
    let connected = timeout(within, shared.connect(number)).await;
    let connection = connected.context("no connection in time")??;
    let mut control = streams(&connection)?;
    let resume = ClientControl::Resume(Resume { token: token.duplicate() });
    let answer = timeout(ANSWER_WITHIN, ask(&mut control, &resume)).await;
    let session = session_of(answer.context("no session in time")??)?;
    shared.book.entered();
    let own = AgreementKey::random(&mut OsRng);
    let layer = Layer::for_client(&own, &session.mixer)?;
    let mut rounds = streams(&connection)?;
    rounds.0.write_all(&Join { key: own.public() }.encode(session.slots)).await.map_err(said)?;
    Ok(Seat { connection, control, rounds, layer, slots: session.slots, owed: 0 })
}

/// Attends the rounds until they stop; returns why.
async fn attend(
    shared: &Shared,
    number: usize,
    seat: &mut Seat,
    pause: &mut Duration,
) -> anyhow::Error {
    // the first frame comes with the next opening
    let mut silent_at = Instant::now() + 2 * shared.round + ANSWER_GRACE;
    let mut frame = vec![0; round_frame(seat.slots)];
    let mut deposited = Round::NONE;
    loop {
        let attended = async {
            let read = read_exact(&mut seat.rounds.1, &mut frame);
            timeout_at(silent_at.into(), read).await.context("no frame in time")??;
            let at = Instant::now();
            let header = seat.take(&frame, deposited, |header, answers| {
                shared.book.heard(number, at, header, answers);
            })?;
            let closes = Duration::from_millis(header.closes_ms.into()).min(shared.round);
            silent_at = at + closes + ANSWER_GRACE;
            let deposit = seat.cover(header.open, shared.tag(number));
            let moment = closes.mul_f64(place(shared.tag(number), header.open));
            seat.wait_until(at + moment).await?;
            seat.rounds.0.write_all(&deposit).await.map_err(said)?;
            deposited = header.open;
            if header.open.has_control() {
                let idle = ClientControl::Idle.encode();
                seat.control.0.write_all(&idle).await.map_err(said)?;
                seat.owed += CONTROL_FRAME;
            }
            anyhow::Ok(())
        };
        if let Err(why) = attended.await {
            return why;
        }
        *pause = PAUSES.0;
    }
}

impl Seat {
    /// Takes a frame of the server; tells whether it holds the reply to what was deposited for `deposited`.
    fn take(
        &mut self,
        frame: &[u8],
        deposited: Round,
        tell: impl FnOnce(&ServerHeader, bool),
    ) -> anyhow::Result<ServerHeader> {
        let (header, replies) = ServerHeader::decode(frame, self.slots)?;
        let mut answers = false;
        if header.answered != Round::NONE {
            // a deposit that came late is answered with what no layer opens
            let place = Place { direction: Direction::Reply, slot: 0, slots: self.slots };
            let opened =
                self.layer.open(header.answered, place, &replies[..REPLY_SLOT], &mut [0; CELL]);
            answers = header.answered == deposited && opened.is_ok();
            self.layer.step();
        }
        tell(&header, answers);
        Ok(header)
    }

    /// Makes a deposit of cover: its slots meet at a drop of their own, and a dial slot is empty.
    fn cover(&self, round: Round, tag: u64) -> Vec<u8> {
        let mut frame = deposit_frame(round, self.slots);
        let mut drop_id = [0; DROP_ID];
        drop_id[..8].copy_from_slice(&tag.to_le_bytes());
        drop_id[8..].copy_from_slice(&round.0.to_le_bytes());
        for (slot, layered) in (0..).zip(deposit_slots_mut(&mut frame)) {
            let mut plain = [0; DEPOSIT];
            if !round.has_dial() || slot + 1 < self.slots {
                plain[..DROP_ID].copy_from_slice(&drop_id);
                plain[DROP_ID..].fill(slot);
            }
            let place = Place { direction: Direction::Deposit, slot, slots: self.slots };
            self.layer.seal(round, place, &plain, layered);
        }
        frame
    }

    /// Waits, and takes in the answers to control frames meanwhile.
    async fn wait_until(&mut self, moment: Instant) -> anyhow::Result<()> {
        while self.owed > 0 {
            let mut answer = [0; CONTROL_FRAME];
            let room = self.owed.min(CONTROL_FRAME);
            tokio::select! {
                biased;
                read = self.control.1.read(&mut answer[..room]) => {
                    self.owed -= read.map_err(said)?.context("the control stream ended")?;
                }
                () = sleep_until(moment.into()) => return Ok(()),
            }
        }
        sleep_until(moment.into()).await;
        Ok(())
    }
}

async fn ask(
    control: &mut (SendStream, RecvStream),
    request: &ClientControl,
) -> anyhow::Result<ServerControl> {
    control.0.write_all(&request.encode()).await.map_err(said)?;
    let mut frame = [0; CONTROL_FRAME];
    read_exact(&mut control.1, &mut frame).await?;
    Ok(ServerControl::decode(&frame)?)
}

/// Takes what ended a stream as an error.
pub(super) fn said(error: impl std::fmt::Debug) -> anyhow::Error {
    anyhow!("{error:?}")
}

/// Opens a stream.
pub(super) fn streams(connection: &Connection) -> anyhow::Result<(SendStream, RecvStream)> {
    connection.open_bi().context("the server gives no leave for a stream")
}

/// Reads until the buffer is full.
pub(super) async fn read_exact(stream: &mut RecvStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = stream.read(&mut buffer[filled..]).await.map_err(said)?;
        filled += read.context("the stream ended within a frame")?;
    }
    Ok(())
}

fn session_of(answer: ServerControl) -> anyhow::Result<Box<Session>> {
    match answer {
        ServerControl::Session(session) => Ok(session),
        other => bail!("no session: {}", refused(&other)),
    }
}

fn refused(answer: &ServerControl) -> String {
    match answer {
        ServerControl::Refused(refused) => format!("refused: {:?}", refused.why),
        _ => "another answer than was asked for".to_owned(),
    }
}

/// Returns when in a round a client deposits, as a share of the round; another one in each round.
pub(super) fn place(tag: u64, round: Round) -> f64 {
    let mut mixed = tag ^ round.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // the finaliser of SplitMix64 (Steele, Lea and Flood 2014)
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    let (first, last) = WINDOW;
    super::book::number(first + mixed % (last - first + 1)) / 1000.0
}

/// Takes a drawn number as a part of 1.
pub(super) fn part(drawn: u64) -> f64 {
    f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deposits_are_spread_over_the_window() {
        let places: Vec<_> = (0..1000).map(|tag| place(tag, Round(77))).collect();
        assert!(places.iter().all(|&place| (0.1..=0.75).contains(&place)));
        let early = places.iter().filter(|&&place| place < 0.425).count();
        assert!((400..600).contains(&early), "{early}");
    }
}
