//! What a client may have in flight: always the same, since rounds set how much it sends, and nothing else does.
//!
//! A window that shrinks with loss would nearly stop the connection: all packets have one size, so one that
//! only acknowledges has padding, which counts as in flight, while nothing makes the server acknowledge it
//! (RFC 9000, section 13.2.7). Once such packets fill the window, one packet leaves in a round trip (decision 0031).

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory};

/// Bytes in flight: more than one packet back for each that the stream window lets the server send.
const WINDOW_BYTES: u64 = 2 * crate::transport::STREAM_WINDOW_BYTES as u64;

/// The window, and what makes it.
#[derive(Clone, Copy)]
pub(crate) struct ConstantWindow;

impl Controller for ConstantWindow {
    fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        WINDOW_BYTES
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(*self)
    }

    fn initial_window(&self) -> u64 {
        WINDOW_BYTES
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl ControllerFactory for ConstantWindow {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(*self)
    }
}
