//! People with an account and a valid layer who send what no honest client sends.

use std::collections::VecDeque;

use client_core::identity::Identity;
use client_core::invitation_of;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use wire::codec::Wire;
use wire::control::{ClientControl, Resume, ServerControl};
use wire::dial::{Dial, DialReply, SealedInvitation};
use wire::directory::Record;
use wire::ids::{AccountIndex, Round, Token};
use wire::layer::{Direction, Layer, Place};
use wire::public_key::AgreementKey;
use wire::round::{Join, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{CELL, DEPOSIT, DROP_ID, REPLY_SLOT, TOKEN, round_frame};

use super::network::{Channel, ConnId};
use super::world::{Happening, World, millis, seeded};

/// Peers from this number on are cheats.
pub const CHEATS_FROM: usize = 1000;

/// How somebody cheats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// Deposits twice in each round.
    Doubled,
    /// Deposits for the round before the open one.
    Old,
    /// Deposits for the round after the open one.
    Future,
    /// Fills all slots with bytes that are no deposit.
    Garbage,
    /// Sends frames that are no deposits.
    Malformed,
    /// Never deposits.
    Silent,
    /// Names the dead drops of a victim in the same round, as the third one there.
    Crowd(usize),
    /// Sends a victim's frames again as its own.
    ReplayFrames(usize),
    /// Leaves somebody's cells of an earlier round in a victim's dead drops of this round.
    ReplayCells {
        /// Whose cells.
        of: usize,
        /// Whose dead drops.
        at: usize,
    },
    /// Calls in every dial round, with invitations that nobody opens.
    FloodNoise,
    /// Calls a victim in every dial round, each time with a new and genuine invitation.
    FloodCalls(usize),
    /// Calls with the invitations that it saw in the replies of its bucket.
    ReplayInvitations,
    /// Leaves in dial slots what cannot be said there.
    MalformedDials,
}

impl Cheat {
    /// Tells whether it says anything in dial slots.
    fn dials(self) -> bool {
        matches!(
            self,
            Self::FloodNoise | Self::FloodCalls(_) | Self::ReplayInvitations | Self::MalformedDials
        )
    }
}

/// What a cheat knows of a victim's deposit: more than it could in truth.
pub struct Spied {
    round: Round,
    frame: Vec<u8>,
    slots: Vec<[u8; DEPOSIT]>,
}

impl Spied {
    /// Takes the layer off a deposit; slots that do not open are left out.
    pub fn new(layer: &Layer, slots: u8, round: Round, frame: &[u8]) -> Self {
        let mut copy = frame.to_vec();
        let layered = deposit_slots_mut(&mut copy).zip(0..slots);
        let opened = layered.filter_map(|(layered, slot)| {
            let place = Place { direction: Direction::Deposit, slot, slots };
            let mut deposit = [0; DEPOSIT];
            layer.open(round, place, layered, &mut deposit).ok().map(|()| deposit)
        });
        let slots = opened.collect();
        Self { round, frame: frame.to_vec(), slots }
    }

    /// Tells whether the last slot, that of a dial round, calls or wakes somebody.
    pub fn dials(&self) -> bool {
        self.slots.last().is_some_and(|slot| Dial::decode(slot) != Ok(Dial::Cover))
    }
}

/// One cheat.
pub struct Cheater {
    /// How it cheats.
    pub cheat: Cheat,
    /// Deposits that it sent.
    pub sent: u64,
    /// What the server knows its account by.
    pub(super) account: usize,
    rng: ChaCha20Rng,
    conn: Option<ConnId>,
    joined: Option<Joined>,
    /// The account's keys, if it has some in the directory.
    identity: Option<Identity>,
    /// Invitations that were in its replies.
    seen: VecDeque<SealedInvitation>,
}

struct Joined {
    layer: Layer,
    open: Option<Round>,
}

impl Cheater {
    /// Makes a cheat.
    pub fn new(cheat: Cheat, account: usize, rng: ChaCha20Rng) -> Self {
        let (identity, seen) = (None, VecDeque::new());
        Self { cheat, sent: 0, account, rng, conn: None, joined: None, identity, seen }
    }

    /// Remembers the invitation of a reply.
    fn read(&mut self, round: Round, slots: u8, replies: &[u8]) {
        let Some(joined) = self.joined.as_ref().filter(|_| round.has_dial()) else { return };
        let place = Place { direction: Direction::Reply, slot: slots - 1, slots };
        let last = replies.len() - REPLY_SLOT;
        let mut cell = [0; CELL];
        joined.layer.open(round, place, &replies[last..], &mut cell).expect("the reply is its own");
        let reply = DialReply::decode(&cell).expect("every reply of a dial slot is one");
        if !self.seen.contains(&reply.invitation) {
            self.seen.push_back(reply.invitation);
        }
    }

    /// Says what it leaves in the dial slot.
    fn dial(&mut self, round: Round, victim: Option<&Record>) -> Vec<u8> {
        let (bucket, rng) = (0, &mut self.rng);
        let invitation = match self.cheat {
            Cheat::FloodCalls(_) => {
                let own = self.identity.as_ref().expect("it has an account");
                let index = AccountIndex(u32::try_from(self.account).expect("few accounts"));
                let victim = victim.expect("it has a victim");
                invitation_of(own, index, victim, round, rng).expect("the key is a point")
            }
            Cheat::ReplayInvitations => {
                let Some(seen) = self.seen.pop_front() else { return Dial::Cover.encode() };
                self.seen.push_back(seen);
                seen
            }
            _ => SealedInvitation::noise(rng),
        };
        let bucket = if self.cheat == Cheat::MalformedDials { 1 } else { bucket };
        Dial::Invitation { bucket, invitation }.encode()
    }
}

impl World {
    pub(super) fn cheat_dials(&mut self, who: usize) {
        let conn = self.network.open(who);
        let cheater = &mut self.cheats[who - CHEATS_FROM];
        (cheater.conn, cheater.joined) = (Some(conn), None);
        let resume = ClientControl::Resume(Resume { token: Token::new([0; TOKEN]) });
        self.send_up(conn, Channel::Control, resume.encode());
    }

    pub(super) fn cheat_lost(&mut self, who: usize, conn: ConnId) {
        let cheater = &mut self.cheats[who - CHEATS_FROM];
        if cheater.conn == Some(conn) {
            (cheater.conn, cheater.joined) = (None, None);
            self.happens(millis(300), Happening::Dial { who, incarnation: 0 });
        }
    }

    pub(super) fn came_to_cheat(&mut self, who: usize, conn: ConnId, bytes: &[u8]) {
        let slots = self.service.slots;
        let cheater = &mut self.cheats[who - CHEATS_FROM];
        if cheater.conn != Some(conn) {
            return;
        }
        let Some(joined) = &mut cheater.joined else {
            let Ok(ServerControl::Session(session)) = ServerControl::decode(bytes) else { return };
            let own = AgreementKey::random(&mut cheater.rng);
            let layer = Layer::for_client(&own, &session.mixer).expect("the key is a point");
            cheater.joined = Some(Joined { layer, open: None });
            return self.send_up(conn, Channel::Round, Join { key: own.public() }.encode(slots));
        };
        let Ok((header, replies)) = ServerHeader::decode(bytes, slots) else { return };
        let last = joined.open.replace(header.open);
        if let Some(last) = last {
            cheater.read(last, slots, replies);
        }
        if let Some(joined) = cheater.joined.as_mut().filter(|_| last.is_some()) {
            joined.layer.step();
        }
        let late = self.service.period * 85 / 100;
        self.happens(late, Happening::Cheats { who, conn });
    }

    /// The moment of a cheat: after all honest deposits of the round.
    pub(super) fn cheats(&mut self, who: usize, conn: ConnId) {
        let slots = self.service.slots;
        let cheater = &mut self.cheats[who - CHEATS_FROM];
        let Some(Joined { open: Some(open), .. }) = cheater.joined else { return };
        if cheater.conn != Some(conn) {
            return;
        }
        let mut random = noise(slots, &mut cheater.rng);
        if open.has_dial() && cheater.cheat.dials() {
            let victim = match cheater.cheat {
                Cheat::FloodCalls(victim) => Some(self.people[victim].identity()),
                _ => None,
            };
            let dial = cheater.dial(open, victim.as_ref().map(Identity::record));
            let last = random.last_mut().expect("every deposit has slots");
            // every other malformed dial is noise
            if cheater.cheat != Cheat::MalformedDials || open.0.is_multiple_of(2) {
                last.copy_from_slice(&dial);
            }
        }
        let Some(Joined { layer, .. }) = &cheater.joined else { return };
        let rng = &mut cheater.rng;
        let frames = match cheater.cheat {
            Cheat::Silent => vec![],
            Cheat::FloodNoise
            | Cheat::FloodCalls(_)
            | Cheat::ReplayInvitations
            | Cheat::MalformedDials => vec![sealed(layer, open, slots, &random)],
            Cheat::Doubled => vec![sealed(layer, open, slots, &random); 2],
            Cheat::Old => vec![sealed(layer, Round(open.0 - 1), slots, &random)],
            Cheat::Future => vec![sealed(layer, open.next(), slots, &random)],
            Cheat::Garbage => {
                let mut frame = deposit_frame(open, slots);
                deposit_slots_mut(&mut frame).for_each(|slot| rng.fill_bytes(slot));
                vec![frame]
            }
            Cheat::Malformed => {
                let mut frame = vec![0; round_frame(slots) - (rng.next_u32() % 2) as usize];
                rng.fill_bytes(&mut frame);
                vec![frame]
            }
            Cheat::Crowd(at) | Cheat::ReplayFrames(at) | Cheat::ReplayCells { at, .. } => {
                let Some(now) = self.spied.get(&at).and_then(|spied| spied.last()) else { return };
                if now.round != open {
                    return;
                }
                match cheater.cheat {
                    Cheat::ReplayFrames(_) => vec![now.frame.clone()],
                    Cheat::ReplayCells { of, .. } => {
                        let mut old = self.spied.get(&of).into_iter().flatten();
                        let Some(old) = old.rfind(|old| old.round < open) else { return };
                        let slots_of = now.slots.iter().zip(&old.slots);
                        let contents: Vec<_> = slots_of.map(|(now, old)| moved(now, old)).collect();
                        vec![sealed(layer, open, slots, &contents)]
                    }
                    _ => {
                        let contents = now.slots.iter().zip(&random);
                        let contents: Vec<_> = contents.map(|(now, it)| moved(now, it)).collect();
                        vec![sealed(layer, open, slots, &contents)]
                    }
                }
            }
        };
        cheater.sent += frames.len() as u64;
        frames.into_iter().for_each(|frame| self.send_up(conn, Channel::Round, frame));
    }

    /// Adds a cheat, who dials at once; returns its number.
    pub fn add_cheat(&mut self, cheat: Cheat) -> usize {
        let place = self.cheats.len();
        let rng = seeded(self.seed, "cheat", &[place as u64]);
        let mut cheater = Cheater::new(cheat, CHEATS_FROM + place, rng);
        if let Cheat::FloodCalls(_) = cheat {
            let name = format!("cheat-{place}").parse().expect("it is a name");
            let identity = Identity::random(name, &mut cheater.rng);
            cheater.account = self.service.register(*identity.record());
            cheater.identity = Some(identity);
        }
        self.cheats.push(cheater);
        let who = CHEATS_FROM + place;
        self.happens(millis(0), Happening::Dial { who, incarnation: 0 });
        place
    }
}

/// A cell of another deposit at the dead drop of this one.
fn moved(at: &[u8; DEPOSIT], cell: &[u8; DEPOSIT]) -> [u8; DEPOSIT] {
    let mut deposit = *cell;
    deposit[..DROP_ID].copy_from_slice(&at[..DROP_ID]);
    deposit
}

fn noise(slots: u8, rng: &mut ChaCha20Rng) -> Vec<[u8; DEPOSIT]> {
    let mut contents = vec![[0; DEPOSIT]; slots.into()];
    contents.iter_mut().for_each(|deposit| rng.fill_bytes(deposit));
    contents
}

fn sealed(layer: &Layer, round: Round, slots: u8, contents: &[[u8; DEPOSIT]]) -> Vec<u8> {
    let mut frame = deposit_frame(round, slots);
    for ((out, deposit), slot) in deposit_slots_mut(&mut frame).zip(contents).zip(0..slots) {
        layer.seal(round, Place { direction: Direction::Deposit, slot, slots }, deposit, out);
    }
    frame
}
