//! How many writes are on the disk, kept beside sled: a store that has fewer has lost some.
//!
//! ```text
//! store/written   8,192 bytes
//!      0   8  transactions that are durable, big endian
//!      8   8  the first bytes of SHA-256("iirs 1 written" | those 8)
//!   4096  16  the same, of the commit before or after
//! ```
//!
//! The two places are written in turns, so that one that a power cut tears leaves the other.
//!
//! Invariant: the number is never above what sled has durably. It is written after sled's log is synced, and synced
//! itself before anything is acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::open::{self, FILE_MODE, OpenError, io_error};

/// The name of the file, in sled's directory.
pub(super) const WRITTEN: &str = "written";

/// The file in the making.
const NEW_WRITTEN: &str = "written.new";

/// Where the two numbers stand: never in one block of the disk.
const PLACES: [u64; 2] = [0, 4096];

const FILE_BYTES: usize = 8192;

/// The file with the number.
pub(super) struct Written {
    file: File,
    number: u64,
    /// Which of [`PLACES`] has it.
    place: usize,
}

impl Written {
    /// Makes the file of a store, durably: it has its name only when it is whole.
    pub(super) fn create(store: &Path, number: u64) -> Result<Self, OpenError> {
        let (new, path) = (store.join(NEW_WRITTEN), store.join(WRITTEN));
        let create = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).mode(FILE_MODE);
            let file = options.open(&new)?;
            let mut bytes = vec![0; FILE_BYTES];
            for place in PLACES {
                bytes[place as usize..][..16].copy_from_slice(&encode(number));
            }
            file.write_all_at(&bytes, 0)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            Ok(file)
        };
        let file = create().map_err(io_error("write", &path))?;
        open::sync(store)?;
        Ok(Self { file, number, place: 0 })
    }

    /// Opens the file of a store; `None` if it is missing.
    pub(super) fn open(data_dir: &Path, store: &Path) -> Result<Option<Self>, OpenError> {
        let path = store.join(WRITTEN);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        let mut found = None;
        for (place, at) in PLACES.into_iter().enumerate() {
            let number = read(&file, at).map_err(io_error("read", &path))?;
            found = found.max(number.map(|number| (number, place)));
        }
        let Some((number, place)) = found else {
            let reason = format!("{} has no number that can be read", path.display());
            return Err(OpenError::Damaged { path: data_dir.into(), reason });
        };
        Ok(Some(Self { file, number, place }))
    }

    /// Returns the number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Raises the number to what sled has durably, and syncs it.
    pub(super) fn raise(&mut self, number: u64) -> io::Result<()> {
        if number == self.number {
            return Ok(());
        }
        let place = 1 - self.place;
        self.file.write_all_at(&encode(number), PLACES[place])?;
        self.file.sync_data()?;
        (self.number, self.place) = (number, place);
        Ok(())
    }
}

fn encode(number: u64) -> [u8; 16] {
    let number = number.to_be_bytes();
    let digest = Sha256::new().chain_update("iirs 1 written").chain_update(number).finalize();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number);
    bytes[8..].copy_from_slice(&digest[..8]);
    bytes
}

/// Reads the number in a place; `None` if there is none.
fn read(file: &File, at: u64) -> io::Result<Option<u64>> {
    let mut bytes = [0; 16];
    match file.read_exact_at(&mut bytes, at) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let number = bytes[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok((encode(number) == bytes).then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(dir: &Path) -> Option<u64> {
        Written::open(dir, dir).unwrap().map(|written| written.number())
    }

    #[test]
    fn the_number_is_what_it_was_raised_to_last() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(opened(dir.path()), None);
        let mut written = Written::create(dir.path(), 7).unwrap();
        assert_eq!(opened(dir.path()), Some(7));
        for number in [8, 9, 12, 14] {
            written.raise(number).unwrap();
            assert_eq!((written.number(), opened(dir.path())), (number, Some(number)));
            written = Written::open(dir.path(), dir.path()).unwrap().unwrap();
        }
    }

    #[test]
    fn a_torn_number_leaves_the_one_before_and_two_are_damage() {
        let dir = tempfile::tempdir().unwrap();
        let mut written = Written::create(dir.path(), 1).unwrap();
        written.raise(2).unwrap();
        written.raise(3).unwrap();
        // 3 stands in the first place.
        written.file.write_all_at(&[9; 3], 6).unwrap();
        assert_eq!(opened(dir.path()), Some(2));
        // The next one takes the torn place.
        let mut again = Written::open(dir.path(), dir.path()).unwrap().unwrap();
        again.raise(3).unwrap();
        assert_eq!(opened(dir.path()), Some(3));
        written.file.set_len(4100).unwrap();
        assert_eq!(opened(dir.path()), Some(3));
        written.file.set_len(10).unwrap();
        let refused = Written::open(dir.path(), dir.path()).err().unwrap();
        assert!(refused.to_string().contains("has no number that can be read"), "{refused}");
    }
}
