//! The privacy bar: whether this client is covered now, and by how many.

use std::time::{Duration, Instant};

use client_link::api::{ConnectionState, Event};

use crate::present::{count, grouped, seconds};

/// What the rounds tell.
#[derive(Clone, Debug)]
pub struct Privacy {
    connection: ConnectionState,
    open: Option<Round>,
    seats: Option<u32>,
    missed: u64,
    /// Slots that carried something, and those that carried cover.
    sent: Option<(u64, u64)>,
    retry_at: Option<Instant>,
    /// When the last round opened, and how long one takes.
    last: Option<(Instant, Duration)>,
}

/// The open round.
#[derive(Clone, Copy, Debug)]
struct Round {
    number: u64,
    closes_at: Instant,
    round_ms: u32,
}

/// Seats in a round below which they are little to hide among.
const SEATS_FEW: u32 = 8;

/// How long after its close a round's answer is late: the server may be gone already.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// How well this client is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cover {
    /// It is out of the rounds, or nobody else is in them.
    #[default]
    None,
    /// There are fewer than 8 seats.
    Weak,
    /// There are more.
    Good,
}

/// What the bar says.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// How well this client is hidden.
    pub grade: Cover,
    /// That in a few words.
    pub cover: &'static str,
    /// The round and its countdown, seats, missed rounds and what was sent.
    pub details: Vec<String>,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            connection: ConnectionState::Connecting,
            open: None,
            seats: None,
            missed: 0,
            sent: None,
            retry_at: None,
            last: None,
        }
    }
}

impl Privacy {
    /// Takes in what concerns it.
    pub fn hear(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Connection(state) => {
                self.connection = *state;
                if self.is_covered() {
                    self.retry_at = None;
                } else {
                    self.open = None;
                }
            }
            Event::RoundOpen { number, closes_ms, round_ms } => {
                let closes_at = now + Duration::from_millis(u64::from(*closes_ms));
                self.open = Some(Round { number: *number, closes_at, round_ms: *round_ms });
                self.last = Some((now, Duration::from_millis(u64::from(*round_ms))));
            }
            Event::Round { seats, missed, .. } => {
                self.seats = Some(*seats);
                self.missed = *missed;
            }
            Event::Status(status) => {
                self.missed = status.missed;
                self.sent = Some((status.real, status.cover));
            }
            Event::RetryIn { ms } => self.retry_at = Some(now + Duration::from_millis(*ms)),
            Event::Progress(_)
            | Event::Registered { .. }
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
            | Event::SignedIn { .. }
            | Event::State { .. }
            | Event::Message { .. }
            | Event::Directory { .. }
            | Event::Listed { .. }
            | Event::History { .. }
            | Event::SafetyNumber { .. }
            | Event::Error { .. }
            | Event::Ended { .. } => (),
        }
    }

    /// Tells whether this client takes part in the rounds.
    pub fn is_covered(&self) -> bool {
        match self.connection {
            ConnectionState::Connected | ConnectionState::Resumed => true,
            ConnectionState::Connecting | ConnectionState::Lost => false,
        }
    }

    /// Tells whether it is out of the rounds: it was in them before, or did not get in at the first try.
    pub fn is_lost(&self) -> bool {
        match self.connection {
            ConnectionState::Lost => true,
            ConnectionState::Connecting => self.retry_at.is_some(),
            ConnectionState::Connected | ConnectionState::Resumed => false,
        }
    }

    /// Returns the length of a round in milliseconds, if it is known.
    pub fn round_ms(&self) -> Option<u32> {
        self.open.map(|round| round.round_ms)
    }

    /// Says when the next attempt to come back is.
    pub fn next_try(&self, now: Instant) -> String {
        match self.retry_at.map(|at| at.saturating_duration_since(now)) {
            Some(left) if !left.is_zero() => format!("Next try {}.", seconds(left)),
            Some(_) | None => "Trying now …".into(),
        }
    }

    /// Counts the rounds that were missed; those of a gap that is not over yet by the clock.
    fn missed(&self, now: Instant) -> u64 {
        let gap = self.last.filter(|(_, round)| !self.is_covered() && !round.is_zero());
        let gap = gap.map_or(0, |(at, round)| {
            now.saturating_duration_since(at).as_millis() / round.as_millis()
        });
        self.missed.saturating_add(u64::try_from(gap).unwrap_or(u64::MAX).saturating_sub(1))
    }

    /// Says how it stands.
    pub fn words(&self, now: Instant) -> Words {
        let covered = self.is_covered();
        let mut details = Vec::new();
        if let Some(round) = self.open.filter(|_| covered) {
            details.push(format!("round {}", round.number));
            details.push(match round.closes_at.saturating_duration_since(now) {
                left if left.is_zero() => "closing".into(),
                left => format!("closes {}", seconds(left)),
            });
        }
        if let Some(seats) = self.seats.filter(|_| covered) {
            details.push(format!("{}, says the server", count(seats.into(), "seat", "seats")));
        }
        details.push(format!("{} missed", count(self.missed(now), "round", "rounds")));
        let sent = |(real, cover)| format!("sent {} real, {} cover", grouped(real), grouped(cover));
        details.extend(self.sent.map(sent));
        let late = |round: Round| now.saturating_duration_since(round.closes_at) > LATE_AFTER;
        let is_late = covered && self.open.is_some_and(late);
        let (grade, cover) = match (self.connection, self.seats) {
            _ if is_late => (Cover::Weak, "waiting for the server"),
            (ConnectionState::Connecting, _) => (Cover::None, "joining the rounds"),
            (ConnectionState::Lost, _) => (Cover::None, "not covered"),
            (_, Some(0 | 1)) => (Cover::None, "alone: no cover"),
            (_, Some(seats)) if seats < SEATS_FEW => (Cover::Weak, "few people: weak cover"),
            (ConnectionState::Connected | ConnectionState::Resumed, _) => (Cover::Good, "covered"),
        };
        Words { grade, cover, details }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn line(privacy: &Privacy, now: Instant) -> String {
        let Words { cover, details, .. } = privacy.words(now);
        [vec![cover.to_owned()], details].concat().join(" · ")
    }

    #[test]
    fn the_bar_follows_the_rounds() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut privacy = Privacy::default();
        let mut said = vec![line(&privacy, start)];
        privacy.hear(&Event::Connection(ConnectionState::Connected), start);
        let open = Event::RoundOpen { number: 1234, closes_ms: 1800, round_ms: 2000 };
        privacy.hear(&open, start);
        said.push(line(&privacy, start));
        privacy.hear(&Event::Round { number: 1233, seats: 14, missed: 0 }, start);
        said.extend([0, 900, 1800, 5000].map(|ms| line(&privacy, at(ms))));
        privacy.hear(&Event::Connection(ConnectionState::Lost), start);
        privacy.hear(&Event::RetryIn { ms: 4200 }, start);
        said.extend([0, 3999, 4000, 24_000].map(|ms| line(&privacy, at(ms))));
        said.extend([0, 4200, 9000].map(|ms| privacy.next_try(at(ms))));
        privacy.hear(&Event::Connection(ConnectionState::Resumed), start);
        for seats in [0, 1, 2, 7, 8, u32::MAX] {
            privacy.hear(&Event::Round { number: 1240, seats, missed: 7 }, start);
            said.push(line(&privacy, start));
        }
        assert_snapshot!(said.join("\n"));
    }
}
