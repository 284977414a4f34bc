//! The deletion of the account: asked twice, with its name and its password.

use client_link::api::{Command, PASSWORD_MAX};
use iced::Element;
use iced::widget::{column, row};

use crate::screen::attempt::is_taken_as_name;
use crate::screen::secret::Typed;
use crate::theme::space;
use crate::widget;
use crate::words::entry;
use crate::words::settings::{KEEP, deletion as words};

const NAME: &str = "delete-name";
const PASSWORD: &str = "delete-password";

/// How far it is.
#[derive(Default)]
pub(super) struct Deletion {
    stage: Stage,
    name: String,
    password: Typed,
    complaint: Option<(&'static str, &'static str)>,
    problem: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Closed,
    Form,
    Sure,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The form is to be shown.
    Opened,
    /// Nothing is to be deleted.
    Dropped,
    /// The name is another.
    NameTyped(String),
    /// The password is another.
    PasswordTyped(Typed),
    /// The form is filled in.
    NextPressed,
    /// It is really to be deleted.
    Confirmed,
}

/// What is to be done.
pub(super) enum Action {
    /// Nothing.
    None,
    /// Give a field the focus.
    Focus(&'static str),
    /// Hand this to the engine.
    Ask(Command),
}

impl Deletion {
    /// Tells whether the form is shown.
    pub(super) fn is_open(&self) -> bool {
        self.stage != Stage::Closed
    }

    /// Forgets what was typed, and puts the form away.
    pub(super) fn put_away(&mut self) {
        *self = Self::default();
    }

    /// It was not deleted, and why.
    pub(super) fn failed(&mut self, why: String) {
        self.stage = Stage::Form;
        self.problem = Some(why);
    }

    /// Takes in what happened; `user` is the account, `is_free` tells whether it can be changed now.
    pub(super) fn update(&mut self, message: Message, user: &str, is_free: bool) -> Action {
        match message {
            Message::Opened => {
                *self = Self { stage: Stage::Form, ..Self::default() };
                return Action::Focus(NAME);
            }
            Message::Dropped => self.put_away(),
            Message::NameTyped(name) => {
                self.complaint = None;
                if is_taken_as_name(&name) {
                    self.name = name;
                }
            }
            Message::PasswordTyped(typed) => {
                let fits = typed.expose().len() <= PASSWORD_MAX;
                self.complaint = (!fits).then_some((PASSWORD, entry::PASSWORD_TOO_LONG));
                if fits {
                    self.password = typed;
                }
            }
            Message::NextPressed => return self.next(user),
            Message::Confirmed if self.stage == Stage::Sure && is_free => {
                self.problem = None;
                return Action::Ask(Command::DeleteAccount { password: self.password.to_bytes() });
            }
            Message::Confirmed => (),
        }
        Action::None
    }

    fn next(&mut self, user: &str) -> Action {
        let wrong = if self.name.trim() != user {
            Some((NAME, words::NAME_DIFFERS))
        } else if self.password.is_empty() {
            Some((PASSWORD, words::PASSWORD_EMPTY))
        } else {
            None
        };
        self.complaint = wrong;
        match wrong {
            Some((field, _)) => Action::Focus(field),
            None => {
                self.stage = Stage::Sure;
                Action::None
            }
        }
    }

    /// Shows the part; `is_doing` tells whether the account is being deleted now.
    pub(super) fn view(&self, is_free: bool, is_doing: bool) -> Element<'_, Message> {
        let content = match self.stage {
            Stage::Closed => {
                let open = is_free.then_some(Message::Opened);
                row![widget::danger("delete-open", words::BEGIN, open)].into()
            }
            Stage::Form => self.form(is_free),
            Stage::Sure if is_doing => widget::words(words::DELETING),
            Stage::Sure => sure(is_free),
        };
        let about = widget::hint(words::ABOUT);
        let problem = widget::error(self.problem.as_deref());
        let part = column![widget::heading(words::TITLE), about, content].push(problem);
        part.spacing(space::SMALL).into()
    }

    fn form(&self, is_free: bool) -> Element<'_, Message> {
        let typed = is_free.then_some(Message::NameTyped);
        let name = widget::label(words::NAME);
        let name = widget::field(NAME, name, &self.name, typed, Message::NextPressed);
        let typed = is_free.then_some(|text| Message::PasswordTyped(Typed::new(text)));
        let password = widget::label(words::PASSWORD);
        let value = self.password.expose();
        let submitted = Message::NextPressed;
        let password = widget::password(PASSWORD, password, value, false, typed, submitted);
        let complaint = |field| {
            let words = self.complaint.filter(|(about, _)| *about == field);
            widget::error(words.map(|(_, words)| words))
        };
        let next =
            widget::danger("delete-next", words::NEXT, is_free.then_some(Message::NextPressed));
        let drop = widget::secondary("delete-keep", KEEP, Some(Message::Dropped));
        column![
            column![name, complaint(NAME)].spacing(space::TIGHT),
            column![password, complaint(PASSWORD)].spacing(space::TIGHT),
            widget::wrap([drop, next]),
        ]
        .spacing(space::SMALL)
        .into()
    }
}

/// The last question, with yes where the button before was not.
fn sure<'a>(is_free: bool) -> Element<'a, Message> {
    let yes = widget::danger("delete-yes", words::YES, is_free.then_some(Message::Confirmed));
    let no = widget::primary("delete-no", KEEP, Some(Message::Dropped));
    column![widget::warning(words::SURE), widget::ends(no, yes)].spacing(space::SMALL).into()
}
