//! The server without sockets and disk: the real room and mixer behind a thin copy of the session's rules.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use mixer::{Counts, MixerKey, Seats};
use rand_chacha::ChaCha20Rng;
use server::accounts::Member;
use server::driver::numbers;
use server::driver::room::{FRAMES_WAITING_MAX, Lagging, Opening, Outlet, Room, Stay, Tally};
use tokio::sync::mpsc;
use wire::account::{SealedIdentity, SealedMaster};
use wire::close::Close;
use wire::codec::Wire;
use wire::control::{
    ClientControl, Page, Pull, Resume, ServerControl, Session, VaultGet, VaultPart, VaultPut,
    VaultVersion,
};
use wire::dial::buckets;
use wire::directory::{Head, Record};
use wire::ids::{AccountIndex, Round, Token};
use wire::restore::Restores;
use wire::round::{ClientFrame, ServerHeader};
use wire::size::{
    CONTROL_BODY, PAGE_RECORDS, SEALED_IDENTITY, SEALED_MASTER, SIGNATURE, TOKEN, VAULT,
};

use super::network::{Channel, ConnId};
use super::world::seeded;

/// Control rounds that a client may be behind with its control frames, as in the server's session.
const CONTROL_CREDITS_MAX: usize = 2;

/// What a server process sends: to whom, on which stream, what.
pub type Sent = (ConnId, Channel, Vec<u8>);

/// The server's machine.
pub struct Service {
    /// Slots of a deposit.
    pub slots: u8,
    /// Length of a round.
    pub period: Duration,
    genesis_ms: u64,
    seed: u64,
    /// On disk: rounds below are reserved.
    reserved: u64,
    /// On disk: the directory.
    directory: Log,
    /// On disk: each account's vault with its version.
    vaults: BTreeMap<usize, (u64, Box<[u8; VAULT]>)>,
    /// Other directories, which a server that lies shows to these accounts.
    shown: BTreeMap<usize, Log>,
    processes: u64,
    process: Option<Process>,
}

struct Process {
    rng: ChaCha20Rng,
    key: MixerKey,
    room: Room,
    round: Round,
    sessions: BTreeMap<ConnId, Visit>,
    sign_ins: u64,
}

/// What the server knows of a connection.
struct Visit {
    account: usize,
    /// Tells the machines of an account apart.
    token: [u8; TOKEN],
    sign_in: u64,
    stay: Option<(Stay, mpsc::Receiver<Opening>)>,
    deposits: u32,
    controls: usize,
    answers: VecDeque<ServerControl>,
    /// A vault that is not here as a whole yet.
    staged: Vec<u8>,
}

/// Keeps frames until the network takes them.
struct Frames(mpsc::Sender<Opening>);

impl Outlet for Frames {
    fn send(&self, opening: Opening) -> Result<(), Lagging> {
        match self.0.try_send(opening) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Lagging),
        }
    }

    fn finish(&self) {}
}

/// A directory, and its head after each record.
#[derive(Default)]
struct Log {
    records: Vec<Record>,
    heads: Vec<Head>,
}

/// What a turn of the rounds gives.
pub struct Turned {
    /// The round that opened.
    pub opened: Round,
    /// Frames to send.
    pub sent: Vec<Sent>,
    /// Sessions whose stay the server ends.
    pub ended: Vec<(ConnId, Close)>,
    /// What the round that closed came to.
    pub tally: Tally,
}

impl Service {
    /// Makes a machine whose server has never run.
    pub fn new(seed: u64, slots: u8, period: Duration, genesis_ms: u64) -> Self {
        Self {
            slots,
            period,
            genesis_ms,
            seed,
            reserved: 0,
            directory: Log::default(),
            vaults: BTreeMap::new(),
            shown: BTreeMap::new(),
            processes: 0,
            process: None,
        }
    }

    /// Adds an account, or its deletion, to the directory; returns the record's place.
    pub fn register(&mut self, record: Record) -> usize {
        self.directory.push(record);
        self.directory.records.len() - 1
    }

    /// Returns how many records the directory has.
    pub fn accounts(&self) -> u32 {
        self.directory.length()
    }

    /// Returns an account's vault with its version, if one was stored.
    pub fn vault(&self, account: AccountIndex) -> Option<&(u64, Box<[u8; VAULT]>)> {
        self.vaults.get(&(account.0 as usize))
    }

    /// Exchanges an account's vault, as no honest server does.
    pub fn put_back(&mut self, account: AccountIndex, version: u64, vault: Box<[u8; VAULT]>) {
        self.vaults.insert(account.0 as usize, (version, vault));
    }

    /// Shows an account a directory of its own from now on.
    pub fn show(&mut self, account: usize, records: impl IntoIterator<Item = Record>) {
        let mut log = Log::default();
        records.into_iter().for_each(|record| log.push(record));
        self.shown.insert(account, log);
    }

    /// Starts a process; returns its number and its first round.
    pub fn start(&mut self, unix_ms: u64) -> (u64, Round) {
        let by_clock = numbers::by_clock(self.genesis_ms, unix_ms, self.period);
        self.start_at(numbers::first(self.reserved, by_clock))
    }

    /// Starts a process at a round, whatever was reserved: an old copy was put back.
    pub fn start_at(&mut self, round: Round) -> (u64, Round) {
        self.processes += 1;
        let mut rng = seeded(self.seed, "service", &[self.processes]);
        let key = MixerKey::random(&mut rng);
        let mut room = Room::new(mixer::SEATS_MAX);
        room.open_first(round, Seats::new(self.slots));
        let sessions = BTreeMap::new();
        self.process = Some(Process { rng, key, room, round, sessions, sign_ins: 0 });
        self.reserve(round);
        (self.processes, round)
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Tells whether this process still runs.
    pub fn runs(&self, process: u64) -> bool {
        self.process.is_some() && self.processes == process
    }

    /// Tells whether any process runs.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Takes in a frame; returns what is sent at once, or why the connection is closed.
    ///
    /// # Errors
    /// The code that the connection is closed with.
    pub fn arrive(
        &mut self,
        conn: ConnId,
        account: usize,
        channel: Channel,
        bytes: &[u8],
    ) -> Result<Vec<Sent>, Close> {
        match channel {
            Channel::Control => self.control(conn, account, bytes),
            Channel::Round => self.round(conn, bytes).map(|()| Vec::new()),
        }
    }

    /// A connection is gone.
    pub fn gone(&mut self, conn: ConnId) {
        let Some(process) = &mut self.process else { return };
        if let Some((Stay { id, .. }, _)) = process.sessions.remove(&conn).and_then(|it| it.stay) {
            process.room.leave(id);
        }
    }

    /// Closes the round, mixes it, and opens the next one with its answers, as the driver does.
    pub fn turn(&mut self, unix_ms: u64) -> Turned {
        let by_clock = numbers::by_clock(self.genesis_ms, unix_ms, self.period);
        let directory_length = self.directory.length();
        let closes_ms = u32::try_from(self.period.as_millis()).expect("a round is short");
        let process = self.process.as_mut().expect("only a running server turns");
        let opened = numbers::next(process.round, by_clock);
        let open = process.room.take_open();
        let header = ServerHeader {
            slots: self.slots,
            closes_ms,
            open: opened,
            answered: process.round,
            seats: open.seats(),
            directory_length,
            buckets: buckets(directory_length),
        };
        let rng = &mut process.rng;
        let exchanged = open.close().peel(rng).shuffle(rng).exchange(rng);
        let (replies, seats, counts) = exchanged.unshuffle().seal(&header);
        process.room.turn(replies, seats, header, rng);
        let tally = process.room.tally(counts);
        process.round = opened;
        let (sent, ended) = process.deliver();
        self.reserve(opened);
        Turned { opened, sent, ended, tally }
    }

    fn reserve(&mut self, round: Round) {
        if self.reserved < round.0 + numbers::BLOCK_LOW {
            self.reserved = round.0 + numbers::BLOCK;
        }
    }

    fn log(&self, account: usize) -> &Log {
        self.shown.get(&account).unwrap_or(&self.directory)
    }

    fn control(&mut self, conn: ConnId, account: usize, bytes: &[u8]) -> Result<Vec<Sent>, Close> {
        let request = ClientControl::decode(bytes).map_err(|_| Close::Protocol)?;
        let joined = self.session(conn).is_some_and(|session| session.stay.is_some());
        if joined {
            return self.scheduled(conn, account, &request).map(|()| Vec::new());
        }
        let send = |answer: &ServerControl| (conn, Channel::Control, answer.encode());
        match request {
            ClientControl::Resume(Resume { token }) => {
                let session = self.sign_in(conn, account, *token.expose());
                Ok(vec![send(&ServerControl::Session(Box::new(session)))])
            }
            ClientControl::Pull(Pull { from, pages }) => {
                let pages = (0..u32::from(pages)).map(|it| from + it * PAGE_RECORDS as u32);
                let log = self.log(account);
                Ok(pages.map(|from| send(&ServerControl::Page(log.page(from)))).collect())
            }
            ClientControl::VaultGet(VaultGet { part }) => {
                Ok(vec![send(&self.vault_part(account, part))])
            }
            _ => Err(Close::Protocol),
        }
    }

    /// Answers a control frame of the schedule, right behind the next opening.
    fn scheduled(
        &mut self,
        conn: ConnId,
        account: usize,
        request: &ClientControl,
    ) -> Result<(), Close> {
        let answer = match request {
            ClientControl::Pull(Pull { from, pages: 1 }) => {
                ServerControl::Page(self.log(account).page(*from))
            }
            ClientControl::VaultGet(VaultGet { part }) => self.vault_part(account, *part),
            ClientControl::VaultPut(put) => self.put_vault(conn, account, put)?,
            ClientControl::Idle => ServerControl::Idle,
            _ => return Err(Close::Protocol),
        };
        let session = self.session(conn).ok_or(Close::Protocol)?;
        session.controls = session.controls.checked_sub(1).ok_or(Close::Protocol)?;
        session.answers.push_back(answer);
        Ok(())
    }

    fn vault_part(&self, account: usize, part: u8) -> ServerControl {
        let none = (0, Box::new([0; VAULT]));
        let (version, vault) = self.vaults.get(&account).unwrap_or(&none);
        let bytes = vault.as_chunks().0[usize::from(part)];
        ServerControl::VaultPart(Box::new(VaultPart { part, version: *version, bytes }))
    }

    /// Stages a part of a vault; the last one compares and swaps.
    fn put_vault(
        &mut self,
        conn: ConnId,
        account: usize,
        put: &VaultPut,
    ) -> Result<ServerControl, Close> {
        let session = self.session(conn).ok_or(Close::Protocol)?;
        if session.staged.len() != usize::from(put.part) * CONTROL_BODY {
            return Err(Close::Protocol);
        }
        session.staged.extend(put.bytes);
        let Ok(vault) = Box::<[u8; VAULT]>::try_from(session.staged.clone()) else {
            return Ok(ServerControl::VaultStaged);
        };
        session.staged.clear();
        let stored = self.vaults.get(&account).map_or(0, |(version, _)| *version);
        if put.base != stored || put.version <= stored {
            return Ok(ServerControl::VaultConflict(VaultVersion { version: stored }));
        }
        self.vaults.insert(account, (put.version, vault));
        Ok(ServerControl::VaultStored(VaultVersion { version: put.version }))
    }

    fn round(&mut self, conn: ConnId, bytes: &[u8]) -> Result<(), Close> {
        let frame = ClientFrame::decode(bytes, self.slots).map_err(|_| Close::Protocol)?;
        let process = self.process.as_mut().ok_or(Close::Restarting)?;
        let session = process.sessions.get_mut(&conn).ok_or(Close::Protocol)?;
        match (frame, &session.stay) {
            (ClientFrame::Join(join), None) => {
                let layer = process.key.layer_for(&join.key).map_err(|_| Close::Protocol)?;
                let account = u32::try_from(session.account).expect("few accounts");
                let account = AccountIndex(account);
                let Visit { token, sign_in, .. } = *session;
                let member = Member { account, token, sign_in };
                let (frames, openings) = mpsc::channel(FRAMES_WAITING_MAX);
                let stay = process.room.join(member, layer, Box::new(Frames(frames)));
                session.stay = Some((stay, openings));
                Ok(())
            }
            (ClientFrame::Deposit(deposit), Some((stay, _))) => {
                process.room.deposit(stay.id, &deposit)?;
                session.deposits = session.deposits.checked_sub(1).ok_or(Close::Protocol)?;
                Ok(())
            }
            (ClientFrame::Join(_), Some(_)) | (ClientFrame::Deposit(_), None) => {
                Err(Close::Protocol)
            }
        }
    }

    fn sign_in(&mut self, conn: ConnId, account: usize, token: [u8; TOKEN]) -> Session {
        let log = self.log(account);
        let (directory_length, directory_head) = (log.length(), log.head(log.records.len()));
        let process = self.process.as_mut().expect("only a running server answers");
        process.sign_ins += 1;
        let session = Visit {
            account,
            token,
            sign_in: process.sign_ins,
            stay: None,
            deposits: 0,
            controls: 0,
            answers: VecDeque::new(),
            staged: Vec::new(),
        };
        process.sessions.insert(conn, session);
        Session {
            token: Token::new([0; TOKEN]),
            expires_ms: u64::MAX,
            index: AccountIndex(u32::try_from(account).expect("few accounts")),
            slots: self.slots,
            round_ms: u32::try_from(self.period.as_millis()).expect("a round is short"),
            genesis_ms: self.genesis_ms,
            mixer: process.key.public(),
            mixer_signature: [0; SIGNATURE],
            master: SealedMaster([0; SEALED_MASTER]),
            identity: SealedIdentity([0; SEALED_IDENTITY]),
            directory_length,
            directory_head,
            directory_signature: [0; SIGNATURE],
            restores: Restores { notices: Vec::new(), signature: [0; SIGNATURE] },
        }
    }

    fn session(&mut self, conn: ConnId) -> Option<&mut Visit> {
        self.process.as_mut()?.sessions.get_mut(&conn)
    }
}

impl Log {
    fn push(&mut self, record: Record) {
        let bytes = record.encode().try_into().expect("a record has its size");
        let head = self.head(self.records.len()).after(&bytes);
        self.records.push(record);
        self.heads.push(head);
    }

    fn length(&self) -> u32 {
        u32::try_from(self.records.len()).expect("few accounts")
    }

    fn head(&self, length: usize) -> Head {
        length.checked_sub(1).map_or(Head::EMPTY, |last| self.heads[last])
    }

    fn page(&self, from: u32) -> Page {
        let from = (from as usize).min(self.records.len());
        let until = (from + PAGE_RECORDS).min(self.records.len());
        Page {
            from: u32::try_from(from).expect("few accounts"),
            length: self.length(),
            head: self.head(until),
            signature: [0; SIGNATURE],
            records: self.records[from..until].to_vec(),
        }
    }
}

impl Process {
    /// Takes the openings out of the room, each with the control frame that waits behind it.
    fn deliver(&mut self) -> (Vec<Sent>, Vec<(ConnId, Close)>) {
        let (mut sent, mut ended) = (Vec::new(), Vec::new());
        for (&conn, session) in &mut self.sessions {
            let Some((stay, openings)) = &mut session.stay else { continue };
            if let Ok(opening) = openings.try_recv() {
                session.deposits += 1;
                if opening.round.has_control() {
                    session.controls = (session.controls + 1).min(CONTROL_CREDITS_MAX);
                }
                sent.push((conn, Channel::Round, opening.frame.to_vec()));
                if let Some(answer) = session.answers.pop_front() {
                    sent.push((conn, Channel::Control, answer.encode()));
                }
            }
            if let Ok(close) = stay.ended.try_recv() {
                ended.push((conn, close));
            }
        }
        (sent, ended)
    }
}

/// Tells whether the counts of a round add up; dial slots meet nobody.
pub fn adds_up(counts: &Counts, slots: u8, round: Round) -> bool {
    let cells = u32::from(slots) - u32::from(round.has_dial());
    let slots = counts.seats * cells;
    counts.deposits + counts.missing == counts.seats
        && 2 * counts.pairs + counts.lone + counts.crowded == slots
}
