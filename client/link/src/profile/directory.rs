//! The profile's directory: its files, its lock, and how it comes into being whole.
//!
//! Creation writes both files under other names and renames the header, then the data. So a header
//! means that all was written; without one, files under the other names are left-overs of no value. Beside a
//! header, another one under the other name is the left-over of a change of password that was cut off.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::ProfileError;

const HEADER: &str = "profile";
const HEADER_NEW: &str = "profile.new";
const DATA: &str = "data.redb";
const DATA_NEW: &str = "data.redb.new";
const LOCK: &str = "lock";

/// The most bytes of a header file that are read; every version's header is shorter.
const HEADER_BYTES_MAX: u64 = 64 * 1024;

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Where a profile is.
pub(super) struct Directory<'a> {
    path: &'a Path,
}

/// Keeps other programs off the profile until it is dropped.
pub(super) struct Lock {
    _file: File,
}

impl<'a> Directory<'a> {
    pub(super) fn at(path: &'a Path) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    pub(super) fn has_header(&self) -> bool {
        self.file(HEADER).exists()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.file(DATA)
    }

    /// Makes the directory and all above it, for the owner only; durable on return.
    ///
    /// Of a directory that is there, the mode changes only if it is empty: it might be anybody's.
    pub(super) fn make(&self) -> io::Result<()> {
        let missing: Vec<_> = self.path.ancestors().take_while(|path| !path.exists()).collect();
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(self.path)?;
        if fs::read_dir(self.path)?.next().is_none() {
            fs::set_permissions(self.path, Permissions::from_mode(DIRECTORY_MODE))?;
        }
        missing.into_iter().filter_map(Path::parent).try_for_each(|parent| {
            let here = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            File::open(here)?.sync_all()
        })
    }

    pub(super) fn lock(&self) -> Result<Lock, ProfileError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .open(self.file(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(ProfileError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Refuses to make a profile where one is, or where the data of one lies without its header.
    pub(super) fn refuse_existing(&self) -> Result<(), ProfileError> {
        if self.has_header() {
            return Err(ProfileError::Exists);
        }
        if self.data().exists() {
            return Err(ProfileError::Damaged("header file is missing"));
        }
        Ok(())
    }

    /// Makes the file that the data of a new profile goes to, empty.
    pub(super) fn new_data_file(&self) -> io::Result<PathBuf> {
        let path = self.file(DATA_NEW);
        write_options().open(&path)?;
        Ok(path)
    }

    /// Writes the header and puts it and the new data in place; durable on return.
    pub(super) fn put_in_place(&self, header: &[u8]) -> io::Result<()> {
        self.write_new_header(header)?;
        File::open(self.file(DATA_NEW))?.sync_all()?;
        self.sync()?;
        self.rename_new_header()?;
        self.finish_creation()
    }

    /// Puts another header in the place of the one that is there; cut off anywhere, one of the two is whole
    /// and in place. Durable on return.
    pub(super) fn replace_header(&self, header: &[u8]) -> io::Result<()> {
        self.write_new_header(header)?;
        self.sync()?;
        self.rename_new_header()
    }

    fn write_new_header(&self, header: &[u8]) -> io::Result<()> {
        let mut file = write_options().open(self.file(HEADER_NEW))?;
        file.write_all(header)?;
        file.sync_all()
    }

    fn rename_new_header(&self) -> io::Result<()> {
        fs::rename(self.file(HEADER_NEW), self.file(HEADER))?;
        self.sync()
    }

    /// Takes the last step of a creation that was cut off before it.
    pub(super) fn finish_creation(&self) -> io::Result<()> {
        if !self.data().exists() && self.file(DATA_NEW).exists() {
            fs::rename(self.file(DATA_NEW), self.data())?;
            self.sync()?;
        }
        Ok(())
    }

    pub(super) fn read_header(&self) -> Result<Vec<u8>, ProfileError> {
        let file = match File::open(self.file(HEADER)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(ProfileError::Missing),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(HEADER_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Makes renames durable.
    fn sync(&self) -> io::Result<()> {
        File::open(self.path)?.sync_all()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn write_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(FILE_MODE);
    options
}
