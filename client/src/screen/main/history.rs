//! What is done with what is kept: written to a file, deleted, forgotten on exit. The settings use it too.

use std::path::PathBuf;

use client_link::api::{Command, ExportFormat, Local, LocalEvent};
use iced::widget::{column, container, text};
use iced::{Element, Fill};

use super::conversation::{Older, PAGE};
use super::{Action, Ask, COMPOSER, Main, Message};
use crate::connection::Connection;
use crate::export::directory;
use crate::present::Here;
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// What may be done with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// To write it into a file that anybody can read.
    Export(ExportFormat),
    /// To delete it.
    Delete,
}

/// A deed that is asked about, twice.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// With whom, or with everybody.
    peer: Option<String>,
    deed: Deed,
    /// Where it is written to.
    file: PathBuf,
    /// Whether the first question was answered with yes.
    is_sure: bool,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("deed", &self.deed).finish_non_exhaustive()
    }
}

impl Question {
    /// Asks for the first time.
    pub fn new(peer: Option<String>, deed: Deed, here: &Here) -> Self {
        let ending = match deed {
            Deed::Export(ExportFormat::Text) | Deed::Delete => "txt",
            Deed::Export(ExportFormat::Json) => "jsonl",
        };
        let whose = peer.as_deref().unwrap_or("all");
        let file = directory(&std::env::temp_dir())
            .join(format!("iirs-{whose}-{}.{ending}", here.stamp()));
        Self { peer, deed, file, is_sure: false }
    }

    /// Says what is asked.
    pub fn words(&self) -> String {
        let whose = words::history_with(self.peer.as_deref());
        match (self.deed, self.is_sure) {
            (Deed::Export(_), false) => words::ask_export(&whose, &self.file.display().to_string()),
            (Deed::Export(_), true) => words::ASK_EXPORT_SURE.to_owned(),
            (Deed::Delete, false) => words::ask_delete(&whose),
            (Deed::Delete, true) => words::ask_delete_sure(&whose),
        }
    }

    /// Says what yes does.
    pub fn yes(&self) -> &'static str {
        match (self.deed, self.is_sure) {
            (Deed::Export(_), false) => words::EXPORT_NEXT,
            (Deed::Export(_), true) => words::EXPORT_NOW,
            (Deed::Delete, false) => words::DELETE_NEXT,
            (Deed::Delete, true) => words::DELETE_NOW,
        }
    }

    /// Takes a yes: the first leads to the second question, the second to what the engine is to do.
    pub fn confirm(self) -> Result<Local, Self> {
        let Self { peer, deed, file, is_sure } = self;
        match (is_sure, deed) {
            (false, _) => Err(Self { peer, deed, file, is_sure: true }),
            (true, Deed::Export(format)) => Ok(Local::Export { peer, format, file }),
            (true, Deed::Delete) => Ok(Local::DeleteHistory { peer }),
        }
    }

    /// Shows it, with no on the left and yes on the right.
    pub fn view<'a, Message: Clone + 'a>(&self, no: Message, yes: Message) -> Element<'a, Message> {
        let words = text(self.words()).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
        let no = widget::secondary("keep", words::KEEP, Some(no));
        let yes = widget::primary("confirm", self.yes(), Some(yes));
        let keys = widget::hint(words::ASK_KEYS);
        let content = column![words.width(Fill), widget::ends(no, yes), keys];
        let content = content.spacing(space::SMALL);
        container(content).padding(space::INNER).width(Fill).style(theme::panel).into()
    }
}

impl Main {
    /// Asks before something is done with the history of the one who is shown.
    pub(super) fn ask_history(&mut self, deed: Deed, here: &Here) {
        if let Some(peer) = self.shown.clone() {
            self.ask(Ask::History(Question::new(Some(peer), deed, here)));
        }
    }

    /// Takes the yes to such a question.
    pub(super) fn confirm_history(&mut self, question: Question, engine: &Connection) -> Action {
        match question.confirm() {
            Ok(deed) => {
                self.tell(engine, Command::Local(deed));
                Action::Focus(COMPOSER)
            }
            Err(question) => {
                self.asked = Some(Ask::History(question));
                Action::None
            }
        }
    }

    /// Chooses whether the history of the one who is shown is forgotten.
    pub(super) fn forget_on_exit(&mut self, forget: bool, engine: &Connection) {
        self.shows_menu = false;
        if let Some(peer) = self.shown.clone() {
            self.tell(engine, Command::Local(Local::ForgetOnExit { peer, forget }));
        }
    }

    /// Tells whether somebody's history is forgotten when the program ends.
    pub(super) fn is_forgotten(&self, peer: &str) -> bool {
        self.forgetful.contains(peer)
    }

    /// Takes in what was told of what is kept.
    pub(super) fn hear_local(&mut self, event: LocalEvent, engine: &Connection) {
        match event {
            LocalEvent::Drafts { .. } if self.is_locked => (),
            LocalEvent::Drafts { drafts } => self.fill_drafts(drafts),
            LocalEvent::Forgetful { peers } => self.forgetful = peers.into_iter().collect(),
            LocalEvent::Waits { peer } => {
                let conversation = self.conversation(&peer);
                conversation.unread = conversation.unread.saturating_add(1);
            }
            LocalEvent::Exporting { done, of } => self.exporting = Some((done, of)),
            LocalEvent::Exported { file, messages } => {
                self.exporting = None;
                self.notice(words::exported(messages, &file.display().to_string()));
            }
            LocalEvent::HistoryDeleted { peer: Some(peer) } => {
                self.conversation(&peer).deleted();
                self.ask_for_rest(engine);
                self.notice(words::deleted(&words::history_with(Some(&peer))));
            }
            LocalEvent::HistoryDeleted { peer: None } => {
                self.conversations.values_mut().for_each(|it| it.deleted());
                self.ask_for_rest(engine);
                self.notice(words::deleted(&words::history_with(None)));
            }
            LocalEvent::Found { .. } => self.found(event),
            LocalEvent::Opened { .. } | LocalEvent::Locked | LocalEvent::Unlocked => (),
        }
    }

    /// Asks for what is left of a history that was deleted: what is not delivered.
    fn ask_for_rest(&mut self, engine: &Connection) {
        let Some(peer) = self.shown.clone().filter(|_| !self.is_locked) else { return };
        let conversation = self.conversation(&peer);
        if conversation.older == Older::Unasked {
            conversation.older = Older::Asked;
            self.tell(engine, Command::History { peer, before: None, max: PAGE });
        }
    }

    /// Says how far a history is written.
    pub(super) fn export_progress(&self) -> Option<Element<'_, Message>> {
        let (done, of) = self.exporting?;
        let words = text(words::exporting(done, of)).size(size::SMALL);
        Some(container(words).padding(space::SMALL).width(Fill).style(theme::panel).into())
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_deed_is_done_at_the_second_yes() {
        let here = Here { unix_ms: 1_795_426_200_000, zone: TimeZone::UTC };
        let deed = Deed::Export(ExportFormat::Json);
        let question = Question::new(Some("bob".into()), deed, &here);
        let name = "iirs-bob-2026-11-23-093000.jsonl";
        assert!(question.words().contains(name), "{}", question.words());
        let question = question.confirm().expect_err("it is asked again");
        assert_eq!(question.words(), words::ASK_EXPORT_SURE);
        let Ok(Local::Export { peer, format, file }) = question.confirm() else {
            panic!("it is done")
        };
        assert!(peer.as_deref() == Some("bob") && format == ExportFormat::Json);
        assert_eq!(file.file_name().and_then(|it| it.to_str()), Some(name));
        assert!(file.is_absolute());
        let question = Question::new(None, Deed::Delete, &here);
        let question = question.confirm().expect_err("it is asked again");
        assert!(question.confirm() == Ok(Local::DeleteHistory { peer: None }));
    }

    #[test]
    fn debug_shows_no_name() {
        let here = Here { unix_ms: 0, zone: TimeZone::UTC };
        let question = Question::new(Some("bob".into()), Deed::Delete, &here);
        assert_eq!(format!("{question:?}"), "Question { deed: Delete, .. }");
    }
}
