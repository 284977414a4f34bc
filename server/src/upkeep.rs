//! What an operator does with a store beside serving it: backup, restore, check, migrate.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::admin::{self, AdminError};
use crate::clock;
use crate::config::Config;
use crate::run;
use crate::store::{
    BackupInfo, Depth, Migration, PROBLEMS_MAX, Report, RestoredStore, Scratch, SledStore,
    check_backup, check_store, migrate_copy, migrate_store, restore as restore_store, verify,
};

/// How often long work says how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Bytes that are copied at once.
const CHUNK_BYTES: usize = 256 << 10;

/// A backup has secrets in it: owner only.
const FILE_MODE: u32 = 0o600;

/// Writes a backup of the store to a file that is not there yet, whether a server runs on it or not.
///
/// # Errors
/// What failed and what to do; no file is left behind.
pub(crate) fn backup(config: &Config, path: &Path) -> anyhow::Result<()> {
    refuse_existing(path)?;
    let part = part_of(path)?;
    let file = open_part(&part)?;
    let written = write_backup(config, file, path).and_then(|info| {
        put_in_place(&part, path)?;
        Ok(info)
    });
    let info = written.inspect_err(|_| {
        // What failed before is what counts.
        let _ = fs::remove_file(&part);
    })?;
    let BackupInfo { records, accounts, bytes, .. } = info;
    eprintln!(
        "{}: {accounts} accounts, {records} records, {bytes} bytes, read again and found whole.\n\
         It holds the server's keys and everybody's sealed keys: whoever has it can pose as the server and \
         guess passwords.\n\
         Keep it as safe as the data directory; `iirs-server check {0}` looks into it, `iirs-server restore {0}` puts \
         it back.",
        path.display()
    );
    Ok(())
}

fn refuse_existing(path: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) => {
            bail!("{} is there already: give another name; nothing is overwritten", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
    }
}

fn part_of(path: &Path) -> anyhow::Result<PathBuf> {
    let mut name = path.file_name().context("give the name of a file for the backup")?.to_owned();
    name.push(".part");
    Ok(path.with_file_name(name))
}

/// Opens the file that the backup is written to; one that was cut short is written over.
fn open_part(part: &Path) -> anyhow::Result<File> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).expect("open(2) takes an int");
    let cannot =
        || format!("cannot write {}: choose a directory that you may write to", part.display());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(flags)
        .open(part)
        .with_context(cannot)?;
    if file.try_lock().is_err() {
        bail!("another backup writes {}: wait until it is done", part.display());
    }
    file.set_permissions(Permissions::from_mode(FILE_MODE)).with_context(cannot)?;
    file.set_len(0).with_context(cannot)?;
    Ok(file)
}

/// Writes the backup, syncs it and reads it again.
fn write_backup(config: &Config, mut file: File, path: &Path) -> anyhow::Result<BackupInfo> {
    let mut progress = Progress::new("backup");
    match admin::ask_backup(&config.data_dir) {
        Ok(mut bytes) => {
            let copied = copy(&mut bytes, &file, &mut progress);
            copied.with_context(|| format!("cannot write {}; nothing was kept", path.display()))?;
        }
        Err(AdminError::NotRunning(_)) => {
            let store = SledStore::open_existing(&config.data_dir)?;
            let out = BufWriter::with_capacity(CHUNK_BYTES, &file);
            store.begin_backup()?.write(out, clock::unix_ms(), || {
                let written = file.metadata().map_or(0, |it| it.len());
                progress.tell(format_args!("{} MiB", written >> 20));
                true
            })?;
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all().with_context(|| format!("cannot sync {}; check the disk", path.display()))?;
    let verified = verify(&mut file);
    verified.context(
        "what was written is no whole backup: the server stopped meanwhile, or its log says why",
    )
}

fn copy(from: &mut impl Read, mut to: &File, progress: &mut Progress) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut copied: u64 = 0;
    loop {
        let length = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&chunk[..length])?;
        copied += length as u64;
        progress.tell(format_args!("{} MiB", copied >> 20));
    }
}

/// Gives the file its name, unless another has it by now.
fn put_in_place(part: &Path, path: &Path) -> anyhow::Result<()> {
    match renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => (),
        // Not every file system knows how.
        Err(Errno::INVAL | Errno::NOSYS) => {
            refuse_existing(path)?;
            fs::rename(part, path)?;
        }
        Err(Errno::EXIST) => refuse_existing(path)?,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot name {}", path.display()));
        }
    }
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(parent).and_then(|parent| parent.sync_all());
    synced.with_context(|| format!("cannot sync the directory of {}", path.display()))
}

/// Puts a backup into an empty or missing data directory.
///
/// # Errors
/// What is wrong and what to do; nothing is in place then.
pub(crate) fn restore(config: &Config, path: &Path, after_round: u64) -> anyhow::Result<()> {
    let mut file = open_backup(path)?;
    let mut progress = Progress::new("restore");
    let data_dir = &config.data_dir;
    let told = &mut |what: &'static str, number| progress.tell(format_args!("{number} {what}"));
    let restored = restore_store(&mut file, data_dir, clock::unix_ms(), after_round, told);
    let restored = restored.with_context(|| format!("cannot restore {}", path.display()))?;
    let RestoredStore { backup, first_round, .. } = restored;
    let BackupInfo { accounts, records, created_ms, .. } = backup;
    eprintln!(
        "{}: {accounts} accounts, {records} records, as they were at {}; checked, and on the disk.\n\
         What was registered or changed after that is gone, and so are the sessions and vaults of that time. \
         Every client is told so once. Rounds go on at number {first_round}.\n\
         Start it with `iirs-server run`, with the configuration of before. Never start the old server again: \
         both have one identity.",
        data_dir.display(),
        time_of(created_ms),
    );
    Ok(())
}

fn open_backup(path: &Path) -> anyhow::Result<File> {
    File::open(path)
        .with_context(|| format!("cannot read {}: give the file of a backup", path.display()))
}

/// Checks a store that no server uses, or a backup.
///
/// # Errors
/// If anything is wrong with it, which was printed.
pub(crate) fn check(config: &Config, file: Option<&Path>) -> anyhow::Result<()> {
    let mut progress = Progress::new("check");
    let told = &mut |what: &'static str, number| progress.tell(format_args!("{what} {number}"));
    let (mut report, what) = match file {
        None => {
            let report = check_store(&config.data_dir, Depth::Signatures, told)?;
            (report, config.data_dir.display().to_string())
        }
        Some(path) => {
            let mut file = open_backup(path)?;
            let scratch = Scratch::new(&std::env::temp_dir())?;
            let checked = check_backup(&mut file, scratch.path(), Depth::Signatures, told);
            let (backup, report) = checked.with_context(|| path.display().to_string())?;
            let at = time_of(backup.created_ms);
            (report, format!("{} of {at}", path.display()))
        }
    };
    for error in run::check_secrets(&report.secrets) {
        report.problem(error);
    }
    conclude(&report, &what)
}

/// Brings a store to the newest schema, or says what that would do.
///
/// # Errors
/// If it cannot be done, or what comes out is wrong.
pub(crate) fn migrate(config: &Config, dry_run: bool) -> anyhow::Result<()> {
    let mut progress = Progress::new("migrate");
    let told =
        &mut |what: &'static str, number| progress.tell(format_args!("checked {number} of {what}"));
    let migration = if dry_run {
        let scratch = Scratch::new(&std::env::temp_dir())?;
        eprintln!("migrate: works on a copy in {}", scratch.path().display());
        migrate_copy(&config.data_dir, scratch.path(), told)?
    } else {
        migrate_store(&config.data_dir, told)?
    };
    let Migration { from, rewrites, report } = migration;
    let newest = migrations::VERSION;
    let (would, have) = if dry_run { ("would be", "nothing was changed") } else { ("was", "done") };
    if from == newest {
        println!("schema version {from}, the newest: nothing to do");
    } else {
        println!("schema version {from} {would} brought to {newest}: {have}");
        for (tree, records) in rewrites {
            println!("  {tree:<16} {records} records rewritten");
        }
        if dry_run {
            println!(
                "Make a copy of the data directory before the change: releases of before cannot read it after it."
            );
        }
    }
    conclude(&report, &config.data_dir.display().to_string())
}

/// Prints what a check found.
fn conclude(report: &Report, what: &str) -> anyhow::Result<()> {
    for (tree, records) in &report.records {
        println!("  {tree:<16} {records}");
    }
    if report.is_sound() {
        println!("{what}: {} accounts, nothing is wrong", report.accounts);
        return Ok(());
    }
    for problem in &report.problems {
        println!("wrong: {problem}");
    }
    if report.problem_count > PROBLEMS_MAX as u64 {
        println!("and {} more", report.problem_count - PROBLEMS_MAX as u64);
    }
    bail!(
        "{} things are wrong in {what}: restore a backup that `iirs-server check FILE` finds nothing wrong with, \
         and keep the damaged one for whoever looks into it",
        report.problem_count
    )
}

/// Returns a time as people read it, in UTC.
fn time_of(unix_ms: u64) -> String {
    let minutes = unix_ms / 60_000;
    format!("{} {:02}:{:02} UTC", crate::program::day_of(unix_ms), minutes / 60 % 24, minutes % 60)
}

/// Tells on standard error how far long work is, every other second.
struct Progress {
    what: &'static str,
    told: Instant,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        Self { what, told: clock::now() }
    }

    fn tell(&mut self, how_far: std::fmt::Arguments<'_>) {
        let now = clock::now();
        if now.duration_since(self.told) >= TOLD_EVERY {
            self.told = now;
            eprintln!("{}: {how_far}", self.what);
        }
    }
}
