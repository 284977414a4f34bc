//! What the window shows, as JSON lines in a file, for programs that test it.
//!
//! Names and messages are in it in clear text; it is written only where `--event-log` asks for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use client_link::api::{Event, LocalEvent};
use iced::Rectangle;
use serde_json::{Value, json};

/// A log, or none: then nothing is written and nothing is worked out.
#[derive(Default)]
pub struct EventLog {
    open: Option<Open>,
}

struct Open {
    file: File,
    start: Instant,
    places: BTreeMap<String, Rectangle>,
}

impl EventLog {
    /// Makes the file for this user only, or empties it; times count from `start`.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path, start: Instant) -> io::Result<Self> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        Ok(Self { open: Some(Open { file, start, places: BTreeMap::new() }) })
    }

    /// Tells whether there is a log.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The first picture is on the screen.
    pub fn drawn(&mut self) {
        self.write(|| json!({"is": "drawn"}));
    }

    /// A screen is shown.
    pub fn screen(&mut self, name: &str) {
        if let Some(open) = &mut self.open {
            open.places.clear();
        }
        self.write(|| json!({"is": "screen", "name": name}));
    }

    /// A conversation is shown.
    pub fn opened(&mut self, peer: &str) {
        self.write(|| json!({"is": "opened", "peer": peer}));
    }

    /// How far a message of ours is, as it is shown.
    pub fn state(&mut self, peer: &str, text: &str, state: &str, round: Option<u64>) {
        self.write(
            || json!({"is": "state", "peer": peer, "text": text, "state": state, "round": round}),
        );
    }

    /// A message of a peer stands among the others.
    pub fn message(&mut self, peer: &str, text: &str, round: u64) {
        self.write(|| json!({"is": "message", "peer": peer, "text": text, "round": round}));
    }

    /// Where things are that can be pressed or written in; what did not move is left out.
    pub fn places(&mut self, places: Vec<(String, Rectangle)>) {
        for (id, place) in places {
            let Some(open) = &mut self.open else { return };
            if open.places.insert(id.clone(), place) != Some(place) {
                let Rectangle { x, y, width, height } = place;
                self.write(|| {
                    json!({"is": "place", "id": id, "x": x, "y": y, "width": width, "height": height})
                });
            }
        }
    }

    /// What the engine told, as far as the window shows it as such.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Registered { user } => self.write(|| json!({"is": "registered", "user": user})),
            Event::SignedIn { user } => self.write(|| json!({"is": "signed-in", "user": user})),
            Event::Round { number, seats, missed } => self.write(
                || json!({"is": "round", "number": number, "seats": seats, "missed": missed}),
            ),
            Event::Connection(state) => {
                self.write(|| json!({"is": "connection", "state": state.as_str()}));
            }
            Event::RetryIn { ms } => self.write(|| json!({"is": "retry-in", "ms": ms})),
            Event::Error { code, text, .. } => {
                self.write(|| json!({"is": "error", "code": code.as_str(), "text": text}));
            }
            Event::ServerRestored { backed_up_ms, restored_ms } => self.write(|| {
                json!({"is": "server-restored", "backed_up_ms": backed_up_ms, "restored_ms": restored_ms})
            }),
            Event::Ended { ok } => self.write(|| json!({"is": "ended", "ok": ok})),
            Event::Sessions { sessions } => {
                self.write(|| json!({"is": "sessions", "number": sessions.len()}));
            }
            Event::History { peer, entries, .. } => {
                let texts: Vec<_> = entries.iter().map(|entry| &entry.text).collect();
                self.write(|| json!({"is": "loaded", "peer": peer, "texts": texts}));
            }
            Event::Local(LocalEvent::Waits { peer }) => {
                self.write(|| json!({"is": "waits", "peer": peer}));
            }
            Event::Local(LocalEvent::Found { hits, done, .. }) => {
                self.write(|| json!({"is": "found", "hits": hits.len(), "done": done}));
            }
            Event::Progress(_)
            | Event::RoundOpen { .. }
            | Event::Request { .. }
            | Event::Calling { .. }
            | Event::Answered { .. }
            | Event::KeyChanged { .. }
            | Event::Contact(_)
            | Event::Forgotten { .. }
            | Event::Contacts { .. }
            | Event::VaultStored { .. }
            | Event::SessionEnded { .. }
            | Event::PasswordChanged
            | Event::AccountDeleted
            | Event::Local(
                LocalEvent::Opened { .. }
                | LocalEvent::Locked
                | LocalEvent::Unlocked
                | LocalEvent::Drafts { .. }
                | LocalEvent::Forgetful { .. }
                | LocalEvent::HistoryDeleted { .. }
                | LocalEvent::Exporting { .. }
                | LocalEvent::Exported { .. },
            )
            | Event::State { .. }
            | Event::Message { .. }
            | Event::Directory { .. }
            | Event::Listed { .. }
            | Event::SafetyNumber { .. }
            | Event::Status(_) => (),
        }
    }

    /// Writes one line at once; a log that fails is closed and said so.
    fn write(&mut self, line: impl FnOnce() -> Value) {
        let Some(open) = &mut self.open else { return };
        let mut line = line();
        let at_ms = u64::try_from(open.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        line["at_ms"] = at_ms.into();
        if let Err(error) = open.file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!("the event log fails and is closed: {error}");
            self.open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use client_link::api::ConnectionState;
    use tempfile::NamedTempFile;

    use super::*;

    #[test]
    fn each_line_is_an_object_with_its_time_and_places_are_told_when_they_move() {
        let file = NamedTempFile::new().unwrap();
        let mut log = EventLog::create(file.path(), Instant::now()).unwrap();
        let place = |x: f32| vec![("send".to_owned(), Rectangle { x, ..Rectangle::default() })];
        log.screen("main");
        log.places(place(1.0));
        log.places(place(1.0));
        log.places(place(2.0));
        log.screen("main");
        log.places(place(2.0));
        log.event(&Event::Connection(ConnectionState::Lost));
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        let said: Vec<_> = lines.iter().map(|line| line["is"].as_str().unwrap()).collect();
        assert_eq!(said, ["screen", "place", "place", "screen", "place", "connection"]);
        assert!(lines.iter().all(|line| line["at_ms"].is_u64()));
        assert_eq!((&lines[2]["x"], &lines[5]["state"]), (&json!(2.0), &json!("lost")));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_on_the_computer_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("log");
        EventLog::create(&path, Instant::now()).unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn without_a_file_nothing_is_worked_out() {
        let mut log = EventLog::default();
        log.write(|| unreachable!("nobody asked for it"));
        assert!(!log.is_open());
    }
}
