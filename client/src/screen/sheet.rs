//! What lies on a screen for a while: the keys, what the cover means, the question before the end. The screen is seen behind
//! it and goes on.

use iced::Element;
use iced::Length::FillPortion;
use iced::widget::{Column, column, row, text};

use crate::theme::{size, space};
use crate::widget;
use crate::words::{main as main_words, sheets as words};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// The keys.
    Keys,
    /// What is hidden from whom.
    Meaning,
    /// Whether the program is to end, and whether that is asked the next time.
    Quit {
        /// Whether it is not.
        unasked: bool,
    },
}

/// What happened on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// It is to be put away.
    Closed,
    /// The program is to end.
    QuitPressed,
    /// The window is to be locked instead.
    LockPressed,
    /// The question is not to be asked again, or is.
    UnaskedToggled(bool),
}

impl Sheet {
    /// Returns what is to have the focus when it appears.
    pub fn first(self) -> &'static str {
        match self {
            Self::Keys => "keys-read",
            Self::Meaning => "meaning-read",
            Self::Quit { .. } => "stay",
        }
    }

    /// Shows it.
    pub fn view<'a>(self) -> Element<'a, Message> {
        match self {
            Self::Keys => keys(),
            Self::Meaning => meaning(),
            Self::Quit { unasked } => quit(unasked),
        }
    }
}

fn keys<'a>() -> Element<'a, Message> {
    let groups = [
        (words::shortcuts::EVERYWHERE, words::shortcuts::KEYS),
        (words::shortcuts::MAIN, main_words::KEYS),
    ];
    let groups = groups.map(|(title, keys)| {
        let rows = keys.iter().map(|(keys, meaning)| {
            let column = |words: &'a str, portion| {
                let words = text(words).size(size::BODY).width(FillPortion(portion));
                words.wrapping(text::Wrapping::WordOrGlyph)
            };
            let (keys, meaning) = (column(keys, 2), column(meaning, 3));
            row![keys, meaning].spacing(space::INNER).into()
        });
        let rows = Column::with_children(rows).spacing(space::SMALL);
        column![widget::label(title), rows].spacing(space::SMALL).into()
    });
    let content = Column::with_children(groups).spacing(space::WIDE);
    let close = ("keys-read", words::CLOSE, Message::Closed);
    widget::sheet(words::shortcuts::TITLE, Some(close), content)
}

fn meaning<'a>() -> Element<'a, Message> {
    let parts = words::meaning::PARTS.into_iter().map(|part| {
        let texts = part.text.iter().map(|&it| widget::words(it));
        let title = widget::heading(part.title);
        Column::new().push(title).extend(texts).spacing(space::SMALL).into()
    });
    let close = ("meaning-read", words::CLOSE, Message::Closed);
    let content = Column::with_children(parts).spacing(space::WIDE);
    widget::sheet(words::meaning::TITLE, Some(close), content)
}

fn quit<'a>(unasked: bool) -> Element<'a, Message> {
    let ways = [
        widget::primary("stay", words::quit::STAY, Some(Message::Closed)),
        widget::secondary("lock-instead", words::quit::LOCK, Some(Message::LockPressed)),
        widget::danger("quit", words::quit::QUIT, Some(Message::QuitPressed)),
    ];
    let again =
        widget::check("unasked", words::quit::UNASKED, unasked, Some(Message::UnaskedToggled));
    let content = column![widget::words(words::quit::ABOUT), again, widget::wrap(ways)];
    widget::sheet(words::quit::TITLE, None, content.spacing(space::INNER))
}

#[cfg(test)]
mod tests {
    use iced::widget::selector::id;
    use insta::assert_snapshot;

    use super::*;
    use crate::screen::drive::{messages, texts};

    #[test]
    fn each_sheet_says_what_it_is_about() {
        let said = [Sheet::Keys, Sheet::Meaning, Sheet::Quit { unasked: false }];
        assert_snapshot!(said.map(|sheet| texts(sheet.view()).join("\n")).join("\n\n"));
    }

    #[test]
    fn each_can_be_put_away_by_what_has_the_focus_first() {
        for sheet in [Sheet::Keys, Sheet::Meaning, Sheet::Quit { unasked: true }] {
            let pressed = messages(sheet.view(), |picture| {
                picture.click(id(sheet.first())).unwrap();
            });
            assert_eq!(pressed, [Message::Closed], "{sheet:?}");
        }
    }
}
