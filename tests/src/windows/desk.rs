//! Where the windows stand: a display of our own, or the one of the person who watches.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::x11::X11;
use crate::processes::{Place, Process};

/// Longest time for the display to be there.
const THERE_WITHIN: Duration = Duration::from_secs(20);

/// Size of our own display, and its bits per pixel.
const SCREEN: &str = "1600x1000x24";

/// An X display with a window manager, and a directory for screenshots of it.
pub(super) struct Desk {
    /// What X itself tells.
    pub(super) x11: X11,
    display: String,
    shots: PathBuf,
    taken: usize,
    // in this order they end
    _manager: Option<Process>,
    _server: Option<Process>,
}

impl Desk {
    /// Starts a display that nobody sees, on a free number, whose keyboard has keys for all of `texts`.
    pub(super) fn hidden(place: &Place, texts: &[&str]) -> anyhow::Result<Self> {
        let deadline = Instant::now() + THERE_WITHIN;
        let mut server = Command::new("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"]);
        let (send, lines) = channel();
        let hear = move |line: Option<String>| line.into_iter().for_each(|it| drop(send.send(it)));
        let server = Process::start(server, place.log("xvfb")?, hear)?;
        let number = lines.recv_timeout(THERE_WITHIN).context("Xvfb does not start")?;
        let display = format!(":{}", number.trim());
        let mut x11 = X11::connect(&display)?;
        x11.add_keys(texts)?;
        let mut manager = Command::new("openbox");
        manager.arg("--sm-disable").env("DISPLAY", &display).env_remove("WAYLAND_DISPLAY");
        manager.env("HOME", place.path()).env_remove("XDG_CONFIG_HOME");
        let manager = Process::start(manager, place.log("openbox")?, drop)?;
        x11.await_manager(deadline)?;
        let (_manager, _server) = (Some(manager), Some(server));
        Ok(Self { x11, display, shots: shots()?, taken: 0, _manager, _server })
    }

    /// Takes the display of `$DISPLAY`; its keyboard has keys for all of `texts` until this is dropped.
    pub(super) fn here(texts: &[&str]) -> anyhow::Result<Self> {
        let display =
            env::var("DISPLAY").context("--here needs an X display, and $DISPLAY names none")?;
        let mut x11 = X11::connect(&display)?;
        x11.await_manager(Instant::now() + Duration::from_secs(1))?;
        x11.add_keys(texts)?;
        Ok(Self { x11, display, shots: shots()?, taken: 0, _manager: None, _server: None })
    }

    /// Makes a command that runs on this display, and on no other.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY");
        command
    }

    /// Runs `xdotool`: the mouse and the keyboard.
    pub(super) fn xdotool(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = self.command(Path::new("xdotool"));
        // it takes what it types apart by the locale
        command.args(arguments).env("LC_ALL", "C.UTF-8");
        run(command)
    }

    /// Takes a picture of a window, or of the whole screen, under the next number.
    pub(super) fn shoot(&mut self, window: Option<u32>, name: &str) -> anyhow::Result<PathBuf> {
        self.taken += 1;
        let path = self.shots.join(format!("{:02}-{name}.png", self.taken));
        let window = window.map_or("root".to_owned(), |it| it.to_string());
        let mut command = self.command(Path::new("import"));
        command.args(["-silent", "-window", &window]).arg(&path);
        run(command)?;
        Ok(path)
    }

    /// Returns how many screenshots there are.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }
}

/// Makes the directory for screenshots, without those of an earlier run.
fn shots() -> anyhow::Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("screenshots");
    fs::create_dir_all(&dir)?;
    for entry in fs::read_dir(&dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "png") {
            fs::remove_file(path)?;
        }
    }
    Ok(dir)
}

fn run(mut command: Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} fails with {}: {}", output.status, said.trim());
    }
    Ok(())
}
