//! A profile in memory: changes become durable some time after they were handed over, in order, and a kill
//! loses those that were not.

use std::collections::{BTreeMap, VecDeque};

use client_core::record::{
    Change, Contact, KnownRestores, Outgoing, RECEIVED_IDS_MAX, Saved, SavedRoot, ServerClock,
};
use wire::directory::{Head, Record};
use wire::ids::{AccountIndex, IdentityHash, MessageId, Round};

/// What one person's machine keeps.
#[derive(Default)]
pub struct Disk {
    open: Vec<Record>,
    closed: Vec<Record>,
    clock: Option<ServerClock>,
    directory: Option<(u32, Head)>,
    pending: Vec<Outgoing>,
    received: BTreeMap<IdentityHash, Vec<MessageId>>,
    mark: Round,
    contacts: BTreeMap<IdentityHash, Contact>,
    roots: BTreeMap<IdentityHash, SavedRoot>,
    declined: BTreeMap<IdentityHash, Round>,
    vault: u64,
    vault_used: u64,
    restores: KnownRestores,
    /// Written without a flush: durable with the next change that somebody waits for.
    unflushed: Vec<Change>,
    /// Handed over.
    batches: VecDeque<(u64, Vec<Change>)>,
}

/// What became durable, in order.
pub enum Durable {
    /// A message of ours.
    Ours(Outgoing),
    /// A message from this peer.
    Theirs(IdentityHash, String),
    /// A message of ours is known to be delivered.
    Delivered(Outgoing),
}

impl Disk {
    /// Puts a contact there, with the root of a call of long ago.
    pub fn befriend(&mut self, record: Record, index: AccountIndex, root: SavedRoot) {
        let peer = record.identity();
        let contact = Contact {
            record,
            index,
            verified: false,
            blocked: false,
            forgotten: false,
            unsaved: None,
        };
        self.open.push(record);
        self.contacts.insert(peer, contact);
        self.roots.insert(peer, root);
    }

    /// Takes changes over.
    pub fn keep(&mut self, batch: u64, changes: Vec<Change>) {
        self.batches.push_back((batch, changes));
    }

    /// Writes everything up to a batch; returns what became durable.
    pub fn write(&mut self, until: u64) -> Vec<Durable> {
        let mut durable = Vec::new();
        while self.batches.front().is_some_and(|(batch, _)| *batch <= until) {
            let Some((_, changes)) = self.batches.pop_front() else { break };
            let is_urgent = changes.iter().any(Change::is_urgent);
            self.unflushed.extend(changes);
            if is_urgent {
                for change in std::mem::take(&mut self.unflushed) {
                    durable.extend(self.apply(change));
                }
            }
        }
        durable
    }

    /// The process was killed, and the machine with it.
    pub fn kill(&mut self) {
        self.unflushed.clear();
        self.batches.clear();
    }

    /// Returns what a start finds.
    pub fn saved(&self) -> Saved {
        let received = self.received.iter().map(|(peer, ids)| (*peer, ids.clone())).collect();
        Saved {
            open: self.open.clone(),
            closed: self.closed.clone(),
            outgoing: self.pending.clone(),
            received,
            mark: self.mark,
            token: None,
            clock: self.clock,
            directory: self.directory,
            contacts: self.contacts.values().cloned().collect(),
            roots: self.roots.iter().map(|(peer, root)| (*peer, root.duplicate())).collect(),
            declined: self.declined.iter().map(|(peer, until)| (*peer, *until)).collect(),
            vault: self.vault,
            vault_used: self.vault_used,
            restores: self.restores,
        }
    }

    fn apply(&mut self, change: Change) -> Option<Durable> {
        match change {
            Change::Opened(record) => {
                self.open.retain(|it| it.name != record.name);
                self.closed.retain(|it| it.name != record.name);
                self.open.push(*record);
            }
            Change::Closed(peer) => {
                self.closed.extend(self.open.extract_if(.., |it| it.identity() == peer));
            }
            Change::Queued(outgoing) => {
                assert!(self.pending.iter().all(|it| it.id != outgoing.id), "an id was used twice");
                self.pending.push(outgoing.clone());
                return Some(Durable::Ours(outgoing));
            }
            Change::Sent(id, round) => {
                let pending = self.pending.iter_mut().find(|it| it.id == id);
                if let Some(outgoing) = pending {
                    outgoing.sent = outgoing.sent.or(Some(round));
                }
            }
            Change::Delivered(id, _) => {
                let place = self.pending.iter().position(|it| it.id == id)?;
                return Some(Durable::Delivered(self.pending.remove(place)));
            }
            Change::Received(incoming) => {
                let ids = self.received.entry(incoming.peer).or_default();
                if ids.contains(&incoming.id) {
                    return None;
                }
                let surplus = (ids.len() + 1).saturating_sub(RECEIVED_IDS_MAX);
                ids.drain(..surplus);
                ids.push(incoming.id);
                return Some(Durable::Theirs(incoming.peer, incoming.text));
            }
            Change::Mark(round) => self.mark = self.mark.max(round),
            Change::Token(_) => (),
            Change::Clock(clock) => self.clock = Some(clock),
            Change::Contact(contact) => {
                self.contacts.insert(contact.record.identity(), *contact);
            }
            Change::Forgotten(peer) => {
                self.contacts.remove(&peer);
                self.roots.remove(&peer);
            }
            Change::Rooted(peer, root) => {
                self.roots.insert(peer, root);
            }
            Change::Declined(peer, until) => {
                self.declined.insert(peer, until);
            }
            Change::VaultUsed(version) => self.vault_used = version,
            Change::Vault(version, saved) => {
                self.vault = version;
                for peer in saved {
                    if let Some(contact) = self.contacts.get_mut(&peer) {
                        contact.unsaved = None;
                    }
                }
            }
            // every start fetches the whole directory here
            Change::Listed(..) => (),
            Change::Directory(length, head) => self.directory = Some((length, head)),
            Change::Restored { restored_ms, .. } => self.restores.taken_ms = restored_ms,
            Change::RestoreTold(restored_ms) => self.restores.told_ms = restored_ms,
        }
        None
    }
}
