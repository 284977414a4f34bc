//! The pages of the settings, each made of its parts.

use iced::Element;
use iced::widget::{Column, column, row, text};

use super::{Facts, Message, Settings};
use crate::args::ThemeChoice;
use crate::remember::{LockAfter, Notifications, Zoom};
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::settings as words;
use crate::words::settings::{about, account, appearance, privacy};

impl Settings {
    pub(super) fn account<'a>(&'a self, facts: &Facts<'a>) -> Element<'a, Message> {
        let is_free = self.is_free();
        let lock = widget::secondary("lock", account::LOCK, Some(Message::LockPressed));
        let sign_out = (!facts.is_signing_out).then_some(Message::SignOutPressed);
        let sign_out = widget::secondary("sign-out", account::SIGN_OUT, sign_out);
        let own = column![
            widget::heading(account::TITLE),
            widget::fact(account::NAME, facts.user),
            widget::fact(account::SERVER, facts.link.host.as_str()),
            widget::wrap([lock, sign_out]),
            widget::hint(account::SIGN_OUT_ABOUT),
        ];
        let password = self.password.view(is_free, self.is_changing_password());
        let now_ms = facts.here.unix_ms;
        let sessions = self.sessions.view(is_free, self.is_listing(), now_ms);
        let deletion = self.deletion.view(is_free, self.is_deleting());
        let problem = widget::error(self.problem);
        parts([
            own.push(problem).spacing(space::SMALL).into(),
            password.map(Message::Password),
            sessions.map(Message::Sessions),
            deletion.map(Message::Deletion),
        ])
    }

    pub(super) fn privacy<'a>(&'a self, facts: &Facts<'a>) -> Element<'a, Message> {
        let remembered = facts.remembered;
        let lock = widget::choices(
            "lock-after",
            LockAfter::ALL,
            remembered.lock_after,
            words::lock_after,
            Message::LockAfterChosen,
        );
        let notifications = widget::choices(
            "notifications",
            Notifications::ALL,
            remembered.notifications,
            words::notifications,
            Message::NotificationsChosen,
        );
        let left_out = privacy::LEFT_OUT_TEXT.map(|(what, why)| {
            let what = text(what).size(size::BODY);
            column![what, widget::hint(why)].spacing(2).into()
        });
        let left_out = Column::with_children(left_out).spacing(space::SMALL);
        let meaning =
            widget::secondary("meaning-page", privacy::MEANING, Some(Message::MeaningPressed));
        parts([
            column![
                widget::heading(privacy::TITLE),
                widget::label(privacy::LOCK),
                lock,
                widget::label(privacy::NOTIFICATIONS),
                notifications,
                widget::hint(privacy::NOTIFICATIONS_ABOUT),
            ]
            .spacing(space::SMALL)
            .into(),
            column![widget::heading(privacy::HISTORY), self.history.view().map(Message::History)]
                .spacing(space::SMALL)
                .into(),
            column![widget::heading(privacy::LEFT_OUT), left_out, row![meaning]]
                .spacing(space::SMALL)
                .into(),
        ])
    }

    pub(super) fn about<'a>(&'a self, facts: &Facts<'a>) -> Element<'a, Message> {
        let meaning =
            widget::secondary("meaning-page", privacy::MEANING, Some(Message::MeaningPressed));
        let keys = widget::secondary("keys", about::KEYS, Some(Message::KeysPressed));
        parts([
            column![
                widget::heading(about::TITLE),
                widget::words(about::WHAT),
                widget::fact(about::VERSION, facts.version),
                widget::hint(about::AUDIT),
                widget::wrap([meaning, keys]),
            ]
            .spacing(space::SMALL)
            .into(),
            column![
                widget::fact(about::DATA, words::place(facts.dir)),
                widget::hint(about::DATA_ABOUT),
            ]
            .spacing(space::SMALL)
            .into(),
            column![widget::heading(about::LICENCES), widget::hint(about::LICENCES_TEXT)]
                .spacing(space::SMALL)
                .into(),
        ])
    }
}

pub(super) fn appearance<'a>(facts: &Facts<'a>) -> Element<'a, Message> {
    let remembered = facts.remembered;
    let themes =
        [ThemeChoice::System, ThemeChoice::Light, ThemeChoice::Dark, ThemeChoice::HighContrast];
    let themes =
        widget::choices("theme", themes, remembered.theme, words::theme, Message::ThemeChosen);
    let zoom = remembered.zoom;
    let to = |to: Zoom| (to != zoom).then_some(Message::ZoomChosen(to));
    let percent = text(words::percent(zoom.percent())).size(size::LARGE);
    let zooms = widget::wrap([
        widget::secondary("zoom-smaller", appearance::SMALLER, to(zoom.smaller())),
        widget::secondary("zoom-larger", appearance::LARGER, to(zoom.larger())),
        widget::secondary("zoom-standard", appearance::STANDARD, to(Zoom::default())),
    ]);
    let given = facts.theme_is_given.then(|| text(appearance::GIVEN).size(size::SMALL));
    let colours = column![
        widget::heading(appearance::TITLE),
        widget::label(appearance::THEME),
        themes,
        given.map(|words| words.style(theme::caution)),
    ];
    let sizes = column![
        widget::label(appearance::ZOOM),
        percent,
        zooms,
        widget::hint(appearance::ZOOM_KEYS),
    ];
    parts([colours.spacing(space::SMALL).into(), sizes.spacing(space::SMALL).into()])
}

fn parts<'a>(parts: impl IntoIterator<Item = Element<'a, Message>>) -> Element<'a, Message> {
    let mut page = Column::new().spacing(space::WIDE);
    for (index, part) in parts.into_iter().enumerate() {
        page = page.push((index > 0).then(widget::rule)).push(part);
    }
    page.into()
}
