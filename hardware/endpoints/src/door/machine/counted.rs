//! What the exploration needs of a door.

use super::{Door, Exit, Grant, Leaf, Lock, Mode};
use crate::common::Timer;

impl Door {
    /// The same door with all times counted from `now`, for exploration: two such doors behave alike.
    pub(in crate::door) fn counted_from(&self, now: u64) -> Door {
        let rel = |t: u64| t.saturating_sub(now);
        let mut door = self.clone();
        door.mode = match door.mode {
            Mode::Normal => Mode::Normal,
            Mode::HeldOpen { until } => Mode::HeldOpen { until: rel(until) },
            Mode::Locked { until } => Mode::Locked { until: rel(until) },
            Mode::Lockdown { until } => Mode::Lockdown { until: rel(until) },
        };
        door.grant = match door.grant {
            Grant::None => Grant::None,
            Grant::Waiting { until, id, source } => Grant::Waiting { until: rel(until), id, source },
            Grant::Used { until, id, source } => Grant::Used { until: rel(until), id, source },
        };
        door.awaited = door.awaited.counted_from(now);
        door.exit = match door.exit {
            Exit::None => Exit::None,
            Exit::Pressed { until } => Exit::Pressed { until: rel(until) },
            Exit::Timed { until } => Exit::Timed { until: rel(until) },
        };
        door.lock = match door.lock {
            Lock::Locked => Lock::Locked,
            Lock::JustLocked { until, cause, id } => Lock::JustLocked { until: rel(until), cause, id },
            Lock::Released { cause, id } => Lock::Released { cause, id },
        };
        door.leaf = match door.leaf {
            Leaf::Open(Timer::Until(at)) => Leaf::Open(Timer::Until(rel(at))),
            leaf @ (Leaf::Unknown
            | Leaf::Closed
            | Leaf::Open(Timer::Idle)
            | Leaf::HeldTooLong
            | Leaf::Forced) => leaf,
        };
        door
    }
}
