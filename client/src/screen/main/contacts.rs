//! Whom this account talks to, who calls, and who is blocked.

use std::collections::BTreeMap;

use client_link::api::{ContactStatus, ErrorCode, Event, Standing};

/// Contacts, blocked people, and calls that wait for an answer.
#[derive(Default)]
pub struct Contacts {
    contacts: BTreeMap<String, ContactStatus>,
    /// The oldest first.
    requests: Vec<Request>,
}

/// A call that waits for an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Who calls.
    pub peer: String,
    /// Whether the engine was given an answer that it has not confirmed.
    pub is_answered: bool,
}

/// How somebody stands to this account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// Neither a contact nor a caller.
    Stranger,
    /// Calls, and waits for an answer.
    Caller {
        /// Whether one was given.
        is_answered: bool,
    },
    /// Was called, and not heard yet.
    Calling,
    /// Is there, or was.
    Contact,
    /// Has another key than before, or none: nothing goes through.
    KeyChanged,
    /// Is not heard.
    Blocked,
}

impl Bond {
    /// Tells whether something can be written to somebody now.
    pub fn is_written_to(self) -> bool {
        match self {
            Self::Stranger | Self::Caller { .. } | Self::Calling | Self::Contact => true,
            Self::KeyChanged | Self::Blocked => false,
        }
    }
}

impl Contacts {
    /// Takes in what concerns them.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Request { peer } if self.request(peer).is_none() => {
                self.requests.push(Request { peer: peer.clone(), is_answered: false });
            }
            Event::Contact(status) => {
                self.drop_request(&status.peer);
                self.contacts.insert(status.peer.clone(), status.clone());
            }
            Event::Forgotten { peer } => drop(self.contacts.remove(peer)),
            Event::Error { code, about, .. } => {
                if let Some(peer) = &about.peer {
                    self.refused(*code, peer);
                }
            }
            // the others concern something else, or a contact that is told with them
            _ => (),
        }
    }

    /// Returns how somebody stands.
    pub fn bond(&self, peer: &str) -> Bond {
        match (self.contacts.get(peer), self.request(peer)) {
            (Some(status), _) => match status.standing {
                Standing::Calling => Bond::Calling,
                Standing::Contact => Bond::Contact,
                Standing::KeyChanged => Bond::KeyChanged,
                Standing::Blocked => Bond::Blocked,
            },
            (None, Some(request)) => Bond::Caller { is_answered: request.is_answered },
            (None, None) => Bond::Stranger,
        }
    }

    /// Tells whether somebody is a contact, blocked people not counted.
    pub fn has(&self, peer: &str) -> bool {
        self.contacts.get(peer).is_some_and(|it| it.standing != Standing::Blocked)
    }

    /// Tells whether both safety numbers were found the same.
    pub fn is_verified(&self, peer: &str) -> bool {
        self.contacts.get(peer).is_some_and(|it| it.verified)
    }

    /// Returns the calls that wait.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Returns the names of blocked people, in order.
    pub fn blocked(&self) -> impl Iterator<Item = &String> {
        self.contacts.iter().filter(|(_, it)| it.standing == Standing::Blocked).map(|(it, _)| it)
    }

    /// The engine was given an answer to a call, and will tell what comes of it.
    pub fn answered(&mut self, peer: &str) {
        if let Some(request) = self.requests.iter_mut().find(|it| it.peer == peer) {
            request.is_answered = true;
        }
    }

    /// A call waits no more.
    pub fn drop_request(&mut self, peer: &str) {
        self.requests.retain(|request| request.peer != peer);
    }

    /// The engine did not do something about somebody.
    fn refused(&mut self, code: ErrorCode, peer: &str) {
        if code == ErrorCode::NoRequest {
            return self.drop_request(peer);
        }
        if let Some(request) = self.requests.iter_mut().find(|it| it.peer == peer) {
            request.is_answered = false;
        }
    }

    fn request(&self, peer: &str) -> Option<&Request> {
        self.requests.iter().find(|request| request.peer == peer)
    }
}

#[cfg(test)]
mod tests {
    use client_link::api::About;

    use super::*;

    fn contact(peer: &str, standing: Standing) -> Event {
        Event::Contact(ContactStatus { peer: peer.into(), standing, verified: false })
    }

    #[test]
    fn a_call_waits_until_it_is_answered_and_the_engine_says_so() {
        let mut contacts = Contacts::default();
        let call = || Event::Request { peer: "cid".into() };
        contacts.hear(&call());
        contacts.hear(&call());
        assert_eq!(contacts.requests().len(), 1, "it is one call however often it is told");
        contacts.answered("cid");
        assert_eq!(contacts.bond("cid"), Bond::Caller { is_answered: true });
        let error = |code| {
            let about = About { peer: Some("cid".into()), label: None };
            Event::Error { code, text: String::new(), about }
        };
        contacts.hear(&error(ErrorCode::TooManyContacts));
        assert_eq!(contacts.bond("cid"), Bond::Caller { is_answered: false });
        contacts.hear(&contact("cid", Standing::Contact));
        assert_eq!((contacts.bond("cid"), contacts.requests()), (Bond::Contact, &[][..]));
        contacts.hear(&Event::Request { peer: "dan".into() });
        contacts.hear(&Event::Error {
            code: ErrorCode::NoRequest,
            text: String::new(),
            about: About { peer: Some("dan".into()), label: None },
        });
        assert_eq!(contacts.bond("dan"), Bond::Stranger, "the call is over");
    }

    #[test]
    fn blocked_people_are_no_contacts_and_strangers_again_afterwards() {
        let mut contacts = Contacts::default();
        contacts.hear(&contact("bob", Standing::Contact));
        contacts.hear(&contact("cid", Standing::Blocked));
        assert!(contacts.has("bob") && !contacts.has("cid"));
        assert_eq!(contacts.blocked().collect::<Vec<_>>(), ["cid"]);
        contacts.hear(&Event::Forgotten { peer: "cid".into() });
        assert_eq!((contacts.bond("cid"), contacts.blocked().count()), (Bond::Stranger, 0));
    }
}
