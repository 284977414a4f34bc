//! Words of the settings.

use std::path::Path;

use client_link::api::ConnectionState;

use crate::args::ThemeChoice;
use crate::present::count;
use crate::remember::{LockAfter, Notifications};

/// Title.
pub const TITLE: &str = "Settings";
/// Leads back.
pub const BACK: &str = "Back";
/// The engine takes no command.
pub const BUSY: &str =
    "iirs is busy and did not take that. Nothing is lost; try again in a moment.";
/// Does nothing of what was asked about.
pub const KEEP: &str = "Cancel";
/// What was asked for needs the server.
pub const OFFLINE: &str = "This needs the server, and you are not connected to it now.";

/// Words about the account.
pub mod account {
    /// Title.
    pub const TITLE: &str = "Account";
    /// Above the name.
    pub const NAME: &str = "Name";
    /// Above the server's name.
    pub const SERVER: &str = "Server";
    /// Locks the window.
    pub const LOCK: &str = "Lock now";
    /// Ends the session.
    pub const SIGN_OUT: &str = "Sign out here";
    /// What that means.
    pub const SIGN_OUT_ABOUT: &str = "Signing out takes you out of the rounds and forgets this session. What is kept on this computer stays, \
         locked under your password.";
}

/// Words about the password.
pub mod password {
    /// Title.
    pub const TITLE: &str = "Password";
    /// What a change means.
    pub const ABOUT: &str = "There is no reset: nobody, not even whoever runs the server, can open your messages without the password. A \
         change signs you out everywhere else.";
    /// Opens the form, and does what it says.
    pub const CHANGE: &str = "Change password";
    /// The password so far.
    pub const OLD: &str = "Password so far";
    /// The new one.
    pub const NEW: &str = "New password";
    /// The password so far was not typed.
    pub const OLD_EMPTY: &str = "Type the password that you have now.";
    /// The new one is the old one.
    pub const SAME: &str = "That is the password that you have now.";
    /// While it is being changed.
    pub const CHANGING: &str = "Changing your password. This takes some rounds, and a moment of hard work that makes it hard to guess …";
    /// It was changed.
    pub const CHANGED: &str = "Your password is changed. All other sessions are signed out.";
    /// The password so far is wrong.
    pub const WRONG: &str = "The password so far is wrong. Nothing was changed.";
}

/// Words about sessions.
pub mod sessions {
    use crate::present::count;

    /// Title.
    pub const TITLE: &str = "Where you are signed in";
    /// What they are.
    pub const ABOUT: &str = "One place at a time is in the rounds: the one that signed in last. Older ones can be taken up until they end.";
    /// While they are asked for.
    pub const ASKING: &str = "Asking the server, which takes some rounds …";
    /// Asks for them.
    pub const LIST: &str = "Ask again";
    /// This one.
    pub const THIS: &str = "This one";
    /// Another one.
    pub const OTHER: &str = "Another one";
    /// Another one, which a newer one took the place of.
    pub const SUPERSEDED: &str = "Another one, signed out by a newer sign-in";
    /// Ends one.
    pub const END: &str = "End";
    /// Ends all but this one.
    pub const END_OTHERS: &str = "Sign out everywhere else";
    /// While that is under way.
    pub const ENDING: &str = "Ending …";

    const HOUR_MS: u64 = 3_600_000;
    const DAY_MS: u64 = 24 * HOUR_MS;

    /// How long ago a session began.
    pub fn age(created_ms: u64, now_ms: u64) -> String {
        if created_ms == 0 {
            return "since an unknown time".into();
        }
        match now_ms.saturating_sub(created_ms) {
            young if young < HOUR_MS => "for less than an hour".into(),
            age if age < 2 * DAY_MS => format!("for {}", count(age / HOUR_MS, "hour", "hours")),
            age => format!("for {}", count(age / DAY_MS, "day", "days")),
        }
    }

    /// When a session ends by itself.
    pub fn rest(expires_ms: u64, now_ms: u64) -> String {
        match expires_ms.saturating_sub(now_ms) {
            0 => "has ended".into(),
            left if left < DAY_MS => "ends within a day".into(),
            left => format!("ends in {}", count(left / DAY_MS, "day", "days")),
        }
    }

    /// How many are left to be ended.
    pub fn ending(left: usize) -> String {
        format!("Ending {}, one at a time …", count(left as u64, "session", "sessions"))
    }
}

/// Words about deleting the account.
pub mod deletion {
    /// Title.
    pub const TITLE: &str = "Delete account";
    /// Opens the form.
    pub const BEGIN: &str = "Delete this account …";
    /// What it means.
    pub const ABOUT: &str = "Your account, your keys and your list of contacts are deleted at the server for good. Your name can be taken \
         by anybody then. What was not delivered is lost. What is kept on this computer stays, and can be deleted apart.";
    /// The field of the name.
    pub const NAME: &str = "Type your name to show that you mean it";
    /// The field of the password.
    pub const PASSWORD: &str = "Password";
    /// Leads to the last question.
    pub const NEXT: &str = "Delete account";
    /// The name is another.
    pub const NAME_DIFFERS: &str = "That is not your name.";
    /// No password was typed.
    pub const PASSWORD_EMPTY: &str = "Type your password here.";
    /// The last question.
    pub const SURE: &str = "Delete the account now? This cannot be undone by anybody.";
    /// Does it.
    pub const YES: &str = "Delete it for good";
    /// While it is being deleted.
    pub const DELETING: &str = "Deleting your account. This takes some rounds, and a moment of hard work to check your password …";
    /// The password is wrong.
    pub const WRONG: &str = "The password is wrong. Nothing was deleted.";
    /// It is gone.
    pub const DONE: &str = "Your account is deleted.";
}

/// Words about what is kept and told on this computer.
pub mod privacy {
    /// Title.
    pub const TITLE: &str = "Privacy";
    /// Above the choices of when the window locks.
    pub const LOCK: &str = "Lock by itself when nobody presses a key or moves the mouse";
    /// Above the choices of what is told.
    pub const NOTIFICATIONS: &str = "Notifications";
    /// What to know of them.
    pub const NOTIFICATIONS_ABOUT: &str = "They never say what was written, and nobody's name while iirs is locked. Your desktop may keep them, or pass \
         them on to your phone.";
    /// Above the history.
    pub const HISTORY: &str = "Messages on this computer";
    /// Above what is left out.
    pub const LEFT_OUT: &str = "What iirs does not have, on purpose";
    /// What is left out, and why.
    pub const LEFT_OUT_TEXT: [(&str, &str); 5] = [
        (
            "Typing notices",
            "They would tell the other side when you hesitate, and that you are there.",
        ),
        ("Who is online", "The server knows who is in the rounds; nobody else needs to."),
        ("Last seen", "It is a record of your days. Nobody keeps one here."),
        (
            "Read receipts",
            "“Delivered” means that it is on their disk. When it was read is theirs to tell.",
        ),
        ("Link previews", "Fetching a page tells its server, and the network, what you were sent."),
    ];
    /// Leads to the page that says what is hidden.
    pub const MEANING: &str = "What is hidden from whom";
}

/// Words about the history as a whole.
pub mod history {
    use std::path::Path;

    use crate::present::count;

    /// Begins an export.
    pub const EXPORT: &str = "Export everything …";
    /// Begins a deletion.
    pub const DELETE: &str = "Delete everything …";
    /// Above the forms that an export can have.
    pub const FORMAT: &str = "Which form?";
    /// For people.
    pub const TEXT: &str = "Text, to read";
    /// For programs.
    pub const JSON: &str = "JSON, for programs";
    /// Does it.
    pub const EXPORT_YES: &str = "Export in clear text";
    /// Begins to be written.
    pub const EXPORTING: &str = "Writing the file …";
    /// Whether all of it is to be deleted.
    pub const DELETE_ASK: &str = "Delete all messages with everybody on this computer? The others keep theirs. What is not delivered yet is kept until \
         it is.";
    /// The last question.
    pub const DELETE_SURE: &str =
        "All of them are gone then, for good. There is no copy anywhere else of yours.";
    /// Leads to the last question.
    pub const DELETE_NEXT: &str = "Delete all messages";
    /// Does it.
    pub const DELETE_YES: &str = "Yes, delete them";
    /// While it is being done.
    pub const DELETING: &str = "Deleting …";
    /// It was done.
    pub const DELETED: &str = "All messages on this computer are deleted.";

    /// What an export means.
    pub fn export_sure(file: &Path) -> String {
        format!(
            "This file can be read by anybody who gets it, now or later: {}. It holds all messages with everybody, in clear \
             text.",
            file.display()
        )
    }

    /// How far an export is.
    pub fn exporting(done: u64, of: u64) -> String {
        let done = super::number(done);
        format!("Writing the file: {done} of {} …", count(of, "message", "messages"))
    }

    /// It was written.
    pub fn exported(file: &Path, messages: u64) -> String {
        format!("{} are in {}", count(messages, "message", "messages"), file.display())
    }

    /// It failed.
    pub fn failed(why: &str) -> String {
        format!("That did not work. {why}")
    }
}

/// Words about the look.
pub mod appearance {
    /// Title.
    pub const TITLE: &str = "Appearance";
    /// Above the colours.
    pub const THEME: &str = "Colours";
    /// Above the sizes.
    pub const ZOOM: &str = "Text size";
    /// Smaller.
    pub const SMALLER: &str = "Smaller";
    /// Larger.
    pub const LARGER: &str = "Larger";
    /// As designed.
    pub const STANDARD: &str = "100 %";
    /// Which keys do the same.
    pub const ZOOM_KEYS: &str = "Ctrl+= and Ctrl+- do the same anywhere, Ctrl+0 takes it back.";
    /// The start of the program decided otherwise.
    pub const GIVEN: &str = "iirs was started with --theme, which counts until it ends. What you choose here counts from the next start on.";
}

/// Words about the network.
pub mod network {
    /// Title.
    pub const TITLE: &str = "Network";
    /// The server's name and port.
    pub const SERVER: &str = "Server";
    /// The server's identity.
    pub const PIN: &str = "Its identity";
    /// How the connection is.
    pub const STATE: &str = "Connection";
    /// The cover now.
    pub const COVER: &str = "Cover";
    /// The open round.
    pub const ROUND: &str = "Round";
    /// How long rounds are.
    pub const ROUND_LENGTH: &str = "Length of a round";
    /// How many are in it.
    pub const SEATS: &str = "Seats, says the server";
    /// What was missed.
    pub const MISSED: &str = "Rounds missed since the start";
    /// What was sent with something in it.
    pub const REAL: &str = "Slots sent with something in them";
    /// What was sent with nothing in it.
    pub const COVER_SLOTS: &str = "Slots sent as cover";
    /// What nobody outside can tell.
    pub const SLOTS_ABOUT: &str =
        "Nobody on the network can tell one from the other; only this computer counts them.";
    /// Calls that were not told.
    pub const REFUSED: &str = "Calls that were not shown";
    /// What they were.
    pub const REFUSED_ABOUT: &str =
        "Replayed, too old, forged, or from people you blocked or declined.";
    /// Tries at once.
    pub const RETRY: &str = "Try now";
    /// Not known yet.
    pub const UNKNOWN: &str = "not known yet";
}

/// Words about the program.
pub mod about {
    /// Title.
    pub const TITLE: &str = "About";
    /// What it is.
    pub const WHAT: &str = "Private chat for groups that run their own server. Everybody sends the same, whether they talk or not.";
    /// Above the version.
    pub const VERSION: &str = "Version";
    /// Above the directory.
    pub const DATA: &str = "Where your data lies";
    /// What is there.
    pub const DATA_ABOUT: &str = "Messages, contacts and keys are encrypted under your password. window.json there holds these settings, the last \
         link, and your name if it is remembered, in clear text.";
    /// Above the licences.
    pub const LICENCES: &str = "Licences";
    /// What they are.
    pub const LICENCES_TEXT: &str = "iirs is free: MIT or Apache-2.0, as you like. It is built on free libraries, among them iced, quinn, rustls, redb, \
         RustCrypto and opaque-ke. The letters are Fira Sans, under the SIL Open Font License 1.1.";
    /// That nobody checked it.
    pub const AUDIT: &str = "No part of iirs has been audited.";
    /// Leads to the keys.
    pub const KEYS: &str = "Keys";
}

/// Which colours.
pub fn theme(choice: ThemeChoice) -> &'static str {
    match choice {
        ThemeChoice::System => "As the desktop",
        ThemeChoice::Light => "Light",
        ThemeChoice::Dark => "Dark",
        ThemeChoice::HighContrast => "High contrast",
    }
}

/// When the window locks by itself.
pub fn lock_after(choice: LockAfter) -> &'static str {
    match choice {
        LockAfter::Minute => "After 1 minute",
        LockAfter::Five => "After 5 minutes",
        LockAfter::Quarter => "After 15 minutes",
        LockAfter::Hour => "After an hour",
        LockAfter::Never => "Never",
    }
}

/// What the desktop is told.
pub fn notifications(choice: Notifications) -> &'static str {
    match choice {
        Notifications::Off => "None",
        Notifications::Count => "How many messages",
        Notifications::Name => "From whom",
    }
}

/// How the connection is.
pub fn connection(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Connecting => "reaching the server",
        ConnectionState::Connected => "in the rounds",
        ConnectionState::Lost => "lost",
        ConnectionState::Resumed => "in the rounds again",
    }
}

/// How large everything is.
pub fn percent(percent: u16) -> String {
    format!("{percent} %")
}

/// How long a round is.
pub fn round_length(ms: u32) -> String {
    match ms {
        ms if ms.is_multiple_of(1000) => count(u64::from(ms / 1000), "second", "seconds"),
        ms => format!("{ms} ms"),
    }
}

/// Writes a number with a comma between its thousands.
pub fn number(number: u64) -> String {
    count(number, "", "").trim_end().to_owned()
}

/// Where something lies.
pub fn place(path: &Path) -> String {
    path.display().to_string()
}
