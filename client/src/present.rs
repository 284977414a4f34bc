//! Words for numbers, states and texts: plain functions from values to what is read.

use std::time::Duration;

use client_link::api::{MessageState, UnderWay};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
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

/// Shows a text in one line, as much of it as a row may take.
pub fn one_line(text: &str) -> String {
    affordable(text, ROW).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cost of what is shown of a text in a row, in ASCII characters.
const ROW: usize = 120;

/// Shows the beginning of a text that may be laid out for a cost.
fn affordable(text: &str, most: usize) -> String {
    let spent = text.chars().scan(0, |spent, it| {
        *spent += cost(it);
        (*spent <= most).then_some(it)
    });
    spent.map(visible).collect()
}

/// What stands around the place of a text that was looked for, in one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Around {
    /// Some of what is before it.
    pub before: String,
    /// What was looked for, as it is written there.
    pub found: String,
    /// What is behind it.
    pub after: String,
}

/// Characters before the place that are shown.
const BEFORE_MAX: usize = 30;

/// Shows what stands around the first place where something is written, whatever its case; the beginning if it is not.
pub fn around(text: &str, sought: &str) -> Around {
    let sought: Vec<char> = sought.chars().flat_map(char::to_lowercase).collect();
    let ends = |start: usize| {
        let mut left = &sought[..];
        for (at, character) in text[start..].char_indices() {
            if left.is_empty() {
                return Some(start + at);
            }
            for lower in character.to_lowercase() {
                left = left.strip_prefix(&[lower])?;
            }
        }
        left.is_empty().then_some(text.len())
    };
    let place = text.char_indices().find_map(|(start, _)| Some((start, ends(start)?)));
    let (start, end) = place.filter(|_| !sought.is_empty()).unwrap_or((0, 0));
    let from = text[..start].char_indices().rev().nth(BEFORE_MAX).map(|(at, _)| at);
    let before = from.map_or(text[..start].into(), |from| format!("…{}", &text[from..start]));
    let flat = |text: &str| -> String {
        let shown = affordable(text, ROW);
        shown.chars().map(|it| if it.is_whitespace() { ' ' } else { it }).collect()
    };
    Around { before: flat(&before), found: flat(&text[start..end]), after: flat(&text[end..]) }
}

/// Says when a message was written: the time today, the day and the time before that.
pub fn time(unix_ms: u64, here: &Here) -> String {
    let (Some(then), Some(now)) = (here.local(unix_ms), here.now()) else {
        return IMPOSSIBLE.into();
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

/// In place of a time that no calendar has.
const IMPOSSIBLE: &str = "at an impossible time";

/// Says at what time of its day a message was written.
pub fn clock(unix_ms: u64, here: &Here) -> String {
    let then = here.local(unix_ms);
    then.map_or_else(|| IMPOSSIBLE.into(), |then| then.strftime("%H:%M").to_string())
}

/// Says when exactly a message was written.
pub fn moment(unix_ms: u64, here: &Here) -> String {
    let then = here.local(unix_ms);
    let words = |then: Zoned| then.strftime("%A, %-d %B %Y, %H:%M:%S").to_string();
    then.map_or_else(|| IMPOSSIBLE.into(), words)
}

/// Says on which day a message was written.
pub fn day(unix_ms: u64, here: &Here) -> String {
    let (Some(then), Some(now)) = (here.local(unix_ms), here.now()) else {
        return IMPOSSIBLE.into();
    };
    match days_ago(&then, &now) {
        Some(0) => "Today".into(),
        Some(1) => "Yesterday".into(),
        Some(_) | None if then.year() == now.year() => then.strftime("%A, %-d %B").to_string(),
        Some(_) | None => then.strftime("%A, %-d %B %Y").to_string(),
    }
}

/// Says as shortly as can be when something was last said.
pub fn lately(unix_ms: u64, here: &Here) -> String {
    let (Some(then), Some(now)) = (here.local(unix_ms), here.now()) else {
        return String::new();
    };
    let format = match days_ago(&then, &now) {
        Some(0) => "%H:%M",
        Some(1..=6) => "%a",
        Some(_) | None if then.year() == now.year() => "%-d %b",
        Some(_) | None => "%-d %b %Y",
    };
    then.strftime(format).to_string()
}

/// Tells whether two messages were written on one day.
pub fn is_one_day(one_ms: u64, other_ms: u64, here: &Here) -> bool {
    let date = |unix_ms| here.local(unix_ms).map(|then| then.date());
    date(one_ms) == date(other_ms)
}

fn days_ago(then: &Zoned, now: &Zoned) -> Option<i32> {
    Some(then.date().until(now.date()).ok()?.get_days())
}

impl Here {
    fn local(&self, unix_ms: u64) -> Option<Zoned> {
        let unix_ms = i64::try_from(unix_ms).ok()?;
        Some(Timestamp::from_millisecond(unix_ms).ok()?.to_zoned(self.zone.clone()))
    }

    fn now(&self) -> Option<Zoned> {
        self.local(self.unix_ms)
    }

    /// Names a moment so that it can stand in a file's name.
    pub fn stamp(&self) -> String {
        let now = self.now();
        now.map_or_else(String::new, |now| now.strftime("%Y-%m-%d-%H%M%S").to_string())
    }
}

/// What a message of ours waits for that is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor<'a> {
    /// The rounds to carry it.
    Rounds,
    /// Somebody to be there.
    Peer(&'a str),
    /// Somebody to answer a call.
    Answer(&'a str),
}

/// Says how far a message of ours is, with the messages of ours that go before it, what it waits for, and how many of its
/// parts arrived if it goes out in parts.
pub fn progress(
    progress: &Progress,
    ahead: usize,
    waits_for: WaitsFor<'_>,
    parts: Option<&UnderWay>,
) -> String {
    if let (WaitsFor::Rounds, Some(UnderWay { arrived, parts, label: _ })) = (waits_for, parts) {
        return format!("{arrived} of {parts} parts delivered");
    }
    match progress {
        Progress::Written => "being saved".into(),
        Progress::At(MessageState::Queued, _) => match waits_for {
            WaitsFor::Peer(peer) => format!("waiting for {peer} to be online"),
            WaitsFor::Answer(peer) => format!("waiting for {peer} to answer"),
            WaitsFor::Rounds if ahead == 0 => "queued".into(),
            WaitsFor::Rounds => format!("queued, {ahead} ahead"),
        },
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
pub fn grouped(number: impl ToString) -> String {
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
            (Progress::Written, 3, WaitsFor::Peer("bob")),
            (Progress::At(MessageState::Queued, None), 0, WaitsFor::Rounds),
            (Progress::At(MessageState::Queued, None), 12, WaitsFor::Rounds),
            (Progress::At(MessageState::Queued, None), 12, WaitsFor::Peer("bob")),
            (Progress::At(MessageState::Queued, None), 0, WaitsFor::Answer("zoe")),
            (Progress::At(MessageState::Sent, Some(1_234_567)), 0, WaitsFor::Peer("bob")),
            (Progress::At(MessageState::Delivered, Some(9)), 0, WaitsFor::Peer("bob")),
            (Progress::Refused("no conversation is open".into()), 0, WaitsFor::Rounds),
        ];
        let said = |(it, ahead, waits_for)| progress(&it, ahead, waits_for, None);
        assert_snapshot!(lines(cases, said));

        let parts = UnderWay { label: "m1".into(), arrived: 12, parts: 57 };
        let queued = Progress::At(MessageState::Queued, None);
        let said = |waits_for| progress(&queued, 0, waits_for, Some(&parts));
        assert_eq!(said(WaitsFor::Rounds), "12 of 57 parts delivered");
        assert_eq!(said(WaitsFor::Peer("bob")), "waiting for bob to be online");
    }

    #[test]
    fn days_and_moments_are_said_as_people_say_them() {
        // 2026-11-23 09:30 UTC, a Monday
        let now = 1_795_426_200_000;
        let here = Here { unix_ms: now, zone: TimeZone::fixed(jiff::tz::offset(2)) };
        let times = [
            now,
            now - 12 * HOUR_MS,
            now - 3 * DAY_MS,
            now - 40 * DAY_MS,
            now - 400 * DAY_MS,
            now + DAY_MS,
            u64::MAX,
        ];
        assert_snapshot!(lines(times, |it| {
            let (day, lately) = (day(it, &here), lately(it, &here));
            format!("{day} | {} | {} | {lately}", clock(it, &here), moment(it, &here))
        }));
        assert!(is_one_day(now, now - 11 * HOUR_MS, &here));
        assert!(!is_one_day(now, now - 12 * HOUR_MS, &here));
        assert_eq!(here.stamp(), "2026-11-23-113000");
    }

    #[test]
    fn a_place_in_a_text_is_shown_with_what_stands_around_it() {
        let long = format!("{}Needle\nin hay", "x".repeat(50));
        let cases = [
            ("one NEEDLE here", "needle"),
            (&long, "needle\nIN"),
            ("ÄÖ straße", "öS"),
            ("no", "zz"),
            ("Öß ", "öß"),
        ];
        assert_snapshot!(lines(cases, |(text, sought)| {
            let Around { before, found, after } = around(text, sought);
            format!("{before}[{found}]{after}")
        }));
        assert_eq!(one_line(" a\n\tb\u{202e} "), "a b\u{fffd}");
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
