//! Words of the screen that asks for the password only: at the start, and while the window is locked.

/// Title at the start.
pub const WELCOME: &str = "Welcome back";
/// Title while the window is locked.
pub const LOCKED: &str = "Locked";
/// The rounds go on, and they cover.
pub const COVERED: &str = "Your rounds go on: you are covered.";
/// The rounds go on, and cover little.
pub const GO_ON: &str = "Your rounds go on.";
/// The client tries to be in the rounds, and is not.
pub const NOT_COVERED: &str = "You are not covered now; iirs goes on trying to reach the server.";
/// What is behind the lock.
pub const ABOUT: &str =
    "What you wrote and got is locked on this computer. Messages go on arriving and are kept.";
/// The button.
pub const UNLOCK: &str = "Unlock";
/// Leads to the form that asks for a name, too.
pub const OTHER: &str = "Use another account";
/// While the password is stretched.
pub const UNLOCKING: &str = "Unlocking what is kept on this computer …";
/// The password is wrong.
pub const WRONG: &str = "That is not the password. Try again; nobody can reset it.";
/// The engine takes no command.
pub const BUSY: &str = "iirs is busy and did not take that. Try again in a moment.";
/// In the title of the window.
pub const TITLE: &str = "locked";

/// Whose messages are locked, and where.
pub fn account(user: &str, host: &str) -> String {
    format!("{user} at {host}")
}

/// Messages and calls that wait.
pub fn waiting(unread: u32) -> String {
    match unread {
        0 => "Nothing new.".into(),
        1 => "1 new message or call waits.".into(),
        unread => format!("{unread} new messages or calls wait."),
    }
}
