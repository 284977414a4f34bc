//! What changes often by itself: it is drawn in a layer of its own.
//!
//! The software renderer compares the shapes of a layer one by one with those of the picture before. A cursor that comes and goes
//! moves all shapes that are drawn after it in its layer by one, and nearly the whole window is drawn anew, twice a second.

use iced::advanced::widget::Tree;
use iced::advanced::{Layout, Renderer as _, Widget, mouse, renderer};
use iced::{Element, Rectangle, Renderer, Theme};

use super::forward::forward;

/// More than a border or a ring is drawn outside its place, in pixels.
const MARGIN: f32 = 4.0;

struct Apart<'a, Message> {
    content: Element<'a, Message>,
}

/// Draws something in a layer of its own.
pub fn apart<'a, Message: 'a>(content: impl Into<Element<'a, Message>>) -> Element<'a, Message> {
    Element::new(Apart { content: content.into() })
}

impl<Message> Widget<Message, Theme, Renderer> for Apart<'_, Message> {
    forward!(children layout operate update pointed);

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
        let Some(visible) = layout.bounds().expand(MARGIN).intersection(viewport) else { return };
        renderer.with_layer(visible, |renderer| {
            let (content, tree) = (self.content.as_widget(), &tree.children[0]);
            content.draw(tree, renderer, theme, style, layout, cursor, viewport);
        });
    }
}
