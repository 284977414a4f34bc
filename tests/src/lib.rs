//! Whole-system tests: what they have in common.

pub mod crash;
pub mod demo;
pub mod directory;
pub mod processes;
pub mod sim;
pub mod windows;
pub mod world;
