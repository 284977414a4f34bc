//! The real programs, made by Cargo.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::processes::Programs;

/// Builds server and client beside the running program, in the same profile.
///
/// By name and without `-p`, so that features unify as they did for this program, and nothing is built twice.
pub(super) fn programs() -> anyhow::Result<Programs> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(&cargo);
    build.current_dir(&root).args(["build", "--bin", "iirs-server", "--bin", "iirs-headless"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    // the transcript is all that goes to standard output
    build.stdin(Stdio::null()).stdout(Stdio::null());
    let status = build.status().with_context(|| {
        format!("cannot start {}; run `cargo demo` in the repository", cargo.to_string_lossy())
    })?;
    if !status.success() {
        bail!("the programs do not build ({status}); what Cargo printed above says why");
    }
    let own = std::env::current_exe().context("the system does not tell where this program is")?;
    let beside = |name: &str| {
        let program = own.with_file_name(name).with_extension(std::env::consts::EXE_EXTENSION);
        if !program.is_file() {
            bail!("no program {}; start the demo as `cargo demo`", program.display());
        }
        Ok(program)
    };
    Ok(Programs { server: beside("iirs-server")?, headless: beside("iirs-headless")? })
}
