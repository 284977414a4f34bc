//! The directory that the server shows, held against what it showed before, what peers were shown, and whom this
//! account knows.

use wire::control::Page;
use wire::directory::Record;
use wire::ids::{IdentityHash, Name};

use super::Client;
use super::commands::about;
use crate::api::{About, ErrorCode, Event};
use crate::conversation::DirectoryMark;
use crate::directory::{Appended, PageError};
use crate::record::Change;

impl Client {
    /// Tells the names that the directory gained since they were told last.
    pub(super) fn list(&mut self) {
        let names = self.directory.names_from(self.listed);
        let names: Vec<_> = names.iter().map(Name::to_string).collect();
        self.listed = self.directory.mark().length;
        if !names.is_empty() {
            self.event(Event::Listed { names });
        }
    }

    /// Appends a page, keeps it, and compares what peers claimed with what is there now.
    pub(super) fn take_page(&mut self, page: &Page) -> Result<Appended, PageError> {
        let before = self.directory.mark().length;
        let appended = self.directory.append(page)?;
        let length = self.directory.mark().length;
        let listed = (before..length).filter_map(|index| {
            Some((self.directory.at(index)?, self.directory.head_at(index + 1)?))
        });
        let listed: Vec<_> = listed.collect();
        if !listed.is_empty() {
            self.keep(vec![Change::Listed(before, listed)], Vec::new());
        }
        let reached = self.ahead.extract_if(.., |_, mark| mark.length <= length);
        for (peer, mark) in reached.collect::<Vec<_>>() {
            self.compare_with_peer(peer, mark);
        }
        if !(appended.changed.is_empty() && appended.deleted.is_empty()) {
            self.drop_stale_requests();
        }
        Ok(appended)
    }

    /// Stops the conversations of those names that the directory shows with other keys than are known, and of contacts
    /// whose accounts are gone: deleted, or lost when the server was restored.
    pub(super) fn compare_keys(&mut self, names: Vec<Name>) {
        for name in names {
            let Some(known) = self.known.get(&name).map(Record::identity) else { continue };
            match self.directory.find(&name).map(|(_, record)| record.identity()) {
                Some(shown) if shown != known => self.key_changed(name),
                None if self.directory.is_deleted(&name) || self.restoration.taken_ms() > 0 => {
                    self.account_gone(name, known);
                }
                Some(_) | None => (),
            }
        }
    }

    /// Compares a directory that was claimed with ours, as far as ours goes.
    pub(super) fn compare_directory(&mut self, mark: DirectoryMark) {
        if self.directory.contradicts(mark) {
            self.forked();
        }
    }

    /// Compares the directory that a peer claims with ours, now or when ours is as long.
    pub(super) fn compare_with_peer(&mut self, peer: IdentityHash, mark: DirectoryMark) {
        if mark.length > self.directory.mark().length {
            self.ahead.insert(peer, mark);
        } else if self.directory.contradicts(mark) {
            self.fork_claimed(peer);
        }
    }

    /// Tells once of each peer that he was shown another directory, or says so. It does not stand for what this client
    /// sees itself: anybody can say it.
    fn fork_claimed(&mut self, peer: IdentityHash) {
        let mut known = self.known.values();
        let name = known.find(|record| record.identity() == peer).map(|record| record.name);
        if let Some(name) = name
            && self.forks_claimed.insert(peer)
        {
            let text = format!(
                "{name} was shown another directory by this server than this machine, or says so: compare safety numbers \
                 with {name} by another way, and if they differ trust no name until the server's operator has explained it"
            );
            self.error(ErrorCode::DirectoryForked, text, about(name.as_str()));
        }
    }

    /// Stops a conversation whose name the directory shows with other keys, and tells so once.
    pub(super) fn key_changed(&mut self, name: Name) {
        if self.changed.insert(name) || self.gone.remove(&name) {
            let text = format!(
                "the server shows another key for {name} than before: somebody may be posing as {name}; \
                 the conversation stands still; ask {name} and the server's operator, by another way, \
                 what happened"
            );
            let about = About { peer: Some(name.to_string()), label: None };
            self.error(ErrorCode::KeyChanged, text, about);
            self.unverify(&name);
        }
    }

    /// Stops the conversation of a contact whose account is gone, and tells so once.
    fn account_gone(&mut self, name: Name, peer: IdentityHash) {
        if self.is_contact(&peer) && self.changed.insert(name) {
            self.gone.insert(name);
            self.stands_still(name.as_str(), about(name.as_str()));
            self.unverify(&name);
        }
    }

    /// Tells once that the server's directory is not one and the same for all and always.
    pub(super) fn forked(&mut self) {
        if !self.fork_told {
            self.fork_told = true;
            self.error(
                ErrorCode::DirectoryForked,
                "this server's directory is not the one that was shown before; ask its \
                 operator whether it was restored from an old copy, and trust no name until you know",
                About::default(),
            );
        }
    }
}
