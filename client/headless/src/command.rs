//! JSON in: one line, one command.

use client_link::api::Command;
use rand_core::{OsRng, RngCore};
use serde::Deserialize;
use thiserror::Error;

use crate::lines::{LINE_MAX, Line};

/// Stable code of every line that is no command.
pub const COMMAND_INVALID: &str = "command-invalid";

/// Most characters of a parser's complaint that are repeated, since it may quote the whole line.
const COMPLAINT_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Wanted {
    Open { peer: String },
    Send { peer: String, text: String, id: Option<String> },
    Close { peer: String },
    SafetyNumber { peer: String },
    // Braces, since serde lets unknown fields pass beside a bare variant.
    Directory {},
    Status {},
    Quit {},
}

/// Why a line is not a command.
#[derive(Debug, Error)]
pub enum Invalid {
    /// It has more than [`LINE_MAX`] bytes.
    #[error("it has more than {LINE_MAX} bytes; send long text in several messages")]
    TooLong,
    /// It is JSON of another kind, or none.
    #[error(r#"it is not a JSON object; write for instance {{"do":"status"}}"#)]
    NotAnObject,
    /// It has another shape than any command.
    #[error("{0}; iirs-headless --help shows the commands")]
    Shape(String),
}

/// Gives labels to messages that came without an id.
pub struct Labels {
    run: u32,
    given: u64,
}

impl Labels {
    /// Begins with a random part, since messages that wait in the profile keep the labels of
    /// earlier runs.
    pub fn new() -> Self {
        Self { run: OsRng.next_u32(), given: 0 }
    }

    fn next(&mut self) -> String {
        self.given += 1;
        format!("m{:08x}-{}", self.run, self.given)
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads a line as a command.
pub fn parse(line: &Line, labels: &mut Labels) -> Result<Command, Invalid> {
    let bytes = line.bytes.as_ref().ok_or(Invalid::TooLong)?;
    // Serde would also take an array of the fields.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Invalid::NotAnObject);
    }
    let wanted = serde_json::from_slice(bytes)
        .map_err(|error| Invalid::Shape(error.to_string().chars().take(COMPLAINT_MAX).collect()))?;
    Ok(match wanted {
        Wanted::Open { peer } => Command::Open { peer },
        Wanted::Send { peer, text, id } => {
            Command::Send { peer, text, label: id.unwrap_or_else(|| labels.next()) }
        }
        Wanted::Close { peer } => Command::Close { peer },
        Wanted::SafetyNumber { peer } => Command::SafetyNumber { peer },
        Wanted::Directory {} => Command::Directory,
        Wanted::Status {} => Command::Status,
        Wanted::Quit {} => Command::Quit,
    })
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Command, Invalid> {
        let bytes = Some(Zeroizing::new(text.as_ref().to_vec()));
        parse(&Line { number: 1, bytes, whole: true }, &mut Labels { run: 0xa1, given: 4 })
    }

    fn send(text: &str, label: &str) -> Command {
        Command::Send { peer: "bob".into(), text: text.into(), label: label.into() }
    }

    #[test]
    fn each_command_of_the_manual() {
        let peer = || "bob".to_owned();
        let all = [
            (r#"{"do":"open","peer":"bob"}"#, Command::Open { peer: peer() }),
            (r#"{"do":"send","peer":"bob","text":"hi","id":"m1"}"#, send("hi", "m1")),
            (r#"{"do":"close","peer":"bob"}"#, Command::Close { peer: peer() }),
            (r#"{"do":"safety-number","peer":"bob"}"#, Command::SafetyNumber { peer: peer() }),
            (r#"{"do":"directory"}"#, Command::Directory),
            (r#" { "do" : "status" } "#, Command::Status),
            ("{\"do\":\"quit\"}\r", Command::Quit),
        ];
        for (line, command) in all {
            assert!(read(line).unwrap() == command, "{line}");
        }
    }

    #[test]
    fn text_passes_byte_for_byte() {
        for text in [
            " \t a \r\n ",
            "\0\u{7f}\u{9b}31m",
            "\u{202e}שלום",
            "日本語 🏳️‍🌈 e\u{301}",
            "\\u0041\"",
            "",
        ] {
            let line = serde_json::json!({"do": "send", "peer": "bob", "text": text, "id": text});
            assert!(read(line.to_string()).unwrap() == send(text, text), "{text:?}");
        }
        let escaped = r#"{"do":"send","peer":"bob","text":"\ud83e\udd80\u0000","id":""}"#;
        assert!(read(escaped).unwrap() == send("🦀\0", ""));
    }

    #[test]
    fn a_send_without_id_gets_one_of_its_own() {
        assert!(
            read(r#"{"do":"send","peer":"bob","text":"hi"}"#).unwrap() == send("hi", "m000000a1-5")
        );
        assert!(Labels::new().next() != Labels::new().next());
        let mut labels = Labels::new();
        assert!(labels.next() != labels.next());
    }

    #[test]
    fn what_is_no_command() {
        let deep = "{\"do\":".to_owned() + &"[".repeat(100_000);
        let lines = [
            "",
            "  ",
            "hi",
            "[\"open\",\"bob\"]",
            "\"quit\"",
            "null",
            "{",
            "{}",
            r#"{"do":"fly"}"#,
            r#"{"do":"Quit"}"#,
            r#"{"do":7}"#,
            r#"{"do":"open"}"#,
            r#"{"do":"open","peer":7}"#,
            r#"{"do":"open","peer":"a","peer":"b"}"#,
            r#"{"do":"open","peer":"a","do":"close"}"#,
            r#"{"do":"open","peer":"a","more":1}"#,
            r#"{"do":"safety-number"}"#,
            r#"{"do":"safety_number","peer":"a"}"#,
            r#"{"do":"quit","more":1}"#,
            r#"{"do":"send","peer":"a","text":"b","id":7}"#,
            r#"{"do":"send","peer":"a","text":"\ud800"}"#,
            r#"{"do":"quit"} {"do":"quit"}"#,
            &deep,
        ];
        for line in lines {
            assert!(read(line).is_err(), "{line:.60}");
        }
        assert!(read(b"{\"do\":\"open\",\"peer\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_complaint_stays_short_and_says_what_to_do() {
        let line = format!(r#"{{"do":"{}"}}"#, "é".repeat(50_000));
        let complaint = read(line).err().unwrap().to_string();
        assert!(complaint.chars().count() < 300, "{complaint}");
        assert!(complaint.contains("--help"));
    }

    #[test]
    fn a_skipped_line_is_no_command() {
        let line = Line { number: 3, bytes: None, whole: true };
        assert!(matches!(parse(&line, &mut Labels::new()), Err(Invalid::TooLong)));
    }
}
