//! The real programs, made by Cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// How optimised the programs are.
#[derive(Clone, Copy)]
pub enum Profile {
    /// As the running program.
    Own,
    /// As people get them.
    Release,
}

/// Builds programs beside the running one, and returns their paths in the same order.
///
/// By name and without `-p`, so that features unify as they did for this program, and nothing is built twice.
///
/// # Errors
/// If Cargo cannot be started, they do not build, or are not where Cargo puts them.
pub fn build<const N: usize>(profile: Profile, names: [&str; N]) -> anyhow::Result<[PathBuf; N]> {
    let release = matches!(profile, Profile::Release) || !cfg!(debug_assertions);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(&cargo);
    build.current_dir(&root).arg("build").args(names.iter().flat_map(|name| ["--bin", name]));
    if release {
        build.arg("--release");
    }
    // what this program prints is all that goes to standard output
    build.stdin(Stdio::null()).stdout(Stdio::null());
    let status = build.status().with_context(|| {
        let cargo = cargo.to_string_lossy();
        format!("cannot start {cargo}; start this as `cargo …` in the repository")
    })?;
    if !status.success() {
        bail!("the programs do not build ({status}); what Cargo printed above says why");
    }
    let own = std::env::current_exe().context("the system does not tell where this program is")?;
    let beside = own.parent().context("this program lies in no directory")?;
    let beside = if release { beside.with_file_name("release") } else { beside.to_owned() };
    let programs =
        names.map(|name| beside.join(name).with_extension(std::env::consts::EXE_EXTENSION));
    match programs.iter().find(|program| !program.is_file()) {
        Some(missing) => bail!("no program {}; start this as `cargo …`", missing.display()),
        None => Ok(programs),
    }
}
