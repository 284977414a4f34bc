//! The history in clear, in a file of its own, beside the rounds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use tokio::sync::mpsc;
use wire::ids::{IdentityHash, Name};

use super::history::state;
use super::local::error;
use super::trouble::Failure;
use crate::api::{ErrorCode, Event, ExportFormat, LocalEvent, MessageState};
use crate::profile::{Direction, Entry, HistoryReader, Message, Names, ProfileError};

/// Messages that are in memory at once; the lock waits for no more.
const CHUNK: usize = 256;

/// Messages after which it is told how far the export is.
const TOLD_EVERY: u64 = 1000;

const FILE_MODE: u32 = 0o600;

/// What is exported, and where to.
pub(super) struct Order {
    /// This account.
    pub(super) own: Name,
    /// With whom, or with everybody.
    pub(super) peer: Option<IdentityHash>,
    pub(super) format: ExportFormat,
    pub(super) file: PathBuf,
}

/// A message as it is written.
struct Line<'a> {
    peer: &'a str,
    text: &'a str,
    sent_ms: u64,
    round: Option<u64>,
    /// Label and state.
    ours: Option<(&'a str, MessageState)>,
}

/// A message as `iirs-headless` prints it, and what it prints of ours.
#[derive(Serialize)]
struct JsonLine<'a> {
    is: &'static str,
    peer: &'a str,
    ours: bool,
    text: &'a str,
    sent_ms: u64,
    round: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

/// Why no file is there.
enum Unwritten {
    Failed(Failure),
    /// Nobody hears any more.
    Unheard,
}

/// Writes the file under another name and then gives it its own, so that it is whole or not there; belongs on a thread of
/// its own.
pub(super) fn export(reader: &HistoryReader, order: &Order, tell: &mpsc::Sender<Event>) {
    let event = match write(reader, order, tell) {
        Ok(messages) => Event::Local(LocalEvent::Exported { file: order.file.clone(), messages }),
        Err(Unwritten::Failed(failure)) => error(failure),
        Err(Unwritten::Unheard) => return,
    };
    // a program that is gone needs no answer
    let _ = tell.blocking_send(event);
}

fn write(
    reader: &HistoryReader,
    order: &Order,
    tell: &mpsc::Sender<Event>,
) -> Result<u64, Unwritten> {
    let Order { file: path, .. } = order;
    let options = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        options
    };
    if path.try_exists().unwrap_or(false) {
        return Err(on_disk(path, &io::ErrorKind::AlreadyExists.into()));
    }
    let part = part_of(path);
    // what a killed export left
    let _ = fs::remove_file(&part);
    let file = options().open(&part).map_err(|error| on_disk(&part, &error))?;
    let written = fill(reader, order, &file, tell).and_then(|messages| {
        // a link never takes the place of a file
        let kept = file.sync_all().and_then(|()| fs::hard_link(&part, path));
        kept.map(|()| messages).map_err(|error| on_disk(path, &error))
    });
    // if this fails too, the first error says more
    let _ = fs::remove_file(&part);
    let messages = written?;
    sync_directory(path).map_err(|error| on_disk(path, &error))?;
    Ok(messages)
}

/// Returns the name of a file that is not whole yet.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Writes the messages, the oldest first; returns how many.
fn fill(
    reader: &HistoryReader,
    order: &Order,
    file: &File,
    tell: &mpsc::Sender<Event>,
) -> Result<u64, Unwritten> {
    let Order { own, peer, format, file: path } = order;
    let mut names = reader.names()?;
    let mut walk = reader.walk(peer.as_ref(), Direction::OldestFirst)?;
    let (mut out, zone) = (BufWriter::new(file), TimeZone::system());
    let (of, mut done) = (walk.messages(), 0);
    loop {
        let page = walk.page(CHUNK)?;
        if page.is_empty() {
            break;
        }
        for entry in &page {
            let name = names_of(&mut names, entry)?;
            let line = line(&name, entry);
            let written = match format {
                ExportFormat::Text => write_text(&mut out, own, &line, &zone),
                ExportFormat::Json => write_json(&mut out, &line),
            };
            written.map_err(|error| on_disk(path, &error))?;
            done += 1;
            if done % TOLD_EVERY == 0 {
                let event = Event::Local(LocalEvent::Exporting { done, of });
                tell.blocking_send(event).map_err(|_| Unwritten::Unheard)?;
            }
        }
        if tell.is_closed() {
            return Err(Unwritten::Unheard);
        }
    }
    out.flush().map_err(|error| on_disk(path, &error))?;
    Ok(done)
}

fn names_of(names: &mut Names, entry: &Entry) -> Result<String, ProfileError> {
    match &entry.message {
        Message::Ours(message, _) => names.of(&message.peer),
        Message::Theirs(message) => names.of(&message.peer),
    }
}

fn line<'a>(peer: &'a str, entry: &'a Entry) -> Line<'a> {
    match &entry.message {
        Message::Ours(message, delivered) => {
            let (state, round) = state(message, *delivered);
            let ours = Some((message.label.as_str(), state));
            Line { peer, text: &message.text, sent_ms: message.sent_ms, round, ours }
        }
        Message::Theirs(message) => {
            let round = Some(message.round.0);
            Line { peer, text: &message.text, sent_ms: message.sent_ms, round, ours: None }
        }
    }
}

fn write_text(
    out: &mut impl Write,
    own: &Name,
    line: &Line<'_>,
    zone: &TimeZone,
) -> io::Result<()> {
    let &Line { peer, text, sent_ms, ours, .. } = line;
    let own = own.as_str();
    let (writer, reader) = if ours.is_some() { (own, peer) } else { (peer, own) };
    let state = match ours {
        Some((_, MessageState::Queued)) => " (queued)",
        Some((_, MessageState::Sent)) => " (sent)",
        Some((_, MessageState::Delivered)) | None => "",
    };
    writeln!(out, "{} {writer} to {reader}{state}:", moment(sent_ms, zone))?;
    // set in, so that no text can pass for a line of ours, and nothing in it steers a terminal
    for line in text.lines() {
        writeln!(out, "    {}", line.chars().map(visible).collect::<String>())?;
    }
    writeln!(out)
}

/// Shows what does something instead of being read.
fn visible(character: char) -> char {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_plain = character == '\t' || !(character.is_control() || turns);
    if is_plain { character } else { char::REPLACEMENT_CHARACTER }
}

fn write_json(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    let &Line { peer, text, sent_ms, round, ours } = line;
    let (id, state) = ours.map(|(label, state)| (label, state.as_str())).unzip();
    let ours = ours.is_some();
    let line = JsonLine { is: "message", peer, ours, text, sent_ms, round, id, state };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// Returns day, time and offset of a moment; a peer's clock may say anything.
fn moment(ms: u64, zone: &TimeZone) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match moment {
        Some(moment) => moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        None => "at an impossible time".to_owned(),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn on_disk(path: &Path, error: &io::Error) -> Unwritten {
    let path = path.display();
    let text = if error.kind() == io::ErrorKind::AlreadyExists {
        format!("there is a file {path} already, which is not written over; choose another name")
    } else {
        format!(
            "the history was not written to {path} ({error}); choose another place, or free space"
        )
    };
    Unwritten::Failed(Failure::new(ErrorCode::Disk, text))
}

impl From<ProfileError> for Unwritten {
    fn from(error: ProfileError) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use wire::ids::{MessageId, Round};
    use wire::link::{Link, Pin};

    use super::*;
    use crate::profile::{Profile, ProfileAccount, ProfileThread};
    use client_core::record::{Change, Incoming};
    use wire::account::Stretching;
    use wire::kdf::Secret;

    const PASSWORD: &[u8] = b"correct horse";
    const CHEAP: Stretching = Stretching { memory_kib: 32, passes: 1, lanes: 1 };

    /// Tells a second process of this program in which directory it is to export.
    const CHILD_DIR: &str = "IIRS_TEST_EXPORT";

    fn order(dir: &Path, format: ExportFormat) -> Order {
        Order { own: "ann".parse().unwrap(), peer: None, format, file: dir.join("export") }
    }

    /// Not a test of its own: the process for which the disk is full.
    #[test]
    fn child_that_exports() {
        let Some(dir) = env::var_os(CHILD_DIR) else { return };
        let dir = Path::new(&dir);
        let unlocked = Profile::unlock(&dir.join("profile"), PASSWORD, &CHEAP).ok().unwrap();
        let (thread, _) = ProfileThread::start(unlocked.profile).unwrap();
        let reader = thread.reader();
        let (tell, mut told) = mpsc::channel(64);
        // a control character takes six in JSON, and three in the text
        export(&reader, &order(dir, ExportFormat::Json), &tell);
        let Event::Error { code: ErrorCode::Disk, text, .. } = told.blocking_recv().unwrap() else {
            panic!("it was exported")
        };
        assert!(text.contains("free space"), "{text}");
        assert!(!dir.join("export").exists() && !dir.join("export.part").exists());
        export(&reader, &order(dir, ExportFormat::Text), &tell);
        let exported = told.blocking_recv().unwrap();
        assert!(matches!(exported, Event::Local(LocalEvent::Exported { messages: 80, .. })));
    }

    #[test]
    fn on_a_full_disk_there_is_no_export_and_nothing_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let pin = Pin(*b"the pin of ann's server, 32 byte");
        let link = Link { host: "chat.example.org".into(), port: 4433, pin };
        let account = ProfileAccount { link, user: "ann".parse().unwrap() };
        let (profile, master) = (dir.path().join("profile"), Secret::new([7; 32]));
        let mut profile = Profile::create(&profile, PASSWORD, CHEAP, &account, &master).unwrap();
        let message = |number: u64| {
            let (id, peer) = (MessageId(number.to_be_bytes()), IdentityHash([1; 32]));
            let text = "\u{1}".repeat(16_000);
            Change::Received(Incoming { id, peer, text, sent_ms: 8, round: Round(9) })
        };
        (0..80).for_each(|number| profile.apply(&[message(number)]).unwrap());
        drop(profile);
        // the profile fits, and so do 4 MB of text; 8 MB of JSON do not
        let script = "trap '' XFSZ; ulimit -f 10000; exec \"$@\"";
        let child = concat!(module_path!(), "::child_that_exports");
        let (_, child) = child.split_once("::").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(env::current_exe().unwrap());
        command.args([child, "--exact", "--nocapture"]).env(CHILD_DIR, dir.path());
        let output = command.output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&printed));
        assert_eq!(fs::metadata(dir.path().join("export")).unwrap().len() / 1_000_000, 3);
    }
}
