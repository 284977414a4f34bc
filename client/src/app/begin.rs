//! What the app begins with, and the screen that follows from it.

use std::path::PathBuf;

use wire::account::Stretching;
use wire::link::Link;

use super::Screen;
use crate::args::ThemeChoice;
use crate::connection::Starter;
use crate::event_log::EventLog;
use crate::instance::Instance;
use crate::present::Here;
use crate::remember::Remembered;
use crate::screen::attempt::Attempt;
use crate::screen::connect::{self, Connect};
use crate::screen::sign_in::SignIn;

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
    /// What was remembered there.
    pub remembered: Remembered,
    /// The link to fill in, as it was given.
    pub link: Option<String>,
    /// The name to fill in, as it was given.
    pub user: Option<String>,
    /// An attempt to make at once.
    pub at_once: Option<AtOnce>,
    /// Which colours.
    pub theme: ThemeChoice,
    /// The log, or none.
    pub log: EventLog,
    /// Where this machine is.
    pub here: Here,
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

/// Chooses the first screen: the form for the link that was given if it is the one of the last time, else the
/// link itself.
pub(super) fn first(
    link: Option<String>,
    remembered: &Remembered,
    user: String,
) -> (Screen, Option<Link>) {
    let remember = remembered.user.is_some();
    let known = remembered.link.clone();
    let sign_in =
        |link: Link| (Screen::SignIn(SignIn::new(link.clone(), user, remember, None)), Some(link));
    let Some(given) = link else {
        return match known {
            Some(link) => sign_in(link),
            None => (Screen::Connect(Connect::new(String::new(), None)), None),
        };
    };
    let mut connect = Connect::new(given, None);
    // what is wrong with the link is said at once
    match connect.update(connect::Message::SignInChosen) {
        connect::Action::SignIn(link) if Some(&link) == known.as_ref() => sign_in(link),
        connect::Action::SignIn(_)
        | connect::Action::Register(_)
        | connect::Action::Focus(_)
        | connect::Action::None => (Screen::Connect(connect), None),
    }
}
