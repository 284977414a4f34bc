//! The main screen on an engine that knows one long conversation, without a display.

use std::collections::BTreeMap;
use std::time::Instant;

use client::clock::{self, Now};
use client::connection::Connection;
use client::event_log::EventLog;
use client::present::Here;
use client::screen::main::{Action, Main, Message};
use client_link::api::{
    Author, COMMANDS_MAX, Command, ConnectionState, ContactStatus, ConversationStatus, Event,
    HistoryEntry, MessageState, Standing, Status,
};
use client_link::engine::Engine;
use iced::advanced::clipboard;
use iced::advanced::renderer::{Headless, Style};
use iced::futures::executor::block_on;
use iced::{Font, Pixels, Renderer, Size, Theme, mouse, window};
use iced_test::runtime::UserInterface;
use iced_test::runtime::user_interface::Cache;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use wire::ids::MessageId;

/// 2026-11-23 09:30 UTC, a Monday.
pub(crate) const NOW_MS: u64 = 1_795_426_200_000;

/// The screen and the engine behind it.
pub(crate) struct Stage {
    pub(crate) main: Main,
    pub(crate) here: Here,
    connection: Connection,
    commands: mpsc::Receiver<Command>,
    log: EventLog,
    /// What bob and ann wrote each other, the oldest first; a cursor is a place in it.
    pub(crate) written: Vec<HistoryEntry>,
}

impl Stage {
    /// Has ann signed in, with bob among her contacts.
    pub(crate) fn new(written: Vec<HistoryEntry>) -> Self {
        let (send_commands, commands) = mpsc::channel(COMMANDS_MAX);
        let (_, events) = mpsc::channel(1);
        let connection = Connection::new(1, Engine { commands: send_commands, events });
        let main = Main::new("ann".into(), BTreeMap::new(), &connection);
        let here = Here { unix_ms: NOW_MS, zone: TimeZone::UTC };
        let log = EventLog::default();
        let mut stage = Self { main, here, connection, commands, log, written };
        stage.tell(Event::Connection(ConnectionState::Connected));
        stage.tell(Event::RoundOpen { number: 8, closes_ms: 2000, round_ms: 2000 });
        stage.tell(Event::Round { number: 7, seats: 12, missed: 0 });
        stage.befriend("bob");
        stage
    }

    /// Now, by the clock of the stage.
    pub(crate) fn now(&self) -> Now {
        Now { unix_ms: NOW_MS, ..clock::now() }
    }

    /// Makes somebody a contact.
    pub(crate) fn befriend(&mut self, peer: &str) {
        let standing = Standing::Contact;
        self.tell(Event::Contact(ContactStatus { peer: peer.into(), standing, verified: false }));
    }

    /// Says that these conversations flow.
    pub(crate) fn live(&mut self, peers: &[&str]) {
        let conversation = |peer: &&str| ConversationStatus {
            peer: (*peer).into(),
            live: true,
            refused: 0,
            queued: 0,
            under_way: None,
        };
        self.tell(Event::Status(Status {
            connection: ConnectionState::Connected,
            round: 9,
            seats: 12,
            missed: 0,
            real: 1,
            cover: 7,
            conversations: peers.iter().map(conversation).collect(),
            refused_calls: 0,
        }));
    }

    /// Has the engine say something.
    pub(crate) fn tell(&mut self, event: Event) {
        let now = self.now();
        self.main.hear(event, &self.connection, now, &mut self.log);
    }

    /// Has something happen on the screen, and the engine answer for the history.
    pub(crate) fn happen(&mut self, message: Message) -> Action {
        let now = self.now();
        let action = self.main.update(message, &self.connection, now);
        while let Ok(command) = self.commands.try_recv() {
            if let Command::History { peer, before, max } = command {
                let entries = if peer == "bob" { &self.written[..] } else { &[] };
                let end = before.map_or(entries.len(), |before| before as usize);
                let start = end.saturating_sub(max);
                let page = entries[start..end].iter().rev().cloned().collect();
                self.tell(Event::History { peer, before, entries: page, more: start > 0 });
            }
        }
        action
    }

    /// Says something as somebody.
    pub(crate) fn say(&mut self, peer: &str, number: u64, text: &str) {
        let id = MessageId((1_000_000 + number).to_be_bytes());
        let sent_ms = NOW_MS - 60_000;
        self.tell(Event::Message { id, peer: peer.into(), text: text.into(), sent_ms, round: 9 });
    }
}

/// Makes a conversation of so many messages: some long, some with links, both write.
pub(crate) fn written(count: u64) -> Vec<HistoryEntry> {
    let texts = [
        "Are you coming tonight?",
        "Yes, at eight. I bring what is left of the cake, and the book that you lent me in spring.",
        "Good.",
        "The map is at https://maps.example.org/?q=old+mill, the gate on the left.",
        "Ok 👍",
        "Two things before I forget:\n- the key is under the stone\n- do not let the cat out",
    ];
    let entry = |cursor: u64| HistoryEntry {
        cursor,
        author: match cursor % 7 {
            0 | 3 | 4 => Author::Own {
                label: cursor.to_string(),
                state: MessageState::Delivered,
                round: Some(cursor),
            },
            _ => Author::Peer { id: MessageId(cursor.to_be_bytes()), round: cursor },
        },
        text: texts[(cursor % 6) as usize].into(),
        sent_ms: NOW_MS - 120_000 * (count - cursor),
    };
    (0..count).map(entry).collect()
}

/// A window that is not there.
pub(crate) struct Screen {
    renderer: Renderer,
    cache: Cache,
    size: Size,
    scale: f32,
}

impl Screen {
    /// Makes one of a size in logical pixels.
    pub(crate) fn new(width: f32, height: f32, scale: f32) -> Self {
        let font = Font::with_name("Fira Sans");
        let renderer = <Renderer as Headless>::new(font, Pixels(16.0), None);
        let renderer = block_on(renderer).expect("it needs nothing");
        Self { renderer, cache: Cache::default(), size: Size::new(width, height), scale }
    }

    /// Lays the screen out until nothing moves, and records what is drawn.
    pub(crate) fn lay_out(&mut self, stage: &mut Stage, theme: &Theme) {
        for _ in 0..10 {
            let cache = std::mem::take(&mut self.cache);
            let now = stage.now();
            let view = stage.main.view(now, &stage.here);
            let mut interface = UserInterface::build(view, self.size, cache, &mut self.renderer);
            let redraw = iced::Event::Window(window::Event::RedrawRequested(Instant::now()));
            let (mut messages, cursor) = (Vec::new(), mouse::Cursor::Unavailable);
            let mut none = clipboard::Null;
            let events = [redraw];
            let _ = interface.update(&events, cursor, &mut self.renderer, &mut none, &mut messages);
            let style = Style { text_color: theme.palette().text };
            interface.draw(&mut self.renderer, theme, &style, cursor);
            self.cache = interface.into_cache();
            if messages.is_empty() {
                return;
            }
            for message in messages {
                stage.happen(message);
            }
        }
    }

    /// Draws all that was recorded; returns the pixels, four bytes each, and their number in each direction.
    pub(crate) fn draw(&mut self, theme: &Theme) -> (Vec<u8>, Size<u32>) {
        let pixels = |length: f32| (length * self.scale).round() as u32;
        let size = Size::new(pixels(self.size.width), pixels(self.size.height));
        let behind = theme.palette().background;
        (self.renderer.screenshot(size, self.scale, behind), size)
    }
}
