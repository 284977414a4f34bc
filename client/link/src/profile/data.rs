//! The data file: sealed rows in redb, which appears here only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use client_core::record::{Contact, KnownRestores, Outgoing, Saved, SavedRoot, ServerClock};
use redb::{
    AccessGuard, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, WriteTransaction,
};
use wire::codec::Wire;
use wire::directory::{Head, Record};
use wire::ids::{AccountIndex, IdentityHash, MessageId, Round, Token};
use wire::kdf::Secret;

use super::ProfileError;
use super::directory::Lock;
use super::error::of_redb;
use super::key::{HistoryKey, ProfileKey, Seal};
use super::old;
use super::row::{
    ContactRow, DeclinedRow, HistoryRow, META, PeerRow, PendingRow, ProgressRow, ReceivedRow,
    RestoresRow, RootRow, Row, SCHEMA_KEY, SCHEMA_VERSION, StateRow, Table, VaultRow, history_key,
};
use super::texts::{self, Texts};
use super::value;

/// Memory for pages of the database.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// The open data file with the key of its values.
pub(super) struct Data {
    pub(super) database: Database,
    key: ProfileKey,
    /// Locked for reading while anything is read or written under it.
    texts: RwLock<Texts>,
    /// Records of the directory that can be read from here.
    listed: Mutex<Listed>,
    /// Whether a record that was there when the profile was opened could not be read since.
    unlisted: AtomicBool,
    // dropped last, so that the next program finds the database closed
    _lock: Lock,
}

/// How much of the directory is on disk.
#[derive(Clone, Copy, Default)]
pub(super) struct Listed {
    /// Records.
    pub(super) length: u32,
    /// How often it was cut since the profile was opened: records behind a cut are others than before it.
    pub(super) cuts: u32,
}

/// Rows in a write transaction.
pub(super) struct Rows<'d> {
    transaction: WriteTransaction,
    key: &'d ProfileKey,
    texts: RwLockReadGuard<'d, Texts>,
}

/// A table as it was when it was opened.
pub(super) type Snapshot = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A row's key and its box; good as long as the table or the range that it came from is there.
pub(super) type RawRow = (AccessGuard<'static, &'static [u8]>, AccessGuard<'static, &'static [u8]>);

/// A message, whose it is, and how far it is if it is ours.
pub(super) type Told = (u64, HistoryRow, ProgressRow);

impl Data {
    /// Fills a new, empty file with empty tables.
    pub(super) fn create(path: &Path) -> Result<(), ProfileError> {
        let database = Database::create(path).map_err(of_redb)?;
        make_tables(&database)?;
        database.close().map_err(of_redb)
    }

    /// Opens a data file of this schema, or makes one of an older schema into one of this; every checksum in
    /// it is verified.
    ///
    /// Takes what waits into the history, if the last program ended while that was locked.
    pub(super) fn open(
        path: &Path,
        key: ProfileKey,
        history: HistoryKey,
        lock: Lock,
    ) -> Result<Self, ProfileError> {
        if !path.exists() {
            return Err(ProfileError::Damaged("data file is missing"));
        }
        guarded(|| {
            let database = open_verified(path)?;
            let texts = RwLock::new(Texts::Open(history));
            let (listed, unlisted) = (Mutex::default(), AtomicBool::new(false));
            let data = Self { database, key, texts, listed, unlisted, _lock: lock };
            let version = version(&data.database)?;
            if version != SCHEMA_VERSION {
                old::migrate(&data, version)?;
            }
            texts::gather(&data)?;
            Ok(data)
        })
    }

    /// Tells whether the key of the history is not in memory.
    pub(super) fn is_locked(&self) -> bool {
        matches!(*self.texts(), Texts::Locked(_))
    }

    /// Changes what texts are sealed under, and erases what it was before; waits for whoever reads or writes under it.
    pub(super) fn set_texts(&self, texts: Texts) {
        *self.texts.write().unwrap_or_else(PoisonError::into_inner) = texts;
    }

    pub(super) fn texts(&self) -> RwLockReadGuard<'_, Texts> {
        self.texts.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction; it is undone unless it is committed.
    pub(super) fn write(&self, durable: bool) -> Result<Rows<'_>, ProfileError> {
        let mut transaction = self.database.begin_write().map_err(of_redb)?;
        let durability = if durable { Durability::Immediate } else { Durability::None };
        transaction
            .set_durability(durability)
            .expect("the database has no savepoint and no other process");
        // with one phase, damage to the last commit would pass for a crash in the middle of it
        transaction.set_two_phase_commit(true);
        Ok(Rows { transaction, key: &self.key, texts: self.texts() })
    }

    /// Gathers what a restart needs.
    pub(super) fn saved(&self) -> Result<Saved, ProfileError> {
        let state = self.get::<StateRow>(&[])?.unwrap_or_default();
        let vault = self.get::<VaultRow>(&[])?.unwrap_or_default();
        let mut pending = self.all::<PendingRow>()?;
        pending.sort_by_key(|row| row.order);
        let (open, closed): (Vec<_>, Vec<_>) =
            self.all::<PeerRow>()?.into_iter().partition(|row| row.open);
        Ok(Saved {
            open: open.iter().map(record).collect::<Result<_, _>>()?,
            closed: closed.iter().map(record).collect::<Result<_, _>>()?,
            outgoing: pending.iter().map(|row| self.outgoing(row)).collect::<Result<_, _>>()?,
            received: self.all()?.into_iter().map(received_ids).collect(),
            mark: Round(state.mark),
            token: state.token.map(Token::new),
            clock: state.clock.map(|(genesis_ms, round_ms)| ServerClock { genesis_ms, round_ms }),
            directory: state.directory.map(|(length, head)| (length, Head(head))),
            contacts: self.all()?.iter().map(contact).collect::<Result<_, _>>()?,
            roots: self.all::<RootRow>()?.iter().map(root).collect(),
            declined: self.all()?.iter().map(declined).collect(),
            vault: vault.version,
            vault_used: vault.used,
            restores: self.restores()?,
        })
    }

    /// Returns how far the server's restores are known.
    pub(super) fn restores(&self) -> Result<KnownRestores, ProfileError> {
        let RestoresRow { taken, told, dropped } = self.get(&[])?.unwrap_or_default();
        Ok(KnownRestores { taken_ms: taken, told_ms: told, dropped_ms: dropped })
    }

    /// Returns how many records of the directory can be read from here.
    pub(super) fn listed(&self) -> Listed {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how many records there are after a change, and how often it cut the directory.
    pub(super) fn set_listed(&self, length: u32, cuts: u32) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        *listed = Listed { length, cuts: listed.cuts.wrapping_add(cuts) };
    }

    /// Tells whether a record could not be read that was there.
    pub(super) fn is_unlisted(&self) -> bool {
        self.unlisted.load(Ordering::Acquire)
    }

    pub(super) fn set_unlisted(&self) {
        self.unlisted.store(true, Ordering::Release);
    }

    /// Returns a peer's messages below this order, the last first, at most `max`; and whether there are older ones.
    pub(super) fn history(
        &self,
        peer: &IdentityHash,
        below: u64,
        max: usize,
    ) -> Result<(Vec<Told>, bool), ProfileError> {
        let tag = self.key.peer_tag(peer);
        let (first, end) = (history_key(&tag, 0), history_key(&tag, below));
        let table = self.table(Table::History)?;
        let range = table.range::<&[u8]>(first.as_slice()..end.as_slice()).map_err(of_redb)?;
        let (texts, progress) = (self.texts(), self.table(Table::Progress)?);
        let (mut rows, mut range) = (Vec::new(), range.rev());
        for entry in range.by_ref().take(max) {
            rows.push(self.told(&entry.map_err(of_redb)?, &texts, &progress)?);
        }
        Ok((rows, range.next().is_some()))
    }

    /// Opens a message.
    pub(super) fn message(
        &self,
        (key, value): &RawRow,
        texts: &Texts,
    ) -> Result<(u64, HistoryRow), ProfileError> {
        let row = open(texts.secret(&self.key, Seal::History)?, key.value(), value.value())?;
        let order = key.value().last_chunk().ok_or_else(damaged::<HistoryRow>)?;
        Ok((u64::from_be_bytes(*order), row))
    }

    /// Opens a message with how far it is.
    pub(super) fn told(
        &self,
        entry: &RawRow,
        texts: &Texts,
        progress: &Snapshot,
    ) -> Result<Told, ProfileError> {
        let (order, row) = self.message(entry, texts)?;
        let how_far = match row {
            HistoryRow::Ours { .. } => {
                let key = entry.0.value();
                let value = progress.get(key).map_err(of_redb)?;
                let value = value.ok_or_else(damaged::<ProgressRow>)?;
                open(self.key.secret(), key, value.value())?
            }
            HistoryRow::Theirs { .. } => ProgressRow::default(),
        };
        Ok((order, row, how_far))
    }

    fn outgoing(&self, pending: &PendingRow) -> Result<Outgoing, ProfileError> {
        let peer = IdentityHash(pending.peer);
        let key = history_key(&self.key.peer_tag(&peer), pending.order);
        let progress = self.get::<ProgressRow>(&key)?.ok_or_else(damaged::<ProgressRow>)?;
        match self.get(&key)? {
            Some(HistoryRow::Ours { id, label, text, sent_ms, .. }) => {
                let (id, sent) = (MessageId(id), progress.sent());
                Ok(Outgoing { id, peer, label, text, sent_ms, sent })
            }
            Some(HistoryRow::Theirs { .. }) | None => Err(damaged::<PendingRow>()),
        }
    }

    pub(super) fn key(&self) -> &ProfileKey {
        &self.key
    }

    pub(super) fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, ProfileError> {
        // What stands in it is there as long as the table is: whoever writes meanwhile frees the pages of no reader.
        let table = self.table(R::TABLE)?;
        let value = table.get(key).map_err(of_redb)?;
        let Some(value) = value else { return Ok(None) };
        self.with_secret(R::SEAL, |secret| open(secret, key, value.value()).map(Some))
    }

    pub(super) fn all<R: Row>(&self) -> Result<Vec<R>, ProfileError> {
        let mut rows = Vec::new();
        self.each(|_, row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Goes through the rows of a table in the order of their keys.
    pub(super) fn each<R: Row>(
        &self,
        mut row: impl FnMut(&[u8], R) -> Result<(), ProfileError>,
    ) -> Result<(), ProfileError> {
        let table = self.table(R::TABLE)?;
        self.with_secret(R::SEAL, |secret| {
            for entry in self.entries(&table)? {
                let (key, value) = entry?;
                row(key.value(), open(secret, key.value(), value.value())?)?;
            }
            Ok(())
        })
    }

    /// Goes through the boxes of a table in the order of their keys.
    pub(super) fn entries(
        &self,
        table: &Snapshot,
    ) -> Result<impl Iterator<Item = Result<RawRow, ProfileError>>, ProfileError> {
        let range = table.range::<&[u8]>(..).map_err(of_redb)?;
        Ok(range.map(|entry| entry.map_err(of_redb)))
    }

    /// Counts the rows of a table.
    pub(super) fn count(&self, table: Table) -> Result<u64, ProfileError> {
        self.table(table)?.len().map_err(of_redb)
    }

    pub(super) fn table(&self, table: Table) -> Result<Snapshot, ProfileError> {
        let transaction = self.database.begin_read().map_err(of_redb)?;
        transaction.open_table(table.definition()).map_err(of_redb)
    }

    /// Runs with the key of a kind of row; what is not text is read whoever waits for the lock of that.
    fn with_secret<T>(
        &self,
        seal: Seal,
        work: impl FnOnce(&Secret) -> Result<T, ProfileError>,
    ) -> Result<T, ProfileError> {
        match seal {
            Seal::Profile => work(self.key.secret()),
            Seal::History | Seal::Segment => work(self.texts().secret(&self.key, seal)?),
        }
    }
}

impl Rows<'_> {
    pub(super) fn key(&self) -> &ProfileKey {
        self.key
    }

    pub(super) fn is_locked(&self) -> bool {
        matches!(*self.texts, Texts::Locked(_))
    }

    pub(super) fn secret(&self, seal: Seal) -> Result<&Secret, ProfileError> {
        self.texts.secret(self.key, seal)
    }

    /// Counts the rows of a table.
    pub(super) fn count(&self, table: Table) -> Result<u64, ProfileError> {
        self.transaction.open_table(table.definition()).map_err(of_redb)?.len().map_err(of_redb)
    }

    pub(super) fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, ProfileError> {
        let table = self.transaction.open_table(R::TABLE.definition()).map_err(of_redb)?;
        let value = table.get(key).map_err(of_redb)?;
        value.map(|value| open(self.secret(R::SEAL)?, key, value.value())).transpose()
    }

    pub(super) fn put<R: Row>(&self, key: &[u8], row: &R) -> Result<(), ProfileError> {
        let sealed = value::seal(self.secret(R::SEAL)?, [&R::TABLE.tag(), key], row, R::PADDING)?;
        let mut table = self.transaction.open_table(R::TABLE.definition()).map_err(of_redb)?;
        table.insert(key, sealed.as_slice()).map_err(of_redb)?;
        Ok(())
    }

    pub(super) fn remove<R: Row>(&self, key: &[u8]) -> Result<(), ProfileError> {
        let mut table = self.transaction.open_table(R::TABLE.definition()).map_err(of_redb)?;
        table.remove(key).map_err(of_redb)?;
        Ok(())
    }

    /// Returns the row with the highest key.
    pub(super) fn last<R: Row>(&self) -> Result<Option<(Vec<u8>, R)>, ProfileError> {
        let table = self.transaction.open_table(R::TABLE.definition()).map_err(of_redb)?;
        let last = table.last().map_err(of_redb)?;
        let secret = self.secret(R::SEAL)?;
        let open = |key: &[u8], value: &[u8]| Ok((key.to_vec(), open(secret, key, value)?));
        last.map(|(key, value)| open(key.value(), value.value())).transpose()
    }

    /// Removes the rows that this is said of.
    pub(super) fn remove_if<R: Row>(&self, gone: impl Fn(&R) -> bool) -> Result<(), ProfileError> {
        let mut table = self.transaction.open_table(R::TABLE.definition()).map_err(of_redb)?;
        let secret = self.secret(R::SEAL)?;
        let kept = |key: &[u8], value: &[u8]| {
            value::open(secret, [&R::TABLE.tag(), key], value).is_none_or(|row| !gone(&row))
        };
        table.retain(kept).map_err(of_redb)
    }

    /// Removes all rows of a table, whatever is in them.
    pub(super) fn clear(&self, table: Table) -> Result<(), ProfileError> {
        self.transaction.delete_table(table.definition()).map_err(of_redb)?;
        self.transaction.open_table(table.definition()).map_err(of_redb)?;
        Ok(())
    }

    /// Makes what is missing of the schema's tables.
    pub(super) fn put_schema(&self) -> Result<(), ProfileError> {
        put_schema(&self.transaction)
    }

    /// Removes the rows of a table whose keys are between two and are not to be kept.
    pub(super) fn remove_between(
        &self,
        table: Table,
        [first, last]: [&[u8]; 2],
        is_kept: impl Fn(&[u8]) -> bool,
    ) -> Result<(), ProfileError> {
        let mut table = self.transaction.open_table(table.definition()).map_err(of_redb)?;
        table.retain_in::<&[u8], _>(first..=last, |key, _| is_kept(key)).map_err(of_redb)
    }

    pub(super) fn commit(self) -> Result<(), ProfileError> {
        self.transaction.commit().map_err(of_redb)
    }
}

/// Runs what reads or writes the database, and returns its panics as damage.
///
/// redb verifies a file when it opens it, yet asserts some things about one that changes under it.
pub(super) fn guarded<T>(
    work: impl FnOnce() -> Result<T, ProfileError>,
) -> Result<T, ProfileError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ProfileError::Damaged("data file")))
}

/// Returns the error that a table's row is not what was written there.
pub(super) fn damaged<R: Row>() -> ProfileError {
    ProfileError::Damaged(R::TABLE.damaged())
}

fn open_verified(path: &Path) -> Result<Database, ProfileError> {
    let database = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .open(path)
        .map_err(of_redb)?;
    match version(&database)? {
        1..=SCHEMA_VERSION => Ok(database),
        version if version > SCHEMA_VERSION => Err(ProfileError::Newer),
        _ => Err(ProfileError::Damaged("schema version")),
    }
}

fn version(database: &Database) -> Result<u32, ProfileError> {
    let meta = database.begin_read().map_err(of_redb)?.open_table(META).map_err(of_redb)?;
    let version = meta.get(SCHEMA_KEY).map_err(of_redb)?.map(|version| version.value());
    version.ok_or(ProfileError::Damaged("schema version"))
}

/// Makes the tables of an empty file and writes the schema's version, in one durable transaction.
fn make_tables(database: &Database) -> Result<(), ProfileError> {
    let mut transaction = database.begin_write().map_err(of_redb)?;
    transaction.set_two_phase_commit(true);
    put_schema(&transaction)?;
    transaction.commit().map_err(of_redb)
}

/// Makes the tables that are missing and writes the schema's version.
fn put_schema(transaction: &WriteTransaction) -> Result<(), ProfileError> {
    let mut meta = transaction.open_table(META).map_err(of_redb)?;
    meta.insert(SCHEMA_KEY, SCHEMA_VERSION).map_err(of_redb)?;
    for table in Table::ALL {
        transaction.open_table(table.definition()).map_err(of_redb)?;
    }
    Ok(())
}

/// Opens a row's box at its place.
pub(super) fn open<R: Row>(
    secret: &Secret,
    row_key: &[u8],
    sealed: &[u8],
) -> Result<R, ProfileError> {
    value::open(secret, [&R::TABLE.tag(), row_key], sealed).ok_or_else(damaged::<R>)
}

fn record(row: &PeerRow) -> Result<Record, ProfileError> {
    Record::decode(&row.record).map_err(|_| damaged::<PeerRow>())
}

fn received_ids(row: ReceivedRow) -> (IdentityHash, Vec<MessageId>) {
    (IdentityHash(row.peer), row.ids.into_iter().map(MessageId).collect())
}

fn contact(row: &ContactRow) -> Result<Contact, ProfileError> {
    let ContactRow { record, index, verified, blocked, forgotten, unsaved: _ } = row;
    Ok(Contact {
        record: Record::decode(record).map_err(|_| damaged::<ContactRow>())?,
        index: AccountIndex(*index),
        verified: *verified,
        blocked: *blocked,
        forgotten: *forgotten,
        unsaved: row.unsaved().ok_or_else(damaged::<ContactRow>)?,
    })
}

fn root(row: &RootRow) -> (IdentityHash, SavedRoot) {
    let root = SavedRoot {
        caller: IdentityHash(row.caller),
        first: Round(row.first),
        heard: row.heard,
        hello: Secret::new(row.hello),
        outer: Secret::new(row.outer),
        steps: row.steps,
    };
    (IdentityHash(row.peer), root)
}

fn declined(row: &DeclinedRow) -> (IdentityHash, Round) {
    (IdentityHash(row.peer), Round(row.until))
}
