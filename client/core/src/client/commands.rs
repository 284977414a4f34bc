//! What a program asks of the client.

use wire::directory::Record;
use wire::ids::{AccountIndex, MessageId, Name};
use wire::size::TEXT_MAX;

use super::{CONVERSATIONS_PER_SLOT, Client, Kept, Now, Open, Output};
use crate::api::{About, Command, ErrorCode, Event};
use crate::record::{Change, LABEL_MAX, Outgoing};
use crate::safety_number::safety_number;
use crate::sending::QUEUE_MAX;

/// Rounds that a client stays after its last message was delivered, drawn at random.
pub(super) const LINGER_ROUNDS: (u64, u64) = (30, 120);

/// Names that may wait for the directory at once.
const UNRESOLVED_MAX: usize = 64;

/// Messages that may wait for the directory at once, for all such names.
const UNRESOLVED_SENDS_MAX: usize = 1024;

/// A name that was not in the directory when its conversation was opened, with what was sent since.
pub(super) struct Unresolved {
    name: Name,
    sends: Vec<(String, String)>,
    /// Whether it was closed since; then it is opened only to keep what was sent.
    closed: bool,
    /// Whether it is to be called, not only opened.
    called: bool,
}

/// The client leaves once everything is delivered.
pub(super) enum Leaving {
    /// Waits until nothing is queued.
    Draining { linger: bool },
    /// Stays for so many rounds more.
    Lingering { rounds: u64 },
}

impl Client {
    /// Does what a program asks; answers and errors come as events.
    pub fn handle_command(&mut self, now: Now, command: Command) {
        match command {
            Command::Open { peer } => self.open(&peer),
            Command::Close { peer } => self.close(&peer),
            Command::Send { peer, text, label } => self.send(now, &peer, text, label),
            Command::Directory => {
                let names = self.directory.names_sorted().iter().map(Name::to_string).collect();
                self.event(Event::Directory { names });
            }
            Command::Status => {
                let status = self.status();
                self.event(Event::Status(status));
            }
            Command::SafetyNumber { peer } => self.safety_number(&peer),
            Command::Drain { linger } => {
                self.leaving = Some(Leaving::Draining { linger });
                self.check_leaving();
            }
            Command::SignOut => {
                self.keep(vec![Change::Token(None)], Vec::new());
                self.outputs.push_back(Output::Leave);
            }
            Command::Quit => self.outputs.push_back(Output::Leave),
            Command::Call { peer } => self.call(&peer),
            Command::Accept { peer } => self.accept(&peer),
            Command::Decline { peer } => self.decline(&peer),
            Command::Block { peer } => self.block(&peer),
            Command::Unblock { peer } => self.unblock(&peer),
            Command::Forget { peer } => self.forget(&peer),
            Command::Verify { peer, verified } => self.verify(&peer, verified),
            Command::AcceptKey { peer } => self.accept_key(&peer),
            Command::Contacts => self.tell_contacts(),
            // these are for whoever holds the disk and the connection
            Command::History { .. }
            | Command::Local(_)
            | Command::Retry
            | Command::ChangePassword { .. }
            | Command::Sessions
            | Command::EndSession { .. }
            | Command::DeleteAccount { .. } => (),
        }
    }

    /// Looks names up that waited for the directory; what is not found waits on unless that is complete.
    pub(super) fn resolve(&mut self, now: Now, complete: bool) {
        for unresolved in std::mem::take(&mut self.unresolved) {
            let found = self.directory.find(&unresolved.name);
            if found.is_none() && !complete {
                self.unresolved.push(unresolved);
                continue;
            }
            let Unresolved { name, sends, closed, called } = unresolved;
            match found {
                Some((index, record)) if called => self.call_to(AccountIndex(index), record),
                Some((_, record)) => self.begin(record),
                None => self.unknown(&name.to_string()),
            }
            for (text, label) in sends {
                self.send(now, name.as_str(), text, label);
            }
            if closed && self.find_open(name.as_str()).is_some() {
                self.close(name.as_str());
            }
        }
        self.check_leaving();
    }

    /// Leaves if everything is done that has to be done before.
    pub(super) fn check_leaving(&mut self) {
        let Some(Leaving::Draining { linger }) = self.leaving else { return };
        let idle = |open: &Open| open.conversation.undelivered() + open.unkept == 0;
        let done = self.unresolved.is_empty()
            && self.batches.is_empty()
            && self.conversations.values().all(idle);
        if !done {
            return;
        }
        if linger {
            let rounds = self.draw_linger();
            self.leaving = Some(Leaving::Lingering { rounds });
        } else {
            self.leaving = None;
            self.outputs.push_back(Output::Leave);
        }
    }

    /// Counts a round of those that the client stays.
    pub(super) fn linger(&mut self) {
        let Some(Leaving::Lingering { rounds }) = &mut self.leaving else { return };
        *rounds -= 1;
        if *rounds == 0 {
            self.leaving = None;
            self.outputs.push_back(Output::Leave);
        }
    }

    fn open(&mut self, peer: &str) {
        let Ok(name) = peer.parse::<Name>() else { return self.unknown(peer) };
        if name == *self.own.name() {
            return self.himself(peer);
        }
        if self.gone.contains(&name) {
            return self.stands_still(peer, about(peer));
        }
        match self.look_up(&name) {
            Some((_, record)) => self.begin(record),
            None => self.resolve_later(name, false),
        }
    }

    /// Finds an account by its name; what was sent to a name that waits goes first, so that waits on.
    pub(super) fn look_up(&self, name: &Name) -> Option<(AccountIndex, Record)> {
        if self.unresolved.iter().any(|it| it.name == *name) {
            return None;
        }
        self.directory.find(name).map(|(index, record)| (AccountIndex(index), record))
    }

    /// Has a name wait for the directory, to be opened or called.
    pub(super) fn resolve_later(&mut self, name: Name, called: bool) {
        if let Some(unresolved) = self.unresolved.iter_mut().find(|it| it.name == name) {
            unresolved.closed = false;
            unresolved.called |= called;
        } else if self.unresolved.len() == UNRESOLVED_MAX {
            let text = format!(
                "{UNRESOLVED_MAX} names wait for the directory already; open this one again in a minute"
            );
            self.error(ErrorCode::TooManyConversations, text, about(name.as_str()));
        } else {
            self.unresolved.push(Unresolved { name, sends: Vec::new(), closed: false, called });
        }
    }

    /// Opens a conversation with an account of the directory.
    fn begin(&mut self, record: Record) {
        if let Some(open) = self.conversations.get_mut(&record.identity()) {
            return open.finder.look();
        }
        if self.contacts.get(&record.identity()).is_some_and(|contact| contact.blocked) {
            return self.is_blocked(record.name.as_str());
        }
        if self.known.get(&record.name).is_some_and(|known| known.identity() != record.identity()) {
            return self.key_changed(record.name);
        }
        let most = CONVERSATIONS_PER_SLOT * self.slots();
        let by_agreement = |open: &&Open| open.conversation.is_by_agreement();
        if self.conversations.values().filter(by_agreement).count() >= most {
            let text = format!(
                "{most} conversations are open by agreement, as many as can go on; close one first, or call"
            );
            return self.error(ErrorCode::TooManyConversations, text, about(record.name.as_str()));
        }
        if record.verify().is_err() || !self.take_up(record, None) {
            return self.forged(record.name.as_str());
        }
        self.keep(vec![Change::Opened(Box::new(record))], Vec::new());
    }

    fn close(&mut self, peer: &str) {
        let Some(identity) = self.find_open(peer) else { return self.close_later(peer) };
        match self.conversations.get_mut(&identity) {
            Some(open) if !open.conversation.is_by_agreement() => open.finder.rest(),
            Some(_) | None => self.park(identity),
        }
    }

    fn send(&mut self, now: Now, peer: &str, text: String, label: String) {
        if text.is_empty() {
            let text = "an empty message is not sent; write something";
            return self.error(ErrorCode::TextEmpty, text, about_message(peer, &label));
        }
        if text.len() > TEXT_MAX {
            let text = format!(
                "the text has {} bytes, at most {TEXT_MAX} go; send it in parts",
                text.len()
            );
            return self.error(ErrorCode::TextTooLong, text, about_message(peer, &label));
        }
        if label.len() > LABEL_MAX {
            let text =
                format!("the id has {} bytes, at most {LABEL_MAX} go; shorten it", label.len());
            return self.error(ErrorCode::LabelTooLong, text, about(peer));
        }
        let Some(identity) = self.find_open(peer) else {
            return self.send_later(peer, text, label);
        };
        let Some(open) = self.conversations.get_mut(&identity) else { return };
        if self.changed.contains(&open.conversation.peer().name) {
            return self.stands_still(peer, about_message(peer, &label));
        }
        if open.conversation.undelivered() + open.unkept >= QUEUE_MAX {
            return self.queue_full(peer, &label);
        }
        open.unkept += 1;
        open.finder.wake();
        let outgoing = Outgoing {
            id: MessageId::random(&mut self.rng),
            peer: identity,
            label,
            text,
            sent_ms: now.unix_ms,
            sent: None,
        };
        self.keep(vec![Change::Queued(outgoing.clone())], vec![Kept::Queued(outgoing)]);
    }

    /// Holds a message back while its peer's name waits for the directory.
    fn send_later(&mut self, peer: &str, text: String, label: String) {
        let waiting: usize = self.unresolved.iter().map(|it| it.sends.len()).sum();
        match self.find_waiting(peer) {
            Some(unresolved) if waiting < UNRESOLVED_SENDS_MAX => {
                unresolved.sends.push((text, label));
            }
            Some(_) => self.queue_full(peer, &label),
            None => self.not_open(peer, about_message(peer, &label)),
        }
    }

    /// Closes a conversation whose name waits for the directory, once that is there.
    fn close_later(&mut self, peer: &str) {
        match self.find_waiting(peer) {
            Some(unresolved) => unresolved.closed = true,
            None => self.not_open(peer, about(peer)),
        }
    }

    fn find_waiting(&mut self, peer: &str) -> Option<&mut Unresolved> {
        let name = peer.parse::<Name>().ok()?;
        self.unresolved.iter_mut().find(|it| it.name == name && !it.closed)
    }

    fn find_open(&self, peer: &str) -> Option<wire::ids::IdentityHash> {
        let name = peer.parse::<Name>().ok()?;
        let mut open = self.conversations.iter();
        open.find(|(_, it)| it.conversation.peer().name == name).map(|(identity, _)| *identity)
    }

    /// Tells the safety number with the keys that a name had when its conversation was opened first, or with those of
    /// the directory if it never was.
    fn safety_number(&mut self, peer: &str) {
        let Ok(name) = peer.parse::<Name>() else { return self.unknown(peer) };
        if name == *self.own.name() {
            return self.himself(peer);
        }
        if self.gone.contains(&name) {
            return self.stands_still(peer, about(peer));
        }
        if self.changed.contains(&name) {
            let text = format!(
                "the server shows another key for {name} than before, so no safety number is shown; ask {name} and \
                 the server's operator, by another way, what happened"
            );
            return self.error(ErrorCode::KeyChanged, text, about(peer));
        }
        let listed = || self.directory.find(&name).map(|(_, record)| record);
        let Some(record) = self.known.get(&name).copied().or_else(listed) else {
            return self.unknown(peer);
        };
        if record.verify().is_err() {
            return self.forged(peer);
        }
        let digits = safety_number(self.own.record(), &record);
        self.event(Event::SafetyNumber { peer: peer.to_owned(), digits });
    }

    pub(super) fn himself(&mut self, peer: &str) {
        let text =
            "that is this account's own name, and nobody talks to himself here; name somebody else";
        self.error(ErrorCode::SelfConversation, text, about(peer));
    }

    pub(super) fn forged(&mut self, peer: &str) {
        let text =
            format!("the server's record of {peer} is forged or damaged; ask its operator why");
        self.error(ErrorCode::ServerProtocol, text, about(peer));
    }

    pub(super) fn unknown(&mut self, peer: &str) {
        let text = format!("nobody is called {peer:?} here; ask for the directory to see who is");
        self.error(ErrorCode::UnknownPeer, text, about(peer));
    }

    fn not_open(&mut self, peer: &str, about: About) {
        let text = format!("no conversation with {peer:?} is open; call first");
        self.error(ErrorCode::NotOpen, text, about);
    }

    fn queue_full(&mut self, peer: &str, label: &str) {
        let text =
            format!("{QUEUE_MAX} messages for {peer:?} wait already; send more once some arrived");
        self.error(ErrorCode::QueueFull, text, about_message(peer, label));
    }
}

pub(super) fn about(peer: &str) -> About {
    About { peer: Some(peer.to_owned()), label: None }
}

fn about_message(peer: &str, label: &str) -> About {
    About { label: Some(label.to_owned()), ..about(peer) }
}
