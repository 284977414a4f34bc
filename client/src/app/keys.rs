//! Keys that mean something wherever the focus is.

use iced::event::Status;
use iced::keyboard::key::Named;
use iced::keyboard::{self, Key, Modifiers};
use iced::widget::operation;
use iced::widget::selector::{find, is_focused};
use iced::{Event, Task, window};

use super::{App, Message, Screen};
use crate::screen::{connect, main, register, sign_in, stopped};

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
    /// Ctrl+W: the conversation is to be closed.
    Close,
    /// Ctrl+R: the client is to come back now.
    Retry,
}

/// Returns what an event of the keyboard means, if anything.
pub(super) fn message(event: Event, status: Status, _: window::Id) -> Option<Message> {
    let Event::Keyboard(keyboard::Event::KeyPressed { key, modifiers, .. }) = event else {
        return None;
    };
    let ignored = status == Status::Ignored;
    let shortcut = match key.as_ref() {
        Key::Named(Named::Tab) if ignored => {
            return Some(Message::Tabbed { back: modifiers.shift() });
        }
        Key::Named(Named::Enter) if ignored => Shortcut::Enter,
        Key::Named(Named::Escape) => Shortcut::Escape,
        Key::Character("n") if modifiers == Modifiers::CTRL => Shortcut::NewAccount,
        Key::Character("k") if modifiers == Modifiers::CTRL => Shortcut::Find,
        Key::Character("w") if modifiers == Modifiers::CTRL => Shortcut::Close,
        Key::Character("r") if modifiers == Modifiers::CTRL => Shortcut::Retry,
        Key::Named(_) | Key::Character(_) | Key::Unidentified => return None,
    };
    Some(Message::Pressed(shortcut))
}

/// Gives the focus to the next field, or the one before; beyond the last comes the first.
pub(super) fn tab(back: bool) -> Task<Message> {
    let found = find(is_focused()).map(move |it| Message::TabEnded { back, found: it.is_some() });
    step(back).chain(found)
}

/// Gives the focus to the next field, or the one before, or to none beyond the last.
pub(super) fn step(back: bool) -> Task<Message> {
    if back { operation::focus_previous() } else { operation::focus_next() }
}

impl App {
    /// Does what a key means on the screen that is shown.
    pub(super) fn pressed(&mut self, shortcut: Shortcut) -> Task<Message> {
        use Shortcut::{Close, Enter, Escape, Find, NewAccount, Retry};
        match (&self.screen, shortcut) {
            (Screen::Connect(_), NewAccount) => self.connect(connect::Message::RegisterChosen),
            (Screen::SignIn(screen), Escape) if screen.is_busy() => {
                self.sign_in(sign_in::Message::CancelPressed)
            }
            (Screen::SignIn(_), Escape) => self.sign_in(sign_in::Message::BackPressed),
            (Screen::SignIn(_), NewAccount) => self.sign_in(sign_in::Message::OtherPressed),
            (Screen::Register(screen), Escape) if screen.is_busy() => {
                self.register(register::Message::CancelPressed)
            }
            (Screen::Register(_), Escape) => self.register(register::Message::BackPressed),
            (Screen::Stopped(..), Enter) => self.stopped(stopped::Message::AgainPressed),
            (Screen::Main(_), Escape) => self.main(main::Message::EscapePressed),
            (Screen::Main(_), Find) => operation::focus(main::SEARCH),
            (Screen::Main(_), Close) => self.main(main::Message::ClosePressed),
            (Screen::Main(_), Retry) => self.main(main::Message::RetryPressed),
            (Screen::Connect(_), Enter | Escape | Find | Close | Retry)
            | (Screen::SignIn(_) | Screen::Register(_), Enter | Find | Close | Retry)
            | (Screen::Register(_), NewAccount)
            | (Screen::Stopped(..), Escape | NewAccount | Find | Close | Retry)
            | (Screen::Main(_), Enter | NewAccount) => Task::none(),
        }
    }
}
