//! Rules about where the person was before.

use crate::decide::{Case, Findings};
use crate::policy::AntiPassback;
use crate::reason::Reason;
use crate::request::Side;

/// Nobody enters where they already are. Leaving twice only alarms; a fire suspends it.
pub(super) fn anti_passback(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let (door, person) = (case.door?.door, case.person_id?);
    if door.anti_passback == AntiPassback::Off || case.fire.is_some() {
        return None;
    }
    let Some(presence) = case.state.presence(person) else { return Some(()) };
    let (recorded_in, since) = (presence.area, presence.since);
    found.facts.presence = Some((recorded_in, since));
    let area = door.inside;
    match (case.request.side, case.policy.is_within(recorded_in, area)) {
        (Side::Exit, false) => found.alarm(Reason::LeavesTwice { area, recorded_in, since }),
        (Side::Entry, true) => match door.anti_passback {
            AntiPassback::Off => {}
            AntiPassback::Soft => found.alarm(Reason::EntersTwice { area, since, until: None }),
            AntiPassback::Hard => found.refuse(Reason::EntersTwice { area, since, until: None }),
            AntiPassback::Timed(time) => {
                let until = since.plus(time);
                // An entry that lies ahead was recorded before the clock was set back: how long ago is not known.
                if since <= case.now && case.now < until {
                    found.refuse(Reason::EntersTwice { area, since, until: Some(until) });
                }
            }
        },
        (Side::Exit, true) | (Side::Entry, false) => {}
    }
    Some(())
}

/// Two lanes side by side do not let the same person in: one of them has another face in front of it.
pub(super) fn two_lanes(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.fire.is_some() || case.request.side == Side::Exit {
        return None;
    }
    let (door, person) = (case.door?.door, case.person_id?);
    let last = case.state.last_grant(person).filter(|it| it.side == Side::Entry && it.door != door.id)?;
    let other = case.policy.door(last.door)?;
    if (other.outside, other.inside) != (door.outside, door.inside) {
        return None;
    }
    let until = last.at.plus(case.policy.site().same_person_within);
    if last.at <= case.now && case.now < until {
        found.refuse(Reason::JustGrantedElsewhere { door: last.door, at: last.at, until });
    }
    Some(())
}
