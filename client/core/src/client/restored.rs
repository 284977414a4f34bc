//! A server that was put back from a backup: what this client drops for it, and what it tells.
//!
//! ```text
//! session ─► notices ─► handle_restores: cuts the directory once ─► (disk)
//! pages from there on ─► handle_directory_synced: tells each restore once
//! ```
//!
//! Invariants:
//! - The directory is cut only to a length at which it had the head that the server signed.
//! - The time of the newest notice is durable together with the cut, so that no notice cuts twice.
//! - A restore is told before it counts as told.

use wire::restore::{RestoreNotice, Restores};

use super::Client;
use crate::api::Event;
use crate::conversation::DirectoryMark;
use crate::record::{Change, KnownRestores};

/// What a client holds of the directory when it asks for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Records.
    pub length: u32,
    /// The newest restore whose notice was taken, in milliseconds since 1970.
    pub taken_ms: u64,
}

/// What is known of the server's restores.
pub(super) struct Restoration {
    known: KnownRestores,
    /// Those of this session, until they are told; `None` as long as no session said any that fit.
    notices: Option<Vec<RestoreNotice>>,
}

impl Held {
    /// Returns the place from which the directory is to be asked for: the end of what is here, or the shortest
    /// directory of a restore that is news.
    pub fn pulls_from(&self, restores: &Restores) -> u32 {
        let news = restores.after(self.taken_ms);
        news.first().map_or(self.length, |oldest| self.length.min(oldest.length))
    }
}

impl Restoration {
    pub(super) fn new(known: KnownRestores) -> Self {
        Self { known, notices: None }
    }

    /// Returns the time of the newest restore that was taken; 0 if there was none.
    pub(super) fn taken_ms(&self) -> u64 {
        self.known.taken_ms
    }
}

impl Client {
    /// Returns what is here of the directory.
    pub fn held(&self) -> Held {
        Held { length: self.directory.mark().length, taken_ms: self.restoration.taken_ms() }
    }

    /// Takes in what a session says of the server's restores, whose signature was checked before; the pages that follow
    /// begin where [`Held::pulls_from`] says.
    ///
    /// If what is here is not what the server knew at the oldest restore that is news, nothing is taken, and the pages
    /// will say so.
    pub fn handle_restores(&mut self, restores: &Restores) {
        self.restoration.notices = None;
        let news = restores.after(self.restoration.taken_ms());
        if let (Some(oldest), Some(newest)) = (news.first(), news.last()) {
            let before = self.directory.mark().length;
            if !self.directory.cut(mark(oldest)) {
                return;
            }
            let dropped = self.directory.mark().length < before;
            if dropped {
                self.seen_before = Some(self.directory.mark());
            }
            self.take_restores(newest.restored_ms, dropped);
        }
        self.restoration.notices = Some(restores.notices.clone());
    }

    fn take_restores(&mut self, restored_ms: u64, dropped: bool) {
        self.restoration.known.taken_ms = restored_ms;
        if dropped {
            self.restoration.known.dropped_ms = restored_ms;
        }
        let length = self.directory.mark().length;
        self.listed = self.listed.min(length);
        // what peers claimed was of the directory of before
        self.ahead.clear();
        let mut changes = vec![Change::Restored { length, restored_ms, dropped }];
        changes.extend(self.vault_restored(restored_ms));
        self.keep(changes, Vec::new());
    }

    /// Tells the restores that were not told yet. An account that was made after a restore hears nothing of it, unless
    /// something was dropped for it. A server that is silent of a restore that was taken lies.
    pub(super) fn tell_restores(&mut self) {
        let Some(notices) = self.restoration.notices.take() else { return };
        let KnownRestores { taken_ms, told_ms, dropped_ms } = self.restoration.known;
        let own = self.directory.find(self.own.name()).map(|(place, _)| place);
        let news = |notice: &&RestoreNotice| (told_ms + 1..=taken_ms).contains(&notice.restored_ms);
        let mut newest_ms = told_ms;
        for notice in notices.iter().filter(news) {
            let RestoreNotice { backed_up_ms, restored_ms, length, head: _ } = *notice;
            newest_ms = restored_ms;
            if self.directory.contradicts(mark(notice)) {
                self.forked();
            } else if restored_ms <= dropped_ms || own.is_some_and(|place| place < length) {
                self.event(Event::ServerRestored { backed_up_ms, restored_ms });
            }
        }
        if taken_ms > newest_ms {
            self.forked();
        }
        if taken_ms > told_ms {
            self.restoration.known.told_ms = taken_ms;
            self.keep(vec![Change::RestoreTold(taken_ms)], Vec::new());
        }
    }
}

fn mark(notice: &RestoreNotice) -> DirectoryMark {
    DirectoryMark { length: notice.length, head: notice.head }
}
