//! The arguments of `iirs`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
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
#[command(name = "iirs", version)]
#[command(after_help = "Two people on one machine: give each a --profile of their own.
To try it out with a server of your own: `cargo demo` in iirs's repository.")]
pub struct Args {
    /// The server's link, filled in for you: iirs://HOST:PORT/#IDENTITY
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
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
