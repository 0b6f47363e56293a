//! What makes a policy a policy: nothing named is missing, every value is in range.

use alloc::vec::Vec;
use core::time::Duration;

use super::fault::{Fault, Part};
use super::parts::{CLEARANCE_MAX, Combinations, Credential, Door, Level, Person, SiteRules};
use super::{Policy, Structure};
use crate::ids::ScheduleId;
use crate::request::{Factors, Score};
use crate::time::Validity;

const STRIKE: core::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);
const SECOND_FACTOR: core::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(120);
const SCORES: core::ops::RangeInclusive<Score> = Score(0)..=Score(10_000);

struct Check<'f> {
    part: Part,
    faults: &'f mut Vec<Fault>,
}

impl Check<'_> {
    fn holds(&mut self, holds: bool, problem: &'static str) {
        if !holds {
            self.faults.push(Fault::OutOfRange { part: self.part, problem });
        }
    }

    fn names(&mut self, there: bool, missing: Part) {
        if !there {
            self.faults.push(Fault::Dangling { from: self.part, missing });
        }
    }

    fn names_schedule(&mut self, structure: &Structure, schedule: ScheduleId) {
        self.names(structure.schedules.has(schedule), Part::Schedule(schedule));
    }

    fn combinations(&mut self, combinations: &Combinations) {
        self.holds(!combinations.contains(&Factors::NONE), "a combination asks for nothing");
        self.holds(!combinations.contains(&Factors::PIN), "a PIN alone does not say whose it is");
    }

    fn validity(&mut self, validity: Validity) {
        self.holds(validity.from < validity.until, "it ends before it begins");
    }
}

pub(super) fn structure(structure: &Structure, faults: &mut Vec<Fault>) {
    site(&structure.site, faults);
    let mut zone = Check { part: Part::Zone, faults };
    zone.holds(structure.zone.is_well_formed(), "transitions do not ascend, or an offset is beyond 18 hours");
    let mut calendar = Check { part: Part::Calendar, faults };
    calendar.holds(structure.calendar.is_well_formed(), "dates do not ascend, or one is there twice");
    for schedule in structure.schedules.as_slice() {
        let mut check = Check { part: Part::Schedule(schedule.id), faults };
        check.holds(schedule.is_well_formed(), "exceptions do not ascend, or a date is there twice");
    }
    areas(structure, faults);
    for door in structure.doors.as_slice() {
        self::door(structure, door, faults);
    }
    for level in structure.levels.as_slice() {
        self::level(structure, level, faults);
    }
}

fn site(site: &SiteRules, faults: &mut Vec<Fault>) {
    let mut check = Check { part: Part::Site, faults };
    check.holds((1..=5).contains(&site.wrong_tries), "wrong tries must be 1 to 5");
    check.holds(SCORES.contains(&site.face_score), "the face score must be 0 to 10 000");
    check.holds(SCORES.contains(&site.face_margin), "the face margin must be 0 to 10 000");
    check.holds(SECOND_FACTOR.contains(&site.second_factor_within), "a second factor must have 1 to 120 s");
}

fn areas(structure: &Structure, faults: &mut Vec<Fault>) {
    let areas = &structure.areas;
    for area in areas.as_slice() {
        if let Some(parent) = area.parent {
            Check { part: Part::Area(area.id), faults }.names(areas.has(parent), Part::Area(parent));
        }
        let above = core::iter::successors(area.parent, |id| areas.get(*id)?.parent);
        // A path longer than there are areas goes in circles.
        if above.take(areas.as_slice().len()).any(|id| id == area.id) {
            faults.push(Fault::AreaWithinItself(area.id));
        }
    }
}

fn door(structure: &Structure, door: &Door, faults: &mut Vec<Fault>) {
    let mut check = Check { part: Part::Door(door.id), faults };
    check.names(structure.controllers.has(door.controller), Part::Controller(door.controller));
    check.names(structure.areas.has(door.outside), Part::Area(door.outside));
    check.names(structure.areas.has(door.inside), Part::Area(door.inside));
    check.holds(door.outside != door.inside, "it leads from an area into the same area");
    check.holds(STRIKE.contains(&door.strike), "the strike time must be 0.1 to 600 s");
    check.combinations(&door.otherwise);
    for rule in &door.credential_rules {
        check.names_schedule(structure, rule.schedule);
        check.combinations(&rule.any_of);
    }
    if let Some(zone) = door.fire_zone {
        check.names(structure.fire_zones.has(zone), Part::FireZone(zone));
    }
}

fn level(structure: &Structure, level: &Level, faults: &mut Vec<Fault>) {
    let mut check = Check { part: Part::Level(level.id), faults };
    check.names_schedule(structure, level.schedule);
    for group in &level.groups {
        check.names(structure.groups.has(*group), Part::Group(*group));
    }
    for door in &level.doors {
        check.names(structure.doors.has(*door), Part::Door(*door));
    }
}

pub(super) fn person(policy: &Policy, person: &Person, faults: &mut Vec<Fault>) {
    let mut check = Check { part: Part::Person(person.id), faults };
    check.validity(person.validity);
    check.holds(person.clearance <= CLEARANCE_MAX, "clearance must be 0 to 7");
    for group in &person.groups {
        check.names(policy.structure.groups.has(*group), Part::Group(*group));
    }
}

pub(super) fn credential(policy: &Policy, credential: &Credential, faults: &mut Vec<Fault>) {
    let mut check = Check { part: Part::Credential(credential.id), faults };
    check.validity(credential.validity);
    check.names(policy.people.get(&credential.person).is_some(), Part::Person(credential.person));
}
