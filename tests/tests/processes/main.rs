//! The real programs as processes: chats across kills, and the rules that scripts may rely on.

mod account;
mod calls;
mod chat;
mod restored;
mod rules;
mod stopping;

use std::path::PathBuf;
use std::time::Duration;

use tests::processes::{Arguments, Hall, Ledger, Place, Programs, Said, Server};

/// Short rounds, so that many fit into a test.
const ROUND_MS: u32 = 200;

/// Far beyond what any single step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// One server and its clients.
struct Scene {
    // dropped in this order: clients, server, and then the directory with their logs
    hall: Hall,
    server: Server,
    ledger: Ledger,
    place: Place,
}

impl Scene {
    /// Returns the arguments of a person who has a password file and a profile of their own.
    fn person(&self, name: &str) -> anyhow::Result<Arguments> {
        Ok(Arguments {
            link: self.server.link().to_owned(),
            user: name.to_owned(),
            password_file: self.place.password(name, &format!("secret of {name}"))?,
            profile: self.profile(name),
            more: Vec::new(),
        })
    }

    fn profile(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn start(&mut self, name: &str, arguments: &Arguments) -> anyhow::Result<()> {
        self.hall.start(name, &self.place, arguments)
    }

    /// Registers people, all at once, and waits until they are signed in.
    fn register(&mut self, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let arguments = self.person(name)?.and("--register");
            self.start(name, &arguments)?;
        }
        self.signed_in(names.len())
    }

    fn signed_in(&mut self, mut missing: usize) -> anyhow::Result<()> {
        self.hall.until(PATIENCE, |_, said| {
            missing -= usize::from(matches!(said, Said::SignedIn { .. }));
            (missing == 0).then_some(())
        })
    }

    /// Tells a client to send a message, and takes it down.
    fn send(&mut self, from: &str, to: &str, text: &str) -> anyhow::Result<()> {
        let label = self.ledger.send(from, to, text);
        self.hall.client(from)?.send(to, text, &label)
    }

    /// Listens, taking everything down, until `done`.
    fn listen(
        &mut self,
        within: Duration,
        mut done: impl FnMut(&Ledger, &str, &Said) -> bool,
    ) -> anyhow::Result<()> {
        let (ledger, mut taken) = (&mut self.ledger, Ok(()));
        self.hall.until(within, |who, said| {
            taken = ledger.hear(who, said);
            (taken.is_err() || done(ledger, who, said)).then_some(())
        })?;
        taken
    }

    /// Writes a line to a client.
    fn tell(&mut self, who: &str, line: &str) -> anyhow::Result<()> {
        self.hall.client(who)?.write_line(line)
    }

    /// Waits until a client says what is wanted.
    fn said_by(&mut self, who: &str, wanted: impl Fn(&Said) -> bool) -> anyhow::Result<()> {
        self.listen(PATIENCE, |_, speaker, said| speaker == who && wanted(said))
    }

    /// Waits for this error to be the answer to a line.
    fn refused(&mut self, who: &str, line: &str, wanted: &str) -> anyhow::Result<()> {
        self.tell(who, line)?;
        self.said_by(who, |said| matches!(said, Said::Error { code, .. } if code == wanted))
    }

    /// Listens until all messages have arrived and their senders have nothing left to send, and some
    /// rounds more, in which a doubled one would show.
    fn hear_all(&mut self, messages: usize, within: Duration) -> anyhow::Result<()> {
        self.listen(within, |ledger, _, _| ledger.arrived() >= messages)?;
        for name in self.hall.names() {
            self.nothing_queued(&name)?;
        }
        let mut rounds = 0;
        self.listen(PATIENCE, |_, _, said| {
            rounds += usize::from(matches!(said, Said::Round { .. }));
            rounds > 20
        })?;
        let verdict = self.ledger.verdict();
        anyhow::ensure!(verdict.is_perfect() && verdict.sent == messages, "{verdict:?}");
        Ok(())
    }

    /// Asks a client for its status, round by round, until nothing is queued.
    fn nothing_queued(&mut self, name: &str) -> anyhow::Result<()> {
        loop {
            self.hall.client(name)?.status()?;
            let mut queued = 0;
            self.listen(PATIENCE, |_, who, said| match said {
                Said::Status { conversations, .. } if who == name => {
                    queued = conversations.iter().map(|it| it.queued).sum();
                    true
                }
                _ => false,
            })?;
            if queued == 0 {
                return Ok(());
            }
            self.listen(PATIENCE, |_, who, said| {
                who == name && matches!(said, Said::Round { .. })
            })?;
        }
    }
}

/// Plays a test in a scene of its own; if it fails, the logs of all processes are shown.
fn play(name: &str, act: impl FnOnce(&mut Scene) -> anyhow::Result<()>) {
    play_in_rounds_of(ROUND_MS, name, act);
}

/// The same with rounds of another length.
fn play_in_rounds_of(
    round_ms: u32,
    name: &str,
    act: impl FnOnce(&mut Scene) -> anyhow::Result<()>,
) {
    let programs = Programs {
        server: env!("CARGO_BIN_EXE_server-under-test").into(),
        headless: env!("CARGO_BIN_EXE_headless-under-test").into(),
    };
    let place = Place::new(name).expect("the tests need a directory for temporary files");
    let server = match Server::start(&programs.server, &place, round_ms) {
        Ok(server) => server,
        Err(error) => panic!("{error:#}"),
    };
    let hall = Hall::new(&programs);
    let mut scene = Scene { hall, server, ledger: Ledger::default(), place };
    if let Err(error) = act(&mut scene) {
        panic!("{error:#}");
    }
}
