//! A client that is used before its server is reached.

use super::Client;
use crate::api::Event;
use crate::wheel::Root;

impl Client {
    /// Tells what is known without the server: contacts and names.
    pub fn handle_opened(&mut self) {
        self.event(Event::Connection(self.connection));
        self.tell_all_contacts();
        self.list();
    }

    /// A sign-in with the password gave a session in place of the one before: contacts are called anew, since nobody is
    /// there on the roots of before.
    pub fn handle_new_session(&mut self) {
        let contacts = self.contacts.values().filter(|it| !it.blocked && !it.forgotten);
        for record in contacts.map(|contact| contact.record).collect::<Vec<_>>() {
            let root = Root::none(&mut self.rng);
            self.take_up(record, Some(root));
            if let Some(open) = self.conversations.get_mut(&record.identity()) {
                open.finder.want();
            }
        }
    }
}
