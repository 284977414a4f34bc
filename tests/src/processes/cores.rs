//! Which processor core does what, by `taskset` of util-linux: so that what is measured and what measures it do not
//! take each other's time.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::bail;

/// The core of the server that is measured.
pub const SERVER: usize = 0;

/// The core of everything else.
pub const OTHERS: usize = 1;

/// Tells whether the machine gives this process a core for the server and another one for the rest.
pub fn has_two() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

/// Returns a command that runs a program on one core, with all threads that it will have.
pub fn on_core(core: usize, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(core.to_string()).arg(program);
    command
}

/// Keeps this process, with all its threads, on one core.
///
/// # Errors
/// If there is no `taskset`, or the core is not this process's.
pub fn keep_on(core: usize) -> anyhow::Result<()> {
    let own = std::process::id().to_string();
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", &core.to_string(), &own]);
    match command.stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("taskset cannot keep this program on core {core}: {status}"),
        Err(error) => bail!("cannot start taskset ({error}); install util-linux"),
    }
}
