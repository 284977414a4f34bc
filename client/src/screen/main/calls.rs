//! What is done with people: calls and their answers, blocks, marks, new keys.

use client_link::api::{Command, ContactStatus, Standing};

use super::contacts::Bond;
use super::conversation::Conversation;
use super::safety::Safety;
use super::{Action, Ask, COMPOSER, Main};
use crate::clock::Now;
use crate::connection::Connection;
use crate::words::main as words;

impl Main {
    /// Calls the one who is shown.
    pub(super) fn call(&mut self, engine: &Connection) {
        if let Some(peer) = self.shown.clone() {
            self.tell(engine, Command::Call { peer });
        }
    }

    /// Accepts a call, once for however many presses, and shows the conversation.
    pub(super) fn accept(&mut self, peer: String, engine: &Connection, now: Now) -> Action {
        if self.answer(&peer, Command::Accept { peer: peer.clone() }, engine) {
            return self.open(peer, engine, now);
        }
        Action::None
    }

    /// Declines a call; the engine says nothing to that.
    pub(super) fn decline(&mut self, peer: String, engine: &Connection) {
        if self.answer(&peer, Command::Decline { peer: peer.clone() }, engine) {
            self.contacts.drop_request(&peer);
        }
    }

    /// Blocks somebody at once, whose call is answered by that if there is one.
    pub(super) fn block(&mut self, peer: String, engine: &Connection) {
        self.shows_menu = false;
        let block = Command::Block { peer: peer.clone() };
        match self.contacts.bond(&peer) {
            Bond::Caller { .. } => drop(self.answer(&peer, block, engine)),
            Bond::Blocked => (),
            Bond::Stranger | Bond::Calling | Bond::Contact | Bond::KeyChanged => {
                self.tell(engine, block);
            }
        }
    }

    /// Takes the block of the one who is shown back.
    pub(super) fn unblock(&mut self, engine: &Connection) {
        if let Some(peer) = self.shown.clone() {
            self.tell(engine, Command::Unblock { peer });
        }
    }

    /// Marks that the safety numbers of the conversation that is shown were found the same, or takes that back.
    pub(super) fn verify(&mut self, verified: bool, engine: &Connection) {
        if let Some(peer) = self.shown.clone() {
            self.tell(engine, Command::Verify { peer, verified });
        }
    }

    /// Asks before something is done.
    pub(super) fn ask(&mut self, ask: Ask) {
        self.shows_menu = false;
        self.asked = Some(ask);
    }

    /// Does what was asked about.
    pub(super) fn confirm(&mut self, engine: &Connection) -> Action {
        let (Some(asked), Some(peer)) = (self.asked.take(), self.shown.clone()) else {
            return Action::None;
        };
        let command = match asked {
            Ask::History(question) => return self.confirm_history(question, engine),
            Ask::AcceptKey => Command::AcceptKey { peer },
            Ask::Forget => Command::Forget { peer },
            Ask::Block => Command::Block { peer },
        };
        self.tell(engine, command);
        Action::Focus(COMPOSER)
    }

    /// Does by keyboard what the button does that stands for yes.
    pub(super) fn say_yes(&mut self, engine: &Connection, now: Now) -> Action {
        if self.asked.is_some() {
            return self.confirm(engine);
        }
        match self.shown.clone().filter(|peer| self.calls(peer)) {
            Some(peer) => self.accept(peer, engine, now),
            None => Action::None,
        }
    }

    /// Does by keyboard what the button does that stands for no.
    pub(super) fn say_no(&mut self, engine: &Connection) {
        if self.asked.take().is_some() {
            return;
        }
        if let Some(peer) = self.shown.clone().filter(|peer| self.calls(peer)) {
            self.decline(peer, engine);
        }
    }

    /// Blocks the one who is shown; a contact is asked about first.
    pub(super) fn block_shown(&mut self, engine: &Connection) {
        let Some(peer) = self.shown.clone() else { return };
        if self.contacts.has(&peer) {
            self.ask(Ask::Block);
        } else {
            self.block(peer, engine);
        }
    }

    /// A contact is new, or stands otherwise.
    pub(super) fn bound(&mut self, status: ContactStatus) {
        let ContactStatus { peer, standing, verified: _ } = status;
        let conversation = self.conversation(&peer);
        if standing != Standing::KeyChanged {
            conversation.problem = None;
        }
        if standing == Standing::Blocked {
            conversation.unread = 0;
            conversation.safety = Safety::Hidden;
        }
        let is_moot = match &self.asked {
            Some(Ask::AcceptKey) => standing != Standing::KeyChanged,
            Some(Ask::Forget | Ask::Block) => standing == Standing::Blocked,
            Some(Ask::History(_)) | None => false,
        };
        if is_moot && self.shown.as_ref() == Some(&peer) {
            self.asked = None;
        }
    }

    /// Somebody is a stranger again.
    pub(super) fn unbound(&mut self, peer: &str) {
        self.conversation(peer).problem = None;
        if self.shown.as_deref() == Some(peer) {
            self.asked = None;
        }
    }

    /// Returns how somebody stands, by what went wrong with his conversation too.
    pub(super) fn bond(&self, peer: &str) -> Bond {
        let bond = self.contacts.bond(peer);
        let has_other_key = self.conversations.get(peer).is_some_and(Conversation::has_other_key);
        match bond {
            Bond::Stranger | Bond::Calling | Bond::Contact if has_other_key => Bond::KeyChanged,
            Bond::Stranger
            | Bond::Caller { .. }
            | Bond::Calling
            | Bond::Contact
            | Bond::KeyChanged
            | Bond::Blocked => bond,
        }
    }

    /// Tells whether somebody stands above those to whom there is nothing yet.
    pub(super) fn is_known(&self, peer: &str) -> bool {
        let talks = |it: &Conversation| it.is_open || it.unread > 0;
        match self.contacts.bond(peer) {
            Bond::Caller { .. } | Bond::Calling | Bond::Contact | Bond::KeyChanged => true,
            Bond::Stranger => self.conversations.get(peer).is_some_and(talks),
            Bond::Blocked => false,
        }
    }

    /// Hands the answer to a call over, unless there is one; tells whether it did.
    fn answer(&mut self, peer: &str, answer: Command, engine: &Connection) -> bool {
        if self.contacts.bond(peer) != (Bond::Caller { is_answered: false }) {
            return false;
        }
        if engine.send(answer).is_err() {
            self.notice(words::BUSY.into());
            return false;
        }
        self.contacts.answered(peer);
        true
    }
}
