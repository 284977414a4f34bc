//! What systemd is told (`sd_notify(3)`). Where nothing started the program that listens, all of it does nothing.

use std::time::Duration;

use sd_notify::NotifyState::{self, MonotonicUsec, Ready, Reloading, Status, Stopping};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::health::Health;

/// Says that the server serves.
pub fn ready() {
    tell(&[Ready, Status("serving")]);
}

/// Says that the configuration is read again; [`ready`] says that it was.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(MonotonicUsec(now)) => tell(&[Reloading, MonotonicUsec(now)]),
        Ok(_) | Err(_) => {
            tracing::warn!("the system does not tell the time; systemd hears of no reload")
        }
    }
}

/// Says that the server stops.
pub fn stopping() {
    tell(&[Stopping, Status("stopping: the round is finished first")]);
}

/// Tells systemd that the server lives, as often as it wants to hear it.
pub struct Watchdog {
    ticks: Option<Interval>,
    /// Whether the last look found the server well.
    was_well: bool,
}

impl Watchdog {
    /// Takes the interval from the environment; without one nothing is ever due.
    pub fn new() -> Self {
        let asked = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Self { ticks: asked.map(ticks), was_well: true }
    }

    /// Resolves when systemd is to be told.
    pub async fn due(&mut self) {
        match &mut self.ticks {
            Some(ticks) => _ = ticks.tick().await,
            None => std::future::pending().await,
        }
    }

    /// Tells systemd if the store works and rounds come; else says nothing, and systemd will end the server.
    pub fn tell(&mut self, health: &Health) {
        let state = health.serves();
        match &state {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(unwell) if self.was_well => {
                tracing::error!("systemd will restart the server if this goes on: {unwell}");
            }
            Err(_) => (),
        }
        self.was_well = state.is_ok();
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self::new()
    }
}

/// Ticks three times in the time after which systemd ends a program that it did not hear of.
fn ticks(limit: Duration) -> Interval {
    let mut ticks = interval((limit / 3).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("cannot tell systemd how the server is: {error}; see NOTIFY_SOCKET");
    }
}
