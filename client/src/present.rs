//! Words for numbers, states and texts: plain functions from values to what is read.

use std::time::Duration;

use client_link::api::MessageState;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use wire::size::{MESSAGE_ID, PEER_PAYLOAD, TEXT_MAX};

/// Where and when the window is, to say when something was.
#[derive(Clone, Debug)]
pub struct Here {
    /// Now, milliseconds since 1970.
    pub unix_ms: u64,
    /// The time zone of this machine.
    pub zone: TimeZone,
}

/// How far a message of ours is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Handed to the engine, which has not kept it yet.
    Written,
    /// The engine has it, with the round that did it.
    At(MessageState, Option<u64>),
    /// The engine did not take it, and why.
    Refused(String),
}

/// Shows a text so that it can do nothing but be read: control characters and those that turn the
/// direction of writing around become a visible mark.
pub fn plain(text: &str) -> String {
    let is_hidden = |character: char| {
        let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || character.is_control() && !matches!(character, '\n' | '\t')
    };
    text.replace("\r\n", "\n")
        .chars()
        .map(|character| if is_hidden(character) { char::REPLACEMENT_CHARACTER } else { character })
        .collect()
}

/// Says when a message was written: the time today, the day and the time before that.
pub fn time(unix_ms: u64, here: &Here) -> String {
    let local = |unix_ms: u64| {
        let unix_ms = i64::try_from(unix_ms).ok()?;
        Some(Timestamp::from_millisecond(unix_ms).ok()?.to_zoned(here.zone.clone()))
    };
    let (Some(then), Some(now)) = (local(unix_ms), local(here.unix_ms)) else {
        return "at an impossible time".into();
    };
    let format = if then.date() == now.date() {
        "%H:%M"
    } else if then.year() == now.year() {
        "%-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    then.strftime(format).to_string()
}

/// Says how far a message of ours is, with the messages of ours that go before it.
pub fn progress(progress: &Progress, ahead: usize) -> String {
    match progress {
        Progress::Written => "being saved".into(),
        Progress::At(MessageState::Queued, _) if ahead == 0 => "queued".into(),
        Progress::At(MessageState::Queued, _) => format!("queued, {ahead} ahead"),
        Progress::At(MessageState::Sent, Some(round)) => format!("in round {round}"),
        Progress::At(MessageState::Sent, None) => "in a round".into(),
        Progress::At(MessageState::Delivered, _) => "delivered".into(),
        Progress::Refused(why) => format!("not sent: {why}"),
    }
}

/// Says how many rounds a text takes; nothing of a text that is not there.
pub fn length(bytes: usize, round_ms: Option<u32>) -> String {
    let rounds = (MESSAGE_ID + bytes).div_ceil(PEER_PAYLOAD);
    match (bytes, rounds, round_ms) {
        (0, ..) => String::new(),
        (bytes, ..) if bytes > TEXT_MAX => {
            let (bytes, most) = (grouped(bytes), grouped(TEXT_MAX));
            format!("too long: {bytes} bytes, at most {most} go in one message")
        }
        (_, 1, _) => "fits in one round".into(),
        (_, rounds, None) => format!("needs {rounds} rounds"),
        (_, rounds, Some(round_ms)) => {
            let seconds = (rounds as u64 * u64::from(round_ms)).div_ceil(1000);
            format!("needs {rounds} rounds ({seconds} s)")
        }
    }
}

/// Says how long something still takes, in whole seconds.
pub fn seconds(left: Duration) -> String {
    match left.as_millis().div_ceil(1000) {
        0 => "now".into(),
        seconds @ 1..=99 => format!("in {seconds} s"),
        seconds => format!("in {} min", seconds.div_ceil(60)),
    }
}

/// Says how many there are of something.
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

/// Writes a number with a comma between its thousands.
fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const DAY_MS: u64 = 24 * HOUR_MS;

    fn lines<T>(cases: impl IntoIterator<Item = T>, words: impl Fn(T) -> String) -> String {
        cases.into_iter().map(words).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_text_can_do_nothing_but_be_read() {
        let shown = lines(
            [
                "two\r\nlines\tand a tab",
                "\u{1b}[2J\u{7}\0\u{7f}\u{9b}",
                "exe.\u{202e}gpj.pdf\u{2066}\u{2069}",
                "שלום \u{200f}עולם, 日本語, 🏳️‍🌈, e\u{301}",
                "lone\rreturn",
            ],
            plain,
        );
        assert_snapshot!(shown);
    }

    #[test]
    fn a_time_is_as_short_as_it_can_be() {
        // 2026-11-23 09:30 UTC
        let now = 1_795_426_200_000;
        let here = Here { unix_ms: now, zone: TimeZone::fixed(jiff::tz::offset(2)) };
        let shown = lines(
            [
                now,
                now - 12 * HOUR_MS,
                now - 40 * DAY_MS,
                now - 400 * DAY_MS,
                now + DAY_MS,
                0,
                u64::MAX,
            ],
            |unix_ms| time(unix_ms, &here),
        );
        assert_snapshot!(shown);
    }

    #[test]
    fn progress_is_said_in_words() {
        let cases = [
            (Progress::Written, 3),
            (Progress::At(MessageState::Queued, None), 0),
            (Progress::At(MessageState::Queued, None), 12),
            (Progress::At(MessageState::Sent, Some(1_234_567)), 0),
            (Progress::At(MessageState::Delivered, Some(9)), 0),
            (Progress::Refused("no conversation is open".into()), 0),
        ];
        assert_snapshot!(lines(cases, |(it, ahead)| progress(&it, ahead)));
    }

    #[test]
    fn lengths_seconds_and_counts_are_said_in_words() {
        let lengths = [0, 1, 284, 285, 1000, TEXT_MAX, TEXT_MAX + 1, 5_000_000];
        let lengths = lines(lengths, |bytes| length(bytes, Some(2000)));
        let unknown = length(1000, None);
        let left = [0, 1, 1000, 1001, 99_000, 100_000, 3_600_000];
        let left = lines(left, |ms| seconds(Duration::from_millis(ms)));
        let counts = lines([0, 1, 999, 1000, 1_234_567], |number| count(number, "seat", "seats"));
        assert_snapshot!([lengths, unknown, left, counts].join("\n"));
    }
}
