//! Where all clients of one server are heard.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::{Arguments, Client, Place, Programs, Said};

/// One line of one client, or its end.
#[derive(Debug)]
pub struct Heard {
    /// The client's name in the hall.
    pub who: String,
    /// What it said.
    pub what: What,
}

/// What a client can be heard saying.
#[derive(Debug)]
pub enum What {
    /// A line.
    Said(Said),
    /// A line that is none of the manual's.
    Odd(String),
    /// Its standard output ended.
    Ended,
}

/// How a client ended.
#[derive(Debug)]
pub struct End {
    /// Its exit code.
    pub code: i32,
    /// What it said since it was last heard.
    pub said: Vec<Said>,
}

/// Clients by name, and the one channel in which all of them are heard.
pub struct Hall {
    programs: Programs,
    clients: BTreeMap<String, Client>,
    /// Ends still to be heard that killing brought about.
    killed: BTreeMap<String, usize>,
    send: Sender<Heard>,
    heard: Receiver<Heard>,
}

impl Hall {
    /// Makes an empty hall.
    pub fn new(programs: &Programs) -> Self {
        let (send, heard) = channel();
        Self {
            programs: programs.clone(),
            clients: BTreeMap::new(),
            killed: BTreeMap::new(),
            send,
            heard,
        }
    }

    /// Starts a client under a name, in the place of one that ended; its log has this name.
    pub fn start(
        &mut self,
        name: &str,
        place: &Place,
        arguments: &Arguments,
    ) -> anyhow::Result<()> {
        let mut command = Command::new(&self.programs.headless);
        arguments.apply(&mut command);
        let (who, send) = (name.to_owned(), self.send.clone());
        let hear = move |line: Option<String>| {
            let what = line.map_or(What::Ended, |line| match serde_json::from_str(&line) {
                Ok(said) => What::Said(said),
                Err(_) => What::Odd(line),
            });
            // the hall may be gone already
            let _ = send.send(Heard { who: who.clone(), what });
        };
        let process = super::Process::start(command, place.log(name)?, hear)?;
        self.clients.insert(name.to_owned(), Client::new(process));
        Ok(())
    }

    /// Returns a client.
    pub fn client(&mut self, name: &str) -> anyhow::Result<&mut Client> {
        self.clients.get_mut(name).with_context(|| format!("nobody here is named {name}"))
    }

    /// Returns the names of all clients that were started and neither killed nor waited for.
    pub fn names(&self) -> Vec<String> {
        self.clients.keys().cloned().collect()
    }

    /// Kills a client with SIGKILL; what it printed before stays to be heard, its end does not.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.client(name)?.kill()?;
        self.clients.remove(name);
        *self.killed.entry(name.to_owned()).or_default() += 1;
        Ok(())
    }

    /// Waits for what is said next; `None` if nobody says anything until the deadline.
    pub fn next(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let heard = self.heard.recv_timeout(left).ok()?;
            match (&heard.what, self.killed.get_mut(&heard.who)) {
                (What::Ended, Some(ends)) if *ends > 0 => *ends -= 1,
                (What::Ended | What::Said(_) | What::Odd(_), _) => return Some(heard),
            }
        }
    }

    /// Waits until a client says what `wanted` asks for; everything else is passed over, except for
    /// errors and ends.
    ///
    /// # Errors
    /// After `within`; on an error line, a line that no manual knows, or the end of a client.
    pub fn until<T>(
        &mut self,
        within: Duration,
        mut wanted: impl FnMut(&str, &Said) -> Option<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + within;
        loop {
            let heard = self.next(deadline).context("nobody says it until the deadline")?;
            let Heard { who, what } = heard;
            match what {
                What::Said(said) => match (wanted(&who, &said), said) {
                    (Some(found), _) => return Ok(found),
                    (None, Said::Error { code, text }) => bail!("{who} got {code}: {text}"),
                    (None, _) => (),
                },
                What::Odd(line) => bail!("{who} printed what no manual knows: {line}"),
                What::Ended => bail!("{who} has ended"),
            }
        }
    }

    /// Waits until clients have ended by themselves; others are passed over.
    ///
    /// # Errors
    /// If one still runs after `within`, or was killed.
    pub fn ends(
        &mut self,
        names: &[&str],
        within: Duration,
    ) -> anyhow::Result<BTreeMap<String, End>> {
        let deadline = Instant::now() + within;
        let mut said: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        let mut ends = BTreeMap::new();
        while let Some(missing) = names.iter().find(|&&name| !ends.contains_key(name)) {
            let heard = self.next(deadline);
            let Heard { who, what } = heard.with_context(|| format!("{missing} does not end"))?;
            match what {
                What::Said(line) => said.entry(who).or_default().push(line),
                What::Odd(line) => bail!("{who} printed what no manual knows: {line}"),
                What::Ended => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    let status = self.client(&who)?.ended(left)?;
                    self.clients.remove(&who);
                    let code =
                        status.code().with_context(|| format!("{who} was killed: {status}"))?;
                    let said = said.remove(&who).unwrap_or_default();
                    ends.insert(who, End { code, said });
                }
            }
        }
        Ok(ends)
    }
}
