//! The arguments of `iirs`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use clap_complete::Shell;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Private chat for groups that run their own server: the window.
///
/// Every 2 seconds it sends and receives the same number of bytes, whether you write or not, so that nobody on the
/// network can tell who talks, or whether anyone does. Leave it open: being there is what covers everyone.
///
/// Without arguments it asks for everything. The link comes from whoever runs your group's server
/// (`iirs-server link` prints it).
#[derive(Parser)]
#[command(name = "iirs", version = crate::VERSION)]
#[command(after_help = "Examples:
  iirs                                              the server of the last time
  iirs 'iirs://chat.example.org:4433/#IscH2IdN…'    the quotes keep the shell off the #
  iirs link-of-the-group.txt                        the link is a line of that file
  iirs --profile ~/.local/share/iirs-bob            a second person on this machine, in a window of their own

A window that is open already comes to the front instead of a second one, with the link. Each --profile has one.
To try it out with a server of your own: `cargo demo` in iirs's repository.
Exit codes: 0 closed, or another window came to the front; 1 failed; 2 wrong use.")]
pub struct Args {
    /// The server's link, iirs://HOST:PORT/#IDENTITY, or a file that it is a line of; filled in for you
    #[arg(value_name = "LINK", conflicts_with = "link")]
    pub given: Option<OsString>,

    /// The same, for scripts: never a file
    #[arg(long, value_name = "LINK")]
    pub link: Option<String>,

    /// Directory of all that stays on this machine: the last link, and an encrypted profile for each account
    ///
    /// By default that of this user: iirs in $XDG_DATA_HOME or ~/.local/share. `iirs-headless` keeps its profiles there, too.
    #[arg(long, value_name = "DIR")]
    pub profile: Option<PathBuf>,

    /// The account's name, filled in for you
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Signs in at once, with the password in this file; one newline at its end does not count; needs --link and --user
    #[arg(long, value_name = "FILE", requires = "link", requires = "user")]
    pub password_file: Option<PathBuf>,

    /// Makes the account first
    #[arg(long, requires = "password_file")]
    pub register: bool,

    /// Colours, whatever the settings say
    #[arg(long, value_name = "THEME")]
    pub theme: Option<ThemeChoice>,

    /// Size and place of the window in pixels, as WIDTHxHEIGHT or WIDTHxHEIGHT+X+Y
    #[arg(long, value_name = "GEOMETRY")]
    pub geometry: Option<Geometry>,

    /// Writes what the window shows into this file, a JSON object a line: for tests. Names and messages are in it, in clear text
    #[arg(long, value_name = "FILE")]
    pub event_log: Option<PathBuf>,

    /// Writes the man page into this directory, and does nothing else
    #[arg(long, value_name = "DIR", exclusive = true)]
    pub man: Option<PathBuf>,

    /// Prints completions for a shell, and does nothing else
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub completions: Option<Shell>,
}

/// Which colours the window has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThemeChoice {
    /// As the desktop says; light if it says nothing.
    #[default]
    System,
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
    /// White and yellow on black.
    HighContrast,
}

/// Longest file that a link is looked for in, in bytes.
pub const LINK_FILE_BYTES_MAX: u64 = 4096;

const SCHEME: &str = "iirs:";

/// Why an argument gives no link.
#[derive(Debug, Error)]
pub enum LinkFileError {
    /// It names nothing that is there.
    #[error("{0} is neither a link, which begins with iirs://, nor a file that can be read: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It is no file, or too long a one.
    #[error("{0} is not a file of at most {LINK_FILE_BYTES_MAX} bytes, as one with a link is")]
    Unfit(PathBuf),
    /// No line of it is a link.
    #[error("no line of {0} begins with iirs://; is it the file that you were given?")]
    NoLink(PathBuf),
}

impl Args {
    /// Returns the link that was given, as it was written; from a file if one is named.
    ///
    /// # Errors
    /// Every variant of [`LinkFileError`].
    pub fn link(&self) -> Result<Option<String>, LinkFileError> {
        let Some(given) = &self.given else { return Ok(self.link.clone()) };
        match given.to_str() {
            Some(text) if is_link(text) => Ok(Some(text.to_owned())),
            Some(_) | None => link_in(Path::new(given)).map(Some),
        }
    }
}

fn is_link(text: &str) -> bool {
    let start = text.trim_start().get(..SCHEME.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// Finds the line that is a link; what is wrong with it, the first screen says.
fn link_in(path: &Path) -> Result<String, LinkFileError> {
    let unreadable = |error| LinkFileError::Unreadable(path.to_owned(), error);
    // opening one that is no file may wait for ever
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(LinkFileError::Unfit(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LINK_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LINK_FILE_BYTES_MAX {
        return Err(LinkFileError::Unfit(path.to_owned()));
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().map(|line| line.trim_start_matches('\u{feff}').trim());
    let link = lines.find(|line| is_link(line)).map(str::to_owned);
    link.ok_or_else(|| LinkFileError::NoLink(path.to_owned()))
}

/// Longest side of a window in pixels: two 4K screens side by side.
const SIDE_MAX: u16 = 7680;

/// Size and place of a window in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Width and height.
    pub size: (u16, u16),
    /// Distance from the left and the upper edge; the desktop chooses if there is none.
    pub position: Option<(i16, i16)>,
}

/// Text that is not a geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "not a geometry; write WIDTHxHEIGHT or WIDTHxHEIGHT+X+Y in pixels, for instance 900x700+0+0"
)]
pub struct GeometryError;

impl FromStr for Geometry {
    type Err = GeometryError;

    fn from_str(text: &str) -> Result<Self, GeometryError> {
        let (size, position) = match text.split_once('+') {
            Some((size, position)) => (size, Some(position)),
            None => (text, None),
        };
        let (width, height) = pair(size, 'x')?;
        if width > SIDE_MAX || height > SIDE_MAX {
            return Err(GeometryError);
        }
        let position = position.map(|position| pair(position, '+')).transpose()?;
        Ok(Self { size: (width, height), position })
    }
}

fn pair<T: FromStr>(text: &str, between: char) -> Result<(T, T), GeometryError> {
    let (one, other) = text.split_once(between).ok_or(GeometryError)?;
    let number = |text: &str| text.parse().map_err(|_| GeometryError);
    Ok((number(one)?, number(other)?))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;

    use clap::CommandFactory;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_man_page_and_the_completions_have_every_flag() {
        let dir = tempfile::tempdir().unwrap();
        crate::manual::write(Args::command(), dir.path()).unwrap();
        let page = fs::read_to_string(dir.path().join("iirs.1")).unwrap();
        let script = crate::manual::completions(Args::command(), Shell::Bash);
        for flag in Args::command().get_arguments().filter_map(|flag| flag.get_long()) {
            assert!(
                page.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))),
                "{flag}: {page}"
            );
            assert!(script.contains(&format!("--{flag}")), "{flag}");
        }
        assert!(Args::try_parse_from(["iirs", "--man", "d", "--user", "ann"]).is_err());
    }

    #[test]
    fn a_password_needs_a_link_and_a_name() {
        for bad in [
            &["--password-file", "f"][..],
            &["--password-file", "f", "--link", "l"],
            &["--register"],
            &["--theme", "pink"],
            &["--geometry", "1x"],
        ] {
            assert!(Args::try_parse_from([&["iirs"], bad].concat()).is_err(), "{bad:?}");
        }
        let all = ["iirs", "--password-file", "f", "--link", "l", "--user", "ann", "--register"];
        assert!(Args::try_parse_from(all).is_ok_and(|args| args.register));
    }

    /// Returns the link that these arguments give.
    fn link_of(arguments: &[&OsStr]) -> Result<Option<String>, LinkFileError> {
        let all = [&[OsStr::new("iirs")], arguments].concat();
        Args::try_parse_from(all).unwrap().link()
    }

    #[test]
    fn a_link_is_given_as_it_is_or_in_a_file() {
        let link = "iirs://h:1/#abc";
        assert_eq!(link_of(&[]).unwrap(), None);
        assert_eq!(link_of(&["--link".as_ref(), link.as_ref()]).unwrap(), Some(link.into()));
        for given in [link, " IIRS://h:1/#abc", "iirs:", "iirs:nonsense"] {
            assert_eq!(link_of(&[given.as_ref()]).unwrap(), Some(given.into()));
        }
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("our group's link.txt");
        for text in [
            link.to_owned(),
            format!("\u{feff}{link}\r\n"),
            format!("The link of our group:\n\n  {link}  \nKeep it.\n"),
            format!("{link}\niirs://other:1/#abc\n"),
            format!("{link}\n{}", "a".repeat(4080)),
        ] {
            fs::write(&file, &text).unwrap();
            assert_eq!(link_of(&[file.as_ref()]).unwrap(), Some(link.into()), "{text}");
        }
        fs::write(&file, [b"\xff\xfe\n", link.as_bytes()].concat()).unwrap();
        assert_eq!(link_of(&[file.as_ref()]).unwrap(), Some(link.into()));
        assert!(Args::try_parse_from(["iirs", link, "--link", link]).is_err());
        assert!(Args::try_parse_from(["iirs", link, link]).is_err());
    }

    #[test]
    fn what_gives_no_link_is_named() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("file");
        let errors: Vec<_> = ["", "here: iirs://h:1/#abc", &format!("{:4097}", "iirs://h:1/#abc")]
            .into_iter()
            .map(|text| {
                fs::write(&file, text).unwrap();
                link_of(&[file.as_ref()]).unwrap_err()
            })
            .collect();
        assert!(matches!(
            &errors[..],
            [LinkFileError::NoLink(_), LinkFileError::NoLink(_), LinkFileError::Unfit(_)]
        ));
        let unfit = [dir.path(), Path::new("/dev/zero")].map(|it| link_of(&[it.as_ref()]));
        assert!(unfit.iter().all(|it| matches!(it, Err(LinkFileError::Unfit(_)))));
        for nowhere in ["chat.example.org:4433", "", "\u{202e}"] {
            let error = link_of(&[nowhere.as_ref()]).unwrap_err();
            assert!(matches!(error, LinkFileError::Unreadable(..)), "{error}");
        }
    }

    #[test]
    fn the_help_teaches_the_link_and_the_second_person() {
        let help = Args::command().render_long_help().to_string();
        for part in ["iirs 'iirs://", "--profile ~/", "iirs link-of-the-group.txt"] {
            assert!(help.contains(part), "{help}");
        }
    }

    #[test]
    fn a_geometry_has_a_size_and_perhaps_a_place() {
        let size = (900, 700);
        assert_eq!("900x700".parse(), Ok(Geometry { size, position: None }));
        assert_eq!("900x700+0+30".parse(), Ok(Geometry { size, position: Some((0, 30)) }));
        for bad in [
            "",
            "900",
            "x",
            "900x",
            "900x700+1",
            "-1x5",
            "900x700+1+",
            "99999x1",
            "7681x1",
            "65535x65535",
            "1x1+1+1+1",
        ] {
            assert_eq!(bad.parse::<Geometry>(), Err(GeometryError), "{bad}");
        }
    }
}
