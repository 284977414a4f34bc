//! How the connection and the rounds stand.

use std::time::Instant;

use client_link::api::{ConnectionState, Event};
use iced::Element;
use iced::widget::{Column, column, row};
use wire::link::Link;

use super::Message;
use crate::clock::Now;
use crate::screen::main::privacy::{Cover, Privacy, Words};
use crate::theme::space;
use crate::widget;
use crate::words::settings::{connection, network as words, number, round_length};

/// What the engine told of them.
#[derive(Default)]
pub struct Network {
    privacy: Privacy,
    state: Option<ConnectionState>,
    round: Option<u64>,
    round_ms: Option<u32>,
    seats: Option<u32>,
    sent: Option<Sent>,
}

/// What was counted since the start.
#[derive(Clone, Copy)]
struct Sent {
    missed: u64,
    real: u64,
    cover: u64,
    refused_calls: u64,
}

impl Network {
    /// Takes in what concerns it.
    pub fn hear(&mut self, event: &Event, now: Instant) {
        self.privacy.hear(event, now);
        match event {
            Event::Connection(state) => self.state = Some(*state),
            Event::RoundOpen { number, round_ms, .. } => {
                (self.round, self.round_ms) = (Some(*number), Some(*round_ms));
            }
            Event::Round { number, seats, .. } => {
                self.seats = Some(*seats);
                self.round = self.round.max(Some(*number));
            }
            Event::Status(status) => {
                self.state = Some(status.connection);
                self.sent = Some(Sent {
                    missed: status.missed,
                    real: status.real,
                    cover: status.cover,
                    refused_calls: status.refused_calls,
                });
            }
            Event::Progress(_)
            | Event::Registered { .. }
            | Event::SignedIn { .. }
            | Event::State { .. }
            | Event::Message { .. }
            | Event::Directory { .. }
            | Event::Listed { .. }
            | Event::History { .. }
            | Event::SafetyNumber { .. }
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
            | Event::RetryIn { .. }
            | Event::Error { .. }
            | Event::Ended { .. } => (),
        }
    }

    /// Tells whether this client takes part in the rounds.
    pub fn is_in_rounds(&self) -> bool {
        self.privacy.is_covered()
    }

    /// Tells how well that hides it.
    pub fn cover(&self, now: Now) -> Cover {
        self.privacy.words(now.at).grade
    }

    /// Says in one line what the privacy bar says.
    pub fn bar(&self, now: Now) -> String {
        let Words { cover, details, .. } = self.privacy.words(now.at);
        std::iter::once(cover.to_owned()).chain(details).collect::<Vec<_>>().join(" · ")
    }

    /// Shows it all.
    pub(super) fn view<'a>(&self, link: &Link, now: Now) -> Element<'a, Message> {
        let known = |known: Option<u64>| match known {
            Some(known) => number(known),
            None => words::UNKNOWN.into(),
        };
        let state = self.state.unwrap_or(ConnectionState::Connecting);
        let lost = state == ConnectionState::Lost;
        let next = lost.then(|| {
            let retry = widget::secondary("retry", words::RETRY, Some(Message::RetryPressed));
            let next = widget::words(self.privacy.next_try(now.at));
            column![next, row![retry]].spacing(space::TIGHT).into()
        });
        let facts = [
            widget::fact(words::SERVER, format!("{}:{}", link.host, link.port)),
            widget::fact(words::PIN, link.pin.to_string()),
            widget::fact(words::STATE, connection(state)),
        ];
        let sent = |of: fn(Sent) -> u64| known(self.sent.map(of));
        let slots = column![
            widget::fact(words::REAL, sent(|sent| sent.real)),
            widget::fact(words::COVER_SLOTS, sent(|sent| sent.cover)),
            widget::hint(words::SLOTS_ABOUT),
        ];
        let refused = column![
            widget::fact(words::REFUSED, sent(|sent| sent.refused_calls)),
            widget::hint(words::REFUSED_ABOUT),
        ];
        let length = self.round_ms.map_or_else(|| words::UNKNOWN.into(), round_length);
        let rounds = [
            widget::fact(words::COVER, self.bar(now)),
            widget::fact(words::ROUND, known(self.round)),
            widget::fact(words::ROUND_LENGTH, length),
            widget::fact(words::SEATS, known(self.seats.map(u64::from))),
            widget::fact(words::MISSED, sent(|sent| sent.missed)),
            slots.spacing(space::TIGHT).into(),
            refused.spacing(space::TIGHT).into(),
        ];
        let title = widget::heading(words::TITLE);
        let all = Column::new().push(title).extend(facts).extend(next).extend(rounds);
        all.spacing(space::INNER).into()
    }
}

#[cfg(test)]
mod tests {
    use client_link::api::Status;
    use insta::assert_snapshot;
    use wire::link::Pin;

    use super::*;
    use crate::clock;
    use crate::screen::drive::texts;

    #[test]
    fn it_says_what_the_engine_told_and_what_is_not_known() {
        let link = Link { host: "chat.example.org".into(), port: 4433, pin: Pin([7; 32]) };
        let now = clock::now();
        let mut network = Network::default();
        let mut said = vec![texts(network.view(&link, now)).join("\n")];
        network.hear(&Event::Connection(ConnectionState::Connected), now.at);
        network.hear(&Event::RoundOpen { number: 12_345, closes_ms: 900, round_ms: 2000 }, now.at);
        network.hear(&Event::Round { number: 12_344, seats: 14, missed: 3 }, now.at);
        network.hear(
            &Event::Status(Status {
                connection: ConnectionState::Connected,
                round: 12_344,
                seats: 14,
                missed: 3,
                real: 120,
                cover: 4_000,
                conversations: vec![],
                refused_calls: 2,
            }),
            now.at,
        );
        said.push(texts(network.view(&link, now)).join("\n"));
        network.hear(&Event::Connection(ConnectionState::Lost), now.at);
        network.hear(&Event::RetryIn { ms: 4000 }, now.at);
        said.push(texts(network.view(&link, now)).join("\n"));
        assert_snapshot!(said.join("\n\n"));
    }
}
