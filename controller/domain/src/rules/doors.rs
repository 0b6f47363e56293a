//! Rules about the door itself.

use crate::decide::{Case, Findings};
use crate::policy::EntryRule;
use crate::reason::Reason;
use crate::state::OverrideMode;

/// The door is in the policy.
pub(super) fn door_known(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.door.is_none() {
        found.refuse(Reason::UnknownDoor { door: case.request.door });
    }
    Some(())
}

/// No operator keeps the person out: by a lock, or by a lockdown above their clearance.
pub(super) fn door_override(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.egress {
        return None;
    }
    let it = case.state.override_at(case.request.door, case.now)?;
    match it.mode {
        OverrideMode::Locked => {
            found.refuse(Reason::DoorLocked { by: it.by, rank: it.rank, until: it.until })
        }
        OverrideMode::Lockdown { clearance: needed } => {
            let clearance = case.person.map_or(0, |person| person.clearance);
            if clearance < needed {
                let (by, rank, until) = (it.by, it.rank, it.until);
                found.refuse(Reason::DoorLockedDown { by, rank, until, clearance, needed });
            }
        }
        OverrideMode::HeldOpen => {}
    }
    Some(())
}

/// Where nobody may enter unrecorded, nobody does while the record cannot be kept.
pub(super) fn recorded(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.egress {
        return None;
    }
    let since = case.state.record_lost();
    match (since, case.door?.door.unrecorded_entry) {
        (Some(since), EntryRule::Refuse) => found.refuse(Reason::Unrecorded { since }),
        (Some(_), EntryRule::Allow) | (None, _) => {}
    }
    Some(())
}

/// A fire refuses nothing; that the door stands free is part of the answer.
pub(super) fn fire(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    found.facts.fire = Some(case.fire?);
    Some(())
}
