//! The reference model: what was written, and so what may be shown, acknowledged and told.
//!
//! For each writer and reader there is one list. A text enters it when it is durable at the writer's; it
//! must become durable at the reader's in that order, once, byte for byte; then it is told to the reader's
//! program, once; then it is told to the writer as delivered, once. Anything else is a fault of the system,
//! and ends the test with the place where it happened.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use client_core::api::MessageState;
use wire::ids::Round;

/// Everything that is expected.
#[derive(Default)]
pub struct Model {
    threads: BTreeMap<(usize, usize), Thread>,
    /// The last round of each person's deposits.
    deposits: BTreeMap<usize, Round>,
    /// The last round that was opened.
    opened: Round,
}

/// What one person writes to another.
#[derive(Default)]
struct Thread {
    /// Handed to the program, not yet durable.
    asked: VecDeque<(String, String)>,
    /// Durable at the writer's, in order.
    written: Vec<Written>,
    /// How many of them are on the reader's disk.
    kept: usize,
    /// How many of those were told to the reader's program, or were durable when it was killed.
    told: usize,
    /// How many the writer's disk knows to be delivered.
    delivered: usize,
    /// Labels of the open ones whose `Sent` may be told again, since the writer was killed.
    retold: BTreeSet<String>,
}

struct Written {
    label: String,
    text: String,
    state: Option<MessageState>,
    times: Times,
}

/// The rounds that were open when a message came so far.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// It was written.
    pub written: Round,
    /// The writer was told that it went out for the first time.
    pub sent: Option<Round>,
    /// It was on the reader's disk.
    pub kept: Option<Round>,
    /// The writer was told that it is delivered.
    pub delivered: Option<Round>,
}

impl Model {
    /// A person writes.
    pub fn asked(&mut self, from: usize, to: usize, label: &str, text: &str) {
        let thread = self.threads.entry((from, to)).or_default();
        thread.asked.push_back((label.to_owned(), text.to_owned()));
    }

    /// A message became durable at the writer's.
    pub fn written(&mut self, from: usize, to: usize, label: &str, text: &str) {
        let thread = self.threads.entry((from, to)).or_default();
        let asked = thread.asked.pop_front();
        let same = asked.is_some_and(|asked| asked.0 == label && asked.1 == text);
        assert!(same, "{from} keeps a message to {to} that nobody wrote, or out of order: {label}");
        let (label, text) = (label.to_owned(), text.to_owned());
        let times = Times { written: self.opened, sent: None, kept: None, delivered: None };
        thread.written.push(Written { label, text, state: None, times });
    }

    /// A message became durable at the reader's: from now on it is in the history.
    pub fn kept(&mut self, from: usize, to: usize, text: &str) {
        let thread = self.threads.entry((from, to)).or_default();
        let Some(next) = thread.written.get_mut(thread.kept) else {
            panic!("{to} keeps a message from {from} that nobody wrote, or one twice: {text:?}");
        };
        assert_eq!(next.text, text, "{to} keeps a message from {from} changed or out of order");
        next.times.kept = Some(self.opened);
        thread.kept += 1;
    }

    /// A message of somebody is told to the reader's program; the programs know writers by a name, which several
    /// may have had.
    pub fn told(&mut self, writers: &[usize], to: usize, text: &str) {
        let waits =
            |it: &Thread| it.written[it.told..it.kept].first().is_some_and(|it| it.text == text);
        let threads = self.threads.iter_mut();
        let mut threads = threads.filter(|((from, it), _)| *it == to && writers.contains(from));
        let Some((_, thread)) = threads.find(|(_, thread)| waits(thread)) else {
            panic!("{to} is told something else than what is next on disk, or twice: {text:?}");
        };
        thread.told += 1;
    }

    /// A state is told to the writer's program.
    pub fn state(&mut self, from: usize, label: &str, state: MessageState) {
        let place = |it: &Thread| it.written.iter().position(|it| it.label == label);
        let mut threads = self.threads.iter_mut().filter(|((it, _), _)| *it == from);
        let found = threads.find_map(|((_, to), thread)| Some((to, place(thread)?, thread)));
        let Some((to, place, thread)) = found else {
            panic!("{from} is told {} of {label}, which is not durable", state.as_str());
        };
        let written = &mut thread.written[place];
        let again = state == MessageState::Sent && thread.retold.remove(label);
        let forward = written.state < Some(state) || (again && written.state == Some(state));
        assert!(forward, "{label} of {from} goes from {:?} to {state:?}", written.state);
        if state == MessageState::Delivered {
            assert!(place < thread.kept, "{label} is told delivered, but is not on {to}'s disk");
            assert!(place < thread.delivered, "{label} is told delivered before it is durable");
        }
        match state {
            MessageState::Queued => (),
            MessageState::Sent => written.times.sent = written.times.sent.or(Some(self.opened)),
            MessageState::Delivered => written.times.delivered = Some(self.opened),
        }
        written.state = Some(state);
    }

    /// The writer's disk knows that a message is delivered.
    pub fn delivered(&mut self, from: usize, to: usize, label: &str) {
        let thread = self.threads.entry((from, to)).or_default();
        assert!(thread.delivered < thread.kept, "{label} is delivered, but is not on {to}'s disk");
        let next = &thread.written[thread.delivered];
        assert_eq!(next.label, label, "messages of {from} to {to} are delivered out of order");
        thread.delivered += 1;
    }

    /// A person's process was killed: what was not durable was never written, and what it did not tell is
    /// in the history.
    pub fn killed(&mut self, person: usize) {
        for ((from, to), thread) in &mut self.threads {
            if *from == person {
                thread.asked.clear();
                let open = &thread.written[thread.delivered..];
                thread.retold = open.iter().map(|written| written.label.clone()).collect();
            }
            if *to == person {
                thread.told = thread.kept;
            }
        }
    }

    /// A person's deposit leaves.
    pub fn deposited(&mut self, person: usize, round: Round) {
        let last = self.deposits.entry(person).or_default();
        assert!(round > *last, "{person} deposits in round {round} after round {last}");
        assert!(round <= self.opened, "{person} deposits in round {round}, which is not open");
        *last = round;
    }

    /// The server opens a round.
    pub fn opened(&mut self, round: Round) {
        assert!(round > self.opened, "round {round} opens after round {}", self.opened);
        self.opened = round;
    }

    /// Forgets the round that is open: the server was put back to an old copy on purpose.
    pub fn forget_rounds(&mut self) {
        self.opened = Round::NONE;
    }

    /// Returns when each message came how far.
    pub fn times(&self) -> impl Iterator<Item = Times> {
        self.threads.values().flat_map(|thread| thread.written.iter().map(|it| it.times))
    }

    /// Counts what was written and is durable.
    pub fn count(&self) -> usize {
        self.threads.values().map(|thread| thread.written.len()).sum()
    }

    /// Counts what a writer wrote to a reader, what the reader has, and what is known to be delivered.
    pub fn progress(&self, from: usize, to: usize) -> (usize, usize, usize) {
        let thread = self.threads.get(&(from, to));
        thread.map_or((0, 0, 0), |it| (it.written.len(), it.kept, it.delivered))
    }

    /// Tells what is still on its way.
    pub fn open(&self) -> Vec<String> {
        let waiting = self.threads.iter().filter(|(_, thread)| {
            !thread.asked.is_empty() || thread.delivered < thread.written.len()
        });
        let line = |((from, to), thread): (&(usize, usize), &Thread)| {
            let Thread { asked, written, kept, delivered, .. } = thread;
            format!(
                "{from} to {to}: {} asked, {} written, {kept} kept, {delivered} delivered",
                asked.len(),
                written.len()
            )
        };
        waiting.map(line).collect()
    }
}
