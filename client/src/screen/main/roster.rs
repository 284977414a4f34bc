//! The order of the list of people, and the way through it by keyboard.

use std::cmp::Reverse;

use super::contacts::Bond;
use super::{Action, Main};
use crate::clock::Now;
use crate::connection::Connection;

/// Contacts that are shown at once; a search finds the others.
pub const KNOWN_MAX: usize = 200;

impl Main {
    /// Returns those whom this account talks to, the one who said something last first; while somebody is searched for,
    /// those who are found. Who calls stands elsewhere.
    pub(super) fn known(&self) -> Vec<&str> {
        let is_shown = |name: &&str| self.is_known(name) && !self.calls(name);
        if self.people.is_searching() {
            let found = self.people.found().names.iter().map(|name| &**name);
            return found.filter(is_shown).collect();
        }
        let names = self.conversations.iter().map(|(name, it)| (Reverse(it.active_ms), &**name));
        let mut known: Vec<_> = names.filter(|(_, name)| is_shown(name)).collect();
        known.sort_unstable();
        known.into_iter().map(|(_, name)| name).collect()
    }

    /// Returns everybody else who is shown.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        let is_searching = self.people.is_searching();
        let found = self.people.found().names.iter().map(|name| &**name);
        found.filter(move |name| {
            let is_blocked = self.contacts.bond(name) == Bond::Blocked;
            !self.is_known(name) && (is_searching || !is_blocked)
        })
    }

    /// Tells whether somebody calls.
    pub(super) fn calls(&self, name: &str) -> bool {
        matches!(self.contacts.bond(name), Bond::Caller { .. })
    }

    /// Searches for somebody else.
    pub(super) fn search_people(&mut self, search: String) {
        self.people.search_for(search);
        self.picked = None;
    }

    /// Chooses the next row of the list, or the one before.
    pub(super) fn step_list(&mut self, back: bool) {
        let count = self.rows_in_order().count();
        self.picked = match (self.picked, back) {
            (None, false) if count > 0 => Some(0),
            (None, _) | (Some(0), true) => None,
            (Some(at), true) => Some(at - 1),
            (Some(at), false) => Some((at + 1).min(count.saturating_sub(1))),
        };
    }

    /// Returns who is chosen by keyboard.
    pub(super) fn picked(&self) -> Option<&str> {
        self.rows_in_order().nth(self.picked?)
    }

    /// Opens who is chosen by keyboard, else whom Enter means.
    pub(super) fn open_found(&mut self, engine: &Connection, now: Now) -> Action {
        let peer = self.picked().map(str::to_owned).or_else(|| self.first());
        peer.map_or(Action::None, |peer| self.open(peer, engine, now))
    }

    /// Opens the next conversation of the list, or the one before.
    pub(super) fn open_next(&mut self, back: bool, engine: &Connection, now: Now) -> Action {
        let known = self.known();
        let at = self.shown.as_deref().and_then(|shown| known.iter().position(|it| *it == shown));
        let last = known.len().saturating_sub(1);
        let next = match (at, back) {
            (None, false) => 0,
            (None, true) => last,
            (Some(at), true) => at.saturating_sub(1),
            (Some(at), false) => (at + 1).min(last),
        };
        match known.get(next).map(|peer| (*peer).to_owned()) {
            Some(peer) if at != Some(next) => self.open(peer, engine, now),
            Some(_) | None => Action::None,
        }
    }

    fn rows_in_order(&self) -> impl Iterator<Item = &str> {
        let calls = self.contacts.requests().iter().map(|request| &*request.peer);
        calls.chain(self.known().into_iter().take(KNOWN_MAX)).chain(self.others())
    }

    /// Returns whom Enter opens: the first conversation that is found, else the person of just this name, else the only
    /// one. Anybody can have a name made that begins like another, and is not to be opened in its place.
    fn first(&self) -> Option<String> {
        let found = &self.people.found().names;
        let exact = found.iter().find(|name| *name == &self.people.sought());
        let only = found.first().filter(|_| found.len() == 1);
        let first = found.iter().find(|name| self.is_known(name)).or(exact).or(only);
        first.filter(|_| self.people.is_searching()).cloned()
    }
}
