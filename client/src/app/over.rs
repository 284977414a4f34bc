//! Sheets that lie on a screen, and the question before the end.

use iced::widget::{operation, space};
use iced::{Element, Task};

use super::{App, Message, Screen};
use crate::screen::sheet::{self, Sheet};

impl App {
    /// Shows what lies on the screen, or nothing.
    pub(super) fn sheet_view(&self) -> Element<'_, Message> {
        match self.sheet {
            Some(sheet) => sheet.view().map(Message::Sheet),
            None => space().into(),
        }
    }

    /// Lays a sheet on the screen, in place of another.
    pub(super) fn show_sheet(&mut self, sheet: Sheet) -> Task<Message> {
        self.sheet = Some(sheet);
        operation::focus(sheet.first())
    }

    /// Does what happened on a sheet.
    pub(super) fn sheet(&mut self, message: sheet::Message) -> Task<Message> {
        match message {
            sheet::Message::Closed => {
                self.sheet = None;
                Task::none()
            }
            sheet::Message::LockPressed => {
                self.sheet = None;
                self.lock()
            }
            sheet::Message::QuitPressed => {
                self.sheet = None;
                self.close()
            }
            sheet::Message::UnaskedToggled(unasked) => {
                self.remembered.quits_unasked = unasked;
                self.is_unsaved = true;
                self.sheet = Some(Sheet::Quit { unasked });
                Task::none()
            }
        }
    }

    /// Closes, unless that ends somebody's cover: then it is said first, once in a sitting; or something that was written would go
    /// with the window, which is said each time.
    pub(super) fn close_if_sure(&mut self) -> Task<Message> {
        let is_asked = match (&mut self.screen, &self.session) {
            (Screen::Main(main), Some(session)) => {
                main.flush_drafts(&session.connection, self.now);
                let is_unsure = !self.has_asked && !self.remembered.quits_unasked;
                // what the engine did not keep goes with the window
                main.warn_of_drafts() || is_unsure
            }
            (
                Screen::Main(_)
                | Screen::Connect(_)
                | Screen::Register(_)
                | Screen::SignIn(_)
                | Screen::Unlock(_)
                | Screen::Stopped(..),
                _,
            ) => false,
        };
        if !is_asked || self.closing {
            return self.close();
        }
        self.has_asked = true;
        self.show_sheet(Sheet::Quit { unasked: false })
    }
}
