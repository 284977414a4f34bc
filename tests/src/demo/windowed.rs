//! The demo on a display: a server, and the windows of two people, who are whoever sits there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::screen::Screen;
use crate::processes::{Place, Process, Server, Told};

const ROUND_MS: u32 = 2000;

/// Names, and where the windows are: side by side on a small screen, if the desktop lets a program choose.
const PEOPLE: [(&str, &str); 2] = [("ann", "640x760+20+60"), ("bob", "640x760+680+60")];

/// Longest time for a program to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(6);

/// How often an interrupt is looked for.
const GLANCE: Duration = Duration::from_millis(200);

const GUIDE: &str = "
   In ann's window choose bob and write: that calls bob, and it rings in his window within 10 to 20 seconds.
   Accept it there, and answer. A message waits for the next round (2 seconds), and is delivered when the answer is back.
   The bar tells the round, how many seats it has, and how well they cover you (two people hide little).
   To an observer of the network all of it looks the same when nobody writes.
   Close both windows to end the demo, or press Ctrl+C here.
";

/// Two windows and the server between them.
pub(super) struct Windowed {
    screen: Screen,
    server: Server,
    open: Vec<(&'static str, Process)>,
    told: Receiver<(&'static str, Option<Told>)>,
    drawn: bool,
}

impl Windowed {
    /// Starts all of it.
    pub(super) fn start(
        [server, window]: &[PathBuf; 2],
        place: &Place,
        mut screen: Screen,
    ) -> anyhow::Result<Self> {
        let why = "it keeps accounts on disk and mixes what its clients send, every 2 seconds";
        screen.heading("A server starts with an empty data directory", why);
        let server = Server::start(server, place, ROUND_MS)?;
        screen.line(&format!("   data, profiles, logs  {}", place.path().display()));
        screen.line(&format!("   the link for people   {}", server.link()));
        let why = "a password never leaves the window, not even at registration (OPAQUE)";
        screen.heading("The windows of ann and bob open, and register them", why);
        let (send, told) = channel();
        let mut open = Vec::new();
        for (user, geometry) in PEOPLE {
            let command = command(window, place, &server, (user, geometry))?;
            open.push((user, Process::start(command, place.log(user)?, hear(user, send.clone()))?));
        }
        Ok(Self { screen, server, open, told, drawn: false })
    }

    /// Tells how it goes until both windows are closed, or `interrupted`; then stops the server.
    ///
    /// # Errors
    /// If a window does not start, or ends badly.
    pub(super) fn watch(mut self, interrupted: &Arc<AtomicBool>) -> anyhow::Result<()> {
        self.screen.line(GUIDE);
        while !self.open.is_empty() && !interrupted.load(Ordering::Relaxed) {
            // nothing told in a while is nothing to tell
            match self.told.recv_timeout(GLANCE) {
                Ok((user, Some(told))) => self.tell(user, told),
                Ok((user, None)) => self.closed(user)?,
                Err(_) => (),
            }
        }
        self.screen.heading("The demo ends", "windows and server stop; the directory goes away");
        for (_, window) in &self.open {
            // Ctrl+C reached it, too, and it may have ended
            let _ = window.terminate();
        }
        for (user, mut window) in self.open {
            window.ended(END_MAX).with_context(|| format!("{user}'s window"))?;
        }
        self.server.stop(END_MAX)?;
        Ok(())
    }

    fn tell(&mut self, user: &str, told: Told) {
        match told {
            Told::Drawn => self.drawn = true,
            Told::Registered { .. } => self.screen.line(&format!("   {user} is registered")),
            Told::SignedIn { .. } => self.screen.line(&format!("   {user} is signed in")),
            Told::Opened { peer } => self.screen.line(&format!("   {user} opened {peer}")),
            Told::Message { peer, round, .. } => {
                self.screen.line(&format!("   round {round:>3}  {peer} → {user}  arrived"));
            }
            Told::Connection { state } => match &*state {
                "connected" | "resumed" => self.screen.line(&format!("   {user} is in the rounds")),
                "lost" => self.screen.line(&format!("   {user} is told that the server is away")),
                _ => (),
            },
            Told::Error { code, text } => {
                self.screen.line(&format!("   {user} got {code}: {text}"))
            }
            Told::Screen { .. }
            | Told::Place { .. }
            | Told::Loaded { .. }
            | Told::Waits { .. }
            | Told::Sessions { .. }
            | Told::Found { .. }
            | Told::Round { .. }
            | Told::State { .. }
            | Told::RetryIn { .. }
            | Told::Ended { .. } => (),
        }
    }

    fn closed(&mut self, user: &str) -> anyhow::Result<()> {
        let Some(at) = self.open.iter().position(|(name, _)| *name == user) else { return Ok(()) };
        let (_, mut window) = self.open.remove(at);
        let status = window.ended(END_MAX)?;
        if !status.success() {
            let advice = if self.drawn {
                ""
            } else {
                "\nif this display shows no windows: `cargo demo --headless` needs no display"
            };
            bail!("{user}'s window ended with {status}; its log above says why{advice}");
        }
        self.screen.line(&format!("   {user}'s window is closed"));
        Ok(())
    }
}

/// The command of a window that registers its person at once.
fn command(
    window: &Path,
    place: &Place,
    server: &Server,
    (user, geometry): (&str, &str),
) -> anyhow::Result<Command> {
    let mut command = Command::new(window);
    command.args(["--link", server.link(), "--user", user, "--register", "--password-file"]);
    command.arg(place.password(user, &format!("only {user} knows this umbrella"))?);
    command.arg("--profile").arg(place.path().join(user)).args(["--geometry", geometry]);
    command.args(["--event-log", "/dev/stdout"]);
    Ok(command)
}

/// Passes on what a window tells; lines that no manual knows are in its log.
fn hear(
    user: &'static str,
    send: Sender<(&'static str, Option<Told>)>,
) -> impl FnMut(Option<String>) + Send + 'static {
    move |line| {
        let told = line.as_deref().map(serde_json::from_str);
        // the demo may be over already
        let _ = match told {
            Some(Ok(told)) => send.send((user, Some(told))),
            Some(Err(_)) => Ok(()),
            None => send.send((user, None)),
        };
    }
}
