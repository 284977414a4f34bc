//! A person: a client process, its disk, and what the engine does for it on a real machine.

use std::collections::BTreeSet;
use std::time::Duration;

use client_core::api::Command;
use client_core::client::{Client, Output};
use client_core::directory::MemoryRecords;
use client_core::identity::{Identity, MasterKey};
use client_core::rounds::Terms;
use client_core::vault::{SealedVault, VaultKey};
use wire::codec::Wire;
use wire::control::{
    ClientControl, Page, Pull, Resume, ServerControl, Session, VaultGet, VaultPart,
};
use wire::ids::{Name, Token};
use wire::layer::Layer;
use wire::public_key::AgreementKey;
use wire::round::{ClientFrame, Join};
use wire::size::TOKEN;

use super::cheat::Spied;
use super::disk::{Disk, Durable};
use super::network::{Channel, ConnId, Way};
use super::telling::Heard;
use super::world::{Happening, World, millis, seeded};

/// How long a client waits before it dials again.
const REDIAL: Duration = Duration::from_millis(700);

/// A planted leak: what a careless client would do when it has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// Its deposit leaves 1 ms later.
    LateDeposit,
    /// It sends one more control frame.
    ExtraControl,
    /// Its deposit leaves 1 ms later when it calls or wakes somebody.
    LateDial,
    /// It sends one more control frame when its contacts have changed.
    EagerVault,
}

/// One honest person.
pub struct Person {
    /// Account name.
    pub name: Name,
    /// What survives the process.
    pub disk: Disk,
    /// The running client.
    pub process: Option<Process>,
    /// Leak that is planted in this person's machine.
    pub leak: Option<Leak>,
    /// Conversations that this person's script wants open.
    pub opens: BTreeSet<usize>,
    /// Rounds that were answered to this person.
    pub answered: u64,
    /// Frames of the server that the client refused.
    pub refused: u64,
    /// What this person was told.
    pub heard: Heard,
    /// Number of the person who has the account first; another one for a second machine of the account.
    pub owner: usize,
    /// Place of the account's record in the directory, which is what the server knows the account by.
    pub(super) account: usize,
    seed: u64,
    incarnation: u64,
    written_until: Duration,
}

/// A running client.
pub struct Process {
    /// The real thing.
    pub client: Client,
    /// Rounds that it missed since its start.
    pub missed: u64,
    /// Pages of the directory that came twice, since the first answer was late.
    pub pages_again: u64,
    /// Length of the directory up to which pages came in the rounds.
    pages_until: u32,
    line: Line,
    wake: Option<Duration>,
}

enum Line {
    Down,
    SigningIn(ConnId),
    Pulling(ConnId, Box<Session>, u8),
    /// Fetches the vault, of which these parts are here.
    Unsealing(ConnId, Box<Session>, Vec<VaultPart>),
    Joined(Joined),
}

struct Joined {
    conn: ConnId,
    /// A second copy of the layer, by which the simulator reads along for the cheats.
    spy: Layer,
    has_opened: bool,
}

impl Line {
    fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Down => None,
            Self::SigningIn(conn) | Self::Pulling(conn, ..) | Self::Unsealing(conn, ..) => {
                Some(*conn)
            }
            Self::Joined(joined) => Some(joined.conn),
        }
    }
}

impl Person {
    /// Makes a person who has an account and no process yet, or a further machine of an owner's account.
    pub fn new(seed: u64, owner: usize, name: Name) -> Self {
        Self {
            name,
            disk: Disk::default(),
            process: None,
            leak: None,
            opens: BTreeSet::new(),
            answered: 0,
            refused: 0,
            heard: Heard::default(),
            owner,
            account: 0,
            seed,
            incarnation: 0,
            written_until: Duration::ZERO,
        }
    }

    /// Returns the account's keys, the same each time.
    pub fn identity(&self) -> Identity {
        Identity::random(self.name, &mut seeded(self.seed, "identity", &[self.owner as u64]))
    }

    /// Returns the key of the account's vault, the same each time.
    pub fn vault_key(&self) -> VaultKey {
        let mut rng = seeded(self.seed, "master", &[self.owner as u64]);
        VaultKey::of(&MasterKey::random(&mut rng))
    }

    /// Tells whether this process still runs.
    pub fn runs(&self, incarnation: u64) -> bool {
        self.process.is_some() && self.incarnation == incarnation
    }

    /// Returns the connection there is.
    pub fn conn(&self) -> Option<ConnId> {
        self.process.as_ref()?.line.conn()
    }

    fn has_content(&self) -> bool {
        let status = self.process.as_ref().map(|process| process.client.status());
        status.is_some_and(|status| status.conversations.iter().any(|it| it.queued > 0))
    }
}

impl World {
    /// Starts a person's client with what the disk has; it opens what the script wants open, and dials.
    pub fn start(&mut self, who: usize) {
        let person = &mut self.people[who];
        assert!(person.process.is_none(), "a client runs once");
        person.incarnation += 1;
        person.heard.started();
        let generator = |purpose| seeded(person.seed, purpose, &[who as u64, person.incarnation]);
        let contents = Box::new(generator("contents"));
        let schedule = generator("schedule");
        let client = Client::new(
            person.identity(),
            person.disk.saved(),
            person.vault_key(),
            Box::new(MemoryRecords::default()),
            contents,
            schedule,
        );
        person.process = Some(Process {
            client,
            missed: 0,
            pages_again: 0,
            pages_until: 0,
            line: Line::Down,
            wake: None,
        });
        let incarnation = person.incarnation;
        for peer in person.opens.clone() {
            self.command(who, Command::Open { peer: self.people[peer].name.to_string() });
        }
        self.happens(Duration::ZERO, Happening::Dial { who, incarnation });
    }

    /// Kills a person's client, and the machine with it: what was not durable is lost.
    pub fn kill(&mut self, who: usize) {
        let conn = self.people[who].conn();
        let person = &mut self.people[who];
        if person.process.take().is_none() {
            return;
        }
        person.disk.kill();
        self.model.killed(self.people[who].owner);
        conn.into_iter().for_each(|conn| self.cut(conn));
    }

    /// Breaks a person's connection, if there is one.
    pub fn disconnect(&mut self, who: usize) {
        self.people[who].conn().into_iter().for_each(|conn| self.cut(conn));
    }

    /// Gives a command to a person's client, if it runs.
    pub fn command(&mut self, who: usize, command: Command) {
        let now = self.now();
        let Some(process) = &mut self.people[who].process else { return };
        process.client.handle_command(now, command);
        self.pump(who);
    }

    pub(super) fn dial(&mut self, who: usize) {
        let conn = self.network.open(who);
        let Some(process) = &mut self.people[who].process else { return };
        process.line = Line::SigningIn(conn);
        self.observer.saw(self.at, who, Way::Up, 0);
        let mut token = [0; TOKEN];
        token[..8].copy_from_slice(&(who as u64).to_le_bytes());
        let resume = ClientControl::Resume(Resume { token: Token::new(token) });
        self.send_up(conn, Channel::Control, resume.encode());
    }

    /// The client notices that its connection is gone.
    pub(super) fn lost(&mut self, who: usize, conn: ConnId) {
        let person = &mut self.people[who];
        let incarnation = person.incarnation;
        let Some(process) = &mut person.process else { return };
        if process.line.conn() != Some(conn) {
            return;
        }
        process.line = Line::Down;
        process.client.handle_lost();
        self.observer.saw(self.at, who, Way::Down, 0);
        self.pump(who);
        self.happens(REDIAL, Happening::Dial { who, incarnation });
    }

    pub(super) fn wake(&mut self, who: usize) {
        let now = self.now();
        let Some(process) = &mut self.people[who].process else { return };
        process.wake = None;
        if process.client.poll_timeout().is_some_and(|due| due <= now.at) {
            process.client.handle_timeout(now);
        }
        self.pump(who);
    }

    pub(super) fn written(&mut self, who: usize, batch: u64) {
        let owner = self.people[who].owner;
        for durable in self.people[who].disk.write(batch) {
            match durable {
                Durable::Ours(outgoing) => {
                    let to = self.whose(&outgoing.peer);
                    self.model.written(owner, to, &outgoing.label, &outgoing.text);
                }
                Durable::Theirs(from, text) => {
                    let from = self.whose(&from);
                    self.model.kept(from, owner, &text);
                }
                Durable::Delivered(outgoing) => {
                    let to = self.whose(&outgoing.peer);
                    self.model.delivered(owner, to, &outgoing.label);
                }
            }
        }
        let Some(process) = &mut self.people[who].process else { return };
        process.client.handle_kept(batch);
        self.pump(who);
    }

    /// Something came from the server.
    pub(super) fn came(&mut self, who: usize, conn: ConnId, channel: Channel, bytes: &[u8]) {
        let now = self.now();
        let Some(process) = &mut self.people[who].process else { return };
        if process.line.conn() != Some(conn) {
            return;
        }
        match (channel, &mut process.line) {
            (Channel::Round, Line::Joined(joined)) => {
                if process.client.handle_round(now, bytes).is_err() {
                    self.people[who].refused += 1;
                    self.cut(conn);
                    return self.lost(who, conn);
                }
                if joined.has_opened {
                    joined.spy.step();
                }
                joined.has_opened = true;
                self.pump(who);
            }
            (Channel::Control, _) => {
                let control = ServerControl::decode(bytes).expect("the server's frames are frames");
                self.came_control(who, conn, control);
            }
            (
                Channel::Round,
                Line::Down | Line::SigningIn(_) | Line::Pulling(..) | Line::Unsealing(..),
            ) => {
                panic!("the server sends a round before `join`");
            }
        }
    }

    fn came_control(&mut self, who: usize, conn: ConnId, control: ServerControl) {
        let now = self.now();
        let Some(process) = &mut self.people[who].process else { return };
        let line = std::mem::replace(&mut process.line, Line::Down);
        match (line, control) {
            (Line::SigningIn(_), ServerControl::Session(session)) => self.pull(who, conn, session),
            (Line::Pulling(_, session, pages), ServerControl::Page(page)) => {
                process.client.handle_page(&page).expect("the server's pages are in order");
                if pages > 1 {
                    process.line = Line::Pulling(conn, session, pages - 1);
                } else {
                    self.pull(who, conn, session);
                }
            }
            (Line::Unsealing(_, session, parts), ServerControl::VaultPart(part)) => {
                self.unseal(who, conn, session, parts, *part);
            }
            (line @ Line::Joined(_), control) => {
                process.line = line;
                if let ServerControl::Page(Page { from, records, .. }) = &control {
                    let until = from + u32::try_from(records.len()).expect("a page is short");
                    process.pages_again += u64::from(until > *from && until <= process.pages_until);
                    process.pages_until = process.pages_until.max(until);
                }
                let outcome = process.client.handle_control(now, control);
                outcome.expect("the server's pages are in order");
                self.pump(who);
            }
            (_, _) => panic!("the server answers what was not asked"),
        }
    }

    /// Asks for what is missing of the directory, or for the vault.
    fn pull(&mut self, who: usize, conn: ConnId, session: Box<Session>) {
        let Some(process) = &mut self.people[who].process else { return };
        let from = process.client.directory_length();
        if let Some(pull) = Pull::toward(from, session.directory_length) {
            let Pull { pages, .. } = pull;
            process.line = Line::Pulling(conn, session, pages);
            return self.send_up(conn, Channel::Control, ClientControl::Pull(pull).encode());
        }
        process.line = Line::Unsealing(conn, session, Vec::new());
        self.send_up(
            conn,
            Channel::Control,
            ClientControl::VaultGet(VaultGet { part: 0 }).encode(),
        );
    }

    /// A part of the vault came: asks for the next one, or joins.
    fn unseal(
        &mut self,
        who: usize,
        conn: ConnId,
        session: Box<Session>,
        mut parts: Vec<VaultPart>,
        part: VaultPart,
    ) {
        let version = part.version;
        if parts.first().is_some_and(|first| first.version != version) {
            // another session stored one meanwhile: from the beginning
            parts.clear();
        } else {
            parts.push(part);
        }
        let Some(process) = &mut self.people[who].process else { return };
        if let [first, second, third] = &parts[..] {
            let sealed = SealedVault::from_parts(&[first.bytes, second.bytes, third.bytes]);
            return self.join(who, conn, &session, version, &sealed);
        }
        let next = VaultGet { part: u8::try_from(parts.len()).expect("three parts") };
        process.line = Line::Unsealing(conn, session, parts);
        self.send_up(conn, Channel::Control, ClientControl::VaultGet(next).encode());
    }

    fn join(
        &mut self,
        who: usize,
        conn: ConnId,
        session: &Session,
        version: u64,
        vault: &SealedVault,
    ) {
        let now = self.now();
        let Some(process) = &mut self.people[who].process else { return };
        let &Session { slots, round_ms, genesis_ms, mixer, .. } = session;
        let (length, head) = (session.directory_length, session.directory_head);
        process.client.handle_directory_synced(now, length, head);
        process.client.handle_vault(version, vault);
        let mut rng = seeded(self.seed, "join", &[who as u64, conn as u64]);
        let own = AgreementKey::random(&mut rng);
        let layer = || Layer::for_client(&own, &mixer).expect("the mixer's key is a point");
        let round_trip = self.network.weather.round_trip();
        let terms = Terms { slots, round_ms, genesis_ms, round_trip };
        let joined = process.client.handle_joined(terms, layer());
        assert_eq!(joined, Ok(()), "the server's clock is one");
        process.line = Line::Joined(Joined { conn, spy: layer(), has_opened: false });
        self.send_up(conn, Channel::Round, Join { key: own.public() }.encode(slots));
        self.pump(who);
    }

    /// Does what a person's client asks for.
    fn pump(&mut self, who: usize) {
        while let Some(process) = &mut self.people[who].process {
            let Some(output) = process.client.poll_output() else { break };
            match output {
                Output::Deposit(frame) => self.deposit(who, frame),
                Output::Control(frame) => {
                    if let Line::Joined(Joined { conn, .. }) = process.line {
                        self.send_up(conn, Channel::Control, frame);
                    }
                }
                Output::Keep(batch, changes) => {
                    let draw = seeded(
                        self.seed,
                        "disk",
                        &[who as u64, u64::try_from(self.at.as_micros()).unwrap_or(u64::MAX)],
                    );
                    let person = &mut self.people[who];
                    let incarnation = person.incarnation;
                    person.disk.keep(batch, changes);
                    let took = millis(super::world::between(self.disk_ms, draw));
                    person.written_until = person.written_until.max(self.at + took);
                    let until = person.written_until - self.at;
                    self.happens(until, Happening::Durable { who, incarnation, batch });
                }
                // nobody here changes passwords
                Output::Answer(_) => (),
                Output::Event(event) => self.event(who, event),
                Output::Leave => self.leave(who),
            }
        }
        let Some(process) = &mut self.people[who].process else { return };
        let Some(due) = process.client.poll_timeout() else { return };
        if process.wake.is_none_or(|wake| due < wake) {
            process.wake = Some(due);
            let incarnation = self.people[who].incarnation;
            let until = due.saturating_sub(self.at);
            self.happens(until, Happening::Wake { who, incarnation });
        }
    }

    fn deposit(&mut self, who: usize, frame: Vec<u8>) {
        let person = &self.people[who];
        let Some(Line::Joined(joined)) = person.process.as_ref().map(|it| &it.line) else { return };
        let slots = self.service.slots;
        let Ok(ClientFrame::Deposit(deposit)) = ClientFrame::decode(&frame, slots) else {
            panic!("a client sends a deposit that is none");
        };
        self.model.deposited(who, deposit.round);
        let person = &self.people[who];
        let conn = joined.conn;
        if !self.cheats.is_empty() {
            let spied = Spied::new(&joined.spy, slots, deposit.round, &frame);
            self.spied.entry(who).or_default().push(spied);
        }
        let dials = || {
            let spied = Spied::new(&joined.spy, slots, deposit.round, &frame);
            deposit.round.has_dial() && spied.dials()
        };
        let leak = person.leak.filter(|leak| match leak {
            Leak::LateDeposit | Leak::ExtraControl => person.has_content(),
            Leak::LateDial => dials(),
            Leak::EagerVault => person.heard.has_news,
        });
        self.people[who].heard.has_news = false;
        match leak {
            None => self.send_up(conn, Channel::Round, frame),
            Some(Leak::LateDeposit | Leak::LateDial) => {
                let late = Happening::Leaves { conn, channel: Channel::Round, bytes: frame };
                self.happens(millis(1), late);
            }
            Some(Leak::ExtraControl | Leak::EagerVault) => {
                self.send_up(conn, Channel::Round, frame);
                self.send_up(conn, Channel::Control, ClientControl::Idle.encode());
            }
        }
    }

    /// The client is done: what it handed to its disk is written, and its connection ends.
    fn leave(&mut self, who: usize) {
        self.written(who, u64::MAX);
        self.kill(who);
    }
}
