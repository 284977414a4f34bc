//! What each change does to the rows.

use client_core::record::{
    Change, Contact, Incoming, LABEL_MAX, Outgoing, RECEIVED_IDS_MAX, SavedRoot, ServerClock,
};
use wire::codec::Wire;
use wire::directory::Record;
use wire::ids::{IdentityHash, MessageId, Round};
use wire::size::TEXT_MAX;

use super::ProfileError;
use super::data::{Data, Rows, damaged};
use super::deletion;
use super::records::Tail;
use super::row::{
    ContactRow, DeclinedRow, HistoryRow, PeerRow, PendingRow, ProgressRow, ReceivedRow,
    RestoresRow, RootRow, StateRow, VaultRow, history_key,
};

const STATE_KEY: &[u8] = &[];

/// Changes in one transaction.
struct Batch<'d> {
    rows: Rows<'d>,
    state: StateRow,
    /// The end of the directory, once a change goes there.
    tail: Option<Tail>,
    /// Changes that cut the directory.
    cuts: u32,
}

/// Refuses a change that is longer than a profile keeps.
pub(super) fn check(change: &Change) -> Result<(), ProfileError> {
    let (label, text) = match change {
        Change::Queued(message) => (message.label.len(), message.text.len()),
        Change::Received(message) => (0, message.text.len()),
        Change::Opened(_)
        | Change::Closed(_)
        | Change::Contact(_)
        | Change::Forgotten(_)
        | Change::Rooted(..)
        | Change::Declined(..)
        | Change::Vault(..)
        | Change::VaultUsed(_)
        | Change::Listed(..)
        | Change::Sent(..)
        | Change::Delivered(..)
        | Change::Mark(_)
        | Change::Token(_)
        | Change::Clock(_)
        | Change::Directory(..)
        | Change::Restored { .. }
        | Change::RestoreTold(_) => (0, 0),
    };
    match (label, text) {
        (..=LABEL_MAX, ..=TEXT_MAX) => Ok(()),
        (..=LABEL_MAX, _) => Err(ProfileError::TooLong("text")),
        (_, _) => Err(ProfileError::TooLong("label")),
    }
}

/// Makes all changes in one transaction.
pub(super) fn commit(data: &Data, changes: &[Change], durable: bool) -> Result<(), ProfileError> {
    let rows = data.write(durable)?;
    let state = rows.get(STATE_KEY)?.unwrap_or_default();
    let mut batch = Batch { rows, state, tail: None, cuts: 0 };
    changes.iter().try_for_each(|change| batch.apply(change))?;
    let Batch { rows, state, tail, cuts } = batch;
    rows.put(STATE_KEY, &state)?;
    let listed = tail.map(|tail| tail.finish(&rows)).transpose()?;
    rows.commit()?;
    if let Some(length) = listed {
        data.set_listed(length, cuts);
    }
    Ok(())
}

impl Batch<'_> {
    fn apply(&mut self, change: &Change) -> Result<(), ProfileError> {
        match change {
            Change::Opened(record) => self.opened(record),
            Change::Closed(peer) => self.closed(peer),
            Change::Queued(message) => self.queued(message),
            Change::Sent(id, round) => self.sent(id, *round),
            Change::Delivered(id, round) => self.delivered(id, *round),
            Change::Received(message) => self.received(message),
            Change::Mark(round) => {
                self.state.mark = self.state.mark.max(round.0);
                Ok(())
            }
            Change::Token(token) => {
                self.state.token = token.as_ref().map(|token| *token.expose());
                Ok(())
            }
            Change::Clock(ServerClock { genesis_ms, round_ms }) => {
                self.state.clock = Some((*genesis_ms, *round_ms));
                Ok(())
            }
            Change::Contact(contact) => self.contact(contact),
            Change::Forgotten(peer) => self.forgotten(peer),
            Change::Rooted(peer, root) => self.rooted(peer, root),
            Change::Declined(caller, until) => self.declined(caller, *until),
            Change::Vault(version, contacts) => self.vault(*version, contacts),
            Change::VaultUsed(version) => self.vault_used(*version),
            Change::Listed(from, records) => {
                let mut tail = self.take_tail()?;
                tail.append(&self.rows, *from, records)?;
                self.tail = Some(tail);
                Ok(())
            }
            Change::Directory(length, head) => {
                self.state.directory = Some((*length, head.0));
                Ok(())
            }
            Change::Restored { length, restored_ms, dropped } => {
                self.restored(*length, *restored_ms, *dropped)
            }
            Change::RestoreTold(restored_ms) => {
                let row = self.rows.get::<RestoresRow>(&[])?.unwrap_or_default();
                self.rows.put(&[], &RestoresRow { told: row.told.max(*restored_ms), ..row })
            }
        }
    }

    fn take_tail(&mut self) -> Result<Tail, ProfileError> {
        self.tail.take().map_or_else(|| Tail::read(&self.rows), Ok)
    }

    /// Cuts the directory, also what was marked of it, and takes the notice that it is cut for, in one.
    fn restored(
        &mut self,
        length: u32,
        restored_ms: u64,
        dropped: bool,
    ) -> Result<(), ProfileError> {
        let row = self.rows.get::<RestoresRow>(&[])?.unwrap_or_default();
        let taken = row.taken.max(restored_ms);
        let dropped = if dropped { row.dropped.max(restored_ms) } else { row.dropped };
        self.rows.put(&[], &RestoresRow { taken, dropped, ..row })?;
        let mut tail = self.take_tail()?;
        if tail.cut(&self.rows, length)? {
            self.cuts += 1;
            self.state.directory = None;
        }
        self.tail = Some(tail);
        Ok(())
    }

    fn opened(&self, record: &Record) -> Result<(), ProfileError> {
        let key = self.rows.key().peer_tag(&record.identity());
        self.rows.put(&key, &PeerRow { record: record.encode(), open: true })
    }

    /// Keeps who the peer was: a name stays with its keys.
    fn closed(&self, peer: &IdentityHash) -> Result<(), ProfileError> {
        let key = self.rows.key().peer_tag(peer);
        match self.rows.get::<PeerRow>(&key)? {
            Some(row) => self.rows.put(&key, &PeerRow { open: false, ..row }),
            None => Ok(()),
        }
    }

    fn contact(&self, contact: &Contact) -> Result<(), ProfileError> {
        let Contact { record, index, verified, blocked, forgotten, unsaved } = contact;
        let row = ContactRow {
            record: record.encode(),
            index: index.0,
            verified: *verified,
            blocked: *blocked,
            forgotten: *forgotten,
            unsaved: ContactRow::unsaved_byte(*unsaved),
        };
        let key = self.rows.key().peer_tag(&record.identity());
        if *blocked || *forgotten {
            self.rows.remove::<RootRow>(&key)?;
        }
        self.rows.put(&key, &row)
    }

    fn forgotten(&self, peer: &IdentityHash) -> Result<(), ProfileError> {
        let key = self.rows.key().peer_tag(peer);
        if let Some(ContactRow { record, .. }) = self.rows.get(&key)? {
            let record = Record::decode(&record).map_err(|_| damaged::<ContactRow>())?;
            deletion::note(&self.rows, &record.name, *peer)?;
        }
        self.rows.remove::<RootRow>(&key)?;
        self.rows.remove::<ContactRow>(&key)
    }

    fn rooted(&self, peer: &IdentityHash, root: &SavedRoot) -> Result<(), ProfileError> {
        let SavedRoot { caller, first, heard, hello, outer, steps } = root;
        let row = RootRow {
            peer: peer.0,
            caller: caller.0,
            first: first.0,
            heard: *heard,
            hello: *hello.expose(),
            outer: *outer.expose(),
            steps: *steps,
        };
        self.rows.put(&self.rows.key().peer_tag(peer), &row)
    }

    /// Keeps who was declined, and no longer those whose time is over.
    fn declined(&self, caller: &IdentityHash, until: Round) -> Result<(), ProfileError> {
        let now = self.state.mark;
        self.rows.remove_if(|row: &DeclinedRow| row.until < now)?;
        let row = DeclinedRow { peer: caller.0, until: until.0 };
        self.rows.put(&self.rows.key().peer_tag(caller), &row)
    }

    fn vault_used(&self, version: u64) -> Result<(), ProfileError> {
        let row = self.rows.get::<VaultRow>(&[])?.unwrap_or_default();
        self.rows.put(&[], &VaultRow { used: version.max(row.used), ..row })
    }

    fn vault(&self, version: u64, contacts: &[IdentityHash]) -> Result<(), ProfileError> {
        let row = self.rows.get::<VaultRow>(&[])?.unwrap_or_default();
        self.rows.put(&[], &VaultRow { version: version.max(row.version), ..row })?;
        for contact in contacts {
            let key = self.rows.key().peer_tag(contact);
            if let Some(row) = self.rows.get::<ContactRow>(&key)? {
                self.rows
                    .put(&key, &ContactRow { unsaved: ContactRow::unsaved_byte(None), ..row })?;
            }
        }
        Ok(())
    }

    fn queued(&mut self, message: &Outgoing) -> Result<(), ProfileError> {
        let key = self.rows.key().message_tag(&message.id);
        if self.rows.get::<PendingRow>(&key)?.is_some() {
            return Ok(());
        }
        let Outgoing { id, peer, label, text, sent_ms, sent } = message;
        let row = HistoryRow::Ours {
            peer: peer.0,
            id: id.0,
            label: label.clone(),
            text: text.clone(),
            sent_ms: *sent_ms,
        };
        let order = self.append(peer, row)?;
        let progress = ProgressRow { sent: sent.map_or(0, |round| round.0), delivered: 0 };
        self.rows.put(&history_key(&self.rows.key().peer_tag(peer), order), &progress)?;
        self.rows.put(&key, &PendingRow { peer: peer.0, order })
    }

    fn sent(&self, id: &MessageId, round: Round) -> Result<(), ProfileError> {
        let first = |it: ProgressRow| if it.sent == 0 { round.0 } else { it.sent };
        self.change_pending(id, |it| ProgressRow { sent: first(it), ..it }).map(|_| ())
    }

    fn delivered(&self, id: &MessageId, round: Round) -> Result<(), ProfileError> {
        if self.change_pending(id, |it| ProgressRow { delivered: round.0, ..it })? {
            self.rows.remove::<PendingRow>(&self.rows.key().message_tag(id))?;
        }
        Ok(())
    }

    /// Changes the rounds of a message that is not delivered; tells whether there is one.
    ///
    /// A delivered message is not found here, so that its state never goes back.
    fn change_pending(
        &self,
        id: &MessageId,
        change: impl FnOnce(ProgressRow) -> ProgressRow,
    ) -> Result<bool, ProfileError> {
        let key = self.rows.key().message_tag(id);
        let Some(PendingRow { peer, order }) = self.rows.get(&key)? else { return Ok(false) };
        let key = history_key(&self.rows.key().peer_tag(&IdentityHash(peer)), order);
        let progress = self.rows.get(&key)?.ok_or_else(damaged::<ProgressRow>)?;
        self.rows.put(&key, &change(progress))?;
        Ok(true)
    }

    fn received(&mut self, message: &Incoming) -> Result<(), ProfileError> {
        let Incoming { id, peer, text, sent_ms, round } = message;
        let key = self.rows.key().peer_tag(peer);
        let received = self.rows.get(&key)?;
        let mut received = received.unwrap_or(ReceivedRow { peer: peer.0, ids: Vec::new() });
        if received.ids.contains(&id.0) {
            return Ok(());
        }
        let surplus = (received.ids.len() + 1).saturating_sub(RECEIVED_IDS_MAX);
        received.ids.drain(..surplus);
        received.ids.push(id.0);
        self.rows.put(&key, &received)?;
        let row = HistoryRow::Theirs {
            peer: peer.0,
            id: id.0,
            text: text.clone(),
            sent_ms: *sent_ms,
            round: round.0,
        };
        self.append(peer, row).map(|_| ())
    }

    /// Adds a message to the history; returns its order.
    fn append(&mut self, peer: &IdentityHash, row: HistoryRow) -> Result<u64, ProfileError> {
        let order = self.state.next_order;
        self.state.next_order += 1;
        self.rows.put_message(&history_key(&self.rows.key().peer_tag(peer), order), row)?;
        Ok(order)
    }
}
