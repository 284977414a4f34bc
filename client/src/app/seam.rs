//! Where the app meets the main screen when the window is locked and unlocked.

use crate::clock::Now;
use crate::connection::Connection;
use crate::screen::main::{Action, Main};

/// The main screen forgets what was written, after handing over what is drafted.
pub(super) fn lock(_main: &mut Main, _engine: &Connection, _now: Now) {}

/// The main screen asks anew for what it shows.
pub(super) fn unlock(_main: &mut Main, _engine: &Connection, _now: Now) -> Action {
    Action::None
}

/// The main screen hands over what is drafted, before the end.
pub(super) fn flush_drafts(_main: &mut Main, _engine: &Connection, _now: Now) {}
