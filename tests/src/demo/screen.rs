//! What the person watching sees: headings, lines, and on a terminal a live line under them.

use std::io::{IsTerminal as _, Write as _, stdout};

/// Rounds between two progress lines where there is no terminal.
const PLAIN_EVERY: usize = 5;

/// Characters of the live line, so that it never wraps.
const LIVE_CHARACTERS: usize = 78;

/// Characters of a message that are shown.
const EXCERPT_CHARACTERS: usize = 44;

/// Standard output.
pub(super) struct Screen {
    terminal: bool,
    live: String,
    statuses: usize,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { terminal: stdout().is_terminal(), live: String::new(), statuses: 0 }
    }

    /// Begins a part: what happens, and why.
    pub(super) fn heading(&mut self, what: &str, why: &str) {
        if self.terminal {
            self.line(&format!("\n\x1b[1m{what}\x1b[0m\n\x1b[2m{why}\x1b[0m"));
        } else {
            self.line(&format!("\n== {what}\n   {why}"));
        }
    }

    /// Prints a line above the live one.
    pub(super) fn line(&mut self, text: &str) {
        let (clear, live) = if self.terminal { ("\r\x1b[2K", &*self.live) } else { ("", "") };
        print(&format!("{clear}{text}\n{live}"));
    }

    /// Shows how it stands after a round: at once on a terminal, elsewhere now and then.
    pub(super) fn status(&mut self, text: &str) {
        self.statuses += 1;
        if self.terminal {
            self.live = text.chars().take(LIVE_CHARACTERS).collect();
            print(&format!("\r\x1b[2K{}", self.live));
        } else if self.statuses.is_multiple_of(PLAIN_EVERY) {
            self.line(&format!("   ({text})"));
        }
    }

    /// Takes the live line away.
    pub(super) fn done(&mut self) {
        if self.terminal {
            self.live.clear();
            print("\r\x1b[2K");
        }
    }
}

/// Shortens a message to a piece of one line that steers no terminal.
pub(super) fn excerpt(text: &str) -> String {
    let mut characters = text.chars();
    let taken = characters.by_ref().take(EXCERPT_CHARACTERS);
    let shown: String = taken.map(|it| if it.is_control() { ' ' } else { it }).collect();
    let rest = if characters.next().is_some() { "…" } else { "" };
    format!("“{shown}{rest}”, {} bytes", text.len())
}

fn print(text: &str) {
    let mut out = stdout().lock();
    // somebody who stops reading does not stop the chat; the exit code tells the outcome
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
