//! How a door stands now.

use super::{Door, Exit, Grant, Leaf, Mode};
use crate::common::{Condition, condition_of};
use crate::door::{Cause, Input};
use crate::status::{Conditions, LeafNow, LockNow, Status};

impl Door {
    /// How it stands now.
    pub fn status(&self) -> Status {
        Status {
            leaf: match self.leaf {
                Leaf::Unknown => LeafNow::Unknown,
                Leaf::Closed => LeafNow::Closed,
                Leaf::Open(_) | Leaf::HeldTooLong | Leaf::Forced => LeafNow::Open,
            },
            lock: self.causes().strongest().map_or(LockNow::Locked, LockNow::Released),
            forced: self.leaf == Leaf::Forced,
            held: self.leaf == Leaf::HeldTooLong,
            conditions: self.conditions(),
        }
    }

    /// Until when the lock is released if nothing but time happens, µs since start; `None` while it is released without an end, or
    /// locked.
    pub fn released_until(&self) -> Option<u64> {
        let causes = self.causes();
        let endless = [Cause::Fire, Cause::BreakGlass, Cause::MainsLoss];
        if endless.into_iter().any(|cause| causes.contains(cause)) {
            return None;
        }
        let held = match self.mode {
            Mode::HeldOpen { until } => Some(until),
            Mode::Normal | Mode::Locked { .. } | Mode::Lockdown { .. } => None,
        };
        let granted = match self.grant {
            Grant::Waiting { until, .. } | Grant::Used { until, .. } => Some(until),
            Grant::None => None,
        };
        let exit = match self.exit {
            Exit::Pressed { .. } => return None,
            Exit::Timed { until } => Some(until),
            Exit::None => None,
        };
        [held, granted, exit].into_iter().flatten().max()
    }

    fn conditions(&self) -> Conditions {
        let [rex, tamper, battery] = self.lines;
        let lines = [
            (Input::Contact, self.contact, None),
            (Input::Rex, rex, None),
            (Input::Tamper, tamper, Some(Condition::Tamper)),
            (Input::Mains, self.mains, Some(Condition::MainsLost)),
            (Input::Battery, battery, Some(Condition::BatteryLow)),
        ];
        let lines =
            lines.into_iter().filter_map(|(input, sense, it)| condition_of(sense, input.number(), it));
        let fire = self.fire.conditions(Input::Fire.number(), Condition::Fire);
        let break_glass = self.break_glass.conditions(Input::BreakGlass.number(), Condition::BreakGlass);
        let lines = fire.chain(break_glass).chain(lines);
        lines.chain(self.mode.condition()).collect()
    }
}
