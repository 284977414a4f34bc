//! Lines of standard input, bounded.

use std::io::{self, ErrorKind, Read};
use std::thread;

use tokio::sync::mpsc;
use zeroize::{Zeroize, Zeroizing};

/// Longest line of input in bytes, without its newline; the longest text fits with every byte
/// escaped.
pub const LINE_MAX: usize = 128 * 1024;

/// Lines that wait for the loop; the pipe behind them holds the rest.
const WAITING_MAX: usize = 4;

const CHUNK: usize = 8 * 1024;

/// Room for a line to begin with: two passwords with every byte escaped, so that growing leaves no copy of them
/// behind.
const ROOM: usize = 16 * 1024;

/// Splits a reader into lines; what was handed out is erased from its buffer.
pub struct Lines<R> {
    input: R,
    chunk: Zeroizing<Vec<u8>>,
    unread: std::ops::Range<usize>,
    number: u64,
}

/// One line without its newline.
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    /// Its bytes; none when there were more than allowed, which are skipped.
    pub bytes: Option<Zeroizing<Vec<u8>>>,
    /// Whether a newline followed, and not the end of the input.
    pub whole: bool,
}

impl<R: Read> Lines<R> {
    /// Takes over a reader, which should have no buffer of its own.
    pub fn new(input: R) -> Self {
        Self { input, chunk: Zeroizing::new(vec![0; CHUNK]), unread: 0..0, number: 0 }
    }

    /// Returns the next line of up to `bytes_max` bytes, or none at the end; a last line needs no
    /// newline.
    pub fn next(&mut self, bytes_max: usize) -> io::Result<Option<Line>> {
        let mut bytes = Some(Zeroizing::new(Vec::with_capacity(bytes_max.min(ROOM))));
        let mut begun = false;
        loop {
            if self.unread.is_empty() && !self.fill()? {
                return Ok(begun.then(|| self.line(bytes, false)));
            }
            begun = true;
            let unread = &mut self.chunk[self.unread.clone()];
            let newline = unread.iter().position(|&byte| byte == b'\n');
            let part = &mut unread[..newline.unwrap_or(self.unread.len())];
            if bytes.as_ref().is_some_and(|line| line.len() + part.len() > bytes_max) {
                bytes = None;
            }
            if let Some(line) = &mut bytes {
                line.extend_from_slice(part);
            }
            part.zeroize();
            self.unread.start += part.len() + usize::from(newline.is_some());
            if newline.is_some() {
                return Ok(Some(self.line(bytes, true)));
            }
        }
    }

    /// Reads a chunk; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.input.read(&mut self.chunk) {
                Ok(length) => {
                    self.unread = 0..length;
                    return Ok(length > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
    }

    fn line(&mut self, bytes: Option<Zeroizing<Vec<u8>>>, whole: bool) -> Line {
        self.number += 1;
        Line { number: self.number, bytes, whole }
    }
}

/// Reads lines of up to [`LINE_MAX`] bytes on a thread of its own until the end or until nobody
/// listens; the channel closes at the end of the input.
pub fn spawn<R: Read + Send + 'static>(mut lines: Lines<R>) -> io::Result<mpsc::Receiver<Line>> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let read = move || {
        loop {
            let line = match lines.next(LINE_MAX) {
                Ok(Some(line)) => line,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "standard input fails and counts as ended");
                    return;
                }
            };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("stdin".into()).spawn(read)?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time, and an interruption before each.
    struct Trickle(Vec<u8>, bool);

    impl Read for Trickle {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() {
                return Ok(0);
            }
            out[0] = self.0.remove(0);
            Ok(1)
        }
    }

    fn all(input: impl Read, bytes_max: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = Lines::new(input);
        let mut all = Vec::new();
        while let Some(line) = lines.next(bytes_max).unwrap() {
            all.push((line.number, line.bytes.map(|bytes| bytes.to_vec())));
        }
        all
    }

    #[test]
    fn lines_are_the_same_however_the_input_is_cut() {
        let input = b"one\n\ntwo\r\n\xff\0last".to_vec();
        let expected = [&b"one"[..], b"", b"two\r", b"\xff\0last"];
        let expected: Vec<_> = (1..).zip(expected.map(|line| Some(line.to_vec()))).collect();
        assert_eq!(all(&input[..], 100), expected);
        assert_eq!(all(Trickle(input, false), 100), expected);
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_whole() {
        let mut input = vec![b'x'; LINE_MAX];
        input.push(b'\n');
        input.extend(vec![b'y'; LINE_MAX + 1]);
        input.extend(b"\nz\n");
        let lines = all(&input[..], LINE_MAX);
        let lengths: Vec<_> = lines.iter().map(|(_, line)| line.as_ref().map(Vec::len)).collect();
        assert_eq!(lengths, [Some(LINE_MAX), None, Some(1)]);
        assert_eq!(
            all(Trickle(b"12345\n1234".to_vec(), false), 4),
            [(1, None), (2, Some(b"1234".to_vec()))]
        );
    }

    #[test]
    fn the_longest_text_fits_with_every_byte_escaped() {
        let escaped = r"\u0000".repeat(16 * 1024);
        assert!(escaped.len() + 1024 < LINE_MAX);
    }

    #[test]
    fn two_passwords_never_grow_their_line() {
        let escaped = r"\u0000".repeat(2 * client_link::api::PASSWORD_MAX);
        let line = format!(r#"{{"do":"password","old":"{escaped}","new":""}}"#);
        assert!(line.len() <= ROOM, "{}", line.len());
        let line = Lines::new(line.as_bytes()).next(LINE_MAX).unwrap().unwrap();
        assert_eq!(line.bytes.unwrap().capacity(), ROOM);
    }

    #[test]
    fn what_was_handed_out_is_erased() {
        let mut lines = Lines::new(&b"secret\nnext\n"[..]);
        lines.next(100).unwrap();
        assert!(lines.chunk.starts_with(b"\0\0\0\0\0\0\nnext"));
    }
}
