//! Man pages and shell completions, made of what a program knows of its arguments; a module of all three programs.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use thiserror::Error;

/// Why no man pages were written.
#[derive(Debug, Error)]
#[error("cannot write man pages to {}: {source}; give a directory that you may write to", dir.display())]
pub struct ManualError {
    dir: PathBuf,
    source: std::io::Error,
}

/// Writes a page of section 1 for the program and one for each of its commands, in place of older ones; makes the
/// directory.
///
/// # Errors
/// [`ManualError`] with what the system said.
pub fn write(command: Command, dir: &Path) -> Result<(), ManualError> {
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(command, dir))
        .map_err(|source| ManualError { dir: dir.into(), source })
}

/// Returns the completions for a shell.
pub fn completions(mut command: Command, shell: Shell) -> String {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8(script).expect("clap takes names and help as text")
}
