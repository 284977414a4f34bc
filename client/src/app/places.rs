//! Where things lie that can be pressed or written in, for the event log.

use client_link::api::Event;
use iced::Task;
use iced::widget::Id;
use iced::widget::selector::{Candidate, find_all};

use super::{App, Message, Screen};

/// Everything that has a fixed name, on whatever screen.
const PLACES: &[&str] = &[
    "link",
    "to-sign-in",
    "to-register",
    "name",
    "password",
    "repeat",
    "invite",
    "register",
    "sign-in",
    "back",
    "cancel",
    "show",
    "remember",
    "notice",
    "search",
    "composer",
    "send",
    "sign-out",
    "retry",
    "safety-number",
    "close",
    "older",
    "call",
    "accept",
    "decline",
    "block",
    "unblock",
    "forget",
    "accept-key",
    "menu",
    "keep",
    "confirm",
    "verify",
    "unverify",
    "blocked",
    "meaning",
    "meaning-read",
    "more",
    "again",
    "quit",
    "other",
    "unlock",
    "settings",
    "lock",
    "keys",
    "keys-read",
    "stay",
    "lock-instead",
    "unasked",
    "section-account",
    "section-privacy",
    "section-appearance",
    "section-network",
    "section-about",
    "password-open",
    "password-old",
    "password-new",
    "password-repeat",
    "password-change",
    "end-others",
    "list",
    "delete-open",
    "delete-name",
    "delete-password",
    "delete-next",
    "delete-yes",
    "export",
    "export-text",
    "export-json",
    "export-yes",
    "history-delete",
    "history-delete-next",
    "history-delete-yes",
    "meaning-page",
    "theme-0",
    "theme-1",
    "theme-2",
    "theme-3",
    "zoom-smaller",
    "zoom-larger",
    "zoom-standard",
    "to-end",
    "emoji",
    "copy",
    "details",
    "link-open",
    "link-copy",
    "link-cancel",
    "find",
    "find-begin",
    "find-close",
    "find-older",
    "find-newer",
    "search-in",
    "forget-on-exit",
    "delete-history",
];

/// Tells whether a message may move something; the clock does not.
pub(super) fn may_move(message: &Message) -> bool {
    match message {
        Message::Ticked | Message::SomebodyIsThere | Message::Placed(_) => false,
        Message::Told(_, events) => {
            let quiet = |event: &Event| {
                matches!(event, Event::Round { .. } | Event::RoundOpen { .. } | Event::Status(_))
            };
            !events.iter().all(quiet)
        }
        Message::Connect(_)
        | Message::Register(_)
        | Message::SignIn(_)
        | Message::Unlock(_)
        | Message::Main(_)
        | Message::Settings(_)
        | Message::Sheet(_)
        | Message::Focused(_)
        | Message::Dropped(_)
        | Message::Stopped(_)
        | Message::Drawn
        | Message::SystemTheme(_)
        | Message::Tabbed { .. }
        | Message::TabEnded { .. }
        | Message::Pressed(_)
        | Message::TypedBeside(_)
        | Message::Settled(_)
        | Message::Raised(_)
        | Message::Resized(_)
        | Message::Terminated
        | Message::CloseRequested
        | Message::LeaveExpired => true,
    }
}

impl App {
    /// Looks where things lie that can be pressed or written in.
    pub(super) fn find_places(&self) -> Task<Message> {
        let rows = match &self.screen {
            Screen::Main(main) => main.rows(),
            Screen::Connect(_)
            | Screen::Register(_)
            | Screen::SignIn(_)
            | Screen::Unlock(_)
            | Screen::Stopped(..) => Vec::new(),
        };
        let names: Vec<_> = PLACES.iter().map(|&name| name.to_owned()).chain(rows).collect();
        let ids: Vec<_> = names.into_iter().map(|name| (Id::from(name.clone()), name)).collect();
        let find = move |candidate: Candidate<'_>| {
            let id = candidate.id()?;
            let (_, name) = ids.iter().find(|(known, _)| known == id)?;
            Some((name.clone(), candidate.visible_bounds()?))
        };
        find_all(find).map(Message::Placed)
    }
}
