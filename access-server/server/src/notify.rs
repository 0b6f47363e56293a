//! What systemd is told: that the server is ready, and that it still turns. Without systemd nobody listens.

use sd_notify::NotifyState;

/// The server is ready: as the active one.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("active")]);
}

/// The server is ready: to take over.
pub fn standing_by(active: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("standing by; {active} is active"))]);
}

/// It will end by itself.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the process turns, twice as often as systemd wants to hear it; never, where it does not.
pub async fn alive() {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut turn = tokio::time::interval(within / 2);
    loop {
        turn.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
