//! This client's copy of the directory: look-ups never leave it.

use std::collections::BTreeMap;

use thiserror::Error;
use wire::codec::Wire;
use wire::control::{PULL_PAGES_MAX, Page, Pull};
use wire::directory::{Head, Record};
use wire::ids::Name;
use wire::size::{PAGE_RECORDS, RECORD};

use crate::conversation::DirectoryMark;

/// Records that a client holds; a server that has more is refused.
pub const RECORDS_MAX: usize = 1 << 20;

/// Why a page of the directory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PageError {
    /// The page does not follow what is there.
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

    /// Returns length and head.
    pub(crate) fn mark(&self) -> DirectoryMark {
        let length = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        DirectoryMark { length, head: self.heads.last().copied().unwrap_or(Head::EMPTY) }
    }

    /// Tells whether another directory contradicts this one: both of one length, with other heads.
    pub(crate) fn contradicts(&self, mark: DirectoryMark) -> bool {
        let known = match mark.length.checked_sub(1) {
            None => Some(Head::EMPTY),
            Some(last) => self.heads.get(last as usize).copied(),
        };
        known.is_some_and(|head| head != mark.head)
    }

    /// Returns what to ask for to reach `length`, if something is missing.
    pub(crate) fn missing(&self, length: u32) -> Option<Pull> {
        let from = self.mark().length;
        let records = length.checked_sub(from).filter(|&records| records > 0)?;
        let pages = (records as usize).div_ceil(PAGE_RECORDS).min(usize::from(PULL_PAGES_MAX));
        Some(Pull { from, pages: u8::try_from(pages).unwrap_or(PULL_PAGES_MAX) })
    }

    /// Takes in a page.
    ///
    /// # Errors
    /// [`PageError`]; then nothing of the page is taken.
    pub(crate) fn append(&mut self, page: &Page) -> Result<(), PageError> {
        if page.from != self.mark().length {
            return Err(PageError::OutOfOrder);
        }
        if self.records.len() + page.records.len() > RECORDS_MAX {
            return Err(PageError::TooLarge);
        }
        let mut heads = Vec::with_capacity(page.records.len());
        let mut names = BTreeMap::new();
        let mut head = self.mark().head;
        for (offset, record) in page.records.iter().enumerate() {
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
        self.records.extend_from_slice(&page.records);
        self.heads.append(&mut heads);
        self.by_name.append(&mut names);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

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
        Page { from, length: all.len() as u32, head: head(&all[..until]), records }
    }

    #[test]
    fn pages_in_order_make_the_whole() {
        let all = records(&["ann", "bob", "cid"]);
        let mut directory = Directory::default();
        assert_eq!(directory.missing(3), Some(Pull { from: 0, pages: 1 }));
        assert_eq!(directory.append(&page(0, &all, 2)), Ok(()));
        assert_eq!(directory.append(&page(0, &all, 2)), Err(PageError::OutOfOrder));
        assert_eq!(directory.append(&page(2, &all, 3)), Ok(()));
        assert_eq!(directory.missing(3), None);
        assert!(directory.find(&"bob".parse().unwrap()) == Some(&all[1]));
        assert_eq!(directory.names().map(Name::as_str).collect::<Vec<_>>(), ["ann", "bob", "cid"]);
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
