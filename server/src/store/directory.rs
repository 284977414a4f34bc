//! The directory log: records in the order in which they came, and the hash chain over them.

use wire::directory::Head;
use wire::size;

use super::record::DirectoryRecord;
use super::trees::{Change, Tree, Trees, undecodable};
use super::{StoreError, state};

/// The records that the directory of one server takes, registrations and deletions together.
pub const DIRECTORY_MAX: u32 = 1 << 20;

/// The last places of the directory, which only deletions take.
pub const DELETIONS_RESERVED: u32 = 1 << 15;

/// One entry of the directory log.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The account's public record, or its deletion.
    pub record: [u8; size::RECORD],
    /// The head of the log after this record.
    pub head: Head,
}

/// How far the log goes, and how many accounts that makes.
#[derive(Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) directory_len: u32,
    pub(super) account_count: u32,
}

impl Extent {
    /// Reads it, whether durable or not.
    pub(super) fn of(trees: &Trees) -> Result<Self, StoreError> {
        let (directory_len, _) = end(trees)?;
        // A deletion takes an account away and a place in the log.
        let gone = state::deletions(trees)?.checked_mul(2);
        let account_count = gone.and_then(|gone| directory_len.checked_sub(gone));
        let account_count = account_count.ok_or_else(|| undecodable(Tree::State))?;
        Ok(Self { directory_len, account_count })
    }
}

/// Returns the place that the next record takes and the change that appends it; `None` if the log
/// has no place below `max`.
pub(super) fn append(
    trees: &Trees,
    record: [u8; size::RECORD],
    max: u32,
) -> Result<Option<(u32, Change)>, StoreError> {
    let (index, head) = end(trees)?;
    if index >= max {
        return Ok(None);
    }
    let entry = DirectoryRecord { record, head: head.after(&record).0 };
    Ok(Some((index, Change::put(Tree::Directory, index.to_be_bytes(), &entry)?)))
}

/// Returns the head of the first `len` entries of the log.
pub(super) fn head(trees: &Trees, len: u32) -> Result<Head, StoreError> {
    let Some(last) = len.checked_sub(1) else { return Ok(Head::EMPTY) };
    let entry: DirectoryRecord = trees
        .get(Tree::Directory, last.to_be_bytes())?
        .ok_or_else(|| undecodable(Tree::Directory))?;
    Ok(Head(entry.head))
}

/// Returns at most `max` entries of the first `len`, from one on.
pub(super) fn entries(
    trees: &Trees,
    from: u32,
    len: u32,
    max: usize,
) -> Result<Vec<DirectoryEntry>, StoreError> {
    let entry = |(_, entry): (u32, DirectoryRecord)| DirectoryEntry {
        record: entry.record,
        head: Head(entry.head),
    };
    trees.range(Tree::Directory, from, len).take(max).map(|read| Ok(entry(read?))).collect()
}

/// Returns the log's length and head, whether durable or not.
fn end(trees: &Trees) -> Result<(u32, Head), StoreError> {
    let Some((last, entry)) = trees.last::<DirectoryRecord>(Tree::Directory)? else {
        return Ok((0, Head::EMPTY));
    };
    let length = last.checked_add(1).ok_or_else(|| undecodable(Tree::Directory))?;
    Ok((length, Head(entry.head)))
}
