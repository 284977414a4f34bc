//! The people of the directory, and which of them are shown.

use std::collections::BTreeSet;

/// Rows that are shown at once; a search finds the others.
pub const ROWS_MAX: usize = 200;

/// Longest search in bytes; no name is longer.
const SEARCH_MAX: usize = 64;

/// Everyone but this account.
#[derive(Default)]
pub struct People {
    names: BTreeSet<String>,
    search: String,
    found: Found,
}

/// What a search finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Names in order, those that begin with what is searched for first; at most [`ROWS_MAX`].
    pub names: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl People {
    /// The directory gained names.
    pub fn listed(&mut self, names: Vec<String>, own: &str) {
        self.names.extend(names.into_iter().filter(|name| name != own));
        self.find();
    }

    /// Tells whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns what is searched for.
    pub fn search(&self) -> &str {
        &self.search
    }

    /// Searches for something else; what is longer than any name changes nothing.
    pub fn search_for(&mut self, search: String) {
        if search.len() <= SEARCH_MAX {
            self.search = search;
            self.find();
        }
    }

    /// Tells whether something is searched for.
    pub fn is_searching(&self) -> bool {
        !self.search.trim().is_empty()
    }

    /// Returns those whose name contains what is searched for, whatever its case.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Returns what is searched for as names have it.
    pub fn sought(&self) -> String {
        self.search.trim().to_lowercase()
    }

    /// Looks through all names once, so that a picture needs not.
    fn find(&mut self) {
        let search = self.sought();
        let contain = || self.names.iter().filter(|name| name.contains(&search));
        let begin = contain().filter(|name| name.starts_with(&search));
        let others = contain().filter(|name| !name.starts_with(&search));
        let names: Vec<_> = begin.chain(others).take(ROWS_MAX).cloned().collect();
        let more = contain().count() - names.len();
        self.found = Found { names, more };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(names: &[&str]) -> People {
        let mut people = People::default();
        people.listed(names.iter().map(|&name| name.into()).collect(), "me");
        people
    }

    #[test]
    fn names_that_begin_so_come_before_those_that_contain_it() {
        let mut people = people(&["bob", "me", "rob", "ann", "obama"]);
        assert_eq!(people.found().names, ["ann", "bob", "obama", "rob"]);
        people.search_for(" OB ".into());
        assert_eq!(people.found().names, ["obama", "bob", "rob"]);
        people.search_for("nobody".into());
        assert_eq!(people.found().names.len(), 0);
    }

    #[test]
    fn a_hundred_thousand_names_are_not_all_shown() {
        let mut people = People::default();
        people.listed((0..100_000).map(|number| format!("p{number:05}")).collect(), "me");
        let found = people.found();
        assert_eq!((found.names.len(), found.more), (ROWS_MAX, 100_000 - ROWS_MAX));
        people.search_for("99999".into());
        assert_eq!(people.found(), &Found { names: vec!["p99999".into()], more: 0 });
    }

    #[test]
    fn what_is_longer_than_any_name_changes_nothing() {
        let mut people = people(&["ann"]);
        people.search_for("an".into());
        people.search_for("a".repeat(1_000_000));
        assert_eq!(people.search(), "an");
        people.search_for("\u{202e}\0".into());
        assert_eq!(people.found().names.len(), 0);
    }
}
