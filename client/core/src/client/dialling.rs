//! The dial slot: whom a client calls or wakes in a dial round, and who calls or wakes it.
//!
//! ```text
//! wants to dial ─► the one that waits longest ─┬─ not answered yet: invitation, a new one after half its life
//!                                              └─ answered: wake-up of this round
//! reply ─┬─ wake-ups: a conversation that knows one is hot
//!        └─ invitation ─► contact: newest root counts · stranger: request
//! ```
//!
//! Invariant: a dial round has one dial slot whatever is in it; who is not dialled now waits for the next one.

use wire::dial::{Dial, DialReply, bucket_of};
use wire::directory::Record;
use wire::ids::{AccountIndex, IdentityHash, Name, Round};
use wire::invitation::Invitation;

use super::{Client, Open};
use crate::api::Event;
use crate::conversation::Conversation;
use crate::invitation::{self, Calling};
use crate::record::Change;
use crate::rounds::Rounds;
use crate::wheel::{Call, Root, WheelUsedUp};

/// Rounds for which a conversation stays hot once it was woken, or while somebody has something unsent.
const HOT_ROUNDS: u64 = 30;

/// Rounds for which a conversation is attended after it dialled.
const ATTEND_ROUNDS: u64 = 15;

/// Rounds without hearing the peer after which he is dialled.
const QUIET_ROUNDS: u64 = 10;

/// Rounds for which an invitation is good, and remembered against repetition.
const INVITATION_ROUNDS: u64 = 900;

/// Wake-ups in vain after which the peer is called anew: he may have lost the root.
const WAKE_UPS_MAX: u32 = 30;

/// Rounds between the tries of a call, at first and from [`LOOKING_TRIES`] on: 10 s growing to 40 s, then 5 minutes.
const CALL_PAUSES: [u64; 3] = [5, 10, 20];
const LATE_CALL_PAUSES: [u64; 3] = [40, 80, 150];
const LOOKING_TRIES: u32 = 15;

/// Rounds between wake-ups: 10 s growing to a minute.
const WAKE_PAUSES: [u64; 6] = [5, 5, 5, 10, 15, 30];

/// How a conversation finds its peer.
#[derive(Default)]
pub(super) struct Finder {
    /// Last round in which it is hot, unless something makes it so again.
    hot_until: Round,
    /// Last round in which the peer was heard.
    heard: Round,
    /// Whether somebody waits for the peer, though nothing is to be sent yet.
    wanted: bool,
    /// Whether somebody looks at the conversation: one wake-up, so that what is written next goes at once.
    looked_at: bool,
    /// Whether it was closed: it dials for nobody until it is used again.
    resting: bool,
    /// The call that goes out until it is answered.
    calling: Option<Calling>,
    /// Whether the root came when there was none to compare it with: the call may be a repetition of an old one, so the
    /// peer is called unless he is heard.
    doubted: bool,
    /// Whether the person asked for the peer in this process.
    asked: bool,
    /// Last round in which it dialled.
    dialled: Round,
    tries: u32,
    /// First round in which it may dial again.
    next: Round,
}

impl Finder {
    /// Has the peer looked for from the next dial round on.
    pub(super) fn want(&mut self) {
        self.wanted = true;
        self.resting = false;
        self.heard = Round::NONE;
        self.tries = 0;
        self.next = Round::NONE;
    }

    /// Has the peer looked for since a person asked for that.
    pub(super) fn ask(&mut self) {
        self.want();
        self.asked = true;
    }

    /// Looks for nobody, and rests until something is sent or the peer wakes it.
    pub(super) fn rest(&mut self) {
        self.wanted = false;
        self.resting = true;
        self.hot_until = Round::NONE;
    }

    /// Something is sent.
    pub(super) fn wake(&mut self) {
        self.resting = false;
    }

    /// Somebody looks at the conversation.
    pub(super) fn look(&mut self) {
        self.looked_at = true;
        self.resting = false;
    }

    /// The peer wants us, or may.
    fn woken(&mut self, round: Round) {
        self.resting = false;
        self.hot_until = self.hot_until.max(Round(round.0 + HOT_ROUNDS));
    }

    /// The peer was heard; with something unsent on either side the conversation stays hot.
    pub(super) fn heard(&mut self, round: Round, busy: bool) {
        self.heard = round;
        self.wanted = false;
        self.asked = false;
        self.calling = None;
        self.doubted = false;
        self.tries = 0;
        self.next = Round::NONE;
        if busy {
            self.woken(round);
        }
    }

    fn dialled(&mut self, round: Round, pause: u64) {
        self.dialled = round;
        self.looked_at = false;
        self.tries += 1;
        self.next = Round(round.0 + pause);
        self.hot_until = self.hot_until.max(Round(round.0 + ATTEND_ROUNDS));
    }

    fn call_pause(&self) -> u64 {
        match self.tries.checked_sub(LOOKING_TRIES) {
            None => of(&CALL_PAUSES, self.tries),
            Some(late) => of(&LATE_CALL_PAUSES, late),
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Words,
    Asked,
    Background,
}

/// Returns the pause after so many tries; the last one lasts.
fn of(pauses: &[u64], tries: u32) -> u64 {
    pauses[(tries as usize).min(pauses.len() - 1)]
}

impl Open {
    /// Tells whether the conversation takes part in the schedule of a round.
    pub(super) fn is_hot(&self, round: Round) -> bool {
        self.conversation.is_by_agreement() || self.finder.hot_until >= round
    }

    fn wants_to_dial(&self, round: Round) -> bool {
        let finder = &self.finder;
        let unsent = self.conversation.undelivered() + self.unkept > 0;
        let busy = !finder.resting && (finder.wanted || finder.looked_at || unsent);
        let quiet = round.0.saturating_sub(finder.heard.0) >= QUIET_ROUNDS;
        !self.conversation.is_by_agreement() && busy && quiet && finder.next <= round
    }

    /// Orders those who want to dial: first what a person waits for, last the calls that a new machine makes by itself.
    fn urgency(&self) -> Urgency {
        let unsent = self.conversation.undelivered() + self.unkept > 0;
        if unsent || self.finder.looked_at {
            Urgency::Words
        } else if self.finder.asked {
            Urgency::Asked
        } else {
            Urgency::Background
        }
    }

    /// Tells whether the peer is to be invited, and not woken.
    fn calls(&self, own: IdentityHash) -> bool {
        let Some(call) = self.conversation.call() else { return true };
        let unanswered = call.caller == own && !self.conversation.is_answered();
        unanswered || self.finder.doubted || self.finder.tries >= WAKE_UPS_MAX
    }
}

impl Client {
    /// Chooses what the dial slot of a round carries: of those who want to dial the most urgent, and of equal ones
    /// who dialled longest ago.
    pub(super) fn dial(&mut self, round: Round) -> Dial {
        if !round.has_dial() {
            return Dial::Cover;
        }
        let wanting = self.conversations.iter().filter(|(_, open)| open.wants_to_dial(round));
        let wanting = wanting.filter(|(_, open)| !self.stands(&open.conversation));
        let next = wanting.min_by_key(|(peer, open)| (open.urgency(), open.finder.dialled, **peer));
        let Some(peer) = next.map(|(peer, _)| *peer) else { return Dial::Cover };
        self.dial_to(round, peer).unwrap_or(Dial::Cover)
    }

    fn dial_to(&mut self, round: Round, peer: IdentityHash) -> Option<Dial> {
        let bucket = self.bucket_of(&peer)?;
        let open = self.conversations.get_mut(&peer)?;
        if !open.calls(self.own.hash()) {
            let token = open.conversation.wake_up(round)?;
            open.finder.dialled(round, of(&WAKE_PAUSES, open.finder.tries));
            return Some(Dial::WakeUp { bucket, token });
        }
        let is_young =
            |calling: &Calling| round.0.saturating_sub(calling.first().0) < INVITATION_ROUNDS / 2;
        if !open.finder.calling.as_ref().is_some_and(is_young) {
            self.begin_call(round, peer)?;
        }
        let (index, _) = self.directory.find(self.own.name())?;
        let open = self.conversations.get_mut(&peer)?;
        let (record, calling) = (*open.conversation.peer(), open.finder.calling.as_ref()?);
        let invited = calling.invite(&self.own, AccountIndex(index), &record, &mut self.rng);
        let invitation = invited.ok()?;
        let pause = open.finder.call_pause();
        let is_first = open.finder.tries == 0;
        open.finder.dialled(round, pause);
        if is_first {
            self.event(Event::Calling { peer: record.name.to_string() });
        }
        Some(Dial::Invitation { bucket, invitation })
    }

    /// Begins a call; its root is the conversation's from now on.
    fn begin_call(&mut self, round: Round, peer: IdentityHash) -> Option<()> {
        let open = self.conversations.get_mut(&peer)?;
        let calling = Calling::random(round, &mut self.rng);
        let root = calling.root(&self.own, open.conversation.peer()).ok()?;
        open.conversation.move_to(root, &mut self.rng);
        if open.finder.tries >= WAKE_UPS_MAX {
            open.finder.tries = 0;
        }
        open.finder.calling = Some(calling);
        open.finder.doubted = false;
        // attended from the next round on
        let _ = open.conversation.turn(round);
        self.keep_root(peer);
        Some(())
    }

    fn bucket_of(&self, peer: &IdentityHash) -> Option<u32> {
        let index = self.contacts.get(peer)?.index;
        let buckets = self.rounds.as_ref().map_or(1, Rounds::buckets);
        Some(bucket_of(index, buckets))
    }

    /// Takes in what the dial slot of a round brought.
    pub(super) fn dialled(&mut self, round: Round, reply: &DialReply) {
        for open in self.conversations.values_mut() {
            if reply.wake_ups.iter().any(|token| open.conversation.knows(token)) {
                open.finder.woken(round);
            }
        }
        if let Some(opened) = invitation::open(&self.own, &reply.invitation) {
            self.invited(round, &opened);
        }
    }

    /// Takes in an invitation that was made for this account's keys.
    pub(super) fn invited(&mut self, round: Round, opened: &invitation::Opened) {
        let Invitation { index, first, caller, .. } = opened.invitation;
        let age = round.0.checked_sub(first.0);
        let is_current = |record: &Record| {
            record.identity() == caller && self.holds(&record.name, index, caller)
        };
        let record = self.directory.at(index.0).filter(is_current);
        let (Some(..=INVITATION_ROUNDS), Some(record)) = (age, record) else {
            return self.refuse_call();
        };
        if caller == self.own.hash() {
            return self.refuse_call();
        }
        let Some(root) = opened.verify(&self.own, &record) else { return self.refuse_call() };
        self.invitations.retain(|_, first| round.0.saturating_sub(first.0) <= INVITATION_ROUNDS);
        let is_new = self.invitations.get(&caller).is_none_or(|newest| *newest < first);
        if !is_new {
            return self.invited_again(round, Call { first, caller });
        }
        self.invitations.insert(caller, first);
        self.called(round, record, index, root);
    }

    /// A repetition of the newest call means that the caller still looks for us; any other is a replay.
    fn invited_again(&mut self, round: Round, call: Call) {
        let open = self.conversations.get_mut(&call.caller);
        if let Some(open) = open.filter(|open| open.conversation.call() == Some(call)) {
            open.finder.woken(round);
        } else if !self.request_repeated(round, &call.caller) {
            self.refuse_call();
        }
    }

    /// A contact called: of his call and what there is the newest counts.
    pub(super) fn called_by_contact(&mut self, round: Round, peer: IdentityHash, root: Root) {
        let Some(open) = self.conversations.get_mut(&peer) else { return };
        let current = open.conversation.call();
        let newer = match (root.call(), current) {
            (Some(new), Some(current)) => new.beats(&current),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if !newer {
            return open.finder.woken(round);
        }
        open.conversation.move_to(root, &mut self.rng);
        let _ = open.conversation.turn(self.mark);
        open.finder.calling = None;
        open.finder.doubted = current.is_none();
        open.finder.want();
        open.finder.woken(round);
        self.keep_root(peer);
    }

    /// Turns all wheels to a round that opens.
    pub(super) fn turn_wheels(&mut self, round: Round) {
        let mut stepped = Vec::new();
        for (peer, open) in &mut self.conversations {
            match open.conversation.turn(round) {
                Ok(false) => (),
                Ok(true) => stepped.push(*peer),
                Err(WheelUsedUp) => {
                    open.conversation.forget_root(&mut self.rng);
                    open.finder.want();
                }
            }
        }
        stepped.into_iter().for_each(|peer| self.keep_root(peer));
    }

    /// Keeps the root that a conversation goes by now.
    pub(super) fn keep_root(&mut self, peer: IdentityHash) {
        let root = self.conversations.get(&peer).and_then(|open| open.conversation.saved_root());
        if let Some(root) = root {
            self.keep(vec![Change::Rooted(peer, root)], Vec::new());
        }
    }

    /// Counts a call that is not told.
    pub(super) fn refuse_call(&mut self) {
        self.refused_calls += 1;
    }

    fn stands(&self, conversation: &Conversation) -> bool {
        self.changed.contains(&conversation.peer().name)
    }

    /// Tells whether a name belongs to these keys at this place of the directory, and to no others that are known here.
    pub(super) fn holds(&self, name: &Name, index: AccountIndex, who: IdentityHash) -> bool {
        let listed = self.directory.find(name).is_some_and(|(newest, _)| newest == index.0);
        listed && self.known.get(name).is_none_or(|known| known.identity() == who)
    }
}
