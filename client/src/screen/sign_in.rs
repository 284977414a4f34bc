//! The screen that signs in.

use client_link::api::{Event, PASSWORD_MAX};
use iced::Element;
use iced::widget::column;
use wire::ids::{Name, NameError};
use wire::link::Link;

use super::attempt::{Attempt, is_taken_as_name, read_name};
use super::progress::Progress;
use super::secret::Typed;
use crate::theme::space;
use crate::widget;
use crate::words::{entry, sign_in as words};

/// What is on the screen.
pub struct SignIn {
    link: Link,
    user: String,
    password: Typed,
    is_shown: bool,
    remember: bool,
    note: Option<String>,
    complaint: Option<(Field, &'static str)>,
    progress: Progress,
}

/// The fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Password,
}

/// What happened on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The name is another.
    NameTyped(String),
    /// The password is another.
    PasswordTyped(Typed),
    /// The password is to be shown, or hidden again.
    ShownToggled(bool),
    /// The name is to be remembered, or not.
    RememberToggled(bool),
    /// The button, or Enter in a field, was pressed.
    Pressed,
    /// The attempt is to end.
    CancelPressed,
    /// An account is to be made instead.
    OtherPressed,
    /// Another link is to be used.
    BackPressed,
}

/// What the app is to do.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    None,
    /// Give a field the focus.
    Focus(&'static str),
    /// Start the engine; the screen is busy until it hears [`Event::Ended`].
    Start(Attempt),
    /// Tell the engine to quit.
    Cancel,
    /// Show the form that makes an account.
    Register {
        /// What stands in the field of the name.
        user: String,
    },
    /// Show the first screen.
    Back,
}

impl Field {
    fn id(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Password => "password",
        }
    }
}

impl SignIn {
    /// Begins with a name in the field, and with a note that says why one is here.
    pub fn new(link: Link, user: String, remember: bool, note: Option<String>) -> Self {
        let user = if is_taken_as_name(&user) { user } else { String::new() };
        Self {
            link,
            user,
            password: Typed::default(),
            is_shown: false,
            remember,
            note,
            complaint: None,
            progress: Progress::default(),
        }
    }

    /// Returns the field that wants the focus: the first that has nothing to go on with.
    pub fn focus(&self) -> &'static str {
        if read_name(&self.user).is_err() { Field::Name.id() } else { Field::Password.id() }
    }

    /// Returns what is meant by a text that was typed while no field had the focus, and `field` is to get it.
    pub fn typed_beside(&self, field: &str, text: &str) -> Message {
        if field == Field::Name.id() {
            Message::NameTyped(format!("{}{text}", self.user))
        } else {
            Message::PasswordTyped(self.password.with(text))
        }
    }

    /// Tells whether an attempt goes on.
    pub fn is_busy(&self) -> bool {
        self.progress.is_busy()
    }

    /// Takes in what the engine tells.
    pub fn hear(&mut self, event: &Event) {
        self.progress.hear(event);
    }

    /// Takes in what happened.
    pub fn update(&mut self, message: Message) -> Action {
        if self.is_busy() && !matches!(message, Message::CancelPressed) {
            return Action::None;
        }
        match message {
            Message::CancelPressed if self.progress.cancel() => return Action::Cancel,
            Message::NameTyped(text) => self.name_typed(text),
            Message::PasswordTyped(typed) => self.password_typed(typed),
            Message::ShownToggled(is_shown) => self.is_shown = is_shown,
            Message::RememberToggled(remember) => self.remember = remember,
            Message::Pressed => return self.press(),
            Message::CancelPressed => (),
            Message::OtherPressed => return Action::Register { user: self.user.clone() },
            Message::BackPressed => return Action::Back,
        }
        Action::None
    }

    fn name_typed(&mut self, text: String) {
        self.complaint = None;
        if is_taken_as_name(&text) {
            self.user = text;
        } else {
            self.complaint = Some((Field::Name, entry::name(NameError::Length)));
        }
    }

    fn password_typed(&mut self, typed: Typed) {
        self.complaint = None;
        if typed.expose().len() <= PASSWORD_MAX {
            self.password = typed;
        } else {
            self.complaint = Some((Field::Password, entry::PASSWORD_TOO_LONG));
        }
    }

    fn press(&mut self) -> Action {
        match self.check() {
            Ok(user) => {
                self.complaint = None;
                self.note = None;
                self.progress.begin();
                let password = self.password.to_password();
                Action::Start(Attempt { user, password, invite: None, remember: self.remember })
            }
            Err((field, words)) => {
                self.complaint = Some((field, words));
                Action::Focus(field.id())
            }
        }
    }

    fn check(&self) -> Result<Name, (Field, &'static str)> {
        let user = read_name(&self.user).map_err(|words| (Field::Name, words))?;
        if self.password.is_empty() {
            return Err((Field::Password, words::PASSWORD_EMPTY));
        }
        Ok(user)
    }

    /// Shows the screen.
    pub fn view(&self) -> Element<'_, Message> {
        let note = self.note.as_deref().map(widget::warning);
        let server = widget::hint(entry::server(&self.link.host));
        let is_free = !self.is_busy();
        // behind the field, so that Tab leads from the name to the password
        let show = widget::check(
            "show",
            entry::SHOW,
            self.is_shown,
            is_free.then_some(Message::ShownToggled),
        );
        let remember = widget::check(
            "remember",
            entry::REMEMBER,
            self.remember,
            is_free.then_some(Message::RememberToggled),
        );
        widget::form(
            words::TITLE,
            Some(server),
            [
                note.into(),
                self.name(),
                self.password(),
                column![show, remember].spacing(space::SMALL).into(),
                column![self.progress.view(), self.buttons()].spacing(space::INNER).into(),
            ],
        )
    }

    fn name(&self) -> Element<'_, Message> {
        let typed = (!self.is_busy()).then_some(Message::NameTyped);
        let label = widget::label(entry::NAME);
        let field = widget::field(Field::Name.id(), label, &self.user, typed, Message::Pressed);
        column![field, widget::error(self.complaint_of(Field::Name))].spacing(space::TIGHT).into()
    }

    fn password(&self) -> Element<'_, Message> {
        let is_free = !self.is_busy();
        let label = widget::label(entry::PASSWORD);
        let typed = is_free.then_some(|text| Message::PasswordTyped(Typed::new(text)));
        let (id, value) = (Field::Password.id(), self.password.expose());
        let field = widget::password(id, label, value, self.is_shown, typed, Message::Pressed);
        let is_capitals = !self.is_shown && self.password.is_capitals();
        let capitals = is_capitals.then(|| widget::hint(entry::CAPITALS));
        let complaint = widget::error(self.complaint_of(Field::Password));
        column![field, capitals, complaint].spacing(space::TIGHT).into()
    }

    fn buttons(&self) -> Element<'_, Message> {
        let is_free = !self.is_busy();
        let press = widget::primary("sign-in", words::SIGN_IN, is_free.then_some(Message::Pressed));
        if !is_free {
            // far from the button that started it, so that a double click does not cancel
            let cancel = self.progress.can_cancel().then_some(Message::CancelPressed);
            return widget::ends(press, widget::secondary("cancel", entry::CANCEL, cancel));
        }
        let other = widget::secondary("to-register", words::REGISTER, Some(Message::OtherPressed));
        let back = widget::quiet("back", entry::BACK, Some(Message::BackPressed));
        widget::wrap([press, other, back])
    }

    fn complaint_of(&self, field: Field) -> Option<&'static str> {
        self.complaint.filter(|(about, _)| *about == field).map(|(_, words)| words)
    }
}

#[cfg(test)]
mod tests {
    use client_link::api::{About, ErrorCode, Step};
    use iced::widget::selector::id;
    use iced_test::core::keyboard::key::Named;
    use iced_test::simulator::Simulator;
    use insta::assert_snapshot;
    use wire::link::Pin;

    use super::*;
    use crate::screen::drive::{messages, texts};
    use crate::words::failure;

    fn screen(user: &str) -> SignIn {
        let link = Link { host: "chat.example.org".into(), port: 4433, pin: Pin([7; 32]) };
        SignIn::new(link, user.into(), false, None)
    }

    /// Does something with the screen's picture and returns what the app is told at last.
    fn act(screen: &mut SignIn, deed: impl FnOnce(&mut Simulator<'_, Message>)) -> Vec<Action> {
        let messages = messages(screen.view(), deed);
        let actions = messages.into_iter().map(|message| screen.update(message));
        actions.filter(|action| !matches!(action, Action::None)).collect()
    }

    fn click(screen: &mut SignIn, name: &'static str) -> Vec<Action> {
        act(screen, |picture| {
            picture.click(id(name)).unwrap();
        })
    }

    fn type_into(screen: &mut SignIn, name: &'static str, text: &str) {
        let actions = act(screen, |picture| {
            picture.click(id(name)).unwrap();
            picture.typewrite(text);
        });
        assert!(actions.is_empty(), "{actions:?}");
    }

    fn ready() -> SignIn {
        let mut screen = screen("ann");
        type_into(&mut screen, "password", "hunter2");
        screen
    }

    fn wrong() -> Event {
        let (code, text) = (ErrorCode::WrongCredentials, "wrong".into());
        Event::Error { code, text, about: About::default() }
    }

    fn shows(screen: &SignIn, words: &str) -> bool {
        texts(screen.view()).iter().any(|text| text == words)
    }

    #[test]
    fn the_first_picture_names_the_server() {
        assert_snapshot!(texts(screen("").view()).join("\n"));
    }

    #[test]
    fn a_busy_picture_says_the_step() {
        let mut screen = ready();
        screen.update(Message::Pressed);
        screen.hear(&Event::Progress(Step::SigningIn));
        assert_snapshot!(texts(screen.view()).join("\n"));
    }

    #[test]
    fn name_and_password_are_typed_and_enter_starts_one_attempt() {
        let mut screen = screen("");
        type_into(&mut screen, "name", "Ann");
        type_into(&mut screen, "password", "hunter2");
        click(&mut screen, "remember");
        let actions = act(&mut screen, |picture| {
            picture.click(id("password")).unwrap();
            picture.tap_key(Named::Enter);
            picture.tap_key(Named::Enter);
        });
        let [Action::Start(attempt)] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((attempt.user.as_str(), attempt.password.expose()), ("ann", &b"hunter2"[..]));
        assert!(attempt.remember && screen.is_busy());
    }

    #[test]
    fn a_double_click_starts_one_attempt_and_does_not_cancel_it() {
        let mut screen = ready();
        let first = click(&mut screen, "sign-in");
        assert!(matches!(first[..], [Action::Start(_)]), "{first:?}");
        assert!(click(&mut screen, "sign-in").is_empty());
        assert!(screen.progress.can_cancel());
    }

    #[test]
    fn enter_in_a_field_says_what_is_missing_and_goes_there() {
        let mut screen = screen("");
        for (name, missing, words) in
            [("password", "name", entry::NAME_EMPTY), ("name", "password", words::PASSWORD_EMPTY)]
        {
            assert_eq!(screen.focus(), missing);
            let actions = act(&mut screen, |picture| {
                picture.click(id(name)).unwrap();
                picture.tap_key(Named::Enter);
            });
            assert!(matches!(actions[..], [Action::Focus(it)] if it == missing), "{actions:?}");
            assert!(shows(&screen, words) && !screen.is_busy());
            type_into(&mut screen, missing, "a");
            assert!(!shows(&screen, words), "it is gone when it is mended");
        }
    }

    #[test]
    fn after_a_wrong_password_everything_is_still_there() {
        let mut screen = ready();
        screen.update(Message::Pressed);
        screen.hear(&wrong());
        assert!(screen.is_busy(), "the engine has not ended");
        screen.hear(&Event::Ended { ok: false });
        assert!(shows(&screen, &failure::words(ErrorCode::WrongCredentials, "")));
        assert_eq!((&*screen.user, screen.password.expose()), ("ann", "hunter2"));
        assert_eq!(screen.focus(), "password");
        let again = click(&mut screen, "sign-in");
        assert!(matches!(again[..], [Action::Start(_)]), "{again:?}");
        assert!(!shows(&screen, &failure::words(ErrorCode::WrongCredentials, "")));
    }

    #[test]
    fn while_busy_only_cancel_does_anything_and_only_once() {
        let mut screen = ready();
        screen.update(Message::Pressed);
        for message in [
            Message::NameTyped("bob".into()),
            Message::PasswordTyped(Typed::default()),
            Message::ShownToggled(true),
            Message::RememberToggled(true),
            Message::Pressed,
            Message::OtherPressed,
            Message::BackPressed,
        ] {
            assert!(matches!(screen.update(message), Action::None));
        }
        assert_eq!((&*screen.user, screen.password.expose()), ("ann", "hunter2"));
        assert!(!screen.is_shown && !screen.remember);
        assert!(matches!(click(&mut screen, "cancel")[..], [Action::Cancel]));
        assert!(click(&mut screen, "cancel").is_empty());
        assert!(screen.is_busy(), "until the engine has ended");
        screen.hear(&Event::Ended { ok: true });
        assert!(!screen.is_busy());
        assert!(matches!(screen.update(Message::CancelPressed), Action::None));
    }

    #[test]
    fn the_other_buttons_lead_away_with_the_name() {
        let mut screen = ready();
        let [Action::Register { user }] = &click(&mut screen, "to-register")[..] else { panic!() };
        assert_eq!(user, "ann");
        assert!(matches!(click(&mut screen, "back")[..], [Action::Back]));
    }

    #[test]
    fn the_password_is_hidden_until_it_is_to_be_shown() {
        let mut screen = ready();
        let field = |screen: &SignIn| texts(screen.view()).contains(&"[hunter2]".to_owned());
        assert!(!field(&screen));
        click(&mut screen, "show");
        assert!(field(&screen));
        click(&mut screen, "show");
        assert!(!field(&screen));
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_old_text_stays() {
        let mut screen = ready();
        screen.update(Message::PasswordTyped(Typed::new("a".repeat(PASSWORD_MAX + 1))));
        assert!(shows(&screen, entry::PASSWORD_TOO_LONG));
        screen.update(Message::NameTyped("a".repeat(10_000_000)));
        assert!(shows(&screen, entry::name(NameError::Length)));
        assert_eq!((&*screen.user, screen.password.expose()), ("ann", "hunter2"));
        screen.update(Message::PasswordTyped(Typed::new("a".repeat(PASSWORD_MAX))));
        assert!(matches!(screen.update(Message::Pressed), Action::Start(_)));
    }

    #[test]
    fn a_name_that_is_none_starts_nothing() {
        for bad in ["a b", "1", "\u{202e}nna", "\0", "änn", "a@b", &"a".repeat(33)] {
            let mut screen = screen(bad);
            screen.update(Message::PasswordTyped(Typed::new("hunter2".into())));
            let action = screen.update(Message::Pressed);
            assert!(matches!(action, Action::Focus("name")), "{bad:?}: {action:?}");
        }
        assert_eq!(screen(&"a".repeat(10_000)).user, "");
    }

    #[test]
    fn a_note_says_why_one_is_here_until_the_next_attempt() {
        let mut screen = ready();
        screen.note = Some("You signed out.".into());
        assert!(shows(&screen, "You signed out."));
        screen.update(Message::Pressed);
        assert!(!shows(&screen, "You signed out."));
    }

    #[test]
    fn debug_shows_no_password() {
        let message = Message::PasswordTyped(Typed::new("hunter2".into()));
        assert_eq!(format!("{message:?}"), "PasswordTyped(Typed(…))");
    }
}
