//! The rounds: the core, its streams, its disk and its program, in one loop.

mod leaving;
mod way;

use std::collections::VecDeque;
use std::time::Duration;

use client_core::client::{Client, Now, Output};
use client_core::record::Change;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::codec::Wire;
use wire::control::ServerControl;
use wire::ids::Token;
use wire::link::Link;

use super::account::{AccountWork, Then};
use super::begin::{Beginning, Begun, Marks};
use super::entry::{ARRIVALS_MAX, Arrival, Coming, Entry, Typed, verify_page};
use super::history::Question;
use super::local::{Shelf, Step as Does, about};
use super::stream::{Frame, Streams};
use super::trouble::{Failure, Trouble};
use super::{Commands, End, Teller};
use crate::api::{About, Command, ErrorCode, Event, Local, LocalEvent};
use crate::clock::Clock;
use crate::profile::{BATCHES_WAITING_MAX, Completion, ProfileError, ProfileThread, Work};

use way::PAUSES;

/// How long after a round's announced close its answer may come; then the connection counts as lost.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// Batches of changes that may wait in front of the profile's own queue.
const BACKLOG_MAX: usize = 4096;

// those that are left when the client has its seat are taken in at once, each with a batch
const _: () = assert!(2 * ARRIVALS_MAX <= BACKLOG_MAX);

/// Batches handed to the profile at once.
const SUBMITTED_MAX: usize = BATCHES_WAITING_MAX / 2;

/// Number of the batches that the core knows nothing of.
const OWN_BATCH: u64 = u64::MAX;

/// The loop and what it holds.
pub(super) struct Drive {
    clock: Clock,
    link: Link,
    token: Token,
    client: Client,
    commands: Commands,
    teller: Teller,
    profile: ProfileThread,
    completions: mpsc::Receiver<Completion>,
    backlog: VecDeque<Work>,
    submitted: usize,
    shelf: Shelf,
    account: AccountWork,
    /// Until the first entry into the rounds.
    first: Option<First>,
    way: Way,
    pause: Duration,
    /// What was told of a server that goes on failing, so that it is told once.
    complained: Option<ErrorCode>,
    leaving: bool,
    /// Whether leaving ends the session.
    signing_out: bool,
}

/// The first way in.
enum First {
    /// No command but to leave is taken, and the core's events are held back.
    Shut {
        /// Names in the server's directory.
        names: u32,
        /// How many of them were here when it was told last.
        told: u32,
        held: Vec<Event>,
    },
    /// The program works with what is kept here, and the way in is as every way back. If the server does not take the
    /// token any more, the password that was typed serves, unless the history was locked since.
    Open(Option<Typed>),
}

/// How the server is reached now.
enum Way {
    /// In the rounds; the moment by which the next frame must come.
    In(Box<Streams>, Instant),
    /// Out of the rounds until this moment.
    Paused(Instant),
    /// On the way in or back.
    Back(Coming),
    /// Nowhere any more.
    Gone,
}

/// What woke the loop.
enum Wake {
    Command(Command),
    Frame(Result<Frame, Trouble>),
    Timer,
    Silence,
    Again,
    Local(Does),
    Kept(Option<Completion>),
    Account(Then),
    Arrival(Arrival),
    Entry(Result<Box<Entry>, Trouble>),
}

impl Drive {
    pub(super) fn new(beginning: Beginning, commands: Commands, teller: Teller) -> Self {
        let Beginning {
            link,
            token,
            client,
            coming,
            account,
            profile,
            completions,
            shelf,
            marks,
            begun,
        } = beginning;
        let first = match begun {
            Begun::Early { typed } => First::Open(Some(typed)),
            Begun::SignedIn { names } => {
                First::Shut { names, told: client.directory_length(), held: Vec::new() }
            }
        };
        let mut drive = Self {
            clock: Clock::start(),
            link,
            token,
            client,
            commands,
            teller,
            profile,
            completions,
            backlog: VecDeque::new(),
            submitted: 0,
            shelf,
            account,
            first: Some(first),
            way: Way::Back(coming),
            pause: PAUSES.0,
            complained: None,
            leaving: false,
            signing_out: false,
        };
        drive.tell_kept(marks);
        drive
    }

    /// Tells what is kept here before anything else.
    fn tell_kept(&mut self, marks: Marks) {
        let Marks { drafts, forgetful } = marks;
        if let Some(First::Open(_)) = self.first {
            let user = self.client.name().to_string();
            self.teller.tell(Event::Local(LocalEvent::Opened { user }));
            self.client.handle_opened();
        }
        self.tell(Event::Local(LocalEvent::Drafts { drafts }));
        self.tell(Event::Local(LocalEvent::Forgetful { peers: forgetful }));
    }

    /// Runs until the program leaves or nothing can go on.
    pub(super) async fn run(mut self) -> End {
        let failure = loop {
            match self.turn().await {
                Ok(()) | Err(Trouble::Lost(_)) if self.leaving => break None,
                Ok(()) => (),
                Err(trouble) if self.is_shut() => break Some(trouble.into_failure()),
                Err(Trouble::Fatal(failure)) if failure.may_pass() => {
                    self.complain(failure);
                    self.lost("the server is not to be understood");
                }
                Err(Trouble::Fatal(failure)) => break Some(failure),
                Err(Trouble::Lost(reason)) => self.lost(&reason),
                Err(refused @ Trouble::TokenRefused(_)) => break Some(refused.into_failure()),
            }
        };
        let kept = self.finish(failure.as_ref()).await;
        match failure.or(kept.err()) {
            None => End::Left,
            Some(failure) => End::Failed(failure),
        }
    }

    async fn turn(&mut self) -> Result<(), Trouble> {
        // first of all, so that the news of a lost connection does not wait for the next one
        self.flush().await?;
        if self.leaving {
            return Ok(());
        }
        let wake = self.wait().await;
        self.handle(wake)
    }

    async fn wait(&mut self) -> Wake {
        let timer = self.client.poll_timeout().map(|at| self.clock.instant(at));
        let (is_shut, keeps_up) = (self.is_shut(), self.backlog.is_empty());
        let commands = async {
            if is_shut {
                self.commands.quit().await;
                return Command::Quit;
            }
            self.commands.next().await
        };
        let way = async {
            match &mut self.way {
                Way::In(streams, silent_at) => tokio::select! {
                    frame = streams.next() => Wake::Frame(frame),
                    () = tokio::time::sleep_until(*silent_at) => Wake::Silence,
                },
                Way::Paused(until) => {
                    tokio::time::sleep_until(*until).await;
                    Wake::Again
                }
                Way::Back(Coming { entry, arrivals }) => tokio::select! {
                    biased;
                    // before what arrived: how much waits depends on how long the client took to make
                    entry = entry => Wake::Entry(entry.map(Box::new)),
                    Some(arrival) = arrivals.recv(), if keeps_up => Wake::Arrival(arrival),
                },
                Way::Gone => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = sleep_until(timer) => Wake::Timer,
            wake = way => wake,
            kept = self.completions.recv() => Wake::Kept(kept),
            then = self.account.next() => Wake::Account(then),
            does = self.shelf.next() => Wake::Local(does),
            command = commands, if keeps_up => Wake::Command(command),
        }
    }

    fn handle(&mut self, wake: Wake) -> Result<(), Trouble> {
        let now = self.clock.now();
        match wake {
            Wake::Command(command) => self.command(now, command),
            Wake::Timer => self.client.handle_timeout(now),
            Wake::Silence => return Err(Trouble::Lost("the server fell silent".into())),
            Wake::Again => self.come_back(),
            Wake::Local(does) => self.does(does),
            Wake::Account(then) => self.follow(then),
            Wake::Arrival(arrival) => self.arrives(&arrival)?,
            Wake::Entry(entry) => self.enter(*entry?)?,
            Wake::Frame(frame) => match frame? {
                Frame::Round(frame) => {
                    self.client.handle_round(now, &frame)?;
                    self.heard();
                }
                Frame::Control(frame) => {
                    let control = ServerControl::decode(&frame).map_err(Failure::protocol)?;
                    if let (ServerControl::Page(page), Way::In(streams, _)) = (&control, &self.way)
                    {
                        verify_page(streams.root(), page)?;
                    }
                    self.client.handle_control(now, control)?;
                }
            },
            Wake::Kept(Some(Completion::Saved { batch })) => {
                self.submitted = self.submitted.saturating_sub(1);
                self.client.handle_kept(batch);
            }
            Wake::Kept(Some(Completion::Failed { error })) => {
                return Err(Failure::from(error).into());
            }
            Wake::Kept(Some(completion)) => {
                self.submitted = self.submitted.saturating_sub(1);
                self.shelf.done(completion).into_iter().for_each(|event| self.tell(event));
            }
            Wake::Kept(None) => return Err(disk_stopped().into()),
        }
        Ok(())
    }

    /// Does what is for the disk and the connection here, and has the core do the rest.
    fn command(&mut self, now: Now, command: Command) {
        match command {
            Command::History { peer, before, max } => {
                if let Some(refusal) = self.shelf.refuse(about(&peer)) {
                    return self.teller.tell(refusal);
                }
                let identity = self.client.known_peer(&peer);
                if let Some(step) = self.shelf.ask(Question { peer, identity, before, max }) {
                    self.does(step);
                }
            }
            Command::Send { peer, text, label } => {
                let written = About { label: Some(label.clone()), ..about(&peer) };
                match self.shelf.refuse(written) {
                    Some(refusal) => self.teller.tell(refusal),
                    None => {
                        self.client.handle_command(now, Command::Send { peer, text, label });
                    }
                }
            }
            Command::Local(asked) => self.local(asked),
            Command::Retry => {
                if let Way::Paused(_) = self.way {
                    self.pause = PAUSES.0;
                    self.come_back();
                }
            }
            Command::SignOut => {
                self.signing_out = true;
                self.client.handle_command(now, Command::SignOut);
            }
            Command::ChangePassword { .. }
            | Command::Sessions
            | Command::EndSession { .. }
            | Command::DeleteAccount { .. } => {
                let is_in = matches!(self.way, Way::In(..));
                let then = self.account.begin(command, is_in);
                self.follow(then);
            }
            Command::Open { .. }
            | Command::Close { .. }
            | Command::Directory
            | Command::Status
            | Command::SafetyNumber { .. }
            | Command::Call { .. }
            | Command::Accept { .. }
            | Command::Decline { .. }
            | Command::Block { .. }
            | Command::Unblock { .. }
            | Command::Forget { .. }
            | Command::Verify { .. }
            | Command::AcceptKey { .. }
            | Command::Contacts
            | Command::Drain { .. }
            | Command::Quit => self.client.handle_command(now, command),
        }
    }

    /// Does what a change of the account asks for.
    fn follow(&mut self, then: Then) {
        match then {
            Then::Ask(request) => {
                if let Err(full) = self.client.request(request) {
                    self.teller.tell(self.account.unasked(&full.to_string()));
                }
            }
            Then::Tell(event) => self.teller.tell(event),
            Then::Renew(token) => {
                self.token = token.duplicate();
                self.backlog.push_back(Work::Changes(OWN_BATCH, vec![Change::Token(Some(token))]));
            }
            Then::Leave => {
                self.backlog.push_back(Work::Changes(OWN_BATCH, vec![Change::Token(None)]));
                self.teller.tell(Event::AccountDeleted);
                self.leaving = true;
            }
        }
    }

    /// Does what is asked of what is kept here.
    fn local(&mut self, asked: Local) {
        if asked == Local::Lock {
            self.forget_password();
        }
        let steps = self.shelf.begin(asked, &self.client);
        steps.into_iter().for_each(|step| self.does(step));
    }

    fn does(&mut self, does: Does) {
        match does {
            Does::Tell(event) => self.teller.tell(event),
            Does::Keep(work) => self.backlog.push_back(work),
        }
    }

    /// Tells whether the program does not have the client yet.
    fn is_shut(&self) -> bool {
        matches!(self.first, Some(First::Shut { .. }))
    }

    /// Tells what the core tells, once the program has the client; no text while the history is locked.
    fn tell(&mut self, event: Event) {
        let event = match event {
            Event::Message { peer, .. } if self.shelf.is_locked() => {
                Event::Local(LocalEvent::Waits { peer })
            }
            event => event,
        };
        match &mut self.first {
            Some(First::Shut { held, .. }) => held.push(event),
            Some(First::Open(_)) | None => self.teller.tell(event),
        }
    }

    /// Does what the core asks for.
    async fn flush(&mut self) -> Result<(), Trouble> {
        let mut sent = Ok(());
        while let Some(output) = self.client.poll_output() {
            match (output, &mut self.way) {
                (Output::Deposit(frame), Way::In(streams, _)) if sent.is_ok() => {
                    sent = streams.deposit(&frame).await;
                }
                (Output::Control(frame), Way::In(streams, _)) if sent.is_ok() => {
                    sent = streams.control(&frame).await;
                }
                // the connection is gone: these frames belonged to it
                (Output::Deposit(_) | Output::Control(_), _) => (),
                (Output::Keep(batch, changes), _) => {
                    self.backlog.push_back(Work::Changes(batch, changes));
                }
                (Output::Answer(answer), Way::In(streams, _)) => {
                    let exporter = streams.exporter();
                    if let Some(then) = self.account.answer(*answer, &exporter) {
                        self.follow(then);
                    }
                }
                (Output::Answer(_), _) => (),
                (Output::Event(event), _) => self.tell(event),
                (Output::Leave, _) => self.leaving = true,
            }
        }
        self.submit()?;
        sent
    }

    /// Tells what the core had told, and takes what is still to be kept; there is no connection for the rest.
    fn tell_rest(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Event(event) => self.tell(event),
                Output::Keep(batch, changes) => {
                    self.backlog.push_back(Work::Changes(batch, changes));
                }
                Output::Deposit(_) | Output::Control(_) | Output::Answer(_) => (),
                Output::Leave => self.leaving = true,
            }
        }
    }

    /// Hands batches to the profile, a bounded number at once.
    fn submit(&mut self) -> Result<(), Failure> {
        if self.profile.lost_records() {
            return Err(ProfileError::Damaged("directory").into());
        }
        while self.submitted < SUBMITTED_MAX
            && let Some(work) = self.backlog.pop_front()
        {
            self.profile.submit(work)?;
            self.submitted += 1;
        }
        if self.backlog.len() > BACKLOG_MAX { Err(disk_stopped()) } else { Ok(()) }
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn disk_stopped() -> Failure {
    Failure::new(
        ErrorCode::Disk,
        "the profile's disk does not answer; check the disk, then start again",
    )
}
