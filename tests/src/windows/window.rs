//! One window of `iirs`: what it told, and hands on its keyboard and mouse.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::desk::Desk;
use super::seen::Seen;
use super::x11;
use crate::processes::{Place, Process, Told};

/// Longest time from start to the first picture; the figure has a bound of its own.
const PICTURE_WITHIN: Duration = Duration::from_secs(20);

/// Longest time for a click to have its effect.
pub(super) const CLICK_MAX: Duration = Duration::from_secs(10);

/// Longest time for a window to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(5);

/// How long a picture stays as it is before it is taken as finished: for a screenshot, and for a click.
const STILL: Duration = Duration::from_millis(200);
const STILL_TO_CLICK: Duration = Duration::from_millis(60);

/// Longest time to wait for a picture to be finished; something may always move in it.
const STILL_MAX: Duration = Duration::from_secs(2);

/// How often an interrupt is looked for.
const GLANCE: Duration = Duration::from_millis(100);

/// Pause between two keys in milliseconds.
const KEY_MS: &str = "4";

/// A running window; killed when dropped.
pub(super) struct Window {
    /// Whose it is; its log and its directories have this name.
    pub(super) name: String,
    /// What it told.
    pub(super) seen: Seen,
    process: Process,
    told: Receiver<Option<Told>>,
    id: u32,
    interrupted: Arc<AtomicBool>,
}

/// How long the first picture took, from the start of the process.
#[derive(Clone, Copy)]
pub(super) struct FirstPicture {
    /// Until the program said so.
    pub(super) told: Duration,
    /// Until it was there: pixels of more than one colour.
    pub(super) there: Duration,
}

impl Window {
    /// Starts a window with directories of its own, and waits for its first picture.
    pub(super) fn start(
        program: &Path,
        name: &str,
        (desk, place): (&Desk, &Place),
        interrupted: &Arc<AtomicBool>,
        arguments: &[&str],
    ) -> anyhow::Result<(Self, FirstPicture)> {
        let mut command = desk.command(program);
        at_home(&mut command, &place.path().join(name))?;
        // what it prints there is heard without looking into a file again and again
        command.args(["--event-log", "/dev/stdout"]).args(arguments);
        let (send, told) = channel();
        let hear = move |line: Option<String>| {
            let line = line.map(|line| serde_json::from_str(&line));
            // a line that is not JSON is seen as the end; the log has it
            let _ = send.send(line.and_then(Result::ok));
        };
        let started = Instant::now();
        let process = Process::start(command, place.log(name)?, hear)?;
        let (name, seen, interrupted) = (name.to_owned(), Seen::default(), interrupted.clone());
        let mut window = Self { name, seen, process, told, id: 0, interrupted };
        let first = window.first_picture(desk, started)?;
        Ok((window, first))
    }

    /// Waits until it has told something; its end and errors that it tells meanwhile are failures,
    /// unless they are what is waited for.
    pub(super) fn until(
        &mut self,
        what: &str,
        within: Duration,
        done: impl Fn(&Seen) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        let name = self.name.clone();
        while !done(&self.seen) {
            if let Some((code, text)) = self.seen.errors.first() {
                bail!("{name}'s window says {code} instead of {what}: {text}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left.min(GLANCE)) {
                Ok(Some(told)) => {
                    self.seen.hear(told).with_context(|| format!("{name}'s window"))?;
                }
                Ok(None) | Err(RecvTimeoutError::Disconnected) => {
                    bail!(
                        "{name}'s window ended, or logged what no manual knows, instead of {what}"
                    );
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    bail!("waited {within:?} for {name}'s window: {what}");
                }
                Err(RecvTimeoutError::Timeout) => (),
            }
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("stopped by a signal");
            }
        }
        Ok(())
    }

    /// Waits until it tells an error, and takes it as heard.
    pub(super) fn until_error(&mut self, code: &str, within: Duration) -> anyhow::Result<()> {
        self.until(&format!("the error {code}"), within, |seen| seen.failed(code))?;
        self.seen.errors.clear();
        Ok(())
    }

    /// Waits until it shows a screen.
    pub(super) fn await_screen(&mut self, screen: &str, within: Duration) -> anyhow::Result<()> {
        self.until(&format!("the screen “{screen}”"), within, |seen| seen.screen == screen)
    }

    /// Clicks on the middle of something, once it is there.
    pub(super) fn click(&mut self, desk: &Desk, place: &str) -> anyhow::Result<()> {
        let is_there = |seen: &Seen| seen.places.contains_key(place);
        self.raise(desk)?;
        self.until(&format!("“{place}” to be on the screen"), CLICK_MAX, is_there)?;
        // what was typed last may still move it
        self.settle(desk, STILL_TO_CLICK)?;
        self.hear_what_waits()?;
        let area = self.seen.places.get(place).with_context(|| format!("“{place}” went away"))?;
        let (x, y) = area.middle();
        let (x, y) = desk.x11.on_screen(self.id, x, y)?;
        desk.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"])
    }

    /// Types a text; a line break in it is Shift+Enter.
    pub(super) fn write(&mut self, desk: &Desk, text: &str) -> anyhow::Result<()> {
        self.raise(desk)?;
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                desk.xdotool(&["key", "shift+Return"])?;
            }
            desk.xdotool(&["type", "--delay", KEY_MS, "--", line])?;
        }
        Ok(())
    }

    /// Presses a key.
    pub(super) fn press(&mut self, desk: &Desk, key: &str) -> anyhow::Result<()> {
        self.raise(desk)?;
        desk.xdotool(&["key", key])
    }

    /// Clicks on a field and fills it with a text instead of what is in it.
    pub(super) fn fill(&mut self, desk: &Desk, field: &str, text: &str) -> anyhow::Result<()> {
        self.click(desk, field)?;
        desk.xdotool(&["key", "ctrl+a", "key", "BackSpace"])?;
        self.write(desk, text)
    }

    /// Takes a screenshot once the picture is finished.
    pub(super) fn shoot(&mut self, desk: &mut Desk, name: &str) -> anyhow::Result<()> {
        self.raise(desk)?;
        self.settle(desk, STILL)?;
        desk.shoot(Some(self.id), name).map(drop)
    }

    /// Waits until the picture no longer changes, but not long.
    fn settle(&self, desk: &Desk, still: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + STILL_MAX;
        let (mut last, mut since) = (desk.x11.pixels(self.id)?, Instant::now());
        while since.elapsed() < still && Instant::now() < deadline {
            std::thread::sleep(still / 8);
            let now = desk.x11.pixels(self.id)?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// Asks it to close, confirms that the cover is to end, and waits until it has ended well.
    pub(super) fn leave(mut self, desk: &Desk) -> anyhow::Result<()> {
        desk.x11.ask_to_close(self.id)?;
        self.click(desk, "quit")?;
        self.await_end()
    }

    /// Returns its width and height in pixels.
    pub(super) fn size(&self, desk: &Desk) -> anyhow::Result<(u16, u16)> {
        desk.x11.size(self.id)
    }

    /// Gives it another width and height in pixels.
    pub(super) fn resize(&self, desk: &Desk, (width, height): (u16, u16)) -> anyhow::Result<()> {
        let (window, width, height) = (self.id.to_string(), width.to_string(), height.to_string());
        desk.xdotool(&["windowsize", "--sync", &window, &width, &height])
    }

    /// Asks it to close, and waits until it has ended well.
    pub(super) fn close(self, desk: &Desk) -> anyhow::Result<()> {
        desk.x11.ask_to_close(self.id)?;
        self.await_end()
    }

    fn await_end(mut self) -> anyhow::Result<()> {
        let status = self.process.ended(END_MAX).with_context(|| self.name.clone())?;
        if !status.success() {
            bail!("{}'s window was asked to close and ended with {status}", self.name);
        }
        Ok(())
    }

    /// Returns the id of its process.
    pub(super) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Takes down what it told already.
    fn hear_what_waits(&mut self) -> anyhow::Result<()> {
        while let Ok(told) = self.told.try_recv() {
            self.seen.hear(told.context("the window ended")?)?;
        }
        Ok(())
    }

    fn raise(&self, desk: &Desk) -> anyhow::Result<()> {
        let deadline = Instant::now() + CLICK_MAX;
        desk.xdotool(&["windowactivate", &self.id.to_string()])?;
        desk.x11.await_active(self.id, deadline).with_context(|| self.name.clone())
    }

    /// Waits for the first picture, by its own word and by the pixels.
    fn first_picture(&mut self, desk: &Desk, started: Instant) -> anyhow::Result<FirstPicture> {
        let (mut told, mut there) = (None, None);
        let process = self.process.id();
        let (id, first) = x11::until(started + PICTURE_WITHIN, "a first picture", || {
            self.hear_what_waits()?;
            if told.is_none() && self.seen.drawn {
                told = Some(started.elapsed());
            }
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("stopped by a signal");
            }
            let Some(id) = desk.x11.window_of(process)? else { return Ok(None) };
            if there.is_none() && desk.x11.pixels(id)?.is_some_and(|it| it.are_a_picture()) {
                there = Some(started.elapsed());
            }
            Ok(told.zip(there).map(|(told, there)| (id, FirstPicture { told, there })))
        })
        .with_context(|| format!("{}'s window", self.name))?;
        self.id = id;
        Ok(first)
    }
}

/// Starts the program once more in somebody's directories, and returns how it ended.
pub(super) fn start_again(
    program: &Path,
    name: &str,
    (desk, place): (&Desk, &Place),
    link: &str,
) -> anyhow::Result<ExitStatus> {
    let mut command = desk.command(program);
    at_home(&mut command, &place.path().join(name))?;
    command.arg(link);
    let log = place.log(&format!("{name}-again"))?;
    Process::start(command, log, |_| ())?.ended(END_MAX)
}

/// Gives a program directories of its own, and takes away what could reach into the person's session.
fn at_home(command: &mut Command, home: &Path) -> anyhow::Result<()> {
    for (variable, dir) in [
        ("XDG_DATA_HOME", "data"),
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_STATE_HOME", "state"),
    ] {
        let dir = home.join(dir);
        fs::create_dir_all(&dir)?;
        command.env(variable, dir);
    }
    let runtime = home.join("runtime");
    DirBuilder::new().recursive(true).mode(0o700).create(&runtime)?;
    command.env("XDG_RUNTIME_DIR", runtime).env_remove("DBUS_SESSION_BUS_ADDRESS");
    // one renderer, one scale, and no input method that takes keys away
    command.env("ICED_BACKEND", "tiny-skia").env("WINIT_X11_SCALE_FACTOR", "1");
    command.env("XMODIFIERS", "@im=none");
    Ok(())
}
