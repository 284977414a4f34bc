//! The screen that asks for nothing but the password: at the start, for the account of the last time, and while the window
//! is locked.
//!
//! ```text
//!  start  ─password─► engine begins ─opened─► main
//!  locked ─password─► engine opens the history ─unlocked─► main, as it was left
//! ```

use client_link::api::{About, ErrorCode, Event, Local, LocalEvent, PASSWORD_MAX};
use iced::Element;
use iced::widget::{column, row, text};
use wire::ids::Name;
use wire::link::Link;
use zeroize::Zeroizing;

use super::attempt::Attempt;
use super::main::privacy::Cover;
use super::progress::Progress;
use super::secret::Typed;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::{entry, sign_in, unlock as words};

/// The field of the password.
pub const PASSWORD: &str = "password";

/// What is on the screen.
pub struct Unlock {
    what: What,
    password: Typed,
    is_shown: bool,
    complaint: Option<&'static str>,
}

/// What the password is for.
enum What {
    /// The program begins: how far that is.
    Start { link: Link, user: Name, progress: Progress },
    /// The history is to be opened: whether the engine does so now.
    Locked { is_asked: bool },
}

/// What is said of a locked window.
#[derive(Default)]
pub struct Behind {
    /// Whether this client takes part in the rounds.
    pub is_in_rounds: bool,
    /// How well that hides it.
    pub cover: Cover,
    /// The privacy bar in one line.
    pub bar: String,
    /// Messages that were not looked at, and calls that were not answered.
    pub unread: u32,
    /// Whose window it is, where names may be shown.
    pub account: Option<String>,
}

/// What happened on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The password is another.
    PasswordTyped(Typed),
    /// The password is to be shown, or hidden again.
    ShownToggled(bool),
    /// The button, or Enter in the field, was pressed.
    Pressed,
    /// The attempt is to end.
    CancelPressed,
    /// Another account is to be used.
    OtherPressed,
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
    /// Hand this to the engine; the screen is busy until it hears the answer.
    Ask(Local),
    /// Tell the engine to quit.
    Cancel,
    /// Show the form that asks for a name, too.
    Other,
}

impl Unlock {
    /// Begins at the start of the program.
    pub fn start(link: Link, user: Name) -> Self {
        Self::new(What::Start { link, user, progress: Progress::default() })
    }

    /// Begins when the window is locked.
    pub fn locked() -> Self {
        Self::new(What::Locked { is_asked: false })
    }

    fn new(what: What) -> Self {
        Self { what, password: Typed::default(), is_shown: false, complaint: None }
    }

    /// Tells whether the password is being tried.
    pub fn is_busy(&self) -> bool {
        match &self.what {
            What::Start { progress, .. } => progress.is_busy(),
            What::Locked { is_asked } => *is_asked,
        }
    }

    /// Returns what is meant by a text that was typed while no field had the focus.
    pub fn typed_beside(&self, text: &str) -> Message {
        Message::PasswordTyped(self.password.with(text))
    }

    /// Takes in what the engine tells; returns whether it was an answer to what this screen asked.
    pub fn hear(&mut self, event: &Event) -> bool {
        let is_asked = match &mut self.what {
            What::Start { progress, .. } => {
                progress.hear(event);
                return false;
            }
            What::Locked { is_asked } => is_asked,
        };
        let complaint = match event {
            Event::Local(LocalEvent::Unlocked) => None,
            Event::Error { code: ErrorCode::WrongCredentials, about, .. }
                if *is_asked && *about == About::default() =>
            {
                Some(words::WRONG)
            }
            Event::Error { code: ErrorCode::Busy, about, .. }
                if *is_asked && *about == About::default() =>
            {
                Some(words::BUSY)
            }
            _ => return false,
        };
        *is_asked = false;
        self.complaint = complaint;
        true
    }

    /// The engine did not take what was asked.
    pub fn not_taken(&mut self) {
        if let What::Locked { is_asked } = &mut self.what {
            *is_asked = false;
            self.complaint = Some(words::BUSY);
        }
    }

    /// Takes in what happened.
    pub fn update(&mut self, message: Message) -> Action {
        if self.is_busy() && message != Message::CancelPressed {
            return Action::None;
        }
        match message {
            Message::PasswordTyped(typed) => {
                let fits = typed.expose().len() <= PASSWORD_MAX;
                self.complaint = (!fits).then_some(entry::PASSWORD_TOO_LONG);
                if fits {
                    self.password = typed;
                }
            }
            Message::ShownToggled(is_shown) => self.is_shown = is_shown,
            Message::Pressed => return self.press(),
            Message::CancelPressed => return self.cancel(),
            Message::OtherPressed => match self.what {
                What::Start { .. } => return Action::Other,
                What::Locked { .. } => (),
            },
        }
        Action::None
    }

    fn press(&mut self) -> Action {
        if self.password.is_empty() {
            self.complaint = Some(sign_in::PASSWORD_EMPTY);
            return Action::Focus(PASSWORD);
        }
        self.complaint = None;
        match &mut self.what {
            What::Start { user, progress, .. } => {
                progress.begin();
                let (user, password) = (*user, self.password.to_password());
                Action::Start(Attempt { user, password, invite: None, remember: true })
            }
            What::Locked { is_asked } => {
                *is_asked = true;
                let password: Zeroizing<Vec<u8>> = self.password.to_bytes();
                Action::Ask(Local::Unlock { password })
            }
        }
    }

    fn cancel(&mut self) -> Action {
        let is_news = match &mut self.what {
            What::Start { progress, .. } => progress.cancel(),
            What::Locked { .. } => false,
        };
        if is_news { Action::Cancel } else { Action::None }
    }

    /// Shows the screen as it is at the start, or over what is behind the lock.
    pub fn view(&self, behind: Option<Behind>) -> Element<'_, Message> {
        match &self.what {
            What::Start { link, user, progress } => self.start_view(link, user, progress),
            What::Locked { is_asked } => self.locked_view(*is_asked, behind.unwrap_or_default()),
        }
    }

    fn start_view<'a>(
        &'a self,
        link: &Link,
        user: &Name,
        progress: &'a Progress,
    ) -> Element<'a, Message> {
        let account = widget::hint(words::account(user.as_str(), &link.host));
        let is_busy = progress.is_busy();
        let other =
            widget::quiet("other", words::OTHER, (!is_busy).then_some(Message::OtherPressed));
        let cancel = progress.can_cancel().then_some(Message::CancelPressed);
        let second = match is_busy {
            true => widget::secondary("cancel", entry::CANCEL, cancel),
            false => other,
        };
        let buttons = widget::ends(self.button(), second);
        widget::form(
            words::WELCOME,
            Some(account),
            [self.field(), column![progress.view(), buttons].spacing(space::INNER).into()],
        )
    }

    fn locked_view(&self, is_asked: bool, behind: Behind) -> Element<'_, Message> {
        let Behind { is_in_rounds, cover, bar, unread, account } = behind;
        let (cover, style): (_, fn(&iced::Theme) -> text::Style) = match (is_in_rounds, cover) {
            (true, Cover::Good) => (words::COVERED, theme::good),
            (true, Cover::Weak | Cover::None) => (words::GO_ON, theme::caution),
            (false, _) => (words::NOT_COVERED, theme::caution),
        };
        let cover = text(cover).size(size::BODY).style(style);
        let waiting = text(words::waiting(unread)).size(size::BODY);
        let doing = is_asked.then(|| widget::hint(words::UNLOCKING));
        let bar = (!bar.is_empty()).then(|| widget::hint(bar));
        widget::form(
            words::LOCKED,
            account.map(widget::hint),
            [
                column![cover, bar].spacing(space::TIGHT).into(),
                waiting.into(),
                self.field(),
                column![doing, row![self.button()]].spacing(space::SMALL).into(),
                widget::hint(words::ABOUT),
            ],
        )
    }

    fn button(&self) -> Element<'_, Message> {
        let pressed = (!self.is_busy()).then_some(Message::Pressed);
        widget::primary("unlock", words::UNLOCK, pressed)
    }

    fn field(&self) -> Element<'_, Message> {
        let is_free = !self.is_busy();
        let toggled = is_free.then_some(Message::ShownToggled);
        let show = widget::check("show", entry::SHOW, self.is_shown, toggled);
        let label = widget::label(entry::PASSWORD);
        let typed = is_free.then_some(|text| Message::PasswordTyped(Typed::new(text)));
        let value = self.password.expose();
        let field =
            widget::password(PASSWORD, label, value, self.is_shown, typed, Message::Pressed);
        let is_capitals = !self.is_shown && self.password.is_capitals();
        let capitals = is_capitals.then(|| widget::hint(entry::CAPITALS));
        let complaint = widget::error(self.complaint);
        column![field, capitals, complaint, show].spacing(space::SMALL).into()
    }
}

#[cfg(test)]
mod tests {
    use iced::widget::selector::id;
    use insta::assert_snapshot;
    use wire::link::Pin;

    use super::*;
    use crate::screen::drive::{messages, texts};

    fn start() -> Unlock {
        let link = Link { host: "chat.example.org".into(), port: 4433, pin: Pin([7; 32]) };
        Unlock::start(link, "ann".parse().unwrap())
    }

    fn behind(is_in_rounds: bool, unread: u32, account: Option<&str>) -> Option<Behind> {
        let cover = if unread == 0 { Cover::Good } else { Cover::Weak };
        let (bar, account) = ("covered · round 9".into(), account.map(Into::into));
        Some(Behind { is_in_rounds, cover, bar, unread, account })
    }

    fn error(code: ErrorCode) -> Event {
        Event::Error { code, text: "no".into(), about: About::default() }
    }

    fn type_and_press(screen: &mut Unlock, text: &str) -> Vec<Action> {
        let typed = messages(screen.view(behind(true, 0, None)), |picture| {
            picture.click(id(PASSWORD)).unwrap();
            picture.typewrite(text);
        });
        typed.into_iter().for_each(|message| drop(screen.update(message)));
        let pressed = messages(screen.view(behind(true, 0, None)), |picture| {
            picture.click(id("unlock")).unwrap();
        });
        pressed.into_iter().map(|message| screen.update(message)).collect()
    }

    #[test]
    fn the_start_names_the_account_and_asks_for_the_password_only() {
        let mut screen = start();
        assert_snapshot!(texts(screen.view(None)).join("\n"));
        let actions = type_and_press(&mut screen, "p");
        let [Action::Start(attempt)] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((attempt.user.as_str(), attempt.password.expose()), ("ann", &b"p"[..]));
        assert!(attempt.remember && screen.is_busy());
        screen.hear(&Event::Ended { ok: false });
        assert!(!screen.is_busy());
        assert!(matches!(screen.update(Message::OtherPressed), Action::Other));
    }

    #[test]
    fn a_locked_window_says_how_it_stands_and_names_nobody() {
        let screen = Unlock::locked();
        let said =
            [behind(true, 0, None), behind(false, 1, None), behind(true, 1200, Some("ann at h"))];
        let said = said.map(|behind| texts(screen.view(behind)).join("\n"));
        assert_snapshot!(said.join("\n\n"));
    }

    #[test]
    fn the_password_goes_to_the_engine_and_a_wrong_one_is_told() {
        let mut screen = Unlock::locked();
        let actions = type_and_press(&mut screen, "p");
        let [Action::Ask(Local::Unlock { password })] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!(password[..], b"p"[..]);
        assert!(screen.is_busy() && matches!(screen.update(Message::Pressed), Action::None));
        assert!(screen.hear(&error(ErrorCode::WrongCredentials)));
        let shown = texts(screen.view(behind(true, 0, None)));
        assert!(shown.contains(&words::WRONG.to_owned()) && !screen.is_busy());
        assert!(!screen.hear(&error(ErrorCode::WrongCredentials)), "that was about something else");
        type_and_press(&mut screen, "q");
        assert!(!screen.hear(&error(ErrorCode::NoServer)), "that is about something else, too");
        assert!(screen.hear(&Event::Local(LocalEvent::Unlocked)));
        screen.update(Message::Pressed);
        screen.not_taken();
        assert!(texts(screen.view(None)).contains(&words::BUSY.to_owned()));
    }

    #[test]
    fn nothing_typed_starts_nothing_and_too_much_is_refused() {
        let mut screen = start();
        assert!(matches!(screen.update(Message::Pressed), Action::Focus(PASSWORD)));
        screen.update(Message::PasswordTyped(Typed::new("a".repeat(PASSWORD_MAX + 1))));
        assert!(texts(screen.view(None)).contains(&entry::PASSWORD_TOO_LONG.to_owned()));
        assert!(matches!(screen.update(Message::CancelPressed), Action::None));
    }
}
