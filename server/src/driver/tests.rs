use mixer::MixerKey;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{mpsc, oneshot};
use wire::codec::Wire as _;
use wire::dial::{BUCKET_ACCOUNTS, Dial, DialReply, SealedInvitation};
use wire::ids::AccountIndex;
use wire::layer::{Direction, Place as Slot};
use wire::public_key::AgreementKey;
use wire::round::{ClientFrame, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, INVITATION, REPLY_SLOT, round_frame};

use super::*;
use crate::driver::room::{FRAMES_WAITING_MAX, JOINING_SPARE, Lagging, Opening};

const SLOTS: u8 = 2;

/// Keeps frames until the test takes them.
struct Frames(mpsc::Sender<Opening>);

impl Outlet for Frames {
    fn send(&self, opening: Opening) -> Result<(), Lagging> {
        match self.0.try_send(opening) {
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Lagging),
        }
    }

    fn finish(&self) {}
}

/// A session's stay, with its frames.
struct Stay {
    id: StayId,
    frames: mpsc::Receiver<Opening>,
    ended: oneshot::Receiver<Close>,
}

/// A room whose rounds the test turns by hand.
struct World {
    room: Room,
    round: Round,
    /// Records of the directory when the next round opens.
    directory_length: u32,
}

impl World {
    fn new(seats_max: u32) -> Self {
        let mut room = Room::new(seats_max);
        room.open_first(Round(10), Seats::new(SLOTS));
        Self { room, round: Round(10), directory_length: 0 }
    }

    fn join(&mut self, account: u32, token: u8, sign_in: u64) -> Stay {
        self.join_with_layer(account, token, sign_in).0
    }

    /// Returns the client's side of the layer too, which begins with the next round.
    fn join_with_layer(&mut self, account: u32, token: u8, sign_in: u64) -> (Stay, Layer) {
        let (own, mixer) = (AgreementKey::random(&mut OsRng), MixerKey::random(&mut OsRng));
        let layer = mixer.layer_for(&own.public()).unwrap();
        let member = Member { account: AccountIndex(account), token: [token; 32], sign_in };
        let (to_session, frames) = mpsc::channel(FRAMES_WAITING_MAX);
        let room::Stay { id, ended } = self.room.join(member, layer, Box::new(Frames(to_session)));
        (Stay { id, frames, ended }, Layer::for_client(&own, &mixer.public()).unwrap())
    }

    fn turn(&mut self) -> Tally {
        let open = self.room.take_open();
        let header = super::header(SLOTS, self.round.next(), self.round, 0, self.directory_length);
        let (replies, seats, counts, mut rng) = mix(open, &header);
        self.round = header.open;
        self.room.turn(replies, seats, header, &mut rng);
        self.room.tally(counts)
    }

    fn deposit(&mut self, stay: &Stay, round: u64) -> Result<Taken, Close> {
        let frame = deposit_frame(Round(round), SLOTS);
        match ClientFrame::decode(&frame, SLOTS).unwrap() {
            ClientFrame::Deposit(deposit) => self.room.deposit(stay.id, &deposit),
            ClientFrame::Join(_) => panic!("not a deposit"),
        }
    }
}

fn header(stay: &mut Stay) -> ServerHeader {
    let opening = stay.frames.try_recv().unwrap();
    assert_eq!(opening.frame.len(), round_frame(SLOTS));
    let header = ServerHeader::decode(&opening.frame, SLOTS).unwrap().0;
    assert_eq!(header.open, opening.round);
    header
}

#[test]
fn a_seat_begins_and_ends_between_two_rounds() {
    let mut world = World::new(9);
    let (mut ann, mut bob) = (world.join(0, 1, 1), world.join(1, 2, 2));
    assert_eq!(world.turn().counts.seats, 0);
    let first = header(&mut ann);
    assert_eq!((first.open, first.answered, first.seats), (Round(11), Round::NONE, 2));
    header(&mut bob);
    assert_eq!(world.deposit(&bob, 11), Ok(Taken::InTime));
    world.room.leave(bob.id);
    let tally = world.turn();
    assert_eq!((tally.counts.seats, tally.counts.deposits, tally.counts.missing), (2, 1, 1));
    let second = header(&mut ann);
    assert_eq!((second.open, second.answered, second.seats), (Round(12), Round(11), 1));
    assert!(bob.frames.try_recv().is_err());
}

#[test]
fn a_seat_s_new_owner_does_not_suffer_from_the_old_one() {
    let mut world = World::new(9);
    let old = world.join(0, 1, 1);
    world.turn();
    world.room.leave(old.id);
    let mut new = world.join(1, 2, 2);
    world.turn();
    assert_eq!(header(&mut new).answered, Round::NONE);
    assert_eq!(world.deposit(&old, 12), Ok(Taken::Late), "the seat is not his any more");
    assert_eq!(world.deposit(&new, 12), Ok(Taken::InTime));
    assert_eq!(world.turn().late, 1);
}

#[test]
fn deposits_are_judged_by_their_round() {
    let mut world = World::new(9);
    let mut ann = world.join(0, 1, 1);
    assert_eq!(world.deposit(&ann, 11), Err(Close::UnknownRound));
    world.turn();
    header(&mut ann);
    assert_eq!(world.deposit(&ann, 10), Ok(Taken::Late));
    assert_eq!(world.deposit(&ann, 12), Err(Close::UnknownRound));
    assert_eq!(world.deposit(&ann, 11), Ok(Taken::InTime));
    assert_eq!(world.deposit(&ann, 11), Err(Close::Protocol));
    let taken_out = world.room.take_open();
    assert_eq!(world.deposit(&ann, 11), Ok(Taken::Late), "while the round is mixed");
    assert_eq!(world.deposit(&ann, 12), Err(Close::UnknownRound));
    drop(taken_out);
}

#[test]
fn of_two_sessions_of_an_account_the_newer_sign_in_has_the_seat() {
    let mut world = World::new(1);
    let mut first = world.join(0, 1, 1);
    world.turn();
    let (mut back, mut late) = (world.join(0, 1, 5), world.join(0, 1, 2));
    world.turn();
    assert_eq!(first.ended.try_recv(), Ok(Close::Replaced), "the same token: nobody else");
    assert_eq!(late.ended.try_recv(), Ok(Close::Replaced));
    assert_eq!(header(&mut back).seats, 1);
    let mut elsewhere = world.join(0, 2, 6);
    world.turn();
    assert_eq!(back.ended.try_recv(), Ok(Close::TakenOver));
    assert_eq!(header(&mut elsewhere).seats, 1);
    let mut other = world.join(1, 3, 7);
    world.turn();
    assert_eq!(other.ended.try_recv(), Ok(Close::Full));
}

#[test]
fn who_does_not_take_frames_is_ended_and_the_others_go_on() {
    let mut world = World::new(9);
    let (mut slow, mut ann) = (world.join(0, 1, 1), world.join(1, 2, 2));
    for _ in 0..FRAMES_WAITING_MAX {
        world.turn();
        assert!(slow.ended.try_recv().is_err());
        header(&mut ann);
    }
    world.turn();
    assert_eq!(slow.ended.try_recv(), Ok(Close::Lagging));
    header(&mut ann);
    world.turn();
    assert_eq!(header(&mut ann).seats, 1);
    assert_eq!(world.room.state().0.lagging, 1);
}

#[test]
fn who_leaves_before_the_next_round_never_had_a_seat() {
    let mut world = World::new(9);
    let ann = world.join(0, 1, 1);
    world.room.leave(ann.id);
    assert!(world.room.is_empty());
    world.turn();
    assert_eq!(world.room.state().2, 0);
}

#[test]
fn who_joins_after_the_end_is_ended_like_the_others() {
    let mut world = World::new(9);
    let mut seated = world.join(0, 1, 1);
    world.turn();
    header(&mut seated);
    world.room.close();
    let late = world.join(1, 2, 2);
    for mut stay in [seated, late] {
        assert_eq!(stay.frames.try_recv().err(), Some(TryRecvError::Disconnected));
        assert!(stay.ended.try_recv().is_err(), "the end of the frames says it");
    }
}

#[test]
fn those_who_wait_for_a_round_are_bounded() {
    let mut world = World::new(1);
    let key = AgreementKey::random(&mut OsRng).public();
    let mixer = MixerKey::random(&mut OsRng);
    let mut last = None;
    let mut waiting = Vec::new();
    for account in 0..=u32::try_from(1 + JOINING_SPARE).unwrap() {
        let member = Member { account: AccountIndex(account), token: [0; 32], sign_in: 1 };
        let frames = Box::new(Frames(mpsc::channel(FRAMES_WAITING_MAX).0));
        let stay = world.room.join(member, mixer.layer_for(&key).unwrap(), frames);
        waiting.extend(last.replace(stay));
    }
    assert!(waiting.iter_mut().all(|stay| stay.ended.try_recv().is_err()));
    assert_eq!(last.unwrap().ended.try_recv(), Ok(Close::Full));
}

#[test]
fn who_lags_and_then_leaves_is_taken_out_once() {
    let mut world = World::new(9);
    let slow = world.join(0, 1, 1);
    for _ in 0..=FRAMES_WAITING_MAX {
        world.turn();
    }
    world.room.leave(slow.id);
    world.turn();
    assert_eq!(world.room.state().2, 0);
}

#[test]
fn buckets_follow_from_the_length_in_the_same_header() {
    let mut world = World::new(9);
    let mut ann = world.join(0, 1, 1);
    for length in [0, 1, 1024, 1025, 2048, 2049, 4096, 4097, 1 << 20] {
        world.directory_length = length;
        world.turn();
        let header = header(&mut ann);
        assert_eq!(header.directory_length, length);
        assert_eq!(header.buckets, buckets(length), "{length}");
    }
}

/// A client that dials in the rounds that the test turns.
struct Caller {
    stay: Stay,
    layer: Layer,
}

impl Caller {
    /// Deposits an invitation to somebody of a bucket.
    fn invites(&self, world: &mut World, bucket: u32, fill: u8) {
        let mut frame = deposit_frame(world.round, SLOTS);
        let last = Slot { direction: Direction::Deposit, slot: SLOTS - 1, slots: SLOTS };
        let invitation = SealedInvitation([fill; INVITATION]);
        let dial = Dial::Invitation { bucket, invitation }.encode();
        let slot = deposit_slots_mut(&mut frame).last().unwrap();
        self.layer.seal(world.round, last, &dial, slot);
        let Ok(ClientFrame::Deposit(deposit)) = ClientFrame::decode(&frame, SLOTS) else {
            panic!("not a deposit");
        };
        assert_eq!(world.room.deposit(self.stay.id, &deposit), Ok(Taken::InTime));
    }

    /// Goes on to the next round; returns the buckets in it, and the invitation if a dial round is
    /// answered.
    fn reads(&mut self) -> (u32, Option<SealedInvitation>) {
        let frame = self.stay.frames.try_recv().unwrap().frame;
        let (header, replies) = ServerHeader::decode(&frame, SLOTS).unwrap();
        if header.answered == Round::NONE {
            return (header.buckets, None);
        }
        let last = Slot { direction: Direction::Reply, slot: SLOTS - 1, slots: SLOTS };
        let (mut cell, slot) = ([0; CELL], replies.chunks_exact(REPLY_SLOT).last().unwrap());
        self.layer.open(header.answered, last, slot, &mut cell).unwrap();
        self.layer.step();
        let dialed = header.answered.has_dial();
        (header.buckets, dialed.then(|| DialReply::decode(&cell).unwrap().invitation))
    }
}

#[test]
fn who_is_called_is_the_bucket_of_the_account_and_buckets_double_between_two_rounds() {
    let mut world = World::new(9);
    let mut callers = [4, 7].map(|account| {
        let (stay, layer) = world.join_with_layer(account, 1, 1);
        Caller { stay, layer }
    });
    let reads = |callers: &mut [Caller; 2]| callers.each_mut().map(Caller::reads);
    let invited = |read: &(u32, Option<SealedInvitation>), fill: u8| {
        read.1.as_ref().is_some_and(|found| *found == SealedInvitation([fill; INVITATION]))
    };
    while !world.round.has_dial() || world.round == Round(10) {
        world.turn();
        assert!(reads(&mut callers).iter().all(|(buckets, _)| *buckets == 1));
    }
    // the directory grows while the round is open: this round still has one bucket
    callers[0].invites(&mut world, 1, 8);
    callers[1].invites(&mut world, 0, 9);
    world.directory_length = BUCKET_ACCOUNTS + 1;
    assert_eq!(world.turn().counts.malformed_dials, 1);
    let read = reads(&mut callers);
    assert!(read.iter().all(|read| read.0 == 2 && invited(read, 9)));
    while !world.round.has_dial() {
        world.turn();
        reads(&mut callers);
    }
    callers[0].invites(&mut world, 1, 8);
    assert_eq!(world.turn().counts.malformed_dials, 0);
    let [even, odd] = reads(&mut callers);
    assert!(invited(&odd, 8) && !invited(&even, 8));
}
