//! Whole-system tests: what they have in common.

pub mod attack;
pub mod crash;
pub mod demo;
pub mod directory;
pub mod load;
pub mod network;
mod older;
pub mod processes;
pub mod sim;
pub mod store;
pub mod windows;
pub mod world;
