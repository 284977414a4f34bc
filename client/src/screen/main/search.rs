//! The search in what was written: what is looked for, what is found, and the way to a hit.

use client_link::api::{Command, HITS_MAX, Hit, Local, LocalEvent, SEARCH_MAX};
use iced::widget::{Column, button, column, container, rich_text, row, span, text};
use iced::{Center, Element, Fill};

use super::conversation::{By, Conversation, Older, Shown};
use super::safety::Safety;
use super::{Action, COMPOSER, Main, Message};
use crate::clock::Now;
use crate::connection::Connection;
use crate::icon::Icon;
use crate::present::{self, Around, Here};
use crate::theme::{self, size, space};
use crate::widget;
use crate::words::main as words;

/// The field of what is looked for.
pub const FIND: &str = "find";

/// Messages that are asked for at once on the way to a hit.
const PAGE_TO_HIT: usize = 256;

/// Hits from the first one that is shown among which the chosen one is, so that it is seen in small windows too.
const CHOSEN_WITHIN: usize = 3;

/// What is done with the search.
#[derive(Clone)]
pub enum Find {
    /// It is to begin, in the conversation that is shown or in all.
    Begin {
        /// In all.
        everywhere: bool,
    },
    /// What is looked for was typed.
    Typed(String),
    /// The chosen hit is to be shown.
    Submit,
    /// The hit of this place is to be shown.
    Hit(usize),
    /// It is to end.
    End,
}

/// A search.
pub struct Search {
    number: u64,
    /// With whom, or with everybody.
    peer: Option<String>,
    text: String,
    found: Vec<Found>,
    read: u64,
    of: u64,
    is_done: bool,
    at: usize,
    /// The first hit that is shown.
    first: usize,
    /// Whether the messages are shown in place of the hits.
    shows_messages: bool,
    /// The hit whose message is being loaded.
    sought: Option<Hit>,
}

/// A hit and what is shown of it.
struct Found {
    hit: Hit,
    around: Around,
}

impl Search {
    fn new(peer: Option<String>) -> Self {
        Self {
            number: 0,
            peer,
            text: String::new(),
            found: Vec::new(),
            read: 0,
            of: 0,
            is_done: true,
            at: 0,
            first: 0,
            shows_messages: false,
            sought: None,
        }
    }

    /// Takes in what the engine found; what another search found is passed over.
    fn hear(&mut self, number: u64, hits: Vec<Hit>, (read, of): (u64, u64), is_done: bool) {
        if number != self.number {
            return;
        }
        let text = &self.text;
        let shown = hits.into_iter().map(|hit| {
            let around = present::around(&hit.text, text.trim());
            Found { hit, around }
        });
        let room = HITS_MAX.saturating_sub(self.found.len());
        self.found.extend(shown.take(room));
        (self.read, self.of, self.is_done) = (read, of, is_done);
    }

    /// Tells whether the hits stand in place of the messages.
    pub fn shows_hits(&self) -> bool {
        !self.shows_messages && !self.text.trim().is_empty()
    }

    /// Says how far it is.
    fn progress(&self) -> String {
        if self.sought.is_some() {
            return words::LOADING.into();
        }
        match (self.text.trim().is_empty(), self.found.len(), self.is_done) {
            (true, ..) => words::FIND_HINT.into(),
            (false, 0, true) => words::NOT_FOUND.into(),
            (false, found, true) => words::hit(self.at + 1, found),
            (false, found, false) => words::searching(found, self.read, self.of),
        }
    }

    /// Shows the field, how far it is, and its buttons.
    pub fn bar(&self) -> Element<'_, Message> {
        let scope = match &self.peer {
            Some(peer) => words::find_in(peer),
            None => words::FIND_IN_ALL.into(),
        };
        let field = widget::input(FIND, &scope, &self.text);
        let field = field
            .on_input(|text| Message::Find(Find::Typed(text)))
            .on_submit(Message::Find(Find::Submit));
        let has = (!self.found.is_empty()).then_some(());
        let step = |back| has.map(|()| Message::Stepped { back });
        let older = widget::iconic("find-older", Icon::ChevronUp, words::FIND_OLDER, step(false));
        let newer = widget::iconic("find-newer", Icon::ChevronDown, words::FIND_NEWER, step(true));
        let close = Some(Message::Find(Find::End));
        let close = widget::iconic("find-close", Icon::Close, words::CLOSE, close);
        let progress = container(widget::hint(self.progress())).width(Fill);
        let top = row![container(widget::apart(field)).width(Fill), close]
            .spacing(space::TIGHT)
            .align_y(Center);
        let below = row![progress, newer, older].spacing(space::TIGHT).align_y(Center);
        let bar = column![top, below].spacing(space::TIGHT);
        container(bar).padding([space::SMALL, space::INNER]).width(Fill).style(theme::panel).into()
    }

    /// Shows the hits, with name and day.
    pub fn hits<'a>(&'a self, user: &'a str, here: &Here) -> Element<'a, Message> {
        let shown = self.found.iter().enumerate().skip(self.first);
        let rows = shown.map(|(at, found)| self.hit(at, found, user, here));
        let list = Column::with_children(rows).spacing(2).padding(space::SMALL).width(Fill);
        widget::scroll(list).height(Fill).into()
    }

    fn hit<'a>(
        &self,
        at: usize,
        found: &'a Found,
        user: &'a str,
        here: &Here,
    ) -> Element<'a, Message> {
        let Found { hit, around } = found;
        let writer = if hit.is_ours { user } else { &hit.peer };
        let whose = match (&self.peer, hit.is_ours) {
            (None, true) => words::to(writer, &hit.peer),
            (None, false) | (Some(_), _) => writer.to_owned(),
        };
        let whose = text(whose).size(size::SMALL).wrapping(text::Wrapping::WordOrGlyph);
        let day = text(present::time(hit.sent_ms, here)).size(size::SMALL).style(theme::faint);
        let excerpt = rich_text![
            span(&*around.before),
            span(&*around.found).underline(true),
            span(&*around.after)
        ];
        let excerpt = excerpt.size(size::BODY).wrapping(text::Wrapping::WordOrGlyph);
        let excerpt = container(excerpt.on_link_click(iced::never)).max_height(44.0).clip(true);
        let head = row![container(whose).width(Fill), day].spacing(space::SMALL);
        let content = column![head, excerpt].spacing(2);
        let style = theme::row(at == self.at);
        let row = button(content).width(Fill).padding(space::SMALL).style(style);
        widget::place(format!("hit-{at}"), row.on_press(Message::Find(Find::Hit(at))))
    }
}

impl Main {
    /// Does what is wanted of the search.
    pub(super) fn search(&mut self, find: Find, engine: &Connection, now: Now) -> Action {
        match find {
            Find::Begin { everywhere } => return self.find(everywhere, engine),
            Find::Typed(text) => self.look_for(text, engine),
            Find::Submit => return self.go_to_hit(engine, now),
            Find::Hit(at) => return self.press_hit(at, engine, now),
            Find::End => return self.stop_search(engine),
        }
        Action::None
    }

    /// Begins a search, in the conversation that is shown or in all; one that is there goes on elsewhere.
    fn find(&mut self, everywhere: bool, engine: &Connection) -> Action {
        let peer = self.shown.clone().filter(|_| !everywhere);
        match &mut self.search {
            Some(search) if search.peer == peer => search.shows_messages = false,
            Some(search) => {
                search.peer = peer;
                let text = search.text.clone();
                self.look_for(text, engine);
            }
            search @ None => *search = Some(Search::new(peer)),
        }
        Action::Focus(FIND)
    }

    /// Looks for another text; what is longer than may be looked for changes nothing.
    fn look_for(&mut self, text: String, engine: &Connection) {
        let Some(search) = self.search.as_mut().filter(|_| text.len() <= SEARCH_MAX) else {
            return;
        };
        self.searches += 1;
        let number = self.searches;
        let sought = text.trim().to_owned();
        *search =
            Search { number, text, is_done: sought.is_empty(), ..Search::new(search.peer.take()) };
        let peer = search.peer.clone();
        let command = match sought.is_empty() {
            true => Local::StopSearch,
            false => Local::Search { number, text: sought, peer },
        };
        self.tell(engine, Command::Local(command));
    }

    /// Takes in what was found.
    pub(super) fn found(&mut self, event: LocalEvent) {
        if let (Some(search), LocalEvent::Found { number, hits, read, of, done }) =
            (&mut self.search, event)
        {
            search.hear(number, hits, (read, of), done);
        }
    }

    /// Chooses the next hit or the one before; where messages are shown, goes there.
    pub(super) fn step_hit(&mut self, back: bool, engine: &Connection, now: Now) -> Action {
        let Some(search) = &mut self.search else { return Action::None };
        let last = search.found.len().saturating_sub(1);
        search.at = if back { search.at.saturating_sub(1) } else { (search.at + 1).min(last) };
        let lowest = (search.at + 1).saturating_sub(CHOSEN_WITHIN);
        search.first = search.first.clamp(lowest, search.at);
        if search.shows_messages { self.go_to_hit(engine, now) } else { Action::None }
    }

    /// Goes to a hit of the list.
    fn press_hit(&mut self, at: usize, engine: &Connection, now: Now) -> Action {
        if let Some(search) = &mut self.search {
            search.at = at;
        }
        self.go_to_hit(engine, now)
    }

    /// Opens the conversation of the chosen hit, and leads to its message once that is loaded.
    fn go_to_hit(&mut self, engine: &Connection, now: Now) -> Action {
        let Some(search) = &mut self.search else { return Action::None };
        let Some(hit) = search.found.get(search.at).map(|found| found.hit.clone()) else {
            return Action::None;
        };
        let peer = hit.peer.clone();
        search.shows_messages = true;
        search.sought = Some(hit);
        if self.shown.as_ref() != Some(&peer) {
            let _ = self.open(peer, engine, now);
        }
        self.seek(engine);
        Action::Focus(FIND)
    }

    /// Leads to the message that is sought, or loads what may have it.
    pub(super) fn seek(&mut self, engine: &Connection) {
        let Some(hit) = self.search.as_mut().and_then(|search| search.sought.take()) else {
            return;
        };
        let conversation = self.conversation(&hit.peer);
        if let Some(number) = place(conversation, &hit) {
            conversation.choose_one(None);
            conversation.safety = Safety::Hidden;
            return conversation.reader.go_to_marked(number);
        }
        let is_full = conversation.is_full();
        match conversation.older {
            Older::Before(before) if before > hit.cursor && !is_full => {
                conversation.older = Older::Asked;
                let peer = hit.peer.clone();
                let page = Command::History { peer, before: Some(before), max: PAGE_TO_HIT };
                self.tell(engine, page);
            }
            Older::Asked => (),
            Older::Unasked | Older::Before(_) | Older::All => {
                return self.notice(words::HIT_GONE.into());
            }
        }
        if let Some(search) = &mut self.search {
            search.sought = Some(hit);
        }
    }

    /// Ends the search.
    pub(super) fn stop_search(&mut self, engine: &Connection) -> Action {
        if self.search.take().is_some() {
            self.tell(engine, Command::Local(Local::StopSearch));
        }
        self.shown.as_ref().map_or(Action::None, |_| Action::Focus(COMPOSER))
    }
}

/// Returns the number of a hit's message, if that is loaded: by its place, or by what it says if it came since.
fn place(conversation: &Conversation, hit: &Hit) -> Option<u64> {
    let is_it = |shown: &&Shown| match shown.cursor {
        Some(cursor) => cursor == hit.cursor,
        None => matches!(shown.by, By::Us { .. }) == hit.is_ours && shown.text == hit.text,
    };
    let has_place = |shown: &&Shown| shown.cursor == Some(hit.cursor);
    let messages = || conversation.messages.iter().rev();
    messages().find(has_place).or_else(|| messages().find(is_it)).map(|shown| shown.number)
}
