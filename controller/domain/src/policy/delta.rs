//! From one policy version to the next.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::fault::{Fault, Faults, Part};
use super::parts::{Area, Credential, Door, Level, Person, PolicyParts, SiteRules};
use super::rows::{Rows, report_twice};
use super::{DigestOf, Policy, Structure, check};
use crate::ids::{
    AreaId, ControllerId, CredentialId, DoorId, FireZoneId, GroupId, LevelId, PersonId, PolicyVersion,
    ScheduleId,
};
use crate::schedule::{Calendar, Schedule};
use crate::table::Table;
use crate::time::{Utc, Zone};

/// What changes between two versions. What is not named stays.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the optional parts are those of PolicyParts, replaced when given")]
pub struct PolicyDelta {
    /// The version it starts from.
    pub from: PolicyVersion,
    /// The version it leads to, a later one.
    pub to: PolicyVersion,
    /// When the server published that version.
    pub made_at: Utc,
    pub site: Option<SiteRules>,
    pub zone: Option<Zone>,
    pub calendar: Option<Calendar>,
    /// Parts that go. Whatever names them must go or change in the same delta.
    pub remove: Removals,
    /// Parts that come or change, each whole.
    pub upsert: Upserts,
}

/// Parts that come or change.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each list is of what it names")]
pub struct Upserts {
    pub controllers: Vec<ControllerId>,
    pub areas: Vec<Area>,
    pub fire_zones: Vec<FireZoneId>,
    pub groups: Vec<GroupId>,
    pub schedules: Vec<Schedule>,
    pub doors: Vec<Door>,
    pub levels: Vec<Level>,
    pub people: Vec<Person>,
    pub credentials: Vec<Credential>,
}

/// Parts that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each list is of what it names")]
pub struct Removals {
    pub controllers: Vec<ControllerId>,
    pub areas: Vec<AreaId>,
    pub fire_zones: Vec<FireZoneId>,
    pub groups: Vec<GroupId>,
    pub schedules: Vec<ScheduleId>,
    pub doors: Vec<DoorId>,
    pub levels: Vec<LevelId>,
    pub people: Vec<PersonId>,
    pub credentials: Vec<CredentialId>,
}

impl PolicyDelta {
    /// A delta that changes nothing but the version.
    #[must_use]
    pub fn empty(from: PolicyVersion, to: PolicyVersion, made_at: Utc) -> PolicyDelta {
        PolicyDelta {
            from,
            to,
            made_at,
            site: None,
            zone: None,
            calendar: None,
            remove: Removals::default(),
            upsert: Upserts::default(),
        }
    }

    /// The change that leads from one policy to another.
    #[must_use]
    pub fn between(before: &Policy, after: &Policy) -> PolicyDelta {
        let mut delta = PolicyDelta::empty(before.version, after.version, after.made_at);
        let (old, new) = (&*before.structure, &*after.structure);
        let (remove, upsert) = (&mut delta.remove, &mut delta.upsert);
        delta.site = (old.site != new.site).then_some(new.site);
        delta.zone = (old.zone != new.zone).then(|| new.zone.clone());
        delta.calendar = (old.calendar != new.calendar).then(|| new.calendar.clone());
        (remove.controllers, upsert.controllers) = new.controllers.difference(&old.controllers);
        (remove.areas, upsert.areas) = new.areas.difference(&old.areas);
        (remove.fire_zones, upsert.fire_zones) = new.fire_zones.difference(&old.fire_zones);
        (remove.groups, upsert.groups) = new.groups.difference(&old.groups);
        (remove.schedules, upsert.schedules) = new.schedules.difference(&old.schedules);
        (remove.doors, upsert.doors) = new.doors.difference(&old.doors);
        (remove.levels, upsert.levels) = new.levels.difference(&old.levels);
        remove.people =
            before.people().iter().map(|row| row.id).filter(|id| after.person(*id).is_none()).collect();
        upsert.people =
            after.people().into_iter().filter(|row| before.person(row.id) != Some(row)).cloned().collect();
        let had = before.credentials();
        remove.credentials =
            had.iter().map(|row| row.id).filter(|id| after.digests.get(id).is_none()).collect();
        let has = after.credentials();
        upsert.credentials =
            has.into_iter().filter(|row| before.credential_by_id(row.id) != Some(row)).cloned().collect();
        delta
    }

    /// The next policy; the one it is applied to stays as it is.
    ///
    /// # Errors
    /// Every fault the next policy would have, or that the delta has itself.
    pub fn apply(&self, policy: &Policy) -> Result<Policy, Faults> {
        let mut faults = Vec::new();
        if self.from != policy.version {
            return Err(Faults(alloc::vec![Fault::OtherVersion { from: self.from, have: policy.version }]));
        }
        if self.to <= self.from {
            faults.push(Fault::NotForward { from: self.from, to: self.to });
        }
        let next = change(policy.clone(), self, &mut faults);
        if faults.is_empty() { Ok(next) } else { Err(Faults(faults)) }
    }

    fn touches_structure(&self) -> bool {
        let PolicyDelta { from: _, to: _, made_at: _, site, zone, calendar, remove, upsert } = self;
        site.is_some()
            || zone.is_some()
            || calendar.is_some()
            || !(upsert.controllers.is_empty() && remove.controllers.is_empty())
            || !(upsert.areas.is_empty() && remove.areas.is_empty())
            || !(upsert.fire_zones.is_empty() && remove.fire_zones.is_empty())
            || !(upsert.groups.is_empty() && remove.groups.is_empty())
            || !(upsert.schedules.is_empty() && remove.schedules.is_empty())
            || !(upsert.doors.is_empty() && remove.doors.is_empty())
            || !(upsert.levels.is_empty() && remove.levels.is_empty())
    }
}

/// A whole policy is the change from nothing.
pub(super) fn build(parts: PolicyParts) -> Result<Policy, Faults> {
    let structure = Structure {
        site: parts.site,
        zone: parts.zone,
        calendar: parts.calendar,
        controllers: Rows::default(),
        areas: Rows::default(),
        fire_zones: Rows::default(),
        groups: Rows::default(),
        schedules: Rows::default(),
        doors: Rows::default(),
        levels: Rows::default(),
        levels_at: Vec::new(),
    };
    let nothing = Policy {
        version: parts.version,
        made_at: parts.made_at,
        people: Table::with_room(parts.people.len()),
        credentials: Table::with_room(parts.credentials.len()),
        digests: Table::with_room(parts.credentials.len()),
        structure: Arc::new(structure),
    };
    let mut everything = PolicyDelta::empty(parts.version, parts.version, parts.made_at);
    // Named, so that the structure is checked even when it is empty.
    everything.site = Some(parts.site);
    everything.upsert = Upserts {
        controllers: parts.controllers,
        areas: parts.areas,
        fire_zones: parts.fire_zones,
        groups: parts.groups,
        schedules: parts.schedules,
        doors: parts.doors,
        levels: parts.levels,
        people: parts.people,
        credentials: parts.credentials,
    };
    let mut faults = Vec::new();
    let policy = change(nothing, &everything, &mut faults);
    if faults.is_empty() { Ok(policy) } else { Err(Faults(faults)) }
}

/// Changes a copy and checks what the change can have broken.
fn change(mut policy: Policy, delta: &PolicyDelta, faults: &mut Vec<Fault>) -> Policy {
    policy.version = delta.to;
    policy.made_at = delta.made_at;
    if delta.touches_structure() {
        change_structure(Arc::make_mut(&mut policy.structure), delta, faults);
    }
    change_people(&mut policy, delta, faults);
    change_credentials(&mut policy, delta, faults);
    policy
}

fn change_structure(structure: &mut Structure, delta: &PolicyDelta, faults: &mut Vec<Fault>) {
    let (remove, upsert) = (&delta.remove, &delta.upsert);
    if let Some(site) = delta.site {
        structure.site = site;
    }
    if let Some(zone) = &delta.zone {
        structure.zone = zone.clone();
    }
    if let Some(calendar) = &delta.calendar {
        structure.calendar = calendar.clone();
    }
    let levels: Vec<Level> = upsert
        .levels
        .iter()
        .cloned()
        .map(|mut level| {
            ascending(&mut level.groups);
            ascending(&mut level.doors);
            level
        })
        .collect();
    structure.controllers.edit(&remove.controllers, &upsert.controllers, faults);
    structure.areas.edit(&remove.areas, &upsert.areas, faults);
    structure.fire_zones.edit(&remove.fire_zones, &upsert.fire_zones, faults);
    structure.groups.edit(&remove.groups, &upsert.groups, faults);
    structure.schedules.edit(&remove.schedules, &upsert.schedules, faults);
    structure.doors.edit(&remove.doors, &upsert.doors, faults);
    structure.levels.edit(&remove.levels, &levels, faults);
    check::structure(structure, faults);
    structure.index();
}

fn change_people(policy: &mut Policy, delta: &PolicyDelta, faults: &mut Vec<Fault>) {
    let (removed, upserted) = (&delta.remove.people, &delta.upsert.people);
    named_once(removed.iter().copied().chain(upserted.iter().map(|row| row.id)), Part::Person, faults);
    for id in removed {
        if policy.people.remove(id).is_none() {
            faults.push(Fault::NothingToRemove(Part::Person(*id)));
        }
    }
    let people = upserted.iter().cloned().map(|mut person| {
        ascending(&mut person.groups);
        person
    });
    policy.people.extend(people.collect());
    // A group that went may still be named by anybody; otherwise only the changed can be wrong.
    if delta.remove.groups.is_empty() {
        for person in upserted {
            check::person(policy, person, faults);
        }
    } else {
        for person in policy.people.iter() {
            check::person(policy, person, faults);
        }
    }
}

fn change_credentials(policy: &mut Policy, delta: &PolicyDelta, faults: &mut Vec<Fault>) {
    let (removed, upserted) = (&delta.remove.credentials, &delta.upsert.credentials);
    named_once(removed.iter().copied().chain(upserted.iter().map(|row| row.id)), Part::Credential, faults);
    for id in removed {
        if !take_credential(policy, *id) {
            faults.push(Fault::NothingToRemove(Part::Credential(*id)));
        }
    }
    // All changed ones go before any comes, so that two may swap their digests.
    for credential in upserted {
        take_credential(policy, credential.id);
    }
    policy.digests.extend(upserted.iter().map(|it| DigestOf { id: it.id, digest: it.digest }).collect());
    for other in policy.credentials.extend(upserted.clone()) {
        // What it was replaced by has its digest; with its own id again the delta names it twice, which is told above.
        if let Some(by) = policy.credentials.get(&other.digest).filter(|by| by.id != other.id) {
            faults.push(Fault::SameDigest { first: other.id.min(by.id), second: other.id.max(by.id) });
        }
    }
    // As with groups: a person who went may still be named by any credential.
    if delta.remove.people.is_empty() {
        for credential in upserted {
            check::credential(policy, credential, faults);
        }
    } else {
        for credential in policy.credentials.iter() {
            check::credential(policy, credential, faults);
        }
    }
}

fn take_credential(policy: &mut Policy, id: CredentialId) -> bool {
    match policy.digests.remove(&id) {
        Some(row) => policy.credentials.remove(&row.digest).is_some(),
        None => false,
    }
}

/// An identity is removed or upserted, and once.
fn named_once<I: Copy + Ord>(ids: impl Iterator<Item = I>, part: fn(I) -> Part, faults: &mut Vec<Fault>) {
    let mut ids: Vec<I> = ids.collect();
    ids.sort_unstable();
    report_twice(&ids, part, faults);
}

fn ascending<I: Ord>(ids: &mut Vec<I>) {
    ids.sort_unstable();
    ids.dedup();
}
