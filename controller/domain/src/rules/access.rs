//! Rules about the right to enter.

use crate::decide::{Case, Findings};
use crate::policy::Level;
use crate::reason::Reason;
use crate::request::Factors;
use crate::schedule::Schedule;

/// How far ahead the next opening is looked for, in days: longer than any holiday.
const LOOK_AHEAD_DAYS: u16 = 14;

/// One of the person's groups has a level for this door whose schedule is open.
pub(super) fn access_level(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.egress {
        return None;
    }
    let (door, person) = (case.door?, case.person?);
    let own = |(level, _): &(&Level, &Schedule)| {
        person.groups.iter().any(|id| level.groups.binary_search(id).is_ok())
    };
    if let Some((level, schedule)) =
        door.levels().filter(own).find(|(_, schedule)| schedule.is_open(&case.moment))
    {
        found.facts.level = Some((level.id, schedule.id));
        return Some(());
    }
    let (zone, calendar) = (case.policy.zone(), case.policy.calendar());
    let closed = door.levels().filter(own).map(|(level, schedule)| {
        let opens = schedule.next_change(case.now, zone, calendar, LOOK_AHEAD_DAYS);
        (opens, level.id, schedule.id)
    });
    // The one that opens first; those that do not open in sight come last.
    match closed.min_by_key(|(opens, level, _)| (opens.is_none(), *opens, *level)) {
        Some((opens, level, schedule)) => found.refuse(Reason::OutsideSchedule { level, schedule, opens }),
        None => found.refuse(Reason::NoLevel { person: person.id, door: door.door.id }),
    }
    Some(())
}

/// What was shown is one of the combinations this door takes now, or the beginning of one.
pub(super) fn combination(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    if case.egress {
        return None;
    }
    case.person_id?;
    let accepted = case.door?.combinations(&case.moment);
    let shown = case.shown();
    let lacks = |wanted: &Factors| (wanted.without(shown).count(), wanted.bits());
    let nearest_of =
        |begun: bool| accepted.iter().copied().filter(|it| !begun || it.covers(shown)).min_by_key(lacks);
    if let Some(met) = accepted.iter().find(|wanted| shown.covers(**wanted)) {
        found.facts.combination = Some(*met);
    } else if let Some(nearest) = nearest_of(true) {
        found.ask_for(nearest.without(shown));
    } else {
        found.refuse(Reason::Combination { shown, nearest: nearest_of(false) });
    }
    Some(())
}
