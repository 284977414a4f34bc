//! The play itself: a server, two people, forty messages, one SIGKILL.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::screen::{Screen, excerpt};
use super::texts;
use crate::processes::{
    Arguments, Hall, Heard, Ledger, Place, Programs, Said, Server, Verdict, What,
};

const ROUND_MS: u32 = 2000;
const PEOPLE: [&str; 2] = ["ann", "bob"];
const MESSAGES: usize = 40;
const KILL_AT: usize = MESSAGES / 2;

/// Rounds to listen on after the last message, in which a doubled one would show.
const ROUNDS_AFTER: usize = 3;

/// Longest time for all of it.
const WHOLE_MAX: Duration = Duration::from_secs(6 * 60);

/// Longest time for one step that needs no chat: signing in, noticing, coming back.
const STEP_MAX: Duration = Duration::from_secs(45);

/// Longest time for a program to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(5);

/// How often an interrupt is looked for.
const GLANCE: Duration = Duration::from_millis(200);

/// All that takes part.
pub(super) struct Show<'a> {
    programs: Programs,
    place: &'a Place,
    screen: Screen,
    interrupted: Arc<AtomicBool>,
    hall: Hall,
    ledger: Ledger,
    signed_in: BTreeSet<String>,
    covered: BTreeMap<String, bool>,
    rounds: BTreeSet<u64>,
    seats: u32,
    restarts: u32,
    deadline: Instant,
}

/// What came out of it.
pub(super) struct Outcome {
    verdict: Verdict,
    restarts: u32,
    rounds: usize,
}

impl<'a> Show<'a> {
    pub(super) fn new(
        programs: Programs,
        place: &'a Place,
        screen: Screen,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        Self {
            hall: Hall::new(&programs),
            programs,
            place,
            screen,
            interrupted,
            ledger: Ledger::default(),
            signed_in: BTreeSet::new(),
            covered: BTreeMap::new(),
            rounds: BTreeSet::new(),
            seats: 0,
            restarts: 0,
            deadline: Instant::now() + WHOLE_MAX,
        }
    }

    /// Plays all of it.
    ///
    /// # Errors
    /// At the first thing that does not happen as it should.
    pub(super) fn play(&mut self) -> anyhow::Result<()> {
        let mut server = self.serve()?;
        self.sign_in(server.link())?;
        self.talk()?;
        self.hear_half()?;
        self.kill_and_restart(&mut server)?;
        self.hear_all()?;
        self.leave(&mut server)
    }

    /// Ends what still runs, and returns what came out of it.
    pub(super) fn end(mut self) -> Outcome {
        self.screen.done();
        let (restarts, rounds) = (self.restarts, self.rounds.len());
        Outcome { verdict: self.ledger.verdict(), restarts, rounds }
    }

    fn serve(&mut self) -> anyhow::Result<Server> {
        let why = "it keeps accounts on disk and mixes what its clients send, every 2 seconds";
        self.screen.heading("A server starts with an empty data directory", why);
        let server = Server::start(&self.programs.server, self.place, ROUND_MS)?;
        self.screen.line(&format!("   data, profiles, logs  {}", self.place.path().display()));
        self.screen.line(&format!("   listens on            {}", server.address()));
        self.screen.line(&format!("   the link for people   {}", server.link()));
        Ok(server)
    }

    fn sign_in(&mut self, link: &str) -> anyhow::Result<()> {
        let why = "a password never leaves the client, not even at registration (OPAQUE)";
        self.screen.heading("ann and bob register and sign in", why);
        for user in PEOPLE {
            let arguments = Arguments {
                link: link.to_owned(),
                user: user.to_owned(),
                password_file: self.place.password(user, &format!("only {user} knows this"))?,
                profile: self.place.path().join(user),
                more: vec!["--register".to_owned()],
            };
            self.hall.start(user, self.place, &arguments)?;
        }
        self.listen("both to be signed in", STEP_MAX, |show| show.signed_in.len() == PEOPLE.len())
    }

    fn talk(&mut self) -> anyhow::Result<()> {
        let why = "from now on an observer sees the same bytes as before: they were always sent";
        self.screen.heading("They open each other and send 20 messages each way, all at once", why);
        for (from, to) in [(0, 1), (1, 0)] {
            let (from, to) = (PEOPLE[from], PEOPLE[to]);
            let texts = if from == PEOPLE[0] { texts::of_ann() } else { texts::of_bob() };
            let client = self.hall.client(from)?;
            client.open(to)?;
            for text in &texts {
                let label = self.ledger.send(from, to, text);
                client.send(to, text, &label)?;
            }
        }
        Ok(())
    }

    fn hear_half(&mut self) -> anyhow::Result<()> {
        let what = "half of the messages to arrive";
        self.listen(what, WHOLE_MAX, |show| show.ledger.arrived() >= KILL_AT)
    }

    fn kill_and_restart(&mut self, server: &mut Server) -> anyhow::Result<()> {
        let why = "SIGKILL, as in a crash: it can save nothing, and says good-bye to nobody";
        self.screen.heading("The server is killed in the middle", why);
        server.kill()?;
        let away = |show: &Self| show.covered.values().all(|covered| !covered);
        self.listen("both to notice that the server is away", STEP_MAX, away)?;
        let why = "same directory, same port; both come back by themselves, and the chat goes on";
        self.screen.heading("It is started again", why);
        server.restart(self.place)?;
        self.restarts += 1;
        let back = |show: &Self| show.covered.values().all(|covered| *covered);
        self.listen("both to come back", STEP_MAX, back)
    }

    fn hear_all(&mut self) -> anyhow::Result<()> {
        let all = |show: &Self| {
            show.ledger.arrived() >= MESSAGES && show.ledger.acknowledged() >= MESSAGES
        };
        self.listen("all messages to arrive and be acknowledged", WHOLE_MAX, all)?;
        let enough = self.rounds.len() + ROUNDS_AFTER;
        let what = "a few rounds more, in which a doubled message would show";
        self.screen.line(&format!("   all is said; {what}"));
        self.listen(what, STEP_MAX, |show| show.rounds.len() >= enough)
    }

    fn leave(&mut self, server: &mut Server) -> anyhow::Result<()> {
        self.screen.heading("Both leave, and the server stops", "so that nothing stays behind");
        for user in PEOPLE {
            self.hall.client(user)?.quit()?;
        }
        for user in PEOPLE {
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
            Said::State { .. } | Said::Directory { .. } | Said::Status { .. } => (),
        }
        Ok(())
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
            "round {round} · {} seats · {arrived} of {MESSAGES} arrived, {known} known · {cover}",
            self.seats
        ));
    }
}

impl Outcome {
    /// Tells whether all of it went as the demo promises.
    pub(super) fn is_as_promised(&self) -> bool {
        self.verdict.is_perfect() && self.verdict.sent == MESSAGES && self.restarts == 1
    }
}

impl fmt::Display for Outcome {
    /// Writes the last line; what was never sent counts as lost.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { delivered, doubled, foreign, disordered, .. } = self.verdict;
        let lost = MESSAGES - delivered;
        if foreign + disordered > 0 {
            write!(f, "altered {foreign}, directions out of order {disordered}, ")?;
        }
        let Self { restarts, rounds, .. } = self;
        write!(f, "delivered {delivered} of {MESSAGES}, lost {lost}, doubled {doubled}, ")?;
        write!(f, "restarts {restarts}, rounds {rounds}")
    }
}
