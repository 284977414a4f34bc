//! A disk that this program is: mounted by FUSE, kept in memory, with power cuts and faults on demand.
//!
//! ```text
//! server ──► kernel ──► Mounted ──► state: what is seen │ what is durable ◄── fsync
//!                                                       ▼
//!                                                  cut: durable, and some of the rest
//! ```

mod fault;
mod mounted;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::BackgroundSession;
use rand_core::RngCore;

pub(super) use fault::{Coming, Fault, Faults};
use mounted::Mounted;
use state::{Disk, Kind, ROOT};

/// Where the kernel has its end of FUSE.
pub(super) const DEVICE: &str = "/dev/fuse";

/// A disk that is mounted at a directory; unmounted when dropped.
pub(super) struct PowerDisk {
    at: PathBuf,
    disk: Arc<Mutex<Disk>>,
    session: Option<BackgroundSession>,
    /// What was on it after the last cut.
    after_cut: Disk,
}

impl PowerDisk {
    /// Mounts an empty disk at an empty directory.
    ///
    /// # Errors
    /// If this user may not mount.
    pub(super) fn mount(at: &Path, faults: Faults) -> io::Result<Self> {
        let mut empty = Disk::new();
        empty.faults = faults;
        let (at, disk) = (at.to_owned(), Arc::new(Mutex::new(empty.clone())));
        let mut mounted = Self { at, disk, session: None, after_cut: empty };
        mounted.on()?;
        Ok(mounted)
    }

    /// Sets what goes wrong on it.
    pub(super) fn set_faults(&self, faults: Faults) {
        lock(&self.disk).faults = faults;
    }

    /// Takes the power away and gives it back; no process may have anything open on it.
    ///
    /// # Errors
    /// If it cannot be unmounted or mounted.
    pub(super) fn cut(&mut self, rng: &mut impl RngCore) -> io::Result<()> {
        self.off()?;
        let mut disk = lock(&self.disk);
        disk.cut(rng);
        self.after_cut.clone_from(&disk);
        drop(disk);
        self.on()
    }

    /// Unmounts, and copies what is on it to a directory, and what was on it after the last cut to another.
    ///
    /// # Errors
    /// If it cannot be unmounted, or the directories not be written.
    pub(super) fn export(&mut self, now: &Path, after_cut: &Path) -> io::Result<()> {
        self.off()?;
        copy_out(&lock(&self.disk), ROOT, now)?;
        copy_out(&self.after_cut, ROOT, after_cut)
    }

    fn on(&mut self) -> io::Result<()> {
        self.session = Some(Mounted::new(&self.disk).mount(&self.at)?);
        Ok(())
    }

    fn off(&mut self) -> io::Result<()> {
        self.session.take().map_or(Ok(()), BackgroundSession::umount_and_join)
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copy_out(disk: &Disk, from: u64, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for (name, entry) in disk.list(from).map_err(|_| io::ErrorKind::NotADirectory)? {
        let to = to.join(name);
        match entry.kind {
            Kind::Directory => copy_out(disk, entry.inode, &to)?,
            Kind::File => {
                let bytes = disk.read(entry.inode, 0, u32::MAX);
                std::fs::write(to, bytes.map_err(|_| io::ErrorKind::InvalidData)?)?;
            }
            Kind::Socket => (),
        }
    }
    Ok(())
}
