//! The profile: what one account keeps on this machine, encrypted, in a directory of its own.
//!
//! ```text
//!  profile     header: salt, stretching, and sealed under the password: master key, link, user
//!  data.redb   tables of sealed values; commits are fsynced
//!  lock        held while a program uses the profile
//! ```
//!
//! Whoever reads the directory without the password sees how many peers there are, how many
//! messages each has, how long they are to the next power of two and in which order they came.
//! Names, keys, texts, ids, times and the token are sealed, each bound to its place. He who can also write
//! may put back an older directory, or flip the one bit by which redb chooses between its last two
//! commits; nothing on this machine could tell.
//!
//! Invariants:
//! - Epoch secrets are never here: a [`Change`] has no place for one.
//! - Nothing readable is handed to the database.
//! - Nothing that might be of value is overwritten: what is damaged or newer is refused as it is.

mod batch;
mod data;
mod directory;
mod error;
mod header;
mod history;
mod key;
mod row;
mod thread;
mod value;

#[cfg(test)]
mod tests;

pub use error::ProfileError;
pub use history::{Cursor, Entry, HISTORY_PAGE_MAX, HistoryReader, Message, Page};
pub use thread::{BATCHES_WAITING_MAX, Completion, ProfileThread, SubmitError};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use client_core::record::{Change, Saved};
use etcetera::BaseStrategy as _;
use rand_core::OsRng;
use wire::account::Stretching;
use wire::codec::Wire;
use wire::ids::{IdentityHash, Name};
use wire::kdf::{Label, Secret, hash};
use wire::link::Link;
use wire::login::stretch_locally;

use data::{Data, guarded};
use directory::Directory;
use header::{Front, Header};
use key::ProfileKey;

const DIRECTORY_NAME: Label = Label("iirs 1 profile directory");

/// Lazy batches in a row after which one is made durable all the same: a minute of standard rounds.
const LAZY_BATCHES_MAX: u32 = 30;

/// Which account a profile belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct ProfileAccount {
    /// The account's server.
    pub link: Link,
    /// The account's name.
    pub user: Name,
}

/// The open profile, which nobody else can open meanwhile; it asks the system for randomness.
pub struct Profile {
    data: Arc<Data>,
    lazy_batches: u32,
    failed: bool,
}

/// What unlocking gives.
pub struct Unlocked {
    /// The open profile.
    pub profile: Profile,
    /// The account's master key.
    pub master: Secret,
    /// Whose profile it is.
    pub account: ProfileAccount,
    /// What a restart needs.
    pub saved: Saved,
}

/// Returns the directory of everything that this user's programs keep unless somebody says otherwise: the window's
/// memory, and a directory for each account's profile. There is none if the system names no home directory.
pub fn home() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.data_dir().join("iirs"))
}

impl Profile {
    /// Returns the name of the directory that holds an account's profile unless somebody says otherwise, 20
    /// characters. It names neither the account nor the server to whoever looks at the disk; who guesses both
    /// can check his guess.
    pub fn directory_name(link: &Link, user: &Name) -> String {
        let hash = hash(DIRECTORY_NAME, &[&user.encode(), &link.pin.0]);
        hash[..10].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Tells whether the directory holds a profile; a half-made one does not count.
    pub fn exists(dir: &Path) -> bool {
        Directory::at(dir).has_header()
    }

    /// Makes a profile, and the directory with all above it; what creation left half-made is made anew.
    ///
    /// Takes as long as the stretching costs.
    ///
    /// # Errors
    /// [`ProfileError::Exists`] if there is one, [`ProfileError::Stretching`] if Argon2 does not take
    /// the cost, and as [`Self::unlock`].
    pub fn create(
        dir: &Path,
        password: &[u8],
        stretching: Stretching,
        account: &ProfileAccount,
        master: &Secret,
    ) -> Result<Self, ProfileError> {
        let directory = Directory::at(dir);
        directory.make()?;
        let lock = directory.lock()?;
        directory.refuse_existing()?;
        let front = Front::random(stretching, &mut OsRng);
        let stretched = stretch_locally(password, &front.salt, &stretching)
            .map_err(|_| ProfileError::Stretching)?;
        let key = ProfileKey::new(master, &front.salt);
        let header = Header::seal(front, &stretched, master, &key, account, &mut OsRng)?;
        Data::create(&directory.new_data_file()?)?;
        directory.put_in_place(&header.encode())?;
        Ok(Self::new(Data::open(&directory.data(), key, lock)?))
    }

    /// Opens a profile with its password; refuses a stretching below `floor` or above the ceiling.
    ///
    /// Takes as long as the stretching costs, and the time to read the whole data file once, since
    /// its checksums are verified.
    ///
    /// # Errors
    /// Every variant of [`ProfileError`] but those of changes; each says what to do next.
    pub fn unlock(
        dir: &Path,
        password: &[u8],
        floor: &Stretching,
    ) -> Result<Unlocked, ProfileError> {
        let directory = Directory::at(dir);
        if !directory.has_header() {
            return Err(ProfileError::Missing);
        }
        let lock = directory.lock()?;
        let header = Header::decode(&directory.read_header()?)?;
        if !header.front.stretching.is_within(floor) {
            return Err(ProfileError::Stretching);
        }
        let stretched = stretch_locally(password, &header.front.salt, &header.front.stretching)
            .map_err(|_| ProfileError::Stretching)?;
        let master = header.open_master(&stretched)?;
        let key = ProfileKey::new(&master, &header.front.salt);
        let account = header.open_account(&key)?;
        directory.finish_creation()?;
        let data = Data::open(&directory.data(), key, lock)?;
        let saved = guarded(|| data.saved())?;
        Ok(Unlocked { profile: Self::new(data), master, account, saved })
    }

    /// Keeps changes, all of them or none, in one transaction.
    ///
    /// On return they are durable if somebody waits for one of them ([`Change::is_urgent`]); the
    /// others become durable with the next that are, after 30 batches, or when the profile is dropped.
    ///
    /// States of messages only move forward, the mark only rises, and an id that is among the peer's
    /// last 1,024 changes nothing.
    ///
    /// # Errors
    /// [`ProfileError::TooLong`] for a label over 128 bytes or a text over 16 KiB, and nothing is
    /// kept. After any other error the profile takes no more changes: [`ProfileError::Stopped`].
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), ProfileError> {
        if self.failed {
            return Err(ProfileError::Stopped);
        }
        changes.iter().try_for_each(batch::check)?;
        let durable =
            changes.iter().any(Change::is_urgent) || self.lazy_batches >= LAZY_BATCHES_MAX;
        self.failed = true;
        guarded(|| batch::commit(&self.data, changes, durable))?;
        self.failed = false;
        self.lazy_batches = if durable { 0 } else { self.lazy_batches + 1 };
        Ok(())
    }

    /// Returns messages exchanged with a peer, the newest first, at most `max` and at most
    /// [`HISTORY_PAGE_MAX`]; with `before`, those older than that entry.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn history(
        &self,
        peer: &IdentityHash,
        before: Option<Cursor>,
        max: usize,
    ) -> Result<Page, ProfileError> {
        history::page(&self.data, peer, before, max)
    }

    fn new(data: Data) -> Self {
        Self { data: Arc::new(data), lazy_batches: 0, failed: false }
    }
}
