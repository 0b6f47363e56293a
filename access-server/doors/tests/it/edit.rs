//! Changing the site piece by piece: nothing half done, nobody overruled unseen, and what comes to nothing is said before.

use std::collections::BTreeSet;

use domain::civil::Date;
use domain::ids::{AreaId, ControllerId, DoorId, ScheduleId};
use domain::schedule::{DayKind, Days, Span, Window};
use doors::DoorsError;
use doors::door::Board;
use doors::edit::{Aim, Edit, Seen};
use doors::label::Label;
use doors::level::Level;
use doors::place::{Area, AreaKind};
use doors::policy::publish;
use doors::schedule::{CalendarDay, Schedule, Unusual};
use doors::survey::{Concern, Survey, Thing};
use kit::Kit;
use people::group::GroupName;
use people::person::{self, Particulars};

use crate::site::{Small, sites};

async fn small(kit: &Kit) -> Small {
    let mut tx = kit.begin().await.unwrap();
    let small = Small::put(&mut tx).await;
    let mut ada = Particulars::named("ada", "艾达");
    ada.groups = vec![small.staff];
    person::add(&mut tx, None, &ada).await.unwrap();
    tx.commit().await.unwrap();
    small
}

async fn survey(kit: &Kit) -> Survey {
    Survey::load(&mut kit.read().acquire().await.unwrap()).await.unwrap()
}

async fn begin(kit: &Kit) -> Edit {
    Edit::begin(kit, None).await.unwrap()
}

async fn journaled(kit: &Kit) -> u64 {
    kit::journal::newest(kit.read()).await.unwrap()
}

fn known<I: Copy + PartialEq, T: std::fmt::Debug>(rows: &[(I, T)], id: I) -> Aim<I> {
    Aim::Known(id, Seen::of(&rows.iter().find(|(own, _)| *own == id).unwrap().1))
}

#[tokio::test]
async fn several_changes_are_kept_together_and_can_be_put_in_force() {
    for site in sites().await {
        let kit = &site.kit;
        let small = small(kit).await;
        let before = journaled(kit).await;
        let mut edit = begin(kit).await;
        let hall = small.door.inside;
        let room = Area {
            label: Label { key: String::new(), ..Label::new("", "档案室") },
            kind: AreaKind::Area,
            parent: Some(hall),
        };
        let room = edit.area(Aim::New, &room).await.unwrap();
        let mut door = small.door.clone();
        door.label = Label::new("", "档案室门");
        (door.outside, door.inside, door.board) = (hall, room, None);
        // A door of a room that this very change makes is known by then only to the database.
        let error = edit.door(Aim::New, &door).await.unwrap_err();
        assert!(matches!(error, DoorsError::Field { field: "inside", .. }), "{error}");
        drop(edit);
        assert_eq!(journaled(kit).await, before, "what is let go leaves no trace");

        let mut edit = begin(kit).await;
        door.inside = small.door.outside;
        let door = edit.door(Aim::New, &door).await.unwrap();
        let level = edit.before().levels[0].clone();
        let wider = Level { doors: vec![small.door_id, door], ..level.1.clone() };
        let aim = known(&edit.before().levels, level.0);
        edit.level(aim, &wider).await.unwrap();
        let done = edit.finish().await.unwrap();
        assert_eq!(done.concerns, BTreeSet::new());
        assert_eq!(done.after.door(door).unwrap().label.key, "door-3");
        done.commit().await.unwrap();
        publish(kit, None).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_changed_or_removed_meanwhile_is_not_overruled_unseen() {
    for site in sites().await {
        let kit = &site.kit;
        let small = small(kit).await;
        let seen = survey(kit).await;
        let aim = known(&seen.doors, small.door_id);
        let mut renamed = small.door.clone();
        renamed.label.name = "大门".into();
        let mut edit = begin(kit).await;
        edit.door(aim, &renamed).await.unwrap();
        edit.finish().await.unwrap().commit().await.unwrap();
        let mut edit = begin(kit).await;
        let error = edit.door(aim, &small.door).await.unwrap_err();
        assert!(matches!(error, DoorsError::Stale("door")), "{error}");
        let error = edit.door(Aim::Known(DoorId(99), Seen::of(&1)), &small.door).await.unwrap_err();
        assert!(matches!(error, DoorsError::Unknown("door")), "{error}");
        let site = seen.site.clone().unwrap();
        let error = edit.site(None, &site).await.unwrap_err();
        assert!(matches!(error, DoorsError::Stale("site")), "{error}");
        edit.site(Some(Seen::of(&site)), &site).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_stays_and_a_new_one_is_nobody_elses() {
    for site in sites().await {
        let kit = &site.kit;
        let small = small(kit).await;
        let seen = survey(kit).await;
        let mut edit = begin(kit).await;
        let other = Label { key: "other".into(), ..small.door.label.clone() };
        let other = doors::door::Door { label: other, ..small.door.clone() };
        let error = edit.door(known(&seen.doors, small.door_id), &other).await.unwrap_err();
        assert_eq!(error.at_field(), Some("key"), "{error}");
        let error = edit.door(Aim::New, &small.door).await.unwrap_err();
        assert!(
            matches!(error, DoorsError::Taken { field: "key", by: Thing::Door(id) } if id == small.door_id)
        );
        let same_board = doors::door::Door { label: Label::new("", "侧门"), ..small.door.clone() };
        let error = edit.door(Aim::New, &same_board).await.unwrap_err();
        assert!(
            matches!(error, DoorsError::Taken { field: "address", by: Thing::Door(id) } if id == small.door_id)
        );
        let elsewhere = Board { bus: "north".into(), address: 2 };
        edit.door(Aim::New, &doors::door::Door { board: Some(elsewhere), ..same_board }).await.unwrap();
        let error = edit.controller(Aim::New, ControllerId(2), &Label::new("", "二号")).await.unwrap_err();
        assert_eq!(error.at_field(), Some("number"));
        edit.controller(Aim::New, ControllerId(3), &Label::new("", "三号")).await.unwrap();
        let staff = GroupName { key: "staff".into(), name: "职员".into(), latin: String::new() };
        let error = edit.group(Aim::New, &staff).await.unwrap_err();
        assert!(matches!(error, DoorsError::Taken { field: "key", by: Thing::Group(_) }), "{error}");
    }
}

#[tokio::test]
async fn what_is_named_is_not_removed_and_everything_that_names_it_is_said() {
    for site in sites().await {
        let kit = &site.kit;
        let small = small(kit).await;
        let seen = survey(kit).await;
        let (level, lanes) = (seen.levels[0].0, seen.door_groups[0].0);
        let (office, lane) = (seen.schedules[0].0, seen.doors[1].0);
        let fire = seen.fire_zones[0].0;
        let floor = seen.areas.iter().find(|(_, it)| it.kind == AreaKind::Floor).unwrap().0;
        let doors = [Thing::Door(small.door_id), Thing::Door(lane)];
        let cases: [(Thing, Vec<Thing>); 6] = [
            (Thing::Area(small.door.inside), [vec![Thing::Area(floor)], doors.to_vec()].concat()),
            (Thing::Controller(ControllerId(2)), vec![doors[1]]),
            (Thing::FireZone(fire), doors.to_vec()),
            (Thing::Schedule(office), [vec![Thing::Level(level)], doors.to_vec()].concat()),
            (Thing::DoorGroup(lanes), vec![Thing::Level(level)]),
            (Thing::Group(small.staff), vec![Thing::Level(level)]),
        ];
        for (what, holders) in cases {
            let error = begin(kit).await.remove(what).await.unwrap_err();
            assert!(matches!(&error, DoorsError::Used { by, .. } if *by == holders), "{what:?}: {error:?}");
        }
        let mut edit = begin(kit).await;
        for free in [Thing::Level(level), Thing::DoorGroup(lanes), Thing::Area(floor), doors[1]] {
            edit.remove(free).await.unwrap();
        }
        let error = edit.remove(Thing::Level(level)).await.unwrap_err();
        assert!(matches!(error, DoorsError::Unknown("level")), "{error}");
        let done = edit.finish().await.unwrap();
        // Nobody can open the door that is left.
        assert_eq!(done.concerns, BTreeSet::from([Concern::DoorForNobody(small.door_id)]));
    }
}

#[tokio::test]
async fn what_comes_to_nothing_is_said_once_it_is_caused_and_only_then() {
    for site in sites().await {
        let kit = &site.kit;
        let small = small(kit).await;
        let never = Schedule { label: Label::new("", "从不"), windows: vec![], exceptions: vec![] };
        let mut edit = begin(kit).await;
        let id = edit.schedule(Aim::New, &never).await.unwrap();
        let empty = GroupName { key: String::new(), name: "访客".into(), latin: String::new() };
        let visitors = edit.group(Aim::New, &empty).await.unwrap();
        let level = Level {
            label: Label::new("", "访客"),
            groups: vec![visitors],
            doors: vec![],
            door_groups: vec![],
            schedule: id,
        };
        let level = edit.level(Aim::New, &level).await.unwrap();
        let done = edit.finish().await.unwrap();
        let expected = [
            Concern::ScheduleNever(id),
            Concern::LevelForNobody(level),
            Concern::LevelToNowhere(level),
            Concern::LevelNever(level),
        ];
        assert_eq!(done.concerns, BTreeSet::from(expected));
        done.commit().await.unwrap();

        // Told once: the next change causes none of it.
        let mut edit = begin(kit).await;
        let mut door = small.door.clone();
        (door.rules, door.otherwise) = (vec![], vec![]);
        edit.door(known(&survey(kit).await.doors, small.door_id), &door).await.unwrap();
        let done = edit.finish().await.unwrap();
        assert_eq!(done.concerns, BTreeSet::from([Concern::DoorAsksForNothing(small.door_id)]));
    }
}

#[tokio::test]
async fn what_could_not_be_put_in_force_is_refused_whole() {
    for site in sites().await {
        let kit = &site.kit;
        small(kit).await;
        let before = journaled(kit).await;
        let mut edit = begin(kit).await;
        // A policy's calendar is one row, and a row has 48 KiB.
        for day in 0..3000 {
            let day = CalendarDay { date: Date(20_000 + day), kind: Unusual::SiteDay, name: String::new() };
            edit.day(&day).await.unwrap();
        }
        let error = edit.finish().await.unwrap_err();
        assert!(matches!(&error, DoorsError::Unfit(why) if why[0].contains("larger than")), "{error}");
        assert_eq!(journaled(kit).await, before);
    }
}

#[tokio::test]
async fn a_schedule_is_open_some_day_by_its_windows_days_or_exceptions_to_come() {
    let site = sites().await.remove(0);
    let mut survey = survey(&site.kit).await;
    let today = Date(20_500);
    let with = |days: Days, exceptions: Vec<(Date, Vec<Span>)>| Schedule {
        label: Label::new("x", "x"),
        windows: if days == Days::NONE { vec![] } else { vec![Window { days, span: Span::ALL_DAY }] },
        exceptions,
    };
    let site_days = Days::only(DayKind::SiteDay);
    assert!(survey.opens(&with(Days::WORKDAYS, vec![]), today));
    assert!(!survey.opens(&with(Days::NONE, vec![]), today));
    assert!(!survey.opens(&with(site_days, vec![]), today), "no such day is in the calendar");
    let day = |at| CalendarDay { date: Date(at), kind: Unusual::SiteDay, name: String::new() };
    survey.days = vec![day(20_400)];
    assert!(!survey.opens(&with(site_days, vec![]), today), "it is over");
    survey.days.push(day(20_499));
    assert!(survey.opens(&with(site_days, vec![]), today), "yesterday's night goes on");
    assert!(!survey.opens(&with(Days::NONE, vec![(Date(20_600), vec![])]), today), "closed on that day");
    assert!(survey.opens(&with(Days::NONE, vec![(Date(20_600), vec![Span::ALL_DAY])]), today));
}

#[tokio::test]
async fn the_way_from_an_area_to_its_floor_ends_even_in_a_circle() {
    let site = sites().await.remove(0);
    let small = small(&site.kit).await;
    let mut survey = survey(&site.kit).await;
    let floor = survey.areas.iter().find(|(_, it)| it.kind == AreaKind::Floor).unwrap().0;
    assert_eq!(survey.floor_of(floor), Some(floor));
    assert_eq!(survey.floor_of(small.door.inside), None, "a building lies on no floor");
    assert_eq!(survey.around(floor), [floor, small.door.inside]);
    assert_eq!(survey.doors_of_floor(floor).count(), 0);
    for (_, area) in &mut survey.areas {
        area.parent = Some(floor);
    }
    assert_eq!(survey.around(small.door.outside), [small.door.outside, floor]);
    assert_eq!(survey.label(Thing::Schedule(ScheduleId(99))), None);
    assert_eq!(survey.area(AreaId(99)), None);
}
