//! The way into the rounds: the first, those back, and the pauses between.

use std::time::Duration;

use client_core::account::SealedKeys;
use client_core::rounds::Terms;
use rand_core::{OsRng, RngCore};
use tokio::time::Instant;
use wire::control::{Page, Session};

use super::{ANSWER_GRACE, Drive, First, Way};
use crate::api::{About, ErrorCode, Event, Step};
use crate::engine::entry::{Arrival, Coming, Entry};
use crate::engine::trouble::{Failure, Trouble};
use crate::profile::Work;

/// First and longest pause between attempts to come back; each is drawn from the half of it to the whole.
pub(super) const PAUSES: (Duration, Duration) =
    (Duration::from_millis(250), Duration::from_secs(30));

/// Names of the directory after whose arrival the first sign-in tells how far it is.
const NAMES_TOLD: u32 = 1000;

impl Drive {
    /// Takes in what comes of the directory on the way in.
    pub(super) fn arrives(&mut self, arrival: &Arrival) -> Result<(), Trouble> {
        match arrival {
            Arrival::Restores(restores) => {
                self.client.handle_restores(restores);
                Ok(())
            }
            Arrival::Page(page) => self.page(page),
        }
    }

    fn page(&mut self, page: &Page) -> Result<(), Trouble> {
        self.client.handle_page(page)?;
        let done = self.client.directory_length();
        if let Some(First::Shut { names, told, .. }) = &mut self.first
            && done >= told.saturating_add(NAMES_TOLD)
        {
            *told = done;
            self.teller.tell(Event::Progress(Step::Directory { names: *names, done }));
        }
        Ok(())
    }

    /// Takes a session's entry: the pages that are left, and its seat.
    pub(super) fn enter(&mut self, entry: Entry) -> Result<(), Trouble> {
        let Entry { streams, layer, session, vault, is_new } = entry;
        if let Way::Back(Coming { mut arrivals, .. }) = std::mem::replace(&mut self.way, Way::Gone)
        {
            while let Ok(arrival) = arrivals.try_recv() {
                self.arrives(&arrival)?;
            }
        }
        if is_new {
            self.renew(&session);
        }
        if let Some(first) = self.first.take() {
            self.teller.tell(Event::SignedIn { user: self.client.name().to_string() });
            if let First::Shut { held, .. } = first {
                held.into_iter().for_each(|event| self.teller.tell(event));
            }
            self.backlog.push_back(Work::Identity(session.identity));
        }
        if !self.client.is_listed() {
            let text = "the server's directory does not show this account with its own keys; ask \
                        whoever runs the server why";
            return Err(Failure::new(ErrorCode::ServerProtocol, text).into());
        }
        let now = self.clock.now();
        let (length, head) = (session.directory_length, session.directory_head);
        self.client.handle_directory_synced(now, length, head);
        self.client.handle_vault(vault.version, &vault.sealed);
        let keys = SealedKeys { master: session.master, identity: session.identity };
        self.account.set_keys(keys);
        let round = Duration::from_millis(u64::from(session.round_ms));
        let round_trip = streams.round_trip();
        self.way = Way::In(streams, Instant::now() + 2 * round + ANSWER_GRACE);
        let Session { slots, round_ms, genesis_ms, .. } = *session;
        let terms = Terms { slots, round_ms, genesis_ms, round_trip };
        let joined = self.client.handle_joined(terms, layer);
        joined.map_err(|error| Failure::new(ErrorCode::RoundRefused, error.to_string()).into())
    }

    /// A sign-in with the password took the place of the session: on another machine the account may have called its
    /// contacts since, and the newest call counts.
    pub(super) fn renew(&mut self, session: &Session) {
        self.token = session.token.duplicate();
        self.backlog.push_back(Work::Session(session.token.duplicate()));
        self.client.handle_new_session();
    }

    /// A round opened: the next frame is due soon after its close.
    pub(super) fn heard(&mut self) {
        self.pause = PAUSES.0;
        self.complained = None;
        let Some(closes_at) = self.client.round_closes_at() else { return };
        if let Way::In(_, silent_at) = &mut self.way {
            *silent_at = self.clock.instant(closes_at) + ANSWER_GRACE;
        }
    }

    /// Tells what is wrong with the server, once until a round opens again.
    pub(super) fn complain(&mut self, failure: Failure) {
        let Failure { code, text } = failure;
        if self.complained.replace(code) != Some(code) {
            let text = format!("{text}; trying again");
            self.teller.tell(Event::Error { code, text, about: About::default() });
        }
    }

    /// Begins the pause before the next attempt to come back; it grows and is drawn.
    pub(super) fn lost(&mut self, reason: &str) {
        tracing::info!("out of the rounds: {reason}");
        self.client.handle_lost();
        if let Some(given_up) = self.account.lost() {
            self.teller.tell(given_up);
        }
        // the loss is told before the pause
        self.tell_rest();
        let half_micros = u64::try_from(self.pause.as_micros() / 2).unwrap_or(u64::MAX / 4);
        let pause = Duration::from_micros(half_micros + OsRng.next_u64() % (half_micros + 1));
        self.pause = (2 * self.pause).min(PAUSES.1);
        let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.teller.tell(Event::RetryIn { ms });
        self.way = Way::Paused(Instant::now() + pause);
    }

    /// Starts an attempt to come back.
    pub(super) fn come_back(&mut self) {
        let (link, token) = (self.link.clone(), self.token.duplicate());
        let held = self.client.held();
        let typed = match &self.first {
            Some(First::Open(typed)) => typed.clone(),
            Some(First::Shut { .. }) | None => None,
        };
        self.way = Way::Back(Coming::back(link, token, held, typed));
    }

    /// Forgets the password that was typed for the first way in; the history's key comes from it.
    pub(super) fn forget_password(&mut self) {
        if let Some(First::Open(typed @ Some(_))) = &mut self.first {
            *typed = None;
            if let Way::Back(_) = self.way {
                self.come_back();
            }
        }
    }
}
