//! What people do about each other: they call, accept, and stand to each other in one way or another.

use client_link::api::{Command, ErrorCode, Event, Standing};

use super::{Person, soon};

/// Control rounds that a vault takes to be written, in rounds, and some more.
const VAULT_ROUNDS: usize = 13;

impl Person {
    /// Calls somebody.
    pub async fn call(&self, peer: &str) {
        self.command(Command::Call { peer: peer.to_owned() }).await;
    }

    /// Waits until somebody's call is told.
    pub async fn is_rung(&mut self, from: usize, caller: &str) {
        let rings = |event: &Event| match event {
            Event::Request { peer } => (peer == caller).then_some(()),
            _ => None,
        };
        self.hears(from, &format!("{caller}'s call"), rings).await;
    }

    /// Waits for a call and accepts it.
    pub async fn accepts(&mut self, caller: &str) {
        self.is_rung(0, caller).await;
        self.command(Command::Accept { peer: caller.to_owned() }).await;
    }

    /// Waits until whom one called, or whose call one accepted, is there.
    pub async fn meets(&mut self, from: usize, wanted: &str) {
        let answered = |event: &Event| match event {
            Event::Answered { peer } => (peer == wanted).then_some(()),
            _ => None,
        };
        self.hears(from, &format!("{wanted} to answer"), answered).await;
    }

    /// Calls somebody who accepts, and waits until each knows that the other is there.
    pub async fn gets_through(&mut self, peer: &mut Self) {
        let (own, other) = (self.name().to_owned(), peer.name().to_owned());
        self.call(&other).await;
        peer.accepts(&own).await;
        tokio::join!(self.meets(0, &other), peer.meets(0, &own));
    }

    /// Sends somebody a text, which is also its label, and waits until each knows that it arrived.
    pub async fn tells(&mut self, peer: &mut Self, text: &str) {
        self.send(peer.name(), text, text).await;
        tokio::join!(self.delivers(text), peer.receives(text));
    }

    /// Returns all whose calls were told so far, as often as they were.
    pub fn callers(&mut self) -> Vec<String> {
        let callers = self.log().iter().filter_map(|event| match event {
            Event::Request { peer } => Some(peer.clone()),
            _ => None,
        });
        callers.collect()
    }

    /// Returns contacts and blocked people: name, standing, verified.
    pub async fn contacts(&mut self) -> Vec<(String, Standing, bool)> {
        let from = self.now();
        self.command(Command::Contacts).await;
        let told = |event: &Event| match event {
            Event::Contacts { contacts } => Some(contacts.clone()),
            _ => None,
        };
        let contacts = self.hears(from, "the contacts", told).await;
        contacts.into_iter().map(|it| (it.peer, it.standing, it.verified)).collect()
    }

    /// Waits until somebody stands so.
    pub async fn sees(&mut self, from: usize, wanted: &str, standing: Standing, verified: bool) {
        let stands = |event: &Event| match event {
            Event::Contact(it) => (it.peer == wanted
                && (it.standing, it.verified) == (standing, verified))
                .then_some(()),
            _ => None,
        };
        let what = format!("{wanted} to be {} (verified: {verified})", standing.as_str());
        self.hears(from, &what, stands).await;
    }

    /// Returns how many calls were not told.
    pub async fn refused_calls(&mut self) -> u64 {
        let from = self.now();
        self.command(Command::Status).await;
        let told = |event: &Event| match event {
            Event::Status(status) => Some(status.refused_calls),
            _ => None,
        };
        self.hears(from, "the status", told).await
    }

    /// Waits until so many calls were not told.
    pub async fn has_refused(&mut self, calls: u64) {
        let reached = async {
            while self.refused_calls().await < calls {
                self.sits_through(1).await;
            }
        };
        soon("calls that are not told", reached).await;
    }

    /// Waits until all that was changed before now is in the vault; a write that began before does not count.
    pub async fn stores(&mut self) -> u64 {
        let (from, mut rounds) = (self.now(), 0);
        self.hears(from, "the vault to be stored", |event| {
            rounds += usize::from(matches!(event, Event::Round { .. }));
            match event {
                Event::VaultStored { version } => (rounds > VAULT_ROUNDS).then_some(*version),
                _ => None,
            }
        })
        .await
    }

    /// Waits for an error; returns its text.
    pub async fn hears_error(&mut self, from: usize, wanted: ErrorCode) -> String {
        let what = format!("the error {}", wanted.as_str());
        let told = |event: &Event| match event {
            Event::Error { code, text, .. } => (*code == wanted).then(|| text.clone()),
            _ => None,
        };
        self.hears(from, &what, told).await
    }
}
