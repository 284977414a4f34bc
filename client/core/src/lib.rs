//! The client without IO: accounts, conversations, rounds. The caller passes time and randomness.

pub mod account;
pub mod api;
pub mod identity;
pub mod record;
