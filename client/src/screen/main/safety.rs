//! The safety number of a conversation, to be compared by another way.

use iced::widget::{Column, Row, column, container, qr_code, row, text};
use iced::{Background, Center, Color, Element, Fill};

use super::Message;
use super::standing::Mark;
use crate::present;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// Width of a group of five digits, in pixels: groups stand in columns, whatever the font's digits are wide.
const GROUP_WIDTH: f32 = 64.0;

/// Side of a module of the code, in pixels.
const MODULE: f32 = 5.0;

/// Modules of white around the code beyond the two that the toolkit leaves: ISO/IEC 18004 asks for four.
const MORE_QUIET: f32 = 2.0;

/// Widest text, in pixels.
const TEXT_WIDTH: f32 = 560.0;

/// Whether the safety number stands in place of the messages.
#[derive(Default)]
pub enum Safety {
    /// The messages are shown.
    #[default]
    Hidden,
    /// The engine was asked.
    Asked,
    /// The number is shown.
    Shown(SafetyNumber),
}

/// A safety number with its code.
pub struct SafetyNumber {
    digits: String,
    /// None if the digits do not fit, which those of the engine always do.
    code: Option<qr_code::Data>,
}

impl Safety {
    /// Takes in the number if it was asked for and not given up since.
    pub fn answered(&mut self, digits: String) {
        if matches!(self, Self::Asked) {
            let code = qr_code::Data::new(code(&digits)).ok();
            *self = Self::Shown(SafetyNumber { digits, code });
        }
    }

    /// Tells whether the messages are shown.
    pub fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

impl SafetyNumber {
    /// Shows it, with what it is good for and the way back.
    pub fn view<'a>(&'a self, peer: &'a str, mark: Mark) -> Element<'a, Message> {
        let title = text(words::safety_title(peer)).size(size::LARGE).width(Fill);
        let back = widget::secondary("back", words::BACK, Some(Message::SafetyNumberRead));
        let head = row![title, back].spacing(space::INNER).align_y(Center);
        let compare = text(words::safety_compare(peer)).size(size::BODY);
        let words = column![compare, text(words::SAFETY_EQUAL).size(size::BODY)];
        let words = words.push(widget::hint(words::SAFETY_CODE)).spacing(space::SMALL);
        let both = row![self.digits_view()].push(self.code_view()).spacing(space::OUTER);
        let content = column![words.max_width(TEXT_WIDTH), both.align_y(Center).wrap()];
        let content = content.spacing(space::WIDE).padding([space::INNER, space::WIDE]).width(Fill);
        let head = container(head).padding([space::INNER, space::WIDE]);
        let mark = container(mark_view(mark)).padding([space::SMALL, space::WIDE]);
        column![head, widget::scroll(content).height(Fill), mark].height(Fill).into()
    }

    fn digits_view(&self) -> Element<'_, Message> {
        let group = |digits| container(text(digits).size(size::LARGE)).center_x(GROUP_WIDTH).into();
        let line = |groups: Vec<_>| Row::with_children(groups.into_iter().map(group)).into();
        let lines = present::digit_groups(&self.digits).into_iter().map(line);
        Column::with_children(lines).spacing(space::SMALL).into()
    }

    /// The code, dark on white under every theme: many readers take no other.
    fn code_view(&self) -> Option<Element<'_, Message>> {
        let white = |_: &_| qr_code::Style { cell: Color::BLACK, background: Color::WHITE };
        let code = qr_code(self.code.as_ref()?).cell_size(MODULE).style(white);
        let frame = container(code).padding(MORE_QUIET * MODULE);
        let frame = frame.style(|_| container::background(Background::Color(Color::WHITE)));
        Some(widget::place("safety-code", frame))
    }
}

/// Whether they were compared, and what sets or takes back that mark.
fn mark_view<'a>(mark: Mark) -> Element<'a, Message> {
    let set = |verified| Some(Message::VerifyPressed(verified));
    let content = match mark {
        Mark::None => column![widget::hint(words::SAFETY_NO_CONTACT)],
        Mark::Open => column![
            widget::primary("verify", words::SAFETY_SAME, set(true)),
            widget::hint(words::SAFETY_OPEN),
        ],
        Mark::Verified => column![
            text(words::SAFETY_VERIFIED).size(size::BODY).style(theme::good),
            widget::secondary("unverify", words::SAFETY_TAKE_BACK, set(false)),
        ],
    };
    content.spacing(space::SMALL).max_width(TEXT_WIDTH).into()
}

/// What the code says, so that whoever reads it knows what it is (docs/wire.md).
fn code(digits: &str) -> String {
    format!("iirs safety number 1\n{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shown_only_while_it_is_asked_for() {
        let mut safety = Safety::default();
        safety.answered("1".repeat(60));
        assert!(safety.is_hidden());
        safety = Safety::Asked;
        safety.answered("1".repeat(60));
        safety.answered("2".repeat(60));
        let Safety::Shown(number) = &safety else { panic!("it was asked for") };
        assert!(number.digits == "1".repeat(60) && number.code.is_some());
    }

    #[test]
    fn the_code_says_what_it_is() {
        assert_eq!(code("0123"), "iirs safety number 1\n0123");
    }
}
