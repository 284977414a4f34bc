//! A server that has the right identity and says what it is told to, right or wrong, over real QUIC.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use client_link::transport::login_exporter;
use quinn::{Connection, Endpoint, RecvStream, SendStream, TokioRuntime};
use rand_core::OsRng;
use server::identity::{Leaf, RootKey};
use server::transport::{Limits, TransportKeys, endpoint_config, server_config};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::account::{SealedIdentity, SealedMaster};
use wire::close::Close;
use wire::codec::Wire as _;
use wire::control::{
    ClientControl, LoginReply, Page, RegisterFinish, RegisterReply, Registered, ServerControl,
    Session, VaultGet, VaultPart, VaultVersion,
};
use wire::directory::{Head, Record, head_signed};
use wire::ids::{AccountIndex, Name, Round, Token};
use wire::link::{Link, Pin};
use wire::login::{LoginContext, LoginServer};
use wire::public_key::AgreementKey;
use wire::restore::{Restores, restores_signed};
use wire::round::ServerHeader;
use wire::size::{CONTROL_BODY, CONTROL_FRAME, SIGNATURE, VAULT_PARTS, round_frame};

use super::LOCAL;

/// What a client asks, without what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// First step of a registration.
    Register,
    /// Second step of a registration.
    Registered,
    /// First step of a login.
    Login,
    /// Second step of a login, or a token.
    Session,
    /// A third of the vault, before the rounds.
    Vault,
    /// A page, before the rounds.
    Page,
    /// Anything after the client asked for a seat, but for a third of its next vault.
    InRounds,
    /// A third of its next vault, to be kept.
    Keep,
    /// A seat; its answers are round frames.
    Seat,
}

/// What the server does in place of an honest answer.
pub enum Does {
    /// What an honest server does.
    Honestly,
    /// Sends these bytes, with what they say of the directory signed.
    Says(Vec<u8>),
    /// Sends these bytes as they are, whose signatures are not the server's.
    SaysUnsigned(Vec<u8>),
    /// Sends these bytes again and again.
    Floods(Vec<u8>),
    /// Sends nothing.
    Nothing,
    /// Sends these bytes and ends the stream.
    Ends(Vec<u8>),
    /// Resets the stream in both directions.
    Resets,
    /// Closes the connection with a code.
    Closes(u32),
    /// Sends these bytes, and closes the connection with a code as soon as they are out.
    LastWords(Vec<u8>, u32),
}

/// An answer that an honest server would give.
pub enum Honest {
    /// To a control frame.
    Control(ServerControl),
    /// To a seat: the header that opens the next round.
    Round(ServerHeader),
}

/// What a server is like: gets what was asked, how often that was asked before, and the honest answer.
pub type Manner = Arc<dyn Fn(Asked, u32, Honest) -> Does + Send + Sync>;

/// A server under way.
pub struct Hostile {
    /// Its link; the pin is right.
    pub link: Link,
    /// Frames that it sent so far, or held back.
    pub sent: watch::Receiver<u64>,
    connections: Arc<Mutex<Vec<Connection>>>,
    serving: JoinHandle<()>,
}

struct Server {
    root: RootKey,
    leaf: Leaf,
    pin: Pin,
    login: LoginServer,
    mixer: AgreementKey,
    manner: Manner,
    accounts: Mutex<Accounts>,
    /// The last round that was opened to anybody.
    opened: AtomicU64,
    sent: watch::Sender<u64>,
}

#[derive(Default)]
struct Accounts {
    kept: BTreeMap<Name, Box<RegisterFinish>>,
    vaults: BTreeMap<Name, Vault>,
    records: Vec<Record>,
    asked: Vec<Asked>,
}

/// A vault that an account stored, or none.
#[derive(Clone, Copy)]
struct Vault {
    version: u64,
    parts: [[u8; CONTROL_BODY]; VAULT_PARTS as usize],
}

/// A connection's step between two requests.
#[derive(Default)]
struct Steps {
    name: Option<Name>,
    staged: Vault,
}

impl Default for Vault {
    fn default() -> Self {
        Self { version: 0, parts: [[0; CONTROL_BODY]; VAULT_PARTS as usize] }
    }
}

/// Stands for the signature that is made when the frame goes out.
const UNSIGNED: [u8; SIGNATURE] = [1; SIGNATURE];

/// Slots of its deposits.
const SLOTS: u8 = 2;

/// Length of its rounds in milliseconds.
const ROUND_MS: u32 = 100;

impl Hostile {
    /// Starts a server.
    pub fn start(manner: Manner) -> Self {
        let root = RootKey::generate();
        let leaf = Leaf::new(&root, "127.0.0.1", SystemTime::now()).expect("the host is one");
        let limits = Limits { incoming_max: 16 };
        let config = server_config(&leaf, limits).expect("the leaf fits its key");
        let socket = std::net::UdpSocket::bind(LOCAL).expect("loopback has a free port");
        let keys = endpoint_config(&TransportKeys::generate());
        let endpoint = Endpoint::new(keys, Some(config), socket, Arc::new(TokioRuntime));
        let endpoint = endpoint.expect("a UDP socket");
        let port = endpoint.local_addr().expect("the socket is bound").port();
        let pin = Pin(root.pin());
        let (sent, receive_sent) = watch::channel(0);
        let server = Arc::new(Server {
            root,
            leaf,
            pin,
            login: LoginServer::random(&mut OsRng),
            mixer: AgreementKey::random(&mut OsRng),
            manner,
            accounts: Mutex::default(),
            opened: AtomicU64::new(0),
            sent,
        });
        let connections = Arc::new(Mutex::new(Vec::new()));
        let connected = connections.clone();
        let serving = tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let (server, connected) = (server.clone(), connected.clone());
                tokio::spawn(async move {
                    // a client that goes away is no error here
                    let Ok(connection) = incoming.await else { return };
                    connected
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(connection.clone());
                    server.serve(&connection).await;
                    connection.closed().await;
                });
            }
        });
        let link = Link { host: "127.0.0.1".into(), port, pin };
        Self { link, sent: receive_sent, connections, serving }
    }
}

impl Hostile {
    /// Closes all connections, as a server that starts anew does.
    pub fn cut(&self) {
        for connection in self.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..)
        {
            connection.close(Close::Restarting.code().into(), b"");
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The next answer of an honest server whose rounds are numbered by this machine's clock, but none twice.
fn header(answered: Round, opened: &AtomicU64) -> ServerHeader {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let by_clock = now.as_millis() as u64 / u64::from(ROUND_MS);
    let open = Round(by_clock.max(opened.load(Ordering::SeqCst) + 1));
    opened.store(open.0, Ordering::SeqCst);
    ServerHeader {
        slots: SLOTS,
        closes_ms: ROUND_MS,
        open,
        answered,
        seats: 1,
        directory_length: 1,
        buckets: 1,
    }
}

impl Server {
    async fn serve(self: &Arc<Self>, connection: &Connection) {
        let Ok((mut send, mut receive)) = connection.accept_bi().await else { return };
        let (server, rounds) = (self.clone(), connection.clone());
        let (joined, is_joined) = watch::channel(false);
        tokio::spawn(async move {
            let Ok((send, receive)) = rounds.accept_bi().await else { return };
            joined.send_replace(true);
            server.rounds(&rounds, send, receive).await;
        });
        let mut steps = Steps::default();
        let mut frame = vec![0; CONTROL_FRAME];
        while receive.read_exact(&mut frame).await.is_ok() {
            let Ok(request) = ClientControl::decode(&frame) else { return };
            for (asked, honest) in self.answers(connection, &mut steps, request) {
                let is_in = *is_joined.borrow() && asked != Asked::Keep;
                let asked = if is_in { Asked::InRounds } else { asked };
                let bytes = honest.encode();
                let does = self.decides(asked, Honest::Control(honest), bytes);
                if !self.act(connection, &mut send, &mut receive, does).await {
                    return;
                }
            }
        }
    }

    /// Sends a frame for each round of the clock.
    async fn rounds(&self, connection: &Connection, mut send: SendStream, mut receive: RecvStream) {
        let mut deposit = vec![0; round_frame(SLOTS)];
        let mut last = Round::NONE;
        while receive.read_exact(&mut deposit).await.is_ok() {
            let honest = header(last, &self.opened);
            last = honest.open;
            let mut frame = vec![0; round_frame(SLOTS)];
            honest.write_to(&mut frame);
            let does = self.decides(Asked::Seat, Honest::Round(honest), frame);
            if !self.act(connection, &mut send, &mut receive, does).await {
                return;
            }
        }
    }

    fn decides(&self, asked: Asked, honest: Honest, bytes: Vec<u8>) -> Does {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = accounts.asked.iter().filter(|it| **it == asked).count() as u32;
        accounts.asked.push(asked);
        drop(accounts);
        match (self.manner)(asked, before, honest) {
            Does::Honestly => Does::Says(self.signed(bytes)),
            Does::Says(bytes) => Does::Says(self.signed(bytes)),
            Does::SaysUnsigned(bytes) => Does::Says(bytes),
            Does::Floods(bytes) => Does::Floods(self.signed(bytes)),
            does => does,
        }
    }

    /// Signs what a frame says of the directory, as nobody but the server itself could, unless its signature is
    /// nothing but zeros.
    fn signed(&self, bytes: Vec<u8>) -> Vec<u8> {
        match ServerControl::decode(&bytes) {
            Ok(ServerControl::Page(mut page)) if page.signature != [0; SIGNATURE] => {
                page.signature = self.root.sign(&page.signed());
                ServerControl::Page(page).encode()
            }
            Ok(ServerControl::Session(mut session))
                if session.directory_signature != [0; SIGNATURE] =>
            {
                let signed = head_signed(session.directory_length, &session.directory_head);
                session.directory_signature = self.root.sign(&signed);
                if session.restores.signature != [0; SIGNATURE] {
                    let signed = restores_signed(&session.restores.notices);
                    session.restores.signature = self.root.sign(&signed);
                }
                ServerControl::Session(session).encode()
            }
            _ => bytes,
        }
    }

    /// Returns whether the stream goes on.
    async fn act(
        &self,
        connection: &Connection,
        send: &mut SendStream,
        receive: &mut RecvStream,
        does: Does,
    ) -> bool {
        match does {
            Does::Says(bytes) | Does::SaysUnsigned(bytes) => self.write(send, &bytes).await,
            Does::Floods(bytes) => {
                while self.write(send, &bytes).await {}
                false
            }
            Does::Honestly => true,
            Does::Nothing => {
                self.sent.send_modify(|sent| *sent += 1);
                true
            }
            Does::Ends(bytes) => {
                self.write(send, &bytes).await;
                let _ = send.finish();
                false
            }
            Does::Resets => {
                let _ = send.reset(7u32.into());
                let _ = receive.stop(7u32.into());
                false
            }
            Does::Closes(code) => {
                connection.close(code.into(), b"because");
                false
            }
            Does::LastWords(bytes, code) => {
                let before = connection.stats().frame_tx.stream;
                self.write(send, &bytes).await;
                while connection.stats().frame_tx.stream == before {
                    tokio::task::yield_now().await;
                }
                connection.close(code.into(), b"because");
                false
            }
        }
    }

    async fn write(&self, send: &mut SendStream, bytes: &[u8]) -> bool {
        let written = send.write_all(bytes).await.is_ok();
        self.sent.send_modify(|sent| *sent += 1);
        written
    }

    fn answers(
        &self,
        connection: &Connection,
        steps: &mut Steps,
        request: ClientControl,
    ) -> Vec<(Asked, ServerControl)> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let honest = "the client is honest";
        match request {
            ClientControl::RegisterStart(start) => {
                let response = self.login.register(&start.name, &start.request).expect(honest);
                steps.name = Some(start.name);
                vec![(Asked::Register, ServerControl::RegisterReply(RegisterReply { response }))]
            }
            ClientControl::RegisterFinish(finish) => {
                let index = AccountIndex(accounts.records.len() as u32);
                accounts.records.push(finish.record);
                accounts.kept.insert(finish.record.name, finish);
                vec![(Asked::Registered, ServerControl::Registered(Registered { index }))]
            }
            ClientControl::LoginStart(start) => {
                let exporter = login_exporter(connection).expect("the handshake is done");
                let context = LoginContext::new(self.pin, &exporter);
                let kept = &accounts.kept[&start.name];
                let (request, upload) = (&start.request, Some(kept.upload.as_slice()));
                let login = self.login.login(&start.name, upload, request, &context, &mut OsRng);
                let (_, response) = login.expect(honest);
                steps.name = Some(start.name);
                let reply = LoginReply { response, stretching: kept.stretching };
                vec![(Asked::Login, ServerControl::LoginReply(Box::new(reply)))]
            }
            ClientControl::LoginFinish(_) | ClientControl::Resume(_) => {
                let first = accounts.kept.first_key_value().map(|(name, _)| *name);
                let name = steps.name.or(first).expect("somebody registered");
                steps.name = Some(name);
                let session = self.session(&accounts.kept[&name], &accounts.records);
                vec![(Asked::Session, ServerControl::Session(Box::new(session)))]
            }
            ClientControl::Pull(pull) => {
                let page = page(&accounts.records, pull.from);
                let pages = (0..pull.pages).map(|_| ServerControl::Page(copy(&page)));
                pages.map(|page| (Asked::Page, page)).collect()
            }
            ClientControl::Idle => vec![(Asked::InRounds, ServerControl::Idle)],
            ClientControl::SignOut => vec![(Asked::InRounds, ServerControl::SignedOut)],
            ClientControl::ChangeStart(_)
            | ClientControl::ChangeFinish(_)
            | ClientControl::DeleteStart(_)
            | ClientControl::DeleteFinish(_)
            | ClientControl::EndSession(_) => Vec::new(),
            ClientControl::ListSessions => {
                vec![(Asked::InRounds, ServerControl::Sessions(Vec::new()))]
            }
            ClientControl::VaultGet(VaultGet { part }) => {
                let vaults = &accounts.vaults;
                let kept = steps.name.and_then(|name| vaults.get(&name)).copied();
                let Vault { version, parts } = kept.unwrap_or_default();
                let part = VaultPart { part, version, bytes: parts[usize::from(part)] };
                vec![(Asked::Vault, ServerControl::VaultPart(Box::new(part)))]
            }
            ClientControl::VaultPut(put) => {
                steps.staged.version = put.version;
                steps.staged.parts[usize::from(put.part)] = put.bytes;
                if put.part + 1 < VAULT_PARTS {
                    return vec![(Asked::Keep, ServerControl::VaultStaged)];
                }
                accounts.vaults.insert(steps.name.expect("it signed in"), steps.staged);
                let stored = VaultVersion { version: put.version };
                vec![(Asked::Keep, ServerControl::VaultStored(stored))]
            }
        }
    }

    fn session(&self, kept: &RegisterFinish, records: &[Record]) -> Session {
        let mixer = self.mixer.public();
        Session {
            token: Token::random(&mut OsRng),
            expires_ms: u64::MAX,
            index: AccountIndex(0),
            slots: SLOTS,
            round_ms: ROUND_MS,
            genesis_ms: 0,
            mixer,
            mixer_signature: self.leaf.sign(&Session::mixer_signed(&mixer)),
            master: SealedMaster(kept.master.0),
            identity: SealedIdentity(kept.identity.0),
            directory_length: records.len() as u32,
            directory_head: head(records),
            directory_signature: UNSIGNED,
            restores: Restores { notices: Vec::new(), signature: UNSIGNED },
        }
    }
}

/// Returns the page of a directory that fits one frame.
pub fn page(records: &[Record], from: u32) -> Page {
    let rest = records.get(from as usize..).unwrap_or_default().to_vec();
    let (length, signature) = (records.len() as u32, UNSIGNED);
    Page { from, length, head: head(records), signature, records: rest }
}

/// Returns the head of a directory.
pub fn head(records: &[Record]) -> Head {
    let after = |head: Head, record: &Record| {
        head.after(&record.encode().try_into().expect("a record has its size"))
    };
    records.iter().fold(Head::EMPTY, after)
}

fn copy(page: &Page) -> Page {
    let Page { from, length, head, signature, ref records } = *page;
    Page { from, length, head, signature, records: records.clone() }
}

/// Returns the memory that this process has in use, in bytes; Linux only, elsewhere 0.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

/// The longest that an engine may take to leave.
pub const LEAVES_WITHIN: Duration = Duration::from_secs(5);
