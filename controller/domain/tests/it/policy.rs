//! A faulty policy is refused whole, with every fault.

use std::time::Duration;

use domain::ids::{AreaId, ControllerId, FireZoneId, GroupId, PersonId, ScheduleId};
use domain::policy::{Area, CredentialRule, Fault, Part, Policy, PolicyParts};
use domain::request::Factors;
use domain::time::{Utc, Validity, Zone};

use crate::house::*;

fn faults(break_it: impl FnOnce(&mut PolicyParts)) -> Vec<Fault> {
    let mut parts = parts();
    break_it(&mut parts);
    Policy::try_from(parts).expect_err("it is broken").0
}

fn dangling(from: Part, missing: Part) -> Fault {
    Fault::Dangling { from, missing }
}

#[test]
fn every_name_of_nothing_is_listed() {
    let nobody = PersonId(404);
    let found = faults(|parts| {
        parts.doors[0].controller = ControllerId(404);
        parts.doors[0].outside = AreaId(404);
        parts.doors[0].inside = AreaId(405);
        parts.doors[0].fire_zone = Some(FireZoneId(404));
        parts.doors[0].credential_rules =
            vec![CredentialRule { schedule: ScheduleId(404), any_of: vec![Factors::CARD] }];
        parts.areas[1].parent = Some(AreaId(404));
        parts.levels[0].schedule = ScheduleId(404);
        parts.levels[0].groups.push(GroupId(404));
        parts.levels[0].doors.push(domain::ids::DoorId(404));
        parts.people[0].groups.push(GroupId(404));
        parts.credentials[0].person = nobody;
    });
    let (lobby, level) = (Part::Door(LOBBY), Part::Level(STAFF_LEVEL));
    let expected = [
        dangling(Part::Area(BUILDING), Part::Area(AreaId(404))),
        dangling(lobby, Part::Controller(ControllerId(404))),
        dangling(lobby, Part::Area(AreaId(404))),
        dangling(lobby, Part::Area(AreaId(405))),
        dangling(lobby, Part::Schedule(ScheduleId(404))),
        dangling(lobby, Part::FireZone(FireZoneId(404))),
        dangling(level, Part::Schedule(ScheduleId(404))),
        dangling(level, Part::Group(GroupId(404))),
        dangling(level, Part::Door(domain::ids::DoorId(404))),
        dangling(Part::Person(ADA), Part::Group(GroupId(404))),
        dangling(Part::Credential(domain::ids::CredentialId(11)), Part::Person(nobody)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_value_out_of_range_is_listed() {
    let found = faults(|parts| {
        parts.site.wrong_tries = 6;
        parts.site.second_factor_within = Duration::ZERO;
        parts.zone = Zone { base: 0, transitions: vec![(Utc(5), 0), (Utc(5), 3600)] };
        parts.calendar.days = vec![(domain::civil::Date(2), domain::schedule::DayKind::SiteDay); 2];
        parts.schedules[0].exceptions =
            vec![(domain::civil::Date(2), vec![]), (domain::civil::Date(1), vec![])];
        parts.doors[0].strike = Duration::ZERO;
        parts.doors[0].inside = parts.doors[0].outside;
        parts.doors[0].otherwise = vec![Factors::PIN, Factors::NONE];
        parts.people[0].clearance = 8;
        parts.people[0].validity = Validity { from: Utc(2), until: Utc(2) };
        parts.credentials[0].validity = Validity { from: Utc(3), until: Utc(2) };
    });
    let of = |part: Part| {
        found.iter().filter(|it| matches!(it, Fault::OutOfRange { part: of, .. } if *of == part)).count()
    };
    assert_eq!(of(Part::Site), 2);
    assert_eq!(of(Part::Zone), 1);
    assert_eq!(of(Part::Calendar), 1);
    assert_eq!(of(Part::Schedule(OFFICE_HOURS)), 1);
    assert_eq!(of(Part::Door(LOBBY)), 4);
    assert_eq!(of(Part::Person(ADA)), 2);
    assert_eq!(of(Part::Credential(domain::ids::CredentialId(11))), 1);
    assert_eq!(found.len(), 12);
}

#[test]
fn nothing_is_there_twice() {
    let found = faults(|parts| {
        parts.people.push(person(ADA, &[STAFF]));
        parts.groups.push(STAFF);
        parts.doors.push(parts.doors[0].clone());
        let same_card =
            domain::policy::Credential { id: domain::ids::CredentialId(99), ..parts.credentials[0].clone() };
        parts.credentials.push(same_card);
    });
    let (first, second) = (domain::ids::CredentialId(11), domain::ids::CredentialId(99));
    let expected = [
        Fault::Twice(Part::Group(STAFF)),
        Fault::Twice(Part::Door(LOBBY)),
        Fault::Twice(Part::Person(ADA)),
        Fault::SameDigest { first, second },
    ];
    assert_eq!(found, expected);
}

#[test]
fn areas_do_not_lie_within_themselves() {
    let found = faults(|parts| {
        parts.areas[1].parent = Some(VAULT_ROOM);
        parts.areas.push(Area { id: AreaId(4), parent: Some(AreaId(4)) });
    });
    let within = Fault::AreaWithinItself;
    assert_eq!(found, [within(BUILDING), within(VAULT_ROOM), within(AreaId(4))]);
}

#[test]
fn faults_are_told_in_sentences() {
    let mut parts = parts();
    parts.doors[0].controller = ControllerId(404);
    parts.site.wrong_tries = 0;
    let told = Policy::try_from(parts).expect_err("it is broken").to_string();
    assert_eq!(
        told,
        "the site's rules: wrong tries must be 1 to 5; door 10 names controller 404, which is not there"
    );
}
