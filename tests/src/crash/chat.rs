//! Pairs of real clients that chat all the time, whatever becomes of the server.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client_link::api::{Command, ConnectionState, Event, MessageState, Options, Password};
use client_link::engine::Engine;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::account::Stretching;
use wire::link::Link;

use super::journal::{Check, Journal, Order};
use crate::processes::{Ledger, MessageState as SaidState, Said, Verdict};

/// Pairs that chat.
const PAIRS: [[&str; 2]; 2] = [["ann", "bob"], ["cid", "dan"]];

/// Messages that one person has on the way at once.
const ON_THE_WAY: usize = 3;

/// Longest time that an engine takes to leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(20);

/// Everybody who chats.
pub(super) struct Chat {
    ledger: Arc<Mutex<Told>>,
    people: Vec<JoinHandle<()>>,
}

/// What all of them told.
#[derive(Default)]
struct Told {
    ledger: Ledger,
    sent: usize,
    resumed: u64,
    connected: usize,
}

/// How the chat stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// What arrived of what was sent.
    pub(super) verdict: Verdict,
    /// Messages whose senders know that they were delivered.
    pub(super) acknowledged: usize,
    /// How often somebody came back into the rounds.
    pub(super) resumed: u64,
    /// People who came into the rounds.
    pub(super) connected: usize,
}

impl Chat {
    /// Has everybody register and chat, with profiles in a directory.
    pub(super) fn start(
        runtime: &Runtime,
        link: &Link,
        profiles: &Path,
        journal: &Arc<Journal>,
    ) -> Self {
        let ledger = Arc::new(Mutex::new(Told::default()));
        let people = PAIRS.iter().flat_map(|[one, other]| [(one, other), (other, one)]);
        let people = people.map(|(own, peer)| {
            let options = Options {
                link: link.clone(),
                user: own.parse().expect("letters are a name"),
                password: Password::new(format!("the password of {own}")),
                register: true,
                invite: None,
                profile: profiles.join(own),
                early: false,
                stretching: Stretching::for_tests(),
            };
            let person = Person {
                own: (*own).to_owned(),
                peer: (*peer).to_owned(),
                engine: Engine::start(options),
                told: ledger.clone(),
                journal: journal.clone(),
                orders: journal.orders(),
                last_round: 0,
            };
            runtime.spawn(person.run())
        });
        let people = people.collect();
        Self { ledger, people }
    }

    /// Returns how many people there are.
    pub(super) fn people(&self) -> usize {
        self.people.len()
    }

    /// Returns how it stands.
    pub(super) fn standing(&self) -> Standing {
        let told = lock(&self.ledger);
        Standing {
            verdict: told.ledger.verdict(),
            acknowledged: told.ledger.acknowledged(),
            resumed: told.resumed,
            connected: told.connected,
        }
    }

    /// Waits until everybody has left, as was ordered.
    pub(super) fn ends(self, runtime: &Runtime) -> anyhow::Result<()> {
        runtime.block_on(async {
            for person in self.people {
                tokio::time::timeout(LEAVES_WITHIN, person).await??;
            }
            Ok(())
        })
    }
}

/// Somebody who chats.
struct Person {
    own: String,
    peer: String,
    engine: Engine,
    told: Arc<Mutex<Told>>,
    journal: Arc<Journal>,
    orders: watch::Receiver<Order>,
    last_round: u64,
}

impl Person {
    async fn run(mut self) {
        let mut orders = self.orders.clone();
        let mut leaving = false;
        loop {
            let event = tokio::select! {
                event = self.engine.events.recv() => event,
                () = stopped(&mut orders), if !leaving => {
                    leaving = true;
                    self.command(Command::Quit).await;
                    continue;
                }
            };
            match event {
                Some(Event::Ended { ok }) => {
                    if !leaving || !ok {
                        self.wrong("left the rounds for good");
                    }
                    return;
                }
                Some(event) => self.hear(event).await,
                None => return self.wrong("ended without a word"),
            }
        }
    }

    async fn hear(&mut self, event: Event) {
        match event {
            Event::Connection(ConnectionState::Connected) => {
                self.command(Command::Open { peer: self.peer.clone() }).await;
                lock(&self.told).connected += 1;
                for _ in 0..ON_THE_WAY {
                    self.send().await;
                }
            }
            Event::Connection(ConnectionState::Resumed) => lock(&self.told).resumed += 1,
            Event::RoundOpen { number, .. } => {
                if number <= self.last_round {
                    let last = self.last_round;
                    self.wrong(&format!("was offered round {number} after round {last}"));
                }
                self.last_round = number;
            }
            Event::Message { peer, text, sent_ms, round, .. } => {
                self.note(&Said::Message { peer, text, sent_ms, round });
            }
            Event::State { label, peer, state, round } => {
                let said = match state {
                    MessageState::Queued => SaidState::Queued,
                    MessageState::Sent => SaidState::Sent,
                    MessageState::Delivered => SaidState::Delivered,
                };
                self.note(&Said::State { id: label, peer, state: said, round });
                let ending = match *self.orders.borrow() {
                    Order::Write | Order::Check(Check { all: false, .. }) => false,
                    Order::Check(Check { all: true, .. }) | Order::Stop => true,
                };
                if state == MessageState::Delivered && !ending {
                    self.send().await;
                }
            }
            Event::Error { code, text, .. } => {
                self.wrong(&format!("got {}: {text}", code.as_str()))
            }
            Event::Progress(_)
            | Event::Registered { .. }
            | Event::SignedIn { .. }
            | Event::Round { .. }
            | Event::Directory { .. }
            | Event::Listed { .. }
            | Event::History { .. }
            | Event::SafetyNumber { .. }
            | Event::Status(_)
            | Event::Request { .. }
            | Event::Calling { .. }
            | Event::Answered { .. }
            | Event::KeyChanged { .. }
            | Event::Contact(_)
            | Event::Forgotten { .. }
            | Event::Contacts { .. }
            | Event::VaultStored { .. }
            | Event::Sessions { .. }
            | Event::SessionEnded { .. }
            | Event::PasswordChanged
            | Event::AccountDeleted
            | Event::ServerRestored { .. }
            | Event::Local(_)
            | Event::Connection(ConnectionState::Connecting | ConnectionState::Lost)
            | Event::RetryIn { .. }
            | Event::Ended { .. } => (),
        }
    }

    async fn send(&self) {
        let (text, label) = {
            let told = &mut *lock(&self.told);
            told.sent += 1;
            let text = format!("word {} of {}", told.sent, self.own);
            let label = told.ledger.send(&self.own, &self.peer, &text);
            (text, label)
        };
        self.command(Command::Send { peer: self.peer.clone(), text, label }).await;
    }

    async fn command(&self, command: Command) {
        // an engine that ended says so in its last event
        let _ = self.engine.commands.send(command).await;
    }

    fn note(&self, said: &Said) {
        let heard = lock(&self.told).ledger.hear(&self.own, said);
        if let Err(error) = heard {
            self.wrong(&error.to_string());
        }
    }

    fn wrong(&self, what: &str) {
        self.journal.wrong(format!("{} {what}", self.own));
    }
}

/// Waits for the order to stop, or for the end of all orders.
async fn stopped(orders: &mut watch::Receiver<Order>) {
    drop(orders.wait_for(|order| *order == Order::Stop).await);
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}
