//! The room: who has a seat, who comes and who goes, and the round that is open, shared between the
//! driver and the sessions.
//!
//! Invariant: nobody comes or goes while a round is open. [`Room::turn`] seats and removes between two
//! rounds, and opens the next one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use mixer::{Counts, DepositError, Open, Replies, Seat, Seats, first_frame};
use rand_core::CryptoRngCore;
use tokio::sync::oneshot;
use wire::close::Close;
use wire::ids::{AccountIndex, Round};
use wire::layer::Layer;
use wire::round::{Deposit, ServerHeader};
use wire::size::round_frame;

use crate::accounts::Member;
use crate::store::TokenHash;

/// Frames that wait for a client that does not take them; with one more it is closed.
pub const FRAMES_WAITING_MAX: usize = 2;

/// Sessions that may wait for the next round beyond the number of seats; further ones are told that the
/// server is full. After a restart everyone waits at once, some twice.
pub const JOINING_SPARE: usize = 1024;

/// Names one stay in the room; never used twice, unlike the numbers of seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StayId(u64);

/// A frame for one seat: it answers the last round and opens the next.
pub struct Opening {
    /// The round that it opens.
    pub round: Round,
    /// The frame.
    pub frame: Bytes,
}

/// Where a session's frames go. Whoever sends never waits, and holds the room's lock.
pub trait Outlet: Send {
    /// Sends an opening.
    ///
    /// # Errors
    /// If [`FRAMES_WAITING_MAX`] wait already.
    fn send(&self, opening: Opening) -> Result<(), Lagging>;

    /// Says that no other one comes, since the server stops.
    fn finish(&self);
}

/// The client does not take its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagging;

/// What became of a deposit that is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the round.
    InTime,
    /// The round had closed, or the seat is gone: dropped.
    Late,
}

/// Sums since the start of the process, of things that name nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rounds that were answered.
    pub rounds: u64,
    /// Deposits that came in time.
    pub deposits: u64,
    /// Deposits that did not come in time, or not at all.
    pub missing: u64,
    /// Deposits that came after their round.
    pub late: u64,
    /// Slots whose tag did not fit.
    pub tampered: u64,
    /// Dial slots that hold nothing that can be said there.
    pub malformed_dials: u64,
    /// Clients that did not keep up.
    pub lagging: u64,
    /// Rounds that were never opened, since the server stood still.
    pub left_out: u64,
}

/// What one round came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The mixer's counts.
    pub counts: Counts,
    /// Deposits that came after their round, since the last tally.
    pub late: u32,
}

/// What the sessions share with the driver.
pub struct Room {
    open: Option<Open>,
    last: Round,
    seats_max: u32,
    stays: u64,
    seated: BTreeMap<Seat, Seated>,
    by_stay: HashMap<StayId, Seat>,
    by_account: HashMap<AccountIndex, Seat>,
    /// At most [`JOINING_SPARE`] more than seats.
    joining: Vec<Joining>,
    /// Each has a seat, so there are no more than seats.
    leaving: BTreeSet<StayId>,
    closed: bool,
    /// The frames of the last round, which its sessions share; with the next one they are the mixer's again,
    /// if nobody has any of them left to send.
    sent: Bytes,
    late: u32,
    totals: Totals,
    tally: Tally,
}

/// A session that waits for the next round.
struct Joining {
    layer: Layer,
    seated: Seated,
}

/// A session with a seat.
struct Seated {
    stay: StayId,
    member: Member,
    frames: Box<dyn Outlet>,
    ended: Option<oneshot::Sender<Close>>,
    /// Whether it has been sent a frame.
    opened: bool,
}

/// What a session keeps of its stay.
pub struct Stay {
    /// The stay's name.
    pub id: StayId,
    /// Why the server ends the stay; without a message if it does not.
    pub ended: oneshot::Receiver<Close>,
}

impl Room {
    /// Makes an empty room with no round open.
    pub fn new(seats_max: u32) -> Self {
        Self {
            open: None,
            last: Round::NONE,
            seats_max,
            stays: 0,
            seated: BTreeMap::new(),
            by_stay: HashMap::new(),
            by_account: HashMap::new(),
            joining: Vec::new(),
            leaving: BTreeSet::new(),
            closed: false,
            sent: Bytes::new(),
            late: 0,
            totals: Totals::default(),
            tally: Tally::default(),
        }
    }

    /// Tells whether nobody has a seat or waits for one.
    pub fn is_empty(&self) -> bool {
        self.seated.is_empty() && self.joining.is_empty()
    }

    /// Changes how many seats there may be; nobody is put out.
    pub fn set_seats_max(&mut self, seats_max: u32) {
        self.seats_max = seats_max;
    }

    /// Has a session seated when the next round opens. In a closed room its frames end at once.
    pub fn join(&mut self, member: Member, layer: Layer, frames: Box<dyn Outlet>) -> Stay {
        self.stays += 1;
        let stay = StayId(self.stays);
        let (end, ended) = oneshot::channel();
        let mut seated = Seated { stay, member, frames, ended: Some(end), opened: false };
        if self.joining.len() >= self.seats_max as usize + JOINING_SPARE {
            seated.end(Close::Full);
        } else if self.closed {
            seated.frames.finish();
        } else {
            self.joining.push(Joining { layer, seated });
        }
        Stay { id: stay, ended }
    }

    /// Has a session's seat removed before the next round opens; its deposit of this round stands.
    pub fn leave(&mut self, stay: StayId) {
        if self.by_stay.contains_key(&stay) {
            self.leaving.insert(stay);
        } else {
            self.joining.retain(|joining| joining.seated.stay != stay);
        }
    }

    /// Says that a session goes on under another token, by which it is known again when it comes back.
    pub fn renew(&mut self, stay: StayId, token: TokenHash) {
        if let Some(seat) = self.by_stay.get(&stay) {
            self.seated.entry(*seat).and_modify(|seated| seated.member.token = token);
        }
        for joining in self.joining.iter_mut().filter(|joining| joining.seated.stay == stay) {
            joining.seated.member.token = token;
        }
    }

    /// Takes a deposit.
    ///
    /// # Errors
    /// The code that the connection is to be closed with.
    pub fn deposit(&mut self, stay: StayId, deposit: &Deposit<'_>) -> Result<Taken, Close> {
        if deposit.round > self.last {
            return Err(Close::UnknownRound);
        }
        let seat = self.by_stay.get(&stay);
        let (Some(open), Some(&seat)) = (self.open.as_mut(), seat) else {
            self.late += 1;
            return Ok(Taken::Late);
        };
        match open.deposit(seat, deposit) {
            Ok(()) => Ok(Taken::InTime),
            Err(DepositError::Late { .. } | DepositError::NotSeated) => {
                self.late += 1;
                Ok(Taken::Late)
            }
            Err(DepositError::Unopened { .. }) => Err(Close::UnknownRound),
            Err(DepositError::Doubled) => Err(Close::Protocol),
        }
    }

    /// Opens the first round, with nobody seated and so with one bucket.
    pub fn open_first(&mut self, round: Round, seats: Seats) {
        self.last = round;
        self.open = Some(Open::new(round, seats, 1));
    }

    /// Takes out the open round. Until [`Self::turn`] every deposit is late.
    ///
    /// # Panics
    /// If no round is open, which is a bug of the driver.
    pub fn take_open(&mut self) -> Open {
        self.open.take().expect("the driver takes out each round once")
    }

    /// Removes who leaves, seats who joins, opens the header's round and sends each seat its frame, in
    /// seat order. Writes the count of seats and each seat's answered round into `header`.
    pub fn turn(
        &mut self,
        replies: Replies,
        mut seats: Seats,
        header: ServerHeader,
        rng: &mut impl CryptoRngCore,
    ) {
        for stay in std::mem::take(&mut self.leaving) {
            self.remove(stay, &mut seats);
        }
        for joining in std::mem::take(&mut self.joining) {
            self.seat(joining, &mut seats);
        }
        let sent = std::mem::take(&mut self.sent);
        if sent.is_unique() {
            seats.reclaim(sent.into());
        }
        let header = ServerHeader { seats: seats.len(), ..header };
        self.last = header.open;
        self.open = Some(Open::new(header.open, seats, header.buckets));
        self.send(replies, &header, rng);
    }

    /// Ends all frames, so that the sessions close, and those of whoever still comes.
    pub fn close(&mut self) {
        self.closed = true;
        self.open = None;
        let joining = self.joining.iter().map(|joining| &joining.seated);
        self.seated.values().chain(joining).for_each(|seated| seated.frames.finish());
        self.sent = Bytes::new();
        self.seated.clear();
        self.by_stay.clear();
        self.by_account.clear();
        self.joining.clear();
        self.leaving.clear();
    }

    /// Adds a round's counts to the sums.
    pub fn tally(&mut self, counts: Counts) -> Tally {
        let late = std::mem::take(&mut self.late);
        self.totals.rounds += 1;
        self.totals.deposits += u64::from(counts.deposits);
        self.totals.missing += u64::from(counts.missing);
        self.totals.tampered += u64::from(counts.tampered);
        self.totals.malformed_dials += u64::from(counts.malformed_dials);
        self.totals.late += u64::from(late);
        self.tally = Tally { counts, late };
        self.tally
    }

    /// Counts rounds that are never opened.
    pub fn leave_out(&mut self, rounds: u32) {
        self.totals.left_out += u64::from(rounds);
    }

    /// Returns the sums, the last round that opened, and the seats in it.
    pub fn state(&self) -> (Totals, Round, usize) {
        (self.totals, self.last, self.seated.len())
    }

    /// Returns what the last round came to that was answered.
    pub fn last_tally(&self) -> Tally {
        self.tally
    }

    fn remove(&mut self, stay: StayId, seats: &mut Seats) {
        let Some(seat) = self.by_stay.remove(&stay) else { return };
        seats.remove(seat);
        if let Some(seated) = self.seated.remove(&seat) {
            self.by_account.remove(&seated.member.account);
        }
    }

    /// Seats a session, in place of an older one of the same account.
    fn seat(&mut self, joining: Joining, seats: &mut Seats) {
        let Joining { layer, mut seated } = joining;
        let Member { account, token, sign_in } = seated.member;
        if let Some(older) =
            self.by_account.get(&account).and_then(|seat| self.seated.get_mut(seat))
        {
            // Who comes back with the same token is the same session: nobody signed in elsewhere.
            let same = older.member.token == token;
            let why = if same { Close::Replaced } else { Close::TakenOver };
            if older.member.sign_in > sign_in {
                return seated.end(why);
            }
            older.end(why);
            let stay = older.stay;
            self.remove(stay, seats);
        }
        if seats.len() >= self.seats_max {
            return seated.end(Close::Full);
        }
        match seats.add(layer, account) {
            Ok(seat) => {
                self.by_stay.insert(seated.stay, seat);
                self.by_account.insert(account, seat);
                self.seated.insert(seat, seated);
            }
            Err(mixer::SeatsFull) => seated.end(Close::Full),
        }
    }

    fn send(&mut self, replies: Replies, header: &ServerHeader, rng: &mut impl CryptoRngCore) {
        let frame_bytes = round_frame(header.slots);
        let (answered, mut frames) = replies.into_parts();
        for frame in frames.chunks_exact_mut(frame_bytes) {
            header.write_to(frame);
        }
        let frames = Bytes::from(frames);
        self.sent = frames.clone();
        let first = ServerHeader { answered: Round::NONE, ..*header };
        for (seat, seated) in &mut self.seated {
            let frame = if seated.opened {
                let at = answered.binary_search(seat).expect("who had a seat has a reply");
                frames.slice(at * frame_bytes..(at + 1) * frame_bytes)
            } else {
                first_frame(&first, rng).into()
            };
            seated.opened = true;
            if seated.frames.send(Opening { round: header.open, frame }) == Err(Lagging) {
                self.totals.lagging += 1;
                seated.end(Close::Lagging);
                self.leaving.insert(seated.stay);
            }
        }
    }
}

impl Seated {
    /// Tells the session why its stay ends; the first reason counts.
    fn end(&mut self, why: Close) {
        if let Some(ended) = self.ended.take() {
            // The session may have ended by itself.
            let _ = ended.send(why);
        }
    }
}
