//! A chat of two people through networks in trouble.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::runtime::{Builder, Runtime};

use super::{Case, Counts, Event, Proxy};
use crate::processes::{
    Arguments, Hall, Heard, Ledger, Place, Programs, Said, Server, Verdict, What,
};

const PEOPLE: [&str; 2] = ["ann", "bob"];

/// The longest that a chat may take.
const WHOLE_MAX: Duration = Duration::from_secs(8 * 60);

/// How often an interrupt is looked for.
const GLANCE: Duration = Duration::from_millis(200);

/// The longest that a program may take to end; through a network in trouble it waits for acknowledgements.
const END_MAX: Duration = Duration::from_secs(15);

/// Rounds to listen on after the last message, in which a doubled one would show.
const ROUNDS_AFTER: u64 = 3;

/// How people chat.
pub(super) struct Chat {
    pub(super) messages: u32,
    pub(super) round_ms: u32,
    pub(super) seed: u64,
}

/// What came of it.
pub(super) struct Outcome {
    messages: usize,
    verdict: Verdict,
    missed: u64,
    losses: u32,
    seen: u64,
    lost: u64,
    took: Duration,
}

/// A chat under way.
struct Talk<'a> {
    case: &'a Case,
    interrupted: &'a AtomicBool,
    hall: Hall,
    ledger: Ledger,
    networks: Vec<Proxy>,
    missed: [u64; 2],
    rounds: u64,
    losses: u32,
    deadline: Instant,
}

impl Chat {
    /// Plays one trouble to its end.
    pub(super) fn play(
        &self,
        case: &Case,
        programs: &Programs,
        place: &Place,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<Outcome> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut server = Server::start(&programs.server, place, self.round_ms)?;
        let networks = self.networks(&runtime, &server, case);
        let mut talk = Talk {
            case,
            interrupted,
            hall: Hall::new(programs),
            ledger: Ledger::default(),
            networks,
            missed: [0; 2],
            rounds: 0,
            losses: 0,
            deadline: Instant::now() + WHOLE_MAX,
        };
        talk.sign_in(&server, place)?;
        let began = Instant::now();
        talk.send(self.messages)?;
        let messages = 2 * self.messages as usize;
        talk.listen("a quarter to arrive", |talk| talk.ledger.arrived() >= messages / 4)?;
        talk.disturb()?;
        talk.listen("all to arrive and be acknowledged", |talk| {
            talk.ledger.arrived() >= messages && talk.ledger.acknowledged() >= messages
        })?;
        let took = began.elapsed();
        let enough = talk.rounds + 2 * ROUNDS_AFTER;
        talk.listen("a few rounds more", |talk| talk.rounds >= enough)?;
        let outcome = talk.outcome(messages, took);
        talk.leave()?;
        let status = server.stop(END_MAX)?;
        if !status.success() {
            bail!("the server was asked to stop and ended with {status}");
        }
        Ok(outcome)
    }

    fn networks(&self, runtime: &Runtime, server: &Server, case: &Case) -> Vec<Proxy> {
        let seeds = [2 * self.seed, 2 * self.seed + 1];
        let start = |seed| runtime.block_on(Proxy::start(server.address(), case.trouble, seed));
        seeds.into_iter().map(start).collect()
    }
}

impl Talk<'_> {
    fn sign_in(&mut self, server: &Server, place: &Place) -> anyhow::Result<()> {
        let link = server.link().parse().context("the server's link is none")?;
        for (user, network) in PEOPLE.into_iter().zip(&self.networks) {
            let arguments = Arguments {
                link: network.link(&link).to_string(),
                user: user.to_owned(),
                password_file: place.password(user, &format!("only {user} knows this"))?,
                profile: place.path().join(user),
                more: vec!["--register".to_owned()],
            };
            self.hall.start(user, place, &arguments)?;
        }
        let mut signed_in = 0;
        let deadline = self.deadline;
        while signed_in < PEOPLE.len() {
            let heard = self.next(deadline, "all to be signed in")?;
            signed_in += usize::from(matches!(heard, Some((_, Said::SignedIn { .. }))));
        }
        Ok(())
    }

    fn send(&mut self, messages: u32) -> anyhow::Result<()> {
        for (from, to) in [("ann", "bob"), ("bob", "ann")] {
            self.hall.client(from)?.open(to)?;
            for number in 1..=messages {
                let text = format!("{from}'s message {number} of {messages}");
                let label = self.ledger.send(from, to, &text);
                self.hall.client(from)?.send(to, &text, &label)?;
            }
        }
        Ok(())
    }

    /// Does what the case has in store for the middle.
    fn disturb(&mut self) -> anyhow::Result<()> {
        match self.case.event {
            Event::Nothing => Ok(()),
            Event::Partition(time) => {
                self.networks.iter().for_each(|network| network.part(true));
                let until = Instant::now() + time;
                while Instant::now() < until {
                    self.next(until, "the partition's end")?;
                }
                self.networks.iter().for_each(|network| network.part(false));
                Ok(())
            }
            Event::Move => {
                for at in 0..self.networks.len() {
                    self.networks[at].change_addresses();
                    let enough = self.rounds + 4;
                    self.listen("rounds from the new address", |talk| talk.rounds >= enough)?;
                }
                Ok(())
            }
        }
    }

    fn listen(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        while !done(self) {
            if Instant::now() > self.deadline {
                bail!("waited too long for {what}");
            }
            self.next(self.deadline, what)?;
        }
        Ok(())
    }

    /// Takes down what is said next; `None` if nothing is, for a glance or until the deadline.
    fn next(&mut self, deadline: Instant, what: &str) -> anyhow::Result<Option<(String, Said)>> {
        if self.interrupted.load(Ordering::Relaxed) {
            bail!("stopped by a signal");
        }
        if Instant::now() > self.deadline {
            bail!("waited too long for {what}");
        }
        let Some(Heard { who, what }) = self.hall.next(deadline.min(Instant::now() + GLANCE))
        else {
            return Ok(None);
        };
        let said = match what {
            What::Said(said) => said,
            What::Odd(line) => bail!("{who} printed what no manual knows: {line}"),
            What::Ended => bail!("{who} ended in the middle"),
        };
        self.ledger.hear(&who, &said)?;
        match &said {
            Said::Round { missed, .. } => {
                self.rounds += 1;
                self.missed[usize::from(who == PEOPLE[1])] = *missed;
            }
            Said::Connection { state } => self.losses += u32::from(state == "lost"),
            Said::Error { code, text } => bail!("{who} got {code}: {text}"),
            _ => (),
        }
        Ok(Some((who, said)))
    }

    fn outcome(&self, messages: usize, took: Duration) -> Outcome {
        let counts = self.networks.iter().map(Proxy::counts);
        let (seen, lost) = counts
            .fold((0, 0), |(seen, lost), counts: Counts| (seen + counts.seen, lost + counts.lost));
        Outcome {
            messages,
            verdict: self.ledger.verdict(),
            missed: self.missed.iter().sum(),
            losses: self.losses,
            seen,
            lost,
            took,
        }
    }

    fn leave(&mut self) -> anyhow::Result<()> {
        for user in PEOPLE {
            self.hall.client(user)?.quit()?;
        }
        for user in PEOPLE {
            let status = self.hall.client(user)?.ended(END_MAX)?;
            if !status.success() {
                bail!("{user} was asked to quit and ended with {status}");
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// What stands above the columns.
    pub(super) const HEADING: &str = "trouble                         messages  delivered  doubled  disorder  missed  lost    datagrams lost  seconds";

    /// Tells whether every message arrived once, unchanged and in order.
    pub(super) fn is_perfect(&self) -> bool {
        self.verdict.is_perfect() && self.verdict.sent == self.messages
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, verdict, missed, losses, seen, lost, took } = self;
        let Verdict { delivered, doubled, foreign, disordered, .. } = verdict;
        let datagrams = format!("{lost} of {seen}");
        write!(
            f,
            "{messages:>8}{delivered:>11}{doubled:>9}{disordered:>10}{missed:>8}{losses:>6}{datagrams:>18}{:>9.1}",
            took.as_secs_f64()
        )?;
        if *foreign > 0 {
            write!(f, "  altered {foreign}")?;
        }
        Ok(())
    }
}
