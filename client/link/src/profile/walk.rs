//! The whole history, or that with one person, in the order of its messages, page by page.
//!
//! Messages lie by person; a walk through all of them goes on with whoever has the next one. It sees what was there when
//! it began.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use redb::Range;
use wire::codec::Wire;
use wire::directory::Record;
use wire::ids::{IdentityHash, Name};
use wire::size::{HASH, RECORD};

use super::ProfileError;
use super::data::{Data, RawRow, Snapshot, guarded};
use super::error::of_redb;
use super::history::{Entry, HistoryReader, entry};
use super::key::PeerTag;
use super::row::{BlockRow, ContactRow, PeerRow, ProgressRow, Table, history_key};

/// Which messages come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The newest; how far ours are is not read.
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

/// A way through the history; keeps the profile open.
pub struct Walk {
    data: Arc<Data>,
    direction: Direction,
    /// The next message of each person; dropped before the ranges, which keep it in place.
    next: BinaryHeap<Next>,
    progress: Snapshot,
    people: Vec<Range<'static, &'static [u8], &'static [u8]>>,
    messages: u64,
}

/// The next message of a person; the greatest comes first.
struct Next {
    rank: u64,
    person: usize,
    row: RawRow,
}

/// Whom the histories of a profile are with.
pub struct Names {
    data: Arc<Data>,
    names: BTreeMap<IdentityHash, Name>,
    directory_read: bool,
}

impl HistoryReader {
    /// Begins a walk through the messages with somebody, or with everybody. Reads the disk.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn walk(
        &self,
        peer: Option<&IdentityHash>,
        direction: Direction,
    ) -> Result<Walk, ProfileError> {
        guarded(|| Walk::begin(Arc::clone(&self.data), peer, direction))
    }

    /// Returns whom the histories are with. Reads the disk.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn names(&self) -> Result<Names, ProfileError> {
        guarded(|| Names::read(Arc::clone(&self.data)))
    }
}

impl Walk {
    fn begin(
        data: Arc<Data>,
        peer: Option<&IdentityHash>,
        direction: Direction,
    ) -> Result<Self, ProfileError> {
        let (history, progress) = (data.table(Table::History)?, data.table(Table::Progress)?);
        let tags = match peer {
            Some(peer) => vec![data.key().peer_tag(peer)],
            None => tags(&history)?,
        };
        let of = |tag: &PeerTag| {
            let (first, last) = (history_key(tag, 0), history_key(tag, u64::MAX));
            history.range::<&[u8]>(first.as_slice()..=last.as_slice()).map_err(of_redb)
        };
        let messages = match peer {
            Some(_) => {
                let mut messages = 0;
                for rows in tags.iter().map(of) {
                    messages += rows?.count() as u64;
                }
                messages
            }
            None => data.count(Table::History)?,
        };
        let people = tags.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let next = BinaryHeap::with_capacity(people.len());
        let mut walk = Self { data, direction, progress, people, next, messages };
        (0..walk.people.len()).try_for_each(|person| walk.go_on(person))?;
        Ok(walk)
    }

    /// Returns how many messages there are in all.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns the next messages, at most `max`; none at the end. Reads the disk.
    ///
    /// # Errors
    /// [`ProfileError::Locked`] once the history is, [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn page(&mut self, max: usize) -> Result<Vec<Entry>, ProfileError> {
        guarded(|| {
            let data = Arc::clone(&self.data);
            let texts = data.texts();
            let mut entries = Vec::new();
            while entries.len() < max
                && let Some(Next { person, row, .. }) = self.next.pop()
            {
                let told = match self.direction {
                    Direction::NewestFirst => {
                        let (order, message) = data.message(&row, &texts)?;
                        (order, message, ProgressRow::default())
                    }
                    Direction::OldestFirst => data.told(&row, &texts, &self.progress)?,
                };
                entries.push(entry(told));
                self.go_on(person)?;
            }
            Ok(entries)
        })
    }

    /// Finds a person's next message.
    fn go_on(&mut self, person: usize) -> Result<(), ProfileError> {
        let rows = &mut self.people[person];
        let row = match self.direction {
            Direction::NewestFirst => rows.next_back(),
            Direction::OldestFirst => rows.next(),
        };
        if let Some(row) = row {
            let row = row.map_err(of_redb)?;
            let order = row.0.value().last_chunk().map_or(0, |order| u64::from_be_bytes(*order));
            let rank = match self.direction {
                Direction::NewestFirst => order,
                Direction::OldestFirst => u64::MAX - order,
            };
            self.next.push(Next { rank, person, row });
        }
        Ok(())
    }
}

impl Names {
    fn read(data: Arc<Data>) -> Result<Self, ProfileError> {
        let open = data.all::<PeerRow>()?.into_iter().map(|row| row.record);
        let contacts = data.all::<ContactRow>()?.into_iter().map(|row| row.record);
        let records = open.chain(contacts).filter_map(|record| Record::decode(&record).ok());
        let names = records.map(|record| (record.identity(), record.name)).collect();
        Ok(Self { data, names, directory_read: false })
    }

    /// Returns somebody's name: as a contact, else as the directory has it, and else by the beginning of his identity.
    /// Reads the disk for who is no contact.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn of(&mut self, peer: &IdentityHash) -> Result<String, ProfileError> {
        if !self.names.contains_key(peer) && !self.directory_read {
            self.directory_read = true;
            guarded(|| self.read_directory())?;
        }
        Ok(match self.names.get(peer) {
            Some(name) => name.to_string(),
            None => peer.0[..4].iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    fn read_directory(&mut self) -> Result<(), ProfileError> {
        let names = &mut self.names;
        self.data.each(|_, block: BlockRow| {
            for record in block.records.chunks(RECORD).filter_map(|it| Record::decode(it).ok()) {
                names.entry(record.identity()).or_insert(record.name);
            }
            Ok(())
        })
    }
}

/// Finds whom there are messages with, without going through those.
fn tags(history: &Snapshot) -> Result<Vec<PeerTag>, ProfileError> {
    let (mut tags, mut from) = (Vec::new(), Some([0; HASH]));
    while let Some(first) = from {
        let rest = history.range::<&[u8]>(first.as_slice()..).map_err(of_redb)?;
        let Some(row) = rest.take(1).next() else { break };
        let (key, _) = row.map_err(of_redb)?;
        let tag = *key.value().first_chunk().ok_or(ProfileError::Damaged("history"))?;
        tags.push(tag);
        from = successor(tag);
    }
    Ok(tags)
}

/// Returns the tag after this one; none after the last.
fn successor(mut tag: PeerTag) -> Option<PeerTag> {
    for byte in tag.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(tag);
        }
    }
    None
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.rank, self.person).cmp(&(other.rank, other.person))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next {}
