//! What is remembered from one start to the next: the link, and the name of whoever wants that.
//!
//! It lies in clear text beside the encrypted profiles, so it is as little as that.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use wire::ids::Name;
use wire::link::Link;

const FILE: &str = "window.json";

/// Longest file that is read, in bytes.
const FILE_MAX: u64 = 4096;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The server that was signed in to last.
    pub link: Option<Link>,
    /// The name that was used there, if it is to be remembered.
    pub user: Option<Name>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    link: Option<String>,
    user: Option<String>,
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
        let Written { link, user } = written;
        Self {
            link: link.and_then(|link| link.parse().ok()),
            user: user.and_then(|user| user.parse().ok()),
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
            let remembered = Remembered { link: Some(link.clone()), user };
            remembered.write(&deep).unwrap();
            assert_eq!(Remembered::read(&deep), remembered);
        }
        for damaged in ["", "{", "{\"link\":7}", "{\"link\":\"iirs://x\",\"user\":\"a b\"}"] {
            fs::write(deep.join(FILE), damaged).unwrap();
            assert_eq!(Remembered::read(&deep), Remembered::default(), "{damaged}");
        }
        fs::write(deep.join(FILE), vec![b' '; 1 << 20]).unwrap();
        assert_eq!(Remembered::read(&deep), Remembered::default());
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
