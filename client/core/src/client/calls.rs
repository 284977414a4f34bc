//! Calls and contacts: who may call, who is called, and what a program asks of them.

use std::collections::BTreeSet;

use wire::directory::Record;
use wire::ids::{AccountIndex, IdentityHash, Name, Round};

use super::commands::about;
use super::{Client, Kept, Open, Parked};
use crate::api::{About, ContactStatus, ErrorCode, Event, Standing};
use crate::conversation::Conversation;
use crate::record::{Change, Contact, Unsaved};
use crate::vault::VAULT_ENTRIES_MAX;
use crate::wheel::Root;

/// Callers that may wait for an answer at once; the calls of further ones are not told.
const REQUESTS_MAX: usize = 64;

/// Rounds for which a caller who was declined is not told again: a day of standard rounds.
const DECLINED_ROUNDS: u64 = 43_200;

/// Callers whose decline is remembered; beyond that the one that ends first is forgotten.
const DECLINED_MAX: usize = 1024;

/// A stranger's call that waits for an answer.
pub(super) struct Request {
    record: Record,
    index: AccountIndex,
    root: Root,
    /// The last round in which an invitation of it came.
    heard: Round,
}

impl Client {
    /// Answers with all contacts.
    pub(super) fn tell_contacts(&mut self) {
        let mut contacts: Vec<_> = self.contact_statuses().collect();
        contacts.sort_by(|one, other| one.peer.cmp(&other.peer));
        self.event(Event::Contacts { contacts });
    }

    /// A genuine call came in.
    pub(super) fn called(&mut self, round: Round, record: Record, index: AccountIndex, root: Root) {
        let peer = record.identity();
        match self.contacts.get(&peer).filter(|contact| !contact.forgotten) {
            Some(contact) if contact.blocked => self.refuse_call(),
            Some(_) => self.called_by_contact(round, peer, root),
            None => self.called_by_stranger(round, record, index, root),
        }
    }

    fn called_by_stranger(
        &mut self,
        round: Round,
        record: Record,
        index: AccountIndex,
        root: Root,
    ) {
        let peer = record.identity();
        if self.declined.get(&peer).is_some_and(|until| *until > round) {
            return self.refuse_call();
        }
        if let Some(request) = self.requests.get_mut(&peer) {
            let newer =
                root.call().zip(request.root.call()).is_some_and(|(new, old)| new.beats(&old));
            if newer {
                request.root = root;
            }
            request.heard = round;
            return;
        }
        if self.requests.len() >= REQUESTS_MAX {
            self.drop_oldest_request();
        }
        self.requests.insert(peer, Request { record, index, root, heard: round });
        self.event(Event::Request { peer: record.name.to_string() });
    }

    /// Makes place for a caller: the one who was heard of longest ago, whose call is told again when it comes again.
    fn drop_oldest_request(&mut self) {
        let oldest = self.requests.iter().min_by_key(|(_, request)| request.heard);
        if let Some(oldest) = oldest.map(|(caller, _)| *caller) {
            self.drop_request(oldest);
            self.invitations.remove(&oldest);
        }
    }

    /// A waiting call came again; tells whether there is one of that caller.
    pub(super) fn request_repeated(&mut self, round: Round, caller: &IdentityHash) -> bool {
        let request = self.requests.get_mut(caller);
        request.map(|request| request.heard = round).is_some()
    }

    fn drop_request(&mut self, caller: IdentityHash) {
        if let Some(request) = self.requests.remove(&caller) {
            self.event(Event::Forgotten { peer: request.record.name.to_string() });
        }
    }

    /// Drops the requests of those who do not hold their names any more.
    pub(super) fn drop_stale_requests(&mut self) {
        let stale = self
            .requests
            .iter()
            .filter(|(caller, request)| !self.holds(&request.record.name, request.index, **caller));
        let stale: Vec<_> = stale.map(|(caller, _)| *caller).collect();
        stale.into_iter().for_each(|caller| self.drop_request(caller));
    }

    pub(super) fn call(&mut self, peer: &str) {
        let Ok(name) = peer.parse::<Name>() else { return self.unknown(peer) };
        if name == *self.own.name() {
            return self.himself(peer);
        }
        if self.find_request(peer).is_some() {
            return self.accept(peer);
        }
        if self.changed.contains(&name) {
            return self.stands_still(peer, about(peer));
        }
        match self.look_up(&name) {
            Some((index, record)) => self.call_to(index, record),
            None => self.resolve_later(name, true),
        }
    }

    /// Calls an account of the directory; it is a contact from now on.
    pub(super) fn call_to(&mut self, index: AccountIndex, record: Record) {
        let peer = record.identity();
        let name = record.name;
        if self.known.get(&name).is_some_and(|known| known.identity() != peer) {
            return self.key_changed(name);
        }
        if self.contacts.get(&peer).is_some_and(|contact| contact.blocked) {
            return self.is_blocked(name.as_str());
        }
        self.declined.remove(&peer);
        if record.verify().is_err() {
            return self.forged(name.as_str());
        }
        if !self.is_contact(&peer) {
            let root = Root::none(&mut self.rng);
            self.befriend(index, record, root);
        }
        if let Some(open) = self.conversations.get_mut(&peer) {
            open.finder.ask();
        }
    }

    pub(super) fn accept(&mut self, peer: &str) {
        let Some(caller) = self.find_request(peer) else { return self.no_request(peer) };
        if self.contacts_full() {
            return self.too_many_contacts(peer);
        }
        let Some(Request { record, index, root, .. }) = self.requests.remove(&caller) else {
            return;
        };
        self.declined.remove(&caller);
        self.befriend(index, record, root);
        if let Some(open) = self.conversations.get_mut(&caller) {
            open.finder.ask();
        }
    }

    pub(super) fn decline(&mut self, peer: &str) {
        let Some(caller) = self.find_request(peer) else { return self.no_request(peer) };
        self.requests.remove(&caller);
        let until = Round(self.mark.0 + DECLINED_ROUNDS);
        if self.declined.len() >= DECLINED_MAX
            && let Some(first) = self.declined.iter().min_by_key(|(_, until)| **until)
        {
            let first = *first.0;
            self.declined.remove(&first);
        }
        self.declined.insert(caller, until);
        self.keep(vec![Change::Declined(caller, until)], Vec::new());
    }

    pub(super) fn block(&mut self, peer: &str) {
        let Some((index, record)) = self.find_anybody(peer) else { return self.unknown(peer) };
        let who = record.identity();
        if who == self.own.hash() {
            return self.himself(peer);
        }
        if !self.contacts.contains_key(&who) && self.contacts_full() {
            return self.too_many_contacts(peer);
        }
        self.requests.remove(&who);
        self.park(who);
        let contact = Contact {
            record,
            index,
            verified: false,
            blocked: true,
            forgotten: false,
            unsaved: Some(Unsaved::Changed),
        };
        self.put_contact(contact);
    }

    pub(super) fn unblock(&mut self, peer: &str) {
        match self.find_contact(peer) {
            Some(who) if self.contacts.get(&who).is_some_and(|it| it.blocked) => {
                // a call that still goes on is a stranger's now, and is told
                self.invitations.remove(&who);
                self.drop_contact(who);
            }
            Some(_) | None => self.no_contact(peer),
        }
    }

    pub(super) fn forget(&mut self, peer: &str) {
        let Some(who) = self.find_contact(peer) else { return self.no_contact(peer) };
        if self.contacts.get(&who).is_some_and(|it| it.blocked) {
            let text = format!("{peer} is blocked; unblock does what you want");
            return self.error(ErrorCode::Blocked, text, about(peer));
        }
        self.drop_contact(who);
    }

    pub(super) fn verify(&mut self, peer: &str, verified: bool) {
        let Some(who) = self.find_contact(peer) else { return self.no_contact(peer) };
        let Some(contact) = self.contacts.get(&who).filter(|it| !it.blocked) else {
            return self.no_contact(peer);
        };
        if self.changed.contains(&contact.record.name) {
            return self.stands_still(peer, about(peer));
        }
        let contact = Contact { verified, unsaved: Some(Unsaved::Changed), ..contact.clone() };
        self.put_contact(contact);
    }

    pub(super) fn accept_key(&mut self, peer: &str) {
        let Ok(name) = peer.parse::<Name>() else { return self.unknown(peer) };
        if !self.changed.contains(&name) {
            let text = format!("the key of {name} is the one it was; there is nothing to accept");
            return self.error(ErrorCode::NotAContact, text, about(peer));
        }
        let Some((index, record)) = self.directory.find(&name) else {
            return self.stands_still(peer, about(peer));
        };
        if record.verify().is_err() {
            return self.forged(peer);
        }
        let accepted = record.identity();
        let is_old = |who: &IdentityHash, record: &Record| record.name == name && *who != accepted;
        let contacts = self.contacts.iter().map(|(who, contact)| (who, &contact.record));
        let open = self.conversations.iter().map(|(who, open)| (who, open.conversation.peer()));
        let old: BTreeSet<_> =
            contacts.chain(open).filter(|(who, it)| is_old(who, it)).map(|(who, _)| *who).collect();
        for old in old {
            self.park(old);
            self.drop_contact(old);
        }
        self.changed.remove(&name);
        self.known.remove(&name);
        self.call_to(AccountIndex(index), record);
    }

    /// Makes somebody a contact, on a root or until a call brings one, and looks for him.
    pub(super) fn befriend(&mut self, index: AccountIndex, record: Record, root: Root) {
        let peer = record.identity();
        let name = record.name;
        if !self.contacts.contains_key(&peer) && self.contacts_full() {
            return self.too_many_contacts(name.as_str());
        }
        if !self.take_up(record, Some(root)) {
            return self.forged(name.as_str());
        }
        if let Some(open) = self.conversations.get_mut(&peer) {
            open.finder.want();
        }
        let contact = Contact {
            record,
            index,
            verified: false,
            blocked: false,
            forgotten: false,
            unsaved: Some(Unsaved::Changed),
        };
        let root = self.conversations.get(&peer).and_then(|open| open.conversation.saved_root());
        let mut changes = vec![Change::Opened(Box::new(record))];
        changes.extend(root.map(|root| Change::Rooted(peer, root)));
        self.put_contact_with(contact, changes);
        self.turn_wheels(self.mark);
    }

    /// Tells a contact as it is now, and keeps it.
    pub(super) fn put_contact(&mut self, contact: Contact) {
        self.put_contact_with(contact, Vec::new());
    }

    /// Tells a contact as it is now, and keeps it together with what belongs to it.
    fn put_contact_with(&mut self, contact: Contact, mut changes: Vec<Change>) {
        let peer = contact.record.identity();
        self.known.insert(contact.record.name, contact.record);
        self.keeping.touched(&peer);
        self.contacts.insert(peer, contact.clone());
        let told = Kept::True(Event::Contact(self.contact_status(&contact)));
        changes.push(Change::Contact(Box::new(contact)));
        self.keep(changes, vec![told]);
    }

    /// Tells how a contact stands.
    pub(super) fn tell_contact(&mut self, peer: &IdentityHash) {
        let status = self.contacts.get(peer).map(|contact| self.contact_status(contact));
        if let Some(status) = status {
            self.event(Event::Contact(status));
        }
    }

    /// Makes somebody a stranger again; the row stays until the vault at the server says so too.
    pub(super) fn drop_contact(&mut self, peer: IdentityHash) {
        self.park(peer);
        let Some(contact) = self.contacts.get_mut(&peer) else { return };
        let name = contact.record.name;
        *contact = Contact {
            forgotten: true,
            blocked: false,
            verified: false,
            unsaved: Some(Unsaved::Changed),
            ..contact.clone()
        };
        let contact = contact.clone();
        self.keeping.touched(&peer);
        self.changed.remove(&name);
        self.gone.remove(&name);
        let told = Kept::True(Event::Forgotten { peer: name.to_string() });
        self.keep(vec![Change::Contact(Box::new(contact))], vec![told]);
    }

    /// Ends a conversation; what was not delivered is kept.
    pub(super) fn park(&mut self, peer: IdentityHash) {
        let Some(Open { conversation, unkept, .. }) = self.conversations.remove(&peer) else {
            return;
        };
        let name = Some(conversation.peer().name);
        let (outgoing, receiving) = conversation.into_parts();
        self.parked.insert(peer, Parked { name, outgoing, unkept, receiving });
        self.keep(vec![Change::Closed(peer)], Vec::new());
    }

    /// The peer was heard on a called root for the first time.
    pub(super) fn answered_call(&mut self, peer: IdentityHash) {
        let Some(open) = self.conversations.get(&peer) else { return };
        let name = open.conversation.peer().name.to_string();
        let mut told = vec![Kept::True(Event::Answered { peer: name })];
        let contact = self.contacts.get(&peer).map(|contact| self.contact_status(contact));
        told.extend(contact.map(|status| Kept::True(Event::Contact(status))));
        let root = open.conversation.saved_root().map(|root| Change::Rooted(peer, root));
        self.keep(root.into_iter().collect(), told);
    }

    /// Takes the mark off a contact whose key changed, or is gone.
    pub(super) fn unverify(&mut self, name: &Name) {
        let Some(peer) = self.known.get(name).map(Record::identity) else { return };
        let Some(contact) = self.contacts.get(&peer).filter(|it| !it.forgotten) else { return };
        // no change of a person's: every machine sees it by itself, and what another one decided since counts
        let contact = Contact { verified: false, ..contact.clone() };
        self.put_contact(contact);
        self.event(Event::KeyChanged { peer: name.to_string() });
    }

    /// Tells whether somebody is a contact, blocked people not counted.
    pub(super) fn is_contact(&self, peer: &IdentityHash) -> bool {
        self.contacts.get(peer).is_some_and(|it| !it.forgotten && !it.blocked)
    }

    /// Returns how each contact and blocked person stands.
    pub(super) fn contact_statuses(&self) -> impl Iterator<Item = ContactStatus> {
        let standing = self.contacts.values().filter(|contact| !contact.forgotten);
        standing.map(|contact| self.contact_status(contact))
    }

    fn contact_status(&self, contact: &Contact) -> ContactStatus {
        let Contact { record, verified, blocked, .. } = contact;
        let conversation =
            self.conversations.get(&record.identity()).map(|open| &open.conversation);
        let standing = if *blocked {
            Standing::Blocked
        } else if self.changed.contains(&record.name) {
            Standing::KeyChanged
        } else if conversation.is_some_and(|it| self.is_taken_up(it)) {
            Standing::Contact
        } else {
            Standing::Calling
        };
        ContactStatus { peer: record.name.to_string(), standing, verified: *verified }
    }

    /// Tells whether the peer answered, or is the one who called.
    fn is_taken_up(&self, conversation: &Conversation) -> bool {
        let called_us = conversation.call().is_some_and(|call| call.caller != self.own.hash());
        conversation.is_answered() || called_us
    }

    fn contacts_full(&self) -> bool {
        self.contacts.values().filter(|contact| !contact.forgotten).count() >= VAULT_ENTRIES_MAX
    }

    /// Finds who calls under a name, if he still holds it: the name alone would let another in.
    fn find_request(&self, peer: &str) -> Option<IdentityHash> {
        let name = peer.parse::<Name>().ok()?;
        let mut requests = self.requests.iter();
        let found = requests.find(|(caller, request)| {
            request.record.name == name && self.holds(&name, request.index, **caller)
        });
        found.map(|(caller, _)| *caller)
    }

    fn find_contact(&self, peer: &str) -> Option<IdentityHash> {
        let name = peer.parse::<Name>().ok()?;
        let mut contacts = self.contacts.iter().filter(|(_, contact)| !contact.forgotten);
        contacts.find(|(_, contact)| contact.record.name == name).map(|(peer, _)| *peer)
    }

    /// Finds a contact, a caller, or an account of the directory.
    fn find_anybody(&self, peer: &str) -> Option<(AccountIndex, Record)> {
        if let Some(contact) = self.find_contact(peer).and_then(|it| self.contacts.get(&it)) {
            return Some((contact.index, contact.record));
        }
        if let Some(request) = self.find_request(peer).and_then(|it| self.requests.get(&it)) {
            return Some((request.index, request.record));
        }
        let (index, record) = self.directory.find(&peer.parse::<Name>().ok()?)?;
        Some((AccountIndex(index), record))
    }

    pub(super) fn is_blocked(&mut self, peer: &str) {
        let text = format!("{peer} is blocked; unblock {peer} first");
        self.error(ErrorCode::Blocked, text, about(peer));
    }

    fn no_request(&mut self, peer: &str) {
        let text = format!("nobody called {peer:?} waits for an answer");
        self.error(ErrorCode::NoRequest, text, about(peer));
    }

    fn no_contact(&mut self, peer: &str) {
        let text = format!("{peer:?} is no contact; call first");
        self.error(ErrorCode::NotAContact, text, about(peer));
    }

    fn too_many_contacts(&mut self, peer: &str) {
        let text = format!(
            "there are {VAULT_ENTRIES_MAX} contacts and blocked people, as many as the vault holds; forget one first"
        );
        self.error(ErrorCode::TooManyContacts, text, about(peer));
    }

    /// Tells why nothing goes to a contact.
    pub(super) fn stands_still(&mut self, peer: &str, about: About) {
        if let Some(name) = peer.parse().ok().filter(|name| self.gone.contains(name)) {
            let text = if self.directory.is_deleted(&name) {
                format!(
                    "{peer} deleted the account, and nothing reaches {peer} here any more; forget this contact"
                )
            } else {
                format!(
                    "the account of {peer} is gone since the server was restored from a backup; ask {peer}, by another \
                     way, to register again, then accept the new key; or forget this contact"
                )
            };
            return self.error(ErrorCode::AccountGone, text, about);
        }
        let text = format!(
            "the key of {peer} changed: ask {peer} and the server's operator, by another way, what happened; then \
             accept the key, forget or block {peer}"
        );
        self.error(ErrorCode::KeyChanged, text, about);
    }
}
