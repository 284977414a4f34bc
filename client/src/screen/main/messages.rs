//! What the messages of a conversation look like.

use iced::widget::{
    Column, Row as Line, button, center_x, column, container, hover, right, row, space as blank,
    stack, text,
};
use iced::{Bottom, Center, Element, Fill, Right};

use super::address::{self, Way};
use super::contacts::Bond;
use super::conversation::{By, Conversation, Older, Shown};
use super::rows::{self, Row};
use super::{Main, Message};
use crate::present::{self, Excerpt, Here, Progress, WaitsFor};
use crate::theme::{self, size, space};
use crate::widget;
use crate::widget::prose::Prose;
use crate::widget::roll::{Roll, TOP};
use crate::words::main as words;

/// What shows the messages.
pub const MESSAGES: &str = "messages";

/// Widest bubble, in pixels.
const BUBBLE_WIDTH: f32 = 640.0;

/// Widest column of messages, in pixels.
pub const COLUMN_WIDTH: f32 = 960.0;

/// Room beside a bubble for what can be done with it, in pixels.
const BESIDE: f32 = 44.0;

/// Between the messages of a group, in pixels.
const GROUPED: f32 = 2.0;

/// What a row is shown with.
struct Around<'a> {
    peer: &'a str,
    conversation: &'a Conversation,
    waits_for: WaitsFor<'a>,
    here: &'a Here,
    /// Widest bubble.
    width: f32,
}

impl Main {
    /// Shows the messages around the reader, and what leads to the end.
    pub(super) fn messages<'a>(
        &'a self,
        peer: &'a str,
        conversation: &'a Conversation,
        here: &'a Here,
        width: f32,
    ) -> Element<'a, Message> {
        let waits_for = match self.bond(peer) {
            Bond::Calling => WaitsFor::Answer(peer),
            Bond::Contact if self.privacy.is_covered() && !conversation.is_live => {
                WaitsFor::Peer(peer)
            }
            Bond::Contact
            | Bond::Stranger
            | Bond::Caller { .. }
            | Bond::KeyChanged
            | Bond::Blocked => WaitsFor::Rounds,
        };
        let width = width.min(COLUMN_WIDTH) - 2.0 * space::WIDE - BESIDE;
        let around = Around { peer, conversation, waits_for, here, width: width.min(BUBBLE_WIDTH) };
        let slice = conversation.reader.slice(&conversation.messages);
        let top = (slice.start == 0).then(|| older(conversation)).flatten();
        let top = top.map(|top| (TOP, top));
        let rows = rows::rows(conversation, slice, here);
        let rows = rows.map(|row| (row.shown.number, around.row(row)));
        let empty = conversation.messages.is_empty() && conversation.older == Older::All;
        let empty = empty.then(|| (TOP, self.empty(peer)));
        let rows = top.into_iter().chain(empty).chain(rows);
        let reader = &conversation.reader;
        let unmade = reader.around(&conversation.messages);
        let roll =
            Roll::new(MESSAGES, rows, unmade, reader.jump(), Message::Seen, Message::ThumbDragged);
        let pill = (!reader.is_at_end()).then(|| {
            let words = words::newer(reader.newer());
            let pill = button(text(words).size(size::SMALL)).padding([space::TIGHT, space::INNER]);
            let pill = pill.style(theme::primary).on_press(Message::EndPressed);
            let pill = container(widget::place("to-end", pill)).padding(space::SMALL);
            container(pill).center_x(Fill).align_y(Bottom).height(Fill)
        });
        stack![Element::from(roll)].push(pill).width(Fill).height(Fill).into()
    }

    /// What is said where nothing was written.
    fn empty<'a>(&self, peer: &str) -> Element<'a, Message> {
        let words = column![
            widget::disc::disc(peer),
            text(words::EMPTY).size(size::BODY),
            text(words::empty(peer)).size(size::SMALL).style(theme::faint).center(),
        ];
        let words = words.spacing(space::SMALL).align_x(Center).max_width(420);
        container(words).center_x(Fill).padding(space::WIDE).into()
    }
}

/// What stands above the oldest message that is loaded.
fn older(conversation: &Conversation) -> Option<Element<'_, Message>> {
    let content = match conversation.older {
        Older::All => return None,
        Older::Unasked if conversation.problem.is_some() => return None,
        Older::Unasked | Older::Asked => widget::hint(words::LOADING),
        Older::Before(_) if conversation.is_full() => widget::hint(words::LOADED_ENOUGH),
        Older::Before(_) => widget::quiet("older", words::OLDER, Some(Message::OlderPressed)),
    };
    Some(container(content).center_x(Fill).padding(space::SMALL).into())
}

impl<'a> Around<'a> {
    /// A message, with the lines above it and what is said below it.
    fn row(&self, row: Row<'a>) -> Element<'a, Message> {
        let Row { shown, ahead, day, unread, begins, ends } = row;
        let is_ours = matches!(shown.by, By::Us { .. });
        let is_chosen = self.conversation.chosen == Some(shown.number);
        let is_marked = self.conversation.reader.marked() == Some(shown.number);
        let bubble = self.bubble(shown, is_chosen || is_marked);
        let below = (ends || is_chosen).then(|| self.below(shown, ahead));
        let details = (is_chosen && self.conversation.shows_details).then(|| self.details(shown));
        let ways = is_chosen.then(|| self.ways());
        let message = column![bubble].push(below).push(details).push(ways).spacing(2);
        let message = match is_ours {
            true => right(message.align_x(Right).max_width(self.width)),
            false => container(message.max_width(self.width)).width(Fill),
        };
        let choose = button(text("…").size(size::BODY)).padding([0.0, space::SMALL]);
        let choose = choose.style(theme::secondary);
        let choose = choose.on_press(Message::Chosen(shown.number));
        let choose = widget::place(format!("choose-{}", shown.number), choose);
        let beside = match is_ours {
            true => container(choose).width(Fill),
            false => right(choose),
        };
        let message = if is_chosen { message.into() } else { hover(message, beside) };
        let lines = column![].push(day.map(divider)).push(unread.map(unread_divider));
        let gap = if begins { space::SMALL } else { GROUPED };
        let row = column![lines, blank().height(gap), message].width(Fill);
        center_x(container(row).padding([0.0, space::WIDE]).max_width(COLUMN_WIDTH)).into()
    }

    fn bubble(&self, shown: &'a Shown, is_marked: bool) -> Element<'a, Message> {
        let Excerpt { text: excerpt, more } = present::excerpt(&shown.text, shown.steps);
        let links = address::find(&excerpt);
        let number = shown.number;
        let body =
            Prose::new(excerpt, links, move |link| Message::Link(Way::Pressed(number, link)));
        let more = more
            .then(|| widget::secondary("more", words::MORE, Some(Message::MorePressed(number))));
        let body = column![Element::from(body)].push(more).spacing(space::SMALL);
        let is_ours = matches!(shown.by, By::Us { .. });
        let bubble = container(body).padding([space::SMALL, space::INNER]);
        bubble.style(theme::bubble(is_ours, is_marked)).into()
    }

    /// Time and state.
    fn below(&self, shown: &Shown, ahead: usize) -> Element<'a, Message> {
        let time = present::clock(shown.sent_ms, self.here);
        let By::Us { label, progress } = &shown.by else { return widget::hint(time) };
        let parts = self.conversation.parts(shown);
        let state = present::progress(progress, ahead, self.waits_for, parts);
        let is_refused = matches!(progress, Progress::Refused(_));
        let state = text(format!("{time} · {state}")).size(size::SMALL);
        let state = state.style(if is_refused { theme::bad } else { theme::faint });
        let again =
            || widget::quiet("again", words::AGAIN, Some(Message::AgainPressed(label.clone())));
        column![state].push(is_refused.then(again)).align_x(Right).into()
    }

    /// What is known of a message beyond what it says.
    fn details(&self, shown: &Shown) -> Element<'a, Message> {
        let written = present::moment(shown.sent_ms, self.here);
        let lines = match &shown.by {
            By::Peer { round, .. } => words::details_theirs(self.peer, &written, *round),
            By::Us { progress, .. } => {
                let state =
                    present::progress(progress, 0, self.waits_for, self.conversation.parts(shown));
                let round = match progress {
                    Progress::At(_, round) => *round,
                    Progress::Written | Progress::Refused(_) => None,
                };
                words::details_ours(&written, &state, round)
            }
        };
        let size = words::bytes(&present::grouped(shown.text.len()));
        let lines = lines.into_iter().chain([size]).map(widget::hint);
        let lines = Column::with_children(lines).spacing(2);
        let lines = container(lines).padding(space::SMALL).style(theme::form);
        widget::place("details-shown", lines)
    }

    /// What can be done with the chosen message.
    fn ways(&self) -> Element<'a, Message> {
        let copy = match self.conversation.is_copied {
            true => words::COPIED,
            false => words::COPY,
        };
        let copy = small("copy", copy, Message::CopyPressed);
        let details = small("details", words::DETAILS, Message::DetailsPressed);
        Line::with_children([copy, details]).spacing(space::TIGHT).into()
    }
}

fn small<'a>(id: &'static str, words: &'a str, pressed: Message) -> Element<'a, Message> {
    let way = button(text(words).size(size::SMALL)).padding([2.0, space::SMALL]);
    widget::place(id, way.style(theme::secondary).on_press(pressed))
}

/// The day, above its first message.
fn divider<'a>(day: String) -> Element<'a, Message> {
    container(widget::hint(day)).center_x(Fill).padding([space::SMALL, 0.0]).into()
}

/// Above the first message that was not looked at.
fn unread_divider<'a>(count: u32) -> Element<'a, Message> {
    let rule = || container(widget::rule()).width(Fill);
    let words = text(words::unread(count)).size(size::SMALL).style(theme::accented);
    let line = row![rule(), words, rule()].spacing(space::SMALL).align_y(Center);
    container(widget::place("unread", line)).padding([space::SMALL, 0.0]).into()
}
