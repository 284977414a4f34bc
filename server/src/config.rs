//! What the operator sets: flags, then `IIRS_…` variables, then the TOML file, then defaults.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing_subscriber::filter::Targets;
use wire::control::{ROUND_MS_MAX, ROUND_MS_MIN};
use wire::size::{SLOTS_DEFAULT, SLOTS_MAX, SLOTS_MIN};

/// Longest configuration file, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Most seats that a server can be set to.
pub const SEATS_MAX: u32 = 100_000;

/// Most accounts of one address in an hour that a server can be set to.
pub const REGISTRATIONS_MAX: u32 = 1_000_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Everything that can be set, in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Directory of everything that the server keeps.
    pub data_dir: PathBuf,
    /// UDP address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host and port that the link carries; `None` for the bound address.
    pub public: Option<Public>,
    /// Length of a round in milliseconds, 100 to 10,000.
    pub round_ms: u32,
    /// Slots of a deposit, 1 to 8.
    pub slots: u8,
    /// Seats in a round, at most [`SEATS_MAX`].
    pub seats_max: u32,
    /// Accounts that one address may register in an hour, 1 to [`REGISTRATIONS_MAX`].
    pub registrations_per_hour: u32,
    /// Who may register.
    pub registration: Registration,
    /// Days that a session token lives, 1 to 365.
    pub token_days: u32,
    /// Milliseconds from connecting to the end of sign-in, 1,000 to 120,000.
    pub sign_in_ms: u32,
    /// What is logged, as a level or a filter of `tracing`.
    pub log: String,
    /// How a line of the log is written.
    pub log_format: LogFormat,
    /// Loopback TCP address that tells how the server is; `None` for none.
    pub metrics: Option<SocketAddr>,
}

/// Layer of settings; what is missing comes from the layer below.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Directory of everything that the server keeps [default: iirs-data]
    #[arg(long, value_name = "DIR", env = "IIRS_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// UDP address to listen on; port 0 takes a free one [default: 0.0.0.0:4433]
    #[arg(long, value_name = "ADDR", env = "IIRS_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Host and port that clients reach the server at, for the link [default: the bound address]
    #[arg(long, value_name = "HOST:PORT", env = "IIRS_PUBLIC")]
    pub public: Option<Public>,
    /// Length of a round in milliseconds, 100 to 10000 [default: 2000]
    #[arg(long, value_name = "MS", env = "IIRS_ROUND_MS")]
    pub round_ms: Option<u32>,
    /// Conversations that a client can serve in one round, 1 to 8 [default: 2]
    #[arg(long, value_name = "N", env = "IIRS_SLOTS")]
    pub slots: Option<u8>,
    /// Most clients at once, 1 to 100000 [default: 4096]
    #[arg(long, value_name = "N", env = "IIRS_SEATS_MAX")]
    pub seats_max: Option<u32>,
    /// Accounts that one address may register in an hour, 1 to 1000000 [default: 64]
    #[arg(long, value_name = "N", env = "IIRS_REGISTRATIONS_PER_HOUR")]
    pub registrations_per_hour: Option<u32>,
    /// Who may register: everybody, who has a code of `iirs-server invite`, or nobody [default: open]
    #[arg(long, value_name = "WHO", env = "IIRS_REGISTRATION")]
    pub registration: Option<Registration>,
    /// Days after which a client needs the password again, 1 to 365 [default: 30]
    #[arg(long, value_name = "DAYS", env = "IIRS_TOKEN_DAYS")]
    pub token_days: Option<u32>,
    /// Milliseconds that a client has to sign in, 1000 to 120000 [default: 10000]
    #[arg(long, value_name = "MS", env = "IIRS_SIGN_IN_MS")]
    pub sign_in_ms: Option<u32>,
    /// What is logged: error, warn, info, debug, or a tracing filter [default: info]
    #[arg(long, value_name = "FILTER", env = "IIRS_LOG")]
    pub log: Option<String>,
    /// How a line of the log is written [default: text]
    #[arg(long, value_name = "FORMAT", env = "IIRS_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// TCP address for /metrics, /healthz and /readyz over HTTP, of this machine only; port 0 takes a free one [default: none]
    #[arg(long, value_name = "ADDR", env = "IIRS_METRICS")]
    pub metrics: Option<SocketAddr>,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; give an existing file with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is far too long to be a configuration.
    #[error("{} is longer than {FILE_BYTES_MAX} bytes; give a configuration file", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file has an unknown key or a malformed value; the message names the line.
    #[error("{}: {message}\nsee `iirs-server config default` for all keys", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        message: String,
    },
    /// A number is out of its range.
    #[error("{key} is {found}; set it to a number from {least} to {most}")]
    Range {
        /// The setting.
        key: &'static str,
        /// What it is.
        found: u64,
        /// The least that it can be.
        least: u64,
        /// The most that it can be.
        most: u64,
    },
    /// The log filter is none.
    #[error("log is {0:?}; set it to error, warn, info, debug, or a filter of tracing")]
    Log(String),
    /// Others than this machine could ask how the server is.
    #[error(
        "metrics is {0}, which other machines may reach; set it to a loopback address like 127.0.0.1:9464, and \
         let a proxy of yours with a password pass on what others may see"
    )]
    Metrics(SocketAddr),
}

impl Config {
    /// Returns the defaults with a data directory and an address to listen on, for servers inside of
    /// another process.
    pub fn new(data_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen,
            public: None,
            round_ms: 2000,
            slots: SLOTS_DEFAULT,
            seats_max: 4096,
            registrations_per_hour: 64,
            registration: Registration::Open,
            token_days: 30,
            sign_in_ms: 10_000,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            metrics: None,
        }
    }

    /// Puts `flags` (which hold the environment already) over the file, and both over the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] for an unreadable file, an unknown key, or a value out of range.
    pub fn load(flags: &Settings, file: Option<&Path>) -> Result<Self, ConfigError> {
        let below = file.map_or_else(|| Ok(Settings::default()), Settings::read)?;
        Self::of(flags.clone().over(below))
    }

    /// Returns the length of a round.
    pub fn round(&self) -> Duration {
        Duration::from_millis(self.round_ms.into())
    }

    /// Returns how long a session token lives, in milliseconds.
    pub fn token_ms(&self) -> u64 {
        u64::from(self.token_days) * DAY_MS
    }

    /// Returns host and port of the link for a server that listens on `bound`.
    ///
    /// An unspecified address reaches this machine only, so the link says so.
    pub fn public_for(&self, bound: SocketAddr) -> Public {
        let ip = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let bound = Public { host: ip.to_string(), port: bound.port() };
        self.public.clone().unwrap_or(bound)
    }

    /// Returns the keys whose values differ in `new` and cannot change while the server runs.
    pub fn fixed_keys_changed(&self, new: &Self) -> Vec<&'static str> {
        let changed = [
            ("data_dir", self.data_dir != new.data_dir),
            ("listen", self.listen != new.listen),
            ("public", self.public != new.public),
            ("round_ms", self.round_ms != new.round_ms),
            ("slots", self.slots != new.slots),
            ("log_format", self.log_format != new.log_format),
            ("metrics", self.metrics != new.metrics),
        ];
        changed.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
    }

    fn of(settings: Settings) -> Result<Self, ConfigError> {
        let defaults = Self::new("iirs-data", (Ipv4Addr::UNSPECIFIED, 4433).into());
        let config = Self {
            data_dir: settings.data_dir.unwrap_or(defaults.data_dir),
            listen: settings.listen.unwrap_or(defaults.listen),
            public: settings.public,
            round_ms: settings.round_ms.unwrap_or(defaults.round_ms),
            slots: settings.slots.unwrap_or(defaults.slots),
            seats_max: settings.seats_max.unwrap_or(defaults.seats_max),
            registrations_per_hour: settings
                .registrations_per_hour
                .unwrap_or(defaults.registrations_per_hour),
            registration: settings.registration.unwrap_or(defaults.registration),
            token_days: settings.token_days.unwrap_or(defaults.token_days),
            sign_in_ms: settings.sign_in_ms.unwrap_or(defaults.sign_in_ms),
            log: settings.log.unwrap_or(defaults.log),
            log_format: settings.log_format.unwrap_or(defaults.log_format),
            metrics: settings.metrics,
        };
        config.check()?;
        Ok(config)
    }

    /// Checks every value's range.
    ///
    /// # Errors
    /// [`ConfigError`] for the first one that is out of it.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("round_ms", self.round_ms.into(), ROUND_MS_MIN.into(), ROUND_MS_MAX.into())?;
        within("slots", self.slots.into(), SLOTS_MIN.into(), SLOTS_MAX.into())?;
        within("seats_max", self.seats_max.into(), 1, SEATS_MAX.into())?;
        let registrations = self.registrations_per_hour.into();
        within("registrations_per_hour", registrations, 1, REGISTRATIONS_MAX.into())?;
        within("token_days", self.token_days.into(), 1, 365)?;
        within("sign_in_ms", self.sign_in_ms.into(), 1000, 120_000)?;
        if self.log.parse::<Targets>().is_err() {
            return Err(ConfigError::Log(self.log.clone()));
        }
        match self.metrics.filter(|address| !address.ip().is_loopback()) {
            Some(address) => Err(ConfigError::Metrics(address)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Config {
    /// Writes the configuration as a TOML file that explains itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        writeln!(f, "# Directory of everything that the server keeps.")?;
        writeln!(f, "data_dir = {}", quoted(&self.data_dir.to_string_lossy()))?;
        writeln!(f, "# UDP address to listen on; port 0 takes a free one.")?;
        writeln!(f, "listen = {}", quoted(&self.listen.to_string()))?;
        writeln!(f, "# Host and port that clients reach the server at; they stand in the link.")?;
        match &self.public {
            Some(public) => writeln!(f, "public = {}", quoted(&public.to_string()))?,
            None => writeln!(f, "# public = \"chat.example.org:4433\"")?,
        }
        writeln!(f, "# Length of a round in milliseconds, 100 to 10000.")?;
        writeln!(f, "round_ms = {}", self.round_ms)?;
        writeln!(f, "# Conversations that a client can serve in one round, 1 to 8.")?;
        writeln!(f, "slots = {}", self.slots)?;
        writeln!(f, "# Most clients at once, 1 to {SEATS_MAX}. Can change while the server runs.")?;
        writeln!(f, "seats_max = {}", self.seats_max)?;
        writeln!(f, "# Accounts that one address may register in an hour. Can change, too.")?;
        writeln!(f, "registrations_per_hour = {}", self.registrations_per_hour)?;
        writeln!(f, "# Who may register: open (everybody), invite (who has a code of")?;
        writeln!(f, "# `iirs-server invite`) or closed (nobody). Can change, too.")?;
        writeln!(f, "registration = {}", quoted(&self.registration.to_string()))?;
        writeln!(f, "# Days after which a client needs the password again. Can change, too.")?;
        writeln!(f, "token_days = {}", self.token_days)?;
        writeln!(f, "# Milliseconds that a client has to sign in. Can change, too.")?;
        writeln!(f, "sign_in_ms = {}", self.sign_in_ms)?;
        writeln!(f, "# What is logged: error, warn, info, debug. Can change, too.")?;
        writeln!(f, "log = {}", quoted(&self.log))?;
        writeln!(f, "# How a line of the log is written: text or json.")?;
        writeln!(f, "log_format = {}", quoted(&self.log_format.to_string()))?;
        writeln!(f, "# TCP address of this machine for /metrics, /healthz and /readyz.")?;
        match self.metrics {
            Some(metrics) => writeln!(f, "metrics = {}", quoted(&metrics.to_string())),
            None => writeln!(f, "# metrics = \"127.0.0.1:9464\""),
        }
    }
}

impl Settings {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unread = |source| ConfigError::Read { path: path.into(), source };
        if std::fs::metadata(path).map_err(unread)?.len() > FILE_BYTES_MAX {
            return Err(ConfigError::TooLong { path: path.into() });
        }
        let text = std::fs::read_to_string(path).map_err(unread)?;
        toml::from_str(&text).map_err(|error| ConfigError::File {
            path: path.into(),
            message: error.to_string().trim_end().to_owned(),
        })
    }

    /// Lays these settings over others.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(below.data_dir),
            listen: self.listen.or(below.listen),
            public: self.public.or(below.public),
            round_ms: self.round_ms.or(below.round_ms),
            slots: self.slots.or(below.slots),
            seats_max: self.seats_max.or(below.seats_max),
            registrations_per_hour: self.registrations_per_hour.or(below.registrations_per_hour),
            registration: self.registration.or(below.registration),
            token_days: self.token_days.or(below.token_days),
            sign_in_ms: self.sign_in_ms.or(below.sign_in_ms),
            log: self.log.or(below.log),
            log_format: self.log_format.or(below.log_format),
            metrics: self.metrics.or(below.metrics),
        }
    }
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// Everybody.
    Open,
    /// Who has an invitation code that was not used.
    Invite,
    /// Nobody.
    Closed,
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::Closed => "closed",
        })
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// A line that people read; for the journal without what that adds itself.
    Text,
    /// A JSON object a line.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Host and port that clients reach the server at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Public {
    /// DNS name or IP address, an IPv6 address without brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

/// The text is not a host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("write it as HOST:PORT, for example chat.example.org:4433 or [2001:db8::1]:4433")]
pub struct NotPublic;

impl FromStr for Public {
    type Err = NotPublic;

    fn from_str(text: &str) -> Result<Self, NotPublic> {
        let (host, port) = text.rsplit_once(':').ok_or(NotPublic)?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = bracketed.unwrap_or(host).to_owned();
        let port = port.parse().ok().filter(|&port| port != 0).ok_or(NotPublic)?;
        // The link's own rules decide what a host is.
        let link = wire::link::Link { host, port, pin: wire::link::Pin([0; 32]) };
        match link.to_string().parse::<wire::link::Link>() {
            Ok(read) if read == link => Ok(Self { host: link.host, port }),
            Ok(_) | Err(_) => Err(NotPublic),
        }
    }
}

impl TryFrom<String> for Public {
    type Error = NotPublic;

    fn try_from(text: String) -> Result<Self, NotPublic> {
        text.parse()
    }
}

impl fmt::Display for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn within(key: &'static str, found: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(ConfigError::Range { key, found, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn loaded(flags: Settings, text: &str) -> Result<Config, ConfigError> {
        Config::load(&flags, Some(file(text).path()))
    }

    #[test]
    fn flags_beat_the_file_and_the_file_beats_defaults() {
        let flags = Settings { slots: Some(3), ..Settings::default() };
        let config = loaded(flags, "slots = 4\nround_ms = 500\n").unwrap();
        assert_eq!((config.slots, config.round_ms, config.token_days), (3, 500, 30));
    }

    #[test]
    fn who_may_register_is_one_of_three_words() {
        let all = [
            ("open", Registration::Open),
            ("invite", Registration::Invite),
            ("closed", Registration::Closed),
        ];
        for (word, registration) in all {
            let text = format!("registration = \"{word}\"");
            let config = loaded(Settings::default(), &text).unwrap();
            assert_eq!(
                (config.registration, registration.to_string().as_str()),
                (registration, word)
            );
            assert_eq!(loaded(Settings::default(), &config.to_string()).unwrap(), config);
        }
        let message =
            loaded(Settings::default(), "registration = \"opne\"").unwrap_err().to_string();
        assert!(message.contains("`open`, `invite`"), "{message}");
    }

    #[test]
    fn an_unknown_key_and_a_malformed_value_name_their_line() {
        for text in ["slots = 2\nruond_ms = 5\n", "slots = 2\nlisten = \"x\"\n", "slots = 2\n]"] {
            let message = loaded(Settings::default(), text).unwrap_err().to_string();
            assert!(message.contains("line 2"), "{message}");
            assert!(message.contains("config default"), "{message}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        for text in [
            "round_ms = 99",
            "round_ms = 10001",
            "slots = 9",
            "slots = 0",
            "seats_max = 0",
            "token_days = 0",
        ] {
            let error = loaded(Settings::default(), text).unwrap_err();
            assert!(matches!(error, ConfigError::Range { .. }), "{text}: {error}");
        }
        assert!(matches!(loaded(Settings::default(), "log = \"a=b=c\""), Err(ConfigError::Log(_))));
    }

    #[test]
    fn what_the_program_prints_is_a_file_that_says_the_same() {
        let defaults = loaded(Settings::default(), "").unwrap();
        assert_eq!(loaded(Settings::default(), &defaults.to_string()).unwrap(), defaults);
        let public = Some("[::1]:9".parse().unwrap());
        let data_dir = "a \"quoted\" \\ directory".into();
        let other = Config { public, data_dir, ..defaults };
        assert_eq!(loaded(Settings::default(), &other.to_string()).unwrap(), other);
    }

    #[test]
    fn how_the_server_is_is_told_to_this_machine_only() {
        for address in ["127.0.0.1:9464", "127.8.9.1:0", "[::1]:9464"] {
            let config = loaded(Settings::default(), &format!("metrics = \"{address}\"")).unwrap();
            assert_eq!(config.metrics.unwrap().to_string(), address);
            assert_eq!(loaded(Settings::default(), &config.to_string()).unwrap(), config);
        }
        for address in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:1", "[::ffff:10.0.0.1]:1"] {
            let refused = loaded(Settings::default(), &format!("metrics = \"{address}\""));
            assert!(matches!(refused, Err(ConfigError::Metrics(_))), "{address}");
        }
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let missing = Config::load(&Settings::default(), Some(Path::new("/nonexistent/iirs.toml")));
        assert!(matches!(missing, Err(ConfigError::Read { .. })));
    }

    #[test]
    fn the_public_address_is_a_host_and_a_port() {
        for text in ["a.example:1", "[::1]:4433", "127.0.0.1:65535"] {
            assert_eq!(text.parse::<Public>().unwrap().to_string(), text);
        }
        for text in ["", "a", "a:", "a:0", "a:65536", ":1", "a b:1", "a/b:1", "a:b:1"] {
            assert_eq!(text.parse::<Public>(), Err(NotPublic), "{text}");
        }
    }

    #[test]
    fn the_link_of_an_unspecified_address_leads_to_this_machine() {
        let config = Config::new("d", "0.0.0.0:1".parse().unwrap());
        assert_eq!(config.public_for("0.0.0.0:7".parse().unwrap()).to_string(), "127.0.0.1:7");
        assert_eq!(config.public_for("[::]:7".parse().unwrap()).to_string(), "[::1]:7");
        assert_eq!(config.public_for("192.0.2.1:7".parse().unwrap()).to_string(), "192.0.2.1:7");
    }
}
