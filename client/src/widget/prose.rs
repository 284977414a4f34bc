//! A text that can be selected with the mouse and copied, and whose links can be pressed.

use std::ops::Range;

use iced::advanced::clipboard::Kind;
use iced::advanced::graphics::text::cosmic_text::{Affinity, Cursor as Place};
use iced::advanced::text::paragraph::Plain;
use iced::advanced::text::{
    Alignment, LineHeight, Renderer as _, Shaping, Text, Wrapping,
};
use iced::advanced::widget::{Operation, Tree, tree};
use iced::advanced::{Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, renderer};
use iced::advanced::mouse::click::{Click, Kind as Clicks};
use iced::{
    Color, Element, Event, Length, Pixels, Point, Rectangle, Renderer, Shrink, Size, Theme,
    keyboard,
};

use crate::theme::size;

type Paragraph = <Renderer as iced::advanced::text::Renderer>::Paragraph;

/// How much of the text's colour lies behind what is selected.
const SELECTED: f32 = 0.3;

/// A text that can be selected and copied.
pub struct Prose<'a, Message> {
    text: String,
    /// Where links are, in bytes, the first first.
    links: Vec<Range<usize>>,
    pressed: Box<dyn Fn(usize) -> Message + 'a>,
}

/// What is selected, and how far a press of the mouse is.
#[derive(Default)]
struct State {
    paragraph: Plain<Paragraph>,
    /// Where the selection began and where it ends, in bytes; the end may come first.
    selected: Option<(usize, usize)>,
    is_dragged: bool,
    click: Option<Click>,
    /// The link that the mouse went down on.
    down_on: Option<usize>,
}

impl<'a, Message> Prose<'a, Message> {
    /// Makes it of a text and its links; `pressed` gets the number of one.
    pub fn new(
        text: String,
        links: Vec<Range<usize>>,
        pressed: impl Fn(usize) -> Message + 'a,
    ) -> Self {
        Self { text, links, pressed: Box::new(pressed) }
    }

    /// Takes a press of the mouse: once begins a selection, twice takes a word, three times all.
    fn press(&self, state: &mut State, bounds: Rectangle, cursor: mouse::Cursor) -> bool {
        let Some(position) = cursor.position_over(bounds) else {
            state.is_dragged = false;
            return state.selected.take().is_some();
        };
        let click = Click::new(position, mouse::Button::Left, state.click);
        let at = state.offset(&self.text, position - bounds.position());
        state.selected = Some(match click.kind() {
            Clicks::Single => (at, at),
            Clicks::Double => word(&self.text, at),
            Clicks::Triple => (0, self.text.len()),
        });
        state.is_dragged = click.kind() == Clicks::Single;
        state.down_on = self.link_at(state, position - bounds.position());
        state.click = Some(click);
        true
    }

    /// Returns the link at a point from the upper left corner.
    fn link_at(&self, state: &State, point: iced::Vector) -> Option<usize> {
        let point = Point::new(point.x, point.y);
        let is_there =
            |range: &Range<usize>| state.marks(&self.text, range).any(|it| it.contains(point));
        self.links.iter().position(is_there)
    }
}

impl State {
    /// Returns which byte of the text is at a point from the upper left corner.
    fn offset(&self, text: &str, point: iced::Vector) -> usize {
        if point.y < 0.0 {
            return 0;
        }
        match self.paragraph.raw().buffer().hit(point.x, point.y) {
            Some(place) => {
                let line = text.split('\n').take(place.line).map(|line| line.len() + 1);
                let at = (line.sum::<usize>() + place.index).min(text.len());
                text.floor_char_boundary(at)
            }
            None => text.len(),
        }
    }

    /// Returns where a part of the text lies, line by line, from the upper left corner.
    fn marks(&self, text: &str, range: &Range<usize>) -> impl Iterator<Item = Rectangle> {
        let (start, end) = (place(text, range.start), place(text, range.end));
        self.paragraph.raw().buffer().layout_runs().filter_map(move |run| {
            let (x, width) = run.highlight(start, end)?;
            Some(Rectangle { x, y: run.line_top, width, height: run.line_height })
        })
    }

    fn range(&self) -> Option<Range<usize>> {
        let (from, to) = self.selected?;
        (from != to).then(|| from.min(to)..from.max(to))
    }
}

fn place(text: &str, at: usize) -> Place {
    let before = &text[..at];
    let line = before.matches('\n').count();
    let index = at - before.rfind('\n').map_or(0, |end| end + 1);
    Place::new_with_affinity(line, index, Affinity::Before)
}

/// Returns where the word at a place begins and ends; what is no word is taken character by character.
fn word(text: &str, at: usize) -> (usize, usize) {
    let is_word = |it: char| it.is_alphanumeric() || it == '_' || it == '\u{301}';
    let after = text[at..].find(|it| !is_word(it)).map_or(text.len(), |end| at + end);
    let before = text[..at].char_indices().rev().take_while(|(_, it)| is_word(*it)).last();
    let before = before.map_or(at, |(start, _)| start);
    if before == after {
        return (at, text[at..].chars().next().map_or(at, |it| at + it.len_utf8()));
    }
    (before, after)
}

impl<Message> Widget<Message, Theme, Renderer> for Prose<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    fn size(&self) -> Size<Length> {
        Size::new(Shrink, Shrink)
    }

    fn layout(
        &mut self,
        tree: &mut Tree,
        renderer: &Renderer,
        limits: &layout::Limits,
    ) -> layout::Node {
        let state = tree.state.downcast_mut::<State>();
        if state.paragraph.content() != self.text {
            state.selected = None;
            state.is_dragged = false;
        }
        layout::sized(limits, Shrink, Shrink, |limits| {
            state.paragraph.update(Text {
                content: &self.text,
                bounds: limits.max(),
                size: Pixels(size::BODY),
                line_height: LineHeight::default(),
                font: renderer.default_font(),
                align_x: Alignment::Default,
                align_y: iced::alignment::Vertical::Top,
                shaping: Shaping::default(),
                wrapping: Wrapping::WordOrGlyph,
            });
            state.paragraph.min_bounds()
        })
    }

    fn operate(
        &mut self,
        _: &mut Tree,
        layout: Layout<'_>,
        _: &Renderer,
        operation: &mut dyn Operation,
    ) {
        operation.text(None, layout.bounds(), &self.text);
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _: &Renderer,
        clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        _: &Rectangle,
    ) {
        let state = tree.state.downcast_mut::<State>();
        let bounds = layout.bounds();
        match event {
            Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)) => {
                if self.press(state, bounds, cursor) {
                    shell.request_redraw();
                }
            }
            Event::Mouse(mouse::Event::CursorMoved { position }) if state.is_dragged => {
                let at = state.offset(&self.text, *position - bounds.position());
                if let Some((_, end)) = state.selected.as_mut().filter(|(_, end)| *end != at) {
                    *end = at;
                    shell.request_redraw();
                }
            }
            Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left)) => {
                state.is_dragged = false;
                let down_on = state.down_on.take();
                let Some(position) = cursor.position_over(bounds) else { return };
                let up_on = self.link_at(state, position - bounds.position());
                match (state.range(), up_on) {
                    (None, Some(link)) if down_on == up_on => shell.publish((self.pressed)(link)),
                    (Some(range), _) => clipboard.write(Kind::Primary, self.text[range].to_owned()),
                    (None, _) => (),
                }
            }
            Event::Keyboard(keyboard::Event::KeyPressed {
                key, physical_key, modifiers, ..
            }) if modifiers.command() && key.to_latin(*physical_key) == Some('c') => {
                if let Some(range) = state.range().filter(|_| !shell.is_event_captured()) {
                    clipboard.write(Kind::Standard, self.text[range].to_owned());
                    shell.capture_event();
                }
            }
            _ => (),
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _: &Rectangle,
        _: &Renderer,
    ) -> mouse::Interaction {
        let state = tree.state.downcast_ref::<State>();
        let bounds = layout.bounds();
        match cursor.position_over(bounds) {
            Some(position) if self.link_at(state, position - bounds.position()).is_some() => {
                mouse::Interaction::Pointer
            }
            Some(_) => mouse::Interaction::Text,
            None => mouse::Interaction::None,
        }
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut Renderer,
        _: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        _: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_ref::<State>();
        let bounds = layout.bounds();
        let offset = bounds.position() - Point::ORIGIN;
        let mut fill = |bounds: Rectangle, colour: Color| {
            if let Some(bounds) = (bounds + offset).intersection(viewport) {
                renderer.fill_quad(renderer::Quad { bounds, ..Default::default() }, colour);
            }
        };
        if let Some(range) = state.range() {
            let behind = Color { a: SELECTED, ..style.text_color };
            state.marks(&self.text, &range).for_each(|mark| fill(mark, behind));
        }
        for range in &self.links {
            for mark in state.marks(&self.text, range) {
                let line = Rectangle { y: mark.y + mark.height - 3.0, height: 1.0, ..mark };
                fill(line, style.text_color);
            }
        }
        let paragraph = state.paragraph.raw();
        renderer.fill_paragraph(paragraph, bounds.position(), style.text_color, *viewport);
    }
}

impl<'a, Message: 'a> From<Prose<'a, Message>> for Element<'a, Message> {
    fn from(prose: Prose<'a, Message>) -> Self {
        Self::new(prose)
    }
}
