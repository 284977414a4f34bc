//! What stands between messages, and which of them belong together.

use std::ops::Range;

use super::conversation::{By, Conversation, Divider, Shown};
use crate::present::{self, Here, Progress};

/// How long after a message of the same person another one stands in its group, in milliseconds.
const GROUP_MS: u64 = 5 * 60 * 1000;

/// A message with what stands around it.
pub struct Row<'a> {
    /// The message.
    pub shown: &'a Shown,
    /// Messages of ours that go before it.
    pub ahead: usize,
    /// The day, if it is the first one of it.
    pub day: Option<String>,
    /// How many were not looked at, if it is the first one of them.
    pub unread: Option<u32>,
    /// Whether its group begins with it.
    pub begins: bool,
    /// Whether time and state stand below it.
    pub ends: bool,
}

/// Returns messages with what stands around them.
pub fn rows<'a>(
    conversation: &'a Conversation,
    slice: Range<usize>,
    here: &Here,
) -> impl Iterator<Item = Row<'a>> {
    let messages = &conversation.messages;
    let is_divided = |shown: &Shown| {
        let number = Some(shown.number);
        conversation.divider.filter(|divider| divider.before == number)
    };
    let begins = move |at: usize| -> (Option<String>, Option<Divider>, bool) {
        let (shown, before) = (&messages[at], at.checked_sub(1).map(|at| &messages[at]));
        let is_day = !before.is_some_and(|it| present::is_one_day(it.sent_ms, shown.sent_ms, here));
        let day = is_day.then(|| present::day(shown.sent_ms, here));
        let divider = is_divided(shown);
        let goes_on = before.is_some_and(|before| is_grouped(before, shown));
        let begins = is_day || divider.is_some() || !goes_on;
        (day, divider, begins)
    };
    let Range { start, end } = slice;
    let queue = conversation.with_queue().enumerate().skip(start).take(end.saturating_sub(start));
    let rows: Vec<_> = queue
        .map(|(at, (shown, ahead))| {
            let (day, divider, begins_here) = begins(at);
            let next = messages.get(at + 1);
            let is_last = next.is_none() || begins(at + 1).2;
            let is_under_way = conversation.parts(shown).is_some();
            let ends = is_last || is_under_way || next.is_some_and(|it| !is_as_far(shown, it));
            let unread = divider.map(|divider| divider.count);
            Row { shown, ahead, day, unread, begins: begins_here, ends }
        })
        .collect();
    rows.into_iter()
}

fn is_grouped(one: &Shown, next: &Shown) -> bool {
    let is_ours = |shown: &Shown| matches!(shown.by, By::Us { .. });
    is_ours(one) == is_ours(next) && one.sent_ms.abs_diff(next.sent_ms) <= GROUP_MS
}

/// Tells whether one line says how far both are.
fn is_as_far(one: &Shown, other: &Shown) -> bool {
    match (&one.by, &other.by) {
        (By::Us { progress: one, .. }, By::Us { progress: other, .. }) => match (one, other) {
            (Progress::Written, Progress::Written) => true,
            (Progress::At(one, _), Progress::At(other, _)) => one == other,
            (Progress::Written | Progress::At(..) | Progress::Refused(_), _) => false,
        },
        (By::Peer { .. }, By::Peer { .. }) => true,
        (By::Us { .. }, By::Peer { .. }) | (By::Peer { .. }, By::Us { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use client_link::api::MessageState;
    use insta::assert_snapshot;
    use jiff::tz::TimeZone;
    use wire::ids::MessageId;

    use super::*;

    const MINUTE_MS: u64 = 60_000;
    /// 2026-11-23 09:30 UTC, a Monday.
    const NOW_MS: u64 = 1_795_426_200_000;

    fn shown(conversation: &Conversation) -> String {
        let here = Here { unix_ms: NOW_MS, zone: TimeZone::UTC };
        let mut lines = Vec::new();
        for row in rows(conversation, 0..conversation.messages.len(), &here) {
            lines.extend(row.day.map(|day| format!("---- {day} ----")));
            lines.extend(row.unread.map(|count| format!("---- {count} new ----")));
            let (side, state) = match &row.shown.by {
                By::Peer { .. } => ("<", String::new()),
                By::Us { progress, .. } => {
                    let parts = conversation.parts(row.shown);
                    let waits = present::WaitsFor::Rounds;
                    let words = present::progress(progress, row.ahead, waits, parts);
                    (">", format!(" · {words}"))
                }
            };
            let begins = if row.begins { side } else { "|" };
            lines.push(format!("{begins} {}", row.shown.text));
            let clock = present::clock(row.shown.sent_ms, &here);
            lines.extend(row.ends.then(|| format!("    {clock}{state}")));
        }
        lines.join("\n")
    }

    #[test]
    fn messages_are_grouped_by_day_writer_and_time() {
        let mut conversation = Conversation::default();
        let mut id = 0;
        let mut theirs = |conversation: &mut Conversation, text: &str, sent_ms| {
            id += 1;
            assert!(conversation.arrived(MessageId([id; 8]), text.into(), sent_ms, 7));
        };
        let yesterday = NOW_MS - 24 * 60 * MINUTE_MS;
        theirs(&mut conversation, "long ago", NOW_MS - 100 * 24 * 60 * MINUTE_MS);
        theirs(&mut conversation, "yesterday", yesterday);
        theirs(&mut conversation, "five minutes later", yesterday + 5 * MINUTE_MS);
        theirs(&mut conversation, "six minutes later", yesterday + 11 * MINUTE_MS);
        for (label, state) in [
            ("a", Some((MessageState::Delivered, Some(3)))),
            ("b", Some((MessageState::Delivered, Some(4)))),
            ("c", Some((MessageState::Sent, Some(5)))),
            ("d", Some((MessageState::Queued, None))),
            ("e", Some((MessageState::Queued, None))),
            ("f", None),
        ] {
            conversation.written(label.into(), label.into(), NOW_MS - MINUTE_MS);
            if let Some((state, round)) = state {
                conversation.went(label, state, round);
            }
        }
        conversation.refused("f", "no room".into());
        theirs(&mut conversation, "read", NOW_MS - MINUTE_MS);
        theirs(&mut conversation, "not looked at", NOW_MS);
        conversation.missed();
        conversation.entered();
        theirs(&mut conversation, "of no calendar", u64::MAX);
        assert_snapshot!(shown(&conversation));
    }
}
