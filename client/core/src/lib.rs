//! The client without IO: accounts, conversations, rounds. The caller passes time and randomness.

pub mod account;
pub mod api;
mod cell;
mod conversation;
mod epoch;
pub mod identity;
mod keys;
mod receiving;
pub mod record;
mod sending;
