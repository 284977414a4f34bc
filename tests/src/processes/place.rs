//! A directory for one test or demo: data, profiles, logs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

/// Last lines of each log that a failed test shows.
const LINES_SHOWN: usize = 60;

/// A temporary directory that goes away, except after a failure: then its logs are shown, and it stays.
pub struct Place {
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Place {
    /// Makes a directory whose name begins with `iirs-` and `name`.
    pub fn new(name: &str) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(&format!("iirs-{name}-")).tempdir()?;
        let path = dir.path().to_owned();
        Ok(Self { dir: Some(dir), path })
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file with a password and a newline, and returns its path.
    ///
    /// A program that reads the file meanwhile sees the one before it or this one.
    pub fn password(&self, user: &str, password: &str) -> io::Result<PathBuf> {
        let path = self.path.join(format!("{user}.password"));
        let mut file = NamedTempFile::new_in(&self.path)?;
        writeln!(file, "{password}")?;
        file.persist(&path)?;
        Ok(path)
    }

    /// Returns where the log of a process is.
    pub fn log_path(&self, process: &str) -> PathBuf {
        self.path.join(format!("{process}.log"))
    }

    /// Opens the log of a process for lines to be added.
    pub fn log(&self, process: &str) -> io::Result<File> {
        File::options().create(true).append(true).open(self.log_path(process))
    }

    /// Keeps the directory, and returns the last lines of all logs in it.
    pub fn keep(&mut self) -> String {
        // a directory that stays is what was asked for
        let _ = self.dir.take().map(TempDir::keep);
        let mut logs: Vec<_> = fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|it| it == "log"))
            .collect();
        logs.sort();
        logs.iter().map(|log| tail(log)).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() && self.dir.is_some() {
            let logs = self.keep();
            eprintln!("{logs}--- all of it is in {}", self.path.display());
        }
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // every round has a line, and hides what matters
    let is_round = |line: &&str| line.contains(r#""is":"round""#) || line.contains(" round round=");
    let rounds = text.lines().filter(is_round).count();
    let lines: Vec<_> = text.lines().filter(|line| !is_round(line)).collect();
    let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    let mut shown = format!("--- {name}, last {} of {} lines; ", last.len(), lines.len());
    shown += &format!("{rounds} lines about rounds are left out\n");
    for line in last {
        shown.extend(line.chars().take(300));
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_password_that_is_written_again_is_never_read_in_part() {
        let place = Place::new("place").unwrap();
        let path = place.password("ann", "secret").unwrap();
        let done = AtomicBool::new(false);
        let read = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let read = fs::read_to_string(&path).unwrap();
                    if read != "secret\n" {
                        return read;
                    }
                }
                "secret\n".into()
            });
            let written: io::Result<Vec<_>> =
                (0..1000).map(|_| place.password("ann", "secret")).collect();
            done.store(true, Ordering::Relaxed);
            written.unwrap();
            reader.join().unwrap()
        });
        assert_eq!(read, "secret\n");
    }
}
