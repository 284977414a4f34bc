//! What a program says to the client and hears from it; the window and `iirs-headless` know nothing else.

mod command;
mod error;
mod event;
mod local;
mod status;

pub use command::Command;
pub use error::{About, ErrorCode};
pub use event::{Author, Event, HistoryEntry, Step};
pub use local::{DRAFT_MAX, ExportFormat, HITS_MAX, Hit, Local, LocalEvent, SEARCH_MAX};
pub use status::{
    ConnectionState, ContactStatus, ConversationStatus, MessageState, SessionStatus, Standing,
    Status, UnderWay,
};
