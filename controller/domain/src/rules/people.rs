//! Rules about the person.

use crate::decide::{Case, Findings};
use crate::policy::PersonStatus;
use crate::reason::Reason;

/// All that was shown belongs to one person.
pub(super) fn one_person(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let first = case.person_id?;
    for second in case.items.iter().filter_map(|item| item.person()).filter(|id| *id != first) {
        found.refuse(Reason::DifferentPeople { first, second });
    }
    Some(())
}

/// The policy knows the person.
pub(super) fn person_known(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let person = case.person_id?;
    if case.person.is_none() {
        found.refuse(Reason::UnknownPerson { person });
    }
    Some(())
}

/// The person may pass at all, and now.
pub(super) fn person_active(case: &Case<'_>, found: &mut Findings) -> Option<()> {
    let person = case.person?;
    match person.status {
        PersonStatus::Active => {}
        PersonStatus::Suspended => {
            found.refuse(Reason::PersonStatus { person: person.id, status: person.status })
        }
    }
    if !person.validity.holds(case.now) {
        found.refuse(Reason::PersonExpired { person: person.id, validity: person.validity });
    }
    Some(())
}
