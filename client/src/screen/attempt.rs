//! What a form asks for when its button is pressed.

use std::fmt;

use client_link::api::{Invite, Password};
use wire::ids::Name;

use crate::words::entry as words;

/// Longest name that a field takes, in bytes; there is room to see that it is too long.
const NAME_TYPED_MAX: usize = 128;

/// One attempt to sign in, or to make an account and sign in to it.
pub struct Attempt {
    /// The account.
    pub user: Name,
    /// Its password, 1 to [`PASSWORD_MAX`](client_link::api::PASSWORD_MAX) bytes.
    pub password: Password,
    /// The invitation code for a new account, if the server wants one.
    pub invite: Option<Invite>,
    /// Whether the name is to be filled in the next time.
    pub remember: bool,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt(remember: {})", self.remember)
    }
}

/// Tells whether a field takes a text as a name.
pub fn is_taken_as_name(text: &str) -> bool {
    text.len() <= NAME_TYPED_MAX
}

/// Reads the name in a field; white space around it is ignored.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_name(text: &str) -> Result<Name, &'static str> {
    match text.trim() {
        "" => Err(words::NAME_EMPTY),
        name => name.parse().map_err(words::name),
    }
}

#[cfg(test)]
mod tests {
    use wire::ids::NameError;

    use super::*;

    #[test]
    fn a_name_is_read_without_the_spaces_around_it() {
        assert_eq!(read_name(" ann\t").map(|name| name.to_string()), Ok("ann".into()));
        assert_eq!(read_name("Ann").map(|name| name.to_string()), Ok("ann".into()));
        for empty in ["", "  ", "\n"] {
            assert_eq!(read_name(empty), Err(words::NAME_EMPTY));
        }
        for (bad, error) in [
            ("a b", NameError::Character),
            ("änn", NameError::Character),
            ("ann\0", NameError::Character),
            ("\u{202e}nna", NameError::Character),
            ("1ann", NameError::First),
            ("a23456789012345678901234567890123", NameError::Length),
        ] {
            assert_eq!(read_name(bad), Err(words::name(error)), "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_neither_name_nor_password() {
        let password = Password::new("hunter2".into());
        let attempt =
            Attempt { user: "ann".parse().unwrap(), password, invite: None, remember: true };
        assert_eq!(format!("{attempt:?}"), "Attempt(remember: true)");
    }
}
