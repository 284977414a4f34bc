//! What the app begins with, and the screen that follows from it.

use std::path::{Path, PathBuf};

use client_link::profile::Profile;
use wire::account::Stretching;
use wire::ids::Name;
use wire::link::Link;

use super::Screen;
use crate::args::ThemeChoice;
use crate::connection::Starter;
use crate::event_log::EventLog;
use crate::instance::Instance;
use crate::notify::Notifier;
use crate::present::Here;
use crate::remember::Remembered;
use crate::screen::attempt::Attempt;
use crate::screen::connect::{self, Connect};
use crate::screen::sign_in::SignIn;
use crate::screen::unlock::Unlock;

/// What the app begins with.
pub struct Setup {
    /// Starts engines.
    pub starter: Starter,
    /// Cost of stretching for what is made now.
    pub stretching: Stretching,
    /// Where everything is kept.
    pub dir: PathBuf,
    /// What makes this the one window of that directory.
    pub instance: Option<Instance>,
    /// Where files for people go.
    pub documents: PathBuf,
    /// What was remembered there.
    pub remembered: Remembered,
    /// The link to fill in, as it was given.
    pub link: Option<String>,
    /// The name to fill in, as it was given.
    pub user: Option<String>,
    /// An attempt to make at once.
    pub at_once: Option<AtOnce>,
    /// Which colours, whatever is remembered.
    pub theme: Option<ThemeChoice>,
    /// The log, or none.
    pub log: EventLog,
    /// Where this machine is.
    pub here: Here,
    /// Where notifications go.
    pub notifier: Box<dyn Notifier>,
}

/// An attempt to sign in that needs nobody.
pub struct AtOnce {
    /// The server.
    pub link: Link,
    /// Name and password.
    pub attempt: Attempt,
    /// Whether to make the account first.
    pub register: bool,
}

/// Chooses the first screen: the password for the account of the last time if it is kept here, the form for the link that was
/// given if it is the one of the last time, else the link itself.
pub(super) fn first(
    link: Option<String>,
    remembered: &Remembered,
    user: Option<String>,
    dir: &Path,
) -> (Screen, Option<Link>) {
    let known = remembered.link.clone();
    let form = |link: Link| (form(link.clone(), remembered, user, dir), Some(link));
    let Some(given) = link else {
        return match known {
            Some(link) => form(link),
            None => (Screen::Connect(Connect::new(String::new(), None)), None),
        };
    };
    let mut connect = Connect::new(given, None);
    // what is wrong with the link is said at once
    match connect.update(connect::Message::SignInChosen) {
        connect::Action::SignIn(link) if Some(&link) == known.as_ref() => form(link),
        connect::Action::SignIn(_)
        | connect::Action::Register(_)
        | connect::Action::Focus(_)
        | connect::Action::None => (Screen::Connect(connect), None),
    }
}

/// Asks for the password only, if it is known whose, and the account is kept on this machine.
fn form(link: Link, remembered: &Remembered, user: Option<String>, dir: &Path) -> Screen {
    let remember = remembered.user.is_some();
    let last = remembered
        .user
        .filter(|last| user.as_ref().is_none_or(|user| user.as_str() == last.as_str()));
    let is_kept = |user: &Name| Profile::exists(&dir.join(Profile::directory_name(&link, user)));
    if let Some(last) = last.filter(is_kept) {
        return Screen::Unlock(Unlock::start(link, last));
    }
    let last = remembered.user.as_ref().map(Name::to_string);
    let user = user.or(last).unwrap_or_default();
    Screen::SignIn(SignIn::new(link, user, remember, None))
}
