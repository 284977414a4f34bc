//! What the harness knows outside of the server: which of its lives it is in, what was done, and what went wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// One life of the server: from a start to the kill after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// Counted from 1; 0 before the first start.
    pub(super) number: u32,
    /// How far it is.
    pub(super) stage: Stage,
}

/// How far a life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The process runs, and has not said yet that it serves.
    Starting,
    /// Clients can come.
    Serving,
    /// The process is gone.
    Dead,
}

/// What the clients are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Change things.
    Write,
    /// Look whether everything is as it must be, change nothing.
    Check(Check),
    /// End.
    Stop,
}

/// One look of all clients at what they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Counted from 1.
    pub(super) number: u32,
    /// Whether all accounts there ever were are looked at, or those in use and a sample.
    pub(super) all: bool,
}

/// Something that the clients did, and the server acknowledged, or that they looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// An account was made.
    Registered,
    /// A password was changed.
    PasswordChanged,
    /// A vault was stored.
    VaultStored,
    /// An account was deleted.
    Deleted,
    /// A session began with the password.
    SignedIn,
    /// A session was taken up again without a password.
    Resumed,
    /// What was asked and not answered was found to be there.
    DoubtThere,
    /// What was asked and not answered was found not to be there.
    DoubtNotThere,
    /// An account was looked at, all of it.
    LookedAt,
}

/// The harness's memory; every client has a share in it.
pub(super) struct Journal {
    life: watch::Sender<Life>,
    order: watch::Sender<Order>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    deeds: BTreeMap<Deed, u64>,
    rounds: Rounds,
    wrong: Vec<String>,
    checked: Checked,
}

/// How far a check is.
#[derive(Clone, Copy, Default)]
struct Checked {
    number: u32,
    clients: usize,
    unfinished: bool,
}

/// Which rounds were seen open, and in which life.
#[derive(Default)]
struct Rounds {
    highest: BTreeMap<u32, u64>,
    seen: u64,
}

impl Rounds {
    /// Takes down that a round was open in a life.
    ///
    /// # Errors
    /// If an earlier life opened it or a later one, or a later life opened a round before it.
    fn open(&mut self, life: u32, round: u64) -> Result<(), String> {
        if let Some((earlier, highest)) = self.highest.range(..life).next_back()
            && *highest >= round
        {
            return Err(format!(
                "life {life} of the server opened round {round}, and life {earlier} opened round {highest}"
            ));
        }
        if let Some((later, _)) = self.highest.range(life + 1..).next() {
            return Err(format!("a round of life {life} was heard of in life {later}"));
        }
        let highest = self.highest.entry(life).or_default();
        if round > *highest {
            *highest = round;
            self.seen += 1;
        }
        Ok(())
    }
}

impl Journal {
    /// Begins with a server that was never started.
    pub(super) fn new() -> Self {
        Self {
            life: watch::Sender::new(Life { number: 0, stage: Stage::Dead }),
            order: watch::Sender::new(Order::Write),
            kept: Mutex::default(),
        }
    }

    /// Tells all clients how far the server is.
    pub(super) fn live(&self, life: Life) {
        self.life.send_replace(life);
    }

    /// Returns what tells of the server's lives.
    pub(super) fn lives(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Tells all clients what to do.
    pub(super) fn order(&self, order: Order) {
        self.order.send_replace(order);
    }

    /// Returns what tells what to do.
    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.order.subscribe()
    }

    /// Counts a deed.
    pub(super) fn did(&self, deed: Deed) {
        *self.kept().deeds.entry(deed).or_default() += 1;
    }

    /// Returns how often something was done.
    pub(super) fn times(&self, deed: Deed) -> u64 {
        self.kept().deeds.get(&deed).copied().unwrap_or(0)
    }

    /// Takes down that a round was seen open.
    pub(super) fn round_is_open(&self, life: u32, round: u64) {
        let opened = self.kept().rounds.open(life, round);
        if let Err(wrong) = opened {
            self.wrong(wrong);
        }
    }

    /// Returns how many rounds were seen open.
    pub(super) fn rounds(&self) -> u64 {
        self.kept().rounds.seen
    }

    /// Takes down that something is not as it must be.
    pub(super) fn wrong(&self, what: String) {
        self.kept().wrong.push(what);
    }

    /// Returns what was not as it must be, the first one first.
    pub(super) fn wrongs(&self) -> Vec<String> {
        self.kept().wrong.clone()
    }

    /// Takes down that one more client did its part of a check, and whether it has more to look at in another one.
    pub(super) fn checked(&self, number: u32, unfinished: bool) {
        let checked = &mut self.kept().checked;
        if checked.number != number {
            *checked = Checked { number, ..Checked::default() };
        }
        checked.clients += 1;
        checked.unfinished |= unfinished;
    }

    /// Returns whether another check is needed, once so many clients did their part of this one.
    pub(super) fn all_checked(&self, number: u32, clients: usize) -> Option<bool> {
        let checked = self.kept().checked;
        let done = checked.number == number && checked.clients == clients;
        done.then_some(checked.unfinished)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_belongs_to_one_life_and_later_lives_go_on_above() {
        let mut rounds = Rounds::default();
        for (life, round) in [(1, 7), (1, 7), (1, 8), (3, 24), (3, 25)] {
            rounds.open(life, round).unwrap();
        }
        assert_eq!(rounds.seen, 4);
        assert!(rounds.open(4, 25).is_err(), "the same round in two lives");
        assert!(rounds.open(4, 9).is_err(), "back to before");
        assert!(rounds.open(2, 9).is_err(), "a life that is over");
    }
}
