//! Days and words as people write them in lists.

use domain::policy::PersonStatus;
use domain::time::Utc;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use people::person::PersonKind;
use people::word::Word;

use crate::table::Cell;

/// An end, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Day(Date),
    /// `长期`: there is none.
    Open,
}

/// Years that a list may speak of; others are a slip.
const YEARS: std::ops::RangeInclusive<i16> = 1950..=2200;

/// A day: a spreadsheet's date, or `2026-11-27`, `2026/11/27`, `2026.11.27`, `2026年11月27日`, `20261127`. Days and months
/// without the year before them are not guessed at.
pub(crate) fn day(cell: &Cell) -> Option<Date> {
    let date = match cell {
        Cell::Day(date) => Some(*date),
        Cell::Text(text) => written(text),
        Cell::Number(number) if number.fract() == 0.0 && (19_500_101.0..22_001_231.0).contains(number) => {
            written(&number.to_string())
        }
        Cell::Number(_) | Cell::Empty | Cell::Error => None,
    };
    date.filter(|date| YEARS.contains(&date.year()))
}

/// A limit: a [`day`], or a word for none.
pub(crate) fn limit(cell: &Cell) -> Option<Limit> {
    const OPEN: [&str; 10] =
        ["长期", "永久", "无", "不限", "长期有效", "永久有效", "none", "always", "forever", "unlimited"];
    match cell {
        Cell::Text(text) if OPEN.contains(&text.to_lowercase().as_str()) => Some(Limit::Open),
        Cell::Text(_) | Cell::Day(_) | Cell::Number(_) | Cell::Empty | Cell::Error => {
            day(cell).map(Limit::Day)
        }
    }
}

fn written(text: &str) -> Option<Date> {
    // A time of day behind it is left out.
    let text = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = text.trim_end_matches('日').split(['-', '/', '.', '年', '月']).collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => (*year, *month, *day),
        [whole] if whole.len() == 8 && whole.is_ascii() => (&whole[..4], &whole[4..6], &whole[6..]),
        _ => return None,
    };
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// The beginning of a day at the site, or of the next.
pub(crate) fn instant(day: Date, zone: &TimeZone, next: bool) -> Option<Utc> {
    let day = if next { day.tomorrow().ok()? } else { day };
    Some(Utc(day.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond()))
}

/// Why somebody is known, in either language or as it is stored.
pub(crate) fn kind(text: &str) -> Option<PersonKind> {
    let text = text.to_lowercase();
    let named = match text.as_str() {
        "员工" | "职员" | "正式" | "正式员工" | "职工" | "学生" | "教师" | "staff" => {
            PersonKind::Employee
        }
        "访客" | "来访" | "guest" => PersonKind::Visitor,
        "外包" | "外包人员" | "承包商" | "外协" | "供应商" | "临时工" | "vendor" => {
            PersonKind::Contractor
        }
        "保安" | "保安员" | "安保" | "security" => PersonKind::Guard,
        "值班员" | "值班" => PersonKind::Operator,
        word => return PersonKind::parse(word),
    };
    Some(named)
}

/// Whether somebody may pass at all, in either language or as it is stored.
pub(crate) fn status(text: &str) -> Option<PersonStatus> {
    let text = text.to_lowercase();
    let named = match text.as_str() {
        "在职" | "正常" | "启用" | "有效" | "在岗" | "enabled" | "yes" | "是" | "1" => {
            PersonStatus::Active
        }
        "离职" | "停用" | "禁用" | "休假" | "无效" | "disabled" | "left" | "inactive" | "否" | "0" => {
            PersonStatus::Suspended
        }
        word => return PersonStatus::parse(word),
    };
    Some(named)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_is_read_however_an_office_writes_it() {
        for text in
            ["2026-11-27", "2026/11/27", "2026.11.27", "2026年11月27日", "20261127", "2026-11-27 08:30"]
        {
            assert_eq!(day(&Cell::text(text)), Some(date(2026, 11, 27)), "{text}");
        }
        assert_eq!(day(&Cell::text("2026年3月2日")), Some(date(2026, 3, 2)));
        assert_eq!(day(&Cell::Number(20_261_127.0)), Some(date(2026, 11, 27)));
        for text in ["27/11/2026", "11-27", "2026-02-30", "0026-01-01", "45988", "明天", "年月日"] {
            assert_eq!(day(&Cell::text(text)), None, "{text}");
        }
        assert_eq!(limit(&Cell::text("长期")), Some(Limit::Open));
    }

    #[test]
    fn the_last_day_ends_where_the_next_begins_at_the_site() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let day = date(2026, 3, 2);
        assert_eq!(instant(day, &zone, false).unwrap().0, 1_772_380_800_000_000);
        assert_eq!(instant(day, &zone, true).unwrap().0 - 1_772_380_800_000_000, 86_400_000_000);
    }
}
