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

use wire::dial::{Dial, DialReply, SealedInvitation, bucket_of};
use wire::ids::{AccountIndex, IdentityHash, Name, Round};

use super::{Client, Open};
use crate::api::Event;
use crate::conversation::Conversation;
use crate::invitation::{self, Caller};
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
    /// The invitation that goes out until the call is answered.
    invitation: Option<SealedInvitation>,
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
        self.invitation = None;
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

    /// Tells whether the peer is to be invited, and not woken.
    fn calls(&self, own: IdentityHash) -> bool {
        let Some(call) = self.conversation.call() else { return true };
        let unanswered = call.caller == own && !self.conversation.is_answered();
        unanswered || self.finder.tries >= WAKE_UPS_MAX
    }
}

impl Client {
    /// Chooses what the dial slot of a round carries: of those who want to dial, who dialled longest ago.
    pub(super) fn dial(&mut self, round: Round) -> Dial {
        if !round.has_dial() {
            return Dial::Cover;
        }
        let wanting = self.conversations.iter().filter(|(_, open)| open.wants_to_dial(round));
        let wanting = wanting.filter(|(_, open)| !self.stands(&open.conversation));
        let next = wanting.min_by_key(|(peer, open)| (open.finder.dialled, **peer));
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
        let is_young = |call: Call| round.0.saturating_sub(call.first.0) < INVITATION_ROUNDS / 2;
        let standing =
            open.finder.invitation.filter(|_| open.conversation.call().is_some_and(is_young));
        let invitation = match standing {
            Some(invitation) => invitation,
            None => self.invite(round, peer)?,
        };
        let open = self.conversations.get_mut(&peer)?;
        let pause = open.finder.call_pause();
        let is_first = open.finder.tries == 0;
        open.finder.dialled(round, pause);
        let name = open.conversation.peer().name.to_string();
        if is_first {
            self.event(Event::Calling { peer: name });
        }
        Some(Dial::Invitation { bucket, invitation })
    }

    /// Makes an invitation; its root is the conversation's from now on.
    fn invite(&mut self, round: Round, peer: IdentityHash) -> Option<SealedInvitation> {
        let (index, _) = self.directory.find(self.own.name())?;
        let head = self.directory.head_at(index + 1)?;
        let open = self.conversations.get_mut(&peer)?;
        let caller = Caller { own: &self.own, index: AccountIndex(index), head };
        let record = *open.conversation.peer();
        let invited = invitation::invite(&caller, &record, round, &mut self.rng);
        let (invitation, root) = invited.ok()?;
        open.conversation.move_to(root, &mut self.rng);
        if open.finder.tries >= WAKE_UPS_MAX {
            open.finder.tries = 0;
        }
        open.finder.invitation = Some(invitation);
        // attended from the next round on
        let _ = open.conversation.turn(round);
        self.keep_root(peer);
        Some(invitation)
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
            self.invited(round, opened);
        }
    }

    /// Takes in an invitation that was made for this account's keys.
    fn invited(&mut self, round: Round, opened: invitation::Opened) {
        let said = opened.invitation;
        let key = opened.key.0;
        let is_young = |first: Round| round.0.saturating_sub(first.0) <= INVITATION_ROUNDS;
        self.invitations.retain(|_, (first, _)| is_young(*first));
        if self.invitations.contains_key(&key) {
            return self.invited_again(round, said.caller, said.first);
        }
        let age = round.0.checked_sub(said.first.0);
        let is_listed = self.directory.at(said.index.0).filter(|it| it.identity() == said.caller);
        let current = is_listed.filter(|it| {
            self.directory.find(&it.name).is_some_and(|(index, _)| index == said.index.0)
        });
        let (Some(..=INVITATION_ROUNDS), Some(record)) = (age, current) else {
            return self.refuse_call();
        };
        if said.caller == self.own.hash() || self.stands_for(&record.name, said.caller) {
            return self.refuse_call();
        }
        let Some(root) = opened.verify(&self.own, &record) else { return self.refuse_call() };
        self.invitations.insert(key, (said.first, said.caller));
        // the caller is genuine, and says what directory he was shown
        if self.directory.head_at(said.index.0 + 1) != Some(said.head) {
            self.refuse_call();
            return self.forked();
        }
        self.called(round, record, said.index, root);
    }

    /// A repetition of a call means that the caller still looks for us; for another's call it is a replay.
    fn invited_again(&mut self, round: Round, caller: IdentityHash, first: Round) {
        let open = self.conversations.get_mut(&caller);
        match open.filter(|open| open.conversation.call() == Some(Call { first, caller })) {
            Some(open) => open.finder.woken(round),
            None if self.requests.contains_key(&caller) => (),
            None => self.refuse_call(),
        }
    }

    /// A contact called: of his call and what there is the newest counts.
    pub(super) fn called_by_contact(&mut self, round: Round, peer: IdentityHash, root: Root) {
        let Some(open) = self.conversations.get_mut(&peer) else { return };
        let newer = match (root.call(), open.conversation.call()) {
            (Some(new), Some(current)) => new.beats(&current),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if !newer {
            return open.finder.woken(round);
        }
        open.conversation.move_to(root, &mut self.rng);
        let _ = open.conversation.turn(self.mark);
        open.finder.invitation = None;
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

    /// Tells whether a name is held by other keys than the caller's.
    fn stands_for(&self, name: &Name, caller: IdentityHash) -> bool {
        self.known.get(name).is_some_and(|known| known.identity() != caller)
    }
}
