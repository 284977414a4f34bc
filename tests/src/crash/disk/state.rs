//! The disk: of each file and directory what programs see, and what is still there after a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use rand_core::RngCore;

use super::fault::{Fault, Faults};

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// Number of the root directory.
pub(super) const ROOT: u64 = 1;

/// Why the disk did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskError {
    /// There is no such file or directory.
    NoEntry,
    /// It is there already.
    Exists,
    /// The directory has entries.
    NotEmpty,
    /// Not a directory.
    NotADirectory,
    /// Not a file.
    NotAFile,
    /// A rename from one directory to another, which nobody here needs.
    OtherDirectory,
    /// A fault that was asked for.
    Fault(Fault),
}

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
}

/// What is told of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Its number.
    pub(super) inode: u64,
    /// What it is.
    pub(super) kind: Kind,
    /// Permissions.
    pub(super) mode: u16,
    /// Length in bytes.
    pub(super) bytes: u64,
}

/// A disk.
#[derive(Clone)]
pub(super) struct Disk {
    inodes: BTreeMap<u64, Inode>,
    next: u64,
    /// What goes wrong.
    pub(super) faults: Faults,
}

/// Permissions are durable at once; nothing here depends on when.
#[derive(Clone)]
struct Inode {
    mode: u16,
    node: Node,
}

#[derive(Clone)]
enum Node {
    File(Contents),
    Directory(Names),
    Socket,
}

/// The bytes of a file.
#[derive(Clone, Default)]
struct Contents {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync.
    unsynced: BTreeSet<usize>,
}

/// The entries of a directory.
#[derive(Clone, Default)]
struct Names {
    live: BTreeMap<OsString, u64>,
    durable: BTreeMap<OsString, u64>,
    /// Changes since the last sync, in their order; a disk may keep the first ones of them.
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Put(OsString, u64),
    Remove(OsString),
    Rename(OsString, OsString),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<OsString, u64>) {
        match self {
            Self::Put(name, inode) => drop(names.insert(name.clone(), *inode)),
            Self::Remove(name) => drop(names.remove(name)),
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl Disk {
    /// Makes an empty disk.
    pub(super) fn new() -> Self {
        let root = Inode { mode: 0o700, node: Node::Directory(Names::default()) };
        Self { inodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1, faults: Faults::default() }
    }

    /// Looks a name up.
    pub(super) fn look_up(&self, parent: u64, name: &OsStr) -> Result<Attributes, DiskError> {
        let inode = self.names(parent)?.live.get(name).ok_or(DiskError::NoEntry)?;
        self.attributes(*inode)
    }

    /// Tells what an inode is.
    pub(super) fn attributes(&self, number: u64) -> Result<Attributes, DiskError> {
        let inode = self.inodes.get(&number).ok_or(DiskError::NoEntry)?;
        let (kind, bytes) = match &inode.node {
            Node::File(contents) => (Kind::File, contents.live.len() as u64),
            Node::Directory(_) => (Kind::Directory, 0),
            Node::Socket => (Kind::Socket, 0),
        };
        Ok(Attributes { inode: number, kind, mode: inode.mode, bytes })
    }

    /// Lists a directory.
    pub(super) fn list(&self, number: u64) -> Result<Vec<(OsString, Attributes)>, DiskError> {
        let names = self.names(number)?.live.iter();
        names.map(|(name, inode)| Ok((name.clone(), self.attributes(*inode)?))).collect()
    }

    /// Makes a file, a directory or a socket.
    pub(super) fn make(
        &mut self,
        parent: u64,
        name: &OsStr,
        kind: Kind,
        mode: u16,
    ) -> Result<Attributes, DiskError> {
        self.faults.change()?;
        if self.names(parent)?.live.contains_key(name) {
            return Err(DiskError::Exists);
        }
        let node = match kind {
            Kind::File => Node::File(Contents::default()),
            Kind::Directory => Node::Directory(Names::default()),
            Kind::Socket => Node::Socket,
        };
        let number = self.next;
        self.next += 1;
        self.inodes.insert(number, Inode { mode, node });
        self.change(parent, Change::Put(name.to_owned(), number))?;
        self.attributes(number)
    }

    /// Takes a name away; who has the file open keeps it.
    pub(super) fn remove(&mut self, parent: u64, name: &OsStr) -> Result<(), DiskError> {
        self.faults.change()?;
        let inode = self.look_up(parent, name)?.inode;
        if self.names(inode).is_ok_and(|names| !names.live.is_empty()) {
            return Err(DiskError::NotEmpty);
        }
        self.change(parent, Change::Remove(name.to_owned()))
    }

    /// Renames within a directory, over what has the new name.
    pub(super) fn rename(
        &mut self,
        (from, name): (u64, &OsStr),
        (to, new_name): (u64, &OsStr),
    ) -> Result<(), DiskError> {
        self.faults.change()?;
        if from != to {
            return Err(DiskError::OtherDirectory);
        }
        self.look_up(from, name)?;
        self.change(from, Change::Rename(name.to_owned(), new_name.to_owned()))
    }

    /// Sets permissions.
    pub(super) fn set_mode(&mut self, number: u64, mode: u16) -> Result<(), DiskError> {
        self.faults.change()?;
        self.inodes.get_mut(&number).ok_or(DiskError::NoEntry)?.mode = mode;
        Ok(())
    }

    /// Sets the length of a file.
    pub(super) fn set_length(&mut self, number: u64, bytes: u64) -> Result<(), DiskError> {
        self.faults.change()?;
        let bytes = usize::try_from(bytes).map_err(|_| DiskError::Fault(Fault::Full))?;
        let contents = self.contents_mut(number)?;
        let touched = contents.live.len().min(bytes)..contents.live.len().max(bytes);
        contents.live.resize(bytes, 0);
        contents.touch(touched);
        Ok(())
    }

    /// Reads from a file; less at its end.
    pub(super) fn read(&self, number: u64, from: u64, bytes: u32) -> Result<&[u8], DiskError> {
        let Some(Inode { node: Node::File(contents), .. }) = self.inodes.get(&number) else {
            return Err(DiskError::NotAFile);
        };
        let length = contents.live.len();
        let from = usize::try_from(from).unwrap_or(length).min(length);
        let end = from.saturating_add(bytes as usize).min(length);
        Ok(&contents.live[from..end])
    }

    /// Writes to a file; returns how many bytes.
    pub(super) fn write(
        &mut self,
        number: u64,
        from: u64,
        bytes: &[u8],
    ) -> Result<usize, DiskError> {
        let taken = self.faults.write(bytes.len())?;
        let from = usize::try_from(from).map_err(|_| DiskError::Fault(Fault::Full))?;
        let contents = self.contents_mut(number)?;
        let range = from..from + taken;
        if contents.live.len() < range.end {
            contents.live.resize(range.end, 0);
        }
        contents.live[range.clone()].copy_from_slice(&bytes[..taken]);
        contents.touch(range);
        Ok(taken)
    }

    /// Makes the contents of a file, or the entries of a directory, durable.
    pub(super) fn sync(&mut self, number: u64, only_data: bool) -> Result<(), DiskError> {
        let outcome = self.faults.sync(only_data);
        let inode = self.inodes.get_mut(&number).ok_or(DiskError::NoEntry)?;
        match (outcome, &mut inode.node) {
            (Ok(true), Node::File(contents)) => contents.sync(),
            (Ok(true), Node::Directory(names)) => {
                names.durable.clone_from(&names.live);
                names.unsynced.clear();
            }
            (Ok(true), Node::Socket) | (Ok(false), _) => (),
            (Err(error), node) => {
                if let Node::File(contents) = node {
                    contents.unsynced.clear();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes the power away: of what was not synced, only what chance kept is left.
    pub(super) fn cut(&mut self, rng: &mut impl RngCore) {
        for inode in self.inodes.values_mut() {
            match &mut inode.node {
                Node::File(contents) => contents.cut(rng),
                Node::Directory(names) => names.cut(rng),
                Node::Socket => (),
            }
        }
        // what no name leads to is gone
        let (mut reached, mut waiting) = (BTreeSet::new(), vec![ROOT]);
        while let Some(number) = waiting.pop() {
            reached.insert(number);
            if let Ok(names) = self.names(number) {
                waiting.extend(names.live.values());
            }
        }
        self.inodes.retain(|number, _| reached.contains(number));
    }

    fn change(&mut self, parent: u64, change: Change) -> Result<(), DiskError> {
        let names = self.names_mut(parent)?;
        change.apply(&mut names.live);
        names.unsynced.push(change);
        Ok(())
    }

    fn names(&self, number: u64) -> Result<&Names, DiskError> {
        match self.inodes.get(&number) {
            Some(Inode { node: Node::Directory(names), .. }) => Ok(names),
            Some(_) => Err(DiskError::NotADirectory),
            None => Err(DiskError::NoEntry),
        }
    }

    fn names_mut(&mut self, number: u64) -> Result<&mut Names, DiskError> {
        match self.inodes.get_mut(&number) {
            Some(Inode { node: Node::Directory(names), .. }) => Ok(names),
            Some(_) => Err(DiskError::NotADirectory),
            None => Err(DiskError::NoEntry),
        }
    }

    fn contents_mut(&mut self, number: u64) -> Result<&mut Contents, DiskError> {
        match self.inodes.get_mut(&number) {
            Some(Inode { node: Node::File(contents), .. }) => Ok(contents),
            Some(_) => Err(DiskError::NotAFile),
            None => Err(DiskError::NoEntry),
        }
    }
}

impl Contents {
    /// Takes note that bytes changed.
    fn touch(&mut self, bytes: std::ops::Range<usize>) {
        self.unsynced.extend(bytes.start / SECTOR..bytes.end.div_ceil(SECTOR));
    }

    fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            copy_sector(&self.live, &mut self.durable, sector);
        }
    }

    /// Keeps none, all, some, or the first ones of the sectors that were not synced, and the old length or the new.
    fn cut(&mut self, rng: &mut impl RngCore) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let first = rng.next_u32() as usize % (unsynced.len() + 1);
        let way = rng.next_u32() % 4;
        let kept = |place: usize, rng: &mut dyn RngCore| match way {
            0 => false,
            1 => true,
            2 => rng.next_u32().is_multiple_of(2),
            _ => place < first,
        };
        if !unsynced.is_empty() && (way == 1 || rng.next_u32().is_multiple_of(2)) {
            self.durable.resize(self.live.len(), 0);
        }
        for (place, sector) in unsynced.into_iter().enumerate() {
            if kept(place, rng) {
                let end = ((sector + 1) * SECTOR).min(self.live.len());
                if self.durable.len() < end {
                    self.durable.resize(end, 0);
                }
                copy_sector(&self.live, &mut self.durable, sector);
            }
        }
        self.live.clone_from(&self.durable);
    }
}

impl Names {
    /// Keeps the first ones of the changes that were not synced, perhaps none, perhaps all.
    fn cut(&mut self, rng: &mut impl RngCore) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let kept = rng.next_u32() as usize % (unsynced.len() + 1);
        for change in &unsynced[..kept] {
            change.apply(&mut self.durable);
        }
        self.live.clone_from(&self.durable);
    }
}

/// Copies what both have of a sector.
fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(from.len()).min(to.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::super::fault::Coming;
    use super::*;

    const LONG: usize = 3 * SECTOR + 7;

    fn name(text: &str) -> &OsStr {
        OsStr::new(text)
    }

    fn file(disk: &mut Disk, text: &str) -> u64 {
        disk.make(ROOT, name(text), Kind::File, 0o600).unwrap().inode
    }

    fn contents(disk: &Disk, text: &str) -> Option<Vec<u8>> {
        let inode = disk.look_up(ROOT, name(text)).ok()?.inode;
        Some(disk.read(inode, 0, u32::MAX).unwrap().to_vec())
    }

    #[test]
    fn what_was_synced_outlives_every_cut() {
        for seed in 0..200 {
            let (mut rng, mut disk) = (ChaCha20Rng::seed_from_u64(seed), Disk::new());
            let inode = file(&mut disk, "log");
            disk.write(inode, 0, &[1; LONG]).unwrap();
            disk.sync(inode, true).unwrap();
            disk.sync(ROOT, false).unwrap();
            file(&mut disk, "other");
            disk.cut(&mut rng);
            assert_eq!(contents(&disk, "log").unwrap(), [1; LONG]);
        }
    }

    #[test]
    fn what_was_not_synced_is_kept_lost_and_torn() {
        let mut found = BTreeSet::new();
        for seed in 0..200 {
            let (mut rng, mut disk) = (ChaCha20Rng::seed_from_u64(seed), Disk::new());
            let inode = file(&mut disk, "log");
            disk.write(inode, 0, &[1; LONG]).unwrap();
            disk.sync(inode, true).unwrap();
            disk.sync(ROOT, false).unwrap();
            disk.write(inode, 0, &[2; LONG]).unwrap();
            disk.cut(&mut rng);
            let left = contents(&disk, "log").unwrap();
            assert_eq!(left.len(), LONG);
            let sectors: Vec<u8> = left
                .chunks(SECTOR)
                .map(|sector| {
                    assert!(sector.iter().all(|byte| *byte == sector[0]), "a torn sector");
                    sector[0]
                })
                .collect();
            found.insert(sectors);
        }
        assert!(found.contains(&vec![1; 4]) && found.contains(&vec![2; 4]), "{found:?}");
        assert_eq!(found.len(), 16, "every mixture of old and new sectors: {found:?}");
    }

    #[test]
    fn a_name_that_was_not_synced_may_be_gone_and_a_rename_is_never_half() {
        let (mut gone, mut renamed) = (0, 0);
        for seed in 0..200 {
            let (mut rng, mut disk) = (ChaCha20Rng::seed_from_u64(seed), Disk::new());
            let inode = file(&mut disk, "new");
            disk.write(inode, 0, &[1]).unwrap();
            disk.sync(inode, false).unwrap();
            disk.rename((ROOT, name("new")), (ROOT, name("store"))).unwrap();
            disk.cut(&mut rng);
            let left = (contents(&disk, "new"), contents(&disk, "store"));
            assert!(left.0.is_none() || left.1.is_none());
            gone += usize::from(left == (None, None));
            renamed += usize::from(left.1.is_some());
            assert_eq!(disk.attributes(inode).is_ok(), left != (None, None));
        }
        assert!(gone > 20 && renamed > 20, "{gone} {renamed}");
    }

    #[test]
    fn a_disk_whose_fdatasync_lies_loses_what_was_synced() {
        let mut lost = 0;
        for seed in 0..50 {
            let (mut rng, mut disk) = (ChaCha20Rng::seed_from_u64(seed), Disk::new());
            disk.faults.without_fdatasync = true;
            let inode = file(&mut disk, "log");
            disk.sync(ROOT, false).unwrap();
            disk.write(inode, 0, &[1; LONG]).unwrap();
            disk.sync(inode, true).unwrap();
            disk.cut(&mut rng);
            lost += usize::from(contents(&disk, "log").unwrap() != [1; LONG]);
        }
        assert!(lost > 10, "{lost}");
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_a_failed_sync_keeps_nothing() {
        let mut disk = Disk::new();
        let inode = file(&mut disk, "log");
        disk.sync(ROOT, false).unwrap();
        disk.faults.coming = Some(Coming { fault: Fault::Full, after: 10 });
        assert_eq!(disk.write(inode, 0, &[1; 8]), Ok(8));
        assert_eq!(disk.write(inode, 8, &[1; 8]), Ok(2));
        assert_eq!(disk.write(inode, 10, &[1; 8]), Err(DiskError::Fault(Fault::Full)));

        disk.faults.coming = Some(Coming { fault: Fault::Sync, after: 0 });
        assert_eq!(disk.sync(inode, true), Err(DiskError::Fault(Fault::Sync)));
        disk.faults.coming = None;
        assert_eq!(disk.sync(inode, true), Ok(()));
        assert_eq!(contents(&disk, "log").unwrap(), [1; 10]);
        disk.cut(&mut ChaCha20Rng::seed_from_u64(0));
        // the second sync kept the length, and had nothing more to write
        assert_eq!(contents(&disk, "log").unwrap(), [0; 10]);
    }
}
