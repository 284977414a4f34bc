//! Words of the sheets that lie on a screen: keys, what the cover means, and the question before the end.

/// Puts a sheet away.
pub const CLOSE: &str = "Close";

/// Words of the sheet of keys.
pub mod shortcuts {
    /// Title.
    pub const TITLE: &str = "Keys";
    /// Above the keys that work everywhere.
    pub const EVERYWHERE: &str = "Everywhere";
    /// Above those of the main screen.
    pub const MAIN: &str = "People and messages";

    /// Keys that work everywhere, and what they do.
    pub const KEYS: &[(&str, &str)] = &[
        ("Tab, Shift+Tab", "to the next thing, or the one before"),
        ("Enter, Space", "presses what has the focus"),
        ("Escape", "goes back, or puts away what lies on top"),
        ("Ctrl+=, Ctrl+-, Ctrl+0", "larger, smaller, as it was"),
        ("Ctrl+,", "settings"),
        ("Ctrl+L", "locks"),
        ("Ctrl+/, F1", "this sheet"),
        ("Ctrl+N", "a new account, before the sign-in"),
    ];
}

/// Words of the page that says what is hidden from whom.
pub mod meaning {
    /// Title.
    pub const TITLE: &str = "What is hidden, and what is not";

    /// One part of the page.
    pub struct Part {
        /// What it is about.
        pub title: &'static str,
        /// What it says.
        pub text: &'static [&'static str],
    }

    /// All of it, in its order.
    pub const PARTS: [Part; 6] = [
        Part {
            title: "From the network",
            text: &[
                "Everybody in the rounds sends and receives the same amount at the same times, whether they talk or not. Whoever \
                 watches the network, anywhere and for ever, cannot tell who talks, calls or is called, or whether anybody does.",
                "That you are here is not hidden, and neither is when you come and go. If you and one other person always come \
                 and go together, that tells something: so stay.",
            ],
        },
        Part {
            title: "From whoever runs the server",
            text: &[
                "What you write is locked on your computer and opens only on the other person's. Whoever runs the server cannot \
                 read it, as long as nobody put false keys between you: comparing the safety number shows that.",
                "While your group has a single server, its operator can find out who calls whom, who talks to whom, and when. \
                 Only what is said stays hidden.",
            ],
        },
        Part {
            title: "From the people you talk to",
            text: &[
                "They know that it was you, and could prove to others what you wrote. Whom you call learns that you call. Whom \
                 you decline, block or forget is not told.",
                "Everybody in your group sees the list of all names.",
            ],
        },
        Part {
            title: "From a thief of your computer",
            text: &[
                "What you wrote and got is encrypted under your password. Without it a thief sees roughly how much there is, and \
                 not with whom. The lock closes that while the rounds go on.",
                "A program that runs as you can see all that you see. iirs can do nothing against that.",
            ],
        },
        Part {
            title: "Why to stay online",
            text: &[
                "Being here, silent, is what hides those who talk, and you when you talk. The more people are in a round, the \
                 better: with two there is little doubt who talks with whom. The bar says “weak cover” below eight seats, by the \
                 number that the server claims.",
                "Leave the window open. It sends and gets about a kilobyte in every round, always the same, and costs your computer \
                 next to nothing.",
            ],
        },
        Part {
            title: "What iirs does not do",
            text: &[
                "It has not been audited. It does not hide that you use it. It cannot keep the server from refusing service. A \
                 password that is lost is lost: nobody can reset it.",
            ],
        },
    ];
}

/// Words of the question before the end.
pub mod quit {
    /// Title.
    pub const TITLE: &str = "Leave the rounds?";
    /// What the end means.
    pub const ABOUT: &str = "When iirs ends, your cover ends: you are no longer in the rounds, which can be seen, and nothing reaches \
         you until you are back. Being here also covers the others. You can lock the window instead.";
    /// Ends the program.
    pub const QUIT: &str = "Quit";
    /// Does not.
    pub const STAY: &str = "Stay";
    /// Locks instead.
    pub const LOCK: &str = "Lock instead";
    /// Does not ask any more.
    pub const UNASKED: &str = "Do not ask again";
}
