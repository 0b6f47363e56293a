//! Civil dates against a walk through the calendar.

use domain::civil::{Date, Local, Weekday};
use domain::time::{Utc, Zone};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn dates_are_those_of_the_calendar() {
    // Walked by hand from 1970 to 2400, leap years included.
    let (mut days, mut weekday) = (0_i32, 3_usize);
    for year in 1970..2400 {
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let february = if leap { 29 } else { 28 };
        for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
            for day in 1..=length {
                let date = Date::from_ymd(year, month, day).expect("it exists");
                assert_eq!(date, Date(days));
                assert_eq!(date.ymd(), (year, month, day));
                assert_eq!(date.weekday(), Weekday::ALL[weekday]);
                days += 1;
                weekday = (weekday + 1) % 7;
            }
            assert_eq!(Date::from_ymd(year, month, length + 1), None);
        }
    }
}

proptest! {
    #[test]
    fn every_day_has_one_name(days in -30_000_000_i32..30_000_000) {
        let (year, month, day) = Date(days).ymd();
        prop_assert_eq!(Date::from_ymd(year, month, day), Some(Date(days)));
    }

    #[test]
    fn any_instant_has_a_civil_time(at: i64, offset in -64_800..=64_800) {
        let local = Zone::fixed(offset).local(Utc(at));
        prop_assert!(local.minute < 1440);
        let exact = at.saturating_add(i64::from(offset) * 1_000_000);
        prop_assert_eq!(local, Local::from_micros(exact));
        prop_assert_eq!(local.minutes(), exact.div_euclid(60_000_000));
    }

    #[test]
    fn time_passes_and_comes_back(at: i64, micros: u32) {
        let (at, by) = (Utc(at / 2), Duration::from_micros(u64::from(micros)));
        prop_assert_eq!(at.plus(by).since(at), by);
        prop_assert_eq!(at.since(at.plus(by)), Duration::ZERO);
    }
}
