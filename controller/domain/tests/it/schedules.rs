//! Schedules: the edges by example, everything else against a slow reference that knows only minutes.

use std::collections::BTreeSet;

use domain::civil::{Date, Local, Weekday};
use domain::ids::ScheduleId;
use domain::schedule::{Calendar, DayKind, Days, Moment, Schedule, Span, Window};
use domain::time::{Utc, Zone};
use proptest::prelude::*;

use crate::house::shanghai;

const MINUTE: i64 = 60_000_000;

fn utc(year: i32, month: u8, day: u8, hour: i64, minute: i64) -> Utc {
    let date = Date::from_ymd(year, month, day).expect("a date");
    Utc((i64::from(date.0) * 1440 + hour * 60 + minute) * MINUTE)
}

fn span(from: (u16, u16), until: (u16, u16)) -> Span {
    Span::new(from.0 * 60 + from.1, until.0 * 60 + until.1).expect("in range")
}

fn schedule(windows: Vec<(Days, Span)>) -> Schedule {
    let windows = windows.into_iter().map(|(days, span)| Window { days, span }).collect();
    Schedule { id: ScheduleId(1), windows, exceptions: vec![] }
}

fn berlin() -> Zone {
    Zone {
        base: 3600,
        transitions: vec![
            (utc(2026, 3, 29, 1, 0), 7200),
            (utc(2026, 10, 25, 1, 0), 3600),
            (utc(2027, 3, 28, 1, 0), 7200),
        ],
    }
}

#[test]
fn a_night_shift_belongs_to_the_evening_it_begins_on() {
    let zone = Zone::fixed(8 * 3600);
    let fridays = Days::only(DayKind::Weekday(Weekday::Friday));
    let night = schedule(vec![(fridays, span((22, 0), (6, 0)))]);
    // 2026-10-02 is a Friday; the Saturday after it is a holiday.
    let saturday = Date::from_ymd(2026, 10, 3).expect("a date");
    let calendar = Calendar { days: vec![(saturday, DayKind::PublicHoliday)] };
    let open = |at| night.is_open(&Moment::new(at, &zone, &calendar));
    assert!(!open(shanghai(2026, 10, 2, 21, 59)));
    assert!(open(shanghai(2026, 10, 2, 22, 0)));
    assert!(open(shanghai(2026, 10, 3, 5, 59)));
    assert!(!open(shanghai(2026, 10, 3, 6, 0)));
    assert!(!open(shanghai(2026, 10, 2, 3, 0)), "Thursday evening begins no shift");
}

#[test]
fn golden_week_closes_and_the_worked_sunday_opens() {
    // 2026: Oct 1–7 is off, Sunday Sept 20 is worked for it.
    let zone = Zone::fixed(8 * 3600);
    let mut days = vec![(Date::from_ymd(2026, 9, 20).expect("a date"), DayKind::WorkingWeekend)];
    days.extend((1..=7).map(|day| (Date::from_ymd(2026, 10, day).expect("a date"), DayKind::PublicHoliday)));
    let calendar = Calendar { days };
    let office = schedule(vec![(Days::WORKDAYS, span((8, 0), (18, 0)))]);
    let open = |at| office.is_open(&Moment::new(at, &zone, &calendar));
    assert!(open(shanghai(2026, 9, 20, 9, 0)), "worked Sunday");
    assert!(!open(shanghai(2026, 9, 27, 9, 0)), "ordinary Sunday");
    assert!(!open(shanghai(2026, 10, 1, 9, 0)), "holiday Thursday");
    assert_eq!(
        office.next_change(shanghai(2026, 9, 30, 18, 0), &zone, &calendar, 14),
        Some(shanghai(2026, 10, 8, 8, 0))
    );
    assert_eq!(
        office.next_change(shanghai(2026, 9, 30, 18, 0), &zone, &calendar, 7),
        None,
        "not within a week"
    );
}

#[test]
fn an_exception_replaces_the_day_it_names_and_spills_into_the_next() {
    let zone = Zone::fixed(8 * 3600);
    let calendar = Calendar::default();
    let mut office = schedule(vec![(Days::WORKDAYS, span((8, 0), (18, 0)))]);
    let closed = Date::from_ymd(2026, 3, 4).expect("a date");
    let late = Date::from_ymd(2026, 3, 5).expect("a date");
    office.exceptions = vec![(closed, vec![]), (late, vec![span((20, 0), (2, 0))])];
    let open = |at| office.is_open(&Moment::new(at, &zone, &calendar));
    assert!(!open(shanghai(2026, 3, 4, 10, 0)));
    assert!(!open(shanghai(2026, 3, 5, 10, 0)));
    assert!(open(shanghai(2026, 3, 5, 20, 0)));
    assert!(open(shanghai(2026, 3, 6, 1, 59)));
    assert!(!open(shanghai(2026, 3, 6, 2, 0)));
    let closes = office.next_change(shanghai(2026, 3, 5, 21, 0), &zone, &calendar, 2);
    assert_eq!(closes, Some(shanghai(2026, 3, 6, 2, 0)));
}

#[test]
fn the_hour_that_repeats_is_open_twice() {
    let (zone, calendar) = (berlin(), Calendar::default());
    let small_hours = schedule(vec![(Days::EVERY, span((2, 0), (3, 0)))]);
    let open = |at| small_hours.is_open(&Moment::new(at, &zone, &calendar));
    // 02:00 summer time is 00:00 UTC, 02:00 winter time is 01:00 UTC.
    assert!(open(utc(2026, 10, 25, 0, 30)));
    assert!(open(utc(2026, 10, 25, 1, 30)));
    assert!(!open(utc(2026, 10, 25, 2, 0)));
    let change = small_hours.next_change(utc(2026, 10, 25, 0, 0), &zone, &calendar, 2);
    assert_eq!(change, Some(utc(2026, 10, 25, 2, 0)), "it stays open through the change");
}

#[test]
fn the_hour_that_is_skipped_never_comes() {
    let (zone, calendar) = (berlin(), Calendar::default());
    let small_hours = schedule(vec![(Days::EVERY, span((2, 0), (3, 0)))]);
    // 2026-03-29 goes from 01:59 straight to 03:00.
    let change = small_hours.next_change(utc(2026, 3, 28, 12, 0), &zone, &calendar, 2);
    assert_eq!(change, Some(utc(2026, 3, 30, 0, 0)), "02:00 on the 30th");
    let night = schedule(vec![(Days::EVERY, span((22, 0), (2, 30)))]);
    let change = night.next_change(utc(2026, 3, 28, 21, 0), &zone, &calendar, 2);
    assert_eq!(change, Some(utc(2026, 3, 29, 1, 0)), "closes as the clock jumps over its end");
}

/// Every minute of civil time, from one day before to one day after, at which the schedule is open.
fn open_minutes(schedule: &Schedule, calendar: &Calendar, from: Date, days: i32) -> BTreeSet<i64> {
    let mut open = BTreeSet::new();
    for date in (from.0 - 2..=from.0 + days + 2).map(Date) {
        let kind = calendar.days.iter().find(|(day, _)| *day == date).map(|(_, kind)| *kind);
        let kind = kind.unwrap_or(DayKind::Weekday(date.weekday()));
        let exception = schedule.exceptions.iter().find(|(day, _)| *day == date);
        let spans: Vec<Span> = match exception {
            Some((_, spans)) => spans.clone(),
            None => {
                let on = |window: &&Window| window.days.bits() & Days::only(kind).bits() != 0;
                schedule.windows.iter().filter(on).map(|window| window.span).collect()
            }
        };
        for span in spans {
            let midnight = i64::from(date.0) * 1440;
            open.extend(midnight + i64::from(span.from())..midnight + i64::from(span.until()));
        }
    }
    open
}

fn any_span() -> impl Strategy<Value = Span> {
    let minute =
        || prop_oneof![Just(0_u16), Just(1439), (0_u16..96).prop_map(|quarter| quarter * 15), 0_u16..1440];
    (minute(), prop_oneof![Just(1440_u16), minute()])
        .prop_map(|(from, until)| Span::new(from, until).expect("in range"))
}

fn any_kind() -> impl Strategy<Value = DayKind> {
    prop_oneof![Just(DayKind::PublicHoliday), Just(DayKind::WorkingWeekend), Just(DayKind::SiteDay)]
}

const FIRST: i32 = 20_500;

pub(crate) fn any_calendar() -> impl Strategy<Value = Calendar> {
    prop::collection::btree_map(FIRST - 2..FIRST + 12, any_kind(), 0..5)
        .prop_map(|days| Calendar { days: days.into_iter().map(|(day, kind)| (Date(day), kind)).collect() })
}

pub(crate) fn any_schedule() -> impl Strategy<Value = Schedule> {
    let days = (0_u16..=Days::EVERY.bits()).prop_map(|bits| Days::from_bits(bits).expect("in range"));
    let window = (days, any_span()).prop_map(|(days, span)| Window { days, span });
    let exceptions =
        prop::collection::btree_map(FIRST - 2..FIRST + 12, prop::collection::vec(any_span(), 0..3), 0..4);
    (prop::collection::vec(window, 0..4), exceptions).prop_map(|(windows, exceptions)| Schedule {
        id: ScheduleId(1),
        windows,
        exceptions: exceptions.into_iter().map(|(day, spans)| (Date(day), spans)).collect(),
    })
}

pub(crate) fn any_zone() -> impl Strategy<Value = Zone> {
    let offset = || (-48..=56).prop_map(|quarters: i32| quarters * 900);
    let at = (i64::from(FIRST) * 96 - 96)..(i64::from(FIRST) * 96 + 96 * 10);
    (offset(), prop::collection::btree_map(at, offset(), 0..3)).prop_map(|(base, transitions)| Zone {
        base,
        transitions: transitions
            .into_iter()
            .map(|(quarter, offset)| (Utc(quarter * 15 * MINUTE), offset))
            .collect(),
    })
}

proptest! {
    #[test]
    fn open_is_what_the_minutes_say(schedule in any_schedule(), calendar in any_calendar()) {
        let open = open_minutes(&schedule, &calendar, Date(FIRST), 4);
        for minutes in i64::from(FIRST) * 1440..i64::from(FIRST + 4) * 1440 {
            let local = Local::from_micros(minutes * MINUTE);
            prop_assert_eq!(schedule.is_open(&Moment::of_local(local, &calendar)), open.contains(&minutes), "{:?}", local);
        }
    }

    #[test]
    fn the_next_change_is_the_first_minute_that_differs(
        schedule in any_schedule(),
        calendar in any_calendar(),
        zone in any_zone(),
        start in 0_i64..6 * 1440,
        micros in 0..MINUTE,
    ) {
        let horizon = 5_u16;
        let open = open_minutes(&schedule, &calendar, Date(FIRST - 1), 14);
        let is_open = |utc_minute: i64| {
            let at = Utc(utc_minute * MINUTE);
            let offset = zone.transitions.iter().rev().find(|(from, _)| *from <= at).map_or(zone.base, |(_, it)| *it);
            open.contains(&(utc_minute + i64::from(offset) / 60))
        };
        let first = i64::from(FIRST) * 1440 + start;
        let found = schedule.next_change(Utc(first * MINUTE + micros), &zone, &calendar, horizon);
        let mut minutes = first + 1..;
        let expected = minutes.by_ref().take(usize::from(horizon) * 1440 + 1).find(|it| is_open(*it) != is_open(first));
        let end = Utc(first * MINUTE + micros + i64::from(horizon) * 1440 * MINUTE);
        let expected = expected.map(|it| Utc(it * MINUTE)).filter(|it| *it < end);
        prop_assert_eq!(found.filter(|it| *it < end), expected);
    }
}
