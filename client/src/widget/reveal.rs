//! Scrolls what has the focus into view: iced 0.14 gives the focus to what cannot be seen, and leaves it there.

use iced::advanced::widget::operation::{self, Focusable, Operation, Outcome, Scrollable};
use iced::widget::Id;
use iced::widget::operation::AbsoluteOffset;
use iced::{Rectangle, Vector};

/// Between what has the focus and the edge of what scrolls, in pixels.
const MARGIN: f32 = 16.0;

/// Makes the operation.
pub fn reveal<T: Send + 'static>() -> impl Operation<T> {
    operation::then(Look::default(), |found| Scroll { found, passed: 0 })
}

/// Something that scrolls.
#[derive(Clone, Copy)]
struct Frame {
    index: usize,
    bounds: Rectangle,
    translation: Vector,
}

/// What is to be scrolled, and how far.
#[derive(Clone, Copy)]
struct Found {
    index: usize,
    by: f32,
}

#[derive(Default)]
struct Look {
    passed: usize,
    /// What was met last, and what is in it comes next.
    entered: Option<Frame>,
    within: Option<Frame>,
    found: Option<Found>,
}

impl Operation<Found> for Look {
    fn traverse(&mut self, operate: &mut dyn FnMut(&mut dyn Operation<Found>)) {
        let around = self.within;
        self.within = self.entered.take().or(around);
        operate(self);
        self.within = around;
    }

    fn scrollable(
        &mut self,
        _: Option<&Id>,
        bounds: Rectangle,
        _: Rectangle,
        translation: Vector,
        _: &mut dyn Scrollable,
    ) {
        self.entered = Some(Frame { index: self.passed, bounds, translation });
        self.passed += 1;
    }

    fn focusable(&mut self, _: Option<&Id>, bounds: Rectangle, state: &mut dyn Focusable) {
        let Some(Frame { index, bounds: frame, translation }) = self.within else { return };
        if !state.is_focused() {
            return;
        }
        let top = bounds.y - translation.y - MARGIN;
        let bottom = top + bounds.height + 2.0 * MARGIN;
        // what is higher than its frame is shown from its beginning
        let by = if top < frame.y || bounds.height > frame.height {
            top - frame.y
        } else {
            (bottom - frame.y - frame.height).max(0.0)
        };
        self.found = Some(Found { index, by });
    }

    fn finish(&self) -> Outcome<Found> {
        self.found.filter(|found| found.by != 0.0).map_or(Outcome::None, Outcome::Some)
    }
}

struct Scroll {
    found: Found,
    passed: usize,
}

impl<T> Operation<T> for Scroll {
    fn traverse(&mut self, operate: &mut dyn FnMut(&mut dyn Operation<T>)) {
        operate(self);
    }

    fn scrollable(
        &mut self,
        _: Option<&Id>,
        bounds: Rectangle,
        content: Rectangle,
        _: Vector,
        state: &mut dyn Scrollable,
    ) {
        if self.passed == self.found.index {
            state.scroll_by(AbsoluteOffset { x: 0.0, y: self.found.by }, bounds, content);
        }
        self.passed += 1;
    }
}

#[cfg(test)]
mod tests {
    use iced::Element;
    use iced::widget::Column;
    use iced_test::core::keyboard::key::Named;

    use crate::screen::drive::Keyboard;
    use crate::widget;

    fn many<'a>() -> Element<'a, usize> {
        let buttons =
            (0..40).map(|number| widget::named(format!("{number}"), "Press", Some(number)));
        widget::scroll(Column::with_children(buttons)).height(200).into()
    }

    #[test]
    fn what_has_the_focus_is_scrolled_into_view_in_both_directions() {
        let mut keyboard = Keyboard::new(many());
        let there = (0..40).map(|number| (number, false));
        let back = (0..39).rev().map(|number| (number, true));
        for (number, is_back) in there.chain(back) {
            keyboard.tab(is_back);
            let number = number.to_string();
            assert_eq!(keyboard.focused(), Some(number.clone()));
            assert!(keyboard.sees(&number), "{number} is out of view");
        }
        assert_eq!(keyboard.press(Named::Enter), [0]);
        assert_eq!(keyboard.press(Named::Space), [0]);
    }
}
