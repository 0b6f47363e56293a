//! The two clocks: one that never goes back for durations, UTC for what is written down.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Never goes back.
    pub instant: Instant,
    /// UTC, microseconds.
    pub utc: i64,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let utc = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        Self { instant: Instant::now(), utc }
    }

    /// Microseconds of the process, for what takes a monotonic time.
    pub fn monotonic(&self) -> u64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        micros(self.instant.saturating_duration_since(*START))
    }
}

/// A duration in microseconds.
pub fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
