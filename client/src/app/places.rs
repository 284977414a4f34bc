//! Where things lie that can be pressed or written in, for the event log.

use client_link::api::Event;
use iced::Task;
use iced::widget::Id;
use iced::widget::selector::{Candidate, find_all};

use super::{App, Message, Screen};

/// Everything that has a fixed name, on whatever screen.
const PLACES: [&str; 56] = [
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
    "to-end",
    "emoji",
    "copy",
    "details",
    "link-open",
    "link-copy",
    "link-cancel",
    "find",
    "find-close",
    "find-older",
    "find-newer",
    "search-in",
    "forget-on-exit",
    "export-text",
    "export-json",
    "delete-history",
];

/// Tells whether a message may move something; the clock does not.
pub(super) fn may_move(message: &Message) -> bool {
    match message {
        Message::Ticked | Message::Placed(_) => false,
        Message::Told(_, events) => {
            let quiet = |event: &Event| {
                matches!(event, Event::Round { .. } | Event::RoundOpen { .. } | Event::Status(_))
            };
            !events.iter().all(quiet)
        }
        Message::Connect(_)
        | Message::Register(_)
        | Message::SignIn(_)
        | Message::Main(_)
        | Message::Stopped(_)
        | Message::Drawn
        | Message::SystemTheme(_)
        | Message::Tabbed { .. }
        | Message::TabEnded { .. }
        | Message::Pressed(_)
        | Message::TypedBeside(_)
        | Message::Settled(_)
        | Message::Resized
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
            Screen::Connect(_) | Screen::Register(_) | Screen::SignIn(_) | Screen::Stopped(..) => {
                Vec::new()
            }
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
