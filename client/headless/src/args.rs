//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as Group, Parser};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// What is logged when nobody says otherwise.
pub const LOG_DEFAULT: LevelFilter = LevelFilter::WARN;

const EXAMPLE: &str = r#"A session (> is typed, < is printed; each line is one JSON object):

  $ iirs-headless --link "$(iirs-server link)" --user ann --password-file ann.txt --register
  < {"is":"registered","user":"ann"}
  < {"is":"signed-in","user":"ann"}
  > {"do":"open","peer":"bob"}
  > {"do":"send","peer":"bob","text":"hi","id":"m1"}
  < {"is":"state","id":"m1","peer":"bob","state":"queued","round":null}
  < {"is":"state","id":"m1","peer":"bob","state":"sent","round":7}
  < {"is":"state","id":"m1","peer":"bob","state":"delivered","round":9}
  < {"is":"message","peer":"bob","text":"hello ann","sent_ms":1790000000000,"round":11}
  > {"do":"quit"}

Commands:  open PEER  send PEER TEXT [ID]  close PEER  safety-number PEER  directory  status  quit
  Text flows once both sides have opened each other. A send without id gets one. What is typed
  before the sign-in waits for it. Compare a safety number by another way, in person or by
  phone: with the same 60 digits on both sides nobody, the server included, is in between.

Printed:   registered  signed-in  connection  round  state  message  safety-number  directory
  status  error

Ends:      at the end of the input, once nothing is queued and 30 to 120 rounds more have passed
  (leaving with the last acknowledgement would tell; --no-linger leaves at once), or within 5 s
  after quit, SIGTERM or SIGINT.

Exit codes: 0 done, 1 refused or failed (an error line on standard output says why), 2 usage."#;

/// Chats without a window: JSON lines in, JSON lines out.
#[derive(Parser)]
#[command(name = "iirs-headless", version, about, after_help = EXAMPLE)]
pub struct Args {
    /// The server's link, iirs://HOST:PORT/#PIN, as `iirs-server link` prints it
    #[arg(long, allow_hyphen_values = true)]
    pub link: OsString,

    /// Account name: 1 to 32 of a-z 0-9 . _ -, first a letter
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub user: OsString,

    /// Where the password is.
    #[command(flatten)]
    pub password: PasswordFrom,

    /// Make the account first
    #[arg(long)]
    pub register: bool,

    /// Open a conversation with NAME at the start; may be given again
    #[arg(long = "contact", value_name = "NAME", allow_hyphen_values = true)]
    pub contacts: Vec<OsString>,

    /// Directory of this account's state; without it, a directory of its own for each account and server in iirs/ of the XDG data directory
    #[arg(long, value_name = "DIR")]
    pub profile: Option<PathBuf>,

    /// At the end of the input, leave as soon as nothing is queued (for tests: it can tell an
    /// observer that somebody talked)
    #[arg(long)]
    pub no_linger: bool,

    /// What to log to standard error, as in RUST_LOG; without both, warn
    #[arg(long, value_name = "FILTER")]
    pub log: Option<Targets>,
}

/// Where the password is: exactly one of them.
#[derive(Group)]
#[group(required = true, multiple = false)]
pub struct PasswordFrom {
    /// File with the password; one newline at its end does not count
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// The first line of standard input is the password, commands follow
    #[arg(long)]
    pub password_stdin: bool,
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    const COMPLETE: [&str; 6] = ["--link", "L", "--user", "ann", "--password-file", "f"];

    fn parse(args: &[&str]) -> Result<Args, ErrorKind> {
        Args::try_parse_from([&["iirs-headless"], args].concat()).map_err(|error| error.kind())
    }

    #[test]
    fn link_user_and_contact_take_any_value() {
        for value in ["-x", "--register", "--", "-", "", "--user=b", "a b\n", "🦀"] {
            let args = ["--link", value, "--user", value, "--contact", value, "--password-stdin"];
            let args = parse(&args).unwrap_or_else(|kind| panic!("{value:?}: {kind:?}"));
            assert_eq!((args.link, args.user), (value.into(), value.into()));
            assert_eq!(args.contacts, [value]);
            assert!(!args.register);
        }
    }

    #[test]
    fn a_value_that_is_not_text_is_no_usage_error() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![0xff]);
        let args = ["x".into(), "--link".into(), odd.clone(), "--user".into(), odd.clone()];
        let args = args.into_iter().chain(["--password-stdin".into()]);
        assert_eq!(Args::try_parse_from(args).unwrap().user, odd);
    }

    #[test]
    fn the_password_comes_from_exactly_one_place() {
        let bare = ["--link", "L", "--user", "ann"];
        assert_eq!(parse(&bare).err(), Some(ErrorKind::MissingRequiredArgument));
        let both = [&COMPLETE[..], &["--password-stdin"]].concat();
        assert_eq!(parse(&both).err(), Some(ErrorKind::ArgumentConflict));
        assert!(parse(&COMPLETE).is_ok());
    }

    #[test]
    fn contacts_repeat_and_keep_their_order() {
        let args = [&COMPLETE[..], &["--contact", "zoe", "--contact", "bob"]].concat();
        assert_eq!(parse(&args).unwrap().contacts, ["zoe", "bob"]);
    }

    #[test]
    fn usage_errors() {
        let with = |more: &[&str]| parse(&[&COMPLETE[..], more].concat()).err();
        assert_eq!(with(&["--nope"]), Some(ErrorKind::UnknownArgument));
        assert_eq!(with(&["stray"]), Some(ErrorKind::UnknownArgument));
        assert_eq!(with(&["--log", "a=b=c"]), Some(ErrorKind::ValueValidation));
        assert_eq!(with(&["--log", "client_link=debug,warn"]), None);
    }

    #[test]
    fn help_teaches_with_a_session() {
        let Err(help) = Args::try_parse_from(["iirs-headless", "--help"]) else {
            panic!("no help")
        };
        let text = help.to_string();
        for word in [
            "--password-stdin",
            r#"{"do":"open","peer":"bob"}"#,
            "safety-number PEER",
            "--no-linger",
            "Exit codes",
        ] {
            assert!(text.contains(word), "{word} is missing in:\n{text}");
        }
    }
}
