//! The profile: what one account keeps on this machine, encrypted, in a directory of its own.
//!
//! ```text
//!  profile     header: salt, stretching, and sealed under the password: master key, link, user
//!  data.redb   tables of sealed values; commits are fsynced
//!  lock        held while a program uses the profile
//! ```
//!
//! Whoever reads the directory without the password sees how many peers there are, which of them are or were
//! contacts or are blocked, which have a root and which were declined, how many messages each has, how many of those
//! are ours and not delivered, how long they are to the next power of two and in which order they came; to how many people
//! something is drafted, how much to the next power of two, and for how many the history is forgotten; whether a program
//! ended, or works, with the history locked, and what came since; and how long the server's directory is.
//! Names, keys, texts, ids, times, roots, marks and the token are sealed, each bound to its place. He who can also write
//! may put back an older directory, or flip the one bit by which redb chooses between its last two
//! commits; nothing on this machine could tell. What is deleted or replaced is free space of the data file, which others
//! fill sooner or later: whoever has the password, too, may find some of it sealed there.
//!
//! While the history is locked (`texts.rs`) its key is not in memory, nor the master key, the password and what was
//! read. There remain the profile key, which opens no text; the key of what waits, which opens what came since; and in
//! the core what is being sent and received: messages of ours that are not delivered, and parts of theirs.
//!
//! Invariants:
//! - Epoch secrets are never here: a [`Change`] has no place for one.
//! - Nothing readable is handed to the database.
//! - Nothing that might be of value is overwritten: what is damaged or newer is refused as it is.

mod batch;
mod data;
mod deletion;
mod directory;
mod drafts;
mod error;
mod header;
mod history;
mod key;
mod old;
mod records;
mod row;
mod texts;
mod thread;
mod value;
mod walk;

#[cfg(test)]
mod tests;

pub use deletion::FORGETFUL_MAX;
pub use drafts::DRAFTS_MAX;
pub use error::ProfileError;
pub use history::{Cursor, Entry, HISTORY_PAGE_MAX, HistoryReader, Message, Page};
pub use key::HistoryKey;
pub use records::DiskRecords;
pub use thread::{BATCHES_WAITING_MAX, Completion, ProfileThread, SubmitError, Work};
pub use walk::{Direction, Names, Walk};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use client_core::record::{Change, KnownRestores, Saved};
use etcetera::BaseStrategy as _;
use rand_core::OsRng;
use wire::account::{SealedIdentity, Stretching};
use wire::codec::Wire;
use wire::ids::{IdentityHash, Name, Token};
use wire::kdf::{Label, Secret, hash};
use wire::link::Link;
use wire::login::stretch_locally;

use data::{Data, guarded};
use directory::{Directory, Lock};
use header::{Front, Header};
use key::ProfileKey;
use row::{IdentityRow, Table};

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
    dir: PathBuf,
    lazy_batches: u32,
    failed: bool,
}

/// Where an open profile's password stands, for another one to take its place; keeps the profile open.
#[derive(Clone)]
pub struct PasswordPlace {
    _open: Arc<Data>,
    dir: PathBuf,
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

impl PasswordPlace {
    /// Puts another password in the place of the one so far; cut off anywhere, one of the two opens the profile.
    ///
    /// Takes as long as the stretching costs.
    ///
    /// # Errors
    /// [`ProfileError::OtherMaster`] if `master` is not the key of the profile's account,
    /// [`ProfileError::Stretching`] if Argon2 does not take the cost, [`ProfileError::Damaged`] and
    /// [`ProfileError::Disk`].
    pub fn put(
        &self,
        password: &[u8],
        stretching: Stretching,
        master: &Secret,
    ) -> Result<(), ProfileError> {
        let directory = Directory::at(&self.dir);
        let header = Header::decode(&directory.read_header()?)?;
        let salt = header.front.salt;
        let key = ProfileKey::new(master, &salt);
        let account = header.open_account(&key)?;
        let stretched =
            stretch_locally(password, &salt, &stretching).map_err(|_| ProfileError::Stretching)?;
        // the salt stays, since the profile's key comes from it
        let front = Front { salt, stretching };
        let header = Header::seal(front, &stretched, master, &key, &account, &mut OsRng)?;
        Ok(directory.replace_header(&header.encode())?)
    }
}

impl PasswordPlace {
    /// Makes the key of the history anew from the profile's password; the master key is gone on return.
    ///
    /// Takes as long as the stretching costs.
    ///
    /// # Errors
    /// [`ProfileError::WrongPassword`], and as [`Profile::unlock`].
    pub fn history_key(
        &self,
        password: &[u8],
        floor: &Stretching,
    ) -> Result<HistoryKey, ProfileError> {
        let header = Header::decode(&Directory::at(&self.dir).read_header()?)?;
        let master = header.open_master(&stretch(&header.front, password, floor)?)?;
        Ok(HistoryKey::new(&master, &header.front.salt))
    }

    /// Refuses a master key that is not the one of the profile's account.
    ///
    /// # Errors
    /// [`ProfileError::OtherMaster`], [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn check(&self, master: &Secret) -> Result<(), ProfileError> {
        let header = Header::decode(&Directory::at(&self.dir).read_header()?)?;
        header.open_account(&ProfileKey::new(master, &header.front.salt)).map(drop)
    }
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
        let history = HistoryKey::new(master, &header.front.salt);
        Ok(Self::new(dir, Data::open(&directory.data(), key, history, lock)?))
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
        let master = header.open_master(&stretch(&header.front, password, floor)?)?;
        let (profile, account) = Self::open(&directory, lock, &header, &master)?;
        let saved = profile.saved()?;
        Ok(Unlocked { profile, master, account, saved })
    }

    /// Opens a profile with the account's master key, which the server gives to whoever knows the password; reads
    /// nothing of what is saved in it, and tells whose it is. [`PasswordPlace::put`] then puts that password in the
    /// place of the profile's own.
    ///
    /// So a password that was changed on another machine, or here just before a crash, opens this profile too.
    ///
    /// # Errors
    /// [`ProfileError::OtherMaster`] if this is another account's profile; else as [`Self::unlock`], but for the
    /// stretching.
    pub fn open_with_master(
        dir: &Path,
        master: &Secret,
    ) -> Result<(Self, ProfileAccount), ProfileError> {
        let directory = Directory::at(dir);
        let lock = directory.lock()?;
        let header = Header::decode(&directory.read_header()?)?;
        Self::open(&directory, lock, &header, master)
    }

    /// Returns what a restart needs.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn saved(&self) -> Result<Saved, ProfileError> {
        guarded(|| self.data.saved())
    }

    /// Returns the place of the profile's password.
    pub fn password_place(&self) -> PasswordPlace {
        PasswordPlace { _open: Arc::clone(&self.data), dir: self.dir.clone() }
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
        changes.iter().try_for_each(batch::check)?;
        let durable =
            changes.iter().any(Change::is_urgent) || self.lazy_batches >= LAZY_BATCHES_MAX;
        self.change(|data| batch::commit(data, changes, durable))?;
        self.lazy_batches = if durable { 0 } else { self.lazy_batches + 1 };
        Ok(())
    }

    /// Erases the key of the history; what comes from now on waits on disk under another, which that key seals. Waits
    /// for whoever reads a page.
    ///
    /// # Errors
    /// [`ProfileError`], as [`Self::apply`].
    pub fn lock(&mut self) -> Result<(), ProfileError> {
        self.change(texts::lock)
    }

    /// Takes the key of the history back, and what waited into the history.
    ///
    /// # Errors
    /// [`ProfileError`], as [`Self::apply`].
    pub fn open_history(&mut self, key: HistoryKey) -> Result<(), ProfileError> {
        self.change(|data| texts::unlock(data, key))
    }

    /// Keeps what is being written to somebody in place of what was kept before; an empty text is forgotten. Durable on
    /// return.
    ///
    /// # Errors
    /// [`ProfileError::TooMany`] for one more than [`DRAFTS_MAX`], [`ProfileError::TooLong`] for over 30 KiB or so, and
    /// [`ProfileError::Locked`], after which the profile takes other changes; else as [`Self::apply`].
    pub fn draft(&mut self, peer: &Name, text: &str) -> Result<(), ProfileError> {
        self.change(|data| drafts::keep(data, peer, text))
    }

    /// Returns what is drafted, by name.
    ///
    /// # Errors
    /// [`ProfileError::Locked`], [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn drafts(&self) -> Result<Vec<(String, String)>, ProfileError> {
        guarded(|| drafts::all(&self.data))
    }

    /// Chooses whether the history under a name, which is now somebody's, is deleted by [`Self::forget`]. Durable on
    /// return.
    ///
    /// # Errors
    /// [`ProfileError::TooMany`] for one more than [`FORGETFUL_MAX`], after which the profile takes other changes; else
    /// as [`Self::apply`].
    pub fn forget_on_exit(
        &mut self,
        peer: &Name,
        identity: Option<IdentityHash>,
        forget: bool,
    ) -> Result<(), ProfileError> {
        self.change(|data| deletion::choose(data, peer, identity, forget))
    }

    /// Returns whose history is deleted when the program ends, by name.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn forgetful(&self) -> Result<Vec<String>, ProfileError> {
        guarded(|| deletion::chosen(&self.data))
    }

    /// Deletes the history with everybody for whom that was chosen, but for what is not delivered. So does whoever opens
    /// the profile, in case the last program came to no end of its own.
    ///
    /// # Errors
    /// [`ProfileError`], as [`Self::apply`].
    pub fn forget(&mut self) -> Result<(), ProfileError> {
        self.change(deletion::forget)
    }

    /// Deletes the history with somebody, or all of it, but for what is not delivered. Durable on return; needs no key
    /// of the history.
    ///
    /// # Errors
    /// [`ProfileError`], as [`Self::apply`].
    pub fn delete_history(&mut self, peer: Option<&IdentityHash>) -> Result<(), ProfileError> {
        self.change(|data| deletion::delete(data, peer.map(std::slice::from_ref)))
    }

    /// Keeps the account's identity as the server keeps it, so that a start needs no server. Durable on return.
    ///
    /// # Errors
    /// [`ProfileError`], as [`Self::apply`].
    pub fn keep_identity(&mut self, identity: &SealedIdentity) -> Result<(), ProfileError> {
        let sealed = identity.0.to_vec();
        self.change(|data| {
            if data.get::<IdentityRow>(&[])?.is_some_and(|row| row.sealed == sealed) {
                return Ok(());
            }
            let rows = data.write(true)?;
            rows.put(&[], &IdentityRow { sealed })?;
            rows.commit()
        })
    }

    /// Returns the account's identity as the server keeps it; none before the first sign-in that kept it.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn identity(&self) -> Result<Option<SealedIdentity>, ProfileError> {
        let Some(row) = guarded(|| self.data.get::<IdentityRow>(&[]))? else { return Ok(None) };
        let sealed = row.sealed.try_into().map_err(|_| ProfileError::Damaged("identity"))?;
        Ok(Some(SealedIdentity(sealed)))
    }

    /// Makes a change, after whose failure no more are taken, unless it is only refused.
    fn change(
        &mut self,
        work: impl FnOnce(&Data) -> Result<(), ProfileError>,
    ) -> Result<(), ProfileError> {
        if self.failed {
            return Err(ProfileError::Stopped);
        }
        let result = guarded(|| work(&self.data));
        self.failed = !result.as_ref().err().is_none_or(ProfileError::is_refusal);
        result
    }

    /// Keeps the token of a new sign-in, and no root from before it: since the last session the account may have been on
    /// another machine, which called its contacts anew, and the newest call counts.
    ///
    /// # Errors
    /// [`ProfileError`], as [`Self::apply`].
    pub fn begin_session(&mut self, token: Token) -> Result<(), ProfileError> {
        self.change(|data| {
            let rows = data.write(true)?;
            rows.clear(Table::Roots)?;
            rows.commit()
        })?;
        self.apply(&[Change::Token(Some(token))])
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

    /// Returns how far the server's restores are known.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] and [`ProfileError::Disk`].
    pub fn restores(&self) -> Result<KnownRestores, ProfileError> {
        guarded(|| self.data.restores())
    }

    /// Opens the copy of the server's directory; reads all of it, and keeps the profile open.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`], after which [`Self::drop_records`] makes place for another copy.
    pub fn records(&self) -> Result<DiskRecords, ProfileError> {
        DiskRecords::open(Arc::clone(&self.data))
    }

    /// Removes the copy of the server's directory, of which nobody may hold an open one.
    ///
    /// # Errors
    /// [`ProfileError::Disk`].
    pub fn drop_records(&mut self) -> Result<(), ProfileError> {
        guarded(|| {
            let rows = self.data.write(true)?;
            rows.clear(Table::Records)?;
            rows.commit()
        })
    }

    fn open(
        directory: &Directory<'_>,
        lock: Lock,
        header: &Header,
        master: &Secret,
    ) -> Result<(Self, ProfileAccount), ProfileError> {
        let key = ProfileKey::new(master, &header.front.salt);
        let account = header.open_account(&key)?;
        directory.finish_creation()?;
        let history = HistoryKey::new(master, &header.front.salt);
        let data = Data::open(&directory.data(), key, history, lock)?;
        guarded(|| deletion::forget(&data))?;
        Ok((Self::new(directory.path(), data), account))
    }

    fn new(dir: &Path, data: Data) -> Self {
        Self { data: Arc::new(data), dir: dir.to_owned(), lazy_batches: 0, failed: false }
    }
}

/// Stretches a password as a header says; refuses a cost below `floor` or above the ceiling.
fn stretch(front: &Front, password: &[u8], floor: &Stretching) -> Result<Secret, ProfileError> {
    if !front.stretching.is_within(floor) {
        return Err(ProfileError::Stretching);
    }
    stretch_locally(password, &front.salt, &front.stretching).map_err(|_| ProfileError::Stretching)
}
