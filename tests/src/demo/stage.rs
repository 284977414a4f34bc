//! What every transcript is played on: a server, people without windows, and an account of all they say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::screen::{Screen, excerpt};
use crate::processes::{
    Arguments, Client, Hall, Heard, Ledger, Place, Programs, Said, Server, Verdict, What,
};

/// Rounds to listen on after the last message, in which a doubled one would show.
const ROUNDS_AFTER: usize = 3;

/// Longest time for all of it, and for what needs the chat to go on.
pub(super) const WHOLE_MAX: Duration = Duration::from_secs(6 * 60);

/// Longest time for one step that needs no chat: signing in, noticing, coming back.
const STEP_MAX: Duration = Duration::from_secs(45);

/// Longest time for a program to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(5);

/// How often an interrupt is looked for.
const GLANCE: Duration = Duration::from_millis(200);

/// What a transcript promises.
pub(super) struct Promise {
    /// Everybody who takes part.
    pub(super) people: &'static [&'static str],
    /// Messages that are sent, all of which arrive.
    pub(super) messages: usize,
    /// Calls that are answered; none if people open each other by agreement.
    pub(super) calls: Option<usize>,
    /// Length of a round in milliseconds.
    pub(super) round_ms: u32,
}

/// All that takes part.
pub(super) struct Stage<'a> {
    promise: Promise,
    programs: Programs,
    place: &'a Place,
    pub(super) screen: Screen,
    interrupted: Arc<AtomicBool>,
    hall: Hall,
    ledger: Ledger,
    signed_in: BTreeSet<String>,
    covered: BTreeMap<String, bool>,
    /// By caller and callee.
    calls: BTreeMap<(String, String), Call>,
    rounds: BTreeSet<u64>,
    seats: u32,
    restarts: u32,
    deadline: Instant,
}

/// How far a call is; each step with the rounds that were over by then.
#[derive(Clone, Copy, Default)]
struct Call {
    begun: usize,
    rang: Option<usize>,
    answered: Option<usize>,
}

/// What came out of it.
pub(super) struct Outcome {
    promise: Promise,
    verdict: Verdict,
    calls: usize,
    restarts: u32,
    rounds: usize,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        promise: Promise,
        programs: Programs,
        place: &'a Place,
        screen: Screen,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        Self {
            promise,
            hall: Hall::new(&programs),
            programs,
            place,
            screen,
            interrupted,
            ledger: Ledger::default(),
            signed_in: BTreeSet::new(),
            covered: BTreeMap::new(),
            calls: BTreeMap::new(),
            rounds: BTreeSet::new(),
            seats: 0,
            restarts: 0,
            deadline: Instant::now() + WHOLE_MAX,
        }
    }

    /// Ends what still runs, and returns what came out of it.
    pub(super) fn end(mut self) -> Outcome {
        self.screen.done();
        let calls = self.calls.values().filter(|call| call.answered.is_some()).count();
        let (verdict, restarts, rounds) = (self.ledger.verdict(), self.restarts, self.rounds.len());
        Outcome { promise: self.promise, verdict, calls, restarts, rounds }
    }

    pub(super) fn serve(&mut self) -> anyhow::Result<Server> {
        let every = f64::from(self.promise.round_ms) / 1000.0;
        let why = format!(
            "it keeps accounts on disk and mixes what its clients send, a round every {every} s"
        );
        self.screen.heading("A server starts with an empty data directory", &why);
        let server = Server::start(&self.programs.server, self.place, self.promise.round_ms)?;
        self.screen.line(&format!("   data, profiles, logs  {}", self.place.path().display()));
        self.screen.line(&format!("   listens on            {}", server.address()));
        self.screen.line(&format!("   the link for people   {}", server.link()));
        Ok(server)
    }

    pub(super) fn sign_in(&mut self, link: &str) -> anyhow::Result<()> {
        let why = "a password never leaves the client, not even at registration (OPAQUE)";
        self.screen.heading(&format!("{} register and sign in", self.everybody()), why);
        for &user in self.promise.people {
            let arguments = Arguments {
                link: link.to_owned(),
                user: user.to_owned(),
                password_file: self.place.password(user, &format!("only {user} knows this"))?,
                profile: self.place.path().join(user),
                more: vec!["--register".to_owned()],
            };
            self.hall.start(user, self.place, &arguments)?;
        }
        let all = self.promise.people.len();
        self.listen("all to be signed in", STEP_MAX, |stage| stage.signed_in.len() == all)
    }

    pub(super) fn client(&mut self, user: &str) -> anyhow::Result<&mut Client> {
        self.hall.client(user)
    }

    pub(super) fn send(&mut self, from: &str, to: &str, texts: &[String]) -> anyhow::Result<()> {
        let client = self.hall.client(from)?;
        texts.iter().try_for_each(|text| {
            let label = self.ledger.send(from, to, text);
            client.send(to, text, &label)
        })
    }

    /// Lets somebody call somebody.
    pub(super) fn call(&mut self, caller: &str, callee: &str) -> anyhow::Result<()> {
        let call = Call { begun: self.rounds.len(), ..Call::default() };
        self.calls.insert((caller.to_owned(), callee.to_owned()), call);
        self.hall.client(caller)?.call(callee)
    }

    /// Waits until a call rings, and accepts it.
    pub(super) fn accept(&mut self, caller: &str, callee: &str) -> anyhow::Result<()> {
        let what = format!("the call of {caller} to ring at {callee}");
        let key = (caller.to_owned(), callee.to_owned());
        let rang = |stage: &Self| stage.calls.get(&key).is_some_and(|call| call.rang.is_some());
        self.listen(&what, WHOLE_MAX, rang)?;
        self.hall.client(callee)?.accept(caller)
    }

    /// Waits until a caller hears that a call was answered.
    pub(super) fn answered(&mut self, caller: &str, callee: &str) -> anyhow::Result<()> {
        let what = format!("{caller} to hear {callee}");
        let key = (caller.to_owned(), callee.to_owned());
        let answered = |stage: &Self| stage.calls.get(&key).is_some_and(|it| it.answered.is_some());
        self.listen(&what, WHOLE_MAX, answered)
    }

    pub(super) fn hear_half(&mut self) -> anyhow::Result<()> {
        let half = self.promise.messages / 2;
        let what = "half of the messages to arrive";
        self.listen(what, WHOLE_MAX, |stage| stage.ledger.arrived() >= half)
    }

    pub(super) fn kill_and_restart(&mut self, server: &mut Server) -> anyhow::Result<()> {
        let why = "SIGKILL, as in a crash: it can save nothing, and says good-bye to nobody";
        self.screen.heading("The server is killed in the middle", why);
        server.kill()?;
        let away = |stage: &Self| stage.covered.values().all(|covered| !covered);
        self.listen("all to notice that the server is away", STEP_MAX, away)?;
        let why = "same directory, same port; all come back by themselves, and the chat goes on";
        self.screen.heading("It is started again", why);
        server.restart(self.place)?;
        self.restarts += 1;
        let back = |stage: &Self| stage.covered.values().all(|covered| *covered);
        self.listen("all to come back", STEP_MAX, back)
    }

    pub(super) fn hear_all(&mut self) -> anyhow::Result<()> {
        let messages = self.promise.messages;
        let all = |stage: &Self| {
            stage.ledger.arrived() >= messages && stage.ledger.acknowledged() >= messages
        };
        self.listen("all messages to arrive and be acknowledged", WHOLE_MAX, all)?;
        let enough = self.rounds.len() + ROUNDS_AFTER;
        let what = "a few rounds more, in which a doubled message would show";
        self.screen.line(&format!("   all is said; {what}"));
        self.listen(what, STEP_MAX, |stage| stage.rounds.len() >= enough)
    }

    pub(super) fn leave(&mut self, server: &mut Server) -> anyhow::Result<()> {
        let heading = format!("{} leave, and the server stops", self.everybody());
        self.screen.heading(&heading, "so that nothing stays behind");
        for user in self.promise.people {
            self.hall.client(user)?.quit()?;
        }
        for user in self.promise.people {
            let status = self.hall.client(user)?.ended(END_MAX)?;
            if !status.success() {
                bail!("{user} was asked to quit and ended with {status}");
            }
        }
        let last = std::iter::from_fn(|| self.hall.next(Instant::now())).collect::<Vec<_>>();
        last.into_iter().try_for_each(|heard| match heard.what {
            What::Ended => Ok(()),
            What::Said(_) | What::Odd(_) => self.hear(heard),
        })?;
        let status = server.stop(END_MAX)?;
        if !status.success() {
            bail!("the server was asked to stop and ended with {status}");
        }
        Ok(())
    }

    fn everybody(&self) -> String {
        match self.promise.people {
            [others @ .., last] if !others.is_empty() => {
                format!("{} and {last}", others.join(", "))
            }
            people => people.join(", "),
        }
    }

    /// Listens until `done`.
    fn listen(
        &mut self,
        what: &str,
        within: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = self.deadline.min(Instant::now() + within);
        while !done(self) {
            let heard = self.hall.next(deadline.min(Instant::now() + GLANCE));
            if self.interrupted.load(Ordering::Relaxed) {
                bail!("stopped by a signal");
            }
            match heard {
                Some(heard) => self.hear(heard)?,
                None if Instant::now() < deadline => (),
                None => bail!("waited too long for {what}"),
            }
        }
        Ok(())
    }

    fn hear(&mut self, Heard { who, what }: Heard) -> anyhow::Result<()> {
        let said = match what {
            What::Said(said) => said,
            What::Odd(line) => bail!("{who} printed what no manual knows: {line}"),
            What::Ended => bail!("{who} ended in the middle"),
        };
        self.ledger.hear(&who, &said)?;
        match said {
            Said::Registered { user } => self.screen.line(&format!("   {user} is registered")),
            Said::SignedIn { user } => {
                self.screen.line(&format!("   {user} is signed in"));
                self.signed_in.insert(user);
            }
            Said::Round { number, seats, missed: _ } => {
                self.seats = seats;
                if self.rounds.insert(number) {
                    self.show_status();
                }
            }
            Said::Message { peer, text, round, .. } => {
                let shown = excerpt(&text);
                self.screen.line(&format!("   round {round:>3}  {peer} → {who}  {shown}"));
            }
            Said::Connection { state } => self.hear_connection(who, &state),
            Said::Error { code, text } => bail!("{who} got {code}: {text}"),
            Said::Request { peer } => self.hear_ringing(peer, who)?,
            Said::Answered { peer } => self.hear_answer(who, peer),
            Said::KeyChanged { peer } => bail!("{who} is told that {peer} has another key"),
            Said::ServerRestored { .. } => bail!("{who} is told that the server was restored"),
            Said::Forgotten { peer } => bail!("{who} has forgotten {peer}"),
            Said::PasswordChanged | Said::AccountDeleted | Said::SessionEnded { .. } => {
                bail!("{who} says what nobody asked for: {said:?}")
            }
            Said::State { .. }
            | Said::Directory { .. }
            | Said::Status { .. }
            | Said::Calling { .. }
            | Said::Contact(_)
            | Said::Contacts { .. }
            | Said::SafetyNumber { .. }
            | Said::VaultStored { .. }
            | Said::Sessions { .. } => (),
        }
        Ok(())
    }

    fn hear_ringing(&mut self, caller: String, callee: String) -> anyhow::Result<()> {
        let rounds = self.rounds.len();
        let told = format!("   it rings at {callee}: {caller} calls");
        let call = self.calls.get_mut(&(caller, callee)).context("nobody called, and it rings")?;
        if call.rang.replace(rounds).is_some() {
            bail!("one call rings twice");
        }
        let after = rounds - call.begun;
        self.screen.line(&format!("{told}; {after} rounds after the call began"));
        Ok(())
    }

    fn hear_answer(&mut self, caller: String, callee: String) {
        let rounds = self.rounds.len();
        let told = format!("   {caller} hears that {callee} has answered");
        // who accepts a call is told, too, once the caller is heard
        let Some(call) = self.calls.get_mut(&(caller, callee)) else { return };
        if call.answered.replace(rounds).is_none() {
            let after = rounds - call.begun;
            self.screen.line(&format!("{told}; {after} rounds after the call began"));
        }
    }

    fn hear_connection(&mut self, who: String, state: &str) {
        let covered = matches!(state, "connected" | "resumed");
        let told = match state {
            "connected" => "is in the rounds, and covered by them",
            "resumed" => "is back in the rounds, and covered again",
            "lost" => "is told that the server is away: not covered",
            _ => "tries to come back",
        };
        if self.covered.get(&who) != Some(&covered) {
            self.screen.line(&format!("   {who} {told}"));
        }
        self.covered.insert(who, covered);
        self.show_status();
    }

    fn show_status(&mut self) {
        let round = self.rounds.last().copied().unwrap_or_default();
        let (arrived, known) = (self.ledger.arrived(), self.ledger.acknowledged());
        let uncovered = self.covered.iter().filter(|(_, covered)| !**covered);
        let uncovered = uncovered.map(|(who, _)| &**who).collect::<Vec<_>>().join(" and ");
        let cover = if uncovered.is_empty() {
            "covered".into()
        } else {
            format!("{uncovered} NOT covered")
        };
        self.screen.status(&format!(
            "round {round} · {} seats · {arrived} of {} arrived, {known} known · {cover}",
            self.seats, self.promise.messages
        ));
    }
}

impl Outcome {
    /// Tells whether all of it went as the demo promises.
    pub(super) fn is_as_promised(&self) -> bool {
        let Self { promise, verdict, calls, restarts, rounds: _ } = self;
        let called = *calls == promise.calls.unwrap_or_default();
        verdict.is_perfect() && verdict.sent == promise.messages && called && *restarts == 1
    }
}

impl fmt::Display for Outcome {
    /// Writes the last line; what was never sent counts as lost.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { delivered, doubled, foreign, disordered, .. } = self.verdict;
        let Self { promise: Promise { messages, .. }, calls, restarts, rounds, .. } = self;
        let lost = messages - delivered;
        if foreign + disordered > 0 {
            write!(f, "altered {foreign}, directions out of order {disordered}, ")?;
        }
        write!(f, "delivered {delivered} of {messages}, lost {lost}, doubled {doubled}, ")?;
        if self.promise.calls.is_some() {
            write!(f, "calls {calls}, ")?;
        }
        write!(f, "restarts {restarts}, rounds {rounds}")
    }
}
