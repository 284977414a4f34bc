//! Words of notifications: the desktop keeps them, and may pass them on, so they say little.

use crate::present::count;

/// Somebody calls, and nobody is named.
pub const SOMEBODY_CALLS: &str = "Somebody calls";

/// Messages came, and nobody is named.
pub fn messages(number: u64) -> String {
    count(number, "new message", "new messages")
}

/// Messages came from one person.
pub fn messages_from(number: u64, peer: &str) -> String {
    match number {
        0 | 1 => format!("New message from {peer}"),
        number => format!("{} from {peer}", messages(number)),
    }
}

/// Messages came from several people.
pub fn messages_last_from(number: u64, peer: &str) -> String {
    format!("{}, the last from {peer}", messages(number))
}
