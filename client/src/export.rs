//! Where a history goes that is written in clear.

use std::path::{Path, PathBuf};

use client_link::api::ExportFormat;
use jiff::Timestamp;

use crate::present::Here;

/// Names that are tried before the last one is taken, whatever is there: the engine writes over nothing.
const TRIES_MAX: u32 = 1000;

/// Returns where files for people go: the documents of this user as the desktop names them, else the home directory, else
/// the one that is given.
pub fn directory(otherwise: &Path) -> PathBuf {
    let Some(home) = std::env::home_dir().filter(|home| home.is_dir()) else {
        return otherwise.to_owned();
    };
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.filter(|it| it.is_absolute()).unwrap_or_else(|| home.join(".config"));
    let named = std::fs::read_to_string(config.join("user-dirs.dirs")).ok();
    let named = named.and_then(|text| named_documents(&text, &home));
    let documents = named.unwrap_or_else(|| home.join("Documents"));
    if documents.is_dir() { documents } else { home }
}

/// Reads the file of xdg-user-dirs.
fn named_documents(text: &str, home: &Path) -> Option<PathBuf> {
    let line = |line: &str| {
        let value = line.trim().strip_prefix("XDG_DOCUMENTS_DIR=\"")?.strip_suffix('"')?;
        match value.strip_prefix("$HOME") {
            Some(rest) => Some(home.join(rest.trim_start_matches('/'))),
            None => Some(PathBuf::from(value)).filter(|it| it.is_absolute()),
        }
    };
    text.lines().find_map(line)
}

/// Returns a file that is not there yet, named after the peer, or after nobody, and the day.
pub fn file(dir: &Path, peer: Option<&str>, format: ExportFormat, here: &Here) -> PathBuf {
    let day = i64::try_from(here.unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let day = day.map(|day| day.to_zoned(here.zone.clone()).strftime("-%Y-%m-%d").to_string());
    let ending = match format {
        ExportFormat::Text => "txt",
        ExportFormat::Json => "jsonl",
    };
    let peer = peer.map(|peer| format!("-{peer}")).unwrap_or_default();
    let name = format!("iirs{peer}{}", day.unwrap_or_default());
    let named = |try_number: u32| match try_number {
        1 => dir.join(format!("{name}.{ending}")),
        again => dir.join(format!("{name}-{again}.{ending}")),
    };
    (1..TRIES_MAX).map(named).find(|file| !file.exists()).unwrap_or_else(|| named(TRIES_MAX))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_file_is_named_after_peer_and_day_and_none_is_there_yet() {
        let dir = TempDir::new().unwrap();
        let here = Here { unix_ms: 1_800_000_000_000, zone: TimeZone::UTC };
        let name = |peer, format| {
            let file = file(dir.path(), peer, format, &here);
            file.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(name(None, ExportFormat::Text), "iirs-2027-01-15.txt");
        assert_eq!(name(Some("bob"), ExportFormat::Json), "iirs-bob-2027-01-15.jsonl");
        std::fs::write(dir.path().join("iirs-2027-01-15.txt"), "").unwrap();
        assert_eq!(name(None, ExportFormat::Text), "iirs-2027-01-15-2.txt");
    }

    #[test]
    fn the_desktop_says_where_documents_are() {
        let home = Path::new("/home/ann");
        let named = |text| named_documents(text, home);
        let text = "# XDG\nXDG_MUSIC_DIR=\"$HOME/M\"\nXDG_DOCUMENTS_DIR=\"$HOME/Dokumente\"\n";
        assert_eq!(named(text), Some(PathBuf::from("/home/ann/Dokumente")));
        assert_eq!(named("XDG_DOCUMENTS_DIR=\"/data\""), Some(PathBuf::from("/data")));
        assert_eq!(named("XDG_DOCUMENTS_DIR=\"data\""), None);
        assert_eq!(named(""), None);
    }
}
