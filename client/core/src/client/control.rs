//! The control stream in the rounds: one frame each way in every control round, whatever there is to ask.

use thiserror::Error;
use wire::codec::Wire;
use wire::control::{ClientControl, Page, Pull, ServerControl};
use wire::ids::Round;

use super::{Client, Now, Output};
use crate::directory::{Appended, PageError};
use crate::record::Change;

/// Requests over the control stream that may wait.
pub const REQUESTS_MAX: usize = 8;

/// Too many requests wait for a control round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{REQUESTS_MAX} requests wait already; try again in a minute")]
pub struct RequestsFull;

/// Control frames whose answers are waited for; a server that answers none of so many is gone.
const AWAITING_MAX: usize = 16;

/// What a control frame asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Page,
    Vault,
    Request,
}

impl Client {
    /// Takes in a control frame that came while in the rounds.
    ///
    /// # Errors
    /// [`PageError`], as [`Self::handle_page`].
    pub fn handle_control(&mut self, now: Now, control: ServerControl) -> Result<(), PageError> {
        let asked = self.awaiting.pop_front();
        match control {
            // it answers what nobody here waits for: the directory always has a page, and the vault is written again
            ServerControl::Refused(_) if asked != Some(Asked::Request) => self.keeping.lost(),
            ServerControl::Page(page) => self.page_in_rounds(now, &page)?,
            ServerControl::Idle | ServerControl::VaultStaged => (),
            ServerControl::VaultStored(version) => self.vault_stored(version),
            ServerControl::VaultConflict(_) => self.vault_conflict(),
            ServerControl::VaultPart(part) => self.vault_part(&part),
            ServerControl::RegisterReply(_)
            | ServerControl::Registered(_)
            | ServerControl::LoginReply(_)
            | ServerControl::Session(_)
            | ServerControl::SignedOut
            | ServerControl::Refused(_)
            | ServerControl::ChangeReply(_)
            | ServerControl::Changed(_)
            | ServerControl::DeleteReply(_)
            | ServerControl::Deleted
            | ServerControl::Sessions(_)
            | ServerControl::SessionEnded => {
                self.outputs.push_back(Output::Answer(Box::new(control)));
            }
        }
        Ok(())
    }

    /// Has a request go in place of a page's in one of the next control rounds; [`Output::Answer`] brings the answer.
    /// What waits when the connection is lost is forgotten.
    ///
    /// # Errors
    /// [`RequestsFull`] if too many wait already.
    pub fn request(&mut self, control: ClientControl) -> Result<(), RequestsFull> {
        if self.requests_out.len() == REQUESTS_MAX {
            return Err(RequestsFull);
        }
        self.requests_out.push_back(control);
        Ok(())
    }

    /// Sends the control frame of a round.
    pub(super) fn send_control(&mut self, round: Round) {
        let (asked, control) = self.control_frame(round);
        if self.awaiting.len() == AWAITING_MAX {
            self.awaiting.pop_front();
        }
        self.awaiting.push_back(asked);
        self.outputs.push_back(Output::Control(control.encode()));
    }

    /// Returns the control frame of a round: the vault's turn, else what was asked for, else a page.
    pub(super) fn control_frame(&mut self, round: Round) -> (Asked, ClientControl) {
        if let Some(vault) = self.vault_frame(round) {
            return (Asked::Vault, vault);
        }
        match self.requests_out.pop_front() {
            Some(request) => (Asked::Request, request),
            None => (Asked::Page, self.next_pull()),
        }
    }

    fn page_in_rounds(&mut self, now: Now, page: &Page) -> Result<(), PageError> {
        let before = self.directory.mark().length;
        let Appended { new, changed, deleted } = self.take_page(page)?;
        self.compare_keys([new, changed, deleted].concat());
        let mark = self.directory.mark();
        if mark.length > before {
            self.keep(vec![Change::Directory(mark.length, mark.head)], Vec::new());
            self.list();
        }
        self.resolve(now, self.directory.missing(page.length).is_none());
        Ok(())
    }

    /// Asks for the next page of the directory, be there one or not.
    fn next_pull(&self) -> ClientControl {
        ClientControl::Pull(Pull { from: self.directory.mark().length, pages: 1 })
    }
}
