//! What the main screen looks like.

use iced::keyboard::key::Named;
use iced::widget::text_editor;
use iced::widget::text_editor::{Binding, KeyPress};
use iced::widget::{Column, column, container, keyed_column, row, space as blank, text};
use iced::{Center, Element, Fill, Right, Shrink};

use super::conversation::{By, Conversation, Older, Shown};
use super::privacy::{self, Cover};
use super::safety::Safety;
use super::{Main, Message, Notice};
use crate::clock::Now;
use crate::present::{self, Excerpt, Here, Progress};
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// The field that messages are written in.
pub const COMPOSER: &str = "composer";

/// What shows the messages.
pub const MESSAGES: &str = "messages";

/// Widest bubble, in pixels.
const BUBBLE_WIDTH: f32 = 560.0;

/// Notices that are shown at once.
const NOTICES_SHOWN: usize = 3;

/// Highest field for a draft, in pixels; a longer one scrolls.
const COMPOSER_HEIGHT: f32 = 160.0;

impl Main {
    /// Shows all of it.
    pub fn view(&self, now: Now, here: &Here) -> Element<'_, Message> {
        let conversation =
            match self.shown.as_ref().and_then(|it| self.conversations.get_key_value(it)) {
                Some((peer, conversation)) => self.conversation_view(peer, conversation, here),
                None => self.nobody(),
            };
        let conversation = container(conversation).width(Fill).height(Fill);
        let upright = container(blank().width(1).height(Fill)).style(theme::line);
        let middle = row![self.list(), upright, conversation].height(Fill);
        let banner = self.privacy.is_lost().then(|| self.banner(now));
        let notices = self.notices.iter().take(NOTICES_SHOWN).map(notice);
        let hidden = self.notices.len().saturating_sub(NOTICES_SHOWN);
        let hidden = (hidden > 0).then(|| {
            let more = text(words::more_notices(hidden)).size(size::SMALL);
            container(more).padding(space::SMALL).width(Fill).style(theme::banner)
        });
        let top = Column::new().push(banner).extend(notices).push(hidden);
        let meaning = self.shows_meaning.then(privacy::meaning);
        column![top, middle, widget::rule()].push(meaning).push(self.privacy_bar(now)).into()
    }

    /// What is shown while nobody is chosen.
    fn nobody(&self) -> Element<'_, Message> {
        let words = column![
            text(words::CHOOSE).size(size::LARGE),
            text(words::CHOOSE_HINT).size(size::BODY).style(theme::faint).center(),
        ];
        let words = words.spacing(space::SMALL).align_x(Center).max_width(420);
        container(words).center(Fill).padding(space::WIDE).into()
    }

    fn conversation_view<'a>(
        &'a self,
        peer: &'a str,
        conversation: &'a Conversation,
        here: &Here,
    ) -> Element<'a, Message> {
        let middle = match &conversation.safety {
            Safety::Shown(number) => number.view(peer, self.mark(peer)),
            Safety::Hidden | Safety::Asked => messages(conversation, here),
        };
        let head = self.head(peer, conversation);
        let strip = self.strip(peer);
        let composer = self.composer(peer, conversation);
        column![head, widget::rule()].push(strip).push(middle).push(composer).into()
    }

    fn composer<'a>(&self, peer: &str, conversation: &'a Conversation) -> Element<'a, Message> {
        let draft = &conversation.draft;
        let editor = text_editor(draft).id(COMPOSER).placeholder(words::WRITE).size(size::BODY);
        let editor = editor.padding(space::INNER).height(Shrink).max_height(COMPOSER_HEIGHT);
        let editor =
            editor.on_action(Message::DraftEdited).key_binding(binding).style(theme::editor);
        let written = draft.text();
        let length = written.trim_end().len();
        let is_written_to = self.bond(peer).is_written_to();
        let can_send = !written.trim().is_empty() && !self.signing_out && is_written_to;
        let can_send = can_send.then_some(Message::SendPressed);
        let send = widget::primary("send", words::SEND, can_send);
        let field = row![container(editor).width(Fill), send].spacing(space::SMALL).align_y(Center);
        let hint = match present::length(length, self.privacy.round_ms()) {
            words if words.is_empty() => words::KEYS.to_owned(),
            words => words,
        };
        column![field, widget::hint(hint)].spacing(space::TIGHT).padding(space::INNER).into()
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

    fn privacy_bar(&self, now: Now) -> Element<'_, Message> {
        let words = self.privacy.words(now.at);
        let cover = text(words.cover).size(size::SMALL);
        let cover = cover.style(match words.grade {
            Cover::None => theme::bad,
            Cover::Weak => theme::caution,
            Cover::Good => theme::good,
        });
        let details = text(words.details.join("  ·  ")).size(size::SMALL).style(theme::faint);
        let bar = row![cover, container(details).width(Fill)].spacing(space::INNER);
        let meaning = widget::quiet("meaning", words::MEANING, Some(Message::MeaningPressed));
        let bar = row![bar, meaning].spacing(space::INNER).align_y(Center);
        container(bar).padding([space::TIGHT, space::INNER]).width(Fill).style(theme::panel).into()
    }
}

/// Enter sends, Shift and Enter break the line, everything else is as ever.
fn binding(press: KeyPress) -> Option<Binding<Message>> {
    let is_enter = press.key == iced::keyboard::Key::Named(Named::Enter);
    let is_focused = matches!(press.status, text_editor::Status::Focused { .. });
    if is_enter && is_focused && !press.modifiers.shift() {
        return Some(Binding::Custom(Message::SendPressed));
    }
    Binding::from_key_press(press)
}

fn notice(notice: &Notice) -> Element<'_, Message> {
    let read = Message::NoticeRead(notice.number);
    let read = widget::secondary("notice", words::READ, Some(read));
    let words = text(&notice.words).size(size::BODY).width(Fill);
    let notice = row![words, read].spacing(space::INNER).align_y(Center);
    container(notice).padding(space::INNER).width(Fill).style(theme::banner).into()
}

fn messages<'a>(conversation: &'a Conversation, here: &Here) -> Element<'a, Message> {
    // by their numbers, so that a row that moves is not laid out anew
    let messages =
        conversation.with_queue().map(|(shown, ahead)| (shown.number, message(shown, ahead, here)));
    let messages = keyed_column(messages).spacing(space::SMALL);
    let empty = conversation.messages.is_empty() && conversation.older == Older::All;
    let empty = empty.then(|| container(widget::hint(words::EMPTY)).center_x(Fill));
    let list = Column::new().push(older(conversation)).push(empty).push(messages);
    let list = list.spacing(space::SMALL).padding([space::INNER, space::WIDE]).width(Fill);
    widget::scroll(list).id(MESSAGES).anchor_bottom().height(Fill).width(Fill).into()
}

fn older(conversation: &Conversation) -> Option<Element<'_, Message>> {
    let content = match conversation.older {
        Older::All if conversation.hidden() == 0 => return None,
        Older::Unasked if conversation.problem.is_some() => return None,
        Older::Unasked | Older::Asked => widget::hint(words::LOADING),
        Older::All | Older::Before(_) => {
            widget::quiet("older", words::OLDER, Some(Message::OlderPressed))
        }
    };
    Some(container(content).center_x(Fill).into())
}

fn message<'a>(shown: &'a Shown, ahead: usize, here: &Here) -> Element<'a, Message> {
    let Excerpt { text: excerpt, more } = present::excerpt(&shown.text, shown.steps);
    let body = text(excerpt).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
    let more = more
        .then(|| widget::secondary("more", words::MORE, Some(Message::MorePressed(shown.number))));
    let body = column![body].push(more).spacing(space::SMALL);
    let bubble =
        |ours| container(body).padding([space::SMALL, space::INNER]).style(theme::bubble(ours));
    let time = present::time(shown.sent_ms, here);
    match &shown.by {
        By::Peer { .. } => {
            let message = column![bubble(false), widget::hint(time)].spacing(2);
            container(message.max_width(BUBBLE_WIDTH)).width(Fill).into()
        }
        By::Us { label, progress } => {
            let state = format!("{time} · {}", present::progress(progress, ahead));
            let state = text(state).size(size::SMALL);
            let refused = matches!(progress, Progress::Refused(_));
            let state = state.style(if refused { theme::bad } else { theme::faint });
            let again =
                || widget::quiet("again", words::AGAIN, Some(Message::AgainPressed(label.clone())));
            let message = column![bubble(true), state].push(refused.then(again));
            let message = message.spacing(2).align_x(Right).max_width(BUBBLE_WIDTH);
            container(message).align_right(Fill).into()
        }
    }
}
