//! How far an attempt is: what a form shows between a press and the rounds.
//!
//! ```text
//!  Idle ─begin─► Working ─cancel─► Stopping
//!   ▲               │ Ended           │ Ended
//!   └───────────────┴─────────────────┘
//! ```

use client_link::api::{About, Event, Step};
use iced::Element;
use iced::widget::{column, text};

use crate::theme::size;
use crate::theme::space;
use crate::widget;
use crate::words::{failure, steps};

/// How far an attempt is, and what ended the last one.
#[derive(Debug, Default)]
pub struct Progress {
    state: State,
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Working(Option<Step>),
    Stopping,
}

impl Progress {
    /// An attempt begins, and what ended the last one is forgotten.
    pub fn begin(&mut self) {
        *self = Self { state: State::Working(None), failure: None };
    }

    /// The attempt is to end; tells whether that is news.
    pub fn cancel(&mut self) -> bool {
        let is_news = matches!(self.state, State::Working(_));
        if is_news {
            self.state = State::Stopping;
        }
        is_news
    }

    /// Tells whether an attempt goes on; only the engine's end ends one.
    pub fn is_busy(&self) -> bool {
        self.state != State::Idle
    }

    /// Tells whether the attempt can be cancelled.
    pub fn can_cancel(&self) -> bool {
        matches!(self.state, State::Working(_))
    }

    /// Takes in what concerns it, also of an attempt that began elsewhere.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Progress(step) if self.state != State::Stopping => {
                self.state = State::Working(Some(*step));
            }
            Event::Error { code, text, about: About { peer: None, label: None } } => {
                self.failure = Some(failure::words(*code, text));
            }
            Event::Ended { ok } => self.end(*ok),
            Event::Progress(_)
            | Event::Error { .. }
            | Event::Registered { .. }
            | Event::Request { .. }
            | Event::Calling { .. }
            | Event::Answered { .. }
            | Event::KeyChanged { .. }
            | Event::Contact(_)
            | Event::Forgotten { .. }
            | Event::Contacts { .. }
            | Event::VaultStored { .. }
            | Event::Sessions { .. }
            | Event::SessionEnded { .. }
            | Event::PasswordChanged
            | Event::AccountDeleted
            | Event::ServerRestored { .. }
            | Event::Local(_)
            | Event::SignedIn { .. }
            | Event::RoundOpen { .. }
            | Event::Round { .. }
            | Event::State { .. }
            | Event::Message { .. }
            | Event::Directory { .. }
            | Event::Listed { .. }
            | Event::History { .. }
            | Event::SafetyNumber { .. }
            | Event::Status(_)
            | Event::Connection(_)
            | Event::RetryIn { .. } => (),
        }
    }

    /// Shows what is being done, or what ended the last attempt.
    pub fn view<'a, Message: 'a>(&'a self) -> Option<Element<'a, Message>> {
        let (doing, why) = match self.state {
            State::Idle => return widget::error(self.failure.as_deref()),
            State::Working(None) => (steps::STARTING.into(), None),
            State::Working(Some(step)) => {
                (steps::doing(step), steps::is_slow(step).then_some(steps::SLOW))
            }
            State::Stopping => (steps::STOPPING.into(), None),
        };
        let why = why.map(widget::hint);
        let bar = match self.state {
            State::Working(Some(Step::Directory { names, done })) if done > 0 => {
                Some(widget::progress(done.into(), names.into()))
            }
            State::Working(_) | State::Idle | State::Stopping => None,
        };
        Some(column![text(doing).size(size::BODY), bar, why].spacing(space::TIGHT).into())
    }

    fn end(&mut self, ok: bool) {
        if self.state == State::Stopping {
            // whoever cancels does not need to be told that it failed
            self.failure = None;
        } else if !ok && self.failure.is_none() {
            self.failure = Some(failure::SILENT.into());
        }
        self.state = State::Idle;
    }
}

#[cfg(test)]
mod tests {
    use client_link::api::ErrorCode;
    use insta::assert_snapshot;

    use super::*;
    use crate::screen::drive::texts;

    const STEPS: [Step; 9] = [
        Step::Unlocking,
        Step::Connecting,
        Step::Registering,
        Step::SigningIn,
        Step::Resuming,
        Step::MakingProfile,
        Step::Directory { names: 0, done: 0 },
        Step::Directory { names: 1, done: 0 },
        Step::Directory { names: u32::MAX, done: u32::MAX - 1 },
    ];

    fn shown(progress: &Progress) -> String {
        let view: Option<Element<'_, ()>> = progress.view();
        texts(view).join(" / ")
    }

    fn error(code: ErrorCode, about: About) -> Event {
        Event::Error { code, text: "the disk is full".into(), about }
    }

    #[test]
    fn every_step_is_said_and_slow_ones_say_why() {
        let mut progress = Progress::default();
        let mut lines = vec![shown(&progress)];
        progress.begin();
        lines.push(shown(&progress));
        for step in STEPS {
            progress.hear(&Event::Progress(step));
            lines.push(shown(&progress));
        }
        progress.cancel();
        lines.push(shown(&progress));
        assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn every_failure_on_the_way_in_is_said_in_words() {
        let engine = "too many tries; try again in 5 s";
        let lines = [
            (ErrorCode::WrongCredentials, engine),
            (ErrorCode::NameTaken, engine),
            (ErrorCode::ProfileInUse, engine),
            (ErrorCode::ProfileOtherAccount, engine),
            (ErrorCode::ProfileNewer, engine),
            (ErrorCode::ServerFull, engine),
            (ErrorCode::SessionEnded, engine),
            (ErrorCode::SignedInElsewhere, engine),
            (ErrorCode::RegistrationClosed, engine),
            (ErrorCode::InviteNeeded, engine),
            (ErrorCode::InviteInvalid, engine),
            (ErrorCode::SlowDown, engine),
            (ErrorCode::NoServer, ""),
            (ErrorCode::NoServer, "\u{202e}\u{1b}[2Jß?"),
        ]
        .map(|(code, text)| format!("{}: {}", code.as_str(), failure::words(code, text)));
        assert_snapshot!(lines.join("\n"));
        assert!(failure::words(ErrorCode::Disk, &"x".repeat(100_000)).len() < 500);
    }

    #[test]
    fn only_the_end_ends_an_attempt_and_the_failure_stays_until_the_next() {
        let mut progress = Progress::default();
        progress.begin();
        progress.hear(&error(ErrorCode::Disk, About::default()));
        assert!(progress.is_busy());
        progress.hear(&Event::Ended { ok: false });
        assert_eq!((progress.is_busy(), &*shown(&progress)), (false, "The disk is full."));
        progress.begin();
        progress.hear(&Event::Ended { ok: false });
        assert_eq!(shown(&progress), failure::SILENT, "the last failure is not this one's");
    }

    #[test]
    fn what_fails_about_somebody_is_not_about_the_attempt() {
        let mut progress = Progress::default();
        progress.begin();
        let about = About { peer: Some("bob".into()), label: None };
        progress.hear(&error(ErrorCode::KeyChanged, about));
        progress.hear(&Event::Ended { ok: true });
        assert_eq!(shown(&progress), "");
    }

    #[test]
    fn a_cancelled_attempt_stops_once_and_complains_of_nothing() {
        let mut progress = Progress::default();
        assert!(!progress.cancel(), "nothing goes on");
        progress.begin();
        assert!(progress.cancel());
        assert!(!progress.cancel());
        progress.hear(&Event::Progress(Step::SigningIn));
        assert_eq!((progress.can_cancel(), &*shown(&progress)), (false, steps::STOPPING));
        progress.hear(&error(ErrorCode::NoServer, About::default()));
        progress.hear(&Event::Ended { ok: false });
        assert_eq!((progress.is_busy(), &*shown(&progress)), (false, ""));
    }

    #[test]
    fn an_attempt_that_began_elsewhere_is_shown() {
        let mut progress = Progress::default();
        progress.hear(&Event::Progress(Step::Connecting));
        assert!(progress.is_busy() && progress.can_cancel());
    }
}
