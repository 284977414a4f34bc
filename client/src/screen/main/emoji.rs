//! A small panel of emoji: chosen with arrows and Enter, found by typing.

use iced::widget::{Column, Row, button, column, container, text};
use iced::{Element, Fill};

use super::Message;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// Emoji in a row.
pub const COLUMNS: usize = 8;

/// Longest text that is looked for, in characters.
const SOUGHT_MAX: usize = 16;

/// Side of a place, in pixels.
const PLACE: f32 = 36.0;

/// All of them, with what they are found by.
const EMOJI: [(&str, &str); 48] = [
    ("😀", "grin smile happy"),
    ("😄", "laugh smile happy"),
    ("😂", "tears joy laugh"),
    ("🙂", "smile slight"),
    ("😉", "wink"),
    ("😊", "blush smile"),
    ("😍", "heart eyes love"),
    ("😘", "kiss"),
    ("🤔", "think hmm"),
    ("😐", "neutral"),
    ("🙄", "roll eyes"),
    ("😏", "smirk"),
    ("😢", "cry sad"),
    ("😭", "sob cry sad"),
    ("😠", "angry"),
    ("😱", "scream fear"),
    ("😴", "sleep tired"),
    ("🤒", "sick ill"),
    ("🤗", "hug"),
    ("🤫", "hush quiet secret"),
    ("🙃", "upside down"),
    ("😎", "cool sunglasses"),
    ("🥳", "party"),
    ("🤯", "mind blown"),
    ("👍", "thumbs up yes good"),
    ("👎", "thumbs down no bad"),
    ("👌", "ok"),
    ("👏", "clap"),
    ("🙏", "please thanks pray"),
    ("💪", "strong arm"),
    ("👋", "wave hello bye"),
    ("🤝", "handshake deal"),
    ("❤️", "heart love"),
    ("💔", "broken heart"),
    ("🔥", "fire hot"),
    ("✨", "sparkles"),
    ("🎉", "tada party"),
    ("💯", "hundred"),
    ("✅", "check done yes"),
    ("❌", "cross no"),
    ("❓", "question"),
    ("❗", "important exclamation"),
    ("☕", "coffee tea"),
    ("🍺", "beer"),
    ("🍕", "pizza food"),
    ("🐱", "cat"),
    ("🌞", "sun"),
    ("🌈", "rainbow"),
];

/// What is done with the panel.
#[derive(Clone)]
pub enum Pick {
    /// It is to be shown, or hidden.
    Toggle,
    /// Another emoji is to be chosen, so many places on.
    Move(isize),
    /// The emoji of this place is to be written, or the one that is chosen.
    Take(Option<usize>),
    /// An emoji is looked for.
    Typed(char),
    /// The last letter of that was taken back.
    Erased,
}

/// The panel while it is shown.
#[derive(Default)]
pub struct Emoji {
    sought: String,
    at: usize,
}

impl Emoji {
    fn found(&self) -> Vec<&'static str> {
        let is_it = |names: &str| names.split(' ').any(|name| name.starts_with(&self.sought));
        EMOJI.iter().filter(|(_, names)| is_it(names)).map(|(emoji, _)| *emoji).collect()
    }

    /// Returns the one that is chosen.
    pub fn chosen(&self) -> Option<&'static str> {
        self.found().get(self.at).copied()
    }

    /// Returns the one at a place.
    pub fn at(&self, at: usize) -> Option<&'static str> {
        self.found().get(at).copied()
    }

    /// Chooses another one, so many places on.
    pub fn step(&mut self, by: isize) {
        let count = self.found().len();
        self.at = self.at.checked_add_signed(by).filter(|at| *at < count).unwrap_or(self.at);
    }

    /// Looks for what is typed.
    pub fn typed(&mut self, letter: char) {
        if self.sought.chars().count() < SOUGHT_MAX {
            self.sought.extend(letter.to_lowercase());
            self.at = 0;
        }
    }

    /// Takes the last letter back.
    pub fn erased(&mut self) {
        self.sought.pop();
        self.at = 0;
    }

    /// Shows it, so high at most; what is more scrolls.
    pub fn view<'a>(&self, height: f32) -> Element<'a, Message> {
        let found = self.found();
        let place = |(at, emoji): (usize, &&'static str)| {
            let emoji = container(text(*emoji).size(20.0)).center(PLACE);
            let place = button(emoji).padding(0).style(theme::row(at == self.at));
            let place = place.on_press(Message::Emoji(Pick::Take(Some(at))));
            widget::place(format!("emoji-{at}"), place)
        };
        let places: Vec<_> = found.iter().enumerate().map(place).collect();
        let mut rows = Column::new();
        let mut places = places.into_iter().peekable();
        while places.peek().is_some() {
            rows = rows.push(Row::with_children(places.by_ref().take(COLUMNS)));
        }
        let hint = match (found.is_empty(), self.sought.is_empty()) {
            (true, _) => words::no_emoji(&self.sought),
            (false, true) => words::EMOJI_HINT.to_owned(),
            (false, false) => self.sought.clone(),
        };
        let panel = column![text(hint).size(size::SMALL).style(theme::faint), rows];
        let panel = panel.spacing(space::TIGHT).padding(iced::padding::right(space::INNER));
        let panel = widget::scroll(panel);
        container(panel)
            .padding(space::SMALL)
            .width(Fill)
            .max_height(height)
            .style(theme::panel)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_stay_within_and_typing_finds() {
        let mut emoji = Emoji::default();
        assert_eq!(emoji.chosen(), Some("😀"));
        emoji.step(-1);
        emoji.step(COLUMNS as isize);
        assert_eq!(emoji.chosen(), Some("🤔"));
        emoji.step(1000);
        assert_eq!(emoji.chosen(), Some("🤔"));
        "HeA".chars().for_each(|letter| emoji.typed(letter));
        assert_eq!(emoji.found(), ["😍", "❤️", "💔"]);
        emoji.step(1);
        assert_eq!(emoji.chosen(), Some("❤️"));
        emoji.typed('x');
        assert_eq!(emoji.chosen(), None);
        emoji.erased();
        assert_eq!(emoji.chosen(), Some("😍"));
        "y".repeat(100).chars().for_each(|letter| emoji.typed(letter));
        assert!(emoji.sought.len() <= SOUGHT_MAX);
    }
}
