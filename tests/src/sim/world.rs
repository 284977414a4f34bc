//! The world: one clock, one queue, everybody in it.

use std::collections::BTreeMap;
use std::time::Duration;

use client_core::api::{Command, ErrorCode};
use client_core::client::Now;
use client_core::identity::Identity;
use client_core::record::SavedRoot;
use mixer::Counts;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wire::close::Close;
use wire::directory::Record;
use wire::ids::{AccountIndex, IdentityHash, Name, Round};
use wire::kdf::{Label, Secret, hash};

use super::cheat::{CHEATS_FROM, Cheater, Spied};
use super::model::Model;
use super::network::{Channel, ConnId, Network, Way, Weather};
use super::observer::Observer;
use super::person::Person;
use super::service::{Service, adds_up};

/// When every world begins, in milliseconds since 1970: 2026.
const BEGINS_MS: u64 = 1_767_225_600_000;
/// When round 0 of its server would have begun: a week before.
const GENESIS_MS: u64 = BEGINS_MS - 7 * 24 * 3600 * 1000;

/// What a world is made of.
pub struct Setup {
    /// All chance comes from it.
    pub seed: u64,
    /// How many people have an account.
    pub people: usize,
    /// Slots of every deposit.
    pub slots: u8,
    /// How the network behaves.
    pub weather: Weather,
    /// The least and the most that a batch takes to become durable, in milliseconds.
    pub disk_ms: (u64, u64),
}

impl Setup {
    /// Two slots, fair weather, disks from idle to busy.
    pub fn new(seed: u64, people: usize) -> Self {
        Self { seed, people, slots: 2, weather: Weather::FAIR, disk_ms: (1, 400) }
    }
}

/// Everything, at one moment.
pub struct World {
    /// The reference.
    pub model: Model,
    /// What is seen on the wire.
    pub observer: Observer,
    /// Honest people, by number.
    pub people: Vec<Person>,
    /// Cheats, in order.
    pub cheats: Vec<Cheater>,
    /// Connections.
    pub network: Network,
    /// The server's machine.
    pub service: Service,
    /// Errors that a program may be told here.
    pub expected: Vec<ErrorCode>,
    /// The round that is open, or was when the server was killed.
    pub round: Round,
    /// Rounds that were turned.
    pub rounds: u64,
    /// Sums of the mixer's counts over all rounds.
    pub counts: Counts,
    /// Deposits that came after their round.
    pub late: u64,
    /// Connections that the server closed.
    pub closed: u64,
    pub(super) seed: u64,
    pub(super) disk_ms: (u64, u64),
    pub(super) at: Duration,
    pub(super) spied: BTreeMap<usize, Vec<Spied>>,
    queue: BTreeMap<(Duration, u64), Happening>,
    happenings: u64,
    by_identity: BTreeMap<IdentityHash, usize>,
    labels: u64,
}

pub(super) enum Happening {
    Turn { process: u64 },
    ToServer { conn: ConnId, channel: Channel, bytes: Vec<u8> },
    ToPeer { conn: ConnId, channel: Channel, bytes: Vec<u8> },
    Leaves { conn: ConnId, channel: Channel, bytes: Vec<u8> },
    PeerNotices { conn: ConnId },
    ServerNotices { conn: ConnId },
    Wake { who: usize, incarnation: u64 },
    Durable { who: usize, incarnation: u64, batch: u64 },
    Dial { who: usize, incarnation: u64 },
    Cheats { who: usize, conn: ConnId },
}

impl World {
    /// Makes a world with a running server and nobody connected.
    pub fn new(setup: &Setup) -> Self {
        let Setup { seed, people, slots, weather, disk_ms } = *setup;
        let mut world = Self {
            model: Model::default(),
            observer: Observer::default(),
            people: Vec::new(),
            cheats: Vec::new(),
            network: Network::new(seed, weather),
            service: Service::new(seed, slots, millis(2000), GENESIS_MS),
            expected: Vec::new(),
            round: Round::NONE,
            rounds: 0,
            counts: Counts::default(),
            late: 0,
            closed: 0,
            seed,
            disk_ms,
            at: Duration::ZERO,
            spied: BTreeMap::new(),
            queue: BTreeMap::new(),
            happenings: 0,
            by_identity: BTreeMap::new(),
            labels: 0,
        };
        for _ in 0..people {
            world.register();
        }
        world.start_server();
        world
    }

    /// Adds an account; returns its number.
    pub fn register(&mut self) -> usize {
        let name = format!("person-{}", self.people.len()).parse().expect("it is a name");
        self.register_as(name)
    }

    /// Adds an account under a name, which somebody may have had before; returns its number.
    pub fn register_as(&mut self, name: Name) -> usize {
        let who = self.people.len();
        let mut person = Person::new(self.seed, who, name);
        let record = *person.identity().record();
        self.by_identity.insert(record.identity(), who);
        person.account = self.service.register(record);
        self.people.push(person);
        who
    }

    /// Adds accounts of people who are never there until the directory has so many records.
    pub fn fill_directory(&mut self, records: u32) {
        for number in self.service.accounts()..records {
            let name = format!("absent-{number}").parse().expect("it is a name");
            let mut rng = seeded(self.seed, "absent", &[number.into()]);
            self.service.register(*Identity::random(name, &mut rng).record());
        }
    }

    /// Adds a machine with an empty disk to somebody's account; returns its number. Nothing may be under way, since
    /// what a machine has on disk stays there.
    pub fn add_machine(&mut self, owner: usize) -> usize {
        assert_eq!(self.model.open(), Vec::<String>::new(), "everything is delivered before");
        let who = self.people.len();
        let Person { name, account, .. } = self.people[owner];
        let mut machine = Person::new(self.seed, owner, name);
        machine.account = account;
        self.people.push(machine);
        who
    }

    /// Deletes somebody's account; his client is gone at once.
    pub fn delete_account(&mut self, who: usize) {
        self.kill(who);
        let person = &self.people[who];
        self.service.register(Record::deletion(person.name, person.identity().signing()));
    }

    /// Starts everybody's client.
    pub fn start_all(&mut self) {
        (0..self.people.len()).for_each(|who| self.start(who));
    }

    /// Has two people open each other.
    pub fn open(&mut self, one: usize, other: usize) {
        self.open_one(one, other);
        self.open_one(other, one);
    }

    /// Makes two people contacts who called each other long ago, and have the root of that call on their disks.
    pub fn befriend(&mut self, one: usize, other: usize) {
        let pair = [one as u64, other as u64];
        let secret = |purpose| {
            let mut rng = seeded(self.seed, purpose, &pair);
            Secret::random(&mut rng)
        };
        let (hello, outer) = (secret("hello"), secret("outer"));
        let records = [one, other].map(|who| *self.people[who].identity().record());
        let first = Round(self.round.0 - 100);
        let caller = records[0].identity();
        for (who, peer) in [(one, 1), (other, 0)] {
            let (hello, outer) = (hello.duplicate(), outer.duplicate());
            let root = SavedRoot { caller, first, heard: true, hello, outer, steps: 0 };
            let index = self.account([one, other][peer]);
            self.people[who].disk.befriend(records[peer], index, root);
        }
    }

    /// Returns what the server knows somebody's account by.
    pub fn account(&self, who: usize) -> AccountIndex {
        AccountIndex(u32::try_from(self.people[who].account).expect("few accounts"))
    }

    /// Has one person open another.
    pub fn open_one(&mut self, who: usize, peer: usize) {
        self.people[who].opens.insert(peer);
        self.command(who, Command::Open { peer: self.people[peer].name.to_string() });
    }

    /// Has one person close a conversation.
    pub fn close_one(&mut self, who: usize, peer: usize) {
        self.people[who].opens.remove(&peer);
        self.command(who, Command::Close { peer: self.people[peer].name.to_string() });
    }

    /// Has a person whose client runs write something.
    pub fn say(&mut self, from: usize, to: usize, text: impl Into<String>) {
        if self.people[from].process.is_none() {
            return;
        }
        self.labels += 1;
        let (text, label) = (text.into(), format!("message-{}", self.labels));
        let peer = self.people[to].name.to_string();
        let (from_owner, to_owner) = (self.people[from].owner, self.people[to].owner);
        self.model.asked(from_owner, to_owner, &label, &text);
        self.command(from, Command::Send { peer, text, label });
    }

    /// Kills the server's process; all its connections break.
    pub fn kill_server(&mut self) {
        self.service.kill();
        self.network.whole().into_iter().for_each(|conn| self.cut(conn));
    }

    /// Starts the server again, unless it runs.
    pub fn start_server(&mut self) {
        if self.service.is_up() {
            return;
        }
        let (process, round) = self.service.start(self.now().unix_ms);
        self.begin_rounds(process, round);
    }

    /// Starts the server at a round that was used before, as if an old copy had been put back by somebody
    /// who turned the clock back as well.
    pub fn start_server_at(&mut self, round: Round) {
        self.model.forget_rounds();
        let (process, round) = self.service.start_at(round);
        self.begin_rounds(process, round);
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.at + time;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= until) {
            self.step();
        }
        self.at = until;
    }

    /// Lets so many rounds' time pass.
    pub fn run_rounds(&mut self, rounds: u32) {
        self.run(self.service.period * rounds);
    }

    /// Lets time pass until everything that was written is delivered; returns how many rounds that took.
    ///
    /// # Panics
    /// If it takes more than `most` rounds.
    pub fn run_until_delivered(&mut self, most: u32) -> u32 {
        for rounds in 0..most {
            if self.model.open().is_empty() {
                return rounds;
            }
            self.run_rounds(1);
        }
        panic!("seed {}: not delivered in {most} rounds: {:?}", self.seed, self.model.open());
    }

    /// Returns the time as clients get it.
    pub fn now(&self) -> Now {
        let passed_ms = u64::try_from(self.at.as_millis()).expect("a world lives some hours");
        Now { at: self.at, unix_ms: BEGINS_MS + passed_ms }
    }

    /// Breaks a connection: what is on its way is lost, and both ends notice in their time.
    pub fn cut(&mut self, conn: ConnId) {
        if self.network.is_whole(conn) {
            let (client, server) = self.network.cut(conn);
            self.happens(client, Happening::PeerNotices { conn });
            self.happens(server, Happening::ServerNotices { conn });
        }
    }

    pub(super) fn whose(&self, identity: &IdentityHash) -> usize {
        self.by_identity[identity]
    }

    /// Returns all who have, or had, an account of this name.
    pub(super) fn called(&self, name: &str) -> impl Iterator<Item = usize> {
        let people = self.people.iter().enumerate();
        let owners = people.filter(|(who, person)| person.owner == *who);
        owners.filter(move |(_, person)| person.name.as_str() == name).map(|(who, _)| who)
    }

    pub(super) fn happens(&mut self, after: Duration, happening: Happening) {
        self.happenings += 1;
        self.queue.insert((self.at + after, self.happenings), happening);
    }

    pub(super) fn send_up(&mut self, conn: ConnId, channel: Channel, bytes: Vec<u8>) {
        self.observer.saw(self.at, self.network.peer(conn), Way::Up, bytes.len());
        let arrives = self.network.arrival(conn, Way::Up, channel, self.at);
        self.happens(arrives - self.at, Happening::ToServer { conn, channel, bytes });
    }

    fn send_down(&mut self, conn: ConnId, channel: Channel, bytes: Vec<u8>) {
        self.observer.saw(self.at, self.network.peer(conn), Way::Down, bytes.len());
        let arrives = self.network.arrival(conn, Way::Down, channel, self.at);
        self.happens(arrives - self.at, Happening::ToPeer { conn, channel, bytes });
    }

    fn begin_rounds(&mut self, process: u64, round: Round) {
        self.model.opened(round);
        self.round = round;
        self.happens(self.service.period, Happening::Turn { process });
    }

    fn step(&mut self) {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return };
        self.at = at;
        match happening {
            Happening::Turn { process } => self.turn(process),
            Happening::ToServer { conn, channel, bytes } => {
                self.reached_server(conn, channel, &bytes)
            }
            Happening::ToPeer { conn, channel, bytes } => {
                if self.network.is_whole(conn) {
                    self.reached_peer(conn, channel, &bytes);
                }
            }
            Happening::Leaves { conn, channel, bytes } => self.send_up(conn, channel, bytes),
            Happening::PeerNotices { conn } => match self.network.peer(conn) {
                cheat @ CHEATS_FROM.. => self.cheat_lost(cheat, conn),
                who => self.lost(who, conn),
            },
            Happening::ServerNotices { conn } => self.service.gone(conn),
            Happening::Wake { who, incarnation } => {
                if self.people[who].runs(incarnation) {
                    self.wake(who);
                }
            }
            Happening::Durable { who, incarnation, batch } => {
                if self.people[who].runs(incarnation) {
                    self.written(who, batch);
                }
            }
            Happening::Dial { who: cheat @ CHEATS_FROM.., .. } => self.cheat_dials(cheat),
            Happening::Dial { who, incarnation } => {
                if self.people[who].runs(incarnation) {
                    self.dial(who);
                }
            }
            Happening::Cheats { who, conn } => self.cheats(who, conn),
        }
    }

    fn reached_peer(&mut self, conn: ConnId, channel: Channel, bytes: &[u8]) {
        match self.network.peer(conn) {
            cheat @ CHEATS_FROM.. => self.came_to_cheat(cheat, conn, bytes),
            who => self.came(who, conn, channel, bytes),
        }
    }

    fn reached_server(&mut self, conn: ConnId, channel: Channel, bytes: &[u8]) {
        if !self.network.is_whole(conn) {
            return;
        }
        if !self.service.is_up() {
            return self.cut(conn);
        }
        let peer = self.network.peer(conn);
        let account = match peer {
            cheat @ CHEATS_FROM.. => self.cheats[cheat - CHEATS_FROM].account,
            who => self.people[who].account,
        };
        match self.service.arrive(conn, account, channel, bytes) {
            Ok(sent) => {
                for (conn, channel, bytes) in sent {
                    self.send_down(conn, channel, bytes);
                }
            }
            Err(close) => {
                assert!(
                    peer >= CHEATS_FROM || self.people[peer].leak.is_some(),
                    "{peer} is honest, and its connection is closed: {close}"
                );
                self.end(conn);
            }
        }
    }

    /// The server closes a connection.
    fn end(&mut self, conn: ConnId) {
        self.closed += 1;
        self.service.gone(conn);
        self.cut(conn);
    }

    fn turn(&mut self, process: u64) {
        if !self.service.runs(process) {
            return;
        }
        let closed = self.round;
        let turned = self.service.turn(self.now().unix_ms);
        self.model.opened(turned.opened);
        self.round = turned.opened;
        self.rounds += 1;
        let counts = turned.tally.counts;
        assert!(adds_up(&counts, self.service.slots, closed), "{counts:?} do not add up");
        self.late += u64::from(turned.tally.late);
        self.counts.seats += counts.seats;
        self.counts.deposits += counts.deposits;
        self.counts.missing += counts.missing;
        self.counts.tampered += counts.tampered;
        self.counts.pairs += counts.pairs;
        self.counts.lone += counts.lone;
        self.counts.crowded += counts.crowded;
        self.counts.malformed_dials += counts.malformed_dials;
        for (conn, channel, bytes) in turned.sent {
            if self.network.is_whole(conn) {
                self.send_down(conn, channel, bytes);
            }
        }
        for (conn, close) in turned.ended {
            let peer = self.network.peer(conn);
            self.end(conn);
            if close == Close::TakenOver && peer < CHEATS_FROM {
                self.kill(peer);
            }
        }
        self.happens(self.service.period, Happening::Turn { process });
    }
}

/// Makes a duration of milliseconds.
pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Seeds a generator for one purpose.
pub fn seeded(seed: u64, purpose: &str, numbers: &[u64]) -> ChaCha20Rng {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let parts: [&[u8]; 3] = [&seed.to_le_bytes(), purpose.as_bytes(), &numbers];
    ChaCha20Rng::from_seed(hash(Label("iirs simulator"), &parts))
}

/// Draws a number from the least to the most.
pub fn between((least, most): (u64, u64), mut rng: impl RngCore) -> u64 {
    least + rng.next_u64() % (most - least + 1)
}
