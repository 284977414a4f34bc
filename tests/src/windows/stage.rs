//! What is behind the story: display, server, programs, and an account of what was said.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::desk::Desk;
use super::window::{CLICK_MAX, FirstPicture, Window};
use crate::processes::{MessageState, Place, Server};

const ROUND_MS: u32 = 2000;

/// Longest time for what needs a few rounds.
pub(super) const ROUNDS_MAX: Duration = Duration::from_secs(40);

/// Longest time for making an account or signing in: several stretchings of the password, 64 MiB each.
pub(super) const SIGN_IN_MAX: Duration = Duration::from_secs(60);

/// All that the windows stand on.
pub(super) struct Stage<'a> {
    pub(super) desk: Desk,
    pub(super) place: &'a Place,
    pub(super) server: Server,
    /// How long each window took.
    pub(super) firsts: Vec<FirstPicture>,
    /// How often the server was started again.
    pub(super) restarts: usize,
    /// What is being done, for whoever reads of a failure.
    pub(super) step: String,
    program: PathBuf,
    interrupted: Arc<AtomicBool>,
    sent: Vec<Sent>,
    delivered: usize,
    began: Instant,
}

/// A message that was typed into a window.
struct Sent {
    from: String,
    to: String,
    text: String,
}

impl<'a> Stage<'a> {
    /// Starts a server.
    pub(super) fn new(
        [server, program]: [PathBuf; 2],
        desk: Desk,
        place: &'a Place,
        interrupted: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            desk,
            place,
            server: Server::start(&server, place, ROUND_MS)?,
            firsts: Vec::new(),
            restarts: 0,
            step: String::new(),
            program,
            interrupted,
            sent: Vec::new(),
            delivered: 0,
            began: Instant::now(),
        })
    }

    /// Tells what comes next.
    pub(super) fn step(&mut self, what: &str) {
        println!("{:6.1} s  {what}", self.began.elapsed().as_secs_f64());
        what.clone_into(&mut self.step);
    }

    /// Opens somebody's window.
    pub(super) fn open(
        &mut self,
        name: &str,
        geometry: &str,
        theme: &str,
        more: &[&str],
    ) -> anyhow::Result<Window> {
        let mut arguments = vec!["--geometry", geometry, "--theme", theme];
        arguments.extend(more);
        let stands_on = (&self.desk, self.place);
        let (window, first) =
            Window::start(&self.program, name, stands_on, &self.interrupted, &arguments)?;
        self.firsts.push(first);
        Ok(window)
    }

    /// Starts the program once more in somebody's directories, with a link; it has to find the window that is there.
    pub(super) fn start_again(&self, name: &str, link: &str) -> anyhow::Result<()> {
        let status =
            super::window::start_again(&self.program, name, (&self.desk, self.place), link)?;
        if !status.success() {
            bail!("a second start beside {name}'s window ended with {status}");
        }
        Ok(())
    }

    /// Types a message and presses Enter; the conversation is open.
    pub(super) fn say(&mut self, window: &mut Window, to: &str, text: &str) -> anyhow::Result<()> {
        window.click(&self.desk, "composer")?;
        window.write(&self.desk, text)?;
        window.press(&self.desk, "Return")?;
        let (from, to, text) = (window.name.clone(), to.to_owned(), text.to_owned());
        window.until("a message to be on its way", CLICK_MAX, |seen| {
            seen.state(&to, &text).is_some()
        })?;
        self.sent.push(Sent { from, to, text });
        Ok(())
    }

    /// Waits until everything that was said arrived, each message exactly as typed, and its sender
    /// knows it.
    pub(super) fn hear(&mut self, [a, b]: [&mut Window; 2]) -> anyhow::Result<()> {
        while let Some(Sent { from, to, text }) = self.sent.get(self.delivered) {
            let (sender, receiver) =
                if a.name == *from { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            let what = format!("“{}” to", text.lines().next().unwrap_or_default());
            receiver.until(&format!("{what} arrive"), ROUNDS_MAX, |seen| {
                seen.arrivals(from, text) > 0
            })?;
            sender.until(&format!("{what} be known as delivered"), ROUNDS_MAX, |seen| {
                seen.state(to, text) == Some(MessageState::Delivered)
            })?;
            self.delivered += 1;
        }
        for Window { name, seen, .. } in [a, b] {
            for (peer, text) in &seen.messages {
                let is_said = |it: &Sent| it.from == *peer && it.to == *name && it.text == *text;
                if !self.sent.iter().any(is_said) {
                    bail!("{name} got “{text}”, which {peer} never sent");
                }
                if seen.arrivals(peer, text) > 1 {
                    bail!("{name} got “{text}” more than once");
                }
            }
        }
        Ok(())
    }

    /// Kills the server, and waits until both notice.
    pub(super) fn kill(&mut self, windows: [&mut Window; 2]) -> anyhow::Result<()> {
        self.server.kill()?;
        for window in windows {
            let lost = window.seen.lost;
            window.until("the loss of the server", ROUNDS_MAX, |seen| seen.lost > lost)?;
        }
        Ok(())
    }

    /// Starts the server again, and waits until both are back.
    pub(super) fn restart(&mut self, windows: [&mut Window; 2]) -> anyhow::Result<()> {
        self.server.restart(self.place)?;
        self.restarts += 1;
        for window in windows {
            let resumed = window.seen.resumed;
            window.until("the rounds to go on", ROUNDS_MAX, |seen| seen.resumed > resumed)?;
        }
        Ok(())
    }

    /// Counts what arrived, and what was sent.
    pub(super) fn messages(&self) -> (usize, usize) {
        (self.delivered, self.sent.len())
    }
}
