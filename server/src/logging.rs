//! The log on standard error: lines for people, for the journal of systemd, or for programs.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use anyhow::Context as _;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, reload};

use crate::config::LogFormat;

/// Changes what is logged.
pub type Filter = reload::Handle<Targets, Registry>;

/// Set where the log has begun.
static BEGUN: OnceLock<LogFormat> = OnceLock::new();

/// Begins the log.
///
/// # Errors
/// If it has begun before in this process.
pub fn begin(filter: Targets, format: LogFormat) -> anyhow::Result<Filter> {
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        LogFormat::Text if is_journal() => {
            let format = tracing_subscriber::fmt::format().without_time();
            lines.with_ansi(false).event_format(Prioritized(format)).boxed()
        }
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    subscriber.try_init().context("logging was set up already; report this")?;
    BEGUN.get_or_init(|| format);
    Ok(handle)
}

/// Writes the error that ends the program.
pub fn last_words(text: &str) {
    match BEGUN.get() {
        Some(LogFormat::Json) => tracing::error!("{text}"),
        Some(LogFormat::Text) | None => {
            let priority = if is_journal() { "<3>" } else { "" };
            eprintln!("{priority}iirs-server: {text}");
        }
    }
}

/// Tells whether standard error is the journal, as systemd says by device and inode (systemd.exec(5)).
fn is_journal() -> bool {
    let Ok(stat) = rustix::fs::fstat(io::stderr()) else { return false };
    let stderr = format!("{}:{}", stat.st_dev, stat.st_ino);
    std::env::var("JOURNAL_STREAM").is_ok_and(|journal| journal == stderr)
}

/// Begins each line with its priority, which the journal takes off (sd-daemon(3)).
struct Prioritized(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for Prioritized
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
