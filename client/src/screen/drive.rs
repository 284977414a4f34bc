//! How tests look at screens and use them.

use std::sync::{Arc, Mutex};

use iced::advanced::renderer::Headless;
use iced::advanced::widget::operation::{self, Operation, Outcome};
use iced::advanced::{clipboard, mouse};
use iced::widget::Id;
use iced::widget::selector::{Candidate, Selector, id};
use iced::{Element, Font, Pixels, Renderer, Size, Theme};
use iced_test::core::keyboard::Key;
use iced_test::runtime::user_interface::{Cache, UserInterface};
use iced_test::simulator::{Simulator, simulator, tap_key};

use crate::widget;

/// Returns every text that a picture shows, in its order, with placeholders and values of fields.
pub(crate) fn texts<'a, Message: 'a>(view: impl Into<Element<'a, Message>>) -> Vec<String> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&found);
    let look = move |candidate: Candidate<'_>| -> Option<()> {
        let text = match candidate {
            Candidate::Text { content, .. } => content.to_owned(),
            Candidate::TextInput { state, .. } => format!("[{}]", state.text()),
            Candidate::Container { .. }
            | Candidate::Focusable { .. }
            | Candidate::Scrollable { .. }
            | Candidate::Custom { .. } => return None,
        };
        keep.lock().unwrap().push(text);
        None
    };
    let nothing = simulator(view).find(look);
    assert!(nothing.is_err(), "the search goes to the end");
    let texts = found.lock().unwrap();
    texts.clone()
}

/// Does something with a picture and returns what it tells.
pub(crate) fn messages<'a, Message: 'a>(
    view: Element<'a, Message>,
    deed: impl FnOnce(&mut Simulator<'a, Message>),
) -> Vec<Message> {
    let mut simulator = simulator(view);
    deed(&mut simulator);
    simulator.into_messages().collect()
}

/// A picture that is used by keyboard alone.
pub(crate) struct Keyboard<'a, Message> {
    picture: UserInterface<'a, Message, Theme, Renderer>,
    renderer: Renderer,
}

impl<'a, Message: 'a> Keyboard<'a, Message> {
    pub(crate) fn new(view: impl Into<Element<'a, Message>>) -> Self {
        let renderer = <Renderer as Headless>::new(Font::DEFAULT, Pixels(16.0), None);
        let renderer = iced::futures::executor::block_on(renderer);
        let mut renderer = renderer.expect("pictures are drawn without a display");
        let size = Size::new(800.0, 600.0);
        let picture = UserInterface::build(view, size, Cache::default(), &mut renderer);
        Self { picture, renderer }
    }

    /// Does what Tab does in the window.
    pub(crate) fn tab(&mut self, is_back: bool) {
        match is_back {
            true => self.operate(operation::focusable::focus_previous::<()>()),
            false => self.operate(operation::focusable::focus_next::<()>()),
        };
        self.operate(widget::reveal::<()>());
    }

    /// Returns what has the focus.
    pub(crate) fn focused(&mut self) -> Option<String> {
        let id = self.operate(operation::focusable::find_focused())?;
        Some(name(&id))
    }

    /// Returns all that Tab reaches, in its order.
    pub(crate) fn walk(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            self.tab(false);
            match self.focused() {
                Some(name) => names.push(name),
                None => return names,
            }
        }
    }

    /// Presses a key and returns what that tells.
    pub(crate) fn press(&mut self, key: impl Into<Key>) -> Vec<Message> {
        let events: Vec<_> = tap_key(key, None).collect();
        let mut messages = Vec::new();
        let (nowhere, nothing) = (mouse::Cursor::Unavailable, &mut clipboard::Null);
        drop(self.picture.update(&events, nowhere, &mut self.renderer, nothing, &mut messages));
        messages
    }

    /// Tells whether something is in view.
    pub(crate) fn sees(&mut self, name: &str) -> bool {
        let found = self.operate(id(name.to_owned()).find()).flatten();
        found.is_some_and(|it| {
            it.visible_bounds().is_some_and(|seen| seen.size() == it.bounds().size())
        })
    }

    fn operate<T: 'static>(&mut self, operation: impl Operation<T> + 'static) -> Option<T> {
        let mut operation: Box<dyn Operation<T>> = Box::new(operation);
        loop {
            self.picture.operate(&self.renderer, &mut operation::black_box(operation.as_mut()));
            match operation.finish() {
                Outcome::Chain(next) => operation = next,
                Outcome::Some(value) => return Some(value),
                Outcome::None => return None,
            }
        }
    }
}

/// Returns the name that an id was made of.
fn name(id: &Id) -> String {
    let debug = format!("{id:?}");
    let name = debug.split('"').nth(1);
    name.unwrap_or_default().to_owned()
}
