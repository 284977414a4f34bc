//! The screens before and after the main screen, and what leads from one to the next.

use std::path::Path;

use iced::Task;
use iced::widget::operation;
use wire::ids::Name;
use wire::link::Link;

use super::{App, Message, Screen};
use crate::link_file;
use crate::screen::connect::{self, Connect};
use crate::screen::register::{self, Register};
use crate::screen::sign_in::{self, SignIn};
use crate::screen::stopped::{self, Again, Stopped};

impl App {
    pub(super) fn connect(&mut self, message: connect::Message) -> Task<Message> {
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

    pub(super) fn register(&mut self, message: register::Message) -> Task<Message> {
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

    pub(super) fn sign_in(&mut self, message: sign_in::Message) -> Task<Message> {
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

    /// Takes the link in a file that was dropped, where a link is asked for.
    pub(super) fn dropped(&mut self, file: &Path) -> Task<Message> {
        if self.sheet.is_some() || !matches!(self.screen, Screen::Connect(_)) {
            return Task::none();
        }
        self.connect(connect::Message::FileRead(link_file::read(file)))
    }

    pub(super) fn stopped(&mut self, message: stopped::Message) -> Task<Message> {
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

    pub(super) fn show_connect(&mut self) -> Task<Message> {
        let link = self.link.as_ref().map(Link::to_string);
        self.show(Screen::Connect(Connect::new(link.unwrap_or_default(), None)))
    }

    pub(super) fn show_sign_in(&mut self, user: String, note: Option<String>) -> Task<Message> {
        let Some(link) = self.link.clone() else { return self.show_connect() };
        let remember = self.remembered.user.is_some();
        self.show(Screen::SignIn(SignIn::new(link, user, remember, note)))
    }

    pub(super) fn show_register(&mut self, user: String) -> Task<Message> {
        let Some(link) = self.link.clone() else { return self.show_connect() };
        self.show(Screen::Register(Register::new(link, user)))
    }

    pub(super) fn show_stopped(
        &mut self,
        title: &str,
        text: String,
        again: Again,
        user: Name,
    ) -> Task<Message> {
        self.show(Screen::Stopped(Stopped::new(title, text, again), user))
    }
}
