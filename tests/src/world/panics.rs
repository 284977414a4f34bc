//! Panics inside of the server's tasks, which tokio would swallow.

use std::panic::{set_hook, take_hook};
use std::sync::{Mutex, Once, PoisonError};

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCHING: Once = Once::new();

/// Places of whose panics no input may be the cause.
const OURS: [&str; 4] = ["server/", "wire/", "migrations/", "client/"];

/// Notes panics in the programs' own code from now on.
pub fn watch_for_panics() {
    WATCHING.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            if OURS.iter().any(|ours| place.starts_with(ours)) {
                PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            }
            before(info);
        }));
    });
}

/// Returns where the programs' own code panicked.
pub fn panics_of_the_server() -> Vec<String> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
