//! The last screen: the engine has ended, and why.

use iced::Element;

use crate::widget;
use crate::words::stopped as words;

/// What is on the screen.
pub struct Stopped {
    title: String,
    text: String,
    again: Again,
}

/// What can be tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Signing in.
    SignIn,
    /// Another link.
    Connect,
}

/// What happened on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The main button was pressed.
    AgainPressed,
    /// The other one was pressed.
    QuitPressed,
}

/// What the app is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show the screen that [`Again`] names.
    Again,
    /// End the program.
    Quit,
}

impl Stopped {
    /// Says what happened, and what to do next.
    pub fn new(title: impl Into<String>, text: impl Into<String>, again: Again) -> Self {
        Self { title: title.into(), text: text.into(), again }
    }

    /// Returns what can be tried next.
    pub fn again(&self) -> Again {
        self.again
    }

    /// Takes in what happened.
    pub fn update(&self, message: Message) -> Action {
        match message {
            Message::AgainPressed => Action::Again,
            Message::QuitPressed => Action::Quit,
        }
    }

    /// Shows the screen.
    pub fn view(&self) -> Element<'_, Message> {
        let again = match self.again {
            Again::SignIn => words::SIGN_IN,
            Again::Connect => words::CONNECT,
        };
        let buttons = widget::wrap([
            widget::primary("again", again, Some(Message::AgainPressed)),
            widget::secondary("quit", words::QUIT, Some(Message::QuitPressed)),
        ]);
        let content = [widget::words(self.text.as_str()), buttons];
        match self.again {
            Again::SignIn => widget::form(&self.title, None, content),
            // another server answered than the one that the link names
            Again::Connect => widget::alarm(&self.title, content),
        }
    }
}

#[cfg(test)]
mod tests {
    use iced::widget::selector::id;

    use super::*;
    use crate::screen::drive::{messages, texts};

    #[test]
    fn it_says_why_and_offers_what_to_do() {
        for (again, words) in [(Again::SignIn, words::SIGN_IN), (Again::Connect, words::CONNECT)] {
            let screen = Stopped::new("It stopped", "The disk is full. Free space.", again);
            let expected = ["It stopped", "The disk is full. Free space.", words, words::QUIT];
            assert_eq!(texts(screen.view()), expected);
            let pressed = messages(screen.view(), |picture| {
                picture.click(id("again")).unwrap();
                picture.click(id("quit")).unwrap();
            });
            let actions: Vec<_> = pressed.into_iter().map(|it| screen.update(it)).collect();
            assert_eq!((actions, screen.again()), (vec![Action::Again, Action::Quit], again));
        }
    }

    #[test]
    fn a_long_reason_does_not_push_the_buttons_out_of_reach() {
        let screen = Stopped::new("\u{202e}".repeat(50), "x".repeat(600), Again::SignIn);
        let pressed = messages(screen.view(), |picture| {
            picture.click(id("again")).unwrap();
        });
        assert_eq!(pressed, [Message::AgainPressed]);
    }
}
