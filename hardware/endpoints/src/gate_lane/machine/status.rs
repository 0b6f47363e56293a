//! How a lane stands now.

use super::{GateLane, Leaf, Mode};
use crate::common::{Condition, Sense, condition_of};
use crate::door::Cause;
use crate::gate_lane::Input;
use crate::status::{Conditions, LeafNow, LockNow, Status};

impl GateLane {
    /// How it stands now. The leaf is where its limit says, not where it was driven to.
    pub fn status(&self) -> Status {
        Status {
            leaf: if self.at_closed { LeafNow::Closed } else { LeafNow::Open },
            lock: match self.leaf {
                Leaf::Closed | Leaf::Closing { .. } => LockNow::Locked,
                Leaf::Opening { .. } | Leaf::Open { .. } | Leaf::Free => LockNow::Released(self.cause()),
            },
            forced: false,
            held: false,
            conditions: self.conditions(),
        }
    }

    /// Why it lets pass, while it does.
    fn cause(&self) -> Cause {
        if self.fire.demands_release() {
            Cause::Fire
        } else if self.break_glass.demands_release() {
            Cause::BreakGlass
        } else if self.mains == Sense::Active {
            Cause::MainsLoss
        } else if matches!(self.mode, Mode::HeldOpen { .. }) {
            Cause::Hold
        } else {
            Cause::Grant
        }
    }

    fn conditions(&self) -> Conditions {
        let [rex, tamper, battery] = self.lines;
        let lines = [
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
        let stuck = self.stuck.then_some(Condition::LeafStuck);
        let blocked = self.blocked.then_some(Condition::BeamBlocked);
        lines.chain(self.mode.condition()).chain(stuck).chain(blocked).collect()
    }
}
