//! Where the reader of a conversation is, and which messages are made into rows for that.

use std::ops::Range;

use super::conversation::Shown;
use crate::widget::roll::{Around, Jump, Seen};

/// Rows that are made beyond those that are seen, on either side.
const BEYOND: usize = 40;

/// Rows that are made at most, so that a picture costs the same however long people talk.
pub const ROWS_MAX: usize = 200;

/// Rows from the oldest that is loaded at which older ones are asked for.
const NEAR: usize = 20;

/// Where the reader is.
#[derive(Debug, Default)]
pub struct Reader {
    seen: Option<Seen>,
    jump: Jump,
    /// Messages that came below what is seen.
    newer: u32,
    /// The message that was jumped to, until the conversation is left.
    marked: Option<u64>,
}

impl Reader {
    /// Returns how many messages came below what is seen.
    pub fn newer(&self) -> u32 {
        self.newer
    }

    /// Returns the last jump.
    pub fn jump(&self) -> Jump {
        self.jump
    }

    /// Returns the number of the message that was looked for.
    pub fn marked(&self) -> Option<u64> {
        self.marked
    }

    /// Tells whether the end is seen, as far as is known.
    pub fn is_at_end(&self) -> bool {
        self.seen.is_none_or(|seen| seen.is_end)
    }

    /// Other rows are seen.
    pub fn saw(&mut self, seen: Seen) {
        self.seen = Some(seen);
        if seen.is_end {
            self.newer = 0;
        }
    }

    /// A message came at the end.
    pub fn came(&mut self) {
        if !self.is_at_end() {
            self.newer = self.newer.saturating_add(1);
        }
    }

    /// Goes to the end, where it stays.
    pub fn go_to_end(&mut self) {
        self.seen = None;
        self.newer = 0;
        self.go(None);
    }

    /// Goes to a message.
    pub fn go_to(&mut self, number: u64) {
        self.seen = Some(Seen { first: number, last: number, is_end: false });
        self.go(Some(number));
    }

    /// Goes to a message unless all of it is seen, as far as is known.
    pub fn reveal(&mut self, number: u64, messages: &[Shown]) {
        let at = |number| messages.iter().rposition(|shown| shown.number == number);
        let seen = self.seen.and_then(|seen| Some((at(seen.first)?, at(seen.last)?, seen.is_end)));
        let is_seen = seen
            .zip(at(number))
            .is_some_and(|((first, last, is_end), at)| at > first && (at < last || is_end));
        if !is_seen {
            self.go_to(number);
        }
    }

    /// Goes to a message that was looked for.
    pub fn go_to_marked(&mut self, number: u64) {
        self.marked = Some(number);
        self.go_to(number);
    }

    /// The conversation is left: nothing is marked, and the next time begins at the end.
    pub fn leave(&mut self) {
        self.marked = None;
        self.go_to_end();
    }

    fn go(&mut self, to: Option<u64>) {
        self.jump = Jump { number: self.jump.number + 1, to };
    }

    /// Returns the messages that are made into rows.
    pub fn slice(&self, messages: &[Shown]) -> Range<usize> {
        let count = messages.len();
        let at = |number| messages.iter().rposition(|shown| shown.number == number);
        let seen = self.seen.and_then(|seen| Some((at(seen.first)?, at(seen.last)?, seen.is_end)));
        let (first, last) = match seen {
            None => (count.saturating_sub(BEYOND), count),
            Some((first, _, true)) => (first, count),
            Some((first, last, false)) => (first, last + 1),
        };
        let start = first.saturating_sub(BEYOND);
        let end = (last + BEYOND).min(count);
        // the end of a window that is higher than all of them counts
        let is_end = seen.is_none_or(|(_, _, is_end)| is_end);
        if is_end {
            start.max(end.saturating_sub(ROWS_MAX))..end
        } else {
            start..end.min(start + ROWS_MAX)
        }
    }

    /// Returns how many messages are not made into rows.
    pub fn around(&self, messages: &[Shown]) -> Around {
        let Range { start, end } = self.slice(messages);
        Around { before: start, after: messages.len() - end }
    }

    /// Tells whether the oldest that is loaded is near.
    pub fn is_near_top(&self, messages: &[Shown]) -> bool {
        let first = self.seen.map(|seen| seen.first);
        first.is_some_and(|first| messages.iter().take(NEAR).any(|shown| shown.number == first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::main::conversation::Conversation;
    use wire::ids::MessageId;

    fn conversation(count: u64) -> Conversation {
        let mut conversation = Conversation::default();
        for number in 1..=count {
            let id = MessageId(number.to_be_bytes());
            assert!(conversation.arrived(id, number.to_string(), number, 1));
        }
        conversation
    }

    fn seen(first: u64, last: u64, is_end: bool) -> Seen {
        Seen { first, last, is_end }
    }

    #[test]
    fn however_many_are_loaded_only_those_around_the_reader_are_made() {
        let Conversation { messages, .. } = conversation(10_000);
        let mut reader = Reader::default();
        assert_eq!(reader.slice(&messages), 9920..10_000, "it begins at the end");
        reader.saw(seen(9990, 10_000, true));
        assert_eq!(reader.slice(&messages), 9949..10_000);
        reader.saw(seen(5000, 5010, false));
        assert_eq!(reader.slice(&messages), 4959..5050);
        assert_eq!(reader.around(&messages), Around { before: 4959, after: 4950 });
        reader.saw(seen(1, 9000, false));
        assert_eq!(reader.slice(&messages), 0..ROWS_MAX);
        reader.go_to(700);
        assert_eq!(reader.slice(&messages), 659..740);
        assert_eq!(reader.jump().to, Some(700));
        reader.saw(seen(77_777, 88_888, false));
        assert_eq!(reader.slice(&messages), 9920..10_000, "what is gone is nowhere");
    }

    #[test]
    fn what_comes_is_counted_while_the_end_is_not_seen() {
        let mut reader = Reader::default();
        reader.came();
        assert_eq!(reader.newer(), 0, "it begins at the end");
        reader.saw(seen(1, 2, false));
        reader.came();
        reader.came();
        assert_eq!(reader.newer(), 2);
        let jump = reader.jump();
        reader.go_to_end();
        assert!(reader.newer() == 0 && reader.jump() != jump && reader.jump().to.is_none());
        reader.saw(seen(1, 2, false));
        reader.came();
        reader.saw(seen(1, 3, true));
        assert_eq!(reader.newer(), 0);
    }

    #[test]
    fn what_is_seen_is_not_gone_to() {
        let Conversation { messages, .. } = conversation(100);
        let mut reader = Reader::default();
        reader.saw(seen(90, 100, true));
        let jump = reader.jump();
        reader.reveal(100, &messages);
        reader.reveal(91, &messages);
        assert_eq!(reader.jump(), jump);
        reader.reveal(90, &messages);
        assert_eq!(reader.jump().to, Some(90), "perhaps only its lower edge is seen");
    }

    #[test]
    fn older_ones_are_near_when_one_of_the_first_twenty_is_seen() {
        let Conversation { messages, .. } = conversation(100);
        let mut reader = Reader::default();
        assert!(!reader.is_near_top(&messages));
        reader.saw(seen(21, 40, false));
        assert!(!reader.is_near_top(&messages));
        reader.saw(seen(20, 39, false));
        assert!(reader.is_near_top(&messages));
    }
}
