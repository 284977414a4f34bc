//! Keeps `docs/wire.md` honest: its byte tables add up to the sizes in the code, and every size, label, kind,
//! close code and refusal of the code stands in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use wire::account::Stretching;
use wire::close::Close;
use wire::codec::Wire;
use wire::control::{ClientControl, PULL_PAGES_MAX, Refusal, ServerControl, SessionInfo};
use wire::dial::{BUCKETS_MAX, Dial, DialReply};
use wire::directory::Record;
use wire::ids::Name;
use wire::invitation::Invitation;
use wire::peer::PeerMessage;
use wire::restore::RestoreNotice;
use wire::size::{self, SLOTS_MAX, SLOTS_MIN, round_frame, server_header};

/// Where labels live that two programs have to agree on.
const LABEL_SOURCES: [&str; 2] = ["wire/src", "client/core/src"];

#[test]
fn every_byte_table_has_no_gap_and_adds_up_to_the_size_in_the_code() {
    let mut expected: BTreeMap<&str, usize> = [
        ("Join", round_frame(2)),
        ("Deposit", round_frame(2)),
        ("Deposit slot inside its layer", size::DEPOSIT),
        ("Round", round_frame(2)),
        ("Dial slot, cover", Dial::SIZE),
        ("Dial slot, invitation", Dial::SIZE),
        ("Dial slot, wake-up", Dial::SIZE),
        ("Dial reply", DialReply::SIZE),
        ("Invitation", size::INVITATION),
        ("Invitation box", Invitation::SIZE),
        ("Name", Name::SIZE),
        ("Stretching", Stretching::SIZE),
        ("Record", Record::SIZE),
        ("Session info", SessionInfo::SIZE),
        ("Restore notice", RestoreNotice::SIZE),
        ("Sealed master", size::SEALED_MASTER),
        ("Sealed identity", size::SEALED_IDENTITY),
        ("Vault", size::VAULT - size::SEALED_OVERHEAD),
        ("Peer message", PeerMessage::SIZE),
        ("Cell", size::CELL),
    ]
    .into();
    assert_eq!((ClientControl::SIZE, ServerControl::SIZE), (1056, 1056));
    for (title, rows) in byte_tables(&document()) {
        let (title, total) =
            title.rsplit_once(": ").expect("a byte table's heading ends in its size");
        let is_control = title.contains(", kind ");
        let size = if is_control { Some(size::CONTROL_FRAME) } else { expected.remove(title) };
        let size = size.unwrap_or_else(|| panic!("no size is known for the table `{title}`"));
        assert_eq!(total, format!("{size} bytes"), "{title}");
        let end = rows.iter().fold(0, |end, &(offset, size)| {
            assert_eq!(offset, end, "{title}: row at {offset}");
            end + size
        });
        assert_eq!(end, size, "{title}: sum");
    }
    assert!(expected.is_empty(), "without a byte table: {:?}", expected.keys());
}

#[test]
fn every_kind_of_control_frame_is_documented() {
    let document = document();
    for kind in 0..=u8::MAX {
        let mut frame = vec![0; size::CONTROL_FRAME];
        (frame[0], frame[1]) = (wire::VERSION, kind);
        let unknown = wire::codec::DecodeError::Kind(kind);
        let known = ClientControl::decode(&frame).err() != Some(unknown)
            || ServerControl::decode(&frame).err() != Some(unknown);
        let heading = document.contains(&format!(", kind {kind}: "));
        let mention = document.contains(&format!(", kind {kind}, has the same layout"));
        assert_eq!(known, heading || mention, "kind {kind}");
    }
    let bounds = [
        format!("| pages | 1 to {PULL_PAGES_MAX} |"),
        format!("| count | 0 to {} |", size::PAGE_RECORDS),
        format!("| count | 0 to {} |", size::SESSIONS_MAX),
        format!("| restores | 0 to {}, how many notices |", size::RESTORES_MAX),
        format!("| part | which third of the vault, 0 to {} |", size::VAULT_PARTS - 1),
    ];
    for bound in bounds {
        assert!(document.contains(&bound), "{bound}");
    }
}

#[test]
fn every_size_is_documented() {
    macro_rules! sizes {
        ($($name:ident)*) => { [$((stringify!($name), size::$name.to_string())),*] };
    }
    let sizes = sizes! {
        PACKET BLOCK IV HASH KEY PUBLIC_KEY SECRET_KEY SIGNATURE SEALED_OVERHEAD HEADER
        SLOTS_MIN SLOTS_MAX SLOTS_DEFAULT
        DROP_ID PEER_HEADER PEER_PAYLOAD PEER_MESSAGE CELL DEPOSIT LAYER_TAG DEPOSIT_SLOT REPLY_SLOT
        INVITATION INVITATION_BOX WAKE_UP WAKE_UPS
        SERVER_HEADER_PER_SLOT CONTROL_BODY CONTROL_FRAME
        NAME_MAX NAME RECORD PAGE_RECORDS SEALED_MASTER SEALED_IDENTITY TOKEN
        SESSION_ID SESSION_INFO SESSIONS_MAX RESTORE_NOTICE RESTORES_MAX INVITE VAULT_PARTS VAULT
        MESSAGE_ID TEXT_MAX FRAGMENTS_MAX
        REGISTRATION_REQUEST REGISTRATION_RESPONSE ENVELOPE REGISTRATION_UPLOAD
        CREDENTIAL_REQUEST CREDENTIAL_RESPONSE CREDENTIAL_FINALIZATION
    };
    let source = read("wire/src/size.rs");
    let declared = source.lines().filter_map(|line| line.strip_prefix("pub const "));
    for name in declared.filter_map(|line| Some(line.split_once(':')?.0)) {
        let listed = name.starts_with("fn ") || sizes.iter().any(|(listed, _)| *listed == name);
        assert!(listed, "{name} is a size that this test does not look for");
    }
    let document = document();
    for (name, value) in sizes {
        assert!(document.contains(&format!("\n| `{name}` | {value} |")), "{name} = {value}");
    }
    assert!(document.contains("a power of two, 1 to 4,194,304") && BUCKETS_MAX == 4_194_304);
    for slots in SLOTS_MIN..=SLOTS_MAX {
        let (frame, header) = (round_frame(slots), server_header(slots));
        let deposits = frame - size::HEADER;
        let row = format!("\n| {slots} | {frame} | {header} | {deposits} | {} |", frame - header);
        assert!(document.contains(&row), "K = {slots}");
    }
}

#[test]
fn every_label_is_documented_once_and_used_once() {
    let (document, labels) = (document(), labels());
    assert!(labels.contains_key("iirs 1 layer step"), "labels are found at all");
    for (label, uses) in &labels {
        assert_eq!(*uses, 1, "places that use the label {label:?}");
        let rows = document.matches(&format!("\n| \"{label}\" |")).count();
        assert_eq!(rows, 1, "rows for the label {label:?}");
    }
    for row in document.lines().filter_map(|line| line.strip_prefix("| \"")) {
        let label = row.split('"').next().unwrap_or_default();
        assert!(labels.contains_key(label), "{label:?} is in no source");
    }
}

#[test]
fn every_close_code_and_refusal_is_documented() {
    let document = document();
    for close in Close::ALL {
        assert!(document.contains(&format!("\n| {} | {close} |", close.code())), "{close:?}");
    }
    for refusal in Refusal::ALL {
        let row = format!("\n| {} | `{refusal:?}` |", refusal as u8);
        assert!(document.contains(&row), "{refusal:?}");
    }
}

fn document() -> String {
    read("docs/wire.md")
}

fn read(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository")
}

/// Headings that end in "bytes", each with offset and size of the rows under it.
fn byte_tables(document: &str) -> Vec<(&str, Vec<(usize, usize)>)> {
    let sections = document.split("\n### ").filter_map(|section| section.split_once('\n'));
    let tables = sections.filter(|(title, _)| title.ends_with(" bytes"));
    tables.map(|(title, text)| (title, text.lines().filter_map(byte_row).collect())).collect()
}

fn byte_row(line: &str) -> Option<(usize, usize)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    Some((cells.next()?.parse().ok()?, cells.next()?.parse().ok()?))
}

/// Labels in the sources, with the number of their uses.
fn labels() -> BTreeMap<String, usize> {
    let mut labels = BTreeMap::new();
    for folder in LABEL_SOURCES {
        for file in files(&repository().join(folder)) {
            let text = fs::read_to_string(&file).expect("a listed source can be read");
            for start in ["\"iirs 1 ", "\"EXPORTER-"] {
                for (at, _) in text.match_indices(start) {
                    let label = text[at + 1..].split('"').next().unwrap_or_default();
                    *labels.entry(label.to_owned()).or_default() += 1;
                }
            }
        }
    }
    labels
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of sources is there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
