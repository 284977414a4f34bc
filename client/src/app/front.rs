//! What stands in front of the main screen, which goes on behind it: the settings, or the lock.
//!
//! ```text
//!            ┌─ settings ─┐
//!  main ─────┤            ├───► main, as it was left
//!   │        └─ lock ─────┘
//!   └ hears everything all the time
//! ```

use client_link::api::{Command, Event, Local, LocalEvent};
use iced::widget::operation::{self, AbsoluteOffset};
use iced::{Element, Task};

use super::{App, Message, Screen, follow};
use crate::autolock::Idle;
use crate::remember::{Notifications, Remembered};
use crate::screen::main;
use crate::screen::settings::{self, Choice, Facts, With};
use crate::screen::sheet::Sheet;
use crate::screen::unlock::{self, Behind, Unlock};
use crate::theme;

/// What stands in front.
pub(super) enum Front {
    Settings,
    Locked(Locked),
}

/// The lock.
pub(super) struct Locked {
    pub(super) screen: Unlock,
    /// Whether the engine took the command.
    is_told: bool,
}

impl App {
    /// Tells whether the main screen is locked.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self.front, Some(Front::Locked(_)))
    }

    /// Shows what stands in front of the main screen, if anything does.
    pub(super) fn front_view(&self) -> Option<Element<'_, Message>> {
        let (Screen::Main(main), Some(session)) = (&self.screen, &self.session) else {
            return None;
        };
        Some(match self.front.as_ref()? {
            Front::Settings => {
                let facts = Facts {
                    user: main.user(),
                    link: self.link.as_ref()?,
                    dir: &self.dir,
                    version: crate::VERSION,
                    remembered: &self.remembered,
                    theme_is_given: self.theme.is_some(),
                    is_signing_out: main.is_signing_out(),
                    network: &session.network,
                    now: self.now,
                    here: &self.here,
                };
                session.settings.view(facts).map(Message::Settings)
            }
            Front::Locked(locked) => {
                let names = self.remembered.notifications == Notifications::Name;
                let behind = Behind {
                    is_in_rounds: session.network.is_in_rounds(),
                    cover: session.network.cover(self.now),
                    bar: session.network.bar(self.now),
                    unread: main.unread(),
                    account: names.then(|| main.user().to_owned()),
                };
                locked.screen.view(Some(behind)).map(Message::Unlock)
            }
        })
    }

    /// Shows the settings, unless the window is locked.
    pub(super) fn show_settings(&mut self) -> Task<Message> {
        let (Screen::Main(_), Some(session)) = (&self.screen, &mut self.session) else {
            return Task::none();
        };
        if self.front.is_some() {
            return Task::none();
        }
        session.settings.shown(&session.connection);
        self.front = Some(Front::Settings);
        self.appeared()
    }

    /// Shows the main screen again.
    pub(super) fn leave_settings(&mut self) -> Task<Message> {
        if !matches!(self.front, Some(Front::Settings)) {
            return Task::none();
        }
        if let Some(session) = &mut self.session {
            session.settings.put_away();
        }
        self.front = None;
        self.appeared()
    }

    /// Does what happened in the settings.
    pub(super) fn settings(&mut self, message: settings::Message) -> Task<Message> {
        let (Screen::Main(main), Some(session), Some(link)) =
            (&self.screen, &mut self.session, &self.link)
        else {
            return Task::none();
        };
        let with = With {
            user: main.user(),
            link,
            documents: &self.documents,
            here: &self.here,
            engine: &session.connection,
        };
        match session.settings.update(message, &with) {
            settings::Action::None => Task::none(),
            settings::Action::Focus(field) => operation::focus(field),
            settings::Action::ToTop => {
                operation::scroll_to(settings::PAGE, AbsoluteOffset { x: 0.0, y: 0.0 })
            }
            settings::Action::Measure(question) => {
                Task::perform(settings::measure(question), Message::Settings)
            }
            settings::Action::Back => self.leave_settings(),
            settings::Action::Choose(choice) => {
                self.choose(choice);
                Task::none()
            }
            settings::Action::Lock => self.lock(),
            settings::Action::SignOut => {
                let left = self.leave_settings();
                Task::batch([left, self.main(main::Message::SignOutPressed)])
            }
            settings::Action::Meaning => self.show_sheet(Sheet::Meaning),
            settings::Action::Keys => self.show_sheet(Sheet::Keys),
        }
    }

    /// Follows a choice, and remembers it.
    pub(super) fn choose(&mut self, choice: Choice) {
        let remembered = &mut self.remembered;
        match choice {
            Choice::Theme(theme) => remembered.theme = theme,
            Choice::Zoom(zoom) => remembered.zoom = zoom,
            Choice::LockAfter(after) => {
                remembered.lock_after = after;
                self.idle = Idle::new(self.now);
            }
            Choice::Notifications(how) => remembered.notifications = how,
        }
        self.is_unsaved = true;
    }

    /// Writes what is to be remembered, if that changed.
    pub(super) fn save(&mut self) {
        if !std::mem::take(&mut self.is_unsaved) {
            return;
        }
        if let Err(error) = self.remembered.write(&self.dir) {
            tracing::warn!("the settings cannot be kept: {error}");
        }
    }

    /// Notes how large the window is, in pixels of the desktop.
    pub(super) fn resized(&mut self, size: iced::Size) {
        let factor = self.remembered.zoom.factor();
        let [width, height] = [size.width, size.height].map(|side| {
            // it fits: what is too much for it becomes its most
            (side * factor).round() as u16
        });
        let size = Some((width, height)).filter(|(width, height)| *width > 0 && *height > 0);
        if size.is_some() && self.remembered.size != size {
            self.remembered = Remembered { size, ..self.remembered.clone() };
            self.is_unsaved = true;
        }
    }

    /// Locks the window: what was written is not shown any more, its key is erased, and the rounds go on.
    pub(super) fn lock(&mut self) -> Task<Message> {
        let (Screen::Main(main), Some(session)) = (&mut self.screen, &mut self.session) else {
            return Task::none();
        };
        if main.is_signing_out() || matches!(self.front, Some(Front::Locked(_))) {
            return Task::none();
        }
        session.settings.put_away();
        main.lock(&session.connection, self.now);
        self.bell.seen();
        let is_told = session.connection.send(Command::Local(Local::Lock)).is_ok();
        self.front = Some(Front::Locked(Locked { screen: Unlock::locked(), is_told }));
        self.sheet = None;
        self.appeared()
    }

    /// A second passed: locks if nobody is there, and tells an engine of the lock that was too busy to hear it.
    pub(super) fn ticked(&mut self) -> Task<Message> {
        self.save();
        if let (Some(Front::Locked(locked)), Some(session)) = (&mut self.front, &self.session)
            && !locked.is_told
        {
            locked.is_told = session.connection.send(Command::Local(Local::Lock)).is_ok();
        }
        self.lock_if_idle()
    }

    /// Somebody pressed a key or moved the mouse.
    pub(super) fn somebody_is_there(&mut self) -> Task<Message> {
        self.idle.input(self.now, self.remembered.lock_after.limit());
        self.lock_if_idle()
    }

    fn lock_if_idle(&mut self) -> Task<Message> {
        if self.idle.is_over(self.now, self.remembered.lock_after.limit()) {
            return self.lock();
        }
        Task::none()
    }

    /// Does what happened on the screen that asks for the password only.
    pub(super) fn unlock(&mut self, message: unlock::Message) -> Task<Message> {
        let screen = match (&mut self.screen, &mut self.front) {
            (Screen::Unlock(screen), _) => screen,
            (_, Some(Front::Locked(locked))) => &mut locked.screen,
            _ => return Task::none(),
        };
        match screen.update(message) {
            unlock::Action::None => Task::none(),
            unlock::Action::Focus(field) => operation::focus(field),
            unlock::Action::Start(attempt) => self.start(attempt, false),
            unlock::Action::Cancel => self.cancel(),
            unlock::Action::Other => self.show_sign_in(String::new(), None),
            unlock::Action::Ask(local) => {
                let (session, command) = (self.session.as_ref(), Command::Local(local));
                if session.is_none_or(|session| session.connection.send(command).is_err()) {
                    screen.not_taken();
                }
                Task::none()
            }
        }
    }

    /// The history is open again: shows the main screen as it was left.
    pub(super) fn unlocked(&mut self) -> Task<Message> {
        let (Screen::Main(main), Some(session)) = (&mut self.screen, &self.session) else {
            return Task::none();
        };
        if !matches!(self.front, Some(Front::Locked(_))) {
            return Task::none();
        }
        let action = main.unlock(&session.connection, self.now);
        self.front = None;
        self.idle = Idle::new(self.now);
        self.bell.seen();
        Task::batch([self.appeared(), follow(action)])
    }

    /// Tells the desktop of what nobody sees.
    pub(super) fn ring(&mut self, event: &Event) {
        let shown = match &self.screen {
            Screen::Main(main) if self.is_focused && self.front.is_none() => Some(main.shown()),
            Screen::Main(_)
            | Screen::Connect(_)
            | Screen::Register(_)
            | Screen::SignIn(_)
            | Screen::Unlock(_)
            | Screen::Stopped(..) => None,
        };
        let how = match self.remembered.notifications {
            Notifications::Name if self.is_locked() => Notifications::Count,
            how => how,
        };
        match event {
            Event::Message { peer, .. } | Event::Local(LocalEvent::Waits { peer })
                if shown != Some(Some(peer)) =>
            {
                self.bell.message(peer, how);
            }
            Event::Request { peer } if shown.is_none() => self.bell.call(peer, how),
            _ => (),
        }
    }

    /// The window has the focus, or not any more.
    pub(super) fn focused(&mut self, is_focused: bool) {
        self.is_focused = is_focused;
        if let Screen::Main(main) = &mut self.screen {
            main.watched(is_focused && self.front.is_none());
        }
        if is_focused && !self.is_locked() {
            self.bell.seen();
        }
    }

    /// Returns the colours.
    pub fn theme(&self) -> iced::Theme {
        theme::theme(self.theme.unwrap_or(self.remembered.theme), self.system)
    }

    /// Returns how many times as large as designed everything is.
    pub fn scale_factor(&self) -> f32 {
        self.remembered.zoom.factor()
    }
}
