//! Backups: one file with everything that the store holds, as it is at one moment.
//!
//! ```text
//! 0   8  magic and version of the format, "iirsbak1"
//! 8   4  schema version
//! 12  8  when it was made, Unix milliseconds
//! then, one after the other, integers big endian
//!     put     01, tree (1), length of the key (2), length of the value (2), key, value
//!     remove  02, tree (1), length of the key (2), key
//! and last
//!     end     03, number of puts and removes (8), records of the directory (4), accounts (4),
//!             SHA-256 of all before (32)
//! ```
//!
//! A tree is a place in `TREES` of its schema version (`migrations`). The file is what it makes when
//! it is played from its beginning to its end.
//!
//! Nobody waits for a backup. It reads entry by entry while the store thread writes on, and what the
//! thread writes meanwhile is taken down as well ([`Journal`]) and played after it. An entry that was read
//! stands in the file before every change that it does not have; so the file makes the store as it
//! was when the journal was closed, which the store thread does between two writes, and syncs.
//!
//! Invariant: a change is in the journal before anybody can read it.

use std::io::{self, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::directory::Extent;
use super::sums::Walk;
use super::thread::StoreThread;
use super::trees::{Change, Trees};

/// The first bytes of a backup.
const MAGIC: [u8; 8] = *b"iirsbak1";

const PUT: u8 = 1;
const REMOVE: u8 = 2;
const END: u8 = 3;

/// The most bytes of a key in a backup.
const KEY_BYTES_MAX: usize = 256;

/// The most bytes of a value in a backup.
const VALUE_BYTES_MAX: usize = 4096;

/// Bytes that are read before what was written meanwhile is taken down.
const CHUNK_BYTES: u64 = 256 << 10;

/// Bytes of changes that wait to be taken down; with more the backup fails.
pub const JOURNAL_BYTES_MAX: usize = 64 << 20;

/// What a backup has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupInfo {
    /// Schema version of its records.
    pub schema: u32,
    /// When it was made, in Unix milliseconds.
    pub created_ms: u64,
    /// Puts and removes.
    pub records: u64,
    /// Records of the directory.
    pub directory_len: u32,
    /// Accounts, without deleted ones.
    pub accounts: u32,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why a backup was not made or not read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Another one is under way.
    #[error("another backup is under way; wait until it is done")]
    Busy,
    /// The writer was slower than the store.
    #[error(
        "the backup was written too slowly to keep up with the server: write it to a faster disk, or \
         when less goes on"
    )]
    Overrun,
    /// Whoever asked for it wanted it no more.
    #[error("the server stops; make the backup again when it runs, or now that it does not")]
    Stopped,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be written or read.
    #[error("{0}; check the disk")]
    Io(io::Error),
    /// The file ends before its end.
    #[error("the backup ends too early: it was cut short, or not copied whole; take another one")]
    Short,
    /// The file is something else.
    #[error("this is no backup that `iirs-server backup` made, or one of a later release")]
    Foreign,
    /// A later release made it.
    #[error(
        "a later release made the backup (schema version {found}, and this program knows versions up to \
         {}); use that release, or a later one",
        migrations::VERSION
    )]
    Newer {
        /// The schema version that was found.
        found: u32,
    },
    /// Bytes were changed.
    #[error("the backup is damaged ({0}): take another one")]
    Damaged(&'static str),
}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Short,
            _ => Self::Io(error),
        }
    }
}

/// What the store thread wrote since a backup began, in the form that it has in the file.
#[derive(Default)]
pub(super) struct Journal(Mutex<Option<Pending>>);

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    records: u64,
    overrun: bool,
}

impl Journal {
    /// Takes changes down if a backup is under way. On the store thread, before they are made.
    pub(super) fn note(&self, changes: &[Change]) {
        let mut pending = self.pending();
        let Some(pending) = pending.as_mut() else { return };
        for change in changes {
            if pending.bytes.len() >= JOURNAL_BYTES_MAX {
                *pending = Pending { overrun: true, ..Pending::default() };
            }
            if pending.overrun {
                return;
            }
            let value = change.value.as_deref();
            // A vector takes all.
            let _ = write_record(&mut pending.bytes, change.tree as u8, &change.key, value);
            pending.records += 1;
        }
    }

    fn begin(&self) -> bool {
        let mut pending = self.pending();
        let free = pending.is_none();
        pending.get_or_insert_default();
        free
    }

    /// Takes what is there, and has nothing taken down any more if that was all.
    fn take(&self, all: bool) -> Result<Pending, BackupError> {
        let mut pending = self.pending();
        let taken = if all { pending.take() } else { pending.as_mut().map(std::mem::take) };
        match taken {
            Some(taken) if !taken.overrun => Ok(taken),
            Some(_) | None => Err(BackupError::Overrun),
        }
    }

    fn discard(&self) {
        self.pending().take();
    }

    fn pending(&self) -> MutexGuard<'_, Option<Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A backup that has begun; one at a time. What goes on is taken down until it is dropped.
pub struct Backup<'s> {
    trees: &'s Trees,
    thread: &'s StoreThread,
}

impl<'s> Backup<'s> {
    /// Begins one, between two writes. Blocks for the length of a batch.
    pub(super) fn begin(trees: &'s Trees, thread: &'s StoreThread) -> Result<Self, BackupError> {
        let begun = thread.between(|trees| Ok(trees.journal().begin()))?;
        if begun { Ok(Self { trees, thread }) } else { Err(BackupError::Busy) }
    }

    /// Writes it, at whatever speed `out` takes it, as long as `go_on` says so. Blocks.
    ///
    /// What is in it is durable in the store. Memory is bounded: [`JOURNAL_BYTES_MAX`] and two chunks.
    ///
    /// # Errors
    /// [`BackupError`]; what was written is no backup then, and no reader takes it for one. A store that lost something
    /// takes no more writes.
    pub fn write(
        self,
        out: impl Write,
        created_ms: u64,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<BackupInfo, BackupError> {
        let mut out = Digesting::new(out);
        out.write_all(&MAGIC)?;
        out.write_all(&migrations::VERSION.to_be_bytes())?;
        out.write_all(&created_ms.to_be_bytes())?;
        let mut records = 0;
        let mut chunk_ends = CHUNK_BYTES;
        let mut walk = Walk::begin(self.trees);
        while let Some((tree, entries)) =
            walk.next().inspect_err(|error| self.thread.note(error))?
        {
            for (key, value) in entries {
                write_record(&mut out, tree as u8, &key, Some(&value))?;
                records += 1;
            }
            if out.bytes >= chunk_ends {
                records += self.take_down(&mut out, self.trees.journal().take(false)?)?;
                chunk_ends = out.bytes + CHUNK_BYTES;
                if !go_on() {
                    return Err(BackupError::Stopped);
                }
            }
        }
        walk.compare().inspect_err(|error| self.thread.note(error))?;
        let (rest, extent) =
            self.thread.between(|trees| Ok((trees.journal().take(true), Extent::of(trees)?)))?;
        records += self.take_down(&mut out, rest?)?;
        let Extent { directory_len, account_count } = extent;
        out.write_all(&[END])?;
        out.write_all(&records.to_be_bytes())?;
        out.write_all(&directory_len.to_be_bytes())?;
        out.write_all(&account_count.to_be_bytes())?;
        let (mut out, digest, bytes) = out.finish();
        out.write_all(&digest)?;
        out.flush()?;
        let bytes = bytes + digest.len() as u64;
        let (schema, accounts) = (migrations::VERSION, account_count);
        Ok(BackupInfo { schema, created_ms, records, directory_len, accounts, bytes })
    }

    fn take_down(&self, out: &mut impl Write, pending: Pending) -> Result<u64, BackupError> {
        out.write_all(&pending.bytes)?;
        Ok(pending.records)
    }
}

impl Drop for Backup<'_> {
    fn drop(&mut self) {
        self.trees.journal().discard();
    }
}

fn write_record(
    out: &mut impl Write,
    tree: u8,
    key: &[u8],
    value: Option<&[u8]>,
) -> io::Result<()> {
    let length = |bytes: &[u8]| {
        u16::try_from(bytes.len())
            .expect("keys and values are shorter than 4,097 bytes")
            .to_be_bytes()
    };
    out.write_all(&[if value.is_some() { PUT } else { REMOVE }, tree])?;
    out.write_all(&length(key))?;
    if let Some(value) = value {
        out.write_all(&length(value))?;
    }
    out.write_all(key)?;
    out.write_all(value.unwrap_or_default())
}

/// A backup that is read, from its beginning to its end.
pub(super) struct BackupReader<R> {
    input: Digesting<R>,
    info: BackupInfo,
}

/// What one step of a backup does.
pub(super) struct Step {
    /// Place of the tree in those of its schema version.
    pub(super) tree: usize,
    pub(super) key: Vec<u8>,
    /// `None` removes.
    pub(super) value: Option<Vec<u8>>,
}

impl<R: Read> BackupReader<R> {
    /// Reads the beginning.
    pub(super) fn new(input: R) -> Result<Self, BackupError> {
        let mut input = Digesting::new(input);
        if input.take::<8>()? != MAGIC {
            return Err(BackupError::Foreign);
        }
        let schema = u32::from_be_bytes(input.take()?);
        if schema > migrations::VERSION {
            return Err(BackupError::Newer { found: schema });
        }
        if migrations::trees(schema).is_empty() {
            return Err(BackupError::Damaged("its schema version is none"));
        }
        let created_ms = u64::from_be_bytes(input.take()?);
        let info =
            BackupInfo { schema, created_ms, records: 0, directory_len: 0, accounts: 0, bytes: 0 };
        Ok(Self { input, info })
    }

    /// Returns what is known of it so far; all of it after the last step.
    pub(super) fn info(&self) -> BackupInfo {
        BackupInfo { bytes: self.input.bytes, ..self.info }
    }

    /// Reads the next step; `None` at the end, whose checksum was right.
    pub(super) fn next(&mut self) -> Result<Option<Step>, BackupError> {
        let [kind] = self.input.take()?;
        match kind {
            PUT | REMOVE => {
                let [tree] = self.input.take()?;
                let key_bytes = self.length(KEY_BYTES_MAX)?;
                let value_bytes =
                    if kind == PUT { Some(self.length(VALUE_BYTES_MAX)?) } else { None };
                let key = self.input.take_vec(key_bytes)?;
                let value = value_bytes.map(|bytes| self.input.take_vec(bytes)).transpose()?;
                self.info.records += 1;
                Ok(Some(Step { tree: tree.into(), key, value }))
            }
            END => self.end().map(|()| None),
            _ => Err(BackupError::Damaged("an unknown kind of record")),
        }
    }

    fn end(&mut self) -> Result<(), BackupError> {
        let records = u64::from_be_bytes(self.input.take()?);
        self.info.directory_len = u32::from_be_bytes(self.input.take()?);
        self.info.accounts = u32::from_be_bytes(self.input.take()?);
        let digest = self.input.digest();
        if self.input.take::<32>()? != digest {
            return Err(BackupError::Damaged("its checksum is wrong"));
        }
        if records != self.info.records {
            return Err(BackupError::Damaged("its number of records is wrong"));
        }
        match self.input.take::<1>() {
            Err(BackupError::Short) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(BackupError::Damaged("something follows its end")),
        }
    }

    fn length(&mut self, max: usize) -> Result<usize, BackupError> {
        let length = usize::from(u16::from_be_bytes(self.input.take()?));
        if length > max { Err(BackupError::Damaged("a record is too long")) } else { Ok(length) }
    }
}

/// Counts and digests what goes through.
struct Digesting<T> {
    inner: T,
    sha: Sha256,
    bytes: u64,
}

impl<T> Digesting<T> {
    fn new(inner: T) -> Self {
        Self { inner, sha: Sha256::new(), bytes: 0 }
    }

    fn digest(&self) -> [u8; 32] {
        self.sha.clone().finalize().into()
    }

    fn finish(self) -> (T, [u8; 32], u64) {
        (self.inner, self.sha.finalize().into(), self.bytes)
    }

    fn went_through(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.went_through(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Digesting<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.went_through(&bytes);
        Ok(bytes)
    }

    fn take_vec(&mut self, length: usize) -> Result<Vec<u8>, BackupError> {
        let mut bytes = vec![0; length];
        self.inner.read_exact(&mut bytes)?;
        self.went_through(&bytes);
        Ok(bytes)
    }
}
