//! The screens; each is state, messages, an update that answers with an action, and a view. None knows
//! another: only the app leads from one to the next.

pub mod attempt;
pub mod connect;
#[cfg(test)]
pub(crate) mod drive;
pub mod main;
pub mod progress;
pub mod register;
pub mod secret;
pub mod settings;
pub mod sheet;
pub mod sign_in;
pub mod stopped;
pub mod strength;
pub mod unlock;
