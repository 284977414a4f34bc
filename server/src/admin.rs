//! Admin commands: a Unix socket in the data directory, owner only. One JSON line asks, one answers.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::OsRng;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use wire::account::Invite;
use wire::ids::AccountIndex;
use wire::link::Link;

use crate::clock;
use crate::config::Registration;
use crate::driver::Rounds;
use crate::session::Hub;
use crate::store::{AccountSummary, BackupError, BackupInfo, SledStore, Store, StoreError};

/// Name of the socket in the data directory.
pub const SOCKET: &str = "admin.sock";

/// Longest request, in bytes.
pub const REQUEST_BYTES_MAX: u64 = 4096;

/// Longest answer that a command reads, in bytes.
pub const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Accounts in one answer.
pub const USERS_MAX: u32 = 1000;

/// Invitation codes in one answer.
pub const INVITES_PER_COMMAND_MAX: u32 = 1000;

/// Longest life of an invitation code, in days.
pub const INVITE_DAYS_MAX: u32 = 365;

/// Commands served at once.
pub const COMMANDS_MAX: usize = 8;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How long either side waits for the other.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long either side of a backup waits for the other: a disk may be busy.
pub const BACKUP_PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a backup that go over the socket at once.
const BACKUP_CHUNK_BYTES: usize = 256 << 10;

/// What a command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the server is.
    Status {},
    /// The link.
    Link {},
    /// Accounts in directory order, at most [`USERS_MAX`].
    Users {
        /// First directory index wanted.
        from: u32,
    },
    /// A backup: after the line of the answer its bytes follow, to the end of the stream.
    Backup {},
    /// New invitation codes.
    Invite {
        /// How many, 1 to [`INVITES_PER_COMMAND_MAX`].
        count: u32,
        /// Days until they end, 1 to [`INVITE_DAYS_MAX`].
        days: u32,
    },
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Answer {
    /// How the server is.
    Status(Status),
    /// The link.
    Link {
        /// As clients take it.
        link: String,
    },
    /// Some accounts.
    Users {
        /// The accounts.
        users: Vec<User>,
    },
    /// New invitation codes, of which the server keeps digests only.
    Invites {
        /// The codes, as people type them.
        codes: Vec<String>,
        /// Who may register at this server.
        registration: Registration,
    },
    /// A backup follows.
    Backup {},
    /// The request was not understood or not done.
    Error {
        /// Why, and what to do.
        text: String,
    },
}

/// How the server is: counts that name nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Round that is open.
    pub round: u64,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
    /// Clients in the rounds.
    pub seats: u64,
    /// Connections, signed in or not.
    pub connections: u64,
    /// Accounts, without deleted ones.
    pub accounts: u32,
    /// Who may register.
    pub registration: Registration,
    /// Rounds answered since the start.
    pub rounds: u64,
    /// Deposits that came in time.
    pub deposits: u64,
    /// Deposits that did not.
    pub missing: u64,
    /// Deposits that came after their round.
    pub late: u64,
    /// Deposit slots that were tampered with.
    pub tampered: u64,
    /// Clients that did not keep up.
    pub lagging: u64,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Place in the directory.
    pub index: u32,
    /// Name.
    pub name: String,
    /// When it was registered, in Unix milliseconds.
    pub created_ms: u64,
    /// Whether it is disabled.
    pub disabled: bool,
}

/// Why a command got no answer.
#[derive(Debug, Error)]
pub enum AdminError {
    /// No server runs on the data directory.
    #[error("no server is running on {}; start it with `iirs-server run`", .0.display())]
    NotRunning(PathBuf),
    /// The socket failed.
    #[error("cannot talk to the server on {}: {source}; try again", path.display())]
    Io {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The answer was none.
    #[error("the server's answer was not understood; use the program that the server runs")]
    Answer,
    /// The server did not do it.
    #[error("the server says: {0}")]
    Refused(String),
}

impl AdminError {
    fn of(data_dir: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Self::NotRunning(data_dir.into())
            }
            _ => Self::Io { path: data_dir.into(), source },
        }
    }
}

/// What admin commands may see.
pub struct Office {
    /// The store.
    pub store: Arc<SledStore>,
    /// What the sessions share.
    pub hub: Arc<Hub>,
    /// The rounds.
    pub rounds: Rounds,
    /// The socket of the clients.
    pub endpoint: crate::quic::Endpoint,
    /// The link.
    pub link: Link,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
    /// When the process started.
    pub started: Instant,
}

/// Binds the socket, in place of one that a killed server left. The caller holds the data directory's
/// lock.
///
/// # Errors
/// What the system said.
pub fn bind(data_dir: &Path) -> io::Result<UnixListener> {
    let listener = at_socket(data_dir, |path| {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => (),
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    })?;
    Ok(listener)
}

/// Serves commands until `stop` says true or its sender is gone.
pub async fn serve(listener: UnixListener, office: Arc<Office>, mut stop: watch::Receiver<bool>) {
    let commands = Arc::new(Semaphore::new(COMMANDS_MAX));
    // Those that still run end with this set, and let go of the store.
    let mut running = JoinSet::new();
    loop {
        let room = commands.clone().acquire_owned().await.expect("nobody closes the semaphore");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = running.join_next() => continue,
            _ = stop.wait_for(|&stop| stop) => return,
        };
        // A failed accept is out of file descriptors at worst: the next one waits for a command to end.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let office = office.clone();
        let stop = stop.clone();
        running.spawn(async move {
            // A command that went away wants no answer.
            let answered = tokio::time::timeout(PATIENCE, command(stream, &office)).await;
            if let Ok(Ok(Some(stream))) = answered {
                // It was told by then what went wrong, if it still listens.
                let _ = tokio::task::spawn_blocking(move || back_up(&office.store, stream, &stop))
                    .await;
            }
            drop(room);
        });
    }
}

/// Answers a command; returns the stream if a backup is to follow on it.
async fn command(
    mut stream: UnixStream,
    office: &Arc<Office>,
) -> io::Result<Option<BlockingStream>> {
    let (reader, mut writer) = stream.split();
    let mut line = Vec::new();
    let mut reader = tokio::io::BufReader::new(reader.take(REQUEST_BYTES_MAX));
    reader.read_until(b'\n', &mut line).await?;
    let answer = match serde_json::from_slice(&line) {
        Ok(Request::Backup {}) => {
            let stream = stream.into_std()?;
            stream.set_nonblocking(false)?;
            return Ok(Some(stream));
        }
        Ok(request) => office.answer(request).await?,
        Err(error) => Answer::Error { text: format!("not a request: {error}") },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.shutdown().await?;
    Ok(None)
}

/// Writes a backup to a command, until it is done, the command goes away or the server stops.
fn back_up(
    store: &SledStore,
    stream: BlockingStream,
    stop: &watch::Receiver<bool>,
) -> Result<(), BackupError> {
    stream.set_write_timeout(Some(BACKUP_PATIENCE))?;
    let mut out = BufWriter::with_capacity(BACKUP_CHUNK_BYTES, stream);
    let backup = match store.begin_backup() {
        Ok(backup) => backup,
        Err(error) => {
            let line = serde_json::to_string(&Answer::Error { text: error.to_string() });
            out.write_all(format!("{}\n", line.map_err(io::Error::from)?).as_bytes())?;
            return Ok(out.flush()?);
        }
    };
    let line = serde_json::to_string(&Answer::Backup {}).map_err(io::Error::from)?;
    out.write_all(format!("{line}\n").as_bytes())?;
    tracing::info!("a backup begins");
    let written = backup.write(out, clock::unix_ms(), || !*stop.borrow());
    match &written {
        Ok(info) => {
            let BackupInfo { records, bytes, .. } = *info;
            tracing::info!(records, bytes, "the backup was handed over");
        }
        Err(error) => tracing::warn!("the backup was cut short: {error}"),
    }
    written.map(drop)
}

impl Office {
    async fn answer(self: &Arc<Self>, request: Request) -> io::Result<Answer> {
        Ok(match request {
            Request::Status {} => Answer::Status(self.status()),
            Request::Link {} => Answer::Link { link: self.link.to_string() },
            Request::Users { from } => {
                let office = self.clone();
                match tokio::task::spawn_blocking(move || users(&*office.store, from)).await? {
                    Ok(users) => Answer::Users { users },
                    Err(error) => Answer::Error { text: error.to_string() },
                }
            }
            Request::Invite { count, days } => self.invite(count, days).await,
            Request::Backup {} => unreachable!("a backup is answered on a thread of its own"),
        })
    }

    /// Draws invitation codes and keeps their digests.
    async fn invite(&self, count: u32, days: u32) -> Answer {
        if !(1..=INVITES_PER_COMMAND_MAX).contains(&count) || !(1..=INVITE_DAYS_MAX).contains(&days)
        {
            let text = format!(
                "ask for 1 to {INVITES_PER_COMMAND_MAX} codes that live for 1 to {INVITE_DAYS_MAX} days"
            );
            return Answer::Error { text };
        }
        let invites: Vec<_> = (0..count).map(|_| Invite::random(&mut OsRng)).collect();
        let now_ms = clock::unix_ms();
        let expires_ms = now_ms.saturating_add(u64::from(days) * DAY_MS);
        let digests = invites.iter().map(Invite::digest).collect();
        match self.store.add_invites(digests, expires_ms, now_ms).await {
            Ok(()) => Answer::Invites {
                codes: invites.iter().map(ToString::to_string).collect(),
                registration: self.hub.accounts.registration(),
            },
            Err(error) => Answer::Error { text: error.to_string() },
        }
    }

    /// Returns the time since the process began to serve.
    pub fn up(&self) -> Duration {
        clock::now().saturating_duration_since(self.started)
    }

    fn status(&self) -> Status {
        let (totals, round, seats) = self.rounds.state();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.up().as_secs(),
            round: round.0,
            round_ms: self.round_ms,
            seats: seats as u64,
            connections: self.endpoint.open_connections() as u64,
            accounts: self.store.account_count(),
            registration: self.hub.accounts.registration(),
            rounds: totals.rounds,
            deposits: totals.deposits,
            missing: totals.missing,
            late: totals.late,
            tampered: totals.tampered,
            lagging: totals.lagging,
        }
    }
}

/// Reads at most [`USERS_MAX`] accounts, without deleted ones.
///
/// # Errors
/// [`StoreError`].
pub fn users(store: &impl Store, from: u32) -> Result<Vec<User>, StoreError> {
    let accounts = store.accounts(AccountIndex(from), USERS_MAX as usize)?;
    let user = |AccountSummary { index, name, created_ms, disabled }| User {
        index: index.0,
        name: name.as_str().to_owned(),
        created_ms,
        disabled,
    };
    Ok(accounts.into_iter().map(user).collect())
}

/// Asks the server that runs on a data directory.
///
/// # Errors
/// [`AdminError`], [`AdminError::NotRunning`] if none does.
pub fn ask(data_dir: &Path, request: Request) -> Result<Answer, AdminError> {
    let failed = |source| AdminError::of(data_dir, source);
    let mut stream = at_socket(data_dir, |path| BlockingStream::connect(path)).map_err(failed)?;
    let line =
        exchange(&mut stream, request).and_then(|stream| line_of(&mut BufReader::new(stream)));
    answer_in(&line.map_err(failed)?)
}

/// Asks the server that runs on a data directory for a backup; returns where its bytes come.
///
/// # Errors
/// [`AdminError`], [`AdminError::NotRunning`] if none does.
pub fn ask_backup(data_dir: &Path) -> Result<impl Read + use<>, AdminError> {
    let failed = |source| AdminError::of(data_dir, source);
    let mut stream = at_socket(data_dir, |path| BlockingStream::connect(path)).map_err(failed)?;
    exchange(&mut stream, Request::Backup {}).map_err(failed)?;
    stream.set_read_timeout(Some(BACKUP_PATIENCE)).map_err(failed)?;
    let mut reader = BufReader::with_capacity(BACKUP_CHUNK_BYTES, stream);
    match answer_in(&line_of(&mut reader).map_err(failed)?)? {
        Answer::Backup {} => Ok(reader),
        Answer::Status(_)
        | Answer::Link { .. }
        | Answer::Users { .. }
        | Answer::Invites { .. }
        | Answer::Error { .. } => Err(AdminError::Answer),
    }
}

fn answer_in(line: &[u8]) -> Result<Answer, AdminError> {
    match serde_json::from_slice(line).map_err(|_| AdminError::Answer)? {
        Answer::Error { text } => Err(AdminError::Refused(text)),
        answer => Ok(answer),
    }
}

fn line_of(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn exchange(stream: &mut BlockingStream, request: Request) -> io::Result<&mut BlockingStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    Ok(stream)
}

/// Gives `act` a path to the socket. The path of a Unix socket has some 100 bytes at most, so a long
/// data directory is named by a descriptor of it.
fn at_socket<T>(data_dir: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = data_dir.join(SOCKET);
    if path.as_os_str().len() < SOCKET_PATH_BYTES_MAX {
        return act(&path);
    }
    let directory = std::fs::File::open(data_dir)?;
    act(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(SOCKET))
}

/// Shortest of what systems allow for the path of a Unix socket.
const SOCKET_PATH_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_json_lines_as_documented() {
        let users = serde_json::to_string(&Request::Users { from: 3 }).unwrap();
        assert_eq!(users, r#"{"do":"users","from":3}"#);
        assert_eq!(serde_json::to_string(&Request::Status {}).unwrap(), r#"{"do":"status"}"#);
        assert!(serde_json::from_str::<Request>(r#"{"do":"status","x":1}"#).is_err());
        assert!(serde_json::from_str::<Request>(r#"{"do":"stop"}"#).is_err());
        let invite = serde_json::to_string(&Request::Invite { count: 2, days: 7 }).unwrap();
        assert_eq!(invite, r#"{"do":"invite","count":2,"days":7}"#);
        let codes = vec!["c".to_owned()];
        let invites = Answer::Invites { codes, registration: Registration::Invite };
        let line = r#"{"is":"invites","codes":["c"],"registration":"invite"}"#;
        assert_eq!(serde_json::to_string(&invites).unwrap(), line);
        let link = Answer::Link { link: "l".to_owned() };
        assert_eq!(serde_json::to_string(&link).unwrap(), r#"{"is":"link","link":"l"}"#);
    }

    #[tokio::test]
    async fn a_socket_in_a_long_path_is_owner_only_and_replaces_a_dead_one() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("d".repeat(120));
        std::fs::create_dir(&long).unwrap();
        assert!(matches!(ask(&long, Request::Status {}), Err(AdminError::NotRunning(_))));
        drop(bind(&long).unwrap());
        assert!(matches!(ask(&long, Request::Status {}), Err(AdminError::NotRunning(_))));
        let _listener = bind(&long).unwrap();
        let mode = std::fs::metadata(long.join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
