//! The real window at work: two of them on a display that nobody sees, with mouse and keyboard.

mod desk;
mod figures;
mod seen;
mod stage;
mod story;
mod tools;
mod tour;
mod window;
mod x11;

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use clap::Parser;

use crate::processes::{Place, Profile, build, program, watch_interrupts};
use desk::Desk;
use stage::Stage;
use story::Figures;

/// Plays a story in two real windows of iirs, with a real server, and measures what the window costs.
///
/// Builds `iirs-server` and `iirs` in release, or as the tests do, starts an X server that nobody sees (Xvfb) with a window
/// manager (openbox), and lets xdotool type and click: two people register, one calls the other and they chat,
/// one looks at keys, settings and search and locks the window, the server is killed with SIGKILL and started again, one
/// signs out and in, both close their windows, one opens hers without a server; then the same screens in dark. It waits for what the windows tell in their event logs, never for a
/// time to pass. Takes under 5 minutes after the build; no display, no network, no root.
#[derive(Parser)]
#[command(name = "windows", bin_name = "cargo windows")]
#[command(
    after_help = "Screenshots of all screens go to screenshots/ in the repository, which git ignores; those of the run
before are removed. At the end it prints the figures with their bounds: `ok`, or `over`. The last line is
`windows: 18 messages delivered of 18, restarts 2, screenshots 43 in screenshots/`.

The exit code is 0 if everything in the story happened and no figure is more than twice its bound. Otherwise
it is 1: the step that failed is named, the last screenshot is screenshots/NN-failed.png, and the directory with
data and logs stays to be looked at. 2 is for wrong arguments."
)]
struct Arguments {
    /// On the display of $DISPLAY, to watch it; hands off mouse and keyboard while it runs
    ///
    /// Needs a window manager there and 1600 by 1000 pixels. Characters of the story that no key has are put
    /// on free keys while it runs.
    #[arg(long)]
    here: bool,

    /// With the programs as `cargo test` builds them, which are there after it; the bounds hold all the same
    #[arg(long)]
    dev: bool,
}

/// Runs the whole program, from arguments to exit code: 0 as promised, 1 not so, 2 usage.
pub fn main() -> ExitCode {
    program(|Arguments { here, dev }| {
        play(here, if dev { Profile::Own } else { Profile::Release }).map(|()| true)
    })
}

fn play(here: bool, profile: Profile) -> anyhow::Result<()> {
    tools::check(here)?;
    let programs = build(profile, ["iirs-server", "iirs"])?;
    let interrupted = watch_interrupts()?;
    let mut place = Place::new("windows")?;
    let played = play_in(&place, programs, here, interrupted);
    let left = played.and_then(|()| left_over(place.path()));
    if left.is_err() {
        eprintln!("\n{}", place.keep());
        eprintln!("cargo windows: data and logs stay in {}", place.path().display());
    }
    left
}

fn play_in(
    place: &Place,
    programs: [PathBuf; 2],
    here: bool,
    interrupted: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let texts = story::texts();
    let desk = if here { Desk::here(&texts)? } else { Desk::hidden(place, &texts)? };
    let mut stage = Stage::new(programs, desk, place, interrupted)?;
    match story::play(&mut stage) {
        Ok(figures) => tell(&stage, &figures),
        Err(error) => {
            // without it there is still the reason
            let _ = stage.desk.shoot(None, "failed");
            Err(error.context(format!("at “{}”", stage.step)))
        }
    }
}

fn tell(stage: &Stage<'_>, figures: &Figures) -> anyhow::Result<()> {
    println!();
    figures.iter().for_each(|figure| println!("{figure}"));
    let (delivered, sent) = stage.messages();
    let (restarts, taken) = (stage.restarts, stage.desk.taken());
    println!(
        "windows: {delivered} messages delivered of {sent}, restarts {restarts}, \
         screenshots {taken} in screenshots/"
    );
    if figures.iter().any(figures::Figure::is_far_over) {
        bail!("a figure is more than twice its bound");
    }
    Ok(())
}

/// Looks for processes that still work in a directory.
///
/// # Errors
/// Names one.
fn left_over(dir: &Path) -> anyhow::Result<()> {
    let dir = dir.as_os_str().as_bytes();
    for entry in fs::read_dir("/proc")?.flatten() {
        // what is not a process, or is one no longer, has no such file
        let read = |file| fs::read(entry.path().join(file)).unwrap_or_default();
        if ["cmdline", "environ"]
            .map(read)
            .iter()
            .any(|it| it.windows(dir.len()).any(|it| it == dir))
        {
            bail!("process {} was left behind", entry.file_name().to_string_lossy());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_left_behind_is_found() {
        let place = Place::new("left").unwrap();
        let mut child = Command::new("sh");
        child.args(["-c", "echo ready; read line"]).env("LEFT", place.path());
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // the system tells of a process's environment only a moment after it began
        let mut ready = [0; 6];
        child.stdout.take().unwrap().read_exact(&mut ready).unwrap();
        let found = left_over(place.path());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.unwrap_err().to_string().contains(&child.id().to_string()));
        left_over(place.path()).unwrap();
    }
}
