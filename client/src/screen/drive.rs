//! How tests look at screens and use them.

use std::sync::{Arc, Mutex};

use iced::Element;
use iced::widget::selector::Candidate;
use iced_test::simulator::{Simulator, simulator};

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
