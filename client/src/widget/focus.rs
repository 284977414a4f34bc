//! What can be pressed by keyboard: it takes the focus in its turn, shows that by a ring, and Enter or Space press it.
//!
//! iced 0.14 gives the focus to fields only; the operation that hands it on reaches whatever says that it can have it.

use iced::advanced::widget::operation::{Focusable, Operation};
use iced::advanced::widget::{Tree, tree};
use iced::advanced::{Clipboard, Layout, Renderer as _, Shell, Widget, mouse, renderer};
use iced::keyboard::key::Named;
use iced::keyboard::{self, Key};
use iced::widget::Id;
use iced::{Background, Border, Color, Element, Event, Rectangle, Renderer, Theme, touch};

use super::forward::forward;
use crate::theme::{Colours, RADIUS};

/// Between the edge of a thing and its ring, in pixels.
const RING_GAP: f32 = 2.0;

/// Width of the ring in pixels.
const RING_WIDTH: f32 = 2.0;

/// Something around which the ring is drawn.
struct Focus<'a, Message> {
    id: Id,
    content: Element<'a, Message>,
    pressed: Option<Message>,
}

#[derive(Default)]
struct State {
    is_focused: bool,
}

impl Focusable for State {
    fn is_focused(&self) -> bool {
        self.is_focused
    }

    fn focus(&mut self) {
        self.is_focused = true;
    }

    fn unfocus(&mut self) {
        self.is_focused = false;
    }
}

/// Lets the keyboard press something as the mouse does; without a message it is passed over.
pub fn focusable<'a, Message: Clone + 'a>(
    id: impl Into<Id>,
    content: impl Into<Element<'a, Message>>,
    pressed: Option<Message>,
) -> Element<'a, Message> {
    Element::new(Focus { id: id.into(), content: content.into(), pressed })
}

impl<Message: Clone> Focus<'_, Message> {
    fn press(&self, event: &Event, state: &mut State, shell: &mut Shell<'_, Message>) {
        let Some(pressed) = self.pressed.as_ref().filter(|_| state.is_focused) else {
            // what cannot be pressed any more gives the focus away
            state.is_focused = false;
            return;
        };
        match event {
            Event::Keyboard(keyboard::Event::KeyPressed { key, modifiers, .. }) => {
                let presses = matches!(key, Key::Named(Named::Enter | Named::Space));
                if presses && modifiers.is_empty() {
                    shell.publish(pressed.clone());
                    shell.capture_event();
                }
            }
            // the ring is for the keyboard
            Event::Mouse(mouse::Event::ButtonPressed(_))
            | Event::Touch(touch::Event::FingerPressed { .. }) => {
                state.is_focused = false;
                shell.request_redraw();
            }
            Event::Keyboard(_)
            | Event::Mouse(_)
            | Event::Touch(_)
            | Event::Window(_)
            | Event::InputMethod(_) => (),
        }
    }
}

impl<Message: Clone> Widget<Message, Theme, Renderer> for Focus<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    forward!(children layout pointed);

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &Renderer,
        operation: &mut dyn Operation,
    ) {
        if self.pressed.is_some() {
            operation.focusable(
                Some(&self.id),
                layout.bounds(),
                tree.state.downcast_mut::<State>(),
            );
        }
        let content = self.content.as_widget_mut();
        content.operate(&mut tree.children[0], layout, renderer, operation);
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
        self.press(event, tree.state.downcast_mut::<State>(), shell);
        if shell.is_event_captured() {
            return;
        }
        let content = self.content.as_widget_mut();
        let tree = &mut tree.children[0];
        content.update(tree, event, layout, cursor, renderer, clipboard, shell, viewport);
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
        let content = self.content.as_widget();
        content.draw(&tree.children[0], renderer, theme, style, layout, cursor, viewport);
        if !tree.state.downcast_ref::<State>().is_focused {
            return;
        }
        let border = Border {
            color: Colours::of(theme).focus,
            width: RING_WIDTH,
            radius: (RADIUS + RING_GAP).into(),
        };
        let bounds = layout.bounds().expand(RING_GAP + RING_WIDTH);
        let quad = renderer::Quad { bounds, border, ..renderer::Quad::default() };
        renderer.fill_quad(quad, Background::Color(Color::TRANSPARENT));
    }
}
