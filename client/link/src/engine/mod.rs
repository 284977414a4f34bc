//! The engine: one account's client on a thread of its own; the window and `iirs-headless` hold the
//! same one.
//!
//! ```text
//! start ─► begin (profile, connect, register, sign in or resume) ─► drive (rounds) ⇄ come back
//! ```

mod account;
mod begin;
mod drive;
mod entry;
mod export;
mod history;
mod local;
mod search;
mod stream;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::api::{About, COMMANDS_MAX, Command, EVENTS_MAX, Event, Options};
use begin::Beginning;
use drive::Drive;
use trouble::Failure;

/// A running client.
pub struct Engine {
    /// Where commands go; when it is dropped, the engine leaves.
    pub commands: mpsc::Sender<Command>,
    /// Where events come from; [`Event::Ended`] is the last.
    pub events: mpsc::Receiver<Event>,
}

impl Engine {
    /// Starts a client on a thread of its own, so that its rounds wait for nobody.
    pub fn start(options: Options) -> Self {
        let (commands, receive_commands) = mpsc::channel(COMMANDS_MAX);
        let (send_events, events) = mpsc::channel(EVENTS_MAX);
        let teller = Teller { events: send_events, warned: Arc::default() };
        let run = move || run(options, receive_commands, &teller);
        let started = std::thread::Builder::new().name("engine".into()).spawn(run);
        if let Err(error) = started {
            tracing::error!("no thread for the engine: {error}");
        }
        Self { commands, events }
    }
}

/// Tells events, and never waits for who hears them.
///
/// Rounds are told as long as half of the places are free; the rest is for what a program must not miss.
#[derive(Clone)]
pub(crate) struct Teller {
    events: mpsc::Sender<Event>,
    warned: Arc<AtomicBool>,
}

impl Teller {
    fn tell(&self, event: Event) {
        let of_a_round = matches!(event, Event::Round { .. } | Event::RoundOpen { .. });
        if of_a_round && self.events.capacity() < EVENTS_MAX / 2 {
            return;
        }
        let full = matches!(self.events.try_send(event), Err(mpsc::error::TrySendError::Full(_)));
        if full && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "{EVENTS_MAX} events wait for the program; those that follow are lost to it"
            );
        }
    }
}

/// How an engine ended.
enum End {
    /// It was asked to leave.
    Left,
    /// It cannot go on.
    Failed(Failure),
}

fn run(options: Options, commands: mpsc::Receiver<Command>, teller: &Teller) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let end = match runtime {
        Ok(runtime) => runtime.block_on(live(options, commands, teller)),
        Err(error) => {
            let text = format!("the system gives no event loop: {error}");
            End::Failed(Failure::new(crate::api::ErrorCode::Disk, text))
        }
    };
    let ok = match end {
        End::Left => true,
        End::Failed(Failure { code, text }) => {
            teller.tell(Event::Error { code, text, about: About::default() });
            false
        }
    };
    // waits for a place: the last event must not be dropped
    let _ = teller.events.blocking_send(Event::Ended { ok });
}

async fn live(options: Options, commands: mpsc::Receiver<Command>, teller: &Teller) -> End {
    let mut commands = Commands::new(commands);
    let beginning = tokio::select! {
        beginning = Beginning::make(options, teller) => beginning,
        () = commands.quit() => return End::Left,
    };
    match beginning {
        Ok(beginning) => Drive::new(beginning, commands, teller.clone()).run().await,
        Err(failure) => End::Failed(failure),
    }
}

/// Commands in the order they came; what comes before the sign-in waits for it.
struct Commands {
    receiver: mpsc::Receiver<Command>,
    early: std::collections::VecDeque<Command>,
}

impl Commands {
    fn new(receiver: mpsc::Receiver<Command>) -> Self {
        Self { receiver, early: std::collections::VecDeque::new() }
    }

    /// Returns when the program wants to leave; everything else is set aside. With nobody signed in yet,
    /// signing out is no more than that.
    async fn quit(&mut self) {
        loop {
            if self.early.len() == COMMANDS_MAX {
                return std::future::pending().await;
            }
            match self.receiver.recv().await {
                Some(Command::Quit | Command::SignOut) | None => return,
                Some(command) => self.early.push_back(command),
            }
        }
    }

    /// Returns the next command; a program that is gone wants to quit.
    async fn next(&mut self) -> Command {
        match self.early.pop_front() {
            Some(command) => command,
            None => self.receiver.recv().await.unwrap_or(Command::Quit),
        }
    }
}
