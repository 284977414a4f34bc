//! The driver: closes and opens rounds on a fixed schedule.
//!
//! ```text
//!  sessions ──join, leave, deposit──► room ◄──turn──┐
//!     ▲                                │ take_open  │
//!     │                                ▼            │
//!     └───────── one frame a seat ── driver ──► mixer, on threads of its own
//! ```
//!
//! Invariants:
//! - A round opens only when its number is reserved on the disk ([`numbers`]).
//! - The schedule does not drift, not even over a restart. After a stall, rounds are left out rather than crowded.
//! - Key agreement, sign-in and sockets are the sessions' business; a round never waits for them.

pub mod numbers;
mod order;
pub mod room;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mixer::{Counts, Open, Replies, Seats};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, SeedableRng as _};
use tokio::sync::{oneshot, watch};
use wire::close::Close;
use wire::dial::buckets;
use wire::ids::Round;
use wire::layer::Layer;
use wire::round::{Deposit, ServerHeader};

use crate::accounts::Member;
use crate::clock;
use crate::store::{ReserveError, SledStore, Store as _, StoreError, TokenHash};
use numbers::Reservation;
use order::OrderRng;
use room::{Outlet, Room, StayId, Taken, Tally, Totals};

/// The longest that the last round is waited for when the server stops.
pub const FINISH: Duration = Duration::from_secs(3);

/// Why the rounds cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// Round numbers could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Round numbers could not be reserved.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// The mixer's threads could not be started.
    #[error(transparent)]
    Threads(#[from] mixer::NoThreads),
}

/// What the rounds are made with.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Length of a round.
    pub period: Duration,
    /// Slots of a deposit.
    pub slots: u8,
    /// Most seats.
    pub seats_max: u32,
    /// Threads that the mixer computes with; with one it takes the thread that it is called on.
    pub threads: usize,
}

/// The sessions' way to the rounds.
#[derive(Clone)]
pub struct Rounds {
    room: Arc<Mutex<Room>>,
    /// When the open round was opened.
    opened: Arc<Mutex<Instant>>,
}

/// A session's place in the rounds; left when dropped.
pub struct Place {
    rounds: Rounds,
    id: StayId,
}

impl Rounds {
    /// Has a session seated when the next round opens, and its frames sent. The receiver hears why the server ends
    /// the stay; without a message the server stops.
    pub fn join(
        &self,
        member: Member,
        layer: Layer,
        frames: Box<dyn Outlet>,
    ) -> (Place, oneshot::Receiver<Close>) {
        let room::Stay { id, ended } = self.room().join(member, layer, frames);
        (Place { rounds: self.clone(), id }, ended)
    }

    /// Changes how many seats there may be.
    pub fn set_seats_max(&self, seats_max: u32) {
        self.room().set_seats_max(seats_max);
    }

    /// Returns the sums, the last round that opened, and the seats in it.
    pub fn state(&self) -> (Totals, Round, usize) {
        self.room().state()
    }

    /// Returns what the last round came to that was answered.
    pub fn last_tally(&self) -> Tally {
        self.room().last_tally()
    }

    /// Returns when the last round was opened, for who watches that they go on.
    pub fn opened(&self) -> Instant {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_opened(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = clock::now();
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes a deposit.
    ///
    /// # Errors
    /// The code that the connection is to be closed with.
    pub fn deposit(&self, deposit: &Deposit<'_>) -> Result<Taken, Close> {
        self.rounds.room().deposit(self.id, deposit)
    }

    /// Says that the session goes on under another token.
    pub fn renew(&self, token: TokenHash) {
        self.rounds.room().renew(self.id, token);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.rounds.room().leave(self.id);
    }
}

/// The task that owns the rounds.
pub struct Driver {
    rounds: Rounds,
    store: Arc<SledStore>,
    pace: Pace,
    genesis_ms: u64,
    reservation: Reservation,
    /// The round that is open.
    round: Round,
    /// When it closes.
    closes: Instant,
}

impl Driver {
    /// Reserves and opens the first round.
    ///
    /// # Errors
    /// [`DriverError`]: no round was opened.
    pub async fn start(store: Arc<SledStore>, pace: Pace) -> Result<(Self, Rounds), DriverError> {
        let genesis_ms = store.origin()?.genesis_ms;
        let by_clock = numbers::by_clock(genesis_ms, clock::unix_ms(), pace.period);
        let round = numbers::first(store.rounds_reserved()?, by_clock);
        let mut reservation = Reservation::new(store.clone());
        reservation.cover(round).await?;
        let mut room = Room::new(pace.seats_max);
        let threads = mixer::Threads::start(pace.threads)?;
        room.open_first(round, Seats::new(pace.slots).with_threads(threads));
        let opened = Arc::new(Mutex::new(clock::now()));
        let rounds = Rounds { room: Arc::new(Mutex::new(room)), opened };
        let closes = clock::now() + numbers::left(genesis_ms, clock::unix_ms(), pace.period);
        let driver =
            Self { rounds: rounds.clone(), store, pace, genesis_ms, reservation, round, closes };
        Ok((driver, rounds))
    }

    /// Runs rounds until `stop` says true or its sender is gone; then finishes the open one, sends its
    /// answers, and ends all frames.
    ///
    /// # Errors
    /// [`DriverError`]: the server must end.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), DriverError> {
        let outcome = self.run_rounds(&mut stop).await;
        self.rounds.room().close();
        outcome
    }

    async fn run_rounds(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), DriverError> {
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep_until(self.closes.into()) => false,
                _ = stop.wait_for(|&stop| stop) => true,
            };
            if stopped && self.rounds.room().is_empty() {
                return Ok(());
            }
            if stopped {
                let latest = self.closes.min(clock::now() + FINISH);
                tokio::time::sleep_until(latest.into()).await;
                return self.turn().await;
            }
            self.turn().await?;
        }
    }

    /// Closes the round, mixes it, and opens the next one with its answers.
    async fn turn(&mut self) -> Result<(), DriverError> {
        let by_clock = numbers::by_clock(self.genesis_ms, clock::unix_ms(), self.pace.period);
        let next = numbers::next(self.round, by_clock);
        let open = self.rounds.room().take_open();
        let (slots, directory_length) = (self.pace.slots, self.store.directory_len());
        let header = header(slots, next, self.round, open.seats(), directory_length);
        let mixed = tokio::task::spawn_blocking(move || mix(open, &header));
        let (replies, seats, counts, mut rng) = match mixed.await {
            Ok(mixed) => mixed,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.reservation.cover(next).await?;
        self.schedule();
        let tally = {
            let mut room = self.rounds.room();
            let left = self.closes.saturating_duration_since(clock::now());
            let header = ServerHeader { closes_ms: clock::millis(left), ..header };
            room.turn(replies, seats, header, &mut rng);
            room.tally(counts)
        };
        self.rounds.note_opened();
        log(self.round, &tally);
        self.round = next;
        self.reservation.ahead(next);
        Ok(())
    }

    /// Sets when the next round closes: one period after the last, or as many more as leave it at least
    /// half a period.
    fn schedule(&mut self) {
        self.closes += self.pace.period;
        let earliest = clock::now() + self.pace.period / 2;
        if let Some(behind) = earliest.checked_duration_since(self.closes) {
            let periods = behind.as_nanos().div_ceil(self.pace.period.as_nanos());
            let periods = u32::try_from(periods).unwrap_or(u32::MAX);
            self.closes += self.pace.period.saturating_mul(periods);
            self.rounds.room().leave_out(periods);
            tracing::warn!(periods, "the server could not keep up and left out rounds");
        }
    }
}

/// Makes the header that opens a round, but for the time that is left of it. Its buckets follow from its length, as
/// every client checks; the directory only grows, so they never become fewer.
fn header(
    slots: u8,
    open: Round,
    answered: Round,
    seats: u32,
    directory_length: u32,
) -> ServerHeader {
    let buckets = buckets(directory_length);
    ServerHeader { slots, closes_ms: 0, open, answered, seats, directory_length, buckets }
}

/// Takes a round through the mixer.
fn mix(open: Open, header: &ServerHeader) -> (Replies, Seats, Counts, ChaCha20Rng) {
    let mut rng = ChaCha20Rng::from_rng(OsRng).expect("the system's generator works or panics");
    let shuffled = open.close().peel(&mut rng).shuffle(&mut OrderRng::new());
    let exchanged = shuffled.exchange(&mut rng);
    let (replies, seats, counts) = exchanged.unshuffle().seal(header);
    (replies, seats, counts, rng)
}

/// One line a round, with counts that name nobody and say nothing of who met whom.
fn log(round: Round, tally: &Tally) {
    let Tally { counts, late } = *tally;
    let Counts { seats, deposits, missing, tampered, malformed_dials, .. } = counts;
    if seats + late > 0 {
        let round = round.0;
        tracing::info!(round, seats, deposits, missing, late, tampered, malformed_dials, "round");
    }
}

#[cfg(test)]
mod tests;
