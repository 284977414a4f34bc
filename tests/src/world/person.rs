//! Somebody at a real engine, with everything that the engine told.

use std::path::PathBuf;

use client_link::api::{
    Command, ConnectionState, ErrorCode, Event, MessageState, Options, Password,
};
use client_link::engine::Engine;
use wire::account::{Invite, Stretching};
use wire::link::Link;

use super::soon;

/// How somebody begins.
#[derive(Clone)]
pub struct Start {
    /// The server.
    pub link: Link,
    /// The account.
    pub name: String,
    /// Its password.
    pub password: String,
    /// Whether to make the account first.
    pub register: bool,
    /// Invitation code for that.
    pub invite: Option<Invite>,
    /// Where the profile is.
    pub profile: PathBuf,
    /// Whether to begin before the server is reached.
    pub early: bool,
}

/// Somebody at an engine.
pub struct Person {
    name: String,
    engine: Engine,
    log: Vec<Event>,
}

impl Person {
    /// Starts an engine and waits for nothing.
    pub fn start(start: Start) -> Self {
        let Start { link, name, password, register, invite, profile, early } = start;
        let options = Options {
            link,
            user: name.parse().expect("tests use good names"),
            password: Password::new(password),
            register,
            invite,
            profile,
            early,
            stretching: Stretching::for_tests(),
        };
        Self { name, engine: Engine::start(options), log: Vec::new() }
    }

    /// Starts an engine and waits until it is in the rounds.
    pub async fn begin(start: Start) -> Self {
        let mut person = Self::start(start);
        person.reaches(0, ConnectionState::Connected).await;
        person
    }

    /// Returns the account's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the engine told so far.
    pub fn log(&mut self) -> &[Event] {
        while let Ok(event) = self.engine.events.try_recv() {
            self.log.push(event);
        }
        &self.log
    }

    /// Returns the place in the log from which on everything is new.
    pub fn now(&mut self) -> usize {
        self.log().len()
    }

    /// Gives a command.
    pub async fn command(&self, command: Command) {
        let given = self.engine.commands.send(command);
        assert!(soon("room for a command", given).await.is_ok(), "{}'s engine ended", self.name);
    }

    /// Tells whether the engine takes commands.
    pub fn takes_commands(&self) -> bool {
        !self.engine.commands.is_closed()
    }

    /// Opens a conversation.
    pub async fn open(&self, peer: &str) {
        self.command(Command::Open { peer: peer.to_owned() }).await;
    }

    /// Sends a message.
    pub async fn send(&self, peer: &str, text: &str, label: &str) {
        let (peer, text, label) = (peer.to_owned(), text.to_owned(), label.to_owned());
        self.command(Command::Send { peer, text, label }).await;
    }

    /// Returns the first thing that was told since `from` for which `pick` has an answer.
    pub async fn hears<T>(
        &mut self,
        from: usize,
        what: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        if let Some(found) = self.log().iter().skip(from).find_map(&mut pick) {
            return found;
        }
        let waited = async {
            while let Some(event) = self.engine.events.recv().await {
                let found = pick(&event);
                self.log.push(event);
                if found.is_some() {
                    return found;
                }
            }
            None
        };
        match tokio::time::timeout(super::DEADLINE, waited).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("{} ended without {what}: {:?}", self.name, self.log),
            Err(_) => panic!("{} waited for {what}: {:?}", self.name, self.log),
        }
    }

    /// Waits for a state of the connection.
    pub async fn reaches(&mut self, from: usize, state: ConnectionState) {
        let reached = |event: &Event| (*event == Event::Connection(state)).then_some(());
        self.hears(from, state.as_str(), reached).await;
    }

    /// Waits until a message of theirs has come so far.
    pub async fn has_come(&mut self, wanted: &str, state: MessageState) {
        let what = format!("{wanted} to be {}", state.as_str());
        self.hears(0, &what, |event| match event {
            Event::State { label, state: reached, .. } => {
                (label == wanted && *reached == state).then_some(())
            }
            _ => None,
        })
        .await;
    }

    /// Waits until a message of theirs is delivered.
    pub async fn delivers(&mut self, label: &str) {
        self.has_come(label, MessageState::Delivered).await;
    }

    /// Waits for a message with this text.
    pub async fn receives(&mut self, wanted: &str) {
        let matches = |event: &Event| match event {
            Event::Message { text, .. } => (text == wanted).then_some(()),
            _ => None,
        };
        self.hears(0, &format!("the text {wanted:?}"), matches).await;
    }

    /// Returns all texts that came, in order.
    pub fn texts(&mut self) -> Vec<String> {
        let texts = self.log().iter().filter_map(|event| match event {
            Event::Message { text, .. } => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    }

    /// Asks for the safety number with a peer.
    pub async fn safety_number(&mut self, peer: &str) -> String {
        let from = self.now();
        self.command(Command::SafetyNumber { peer: peer.to_owned() }).await;
        self.hears(from, "the safety number", |event| match event {
            Event::SafetyNumber { peer: about, digits } => (about == peer).then(|| digits.clone()),
            _ => None,
        })
        .await
    }

    /// Returns the numbers of the rounds that were answered, in order.
    pub fn rounds(&mut self) -> Vec<u64> {
        let rounds = self.log().iter().filter_map(|event| match event {
            Event::Round { number, .. } => Some(*number),
            _ => None,
        });
        rounds.collect()
    }

    /// Waits until so many more rounds were answered.
    pub async fn sits_through(&mut self, rounds: usize) {
        let (from, mut left) = (self.now(), rounds);
        self.hears(from, "more rounds", |event| {
            left -= usize::from(matches!(event, Event::Round { .. }));
            (left == 0).then_some(())
        })
        .await;
    }

    /// Returns all errors so far.
    pub fn errors(&mut self) -> Vec<(ErrorCode, String)> {
        let errors = self.log().iter().filter_map(|event| match event {
            Event::Error { code, text, .. } => Some((*code, text.clone())),
            _ => None,
        });
        errors.collect()
    }

    /// Tells whether the connection was ever lost.
    pub fn was_lost(&mut self) -> bool {
        self.log().contains(&Event::Connection(ConnectionState::Lost))
    }

    /// Waits for the end; returns whether it was a good one, and all that was told.
    pub async fn ends(&mut self) -> (bool, Vec<Event>) {
        let ended = |event: &Event| match event {
            Event::Ended { ok } => Some(*ok),
            _ => None,
        };
        let ok = self.hears(0, "the end", ended).await;
        let more = soon("the engine's last breath", self.engine.events.recv()).await;
        assert_eq!(more, None, "something comes after the end");
        (ok, self.log.clone())
    }

    /// Leaves, and waits until the engine has ended.
    pub async fn leaves(mut self) -> Vec<Event> {
        self.command(Command::Quit).await;
        let (ok, log) = self.ends().await;
        assert!(ok, "{} wanted to leave: {log:?}", self.name);
        log
    }
}
