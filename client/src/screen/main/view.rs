//! What the main screen looks like.

use iced::widget::{Column, column, container, responsive, row, space as blank, text};
use iced::{Center, Element, Fill, Size};

use super::conversation::Conversation;
use super::messages::COLUMN_WIDTH;
use super::privacy::Cover;
use super::safety::Safety;
use super::standing::Room;
use super::{Main, Message, Notice};
use crate::clock::Now;
use crate::present::Here;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// Notices that are shown at once.
const NOTICES_SHOWN: usize = 3;

/// Narrowest window that has room for the list beside a conversation, in pixels.
const WIDE_MIN: f32 = 620.0;

/// Narrowest conversation that has its head in one line, in pixels.
const ROOM_MIN: f32 = 480.0;

/// What the privacy bar says where there is little room: all but what was sent.
const DETAILS_NARROW: usize = 4;

/// Most that what lies on top takes of the height.
const ON_TOP: f32 = 0.45;

/// Width of the list of people, in pixels, in windows that are wide and very wide.
const LIST_WIDTH: f32 = 280.0;
const LIST_WIDTH_WIDE: f32 = 340.0;

/// Narrowest window that has room for a wide list, in pixels.
const VERY_WIDE_MIN: f32 = 1200.0;

impl Main {
    /// Shows all of it: where there is room, the list beside a conversation, else one of them.
    pub fn view<'a>(&'a self, now: Now, here: &'a Here) -> Element<'a, Message> {
        responsive(move |size| self.sized(size, now, here)).into()
    }

    fn sized<'a>(&'a self, size: Size, now: Now, here: &'a Here) -> Element<'a, Message> {
        let shown = self.shown.as_ref().and_then(|it| self.conversations.get_key_value(it));
        let is_wide = size.width >= WIDE_MIN;
        let list_width = if size.width < VERY_WIDE_MIN { LIST_WIDTH } else { LIST_WIDTH_WIDE };
        let rest = Size { width: size.width - list_width - 1.0, ..size };
        let room = if rest.width < ROOM_MIN { Room::Narrow } else { Room::Wide };
        let middle: Element<'_, Message> = match (shown, is_wide) {
            (Some((peer, conversation)), false) => {
                self.conversation_view(peer, conversation, here, size, Room::Alone)
            }
            (None, false) if self.search.is_some() => self.nobody(here),
            (None, false) => container(self.list(here)).width(Fill).into(),
            (shown, true) => {
                let conversation = match shown {
                    Some((peer, it)) => self.conversation_view(peer, it, here, rest, room),
                    None => self.nobody(here),
                };
                let upright = container(blank().width(1).height(Fill)).style(theme::line);
                let list = container(self.list(here)).width(list_width);
                row![list, upright, container(conversation).width(Fill).height(Fill)].into()
            }
        };
        let middle = container(middle).height(Fill);
        let banner = self.privacy.is_lost().then(|| self.banner(now));
        let notices = self.notices.iter().take(NOTICES_SHOWN).map(notice);
        let hidden = self.notices.len().saturating_sub(NOTICES_SHOWN);
        let hidden = (hidden > 0).then(|| {
            let more = text(words::more_notices(hidden)).size(size::SMALL);
            container(more).padding(space::SMALL).width(Fill).style(theme::banner)
        });
        let top = Column::new().push(banner).extend(notices).push(hidden);
        let top = container(widget::scroll(top)).max_height(ON_TOP * size.height);
        let bar = self.privacy_bar(now, is_wide);
        column![top, middle, widget::rule(), bar].into()
    }

    /// What is shown while nobody is chosen.
    fn nobody<'a>(&'a self, here: &'a Here) -> Element<'a, Message> {
        let hint = match self.people.is_empty() {
            true => words::NOBODY_ELSE,
            false => words::CHOOSE_HINT,
        };
        let words = column![
            text(words::CHOOSE).size(size::LARGE),
            text(hint).size(size::BODY).style(theme::faint).center(),
        ];
        let words = words.spacing(space::SMALL).align_x(Center).max_width(420);
        let words = container(words).center(Fill).padding(space::WIDE);
        match &self.search {
            Some(search) if search.shows_hits() => {
                column![search.bar(), search.hits(&self.user, here)].into()
            }
            Some(search) => column![search.bar(), words].into(),
            None => words.into(),
        }
    }

    fn conversation_view<'a>(
        &'a self,
        peer: &'a str,
        conversation: &'a Conversation,
        here: &'a Here,
        size: Size,
        room: Room,
    ) -> Element<'a, Message> {
        let middle = match (&self.search, &conversation.safety) {
            (Some(search), _) if search.shows_hits() => search.hits(&self.user, here),
            (_, Safety::Shown(number)) => number.view(peer, self.mark(peer)),
            (_, Safety::Hidden | Safety::Asked) => {
                self.messages(peer, conversation, here, size.width)
            }
        };
        let head = self.head(peer, conversation, room);
        let menu = self.menu(peer, conversation, room);
        let find = self.search.as_ref().map(|search| search.bar());
        let strip = match &self.prompt {
            Some(address) => Some(address.view()),
            None => self.strip(peer),
        };
        let export = self.export_progress();
        let composer = self.composer(peer, conversation, size.height);
        let composer = container(container(composer).max_width(COLUMN_WIDTH)).center_x(Fill);
        let on_top = column![].push(menu).push(export).push(strip);
        let on_top = container(widget::scroll(on_top)).max_height(ON_TOP * size.height);
        let top = column![head, widget::rule()].push(find).push(on_top);
        column![top, container(middle).height(Fill), composer].into()
    }

    /// What is shown while this client is out of the rounds.
    fn banner(&self, now: Now) -> Element<'_, Message> {
        let lost = text(words::LOST).size(size::BODY);
        let next = text(self.privacy.next_try(now.at)).size(size::BODY);
        let retry = widget::secondary("retry", words::RETRY, Some(Message::RetryPressed));
        let words = column![lost, next].spacing(2).width(Fill);
        let banner = row![words, retry].spacing(space::INNER).align_y(Center);
        container(banner).padding(space::INNER).width(Fill).style(theme::banner).into()
    }

    fn privacy_bar(&self, now: Now, is_wide: bool) -> Element<'_, Message> {
        let words = self.privacy.words(now.at);
        let cover = text(words.cover).size(size::SMALL);
        let cover = cover.style(match words.grade {
            Cover::None => theme::bad,
            Cover::Weak => theme::caution,
            Cover::Good => theme::good,
        });
        let details = words.details.iter().take(if is_wide { usize::MAX } else { DETAILS_NARROW });
        let details = details.map(|it| &**it).collect::<Vec<_>>().join("  ·  ");
        let details = text(details).size(size::SMALL).style(theme::faint);
        let (words, meaning): (Element<'_, Message>, _) = match is_wide {
            true => {
                let details = container(details).width(Fill);
                (row![cover, details].spacing(space::INNER).into(), words::MEANING)
            }
            false => (column![cover, details].into(), words::MEANING_SHORT),
        };
        let meaning = widget::quiet("meaning", meaning, Some(Message::MeaningPressed));
        let bar = row![container(words).width(Fill), meaning];
        let bar = bar.spacing(space::INNER).align_y(Center);
        container(bar).padding([space::TIGHT, space::INNER]).width(Fill).style(theme::panel).into()
    }
}

fn notice(notice: &Notice) -> Element<'_, Message> {
    let read = Message::NoticeRead(notice.number);
    let read = widget::secondary("notice", words::READ, Some(read));
    let words = text(&notice.words).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    let notice = row![words.width(Fill), read].spacing(space::INNER).align_y(Center);
    container(notice).padding(space::INNER).width(Fill).style(theme::banner).into()
}
