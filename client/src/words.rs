//! Every word that the window shows, by screen.

pub mod main;
pub mod notify;
pub mod settings;
pub mod sheets;
pub mod unlock;

/// The program's name.
pub const PROGRAM: &str = "iirs";

/// Names the window of somebody who has signed in, with the number of messages that were not looked at and calls that
/// were not answered.
pub fn title(user: &str, unread: u32) -> String {
    match unread {
        0 => format!("{user} – {PROGRAM}"),
        unread => format!("({unread}) {user} – {PROGRAM}"),
    }
}

/// Names the window while it is locked, with nobody's name.
pub fn locked_title(unread: u32) -> String {
    let title = format!("{PROGRAM} – {}", unlock::TITLE);
    if unread == 0 { title } else { format!("({unread}) {title}") }
}

/// While the engine leaves and the window closes.
pub const LEAVING: &str = "Leaving the rounds …";

/// Words for a later start of the program, which this window stands for.
pub mod raised {
    /// A link came, and somebody is signed in: with the server of that link, or another.
    pub fn signed_in(is_here: bool) -> &'static str {
        match is_here {
            true => "You opened a link to the server where you are signed in already.",
            false => {
                "You opened a link to another server. Sign out here first, and open it again; or start iirs with \
                 --profile and a directory of its own, and be in both."
            }
        }
    }
}

/// Words of the first screen.
pub mod connect {
    use wire::link::LinkError;

    /// Title.
    pub const TITLE: &str = "Connect to your group";
    /// What a link is and where it comes from.
    pub const ABOUT: &str = "Paste your group's link here. It says where your group's server is and how \
        to recognise it. You get it from whoever runs that server.";
    /// The field.
    pub const LINK: &str = "Link";
    /// What a link looks like.
    pub const SHAPE: &str = "iirs://chat.example.org:4433/#…";
    /// The button that leads to signing in.
    pub const SIGN_IN: &str = "Sign in";
    /// The button that leads to a new account.
    pub const REGISTER: &str = "Create an account";
    /// Nothing is in the field.
    pub const EMPTY: &str =
        "Paste the link first. You get it from whoever runs your group's server.";
    /// What was pasted is longer than any link.
    pub const TOO_LONG: &str = "That is far too long for a link, so it was not taken. Copy only the link and paste it again.";

    /// How a link begins.
    pub const SCHEME: &str = "iirs://";
    /// Another way to give the link.
    pub const FILE: &str = "You can also drop a file here that has the link in it.";
    /// A file cannot be read.
    pub const FILE_UNREADABLE: &str =
        "That cannot be read as a file. Open it and copy the link instead.";
    /// A file is too long to hold just a link.
    pub const FILE_TOO_LONG: &str = "That file is longer than 4,096 bytes, so it was not read. Open it and copy the link instead.";
    /// A file has no link.
    pub const FILE_WITHOUT_LINK: &str = "No line of that file begins with iirs://, as a link does.";

    /// What is wrong with a link, and what to do.
    pub fn wrong(error: LinkError) -> &'static str {
        match error {
            LinkError::Scheme => {
                "This is not the link of a group: that begins with iirs:// and has no words around \
                 it. Copy the whole link and paste it again."
            }
            LinkError::Host => {
                "The server's name in this link (after iirs://) is missing or damaged. Copy the \
                 whole link and paste it again."
            }
            LinkError::Port => {
                "The number after the server's name and a colon, as in :4433, is missing or damaged. \
                 Copy the whole link and paste it again."
            }
            LinkError::Pin => {
                "The end of this link, the letters and digits after /#, is incomplete or damaged. \
                 Copy the whole link and paste it again."
            }
        }
    }
}

/// Words that signing in and registering share.
pub mod entry {
    use wire::ids::NameError;

    /// The field of the name.
    pub const NAME: &str = "Name";
    /// The field of the password.
    pub const PASSWORD: &str = "Password";
    /// Shows what is typed.
    pub const SHOW: &str = "Show the password";
    /// Keeps the name for the next time.
    pub const REMEMBER: &str = "Remember my name on this computer";
    /// Ends the attempt.
    pub const CANCEL: &str = "Cancel";
    /// Leads back to the first screen.
    pub const BACK: &str = "Use another link";
    /// No name was typed.
    pub const NAME_EMPTY: &str = "Type your name here first.";
    /// A longer text was pasted than a password may be.
    pub const PASSWORD_TOO_LONG: &str =
        "That is longer than a password may be (1,024 bytes), so it was not taken.";
    /// The password so far is in capital letters.
    pub const CAPITALS: &str = "Only capital letters so far. Is Caps Lock on?";

    /// Which server this is about.
    pub fn server(host: &str) -> String {
        format!("Server: {host}")
    }

    /// What is wrong with a name.
    pub fn name(error: NameError) -> &'static str {
        match error {
            NameError::Length => "A name has 1 to 32 characters.",
            NameError::Character => {
                "A name is made of the letters a to z, digits, dots, hyphens and underscores."
            }
            NameError::First => "A name begins with a letter.",
        }
    }
}

/// Words of the screen that makes an account.
pub mod register {
    use wire::account::InviteError;

    /// Title.
    pub const TITLE: &str = "Create an account";
    /// The rules of names.
    pub const NAME_RULES: &str = "1 to 32 characters: a to z, digits, dot, hyphen, underscore; a letter \
        first. Everyone in the group sees it.";
    /// The field that repeats the password.
    pub const REPEAT: &str = "The same password again";
    /// What an account without a reset means.
    pub const NO_RESET: &str = "There is no password reset. Nobody, not even whoever runs the server, can \
        open your messages or give you a new password. Keep it in a password manager.";
    /// The button.
    pub const REGISTER: &str = "Create account";
    /// Leads to the other screen.
    pub const SIGN_IN: &str = "I have an account";
    /// No password was typed.
    pub const PASSWORD_EMPTY: &str = "Choose a password first.";
    /// The password is too easily guessed.
    pub const PASSWORD_WEAK: &str = "Too easy to guess. It has to be at least good.";
    /// The password was not typed again.
    pub const REPEAT_EMPTY: &str = "Type the password a second time.";
    /// The two passwords differ.
    pub const REPEAT_DIFFERS: &str = "The two passwords are not the same.";
    /// The two passwords are the same.
    pub const REPEAT_SAME: &str = "The same";
    /// The field of the invitation code.
    pub const INVITE: &str = "Invitation code";
    /// What such a code looks like.
    pub const INVITE_SHAPE: &str =
        "Four groups of four letters and digits, from whoever runs the server.";
    /// No code was typed.
    pub const INVITE_EMPTY: &str = "Type your invitation code here first.";
    /// What a good password is, before one is typed.
    pub const ADVICE: &str = "Four or more uncommon words are a good password.";

    /// What is wrong with an invitation code.
    pub fn invite(error: InviteError) -> &'static str {
        match error {
            InviteError::Length => "A code has 16 letters and digits. Copy the whole code.",
            InviteError::Character => {
                "A code is made of digits and letters, without U. Copy it once more."
            }
            InviteError::Zeros => "This is no code. Ask whoever runs the server for one.",
        }
    }
}

/// Words of the screen that signs in.
pub mod sign_in {
    /// Title.
    pub const TITLE: &str = "Sign in";
    /// The button.
    pub const SIGN_IN: &str = "Sign in";
    /// Leads to the other screen.
    pub const REGISTER: &str = "Create an account";
    /// No password was typed.
    pub const PASSWORD_EMPTY: &str = "Type your password here first.";
}

/// Words of the screen that is left when the engine has ended.
pub mod stopped {
    /// Leads to signing in.
    pub const SIGN_IN: &str = "Sign in again";
    /// Leads to the first screen.
    pub const CONNECT: &str = "Back to the link";
    /// Ends the program.
    pub const QUIT: &str = "Quit";
}

/// Words of what is being done between a press and the rounds.
pub mod steps {
    use client_link::api::Step;

    /// Nothing has begun.
    pub const STARTING: &str = "Starting …";
    /// The attempt was cancelled and has not ended.
    pub const STOPPING: &str = "Stopping. The step that has begun is finished first …";
    /// Why a step is slow.
    pub const SLOW: &str = "This takes a moment on purpose: it makes your password hard to guess.";

    /// What is being done.
    pub fn doing(step: Step) -> String {
        match step {
            Step::Unlocking => "Unlocking what is kept on this computer …".into(),
            Step::Connecting => {
                "Reaching the server and checking that it is the right one …".into()
            }
            Step::Registering => "Making your account and its keys …".into(),
            Step::SigningIn => "Checking your name and password …".into(),
            Step::Resuming => "Taking up your last session …".into(),
            Step::MakingProfile => {
                "Making a locked place for your messages on this computer …".into()
            }
            Step::Directory { names: 0, .. } => "Fetching the list of people …".into(),
            Step::Directory { names, done } => {
                let people = crate::present::count(names.into(), "person", "people");
                if done == 0 || done >= names {
                    return format!("Fetching the list of {people} …");
                }
                let done = crate::present::count(done.into(), "is", "are");
                format!("Fetching the list of {people}: {done} here …")
            }
        }
    }

    /// Tells whether a step is slow by design.
    pub fn is_slow(step: Step) -> bool {
        match step {
            Step::Unlocking | Step::Registering | Step::SigningIn | Step::MakingProfile => true,
            Step::Connecting | Step::Resuming | Step::Directory { .. } => false,
        }
    }
}

/// Words of what ended an attempt or the engine.
pub mod failure {
    use client_link::api::ErrorCode;

    use crate::present;

    /// Longest text of the engine that is shown, in characters.
    const SHOWN_MAX: usize = 400;

    /// It ended and did not say why.
    pub const SILENT: &str = "It stopped and gave no reason. Try again.";

    /// What happened and what to do next; the engine's own words where they say more.
    pub fn words(code: ErrorCode, text: &str) -> String {
        let known = match code {
            ErrorCode::WrongCredentials => {
                "The name or the password is wrong. Check both and try again. Nobody can reset a \
                 password."
            }
            ErrorCode::NameTaken => {
                "Somebody has this name already. Choose another one, or sign in if it is yours."
            }
            ErrorCode::ProfileInUse => {
                "This account is open in another window on this computer. Close that one first."
            }
            ErrorCode::ProfileOtherAccount => {
                "What is kept on this computer under this name belongs to another server. Check the \
                 link."
            }
            ErrorCode::ProfileNewer => {
                "A newer iirs was used with this account on this computer. Update this one; nothing \
                 was changed."
            }
            ErrorCode::ServerFull => {
                "The server has no room for another account. Tell whoever runs it."
            }
            ErrorCode::SessionEnded => "Your session has ended. Sign in again.",
            ErrorCode::Locked => "The messages are locked. Unlock them first.",
            ErrorCode::SignedInElsewhere => {
                "You signed in somewhere else, so this window left the rounds. Sign in again to come \
                 back here."
            }
            ErrorCode::WrongPin
            | ErrorCode::NoServer
            | ErrorCode::PasswordInvalid
            | ErrorCode::ProfileDamaged
            | ErrorCode::Disk
            | ErrorCode::Disabled
            | ErrorCode::SlowDown
            | ErrorCode::DirectoryForked
            | ErrorCode::ServerProtocol
            | ErrorCode::RoundRefused
            | ErrorCode::KeyChanged
            | ErrorCode::SelfConversation
            | ErrorCode::TooManyConversations
            | ErrorCode::UnknownPeer
            | ErrorCode::NotOpen
            | ErrorCode::NoRequest
            | ErrorCode::Blocked
            | ErrorCode::NotAContact
            | ErrorCode::TooManyContacts
            | ErrorCode::AccountGone
            | ErrorCode::VaultDamaged
            | ErrorCode::VaultRolledBack
            | ErrorCode::RegistrationClosed
            | ErrorCode::InviteNeeded
            | ErrorCode::InviteInvalid
            | ErrorCode::Busy
            | ErrorCode::TextEmpty
            | ErrorCode::TextTooLong
            | ErrorCode::LabelTooLong
            | ErrorCode::QueueFull => {
                return contacts(code).map_or_else(|| sentence(text), str::to_owned);
            }
        };
        known.into()
    }

    /// What happened with somebody, with the list of contacts, or with an invitation; none for all else.
    fn contacts(code: ErrorCode) -> Option<&'static str> {
        Some(match code {
            ErrorCode::UnknownPeer => {
                "Nobody here has this name. Perhaps the account was deleted, or is so new that it is not listed yet."
            }
            ErrorCode::NoRequest => "This call is over already. You can call back.",
            ErrorCode::Blocked => "You blocked this person. Unblock first.",
            ErrorCode::NotOpen | ErrorCode::NotAContact => {
                "This person is not among your contacts. Call first, then try again."
            }
            ErrorCode::TooManyContacts => {
                "There is no room for another contact. Forget or unblock somebody first."
            }
            ErrorCode::AccountGone => {
                "This account is gone from the server, and nobody has the name now. You can forget this contact."
            }
            ErrorCode::VaultDamaged => {
                "The list of your contacts that the server keeps for you cannot be opened. What this computer knows stays \
                 in use. Tell whoever runs the server."
            }
            ErrorCode::VaultRolledBack => {
                "The server showed an older list of your contacts than before: it was restored from an old copy, or holds \
                 the newer one back. What this computer knows stays, and is stored again. Ask whoever runs the server."
            }
            ErrorCode::RegistrationClosed => {
                "This group takes no new accounts now. Ask whoever runs the server."
            }
            ErrorCode::InviteNeeded => {
                "This group takes new accounts only with an invitation code. Ask whoever runs the server for one."
            }
            ErrorCode::InviteInvalid => {
                "This invitation code is wrong, used already, or too old. Check it, or ask for a new one."
            }
            _ => return None,
        })
    }

    /// Makes a sentence of what the engine said: a capital letter first, a full stop last.
    pub fn sentence(text: &str) -> String {
        let text: String = present::plain(text).chars().take(SHOWN_MAX).collect();
        let text = text.trim();
        let mut rest = text.chars();
        let Some(first) = rest.next() else { return SILENT.into() };
        let stop = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
        format!("{}{}{stop}", first.to_uppercase(), rest.as_str())
    }
}

/// Words for the end of a session.
pub mod ending {
    use client_link::api::ErrorCode;

    /// The account was deleted.
    pub const DELETED: &str = "Your account is deleted at the server, for good. What is kept on this computer is still here, locked.";
    /// Above that.
    pub const DELETED_TITLE: &str = "The account is deleted";
    /// The session was ended on purpose.
    pub const SIGNED_OUT: &str = "You are signed out, and no longer in the rounds.";
    /// Nothing better is known.
    pub const TITLE: &str = "iirs has stopped";
    /// The engine ended without a word.
    pub const SILENT: &str = "The part that talks to the server ended without a reason. Sign in again; \
         your messages are safe on this machine.";

    /// Says in a few words why it ended.
    pub fn title(code: ErrorCode) -> &'static str {
        match code {
            ErrorCode::WrongPin => "This is not your group's server",
            ErrorCode::SignedInElsewhere => "Signed in elsewhere",
            ErrorCode::Disabled => "This account is disabled",
            ErrorCode::SessionEnded => "Your session has ended",
            ErrorCode::Disk => "The disk failed",
            ErrorCode::DirectoryForked => "The server's directory changed its past",
            ErrorCode::ServerProtocol | ErrorCode::RoundRefused => "The server makes no sense",
            ErrorCode::WrongCredentials
            | ErrorCode::NameTaken
            | ErrorCode::NoServer
            | ErrorCode::PasswordInvalid
            | ErrorCode::ProfileInUse
            | ErrorCode::ProfileOtherAccount
            | ErrorCode::ProfileNewer
            | ErrorCode::ProfileDamaged
            | ErrorCode::SlowDown
            | ErrorCode::ServerFull
            | ErrorCode::KeyChanged
            | ErrorCode::UnknownPeer
            | ErrorCode::NotOpen
            | ErrorCode::SelfConversation
            | ErrorCode::TooManyConversations
            | ErrorCode::NoRequest
            | ErrorCode::Blocked
            | ErrorCode::NotAContact
            | ErrorCode::TooManyContacts
            | ErrorCode::AccountGone
            | ErrorCode::VaultDamaged
            | ErrorCode::VaultRolledBack
            | ErrorCode::RegistrationClosed
            | ErrorCode::InviteNeeded
            | ErrorCode::InviteInvalid
            | ErrorCode::Locked
            | ErrorCode::Busy
            | ErrorCode::TextEmpty
            | ErrorCode::TextTooLong
            | ErrorCode::LabelTooLong
            | ErrorCode::QueueFull => TITLE,
        }
    }

    /// The account was made, but signing in failed.
    pub fn registered(user: &str, why: Option<&str>) -> String {
        let why = why.unwrap_or("It was given up.");
        format!("Your account {user} is made, but you are not signed in yet. {why}")
    }
}
