//! The engine as one subscription: commands go in, events come out, and neither side waits.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use client_link::api::{Command, Event, Options};
use client_link::engine::Engine;
use iced::Subscription;
use iced::futures::Stream;
use tokio::sync::mpsc;

/// Events that are taken from the engine at once; more wait for the next picture.
const EVENTS_TOGETHER_MAX: usize = 512;

/// Starts an engine; tests give a scripted one.
pub type Starter = Arc<dyn Fn(Options) -> Engine + Send + Sync>;

/// A running engine, as the window sees it.
pub struct Connection {
    number: u64,
    commands: mpsc::Sender<Command>,
    feed: Feed,
}

/// The engine is gone, or so busy that it takes no command now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

/// Where events come from; the one stream of a connection takes it.
#[derive(Clone)]
struct Feed {
    number: u64,
    events: Arc<Mutex<Option<mpsc::Receiver<Event>>>>,
}

impl Hash for Feed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl Connection {
    /// Takes over an engine; the number tells its events from those of an earlier one.
    pub fn new(number: u64, engine: Engine) -> Self {
        let Engine { commands, events } = engine;
        let feed = Feed { number, events: Arc::new(Mutex::new(Some(events))) };
        Self { number, commands, feed }
    }

    /// Returns the number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Hands a command to the engine, without waiting.
    ///
    /// # Errors
    /// [`NotTaken`] if 1,024 commands wait already or the engine has ended.
    pub fn send(&self, command: Command) -> Result<(), NotTaken> {
        self.commands.try_send(command).map_err(|_| NotTaken)
    }

    /// Takes what the engine has told so far, in place of the stream.
    #[cfg(test)]
    pub(crate) fn told(&self) -> Vec<Event> {
        let mut events = self.feed.events.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(receiver) = &mut *events else { return Vec::new() };
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    /// Returns the stream of events, with the number, in groups as they came.
    pub fn subscription(&self) -> Subscription<(u64, Vec<Event>)> {
        Subscription::run_with(self.feed.clone(), events)
    }
}

fn events(feed: &Feed) -> impl Stream<Item = (u64, Vec<Event>)> + use<> {
    let number = feed.number;
    let receiver = feed.events.lock().unwrap_or_else(PoisonError::into_inner).take();
    iced::futures::stream::unfold(receiver, move |receiver| async move {
        let mut receiver = receiver?;
        let mut events = Vec::new();
        let taken = receiver.recv_many(&mut events, EVENTS_TOGETHER_MAX).await;
        (taken > 0).then_some(((number, events), Some(receiver)))
    })
}
