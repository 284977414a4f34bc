//! JSON in: one line, one command.

use std::borrow::Cow;
use std::path::PathBuf;

use client_link::api::{Command, Password};
use client_link::password::PasswordError;
use rand_core::{OsRng, RngCore};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::lines::{LINE_MAX, Line};
use crate::secret;

/// Stable code of every line that is no command.
pub const COMMAND_INVALID: &str = "command-invalid";

/// Stable code of a command whose password cannot be used.
pub const PASSWORD_INVALID: &str = "password-invalid";

/// Most characters of a parser's complaint that are repeated, since it may quote the whole line.
const COMPLAINT_MAX: usize = 200;

const PASSWORD_SHAPE: &str = r#"write {"do":"password","old":"…","new":"…"}, or "old-file" and "new-file" with the names of files"#;

const DELETE_SHAPE: &str =
    r#"write {"do":"delete-account","password":"…"}, or "password-file" with the name of a file"#;

/// The field that says which of the other shapes a line has.
#[derive(Deserialize)]
struct Verb<'a> {
    #[serde(rename = "do", borrow)]
    verb: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alone {
    #[serde(rename = "do")]
    _verb: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    #[serde(rename = "do")]
    _verb: IgnoredAny,
    peer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    #[serde(rename = "do")]
    _verb: IgnoredAny,
    peer: String,
    text: String,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    #[serde(rename = "do")]
    _verb: IgnoredAny,
    peer: String,
    verified: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndSession {
    #[serde(rename = "do")]
    _verb: IgnoredAny,
    id: String,
}

/// Passwords stay where they are in the line: Serde would leave copies of them behind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ChangePassword<'a> {
    #[serde(rename = "do")]
    _verb: IgnoredAny,
    #[serde(borrow)]
    old: Option<&'a RawValue>,
    old_file: Option<PathBuf>,
    #[serde(borrow)]
    new: Option<&'a RawValue>,
    new_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DeleteAccount<'a> {
    #[serde(rename = "do")]
    _verb: IgnoredAny,
    #[serde(borrow)]
    password: Option<&'a RawValue>,
    password_file: Option<PathBuf>,
}

/// Why a line is not a command. It never repeats a password.
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
    /// It is about a password and has another shape; says which one is right.
    #[error("{0}")]
    SecretShape(&'static str),
    /// A password in it is empty.
    #[error("the password in \"{0}\" is empty; choose a longer one")]
    PasswordEmpty(&'static str),
    /// A password in it, or in a file that it names, cannot be used.
    #[error("\"{field}\" does not do: {error}")]
    Password {
        /// The field that holds it or names the file.
        field: &'static str,
        /// What is wrong with it.
        error: PasswordError,
    },
    /// What it names as a file with a password is a directory, a device or a pipe.
    #[error("\"{0}\" names no plain file; write the password into one")]
    NotAFile(&'static str),
}

impl Invalid {
    /// Returns the complaint's name in JSON, which scripts may rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong | Self::NotAnObject | Self::Shape(_) | Self::SecretShape(_) => {
                COMMAND_INVALID
            }
            Self::PasswordEmpty(_) | Self::Password { .. } | Self::NotAFile(_) => PASSWORD_INVALID,
        }
    }
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
///
/// # Errors
/// [`Invalid`]; also if a file with a password cannot be read.
pub fn parse(line: &Line, labels: &mut Labels) -> Result<Command, Invalid> {
    let bytes: &[u8] = line.bytes.as_ref().ok_or(Invalid::TooLong)?;
    // Serde would also take an array of the fields.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Invalid::NotAnObject);
    }
    let Verb { verb } = read(bytes)?;
    let alone = |command| read(bytes).map(|Alone { .. }| command);
    let peer = || read(bytes).map(|About { peer, .. }| peer);
    match &*verb {
        "open" => Ok(Command::Open { peer: peer()? }),
        "close" => Ok(Command::Close { peer: peer()? }),
        "call" => Ok(Command::Call { peer: peer()? }),
        "accept" => Ok(Command::Accept { peer: peer()? }),
        "decline" => Ok(Command::Decline { peer: peer()? }),
        "block" => Ok(Command::Block { peer: peer()? }),
        "unblock" => Ok(Command::Unblock { peer: peer()? }),
        "forget" => Ok(Command::Forget { peer: peer()? }),
        "accept-key" => Ok(Command::AcceptKey { peer: peer()? }),
        "safety-number" => Ok(Command::SafetyNumber { peer: peer()? }),
        "contacts" => alone(Command::Contacts),
        "sessions" => alone(Command::Sessions),
        "directory" => alone(Command::Directory),
        "status" => alone(Command::Status),
        "quit" => alone(Command::Quit),
        "send" => {
            let Send { peer, text, id, .. } = read(bytes)?;
            Ok(Command::Send { peer, text, label: id.unwrap_or_else(|| labels.next()) })
        }
        "verify" => {
            let Verify { peer, verified, .. } = read(bytes)?;
            Ok(Command::Verify { peer, verified: verified.unwrap_or(true) })
        }
        "end-session" => read(bytes).map(|EndSession { id, .. }| Command::EndSession { id }),
        "password" => change_password(bytes),
        "delete-account" => delete_account(bytes),
        other => Err(Invalid::Shape(shorten(&format!("no command is named `{other}`")))),
    }
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Invalid> {
    serde_json::from_slice(bytes).map_err(|error| Invalid::Shape(shorten(&error.to_string())))
}

fn shorten(complaint: &str) -> String {
    complaint.chars().take(COMPLAINT_MAX).collect()
}

fn change_password(bytes: &[u8]) -> Result<Command, Invalid> {
    let shape = || Invalid::SecretShape(PASSWORD_SHAPE);
    // What Serde complains about could quote a password that stands in the wrong place.
    let wanted: ChangePassword<'_> = serde_json::from_slice(bytes).map_err(|_| shape())?;
    let old = password(["old", "old-file"], wanted.old, wanted.old_file, PASSWORD_SHAPE)?;
    let new = password(["new", "new-file"], wanted.new, wanted.new_file, PASSWORD_SHAPE)?;
    Ok(Command::ChangePassword { old, new })
}

fn delete_account(bytes: &[u8]) -> Result<Command, Invalid> {
    let shape = || Invalid::SecretShape(DELETE_SHAPE);
    let wanted: DeleteAccount<'_> = serde_json::from_slice(bytes).map_err(|_| shape())?;
    let fields = ["password", "password-file"];
    let password = password(fields, wanted.password, wanted.password_file, DELETE_SHAPE)?;
    Ok(Command::DeleteAccount { password })
}

/// Returns a password that stands in the line or in a file, exactly one of them.
fn password(
    [field, file_field]: [&'static str; 2],
    here: Option<&RawValue>,
    file: Option<PathBuf>,
    shape: &'static str,
) -> Result<Zeroizing<Vec<u8>>, Invalid> {
    let password = match (here, file) {
        (Some(here), None) => {
            let bytes = secret::unescape(here.get()).ok_or(Invalid::SecretShape(shape))?;
            Password::from_bytes(&bytes).map_err(|error| match error {
                PasswordError::Empty => Invalid::PasswordEmpty(field),
                error => Invalid::Password { field, error },
            })?
        }
        (None, Some(file)) => {
            let field = file_field;
            // The loop must not wait for whoever writes into a pipe.
            if file.metadata().is_ok_and(|it| !it.is_file()) {
                return Err(Invalid::NotAFile(field));
            }
            Password::from_file(&file).map_err(|error| Invalid::Password { field, error })?
        }
        (None, None) | (Some(_), Some(_)) => return Err(Invalid::SecretShape(shape)),
    };
    Ok(Zeroizing::new(password.expose().to_vec()))
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
            (r#"{"do":"call","peer":"bob"}"#, Command::Call { peer: peer() }),
            (r#"{"do":"accept","peer":"bob"}"#, Command::Accept { peer: peer() }),
            (r#"{"do":"decline","peer":"bob"}"#, Command::Decline { peer: peer() }),
            (r#"{"do":"block","peer":"bob"}"#, Command::Block { peer: peer() }),
            (r#"{"do":"unblock","peer":"bob"}"#, Command::Unblock { peer: peer() }),
            (r#"{"do":"forget","peer":"bob"}"#, Command::Forget { peer: peer() }),
            (r#"{"do":"accept-key","peer":"bob"}"#, Command::AcceptKey { peer: peer() }),
            (r#"{"do":"contacts"}"#, Command::Contacts),
            (r#"{"do":"safety-number","peer":"bob"}"#, Command::SafetyNumber { peer: peer() }),
            (r#"{"do":"verify","peer":"bob"}"#, Command::Verify { peer: peer(), verified: true }),
            (
                r#"{"verified":false,"peer":"bob","do":"verify"}"#,
                Command::Verify { peer: peer(), verified: false },
            ),
            (r#"{"do":"sessions"}"#, Command::Sessions),
            (r#"{"do":"end-session","id":"00ff"}"#, Command::EndSession { id: "00ff".into() }),
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
            r#"{"do":"contacts","peer":"a"}"#,
            r#"{"do":"call"}"#,
            r#"{"do":"call","peer":["a"]}"#,
            r#"{"do":"accept_key","peer":"a"}"#,
            r#"{"do":"verify","peer":"a","verified":"no"}"#,
            r#"{"do":"end-session","id":7}"#,
            r#"{"do":"sign-out"}"#,
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

    fn change(old: &str, new: &str) -> Command {
        let secret = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        Command::ChangePassword { old: secret(old), new: secret(new) }
    }

    fn delete(password: &str) -> Command {
        Command::DeleteAccount { password: Zeroizing::new(password.as_bytes().to_vec()) }
    }

    #[test]
    fn passwords_stand_in_the_line_byte_for_byte() {
        let longest = "x".repeat(client_link::api::PASSWORD_MAX);
        for password in ["pw", " pw \n", "\"\\/\u{8}\0", "pässwörd 🦀", "\\u0041", &longest] {
            let line = serde_json::json!({"do": "password", "old": password, "new": "b"});
            assert!(read(line.to_string()).unwrap() == change(password, "b"));
            let line = serde_json::json!({"do": "delete-account", "password": password});
            assert!(read(line.to_string()).unwrap() == delete(password));
        }
        let escaped = r#"{"new":"\u0061\/","do":"password","old":"\ud83e\udd80"}"#;
        assert!(read(escaped).unwrap() == change("🦀", "a/"));
    }

    #[test]
    fn passwords_stand_in_files_too() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let (old, new) = (file("old", "one\r\n"), file("new", " two"));
        let line = serde_json::json!({"do": "password", "old-file": old, "new-file": new});
        assert!(read(line.to_string()).unwrap() == change("one", " two"));
        let line = serde_json::json!({"do": "password", "old": "one", "new-file": new});
        assert!(read(line.to_string()).unwrap() == change("one", " two"));
        let line = serde_json::json!({"do": "delete-account", "password-file": old});
        assert!(read(line.to_string()).unwrap() == delete("one"));

        let absent = directory.path().join("absent");
        let large = file("large", &"x".repeat(client_link::api::PASSWORD_MAX + 1));
        for bad in [directory.path(), "/dev/zero".as_ref(), &absent, &file("empty", "\n"), &large] {
            let line = serde_json::json!({"do": "password", "old": "secret-1", "new-file": bad});
            let invalid = read(line.to_string()).err().unwrap();
            assert_eq!(invalid.code(), PASSWORD_INVALID, "{invalid}");
            let complaint = invalid.to_string();
            assert!(complaint.contains("\"new-file\"") && !complaint.contains("secret-1"));
        }
    }

    #[test]
    fn no_complaint_repeats_a_password() {
        let longer = "secret-1".repeat(200);
        let shapes = [
            r#"{"do":"password"}"#,
            r#"{"do":"password","old":"secret-1"}"#,
            r#"{"do":"password","old":"secret-1","new":7}"#,
            r#"{"do":"password","old":"secret-1","new":["secret-1"]}"#,
            r#"{"do":"password","old":"secret-1","new":null}"#,
            r#"{"do":"password","old":"secret-1","new":"secret-1","secret-1":1}"#,
            r#"{"do":"password","old":"secret-1","old":"secret-1","new":"secret-1"}"#,
            r#"{"do":"password","old":"secret-1","old-file":"secret-1","new":"secret-1"}"#,
            r#"{"do":"password","old":"secret-1","new-file":{"secret-1":"secret-1"}}"#,
            r#"{"do":"password","old":"secret-1\ud800","new":"secret-1"}"#,
            r#"{"do":"password","old":"secret-1\x","new":"secret-1"}"#,
            r#"{"do":"password","old":"secret-1","new":"secret-1"#,
            r#"{"do":"passwort","old":"secret-1","new":"secret-1"}"#,
            r#"{"do":"delete-account"}"#,
            r#"{"do":"delete-account","password":true,"secret-1":2}"#,
            r#"{"do":"sessions","password":"secret-1"}"#,
        ];
        for line in shapes {
            let invalid = read(line).err().unwrap_or_else(|| panic!("{line}"));
            assert_eq!(invalid.code(), COMMAND_INVALID, "{line}");
            assert!(!invalid.to_string().contains("secret-1"), "{line}: {invalid}");
        }
        for line in [
            r#"{"do":"password","old":"secret-1","new":""}"#,
            &format!(r#"{{"do":"password","old":"secret-1","new":"{longer}"}}"#),
            &format!(r#"{{"do":"delete-account","password":"{longer}"}}"#),
        ] {
            let invalid = read(line).err().unwrap();
            assert_eq!(invalid.code(), PASSWORD_INVALID, "{line}");
            assert!(!invalid.to_string().contains("secret-1"), "{invalid}");
        }
    }

    #[test]
    fn a_skipped_line_is_no_command() {
        let line = Line { number: 3, bytes: None, whole: true };
        assert!(matches!(parse(&line, &mut Labels::new()), Err(Invalid::TooLong)));
    }
}
