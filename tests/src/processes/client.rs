//! A client's process: `iirs-headless` with JSON lines.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::json;

use super::Process;

/// How a client is started.
#[derive(Clone)]
pub struct Arguments {
    /// Value of `--link`.
    pub link: String,
    /// Value of `--user`.
    pub user: String,
    /// Value of `--password-file`.
    pub password_file: PathBuf,
    /// Value of `--profile`.
    pub profile: PathBuf,
    /// More arguments.
    pub more: Vec<String>,
}

impl Arguments {
    /// Adds an argument.
    #[must_use]
    pub fn and(mut self, argument: &str) -> Self {
        self.more.push(argument.to_owned());
        self
    }

    /// Takes another user.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Takes another link.
    #[must_use]
    pub fn link(mut self, link: &str) -> Self {
        link.clone_into(&mut self.link);
        self
    }

    pub(super) fn apply(&self, command: &mut Command) {
        command.arg("--link").arg(&self.link).arg("--user").arg(&self.user);
        command.arg("--password-file").arg(&self.password_file);
        command.arg("--profile").arg(&self.profile).args(&self.more);
    }
}

/// A running client; killed when dropped. What it prints comes out of its [`super::Hall`].
pub struct Client {
    process: Process,
}

impl Client {
    pub(super) fn new(process: Process) -> Self {
        Self { process }
    }

    /// Opens a conversation.
    pub fn open(&mut self, peer: &str) -> anyhow::Result<()> {
        self.process.write_line(&json!({"do": "open", "peer": peer}).to_string())
    }

    /// Calls somebody.
    pub fn call(&mut self, peer: &str) -> anyhow::Result<()> {
        self.process.write_line(&json!({"do": "call", "peer": peer}).to_string())
    }

    /// Accepts somebody's call.
    pub fn accept(&mut self, peer: &str) -> anyhow::Result<()> {
        self.process.write_line(&json!({"do": "accept", "peer": peer}).to_string())
    }

    /// Sends a message.
    pub fn send(&mut self, peer: &str, text: &str, id: &str) -> anyhow::Result<()> {
        let line = json!({"do": "send", "peer": peer, "text": text, "id": id});
        self.process.write_line(&line.to_string())
    }

    /// Asks it how it stands.
    pub fn status(&mut self) -> anyhow::Result<()> {
        self.process.write_line(&json!({"do": "status"}).to_string())
    }

    /// Asks it to leave.
    pub fn quit(&mut self) -> anyhow::Result<()> {
        self.process.write_line(&json!({"do": "quit"}).to_string())
    }

    /// Writes any line.
    pub fn write_line(&mut self, line: &str) -> anyhow::Result<()> {
        self.process.write_line(line)
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.process.close_input();
    }

    /// Kills it with SIGKILL; what it printed before stays to be heard.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Asks it to end, with SIGTERM.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.process.terminate()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// If it still runs after `within`.
    pub fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.process.ended(within)
    }
}
