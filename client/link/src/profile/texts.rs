//! What people wrote, and the lock on it.
//!
//! ```text
//!           lock: the segment key is kept under the history key, which is erased
//!      ┌────────────────────────────────────────────────────────────────────┐
//!   open: rows under the history key              locked: new rows wait under the segment key
//!      └────────────────────────────────────────────────────────────────────┘
//!           unlock, or a start: what waits is sealed under the history key, and the segment key removed
//! ```
//!
//! Cut off anywhere, each message is on disk exactly once: either step is one durable transaction.

use wire::kdf::Secret;

use super::ProfileError;
use super::data::{Data, Rows, damaged, open};
use super::key::{HistoryKey, ProfileKey, Seal, SegmentKey};
use super::row::{HistoryRow, SegmentRow, Table, WaitingRow};

/// The key of the segment has no other than this, the empty one.
const ONLY: &[u8] = &[];

/// What texts are sealed under now.
pub(super) enum Texts {
    /// The history can be read.
    Open(HistoryKey),
    /// It cannot; what is new waits.
    Locked(SegmentKey),
}

impl Texts {
    /// Shows the key of a kind of row.
    ///
    /// # Errors
    /// [`ProfileError::Locked`] if it is not in memory.
    pub(super) fn secret<'k>(
        &'k self,
        profile: &'k ProfileKey,
        seal: Seal,
    ) -> Result<&'k Secret, ProfileError> {
        match (seal, self) {
            (Seal::Profile, _) => Ok(profile.secret()),
            (Seal::History, Self::Open(key)) => Ok(key.secret()),
            (Seal::Segment, Self::Locked(key)) => Ok(key.secret()),
            (Seal::History, Self::Locked(_)) | (Seal::Segment, Self::Open(_)) => {
                Err(ProfileError::Locked)
            }
        }
    }
}

/// Erases the key of the history once another is durable for what is written from now on; waits for whoever reads a
/// page.
pub(super) fn lock(data: &Data) -> Result<(), ProfileError> {
    if data.is_locked() {
        return Ok(());
    }
    let key = SegmentKey::random();
    let rows = data.write(true)?;
    rows.put(ONLY, &SegmentRow { key: *key.secret().expose() })?;
    rows.commit()?;
    data.set_texts(Texts::Locked(key));
    Ok(())
}

/// Takes the key of the history back, and what waited into the history.
pub(super) fn unlock(data: &Data, key: HistoryKey) -> Result<(), ProfileError> {
    if !data.is_locked() {
        return Ok(());
    }
    data.set_texts(Texts::Open(key));
    gather(data)
}

/// Seals what waits under the key of the history; nothing if nothing was locked.
pub(super) fn gather(data: &Data) -> Result<(), ProfileError> {
    let Some(segment) = data.get::<SegmentRow>(ONLY)? else {
        let nothing_waits = data.count(Table::Waiting)? == 0;
        return if nothing_waits { Ok(()) } else { Err(damaged::<SegmentRow>()) };
    };
    let key = SegmentKey::new(segment.key);
    // as it was before the transaction, which writes beside it
    let waiting = data.table(Table::Waiting)?;
    let message = |sealed: &[u8], place: &[u8]| {
        open::<WaitingRow>(key.secret(), place, sealed).map(|WaitingRow(row)| row)
    };
    // what is damaged stays as it is
    for entry in data.entries(&waiting)? {
        let (place, sealed) = entry?;
        message(sealed.value(), place.value())?;
    }
    let rows = data.write(true)?;
    for entry in data.entries(&waiting)? {
        let (place, sealed) = entry?;
        rows.put(place.value(), &message(sealed.value(), place.value())?)?;
    }
    rows.clear(Table::Waiting)?;
    rows.remove::<SegmentRow>(ONLY)?;
    rows.commit()
}

impl Rows<'_> {
    /// Adds a message to the history, or to what waits for it.
    pub(super) fn put_message(&self, key: &[u8], row: HistoryRow) -> Result<(), ProfileError> {
        if self.is_locked() { self.put(key, &WaitingRow(row)) } else { self.put(key, &row) }
    }
}
