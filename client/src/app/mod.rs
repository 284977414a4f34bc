//! The app: which screen is shown, and what leads from one to the next.
//!
//! ```text
//!  begin ─► connect ⇄ register, sign in, unlock ─ session ─► main ─ session ─► sign in, stopped
//!                                                             ⇅ front: settings, lock
//! ```
//!
//! On whatever is shown a sheet may lie.

mod begin;
mod forms;
mod front;
mod keys;
mod over;
mod places;
mod raise;
mod session;
#[cfg(test)]
mod tests;

pub use begin::{AtOnce, Setup};
use front::Front;
pub use keys::Shortcut;
use session::{Drafts, Session};

use std::path::PathBuf;
use std::time::{Duration, Instant};

use client_link::api::Event;
use iced::theme::Mode;
use iced::widget::operation;
use iced::widget::{container, opaque, space, stack, text};
use iced::{Element, Fill, Rectangle, Size, Subscription, Task};
use wire::account::Stretching;
use wire::ids::Name;
use wire::link::Link;

use crate::args::ThemeChoice;
use crate::autolock::{self, Idle};
use crate::clock::{self, Now};
use crate::connection::Starter;
use crate::event_log::EventLog;
use crate::instance::Instance;
use crate::notify::Bell;
use crate::present::Here;
use crate::remember::Remembered;
use crate::screen::connect::{self, Connect};
use crate::screen::main::{self, Main};
use crate::screen::register::{self, Register};
use crate::screen::secret::Typed;
use crate::screen::settings;
use crate::screen::sheet::{self, Sheet};
use crate::screen::sign_in::{self, SignIn};
use crate::screen::stopped::{self, Stopped};
use crate::screen::unlock::{self, Unlock};
use crate::widget;
use crate::words;

/// How long a screen is there before it takes presses of the mouse; a double click is shorter.
const SETTLES_AFTER: Duration = Duration::from_millis(500);

/// How often what counts seconds is drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// The app.
pub struct App {
    starter: Starter,
    stretching: Stretching,
    dir: PathBuf,
    /// Where files for people go.
    documents: PathBuf,
    remembered: Remembered,
    /// Whether what is remembered changed since it was written.
    is_unsaved: bool,
    /// The colours that the start of the program decided about.
    theme: Option<ThemeChoice>,
    system: Mode,
    log: EventLog,
    /// Keeps later starts from having a window of their own.
    instance: Option<Instance>,
    drawn: bool,
    here: Here,
    now: Now,
    screen: Screen,
    /// What stands in front of the main screen.
    front: Option<Front>,
    /// What lies on all of it.
    sheet: Option<Sheet>,
    /// Since when nobody is there.
    idle: Idle,
    /// Whether the window has the focus.
    is_focused: bool,
    bell: Bell,
    /// The server that the forms are about.
    link: Option<Link>,
    /// Screens that were shown.
    screens: u64,
    /// The field that got what was typed beside all fields, and when.
    beside: Option<(&'static str, Instant)>,
    /// Whether the screen takes presses of the mouse: the second one of a double click was meant for the screen before.
    settled: bool,
    session: Option<Session>,
    sessions: u64,
    /// What was drafted when accounts were left, until they are back.
    drafts: Vec<Drafts>,
    closing: bool,
    /// Whether it was said that the cover ends with the program.
    has_asked: bool,
}

/// What is shown.
enum Screen {
    Connect(Connect),
    Register(Register),
    SignIn(SignIn),
    /// At the start.
    Unlock(Unlock),
    Main(Box<Main>),
    /// And whose session it was.
    Stopped(Stopped, Name),
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Message {
    /// On the first screen.
    Connect(connect::Message),
    /// While registering.
    Register(register::Message),
    /// While signing in.
    SignIn(sign_in::Message),
    /// On the screen that asks for the password only.
    Unlock(unlock::Message),
    /// On the main screen.
    Main(main::Message),
    /// In the settings.
    Settings(settings::Message),
    /// On a sheet.
    Sheet(sheet::Message),
    /// On the last screen.
    Stopped(stopped::Message),
    /// The engine of a number told something.
    Told(u64, Vec<Event>),
    /// A second passed.
    Ticked,
    /// A key was pressed or the mouse moved, lately.
    SomebodyIsThere,
    /// The window has the focus, or not any more.
    Focused(bool),
    /// A file was dropped on the window.
    Dropped(PathBuf),
    /// The first picture was drawn.
    Drawn,
    /// The desktop has other colours.
    SystemTheme(Mode),
    /// The next field is to get the focus, or the one before.
    Tabbed {
        /// Whether it is the one before.
        back: bool,
    },
    /// So it was, and a field has the focus now, or none.
    TabEnded {
        /// Whether it was the one before.
        back: bool,
        /// Whether a field has the focus.
        found: bool,
    },
    /// A key was pressed that means something everywhere on a screen.
    Pressed(Shortcut),
    /// Something was typed while no field had the focus.
    TypedBeside(Typed),
    /// The screen of this number has been there long enough.
    Settled(u64),
    /// Things were found to lie there, for the log.
    Placed(Vec<(String, Rectangle)>),
    /// A later start handed over its link, or wants to see the window.
    Raised(Option<String>),
    /// The window has another size.
    Resized(Size),
    /// The window is to close.
    CloseRequested,
    /// The program is to end, or its window is gone.
    Terminated,
    /// The engine had its time to leave.
    LeaveExpired,
}

impl App {
    /// Begins: with the attempt that is to be made at once, with the server of the last time, or with nothing.
    pub fn new(setup: Setup) -> (Self, Task<Message>) {
        let Setup { starter, stretching, dir, documents, remembered, link, user, .. } = setup;
        let Setup { at_once, theme, log, here, notifier, instance, .. } = setup;
        let (screen, link) = begin::first(link, &remembered, user, &dir);
        let now = clock::now();
        let mut app = Self {
            starter,
            stretching,
            dir,
            documents,
            remembered,
            is_unsaved: false,
            theme,
            system: Mode::None,
            log,
            instance,
            drawn: false,
            here,
            now,
            screen,
            front: None,
            sheet: None,
            idle: Idle::new(now),
            is_focused: true,
            bell: Bell::new(notifier),
            link,
            screens: 0,
            beside: None,
            settled: true,
            session: None,
            sessions: 0,
            drafts: Vec::new(),
            closing: false,
            has_asked: false,
        };
        let system = iced::system::theme().map(Message::SystemTheme);
        let begun = match at_once {
            Some(begin) => app.begin_at_once(begin),
            None => app.entered(),
        };
        (app, Task::batch([system, begun]))
    }

    /// Returns the title of the window.
    pub fn title(&self) -> String {
        match &self.screen {
            Screen::Main(main) if self.is_locked() => words::locked_title(main.unread()),
            Screen::Main(main) => words::title(main.user(), main.unread()),
            Screen::Connect(_)
            | Screen::Register(_)
            | Screen::SignIn(_)
            | Screen::Unlock(_)
            | Screen::Stopped(..) => words::PROGRAM.into(),
        }
    }

    /// Shows the screen.
    pub fn view(&self) -> Element<'_, Message> {
        if self.closing {
            return container(text(words::LEAVING)).center(Fill).into();
        }
        let screen = self.front_view().unwrap_or_else(|| match &self.screen {
            Screen::Connect(screen) => screen.view().map(Message::Connect),
            Screen::Register(screen) => screen.view().map(Message::Register),
            Screen::SignIn(screen) => screen.view().map(Message::SignIn),
            Screen::Unlock(screen) => screen.view(None).map(Message::Unlock),
            Screen::Main(screen) => screen.view(self.now, &self.here).map(Message::Main),
            Screen::Stopped(screen, _) => screen.view().map(Message::Stopped),
        });
        let blank: Element<'_, Message> = match self.settled {
            true => space().into(),
            false => opaque(space().width(Fill).height(Fill)),
        };
        stack![widget::still(self.sheet.is_some(), screen), self.sheet_view(), blank].into()
    }

    /// Returns what to listen to.
    pub fn subscription(&self) -> Subscription<Message> {
        let told = self.session.as_ref().map_or_else(Subscription::none, |session| {
            session.connection.subscription().map(|(number, events)| Message::Told(number, events))
        });
        let raised = self.instance.as_ref().map_or_else(Subscription::none, Instance::subscription);
        let is_main = matches!(self.screen, Screen::Main(_));
        let counts = is_main || self.is_unsaved;
        let ticks = if counts { iced::time::every(TICK) } else { Subscription::none() };
        let drafts = match &self.screen {
            Screen::Main(main) if main.has_loose_drafts() => iced::time::every(main::KEEP_EVERY),
            Screen::Main(_)
            | Screen::Connect(_)
            | Screen::Register(_)
            | Screen::SignIn(_)
            | Screen::Unlock(_)
            | Screen::Stopped(..) => Subscription::none(),
        };
        let drawn = if self.drawn { Subscription::none() } else { iced::window::frames() };
        let locks = is_main && !self.is_locked() && self.remembered.lock_after.limit().is_some();
        let inputs = if locks { autolock::inputs() } else { Subscription::none() };
        Subscription::batch([
            told,
            ticks.map(|_| Message::Ticked),
            drafts.map(|_| Message::Main(main::Message::DraftsDue)),
            drawn.map(|_| Message::Drawn),
            raised.map(Message::Raised),
            inputs.map(|()| Message::SomebodyIsThere),
            iced::window::resize_events().map(|(_, size)| Message::Resized(size)),
            iced::window::close_requests().map(|_| Message::CloseRequested),
            iced::window::close_events().map(|_| Message::Terminated),
            iced::system::theme_changes().map(Message::SystemTheme),
            iced::event::listen_with(keys::message),
            Subscription::run(crate::signals::signals).map(|()| Message::Terminated),
        ])
    }

    /// Lets the time pass after which a screen takes presses.
    #[cfg(test)]
    pub(crate) fn settle(&mut self) {
        drop(self.update(Message::Settled(self.screens)));
    }

    /// Takes what the engine has told so far, in place of the subscription.
    #[cfg(test)]
    pub(crate) fn take_told(&self) -> Option<Message> {
        let connection = &self.session.as_ref()?.connection;
        Some(Message::Told(connection.number(), connection.told()))
    }

    /// Returns the main screen, which is shown.
    #[cfg(test)]
    pub(crate) fn main_screen(&self) -> &Main {
        match &self.screen {
            Screen::Main(main) => main,
            Screen::Connect(_)
            | Screen::Register(_)
            | Screen::SignIn(_)
            | Screen::Unlock(_)
            | Screen::Stopped(..) => {
                panic!("another screen is shown")
            }
        }
    }

    /// Does something with the main screen and its engine.
    #[cfg(test)]
    pub(crate) fn with_main(
        &mut self,
        work: impl FnOnce(&mut Main, &crate::connection::Connection, Now),
    ) {
        if let (Screen::Main(main), Some(session)) = (&mut self.screen, &self.session) {
            work(main, &session.connection, self.now);
        }
    }

    /// Does what happened.
    pub fn update(&mut self, message: Message) -> Task<Message> {
        self.now = clock::now();
        self.here.unix_ms = self.now.unix_ms;
        let moves = self.log.is_open() && places::may_move(&message);
        let task = match message {
            Message::Connect(message) => self.connect(message),
            Message::Register(message) => self.register(message),
            Message::SignIn(message) => self.sign_in(message),
            Message::Unlock(message) => self.unlock(message),
            Message::Main(message) => self.main(message),
            Message::Settings(message) => self.settings(message),
            Message::Sheet(message) => self.sheet(message),
            Message::Stopped(message) => self.stopped(message),
            Message::Told(number, events) => self.told(number, events),
            Message::CloseRequested => self.close_if_sure(),
            Message::Terminated => self.close(),
            Message::LeaveExpired => iced::exit(),
            Message::Raised(link) => self.raised(link),
            Message::Pressed(shortcut) => self.pressed(shortcut),
            Message::TypedBeside(text) => self.typed_beside(&text),
            Message::Tabbed { back } => keys::tab(back),
            Message::TabEnded { back, found: false } => keys::step(back),
            Message::TabEnded { found: true, .. } => Task::none(),
            Message::Settled(screen) => {
                self.settled |= screen == self.screens;
                Task::none()
            }
            Message::SystemTheme(mode) => {
                self.system = mode;
                Task::none()
            }
            Message::Drawn => {
                if !self.drawn {
                    self.drawn = true;
                    self.log.drawn();
                }
                Task::none()
            }
            Message::Placed(places) => {
                self.log.places(places);
                Task::none()
            }
            Message::Ticked => self.ticked(),
            Message::SomebodyIsThere => self.somebody_is_there(),
            Message::Focused(is_focused) => {
                self.focused(is_focused);
                Task::none()
            }
            Message::Dropped(file) => self.dropped(&file),
            Message::Resized(size) => {
                self.resized(size);
                Task::none()
            }
        };
        if moves && self.settled { Task::batch([task, self.find_places()]) } else { task }
    }

    fn main(&mut self, message: main::Message) -> Task<Message> {
        match message {
            main::Message::SettingsPressed => return self.show_settings(),
            main::Message::LockPressed => return self.lock(),
            main::Message::MeaningPressed => return self.show_sheet(Sheet::Meaning),
            _ => (),
        }
        let (Screen::Main(screen), Some(session)) = (&mut self.screen, &mut self.session) else {
            return Task::none();
        };
        let before = screen.shown().map(str::to_owned);
        let signs_out = matches!(message, main::Message::SignOutPressed);
        let action = screen.update(message, &session.connection, self.now);
        if signs_out {
            // what went wrong before is not why the session ends
            session.failure = None;
        }
        if let Some(peer) = screen.shown().filter(|shown| before.as_deref() != Some(*shown)) {
            self.log.opened(peer);
            self.bell.seen();
        }
        if let main::Action::OpenLink(address) = action {
            if let Err(error) = open::that_detached(address) {
                tracing::warn!("no browser opens: {}", error.kind());
                screen.browser_failed();
            }
            return Task::none();
        }
        follow(action)
    }

    fn show(&mut self, screen: Screen) -> Task<Message> {
        self.screen = screen;
        (self.front, self.sheet) = (None, None);
        self.appeared()
    }

    /// Another screen is there: it takes presses once it has been there for long enough.
    fn appeared(&mut self) -> Task<Message> {
        self.screens += 1;
        self.beside = None;
        self.settled = false;
        let screens = self.screens;
        let settles = async { tokio::time::sleep(SETTLES_AFTER).await };
        let settles = Task::perform(settles, move |()| Message::Settled(screens));
        Task::batch([self.entered(), settles])
    }

    /// A screen appears: its first field gets the focus.
    fn entered(&mut self) -> Task<Message> {
        let (name, field) = match &self.screen {
            Screen::Main(_) if self.is_locked() => ("locked", Some(unlock::PASSWORD)),
            Screen::Main(_) if self.front.is_some() => ("settings", None),
            Screen::Unlock(_) => ("unlock", Some(unlock::PASSWORD)),
            Screen::Connect(screen) => ("connect", Some(screen.focus())),
            Screen::Register(screen) => ("register", Some(screen.focus())),
            Screen::SignIn(screen) => ("sign-in", Some(screen.focus())),
            Screen::Main(_) => ("main", Some(main::SEARCH)),
            Screen::Stopped(..) => ("stopped", None),
        };
        self.log.screen(name);
        field.map_or_else(Task::none, operation::focus)
    }
}

/// Does what the main screen wants of the window.
fn follow(action: main::Action) -> Task<Message> {
    match action {
        // a link needs the screen, which says so where no browser opens it
        main::Action::None | main::Action::OpenLink(_) => Task::none(),
        main::Action::Focus(field) => operation::focus(field),
        main::Action::Copy(text) => iced::clipboard::write(text),
    }
}
