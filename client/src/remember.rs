//! What is remembered from one start to the next: the link, the name of whoever wants that, and the window's settings.
//!
//! It lies in clear text beside the encrypted profiles, so nothing is in it that tells of people or messages.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use wire::ids::Name;
use wire::link::Link;

use crate::args::ThemeChoice;

const FILE: &str = "window.json";

/// Longest file that is read, in bytes.
const FILE_MAX: u64 = 4096;

/// Largest side of a window that is remembered, in pixels of the desktop.
const SIDE_MAX: u16 = 7680;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The server that was signed in to last.
    pub link: Option<Link>,
    /// The name that was used there, if it is to be remembered.
    pub user: Option<Name>,
    /// Which colours.
    pub theme: ThemeChoice,
    /// How large everything is.
    pub zoom: Zoom,
    /// When the window locks by itself.
    pub lock_after: LockAfter,
    /// What the desktop is told of messages and calls.
    pub notifications: Notifications,
    /// Whether the program ends without asking.
    pub quits_unasked: bool,
    /// Width and height of the window in pixels of the desktop.
    pub size: Option<(u16, u16)>,
}

/// How large everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zoom(u16);

/// When the window locks by itself, counted from the last key press or movement of the mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockAfter {
    /// After a minute.
    Minute,
    /// After five.
    Five,
    /// After a quarter of an hour.
    Quarter,
    /// After an hour.
    #[default]
    Hour,
    /// Never.
    Never,
}

/// What the desktop is told of messages and calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notifications {
    /// Nothing.
    Off,
    /// How many there are.
    #[default]
    Count,
    /// From whom, too.
    Name,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    link: Option<String>,
    user: Option<String>,
    theme: ThemeChoice,
    zoom_percent: Option<u16>,
    lock_after_minutes: Option<u16>,
    notifications: Notifications,
    quits_unasked: bool,
    size: Option<(u16, u16)>,
}

impl Zoom {
    /// The sizes that there are, in percent.
    pub const STEPS: [u16; 8] = [80, 90, 100, 110, 125, 150, 175, 200];

    /// Returns it in percent.
    pub fn percent(self) -> u16 {
        self.0
    }

    /// Returns how many times as large as designed everything is.
    pub fn factor(self) -> f32 {
        f32::from(self.0) / 100.0
    }

    /// Returns the next larger size, or this one if there is none.
    pub fn larger(self) -> Self {
        Self(Self::STEPS.into_iter().find(|step| *step > self.0).unwrap_or(self.0))
    }

    /// Returns the next smaller size, or this one if there is none.
    pub fn smaller(self) -> Self {
        Self(Self::STEPS.into_iter().rfind(|step| *step < self.0).unwrap_or(self.0))
    }

    /// Takes a percentage if it is one of the steps.
    pub fn from_percent(percent: u16) -> Option<Self> {
        Self::STEPS.contains(&percent).then_some(Self(percent))
    }
}

impl Default for Zoom {
    fn default() -> Self {
        Self(100)
    }
}

impl LockAfter {
    /// All that can be chosen.
    pub const ALL: [Self; 5] = [Self::Minute, Self::Five, Self::Quarter, Self::Hour, Self::Never];

    /// Returns after how long; none for never.
    pub fn limit(self) -> Option<Duration> {
        match self.minutes() {
            0 => None,
            minutes => Some(Duration::from_secs(60 * u64::from(minutes))),
        }
    }

    /// Returns the minutes as they are written; 0 for never.
    pub fn minutes(self) -> u16 {
        match self {
            Self::Minute => 1,
            Self::Five => 5,
            Self::Quarter => 15,
            Self::Hour => 60,
            Self::Never => 0,
        }
    }
}

impl Notifications {
    /// All that can be chosen.
    pub const ALL: [Self; 3] = [Self::Off, Self::Count, Self::Name];
}

impl Remembered {
    /// Reads what is remembered in a directory; what cannot be read is not remembered.
    pub fn read(dir: &Path) -> Self {
        let written = match read(&file(dir)) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                tracing::warn!("what was remembered cannot be read: {error}");
                return Self::default();
            }
        };
        let known = |minutes: u16| LockAfter::ALL.into_iter().find(|it| it.minutes() == minutes);
        let fits = |(width, height): &(u16, u16)| {
            [width, height].into_iter().all(|side| (1..=SIDE_MAX).contains(side))
        };
        Self {
            link: written.link.and_then(|link| link.parse().ok()),
            user: written.user.and_then(|user| user.parse().ok()),
            theme: written.theme,
            zoom: written.zoom_percent.and_then(Zoom::from_percent).unwrap_or_default(),
            lock_after: written.lock_after_minutes.and_then(known).unwrap_or_default(),
            notifications: written.notifications,
            quits_unasked: written.quits_unasked,
            size: written.size.filter(fits),
        }
    }

    /// Writes it, in one step, for this user of the computer only.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let written = Written {
            link: self.link.as_ref().map(Link::to_string),
            user: self.user.as_ref().map(Name::to_string),
            theme: self.theme,
            zoom_percent: Some(self.zoom.percent()),
            lock_after_minutes: Some(self.lock_after.minutes()),
            notifications: self.notifications,
            quits_unasked: self.quits_unasked,
            size: self.size,
        };
        make(dir)?;
        // under a name of its own, which only this user may read
        let mut new = NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut new, &written)?;
        new.write_all(b"\n")?;
        new.as_file().sync_data()?;
        new.persist(file(dir)).map_err(|error| error.error)?;
        Ok(())
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

fn read(file: &Path) -> io::Result<Written> {
    let mut text = String::new();
    File::open(file)?.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

#[cfg(unix)]
fn make(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use wire::link::Pin;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_forgotten() {
        let dir = TempDir::new().unwrap();
        let deep = dir.path().join("a/b");
        assert_eq!(Remembered::read(&deep), Remembered::default());
        let link = Link { host: "chat.example.org".into(), port: 4433, pin: Pin([7; 32]) };
        for user in [None, Some("ann".parse().unwrap())] {
            let remembered = Remembered {
                link: Some(link.clone()),
                user,
                theme: ThemeChoice::HighContrast,
                zoom: Zoom::default().larger(),
                lock_after: LockAfter::Never,
                notifications: Notifications::Name,
                quits_unasked: true,
                size: Some((900, 700)),
            };
            remembered.write(&deep).unwrap();
            assert_eq!(Remembered::read(&deep), remembered);
        }
        for damaged in [
            "",
            "{",
            "{\"link\":7}",
            "{\"link\":\"iirs://x\",\"user\":\"a b\"}",
            "{\"theme\":\"pink\"}",
            "{\"zoom_percent\":101,\"lock_after_minutes\":2,\"size\":[0,1],\"other\":true}",
            "{\"size\":[65535,700]}",
            "{\"zoom_percent\":-1}",
        ] {
            fs::write(deep.join(FILE), damaged).unwrap();
            assert_eq!(Remembered::read(&deep), Remembered::default(), "{damaged}");
        }
        fs::write(deep.join(FILE), vec![b' '; 1 << 20]).unwrap();
        assert_eq!(Remembered::read(&deep), Remembered::default());
    }

    #[test]
    fn what_nobody_knows_is_not_written_again() {
        let dir = TempDir::new().unwrap();
        fs::write(file(dir.path()), "{\"theme\":\"dark\",\"secret\":1}").unwrap();
        let remembered = Remembered::read(dir.path());
        assert_eq!(remembered.theme, ThemeChoice::Dark);
        remembered.write(dir.path()).unwrap();
        let text = fs::read_to_string(file(dir.path())).unwrap();
        assert!(text.contains("dark") && !text.contains("secret"));
    }

    #[test]
    fn sizes_go_in_steps_and_stop_at_both_ends() {
        let mut zoom = Zoom::default();
        let mut seen = Vec::new();
        for _ in 0..9 {
            zoom = zoom.smaller();
        }
        for _ in 0..9 {
            seen.push(zoom.percent());
            zoom = zoom.larger();
        }
        assert_eq!(seen, [&Zoom::STEPS[..], &[200]].concat());
        assert_eq!(Zoom::from_percent(99), None);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_on_the_computer_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new().unwrap();
        let deep = dir.path().join("iirs");
        Remembered::default().write(&deep).unwrap();
        fs::set_permissions(file(&deep), fs::Permissions::from_mode(0o644)).unwrap();
        Remembered::default().write(&deep).unwrap();
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 1, "nothing else is left");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&deep), mode(&file(&deep))), (0o700, 0o600));
    }
}
