//! Civil dates and times of day, proleptic Gregorian, without any zone.

use crate::time::MICROS_PER_MINUTE;

/// Minutes in one day.
pub const DAY_MINUTES: u16 = 1440;

/// A civil date: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// A day of the week; Monday first, as ISO 8601 counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A civil date and the minute of that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Local {
    /// The date.
    pub date: Date,
    /// Whole minutes since midnight, 0..1440.
    pub minute: u16,
}

impl Weekday {
    /// All seven, Monday first.
    pub const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
}

impl Date {
    /// A date of the calendar; `None` when there is no such day. Years −100 000 ..= 100 000.
    #[must_use]
    pub fn from_ymd(year: i32, month: u8, day: u8) -> Option<Date> {
        if !(-100_000..=100_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let date = Date(days_from_civil(year, month, day));
        (date.ymd() == (year, month, day)).then_some(date)
    }

    /// Year, month 1..=12, day 1..=31.
    #[must_use]
    pub fn ymd(self) -> (i32, u8, u8) {
        civil_from_days(self.0)
    }

    /// The day of the week.
    #[must_use]
    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        Weekday::ALL[(i64::from(self.0) + 3).rem_euclid(7) as usize]
    }

    /// That many days later (earlier when negative).
    #[must_use]
    pub fn plus_days(self, days: i32) -> Date {
        Date(self.0.saturating_add(days))
    }
}

impl Local {
    /// From microseconds of civil time since 1970-01-01 00:00 in the same zone.
    #[must_use]
    pub fn from_micros(micros: i64) -> Local {
        let minutes = micros.div_euclid(MICROS_PER_MINUTE);
        let day = minutes.div_euclid(i64::from(DAY_MINUTES));
        let minute = minutes.rem_euclid(i64::from(DAY_MINUTES)) as u16;
        // i64 microseconds span ±106 751 992 days, well within i32.
        Local { date: Date(day as i32), minute }
    }

    /// Whole minutes of civil time since 1970-01-01 00:00.
    #[must_use]
    pub fn minutes(self) -> i64 {
        i64::from(self.date.0) * i64::from(DAY_MINUTES) + i64::from(self.minute)
    }
}

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": eras of 400 years that start in March.
fn days_from_civil(year: i32, month: u8, day: u8) -> i32 {
    let (month, day) = (i32::from(month), i32::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i32) -> (i32, u8, u8) {
    let shifted = i64::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month, day)
}
