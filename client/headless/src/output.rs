//! JSON out: one event, one line; and the thread that writes them.

use std::io::{self, Write};
use std::thread;

use client_link::api::{
    About, ContactStatus, ConversationStatus, Event, SessionStatus, Status, UnderWay,
};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use tokio::sync::{mpsc, oneshot};

#[derive(Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
enum Said<'a> {
    Registered {
        user: &'a str,
    },
    SignedIn {
        user: &'a str,
    },
    Round {
        number: u64,
        seats: u32,
        missed: u64,
    },
    State {
        id: &'a str,
        peer: &'a str,
        state: &'static str,
        round: Option<u64>,
    },
    Message {
        peer: &'a str,
        text: &'a str,
        sent_ms: u64,
        round: u64,
    },
    Directory {
        names: &'a [String],
    },
    SafetyNumber {
        peer: &'a str,
        digits: &'a str,
    },
    Status(SaidStatus<'a>),
    Request {
        peer: &'a str,
    },
    Calling {
        peer: &'a str,
    },
    Answered {
        peer: &'a str,
    },
    KeyChanged {
        peer: &'a str,
    },
    ServerRestored {
        backed_up_ms: u64,
        restored_ms: u64,
    },
    Contact(SaidContact<'a>),
    Forgotten {
        peer: &'a str,
    },
    Contacts {
        contacts: Vec<SaidContact<'a>>,
    },
    VaultStored {
        version: u64,
    },
    Sessions {
        sessions: Vec<SaidSession<'a>>,
    },
    SessionEnded {
        id: &'a str,
    },
    PasswordChanged,
    AccountDeleted,
    Connection {
        state: &'static str,
    },
    Error {
        code: &'a str,
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct SaidStatus<'a> {
    connection: &'static str,
    round: u64,
    seats: u32,
    missed: u64,
    real: u64,
    cover: u64,
    refused_calls: u64,
    conversations: Vec<SaidConversation<'a>>,
}

#[derive(Serialize)]
struct SaidConversation<'a> {
    peer: &'a str,
    live: bool,
    refused: u64,
    queued: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    under_way: Option<SaidUnderWay<'a>>,
}

#[derive(Serialize)]
struct SaidUnderWay<'a> {
    id: &'a str,
    arrived: u16,
    parts: u16,
}

#[derive(Serialize)]
struct SaidContact<'a> {
    peer: &'a str,
    standing: &'static str,
    verified: bool,
}

#[derive(Serialize)]
struct SaidSession<'a> {
    id: &'a str,
    created_ms: u64,
    expires_ms: u64,
    current: bool,
    superseded: bool,
}

/// Returns an event's line without its newline; none for what is not printed.
pub fn event(event: &Event) -> Option<String> {
    let said = match event {
        Event::Registered { user } => Said::Registered { user },
        Event::SignedIn { user } => Said::SignedIn { user },
        &Event::Round { number, seats, missed } => Said::Round { number, seats, missed },
        Event::State { label, peer, state, round } => {
            Said::State { id: label, peer, state: state.as_str(), round: *round }
        }
        Event::Message { peer, text, sent_ms, round, id: _ } => {
            Said::Message { peer, text, sent_ms: *sent_ms, round: *round }
        }
        Event::Directory { names } => Said::Directory { names },
        Event::SafetyNumber { peer, digits } => Said::SafetyNumber { peer, digits },
        Event::Status(status) => Said::Status(said_status(status)),
        Event::Request { peer } => Said::Request { peer },
        Event::Calling { peer } => Said::Calling { peer },
        Event::Answered { peer } => Said::Answered { peer },
        Event::KeyChanged { peer } => Said::KeyChanged { peer },
        &Event::ServerRestored { backed_up_ms, restored_ms } => {
            Said::ServerRestored { backed_up_ms, restored_ms }
        }
        Event::Contact(contact) => Said::Contact(said_contact(contact)),
        Event::Forgotten { peer } => Said::Forgotten { peer },
        Event::Contacts { contacts } => {
            Said::Contacts { contacts: contacts.iter().map(said_contact).collect() }
        }
        Event::VaultStored { version } => Said::VaultStored { version: *version },
        Event::Sessions { sessions } => {
            Said::Sessions { sessions: sessions.iter().map(said_session).collect() }
        }
        Event::SessionEnded { id } => Said::SessionEnded { id },
        Event::PasswordChanged => Said::PasswordChanged,
        Event::AccountDeleted => Said::AccountDeleted,
        Event::Connection(state) => Said::Connection { state: state.as_str() },
        Event::Error { code, text, about: About { peer, label } } => {
            Said::Error { code: code.as_str(), text, id: label.as_deref(), peer: peer.as_deref() }
        }
        // the exit code tells the end; the rest is for a window
        Event::Ended { .. }
        | Event::Progress(_)
        | Event::Local(_)
        | Event::RoundOpen { .. }
        | Event::Listed { .. }
        | Event::History { .. }
        | Event::RetryIn { .. } => return None,
    };
    Some(json(&said))
}

/// Returns the line of an error that the engine knows nothing of, without its newline.
pub fn error(code: &str, text: &str) -> String {
    json(&Said::Error { code, text, id: None, peer: None })
}

fn said_status(status: &Status) -> SaidStatus<'_> {
    let Status { connection, round, seats, missed, real, cover, refused_calls, conversations } =
        status;
    SaidStatus {
        connection: connection.as_str(),
        round: *round,
        seats: *seats,
        missed: *missed,
        real: *real,
        cover: *cover,
        refused_calls: *refused_calls,
        conversations: conversations.iter().map(said_conversation).collect(),
    }
}

fn said_conversation(conversation: &ConversationStatus) -> SaidConversation<'_> {
    let ConversationStatus { peer, live, refused, queued, under_way } = conversation;
    let under_way = under_way.as_ref().map(|it| {
        let &UnderWay { ref label, arrived, parts } = it;
        SaidUnderWay { id: label, arrived, parts }
    });
    SaidConversation { peer, live: *live, refused: *refused, queued: *queued, under_way }
}

fn said_contact(contact: &ContactStatus) -> SaidContact<'_> {
    let ContactStatus { peer, standing, verified } = contact;
    SaidContact { peer, standing: standing.as_str(), verified: *verified }
}

fn said_session(session: &SessionStatus) -> SaidSession<'_> {
    let &SessionStatus { ref id, created_ms, expires_ms, current, superseded } = session;
    SaidSession { id, created_ms, expires_ms, current, superseded }
}

fn json(said: &Said<'_>) -> String {
    let mut bytes = Vec::new();
    said.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless)).expect(
        "strings, numbers and lists always have a form in JSON, and a vector takes every write",
    );
    String::from_utf8(bytes).expect("JSON of strings is UTF-8")
}

/// Escapes what steers a terminal or ends a line for somebody, since peers choose the text: the
/// controls that JSON lets pass, the line ends of Unicode, and the marks that turn the reading
/// direction.
struct Harmless;

impl Harmless {
    fn escapes(character: char) -> bool {
        let turns = matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        turns || character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
    }
}

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, character)) = rest.char_indices().find(|&(_, it)| Self::escapes(it)) {
            out.write_all(&rest.as_bytes()[..at])?;
            write!(out, "\\u{:04x}", u32::from(character))?;
            rest = &rest[at + character.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// A thread that writes lines, so that a slow reader holds up nothing else.
pub struct Printer {
    /// Takes lines without their newline; closed once a write failed.
    pub lines: mpsc::Sender<String>,
    /// Tells how it went, once `lines` is dropped and all is written, or a write failed.
    pub done: oneshot::Receiver<io::Result<()>>,
}

impl Printer {
    /// Begins to write to `out`, flushing after every line.
    pub fn spawn(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, mut waiting) = mpsc::channel::<String>(1);
        let (tell, done) = oneshot::channel();
        let write = move || {
            let mut result = Ok(());
            while result.is_ok()
                && let Some(line) = waiting.blocking_recv()
            {
                result = print(&mut out, &line);
            }
            drop(waiting);
            // Nobody waits when the program ends by its deadline.
            let _ = tell.send(result);
        };
        thread::Builder::new().name("stdout".into()).spawn(write)?;
        Ok(Self { lines, done })
    }
}

/// Prints a line on standard output at once.
pub fn print_now(line: &str) -> io::Result<()> {
    print(&mut io::stdout(), line)
}

fn print(out: &mut impl Write, line: &str) -> io::Result<()> {
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use client_link::api::{ConnectionState, ErrorCode, MessageState, Standing, Step};
    use wire::ids::MessageId;
    use wire::size::MESSAGE_ID;

    use super::*;

    fn user() -> String {
        "ann".into()
    }

    fn message(text: &str) -> Event {
        let id = MessageId([7; MESSAGE_ID]);
        Event::Message { id, peer: user(), text: text.into(), sent_ms: 1_790_000_000_000, round: 8 }
    }

    #[test]
    fn each_event_of_the_manual() {
        let state = |state, round| Event::State { label: "m1".into(), peer: user(), state, round };
        let error = |peer: Option<&str>, label: Option<&str>| Event::Error {
            code: ErrorCode::SignedInElsewhere,
            text: "bye \"x\"\n".into(),
            about: About { peer: peer.map(Into::into), label: label.map(Into::into) },
        };
        let all = [
            (Event::Registered { user: user() }, r#"{"is":"registered","user":"ann"}"#),
            (Event::SignedIn { user: user() }, r#"{"is":"signed-in","user":"ann"}"#),
            (
                Event::Round { number: u64::MAX, seats: 6, missed: 0 },
                r#"{"is":"round","number":18446744073709551615,"seats":6,"missed":0}"#,
            ),
            (
                state(MessageState::Queued, None),
                r#"{"is":"state","id":"m1","peer":"ann","state":"queued","round":null}"#,
            ),
            (
                state(MessageState::Sent, Some(3)),
                r#"{"is":"state","id":"m1","peer":"ann","state":"sent","round":3}"#,
            ),
            (
                state(MessageState::Delivered, Some(4)),
                r#"{"is":"state","id":"m1","peer":"ann","state":"delivered","round":4}"#,
            ),
            (
                message("hi 🦀"),
                r#"{"is":"message","peer":"ann","text":"hi 🦀","sent_ms":1790000000000,"round":8}"#,
            ),
            (
                Event::Directory { names: vec![user(), "bob".into()] },
                r#"{"is":"directory","names":["ann","bob"]}"#,
            ),
            (Event::Directory { names: vec![] }, r#"{"is":"directory","names":[]}"#),
            (
                Event::SafetyNumber { peer: user(), digits: "0123456789".into() },
                r#"{"is":"safety-number","peer":"ann","digits":"0123456789"}"#,
            ),
            (
                Event::Connection(ConnectionState::Resumed),
                r#"{"is":"connection","state":"resumed"}"#,
            ),
            (
                error(None, None),
                r#"{"is":"error","code":"signed-in-elsewhere","text":"bye \"x\"\n"}"#,
            ),
            (
                error(Some("bob"), Some("m1")),
                r#"{"is":"error","code":"signed-in-elsewhere","text":"bye \"x\"\n","id":"m1","peer":"bob"}"#,
            ),
        ];
        for (said, line) in all {
            assert_eq!(event(&said).as_deref(), Some(line));
        }
        assert_eq!(super::error("a-b", "c"), r#"{"is":"error","code":"a-b","text":"c"}"#);
    }

    #[test]
    fn the_status_with_and_without_conversations() {
        let conversation = |under_way| {
            let (peer, live, refused, queued) = (user(), true, 0, 2);
            ConversationStatus { peer, live, refused, queued, under_way }
        };
        let under_way = UnderWay { label: "m1".into(), arrived: 12, parts: 57 };
        let status = |conversations| {
            let connection = ConnectionState::Connected;
            let (seats, missed, refused_calls) = (6, 1, 3);
            Event::Status(Status {
                connection,
                round: 7,
                seats,
                missed,
                real: 4,
                cover: 9,
                conversations,
                refused_calls,
            })
        };
        let all = [
            (
                status(vec![conversation(Some(under_way))]),
                r#"{"is":"status","connection":"connected","round":7,"seats":6,"missed":1,"real":4,"cover":9,"refused_calls":3,"conversations":[{"peer":"ann","live":true,"refused":0,"queued":2,"under_way":{"id":"m1","arrived":12,"parts":57}}]}"#,
            ),
            (
                status(vec![conversation(None)]),
                r#"{"is":"status","connection":"connected","round":7,"seats":6,"missed":1,"real":4,"cover":9,"refused_calls":3,"conversations":[{"peer":"ann","live":true,"refused":0,"queued":2}]}"#,
            ),
            (
                status(vec![]),
                r#"{"is":"status","connection":"connected","round":7,"seats":6,"missed":1,"real":4,"cover":9,"refused_calls":3,"conversations":[]}"#,
            ),
        ];
        for (said, line) in all {
            assert_eq!(event(&said).as_deref(), Some(line));
        }
    }

    #[test]
    fn calls_contacts_and_accounts_as_the_manual_has_them() {
        let contact = |peer: &str, standing, verified| ContactStatus {
            peer: peer.into(),
            standing,
            verified,
        };
        let session = |current, superseded| {
            let (id, created_ms, expires_ms) = ("00ff00ff00ff00ff".into(), 5, 1_790_000_000_000);
            SessionStatus { id, created_ms, expires_ms, current, superseded }
        };
        let all = [
            (Event::Request { peer: user() }, r#"{"is":"request","peer":"ann"}"#),
            (Event::Calling { peer: user() }, r#"{"is":"calling","peer":"ann"}"#),
            (Event::Answered { peer: user() }, r#"{"is":"answered","peer":"ann"}"#),
            (Event::KeyChanged { peer: user() }, r#"{"is":"key-changed","peer":"ann"}"#),
            (
                Event::ServerRestored { backed_up_ms: 5, restored_ms: 9 },
                r#"{"is":"server-restored","backed_up_ms":5,"restored_ms":9}"#,
            ),
            (
                Event::Contact(contact("ann", Standing::Contact, true)),
                r#"{"is":"contact","peer":"ann","standing":"contact","verified":true}"#,
            ),
            (Event::Forgotten { peer: user() }, r#"{"is":"forgotten","peer":"ann"}"#),
            (
                Event::Contacts {
                    contacts: vec![
                        contact("ann", Standing::Calling, false),
                        contact("bob", Standing::KeyChanged, false),
                        contact("cid", Standing::Blocked, false),
                    ],
                },
                r#"{"is":"contacts","contacts":[{"peer":"ann","standing":"calling","verified":false},{"peer":"bob","standing":"key-changed","verified":false},{"peer":"cid","standing":"blocked","verified":false}]}"#,
            ),
            (Event::Contacts { contacts: vec![] }, r#"{"is":"contacts","contacts":[]}"#),
            (Event::VaultStored { version: 7 }, r#"{"is":"vault-stored","version":7}"#),
            (
                Event::Sessions { sessions: vec![session(false, true), session(true, false)] },
                r#"{"is":"sessions","sessions":[{"id":"00ff00ff00ff00ff","created_ms":5,"expires_ms":1790000000000,"current":false,"superseded":true},{"id":"00ff00ff00ff00ff","created_ms":5,"expires_ms":1790000000000,"current":true,"superseded":false}]}"#,
            ),
            (
                Event::SessionEnded { id: "00ff00ff00ff00ff".into() },
                r#"{"is":"session-ended","id":"00ff00ff00ff00ff"}"#,
            ),
            (Event::PasswordChanged, r#"{"is":"password-changed"}"#),
            (Event::AccountDeleted, r#"{"is":"account-deleted"}"#),
        ];
        for (said, line) in all {
            assert_eq!(event(&said).as_deref(), Some(line));
        }
    }

    #[test]
    fn what_is_for_a_window_is_not_printed() {
        for unprinted in [
            Event::Ended { ok: true },
            Event::Progress(Step::Connecting),
            Event::RoundOpen { number: 1, closes_ms: 2, round_ms: 3 },
            Event::Listed { names: vec![user()] },
            Event::History { peer: user(), before: None, entries: vec![], more: false },
            Event::RetryIn { ms: 4 },
        ] {
            assert_eq!(event(&unprinted), None);
        }
    }

    #[test]
    fn text_passes_byte_for_byte_and_steers_no_terminal() {
        let everything: String = ('\0'..='\u{ffff}').chain(['🦀', '\u{10ffff}']).collect();
        for text in
            [&everything[..], "\u{202e}\u{9b}31m\u{7f}\u{2028}", "שלום 日本語 🏳️‍🌈 \\u0041 \" / \\"]
        {
            let line = event(&message(text)).unwrap();
            assert!(!line.contains(Harmless::escapes), "{line:?}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(read["text"].as_str() == Some(text));
        }
        let line = event(&message("a\u{202e}b\u{85}c\u{1b}d")).unwrap();
        assert!(line.contains(r#""text":"a\u202eb\u0085c\u001bd""#), "{line}");
    }
}
