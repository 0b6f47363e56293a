//! What the exploration needs to see of a lane.

use super::super::crossing::Standing;
use super::{Crossing, Direction, GateLane, Leaf, Mode, Timer};

impl GateLane {
    /// The same lane with all times counted from `now`, for exploration: two such lanes behave alike.
    pub(in crate::gate_lane) fn counted_from(&self, now: u64) -> GateLane {
        let rel = |t: u64| t.saturating_sub(now);
        let timer = |t: Timer| t.at().map_or(Timer::Idle, |at| Timer::Until(rel(at)));
        let mut lane = self.clone();
        lane.mode = match lane.mode {
            Mode::Normal => Mode::Normal,
            Mode::HeldOpen { until } => Mode::HeldOpen { until: rel(until) },
            Mode::Locked { until } => Mode::Locked { until: rel(until) },
            Mode::Lockdown { until } => Mode::Lockdown { until: rel(until) },
        };
        lane.leaf = match lane.leaf {
            leaf @ (Leaf::Closed | Leaf::Open { .. } | Leaf::Free) => leaf,
            Leaf::Opening { to, until } => Leaf::Opening { to, until: rel(until) },
            Leaf::Closing { from, until } => Leaf::Closing { from, until: rel(until) },
        };
        lane.entry.expires = timer(lane.entry.expires);
        lane.exit.expires = timer(lane.exit.expires);
        lane
    }

    pub(in crate::gate_lane) fn safety_zone_blocked(&self) -> bool {
        !self.beams.leaf_may_close()
    }

    pub(in crate::gate_lane) fn is_obstructed(&self) -> bool {
        self.obstructed
    }

    /// Somebody who may enter is inside.
    pub(in crate::gate_lane) fn lets_in_now(&self) -> bool {
        matches!(
            self.crossing,
            Crossing::Inside { direction: Direction::Entry, standing: Standing::Authorised, .. }
        )
    }

    /// Somebody who may pass is inside.
    pub(in crate::gate_lane) fn lets_through_now(&self) -> bool {
        matches!(self.crossing, Crossing::Inside { standing: Standing::Authorised, .. })
    }

    pub(in crate::gate_lane) fn alarmed_inside(&self) -> bool {
        matches!(self.crossing, Crossing::Inside { standing: Standing::Alarmed, .. })
    }

    pub(in crate::gate_lane) fn nobody_inside(&self) -> bool {
        self.crossing == Crossing::Empty
    }
}
