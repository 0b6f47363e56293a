//! The site's offset from UTC over the years of a policy.

use domain::time::{MICROS_PER_SECOND, Utc, Zone};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How far ahead changes of the offset are worked out, in days: ten years. A policy is published far more often.
const AHEAD_DAYS: i64 = 3653;
/// How far back, in days: a trace of last year's decision is worded in the time of then.
const BACK_DAYS: i64 = 366;

/// The offsets of a time zone from a year before `now` (UTC microseconds) until ten years after. `None` when there is no
/// such zone.
#[must_use]
pub fn zone(name: &str, now: Utc) -> Option<Zone> {
    let zone = TimeZone::get(name).ok()?;
    // Whole years, so that two policies of one year agree.
    let year = now.0.div_euclid(366 * 86_400 * MICROS_PER_SECOND);
    let start = year * 366 * 86_400 - BACK_DAYS * 86_400;
    let end = start + (BACK_DAYS + 366 + AHEAD_DAYS) * 86_400;
    let start = Timestamp::from_second(start).ok()?;
    let base = zone.to_offset(start).seconds();
    let transitions = zone
        .following(start)
        .take_while(|change| change.timestamp().as_second() < end)
        .map(|change| (Utc(change.timestamp().as_microsecond()), change.offset().seconds()))
        .collect::<Vec<_>>();
    // jiff may name a change of abbreviation alone.
    let mut kept: Vec<(Utc, i32)> = Vec::new();
    for (at, offset) in transitions {
        if kept.last().map_or(base, |(_, last)| *last) != offset {
            kept.push((at, offset));
        }
    }
    Some(Zone { base, transitions: kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Utc = Utc(1_772_438_400_000_000);

    #[test]
    fn china_is_eight_hours_ahead_all_year() {
        assert_eq!(zone("Asia/Shanghai", NOW), Some(Zone::fixed(8 * 3600)));
        assert_eq!(zone("Asia/Nowhere", NOW), None);
    }

    #[test]
    fn every_hour_of_ten_years_has_the_offset_that_the_time_zone_gives() {
        for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"] {
            let zone = zone(name, NOW).unwrap();
            assert!(zone.is_well_formed());
            let tz = TimeZone::get(name).unwrap();
            for hour in 0..10 * 365 * 24 {
                let second = NOW.0 / MICROS_PER_SECOND + hour * 3600;
                let expected = tz.to_offset(Timestamp::from_second(second).unwrap()).seconds();
                assert_eq!(zone.offset_at(Utc::from_seconds(second)), expected, "{name} at {second}");
            }
        }
    }
}
