//! This client's copy of the directory: look-ups never leave it.

use std::collections::BTreeMap;

use thiserror::Error;
use wire::codec::Wire;
use wire::control::{Page, Pull};
use wire::directory::{Head, Record};
use wire::ids::Name;
use wire::size::RECORD;

use crate::conversation::DirectoryMark;

/// Records that a client holds; a server that has more is refused.
pub const RECORDS_MAX: usize = 1 << 20;

/// Why a page of the directory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PageError {
    /// The page leaves something out behind what is there.
    #[error("the server sent a page of the directory that was not asked for")]
    OutOfOrder,
    /// The hash chain does not lead to the page's head.
    #[error("the server's directory does not continue the one it showed before")]
    Chain,
    /// Two records of one name.
    #[error("the server's directory has two records of one name")]
    DoubledName,
    /// More than [`RECORDS_MAX`].
    #[error("the server's directory is larger than this program takes")]
    TooLarge,
}

/// Records in the order of the log, with the chain's head after each.
#[derive(Default)]
pub(crate) struct Directory {
    records: Vec<Record>,
    heads: Vec<Head>,
    by_name: BTreeMap<Name, usize>,
}

impl Directory {
    /// Finds an account by its name.
    pub(crate) fn find(&self, name: &Name) -> Option<&Record> {
        self.records.get(*self.by_name.get(name)?)
    }

    /// Returns all names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.by_name.keys()
    }

    /// Returns the names from a place on, in the order of the log.
    pub(crate) fn names_from(&self, place: usize) -> impl Iterator<Item = &Name> {
        self.records.iter().skip(place).map(|record| &record.name)
    }

    /// Returns length and head.
    pub(crate) fn mark(&self) -> DirectoryMark {
        let length = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        DirectoryMark { length, head: self.heads.last().copied().unwrap_or(Head::EMPTY) }
    }

    /// Tells whether another directory contradicts this one: both of one length, with other heads.
    pub(crate) fn contradicts(&self, mark: DirectoryMark) -> bool {
        self.head_at(mark.length as usize).is_some_and(|head| head != mark.head)
    }

    /// Returns what to ask for to reach `length`, if something is missing.
    pub(crate) fn missing(&self, length: u32) -> Option<Pull> {
        Pull::toward(self.mark().length, length)
    }

    /// Takes in a page. Of what is there already, as when an answer came so late that it was asked for
    /// twice, it must say the same.
    ///
    /// # Errors
    /// [`PageError`]; then nothing of the page is taken.
    pub(crate) fn append(&mut self, page: &Page) -> Result<(), PageError> {
        let from = page.from as usize;
        let behind = self.records.len().checked_sub(from).ok_or(PageError::OutOfOrder)?;
        let (known, new) = page.records.split_at(behind.min(page.records.len()));
        if known != &self.records[from..from + known.len()] {
            return Err(PageError::Chain);
        }
        if self.records.len() + new.len() > RECORDS_MAX {
            return Err(PageError::TooLarge);
        }
        let mut heads = Vec::with_capacity(new.len());
        let mut names = BTreeMap::new();
        let mut head = self.head_at(from + known.len()).ok_or(PageError::OutOfOrder)?;
        for (offset, record) in new.iter().enumerate() {
            let bytes: [u8; RECORD] = record.encode().try_into().map_err(|_| PageError::Chain)?;
            head = head.after(&bytes);
            heads.push(head);
            let place = self.records.len() + offset;
            let taken = self.by_name.contains_key(&record.name);
            if taken || names.insert(record.name, place).is_some() {
                return Err(PageError::DoubledName);
            }
        }
        if head != page.head {
            return Err(PageError::Chain);
        }
        self.records.extend_from_slice(new);
        self.heads.append(&mut heads);
        self.by_name.append(&mut names);
        Ok(())
    }

    /// Returns the head at a length, if the directory is as long.
    fn head_at(&self, length: usize) -> Option<Head> {
        match length.checked_sub(1) {
            None => Some(Head::EMPTY),
            Some(last) => self.heads.get(last).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use wire::size::SIGNATURE;

    use super::*;
    use crate::identity::Identity;

    fn records(names: &[&str]) -> Vec<Record> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut record = |name: &&str| *Identity::random(name.parse().unwrap(), &mut rng).record();
        names.iter().map(&mut record).collect()
    }

    fn head(records: &[Record]) -> Head {
        let after = |head: Head, record: &Record| head.after(&record.encode().try_into().unwrap());
        records.iter().fold(Head::EMPTY, after)
    }

    fn page(from: u32, all: &[Record], until: usize) -> Page {
        let records = all[from as usize..until].to_vec();
        let (length, signature) = (all.len() as u32, [0; SIGNATURE]);
        Page { from, length, head: head(&all[..until]), signature, records }
    }

    #[test]
    fn pages_in_order_make_the_whole() {
        let all = records(&["ann", "bob", "cid"]);
        let mut directory = Directory::default();
        assert_eq!(directory.missing(3), Some(Pull { from: 0, pages: 1 }));
        assert_eq!(directory.append(&page(0, &all, 2)), Ok(()));
        assert_eq!(directory.append(&page(3, &all, 3)), Err(PageError::OutOfOrder));
        assert_eq!(directory.append(&page(2, &all, 3)), Ok(()));
        assert_eq!(directory.missing(3), None);
        assert!(directory.find(&"bob".parse().unwrap()) == Some(&all[1]));
        assert_eq!(directory.names().map(Name::as_str).collect::<Vec<_>>(), ["ann", "bob", "cid"]);
    }

    #[test]
    fn a_page_that_comes_again_says_the_same_or_is_refused() {
        let all = records(&["ann", "bob", "cid"]);
        let mut directory = Directory::default();
        for until in [2, 2, 1, 3, 3, 0] {
            assert_eq!(directory.append(&page(0, &all, until)), Ok(()));
        }
        assert_eq!(directory.append(&page(1, &all, 2)), Ok(()));
        assert_eq!(directory.names().count(), 3);
        assert_eq!(directory.mark().length, 3);
        let mut other = page(0, &all, 2);
        other.records.swap(0, 1);
        assert_eq!(directory.append(&other), Err(PageError::Chain));
        let mut other = page(0, &all, 2);
        other.head = Head::EMPTY;
        assert_eq!(directory.append(&other), Err(PageError::Chain));
    }

    #[test]
    fn a_broken_chain_or_a_doubled_name_takes_nothing() {
        let all = records(&["ann", "bob", "ann"]);
        let mut directory = Directory::default();
        assert_eq!(directory.append(&page(0, &all, 3)), Err(PageError::DoubledName));
        let mut broken = page(0, &all, 2);
        broken.head = Head::EMPTY;
        assert_eq!(directory.append(&broken), Err(PageError::Chain));
        assert_eq!(directory.mark().length, 0);
        assert_eq!(directory.append(&page(0, &all, 1)), Ok(()));
        assert_eq!(directory.append(&page(1, &all, 3)), Err(PageError::DoubledName));
    }

    #[test]
    fn another_history_of_the_same_length_is_noticed() {
        let (ours, theirs) = (records(&["ann", "bob"]), records(&["bob", "ann"]));
        let mut directory = Directory::default();
        directory.append(&page(0, &ours, 2)).unwrap();
        let mark = |records: &[Record]| DirectoryMark {
            length: records.len() as u32,
            head: head(records),
        };
        assert!(!directory.contradicts(mark(&ours)));
        assert!(!directory.contradicts(mark(&ours[..1])));
        assert!(directory.contradicts(mark(&theirs)));
        assert!(directory.contradicts(mark(&theirs[..1])));
        assert!(!directory.contradicts(DirectoryMark { length: 3, head: Head::EMPTY }));
    }
}
