//! What is known of a window, by its event log.

use std::collections::BTreeMap;

use anyhow::bail;

use crate::processes::{MessageState, Told};

/// Everything that a window told since it started.
#[derive(Default)]
pub(super) struct Seen {
    /// Whether its first picture is on the screen.
    pub(super) drawn: bool,
    /// The screen that it shows.
    pub(super) screen: String,
    /// Things to click on that screen.
    pub(super) places: BTreeMap<String, Area>,
    /// How often an account was made.
    pub(super) registered: usize,
    /// How often somebody signed in.
    pub(super) signed_in: usize,
    /// Whose conversation was opened, in this order.
    pub(super) opened: Vec<String>,
    /// Rounds that were answered.
    pub(super) rounds: usize,
    /// What arrived: from whom, and the text.
    pub(super) messages: Vec<(String, String)>,
    /// What was read from the disk: with whom, and the text.
    pub(super) loaded: Vec<(String, String)>,
    /// How many messages came while the window was locked.
    pub(super) waits: usize,
    /// How many sessions the account has, once that was told.
    pub(super) sessions: Option<u64>,
    /// How many messages searches found.
    pub(super) found: u64,
    /// The state of the connection.
    pub(super) connection: String,
    /// How often the connection was lost.
    pub(super) lost: usize,
    /// How often it came back.
    pub(super) resumed: usize,
    /// Errors that nobody asked about yet: code and text.
    pub(super) errors: Vec<(String, String)>,
    /// How the engine ended.
    pub(super) ended: Option<bool>,
    /// How far own messages are, by peer and text.
    states: BTreeMap<(String, String), MessageState>,
}

/// A rectangle in the pixels of a window.
#[derive(Clone, Copy)]
pub(super) struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Area {
    /// Returns the pixel in the middle.
    #[expect(clippy::cast_possible_truncation, reason = "a cast saturates; no window is so large")]
    pub(super) fn middle(self) -> (i16, i16) {
        ((self.x + self.width / 2.0) as i16, (self.y + self.height / 2.0) as i16)
    }
}

impl Seen {
    /// Takes down a line.
    ///
    /// # Errors
    /// If the state of a message goes back.
    pub(super) fn hear(&mut self, told: Told) -> anyhow::Result<()> {
        match told {
            Told::Drawn => self.drawn = true,
            Told::Screen { name } => {
                self.screen = name;
                // what the new screen has is told after its name
                self.places.clear();
            }
            Told::Place { id, x, y, width, height } => {
                self.places.insert(id, Area { x, y, width, height });
            }
            Told::Opened { peer } => self.opened.push(peer),
            Told::SignedIn { .. } => self.signed_in += 1,
            Told::Registered { .. } => self.registered += 1,
            Told::Round { .. } => self.rounds += 1,
            Told::Message { peer, text, .. } => self.messages.push((peer, text)),
            Told::State { peer, text, state, .. } => {
                let key = (peer, text);
                if let Some(before) = self.states.get(&key).filter(|before| **before > state) {
                    bail!("“{}” is {state:?} after {before:?}", key.1);
                }
                self.states.insert(key, state);
            }
            Told::Connection { state } => {
                self.lost += usize::from(state == "lost");
                self.resumed += usize::from(state == "resumed");
                self.connection = state;
            }
            Told::Error { code, text } => self.errors.push((code, text)),
            Told::Ended { ok } => self.ended = Some(ok),
            Told::Loaded { peer, texts } => {
                self.loaded.extend(texts.into_iter().map(|text| (peer.clone(), text)));
            }
            Told::Waits { .. } => self.waits += 1,
            Told::Sessions { number } => self.sessions = Some(number),
            Told::Found { hits, .. } => self.found += hits,
            Told::RetryIn { .. } => (),
        }
        Ok(())
    }

    /// Returns how far an own message is.
    pub(super) fn state(&self, peer: &str, text: &str) -> Option<MessageState> {
        self.states.get(&(peer.to_owned(), text.to_owned())).copied()
    }

    /// Counts how often a text arrived.
    pub(super) fn arrivals(&self, peer: &str, text: &str) -> usize {
        self.messages.iter().filter(|(from, it)| from == peer && it == text).count()
    }

    /// Tells whether an error with this code was told.
    pub(super) fn failed(&self, code: &str) -> bool {
        self.errors.iter().any(|(it, _)| it == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(seen: &mut Seen, line: &str) -> anyhow::Result<()> {
        seen.hear(serde_json::from_str(line)?)
    }

    #[test]
    fn a_state_that_goes_back_is_refused_and_one_that_is_told_again_is_not() {
        let mut seen = Seen::default();
        let state = |state| {
            format!(
                r#"{{"at_ms":1,"is":"state","peer":"bob","text":"hi","state":"{state}","round":null}}"#
            )
        };
        for good in ["queued", "sent", "sent", "delivered"] {
            hear(&mut seen, &state(good)).unwrap();
        }
        assert_eq!(seen.state("bob", "hi"), Some(MessageState::Delivered));
        assert!(hear(&mut seen, &state("sent")).is_err());
    }

    #[test]
    fn a_new_screen_has_no_places_of_the_old_one() {
        let mut seen = Seen::default();
        hear(&mut seen, r#"{"is":"place","id":"name","x":10.0,"y":20.5,"width":100,"height":31}"#)
            .unwrap();
        assert_eq!(seen.places["name"].middle(), (60, 36));
        hear(&mut seen, r#"{"is":"screen","name":"main"}"#).unwrap();
        assert!(seen.places.is_empty());
    }
}
