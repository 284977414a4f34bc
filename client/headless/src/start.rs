//! What the engine begins with, made from the arguments; what is wrong with them is one refusal.

use std::io::{self, Read};

use client_link::api::{Options, Password};
use client_link::password::{PASSWORD_READ_MAX, PasswordError, without_return};
use client_link::profile::{Profile, home};
use thiserror::Error;
use wire::account::{Invite, InviteError, Stretching};
use wire::ids::{Name, NameError};
use wire::link::{Link, LinkError};

use crate::args::{Args, PasswordFrom};
use crate::lines::Lines;

/// All that a session begins with.
pub struct Start {
    /// For the engine.
    pub options: Options,
    /// Peers to open at once, in this order.
    pub contacts: Vec<String>,
    /// Whether to linger at the end of the input.
    pub linger: bool,
}

/// Why the program does not even begin.
#[derive(Debug, Error)]
pub enum Refusal {
    /// `--user` is not a name.
    #[error("{0}; give another --user")]
    Name(NameError),
    /// `--link` is not a link.
    #[error("{0}; give the --link that `iirs-server link` prints")]
    Link(LinkError),
    /// `--invite` is not an invitation code.
    #[error("{0}; give the --invite that the server's operator handed out")]
    Invite(InviteError),
    /// The password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The system names no home directory.
    #[error("the system names no home directory for the profile; give --profile DIR")]
    NoHome,
    /// The system gives no thread, descriptor or signal.
    #[error("the system has no room for this program: {0}; close others and try again")]
    System(io::Error),
}

impl Refusal {
    /// Returns the refusal's name in JSON, which scripts may rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "name-invalid",
            Self::Link(_) => "link-invalid",
            Self::Invite(_) => "invite-invalid",
            Self::Password(_) => "password-invalid",
            Self::NoHome => "profile-unknown",
            Self::System(_) => "system",
        }
    }
}

impl Start {
    /// Checks the arguments and reads the password, for `--password-stdin` from `input`.
    pub fn new<R: Read>(
        args: Args,
        input: &mut Lines<R>,
        stretching: Stretching,
    ) -> Result<Self, Refusal> {
        // What is not UTF-8 has a character that neither names nor links have, and stays so.
        let user: Name = args.user.to_string_lossy().parse().map_err(Refusal::Name)?;
        let link: Link = args.link.to_string_lossy().parse().map_err(Refusal::Link)?;
        let invite = args.invite.map(|it| it.to_string_lossy().parse::<Invite>());
        let invite = invite.transpose().map_err(Refusal::Invite)?;
        let profile = match args.profile {
            Some(profile) => profile,
            None => home().ok_or(Refusal::NoHome)?.join(Profile::directory_name(&link, &user)),
        };
        let PasswordFrom { password_file, password_stdin: _ } = args.password;
        let password = match password_file {
            Some(file) => Password::from_file(&file)?,
            None => from_input(input)?,
        };
        let register = args.register;
        Ok(Self {
            options: Options {
                link,
                user,
                password,
                register,
                invite,
                profile,
                early: false,
                stretching,
            },
            contacts: args.contacts.iter().map(|it| it.to_string_lossy().into_owned()).collect(),
            linger: !args.no_linger,
        })
    }
}

fn from_input<R: Read>(input: &mut Lines<R>) -> Result<Password, PasswordError> {
    let line = input.next(PASSWORD_READ_MAX).map_err(PasswordError::Unreadable)?;
    let line = line.ok_or(PasswordError::Empty)?;
    let bytes = line.bytes.ok_or(PasswordError::TooLong)?;
    Password::from_bytes(if line.whole { without_return(&bytes) } else { &bytes })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;
    use client_link::api::PASSWORD_MAX;
    use wire::link::Pin;

    use super::*;

    fn link() -> Link {
        Link { host: "chat.example.org".into(), port: 4433, pin: Pin([0xfe; 32]) }
    }

    fn start(
        user: &str,
        link: &str,
        more: &[&str],
        input: &[u8],
    ) -> Result<(Start, Vec<u8>), Refusal> {
        let args = [&["iirs-headless", "--user", user, "--link", link, "--profile", "p"], more];
        let mut lines = Lines::new(input);
        let start = Start::new(Args::parse_from(args.concat()), &mut lines, Stretching::STANDARD)?;
        let rest = lines.next(100).unwrap().and_then(|line| line.bytes);
        Ok((start, rest.map(|bytes| bytes.to_vec()).unwrap_or_default()))
    }

    fn code(user: &str, link: &str, more: &[&str], input: &[u8]) -> &'static str {
        start(user, link, more, input).map_or_else(|refusal| refusal.code(), |_| "fine")
    }

    fn read_file(content: &[u8]) -> Result<Vec<u8>, Refusal> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, content).unwrap();
        let file = file.path().to_str().unwrap();
        let (start, _) = start("ann", &link().to_string(), &["--password-file", file], b"")?;
        Ok(start.options.password.expose().to_vec())
    }

    fn read_input(content: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Refusal> {
        let (start, rest) = start("ann", &link().to_string(), &["--password-stdin"], content)?;
        Ok((start.options.password.expose().to_vec(), rest))
    }

    #[test]
    fn arguments_become_options() {
        let more = [
            "--password-stdin",
            "--contact",
            "zoe",
            "--contact",
            "-b",
            "--no-linger",
            "--register",
            "--invite",
            "zzzz zzzz-ZZZZ-zzz0",
        ];
        let (start, rest) = start("Ann", &link().to_string(), &more, b"pw\nnext\n").unwrap();
        let Start { options, contacts, linger } = start;
        assert!(
            options.user.as_str() == "ann" && options.register && options.profile == Path::new("p")
        );
        assert_eq!((options.link, options.stretching), (link(), Stretching::STANDARD));
        assert_eq!(options.invite.unwrap().to_string(), "ZZZZ-ZZZZ-ZZZZ-ZZZ0");
        assert_eq!((contacts, linger), (vec!["zoe".into(), "-b".into()], false));
        assert_eq!((options.password.expose(), &rest[..]), (&b"pw"[..], &b"next"[..]));
    }

    #[test]
    fn each_refusal_has_its_code() {
        let (good, stdin) = (link().to_string(), ["--password-stdin"]);
        for user in ["", "-x", "9", "a b", "añ", &"a".repeat(33)] {
            assert_eq!(code(user, &good, &stdin, b"pw"), "name-invalid", "{user}");
        }
        for link in ["", "-", "http://h:1/", "iirs://h:1/#short"] {
            assert_eq!(code("ann", link, &stdin, b"pw"), "link-invalid", "{link}");
        }
        for invite in ["", "-", "--", "zzzz", "0000-0000-0000-0000", "UUUU-UUUU-UUUU-UUUU"] {
            let args = [&stdin[..], &["--register", "--invite", invite]].concat();
            assert_eq!(code("ann", &good, &args, b"pw"), "invite-invalid", "{invite}");
        }
        for input in
            [&b""[..], b"\n", b"\r\n", b"\xff\n", &[b'x'; PASSWORD_MAX + 1], &[b'x'; 100_000]]
        {
            assert_eq!(code("ann", &good, &stdin, input), "password-invalid");
        }
        for file in ["/nonexistent/x", "/", "/dev/null", "/dev/zero"] {
            assert_eq!(
                code("ann", &good, &["--password-file", file], b"pw"),
                "password-invalid",
                "{file}"
            );
        }
        assert_eq!(code("ann", &good, &stdin, b"pw"), "fine");
        assert_eq!(
            (Refusal::NoHome.code(), Refusal::System(io::ErrorKind::Other.into()).code()),
            ("profile-unknown", "system")
        );
    }

    #[test]
    fn one_newline_at_the_end_of_a_password_does_not_count() {
        for (content, password) in [
            (&b"pw"[..], &b"pw"[..]),
            (b"pw\n", b"pw"),
            (b"pw\r\n", b"pw"),
            (b"pw\n\n", b"pw\n"),
            (b"pw\r\n\r\n", b"pw\r\n"),
            (b"pw\r\r\n", b"pw\r"),
            (b"pw\n\r", b"pw\n\r"),
            (b"pw\r", b"pw\r"),
            (b"\n\n", b"\n"),
            (b" pw \t\n", b" pw \t"),
            ("\u{feff}pässwörd\0\n".as_bytes(), "\u{feff}pässwörd\0".as_bytes()),
        ] {
            assert_eq!(read_file(content).unwrap(), password, "{content:?}");
        }
        assert_eq!(read_input(b"pw").unwrap(), (b"pw".to_vec(), vec![]));
        assert_eq!(read_input(b" pw \r\n{}\n").unwrap(), (b" pw ".to_vec(), b"{}".to_vec()));
        assert_eq!(read_input(b"pw\r\r\n").unwrap().0, b"pw\r");
        assert_eq!(read_input(b"pw\r").unwrap().0, b"pw\r");
    }

    #[test]
    fn the_longest_password_fits_with_every_kind_of_newline() {
        let longest = vec![b'x'; PASSWORD_MAX];
        for newline in [&b""[..], b"\n", b"\r\n"] {
            let content = [&longest, newline].concat();
            assert_eq!(read_file(&content).unwrap(), longest);
            assert_eq!(read_input(&content).unwrap().0, longest);
            let longer = [&b"x"[..], &content].concat();
            assert!(matches!(read_file(&longer), Err(Refusal::Password(PasswordError::TooLong))));
            assert!(matches!(read_input(&longer), Err(Refusal::Password(PasswordError::TooLong))));
        }
    }
}
