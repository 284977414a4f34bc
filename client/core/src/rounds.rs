//! The rounds on one stream: when a deposit goes, what its slots are for, and what comes back.
//!
//! The moment of a deposit is drawn before anything is processed. Cover for the whole frame is prepared
//! at once; shortly before the moment what is ready replaces it. If processing is late the cover goes, at
//! its moment: content never moves the send.
//!
//! Invariant: moments come from a generator of their own, from which nothing else draws, one number a
//! round; so they do not depend on how many random bytes content takes.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, RngCore};
use thiserror::Error;
use wire::codec::{DecodeError, Wire};
use wire::dial::{Dial, DialReply};
use wire::ids::{DropId, IdentityHash, Round};
use wire::layer::{Direction, Layer, Place};
use wire::round::{ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, DEPOSIT, DROP_ID, REPLY_SLOT};

use crate::cell;
use crate::identity::Identity;

/// What a session fixes for all its rounds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Slots of every deposit.
    pub slots: u8,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
    /// When round 0 would have begun, milliseconds since 1970.
    pub genesis_ms: u64,
    /// How long the connection takes there and back, as it was when the stream was joined: nothing that is said on the
    /// stream can change it.
    pub round_trip: Duration,
}

/// Furthest that a round may be from this machine's clock, in milliseconds: a day.
pub const CLOCK_TOLERANCE_MS: u64 = 24 * 60 * 60 * 1000;

/// Deposits go out in this part of the time until the round closes, in percent.
const WINDOW_PERCENT: (u64, u64) = (10, 75);
/// Who is far away ends sooner, so that the round trip and this much more, in percent, are left until the close.
const SPARE_PERCENT: u64 = 10;
/// But not sooner than here, in percent: whatever the way, no moment is known before it is drawn.
const LAST_PERCENT_MIN: u64 = 20;
/// Round trips count in full steps of this, so that a moment shows nothing finer of how one was measured.
const ROUND_TRIP_STEP: Duration = Duration::from_millis(50);
/// Time before the moment at which content is sealed, or a tenth of the window if that is less.
const SEAL_BEFORE: Duration = Duration::from_millis(50);

/// Why a frame of the server is refused; the connection is then closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RoundError {
    /// It is no frame.
    #[error("the server sent a malformed frame: {0}")]
    Malformed(#[from] DecodeError),
    /// A round that was used before.
    #[error("the server opened round {0} again; it may have been restored from an old copy")]
    Repeated(Round),
    /// A round far from this machine's time.
    #[error("the server's round {0} is more than a day from this machine's clock; check the clock")]
    Clock(Round),
    /// More or fewer buckets than the directory has: a dial would name one person, or nobody in particular.
    #[error("the server divides the directory into {0} buckets, which does not fit its length")]
    Buckets(u32),
    /// The directory has grown far beyond what is here of it since the stream began.
    #[error("the server's directory grew to {0} records, faster than they came")]
    Behind(u32),
    /// It answers another round than the last one.
    #[error("the server answered round {0}, which is not the last one")]
    Answer(Round),
}

/// The state of one round stream.
pub(crate) struct Rounds {
    terms: Terms,
    layer: Layer,
    /// Draws the moments, and nothing else.
    schedule: ChaCha20Rng,
    open: Option<OpenRound>,
}

/// A round that waits for its deposit or its answer.
struct OpenRound {
    round: Round,
    seats: u32,
    closes_at: Duration,
    seal_at: Duration,
    send_at: Duration,
    /// The frame, until it is sent.
    frame: Option<Vec<u8>>,
    sealed: bool,
    buckets: u32,
    uses: Vec<SlotUse>,
    /// Slots that carry a conversation, a call or a wake-up.
    real: u64,
}

/// A frame whose moment has come.
pub(crate) struct Due {
    pub(crate) round: Round,
    pub(crate) frame: Vec<u8>,
    /// Slots of it that carry a conversation, a call or a wake-up.
    pub(crate) real: u64,
}

/// What a slot of a deposit is for.
#[derive(Clone)]
pub(crate) enum SlotUse {
    /// Carries a conversation.
    Meeting(IdentityHash),
    /// Carries nothing.
    Cover,
    /// Carries nothing, and shares its drop with another slot of this deposit: this cell must come back.
    Probe(Box<[u8; CELL]>),
    /// The dial slot: calls, wakes, or neither.
    Dial,
}

/// A slot before its layer.
pub(crate) struct SlotContent {
    usage: SlotUse,
    plain: Box<[u8; DEPOSIT]>,
}

impl SlotContent {
    /// A cell for a dead drop.
    pub(crate) fn cell(usage: SlotUse, drop_id: DropId, cell: &[u8; CELL]) -> Self {
        let mut plain = Box::new([0; DEPOSIT]);
        plain[..DROP_ID].copy_from_slice(&drop_id.0);
        plain[DROP_ID..].copy_from_slice(cell);
        Self { usage, plain }
    }

    /// What goes into the dial slot.
    fn dial(dial: &Dial) -> Self {
        let mut plain = Box::new([0; DEPOSIT]);
        dial.encode_into(&mut *plain);
        Self { usage: SlotUse::Dial, plain }
    }
}

/// What a server's frame said.
pub(crate) struct Answer {
    pub(crate) header: ServerHeader,
    /// The round that it answers, unless it is the first frame of the stream.
    pub(crate) answered: Option<Answered>,
}

/// The answer to a round.
pub(crate) struct Answered {
    pub(crate) round: Round,
    pub(crate) seats: u32,
    /// Each slot's use with the cell that came back, if its layer held.
    pub(crate) slots: Vec<(SlotUse, Option<[u8; CELL]>)>,
}

impl Answered {
    /// Takes out what came back in the dial slot, if the round had one.
    pub(crate) fn dial(&self) -> Option<DialReply> {
        let (_, reply) = self.slots.iter().find(|(usage, _)| matches!(usage, SlotUse::Dial))?;
        DialReply::decode(reply.as_ref()?).ok()
    }
}

impl Answered {
    /// Tells whether cover that must come back did not: the deposit was late, or was dropped.
    pub(crate) fn lost_probe(&self) -> bool {
        self.slots.iter().any(|(usage, cell)| match usage {
            SlotUse::Probe(expected) => cell.as_ref() != Some(&**expected),
            SlotUse::Meeting(_) | SlotUse::Cover | SlotUse::Dial => false,
        })
    }
}

impl OpenRound {
    fn take(&mut self) -> Option<Due> {
        let Self { round, real, .. } = *self;
        self.frame.take().map(|frame| Due { round, frame, real })
    }
}

impl Rounds {
    /// Begins on a stream whose `join` was sent; `schedule` draws its moments and nothing else.
    pub(crate) fn new(terms: Terms, layer: Layer, schedule: ChaCha20Rng) -> Self {
        Self { terms, layer, schedule, open: None }
    }

    /// Returns the slots of every deposit.
    pub(crate) fn slots(&self) -> u8 {
        self.terms.slots
    }

    /// Returns the slots of a round's deposit that carry cells.
    pub(crate) fn cell_slots(&self, round: Round) -> usize {
        cell_slots(round, self.terms.slots)
    }

    /// Returns into how many buckets the accounts are divided in the open round.
    pub(crate) fn buckets(&self) -> u32 {
        self.open.as_ref().map_or(1, |open| open.buckets)
    }

    /// Returns the length of a round in milliseconds, at least 1.
    pub(crate) fn round_ms(&self) -> u32 {
        self.terms.round_ms.max(1)
    }

    /// Takes in a frame that answers the last round and opens the next one.
    ///
    /// `above` is the highest round that was used before.
    ///
    /// # Errors
    /// [`RoundError`]; the stream is of no use any more.
    pub(crate) fn handle_frame(
        &mut self,
        at: Duration,
        unix_ms: u64,
        frame: &[u8],
        above: Round,
        own: &Identity,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Answer, RoundError> {
        let (header, replies) = ServerHeader::decode(frame, self.terms.slots)?;
        self.check(&header, above, unix_ms)?;
        let last = self.open.take().map(|last| {
            let next_layer = self.layer.next();
            (last, std::mem::replace(&mut self.layer, next_layer))
        });
        self.open = Some(self.open_round(at, &header, own, rng));
        let answered = last.map(|(last, layer)| Answered {
            round: last.round,
            seats: last.seats,
            slots: open_replies(&last, &layer, self.terms.slots, replies),
        });
        Ok(Answer { header, answered })
    }

    /// Returns when the open round closes; its answer comes soon after.
    pub(crate) fn closes_at(&self) -> Option<Duration> {
        self.open.as_ref().map(|open| open.closes_at)
    }

    /// Returns when something is to be done.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let open = self.open.as_ref().filter(|open| open.frame.is_some())?;
        Some(if open.sealed { open.send_at } else { open.seal_at })
    }

    /// Returns the round whose content is to be sealed now, if it is time for that and not too late.
    pub(crate) fn wants_content(&self, at: Duration) -> Option<Round> {
        let open = self.open.as_ref()?;
        let due = !open.sealed && open.frame.is_some() && at >= open.seal_at && at < open.send_at;
        due.then_some(open.round)
    }

    /// Replaces the prepared cover by content; free slots are filled and all but the dial slot are put in random
    /// order.
    pub(crate) fn seal(
        &mut self,
        meetings: Vec<SlotContent>,
        dial: &Dial,
        own: &Identity,
        rng: &mut impl CryptoRngCore,
    ) {
        let slots = self.terms.slots;
        let Some(open) = &mut self.open else { return };
        open.real = meetings.len() as u64 + u64::from(!matches!(dial, Dial::Cover));
        let contents = fill(meetings, dial, open.round, slots, own, rng);
        open.frame = Some(frame(&self.layer, open.round, slots, &contents));
        open.uses = contents.into_iter().map(|slot| slot.usage).collect();
        open.sealed = true;
    }

    /// Returns the frame whose moment has come.
    pub(crate) fn due(&mut self, at: Duration) -> Option<Due> {
        self.open.as_mut().filter(|open| at >= open.send_at)?.take()
    }

    /// Returns the frame that has not been sent although the next round opens: it goes at once, so that
    /// there is one for each round.
    pub(crate) fn overdue(&mut self) -> Option<Due> {
        self.open.as_mut()?.take()
    }

    fn check(&self, header: &ServerHeader, above: Round, unix_ms: u64) -> Result<(), RoundError> {
        if header.open <= above {
            return Err(RoundError::Repeated(header.open));
        }
        let since_genesis = header.open.0.saturating_mul(u64::from(self.terms.round_ms));
        let claimed_ms = self.terms.genesis_ms.saturating_add(since_genesis);
        if claimed_ms.abs_diff(unix_ms) > CLOCK_TOLERANCE_MS {
            return Err(RoundError::Clock(header.open));
        }
        let expected = self.open.as_ref().map_or(Round::NONE, |open| open.round);
        if header.answered != expected {
            return Err(RoundError::Answer(header.answered));
        }
        Ok(())
    }

    /// Draws the moment, then prepares cover.
    fn open_round(
        &mut self,
        at: Duration,
        header: &ServerHeader,
        own: &Identity,
        rng: &mut impl CryptoRngCore,
    ) -> OpenRound {
        let closes = Duration::from_millis(u64::from(header.closes_ms.min(self.terms.round_ms)));
        let send_at = at + moment(closes, self.terms.round_trip, &mut self.schedule);
        let seal_at = send_at - SEAL_BEFORE.min(closes / 10);
        let round = header.open;
        let contents = fill(Vec::new(), &Dial::Cover, round, self.terms.slots, own, rng);
        OpenRound {
            round,
            seats: header.seats,
            closes_at: at + closes,
            seal_at,
            send_at,
            frame: Some(frame(&self.layer, round, self.terms.slots, &contents)),
            sealed: false,
            buckets: header.buckets,
            uses: contents.into_iter().map(|slot| slot.usage).collect(),
            real: 0,
        }
    }
}

/// Takes the layer off the replies.
fn open_replies(
    last: &OpenRound,
    layer: &Layer,
    slots: u8,
    replies: &[u8],
) -> Vec<(SlotUse, Option<[u8; CELL]>)> {
    let opened = last.uses.iter().zip(replies.chunks_exact(REPLY_SLOT)).zip(0..slots);
    opened
        .map(|((usage, reply), slot)| {
            let place = Place { direction: Direction::Reply, slot, slots };
            let mut cell = [0; CELL];
            let held = layer.open(last.round, place, reply, &mut cell).is_ok();
            (usage.clone(), held.then_some(cell))
        })
        .collect()
}

/// Draws how long after the opening a deposit goes, over a connection with that round trip.
fn moment(closes: Duration, round_trip: Duration, schedule: &mut ChaCha20Rng) -> Duration {
    let micros = u64::try_from(closes.as_micros()).unwrap_or(u64::MAX / 100);
    let percent = |part| micros * part / 100;
    let step = ROUND_TRIP_STEP.as_micros();
    let away = round_trip.as_micros().div_ceil(step).saturating_mul(step);
    let away = u64::try_from(away).unwrap_or(u64::MAX);
    let in_time = micros.saturating_sub(away).saturating_sub(percent(SPARE_PERCENT));
    let (first, last) = (percent(WINDOW_PERCENT.0), percent(WINDOW_PERCENT.1));
    let last = last.min(in_time).max(percent(LAST_PERCENT_MIN));
    Duration::from_micros(first + schedule.next_u64() % (last - first + 1))
}

/// Slots of a round's deposit that carry cells: all, or all but the last one.
fn cell_slots(round: Round, slots: u8) -> usize {
    usize::from(slots) - usize::from(round.has_dial())
}

/// Adds cover for the free slots, two of which share a drop, puts all in random order, and the dial slot last.
fn fill(
    mut contents: Vec<SlotContent>,
    dial: &Dial,
    round: Round,
    slots: u8,
    own: &Identity,
    rng: &mut impl CryptoRngCore,
) -> Vec<SlotContent> {
    let mut free = cell_slots(round, slots).saturating_sub(contents.len());
    if free >= 2 {
        let drop_id = DropId::random(rng);
        let [first, second] = [(); 2].map(|()| cell::cover(round, own.signing(), rng));
        let probe = |cell: &[u8; CELL], expected: &[u8; CELL]| {
            SlotContent::cell(SlotUse::Probe(Box::new(*expected)), drop_id, cell)
        };
        contents.push(probe(&first, &second));
        contents.push(probe(&second, &first));
        free -= 2;
    }
    for _ in 0..free {
        let cell = cell::cover(round, own.signing(), rng);
        contents.push(SlotContent::cell(SlotUse::Cover, DropId::random(rng), &cell));
    }
    shuffle(&mut contents, rng);
    if round.has_dial() {
        contents.push(SlotContent::dial(dial));
    }
    contents
}

/// Fisher–Yates; at most eight slots, so that the remainder's bias is below 2⁻⁶⁰.
fn shuffle<T>(items: &mut [T], rng: &mut impl RngCore) {
    for last in (1..items.len()).rev() {
        let other = rng.next_u64() % (last as u64 + 1);
        items.swap(last, other as usize);
    }
}

fn frame(layer: &Layer, round: Round, slots: u8, contents: &[SlotContent]) -> Vec<u8> {
    let mut frame = deposit_frame(round, slots);
    for ((out, content), slot) in deposit_slots_mut(&mut frame).zip(contents).zip(0..slots) {
        let place = Place { direction: Direction::Deposit, slot, slots };
        layer.seal(round, place, &*content.plain, out);
    }
    frame
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;
    use wire::dial::WakeUp;
    use wire::public_key::AgreementKey;
    use wire::round::reply_slots_mut;
    use wire::size::round_frame;

    use super::*;

    const ROUND_MS: u32 = 1000;
    /// When the first round of every test opens, by the machine's clock and by the loop's; the round before is a dial
    /// round.
    const FIRST: Round = Round(1_000_001);
    const UNIX_MS: u64 = FIRST.0 * ROUND_MS as u64;
    const OPENED: Duration = Duration::from_secs(50);

    /// A stream and the mixer at its other end.
    struct Stream {
        rounds: Rounds,
        mixer: Layer,
        own: Identity,
        rng: ChaCha20Rng,
        slots: u8,
        open: Round,
    }

    impl Stream {
        fn new(slots: u8, seed: u64) -> Self {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let [client, mixer] = [(); 2].map(|()| AgreementKey::random(&mut rng));
            let layer = Layer::for_client(&client, &mixer.public()).unwrap();
            let shared = mixer.agree(&client.public()).unwrap();
            let round_trip = Duration::ZERO;
            let terms = Terms { slots, round_ms: ROUND_MS, genesis_ms: 0, round_trip };
            Self {
                rounds: Rounds::new(terms, layer, ChaCha20Rng::seed_from_u64(4)),
                mixer: Layer::for_mixer(&shared, &client.public(), &mixer.public()),
                own: Identity::random("ann".parse().unwrap(), &mut rng),
                rng,
                slots,
                open: Round::NONE,
            }
        }

        fn header(&self, open: Round) -> ServerHeader {
            ServerHeader {
                slots: self.slots,
                closes_ms: ROUND_MS,
                open,
                answered: self.open,
                seats: 3,
                directory_length: 0,
                buckets: 1,
            }
        }

        /// Passes a frame with replies; `above` is the round before the one that is open.
        fn frame(
            &mut self,
            header: &ServerHeader,
            cells: &[[u8; CELL]],
        ) -> Result<Answer, RoundError> {
            let mut frame = vec![0; round_frame(self.slots)];
            header.write_to(&mut frame);
            for ((out, cell), slot) in reply_slots_mut(&mut frame, self.slots).zip(cells).zip(0..) {
                let place = Place { direction: Direction::Reply, slot, slots: self.slots };
                self.mixer.seal(header.answered, place, cell, out);
            }
            let above = self.open;
            self.rounds.handle_frame(OPENED, UNIX_MS, &frame, above, &self.own, &mut self.rng)
        }

        /// Opens the next round; returns what the last one was answered.
        fn next(&mut self, cells: &[[u8; CELL]]) -> Option<Answered> {
            let next = if self.open == Round::NONE { FIRST } else { self.open.next() };
            let answer = self.frame(&self.header(next), cells).unwrap();
            if answer.answered.is_some() {
                self.mixer.step();
            }
            self.open = next;
            answer.answered
        }

        fn next_dial_round(&mut self) {
            while self.open == Round::NONE || !self.open.has_dial() {
                self.next(&vec![[0; CELL]; usize::from(self.slots)]);
            }
        }

        fn seal(&mut self, meetings: Vec<SlotContent>) {
            self.seal_with(meetings, &Dial::Cover);
        }

        fn seal_with(&mut self, meetings: Vec<SlotContent>, dial: &Dial) {
            self.rounds.seal(meetings, dial, &self.own, &mut self.rng);
        }

        fn moments(&self) -> (Duration, Duration) {
            let open = self.rounds.open.as_ref().unwrap();
            (open.seal_at, open.send_at)
        }

        /// Takes the layer off a deposit for the open round: each slot's drop and cell.
        fn open_deposit(&self, mut frame: Vec<u8>) -> Vec<([u8; DROP_ID], [u8; CELL])> {
            let opened = deposit_slots_mut(&mut frame).zip(0..self.slots).map(|(slot, number)| {
                let slots = self.slots;
                let place = Place { direction: Direction::Deposit, slot: number, slots };
                let mut plain = [0; DEPOSIT];
                self.mixer.open(self.open, place, slot, &mut plain).unwrap();
                let (drop_id, cell) = plain.split_at(DROP_ID);
                (drop_id.try_into().unwrap(), cell.try_into().unwrap())
            });
            opened.collect()
        }

        /// Lets the moment come, and takes the deposit.
        fn deposit(&mut self) -> Vec<([u8; DROP_ID], [u8; CELL])> {
            let Due { round, frame, .. } = self.rounds.due(self.moments().1).unwrap();
            assert_eq!(round, self.open);
            self.open_deposit(frame)
        }
    }

    fn meeting(byte: u8) -> SlotContent {
        let usage = SlotUse::Meeting(IdentityHash([byte; 32]));
        SlotContent::cell(usage, DropId([byte; DROP_ID]), &[byte; CELL])
    }

    #[test]
    fn content_is_asked_for_shortly_before_the_moment_and_replaces_cover() {
        let mut stream = Stream::new(2, 1);
        stream.next(&[]);
        let (seal_at, send_at) = stream.moments();
        assert_eq!(send_at - seal_at, SEAL_BEFORE);
        assert_eq!(stream.rounds.poll_timeout(), Some(seal_at));
        assert_eq!(stream.rounds.wants_content(seal_at - Duration::from_micros(1)), None);
        assert_eq!(stream.rounds.wants_content(seal_at), Some(FIRST));
        stream.seal(vec![meeting(5)]);
        assert_eq!(stream.rounds.wants_content(seal_at), None);
        assert_eq!(stream.rounds.poll_timeout(), Some(send_at));
        assert!(stream.rounds.due(send_at - Duration::from_micros(1)).is_none());
        assert!(stream.deposit().contains(&([5; DROP_ID], [5; CELL])));
        assert_eq!(stream.rounds.poll_timeout(), None);
    }

    #[test]
    fn if_processing_is_late_the_cover_goes_and_content_waits() {
        let mut stream = Stream::new(2, 1);
        stream.next(&[]);
        let (_, send_at) = stream.moments();
        for late in [Duration::ZERO, Duration::from_millis(1), Duration::from_secs(9)] {
            assert_eq!(stream.rounds.wants_content(send_at + late), None);
        }
        let Due { frame, .. } = stream.rounds.due(send_at).unwrap();
        assert_eq!(frame.len(), round_frame(2));
        assert_eq!(stream.open_deposit(frame).len(), 2, "it is a whole deposit");
        let uses = stream.next(&[[0; CELL]; 2]).unwrap().slots;
        assert!(uses.iter().all(|(usage, _)| !matches!(usage, SlotUse::Meeting(_))));
    }

    #[test]
    fn one_deposit_goes_for_each_round_even_if_the_next_one_opens_early() {
        let mut stream = Stream::new(2, 1);
        stream.next(&[]);
        let overdue = stream.rounds.overdue().map(|due| due.round);
        assert_eq!(overdue, Some(FIRST));
        assert!(stream.rounds.overdue().is_none());
        assert!(stream.rounds.due(stream.moments().1).is_none());
        stream.next(&[[0; CELL]; 2]);
        stream.deposit();
        assert!(stream.rounds.due(stream.moments().1).is_none(), "it went already");
        assert!(stream.rounds.overdue().is_none(), "nothing is due twice");
    }

    #[test]
    fn the_moment_lies_between_10_and_75_percent_of_the_window() {
        let mut schedule = ChaCha20Rng::seed_from_u64(1);
        let closes = Duration::from_secs(1);
        let near = Duration::from_millis(150);
        let moments: Vec<_> = (0..10_000).map(|_| moment(closes, near, &mut schedule)).collect();
        let (least, most) = (moments.iter().min().unwrap(), moments.iter().max().unwrap());
        assert!(*least >= closes / 10 && *least < closes * 11 / 100, "{least:?}");
        assert!(*most <= closes * 75 / 100 && *most > closes * 74 / 100, "{most:?}");
        assert_eq!(moment(Duration::ZERO, near, &mut schedule), Duration::ZERO);
        for closes_ms in [0, 1, ROUND_MS, u32::MAX] {
            let mut stream = Stream::new(1, 1);
            let header = ServerHeader { closes_ms, ..stream.header(FIRST) };
            assert!(stream.frame(&header, &[]).is_ok());
            let (seal_at, send_at) = stream.moments();
            let window = Duration::from_millis(closes_ms.min(ROUND_MS).into());
            assert!(OPENED <= seal_at && seal_at <= send_at, "{closes_ms}");
            assert!(send_at <= OPENED + window * 75 / 100, "a round is no longer than was said");
            assert_eq!(stream.rounds.closes_at(), Some(OPENED + window));
        }
    }

    #[test]
    fn who_is_far_away_deposits_sooner_and_never_at_a_moment_that_is_known() {
        let closes = Duration::from_secs(2);
        let ms = Duration::from_millis;
        for (round_trip, last) in [
            (ms(0), ms(1500)),
            (ms(300), ms(1500)),
            (ms(301), ms(1450)),
            (ms(600), ms(1200)),
            (ms(1399), ms(400)),
            (ms(1900), ms(400)),
            (Duration::MAX, ms(400)),
        ] {
            let mut schedule = ChaCha20Rng::seed_from_u64(1);
            let drawn = (0..10_000).map(|_| moment(closes, round_trip, &mut schedule));
            let moments: Vec<_> = drawn.collect();
            let (least, most) = (moments.iter().min().unwrap(), moments.iter().max().unwrap());
            assert!((ms(200)..ms(202)).contains(least), "{round_trip:?} {least:?}");
            assert!(*most <= last && *most > last - ms(2), "{round_trip:?} {most:?}");
        }
    }

    #[test]
    fn what_is_sent_moves_no_moment() {
        let (mut idle, mut busy) = (Stream::new(2, 1), Stream::new(2, 2));
        for round in 0..20 {
            for stream in [&mut idle, &mut busy] {
                stream.next(&[[0; CELL]; 2]);
            }
            let slots = busy.rounds.cell_slots(busy.open);
            busy.seal((0..round % 3).map(meeting).take(slots).collect());
            assert_eq!(idle.moments(), busy.moments(), "round {round}");
        }
    }

    #[test]
    fn a_frame_of_a_wrong_round_is_refused() {
        let mut stream = Stream::new(2, 1);
        let day = CLOCK_TOLERANCE_MS / u64::from(ROUND_MS);
        for far in [FIRST.0 + day + 1, FIRST.0 - day - 1, u64::MAX] {
            let header = stream.header(Round(far));
            assert_eq!(stream.frame(&header, &[]).err(), Some(RoundError::Clock(Round(far))));
        }
        let none = stream.header(Round::NONE);
        assert_eq!(stream.frame(&none, &[]).err(), Some(RoundError::Repeated(Round::NONE)));
        stream.next(&[]);
        for old in [FIRST, Round(FIRST.0 - 1)] {
            let header = stream.header(old);
            assert_eq!(stream.frame(&header, &[]).err(), Some(RoundError::Repeated(old)));
        }
        for answered in [Round::NONE, Round(FIRST.0 - 1), FIRST.next()] {
            let header = ServerHeader { answered, ..stream.header(FIRST.next()) };
            assert_eq!(stream.frame(&header, &[]).err(), Some(RoundError::Answer(answered)));
        }
        assert!(stream.next(&[[0; CELL]; 2]).is_some(), "the right one still fits");
    }

    #[test]
    fn a_frame_of_other_slots_or_bytes_is_refused() {
        let mut stream = Stream::new(2, 1);
        let mut frame = vec![0; round_frame(2)];
        stream.header(FIRST).write_to(&mut frame);
        let Stream { rounds, own, rng, .. } = &mut stream;
        let mut pass = |frame: &[u8]| {
            rounds.handle_frame(OPENED, UNIX_MS, frame, Round::NONE, own, rng).map(|_| ())
        };
        for at in 0..4 {
            let mut other = frame.clone();
            other[at] ^= 4;
            assert!(matches!(pass(&other), Err(RoundError::Malformed(_))), "byte {at}");
        }
        for length in [0, 1, round_frame(1), round_frame(2) - 1] {
            assert!(matches!(pass(&frame[..length]), Err(RoundError::Malformed(_))), "{length}");
        }
        assert_eq!(pass(&frame), Ok(()));
    }

    #[test]
    fn two_free_slots_probe_each_other_and_a_lost_probe_is_noticed() {
        let exchanged = |change: fn(&mut [[u8; CELL]])| {
            let mut stream = Stream::new(2, 1);
            stream.next(&[]);
            let deposit = stream.deposit();
            assert_eq!(deposit[0].0, deposit[1].0, "they share a drop");
            let mut replies = [deposit[1].1, deposit[0].1];
            change(&mut replies);
            stream.next(&replies).unwrap().lost_probe()
        };
        assert!(!exchanged(|_| ()));
        assert!(exchanged(|replies| replies.swap(0, 1)));
        assert!(exchanged(|replies| replies[1] = [0; CELL]));
        assert!(exchanged(|replies| replies[0][0] ^= 1));
    }

    #[test]
    fn one_free_slot_cannot_probe() {
        let mut stream = Stream::new(2, 1);
        stream.next(&[]);
        stream.seal(vec![meeting(5)]);
        let deposit = stream.deposit();
        assert_ne!(deposit[0].0, deposit[1].0);
        assert!(!stream.next(&[[0; CELL]; 2]).unwrap().lost_probe());
    }

    #[test]
    fn each_reply_goes_to_the_use_of_its_slot_if_its_layer_holds() {
        let mut stream = Stream::new(3, 1);
        stream.next(&[]);
        stream.seal((1..=3).map(meeting).collect());
        let deposit = stream.deposit();
        let replies: Vec<_> = deposit.iter().map(|(_, cell)| cell.map(|it| it + 100)).collect();
        for (usage, cell) in stream.next(&replies).unwrap().slots {
            let SlotUse::Meeting(peer) = usage else { panic!("all slots meet somebody") };
            assert_eq!(cell, Some([peer.0[0] + 100; CELL]));
        }
        // the second reply is not sealed at all
        let answered = stream.next(&replies[..1]).unwrap();
        let held: Vec<_> = answered.slots.iter().map(|(_, cell)| cell.is_some()).collect();
        assert_eq!(held, [true, false, false]);
    }

    #[test]
    fn a_meeting_is_in_no_slot_more_than_in_another() {
        let mut stream = Stream::new(4, 1);
        let mut times = [0; 4];
        for _ in 0..250 {
            stream.next(&[[0; CELL]; 4]);
            if stream.open.has_dial() {
                continue;
            }
            stream.seal(vec![meeting(5)]);
            let deposit = stream.deposit();
            times[deposit.iter().position(|(_, cell)| *cell == [5; CELL]).unwrap()] += 1;
        }
        assert!(times.iter().all(|times| (25..=80).contains(times)), "{times:?}");
    }

    #[test]
    fn the_last_slot_of_a_dial_round_dials_and_meets_nobody() {
        for slots in [1, 2, 4] {
            let mut stream = Stream::new(slots, 1);
            stream.next_dial_round();
            assert_eq!(stream.rounds.cell_slots(stream.open), usize::from(slots) - 1);
            let token = WakeUp([7; 16]);
            let dial = Dial::WakeUp { bucket: 0, token };
            stream.seal_with((1..slots).map(meeting).collect(), &dial);
            let deposit = stream.deposit();
            let (front, back) = deposit.last().unwrap();
            assert!(Dial::decode(&[&front[..], &back[..]].concat()).unwrap() == dial);
            let mut replies = vec![[1; CELL]; usize::from(slots)];
            let reply = DialReply::noise(&mut stream.rng);
            reply.encode_into(replies.last_mut().unwrap());
            let answered = stream.next(&replies).unwrap();
            assert!(answered.dial().unwrap() == reply);
            let meets = |(usage, _): &(SlotUse, _)| matches!(usage, SlotUse::Meeting(_));
            assert_eq!(answered.slots.iter().filter(|slot| meets(slot)).count() + 1, slots.into());
            assert!(stream.next(&replies).unwrap().dial().is_none(), "only in dial rounds");
        }
    }

    #[test]
    fn the_cover_of_a_dial_round_dials_nobody() {
        let mut stream = Stream::new(2, 1);
        stream.next_dial_round();
        let deposit = stream.deposit();
        let (front, back) = &deposit[1];
        assert!(Dial::decode(&[&front[..], &back[..]].concat()).unwrap() == Dial::Cover);
    }
}
