//! Keys that mean something wherever the focus is.

use std::time::Duration;

use iced::advanced::widget::operate;
use iced::event::Status;
use iced::keyboard::key::{Named, Physical};
use iced::keyboard::{self, Key, Modifiers};
use iced::widget::operation;
use iced::widget::selector::{find, is_focused};
use iced::{Event, Task, window};

use super::{App, Front, Message, Screen};
use crate::remember::Zoom;
use crate::screen::secret::Typed;
use crate::screen::settings::{self, Choice};
use crate::screen::sheet::Sheet;
use crate::screen::{connect, main, register, sign_in, stopped, unlock};
use crate::widget;

/// How long what is typed beside all fields goes into one and the same.
const WORD_WITHIN: Duration = Duration::from_secs(1);

/// A key that means something wherever the focus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Escape: gives an attempt up, goes back, puts a notice away.
    Escape,
    /// Enter where no field takes it: the main button of a screen without fields.
    Enter,
    /// Ctrl+N: an account is to be made.
    NewAccount,
    /// Ctrl+K: a person is to be found.
    Find,
    /// Ctrl+W: the conversation is to be put away.
    Close,
    /// Ctrl+Y: yes to what is asked, or to the call that is shown.
    Yes,
    /// Ctrl+D: no to what is asked, or to the call that is shown.
    No,
    /// Ctrl+B: the one who is shown is to be blocked.
    Block,
    /// Ctrl+R: the client is to come back now.
    Retry,
    /// Ctrl+,: the settings are to be shown, or put away.
    Settings,
    /// Ctrl+L: the window is to be locked.
    Lock,
    /// Ctrl+/ and F1: the keys are to be shown, or put away.
    Keys,
    /// Ctrl+=: everything is to be larger.
    Larger,
    /// Ctrl+-: everything is to be smaller.
    Smaller,
    /// Ctrl+0: everything is to be as large as designed.
    Standard,
    /// Up where no field takes it.
    Up,
    /// Down where no field takes it.
    Down,
    /// Alt and up: the conversation before in the list.
    Before,
    /// Alt and down: the next conversation of the list.
    Next,
    /// Ctrl+C where no field takes it: the chosen message is to be copied.
    Copy,
    /// Ctrl+E: an emoji is to be chosen.
    Emoji,
    /// Ctrl+F: something is to be found in the conversation.
    FindHere,
    /// Ctrl+Shift+F: something is to be found in all conversations.
    FindEverywhere,
}

/// Returns what an event of the keyboard means, if anything.
pub(super) fn message(event: Event, status: Status, _: window::Id) -> Option<Message> {
    let (key, modifiers, text) = match event {
        Event::Keyboard(keyboard::Event::KeyPressed {
            key, physical_key, modifiers, text, ..
        }) => (latin(key, physical_key, modifiers), modifiers, text),
        Event::Window(window::Event::Focused) => return Some(Message::Focused(true)),
        Event::Window(window::Event::Unfocused) => return Some(Message::Focused(false)),
        Event::Window(window::Event::FileDropped(file)) => return Some(Message::Dropped(file)),
        Event::Keyboard(_)
        | Event::Mouse(_)
        | Event::Touch(_)
        | Event::Window(_)
        | Event::InputMethod(_) => return None,
    };
    let ignored = status == Status::Ignored;
    let text = text.filter(|text| {
        let is_command = modifiers.control() || modifiers.alt() || modifiers.logo();
        ignored && !is_command && !text.chars().any(char::is_control)
    });
    if let Some(text) = text {
        return Some(Message::TypedBeside(Typed::new(text.as_str().to_owned())));
    }
    let shortcut = match key.as_ref() {
        Key::Named(Named::Tab) if ignored => {
            return Some(Message::Tabbed { back: modifiers.shift() });
        }
        Key::Named(Named::Enter) if ignored => Shortcut::Enter,
        Key::Named(Named::Escape) => Shortcut::Escape,
        Key::Named(Named::ArrowUp) if modifiers == Modifiers::ALT => Shortcut::Before,
        Key::Named(Named::ArrowDown) if modifiers == Modifiers::ALT => Shortcut::Next,
        Key::Named(Named::ArrowLeft) if modifiers == Modifiers::ALT => Shortcut::Close,
        Key::Named(Named::ArrowUp) if ignored => Shortcut::Up,
        Key::Named(Named::ArrowDown) if ignored => Shortcut::Down,
        Key::Character("c") if ignored && modifiers == Modifiers::CTRL => Shortcut::Copy,
        Key::Character("e") if modifiers == Modifiers::CTRL => Shortcut::Emoji,
        Key::Character("f") if modifiers == Modifiers::CTRL => Shortcut::FindHere,
        Key::Character("f" | "F") if modifiers == Modifiers::CTRL | Modifiers::SHIFT => {
            Shortcut::FindEverywhere
        }
        Key::Character("n") if modifiers == Modifiers::CTRL => Shortcut::NewAccount,
        Key::Character("k") if modifiers == Modifiers::CTRL => Shortcut::Find,
        Key::Character("w") if modifiers == Modifiers::CTRL => Shortcut::Close,
        Key::Character("r") if modifiers == Modifiers::CTRL => Shortcut::Retry,
        Key::Character("y") if modifiers == Modifiers::CTRL => Shortcut::Yes,
        Key::Character("d") if modifiers == Modifiers::CTRL => Shortcut::No,
        Key::Character("b") if modifiers == Modifiers::CTRL => Shortcut::Block,
        Key::Character("l") if modifiers == Modifiers::CTRL => Shortcut::Lock,
        Key::Named(Named::F1) => Shortcut::Keys,
        // some keyboards have these above other keys
        Key::Character("/" | "?") if is_ctrl(modifiers) => Shortcut::Keys,
        Key::Character(",") if is_ctrl(modifiers) => Shortcut::Settings,
        Key::Character("=" | "+") if is_ctrl(modifiers) => Shortcut::Larger,
        Key::Character("-" | "_") if is_ctrl(modifiers) => Shortcut::Smaller,
        Key::Character("0") if is_ctrl(modifiers) => Shortcut::Standard,
        Key::Named(_) | Key::Character(_) | Key::Unidentified => return None,
    };
    Some(Message::Pressed(shortcut))
}

/// Returns the key that stands in its place on a Latin keyboard while Ctrl is held: shortcuts are the same in every script.
fn latin(key: Key, place: Physical, modifiers: Modifiers) -> Key {
    match key.to_latin(place).filter(|_| modifiers.control()) {
        Some(letter) => Key::Character(letter.to_string().into()),
        None => key,
    }
}

/// Tells whether Ctrl is held, with Shift or without.
fn is_ctrl(modifiers: Modifiers) -> bool {
    modifiers - Modifiers::SHIFT == Modifiers::CTRL
}

/// Gives the focus to the next field, or the one before; beyond the last comes the first.
pub(super) fn tab(back: bool) -> Task<Message> {
    let found = find(is_focused()).map(move |it| Message::TabEnded { back, found: it.is_some() });
    step(back).chain(found)
}

/// Gives the focus to the next field, or the one before, or to none beyond the last; it is scrolled into view.
pub(super) fn step(back: bool) -> Task<Message> {
    let step = if back { operation::focus_previous() } else { operation::focus_next() };
    step.chain(operate(widget::reveal()))
}

impl App {
    /// Gives what was typed beside all fields to the field that waits for it, and that the focus.
    pub(super) fn typed_beside(&mut self, text: &Typed) -> Task<Message> {
        let waits = match &self.screen {
            _ if self.sheet.is_some() => return Task::none(),
            Screen::Main(_) if self.is_locked() => unlock::PASSWORD,
            Screen::Main(_) if self.front.is_some() => return Task::none(),
            Screen::Unlock(_) => unlock::PASSWORD,
            Screen::Connect(screen) => screen.focus(),
            Screen::Register(screen) => screen.focus(),
            Screen::SignIn(screen) => screen.focus(),
            Screen::Main(screen) if screen.shown().is_some() => main::COMPOSER,
            Screen::Main(_) => main::SEARCH,
            Screen::Stopped(..) => return Task::none(),
        };
        // until the focus is there, a word goes on where it began
        let last = self.beside.filter(|(_, at)| self.now.at - *at < WORD_WITHIN);
        let field = last.map_or(waits, |(field, _)| field);
        self.beside = Some((field, self.now.at));
        let text = text.expose();
        let taken = match (&self.screen, &self.front) {
            (_, Some(Front::Locked(locked))) => self.unlock(locked.screen.typed_beside(text)),
            (Screen::Connect(screen), _) => self.connect(screen.typed_beside(field, text)),
            (Screen::Register(screen), _) => self.register(screen.typed_beside(field, text)),
            (Screen::SignIn(screen), _) => self.sign_in(screen.typed_beside(field, text)),
            (Screen::Unlock(screen), _) => self.unlock(screen.typed_beside(text)),
            (Screen::Main(screen), _) => self.main(screen.typed_beside(field, text)),
            (Screen::Stopped(..), _) => Task::none(),
        };
        let end = operation::move_cursor_to_end(field);
        Task::batch([taken, operation::focus(field), end])
    }

    /// Does what a key means: everywhere, on what lies or stands in front, or on the screen that is shown.
    pub(super) fn pressed(&mut self, shortcut: Shortcut) -> Task<Message> {
        let zoom = self.remembered.zoom;
        match (shortcut, self.sheet, &self.front) {
            (Shortcut::Larger, ..) => self.choose(Choice::Zoom(zoom.larger())),
            (Shortcut::Smaller, ..) => self.choose(Choice::Zoom(zoom.smaller())),
            (Shortcut::Standard, ..) => self.choose(Choice::Zoom(Zoom::default())),
            (Shortcut::Lock, ..) => return self.lock(),
            (Shortcut::Escape, Some(_), _) | (Shortcut::Keys, Some(Sheet::Keys), _) => {
                self.sheet = None;
            }
            (Shortcut::Keys, ..) => return self.show_sheet(Sheet::Keys),
            // a sheet hides the rest
            (_, Some(_), _) => (),
            (Shortcut::Escape, None, Some(Front::Settings)) => {
                return self.settings(settings::Message::EscapePressed);
            }
            (Shortcut::Settings, None, Some(Front::Settings)) => return self.leave_settings(),
            (Shortcut::Settings, None, None) => return self.show_settings(),
            (_, None, Some(_)) => (),
            (shortcut, None, None) => return self.pressed_on_screen(shortcut),
        }
        Task::none()
    }

    fn pressed_on_screen(&mut self, shortcut: Shortcut) -> Task<Message> {
        use Shortcut::{
            Before, Block, Close, Copy, Down, Emoji, Enter, Escape, Find, FindEverywhere, FindHere,
            NewAccount, Next, No, Retry, Up, Yes,
        };
        match (&self.screen, shortcut) {
            (Screen::Connect(_), NewAccount) => self.connect(connect::Message::RegisterChosen),
            (Screen::SignIn(screen), Escape) if screen.is_busy() => {
                self.sign_in(sign_in::Message::CancelPressed)
            }
            (Screen::SignIn(_), Escape) => self.sign_in(sign_in::Message::BackPressed),
            (Screen::SignIn(_), NewAccount) => self.sign_in(sign_in::Message::OtherPressed),
            (Screen::Unlock(screen), Escape) if screen.is_busy() => {
                self.unlock(unlock::Message::CancelPressed)
            }
            (Screen::Unlock(_), Escape) => self.unlock(unlock::Message::OtherPressed),
            (Screen::Register(screen), Escape) if screen.is_busy() => {
                self.register(register::Message::CancelPressed)
            }
            (Screen::Register(_), Escape) => self.register(register::Message::BackPressed),
            (Screen::Stopped(..), Enter) => self.stopped(stopped::Message::AgainPressed),
            (Screen::Main(_), Escape) => self.main(main::Message::EscapePressed),
            (Screen::Main(_), Find) => operation::focus(main::SEARCH),
            (Screen::Main(_), Close) => self.main(main::Message::ClosePressed),
            (Screen::Main(_), Retry) => self.main(main::Message::RetryPressed),
            (Screen::Main(_), Yes) => self.main(main::Message::YesPressed),
            (Screen::Main(_), No) => self.main(main::Message::NoPressed),
            (Screen::Main(_), Block) => self.main(main::Message::BlockShownPressed),
            (Screen::Main(_), Up) => self.main(main::Message::Stepped { back: true }),
            (Screen::Main(_), Down) => self.main(main::Message::Stepped { back: false }),
            (Screen::Main(_), Before) => self.main(main::Message::NextPressed { back: true }),
            (Screen::Main(_), Next) => self.main(main::Message::NextPressed { back: false }),
            (Screen::Main(_), Copy) => self.main(main::Message::CopyPressed),
            (Screen::Main(_), Emoji) => self.main(main::Message::Emoji(main::Pick::Toggle)),
            (Screen::Main(_), FindHere | FindEverywhere) => {
                let everywhere = shortcut == FindEverywhere;
                self.main(main::Message::Find(main::Find::Begin { everywhere }))
            }
            (_, Up | Down | Before | Next | Copy | Emoji | FindHere | FindEverywhere) => {
                Task::none()
            }
            (
                Screen::Connect(_)
                | Screen::SignIn(_)
                | Screen::Register(_)
                | Screen::Unlock(_)
                | Screen::Main(_)
                | Screen::Stopped(..),
                _,
            ) => Task::none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use iced::keyboard::Location;
    use iced::keyboard::key::{NativeCode, Physical};

    use super::*;
    use crate::fake::{Window, link};

    fn press(
        key: Key,
        text: Option<&str>,
        modifiers: Modifiers,
        status: Status,
    ) -> Option<Message> {
        let event = keyboard::Event::KeyPressed {
            key: key.clone(),
            modified_key: key,
            physical_key: Physical::Unidentified(NativeCode::Unidentified),
            location: Location::Standard,
            modifiers,
            text: text.map(Into::into),
            repeat: false,
        };
        message(Event::Keyboard(event), status, window::Id::unique())
    }

    #[test]
    fn shortcuts_are_where_they_are_on_a_latin_keyboard() {
        let lock = |letter: &str, modifiers| {
            let key = Key::Character(letter.into());
            latin(key, Physical::Code(keyboard::key::Code::KeyL), modifiers)
        };
        assert_eq!(lock("д", Modifiers::CTRL), Key::Character("l".into()));
        assert_eq!(
            lock("n", Modifiers::CTRL),
            Key::Character("n".into()),
            "Latin, but another layout"
        );
        assert_eq!(lock("д", Modifiers::empty()), Key::Character("д".into()));
    }

    fn type_beside(window: &mut Window, text: &str) {
        for character in text.chars() {
            let character = character.to_string();
            let key = Key::Character(character.as_str().into());
            let pressed = press(key, Some(&character), Modifiers::empty(), Status::Ignored);
            window.update(pressed.expect("nobody took it"));
        }
    }

    #[test]
    fn keys_mean_something_only_where_no_field_takes_them() {
        let key = |key: &str, modifiers, status| {
            press(Key::Character(key.into()), Some(key), modifiers, status)
        };
        let ctrl = Modifiers::CTRL;
        assert!(matches!(
            key("n", ctrl, Status::Ignored),
            Some(Message::Pressed(Shortcut::NewAccount))
        ));
        assert!(matches!(
            key("n", Modifiers::empty(), Status::Ignored),
            Some(Message::TypedBeside(_))
        ));
        assert!(key("n", Modifiers::empty(), Status::Captured).is_none());
        assert!(key("x", ctrl, Status::Ignored).is_none());
        assert!(key("\u{8}", Modifiers::empty(), Status::Ignored).is_none());
        let named = |named, status| press(Key::Named(named), None, Modifiers::empty(), status);
        assert!(matches!(
            named(Named::Tab, Status::Ignored),
            Some(Message::Tabbed { back: false })
        ));
        assert!(named(Named::Tab, Status::Captured).is_none());
        assert!(named(Named::Enter, Status::Captured).is_none());
        assert!(matches!(
            named(Named::Escape, Status::Captured),
            Some(Message::Pressed(Shortcut::Escape))
        ));
    }

    #[test]
    fn what_is_typed_beside_all_fields_is_not_lost() {
        let mut window = Window::open();
        type_beside(&mut window, &link().to_string());
        window.click("to-sign-in");
        type_beside(&mut window, "ann");
        assert!(window.shows("ann"), "all of it is the name");
        window.click("to-register");
        type_beside(&mut window, "password of ann");
        window.click("show");
        assert!(window.shows("password of ann"));
    }
}
