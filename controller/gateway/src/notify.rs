//! What systemd is told: that the process is ready, and that its loop still turns. Without systemd nobody listens.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// How often systemd wants to hear that the loop turns.
#[derive(Debug)]
pub(crate) struct Watchdog {
    every: Option<Duration>,
    told: Instant,
}

impl Watchdog {
    /// The process is ready, and its loop begins.
    pub(crate) fn ready() -> Self {
        tell(NotifyState::Ready);
        // Twice as often as it must be.
        let every = sd_notify::watchdog_enabled().map(|within| within / 2);
        Self { every, told: Instant::now() }
    }

    /// The loop has turned.
    pub(crate) fn turned(&mut self) {
        if self.every.is_some_and(|every| self.told.elapsed() >= every) {
            self.told = Instant::now();
            tell(NotifyState::Watchdog);
        }
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
