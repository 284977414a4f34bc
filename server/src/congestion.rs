//! Congestion control with a floor.
//!
//! All packets have one size, so one that only acknowledges has padding, which counts as in flight, while nothing
//! makes the client acknowledge it (RFC 9000, section 13.2.7). In the smallest window of two packets, where losses lead, the first
//! such packet would keep back all but one packet in a round trip (decision 0031), and the next round has more.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;
use wire::size::PACKET;

/// The floor in bytes: a client's deposit and control frame take at most six packets, each probe of a client that hears
/// nothing two more; the answer to the round has what acknowledges these.
const FLOOR_BYTES: u64 = 32 * PACKET as u64;

/// Makes Cubic (RFC 9438) whose window is never smaller than a floor.
#[derive(Default)]
pub(crate) struct CubicWithFloor(Arc<CubicConfig>);

struct WithFloor(Box<dyn Controller>);

impl ControllerFactory for CubicWithFloor {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(WithFloor(self.0.clone().build(now, mtu)))
    }
}

impl Controller for WithFloor {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.0.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.0.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.0.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.0.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.0.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.0.window().max(FLOOR_BYTES)
    }

    fn metrics(&self) -> ControllerMetrics {
        self.0.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self(self.0.clone_box()))
    }

    fn initial_window(&self) -> u64 {
        self.0.initial_window().max(FLOOR_BYTES)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_loss_makes_the_window_smaller_than_its_floor() {
        let mut now = Instant::now();
        let mut controller = Arc::new(CubicWithFloor::default()).build(now, PACKET);
        for _ in 0..40 {
            let sent = now;
            now += Duration::from_secs(1);
            controller.on_congestion_event(now, sent, true, PACKET.into());
        }
        assert_eq!(controller.window(), FLOOR_BYTES);
        assert_eq!(controller.clone_box().window(), FLOOR_BYTES);
    }
}
