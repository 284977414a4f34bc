//! Where the account is signed in.

use std::collections::VecDeque;

use client_link::api::SessionStatus;
use iced::widget::{Column, column, container, text};
use iced::{Element, Fill};

use crate::theme::{self, size, space};
use crate::widget;
use crate::words::settings::sessions as words;

/// What is known of them, and which are to be ended.
#[derive(Default)]
pub(super) struct Sessions {
    known: Option<Vec<SessionStatus>>,
    /// Ids of those that wait to be ended; the engine ends one at a time.
    ending: VecDeque<String>,
    problem: Option<String>,
}

/// What happened in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It is to be asked for once more.
    AskedAgain,
    /// One is to be ended.
    EndPressed(String),
    /// All but this one are to be ended.
    EndOthersPressed,
}

impl Sessions {
    /// Takes in the list.
    pub(super) fn listed(&mut self, sessions: Vec<SessionStatus>) {
        self.known = Some(sessions);
        self.problem = None;
    }

    /// One has ended.
    pub(super) fn ended(&mut self, id: &str) {
        self.ending.retain(|ending| ending != id);
        if let Some(known) = &mut self.known {
            known.retain(|session| session.id != id);
        }
    }

    /// All others have ended.
    pub(super) fn only_this(&mut self) {
        self.ending.clear();
        if let Some(known) = &mut self.known {
            known.retain(|session| session.current);
        }
    }

    /// Something was not done, and why.
    pub(super) fn failed(&mut self, why: String) {
        self.ending.clear();
        self.problem = Some(why);
    }

    /// Notes what is to be ended.
    pub(super) fn end(&mut self, id: Option<String>) {
        self.problem = None;
        let known = self.known.iter().flatten().filter(|session| !session.current);
        let wanted = known.filter(|session| id.as_ref().is_none_or(|id| *id == session.id));
        let wanted: Vec<_> = wanted.map(|session| session.id.clone()).collect();
        for id in wanted {
            if !self.ending.contains(&id) {
                self.ending.push_back(id);
            }
        }
    }

    /// Returns what is to be ended next.
    pub(super) fn next(&self) -> Option<&String> {
        self.ending.front()
    }

    /// Shows the list; `is_free` tells whether the account can be changed now, `is_listing` whether it was asked for.
    pub(super) fn view(
        &self,
        is_free: bool,
        is_listing: bool,
        now_ms: u64,
    ) -> Element<'_, Message> {
        let rows =
            self.known.iter().flatten().map(|session| self.session(session, is_free, now_ms));
        let rows = Column::with_children(rows).spacing(space::SMALL);
        let others = self.known.iter().flatten().any(|session| !session.current);
        let others = (is_free && others).then_some(Message::EndOthersPressed);
        let others = widget::secondary("end-others", words::END_OTHERS, others);
        let list = widget::quiet("list", words::LIST, is_free.then_some(Message::AskedAgain));
        let doing = match self.ending.len() {
            0 if is_listing => Some(widget::hint(words::ASKING)),
            0 => None,
            left => Some(widget::hint(words::ending(left))),
        };
        column![
            widget::heading(words::TITLE),
            widget::hint(words::ABOUT),
            rows,
            doing,
            widget::error(self.problem.as_deref()),
            widget::wrap([others, list]),
        ]
        .spacing(space::SMALL)
        .into()
    }

    fn session<'a>(
        &'a self,
        session: &'a SessionStatus,
        is_free: bool,
        now_ms: u64,
    ) -> Element<'a, Message> {
        let name = match (session.current, session.superseded) {
            (true, _) => words::THIS,
            (false, true) => words::SUPERSEDED,
            (false, false) => words::OTHER,
        };
        let age = words::age(session.created_ms, now_ms);
        let rest = words::rest(session.expires_ms, now_ms);
        let told = column![
            text(name).size(size::BODY).wrapping(text::Wrapping::WordOrGlyph),
            widget::hint(format!("{age}, {rest}")),
        ];
        let is_ending = self.ending.contains(&session.id);
        let label = if is_ending { words::ENDING } else { words::END };
        let end = (is_free && !is_ending).then(|| Message::EndPressed(session.id.clone()));
        let end =
            (!session.current).then(|| widget::named(format!("end-{}", session.id), label, end));
        let row = iced::widget::row![told.spacing(2).width(Fill)].push(end);
        let row = row.spacing(space::SMALL).align_y(iced::Center);
        container(row).padding(space::INNER).width(Fill).style(theme::card).into()
    }
}
