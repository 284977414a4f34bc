//! A text that can be selected with the mouse and copied, and whose links can be pressed.

use std::ops::Range;

use iced::advanced::clipboard::Kind;
use iced::advanced::graphics::text::cosmic_text::{Affinity, Cursor as Place};
use iced::advanced::mouse::click::{Click, Kind as Clicks};
use iced::advanced::text::paragraph::Plain;
use iced::advanced::text::{Alignment, LineHeight, Renderer as _, Shaping, Text, Wrapping};
use iced::advanced::widget::{Operation, Tree, tree};
use iced::advanced::{Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, renderer};
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
                let is_changed = self.press(state, bounds, cursor);
                if is_changed {
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

#[cfg(test)]
mod tests {
    use iced::keyboard::{Modifiers, key::Physical};
    use iced_test::runtime::UserInterface;
    use iced_test::runtime::user_interface::Cache;

    use super::*;

    /// A clipboard that remembers.
    #[derive(Default)]
    struct Kept(Option<String>);

    impl Clipboard for Kept {
        fn read(&self, _: Kind) -> Option<String> {
            None
        }

        fn write(&mut self, kind: Kind, contents: String) {
            if kind == Kind::Standard {
                self.0 = Some(contents);
            }
        }
    }

    /// Where the mouse goes in a text of two lines.
    enum Deed {
        Press(f32, f32),
        Release(f32, f32),
        Move(f32, f32),
        Copy,
    }

    use Deed::{Copy, Move, Press, Release};

    /// Does all of that; returns what is in the clipboard then, and which links were pressed.
    fn done(text: &str, deeds: &[Deed]) -> (Option<String>, Vec<usize>) {
        let links = crate::screen::main::address::find(text);
        let prose = Prose::new(text.into(), links, |link| link);
        let font = iced::Font::with_name("Fira Sans");
        let renderer = <Renderer as renderer::Headless>::new(font, Pixels(size::BODY), None);
        let mut renderer = iced::futures::executor::block_on(renderer).expect("it needs nothing");
        let size = Size::new(400.0, 100.0);
        let mut interface = UserInterface::build(prose, size, Cache::default(), &mut renderer);
        let (mut kept, mut pressed, mut at) = (Kept::default(), Vec::new(), Point::ORIGIN);
        for deed in deeds {
            let left = mouse::Button::Left;
            let event = match deed {
                Press(..) => Event::Mouse(mouse::Event::ButtonPressed(left)),
                Release(..) => Event::Mouse(mouse::Event::ButtonReleased(left)),
                Move(x, y) => {
                    Event::Mouse(mouse::Event::CursorMoved { position: Point::new(*x, *y) })
                }
                Copy => Event::Keyboard(keyboard::Event::KeyPressed {
                    key: keyboard::Key::Character("c".into()),
                    modified_key: keyboard::Key::Character("c".into()),
                    physical_key: Physical::Code(keyboard::key::Code::KeyC),
                    location: keyboard::Location::Standard,
                    modifiers: Modifiers::CTRL,
                    text: None,
                    repeat: false,
                }),
            };
            if let Press(x, y) | Release(x, y) | Move(x, y) = deed {
                at = Point::new(*x, *y);
            }
            let cursor = mouse::Cursor::Available(at);
            let _ = interface.update(&[event], cursor, &mut renderer, &mut kept, &mut pressed);
        }
        (kept.0, pressed)
    }

    #[test]
    fn a_drag_selects_and_what_is_selected_is_copied() {
        let text = "first line\nsecond line";
        let copied = |deeds: &[Deed]| done(text, deeds).0;
        let all = [Press(0.0, 5.0), Move(390.0, 90.0), Release(390.0, 90.0), Copy];
        assert_eq!(copied(&all).as_deref(), Some(text));
        let back = [Press(60.0, 30.0), Move(-9.0, -9.0), Release(-9.0, -9.0), Copy];
        let copied_back = copied(&back).expect("something is selected");
        assert!(copied_back.starts_with("first line\nsec"), "{copied_back}");
        let nothing = [Press(5.0, 5.0), Release(5.0, 5.0), Copy];
        assert_eq!(copied(&nothing), None);
        let away = [Press(0.0, 5.0), Move(90.0, 30.0), Release(90.0, 30.0), Press(0.0, 95.0), Copy];
        assert_eq!(copied(&away), None, "a press elsewhere ends the selection");
    }

    #[test]
    fn two_presses_take_a_word_and_three_all_of_it() {
        let text = "first line\nsecond line";
        let click = || [Press(20.0, 30.0), Release(20.0, 30.0)];
        let twice: Vec<_> = click().into_iter().chain(click()).chain([Copy]).collect();
        assert_eq!(done(text, &twice).0.as_deref(), Some("second"));
        let thrice = click().into_iter().chain(click()).chain(click()).chain([Copy]);
        assert_eq!(done(text, &thrice.collect::<Vec<_>>()).0.as_deref(), Some(text));
    }

    #[test]
    fn a_link_is_pressed_where_it_stands_and_not_by_a_drag() {
        let text = "www.a.example\nplain";
        let pressed = |deeds: &[Deed]| done(text, deeds).1;
        assert_eq!(pressed(&[Press(30.0, 9.0), Release(30.0, 9.0)]), [0]);
        assert_eq!(pressed(&[Press(10.0, 30.0), Release(10.0, 30.0)]), [0; 0]);
        assert_eq!(pressed(&[Press(380.0, 9.0), Release(380.0, 9.0)]), [0; 0], "beside it");
        let drag = [Press(10.0, 9.0), Move(60.0, 9.0), Release(60.0, 9.0)];
        assert_eq!(pressed(&drag), [0; 0]);
    }

    #[test]
    fn words_are_taken_in_every_script() {
        for (text, at, selected) in [
            ("one two", 5, "two"),
            ("größer", 4, "größer"),
            ("a ,, b", 3, ","),
            ("", 0, ""),
            ("end", 3, "end"),
        ] {
            let (start, end) = word(text, at);
            assert_eq!(&text[start..end], selected, "{text}");
        }
    }
}
