//! The first screen: which server.

use iced::Element;
use iced::widget::{column, text};
use wire::link::Link;

use crate::theme::{size, space};
use crate::widget;
use crate::words::connect as words;

/// Longest link that the field takes, in bytes.
pub const LINK_TYPED_MAX: usize = 2048;

/// What is on the screen.
pub struct Connect {
    link: String,
    problem: Option<String>,
}

/// What happened on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The field has another text.
    LinkTyped(String),
    /// A file was read that may have a link in it, or could not be.
    FileRead(Result<String, &'static str>),
    /// Signing in was chosen.
    SignInChosen,
    /// Making an account was chosen.
    RegisterChosen,
}

/// What the app is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Give a field the focus.
    Focus(&'static str),
    /// Show the form that signs in.
    SignIn(Link),
    /// Show the form that makes an account.
    Register(Link),
}

impl Connect {
    /// The field that has the focus first.
    pub const FIRST: &str = "link";

    /// Begins with a link in the field, and with what went wrong before.
    pub fn new(link: String, problem: Option<String>) -> Self {
        let mut connect = Self { link: String::new(), problem };
        if connect.take(link).is_err() {
            connect.problem.get_or_insert_with(|| words::TOO_LONG.into());
        }
        connect
    }

    /// Returns the field that wants the focus.
    pub fn focus(&self) -> &'static str {
        Self::FIRST
    }

    /// Returns what is meant by a text that was typed while no field had the focus.
    pub fn typed_beside(&self, _field: &str, text: &str) -> Message {
        Message::LinkTyped(format!("{}{text}", self.link))
    }

    /// Takes in what happened.
    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::LinkTyped(link) => {
                self.problem = self.take(link).err().map(Into::into);
                Action::None
            }
            Message::FileRead(read) => {
                let taken = read.and_then(|link| self.take(link));
                self.problem = taken.err().map(Into::into);
                Action::Focus(Self::FIRST)
            }
            Message::SignInChosen => self.chosen(Action::SignIn),
            Message::RegisterChosen => self.chosen(Action::Register),
        }
    }

    /// Shows the screen.
    pub fn view(&self) -> Element<'_, Message> {
        let input = widget::input(Self::FIRST, words::SHAPE, &self.link)
            .on_input(Message::LinkTyped)
            .on_submit(Message::SignInChosen);
        let field = widget::labelled(widget::label(words::LINK), input);
        let buttons = widget::wrap([
            widget::primary("to-sign-in", words::SIGN_IN, Some(Message::SignInChosen)),
            widget::secondary("to-register", words::REGISTER, Some(Message::RegisterChosen)),
        ]);
        widget::form(
            words::TITLE,
            None,
            [
                text(words::ABOUT).size(size::BODY).into(),
                column![field, widget::hint(words::FILE), widget::error(self.problem.as_deref())]
                    .spacing(space::SMALL)
                    .into(),
                buttons,
            ],
        )
    }

    fn take(&mut self, link: String) -> Result<(), &'static str> {
        if link.len() > LINK_TYPED_MAX {
            return Err(words::TOO_LONG);
        }
        self.link = link;
        Ok(())
    }

    fn chosen(&mut self, next: fn(Link) -> Action) -> Action {
        match read(&self.link) {
            Ok(link) => {
                self.problem = None;
                next(link)
            }
            Err(problem) => {
                self.problem = Some(problem.into());
                Action::Focus(Self::FIRST)
            }
        }
    }
}

/// Reads a link as it comes out of a mail or a chat: with white space, invisible characters or quotation
/// marks around it, and perhaps a capital letter first.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(text: &str) -> Result<Link, &'static str> {
    let text = text.trim_matches(is_around);
    if text.is_empty() {
        return Err(words::EMPTY);
    }
    let link = match text.split_at_checked(words::SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(words::SCHEME) => {
            format!("{}{rest}", words::SCHEME).parse()
        }
        Some(_) | None => text.parse(),
    };
    link.map_err(words::wrong)
}

fn is_around(character: char) -> bool {
    let is_invisible = matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    let is_quote = matches!(character, '"' | '\'' | '`' | '<' | '>' | '“' | '”' | '„');
    is_invisible || is_quote || character.is_whitespace() || character.is_control()
}

#[cfg(test)]
mod tests {
    use iced::widget::selector::id;
    use iced_test::core::keyboard::key::Named;
    use iced_test::simulator::Simulator;
    use insta::assert_snapshot;
    use wire::link::{LinkError, Pin};

    use super::*;
    use crate::screen::drive::{messages, texts};

    fn link() -> Link {
        Link { host: "chat.example.org".into(), port: 4433, pin: Pin([7; 32]) }
    }

    /// Does something with the screen's picture and returns what the app is told at last.
    fn act(screen: &mut Connect, deed: impl FnOnce(&mut Simulator<'_, Message>)) -> Vec<Action> {
        let messages = messages(screen.view(), deed);
        let actions = messages.into_iter().map(|message| screen.update(message));
        actions.filter(|action| *action != Action::None).collect()
    }

    fn problem(screen: &Connect) -> String {
        screen.problem.clone().unwrap_or_default()
    }

    #[test]
    fn the_first_picture_says_what_a_link_is() {
        assert_snapshot!(texts(Connect::new(String::new(), None).view()).join("\n"));
    }

    #[test]
    fn a_link_is_typed_and_enter_signs_in() {
        let mut screen = Connect::new(String::new(), None);
        let actions = act(&mut screen, |picture| {
            picture.click(id(Connect::FIRST)).unwrap();
            picture.typewrite(&link().to_string());
            picture.tap_key(Named::Enter);
        });
        assert_eq!(actions, [Action::SignIn(link())]);
    }

    #[test]
    fn each_button_leads_to_its_form() {
        let mut screen = Connect::new(link().to_string(), None);
        let actions = act(&mut screen, |picture| {
            picture.click(id("to-sign-in")).unwrap();
            picture.click(id("to-register")).unwrap();
        });
        assert_eq!(actions, [Action::SignIn(link()), Action::Register(link())]);
    }

    #[test]
    fn what_a_mail_puts_around_a_link_is_passed_over() {
        let link = link();
        let capital = link.to_string().replacen('i', "I", 1);
        for text in [
            format!("  {link}\r\n\t"),
            format!("\u{feff}{link}\u{200b}\u{200b}"),
            format!(" <{link}> "),
            format!("“{link}”\u{a0}"),
            format!("\u{202e}{link}\u{202c}\0"),
            capital,
        ] {
            let mut screen = Connect::new(text.clone(), None);
            assert_eq!(
                screen.update(Message::SignInChosen),
                Action::SignIn(link.clone()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_link_is_said_and_nothing_typed_is_lost() {
        let pin = Pin([7; 32]);
        for (text, words) in [
            (String::new(), words::EMPTY),
            (" \u{200b}\n".into(), words::EMPTY),
            ("\0\u{202e}".into(), words::EMPTY),
            ("hello".into(), words::wrong(LinkError::Scheme)),
            (format!("https://h:1/#{pin}"), words::wrong(LinkError::Scheme)),
            (format!("here: iirs://h:1/#{pin}"), words::wrong(LinkError::Scheme)),
            (format!("iirs://:1/#{pin}"), words::wrong(LinkError::Host)),
            (format!("iirs://h\u{202e}x:1/#{pin}"), words::wrong(LinkError::Host)),
            (format!("iirs://שלום:1/#{pin}"), words::wrong(LinkError::Host)),
            (format!("iirs://h/#{pin}"), words::wrong(LinkError::Port)),
            ("iirs://h:1/#abc".into(), words::wrong(LinkError::Pin)),
            (format!("iirs://h:1/#{pin} {pin}"), words::wrong(LinkError::Pin)),
        ] {
            for message in [Message::SignInChosen, Message::RegisterChosen] {
                let mut screen = Connect::new(text.clone(), None);
                assert_eq!(screen.update(message), Action::Focus(Connect::FIRST), "{text}");
                assert_eq!((problem(&screen), &screen.link), (words.into(), &text));
                assert!(texts(screen.view()).contains(&words.to_owned()), "it is shown");
                screen.update(Message::LinkTyped(format!("{text}a")));
                assert_eq!(screen.problem, None, "it is gone when it is mended");
            }
        }
    }

    #[test]
    fn a_text_longer_than_any_link_is_refused_and_the_old_one_stays() {
        let huge = "a".repeat(10_000_000);
        let mut screen = Connect::new(huge.clone(), None);
        assert_eq!((problem(&screen), &*screen.link), (words::TOO_LONG.into(), ""));
        screen.update(Message::LinkTyped(link().to_string()));
        screen.update(Message::LinkTyped(huge));
        assert_eq!(problem(&screen), words::TOO_LONG);
        assert_eq!(screen.update(Message::SignInChosen), Action::SignIn(link()));
        screen.update(Message::LinkTyped("a".repeat(LINK_TYPED_MAX)));
        assert_eq!((screen.problem.as_ref(), screen.link.len()), (None, LINK_TYPED_MAX));
    }

    #[test]
    fn what_went_wrong_before_is_said_first() {
        let screen = Connect::new(link().to_string(), Some("It went wrong.".into()));
        assert!(texts(screen.view()).contains(&"It went wrong.".to_owned()));
    }

    #[test]
    fn every_fault_of_a_link_has_words() {
        let faults = [LinkError::Scheme, LinkError::Host, LinkError::Port, LinkError::Pin];
        assert_snapshot!(faults.map(words::wrong).join("\n"));
    }
}
