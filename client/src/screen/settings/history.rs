//! The history as a whole: written into a file in clear, or deleted; each is asked about twice.

use std::path::{Path, PathBuf};

use client_link::api::{Command, ExportFormat, Local, LocalEvent};
use iced::Element;
use iced::widget::{column, row};

use crate::export;
use crate::present::Here;
use crate::theme::space;
use crate::widget;
use crate::words::settings::{KEEP, history as words};

/// How far it is.
#[derive(Default)]
pub(super) struct History {
    stage: Stage,
    /// What came of the last thing: whether it is good, and what.
    result: Option<(bool, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Idle,
    Format,
    ExportSure(ExportFormat, PathBuf),
    /// Messages that are written, and messages in all, once that is known.
    Exporting(Option<(u64, u64)>),
    Delete,
    DeleteSure,
    Deleting,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// An export was asked for.
    ExportPressed,
    /// Its form was chosen.
    FormatChosen(ExportFormat),
    /// A deletion was asked for.
    DeletePressed,
    /// It was asked for twice.
    DeleteNextPressed,
    /// What is asked about is to be done.
    Confirmed,
    /// It is not.
    Dropped,
}

impl History {
    /// Tells whether something is asked that can be dropped.
    pub(super) fn is_asking(&self) -> bool {
        match self.stage {
            Stage::Format | Stage::ExportSure(..) | Stage::Delete | Stage::DeleteSure => true,
            Stage::Idle | Stage::Exporting(_) | Stage::Deleting => false,
        }
    }

    /// Tells whether the engine is at work.
    pub(super) fn is_doing(&self) -> bool {
        matches!(self.stage, Stage::Exporting(_) | Stage::Deleting)
    }

    /// Drops what is asked.
    pub(super) fn put_away(&mut self) {
        if self.is_asking() {
            self.stage = Stage::Idle;
        }
    }

    /// Takes in what concerns it.
    pub(super) fn hear(&mut self, event: &LocalEvent) {
        match event {
            LocalEvent::Exporting { done, of } => {
                self.stage = Stage::Exporting(Some((*done, *of)));
            }
            LocalEvent::Exported { file, messages } => {
                self.ended(true, words::exported(file, *messages));
            }
            LocalEvent::HistoryDeleted { peer: None } => self.ended(true, words::DELETED.into()),
            LocalEvent::Locked if self.is_doing() => self.stage = Stage::Idle,
            LocalEvent::HistoryDeleted { peer: Some(_) }
            | LocalEvent::Opened { .. }
            | LocalEvent::Locked
            | LocalEvent::Unlocked
            | LocalEvent::Waits { .. }
            | LocalEvent::Drafts { .. }
            | LocalEvent::Forgetful { .. }
            | LocalEvent::Found { .. } => (),
        }
    }

    /// It was not done, and why.
    pub(super) fn failed(&mut self, why: &str) {
        self.ended(false, words::failed(why));
    }

    fn ended(&mut self, is_good: bool, words: String) {
        self.stage = Stage::Idle;
        self.result = Some((is_good, words));
    }

    /// Takes in what happened; returns what the engine is to do.
    pub(super) fn update(&mut self, message: Message, dir: &Path, here: &Here) -> Option<Command> {
        if self.is_doing() {
            return None;
        }
        let (stage, command) = match (message, std::mem::take(&mut self.stage)) {
            (Message::ExportPressed, _) => (Stage::Format, None),
            (Message::FormatChosen(format), _) => {
                (Stage::ExportSure(format, export::file(dir, None, format, here)), None)
            }
            (Message::DeletePressed, _) => (Stage::Delete, None),
            (Message::DeleteNextPressed, _) => (Stage::DeleteSure, None),
            (Message::Confirmed, Stage::ExportSure(format, file)) => {
                (Stage::Exporting(None), Some(Local::Export { peer: None, format, file }))
            }
            (Message::Confirmed, Stage::DeleteSure) => {
                (Stage::Deleting, Some(Local::DeleteHistory { peer: None }))
            }
            (Message::Confirmed, stage) => (stage, None),
            (Message::Dropped, _) => (Stage::Idle, None),
        };
        self.stage = stage;
        self.result = None;
        command.map(Command::Local)
    }

    /// Shows the part.
    pub(super) fn view(&self) -> Element<'_, Message> {
        let content = match &self.stage {
            Stage::Idle => widget::wrap([
                widget::secondary("export", words::EXPORT, Some(Message::ExportPressed)),
                widget::danger("history-delete", words::DELETE, Some(Message::DeletePressed)),
            ]),
            Stage::Format => {
                let form = |id, words, format| {
                    widget::secondary(id, words, Some(Message::FormatChosen(format)))
                };
                let forms = [
                    form("export-text", words::TEXT, ExportFormat::Text),
                    form("export-json", words::JSON, ExportFormat::Json),
                    keep(),
                ];
                column![widget::words(words::FORMAT), widget::wrap(forms)]
                    .spacing(space::SMALL)
                    .into()
            }
            Stage::ExportSure(_, file) => {
                ask(words::export_sure(file), "export-yes", words::EXPORT_YES, Message::Confirmed)
            }
            Stage::Exporting(None) => widget::words(words::EXPORTING),
            Stage::Exporting(Some((done, of))) => {
                let told = widget::words(words::exporting(*done, *of));
                column![told, widget::progress(*done, *of)].spacing(space::TIGHT).into()
            }
            Stage::Delete => {
                let (words, next) = (words::DELETE_ASK.to_owned(), Message::DeleteNextPressed);
                ask(words, "history-delete-next", words::DELETE_NEXT, next)
            }
            Stage::DeleteSure => {
                let words = words::DELETE_SURE.to_owned();
                ask(words, "history-delete-yes", words::DELETE_YES, Message::Confirmed)
            }
            Stage::Deleting => widget::words(words::DELETING),
        };
        let result = self.result.as_ref().map(|(is_good, words)| match is_good {
            true => widget::good(words.as_str()),
            false => widget::bad(words.as_str()),
        });
        column![content].push(result).spacing(space::SMALL).into()
    }
}

fn keep<'a>() -> Element<'a, Message> {
    widget::secondary("history-keep", KEEP, Some(Message::Dropped))
}

fn ask<'a>(
    question: String,
    id: &'static str,
    yes: &'a str,
    confirmed: Message,
) -> Element<'a, Message> {
    let yes = widget::danger(id, yes, Some(confirmed));
    column![widget::warning(question), row![widget::wrap([keep(), yes])]]
        .spacing(space::SMALL)
        .into()
}
