//! One turn of the rounds: the last round's replies in, the next round's deposit out.

use std::time::Duration;

use rand_core::RngCore;
use wire::dial::buckets;
use wire::ids::{IdentityHash, Round};
use wire::round::ServerHeader;
use wire::size::CELL;

use super::{Client, Kept, Now, Open};
use crate::api::{ConnectionState, Event, MessageState};
use crate::record::{Change, Incoming};
use crate::rounds::{Answered, RoundError, Rounds, SlotContent, SlotUse};

/// Rounds between two times that the highest used one is kept.
const MARK_EVERY: u64 = 16;

impl Client {
    pub(super) fn turn(&mut self, now: Now, frame: &[u8]) -> Result<(), RoundError> {
        let Some(rounds) = &mut self.rounds else { return Ok(()) };
        let overdue = rounds.overdue();
        let above = self.mark;
        let answer =
            rounds.handle_frame(now.at, now.unix_ms, frame, above, &self.own, &mut self.rng);
        if let Some(due) = overdue {
            self.deposit(due);
        }
        let answer = answer?;
        self.check_buckets(&answer.header, answer.answered.is_none())?;
        self.opened(now, &answer.header);
        if let Some(answered) = answer.answered {
            self.answered(answered);
        }
        Ok(())
    }

    /// Refuses more buckets than so many records need: then a dial would name the person called. A directory that has
    /// grown beyond ours has at most twice as many. One that grew further has to be fetched on another way in; on the
    /// first round of a stream it was just fetched.
    pub(super) fn check_buckets(
        &self,
        header: &ServerHeader,
        is_first: bool,
    ) -> Result<(), RoundError> {
        let ServerHeader { buckets: told, directory_length, .. } = *header;
        let ours = buckets(self.directory.mark().length);
        let is_consistent = told == buckets(directory_length);
        match is_consistent && told <= 2 * ours {
            true => Ok(()),
            false if is_consistent && !is_first => Err(RoundError::Behind(directory_length)),
            false => Err(RoundError::Buckets(told)),
        }
    }

    /// Seals what is ready, if it is time.
    pub(super) fn seal_if_due(&mut self, now: Now) {
        let wanted = self.rounds.as_ref().and_then(|rounds| rounds.wants_content(now.at));
        let Some(round) = wanted else { return };
        let meetings = self.meet(round);
        let dial = self.dial(round);
        if let Some(rounds) = &mut self.rounds {
            rounds.seal(meetings, &dial, &self.own, &mut self.rng);
        }
    }

    /// A round opened: it is used from now on, and never again.
    fn opened(&mut self, now: Now, header: &ServerHeader) {
        let round = header.open;
        let last = self.last_opened.replace(now.at);
        if !self.is_in_rounds() {
            self.missed += last.map_or(0, |last| self.rounds_between(last, now.at));
            self.set_connection(match last {
                Some(_) => ConnectionState::Resumed,
                None => ConnectionState::Connected,
            });
        }
        if self.clock.is_none()
            && let Some(offered) = self.offered
        {
            self.clock = Some(offered);
            self.keep(vec![Change::Clock(offered)], Vec::new());
        }
        if round.0 / MARK_EVERY > self.mark.0 / MARK_EVERY {
            self.keep(vec![Change::Mark(round)], Vec::new());
        }
        self.mark = round;
        self.turn_wheels(round);
        let round_ms = self.rounds.as_ref().map_or(1, Rounds::round_ms);
        let closes_ms = header.closes_ms.min(round_ms);
        self.event(Event::RoundOpen { number: round.0, closes_ms, round_ms });
    }

    /// Estimates the rounds that passed without us, by time: numbers also jump when a server restarts.
    fn rounds_between(&self, last: Duration, now: Duration) -> u64 {
        let round_ms = self.rounds.as_ref().map_or(1, Rounds::round_ms);
        let elapsed_ms = u64::try_from((now - last).as_millis()).unwrap_or(u64::MAX);
        (elapsed_ms / u64::from(round_ms)).saturating_sub(1)
    }

    fn is_in_rounds(&self) -> bool {
        match self.connection {
            ConnectionState::Connected | ConnectionState::Resumed => true,
            ConnectionState::Connecting | ConnectionState::Lost => false,
        }
    }

    /// Takes in the replies of a round.
    fn answered(&mut self, answered: Answered) {
        if answered.lost_probe() {
            self.missed += 1;
        }
        let dial = answered.dial();
        let (mut changes, mut then) = (Vec::new(), Vec::new());
        for (usage, cell) in answered.slots {
            let SlotUse::Meeting(peer) = usage else { continue };
            self.met(answered.round, peer, cell.as_ref(), &mut changes, &mut then);
        }
        if !changes.is_empty() {
            self.keep(changes, then);
        }
        if let Some(dial) = dial {
            self.dialled(answered.round, &dial);
        }
        self.answered = (answered.round, answered.seats);
        self.event(Event::Round {
            number: answered.round.0,
            seats: answered.seats,
            missed: self.missed,
        });
        self.linger();
    }

    /// Takes in what came back from one meeting.
    fn met(
        &mut self,
        round: Round,
        peer: IdentityHash,
        cell: Option<&[u8; CELL]>,
        changes: &mut Vec<Change>,
        then: &mut Vec<Kept>,
    ) {
        let Some(open) = self.conversations.get_mut(&peer) else { return };
        let Some(cell) = cell else { return open.conversation.unheard(&mut self.rng) };
        let inward = open.conversation.inward(round, cell, &mut self.rng);
        let is_answer = inward.heard && open.conversation.answered();
        if inward.heard {
            let unsent = inward.unsent || open.conversation.undelivered() > 0;
            open.finder.heard(round, unsent || !open.conversation.is_live());
        }
        for complete in inward.complete {
            let (id, text, sent_ms) = (complete.id, complete.text, complete.sent_ms);
            let incoming = Incoming { id, peer, text, sent_ms, round };
            changes.push(Change::Received(incoming.clone()));
            then.push(Kept::Received(incoming));
        }
        for outgoing in inward.delivered {
            changes.push(Change::Delivered(outgoing.id, round));
            then.push(Kept::Delivered(outgoing, round));
        }
        if let Some(mark) = inward.directory {
            self.compare_with_peer(peer, mark);
        }
        if is_answer {
            self.answered_call(peer);
        }
    }

    /// Chooses of the hot conversations those of lowest rank and makes their cells.
    pub(super) fn meet(&mut self, round: Round) -> Vec<SlotContent> {
        let Some(slots) = self.rounds.as_ref().map(|rounds| rounds.cell_slots(round)) else {
            return Vec::new();
        };
        let standing = |open: &&Open| self.changed.contains(&open.conversation.peer().name);
        let hot =
            self.conversations.iter().filter(|(_, open)| open.is_hot(round) && !standing(open));
        let ranked = hot.filter_map(|(peer, open)| Some((open.conversation.rank(round)?, *peer)));
        let mut ranked: Vec<(u64, IdentityHash)> = ranked.collect();
        ranked.sort_unstable();
        ranked.truncate(slots);
        ranked.into_iter().filter_map(|(_, peer)| self.cell_for(round, peer)).collect()
    }

    fn cell_for(&mut self, round: Round, peer: IdentityHash) -> Option<SlotContent> {
        let directory = self.directory.mark();
        let open = self.conversations.get_mut(&peer)?;
        let drop_id = open.conversation.drop_id(round)?;
        let outward = open.conversation.outward(round, &self.own, directory, &mut self.rng);
        if let Some(outgoing) = outward.completes {
            self.keep(vec![Change::Sent(outgoing.id, round)], Vec::new());
            self.state(&outgoing, MessageState::Sent, Some(round));
        }
        Some(SlotContent::cell(SlotUse::Meeting(peer), drop_id, &outward.cell))
    }

    /// Draws how many rounds to stay after the last acknowledgement.
    pub(super) fn draw_linger(&mut self) -> u64 {
        let (least, most) = super::commands::LINGER_ROUNDS;
        least + self.rng.next_u64() % (most - least + 1)
    }
}
