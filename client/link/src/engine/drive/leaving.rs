//! The end: the server is left, and the disk keeps what it was given.

use std::time::Duration;

use tokio::time::Instant;
use wire::close::Close;

use super::{Drive, Way, disk_stopped};
use crate::api::{About, ErrorCode, Event};
use crate::engine::entry::sign_out;
use crate::engine::trouble::{Failure, Trouble};
use crate::profile::{Completion, Work};

/// Time to leave the rounds and to end the session at the server.
const SIGN_OUT_WITHIN: Duration = Duration::from_secs(3);

/// Time that the disk has for the last changes.
const KEEP_WITHIN: Duration = Duration::from_secs(3);

/// Time that the disk has to delete what was chosen for the end; else the next start does it.
const FORGET_WITHIN: Duration = Duration::from_secs(30);

impl Drive {
    /// Ends the session at the server; tells if that was not reached.
    async fn sign_out(&mut self, deadline: Instant) {
        let ending = sign_out(self.link.clone(), self.token.duplicate());
        let reason = match tokio::time::timeout_at(deadline, ending).await {
            Ok(Ok(())) => return,
            Ok(Err(Trouble::Lost(reason))) => reason,
            Ok(Err(trouble)) => trouble.into_failure().text,
            Err(_) => "the server did not answer in time".into(),
        };
        let text = format!(
            "signed out on this machine, but the server could not be told: the session stays valid there \
             until it expires or you sign in again ({reason})"
        );
        self.teller.tell(Event::Error { code: ErrorCode::NoServer, text, about: About::default() });
    }

    /// Leaves the server, ends the session there if asked to, and closes the profile once it keeps what it was to keep; what becomes durable
    /// by that is told as ever.
    pub(super) async fn finish(mut self, failure: Option<&Failure>) -> Result<(), Failure> {
        self.tell_rest();
        let deadline = Instant::now() + SIGN_OUT_WITHIN;
        if let Way::In(streams, _) = std::mem::replace(&mut self.way, Way::Gone) {
            streams.close(Close::Done).await;
        }
        if self.signing_out {
            self.sign_out(deadline).await;
        }
        self.keep_rest(KEEP_WITHIN).await?;
        if !failure.is_some_and(Failure::is_of_disk) {
            self.backlog.push_back(Work::Forget);
            self.keep_rest(FORGET_WITHIN).await?;
        }
        drop(self.shelf);
        self.profile.close(self.completions).await.map_err(Failure::from)
    }

    /// Waits for the disk to do all that it was given.
    async fn keep_rest(&mut self, within: Duration) -> Result<(), Failure> {
        while self.submitted > 0 || !self.backlog.is_empty() {
            self.submit()?;
            match tokio::time::timeout(within, self.completions.recv()).await {
                Ok(Some(Completion::Failed { error })) => return Err(error.into()),
                Ok(None) | Err(_) => return Err(disk_stopped()),
                Ok(Some(completion)) => {
                    self.submitted = self.submitted.saturating_sub(1);
                    if let Completion::Saved { batch } = completion {
                        self.client.handle_kept(batch);
                        self.tell_rest();
                    } else {
                        self.shelf.done(completion).into_iter().for_each(|it| self.tell(it));
                    }
                }
            }
        }
        Ok(())
    }
}
