//! The client without IO: accounts, conversations, rounds. The caller passes time and randomness.

pub mod account;
pub mod api;
mod cell;
pub mod client;
mod conversation;
pub mod directory;
mod epoch;
#[cfg(test)]
mod hostile;
pub mod identity;
mod invitation;
mod keys;
#[cfg(feature = "test")]
pub mod probe;
mod receiving;
pub mod record;
pub mod rounds;
mod safety_number;
mod sending;
#[cfg(test)]
mod theft;
pub mod vault;
mod wheel;

#[cfg(feature = "test")]
pub use invitation::invitation_of;
