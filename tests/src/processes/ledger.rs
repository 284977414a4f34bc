//! What was sent and what arrived, by what senders wrote and receivers printed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use super::{MessageState, Said};

/// The account of all messages between all pairs.
#[derive(Default)]
pub struct Ledger {
    /// By sender and receiver.
    lanes: BTreeMap<(String, String), Lane>,
    /// By sender and label.
    states: BTreeMap<(String, String), MessageState>,
    /// Messages of which a killed program may tell once more that they were sent.
    retold: BTreeSet<(String, String)>,
}

#[derive(Default)]
struct Lane {
    sent: Vec<String>,
    arrived: Vec<String>,
}

/// How it stands; byte for byte, each text against those of its own sender and receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that were sent.
    pub sent: usize,
    /// Messages that arrived, each counted once.
    pub delivered: usize,
    /// Messages that did not arrive.
    pub lost: usize,
    /// Arrivals beyond the first.
    pub doubled: usize,
    /// Arrivals that nobody sent.
    pub foreign: usize,
    /// Pairs in which the order of arrival is not that of sending.
    pub disordered: usize,
}

impl Verdict {
    /// Tells whether every message arrived exactly once, unchanged and in order.
    pub fn is_perfect(&self) -> bool {
        *self == Self { sent: self.sent, delivered: self.sent, ..Self::default() }
    }
}

impl Ledger {
    /// Takes down a message that `from` is told to send, and returns the label for it.
    pub fn send(&mut self, from: &str, to: &str, text: &str) -> String {
        let lane = self.lanes.entry((from.to_owned(), to.to_owned())).or_default();
        lane.sent.push(text.to_owned());
        format!("{to}-{}", lane.sent.len())
    }

    /// Takes down what a client printed; lines about neither messages nor states are passed over.
    ///
    /// # Errors
    /// If a state repeats or goes back.
    pub fn hear(&mut self, who: &str, said: &Said) -> anyhow::Result<()> {
        match said {
            Said::Message { peer, text, .. } => {
                let lane = self.lanes.entry((peer.clone(), who.to_owned())).or_default();
                lane.arrived.push(text.clone());
            }
            Said::State { id, state, .. } => {
                let key = (who.to_owned(), id.clone());
                let before = self.states.get(&key).filter(|before| *before >= state);
                // that a message was sent is written without a flush, and told again once that was lost
                let told_again = self.retold.remove(&key) && before == Some(&MessageState::Sent);
                if let Some(before) = before.filter(|before| *before > state || !told_again) {
                    bail!("message {id} of {who} is {state:?} after {before:?}");
                }
                self.states.insert(key, *state);
            }
            Said::Registered { .. }
            | Said::SignedIn { .. }
            | Said::Round { .. }
            | Said::Directory { .. }
            | Said::Status { .. }
            | Said::Connection { .. }
            | Said::Error { .. }
            | Said::Request { .. }
            | Said::Calling { .. }
            | Said::Answered { .. }
            | Said::KeyChanged { .. }
            | Said::ServerRestored { .. }
            | Said::Contact(_)
            | Said::Forgotten { .. }
            | Said::Contacts { .. }
            | Said::SafetyNumber { .. }
            | Said::VaultStored { .. }
            | Said::Sessions { .. }
            | Said::SessionEnded { .. }
            | Said::PasswordChanged
            | Said::AccountDeleted => (),
        }
        Ok(())
    }

    /// Somebody's program was killed with SIGKILL: of what was sent it may tell so once more.
    pub fn killed(&mut self, who: &str) {
        let sent = self
            .states
            .iter()
            .filter(|((of, _), state)| of == who && **state == MessageState::Sent);
        self.retold.extend(sent.map(|(key, _)| key.clone()));
    }

    /// Counts arrivals, doubled ones too.
    pub fn arrived(&self) -> usize {
        self.lanes.values().map(|lane| lane.arrived.len()).sum()
    }

    /// Counts messages that their senders know to be delivered.
    pub fn acknowledged(&self) -> usize {
        self.states.values().filter(|&&state| state == MessageState::Delivered).count()
    }

    /// Compares what arrived with what was sent.
    pub fn verdict(&self) -> Verdict {
        self.lanes.values().map(Lane::verdict).fold(Verdict::default(), |sum, lane| Verdict {
            sent: sum.sent + lane.sent,
            delivered: sum.delivered + lane.delivered,
            lost: sum.lost + lane.lost,
            doubled: sum.doubled + lane.doubled,
            foreign: sum.foreign + lane.foreign,
            disordered: sum.disordered + lane.disordered,
        })
    }
}

impl Lane {
    fn verdict(&self) -> Verdict {
        let mut verdict = Verdict { sent: self.sent.len(), ..Verdict::default() };
        let mut counts = BTreeMap::<&str, (usize, usize)>::new();
        self.sent.iter().for_each(|text| counts.entry(text).or_default().0 += 1);
        self.arrived.iter().for_each(|text| counts.entry(text).or_default().1 += 1);
        for (sent, arrived) in counts.into_values() {
            verdict.delivered += sent.min(arrived);
            verdict.lost += sent.saturating_sub(arrived);
            if sent == 0 {
                verdict.foreign += arrived;
            } else {
                verdict.doubled += arrived.saturating_sub(sent);
            }
        }
        verdict.disordered = usize::from(!self.in_order());
        verdict
    }

    /// Tells whether what arrived stands in what was sent in this order, with gaps for what is lost;
    /// repetitions and strangers are counted elsewhere.
    fn in_order(&self) -> bool {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        self.sent.iter().for_each(|text| *left.entry(text).or_default() += 1);
        let mut rest = self.sent.iter();
        self.arrived.iter().all(|text| match left.get_mut(text.as_str()) {
            Some(0) | None => true,
            Some(more) => {
                *more -= 1;
                rest.any(|sent| sent == text)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(sent: &[&str], arrived: &[&str]) -> Verdict {
        let mut ledger = Ledger::default();
        sent.iter().for_each(|text| drop(ledger.send("ann", "bob", text)));
        for &text in arrived {
            let (peer, text) = ("ann".to_owned(), text.to_owned());
            ledger.hear("bob", &Said::Message { peer, text, sent_ms: 0, round: 0 }).unwrap();
        }
        ledger.verdict()
    }

    #[test]
    fn only_every_message_once_in_order_is_perfect() {
        assert!(verdict(&["a", "b", "a"], &["a", "b", "a"]).is_perfect());
        for arrived in [&["a", "b"][..], &["a", "b", "c", "c"], &["b", "a", "c"], &["a", "b", "C"]]
        {
            assert!(!verdict(&["a", "b", "c"], arrived).is_perfect(), "{arrived:?}");
        }
    }

    #[test]
    fn each_fault_has_its_own_count() {
        let found = verdict(&["a", "b", "c", "d"], &["a", "a", "d", "c", "x"]);
        let disordered = 1;
        let wanted = Verdict { sent: 4, delivered: 3, lost: 1, doubled: 1, foreign: 1, disordered };
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_repetition_alone_is_not_disorder() {
        assert_eq!(verdict(&["a", "b"], &["a", "a", "b", "a"]).disordered, 0);
        assert_eq!(verdict(&["a", "b", "a"], &["b", "a", "a"]).disordered, 1);
    }

    #[test]
    fn a_state_never_repeats_or_goes_back() {
        let mut ledger = Ledger::default();
        let mut hear = |state| {
            let (id, peer) = ("m".to_owned(), "bob".to_owned());
            ledger.hear("ann", &Said::State { id, peer, state, round: None })
        };
        hear(MessageState::Queued).unwrap();
        hear(MessageState::Delivered).unwrap();
        assert!(hear(MessageState::Delivered).is_err());
        assert!(hear(MessageState::Sent).is_err());
        assert_eq!(ledger.acknowledged(), 1);
    }
}
