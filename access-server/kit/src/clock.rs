//! The time of day, passed to whatever needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// UTC microseconds since 1970, the time on every wire and in every row.
pub type Micros = i64;

/// Where the time of day comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    Real,
    /// A clock that stands until it is moved: for tests and replays.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A standing clock.
    #[must_use]
    pub fn fixed(at: Micros) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at)))
    }

    /// The time now. A system clock before 1970 counts as 1970.
    #[must_use]
    pub fn now(&self) -> Micros {
        match self {
            Self::Real => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros),
            Self::Fixed(at) => at.load(Ordering::SeqCst),
        }
    }

    /// Moves a standing clock; the real one moves by itself.
    pub fn advance(&self, by: Duration) {
        match self {
            Self::Real => {}
            Self::Fixed(at) => {
                at.fetch_add(micros(by), Ordering::SeqCst);
            }
        }
    }
}

/// A duration in whole microseconds; the longest one stands for all that are longer.
#[must_use]
pub fn micros(duration: Duration) -> Micros {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
