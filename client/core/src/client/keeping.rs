//! The vault at the server: contacts, marks and blocks, sealed, so that another machine finds them again.
//!
//! In every cycle of [`CYCLE`] control rounds three control frames in a row carry the vault, freshly sealed, whether it
//! changed or not; which three is drawn when a stream is joined. So the server learns nothing from when it is written.
//!
//! Invariants:
//! - A version is durable before it is written, and never written twice: whatever of it the server holds back, it cannot
//!   show it later for another.
//! - What another machine stored is never overwritten before it was read here.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use wire::control::{ClientControl, VaultGet, VaultPart, VaultPut, VaultVersion};
use wire::ids::{AccountIndex, CONTROL_EVERY, IdentityHash, Round};
use wire::size::CONTROL_BODY;

use super::{Client, Kept};
use crate::api::{About, ErrorCode, Event};
use crate::record::{Change, Contact, Unsaved};
use crate::vault::{
    SealedVault, ShortIdentity, Vault, VaultEntry, VaultError, VaultFull, VaultKey,
};
use crate::wheel::Root;

/// Control rounds between two times that the vault is written.
const CYCLE: u64 = 30;

/// Times that a vault may be read again, since it names somebody whom the directory here does not have yet, before
/// that is told: a quarter of an hour of standard rounds.
const READ_AGAIN_MAX: u32 = 3;

/// Control frames that a vault takes.
const PARTS: usize = 3;

/// What is known of the vault at the server.
pub(super) struct Keeping {
    key: VaultKey,
    /// Highest version that was read here, or is known to be stored.
    seen: u64,
    /// Highest version that was, or may have been, written.
    used: u64,
    /// A version that is durable and not written yet.
    reserved: Option<u64>,
    /// The server's version, if what it holds is known here.
    stored: Option<u64>,
    /// Whether what was read names somebody whom the directory here does not have yet: then it is read once more.
    read_again: bool,
    /// How often that was so in a row.
    read_again_times: u32,
    /// What was told of the vault last, so that it is told once.
    complained: Option<ErrorCode>,
    /// Whether it was told that not everybody fits.
    full_told: bool,
    /// Control rounds by which this stream's cycle is shifted.
    offset: u64,
    writing: Option<Writing>,
    fetching: Option<Fetching>,
}

/// A vault on its way to the server.
struct Writing {
    base: u64,
    version: u64,
    parts: [[u8; CONTROL_BODY]; PARTS],
    next: usize,
    /// Whose unsaved changes are in it.
    covers: BTreeSet<IdentityHash>,
}

/// A vault on its way from the server, since another session stored one.
#[derive(Default)]
struct Fetching {
    asked: usize,
    version: Option<u64>,
    parts: Vec<[u8; CONTROL_BODY]>,
}

impl Keeping {
    pub(super) fn new(key: VaultKey, seen: u64, used: u64) -> Self {
        Self {
            key,
            seen,
            used,
            reserved: None,
            stored: None,
            read_again: false,
            read_again_times: 0,
            complained: None,
            full_told: false,
            offset: 0,
            writing: None,
            fetching: None,
        }
    }

    /// Draws where in the cycle this stream writes.
    pub(super) fn joined(&mut self, schedule: &mut ChaCha20Rng) {
        self.offset = schedule.next_u64() % CYCLE;
    }

    /// The stream is gone, and what was half written with it.
    pub(super) fn lost(&mut self) {
        self.writing = None;
        self.fetching = None;
    }

    /// Somebody's entry changed: what is being written does not say so yet.
    pub(super) fn touched(&mut self, peer: &IdentityHash) {
        if let Some(writing) = &mut self.writing {
            writing.covers.remove(peer);
        }
    }

    /// Tells which part of a vault is written in a control round.
    fn part(&self, round: Round) -> Option<usize> {
        let place = usize::try_from((round.0 / CONTROL_EVERY + self.offset) % CYCLE).ok()?;
        (place < PARTS).then_some(place)
    }

    /// Takes the next frame of what is being written.
    fn next_put(&mut self) -> Option<ClientControl> {
        let writing = self.writing.as_mut()?;
        let bytes = *writing.parts.get(writing.next)?;
        let part = u8::try_from(writing.next).ok()?;
        writing.next += 1;
        let Writing { base, version, .. } = *writing;
        Some(ClientControl::VaultPut(Box::new(VaultPut { part, base, version, bytes })))
    }

    fn next_get(&mut self) -> Option<ClientControl> {
        let fetching = self.fetching.as_mut().filter(|fetching| fetching.asked < PARTS)?;
        let part = u8::try_from(fetching.asked).ok()?;
        fetching.asked += 1;
        Some(ClientControl::VaultGet(VaultGet { part }))
    }
}

impl Client {
    /// Takes in the vault that the server keeps, before joining; version 0 is none.
    pub fn handle_vault(&mut self, version: u64, sealed: &SealedVault) {
        let seen = self.keeping.seen;
        self.keeping.stored = (version <= seen).then_some(version);
        if version < seen {
            self.vault_rolled_back();
        } else if version > 0 {
            match Vault::open(&self.keeping.key, self.own.name(), version, sealed.as_ref()) {
                Ok(vault) => self.take_vault(vault),
                Err(error) => self.vault_unread(version, error),
            }
        }
        self.reserve_version();
        self.tell_all_contacts();
    }

    /// The server has an older vault than one that was seen. One that was restored has, until it gets what is known
    /// here; versions from then on are above the restore's time.
    fn vault_rolled_back(&mut self) {
        if self.keeping.seen >= self.restoration.taken_ms() {
            self.vault_error(
                ErrorCode::VaultRolledBack,
                "the server shows older contacts than it had before: it was restored from an old copy, or keeps them \
                 back; what this machine knows stays, and is stored again; ask the server's operator",
            );
        }
    }

    /// The server was restored, and has perhaps an older vault. All that is known here counts as unsaved, so that no
    /// vault of before takes any of it away, and nothing of it undoes what another machine set before; and versions go on
    /// from the restore's time, so that none comes twice with other contacts in it. Returns what is to be kept of that.
    pub(super) fn vault_restored(&mut self, restored_ms: u64) -> Vec<Change> {
        let Keeping { seen, used, .. } = self.keeping;
        self.keeping.used = used.max(seen).max(restored_ms);
        self.keeping.reserved = None;
        let saved = self.contacts.values_mut().filter(|contact| contact.unsaved.is_none());
        let unsaved = saved.map(|contact| {
            contact.unsaved = Some(Unsaved::Restored);
            Change::Contact(Box::new(contact.clone()))
        });
        unsaved.chain([Change::VaultUsed(self.keeping.used)]).collect()
    }

    fn take_vault(&mut self, vault: Vault) {
        let version = vault.version;
        self.keeping.stored = Some(version);
        self.keeping.complained = None;
        if version > self.keeping.seen {
            self.keeping.seen = version;
            self.keep(vec![Change::Vault(version, Vec::new())], Vec::new());
        }
        self.adopt(vault);
    }

    /// A vault does not open. One that this machine knew may be written again; another machine's may not.
    fn vault_unread(&mut self, version: u64, error: VaultError) {
        let next = if version <= self.keeping.seen {
            "what this machine knows is stored in its place"
        } else {
            "it stays as it is at the server, and nothing of this machine is stored over it"
        };
        self.vault_error(ErrorCode::VaultDamaged, format!("{error}; {next}"));
    }

    /// Has the next version be durable, so that it can be written.
    fn reserve_version(&mut self) {
        let Keeping { seen, used, stored, .. } = self.keeping;
        let Some(stored) = stored else { return };
        // 2^64 versions are never used up; a server that says so lies
        let Some(version) = seen.max(used).max(stored).checked_add(1) else { return };
        self.keeping.used = version;
        self.keep(vec![Change::VaultUsed(version)], vec![Kept::Reserved(version)]);
    }

    /// A version is durable; of several the newest counts.
    pub(super) fn vault_reserved(&mut self, version: u64) {
        if version == self.keeping.used {
            self.keeping.reserved = Some(version);
        }
    }

    /// Returns the control frame of a round if it is the vault's turn, or a vault is being fetched.
    pub(super) fn vault_frame(&mut self, round: Round) -> Option<ClientControl> {
        let turn = self.keeping.part(round);
        match turn {
            Some(0) => self.begin_writing(),
            // joined in the middle of its turn
            Some(part) if self.keeping.writing.as_ref().is_none_or(|it| it.next != part) => {
                self.keeping.writing = None;
            }
            Some(_) | None => (),
        }
        let put = turn.and_then(|_| self.keeping.next_put());
        put.or_else(|| self.keeping.next_get())
    }

    /// Another session stored a vault: it is fetched, and ours is written in the next cycle.
    pub(super) fn vault_conflict(&mut self) {
        self.keeping.stored = None;
        self.keeping.writing = None;
        self.keeping.fetching = Some(Fetching::default());
    }

    fn begin_writing(&mut self) {
        self.keeping.writing = None;
        if std::mem::take(&mut self.keeping.read_again) {
            self.keeping.fetching = Some(Fetching::default());
            return self.still_unlisted();
        }
        self.keeping.read_again_times = 0;
        let (Some(base), Some(version)) = (self.keeping.stored, self.keeping.reserved.take())
        else {
            return self.reserve_version();
        };
        let mut vault = Vault::new(version);
        let mut covers = BTreeSet::new();
        let mut left_out = false;
        let mut contacts: Vec<_> = self.contacts.iter().collect();
        // of too many the ones that are stored already stay
        contacts.sort_by_key(|(_, contact)| contact.unsaved);
        for (peer, contact) in contacts {
            if self.is_lost(contact) {
                continue;
            }
            let fits = contact.forgotten || vault.insert(short(contact), entry(contact)).is_ok();
            if fits && contact.unsaved.is_some() {
                covers.insert(*peer);
            }
            left_out |= !fits;
        }
        let sealed = vault.seal(&self.keeping.key, self.own.name(), &mut self.rng);
        self.keeping.writing =
            Some(Writing { base, version, parts: sealed.parts(), next: 0, covers });
        self.reserve_version();
        if left_out && !std::mem::replace(&mut self.keeping.full_told, true) {
            let text = format!("{VaultFull}; until then this machine alone knows the last ones");
            self.error(ErrorCode::TooManyContacts, text, About::default());
        }
    }

    /// Tells whether a contact's record is not in its place any more, since the server was restored: a vault could not
    /// name him, so he is kept here alone.
    fn is_lost(&self, contact: &Contact) -> bool {
        let listed = self.directory.at(contact.index.0).map(|record| record.identity());
        !contact.forgotten && listed != Some(contact.record.identity())
    }

    /// The vault names somebody whom the directory here does not have.
    fn still_unlisted(&mut self) {
        self.keeping.read_again_times += 1;
        if self.keeping.read_again_times == READ_AGAIN_MAX {
            self.vault_error(
                ErrorCode::VaultDamaged,
                "the contacts at the server name somebody whom the server's list of people does not have: it keeps part \
                 of that list back, or was restored from an old copy; until that is over nothing of this machine is \
                 stored; ask the server's operator",
            );
        }
    }

    /// What was written is durable at the server.
    pub(super) fn vault_stored(&mut self, VaultVersion { version }: VaultVersion) {
        let whole = |writing: &Writing| writing.version == version && writing.next == PARTS;
        let Some(Writing { covers, .. }) = self.keeping.writing.take_if(|it| whole(it)) else {
            return;
        };
        self.keeping.stored = Some(version);
        self.keeping.seen = self.keeping.seen.max(version);
        let (mut saved, mut changes) = (Vec::new(), Vec::new());
        for peer in covers {
            let Some(contact) = self.contacts.get_mut(&peer) else { continue };
            contact.unsaved = None;
            if contact.forgotten {
                self.contacts.remove(&peer);
                changes.push(Change::Forgotten(peer));
            } else {
                saved.push(peer);
            }
        }
        changes.push(Change::Vault(version, saved));
        // what changed while it was on its way is not in it
        let is_in = |contact: &Contact| contact.unsaved.is_none() || self.is_lost(contact);
        let is_all = self.contacts.values().all(is_in);
        let told = is_all.then_some(Kept::True(Event::VaultStored { version }));
        self.keep(changes, told.into_iter().collect());
    }

    /// A part of the vault that another session stored.
    pub(super) fn vault_part(&mut self, part: &VaultPart) {
        let Some(fetching) = &mut self.keeping.fetching else { return };
        let VaultPart { part: place, version, bytes } = part;
        let in_order = usize::from(*place) == fetching.parts.len();
        if !in_order || *fetching.version.get_or_insert(*version) != *version {
            // another session stored one in between: from the beginning
            self.keeping.fetching = Some(Fetching::default());
            return;
        }
        fetching.parts.push(*bytes);
        if let Ok(parts) = <&[_; PARTS]>::try_from(&fetching.parts[..]) {
            let sealed = SealedVault::from_parts(parts);
            let version = *version;
            self.keeping.fetching = None;
            self.handle_vault(version, &sealed);
        }
    }

    /// Takes over what another machine stored; what changed here since this machine stored last, stays as it is here, and
    /// what a restore made unsaved is joined with it.
    fn adopt(&mut self, server: Vault) {
        let mut local = Vault::new(server.version);
        let mut unsaved = BTreeMap::new();
        for contact in self.contacts.values() {
            unsaved.extend(contact.unsaved.map(|why| (short(contact), why)));
            if !contact.forgotten {
                let _ = local.insert(short(contact), entry(contact));
            }
        }
        let mut merged = Vault::merged(server, &local, &unsaved).vault;
        for who in self.superseded(&merged) {
            merged.remove(&who);
            unsaved.remove(&who);
        }
        let here: BTreeMap<ShortIdentity, IdentityHash> =
            self.contacts.iter().map(|(peer, contact)| (short(contact), *peer)).collect();
        for (who, peer) in &here {
            if !merged.entries().contains_key(who) && !unsaved.contains_key(who) {
                self.drop_contact(*peer);
                self.contacts.remove(peer);
                self.keep(vec![Change::Forgotten(*peer)], Vec::new());
            }
        }
        for (who, entry) in merged.entries() {
            match here.get(who) {
                Some(peer) => self.adopt_marks(*peer, *entry),
                None => self.adopt_new(*who, *entry),
            }
        }
    }

    /// Returns whose names have another key by now that is in the vault too: somebody accepted that one on one of the
    /// account's machines, and a name has one key.
    fn superseded(&self, vault: &Vault) -> Vec<ShortIdentity> {
        let entries = vault.entries();
        let is_superseded = |(who, entry): &(&ShortIdentity, &VaultEntry)| {
            let listed = self.directory.at(entry.index.0);
            let listed = listed.filter(|it| ShortIdentity::of(&it.identity()) == **who);
            // whom a restore took off the list is known here alone
            let mut known =
                self.contacts.iter().filter(|(peer, _)| ShortIdentity::of(peer) == **who);
            let record = listed.or_else(|| known.next().map(|(_, contact)| contact.record));
            let newest = record.and_then(|it| self.directory.find(&it.name));
            let newest = newest.map(|(_, record)| ShortIdentity::of(&record.identity()));
            newest.is_some_and(|newest| newest != **who && entries.contains_key(&newest))
        };
        entries.iter().filter(is_superseded).map(|(who, _)| *who).collect()
    }

    fn adopt_marks(&mut self, peer: IdentityHash, entry: VaultEntry) {
        let VaultEntry { verified, blocked, .. } = entry;
        let Some(contact) = self.contacts.get(&peer) else { return };
        // the mark was for the key that the name had
        let verified = verified && !self.changed.contains(&contact.record.name);
        if (contact.verified, contact.blocked) == (verified, blocked) {
            return;
        }
        let (was_blocked, record, index) = (contact.blocked, contact.record, contact.index);
        let contact = Contact { verified, blocked, ..contact.clone() };
        match (was_blocked, blocked) {
            (false, true) => self.park(peer),
            (true, false) => {
                let root = Root::none(&mut self.rng);
                self.befriend(index, record, root);
            }
            (false, false) | (true, true) => (),
        }
        self.put_contact(contact);
    }

    /// Somebody whom another machine knows: he is called anew, since the roots are there.
    fn adopt_new(&mut self, who: ShortIdentity, entry: VaultEntry) {
        let VaultEntry { index: AccountIndex(place), verified, blocked } = entry;
        if place >= self.directory.mark().length {
            self.keeping.read_again = true;
            self.keeping.stored = None;
            return;
        }
        let listed = self.directory.at(place).filter(|it| ShortIdentity::of(&it.identity()) == who);
        let Some(record) = listed.filter(|it| it.verify().is_ok()) else {
            return self.forked();
        };
        let peer = record.identity();
        let index = AccountIndex(place);
        self.known.insert(record.name, record);
        if !blocked {
            let root = Root::none(&mut self.rng);
            self.befriend(index, record, root);
        }
        let contact = Contact { record, index, verified, blocked, forgotten: false, unsaved: None };
        self.put_contact(contact);
        self.compare_keys(vec![record.name]);
        debug_assert!(self.contacts.contains_key(&peer), "it was just put there");
    }

    /// Tells all contacts, once after the sign-in.
    pub(super) fn tell_all_contacts(&mut self) {
        if !std::mem::replace(&mut self.contacts_told, true) {
            let peers: Vec<_> = self
                .contacts
                .iter()
                .filter(|(_, it)| !it.forgotten)
                .map(|(peer, _)| *peer)
                .collect();
            peers.iter().for_each(|peer| self.tell_contact(peer));
        }
    }

    /// Tells what is wrong with the vault, once until something else is.
    fn vault_error(&mut self, code: ErrorCode, text: impl Into<String>) {
        if self.keeping.complained.replace(code) == Some(code) {
            return;
        }
        self.error(code, text, About::default());
    }
}

fn short(contact: &Contact) -> ShortIdentity {
    ShortIdentity::of(&contact.record.identity())
}

fn entry(contact: &Contact) -> VaultEntry {
    let Contact { index, verified, blocked, .. } = *contact;
    VaultEntry { index, verified, blocked }
}
