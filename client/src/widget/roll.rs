//! Rows that one scrolls through, of which only those around the reader are made.
//!
//! Invariant: what the reader looks at stays where it is, whatever comes above or below, as long as it is among the
//! rows. At the end, the end stays.

use iced::advanced::widget::operation::scrollable::{AbsoluteOffset, RelativeOffset};
use iced::advanced::widget::operation::{Operation, Scrollable};
use iced::advanced::widget::{Tree, tree};
use iced::advanced::{
    Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, overlay, renderer,
};
use iced::keyboard::key::Named;
use iced::mouse::ScrollDelta;
use iced::widget::Id;
use iced::{
    Border, Element, Event, Fill, Length, Point, Rectangle, Renderer, Size, Theme, Vector,
    keyboard, window,
};

use crate::theme::Colours;

/// Pixels that a notch of the wheel scrolls.
const NOTCH: f32 = 60.0;

/// How much of what is seen a key that turns the page scrolls.
const PAGE: f32 = 0.9;

/// Width of the rail in pixels, and the narrowest place to press it.
const RAIL: f32 = 6.0;
const RAIL_PRESSED: f32 = 14.0;

/// Smallest thumb in pixels.
const THUMB_MIN: f32 = 28.0;

/// Where a row that is jumped to is put, of the height.
const JUMPED_TO: f32 = 0.3;

/// Rows that one scrolls through.
pub struct Roll<'a, Message> {
    id: Id,
    keys: Vec<u64>,
    rows: Vec<Element<'a, Message>>,
    around: Around,
    jump: Jump,
    on_seen: Box<dyn Fn(Seen) -> Message + 'a>,
    on_thumb: Box<dyn Fn(usize) -> Message + 'a>,
}

/// How many rows there are that are not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    /// Before the first one that is.
    pub before: usize,
    /// Behind the last one that is.
    pub after: usize,
}

/// Where to go; each jump has another number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jump {
    /// Tells it from the jumps before.
    pub number: u64,
    /// The key of a row, or the end.
    pub to: Option<u64>,
}

/// What the reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The key of the first row of which something is seen.
    pub first: u64,
    /// The key of the last one.
    pub last: u64,
    /// Whether the end is seen.
    pub is_end: bool,
}

/// The key of a row above all others that is no place to stay at: what comes goes between it and them.
pub const TOP: u64 = 0;

/// What stays where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Anchor {
    End,
    /// The row of a key, with its upper edge from that of the place.
    Row(u64, f32),
    /// A row that is jumped to.
    Jumped(u64),
}

struct State {
    keys: Vec<u64>,
    anchor: Anchor,
    /// The last jump that was made.
    jumped: u64,
    /// How far to scroll with the next layout: more is down.
    wanted: f32,
    told: Option<Seen>,
    /// Where the thumb was taken hold of, from its upper edge.
    held: Option<f32>,
}

impl<'a, Message: 'a> Roll<'a, Message> {
    /// Makes it of rows by keys that tell them apart. `on_seen` is told what is seen when that changes, `on_thumb` the
    /// number of the row that the thumb was dragged to if that is not made.
    pub fn new(
        id: impl Into<Id>,
        rows: impl IntoIterator<Item = (u64, Element<'a, Message>)>,
        around: Around,
        jump: Jump,
        on_seen: impl Fn(Seen) -> Message + 'a,
        on_thumb: impl Fn(usize) -> Message + 'a,
    ) -> Self {
        let (keys, rows) = rows.into_iter().unzip();
        let (on_seen, on_thumb) = (Box::new(on_seen), Box::new(on_thumb));
        Self { id: id.into(), keys, rows, around, jump, on_seen, on_thumb }
    }

    /// Puts the first row, so that what is to stay does, and says anew what that is; returns its upper edge.
    fn anchor(&self, state: &mut State, tops: &[f32], total: f32, height: f32) -> f32 {
        let at = |key| self.keys.iter().position(|it| *it == key).map(|at| tops[at]);
        if let Some(key) = self.jump.to.filter(|_| self.jump.number != state.jumped) {
            // a row that is not here yet is waited for
            if at(key).is_some() {
                (state.anchor, state.jumped) = (Anchor::Jumped(key), self.jump.number);
            }
        } else if self.jump.number != state.jumped {
            (state.anchor, state.jumped) = (Anchor::End, self.jump.number);
        }
        let end = height - total;
        let top = match state.anchor {
            Anchor::End => end,
            Anchor::Row(key, top) => at(key).map_or(end, |at| top - at),
            Anchor::Jumped(key) => at(key).map_or(end, |at| height * JUMPED_TO - at),
        };
        let top = (top - std::mem::take(&mut state.wanted)).min(0.0).max(end);
        let is_end = self.around.after == 0 && top <= end + 0.5;
        let seen = (0..tops.len()).filter(|at| top + *tops.get(at + 1).unwrap_or(&total) > 0.0);
        let mut seen =
            seen.map(|at| (self.keys[at], top + tops[at])).filter(|(key, _)| *key != TOP);
        state.anchor = match seen.next() {
            Some((key, top)) if !is_end => Anchor::Row(key, top),
            Some(_) | None => Anchor::End,
        };
        top
    }

    /// Returns what is seen now.
    fn seen(&self, layout: Layout<'_>) -> Option<Seen> {
        let bounds = layout.bounds();
        let is_seen = |row: &Rectangle| {
            row.y + row.height > bounds.y && row.y < bounds.y + bounds.height && row.height > 0.0
        };
        let rows = self.keys.iter().zip(layout.children().map(|row| row.bounds()));
        let mut rows = rows.filter(|(key, row)| **key != TOP && is_seen(row));
        let (first, _) = rows.next()?;
        let last = rows.next_back().map_or(first, |(key, _)| key);
        let end = layout.children().last().map(|row| row.bounds())?;
        let is_end = self.around.after == 0 && end.y + end.height <= bounds.y + bounds.height + 0.5;
        Some(Seen { first: *first, last: *last, is_end })
    }

    /// Measures all rows by those that are made; none if everything is seen.
    fn thumb(&self, layout: Layout<'_>) -> Option<Thumb> {
        let bounds = layout.bounds();
        let first = layout.children().next()?.bounds();
        let last = layout.children().last()?.bounds();
        let made = last.y + last.height - first.y;
        let count = u16::try_from(self.rows.len()).ok().filter(|count| *count > 0)?;
        let row = made / f32::from(count);
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX) as f32;
        let before = row * count(self.around.before);
        let all = before + made + row * count(self.around.after);
        if all <= bounds.height + 0.5 || row <= 0.0 {
            return None;
        }
        let height = (bounds.height * bounds.height / all).max(THUMB_MIN).min(bounds.height);
        let passed = before + bounds.y - first.y;
        let way = bounds.height - height;
        let y = bounds.y + way * (passed / (all - bounds.height)).clamp(0.0, 1.0);
        let x = bounds.x + bounds.width - RAIL - 2.0;
        let place = Rectangle { x, y, width: RAIL, height };
        Some(Thumb { place, passed, all, row, way })
    }

    /// Follows the thumb to a height of the pointer.
    fn drag(&self, state: &mut State, y: f32, layout: Layout<'_>, shell: &mut Shell<'_, Message>) {
        let (Some(held), Some(thumb)) = (state.held, self.thumb(layout)) else { return };
        let bounds = layout.bounds();
        let share = ((y - held - bounds.y) / thumb.way.max(1.0)).clamp(0.0, 1.0);
        let target = share * (thumb.all - bounds.height);
        let (before, made) = (self.around.before, self.rows.len());
        let row = (target / thumb.row) as usize;
        if row >= before && row <= before + made || target > thumb.all - bounds.height - 1.0 {
            state.scroll(target - thumb.passed, shell);
        } else {
            shell.publish((self.on_thumb)(row));
        }
    }

    /// Does what the reader does with wheel, keys and thumb.
    fn scroll(
        &self,
        state: &mut State,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        shell: &mut Shell<'_, Message>,
    ) {
        let bounds = layout.bounds();
        match event {
            Event::Mouse(mouse::Event::WheelScrolled { delta }) if cursor.is_over(bounds) => {
                let pixels = match delta {
                    ScrollDelta::Lines { y, .. } => -y * NOTCH,
                    ScrollDelta::Pixels { y, .. } => -y,
                };
                state.scroll(pixels, shell);
                shell.capture_event();
            }
            Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)) => {
                let (Some(at), Some(thumb)) = (cursor.position_over(bounds), self.thumb(layout))
                else {
                    return;
                };
                if at.x < bounds.x + bounds.width - RAIL_PRESSED {
                    return;
                }
                let is_on = at.y >= thumb.place.y && at.y <= thumb.place.y + thumb.place.height;
                let half = thumb.place.height / 2.0;
                state.held = Some(if is_on { at.y - thumb.place.y } else { half });
                self.drag(state, at.y, layout, shell);
                shell.capture_event();
            }
            Event::Mouse(mouse::Event::CursorMoved { position }) if state.held.is_some() => {
                self.drag(state, position.y, layout, shell);
            }
            Event::Mouse(mouse::Event::ButtonReleased(_)) => state.held = None,
            Event::Keyboard(keyboard::Event::KeyPressed { key, .. }) => match key.as_ref() {
                keyboard::Key::Named(Named::PageUp) => state.scroll(-PAGE * bounds.height, shell),
                keyboard::Key::Named(Named::PageDown) => state.scroll(PAGE * bounds.height, shell),
                _ => (),
            },
            Event::Window(window::Event::RedrawRequested(_)) => {
                if state.wanted != 0.0 {
                    shell.invalidate_layout();
                    shell.request_redraw();
                } else if let Some(seen) =
                    self.seen(layout).filter(|seen| state.told != Some(*seen))
                {
                    state.told = Some(seen);
                    shell.publish((self.on_seen)(seen));
                }
            }
            _ => (),
        }
    }
}

/// Where the thumb is, and what it stands for: all heights in pixels.
struct Thumb {
    place: Rectangle,
    /// What is above the reader, of all rows.
    passed: f32,
    all: f32,
    /// One row, on average.
    row: f32,
    /// How far the thumb can go.
    way: f32,
}

impl State {
    fn scroll<Message>(&mut self, pixels: f32, shell: &mut Shell<'_, Message>) {
        self.wanted += pixels;
        shell.invalidate_layout();
        shell.request_redraw();
    }
}

impl Scrollable for State {
    fn snap_to(&mut self, offset: RelativeOffset<Option<f32>>) {
        self.wanted = match offset.y {
            Some(y) if y < 0.5 => f32::MIN / 4.0,
            Some(_) => f32::MAX / 4.0,
            None => 0.0,
        };
    }

    fn scroll_to(&mut self, offset: AbsoluteOffset<Option<f32>>) {
        if let Some(y) = offset.y {
            self.wanted = y;
        }
    }

    fn scroll_by(&mut self, offset: AbsoluteOffset, _: Rectangle, _: Rectangle) {
        self.wanted += offset.y;
    }
}

impl<'a, Message: 'a> Widget<Message, Theme, Renderer> for Roll<'a, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        let (keys, jumped) = (self.keys.clone(), self.jump.number);
        let anchor = self.jump.to.map_or(Anchor::End, Anchor::Jumped);
        tree::State::new(State { keys, anchor, jumped, wanted: 0.0, told: None, held: None })
    }

    fn children(&self) -> Vec<Tree> {
        self.rows.iter().map(Tree::new).collect()
    }

    /// Keeps what belongs to a row with its key, wherever the row is now.
    fn diff(&self, tree: &mut Tree) {
        let Tree { state, children, .. } = tree;
        let state = state.downcast_mut::<State>();
        if state.keys == self.keys {
            for (tree, row) in children.iter_mut().zip(&self.rows) {
                row.as_widget().diff(tree);
            }
            return;
        }
        let mut old: std::collections::HashMap<u64, Tree> =
            state.keys.drain(..).zip(children.drain(..)).collect();
        for (key, row) in self.keys.iter().zip(&self.rows) {
            let tree = match old.remove(key) {
                Some(mut tree) => {
                    tree.diff(row);
                    tree
                }
                None => Tree::new(row),
            };
            children.push(tree);
        }
        state.keys.clone_from(&self.keys);
    }

    fn size(&self) -> Size<Length> {
        Size::new(Fill, Fill)
    }

    fn layout(
        &mut self,
        tree: &mut Tree,
        renderer: &Renderer,
        limits: &layout::Limits,
    ) -> layout::Node {
        let Size { width, height } = limits.max();
        let limits = layout::Limits::new(Size::ZERO, Size::new(width, f32::INFINITY));
        let rows = self.rows.iter_mut().zip(&mut tree.children);
        let rows: Vec<_> =
            rows.map(|(row, tree)| row.as_widget_mut().layout(tree, renderer, &limits)).collect();
        let mut total = 0.0;
        let mut tops = Vec::with_capacity(rows.len());
        for row in &rows {
            tops.push(total);
            total += row.size().height;
        }
        let top = self.anchor(tree.state.downcast_mut::<State>(), &tops, total, height);
        // few rows stand at the end, where the next one comes
        let top = if total <= height { height - total } else { top };
        let put = |(row, at): (layout::Node, f32)| row.move_to(Point::new(0.0, (top + at).round()));
        let rows = rows.into_iter().zip(tops).map(put).collect();
        layout::Node::with_children(Size::new(width, height), rows)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &Renderer,
        operation: &mut dyn Operation,
    ) {
        let state = tree.state.downcast_mut::<State>();
        let bounds = layout.bounds();
        operation.scrollable(Some(&self.id), bounds, bounds, Vector::ZERO, state);
        operation.traverse(&mut |operation| {
            let rows = self.rows.iter_mut().zip(&mut tree.children).zip(layout.children());
            for ((row, tree), layout) in rows {
                row.as_widget_mut().operate(tree, layout, renderer, operation);
            }
        });
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        renderer: &Renderer,
        clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        viewport: &Rectangle,
    ) {
        let bounds = layout.bounds();
        let Some(visible) = bounds.intersection(viewport) else { return };
        let inside = if cursor.is_over(bounds) { cursor } else { mouse::Cursor::Unavailable };
        let state = tree.state.downcast_mut::<State>();
        let presses = matches!(event, Event::Mouse(mouse::Event::ButtonPressed(_)));
        if presses {
            self.scroll(state, event, layout, cursor, shell);
            if shell.is_event_captured() {
                return;
            }
        }
        let rows = self.rows.iter_mut().zip(&mut tree.children).zip(layout.children());
        for ((row, tree), layout) in rows {
            row.as_widget_mut()
                .update(tree, event, layout, inside, renderer, clipboard, shell, &visible);
        }
        if !presses && !shell.is_event_captured() {
            self.scroll(state, event, layout, cursor, shell);
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &Renderer,
    ) -> mouse::Interaction {
        if !cursor.is_over(layout.bounds()) {
            return mouse::Interaction::None;
        }
        let rows = self.rows.iter().zip(&tree.children).zip(layout.children());
        let interactions = rows.map(|((row, tree), layout)| {
            row.as_widget().mouse_interaction(tree, layout, cursor, viewport, renderer)
        });
        interactions.max().unwrap_or_default()
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut Renderer,
        theme: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let bounds = layout.bounds();
        let Some(visible) = bounds.intersection(viewport) else { return };
        let inside = if cursor.is_over(bounds) { cursor } else { mouse::Cursor::Unavailable };
        renderer.with_layer(visible, |renderer| {
            let rows = self.rows.iter().zip(&tree.children).zip(layout.children());
            for ((row, tree), layout) in rows {
                if layout.bounds().intersects(&visible) {
                    row.as_widget().draw(tree, renderer, theme, style, layout, inside, &visible);
                }
            }
        });
        if let Some(Thumb { place, .. }) = self.thumb(layout) {
            renderer.with_layer(visible, |renderer| {
                let border = Border::default().rounded(RAIL / 2.0);
                let quad = renderer::Quad { bounds: place, border, ..Default::default() };
                renderer.fill_quad(quad, Colours::of(theme).line);
            });
        }
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, Renderer>> {
        overlay::from_children(&mut self.rows, tree, layout, renderer, viewport, translation)
    }
}

impl<'a, Message: 'a> From<Roll<'a, Message>> for Element<'a, Message> {
    fn from(roll: Roll<'a, Message>) -> Self {
        Self::new(roll)
    }
}

#[cfg(test)]
mod tests {
    use iced::widget::space;

    use super::*;

    const HEIGHT: f32 = 100.0;

    /// Rows of 50 pixels and where they come to lie, with a state that outlives them.
    fn top(state: &mut State, keys: &[u64], around: (usize, usize), jump: Jump) -> f32 {
        let rows = keys.iter().map(|key| (*key, Element::from(space())));
        let around = Around { before: around.0, after: around.1 };
        let roll: Roll<'_, ()> = Roll::new("roll", rows, around, jump, |_| (), |_| ());
        let tops: Vec<f32> = (0_u8..).take(keys.len()).map(|at| 50.0 * f32::from(at)).collect();
        let total = 50.0 * f32::from(u8::try_from(keys.len()).expect("they are few"));
        roll.anchor(state, &tops, total, HEIGHT)
    }

    fn state() -> State {
        State {
            keys: Vec::new(),
            anchor: Anchor::End,
            jumped: 0,
            wanted: 0.0,
            told: None,
            held: None,
        }
    }

    #[test]
    fn at_the_end_the_end_stays() {
        let (mut state, jump) = (state(), Jump::default());
        assert_eq!(top(&mut state, &[1, 2, 3], (0, 0), jump), -50.0);
        assert_eq!(top(&mut state, &[1, 2, 3, 4], (0, 0), jump), -100.0);
        assert_eq!(top(&mut state, &[9, 8, 1, 2, 3, 4], (0, 0), jump), -200.0);
    }

    #[test]
    fn what_the_reader_looks_at_stays_whatever_comes_around_it() {
        let (mut state, jump) = (state(), Jump::default());
        state.wanted = -60.0;
        assert_eq!(top(&mut state, &[TOP, 1, 2, 3, 4, 5], (0, 0), jump), -140.0);
        let anchored = Anchor::Row(2, -40.0);
        assert_eq!(state.anchor, anchored);
        assert_eq!(top(&mut state, &[TOP, 1, 2, 3, 4, 5, 6, 7], (0, 0), jump), -140.0);
        let older = top(&mut state, &[TOP, 9, 8, 1, 2, 3, 4, 5], (0, 0), jump);
        assert_eq!((older, state.anchor), (-240.0, anchored));
        assert_eq!(top(&mut state, &[2, 3, 4, 5], (4, 9), jump), -40.0);
        state.wanted = 1e9;
        assert_eq!(top(&mut state, &[2, 3, 4, 5], (4, 0), jump), -100.0);
        assert_eq!(state.anchor, Anchor::End, "the end is reached");
    }

    #[test]
    fn what_is_above_all_rows_is_no_place_to_stay() {
        let (mut state, jump) = (state(), Jump::default());
        state.wanted = -1e9;
        assert_eq!(top(&mut state, &[TOP, 1, 2, 3], (0, 0), jump), 0.0);
        assert_eq!(state.anchor, Anchor::Row(1, 50.0));
        let older = top(&mut state, &[TOP, 9, 8, 1, 2, 3], (0, 0), jump);
        assert_eq!(older, -100.0, "the reader still looks at 1");
    }

    #[test]
    fn a_jump_waits_for_its_row_and_is_made_once() {
        let mut state = state();
        let jump = Jump { number: 1, to: Some(2) };
        assert_eq!(top(&mut state, &[7, 8, 9], (0, 0), jump), -50.0);
        let keys = [1, 2, 3, 4, 5];
        assert_eq!(top(&mut state, &keys, (0, 4), jump), HEIGHT * JUMPED_TO - 50.0);
        state.wanted = 60.0;
        assert_eq!(top(&mut state, &keys, (0, 4), jump), -80.0);
        assert_eq!(top(&mut state, &keys, (0, 4), jump), -80.0);
        let to_end = Jump { number: 2, to: None };
        assert_eq!(top(&mut state, &keys, (0, 0), to_end), -150.0);
    }
}
