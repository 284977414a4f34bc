//! The client without IO: accounts, conversations, rounds. The caller passes time and randomness.

pub mod record;
