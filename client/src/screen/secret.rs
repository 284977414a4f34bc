//! What is typed into a password field.

use std::fmt;
use std::sync::Arc;

use client_link::api::Password;
use zeroize::Zeroizing;

/// Text of a password field; erased with its last clone, since all clones are one text. Never shown
/// by `Debug`.
///
/// iced asks that messages can be cloned, and keeps texts of its own that nobody erases.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Typed(Arc<Zeroizing<String>>);

impl Typed {
    /// Takes over a text.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// Shows the text, to draw and to measure it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the text with more behind it.
    pub fn with(&self, more: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + more.len());
        text.push_str(&self.0);
        text.push_str(more);
        Self::new(text)
    }

    /// Tells whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether it looks like Caps Lock: letters, two at least, and all of them capitals.
    pub fn is_capitals(&self) -> bool {
        let letters = || self.0.chars().filter(|character| character.is_alphabetic());
        letters().nth(1).is_some() && letters().all(char::is_uppercase)
    }

    /// Copies its bytes for the engine.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.expose().as_bytes().to_vec())
    }

    /// Makes the password of it.
    pub fn to_password(&self) -> Password {
        Password::new(self.expose().to_owned())
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        let typed = Typed::new("hunter2".into());
        assert_eq!(format!("{typed:?}"), "Typed(…)");
        assert_eq!(typed.to_password().expose(), b"hunter2");
    }

    #[test]
    fn two_capitals_and_no_small_letter_look_like_caps_lock() {
        for capitals in ["AB", "HUNTER2", "ÄÖ 1"] {
            assert!(Typed::new(capitals.into()).is_capitals(), "{capitals}");
        }
        for other in ["", "A", "1234", "Ab", "日本語", "!!"] {
            assert!(!Typed::new(other.into()).is_capitals(), "{other}");
        }
    }
}
