//! What the desktop is told of messages and calls: at most that there are some, how many, and from whom; never what they
//! say.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use notify_rust::{Notification, NotificationHandle};

use crate::APP_ID;
use crate::remember::Notifications;
use crate::words::{self, notify};

/// Where notices go; tests give a scripted one.
pub trait Notifier: Send {
    /// Shows a notice in place of the one before.
    fn show(&self, words: String);
    /// Takes the last notice away.
    fn clear(&self);
}

/// Decides what is told.
pub struct Bell {
    notifier: Box<dyn Notifier>,
    /// Messages that were told of since somebody looked.
    messages: u64,
    /// From whom, as long as all of them are from one.
    from: Option<String>,
    /// Whether a notice may be there.
    rang: bool,
}

impl Bell {
    /// Begins with nothing told.
    pub fn new(notifier: Box<dyn Notifier>) -> Self {
        Self { notifier, messages: 0, from: None, rang: false }
    }

    /// A message came that nobody sees.
    pub fn message(&mut self, peer: &str, how: Notifications) {
        let is_from_one = self.messages == 0 || self.from.as_deref() == Some(peer);
        self.from = is_from_one.then(|| peer.to_owned());
        self.messages = self.messages.saturating_add(1);
        self.ring(match how {
            Notifications::Off => return,
            Notifications::Count => notify::messages(self.messages),
            Notifications::Name if is_from_one => notify::messages_from(self.messages, peer),
            Notifications::Name => notify::messages_last_from(self.messages, peer),
        });
    }

    /// Somebody calls.
    pub fn call(&mut self, peer: &str, how: Notifications) {
        self.ring(match how {
            Notifications::Off => return,
            Notifications::Count => notify::SOMEBODY_CALLS.into(),
            Notifications::Name => words::main::calls(peer),
        });
    }

    /// Somebody looks: what was told is known, and begins anew.
    pub fn seen(&mut self) {
        (self.messages, self.from) = (0, None);
        if self.rang {
            self.rang = false;
            self.notifier.clear();
        }
    }

    fn ring(&mut self, words: String) {
        self.rang = true;
        self.notifier.show(words);
    }
}

/// The desktop's notifications, shown from a thread of their own: the desktop may take its time.
pub struct Desktop {
    wish: Arc<Wish>,
}

/// What the desktop is to show. What comes while it is busy takes the place of what waits: only the last thing counts, and
/// that is never lost.
#[derive(Default)]
struct Wish {
    state: Mutex<WishState>,
    changed: Condvar,
}

#[derive(Default)]
struct WishState {
    /// The notice, or none in place of the last one; not there once the thread took it.
    notice: Option<Option<String>>,
    is_over: bool,
}

impl Wish {
    fn change(&self, change: impl FnOnce(&mut WishState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits for what is to be shown; nothing comes once it is over.
    fn next(&self) -> Option<Option<String>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |state: &mut WishState| state.notice.is_none() && !state.is_over;
        let state = self.changed.wait_while(state, waits);
        state.unwrap_or_else(PoisonError::into_inner).notice.take()
    }
}

impl Desktop {
    /// Starts the thread; it ends with the handle.
    pub fn start() -> Self {
        let wish = Arc::new(Wish::default());
        let wished = Arc::clone(&wish);
        let started = thread::Builder::new().name("notifications".into()).spawn(move || {
            let mut shown = None;
            run(&wished, |notice| show(&mut shown, notice));
        });
        if let Err(error) = started {
            tracing::warn!("there will be no notifications: {error}");
        }
        Self { wish }
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.wish.change(|state| state.is_over = true);
    }
}

impl Notifier for Desktop {
    fn show(&self, words: String) {
        self.wish.change(|state| state.notice = Some(Some(words)));
    }

    fn clear(&self) {
        self.wish.change(|state| state.notice = Some(None));
    }
}

fn run(wish: &Wish, mut show: impl FnMut(Option<String>) -> notify_rust::error::Result<()>) {
    let mut has_failed = false;
    while let Some(notice) = wish.next() {
        if let Err(error) = show(notice)
            && !has_failed
        {
            has_failed = true;
            tracing::warn!("the desktop shows no notification: {error}");
        }
    }
}

/// Shows a notice in place of the one that is shown, or takes that away.
fn show(
    shown: &mut Option<NotificationHandle>,
    notice: Option<String>,
) -> notify_rust::error::Result<()> {
    match (notice, shown.take()) {
        (None, None) => (),
        (None, Some(handle)) => handle.close(),
        (Some(words), before) => {
            let mut notification = Notification::new();
            notification.appname(words::PROGRAM).summary(&words).icon(APP_ID);
            #[cfg(all(unix, not(target_os = "macos")))]
            notification
                .hint(notify_rust::Hint::Category("im.received".into()))
                .hint(notify_rust::Hint::DesktopEntry(APP_ID.into()));
            if let Some(before) = &before {
                notification.id(before.id());
            }
            // what is there still is to be taken away later
            *shown = before;
            *shown = Some(notification.show()?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<Vec<String>>>);

    impl Notifier for Scripted {
        fn show(&self, words: String) {
            self.0.lock().unwrap().push(words);
        }

        fn clear(&self) {
            self.0.lock().unwrap().push("(cleared)".into());
        }
    }

    fn told(deed: impl FnOnce(&mut Bell)) -> Vec<String> {
        let scripted = Scripted::default();
        deed(&mut Bell::new(Box::new(scripted.clone())));
        let told = scripted.0.lock().unwrap();
        told.clone()
    }

    #[test]
    fn of_what_waits_for_a_busy_desktop_the_last_thing_is_done() {
        let desktop = Desktop { wish: Arc::default() };
        let wish = Arc::clone(&desktop.wish);
        let mut desktop = Some(desktop);
        (0..100).for_each(|number| desktop.as_ref().unwrap().show(format!("notice {number}")));
        let mut done = Vec::new();
        run(&wish, |notice| {
            done.push(notice);
            // the window is locked while the desktop takes its time, and closed then
            match desktop.take() {
                Some(desktop) => desktop.clear(),
                None => return Ok(()),
            }
            Ok(())
        });
        assert_eq!(done, [Some("notice 99".into()), None]);
    }

    #[test]
    fn a_count_names_nobody() {
        let said = told(|bell| {
            bell.message("bob", Notifications::Count);
            bell.message("cid", Notifications::Count);
            bell.call("zoe", Notifications::Count);
        });
        assert_eq!(said, ["1 new message", "2 new messages", "Somebody calls"]);
    }

    #[test]
    fn names_are_told_where_that_was_chosen() {
        let said = told(|bell| {
            for peer in ["bob", "bob", "cid", "cid"] {
                bell.message(peer, Notifications::Name);
            }
            bell.call("zoe", Notifications::Name);
        });
        let expected = [
            "New message from bob",
            "2 new messages from bob",
            "3 new messages, the last from cid",
            "4 new messages, the last from cid",
            "zoe calls",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn who_looks_takes_the_notice_away_and_the_count_begins_anew() {
        let said = told(|bell| {
            bell.seen();
            bell.message("bob", Notifications::Name);
            bell.seen();
            bell.seen();
            bell.message("cid", Notifications::Name);
        });
        assert_eq!(said, ["New message from bob", "(cleared)", "New message from cid"]);
    }

    #[test]
    fn nothing_is_told_where_nothing_is_to_be() {
        let said = told(|bell| {
            bell.message("bob", Notifications::Off);
            bell.call("bob", Notifications::Off);
            bell.seen();
        });
        assert!(said.is_empty(), "{said:?}");
    }
}
