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

/// What an engine tells last. One that broke tells nothing more, and is taken to have told this; after an end
/// that was told nobody listens.
const LAST: Event = Event::Ended { ok: false };

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
    /// [`NotTaken`] if 1,024 commands wait already or the engine has ended, of which its last event tells.
    pub fn send(&self, command: Command) -> Result<(), NotTaken> {
        self.commands.try_send(command).map_err(|_| NotTaken)
    }

    /// Takes what the engine has told so far, in place of the stream.
    #[cfg(test)]
    pub(crate) fn told(&self) -> Vec<Event> {
        let mut events = self.feed.events.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(receiver) = &mut *events else { return Vec::new() };
        let mut told: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        if receiver.is_closed() {
            told.push(LAST);
        }
        told
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
        receiver.recv_many(&mut events, EVENTS_TOGETHER_MAX).await;
        let goes_on = !events.is_empty();
        if !goes_on {
            events.push(LAST);
        }
        Some(((number, events), goes_on.then_some(receiver)))
    })
}

#[cfg(test)]
mod tests {
    use iced::futures::StreamExt as _;

    use super::*;

    #[test]
    fn the_stream_of_an_engine_that_broke_tells_its_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (commands, _) = mpsc::channel(1);
        let (send, receive) = mpsc::channel(8);
        let connection = Connection::new(7, Engine { commands, events: receive });
        send.try_send(Event::RetryIn { ms: 1 }).unwrap();
        drop(send);
        let stream = events(&connection.feed);
        let told: Vec<_> = runtime.block_on(stream.collect());
        assert!(told == [(7, vec![Event::RetryIn { ms: 1 }]), (7, vec![LAST])]);
    }
}
