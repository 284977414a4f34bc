//! What lies behind something else: it is drawn and hears nothing, neither the mouse nor the keyboard, and takes no focus.
//! Shortcuts of the app it never hears.

use iced::advanced::widget::{Operation, Tree};
use iced::advanced::{Clipboard, Layout, Shell, Widget, mouse, overlay, renderer};
use iced::{Element, Event, Rectangle, Renderer, Theme, Vector, keyboard, window};

use super::forward::forward;

struct Still<'a, Message> {
    content: Element<'a, Message>,
    is_still: bool,
}

/// Shows something, and lets nobody reach it while it is still; where it was scrolled to and what was typed into it stays.
pub fn still<'a, Message: 'a>(
    is_still: bool,
    content: impl Into<Element<'a, Message>>,
) -> Element<'a, Message> {
    Element::new(Still { content: content.into(), is_still })
}

/// Tells whether a key was pressed with Ctrl that a field would take for a letter of its own: that is a shortcut of the app.
fn is_command(event: &Event) -> bool {
    let Event::Keyboard(keyboard::Event::KeyPressed { modifiers, text: Some(text), .. }) = event
    else {
        return false;
    };
    let is_letter = |it: char| it.is_control() || it.is_alphabetic() || it == ' ';
    modifiers.control() && !modifiers.alt() && !text.chars().all(is_letter)
}

impl<Message> Still<'_, Message> {
    fn reach(&self, cursor: mouse::Cursor) -> mouse::Cursor {
        if self.is_still { mouse::Cursor::Unavailable } else { cursor }
    }
}

impl<Message> Widget<Message, Theme, Renderer> for Still<'_, Message> {
    forward!(children layout);

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &Renderer,
        operation: &mut dyn Operation,
    ) {
        if !self.is_still {
            let content = self.content.as_widget_mut();
            content.operate(&mut tree.children[0], layout, renderer, operation);
        }
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
        // buttons learn how they look just before they are drawn
        let is_drawn = matches!(event, Event::Window(window::Event::RedrawRequested(_)));
        if is_drawn || !(self.is_still || is_command(event)) {
            let (tree, cursor) = (&mut tree.children[0], self.reach(cursor));
            let content = self.content.as_widget_mut();
            content.update(tree, event, layout, cursor, renderer, clipboard, shell, viewport);
        }
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
        let (content, cursor) = (self.content.as_widget(), self.reach(cursor));
        content.draw(&tree.children[0], renderer, theme, style, layout, cursor, viewport);
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &Renderer,
    ) -> mouse::Interaction {
        let (content, cursor) = (self.content.as_widget(), self.reach(cursor));
        content.mouse_interaction(&tree.children[0], layout, cursor, viewport, renderer)
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, Renderer>> {
        if self.is_still {
            return None;
        }
        let content = self.content.as_widget_mut();
        content.overlay(&mut tree.children[0], layout, renderer, viewport, translation)
    }
}
