//! The server's directory on this disk: blocks of records in the order of the log, and what came since.
//!
//! ```text
//! 0 ───────────── settled ──────────── end
//! blocks on disk          recent, in memory until their batch is kept
//! ```
//!
//! Look-ups by name go through hashes in memory, 16 bytes for each record, under a key of this process; the
//! record that is found must have the name. Opening reads every block and verifies the chain, so what is read
//! later was whole once.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use client_core::directory::Records;
use wire::codec::Wire;
use wire::directory::{Head, Record};
use wire::ids::Name;
use wire::size::RECORD;

use super::ProfileError;
use super::data::{Data, Rows, damaged, guarded};
use super::row::{BlockRow, Table};

/// Records of a full block.
const BLOCK_RECORDS: u32 = 24;

/// The client's copy of the directory, on disk.
pub struct DiskRecords {
    data: Arc<Data>,
    hasher: RandomState,
    /// Hash of the name and place, of every record.
    names: BTreeSet<(u64, u32)>,
    /// Records in front of `recent`; all of them are on disk.
    settled: u32,
    /// How often this was cut; what is on disk is not what is here before it was cut as often.
    cuts: u32,
    recent: VecDeque<(Record, Head)>,
    /// The block that was read last, and its number.
    read: Mutex<Option<(u32, BlockRow)>>,
}

impl DiskRecords {
    /// Reads the whole directory once.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] if anything in it is not as it was written.
    pub(super) fn open(data: Arc<Data>) -> Result<Self, ProfileError> {
        let hasher = RandomState::new();
        let mut names = BTreeSet::new();
        let (mut head, mut length, mut next) = (Head::EMPTY, 0, 0_u32);
        guarded(|| {
            data.each(|key, block: BlockRow| {
                let full = length == next * BLOCK_RECORDS;
                if key != next.to_be_bytes() || !full || block.before != head.0 || block.is_empty()
                {
                    return Err(damaged::<BlockRow>());
                }
                for bytes in block.records.chunks(RECORD) {
                    let bytes: &[u8; RECORD] =
                        bytes.try_into().map_err(|_| damaged::<BlockRow>())?;
                    let record = Record::decode(bytes).map_err(|_| damaged::<BlockRow>())?;
                    head = head.after(bytes);
                    names.insert((hasher.hash_one(record.name.as_str()), length));
                    length += 1;
                }
                next += 1;
                if length > next * BLOCK_RECORDS { Err(damaged::<BlockRow>()) } else { Ok(()) }
            })
        })?;
        data.set_listed(length, 0);
        let cuts = data.listed().cuts;
        let (recent, read) = (VecDeque::new(), Mutex::new(None));
        Ok(Self { data, hasher, names, settled: length, cuts, recent, read })
    }

    /// Tells whether no more than so many records are in memory.
    #[cfg(test)]
    pub(super) fn is_settled_but_for(&self, recent: usize) -> bool {
        self.recent.len() <= recent
    }

    /// Leaves to the disk what is there.
    fn settle(&mut self) {
        let listed = self.data.listed();
        let settled = self.settled;
        while listed.cuts == self.cuts
            && self.settled < listed.length
            && self.recent.pop_front().is_some()
        {
            self.settled += 1;
        }
        if self.settled != settled {
            // it may be of before a cut
            *self.read.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Works on the block with this record.
    ///
    /// A block that was whole when the profile was opened and is not any more is told by [`Data::is_unlisted`].
    fn with_block<T>(&self, index: u32, work: impl Fn(&BlockRow, u32) -> Option<T>) -> Option<T> {
        let (number, place) = (index / BLOCK_RECORDS, index % BLOCK_RECORDS);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // the last block grows: it may be older than what is asked of it
        if let Some((known, block)) = &*read
            && *known == number
            && let Some(result) = work(block, place)
        {
            return Some(result);
        }
        let block = guarded(|| self.data.get::<BlockRow>(&number.to_be_bytes())).ok().flatten();
        let result = block.as_ref().and_then(|block| work(block, place));
        match result {
            Some(_) => *read = block.map(|block| (number, block)),
            None => {
                tracing::error!("record {index} of the directory cannot be read any more");
                self.data.set_unlisted();
            }
        }
        result
    }
}

impl Records for DiskRecords {
    fn len(&self) -> u32 {
        self.settled + u32::try_from(self.recent.len()).unwrap_or(u32::MAX)
    }

    fn record(&self, index: u32) -> Option<Record> {
        if index >= self.len() {
            return None;
        }
        match index.checked_sub(self.settled) {
            Some(place) => self.recent.get(place as usize).map(|(record, _)| *record),
            None => self.with_block(index, BlockRow::record),
        }
    }

    fn head(&self, length: u32) -> Option<Head> {
        if length > self.len() {
            return None;
        }
        let Some(last) = length.checked_sub(1) else { return Some(Head::EMPTY) };
        match last.checked_sub(self.settled) {
            Some(place) => self.recent.get(place as usize).map(|(_, head)| *head),
            None => self.with_block(last, BlockRow::head_after),
        }
    }

    fn find(&self, name: &Name) -> Option<u32> {
        let hash = self.hasher.hash_one(name.as_str());
        let places = self.names.range((hash, 0)..=(hash, u32::MAX)).rev().map(|(_, place)| *place);
        let mut places =
            places.filter(|&place| self.record(place).is_some_and(|it| it.name == *name));
        places.next()
    }

    fn append(&mut self, records: &[(Record, Head)]) {
        self.settle();
        for (record, head) in records {
            self.names.insert((self.hasher.hash_one(record.name.as_str()), self.len()));
            self.recent.push_back((*record, *head));
        }
    }

    fn truncate(&mut self, length: u32) {
        if length >= self.len() {
            return;
        }
        self.names.retain(|(_, place)| *place < length);
        self.recent.truncate(length.saturating_sub(self.settled) as usize);
        self.settled = self.settled.min(length);
        self.cuts = self.cuts.wrapping_add(1);
    }

    fn names(&self, from: u32, max: usize) -> Vec<Name> {
        let records = (from..self.len()).take(max).filter_map(|index| self.record(index));
        records.map(|record| record.name).collect()
    }
}

/// The end of the directory on disk, in a transaction that appends to it.
pub(super) struct Tail {
    number: u32,
    block: BlockRow,
}

impl Tail {
    pub(super) fn read(rows: &Rows<'_>) -> Result<Self, ProfileError> {
        let Some((key, block)) = rows.last::<BlockRow>()? else {
            return Ok(Self { number: 0, block: BlockRow::default() });
        };
        let key = key.try_into().map_err(|_| damaged::<BlockRow>())?;
        Ok(Self { number: u32::from_be_bytes(key), block })
    }

    /// Appends those records that are not there yet; the first is the one at `from`.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] if they leave something out, and [`ProfileError::Disk`].
    pub(super) fn append(
        &mut self,
        rows: &Rows<'_>,
        from: u32,
        records: &[(Record, Head)],
    ) -> Result<(), ProfileError> {
        let known = self.length().checked_sub(from).ok_or_else(damaged::<BlockRow>)?;
        for (record, _) in records.iter().skip(known as usize) {
            if self.block.length() == BLOCK_RECORDS {
                self.put(rows)?;
                let before = self.block.head_after(BLOCK_RECORDS - 1);
                let before = before.ok_or_else(damaged::<BlockRow>)?.0;
                self.block = BlockRow { before, records: Vec::new() };
                self.number += 1;
            }
            self.block.records.extend(record.encode());
        }
        Ok(())
    }

    /// Drops what is behind the first `length` records; tells whether there was anything.
    pub(super) fn cut(&mut self, rows: &Rows<'_>, length: u32) -> Result<bool, ProfileError> {
        if length >= self.length() {
            return Ok(false);
        }
        let (number, kept) = (length / BLOCK_RECORDS, length % BLOCK_RECORDS);
        if number < self.number {
            let first = number.to_be_bytes();
            let block = rows.get::<BlockRow>(&first)?;
            self.block = block.ok_or_else(damaged::<BlockRow>)?;
            self.number = number;
        }
        rows.remove_between(Table::Records, [&number.to_be_bytes(), &[u8::MAX; 4]], |_| false)?;
        self.block.records.truncate(kept as usize * RECORD);
        if kept == 0 {
            *self = match number.checked_sub(1) {
                Some(_) => Self::read(rows)?,
                None => Self { number: 0, block: BlockRow::default() },
            };
        }
        Ok(true)
    }

    /// Writes the last block; returns the directory's length.
    pub(super) fn finish(self, rows: &Rows<'_>) -> Result<u32, ProfileError> {
        if !self.block.is_empty() {
            self.put(rows)?;
        }
        Ok(self.length())
    }

    fn put(&self, rows: &Rows<'_>) -> Result<(), ProfileError> {
        rows.put(&self.number.to_be_bytes(), &self.block)
    }

    fn length(&self) -> u32 {
        self.number * BLOCK_RECORDS + self.block.length()
    }
}

impl BlockRow {
    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn length(&self) -> u32 {
        u32::try_from(self.records.len() / RECORD).unwrap_or(u32::MAX)
    }

    fn record(&self, place: u32) -> Option<Record> {
        let bytes = self.records.chunks_exact(RECORD).nth(place as usize)?;
        Record::decode(bytes).ok()
    }

    /// Returns the head after the record at this place of the block.
    fn head_after(&self, place: u32) -> Option<Head> {
        let mut records = self.records.chunks_exact(RECORD).take(place as usize + 1);
        let after = |head: Head, bytes: &[u8]| Some(head.after(bytes.try_into().ok()?));
        (place < self.length()).then(|| records.try_fold(Head(self.before), after))?
    }
}
