//! What is asked of what is kept on this machine: pages, searches and exports, each beside the rounds, and the lock.
//!
//! Nothing that was read is held here longer than it takes to tell it; at the lock all of that is dropped.

use std::pin::Pin;

use client_core::client::Client;
use tokio::sync::mpsc;
use wire::account::Stretching;
use wire::ids::{IdentityHash, Name};
use zeroize::Zeroizing;

use super::entry::blocking;
use super::export::{Order, export};
use super::history::{Histories, Question};
use super::search::{Quest, search};
use super::trouble::Failure;
use crate::api::{About, DRAFT_MAX, ErrorCode, Event, ExportFormat, Local, LocalEvent, SEARCH_MAX};
use crate::profile::{
    Completion, HistoryKey, HistoryReader, PasswordPlace, ProfileError, ProfileThread, Work,
};

/// Events of a search, or of an export, that may wait for the engine.
const EVENTS_WAITING: usize = 4;

type Unlocking = Pin<Box<dyn Future<Output = Result<HistoryKey, Failure>> + Send>>;

/// What is done on the history beside the rounds.
pub(super) struct Shelf {
    own: Name,
    reader: HistoryReader,
    place: PasswordPlace,
    /// The least cost of stretching.
    floor: Stretching,
    histories: Histories,
    search: Option<mpsc::Receiver<Event>>,
    export: Option<mpsc::Receiver<Event>>,
    lock: Lock,
}

/// Whether the history can be read.
#[derive(Default)]
struct Lock {
    /// Nothing is read or told, since the lock was asked for.
    is_shut: bool,
    /// Locks that the disk has not done yet.
    shutting: u32,
    /// A thread stretches the password.
    unlocking: Option<Unlocking>,
    /// The disk takes what waited into the history.
    opening: bool,
}

/// What the engine is to do.
pub(super) enum Step {
    /// Tell the program.
    Tell(Event),
    /// Have the disk do this.
    Keep(Work),
}

impl Shelf {
    pub(super) fn new(own: Name, profile: &ProfileThread, floor: Stretching) -> Self {
        let (reader, place) = (profile.reader(), profile.password_place());
        let histories = Histories::new(reader.clone());
        let (search, export, lock) = (None, None, Lock::default());
        Self { own, reader, place, floor, histories, search, export, lock }
    }

    /// Tells whether the lock was asked for.
    pub(super) fn is_locked(&self) -> bool {
        self.lock.is_shut
    }

    /// Refuses what needs the history, if that is locked.
    pub(super) fn refuse(&self, about: About) -> Option<Event> {
        self.lock.is_shut.then(|| locked(about))
    }

    /// Asks for a page of the history.
    pub(super) fn ask(&mut self, question: Question) -> Option<Step> {
        self.histories.ask(question).err().map(Step::Tell)
    }

    /// Begins what is asked; the client knows whose the names are.
    pub(super) fn begin(&mut self, asked: Local, client: &Client) -> Vec<Step> {
        if let Some(refusal) = needs_history(&asked).and_then(|about| self.refuse(about)) {
            return vec![Step::Tell(refusal)];
        }
        match asked {
            Local::Lock => return self.shut(),
            Local::Unlock { password } => self.unlock(password),
            Local::Draft { peer, text } => Some(draft(peer, text)),
            Local::Search { number, text, peer } => self.search(number, text, peer, client),
            Local::StopSearch => {
                self.search = None;
                None
            }
            Local::ForgetOnExit { peer, forget } => Some(match peer.parse() {
                Ok(name) => Step::Keep(Work::ForgetOnExit(name, client.known_peer(&peer), forget)),
                Err(_) => unknown(peer),
            }),
            Local::DeleteHistory { peer: None } => Some(Step::Keep(Work::Delete(None))),
            Local::DeleteHistory { peer: Some(peer) } => Some(delete(peer, client)),
            Local::Export { peer, format, file } => {
                self.export(peer.as_deref(), format, file, client)
            }
        }
        .into_iter()
        .collect()
    }

    /// Returns the next step; waits for ever if nothing is under way. Nothing is lost if it is cancelled.
    pub(super) async fn next(&mut self) -> Step {
        let Self { histories, search, export, lock, .. } = self;
        tokio::select! {
            event = histories.next() => Step::Tell(event),
            event = heard(search) => Step::Tell(event),
            event = heard(export) => {
                // what comes last makes place for another
                if !matches!(event, Event::Local(LocalEvent::Exporting { .. })) {
                    *export = None;
                }
                Step::Tell(event)
            }
            step = lock.stretched() => step,
        }
    }

    /// Takes what the disk did; returns what to tell of it.
    pub(super) fn done(&mut self, completion: Completion) -> Vec<Event> {
        let told = match completion {
            Completion::Locked => {
                self.lock.shutting = self.lock.shutting.saturating_sub(1);
                vec![LocalEvent::Locked]
            }
            Completion::Unlocked { drafts, forgetful } => {
                self.lock.opening = false;
                // locked once more meanwhile
                if self.lock.shutting > 0 {
                    return Vec::new();
                }
                self.lock.is_shut = false;
                let forgetful = LocalEvent::Forgetful { peers: forgetful };
                vec![LocalEvent::Unlocked, LocalEvent::Drafts { drafts }, forgetful]
            }
            Completion::Forgetful { peers } => vec![LocalEvent::Forgetful { peers }],
            Completion::Deleted { peer } => {
                vec![LocalEvent::HistoryDeleted { peer: peer.map(|name| name.to_string()) }]
            }
            Completion::Refused { peer, error } => {
                let Failure { code, text } = error.into();
                return vec![Event::Error { code, text, about: about(peer.as_str()) }];
            }
            Completion::Saved { .. } | Completion::Done | Completion::Failed { .. } => Vec::new(),
        };
        told.into_iter().map(Event::Local).collect()
    }

    /// Ends all that reads, and has the disk erase the key.
    fn shut(&mut self) -> Vec<Step> {
        let unanswered = self.histories.clear();
        let refuse = |about| Step::Tell(locked(about));
        let mut steps: Vec<_> = unanswered.iter().map(|peer| refuse(about(peer))).collect();
        self.search = None;
        if self.export.take().is_some() {
            steps.push(refuse(About::default()));
        }
        self.lock.unlocking = None;
        self.lock.is_shut = true;
        self.lock.shutting += 1;
        steps.push(Step::Keep(Work::Lock));
        steps
    }

    fn unlock(&mut self, password: Zeroizing<Vec<u8>>) -> Option<Step> {
        if self.lock.unlocking.is_some() || self.lock.opening {
            let text = "the history is being unlocked already; wait for that";
            return Some(Step::Tell(error(Failure::new(ErrorCode::Busy, text))));
        }
        let (place, floor) = (self.place.clone(), self.floor);
        let work = move || place.history_key(&password, &floor).map_err(Failure::from);
        self.lock.unlocking = Some(Box::pin(async { blocking(work).await? }));
        None
    }

    fn search(
        &mut self,
        number: u64,
        text: String,
        peer: Option<String>,
        client: &Client,
    ) -> Option<Step> {
        self.search = None;
        if text.len() > SEARCH_MAX {
            let text = format!("at most {SEARCH_MAX} bytes are searched for; shorten the text");
            return Some(Step::Tell(error(Failure::new(ErrorCode::TextTooLong, text))));
        }
        let peer = match whose(peer.as_deref(), client) {
            Some(peer) if !text.is_empty() => peer,
            Some(_) | None => {
                let (hits, read, of, done) = (Vec::new(), 0, 0, true);
                let nothing = LocalEvent::Found { number, hits, read, of, done };
                return Some(Step::Tell(Event::Local(nothing)));
            }
        };
        let (reader, quest) = (self.reader.clone(), Quest { number, text, peer });
        let (tell, heard) = mpsc::channel(EVENTS_WAITING);
        // its end shows in the channel's
        drop(tokio::task::spawn_blocking(move || search(&reader, &quest, &tell)));
        self.search = Some(heard);
        None
    }

    fn export(
        &mut self,
        peer: Option<&str>,
        format: ExportFormat,
        file: std::path::PathBuf,
        client: &Client,
    ) -> Option<Step> {
        if self.export.is_some() {
            let text = "another history is being written; wait for its end";
            return Some(Step::Tell(error(Failure::new(ErrorCode::Busy, text))));
        }
        let Some(whose) = whose(peer, client) else {
            return Some(unknown(peer.unwrap_or_default().to_owned()));
        };
        let order = Order { own: self.own, peer: whose, format, file };
        let reader = self.reader.clone();
        let (tell, heard) = mpsc::channel(EVENTS_WAITING);
        // its end shows in the channel's
        drop(tokio::task::spawn_blocking(move || export(&reader, &order, &tell)));
        self.export = Some(heard);
        None
    }
}

impl Lock {
    /// Returns what stretching the password leads to; waits for ever if nothing is stretched.
    async fn stretched(&mut self) -> Step {
        let Some(unlocking) = &mut self.unlocking else { return std::future::pending().await };
        let key = unlocking.await;
        self.unlocking = None;
        match key {
            Ok(key) => {
                self.opening = true;
                Step::Keep(Work::Unlock(key))
            }
            Err(Failure { code: ErrorCode::WrongCredentials, .. }) => {
                let text = "the password is wrong, so the history stays locked; try again";
                Step::Tell(error(Failure::new(ErrorCode::WrongCredentials, text)))
            }
            Err(failure) => Step::Tell(error(failure)),
        }
    }
}

/// Returns the next event of something under way; waits for ever if nothing is.
async fn heard(events: &mut Option<mpsc::Receiver<Event>>) -> Event {
    if let Some(receiver) = events {
        if let Some(event) = receiver.recv().await {
            return event;
        }
        *events = None;
    }
    std::future::pending().await
}

/// Returns whose history is meant, or that it is everybody's; none for a name that nothing is with.
fn whose(peer: Option<&str>, client: &Client) -> Option<Option<IdentityHash>> {
    match peer {
        Some(peer) => client.known_peer(peer).map(Some),
        None => Some(None),
    }
}

/// Tells what an order is about if it cannot be done while the history is locked.
fn needs_history(asked: &Local) -> Option<About> {
    match asked {
        Local::Draft { peer, .. } => Some(about(peer)),
        Local::Search { peer, .. } | Local::DeleteHistory { peer } | Local::Export { peer, .. } => {
            Some(About { peer: peer.clone(), label: None })
        }
        Local::Lock | Local::Unlock { .. } | Local::StopSearch | Local::ForgetOnExit { .. } => None,
    }
}

fn locked(about: About) -> Event {
    let Failure { code, text } = ProfileError::Locked.into();
    Event::Error { code, text, about }
}

fn draft(peer: String, text: String) -> Step {
    if text.len() > DRAFT_MAX {
        let text = format!("a draft of more than {DRAFT_MAX} bytes is not kept; shorten it");
        let code = ErrorCode::TextTooLong;
        return Step::Tell(Event::Error { code, text, about: about(&peer) });
    }
    match peer.parse() {
        Ok(name) => Step::Keep(Work::Draft(name, text)),
        Err(_) => unknown(peer),
    }
}

fn delete(peer: String, client: &Client) -> Step {
    match (peer.parse(), client.known_peer(&peer)) {
        (Ok(name), Some(identity)) => Step::Keep(Work::Delete(Some((name, identity)))),
        // there is nothing
        (_, _) => Step::Tell(Event::Local(LocalEvent::HistoryDeleted { peer: Some(peer) })),
    }
}

fn unknown(peer: String) -> Step {
    let text = format!("nobody is called {peer:?} here; ask for the directory to see who is");
    let about = About { peer: Some(peer), label: None };
    Step::Tell(Event::Error { code: ErrorCode::UnknownPeer, text, about })
}

pub(super) fn about(peer: &str) -> About {
    About { peer: Some(peer.to_owned()), label: None }
}

/// Returns what is told of a failure that is about nobody.
pub(super) fn error(failure: Failure) -> Event {
    let Failure { code, text } = failure;
    Event::Error { code, text, about: About::default() }
}

/// Returns what is told if the profile does not give what was read.
pub(super) fn failed(failure: ProfileError) -> Event {
    error(failure.into())
}
