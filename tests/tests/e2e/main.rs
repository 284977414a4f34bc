//! The whole system on real QUIC and a real store: server in this process, real engines, hostile
//! clients, rounds of 100 or 200 ms.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helpers too")]

mod account;
mod bad_input;
mod calls;
mod contacts;
mod crash;
mod dialling;
mod directory;
mod early;
mod faults;
mod hostile_server;
mod kept;
mod network;
mod rewritten;
mod safety_number;
mod secrets;
mod sessions;
mod window;
mod wire_shape;
