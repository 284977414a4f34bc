//! The kernel's end of the disk.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    TimeOrNow, WriteFlags, spawn_mount,
};

use super::fault::Fault;
use super::lock;
use super::state::{Attributes, Disk, DiskError, Kind, ROOT};

/// How long the kernel may believe what it was told: not at all.
const NO_TIME: Duration = Duration::ZERO;

/// Type bits of a mode, and those of a socket.
const TYPE: u32 = 0o170_000;
const SOCKET: u32 = 0o140_000;

/// What the kernel talks to.
pub(super) struct Mounted {
    disk: Arc<Mutex<Disk>>,
    owner: (u32, u32),
}

impl Mounted {
    /// Makes the kernel's end of a disk.
    pub(super) fn new(disk: &Arc<Mutex<Disk>>) -> Self {
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        Self { disk: disk.clone(), owner }
    }

    /// Mounts it.
    pub(super) fn mount(self, at: &Path) -> io::Result<BackgroundSession> {
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::FSName("iirs-crash".to_owned()), MountOption::NoAtime];
        spawn_mount(self, at, &config)
    }

    fn told(&self, attributes: Attributes) -> FileAttr {
        let Attributes { inode, kind, mode, bytes } = attributes;
        FileAttr {
            ino: INodeNo(inode),
            size: bytes,
            blocks: bytes.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: file_type(kind),
            perm: mode,
            nlink: 1,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    fn entry(&self, made: Result<Attributes, DiskError>, reply: ReplyEntry) {
        match made {
            Ok(made) => reply.entry(&NO_TIME, &self.told(made), Generation(0)),
            Err(error) => reply.error(errno(error)),
        }
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Socket => FileType::Socket,
    }
}

fn errno(error: DiskError) -> Errno {
    match error {
        DiskError::NoEntry => Errno::ENOENT,
        DiskError::Exists => Errno::EEXIST,
        DiskError::NotEmpty => Errno::ENOTEMPTY,
        DiskError::NotADirectory => Errno::ENOTDIR,
        DiskError::NotAFile => Errno::EISDIR,
        DiskError::OtherDirectory => Errno::EXDEV,
        DiskError::Fault(Fault::Full) => Errno::ENOSPC,
        DiskError::Fault(Fault::Write | Fault::Sync) => Errno::EIO,
        DiskError::Fault(Fault::ReadOnly) => Errno::EROFS,
    }
}

/// The permission bits of a mode.
fn permissions(mode: u32) -> u16 {
    (mode & 0o7777) as u16
}

fn done(outcome: Result<(), DiskError>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(lock(&self.disk).look_up(parent.0, name), reply);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match lock(&self.disk).attributes(inode.0) {
            Ok(attributes) => reply.attr(&NO_TIME, &self.told(attributes)),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut disk = lock(&self.disk);
        let mode = mode.map_or(Ok(()), |mode| disk.set_mode(inode.0, permissions(mode)));
        let set = mode.and_then(|()| size.map_or(Ok(()), |size| disk.set_length(inode.0, size)));
        match set.and_then(|()| disk.attributes(inode.0)) {
            Ok(attributes) => reply.attr(&NO_TIME, &self.told(attributes)),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn mknod(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let kind = if mode & TYPE == SOCKET { Kind::Socket } else { Kind::File };
        let mode = permissions(mode & !umask);
        self.entry(lock(&self.disk).make(parent.0, name, kind, mode), reply);
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let mode = permissions(mode & !umask);
        self.entry(lock(&self.disk).make(parent.0, name, Kind::Directory, mode), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(lock(&self.disk).remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(lock(&self.disk).remove(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        done(lock(&self.disk).rename((parent.0, name), (to.0, new_name)), reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mode = permissions(mode & !umask);
        match lock(&self.disk).make(parent.0, name, Kind::File, mode) {
            Ok(made) => reply.created(
                &NO_TIME,
                &self.told(made),
                Generation(0),
                FileHandle(0),
                FopenFlags::FOPEN_DIRECT_IO,
            ),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match lock(&self.disk).read(inode.0, offset, size) {
            Ok(bytes) => reply.data(bytes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match lock(&self.disk).write(inode.0, offset, data) {
            // as long as what was written, which is no longer than what was asked for
            Ok(written) => reply.written(written as u32),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, data: bool, reply: ReplyEmpty) {
        done(lock(&self.disk).sync(inode.0, data), reply);
    }

    fn fsyncdir(&self, _: &Request, inode: INodeNo, _: FileHandle, data: bool, reply: ReplyEmpty) {
        done(lock(&self.disk).sync(inode.0, data), reply);
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = match lock(&self.disk).list(inode.0) {
            Ok(listed) => listed,
            Err(error) => return reply.error(errno(error)),
        };
        // nobody follows these two here, so the parent's number does not matter
        let dots = [(".".into(), inode.0), ("..".into(), ROOT)]
            .map(|(name, inode)| (name, INodeNo(inode), FileType::Directory));
        let entries = listed.into_iter().map(|(name, entry): (std::ffi::OsString, _)| {
            (name, INodeNo(entry.inode), file_type(entry.kind))
        });
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        for (place, (name, inode, kind)) in
            dots.into_iter().chain(entries).enumerate().skip(skipped)
        {
            if reply.add(inode, place as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
