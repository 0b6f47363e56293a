//! Small things written in a file: lines, dates, times of day, combinations.

use domain::civil::Date;
use domain::request::Factors;
use domain::schedule::{DayKind, Days};
use domain::time::Utc;
use jiff::civil;
use jiff::tz::TimeZone;
use toml::value::Datetime;

/// Lines below a table's key in which a field of it is looked for.
const TABLE_LINES: usize = 100;

/// Where the lines of a file begin: looked for once, however many things are found at a line.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// The first byte of each line.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        #[cfg(test)]
        tests::PASSES.with(|passes| passes.set(passes.get() + 1));
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    /// The line of a byte, from 1.
    pub(super) fn at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }

    /// The line of a field below the line where its table's key stands; that line itself when the field is not written.
    pub(super) fn of_field(&self, from: usize, field: &str) -> usize {
        let below = self.starts.iter().enumerate().skip(from).take(TABLE_LINES);
        for (at, start) in below {
            let line = self.text[*start..].lines().next().unwrap_or_default();
            if line.trim_start().starts_with("[[") {
                break;
            }
            let name = line.split('=').next().unwrap_or_default().trim();
            if name == field || name.strip_prefix(field) == Some("_s") {
                return at + 1;
            }
        }
        from
    }
}

/// A day without a time.
pub(super) fn date(value: &Datetime) -> Option<Date> {
    if value.time.is_some() || value.offset.is_some() {
        return None;
    }
    let date = value.date?;
    Date::from_ymd(i32::from(date.year), date.month, date.day)
}

/// The instant a day, a local time or a time with its offset stands for; a day alone is its beginning at the site, or
/// with `end` the beginning of the next.
pub(super) fn instant(value: &Datetime, zone: &TimeZone, end: bool) -> Option<Utc> {
    let text = value.to_string();
    let timestamp = match (value.date, value.time, value.offset) {
        (Some(_), Some(_), Some(_)) => text.parse::<jiff::Timestamp>().ok()?,
        (Some(_), Some(_), None) => {
            text.parse::<civil::DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp()
        }
        (Some(_), None, None) => {
            let day = text.parse::<civil::Date>().ok()?;
            let day = if end { day.tomorrow().ok()? } else { day };
            day.to_zoned(zone.clone()).ok()?.timestamp()
        }
        (Some(_), None, Some(_)) | (None, _, _) => return None,
    };
    Some(Utc(timestamp.as_microsecond()))
}

/// The words for days, for a message.
pub(super) const DAY_WORDS: &str =
    "every, workdays, monday … sunday, public-holiday, working-weekend, site-day";

/// `workdays`, `every`, `monday`, `public-holiday` …
pub(super) fn days(word: &str) -> Option<Days> {
    use domain::civil::Weekday;
    const WEEKDAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let kind = match word {
        "every" => return Some(Days::EVERY),
        "workdays" => return Some(Days::WORKDAYS),
        "public-holiday" => DayKind::PublicHoliday,
        "working-weekend" => DayKind::WorkingWeekend,
        "site-day" => DayKind::SiteDay,
        other => DayKind::Weekday(Weekday::ALL[WEEKDAYS.iter().position(|day| *day == other)?]),
    };
    Some(Days::only(kind))
}

/// `face`, `card+pin` …
pub(crate) fn factors(text: &str) -> Option<Factors> {
    text.split('+').try_fold(Factors::NONE, |all, word| {
        let one = match word.trim() {
            "face" => Factors::FACE,
            "card" => Factors::CARD,
            "pin" => Factors::PIN,
            "qr" => Factors::QR,
            _ => return None,
        };
        (!all.covers(one)).then_some(all.and(one))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;

    use super::*;
    use crate::import::{Options, Photos, import_text};

    thread_local! {
        /// How often a file's lines were looked for.
        pub(super) static PASSES: Cell<usize> = const { Cell::new(0) };
    }

    #[tokio::test]
    async fn the_lines_of_a_file_are_looked_for_once_however_much_is_wrong() {
        let kit = kit::testing::sites(&[people::MIGRATIONS, crate::MIGRATIONS].concat()).await.remove(0).kit;
        let options = Options { by: None, dry_run: true, photos: Photos::LeaveOut };
        for (count, name) in [(10, "x"), (500, "x"), (500, " ")] {
            let text: String =
                (0..count).map(|at| format!("[[group]]\nkey = \"g{at}\"\nname = \"{name}\"\n")).collect();
            PASSES.with(|passes| passes.set(0));
            let _ = import_text(&kit, &text, Path::new(""), &options).await;
            assert_eq!(PASSES.with(Cell::get), 1, "{count} {name:?}");
        }
    }

    #[test]
    fn a_byte_and_a_field_are_found_at_their_line() {
        let lines = Lines::of("[[a]]\nkey = 1\n\nname = 2\nheld_s = 3\n[[a]]\nkind = 4");
        assert_eq!([0, 5, 6, 14, 15, 16, 99].map(|byte| lines.at(byte)), [1, 1, 2, 3, 4, 4, 7]);
        assert_eq!(lines.of_field(2, "name"), 4);
        assert_eq!(lines.of_field(2, "held"), 5);
        assert_eq!(lines.of_field(2, "kind"), 2, "it is another table's");
    }

    #[test]
    fn combinations_name_each_factor_once() {
        assert_eq!(factors("card+pin"), Some(Factors::CARD.and(Factors::PIN)));
        assert_eq!(factors("face"), Some(Factors::FACE));
        for bad in ["", "card+card", "card,pin", "voice"] {
            assert_eq!(factors(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_ends_where_the_next_begins_at_the_site() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let day: Datetime = "2026-03-02".parse().unwrap();
        let begins = instant(&day, &zone, false).unwrap();
        assert_eq!(begins.0, 1_772_380_800_000_000);
        assert_eq!(instant(&day, &zone, true).unwrap().0 - begins.0, 86_400_000_000);
        let local: Datetime = "2026-03-02T08:00:00".parse().unwrap();
        let with_offset: Datetime = "2026-03-02T00:00:00Z".parse().unwrap();
        assert_eq!(instant(&local, &zone, false), instant(&with_offset, &zone, false));
        assert_eq!(instant(&"08:00:00".parse().unwrap(), &zone, false), None);
    }
}
