//! The field that messages are written in: drafts, which the engine keeps, and what is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client_link::api::{Command, DRAFT_MAX, Local};
use iced::keyboard::key::Named;
use iced::keyboard::{Key, Modifiers};
use iced::widget::text_editor::{Binding, Edit, KeyPress};
use iced::widget::{column, container, row, text_editor};
use iced::{Center, Element, Fill, Shrink};
use wire::size::TEXT_MAX;

use super::contacts::Bond;
use super::conversation::Conversation;
use super::emoji::{self, Emoji, Pick};
use super::{Action, Main, Message};
use crate::clock::Now;
use crate::connection::Connection;
use crate::icon::Icon;
use crate::present;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// The field that messages are written in.
pub const COMPOSER: &str = "composer";

/// How long after a draft was told to the engine it is told again.
pub const KEEP_EVERY: Duration = Duration::from_millis(500);

/// Most lines that are pasted at once: what that costs grows with the square.
const PASTED_LINES_MAX: usize = 1000;

/// Highest panel of emoji, in pixels.
const EMOJI_HEIGHT: f32 = 270.0;

/// Lowest field for a draft that is as high as it likes, in pixels.
const HEIGHT_MIN: f32 = 96.0;

/// How a draft stands with the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    told_at: Option<Instant>,
    /// Whether it changed since, or was not kept.
    pub is_loose: bool,
    /// Whether the engine did not keep it: it is told again when it changes, or when it would be gone.
    is_refused: bool,
}

impl Kept {
    /// A draft that the engine does not have.
    pub fn loose() -> Self {
        Self { is_loose: true, ..Self::default() }
    }

    /// The engine did not keep what it was told last.
    pub fn refused(&mut self) {
        (self.is_loose, self.is_refused) = (true, true);
    }
}

impl Main {
    /// Returns what was written and is not in the engine's hands, by person.
    pub fn drafts(&self) -> BTreeMap<String, String> {
        let drafts = self.conversations.iter().map(|(peer, it)| (peer.clone(), it.unsent()));
        drafts.filter(|(_, draft)| !draft.trim().is_empty()).collect()
    }

    /// Returns to whom something was written that goes with the window: the engine did not take or confirm it.
    pub fn unkept(&self) -> Vec<&str> {
        let is_loose = |it: &Conversation| it.kept.is_loose && !it.draft.text().trim().is_empty();
        let unkept = self.conversations.iter().filter(|(_, it)| it.is_unsent() || is_loose(it));
        unkept.map(|(peer, _)| &**peer).collect()
    }

    /// Says that what was written and not kept goes with the window; tells whether there is anything.
    pub fn warn_of_drafts(&mut self) -> bool {
        let peers = self.unkept().join(", ");
        if !peers.is_empty() {
            self.notice(words::drafts(&peers));
        }
        !peers.is_empty()
    }

    /// Tells whether a draft changed that was not told to the engine since.
    pub fn has_loose_drafts(&self) -> bool {
        let is_due = |it: &Conversation| it.kept.is_loose && !it.kept.is_refused;
        !self.is_locked && self.conversations.values().any(is_due)
    }

    /// Has the engine keep every draft now: the window closes, or is locked.
    pub fn flush_drafts(&mut self, engine: &Connection, now: Now) {
        let loose = self.conversations.iter().filter(|(_, it)| it.kept.is_loose);
        let loose: Vec<_> = loose.map(|(peer, _)| peer.clone()).collect();
        loose.iter().for_each(|peer| self.keep_draft(peer, engine, now));
    }

    /// Has the engine keep the drafts that were not told for a while.
    pub(super) fn keep_due_drafts(&mut self, engine: &Connection, now: Now) {
        let is_due = |it: &Conversation| {
            let told_at = it.kept.told_at;
            it.kept.is_loose
                && !it.kept.is_refused
                && told_at.is_none_or(|at| now.at.duration_since(at) >= KEEP_EVERY)
        };
        let due = self.conversations.iter().filter(|(_, it)| is_due(it));
        let due: Vec<_> = due.map(|(peer, _)| peer.clone()).collect();
        due.iter().for_each(|peer| self.keep_draft(peer, engine, now));
    }

    /// Has the engine keep a draft; one that it does not take now is told again later.
    pub(super) fn keep_draft(&mut self, peer: &str, engine: &Connection, now: Now) {
        let conversation = self.conversation(peer);
        if !conversation.kept.is_loose {
            return;
        }
        let text = conversation.to_keep();
        let text = if text.trim().is_empty() { String::new() } else { text };
        if text.len() > DRAFT_MAX {
            // it goes with the window, which says so
            return conversation.kept.refused();
        }
        let draft = Command::Local(Local::Draft { peer: peer.to_owned(), text });
        let is_loose = engine.send(draft).is_err();
        self.conversation(peer).kept = Kept { told_at: Some(now.at), is_loose, is_refused: false };
    }

    /// Fills the fields that are empty with what was drafted before.
    pub(super) fn fill_drafts(&mut self, drafts: Vec<(String, String)>) {
        for (peer, draft) in drafts {
            let conversation = self.conversation(&peer);
            if conversation.draft.is_empty() || conversation.draft.text().trim().is_empty() {
                conversation.draft = text_editor::Content::with_text(&draft);
                conversation.kept = Kept::default();
            }
        }
    }

    /// Edits the draft, unless it would become far longer than a message.
    pub(super) fn edit(&mut self, action: text_editor::Action, engine: &Connection, now: Now) {
        let Some(conversation) = self.shown_conversation() else { return };
        let is_edit = action.is_edit();
        if let text_editor::Action::Edit(edit) = &action {
            let (added, lines) = match edit {
                Edit::Paste(text) => (text.len(), text.lines().count()),
                Edit::Insert(_) | Edit::Enter | Edit::Indent => (1, 0),
                Edit::Unindent | Edit::Backspace | Edit::Delete => (0, 0),
            };
            let fits = added == 0 || conversation.draft.text().len() + added <= DRAFT_MAX;
            if !fits {
                return self.notice(words::TOO_MUCH.into());
            }
            if lines > PASTED_LINES_MAX {
                return self.notice(words::TOO_MANY_LINES.into());
            }
        }
        conversation.choose_one(None);
        conversation.draft.perform(action);
        if is_edit {
            conversation.kept.is_loose = true;
            conversation.kept.is_refused = false;
            self.keep_due_drafts(engine, now);
        }
    }

    /// Hands the draft to the engine; it stays in the field if that takes nothing now. Who is no contact is called first.
    pub(super) fn send(&mut self, engine: &Connection, now: Now) -> Action {
        let Some(peer) = self.shown.clone().filter(|_| !self.signing_out) else {
            return Action::None;
        };
        let bond = self.bond(&peer);
        if !bond.is_written_to() {
            return Action::None;
        }
        let written = self.conversation(&peer).draft.text();
        let text = written.trim_end();
        if text.trim_start().is_empty() {
            return Action::None;
        }
        if text.len() > TEXT_MAX {
            self.notice(words::TOO_LONG.into());
            return Action::None;
        }
        let is_contact = matches!(bond, Bond::Calling | Bond::Contact);
        if !is_contact && engine.send(Command::Call { peer: peer.clone() }).is_err() {
            self.notice(words::BUSY.into());
            return Action::None;
        }
        let label = format!("{:016x}-{}", self.sitting, self.written);
        let send = Command::Send { peer: peer.clone(), text: text.into(), label: label.clone() };
        if engine.send(send).is_err() {
            self.notice(words::BUSY.into());
            return Action::None;
        }
        self.written += 1;
        let conversation = self.conversation(&peer);
        conversation.written(label, text.into(), now.unix_ms);
        conversation.reader.go_to_end();
        conversation.divider = None;
        conversation.draft = text_editor::Content::new();
        conversation.kept.is_loose = true;
        self.emoji = None;
        self.keep_draft(&peer, engine, now);
        Action::Focus(COMPOSER)
    }

    /// Puts a refused message back into the field, behind what is there.
    pub(super) fn again(&mut self, label: &str) -> Action {
        let Some(conversation) = self.shown_conversation() else { return Action::None };
        let Some(text) = conversation.take_refused(label) else { return Action::None };
        let draft = conversation.draft.text();
        let draft = if draft.trim().is_empty() { text } else { format!("{draft}\n{text}") };
        conversation.draft = text_editor::Content::with_text(&draft);
        conversation.kept.is_loose = true;
        Action::Focus(COMPOSER)
    }

    /// Does what is wanted of the panel of emoji.
    pub(super) fn pick(&mut self, pick: Pick, engine: &Connection, now: Now) -> Action {
        match (pick, &mut self.emoji) {
            (Pick::Toggle, None) if self.shown.is_some() => {
                self.emoji = Some(Emoji::default());
                return Action::Focus(COMPOSER);
            }
            (Pick::Toggle, Some(_)) => {
                self.emoji = None;
                return Action::Focus(COMPOSER);
            }
            (Pick::Take(at), Some(_)) => return self.pick_emoji(at, engine, now),
            (Pick::Move(by), Some(panel)) => panel.step(by),
            (Pick::Typed(letter), Some(panel)) => panel.typed(letter),
            (Pick::Erased, Some(panel)) => panel.erased(),
            (
                Pick::Toggle | Pick::Move(_) | Pick::Take(_) | Pick::Typed(_) | Pick::Erased,
                None,
            ) => {}
        }
        Action::None
    }

    /// Writes the emoji of a place, or the one that is chosen, where the cursor is.
    fn pick_emoji(&mut self, at: Option<usize>, engine: &Connection, now: Now) -> Action {
        let Some(panel) = self.emoji.take() else { return Action::None };
        let emoji = at.map_or_else(|| panel.chosen(), |at| panel.at(at));
        if let Some(emoji) = emoji {
            let paste = Edit::Paste(Arc::new(emoji.to_owned()));
            self.edit(text_editor::Action::Edit(paste), engine, now);
        }
        Action::Focus(COMPOSER)
    }

    /// Shows the field, with the panel above it while that is wanted; it grows up to a third of the height.
    pub(super) fn composer<'a>(
        &'a self,
        peer: &str,
        conversation: &'a Conversation,
        height: f32,
    ) -> Element<'a, Message> {
        let draft = &conversation.draft;
        let keys = Keys {
            is_choosing: conversation.chosen.is_some(),
            is_empty: draft.text().trim().is_empty(),
            picks_emoji: self.emoji.is_some(),
        };
        let editor = text_editor(draft).id(COMPOSER).placeholder(words::WRITE).size(size::BODY);
        let editor = editor.padding(space::INNER).height(Shrink);
        let editor = editor.max_height((height / 3.0).max(HEIGHT_MIN));
        let editor = editor.on_action(Message::DraftEdited).style(theme::editor);
        let editor = editor.key_binding(move |press| keys.binding(press));
        let written = draft.text();
        let length = written.trim_end().len();
        let is_written_to = self.bond(peer).is_written_to();
        let can_send = !keys.is_empty && !self.signing_out && is_written_to;
        let can_send = can_send.then_some(Message::SendPressed);
        let send = widget::pictured("send", Icon::Send, words::SEND, can_send, theme::primary);
        let emoji = Some(Message::Emoji(Pick::Toggle));
        let emoji = widget::iconic("emoji", Icon::Smile, words::EMOJI, emoji);
        let field = row![emoji, container(widget::apart(editor)).width(Fill), send];
        let hint = match present::length(length, self.privacy.round_ms()) {
            _ if keys.is_choosing => words::CHOSEN_KEYS.to_owned(),
            words if words.is_empty() => words::KEYS_HINT.to_owned(),
            words => words,
        };
        let panel = self.emoji.as_ref().map(|panel| panel.view(EMOJI_HEIGHT.min(0.4 * height)));
        let field = field.spacing(space::TIGHT).align_y(Center);
        let below = column![field, widget::hint(hint)].spacing(space::TIGHT);
        column![].push(panel).push(container(below).padding(space::INNER)).into()
    }
}

/// What decides what keys mean in the field.
#[derive(Clone, Copy)]
struct Keys {
    is_choosing: bool,
    is_empty: bool,
    picks_emoji: bool,
}

impl Keys {
    /// Enter sends, Shift and Enter break the line, arrows choose messages or emoji, everything else is as ever.
    fn binding(self, press: KeyPress) -> Option<Binding<Message>> {
        if !matches!(press.status, text_editor::Status::Focused { .. }) {
            return Binding::from_key_press(press);
        }
        let (key, modifiers) = (press.key.clone(), press.modifiers);
        if modifiers.alt() || is_for_messages(&key) {
            return press.text.as_ref().and_then(|_| Binding::from_key_press(press.clone()));
        }
        let plain = modifiers == Modifiers::empty();
        let special = match key.as_ref() {
            Key::Named(named) if self.picks_emoji && plain => pick(named),
            Key::Named(Named::Enter) if self.is_choosing && plain => Some(Message::DetailsPressed),
            Key::Named(Named::Enter) if !modifiers.shift() => Some(Message::SendPressed),
            Key::Named(Named::ArrowUp) if plain && (self.is_empty || self.is_choosing) => {
                Some(Message::ChooseMoved { back: true })
            }
            Key::Named(Named::ArrowDown) if plain && self.is_choosing => {
                Some(Message::ChooseMoved { back: false })
            }
            Key::Character("c") if self.is_choosing && modifiers.command() => {
                Some(Message::CopyPressed)
            }
            _ => None,
        };
        if let Some(special) = special {
            return Some(Binding::Custom(special));
        }
        match Binding::from_key_press(press)? {
            Binding::Insert(letter) if self.picks_emoji => {
                Some(Binding::Custom(Message::Emoji(Pick::Typed(letter))))
            }
            other => Some(other),
        }
    }
}

/// Keys that turn the page of the messages, not of the field.
fn is_for_messages(key: &Key) -> bool {
    matches!(key, Key::Named(Named::PageUp | Named::PageDown))
}

/// Returns what a key does in the panel of emoji.
fn pick(key: Named) -> Option<Message> {
    let row = emoji::COLUMNS as isize;
    match key {
        Named::ArrowLeft => Some(Message::Emoji(Pick::Move(-1))),
        Named::ArrowRight => Some(Message::Emoji(Pick::Move(1))),
        Named::ArrowUp => Some(Message::Emoji(Pick::Move(-row))),
        Named::ArrowDown => Some(Message::Emoji(Pick::Move(row))),
        Named::Enter => Some(Message::Emoji(Pick::Take(None))),
        Named::Backspace => Some(Message::Emoji(Pick::Erased)),
        _ => None,
    }
}
