//! From an attempt to its end: what is started, what is told of it, and where that leads.

use std::collections::BTreeMap;
use std::time::Duration;

use client_link::api::{About, Command, ConnectionState, ErrorCode, Event, LocalEvent, Options};
use client_link::profile::Profile;
use iced::Task;
use wire::ids::Name;
use wire::link::Pin;

use super::{App, AtOnce, Front, Message, Screen};
use crate::autolock::Idle;
use crate::connection::Connection;
use crate::screen::attempt::Attempt;
use crate::screen::main::Main;
use crate::screen::settings::{Network, Settings};
use crate::screen::stopped::Again;
use crate::words;

/// How long the engine has to leave before the window closes all the same.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// A running engine and what it was started for.
pub(super) struct Session {
    pub(super) connection: Connection,
    /// How connection and rounds stand.
    pub(super) network: Network,
    /// The settings, shown or not.
    pub(super) settings: Settings,
    user: Name,
    /// Whether the name is to be remembered; nobody was asked if there is no answer.
    remember: Option<bool>,
    registered: bool,
    /// Whether it was given up before it was signed in.
    cancelled: bool,
    /// The last thing that went wrong with all of it and was not mended since.
    pub(super) failure: Option<(ErrorCode, String)>,
}

/// What was written and not sent, by person, in one account's window.
pub(super) struct Drafts {
    pin: Pin,
    user: Name,
    drafts: BTreeMap<String, String>,
}

impl App {
    /// Starts an engine, unless one runs.
    pub(super) fn start(&mut self, attempt: Attempt, register: bool) -> Task<Message> {
        let remember = Some(attempt.remember);
        self.start_with(attempt, register, remember)
    }

    fn start_with(
        &mut self,
        attempt: Attempt,
        register: bool,
        remember: Option<bool>,
    ) -> Task<Message> {
        let Some(link) = self.link.clone().filter(|_| self.session.is_none()) else {
            return Task::none();
        };
        let Attempt { user, password, invite, .. } = attempt;
        let profile = self.dir.join(Profile::directory_name(&link, &user));
        let stretching = self.stretching;
        let early = !register;
        let options =
            Options { link, user, password, register, invite, profile, early, stretching };
        self.sessions += 1;
        let connection = Connection::new(self.sessions, (self.starter)(options));
        self.session = Some(Session {
            connection,
            network: Network::default(),
            settings: Settings::default(),
            user,
            remember,
            registered: false,
            cancelled: false,
            failure: None,
        });
        Task::none()
    }

    pub(super) fn begin_at_once(&mut self, begin: AtOnce) -> Task<Message> {
        let AtOnce { link, attempt, register } = begin;
        self.link = Some(link);
        let name = attempt.user.to_string();
        let shown = if register { self.show_register(name) } else { self.show_sign_in(name, None) };
        Task::batch([shown, self.start_with(attempt, register, None)])
    }

    /// Gives an attempt up; the engine's end is still to come.
    pub(super) fn cancel(&mut self) -> Task<Message> {
        if let Some(session) = &mut self.session {
            session.cancelled = true;
            // one that takes nothing ends by itself
            let _ = session.connection.send(Command::Quit);
        }
        Task::none()
    }

    /// Takes in what the engine told; what an earlier one told is passed over.
    pub(super) fn told(&mut self, number: u64, events: Vec<Event>) -> Task<Message> {
        let mut tasks = Vec::new();
        for event in events {
            if self.session.as_ref().is_some_and(|it| it.connection.number() == number) {
                tasks.push(self.hear(event));
            }
        }
        Task::batch(tasks)
    }

    fn hear(&mut self, event: Event) -> Task<Message> {
        self.log.event(&event);
        let is_shown = self.answers_front(&event);
        self.note(&event, is_shown);
        self.ring(&event);
        let Some(session) = &mut self.session else { return Task::none() };
        let is_wanted = !session.cancelled;
        match event {
            Event::Ended { ok } => self.ended(ok),
            Event::SignedIn { .. } | Event::Local(LocalEvent::Opened { .. }) if !is_wanted => {
                Task::none()
            }
            Event::SignedIn { user } => self.signed_in(user),
            Event::Local(LocalEvent::Opened { user }) => self.opened(user),
            _ if is_shown => Task::none(),
            event => {
                let is_unlocked = matches!(event, Event::Local(LocalEvent::Unlocked));
                // what is shown begins anew before it hears what follows
                let unlocked = if is_unlocked { self.unlocked() } else { Task::none() };
                self.pass_on(event);
                unlocked
            }
        }
    }

    /// Lets what stands in front of the main screen hear; returns whether it shows the event, so that no other does.
    fn answers_front(&mut self, event: &Event) -> bool {
        let Some(session) = &mut self.session else { return false };
        session.network.hear(event, self.now.at);
        let was_listing = session.settings.is_listing();
        let is_answer = session.settings.hear(event, &session.connection);
        match &mut self.front {
            // the main screen counts exports, too
            Some(Front::Settings) => is_answer && !is_of_disk(event),
            Some(Front::Locked(locked)) => {
                locked.screen.hear(event) && matches!(event, Event::Error { .. })
            }
            // a list that nobody waits for any more
            None => is_answer && was_listing && matches!(event, Event::Error { .. }),
        }
    }

    /// Notes why the session would end, if it ended now.
    fn note(&mut self, event: &Event, is_shown: bool) {
        let Some(session) = &mut self.session else { return };
        match event {
            Event::Error { code, text, about }
                if *about == About::default() && !is_shown && may_end(*code) =>
            {
                session.failure = Some((*code, text.clone()));
            }
            Event::Connection(ConnectionState::Connected | ConnectionState::Resumed) => {
                session.failure = None;
            }
            Event::Registered { .. } => session.registered = true,
            _ => (),
        }
    }

    fn pass_on(&mut self, event: Event) {
        let Some(session) = &self.session else { return };
        match &mut self.screen {
            Screen::Main(main) => {
                main.watched(self.is_focused && self.front.is_none());
                main.hear(event, &session.connection, self.now, &mut self.log);
            }
            Screen::Register(screen) => screen.hear(&event),
            Screen::SignIn(screen) => screen.hear(&event),
            Screen::Unlock(screen) => {
                screen.hear(&event);
            }
            Screen::Connect(_) | Screen::Stopped(..) => (),
        }
    }

    /// Remembers what is to be remembered, and shows the main screen unless it is there already.
    fn signed_in(&mut self, user: String) -> Task<Message> {
        let Some(session) = &self.session else { return Task::none() };
        if let Some(remember) = session.remember {
            self.remembered.user = remember.then_some(session.user);
            self.remembered.link.clone_from(&self.link);
            self.is_unsaved = true;
            self.save();
        }
        self.opened(user)
    }

    /// Shows the main screen unless it is there already.
    fn opened(&mut self, user: String) -> Task<Message> {
        let Some(session) = &self.session else { return Task::none() };
        if matches!(self.screen, Screen::Main(_)) {
            return Task::none();
        }
        let (pin, name) = (self.link.as_ref().map(|link| link.pin), session.user);
        let kept = self.drafts.iter().position(|it| Some(it.pin) == pin && it.user == name);
        let drafts = kept.map(|at| self.drafts.remove(at).drafts).unwrap_or_default();
        let main = Main::new(user, drafts, &session.connection);
        self.idle = Idle::new(self.now);
        self.show(Screen::Main(Box::new(main)))
    }

    /// The engine has ended: says why, and offers what to do.
    fn ended(&mut self, ok: bool) -> Task<Message> {
        let Some(session) = self.session.take() else { return Task::none() };
        if self.closing {
            return iced::exit();
        }
        self.bell.seen();
        let Session { user, registered, failure, settings, .. } = session;
        if settings.is_deleted() {
            let (title, text) = (words::ending::DELETED_TITLE, words::ending::DELETED);
            return self.show_stopped(title, text.into(), Again::SignIn, user);
        }
        if let (Screen::Main(main), Some(link)) = (&self.screen, &self.link) {
            self.drafts.push(Drafts { pin: link.pin, user, drafts: main.drafts() });
        }
        let failure = failure.map(|(code, text)| (code, words::failure::words(code, &text)));
        let why = failure.as_ref().map(|(_, words)| words.clone());
        if let Some((code @ ErrorCode::WrongPin, why)) = failure {
            return self.show_stopped(words::ending::title(code), why, Again::Connect, user);
        }
        match &mut self.screen {
            Screen::Main(main) if main.is_signing_out() && ok => {
                let note = why.unwrap_or_else(|| words::ending::SIGNED_OUT.into());
                self.show_sign_in(user.to_string(), Some(note))
            }
            Screen::Main(_) => {
                let (title, why) = match failure {
                    Some((code, why)) => (words::ending::title(code), why),
                    None => (words::ending::TITLE, words::ending::SILENT.to_owned()),
                };
                self.show_stopped(title, why, Again::SignIn, user)
            }
            Screen::Register(_) if registered => {
                let note = words::ending::registered(user.as_str(), why.as_deref());
                self.show_sign_in(user.to_string(), Some(note))
            }
            Screen::Register(screen) => {
                screen.hear(&Event::Ended { ok });
                Task::none()
            }
            Screen::SignIn(screen) => {
                screen.hear(&Event::Ended { ok });
                Task::none()
            }
            Screen::Unlock(screen) => {
                screen.hear(&Event::Ended { ok });
                Task::none()
            }
            Screen::Connect(_) | Screen::Stopped(..) => Task::none(),
        }
    }

    /// Leaves the rounds and then closes; asked again, closes at once.
    pub(super) fn close(&mut self) -> Task<Message> {
        self.save();
        let Some(session) = &self.session else { return iced::exit() };
        if let Screen::Main(main) = &mut self.screen {
            main.flush_drafts(&session.connection, self.now);
        }
        if self.closing || session.connection.send(Command::Quit).is_err() {
            return iced::exit();
        }
        self.closing = true;
        let expiry = async { tokio::time::sleep(LEAVE_WITHIN).await };
        Task::perform(expiry, |()| Message::LeaveExpired)
    }
}

/// Tells whether an error may be why a session ends; the others are answers to something that was asked.
fn may_end(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::Busy | ErrorCode::Locked | ErrorCode::TextTooLong | ErrorCode::QueueFull
    )
}

fn is_of_disk(event: &Event) -> bool {
    matches!(event, Event::Error { code: ErrorCode::Disk, .. })
}
