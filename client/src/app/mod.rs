//! The app: which screen is shown, and what leads from one to the next.
//!
//! ```text
//!  begin ─► connect ⇄ register, sign in ─ session ─► main ─ session ─► sign in, stopped
//! ```

mod begin;
mod keys;
mod places;
mod session;
#[cfg(test)]
mod tests;

pub use begin::{AtOnce, Setup};
pub use keys::Shortcut;
use session::{Drafts, Session};

use std::path::PathBuf;
use std::time::{Duration, Instant};

use client_link::api::Event;
use iced::theme::Mode;
use iced::widget::operation;
use iced::widget::{container, opaque, space, stack, text};
use iced::{Element, Fill, Rectangle, Subscription, Task, Theme};
use wire::account::Stretching;
use wire::ids::Name;
use wire::link::Link;

use crate::args::ThemeChoice;
use crate::clock::{self, Now};
use crate::connection::Starter;
use crate::event_log::EventLog;
use crate::present::Here;
use crate::remember::Remembered;
use crate::screen::connect::{self, Connect};
use crate::screen::main::{self, Main};
use crate::screen::register::{self, Register};
use crate::screen::secret::Typed;
use crate::screen::sign_in::{self, SignIn};
use crate::screen::stopped::{self, Again, Stopped};
use crate::theme;
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
    remembered: Remembered,
    theme: ThemeChoice,
    system: Mode,
    log: EventLog,
    drawn: bool,
    here: Here,
    now: Now,
    screen: Screen,
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
    /// Whether it was said that drafts go with the window.
    warned: bool,
}

/// What is shown.
enum Screen {
    Connect(Connect),
    Register(Register),
    SignIn(SignIn),
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
    /// On the main screen.
    Main(main::Message),
    /// On the last screen.
    Stopped(stopped::Message),
    /// The engine of a number told something.
    Told(u64, Vec<Event>),
    /// A second passed.
    Ticked,
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
    /// The window has another size.
    Resized,
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
        let Setup { starter, stretching, dir, remembered, link, user, at_once, theme, log, here } =
            setup;
        let name = remembered.user.as_ref().map(Name::to_string);
        let name = user.or(name).unwrap_or_default();
        let (screen, link) = begin::first(link, &remembered, name);
        let mut app = Self {
            starter,
            stretching,
            dir,
            remembered,
            theme,
            system: Mode::None,
            log,
            drawn: false,
            here,
            now: clock::now(),
            screen,
            link,
            screens: 0,
            beside: None,
            settled: true,
            session: None,
            sessions: 0,
            drafts: Vec::new(),
            closing: false,
            warned: false,
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
            Screen::Main(main) => words::title(main.user(), main.unread()),
            Screen::Connect(_) | Screen::Register(_) | Screen::SignIn(_) | Screen::Stopped(..) => {
                words::PROGRAM.into()
            }
        }
    }

    /// Returns the colours.
    pub fn theme(&self) -> Theme {
        theme::theme(match self.theme {
            ThemeChoice::System => self.system,
            ThemeChoice::Light => Mode::Light,
            ThemeChoice::Dark => Mode::Dark,
        })
    }

    /// Shows the screen.
    pub fn view(&self) -> Element<'_, Message> {
        if self.closing {
            return container(text(words::LEAVING)).center(Fill).into();
        }
        let screen = match &self.screen {
            Screen::Connect(screen) => screen.view().map(Message::Connect),
            Screen::Register(screen) => screen.view().map(Message::Register),
            Screen::SignIn(screen) => screen.view().map(Message::SignIn),
            Screen::Main(screen) => screen.view(self.now, &self.here).map(Message::Main),
            Screen::Stopped(screen, _) => screen.view().map(Message::Stopped),
        };
        let blank: Element<'_, Message> = match self.settled {
            true => space().into(),
            false => opaque(space().width(Fill).height(Fill)),
        };
        stack![screen, blank].into()
    }

    /// Returns what to listen to.
    pub fn subscription(&self) -> Subscription<Message> {
        let told = self.session.as_ref().map_or_else(Subscription::none, |session| {
            session.connection.subscription().map(|(number, events)| Message::Told(number, events))
        });
        let counts = matches!(self.screen, Screen::Main(_));
        let ticks = if counts { iced::time::every(TICK) } else { Subscription::none() };
        let drafts = match &self.screen {
            Screen::Main(main) if main.has_loose_drafts() => iced::time::every(main::KEEP_EVERY),
            Screen::Main(_)
            | Screen::Connect(_)
            | Screen::Register(_)
            | Screen::SignIn(_)
            | Screen::Stopped(..) => Subscription::none(),
        };
        let drawn = if self.drawn { Subscription::none() } else { iced::window::frames() };
        let log = self.log.is_open();
        let resized = if log { iced::window::resize_events() } else { Subscription::none() };
        Subscription::batch([
            told,
            ticks.map(|_| Message::Ticked),
            drafts.map(|_| Message::Main(main::Message::DraftsDue)),
            drawn.map(|_| Message::Drawn),
            resized.map(|_| Message::Resized),
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
            Screen::Connect(_) | Screen::Register(_) | Screen::SignIn(_) | Screen::Stopped(..) => {
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
            Message::Main(message) => self.main(message),
            Message::Stopped(message) => self.stopped(message),
            Message::Told(number, events) => self.told(number, events),
            Message::CloseRequested => self.close_if_sure(),
            Message::Terminated => self.close(),
            Message::LeaveExpired => iced::exit(),
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
            Message::Ticked | Message::Resized => Task::none(),
        };
        if moves && self.settled { Task::batch([task, self.find_places()]) } else { task }
    }

    fn connect(&mut self, message: connect::Message) -> Task<Message> {
        let Screen::Connect(screen) = &mut self.screen else { return Task::none() };
        let name = self.remembered.user.as_ref().map(Name::to_string);
        match screen.update(message) {
            connect::Action::None => Task::none(),
            connect::Action::Focus(field) => operation::focus(field),
            connect::Action::SignIn(link) => {
                self.link = Some(link);
                self.show_sign_in(name.unwrap_or_default(), None)
            }
            connect::Action::Register(link) => {
                self.link = Some(link);
                self.show_register(String::new())
            }
        }
    }

    fn register(&mut self, message: register::Message) -> Task<Message> {
        let Screen::Register(screen) = &mut self.screen else { return Task::none() };
        match screen.update(message) {
            register::Action::None => Task::none(),
            register::Action::Focus(field) => operation::focus(field),
            register::Action::Measure(question) => {
                Task::perform(register::measure(question), Message::Register)
            }
            register::Action::Start(attempt) => self.start(attempt, true),
            register::Action::Cancel => self.cancel(),
            register::Action::SignIn { user } => self.show_sign_in(user, None),
            register::Action::Back => self.show_connect(),
        }
    }

    fn sign_in(&mut self, message: sign_in::Message) -> Task<Message> {
        let Screen::SignIn(screen) = &mut self.screen else { return Task::none() };
        match screen.update(message) {
            sign_in::Action::None => Task::none(),
            sign_in::Action::Focus(field) => operation::focus(field),
            sign_in::Action::Start(attempt) => self.start(attempt, false),
            sign_in::Action::Cancel => self.cancel(),
            sign_in::Action::Register { user } => self.show_register(user),
            sign_in::Action::Back => self.show_connect(),
        }
    }

    fn main(&mut self, message: main::Message) -> Task<Message> {
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
        }
        match action {
            main::Action::None => Task::none(),
            main::Action::Focus(field) => operation::focus(field),
            main::Action::Copy(text) => iced::clipboard::write(text),
            main::Action::OpenLink(address) => {
                if let Err(error) = open::that_detached(address) {
                    tracing::warn!("no browser opens: {}", error.kind());
                    screen.browser_failed();
                }
                Task::none()
            }
        }
    }

    fn stopped(&mut self, message: stopped::Message) -> Task<Message> {
        let Screen::Stopped(screen, user) = &self.screen else { return Task::none() };
        match (screen.update(message), screen.again()) {
            (stopped::Action::Quit, _) => self.close(),
            (stopped::Action::Again, Again::Connect) => self.show_connect(),
            (stopped::Action::Again, Again::SignIn) => {
                let user = user.to_string();
                self.show_sign_in(user, None)
            }
        }
    }

    fn show_connect(&mut self) -> Task<Message> {
        let link = self.link.as_ref().map(Link::to_string);
        self.show(Screen::Connect(Connect::new(link.unwrap_or_default(), None)))
    }

    fn show_sign_in(&mut self, user: String, note: Option<String>) -> Task<Message> {
        let Some(link) = self.link.clone() else { return self.show_connect() };
        let remember = self.remembered.user.is_some();
        self.show(Screen::SignIn(SignIn::new(link, user, remember, note)))
    }

    fn show_register(&mut self, user: String) -> Task<Message> {
        let Some(link) = self.link.clone() else { return self.show_connect() };
        self.show(Screen::Register(Register::new(link, user)))
    }

    fn show_stopped(
        &mut self,
        title: &str,
        text: String,
        again: Again,
        user: Name,
    ) -> Task<Message> {
        self.show(Screen::Stopped(Stopped::new(title, text, again), user))
    }

    fn show(&mut self, screen: Screen) -> Task<Message> {
        self.screen = screen;
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
