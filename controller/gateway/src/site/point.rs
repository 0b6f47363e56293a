//! A door or lane as it was last heard of.

use std::collections::BTreeSet;

use domain::time::Utc;
use uplink::live::{Lock, Position};

/// Why a door stands as it does; the order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    Fire,
    BreakGlass,
    MainsLoss,
    Rex,
    HoldOpen,
    Locked,
    Lockdown,
    Grant,
    Local,
}

/// What is wrong with a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Forced,
    Held,
    Obstructed,
    FireLoopFault,
    InputFault,
    Tamper,
    MainsLost,
    BatteryLow,
    BoardOffline,
}

#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) position: Position,
    pub(super) lock: Lock,
    pub(super) causes: BTreeSet<Cause>,
    pub(super) troubles: BTreeSet<Trouble>,
    pub(super) heard_at: Option<Utc>,
}

impl Default for Point {
    fn default() -> Self {
        Point {
            position: Position::Unknown,
            lock: Lock::Unknown,
            causes: BTreeSet::new(),
            troubles: BTreeSet::from([Trouble::BoardOffline]),
            heard_at: None,
        }
    }
}

impl Point {
    /// Sets or clears a cause.
    pub(super) fn cause(&mut self, cause: Cause, holds: bool) {
        if holds {
            self.causes.insert(cause);
        } else {
            self.causes.remove(&cause);
        }
    }

    /// Sets or clears a trouble.
    pub(super) fn trouble(&mut self, trouble: Trouble, holds: bool) {
        if holds {
            self.troubles.insert(trouble);
        } else {
            self.troubles.remove(&trouble);
        }
    }
}

impl Cause {
    pub(super) fn word(self) -> &'static str {
        match self {
            Cause::Fire => "fire",
            Cause::BreakGlass => "break-glass",
            Cause::MainsLoss => "mains-loss",
            Cause::Rex => "request-to-exit",
            Cause::HoldOpen => "hold-open",
            Cause::Locked => "locked",
            Cause::Lockdown => "lockdown",
            Cause::Grant => "grant",
            Cause::Local => "local-whitelist",
        }
    }
}

impl Trouble {
    pub(super) fn word(self) -> &'static str {
        match self {
            Trouble::Forced => "forced",
            Trouble::Held => "held",
            Trouble::Obstructed => "obstructed",
            Trouble::FireLoopFault => "fire-loop-fault",
            Trouble::InputFault => "input-fault",
            Trouble::Tamper => "tamper",
            Trouble::MainsLost => "mains-lost",
            Trouble::BatteryLow => "battery-low",
            Trouble::BoardOffline => "board-offline",
        }
    }
}
