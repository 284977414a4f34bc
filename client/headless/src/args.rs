//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as Group, Parser};
use clap_complete::Shell;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// What is logged when nobody says otherwise.
pub const LOG_DEFAULT: LevelFilter = LevelFilter::WARN;

const EXAMPLE: &str = r#"A call (> is typed, < is printed; each line is one JSON object). First bob's session, who
expects nobody; then ann's:

  $ iirs-headless --link "$(iirs-server link)" --user bob --password-file bob.txt --register
  < {"is":"registered","user":"bob"}
  < {"is":"signed-in","user":"bob"}
  < {"is":"request","peer":"ann"}
  > {"do":"accept","peer":"ann"}
  < {"is":"contact","peer":"ann","standing":"contact","verified":false}
  < {"is":"answered","peer":"ann"}
  < {"is":"message","peer":"ann","text":"hi","sent_ms":1790000000000,"round":28}

  $ iirs-headless --link "$(iirs-server link)" --user ann --password-file ann.txt
  < {"is":"signed-in","user":"ann"}
  > {"do":"call","peer":"bob"}
  > {"do":"send","peer":"bob","text":"hi","id":"m1"}
  < {"is":"contact","peer":"bob","standing":"calling","verified":false}
  < {"is":"state","id":"m1","peer":"bob","state":"queued","round":null}
  < {"is":"calling","peer":"bob"}
  < {"is":"answered","peer":"bob"}
  < {"is":"contact","peer":"bob","standing":"contact","verified":false}
  < {"is":"state","id":"m1","peer":"bob","state":"sent","round":28}
  < {"is":"state","id":"m1","peer":"bob","state":"delivered","round":29}
  > {"do":"quit"}

Commands, by the value of "do", with their other fields:
  talking   open peer  send peer text [id]  close peer
            A send without id gets one. Text flows once the other side has accepted the call, or
            both have opened each other; until then it waits, on disk.
  calling   call peer  accept peer  decline peer  block peer  unblock peer  forget peer  contacts
            Who is called need not expect it. Whom you decline or block is not told. A call rings
            for as long as you are here, and again when you are back.
  trusting  safety-number peer  verify peer [verified: false takes it back]  accept-key peer
            Compare a safety number by another way, in person or by phone: with the same 60 digits
            on both sides nobody, the server included, is in between. Then verify remembers it.
            After key-changed the conversation stands still until accept-key, forget or block.
  account   sessions  end-session id  password old new  delete-account password
            Instead of a password, old-file, new-file or password-file may name a file with it.
            A new password ends all other sessions. A deleted account is gone for good.
  else      directory  status  quit
  What is typed before the sign-in waits for it.

Printed, by the value of "is":
  registered  signed-in  connection  round  state  message  directory  status  error
  request  calling  answered  contact  contacts  forgotten  key-changed  safety-number
  vault-stored  sessions  session-ended  password-changed  account-deleted

Ends:      at the end of the input, once nothing is queued and 30 to 120 rounds more have passed
  (leaving with the last acknowledgement would tell; --no-linger leaves at once), or within 5 s
  after quit, SIGTERM or SIGINT. A message to somebody who has not answered the call is queued,
  too: the end of the input waits for the answer, however long; quit does not. It also waits for
  the server's answers about the account.

Exit codes: 0 done, 1 refused or failed (an error line on standard output says why), 2 usage."#;

/// Chats without a window: JSON lines in, JSON lines out.
#[derive(Parser)]
#[command(name = "iirs-headless", version = env!("IIRS_VERSION"), about, after_help = EXAMPLE)]
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

    /// Code for --register, XXXX-XXXX-XXXX-XXXX, where the server's operator hands them out
    #[arg(long, value_name = "CODE", requires = "register", allow_hyphen_values = true)]
    pub invite: Option<OsString>,

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

    /// Write the man page into this directory, and do nothing else
    #[arg(long, value_name = "DIR", exclusive = true)]
    pub man: Option<PathBuf>,

    /// Print completions for a shell, and do nothing else
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub completions: Option<Shell>,
}

/// Where the password is: exactly one of them.
#[derive(Group)]
#[group(multiple = false)]
pub struct PasswordFrom {
    /// File with the password; one newline at its end does not count
    // a required group would be asked for beside --man, too
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["password_stdin", "man", "completions"]
    )]
    pub password_file: Option<PathBuf>,

    /// The first line of standard input is the password, commands follow
    #[arg(long)]
    pub password_stdin: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;
    use clap::error::ErrorKind;
    use zeroize::Zeroizing;

    use super::*;
    use crate::command::{self, Labels};
    use crate::lines::Line;

    const VERBS: &str = "open send close call accept decline block unblock forget contacts safety-number verify accept-key \
        sessions end-session password delete-account directory status quit";

    const COMPLETE: [&str; 6] = ["--link", "L", "--user", "ann", "--password-file", "f"];

    fn parse(args: &[&str]) -> Result<Args, ErrorKind> {
        Args::try_parse_from([&["iirs-headless"], args].concat()).map_err(|error| error.kind())
    }

    #[test]
    fn the_man_page_and_the_completions_need_nothing_and_have_every_flag() {
        let dir = tempfile::tempdir().unwrap();
        crate::manual::write(Args::command(), dir.path()).unwrap();
        let page = std::fs::read_to_string(dir.path().join("iirs-headless.1")).unwrap();
        let script = crate::manual::completions(Args::command(), Shell::Bash);
        for flag in Args::command().get_arguments().filter_map(|flag| flag.get_long()) {
            assert!(
                page.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))),
                "{flag}: {page}"
            );
            assert!(script.contains(&format!("--{flag}")), "{flag}");
        }
        let asked = |args: &[&str]| {
            Args::command().try_get_matches_from([&["iirs-headless"], args].concat()).is_ok()
        };
        assert!(asked(&["--man", "d"]) && asked(&["--completions", "zsh"]));
        assert!(!asked(&["--man", "d", "--user", "ann"]) && !asked(&[]));
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
        assert_eq!(with(&["--invite", "X"]), Some(ErrorKind::MissingRequiredArgument));
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
            r#"{"do":"accept","peer":"ann"}"#,
            r#"{"do":"call","peer":"bob"}"#,
            r#"{"is":"request","peer":"ann"}"#,
            "--no-linger",
            "has not answered the call",
            "Exit codes",
        ] {
            assert!(text.contains(word), "{word} is missing in:\n{text}");
        }
    }

    #[test]
    fn help_names_every_command_and_shows_only_such_lines() {
        let read = |line: &str| {
            let bytes = Some(Zeroizing::new(line.as_bytes().to_vec()));
            command::parse(&Line { number: 1, bytes, whole: true }, &mut Labels::new())
        };
        let (_, commands) = EXAMPLE.split_once("Commands, ").unwrap();
        let (commands, _) = commands.split_once("Printed, ").unwrap();
        let words: BTreeSet<_> = commands.split_whitespace().collect();
        for verb in VERBS.split(' ') {
            assert!(words.contains(verb), "{verb} is missing");
            let known = read(&format!(r#"{{"do":"{verb}"}}"#))
                .map_or_else(|it| it.to_string(), |_| String::new());
            assert!(!known.contains("no command is named"), "{verb}: {known}");
        }
        for line in EXAMPLE.lines().filter_map(|line| line.strip_prefix("  > ")) {
            assert!(read(line).is_ok(), "{line}");
        }
    }
}
