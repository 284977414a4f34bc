//! A password, and how programs read it from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use thiserror::Error;
use zeroize::Zeroizing;

/// Longest password, in bytes.
pub const PASSWORD_MAX: usize = 1024;

/// A password, its newline (two bytes), and one byte more to notice what is too long.
pub const PASSWORD_READ_MAX: usize = PASSWORD_MAX + 3;

/// A password as it was typed; erased on drop, never shown.
pub struct Password(Zeroizing<String>);

/// What is wrong with a password.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// There is no byte.
    #[error("the password is empty; write it into the file or on the first line of standard input")]
    Empty,
    /// There are more than [`PASSWORD_MAX`] bytes.
    #[error("the password has more than {PASSWORD_MAX} bytes; choose a shorter one")]
    TooLong,
    /// It is not UTF-8.
    #[error("the password is not text in UTF-8; save it as that")]
    NotText,
    /// The file or standard input fails.
    #[error("the password cannot be read: {0}; check the file and its permissions")]
    Unreadable(io::Error),
}

impl Password {
    /// Takes over a password.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Takes a password of 1 to [`PASSWORD_MAX`] bytes of UTF-8.
    ///
    /// # Errors
    /// [`PasswordError`], never [`PasswordError::Unreadable`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PasswordError> {
        match bytes.len() {
            0 => return Err(PasswordError::Empty),
            1..=PASSWORD_MAX => (),
            _ => return Err(PasswordError::TooLong),
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PasswordError::NotText)?;
        Ok(Self::new(text.to_owned()))
    }

    /// Reads a file that holds a password and nothing else; one newline at its end does not count.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn from_file(path: &Path) -> Result<Self, PasswordError> {
        let mut file = File::open(path).map_err(PasswordError::Unreadable)?;
        let mut bytes = Zeroizing::new([0; PASSWORD_READ_MAX]);
        let mut length = 0;
        while length < bytes.len() {
            match file.read(&mut bytes[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(PasswordError::Unreadable(error)),
            }
        }
        let bytes = &bytes[..length];
        Self::from_bytes(bytes.strip_suffix(b"\n").map_or(bytes, without_return))
    }

    /// Shows the bytes, to stretch them.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Returns a line without the carriage return that some systems end it with.
pub fn without_return(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
