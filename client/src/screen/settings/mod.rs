//! The settings, shown in place of the main screen, which goes on behind them.
//!
//! ```text
//!  account      password, sessions, deletion   ─► engine, one at a time
//!  privacy      lock, notifications, history   ─► remembered; engine
//!  appearance   colours, size                  ─► remembered
//!  network, about                              what there is to know
//! ```

mod deletion;
mod history;
mod message;
mod network;
mod pages;
mod password;
mod sessions;

pub use message::{Action, Choice, Message};
pub use network::Network;

use std::path::Path;

use client_link::api::{About, Command, ErrorCode, Event};
use iced::widget::{Column, column, container, responsive, row, text};
use iced::{Element, Fill, Length, Shrink, Size};
use wire::link::Link;

use super::strength::Question;
use crate::clock::Now;
use crate::connection::Connection;
use crate::present::Here;
use crate::remember::Remembered;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::failure;
use crate::words::settings as words;

/// What scrolls.
pub const PAGE: &str = "settings-page";

/// Width in pixels below which the sections stand above the page.
const NARROW: f32 = 640.0;

/// Widest page in pixels: lines that are longer are hard to read.
const PAGE_WIDTH: f32 = 640.0;

/// Width of the list of sections in pixels.
const SECTIONS_WIDTH: f32 = 180.0;

/// What is on the screen.
#[derive(Default)]
pub struct Settings {
    section: Section,
    password: password::Password,
    sessions: sessions::Sessions,
    deletion: deletion::Deletion,
    history: history::History,
    /// What the engine does with the account, one thing at a time.
    doing: Option<Doing>,
    problem: Option<&'static str>,
    /// Whether the account was deleted, so that the end is no failure.
    is_deleted: bool,
}

/// The sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// Name, password, sessions.
    #[default]
    Account,
    /// Lock, notifications, history.
    Privacy,
    /// Colours and size.
    Appearance,
    /// Connection and rounds.
    Network,
    /// The program.
    About,
}

/// What the engine does with the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Password,
    Listing,
    Ending,
    Deletion,
}

/// What is known outside of the settings.
pub struct Facts<'a> {
    /// The account's name.
    pub user: &'a str,
    /// Its server.
    pub link: &'a Link,
    /// Where everything is kept.
    pub dir: &'a Path,
    /// The program's version.
    pub version: &'a str,
    /// What was chosen.
    pub remembered: &'a Remembered,
    /// Whether the start of the program decided about the colours.
    pub theme_is_given: bool,
    /// Whether the account is being signed out.
    pub is_signing_out: bool,
    /// Connection and rounds.
    pub network: &'a Network,
    /// Now.
    pub now: Now,
    /// Where this machine is.
    pub here: &'a Here,
}

/// What the settings need to do what happened.
pub struct With<'a> {
    /// The account's name.
    pub user: &'a str,
    /// Its server.
    pub link: &'a Link,
    /// Where files for people go.
    pub documents: &'a Path,
    /// Where and when the window is.
    pub here: &'a Here,
    /// The engine.
    pub engine: &'a Connection,
}

/// Answers a question about a password; takes up to half a second of computing.
pub async fn measure(question: Question) -> Message {
    let (number, measured) = (question.number, question.answer());
    Message::Password(password::Message::StrengthKnown(number, measured))
}

impl Section {
    const ALL: [Self; 5] =
        [Self::Account, Self::Privacy, Self::Appearance, Self::Network, Self::About];

    fn words(self) -> &'static str {
        match self {
            Self::Account => words::account::TITLE,
            Self::Privacy => words::privacy::TITLE,
            Self::Appearance => words::appearance::TITLE,
            Self::Network => words::network::TITLE,
            Self::About => words::about::TITLE,
        }
    }
}

impl Settings {
    /// The screen appears: asks how things stand.
    pub fn shown(&mut self, engine: &Connection) {
        self.problem = None;
        self.list(engine);
        // the next round asks again
        let _ = engine.send(Command::Status);
    }

    /// The screen goes: what was typed and asked is forgotten.
    pub fn put_away(&mut self) {
        self.history.put_away();
        self.deletion.put_away();
        self.password.put_away();
        self.problem = None;
    }

    /// Tells whether the account was deleted.
    pub fn is_deleted(&self) -> bool {
        self.is_deleted
    }

    fn is_free(&self) -> bool {
        self.doing.is_none()
    }

    fn is_changing_password(&self) -> bool {
        self.doing == Some(Doing::Password)
    }

    /// Tells whether the list of sessions is asked for.
    pub fn is_listing(&self) -> bool {
        self.doing == Some(Doing::Listing)
    }

    fn is_deleting(&self) -> bool {
        self.doing == Some(Doing::Deletion)
    }

    /// Takes in what the engine tells; returns whether it was an answer that no other screen has to show.
    pub fn hear(&mut self, event: &Event, engine: &Connection) -> bool {
        match event {
            Event::PasswordChanged => {
                self.done(Doing::Password);
                self.password.changed();
                self.sessions.only_this();
            }
            Event::Sessions { sessions } => {
                self.done(Doing::Listing);
                self.sessions.listed(sessions.clone());
            }
            Event::SessionEnded { id } => {
                self.done(Doing::Ending);
                self.sessions.ended(id);
                self.end_next(engine);
            }
            Event::AccountDeleted => {
                self.done(Doing::Deletion);
                self.is_deleted = true;
            }
            Event::Local(event) => {
                self.history.hear(event);
                return false;
            }
            Event::Error { code, text, about } if *about == About::default() => {
                return self.failed(*code, text);
            }
            Event::Error { .. }
            | Event::Progress(_)
            | Event::Registered { .. }
            | Event::SignedIn { .. }
            | Event::RoundOpen { .. }
            | Event::Round { .. }
            | Event::State { .. }
            | Event::Message { .. }
            | Event::Directory { .. }
            | Event::Listed { .. }
            | Event::History { .. }
            | Event::SafetyNumber { .. }
            | Event::Status(_)
            | Event::Request { .. }
            | Event::Calling { .. }
            | Event::Answered { .. }
            | Event::KeyChanged { .. }
            | Event::ServerRestored { .. }
            | Event::Contact(_)
            | Event::Forgotten { .. }
            | Event::Contacts { .. }
            | Event::VaultStored { .. }
            | Event::Connection(_)
            | Event::RetryIn { .. }
            | Event::Ended { .. } => return false,
        }
        true
    }

    fn done(&mut self, doing: Doing) {
        if self.doing == Some(doing) {
            self.doing = None;
        }
    }

    /// Something went wrong with all of it: perhaps with what was asked here.
    fn failed(&mut self, code: ErrorCode, text: &str) -> bool {
        let is_disk = matches!(code, ErrorCode::Disk | ErrorCode::Locked | ErrorCode::Busy);
        if self.history.is_doing() && is_disk {
            self.history.failed(&failure::words(code, text));
            return true;
        }
        let is_answer = matches!(
            code,
            ErrorCode::WrongCredentials
                | ErrorCode::PasswordInvalid
                | ErrorCode::Busy
                | ErrorCode::NoServer
                | ErrorCode::SlowDown
                | ErrorCode::SessionEnded
        );
        let Some(doing) = self.doing.filter(|_| is_answer) else { return false };
        self.doing = None;
        let is_wrong = code == ErrorCode::WrongCredentials;
        let said = || match code {
            // what the engine says tells more
            ErrorCode::NoServer | ErrorCode::SessionEnded => failure::sentence(text),
            code => failure::words(code, text),
        };
        match doing {
            Doing::Password if is_wrong => self.password.failed(words::password::WRONG.into()),
            Doing::Password => self.password.failed(said()),
            Doing::Deletion if is_wrong => self.deletion.failed(words::deletion::WRONG.into()),
            Doing::Deletion => self.deletion.failed(said()),
            Doing::Listing | Doing::Ending => self.sessions.failed(said()),
        }
        true
    }

    /// Does what happened on the screen.
    pub fn update(&mut self, message: Message, with: &With<'_>) -> Action {
        match message {
            Message::SectionChosen(section) => {
                self.section = section;
                return Action::ToTop;
            }
            Message::BackPressed => return Action::Back,
            Message::EscapePressed => return self.escape(),
            Message::Password(message) => return self.password(message, with),
            Message::Sessions(message) => self.sessions(message, with.engine),
            Message::Deletion(message) => {
                let is_free = self.is_free();
                match self.deletion.update(message, with.user, is_free) {
                    deletion::Action::None => (),
                    deletion::Action::Focus(field) => return Action::Focus(field),
                    deletion::Action::Ask(command) => {
                        self.ask(command, Doing::Deletion, with.engine);
                    }
                }
            }
            Message::History(message) => {
                let command = self.history.update(message, with.documents, with.here);
                if command.is_some_and(|command| with.engine.send(command).is_err()) {
                    self.history.failed(words::BUSY);
                }
            }
            Message::ThemeChosen(theme) => return Action::Choose(Choice::Theme(theme)),
            Message::ZoomChosen(zoom) => return Action::Choose(Choice::Zoom(zoom)),
            Message::LockAfterChosen(after) => return Action::Choose(Choice::LockAfter(after)),
            Message::NotificationsChosen(how) => {
                return Action::Choose(Choice::Notifications(how));
            }
            Message::LockPressed => return Action::Lock,
            Message::SignOutPressed => return Action::SignOut,
            Message::RetryPressed => {
                if with.engine.send(Command::Retry).is_err() {
                    self.problem = Some(words::BUSY);
                }
            }
            Message::MeaningPressed => return Action::Meaning,
            Message::KeysPressed => return Action::Keys,
        }
        Action::None
    }

    fn escape(&mut self) -> Action {
        let is_free = self.is_free();
        if self.history.is_asking() {
            self.history.put_away();
        } else if self.deletion.is_open() && is_free {
            self.deletion.put_away();
        } else if self.password.is_open() && is_free {
            self.password.put_away();
        } else {
            return Action::Back;
        }
        Action::None
    }

    fn password(&mut self, message: password::Message, with: &With<'_>) -> Action {
        let known = known_to_others(with.user, with.link);
        let is_free = self.is_free();
        match self.password.update(message, known, is_free) {
            password::Action::None => Action::None,
            password::Action::Focus(field) => Action::Focus(field),
            password::Action::Measure(question) => Action::Measure(question),
            password::Action::Ask(command) => {
                self.ask(command, Doing::Password, with.engine);
                Action::None
            }
        }
    }

    fn sessions(&mut self, message: sessions::Message, engine: &Connection) {
        if !self.is_free() {
            return;
        }
        match message {
            sessions::Message::AskedAgain => self.list(engine),
            sessions::Message::EndPressed(id) => {
                self.sessions.end(Some(id));
                self.end_next(engine);
            }
            sessions::Message::EndOthersPressed => {
                self.sessions.end(None);
                self.end_next(engine);
            }
        }
    }

    fn list(&mut self, engine: &Connection) {
        if self.is_free() {
            self.ask(Command::Sessions, Doing::Listing, engine);
        }
    }

    fn end_next(&mut self, engine: &Connection) {
        if let Some(id) = self.sessions.next().cloned() {
            self.ask(Command::EndSession { id }, Doing::Ending, engine);
        }
    }

    fn ask(&mut self, command: Command, doing: Doing, engine: &Connection) {
        match engine.send(command) {
            Ok(()) => {
                (self.doing, self.problem) = (Some(doing), None);
            }
            Err(_) => self.problem = Some(words::BUSY),
        }
    }

    /// Shows the screen.
    pub fn view<'a>(&'a self, facts: Facts<'a>) -> Element<'a, Message> {
        responsive(move |Size { width, .. }| {
            let page = match self.section {
                Section::Account => self.account(&facts),
                Section::Privacy => self.privacy(&facts),
                Section::Appearance => pages::appearance(&facts),
                Section::Network => facts.network.view(facts.link, facts.now),
                Section::About => self.about(&facts),
            };
            let page = container(page).max_width(PAGE_WIDTH).padding(space::WIDE);
            let page = widget::scroll(container(page).width(Fill)).id(PAGE).height(Fill);
            let title = text(words::TITLE).size(size::TITLE).width(Fill);
            let back = widget::secondary("back", words::BACK, Some(Message::BackPressed));
            let head = row![title, back].spacing(space::SMALL).align_y(iced::Center);
            let head = container(head).padding([space::INNER, space::WIDE]).style(theme::panel);
            let below: Element<'_, Message> = if width < NARROW {
                let sections = Section::ALL.map(|section| self.tab(section, Shrink));
                let sections = container(widget::wrap(sections)).padding(space::SMALL).width(Fill);
                column![sections.style(theme::panel), widget::rule(), page].into()
            } else {
                let sections = Section::ALL.map(|section| self.tab(section, Fill));
                let sections = Column::with_children(sections);
                let sections = container(sections.spacing(space::TIGHT)).padding(space::SMALL);
                let sections = sections.width(SECTIONS_WIDTH).height(Fill).style(theme::panel);
                row![sections, page].into()
            };
            column![head.width(Fill), widget::rule(), below].into()
        })
        .into()
    }

    fn tab(&self, section: Section, width: Length) -> Element<'_, Message> {
        let id = match section {
            Section::Account => "section-account",
            Section::Privacy => "section-privacy",
            Section::Appearance => "section-appearance",
            Section::Network => "section-network",
            Section::About => "section-about",
        };
        let chosen = Message::SectionChosen(section);
        widget::tab(id, section.words(), self.section == section, width, chosen)
    }
}

/// What somebody who guesses a password tries first.
fn known_to_others(user: &str, link: &Link) -> Vec<String> {
    let labels = link.host.split('.').filter(|label| label.len() > 2);
    let known = [user, link.host.as_str(), crate::words::PROGRAM].into_iter().chain(labels);
    known.map(Into::into).collect()
}
