//! A link in a file, as it comes out of a mail: the first line that is one.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::words::connect as words;

/// Longest file that is read, in bytes.
pub const FILE_MAX: u64 = 4096;

/// Reads the first line that begins like a link.
///
/// # Errors
/// What is wrong with the file, in words.
pub fn read(path: &Path) -> Result<String, &'static str> {
    // a pipe or a device would make the window wait
    if !path.metadata().is_ok_and(|file| file.is_file()) {
        return Err(words::FILE_UNREADABLE);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
    match file {
        Ok(read) if read as u64 > FILE_MAX => return Err(words::FILE_TOO_LONG),
        Ok(_) => (),
        Err(_) => return Err(words::FILE_UNREADABLE),
    }
    let text = String::from_utf8(bytes).map_err(|_| words::FILE_WITHOUT_LINK)?;
    let is_link = |line: &&str| {
        let begins = line.get(..words::SCHEME.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(words::SCHEME))
    };
    let line = text.lines().map(|line| line.trim_start_matches('\u{feff}').trim()).find(is_link);
    line.map(str::to_owned).ok_or(words::FILE_WITHOUT_LINK)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_first_line_that_is_a_link_is_taken_and_nothing_else() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("link");
        let of = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            read(&path)
        };
        assert_eq!(of(b"Hello\r\n IIRS://h:1/#x \niirs://i:1/#y\n"), Ok("IIRS://h:1/#x".into()));
        assert_eq!(of("\u{feff}iirs://h:1/#x".as_bytes()), Ok("iirs://h:1/#x".into()));
        for empty in [&b""[..], b"hello", b"\xff\xfe\0i", "ä\nü".as_bytes()] {
            assert_eq!(of(empty), Err(words::FILE_WITHOUT_LINK), "{empty:?}");
        }
        assert_eq!(of(&[b' '; 5000]), Err(words::FILE_TOO_LONG));
        assert_eq!(read(dir.path()), Err(words::FILE_UNREADABLE));
        assert_eq!(read(&dir.path().join("none")), Err(words::FILE_UNREADABLE));
    }
}
