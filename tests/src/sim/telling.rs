//! What people's clients tell them, and what people ask of each other's.

use std::collections::BTreeMap;

use client_core::api::{Command, ContactStatus, ErrorCode, Event, Standing};
use wire::ids::Round;

use super::world::World;

/// What one person was told, on one machine.
#[derive(Default)]
pub struct Heard {
    /// All errors.
    pub errors: Vec<ErrorCode>,
    /// Contacts and blocked people of the running process, by name, as they were told last.
    pub contacts: BTreeMap<String, ContactStatus>,
    /// Version of the vault that was stored last.
    pub vault: u64,
    /// Whether a contact was told since the last deposit.
    pub(super) has_news: bool,
    /// Other things about people, each with the round that was open.
    log: Vec<(Round, About, String)>,
}

/// What is told about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// He calls.
    Request,
    /// He is called.
    Calling,
    /// He was heard on the root of a call.
    Answered,
    /// He has another key, or none any more.
    KeyChanged,
}

impl Heard {
    /// Counts how often something was told about a name.
    pub fn times(&self, what: About, name: &str) -> usize {
        self.rounds(what, name).count()
    }

    /// Returns the rounds in which something was told about a name.
    pub fn rounds(&self, what: About, name: &str) -> impl Iterator<Item = Round> {
        let about = self.log.iter().filter(move |(_, it, who)| *it == what && who == name);
        about.map(|(round, ..)| *round)
    }

    /// Returns how somebody stands, if he is a contact or blocked.
    pub fn standing(&self, name: &str) -> Option<Standing> {
        self.contacts.get(name).map(|contact| contact.standing)
    }

    /// Tells whether somebody has the mark of a compared safety number.
    pub fn is_verified(&self, name: &str) -> bool {
        self.contacts.get(name).is_some_and(|contact| contact.verified)
    }

    /// A process starts, and will tell its contacts.
    pub(super) fn started(&mut self) {
        self.contacts.clear();
    }
}

impl World {
    /// Has one person call another.
    pub fn call(&mut self, from: usize, to: usize) {
        self.command(from, Command::Call { peer: self.people[to].name.to_string() });
    }

    /// Has somebody accept another's call.
    pub fn accept(&mut self, who: usize, caller: usize) {
        self.command(who, Command::Accept { peer: self.people[caller].name.to_string() });
    }

    /// Has somebody decline another's call.
    pub fn decline(&mut self, who: usize, caller: usize) {
        self.command(who, Command::Decline { peer: self.people[caller].name.to_string() });
    }

    /// Has somebody block another.
    pub fn block(&mut self, who: usize, peer: usize) {
        self.command(who, Command::Block { peer: self.people[peer].name.to_string() });
    }

    /// Has somebody take a block back.
    pub fn unblock(&mut self, who: usize, peer: usize) {
        self.command(who, Command::Unblock { peer: self.people[peer].name.to_string() });
    }

    /// Has somebody forget a contact.
    pub fn forget(&mut self, who: usize, peer: usize) {
        self.command(who, Command::Forget { peer: self.people[peer].name.to_string() });
    }

    /// Has somebody mark another's safety number as compared.
    pub fn verify(&mut self, who: usize, peer: usize) {
        let peer = self.people[peer].name.to_string();
        self.command(who, Command::Verify { peer, verified: true });
    }

    /// Has somebody accept another's new key.
    pub fn accept_key(&mut self, who: usize, peer: usize) {
        self.command(who, Command::AcceptKey { peer: self.people[peer].name.to_string() });
    }

    /// Counts how often somebody was told something about another.
    pub fn told(&self, who: usize, what: About, peer: usize) -> usize {
        self.people[who].heard.times(what, self.people[peer].name.as_str())
    }

    /// Returns how another stands with somebody.
    pub fn standing(&self, who: usize, peer: usize) -> Option<Standing> {
        self.people[who].heard.standing(self.people[peer].name.as_str())
    }

    /// Counts the calls that somebody's running client refused.
    pub fn refused_calls(&self, who: usize) -> u64 {
        let process = self.people[who].process.as_ref();
        process.map_or(0, |process| process.client.status().refused_calls)
    }

    /// Lets rounds pass until something is so; returns how many.
    ///
    /// # Panics
    /// If it is not after `most` rounds.
    pub fn wait(&mut self, most: u32, what: &str, is_so: impl Fn(&Self) -> bool) -> u32 {
        for rounds in 0..most {
            if is_so(self) {
                return rounds;
            }
            self.run_rounds(1);
        }
        panic!("seed {}: not after {most} rounds: {what}", self.seed);
    }

    /// Lets rounds pass until somebody is told something about another; returns how many.
    ///
    /// # Panics
    /// If it is not told in `most` rounds.
    pub fn wait_told(&mut self, most: u32, who: usize, what: About, peer: usize) -> u32 {
        let before = self.told(who, what, peer);
        let text = format!("{who} is told {what:?} about {peer}");
        self.wait(most, &text, |world| world.told(who, what, peer) > before)
    }

    /// A person's client tells something.
    pub(super) fn event(&mut self, who: usize, event: Event) {
        let owner = self.people[who].owner;
        match event {
            Event::State { label, state, .. } => self.model.state(owner, &label, state),
            Event::Message { peer, text, .. } => {
                let writers = self.called(&peer).collect::<Vec<_>>();
                self.model.told(&writers, owner, &text);
            }
            Event::Round { number, missed, .. } => {
                assert!(Round(number) <= self.round, "an answer to a round that is not over");
                let person = &mut self.people[who];
                person.answered += 1;
                let process = person.process.as_mut().expect("only a running client tells");
                process.missed = missed;
            }
            Event::Error { code, text, .. } => {
                assert!(self.expected.contains(&code), "{who} is told {}: {text}", code.as_str());
                self.people[who].heard.errors.push(code);
            }
            Event::Request { peer } => self.hears(who, About::Request, peer),
            Event::Calling { peer } => self.hears(who, About::Calling, peer),
            Event::Answered { peer } => self.hears(who, About::Answered, peer),
            Event::KeyChanged { peer } => self.hears(who, About::KeyChanged, peer),
            Event::Contact(contact) => {
                let heard = &mut self.people[who].heard;
                heard.has_news = true;
                heard.contacts.insert(contact.peer.clone(), contact);
            }
            Event::Forgotten { peer } => {
                self.people[who].heard.contacts.remove(&peer);
            }
            Event::VaultStored { version } => {
                let heard = &mut self.people[who].heard;
                assert!(version > heard.vault, "version {version} after {}", heard.vault);
                heard.vault = version;
            }
            Event::Progress(_)
            | Event::Registered { .. }
            | Event::Contacts { .. }
            | Event::Sessions { .. }
            | Event::SessionEnded { .. }
            | Event::PasswordChanged
            | Event::AccountDeleted
            | Event::ServerRestored { .. }
            | Event::Local(_)
            | Event::SignedIn { .. }
            | Event::RoundOpen { .. }
            | Event::Directory { .. }
            | Event::Listed { .. }
            | Event::History { .. }
            | Event::SafetyNumber { .. }
            | Event::RetryIn { .. }
            | Event::Status(_)
            | Event::Connection(_)
            | Event::Ended { .. } => (),
        }
    }

    fn hears(&mut self, who: usize, what: About, peer: String) {
        let round = self.round;
        self.people[who].heard.log.push((round, what, peer));
    }
}
