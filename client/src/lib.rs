//! `iirs`, the window: screens on the engine that `iirs-headless` runs, too.
//!
//! ```text
//!  input ─► app ─► screen ─► Command ─► connection ─► engine (client_link, a thread of its own)
//!  picture ◄─ screen ◄─ app ◄─ Event ◄─ connection ◄──┘
//! ```
//!
//! Invariant: nothing here drives the rounds. The engine tells events and never waits for the window.

pub mod app;
pub mod args;
pub mod autolock;
pub mod clock;
pub mod connection;
pub mod event_log;
pub mod export;
#[cfg(test)]
mod fake;
pub mod icon;
pub mod instance;
pub mod link_file;
#[path = "../../packaging/manual.rs"]
pub mod manual;
pub mod notify;
pub mod present;
pub mod remember;
pub mod screen;
mod signals;
pub mod theme;
pub mod widget;
pub mod words;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use clap::{CommandFactory as _, Parser as _};
use client_link::api::Password;
use client_link::engine::Engine;
use client_link::profile::home;
use iced::window;
use iced::{Font, Point, Size};
use jiff::tz::TimeZone;
use wire::account::Stretching;

use app::{App, AtOnce, Setup};
use args::{Args, Geometry};
use event_log::EventLog;
use instance::{Instance, Start};
use present::Here;
use remember::Remembered;
use screen::attempt::Attempt;

/// The program's name to the desktop.
pub const APP_ID: &str = "org.iirs.iirs";

/// The version, and the commit and its day if it was built from the repository.
pub const VERSION: &str = env!("IIRS_VERSION");

/// The window's picture in the desktop's lists, red, green, blue and opacity; `packaging/linux/icons/render` makes it.
const PICTURE: &[u8] = include_bytes!("../assets/app-icon-64.rgba");

/// Width and height of that, in pixels.
const PICTURE_SIDE: u32 = 64;

/// The font that iced brings along, so that the window looks the same everywhere; what it lacks comes from
/// the system's fonts.
const FONT: &str = "Fira Sans";

/// What to do where no window opens, or one breaks.
const NO_WINDOW: &str = "the window does not open, or broke; see that DISPLAY or WAYLAND_DISPLAY names a display that you may use \
     (iirs-headless needs none); if it does, please report what stands above";

/// Size of the window unless something else is asked for, in pixels.
const SIZE: (u16, u16) = (980, 700);

/// Smallest size, in pixels.
const SIZE_MIN: Size = Size::new(320.0, 400.0);

/// Runs the whole program, from arguments to exit code: 0 closed or another window shown, 1 something failed, 2 usage.
pub fn main(stretching: Stretching) -> ExitCode {
    let start = Instant::now();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(usage) => {
            // nothing can be said if the terminal is gone
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    let writer = io::stderr;
    tracing_subscriber::fmt().with_writer(writer).with_max_level(tracing::Level::WARN).init();
    match run(args, stretching, start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iirs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args, stretching: Stretching, start: Instant) -> anyhow::Result<()> {
    if let Some(dir) = &args.man {
        return Ok(manual::write(Args::command(), dir)?);
    }
    if let Some(shell) = args.completions {
        let script = manual::completions(Args::command(), shell);
        return io::stdout().write_all(script.as_bytes()).context("cannot print");
    }
    let dir = args.profile.clone().or_else(home);
    let dir = dir.context("the system names no home directory; give --profile DIR")?;
    let link = args.link()?;
    let instance = match instance::start(&dir, link.as_deref())? {
        Start::First(instance) => instance,
        Start::Handed => return handed(&args, &dir),
    };
    if !has_display() {
        bail!(
            "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set (iirs-headless needs none)"
        );
    }
    let geometry = args.geometry;
    let setup = setup(args, link, dir, instance, stretching, start)?;
    let window = window_settings(geometry, &setup.remembered);
    let setup = Mutex::new(Some(setup));
    let boot = move || {
        let setup = setup.lock().unwrap_or_else(PoisonError::into_inner).take();
        App::new(setup.expect("iced boots once"))
    };
    let app = iced::application(boot, App::update, App::view).title(App::title);
    let app = app.theme(App::theme).subscription(App::subscription).window(window);
    let app = app.scale_factor(App::scale_factor);
    let app = app.default_font(Font::with_name(FONT)).font(icon::FONT_FILE);
    // the toolkit panics where a display cannot be opened; what is said by a panic may quote a message
    std::panic::set_hook(Box::new(|what| {
        let place = what.location().map(ToString::to_string);
        eprintln!("iirs: broken at {}", place.as_deref().unwrap_or("an unknown place"));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            eprintln!("{trace}");
        }
    }));
    match catch_unwind(AssertUnwindSafe(|| app.run())) {
        Ok(ended) => ended.context(NO_WINDOW),
        Err(_) => bail!(NO_WINDOW),
    }
}

/// Says that the window of the directory stands for this start.
fn handed(args: &Args, dir: &Path) -> anyhow::Result<()> {
    let dir = dir.display();
    if args.password_file.is_some() {
        bail!(
            "a window of {dir} is open already, so nobody was signed in; give --profile DIR for a second person"
        );
    }
    eprintln!(
        "iirs: a window of {dir} is open already, and comes to the front; give --profile DIR for a second person"
    );
    Ok(())
}

/// Tells whether the environment names a display, where one is named there.
fn has_display() -> bool {
    let names = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"];
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(all(unix, not(target_os = "macos"))) || names.iter().any(is_set)
}

fn setup(
    args: Args,
    link: Option<String>,
    dir: PathBuf,
    instance: Instance,
    stretching: Stretching,
    start: Instant,
) -> anyhow::Result<Setup> {
    let at_once = args.password_file.as_deref().map(|file| at_once(&args, file)).transpose()?;
    let log = match &args.event_log {
        Some(file) => EventLog::create(file, start)
            .with_context(|| format!("cannot write the event log {}", file.display()))?,
        None => EventLog::default(),
    };
    let unix_ms = clock::now().unix_ms;
    Ok(Setup {
        starter: Arc::new(Engine::start),
        stretching,
        remembered: Remembered::read(&dir),
        documents: export::directory(&dir),
        dir,
        instance: Some(instance),
        link,
        user: args.user,
        at_once,
        theme: args.theme,
        log,
        here: Here { unix_ms, zone: TimeZone::system() },
        notifier: Box::new(notify::Desktop::start()),
    })
}

/// Reads what an attempt needs that nobody is asked for.
fn at_once(args: &Args, file: &Path) -> anyhow::Result<AtOnce> {
    let link = args.link.as_deref().unwrap_or_default();
    let link = screen::connect::read(link).map_err(|why| anyhow!("--link: {why}"))?;
    let user = args.user.as_deref().unwrap_or_default();
    let user = user.trim().parse().context("--user is no name")?;
    let password = Password::from_file(file)
        .with_context(|| format!("cannot take the password in {}", file.display()))?;
    let attempt = Attempt { user, password, invite: None, remember: false };
    Ok(AtOnce { link, attempt, register: args.register })
}

fn window_settings(geometry: Option<Geometry>, remembered: &Remembered) -> window::Settings {
    let size = remembered.size.unwrap_or(SIZE);
    let geometry = geometry.unwrap_or(Geometry { size, position: None });
    // iced makes it as many times as large as everything in it
    let [width, height] =
        [geometry.size.0, geometry.size.1].map(|side| f32::from(side) / remembered.zoom.factor());
    let position = match geometry.position {
        Some((x, y)) => window::Position::Specific(Point::new(x.into(), y.into())),
        None => window::Position::Default,
    };
    window::Settings {
        size: Size::new(width, height),
        min_size: Some(SIZE_MIN),
        position,
        // without a picture the desktop takes one of its own
        icon: window::icon::from_rgba(PICTURE.to_vec(), PICTURE_SIDE, PICTURE_SIDE).ok(),
        exit_on_close_request: false,
        platform_specific: window::settings::PlatformSpecific {
            application_id: APP_ID.into(),
            ..Default::default()
        },
        ..window::Settings::default()
    }
}
