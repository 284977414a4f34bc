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

/// Names that are read at once.
const NAMES_AT_ONCE: u32 = 4096;

/// Why a page of the directory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PageError {
    /// The page leaves something out behind what is there.
    #[error("the server sent a page of the directory that was not asked for")]
    OutOfOrder,
    /// The hash chain does not lead to the page's head.
    #[error("the server's directory does not continue the one it showed before")]
    Chain,
    /// An account is deleted that is not there, or by somebody else's key.
    #[error("the server's directory deletes an account without that account's signature")]
    Deletion,
    /// More than [`RECORDS_MAX`].
    #[error("the server's directory is larger than this program takes")]
    TooLarge,
}

/// Where the directory is kept: its log, record by record, with the chain's head after each.
///
/// What it returns is what was appended: whoever keeps it elsewhere guards it against change.
pub trait Records: Send {
    /// Returns how many records there are.
    fn len(&self) -> u32;

    /// Tells whether there is no record.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the record at a place, counted from 0.
    fn record(&self, index: u32) -> Option<Record>;

    /// Returns the head after so many records, if there are as many; after none it is [`Head::EMPTY`].
    fn head(&self, length: u32) -> Option<Head>;

    /// Returns the place of a name's newest record, be it a deletion.
    fn find(&self, name: &Name) -> Option<u32>;

    /// Appends records, each with the head after it.
    fn append(&mut self, records: &[(Record, Head)]);

    /// Drops the records behind the first `length`; the next ones are appended there.
    fn truncate(&mut self, length: u32);

    /// Returns the names of the records at `from` and behind, in the order of the log, one a record: `max` of
    /// them, or fewer if the log ends before.
    fn names(&self, from: u32, max: usize) -> Vec<Name>;
}

/// Records in memory, about 250 bytes each.
#[derive(Clone, Default)]
pub struct MemoryRecords {
    log: Vec<(Record, Head)>,
    newest: BTreeMap<Name, u32>,
}

impl Records for MemoryRecords {
    fn len(&self) -> u32 {
        u32::try_from(self.log.len()).unwrap_or(u32::MAX)
    }

    fn record(&self, index: u32) -> Option<Record> {
        self.log.get(index as usize).map(|(record, _)| *record)
    }

    fn head(&self, length: u32) -> Option<Head> {
        match length.checked_sub(1) {
            None => Some(Head::EMPTY),
            Some(last) => self.log.get(last as usize).map(|(_, head)| *head),
        }
    }

    fn find(&self, name: &Name) -> Option<u32> {
        self.newest.get(name).copied()
    }

    fn append(&mut self, records: &[(Record, Head)]) {
        let names = records.iter().map(|(record, _)| record.name);
        self.newest.extend(names.zip(self.len()..));
        self.log.extend_from_slice(records);
    }

    fn truncate(&mut self, length: u32) {
        self.log.truncate(length as usize);
        let names = self.log.iter().map(|(record, _)| record.name);
        self.newest = names.zip(0..).collect();
    }

    fn names(&self, from: u32, max: usize) -> Vec<Name> {
        self.log.iter().skip(from as usize).take(max).map(|(record, _)| record.name).collect()
    }
}

/// The directory over its records; holds nothing of its own for each of them.
///
/// A name may have several records, of which the newest counts; if that is a deletion, nobody has the name.
///
/// Invariant: each deletion is signed by the key of the record before it of its name.
pub struct Directory {
    records: Box<dyn Records>,
}

/// What a page changed; a name is in one list at most, and none is there twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Names that no record had before.
    pub new: Vec<Name>,
    /// Names that are there with other keys than in the record before, also those that were deleted meanwhile.
    pub changed: Vec<Name>,
    /// Names whose accounts are gone.
    pub deleted: Vec<Name>,
}

impl Directory {
    /// Begins with what is kept.
    pub fn new(records: Box<dyn Records>) -> Self {
        Self { records }
    }

    /// Finds an account by its name: the place of its record, and the record.
    pub fn find(&self, name: &Name) -> Option<(u32, Record)> {
        let index = self.records.find(name)?;
        let record = self.records.record(index).filter(|record| !record.is_deletion())?;
        Some((index, record))
    }

    /// Tells whether the account that had a name last is gone.
    pub fn is_deleted(&self, name: &Name) -> bool {
        let newest = self.records.find(name).and_then(|index| self.records.record(index));
        newest.is_some_and(|record| record.is_deletion())
    }

    /// Returns the record at a place, be it a deletion or one that a newer one replaced.
    pub fn at(&self, index: u32) -> Option<Record> {
        self.records.record(index)
    }

    /// Returns the head at a length, if the directory is as long.
    pub fn head_at(&self, length: u32) -> Option<Head> {
        self.records.head(length)
    }

    /// Returns the names of the accounts whose records are at `from` and the `max - 1` places behind it, in the order of
    /// the log. Names that are gone are left out, and a name that has several records comes with the newest.
    pub fn names(&self, from: u32, max: u32) -> Vec<Name> {
        let names = (from..).zip(self.records.names(from, max as usize));
        let is_newest = |&(place, ref name): &(u32, Name)| {
            self.find(name).is_some_and(|(newest, _)| newest == place)
        };
        names.filter(is_newest).map(|(_, name)| name).collect()
    }

    /// Returns all names from a place on, as [`Self::names`].
    pub fn names_from(&self, place: u32) -> Vec<Name> {
        let pages = (place..self.records.len()).step_by(NAMES_AT_ONCE as usize);
        pages.flat_map(|from| self.names(from, NAMES_AT_ONCE)).collect()
    }

    /// Returns all names, sorted.
    pub(crate) fn names_sorted(&self) -> Vec<Name> {
        let mut names = self.names_from(0);
        names.sort_unstable();
        names
    }

    /// Returns length and head.
    pub(crate) fn mark(&self) -> DirectoryMark {
        let length = self.records.len();
        DirectoryMark { length, head: self.records.head(length).unwrap_or(Head::EMPTY) }
    }

    /// Tells whether another directory contradicts this one: both of one length, with other heads.
    pub(crate) fn contradicts(&self, mark: DirectoryMark) -> bool {
        self.head_at(mark.length).is_some_and(|head| head != mark.head)
    }

    /// Returns what to ask for to reach `length`, if something is missing.
    pub fn missing(&self, length: u32) -> Option<Pull> {
        Pull::toward(self.records.len(), length)
    }

    /// Drops what is behind a length, if the directory is longer and has this head there; tells whether nothing of
    /// it contradicts that head.
    ///
    /// Whoever calls it has the server's signature for it.
    pub(crate) fn cut(&mut self, mark: DirectoryMark) -> bool {
        let agrees = !self.contradicts(mark);
        if agrees && self.records.len() > mark.length {
            self.records.truncate(mark.length);
        }
        agrees
    }

    /// Takes in a page. Of what is there already, as when an answer came so late that it was asked for
    /// twice, it must say the same.
    ///
    /// # Errors
    /// [`PageError`]; then nothing of the page is taken.
    pub fn append(&mut self, page: &Page) -> Result<Appended, PageError> {
        let length = self.records.len();
        let behind = length.checked_sub(page.from).ok_or(PageError::OutOfOrder)?;
        let (known, new) = page.records.split_at(page.records.len().min(behind as usize));
        let mut places = page.from..;
        let is_there = |(record, place)| self.at(place).as_ref() == Some(record);
        if !known.iter().zip(&mut places).all(is_there) {
            return Err(PageError::Chain);
        }
        if length as usize + new.len() > RECORDS_MAX {
            return Err(PageError::TooLarge);
        }
        let head = self.head_at(places.start).ok_or(PageError::OutOfOrder)?;
        let chained = chain(head, new)?;
        if chained.last().map_or(head, |(_, last)| *last) != page.head {
            return Err(PageError::Chain);
        }
        let appended = self.compare(new)?;
        self.records.append(&chained);
        Ok(appended)
    }

    /// Tells what new records change, each after those before it.
    fn compare(&self, new: &[Record]) -> Result<Appended, PageError> {
        let mut appended = Appended::default();
        let mut newest = BTreeMap::new();
        for record in new {
            let stored = || self.at(self.records.find(&record.name)?);
            let before = newest.insert(record.name, *record).or_else(stored);
            appended.take(record, before.as_ref())?;
        }
        Ok(appended)
    }
}

impl Appended {
    fn take(&mut self, record: &Record, before: Option<&Record>) -> Result<(), PageError> {
        let name = record.name;
        if record.is_deletion() {
            let account = before.filter(|before| !before.is_deletion());
            if account.is_none_or(|account| account.signing != record.signing)
                || record.verify().is_err()
            {
                return Err(PageError::Deletion);
            }
            let came_with_page = self.new.contains(&name);
            self.forget(&name);
            if !came_with_page {
                self.deleted.push(name);
            }
        } else if before.is_none() {
            self.new.push(name);
        } else if before.is_some_and(|before| before.identity() != record.identity()) {
            self.forget(&name);
            self.changed.push(name);
        }
        Ok(())
    }

    fn forget(&mut self, name: &Name) {
        for names in [&mut self.new, &mut self.changed, &mut self.deleted] {
            names.retain(|it| it != name);
        }
    }
}

/// Records with the head after each, from the head before the first.
fn chain(mut head: Head, records: &[Record]) -> Result<Vec<(Record, Head)>, PageError> {
    let mut chained = Vec::with_capacity(records.len());
    for record in records {
        let bytes: [u8; RECORD] = record.encode().try_into().map_err(|_| PageError::Chain)?;
        head = head.after(&bytes);
        chained.push((*record, head));
    }
    Ok(chained)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use wire::size::SIGNATURE;

    use super::*;
    use crate::identity::Identity;

    /// The keys of a number under a name.
    fn account(name: &str, keys: u64) -> Identity {
        Identity::random(name.parse().unwrap(), &mut ChaCha20Rng::seed_from_u64(keys))
    }

    fn record(name: &str, keys: u64) -> Record {
        *account(name, keys).record()
    }

    fn deletion(name: &str, keys: u64) -> Record {
        Record::deletion(name.parse().unwrap(), account(name, keys).signing())
    }

    fn records(names: &[&str]) -> Vec<Record> {
        names.iter().zip(1..).map(|(name, keys)| record(name, keys)).collect()
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

    fn directory() -> Directory {
        Directory::new(Box::new(MemoryRecords::default()))
    }

    /// A directory with these records, and what each of them changed, as a page of its own.
    fn one_by_one(all: &[Record]) -> (Directory, Vec<Result<Appended, PageError>>) {
        let mut directory = directory();
        let append = |place: usize| directory.append(&page(place as u32, all, place + 1));
        let told = (0..all.len()).map(append).collect();
        (directory, told)
    }

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn new(new: &[&str]) -> Appended {
        Appended { new: names(new), ..Appended::default() }
    }

    fn changed(changed: &[&str]) -> Appended {
        Appended { changed: names(changed), ..Appended::default() }
    }

    fn deleted(deleted: &[&str]) -> Appended {
        Appended { deleted: names(deleted), ..Appended::default() }
    }

    /// The place at which a name is found.
    fn place(directory: &Directory, name: &str) -> Option<u32> {
        let (place, record) = directory.find(&name.parse().unwrap())?;
        assert!(directory.at(place) == Some(record) && record.name.as_str() == name);
        Some(place)
    }

    #[test]
    fn pages_in_order_make_the_whole() {
        let all = records(&["zoe", "bob", "cid"]);
        let mut directory = directory();
        assert_eq!(directory.missing(3), Some(Pull { from: 0, pages: 1 }));
        assert_eq!(directory.append(&page(0, &all, 2)), Ok(new(&["zoe", "bob"])));
        assert_eq!(directory.append(&page(3, &all, 3)), Err(PageError::OutOfOrder));
        assert_eq!(directory.append(&page(2, &all, 3)), Ok(new(&["cid"])));
        assert_eq!(directory.missing(3), None);
        assert_eq!(place(&directory, "bob"), Some(1));
        assert_eq!(place(&directory, "dan"), None);
        assert_eq!(directory.names_from(0), names(&["zoe", "bob", "cid"]));
        assert_eq!(directory.names_from(1), names(&["bob", "cid"]));
        assert_eq!(directory.names_sorted(), names(&["bob", "cid", "zoe"]));
        let heads = [0, 2, 3, 4].map(|length| directory.head_at(length));
        assert_eq!(heads, [Some(Head::EMPTY), Some(head(&all[..2])), Some(head(&all)), None]);
    }

    #[test]
    fn a_page_that_comes_again_says_the_same_or_is_refused() {
        let all = records(&["ann", "bob", "cid"]);
        let mut directory = directory();
        directory.append(&page(0, &all, 2)).unwrap();
        for (until, told) in [(2, &[][..]), (1, &[]), (3, &["cid"]), (3, &[]), (0, &[])] {
            assert_eq!(directory.append(&page(0, &all, until)), Ok(new(told)));
        }
        assert_eq!(directory.append(&page(1, &all, 2)), Ok(new(&[])));
        assert_eq!(directory.names_from(0).len(), 3);
        assert_eq!(directory.mark().length, 3);
        let mut other = page(0, &all, 2);
        other.records.swap(0, 1);
        assert_eq!(directory.append(&other), Err(PageError::Chain));
        let mut other = page(0, &all, 2);
        other.head = Head::EMPTY;
        assert_eq!(directory.append(&other), Err(PageError::Chain));
    }

    #[test]
    fn a_page_is_taken_whole_or_not_at_all() {
        let all = [record("ann", 1), record("bob", 2), deletion("ann", 2)];
        let mut directory = directory();
        assert_eq!(directory.append(&page(0, &all, 3)), Err(PageError::Deletion));
        let mut broken = page(0, &all, 2);
        broken.head = Head::EMPTY;
        assert_eq!(directory.append(&broken), Err(PageError::Chain));
        assert_eq!(directory.mark().length, 0);
        assert_eq!(directory.append(&page(0, &all, 2)), Ok(new(&["ann", "bob"])));
        assert_eq!(directory.append(&page(1, &all, 3)), Err(PageError::Deletion));
        assert_eq!(directory.mark().length, 2);
        assert_eq!(place(&directory, "ann"), Some(0));
    }

    #[test]
    fn a_directory_stops_at_its_largest() {
        struct Full;
        impl Records for Full {
            fn len(&self) -> u32 {
                RECORDS_MAX as u32
            }
            fn record(&self, _: u32) -> Option<Record> {
                None
            }
            fn head(&self, _: u32) -> Option<Head> {
                Some(Head::EMPTY)
            }
            fn find(&self, _: &Name) -> Option<u32> {
                None
            }
            fn append(&mut self, records: &[(Record, Head)]) {
                assert!(records.is_empty());
            }
            fn truncate(&mut self, _: u32) {}
            fn names(&self, _: u32, _: usize) -> Vec<Name> {
                Vec::new()
            }
        }
        let mut full = Directory::new(Box::new(Full));
        let records = records(&["ann"]);
        let mut page = Page { head: head(&records), records, ..page(0, &[], 0) };
        page.from = RECORDS_MAX as u32;
        assert_eq!(full.append(&page), Err(PageError::TooLarge));
        page.records.clear();
        page.head = Head::EMPTY;
        assert_eq!(full.append(&page), Ok(new(&[])));
    }

    #[test]
    fn the_newest_record_of_a_name_counts_and_other_keys_are_told() {
        let all = [record("ann", 1), record("bob", 2), record("ann", 1), record("ann", 3)];
        let (directory, told) = one_by_one(&all);
        let same_keys = Ok(new(&[]));
        let expected = [Ok(new(&["ann"])), Ok(new(&["bob"])), same_keys, Ok(changed(&["ann"]))];
        assert_eq!(told, expected);
        assert_eq!(place(&directory, "ann"), Some(3));
        assert!(directory.at(0) == Some(all[0]), "the log keeps what it had");
        assert_eq!(directory.names_from(0), names(&["bob", "ann"]), "each name once");
        assert_eq!(directory.names(1, 2), names(&["bob"]));
        assert_eq!(directory.names(2, 2), names(&["ann"]));
    }

    #[test]
    fn a_deleted_name_is_gone_until_somebody_takes_it() {
        let all = [
            record("ann", 1),
            record("bob", 2),
            deletion("ann", 1),
            record("cid", 3),
            record("ann", 4),
        ];
        let (directory, told) = one_by_one(&all[..4]);
        let expected =
            [Ok(new(&["ann"])), Ok(new(&["bob"])), Ok(deleted(&["ann"])), Ok(new(&["cid"]))];
        assert_eq!(told, expected);
        assert_eq!(place(&directory, "ann"), None);
        assert_eq!(directory.names_from(0), names(&["bob", "cid"]));
        assert_eq!(directory.names_sorted(), names(&["bob", "cid"]));
        assert_eq!(directory.mark().length, 4, "the log does not shrink");
        let (directory, told) = one_by_one(&all);
        assert_eq!(told[4], Ok(changed(&["ann"])), "whoever knew the old one has to hear of it");
        assert_eq!(place(&directory, "ann"), Some(4));
    }

    #[test]
    fn within_a_page_each_record_follows_the_one_before_it() {
        let (ann, gone, other) = (record("ann", 1), deletion("ann", 1), record("ann", 2));
        let tell = |all: &[Record]| directory().append(&page(0, all, all.len()));
        assert_eq!(tell(&[ann, gone]), Ok(new(&[])), "nobody ever saw it");
        assert_eq!(tell(&[ann, other]), Ok(changed(&["ann"])));
        assert_eq!(tell(&[ann, other, gone]), Err(PageError::Deletion));
        assert_eq!(tell(&[ann, gone, other]), Ok(changed(&["ann"])));
        let all = [ann, other, deletion("ann", 2), other, ann];
        let mut directory = directory();
        directory.append(&page(0, &all, 1)).unwrap();
        let mut again = Directory::new(Box::new(MemoryRecords::default()));
        again.append(&page(0, &all, 1)).unwrap();
        assert_eq!(directory.append(&page(1, &all, 3)), Ok(deleted(&["ann"])));
        assert_eq!(again.append(&page(1, &all, 5)), Ok(changed(&["ann"])), "told once");
    }

    #[test]
    fn only_an_account_itself_deletes_it() {
        let forged = Record { signature: record("ann", 1).signature, ..deletion("ann", 1) };
        for (before, deletion) in [
            (&[][..], deletion("ann", 1)),
            (&[record("bob", 1)], deletion("ann", 1)),
            (&[record("ann", 1)], deletion("ann", 2)),
            (&[record("ann", 1)], forged),
            (&[record("ann", 1), record("ann", 2)], deletion("ann", 1)),
            (&[record("ann", 1), deletion("ann", 1)], deletion("ann", 1)),
        ] {
            let all = [before, &[deletion]].concat();
            let (directory, told) = one_by_one(&all);
            assert_eq!(told.last(), Some(&Err(PageError::Deletion)));
            assert_eq!(directory.mark().length as usize, before.len());
            let whole = self::directory().append(&page(0, &all, all.len()));
            assert_eq!(whole, Err(PageError::Deletion), "in one page");
        }
    }

    #[test]
    fn a_directory_is_cut_only_to_a_head_that_it_had() {
        let all = [record("ann", 1), record("bob", 2), deletion("ann", 1), record("ann", 3)];
        let mark = |records: &[Record]| DirectoryMark {
            length: records.len() as u32,
            head: head(records),
        };
        let whole = || one_by_one(&all).0;
        for length in 0..=all.len() {
            let mut directory = whole();
            assert!(directory.cut(mark(&all[..length])));
            assert!(directory.mark() == mark(&all[..length]));
            // what is looked up is what was there then, and the log goes on from there
            let (then, _) = one_by_one(&all[..length]);
            assert_eq!(place(&directory, "ann"), place(&then, "ann"), "{length}");
            assert_eq!(directory.names_from(0), then.names_from(0));
            let other = [&all[..length], &[record("eve", 9)]].concat();
            let told = directory.append(&page(length as u32, &other, length + 1));
            assert_eq!(told, Ok(new(&["eve"])));
        }
        let mut directory = whole();
        let other = DirectoryMark { length: 2, head: head(&all[..1]) };
        assert!(!directory.cut(other) && directory.mark() == mark(&all), "nothing is dropped");
        let longer = DirectoryMark { length: 9, head: head(&all) };
        assert!(
            directory.cut(longer) && directory.mark() == mark(&all),
            "nothing is to be dropped"
        );
    }

    #[test]
    fn names_come_whole_over_many_pages() {
        let count = 2 * NAMES_AT_ONCE + 1;
        let mut log = vec![(record("ann", 1), Head::EMPTY); count as usize];
        for (number, (record, _)) in log.iter_mut().enumerate() {
            record.name = format!("p{number}").parse().unwrap();
        }
        let mut records = MemoryRecords::default();
        log.chunks(1000).for_each(|part| records.append(part));
        let directory = Directory::new(Box::new(records));
        let all: Vec<_> = log.iter().map(|(record, _)| record.name).collect();
        assert!(directory.names_from(0) == all);
        assert!(directory.names_from(NAMES_AT_ONCE - 1) == all[NAMES_AT_ONCE as usize - 1..]);
        assert!(directory.names_from(count).is_empty());
        assert_eq!(place(&directory, "p8192"), Some(8192));
    }

    #[test]
    fn another_history_of_the_same_length_is_noticed() {
        let (ours, theirs) = (records(&["ann", "bob"]), records(&["bob", "ann"]));
        let mut directory = directory();
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
