//! Rights and times in sentences, as people say them.

use domain::civil::Date;
use domain::schedule::{Days, Span, Window};
use doors::level::Level;
use doors::survey::{Survey, Thing};

use crate::page::Page;
use crate::sheet::name_of;

/// Who may enter where and when.
pub(crate) fn of_level(page: &Page, survey: &Survey, level: &Level) -> String {
    let doors: Vec<_> = survey.doors_of_level(level).into_iter().collect();
    let doors: Vec<_> = doors.into_iter().map(|id| name_of(page, survey, Thing::Door(id))).collect();
    let places = if doors.is_empty() { page.say("access-no-door").into_owned() } else { list(page, &doors) };
    let arguments = [
        ("who", who(page, survey, level).into()),
        ("when", when(page, survey, level).into()),
        ("where", places.into()),
    ];
    page.language.say_with("access-sentence", &arguments).into_owned()
}

/// Who may enter a door and when, on the door's own page.
pub(crate) fn of_door(page: &Page, survey: &Survey, level: &Level) -> String {
    let arguments = [("who", who(page, survey, level).into()), ("when", when(page, survey, level).into())];
    page.language.say_with("access-door-sentence", &arguments).into_owned()
}

fn who(page: &Page, survey: &Survey, level: &Level) -> String {
    let names: Vec<_> =
        level.groups.iter().map(|group| name_of(page, survey, Thing::Group(*group))).collect();
    if names.is_empty() { page.say("access-no-group").into_owned() } else { list(page, &names) }
}

fn when(page: &Page, survey: &Survey, level: &Level) -> String {
    match survey.schedule(level.schedule) {
        Some(schedule) if schedule.windows.is_empty() && !schedule.exceptions.is_empty() => {
            page.say("times-exceptions").into_owned()
        }
        Some(schedule) => times(page, &schedule.windows),
        None => page.say("times-never").into_owned(),
    }
}

/// When a schedule is open, in words.
pub(crate) fn times(page: &Page, windows: &[Window]) -> String {
    if windows.is_empty() {
        return page.say("times-never").into_owned();
    }
    let windows = windows.iter().map(|window| match (window.days, window.span) {
        (Days::EVERY, Span::ALL_DAY) => page.say("times-always").into_owned(),
        (days, hours) => format!("{} {}", these_days(page, days), span(page, hours)),
    });
    windows.collect::<Vec<_>>().join(page.say("times-and").as_ref())
}

fn these_days(page: &Page, days: Days) -> String {
    if days == Days::EVERY {
        return page.say("days-every").into_owned();
    }
    // Office days are one word; what is left over is named day by day.
    let office = days.bits() & Days::WORKDAYS.bits() == Days::WORKDAYS.bits();
    let rest = if office { days.bits() & !Days::WORKDAYS.bits() } else { days.bits() };
    let one = |bit: &u16| rest & 1 << bit != 0;
    let words = office.then(|| page.say("days-workdays").into_owned());
    let words = words
        .into_iter()
        .chain((0..10_u16).filter(one).map(|bit| page.say(&format!("days-{bit}")).into_owned()));
    list(page, &words.collect::<Vec<_>>())
}

/// A span of hours in words.
pub(crate) fn span(page: &Page, span: Span) -> String {
    const DAY: u16 = 24 * 60;
    if span == Span::ALL_DAY {
        return page.say("times-all-day").into_owned();
    }
    let until = match span.until() {
        until if until > DAY => page.say_with("times-next-day", "time", clock(until - DAY)).into_owned(),
        until => clock(until),
    };
    format!("{}–{until}", clock(span.from()))
}

/// `08:00`; the end of the day is 24:00.
pub(crate) fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `2026-11-27`.
pub(crate) fn date(date: Date) -> String {
    let (year, month, day) = date.ymd();
    format!("{year}-{month:02}-{day:02}")
}

pub(crate) fn list(page: &Page, names: &[String]) -> String {
    names.join(page.say("list-names").as_ref())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::Language;

    fn said(language: Language, days: u16, from: u16, until: u16) -> String {
        let page = Page { language, operator: None, zone: TimeZone::UTC, section: "" };
        let (Some(days), Some(span)) = (Days::from_bits(days), Span::new(from, until)) else {
            panic!("a window")
        };
        times(&page, &[Window { days, span }])
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let (every, workdays) = (Days::EVERY.bits(), Days::WORKDAYS.bits());
        for (days, from, until, chinese, english) in [
            (every, 0, 1440, "任何时间", "at any time"),
            (every, 0, 720, "每天 00:00–12:00", "every day 00:00–12:00"),
            (workdays, 420, 1200, "工作日 07:00–20:00", "on workdays 07:00–20:00"),
            (0b11, 1320, 360, "周一、周二 22:00–次日 06:00", "Monday, Tuesday 22:00–06:00 the next day"),
            (workdays | 1 << 5, 0, 1440, "工作日、周六 全天", "on workdays, Saturday all day"),
        ] {
            assert_eq!(said(Language::Chinese, days, from, until), chinese);
            assert_eq!(said(Language::English, days, from, until), english);
        }
    }
}
