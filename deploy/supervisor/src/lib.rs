//! What systemd is told: that a process is ready, that its loop still turns, that it ends. Without systemd nobody listens.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The process is ready.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The process is ready, as these words say.
pub fn ready_as(words: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(words)]);
}

/// It will end by itself.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often systemd must be told that the process turns: twice as often as it wants to hear it; `None` where it does not.
#[must_use]
pub fn watched_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

/// The process turns.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// For a loop that turns more often than systemd wants to hear of.
#[derive(Debug)]
pub struct Watchdog {
    every: Option<Duration>,
    told: Instant,
}

impl Watchdog {
    /// The process is ready, and its loop begins.
    #[must_use]
    pub fn ready() -> Self {
        ready();
        Self { every: watched_every(), told: Instant::now() }
    }

    /// The loop has turned.
    pub fn turned(&mut self) {
        if self.every.is_some_and(|every| self.told.elapsed() >= every) {
            self.told = Instant::now();
            alive();
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
