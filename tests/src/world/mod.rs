//! A whole system inside of one test: a server on loopback with a real store, people who are real
//! engines, a raw client that says what it is told to, and a relay that sees and stops datagrams.
//!
//! Every wait is for an event and has [`DEADLINE`].

mod contacts;
pub mod hostile;
mod panics;
mod person;
mod raw;
mod relay;
mod talk;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use server::admin::{self, Answer, Request, Status};
use server::config::Config;
use server::{Running, Server};
use tempfile::TempDir;
use wire::link::Link;

pub use panics::{panics_of_the_server, watch_for_panics};
pub use person::{Person, Start};
pub use raw::{Heard, Raw, Seated};
pub use relay::{Datagram, Relay, Way};
pub use talk::Talk;

/// Length of a round, in milliseconds.
pub const ROUND_MS: u32 = 200;

/// The longest that anything is waited for; far longer than it takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Loopback, any port.
pub const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Waits, but not for ever.
///
/// # Panics
/// After [`DEADLINE`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}

/// A server with a directory of its own, and room for people's profiles.
pub struct World {
    dir: TempDir,
    config: Config,
    server: Option<Running>,
    link: Link,
}

impl World {
    /// Starts a server on an empty directory.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// Starts a server whose rounds are as short as they can be, for what takes many of them.
    pub async fn quick() -> Self {
        Self::with(|config| config.round_ms = 100).await
    }

    /// Starts a server on an empty directory with changed settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("the temporary directory can be written");
        let mut config =
            Config { round_ms: ROUND_MS, ..Config::new(dir.path().join("server"), LOCAL) };
        change(&mut config);
        let server = Server::start(config.clone()).await.expect("an empty directory serves");
        config.listen = server.local_addr;
        let link = server.link.clone();
        Self { dir, config, server: Some(server), link }
    }

    /// Returns the server's link.
    pub fn link(&self) -> Link {
        self.link.clone()
    }

    /// Returns the address that the server has, in each of its lives.
    pub fn address(&self) -> SocketAddr {
        self.config.listen
    }

    /// Returns the server's settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns a directory for somebody's profile.
    pub fn profile(&self, name: &str) -> PathBuf {
        self.dir.path().join("profiles").join(name)
    }

    /// Stops the server in order.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("the server runs");
        soon("the server's end", server.stop()).await.expect("the server ends well");
    }

    /// Starts the server again on the same directory and the same port.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "the server is stopped");
        let server = Server::start(self.config.clone()).await.expect("what was stopped starts");
        assert_eq!(server.link, self.link, "the identity is kept");
        self.server = Some(server);
    }

    /// Asks the server for its counts.
    pub async fn status(&self) -> Status {
        let data_dir = self.config.data_dir.clone();
        let asked = tokio::task::spawn_blocking(move || admin::ask(&data_dir, Request::Status {}));
        match soon("the server's status", asked).await.expect("asking does not panic") {
            Ok(Answer::Status(status)) => status,
            other => panic!("no status: {other:?}"),
        }
    }

    /// Waits until the server's counts are as wanted.
    pub async fn status_when(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let reached = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        };
        soon(what, reached).await
    }

    /// Describes how somebody begins, with the password and the profile that go with the name here.
    pub fn somebody(&self, name: &str) -> Start {
        Start {
            link: self.link(),
            name: name.to_owned(),
            password: format!("the password of {name}"),
            register: false,
            invite: None,
            profile: self.profile(name),
            early: false,
        }
    }

    /// Registers somebody and waits until they are in the rounds.
    pub async fn sign_up(&self, name: &str) -> Person {
        Person::begin(Start { register: true, ..self.somebody(name) }).await
    }

    /// Registers two people who open each other.
    pub async fn pair(&self, one: &str, other: &str) -> (Person, Person) {
        let (first, second) = tokio::join!(self.sign_up(one), self.sign_up(other));
        first.open(other).await;
        second.open(one).await;
        (first, second)
    }
}
