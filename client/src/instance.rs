//! One window for each directory: a second start finds the first, hands its link over, and ends.
//!
//! ```text
//!  window.lock   held while the window is there
//!  window.sock   takes one link a connection, up to its end, and answers ACK; without a link the window only comes
//!                to the front
//! ```
//!
//! Both are this user's only. What a killed program leaves of them is of no use to anybody and in nobody's way.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use iced::Subscription;
use iced::futures::{SinkExt as _, Stream};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longest link that is handed over, in bytes.
pub const HANDED_BYTES_MAX: usize = 4096;

const SOCKET: &str = "window.sock";
const LOCK: &str = "window.lock";
const ACK: [u8; 3] = *b"ok\n";

/// Longest path that goes into the address of a socket as it is, in bytes (107 by unix(7)).
const ADDRESS_BYTES_MAX: usize = 100;

/// How long a start waits for the window that is there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long a start may take to hand its link over.
const HANDS_WITHIN: Duration = Duration::from_secs(1);

/// How often a start looks again whether the window that begins or ends is there or gone.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// How long nobody is listened to after the system refused to.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// Links that wait for the window to take them; who hands over another one waits, too.
const HANDED_WAITING_MAX: usize = 4;

/// What a start finds.
pub enum Start {
    /// No window: this one is it.
    First(Instance),
    /// A window, which has taken the link.
    Handed,
}

/// Why there can be neither a first window nor a second.
#[derive(Debug, Error)]
pub enum InstanceError {
    /// The directory cannot be made or written to.
    #[error(
        "cannot keep anything in {0}: {1}; give --profile DIR, or set XDG_DATA_HOME to a directory that you may write to"
    )]
    Directory(PathBuf, io::Error),
    /// A window is there and does not answer.
    #[error(
        "a window of {0} is open already and does not answer; end it, or give --profile DIR for a second person"
    )]
    Silent(PathBuf),
    /// The link is longer than any link.
    #[error(
        "a window of {0} is open already, and what it was to be given is far too long for a link"
    )]
    TooLong(PathBuf),
}

/// The one window of a directory, for as long as it lives.
pub struct Instance {
    handed: Handed,
    socket: PathBuf,
    _lock: File,
}

/// Where links of later starts come in; the one stream takes it.
#[derive(Clone)]
struct Handed(Arc<Mutex<Option<UnixListener>>>);

impl Hash for Handed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "handed".hash(state);
    }
}

/// Becomes the window of a directory, or hands the link to the one that is there.
///
/// Makes the directory, for its owner only. Takes up to 5 seconds where a window does not answer.
///
/// # Errors
/// Every variant of [`InstanceError`]; each says what to do.
pub fn start(dir: &Path, link: Option<&str>) -> Result<Start, InstanceError> {
    start_within(dir, link.unwrap_or_default(), ANSWERS_WITHIN)
}

fn start_within(dir: &Path, link: &str, patience: Duration) -> Result<Start, InstanceError> {
    let of_directory = |error| InstanceError::Directory(dir.to_owned(), error);
    let lock = open_lock(dir).map_err(of_directory)?;
    let deadline = Instant::now() + patience;
    loop {
        match lock.try_lock() {
            Ok(()) => return Instance::new(dir, lock).map(Start::First).map_err(of_directory),
            Err(TryLockError::WouldBlock) => (),
            Err(TryLockError::Error(error)) => return Err(of_directory(error)),
        }
        if link.len() > HANDED_BYTES_MAX {
            return Err(InstanceError::TooLong(dir.to_owned()));
        }
        // the window may be about to listen, or about to be gone
        if hand_over(dir, link, patience).is_ok() {
            return Ok(Start::Handed);
        }
        if Instant::now() >= deadline {
            return Err(InstanceError::Silent(dir.to_owned()));
        }
        std::thread::sleep(LOOKS_EVERY);
    }
}

fn open_lock(dir: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600).open(dir.join(LOCK))
}

fn hand_over(dir: &Path, link: &str, patience: Duration) -> io::Result<()> {
    let mut stream = with_address(dir, SOCKET, |address| UnixStream::connect(address))?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(link.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = [0; ACK.len()];
    stream.read_exact(&mut answer)?;
    if answer == ACK { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Does something with the address of a socket, however long the path of its directory is.
fn with_address<T>(
    dir: &Path,
    name: &str,
    work: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let path = dir.join(name);
    if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
        return work(&path);
    }
    // the kernel has a short name for what is open
    let open = File::open(dir)?;
    work(&PathBuf::from(format!("/proc/self/fd/{}/{name}", open.as_raw_fd())))
}

impl Instance {
    fn new(dir: &Path, lock: File) -> io::Result<Self> {
        // made where only this user may go, so that there is no moment at which others may connect
        let private = tempfile::Builder::new().prefix("window.").tempdir_in(dir)?;
        let listener = with_address(private.path(), SOCKET, |path| UnixListener::bind(path))?;
        listener.set_nonblocking(true)?;
        let made = private.path().join(SOCKET);
        fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        // in the place of what a killed program has left
        let socket = dir.join(SOCKET);
        fs::rename(made, &socket)?;
        Ok(Self { handed: Handed(Arc::new(Mutex::new(Some(listener)))), socket, _lock: lock })
    }

    /// Returns what later starts hand over: a link, or only the wish to see the window.
    pub fn subscription(&self) -> Subscription<Option<String>> {
        Subscription::run_with(self.handed.clone(), handed)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // the lock is still held, so it is ours; what cannot be removed is replaced by the next window
        let _ = fs::remove_file(&self.socket);
    }
}

fn handed(handed: &Handed) -> impl Stream<Item = Option<String>> + use<> {
    let listener = handed.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    iced::stream::channel(HANDED_WAITING_MAX, async move |mut links| {
        let Some(Ok(listener)) = listener.map(tokio::net::UnixListener::from_std) else { return };
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(REFUSED_FOR).await;
                continue;
            };
            // one after the other: nobody but this user can be in the way
            if let Ok(Ok(link)) = tokio::time::timeout(HANDS_WITHIN, hear(stream)).await
                && links.send(link).await.is_err()
            {
                return;
            }
        }
    })
}

async fn hear(mut stream: tokio::net::UnixStream) -> io::Result<Option<String>> {
    let mut link = Vec::new();
    let most = HANDED_BYTES_MAX as u64 + 1;
    (&mut stream).take(most).read_to_end(&mut link).await?;
    if link.len() > HANDED_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let link = String::from_utf8(link).map_err(|_| ErrorKind::InvalidData)?;
    stream.write_all(&ACK).await?;
    Ok((!link.is_empty()).then_some(link))
}

#[cfg(test)]
mod tests {
    use iced::futures::StreamExt as _;
    use tempfile::TempDir;

    use super::*;

    const LINK: &str = "iirs://chat.example.org:4433/#AAAA";

    fn first(dir: &Path) -> Instance {
        match start(dir, None).unwrap() {
            Start::First(instance) => instance,
            Start::Handed => panic!("a window is there"),
        }
    }

    /// Has the window listen until it was handed so many links, while something else happens; returns what that gave,
    /// and the links.
    fn listen<T: Send>(
        instance: &Instance,
        links: usize,
        work: impl FnOnce() -> T + Send,
    ) -> (T, Vec<Option<String>>) {
        std::thread::scope(|scope| {
            let worker = scope.spawn(work);
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let links = runtime.block_on(async {
                let links = handed(&instance.handed).take(links).collect();
                tokio::time::timeout(Duration::from_secs(60), links).await.unwrap()
            });
            (worker.join().unwrap(), links)
        })
    }

    fn is_handed(start: &Result<Start, InstanceError>) -> bool {
        matches!(start, Ok(Start::Handed))
    }

    #[test]
    fn a_second_start_hands_its_link_to_the_first_and_ends() {
        let dir = TempDir::new().unwrap();
        let window = first(dir.path());
        let (starts, links) = listen(&window, 3, || {
            [start(dir.path(), Some(LINK)), start(dir.path(), None), start(dir.path(), Some(LINK))]
        });
        assert!(starts.iter().all(is_handed));
        assert_eq!(links, [Some(LINK.to_owned()), None, Some(LINK.to_owned())]);
    }

    #[test]
    fn each_directory_has_a_window_of_its_own_and_after_it_the_next() {
        let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let window = first(one.path());
        let _other = first(other.path());
        drop(window);
        assert!(!one.path().join(SOCKET).exists(), "nothing is left to connect to");
        first(one.path());
    }

    #[test]
    fn what_a_killed_window_left_is_replaced() {
        let dir = TempDir::new().unwrap();
        drop(UnixListener::bind(dir.path().join(SOCKET)).unwrap());
        fs::write(dir.path().join(LOCK), "").unwrap();
        let window = first(dir.path());
        let (second, links) = listen(&window, 1, || start(dir.path(), Some(LINK)));
        assert!(is_handed(&second) && links == [Some(LINK.to_owned())]);
    }

    #[test]
    fn a_start_waits_for_a_window_that_is_about_to_listen_or_about_to_go() {
        let dir = TempDir::new().unwrap();
        let lock = open_lock(dir.path()).unwrap();
        lock.try_lock().unwrap();
        let window = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| start_within(dir.path(), LINK, Duration::from_secs(60)));
            // it has seen the lock; two tries are in vain
            drop(window.accept().unwrap());
            drop(window.accept().unwrap());
            drop(lock);
            assert!(matches!(second.join().unwrap(), Ok(Start::First(_))));
        });
    }

    #[test]
    fn a_window_that_does_not_answer_is_said_to_be_there() {
        let dir = TempDir::new().unwrap();
        let _frozen = first(dir.path());
        let second = start_within(dir.path(), LINK, Duration::from_millis(30));
        let error = second.err().unwrap();
        assert!(matches!(error, InstanceError::Silent(_)), "{error}");
        assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    }

    #[test]
    fn what_is_no_link_is_not_taken_and_the_next_one_is() {
        let dir = TempDir::new().unwrap();
        let window = first(dir.path());
        let huge = "a".repeat(HANDED_BYTES_MAX + 1);
        let longest = "a".repeat(HANDED_BYTES_MAX);
        let raw = |bytes: &[u8]| {
            let mut stream = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
            // it may be refused before all of it is written
            let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        };
        let (refused, links) = listen(&window, 1, || {
            let second = start(dir.path(), Some(&huge));
            assert!(matches!(second, Err(InstanceError::TooLong(_))));
            let refused = [raw(huge.as_bytes()), raw(&[b'a'; 1 << 20]), raw(b"iirs://\xff")];
            assert!(is_handed(&start(dir.path(), Some(&longest))));
            refused
        });
        assert!(refused.iter().all(Vec::is_empty), "nothing is answered");
        assert_eq!(links, [Some(longest)]);
    }

    #[test]
    fn one_that_connects_and_says_nothing_is_in_the_way_for_a_moment_only() {
        let dir = TempDir::new().unwrap();
        let window = first(dir.path());
        let (second, links) = listen(&window, 1, || {
            let _mute = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
            start(dir.path(), Some(LINK))
        });
        assert!(is_handed(&second) && links == [Some(LINK.to_owned())]);
    }

    #[test]
    fn nobody_else_on_the_computer_can_connect() {
        let dir = TempDir::new().unwrap();
        let deep = dir.path().join("a/iirs");
        let _window = first(&deep);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&deep), 0o700);
        assert_eq!((mode(&deep.join(SOCKET)), mode(&deep.join(LOCK))), (0o600, 0o600));
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn the_path_of_the_directory_may_be_longer_than_an_address() {
        let dir = TempDir::new().unwrap();
        let deep = dir.path().join("d".repeat(120)).join("e".repeat(120));
        let window = first(&deep);
        let (second, links) = listen(&window, 1, || start(&deep, Some(LINK)));
        assert!(is_handed(&second) && links == [Some(LINK.to_owned())]);
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_is_told_with_what_to_do() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = start(&file.join("iirs"), None).err().unwrap().to_string();
        assert!(error.contains("--profile") && error.contains("XDG_DATA_HOME"), "{error}");
    }
}
