//! Words for numbers, states and texts: plain functions from values to what is read.

use std::time::Duration;

use client_link::api::MessageState;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use wire::size::{MESSAGE_ID, PEER_PAYLOAD, TEXT_MAX};

use crate::words::main as words;

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

impl Progress {
    /// Tells whether others wait for it: it is taken, and not delivered.
    pub fn waits(&self) -> bool {
        match self {
            Self::Written => true,
            Self::At(state, _) => *state < MessageState::Delivered,
            Self::Refused(_) => false,
        }
    }
}

/// Shows a text so that it can do nothing but be read: control characters and those that turn the
/// direction of writing around become a visible mark.
pub fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(visible).collect()
}

fn visible(character: char) -> char {
    match character {
        '\n' | '\t' => character,
        '\u{2028}' | '\u{2029}' => '\n',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

/// What is shown of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// As much as fits, [`plain`].
    pub text: String,
    /// Whether there is more.
    pub more: bool,
}

/// Cost of the first excerpt of a text, in ASCII characters.
const EXCERPT: usize = 2000;

/// How much longer each further excerpt is.
const EXCERPT_GROWS: usize = 8;

/// Shows the beginning of a text, 8 times as much with each further step.
///
/// Laying a character out takes from 1 µs to 300 µs, the longest if no font has it; without a bound on what that
/// costs, 50 messages of rare characters would stop the window for a minute.
pub fn excerpt(text: &str, steps: u32) -> Excerpt {
    let most = EXCERPT.saturating_mul(EXCERPT_GROWS.saturating_pow(steps));
    let mut spent = 0;
    let end = text.char_indices().find_map(|(at, character)| {
        spent += cost(character);
        (spent > most).then_some(at)
    });
    let shown = plain(&text[..end.unwrap_or(text.len())]);
    if end.is_none() && !shown.chars().any(is_seen) {
        return Excerpt { text: words::INVISIBLE.into(), more: false };
    }
    Excerpt { text: shown, more: end.is_some() }
}

/// Estimates what it takes to lay a character out, in ASCII characters, by the fonts that most machines have.
fn cost(character: char) -> usize {
    match character {
        // a line may be as short as it likes, and takes its height all the same
        '\n' => 40,
        '\0'..='\u{7f}' => 1,
        // Latin to Arabic; kana, CJK and Hangul; punctuation
        '\u{80}'..='\u{6ff}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{9fff}' => 3,
        '\u{ac00}'..='\u{d7a3}' | '\u{ff00}'..='\u{ffef}' => 3,
        // scripts of India and South-East Asia, and Latin with signs; symbols and emoji
        '\u{900}'..='\u{11ff}' | '\u{1e00}'..='\u{1fff}' => 16,
        '\u{2070}'..='\u{2bff}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f000}'..='\u{1faff}' => 16,
        _ => 64,
    }
}

/// Tells whether a character leaves something to be seen.
fn is_seen(character: char) -> bool {
    let is_joint = matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    !is_joint && !character.is_whitespace()
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

/// Cuts a long row of digits into groups of five, four groups a line.
pub fn digit_groups(digits: &str) -> Vec<Vec<String>> {
    let digits: Vec<char> = digits.chars().collect();
    let groups: Vec<String> = digits.chunks(5).map(|group| group.iter().collect()).collect();
    groups.chunks(4).map(<[String]>::to_vec).collect()
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
    fn an_excerpt_costs_little_whatever_is_written() {
        let whole = |text: &str| Excerpt { text: text.into(), more: false };
        assert_eq!(excerpt("hello\u{202e}", 0), whole("hello\u{fffd}"));
        let rare = "\u{12000}".repeat(100);
        let shown = |text: &str, steps| {
            let Excerpt { text, more } = excerpt(text, steps);
            (text.chars().count(), more)
        };
        assert_eq!((shown(&rare, 0), shown(&rare, 1)), ((31, true), (100, false)));
        assert_eq!(shown(&"x".repeat(TEXT_MAX), 0), (2000, true));
        assert_eq!(shown(&"x".repeat(TEXT_MAX), 2), (TEXT_MAX, false));
        assert_eq!(shown(&"😀".repeat(200), 0), (125, true));
        assert_eq!(shown(&"\n".repeat(1000), 0), (50, true));
        assert_eq!(shown(&"x\n".repeat(1000), 0), (97, true));
        assert_eq!(shown(&rare, u32::MAX), (100, false));
    }

    #[test]
    fn a_text_without_anything_to_see_is_said_to_be_that() {
        for text in ["\u{200b}\u{200b}", " \n\t", "\u{feff}\u{3164}", "\u{e0041}"] {
            assert_eq!(excerpt(text, 0).text, words::INVISIBLE, "{text:?}");
        }
        assert_eq!(excerpt("\u{200b}a", 0).text, "\u{200b}a");
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

    #[test]
    fn sixty_digits_are_twelve_groups_in_three_lines() {
        let digits: String = (0..60).map(|place| char::from(b'0' + place % 10)).collect();
        let lines = digit_groups(&digits);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| *line == ["01234", "56789", "01234", "56789"]));
        assert_eq!(digit_groups("1234567"), [["12345", "67"]]);
        assert!(digit_groups("").is_empty());
    }
}
