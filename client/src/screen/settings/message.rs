//! What happens in the settings, and what the app is to do then.

#[cfg(doc)]
use super::measure;
use super::{Section, deletion, history, password, sessions};
use crate::args::ThemeChoice;
use crate::remember::{LockAfter, Notifications, Zoom};
use crate::screen::strength::Question;

/// What happened on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Another section is to be shown.
    SectionChosen(Section),
    /// The main screen is to be shown again.
    BackPressed,
    /// Escape: a form or a question goes, else the screen.
    EscapePressed,
    /// With the password.
    Password(password::Message),
    /// With the sessions.
    Sessions(sessions::Message),
    /// With the deletion of the account.
    Deletion(deletion::Message),
    /// With the history.
    History(history::Message),
    /// Other colours were chosen.
    ThemeChosen(ThemeChoice),
    /// Another size was chosen.
    ZoomChosen(Zoom),
    /// Another time to lock was chosen.
    LockAfterChosen(LockAfter),
    /// Other notifications were chosen.
    NotificationsChosen(Notifications),
    /// The window is to be locked.
    LockPressed,
    /// The account is to be signed out.
    SignOutPressed,
    /// The client is to come back now.
    RetryPressed,
    /// What is hidden from whom is to be shown.
    MeaningPressed,
    /// The keys are to be shown.
    KeysPressed,
}

/// What the app is to do.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    None,
    /// Give a field the focus.
    Focus(&'static str),
    /// Show the page from its beginning.
    ToTop,
    /// Answer a question away from the interface's thread, by [`measure`].
    Measure(Question),
    /// Show the main screen.
    Back,
    /// Something is to be remembered, and followed.
    Choose(Choice),
    /// Lock the window.
    Lock,
    /// Sign the account out.
    SignOut,
    /// Show what is hidden from whom.
    Meaning,
    /// Show the keys.
    Keys,
}

/// Something that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Which colours.
    Theme(ThemeChoice),
    /// How large everything is.
    Zoom(Zoom),
    /// When the window locks.
    LockAfter(LockAfter),
    /// What is told.
    Notifications(Notifications),
}
