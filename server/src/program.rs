//! The program `iirs-server`: arguments, what they ask for, and exit codes.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use rustix::process::{Resource, getrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;

use crate::admin::{self, AdminError, Answer, Request, Status, USERS_MAX, User};
use crate::config::{Config, Registration, Settings};
use crate::run::{Running, Server, link_of};
use crate::service::{self, Watchdog};
use crate::store::SledStore;
use crate::{logging, manual, upkeep};

/// Files that the server may need open at once.
pub const OPEN_FILES_MIN: u64 = 64;

/// Server of iirs, a private chat for a group that runs its own server.
#[derive(Parser)]
#[command(name = "iirs-server", version = env!("IIRS_VERSION"), arg_required_else_help = true)]
#[command(after_help = "Examples:
  iirs-server run --data-dir /var/lib/iirs --public chat.example.org:4433
  iirs-server link --data-dir /var/lib/iirs      what to give to the people of the group
  iirs-server invite --count 5 --days 7          codes for five people, with `--registration invite`
  iirs-server backup iirs-2026-11-28.backup --data-dir /var/lib/iirs
  iirs-server config default > iirs.toml         a configuration file that explains itself

Flags beat IIRS_… variables, these beat the file of --config, and that beats defaults.
Exit codes: 0 done, 1 failed, 2 wrong use.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C; makes all it needs in an empty data directory
    #[command(after_help = "Prints `listening ADDRESS` and `link iirs://…` once it serves; \
        logs go to standard error.\n\
        SIGTERM and SIGINT finish the round and stop; SIGHUP reads the configuration again (log, \
        seats_max, registrations_per_hour, registration, token_days and sign_in_ms change at once, the rest at the \
        next start).")]
    Run(Common),
    /// Print the link that clients take
    #[command(
        after_help = "Works while the server runs and when it does not. The link carries the \
        server's identity: hand it out over a way that you trust."
    )]
    Link(Common),
    /// Make invitation codes, for a server whose registration is `invite`
    #[command(
        after_help = "Prints the codes, one a line; what to do with them goes to standard error. Each is good \
        for one registration. The server must be running; it keeps no code, so print them again you cannot."
    )]
    Invite {
        #[command(flatten)]
        common: Common,
        /// How many codes, 1 to 1000
        #[arg(long, value_name = "N", default_value_t = 1)]
        count: u32,
        /// Days until the codes end, 1 to 365
        #[arg(long, value_name = "D", default_value_t = 7)]
        days: u32,
    },
    /// List accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Print or check a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write everything that the server keeps to one file, while it runs or not
    #[command(
        after_help = "The file is written as FILE.part, synced, read again, and then named; one that is there is never \
        written over. The rounds go on meanwhile. It is the store as it was at one moment near the end.\n\
        It holds the server's keys and everybody's sealed keys: keep it as safe as the data directory.\n\
        The configuration is not in it."
    )]
    Backup {
        /// The file, which is not there yet
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Put a backup into an empty data directory
    #[command(
        after_help = "The data directory must be empty or not there. The backup is read to its end and its checksum \
        compared before anything is made; the store is made under another name, checked, synced and put in place last.\n\
        What came after the backup is gone: clients say so to their people. Numbers of rounds go on three hours \
        ahead of the clock, so that none comes twice."
    )]
    Restore {
        /// The backup
        file: PathBuf,
        /// A round that the server is known to have opened, if it was killed hundreds of times within hours or its clock
        /// was set back
        #[arg(long, value_name = "N", default_value_t = 0)]
        after_round: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Verify every record, of a stopped server or of a backup, and say what is wrong
    #[command(
        after_help = "Without FILE it checks the data directory, on which no server may run: every record by \
        itself, names, accounts, directory, tokens, vaults and invites against each other, the chain of the directory and its \
        signatures. With FILE it does so with a backup, in a temporary directory as large as that ($TMPDIR).\n\
        Exit code 0 if nothing is wrong, 1 otherwise."
    )]
    Check {
        /// A backup
        file: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Bring the data directory of an older release up to this one; `run` does it by itself
    #[command(
        after_help = "Releases of before cannot read the data directory afterwards: copy it first. With --dry-run a copy in \
        the temporary directory ($TMPDIR) is brought up and checked, and nothing is changed. No server may run."
    )]
    Migrate {
        /// Only say what would be done, and whether the store is damaged
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Print how the running server is; exit code 1 if none is running
    Status {
        #[command(flatten)]
        common: Common,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Write man pages of this program and its commands into a directory
    Man {
        /// The directory; made if it is not there
        dir: PathBuf,
    },
    /// Print completions for a shell
    #[command(after_help = "For bash, in this shell: source <(iirs-server completions bash)")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Print every account: place in the directory, name, day of registration, state; deleted ones are left out
    List(Common),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print a configuration file with all keys at their defaults
    Default,
    /// Check a file; print the configuration that it leads to, environment included
    Check {
        /// The file
        file: PathBuf,
    },
}

#[derive(Args)]
struct Common {
    /// TOML file with the settings below
    #[arg(long, value_name = "FILE", env = "IIRS_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Common {
    fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.settings, self.config.as_deref())?)
    }
}

/// Runs the program with the process's arguments: 0 done, 1 failed, 2 wrong use.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be said if standard error is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match execute(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::last_words(&explained(&error));
            ExitCode::FAILURE
        }
    }
}

/// Joins an error and its causes, but for those whose text the error has already.
fn explained(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        if text.contains(&cause) {
            return text;
        }
        if text.is_empty() { cause } else { format!("{text}: {cause}") }
    })
}

fn execute(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Run(common) => run(common),
        Command::Link(common) => print(&format!("{}\n", link(&common.load()?)?)),
        Command::Invite { common, count, days } => invite(&common.load()?, *count, *days),
        Command::User(UserCommand::List(common)) => list_users(&common.load()?),
        Command::Config(ConfigCommand::Default) => {
            print(&Config::load(&Settings::default(), None)?.to_string())
        }
        Command::Config(ConfigCommand::Check { file }) => {
            // The environment is taken in where there are no flags.
            let common = Cli::try_parse_from(["iirs-server", "link"])?.command;
            let Command::Link(common) = common else { unreachable!("`link` was parsed") };
            print(&Config::load(&common.settings, Some(file))?.to_string())
        }
        Command::Backup { file, common } => upkeep::backup(&common.load()?, file),
        Command::Restore { file, after_round, common } => {
            upkeep::restore(&common.load()?, file, *after_round)
        }
        Command::Check { file, common } => upkeep::check(&common.load()?, file.as_deref()),
        Command::Migrate { dry_run, common } => upkeep::migrate(&common.load()?, *dry_run),
        Command::Status { common, json } => status(&common.load()?, *json),
        Command::Man { dir } => Ok(manual::write(Cli::command(), dir)?),
        Command::Completions { shell } => print(&manual::completions(Cli::command(), *shell)),
    }
}

/// Fails where so few files may be open that some part could not start, and would not say why.
fn enough_open_files() -> anyhow::Result<()> {
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < OPEN_FILES_MIN => anyhow::bail!(
            "this process may have {most} files open, and needs {OPEN_FILES_MIN}: raise the limit (ulimit -n {OPEN_FILES_MIN}) \
             and start again"
        ),
        Some(_) | None => Ok(()),
    }
}

fn run(common: &Common) -> anyhow::Result<()> {
    let config = common.load()?;
    enough_open_files()?;
    let filter = logging::begin(config.log.parse()?, config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start threads; raise the limit of processes")?;
    let outcome = runtime.block_on(serve(common, config, &filter));
    runtime.shutdown_background();
    outcome
}

async fn serve(common: &Common, config: Config, filter: &logging::Filter) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut running = Server::start(config).await?;
    print(&format!("listening {}\nlink {}\n", running.local_addr, running.link))?;
    let mut watchdog = Watchdog::new();
    service::ready();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                service::reloading();
                reload(common, &mut running, filter);
                service::ready();
            }
            () = watchdog.due() => watchdog.tell(&running.health),
            error = running.failed() => {
                running.abandon().await;
                return Err(error.into());
            }
        }
    }
    service::stopping();
    tracing::info!("stopping: the round is finished first");
    running.stop().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Reads the configuration again; one with an error changes nothing.
fn reload(common: &Common, running: &mut Running, filter: &logging::Filter) {
    let config = match common.load() {
        Ok(config) => config,
        Err(error) => {
            return tracing::error!("the configuration stays as it is: {}", explained(&error));
        }
    };
    let reloaded = match config.log.parse::<Targets>() {
        Ok(targets) => filter.reload(targets).map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = reloaded {
        tracing::error!("the log level stays as it is: {error}");
    }
    let waiting = running.reload(config);
    if waiting.is_empty() {
        tracing::info!("the configuration was read again");
    } else {
        let keys = waiting.join(", ");
        tracing::warn!("the configuration was read again; restart the server to change {keys}");
    }
}

fn link(config: &Config) -> anyhow::Result<String> {
    match admin::ask(&config.data_dir, Request::Link {}) {
        Ok(Answer::Link { link }) => Ok(link),
        Ok(_) => Err(AdminError::Answer.into()),
        Err(AdminError::NotRunning(_)) => {
            let store = SledStore::open_existing(&config.data_dir)?;
            if config.public.is_none() && config.listen.port() == 0 {
                anyhow::bail!("the port is chosen at each start; give --public HOST:PORT");
            }
            Ok(link_of(&store, config)?.to_string())
        }
        Err(error) => Err(error.into()),
    }
}

fn invite(config: &Config, count: u32, days: u32) -> anyhow::Result<()> {
    let answer = admin::ask(&config.data_dir, Request::Invite { count, days })?;
    let Answer::Invites { codes, registration } = answer else {
        return Err(AdminError::Answer.into());
    };
    print(&codes.iter().map(|code| format!("{code}\n")).collect::<String>())?;
    let ends = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    eprintln!(
        "Give each person one code beside the link, over a way that you trust. A code is good for one \
         registration, within {ends}."
    );
    match registration {
        Registration::Invite => (),
        Registration::Open => eprintln!(
            "This server asks for no code yet: set registration = \"invite\" in its configuration and reload it \
             (SIGHUP)."
        ),
        Registration::Closed => eprintln!(
            "This server takes no registrations: set registration = \"invite\" in its configuration and reload it \
             (SIGHUP)."
        ),
    }
    Ok(())
}

fn list_users(config: &Config) -> anyhow::Result<()> {
    let mut store = None;
    let mut from = 0;
    loop {
        let users = match (&store, admin_users(config, from)) {
            (Some(store), _) => admin::users(store, from)?,
            (None, Ok(users)) => users,
            (None, Err(AdminError::NotRunning(_))) => {
                store = Some(SledStore::open_existing(&config.data_dir)?);
                continue;
            }
            (None, Err(error)) => return Err(error.into()),
        };
        let lines = users.iter().map(user_line);
        print(&lines.collect::<String>())?;
        match users.last() {
            Some(last) if users.len() == USERS_MAX as usize => from = last.index + 1,
            Some(_) | None => return Ok(()),
        }
    }
}

fn admin_users(config: &Config, from: u32) -> Result<Vec<User>, AdminError> {
    match admin::ask(&config.data_dir, Request::Users { from })? {
        Answer::Users { users } => Ok(users),
        Answer::Status(_)
        | Answer::Link { .. }
        | Answer::Invites { .. }
        | Answer::Backup {}
        | Answer::Error { .. } => Err(AdminError::Answer),
    }
}

fn user_line(user: &User) -> String {
    let state = if user.disabled { "disabled" } else { "active" };
    let day = day_of(user.created_ms);
    format!("{:>7}  {:<32}  {day}  {state}\n", user.index, user.name)
}

/// Returns the UTC date of a time, as `YYYY-MM-DD` (civil-from-days, Howard Hinnant).
pub(crate) fn day_of(unix_ms: u64) -> String {
    let days = unix_ms / 86_400_000 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + 400 * era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn status(config: &Config, json: bool) -> anyhow::Result<()> {
    let Answer::Status(status) = admin::ask(&config.data_dir, Request::Status {})? else {
        return Err(AdminError::Answer.into());
    };
    if json {
        return print(&format!("{}\n", serde_json::to_string(&status)?));
    }
    let Status { version, uptime_s, round, round_ms, seats, connections, accounts, .. } = &status;
    let Status { rounds, deposits, missing, late, tampered, lagging, registration, .. } = &status;
    let up = format!(
        "{}d {:02}:{:02}:{:02}",
        uptime_s / 86_400,
        uptime_s / 3600 % 24,
        uptime_s / 60 % 60,
        uptime_s % 60
    );
    print(&format!(
        "version      {version}\n\
         uptime       {up}\n\
         round        {round} (every {round_ms} ms)\n\
         seats        {seats}\n\
         connections  {connections}\n\
         accounts     {accounts}\n\
         registration {registration}\n\
         since start  {rounds} rounds\n\
         \x20            {deposits} deposits\n\
         \x20            {missing} missing\n\
         \x20            {late} late\n\
         \x20            {tampered} slots tampered with\n\
         \x20            {lagging} clients closed for lagging\n"
    ))
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot print")
}
