//! The screen that makes an account.

use client_link::api::{ErrorCode, Event, Invite, PASSWORD_MAX};
use iced::Element;
use iced::widget::column;
use wire::account::InviteError;
use wire::ids::{Name, NameError};
use wire::link::Link;

use super::attempt::{Attempt, is_taken_as_name, read_name};
use super::progress::Progress;
use super::secret::Typed;
use super::strength::{Gauge, Measured, Question};
use crate::theme::space;
use crate::widget;
use crate::words::{entry, register as words};

/// Longest text that is taken as an invitation code, in bytes: a code has 19 characters with its dashes.
const INVITE_TYPED_MAX: usize = 64;

/// What is on the screen.
pub struct Register {
    link: Link,
    user: String,
    password: Typed,
    repeat: Typed,
    /// The invitation code, once the server asked for one.
    invite: Option<Typed>,
    is_shown: bool,
    remember: bool,
    gauge: Gauge,
    /// The button was pressed before it was known how hard the password is to guess.
    is_pressed: bool,
    complaint: Option<(Field, &'static str)>,
    progress: Progress,
}

/// The fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Password,
    Repeat,
    Invite,
}

/// What happened on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The name is another.
    NameTyped(String),
    /// The password is another.
    PasswordTyped(Typed),
    /// The repeated password is another.
    RepeatTyped(Typed),
    /// The invitation code is another.
    InviteTyped(Typed),
    /// It is known how hard a password is to guess.
    StrengthKnown(u64, Measured),
    /// The password is to be shown, or hidden again.
    ShownToggled(bool),
    /// The name is to be remembered, or not.
    RememberToggled(bool),
    /// The button, or Enter in a field, was pressed.
    Pressed,
    /// The attempt is to end.
    CancelPressed,
    /// There is an account already.
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
    /// Answer a question away from the interface's thread, by [`measure`].
    Measure(Question),
    /// Start the engine; the screen is busy until it hears [`Event::Ended`].
    Start(Attempt),
    /// Tell the engine to quit.
    Cancel,
    /// Show the form that signs in.
    SignIn {
        /// What stands in the field of the name.
        user: String,
    },
    /// Show the first screen.
    Back,
}

/// Answers a question of the screen; takes up to half a second of computing.
pub async fn measure(question: Question) -> Message {
    Message::StrengthKnown(question.number, question.answer())
}

impl Field {
    fn id(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Password => "password",
            Self::Repeat => "repeat",
            Self::Invite => "invite",
        }
    }
}

impl Register {
    /// Begins with a name in the field.
    pub fn new(link: Link, user: String) -> Self {
        let user = if is_taken_as_name(&user) { user } else { String::new() };
        Self {
            link,
            user,
            password: Typed::default(),
            repeat: Typed::default(),
            invite: None,
            is_shown: false,
            remember: false,
            gauge: Gauge::default(),
            is_pressed: false,
            complaint: None,
            progress: Progress::default(),
        }
    }

    /// Returns the field that wants the focus: the first that has nothing to go on with.
    pub fn focus(&self) -> &'static str {
        self.check().err().map_or(Field::Password, |(field, _)| field).id()
    }

    /// Returns what is meant by a text that was typed while no field had the focus, and `field` is to get it.
    pub fn typed_beside(&self, field: &str, text: &str) -> Message {
        if field == Field::Name.id() {
            Message::NameTyped(format!("{}{text}", self.user))
        } else if field == Field::Password.id() {
            Message::PasswordTyped(self.password.with(text))
        } else if let Some(invite) = self.invite.as_ref().filter(|_| field == Field::Invite.id()) {
            Message::InviteTyped(invite.with(text))
        } else {
            Message::RepeatTyped(self.repeat.with(text))
        }
    }

    /// Tells whether an attempt goes on.
    pub fn is_busy(&self) -> bool {
        self.progress.is_busy()
    }

    /// Takes in what the engine tells.
    pub fn hear(&mut self, event: &Event) {
        self.progress.hear(event);
        let wanted = [ErrorCode::InviteNeeded, ErrorCode::InviteInvalid];
        if matches!(event, Event::Error { code, .. } if wanted.contains(code)) {
            self.invite.get_or_insert_default();
        }
    }

    /// Takes in what happened.
    pub fn update(&mut self, message: Message) -> Action {
        let always = matches!(message, Message::CancelPressed | Message::StrengthKnown(..));
        if self.is_busy() && !always {
            return Action::None;
        }
        match message {
            Message::CancelPressed if self.progress.cancel() => return Action::Cancel,
            Message::StrengthKnown(number, measured) => return self.known(number, measured),
            Message::NameTyped(text) => return self.name_typed(text),
            Message::PasswordTyped(typed) => return self.password_typed(typed),
            Message::RepeatTyped(typed) => self.repeat_typed(typed),
            Message::InviteTyped(typed) => self.invite_typed(typed),
            Message::ShownToggled(is_shown) => self.is_shown = is_shown,
            Message::RememberToggled(remember) => self.remember = remember,
            Message::Pressed => return self.press(),
            Message::CancelPressed => (),
            Message::OtherPressed => return Action::SignIn { user: self.user.clone() },
            Message::BackPressed => return Action::Back,
        }
        Action::None
    }

    fn name_typed(&mut self, text: String) -> Action {
        self.typed();
        if !is_taken_as_name(&text) {
            self.complaint = Some((Field::Name, entry::name(NameError::Length)));
            return Action::None;
        }
        self.user = text;
        self.measure()
    }

    fn password_typed(&mut self, typed: Typed) -> Action {
        self.typed();
        if typed.expose().len() > PASSWORD_MAX {
            self.complaint = Some((Field::Password, entry::PASSWORD_TOO_LONG));
            return Action::None;
        }
        self.password = typed;
        self.measure()
    }

    fn repeat_typed(&mut self, typed: Typed) {
        self.typed();
        if typed.expose().len() > PASSWORD_MAX {
            self.complaint = Some((Field::Repeat, entry::PASSWORD_TOO_LONG));
        } else {
            self.repeat = typed;
        }
    }

    fn invite_typed(&mut self, typed: Typed) {
        self.typed();
        if typed.expose().len() > INVITE_TYPED_MAX {
            self.complaint = Some((Field::Invite, words::invite(InviteError::Length)));
        } else if let Some(invite) = &mut self.invite {
            *invite = typed;
        }
    }

    fn typed(&mut self) {
        self.complaint = None;
        self.is_pressed = false;
    }

    fn measure(&mut self) -> Action {
        let known = self.known_to_others();
        self.gauge.changed(&self.password, known).map_or(Action::None, Action::Measure)
    }

    fn known(&mut self, number: u64, measured: Measured) -> Action {
        let known = self.known_to_others();
        if let Some(next) = self.gauge.answered(number, measured, &self.password, known) {
            return Action::Measure(next);
        }
        if self.is_pressed && !self.is_busy() { self.press() } else { Action::None }
    }

    /// What somebody who guesses the password tries first.
    fn known_to_others(&self) -> Vec<String> {
        let host = &self.link.host;
        let labels = host.split('.').filter(|label| label.len() > 2);
        [self.user.trim(), host, crate::words::PROGRAM]
            .into_iter()
            .chain(labels)
            .map(Into::into)
            .collect()
    }

    fn press(&mut self) -> Action {
        self.is_pressed = false;
        let (user, invite) = match self.check() {
            Ok(filled_in) => filled_in,
            Err((field, words)) => {
                self.complaint = Some((field, words));
                return Action::Focus(field.id());
            }
        };
        if self.gauge.current().is_none() {
            self.is_pressed = true;
            return Action::None;
        }
        self.complaint = None;
        self.progress.begin();
        let password = self.password.to_password();
        Action::Start(Attempt { user, password, invite, remember: self.remember })
    }

    fn check(&self) -> Result<(Name, Option<Invite>), (Field, &'static str)> {
        let user = read_name(&self.user).map_err(|words| (Field::Name, words))?;
        if self.password.is_empty() {
            return Err((Field::Password, words::PASSWORD_EMPTY));
        }
        if self.gauge.current().is_some_and(|measured| !measured.strength.is_enough()) {
            return Err((Field::Password, words::PASSWORD_WEAK));
        }
        if self.repeat.is_empty() {
            return Err((Field::Repeat, words::REPEAT_EMPTY));
        }
        if self.repeat != self.password {
            return Err((Field::Repeat, words::REPEAT_DIFFERS));
        }
        Ok((user, self.read_invite().map_err(|words| (Field::Invite, words))?))
    }

    fn read_invite(&self) -> Result<Option<Invite>, &'static str> {
        let Some(typed) = &self.invite else { return Ok(None) };
        match typed.expose().trim() {
            "" => Err(words::INVITE_EMPTY),
            code => code.parse().map(Some).map_err(words::invite),
        }
    }

    /// Shows the screen.
    pub fn view(&self) -> Element<'_, Message> {
        let is_free = !self.is_busy();
        // behind the fields, so that Tab leads from one to the next
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
            Some(widget::hint(entry::server(&self.link.host))),
            [self.name(), self.password(), self.repeat()]
                .into_iter()
                .chain(self.invite.as_ref().map(|it| self.invite(it)))
                .chain([
                    show,
                    widget::warning(words::NO_RESET),
                    remember,
                    column![self.progress.view(), self.buttons()].spacing(space::INNER).into(),
                ]),
        )
    }

    fn name(&self) -> Element<'_, Message> {
        let typed = (!self.is_busy()).then_some(Message::NameTyped);
        let label = widget::label(entry::NAME);
        let field = widget::field(Field::Name.id(), label, &self.user, typed, Message::Pressed);
        let is_empty = self.user.trim().is_empty();
        let live = read_name(&self.user).err().filter(|_| !is_empty);
        let problem = widget::error(self.complaint_of(Field::Name).or(live));
        let below = problem.unwrap_or_else(|| widget::hint(words::NAME_RULES));
        column![field, below].spacing(space::TIGHT).into()
    }

    fn password(&self) -> Element<'_, Message> {
        let is_free = !self.is_busy();
        let label = widget::label(entry::PASSWORD);
        let typed = is_free.then_some(|text| Message::PasswordTyped(Typed::new(text)));
        let (id, value) = (Field::Password.id(), self.password.expose());
        let field = widget::password(id, label, value, self.is_shown, typed, Message::Pressed);
        let (bars, is_enough, advice) = match self.gauge.last() {
            Some(measured) => {
                (measured.strength.bars(), measured.strength.is_enough(), measured.words())
            }
            None => (0, false, words::ADVICE.into()),
        };
        let is_capitals = !self.is_shown && self.password.is_capitals();
        let capitals = is_capitals.then(|| widget::hint(entry::CAPITALS));
        let complaint = widget::error(self.complaint_of(Field::Password));
        let bars = widget::bars(bars, 4, is_enough);
        column![field, bars, widget::hint(advice), capitals, complaint].spacing(space::TIGHT).into()
    }

    fn repeat(&self) -> Element<'_, Message> {
        let typed = (!self.is_busy()).then_some(|text| Message::RepeatTyped(Typed::new(text)));
        let (id, value) = (Field::Repeat.id(), self.repeat.expose());
        let is_same = !self.repeat.is_empty() && self.repeat == self.password;
        let same = is_same.then(|| widget::hint(words::REPEAT_SAME));
        let label = widget::ends(widget::label(words::REPEAT), same);
        let field = widget::password(id, label, value, self.is_shown, typed, Message::Pressed);
        let complaint = widget::error(self.complaint_of(Field::Repeat));
        column![field, complaint].spacing(space::TIGHT).into()
    }

    fn invite<'a>(&'a self, invite: &'a Typed) -> Element<'a, Message> {
        let typed = (!self.is_busy()).then_some(|text| Message::InviteTyped(Typed::new(text)));
        let label = widget::label(words::INVITE);
        let (id, value) = (Field::Invite.id(), invite.expose());
        let field = widget::field(id, label, value, typed, Message::Pressed);
        let problem = widget::error(self.complaint_of(Field::Invite));
        let below = problem.unwrap_or_else(|| widget::hint(words::INVITE_SHAPE));
        column![field, below].spacing(space::TIGHT).into()
    }

    fn buttons(&self) -> Element<'_, Message> {
        let is_free = !self.is_busy();
        let press =
            widget::primary("register", words::REGISTER, is_free.then_some(Message::Pressed));
        if !is_free {
            // far from the button that started it, so that a double click does not cancel
            let cancel = self.progress.can_cancel().then_some(Message::CancelPressed);
            return widget::ends(press, widget::secondary("cancel", entry::CANCEL, cancel));
        }
        let other = widget::secondary("to-sign-in", words::SIGN_IN, Some(Message::OtherPressed));
        let back = widget::quiet("back", entry::BACK, Some(Message::BackPressed));
        widget::wrap([press, other, back])
    }

    fn complaint_of(&self, field: Field) -> Option<&'static str> {
        self.complaint.filter(|(about, _)| *about == field).map(|(_, words)| words)
    }
}

#[cfg(test)]
mod tests {
    use client_link::api::{About, Step};
    use iced::widget::selector::id;
    use iced_test::core::keyboard::key::Named;
    use iced_test::simulator::Simulator;
    use insta::assert_snapshot;
    use wire::link::Pin;

    use super::*;
    use crate::screen::drive::{messages, texts};
    use crate::screen::strength::Strength;
    use crate::words::failure;

    const GOOD: &str = "violin harbour 7 cactus";

    fn screen() -> Register {
        let link = Link { host: "chat.example.org".into(), port: 4433, pin: Pin([7; 32]) };
        Register::new(link, String::new())
    }

    /// Does what the app does: answers questions, and returns everything else.
    fn tell(screen: &mut Register, message: Message) -> Action {
        let mut action = screen.update(message);
        while let Action::Measure(question) = action {
            let measured = question.answer();
            action = screen.update(Message::StrengthKnown(question.number, measured));
        }
        action
    }

    fn act(screen: &mut Register, deed: impl FnOnce(&mut Simulator<'_, Message>)) -> Vec<Action> {
        let messages = messages(screen.view(), deed);
        let actions = messages.into_iter().map(|message| tell(screen, message));
        actions.filter(|action| !matches!(action, Action::None)).collect()
    }

    fn click(screen: &mut Register, name: &'static str) -> Vec<Action> {
        act(screen, |picture| {
            picture.click(id(name)).unwrap();
        })
    }

    fn type_into(screen: &mut Register, name: &'static str, text: &str) {
        let actions = act(screen, |picture| {
            picture.click(id(name)).unwrap();
            picture.typewrite(text);
        });
        assert!(actions.is_empty(), "{actions:?}");
    }

    fn ready() -> Register {
        let mut screen = screen();
        tell(&mut screen, Message::NameTyped("ann".into()));
        tell(&mut screen, Message::PasswordTyped(Typed::new(GOOD.into())));
        tell(&mut screen, Message::RepeatTyped(Typed::new(GOOD.into())));
        screen
    }

    fn shows(screen: &Register, words: &str) -> bool {
        texts(screen.view()).iter().any(|text| text == words)
    }

    #[test]
    fn the_first_picture_says_that_there_is_no_reset() {
        assert_snapshot!(texts(screen().view()).join("\n"));
    }

    #[test]
    fn a_busy_picture_says_the_step() {
        let mut screen = ready();
        screen.update(Message::Pressed);
        screen.hear(&Event::Progress(Step::Registering));
        assert_snapshot!(texts(screen.view()).join("\n"));
    }

    #[test]
    fn everything_is_typed_and_the_button_starts_one_attempt() {
        let mut screen = screen();
        type_into(&mut screen, "name", "Ann");
        type_into(&mut screen, "password", GOOD);
        type_into(&mut screen, "repeat", GOOD);
        let actions = click(&mut screen, "register");
        let [Action::Start(attempt)] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((attempt.user.as_str(), attempt.password.expose()), ("ann", GOOD.as_bytes()));
        assert!(!attempt.remember && screen.is_busy());
        assert!(
            click(&mut screen, "register").is_empty(),
            "a double click neither starts nor cancels"
        );
        assert!(screen.progress.can_cancel());
    }

    #[test]
    fn enter_in_any_field_starts_or_says_what_is_missing_and_goes_there() {
        for field in ["name", "password", "repeat"] {
            let mut screen = screen();
            for (missing, text, words) in [
                ("name", "ann", entry::NAME_EMPTY),
                ("password", GOOD, words::PASSWORD_EMPTY),
                ("repeat", "violin", words::REPEAT_EMPTY),
                ("repeat", " harbour 7 cactus", words::REPEAT_DIFFERS),
            ] {
                assert_eq!(screen.focus(), missing);
                let actions = act(&mut screen, |picture| {
                    picture.click(id(field)).unwrap();
                    picture.tap_key(Named::Enter);
                });
                assert!(matches!(actions[..], [Action::Focus(it)] if it == missing), "{actions:?}");
                assert!(shows(&screen, words) && !screen.is_busy(), "{words}");
                type_into(&mut screen, missing, text);
                assert!(!shows(&screen, words), "it is gone when it is mended");
            }
            let actions = act(&mut screen, |picture| {
                picture.click(id(field)).unwrap();
                picture.tap_key(Named::Enter);
            });
            assert!(matches!(actions[..], [Action::Start(_)]), "{actions:?}");
        }
    }

    #[test]
    fn a_weak_password_is_shown_as_weak_and_starts_nothing() {
        let mut screen = ready();
        for message in [Message::PasswordTyped, Message::RepeatTyped] {
            tell(&mut screen, message(Typed::new("password".into())));
        }
        assert!(shows(
            &screen,
            "Weak. This is a top-10 common password. Add another word or two. Uncommon words are better."
        ));
        let action = tell(&mut screen, Message::Pressed);
        assert!(matches!(action, Action::Focus("password")), "{action:?}");
        assert!(shows(&screen, words::PASSWORD_WEAK) && !screen.is_busy());
    }

    #[test]
    fn the_name_as_a_password_is_weak() {
        let name = "annelise.kowalczyk";
        let mut screen = screen();
        tell(&mut screen, Message::PasswordTyped(Typed::new(name.into())));
        let before = screen.gauge.current().unwrap().strength;
        tell(&mut screen, Message::NameTyped(name.into()));
        let after = screen.gauge.current().unwrap().strength;
        assert!(after < before && !after.is_enough(), "{before:?} {after:?}");
    }

    #[test]
    fn a_press_before_the_strength_is_known_waits_for_it() {
        let known = |strength| Measured { strength, advice: String::new() };
        for (strength, starts) in [(Strength::Good, true), (Strength::Fair, false)] {
            let mut screen = ready();
            let Action::Measure(question) = screen.update(Message::NameTyped("bob".into())) else {
                panic!()
            };
            for _ in 0..2 {
                assert!(matches!(screen.update(Message::Pressed), Action::None));
            }
            let action = screen.update(Message::StrengthKnown(question.number, known(strength)));
            assert_eq!(matches!(action, Action::Start(_)), starts, "{action:?}");
            assert_eq!(screen.is_busy(), starts);
        }
    }

    #[test]
    fn typing_on_takes_an_early_press_back() {
        let mut screen = ready();
        let Action::Measure(first) = screen.update(Message::NameTyped("bob".into())) else {
            panic!()
        };
        screen.update(Message::Pressed);
        screen.update(Message::NameTyped("bobb".into()));
        let action = tell(&mut screen, Message::StrengthKnown(first.number, first.answer()));
        assert!(matches!(action, Action::None), "{action:?}");
        assert!(!screen.is_busy() && screen.gauge.current().is_some());
    }

    #[test]
    fn bad_names_are_told_before_the_button_is_pressed() {
        let mut screen = ready();
        for (bad, error) in [
            ("a b", NameError::Character),
            ("1ann", NameError::First),
            ("\u{202e}nna", NameError::Character),
            (&*"a".repeat(33), NameError::Length),
        ] {
            tell(&mut screen, Message::NameTyped(bad.into()));
            assert!(shows(&screen, entry::name(error)) && !shows(&screen, words::NAME_RULES));
            assert!(matches!(tell(&mut screen, Message::Pressed), Action::Focus("name")));
        }
        tell(&mut screen, Message::NameTyped("ann".into()));
        assert!(shows(&screen, words::NAME_RULES));
    }

    #[test]
    fn a_taken_name_is_said_and_nothing_typed_is_lost() {
        let mut screen = ready();
        assert!(matches!(screen.update(Message::Pressed), Action::Start(_)));
        let (code, text) = (ErrorCode::NameTaken, "taken".into());
        screen.hear(&Event::Error { code, text, about: About::default() });
        screen.hear(&Event::Ended { ok: false });
        assert!(shows(&screen, &failure::words(ErrorCode::NameTaken, "")));
        assert_eq!((screen.password.expose(), screen.repeat.expose()), (GOOD, GOOD));
        tell(&mut screen, Message::NameTyped("ann2".into()));
        assert!(matches!(screen.update(Message::Pressed), Action::Start(_)));
    }

    #[test]
    fn a_server_that_wants_an_invitation_code_gets_one() {
        let mut screen = ready();
        let refuse = |screen: &mut Register, code| {
            screen.hear(&Event::Error { code, text: String::new(), about: About::default() });
            screen.hear(&Event::Ended { ok: false });
        };
        let Action::Start(attempt) = tell(&mut screen, Message::Pressed) else { panic!() };
        assert!(attempt.invite.is_none() && !shows(&screen, words::INVITE));
        refuse(&mut screen, ErrorCode::InviteNeeded);
        assert!(shows(&screen, words::INVITE) && screen.focus() == "invite");
        for (typed, problem) in [
            ("", words::INVITE_EMPTY),
            ("7K3M", words::invite(InviteError::Length)),
            ("7K3M-7K3M-7K3M-7K3U", words::invite(InviteError::Character)),
        ] {
            tell(&mut screen, Message::InviteTyped(Typed::new(typed.into())));
            assert!(matches!(tell(&mut screen, Message::Pressed), Action::Focus("invite")));
            assert!(shows(&screen, problem));
        }
        tell(&mut screen, Message::InviteTyped(Typed::default()));
        type_into(&mut screen, "invite", " 7k3m 7k3m-7k3m-7k3m");
        let Action::Start(attempt) = tell(&mut screen, Message::Pressed) else { panic!() };
        assert!(attempt.invite == "7K3M-7K3M-7K3M-7K3M".parse().ok() && attempt.invite.is_some());
        refuse(&mut screen, ErrorCode::InviteInvalid);
        assert!(shows(&screen, "[ 7k3m 7k3m-7k3m-7k3m]"), "it can be mended");
        tell(&mut screen, Message::InviteTyped(Typed::new("x".repeat(1_000_000))));
        assert!(shows(&screen, "[ 7k3m 7k3m-7k3m-7k3m]"));
    }

    #[test]
    fn while_busy_only_cancel_does_anything_and_only_once() {
        let mut screen = ready();
        screen.update(Message::Pressed);
        for message in [
            Message::NameTyped("bob".into()),
            Message::PasswordTyped(Typed::default()),
            Message::RepeatTyped(Typed::default()),
            Message::ShownToggled(true),
            Message::RememberToggled(true),
            Message::Pressed,
            Message::OtherPressed,
            Message::BackPressed,
        ] {
            assert!(matches!(screen.update(message), Action::None));
        }
        let kept = (&*screen.user, screen.password.expose(), screen.repeat.expose());
        assert_eq!(kept, ("ann", GOOD, GOOD));
        assert!(!screen.is_shown && !screen.remember);
        assert!(matches!(click(&mut screen, "cancel")[..], [Action::Cancel]));
        assert!(click(&mut screen, "cancel").is_empty());
        screen.hear(&Event::Ended { ok: true });
        assert!(!screen.is_busy());
    }

    #[test]
    fn the_other_buttons_lead_away_with_the_name() {
        let mut screen = ready();
        let [Action::SignIn { user }] = &click(&mut screen, "to-sign-in")[..] else { panic!() };
        assert_eq!(user, "ann");
        assert!(matches!(click(&mut screen, "back")[..], [Action::Back]));
    }

    #[test]
    fn both_passwords_are_hidden_until_they_are_to_be_shown() {
        let mut screen = ready();
        let shown = format!("[{GOOD}]");
        let times = |screen: &Register| {
            texts(screen.view()).into_iter().filter(|text| *text == shown).count()
        };
        assert_eq!(times(&screen), 0);
        click(&mut screen, "show");
        assert_eq!(times(&screen), 2);
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_old_text_stays() {
        let mut screen = ready();
        let huge = || Typed::new("a".repeat(10_000_000));
        for message in [Message::PasswordTyped(huge()), Message::RepeatTyped(huge())] {
            tell(&mut screen, message);
            assert!(shows(&screen, entry::PASSWORD_TOO_LONG));
        }
        tell(&mut screen, Message::NameTyped("a".repeat(10_000_000)));
        assert!(shows(&screen, entry::name(NameError::Length)));
        assert!(matches!(tell(&mut screen, Message::Pressed), Action::Start(_)), "as before");
    }

    #[test]
    fn the_longest_password_is_taken() {
        let longest = GOOD.repeat(50)[..PASSWORD_MAX].to_owned();
        let mut screen = ready();
        for message in [Message::PasswordTyped, Message::RepeatTyped] {
            tell(&mut screen, message(Typed::new(longest.clone())));
        }
        let Action::Start(attempt) = tell(&mut screen, Message::Pressed) else { panic!() };
        assert_eq!(attempt.password.expose(), longest.as_bytes());
    }

    #[test]
    fn the_button_is_in_reach_in_the_window_as_it_opens_after_a_failure() {
        let mut screen = ready();
        screen.update(Message::Pressed);
        let (code, text) = (ErrorCode::NameTaken, String::new());
        screen.hear(&Event::Error { code, text, about: About::default() });
        screen.hear(&Event::Ended { ok: false });
        let settings = iced::Settings::default();
        let mut picture = Simulator::with_size(settings, (980.0, 700.0), screen.view());
        picture.click(id("name")).unwrap();
        picture.click(id("register")).unwrap();
        let last = picture.into_messages().last();
        assert_eq!(last, Some(Message::Pressed));
    }

    #[test]
    fn debug_shows_no_password() {
        for message in [Message::PasswordTyped, Message::RepeatTyped, Message::InviteTyped] {
            let message = message(Typed::new("hunter2".into()));
            assert!(!format!("{message:?}").contains("hunter2"));
        }
    }
}
