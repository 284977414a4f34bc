//! What waits for the disk: nothing is told or acknowledged before it is durable.

use wire::ids::{IdentityHash, Round};

use super::Client;
use crate::api::{Event, MessageState};
use crate::record::{Incoming, Outgoing};

/// What happens once a batch is durable.
pub(super) enum Kept {
    /// A message of ours is queued.
    Queued(Outgoing),
    /// A message of a peer is told and may be acknowledged.
    Received(Incoming),
    /// A message of ours is delivered.
    Delivered(Outgoing, Round),
    /// This is true from now on.
    True(Event),
    /// The vault may be written with this version.
    Reserved(u64),
}

impl Client {
    /// A batch of [`super::Output::Keep`] is durable.
    pub fn handle_kept(&mut self, batch: u64) {
        for kept in self.batches.remove(&batch).unwrap_or_default() {
            match kept {
                Kept::Queued(outgoing) => self.queue(outgoing),
                Kept::Received(incoming) => self.received(incoming),
                Kept::Delivered(outgoing, round) => {
                    self.state(&outgoing, MessageState::Delivered, Some(round));
                }
                Kept::True(event) => self.event(event),
                Kept::Reserved(version) => self.vault_reserved(version),
            }
        }
        self.check_leaving();
    }

    /// Tells how far a message of ours is.
    pub(super) fn state(&mut self, outgoing: &Outgoing, state: MessageState, round: Option<Round>) {
        let Some(peer) = self.peer_name(&outgoing.peer) else { return };
        let round = round.map(|round| round.0);
        self.event(Event::State { label: outgoing.label.clone(), peer, state, round });
    }

    fn queue(&mut self, outgoing: Outgoing) {
        self.state(&outgoing, MessageState::Queued, None);
        match self.conversations.get_mut(&outgoing.peer) {
            Some(open) => {
                // closed and opened again meanwhile, it does not count this one
                open.unkept = open.unkept.saturating_sub(1);
                open.conversation.send(outgoing);
            }
            None => {
                let parked = self.parked.entry(outgoing.peer).or_default();
                parked.unkept = parked.unkept.saturating_sub(1);
                parked.outgoing.push(outgoing);
            }
        }
    }

    fn received(&mut self, incoming: Incoming) {
        let Some(peer) = self.peer_name(&incoming.peer) else { return };
        match self.conversations.get_mut(&incoming.peer) {
            Some(open) => open.conversation.durable(incoming.id),
            None => self.parked.entry(incoming.peer).or_default().receiving.durable(incoming.id),
        }
        let Incoming { id, text, sent_ms, round, .. } = incoming;
        self.event(Event::Message { id, peer, text, sent_ms, round: round.0 });
    }

    fn peer_name(&self, peer: &IdentityHash) -> Option<String> {
        let open = self.conversations.get(peer).map(|open| open.conversation.peer().name);
        let name = open.or_else(|| self.parked.get(peer)?.name)?;
        Some(name.to_string())
    }
}
