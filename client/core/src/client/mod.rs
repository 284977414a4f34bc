//! The whole client of one account: directory, conversations, rounds, and what is on its way to the disk.
//!
//! ```text
//! commands ─► commands.rs ─► conversations ─► seal ─┐
//! pages, control frames ─► directory                ├─► rounds ─► Output::Deposit
//! round frames ─► rounds.rs ─► replies ─────────────┘
//!                                 └─► Output::Keep ─► (disk) ─► kept.rs ─► Output::Event, acknowledgement
//! ```

mod calls;
mod commands;
mod control;
mod dialling;
mod early;
mod keeping;
mod kept;
mod restored;
mod turn;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, RngCore, SeedableRng};
use thiserror::Error;
use wire::control::{ClientControl, Page, ServerControl};
use wire::directory::{Head, Record};
use wire::ids::{IdentityHash, Name, Round};
use wire::layer::Layer;
use wire::size::SLOTS_DEFAULT;
use zeroize::Zeroizing;

use crate::api::{About, ConnectionState, ConversationStatus, ErrorCode, Event, Status};
use crate::conversation::{Conversation, DirectoryMark};
use crate::directory::{Directory, PageError, Records};
use crate::identity::Identity;
use crate::receiving::Receiving;
use crate::record::{Change, Contact, Outgoing, Saved, SavedRoot, ServerClock};
use crate::rounds::{Due, RoundError, Rounds, Terms};
use crate::vault::VaultKey;
use crate::wheel::Root;

pub use control::{REQUESTS_MAX, RequestsFull};
pub use restored::Held;

use calls::Request;
use commands::{Leaving, Unresolved};
use control::Asked;
use dialling::Finder;
use keeping::Keeping;
use kept::Kept;
use restored::Restoration;

/// Conversations that may be open at once, for each slot of a deposit. With more, two people would meet
/// so rarely that their sessions are given up between meetings; wake-ups will lift this.
pub const CONVERSATIONS_PER_SLOT: usize = 4;

/// Generator of keys, cells and ids: how much is drawn from it depends on what the client does. It must
/// not be one whose past can be computed from its state, since erased keys came from it.
pub type Contents = Box<dyn CryptoRngCore + Send>;

/// The time, as the caller's clock says.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since some moment that stays the same while the program runs.
    pub at: Duration,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// What the caller is to do.
pub enum Output {
    /// Send this frame over the round stream, now.
    Deposit(Vec<u8>),
    /// Send this frame over the control stream, now.
    Control(Vec<u8>),
    /// Answers what [`Client::request`] asked.
    Answer(Box<ServerControl>),
    /// Keep these changes, then call [`Client::handle_kept`] with the number.
    Keep(u64, Vec<Change>),
    /// Tell the program.
    Event(Event),
    /// Leave: everything was done that had to be done before.
    Leave,
}

/// One account's client.
pub struct Client {
    own: Identity,
    rng: Contents,
    /// Seeds the moments of each stream, and nothing else: what this client does must not move them.
    schedule: ChaCha20Rng,
    directory: Directory,
    conversations: BTreeMap<IdentityHash, Open>,
    /// What closed conversations left undone.
    parked: BTreeMap<IdentityHash, Parked>,
    unresolved: Vec<Unresolved>,
    leaving: Option<Leaving>,
    rounds: Option<Rounds>,
    connection: ConnectionState,
    /// The highest round that was used.
    mark: Round,
    /// The last round that was answered, and its seats.
    answered: (Round, u32),
    missed: u64,
    /// Slots sent since the start, with something in them and without.
    real: u64,
    cover: u64,
    /// When a round was opened to this process last.
    last_opened: Option<Duration>,
    /// Who each name belonged to when its conversation was opened first.
    known: BTreeMap<Name, Record>,
    /// Names that the directory shows with other keys now, or contacts whose accounts are gone: their conversations
    /// stand still.
    changed: BTreeSet<Name>,
    /// Those of them whose accounts are gone, and whose names nobody has taken since.
    gone: BTreeSet<Name>,
    /// Directories that peers claim and that are longer than ours, to compare later.
    ahead: BTreeMap<IdentityHash, DirectoryMark>,
    /// Contacts and blocked people, and those whom the vault at the server still has.
    contacts: BTreeMap<IdentityHash, Contact>,
    /// Strangers who call.
    requests: BTreeMap<IdentityHash, Request>,
    /// Callers who are not told before a round.
    declined: BTreeMap<IdentityHash, Round>,
    /// First rounds of the newest calls that came lately, by caller.
    invitations: BTreeMap<IdentityHash, Round>,
    /// Invitations that were replayed, stale, forged, or of people who are not heard.
    refused_calls: u64,
    keeping: Keeping,
    restoration: Restoration,
    /// Whether the contacts were told since the start.
    contacts_told: bool,
    /// What goes over the control stream in place of pulls, at most [`REQUESTS_MAX`].
    requests_out: VecDeque<ClientControl>,
    /// Records of the directory whose names were told.
    listed: u32,
    /// The directory as it was seen before this session.
    seen_before: Option<DirectoryMark>,
    /// What numbers the server's rounds, since one of them opened that agreed with this machine's clock.
    clock: Option<ServerClock>,
    /// What the server says of that in this session.
    offered: Option<ServerClock>,
    fork_told: bool,
    /// Peers who claim another directory, as was told.
    forks_claimed: BTreeSet<IdentityHash>,
    /// What was asked in the control frames that are not answered yet.
    awaiting: VecDeque<Asked>,
    next_batch: u64,
    batches: BTreeMap<u64, Vec<Kept>>,
    outputs: VecDeque<Output>,
}

/// An open conversation.
struct Open {
    conversation: Conversation,
    finder: Finder,
    /// Messages that were written and are not durable yet.
    unkept: usize,
}

/// What a closed conversation leaves until it is opened again.
#[derive(Default)]
struct Parked {
    /// The peer's name, if the conversation was open in this process.
    name: Option<Name>,
    outgoing: Vec<Outgoing>,
    /// Messages that were written and are not durable yet.
    unkept: usize,
    receiving: Receiving,
}

impl Client {
    /// Begins with what was saved and the directory as far as it is kept in `records`; the caller then passes the
    /// directory's further pages and joins.
    ///
    /// The moments of deposits come from `schedule`, all else from `contents`.
    pub fn new(
        own: Identity,
        saved: Saved,
        vault: VaultKey,
        records: Box<dyn Records>,
        contents: Contents,
        schedule: ChaCha20Rng,
    ) -> Self {
        let directory = Directory::new(records);
        let known = known(saved.closed.iter().chain(&saved.open), &directory);
        // What came page by page while in the rounds is kept, and may be more than the last entry marked.
        let marked = saved.directory.map(|(length, head)| DirectoryMark { length, head });
        let seen_before =
            [directory.mark()].into_iter().chain(marked).max_by_key(|mark| mark.length);
        let mut client = Self {
            own,
            rng: contents,
            schedule,
            directory,
            conversations: BTreeMap::new(),
            parked: BTreeMap::new(),
            unresolved: Vec::new(),
            leaving: None,
            rounds: None,
            connection: ConnectionState::Connecting,
            mark: saved.mark,
            answered: (Round::NONE, 0),
            missed: 0,
            real: 0,
            cover: 0,
            last_opened: None,
            known,
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
            ahead: BTreeMap::new(),
            contacts: BTreeMap::new(),
            requests: BTreeMap::new(),
            declined: saved.declined.into_iter().collect(),
            invitations: BTreeMap::new(),
            refused_calls: 0,
            keeping: Keeping::new(vault, saved.vault, saved.vault_used),
            restoration: Restoration::new(saved.restores),
            contacts_told: false,
            requests_out: VecDeque::new(),
            listed: 0,
            seen_before,
            clock: saved.clock,
            offered: None,
            fork_told: false,
            forks_claimed: BTreeSet::new(),
            awaiting: VecDeque::new(),
            next_batch: 0,
            batches: BTreeMap::new(),
            outputs: VecDeque::new(),
        };
        for outgoing in saved.outgoing {
            client.parked.entry(outgoing.peer).or_default().outgoing.push(outgoing);
        }
        for (peer, received) in saved.received {
            client.parked.entry(peer).or_default().receiving = Receiving::new(received);
        }
        client.restore_contacts(saved.contacts, saved.roots);
        for record in saved.open {
            if !client.contacts.contains_key(&record.identity()) {
                client.take_up(record, None);
            }
        }
        client
    }

    /// Takes the contacts up again, each on its root; whose root is not here is called anew, and whom we called and who
    /// was not heard yet is called on.
    fn restore_contacts(&mut self, contacts: Vec<Contact>, roots: Vec<(IdentityHash, SavedRoot)>) {
        let mut roots: BTreeMap<_, _> = roots.into_iter().collect();
        let (gone, here): (Vec<_>, Vec<_>) = contacts.into_iter().partition(|it| it.forgotten);
        // of two of one name the one who is a contact counts
        for contact in gone.into_iter().chain(here) {
            let peer = contact.record.identity();
            let (record, is_contact) = (contact.record, !contact.blocked && !contact.forgotten);
            self.known.insert(record.name, record);
            self.contacts.insert(peer, contact);
            if is_contact {
                let saved = roots.remove(&peer).map(Root::restore);
                let own = self.own.hash();
                let rings = |root: &Root| {
                    !root.is_heard() && root.call().is_some_and(|call| call.caller == own)
                };
                let is_called = saved.as_ref().is_none_or(rings);
                let root = saved.unwrap_or_else(|| Root::none(&mut self.rng));
                self.take_up(record, Some(root));
                if let Some(open) = self.conversations.get_mut(&peer).filter(|_| is_called) {
                    open.finder.want();
                }
            }
        }
    }

    /// Returns what to do next, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Self::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.rounds.as_ref()?.poll_timeout()
    }

    /// Returns when the open round closes, if there is one; its answer comes soon after.
    pub fn round_closes_at(&self) -> Option<Duration> {
        self.rounds.as_ref()?.closes_at()
    }

    /// Returns how many records of the directory are here.
    pub fn directory_length(&self) -> u32 {
        self.directory.mark().length
    }

    /// Tells whether the directory shows this account with its own keys.
    pub fn is_listed(&self) -> bool {
        self.directory.find(self.own.name()).is_some_and(|(_, it)| it.identity() == self.own.hash())
    }

    /// Returns who a name belonged to when its conversation was opened first, which is whom the history
    /// under that name is with; nothing if it never was.
    pub fn known_peer(&self, name: &str) -> Option<IdentityHash> {
        self.known.get(&name.parse::<Name>().ok()?).map(Record::identity)
    }

    /// Tells the account's name.
    pub fn name(&self) -> &Name {
        self.own.name()
    }

    /// Takes in a page that was asked for before joining.
    ///
    /// # Errors
    /// [`PageError`]: the server's directory is not to be trusted, or too large.
    pub fn handle_page(&mut self, page: &Page) -> Result<(), PageError> {
        self.take_page(page).map(drop)
    }

    /// Tells that the directory is as long as the session says; names that wait are looked up.
    pub fn handle_directory_synced(&mut self, now: Now, length: u32, head: Head) {
        self.tell_restores();
        self.compare_directory(DirectoryMark { length, head });
        if let Some(before) = self.seen_before.take() {
            if before.length > length {
                self.forked();
            }
            self.compare_directory(before);
        }
        self.compare_keys(self.known.keys().copied().collect());
        let mark = self.directory.mark();
        self.keep(vec![Change::Directory(mark.length, mark.head)], Vec::new());
        self.list();
        self.resolve(now, true);
    }

    /// Begins the rounds of a stream whose `join` is on its way.
    ///
    /// # Errors
    /// [`ClockChanged`] if the server numbers its rounds otherwise than before.
    pub fn handle_joined(&mut self, terms: Terms, layer: Layer) -> Result<(), ClockChanged> {
        let Terms { genesis_ms, round_ms, .. } = terms;
        let clock = ServerClock { genesis_ms, round_ms };
        if self.clock.is_some_and(|known| known != clock) {
            return Err(ClockChanged);
        }
        self.offered = Some(clock);
        self.keeping.joined(&mut self.schedule);
        self.rounds = Some(Rounds::new(terms, layer, split(&mut self.schedule)));
        Ok(())
    }

    /// The connection is gone: nothing covers this client until it joins again.
    pub fn handle_lost(&mut self) {
        self.keeping.lost();
        self.requests_out.clear();
        self.awaiting.clear();
        let mark = self.directory.mark();
        self.seen_before.get_or_insert(mark);
        self.rounds = None;
        self.set_connection(ConnectionState::Lost);
    }

    /// Takes in a frame of the round stream.
    ///
    /// # Errors
    /// [`RoundError`]: the connection is to be closed.
    pub fn handle_round(&mut self, now: Now, frame: &[u8]) -> Result<(), RoundError> {
        self.turn(now, frame)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.seal_if_due(now);
        let due = self.rounds.as_mut().and_then(|rounds| rounds.due(now.at));
        if let Some(due) = due {
            self.deposit(due);
        }
    }

    /// Tells the state of everything, for a program that shows it.
    pub fn status(&self) -> Status {
        let conversations = self.conversations.values().map(|open| ConversationStatus {
            peer: open.conversation.peer().name.to_string(),
            live: open.conversation.is_live(),
            refused: open.conversation.refused(),
            queued: u32::try_from(open.conversation.undelivered() + open.unkept)
                .unwrap_or(u32::MAX),
            under_way: open.conversation.under_way(),
        });
        Status {
            connection: self.connection,
            round: self.answered.0.0,
            seats: self.answered.1,
            missed: self.missed,
            conversations: conversations.collect(),
            refused_calls: self.refused_calls,
            real: self.real,
            cover: self.cover,
        }
    }

    /// Returns the slots of a deposit, those of most servers while none is known.
    fn slots(&self) -> usize {
        usize::from(self.rounds.as_ref().map_or(SLOTS_DEFAULT, Rounds::slots))
    }

    /// Opens a conversation with what it left when it was closed last.
    fn take_up(&mut self, record: Record, root: Option<Root>) -> bool {
        let peer = record.identity();
        if self.conversations.contains_key(&peer) {
            self.park(peer);
        }
        let Parked { outgoing, unkept, receiving, .. } =
            self.parked.remove(&peer).unwrap_or_default();
        let conversation = match root {
            Some(root) => Conversation::new(&self.own, record, root, receiving, &mut self.rng),
            None => Conversation::by_agreement(&self.own, record, receiving, &mut self.rng),
        };
        let Ok(mut conversation) = conversation else { return false };
        self.known.insert(record.name, record);
        for outgoing in outgoing {
            conversation.send(outgoing);
        }
        let finder = Finder::default();
        self.conversations.insert(peer, Open { conversation, finder, unkept });
        true
    }

    /// Sends a deposit, and in control rounds a control frame with it.
    fn deposit(&mut self, due: Due) {
        let Due { round, frame, real } = due;
        self.real += real;
        self.cover += self.slots() as u64 - real;
        self.outputs.push_back(Output::Deposit(frame));
        if round.has_control() {
            self.send_control(round);
        }
    }

    fn set_connection(&mut self, state: ConnectionState) {
        if self.connection != state {
            self.connection = state;
            self.event(Event::Connection(state));
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn error(&mut self, code: ErrorCode, text: impl Into<String>, about: About) {
        self.event(Event::Error { code, text: text.into(), about });
    }

    fn keep(&mut self, changes: Vec<Change>, then: Vec<Kept>) {
        let batch = self.next_batch;
        self.next_batch += 1;
        self.batches.insert(batch, then);
        self.outputs.push_back(Output::Keep(batch, changes));
    }
}

/// The server numbers its rounds otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the server changed the length or the beginning of its rounds, which no server does; ask its operator \
     whether it was set up anew, and if so move the profile's directory away and sign in again"
)]
pub struct ClockChanged;

/// Seeds a generator by another one, so that what is drawn from it moves nothing else.
fn split(rng: &mut ChaCha20Rng) -> ChaCha20Rng {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    ChaCha20Rng::from_seed(*seed)
}

/// Returns who each name belongs to for this client: of two who had one name, both of whom a person took for the right
/// one, the one of the directory.
fn known<'a>(
    saved: impl Iterator<Item = &'a Record>,
    directory: &Directory,
) -> BTreeMap<Name, Record> {
    let mut known = BTreeMap::new();
    for record in saved {
        let is_listed = |known: &Record| {
            let listed = directory.find(&record.name);
            listed.is_some_and(|(_, listed)| listed.identity() == known.identity())
        };
        if !known.get(&record.name).is_some_and(is_listed) {
            known.insert(record.name, *record);
        }
    }
    known
}

#[cfg(test)]
mod tests;
