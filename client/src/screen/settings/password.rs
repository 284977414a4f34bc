//! The change of the password.

use client_link::api::{Command, PASSWORD_MAX};
use iced::Element;
use iced::widget::{column, row};

use crate::screen::secret::Typed;
use crate::screen::strength::{Gauge, Measured, Question};
use crate::theme::space;
use crate::widget;
use crate::words::settings::{KEEP, password as words};
use crate::words::{entry, register};

/// The form, shown once it is asked for.
#[derive(Default)]
pub(super) struct Password {
    is_open: bool,
    old: Typed,
    new: Typed,
    repeat: Typed,
    is_shown: bool,
    gauge: Gauge,
    /// The button was pressed before it was known how hard the new password is to guess.
    is_pressed: bool,
    complaint: Option<(Field, &'static str)>,
    /// What came of the last change: whether it is good, and what.
    result: Option<(bool, String)>,
}

/// The fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The password so far.
    Old,
    /// The new one.
    New,
    /// The new one again.
    Repeat,
}

/// What happened in the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The form is to be shown.
    Opened,
    /// It is to be put away.
    Dropped,
    /// A field has another text.
    FieldTyped(Field, Typed),
    /// What is typed is to be shown, or hidden again.
    ShownToggled(bool),
    /// It is known how hard a password is to guess.
    StrengthKnown(u64, Measured),
    /// The button, or Enter in a field, was pressed.
    Pressed,
}

/// What is to be done.
pub(super) enum Action {
    /// Nothing.
    None,
    /// Give a field the focus.
    Focus(&'static str),
    /// Answer a question away from the interface's thread.
    Measure(Question),
    /// Hand this to the engine.
    Ask(Command),
}

impl Field {
    fn id(self) -> &'static str {
        match self {
            Self::Old => "password-old",
            Self::New => "password-new",
            Self::Repeat => "password-repeat",
        }
    }
}

impl Password {
    /// Tells whether the form is shown.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Forgets what was typed, and puts the form away.
    pub(super) fn put_away(&mut self) {
        let result = self.result.take();
        *self = Self { result, ..Self::default() };
    }

    /// The password was changed.
    pub(super) fn changed(&mut self) {
        self.put_away();
        self.result = Some((true, words::CHANGED.into()));
    }

    /// It was not, and why.
    pub(super) fn failed(&mut self, why: String) {
        self.result = Some((false, why));
    }

    /// Takes in what happened; `known` is what others know, `is_free` whether the account can be changed now.
    pub(super) fn update(&mut self, message: Message, known: Vec<String>, is_free: bool) -> Action {
        match message {
            Message::Opened => {
                *self = Self { is_open: true, ..Self::default() };
                return Action::Focus(Field::Old.id());
            }
            Message::Dropped => self.put_away(),
            Message::FieldTyped(field, typed) => return self.typed(field, typed, known),
            Message::ShownToggled(is_shown) => self.is_shown = is_shown,
            Message::StrengthKnown(number, measured) => {
                if let Some(next) = self.gauge.answered(number, measured, &self.new, known) {
                    return Action::Measure(next);
                }
                if self.is_pressed {
                    return self.press(is_free);
                }
            }
            Message::Pressed => return self.press(is_free),
        }
        Action::None
    }

    fn typed(&mut self, field: Field, typed: Typed, known: Vec<String>) -> Action {
        self.complaint = None;
        self.is_pressed = false;
        if typed.expose().len() > PASSWORD_MAX {
            self.complaint = Some((field, entry::PASSWORD_TOO_LONG));
            return Action::None;
        }
        match field {
            Field::Old => self.old = typed,
            Field::Repeat => self.repeat = typed,
            Field::New => {
                self.new = typed;
                return self.gauge.changed(&self.new, known).map_or(Action::None, Action::Measure);
            }
        }
        Action::None
    }

    fn press(&mut self, is_free: bool) -> Action {
        self.is_pressed = false;
        if !self.is_open || !is_free {
            return Action::None;
        }
        if let Err((field, words)) = self.check() {
            self.complaint = Some((field, words));
            return Action::Focus(field.id());
        }
        if self.gauge.current().is_none() {
            self.is_pressed = true;
            return Action::None;
        }
        (self.complaint, self.result) = (None, None);
        let (old, new) = (self.old.to_bytes(), self.new.to_bytes());
        Action::Ask(Command::ChangePassword { old, new })
    }

    fn check(&self) -> Result<(), (Field, &'static str)> {
        if self.old.is_empty() {
            return Err((Field::Old, words::OLD_EMPTY));
        }
        if self.new.is_empty() {
            return Err((Field::New, register::PASSWORD_EMPTY));
        }
        if self.new == self.old {
            return Err((Field::New, words::SAME));
        }
        if self.gauge.current().is_some_and(|measured| !measured.strength.is_enough()) {
            return Err((Field::New, register::PASSWORD_WEAK));
        }
        if self.repeat != self.new {
            return Err((Field::Repeat, register::REPEAT_DIFFERS));
        }
        Ok(())
    }

    /// Shows the part; `is_doing` tells whether the password is being changed now.
    pub(super) fn view(&self, is_free: bool, is_doing: bool) -> Element<'_, Message> {
        let result = self.result.as_ref().map(|(is_good, words)| match is_good {
            true => widget::good(words.as_str()),
            false => widget::bad(words.as_str()),
        });
        let doing = is_doing.then(|| widget::words(words::CHANGING));
        let form = if self.is_open {
            self.form(is_free)
        } else {
            let open = is_free.then_some(Message::Opened);
            row![widget::secondary("password-open", words::CHANGE, open)].into()
        };
        let about = widget::hint(words::ABOUT);
        let part = column![widget::heading(words::TITLE), about, form].push(doing).push(result);
        part.spacing(space::SMALL).into()
    }

    fn form(&self, is_free: bool) -> Element<'_, Message> {
        let show = is_free.then_some(Message::ShownToggled);
        let show = widget::check("show", entry::SHOW, self.is_shown, show);
        let (bars, is_enough, advice) = match self.gauge.last() {
            Some(measured) => {
                (measured.strength.bars(), measured.strength.is_enough(), measured.words())
            }
            None => (0, false, register::ADVICE.into()),
        };
        let strength = column![widget::bars(bars, 4, is_enough), widget::hint(advice)];
        let change =
            widget::primary("password-change", words::CHANGE, is_free.then_some(Message::Pressed));
        let drop = widget::secondary("password-keep", KEEP, is_free.then_some(Message::Dropped));
        column![
            self.field(Field::Old, words::OLD, &self.old, is_free),
            self.field(Field::New, words::NEW, &self.new, is_free),
            strength.spacing(space::TIGHT),
            self.field(Field::Repeat, register::REPEAT, &self.repeat, is_free),
            show,
            widget::wrap([change, drop]),
        ]
        .spacing(space::SMALL)
        .into()
    }

    fn field<'a>(
        &'a self,
        field: Field,
        label: &'a str,
        value: &'a Typed,
        is_free: bool,
    ) -> Element<'a, Message> {
        let typed = move |text| Message::FieldTyped(field, Typed::new(text));
        let typed = is_free.then_some(typed);
        let label = widget::label(label);
        let (id, value, submitted) = (field.id(), value.expose(), Message::Pressed);
        let input = widget::password(id, label, value, self.is_shown, typed, submitted);
        let complaint = self.complaint.filter(|(about, _)| *about == field);
        column![input, widget::error(complaint.map(|(_, words)| words))]
            .spacing(space::TIGHT)
            .into()
    }
}
