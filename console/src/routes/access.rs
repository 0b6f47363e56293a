//! Who may pass where and when, in sentences.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::civil::Date;
use domain::schedule::{Days, Span, Window};
use doors::label::Label;
use doors::schedule::Schedule;
use doors::{door, level, schedule};
use kit::auth::Operator;
use kit::problem::Problem;
use people::group;
use people::word::Word;

use crate::Console;
use crate::page::{Page, html};

#[derive(Template)]
#[template(path = "access.html")]
struct Access {
    page: Page,
    levels: Vec<Level>,
    schedules: Vec<Times>,
    days: Vec<(String, String)>,
}

/// A level: what it is called and what it says.
struct Level {
    name: String,
    sentence: String,
    /// People in its groups; somebody in two counts twice.
    people: usize,
    /// Why it lets nobody in, where it does not.
    idle: Option<&'static str>,
}

/// A schedule: what it is called and when it is open.
struct Times {
    name: String,
    when: String,
    exceptions: Vec<String>,
}

impl Access {
    fn title(&self) -> String {
        self.page.say("access-title").into_owned()
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("access");
    let groups = group::list(&console.kit).await?;
    let mut connection = console.kit.read().acquire().await?;
    let levels = level::list(&mut connection).await?;
    let doors = door::list(&mut connection).await?;
    let door_groups = door::groups(&mut connection).await?;
    let schedules = schedule::list(&mut connection).await?;
    let days = schedule::calendar_days(&mut connection).await?;
    drop(connection);

    let level = |it: &level::Level| {
        let members = door_groups.iter().filter(|(id, _)| it.door_groups.contains(id));
        let reached: BTreeSet<_> =
            members.flat_map(|(_, group)| &group.doors).chain(&it.doors).copied().collect();
        let doors = doors.iter().filter(|(id, _)| reached.contains(id));
        let who = groups.iter().filter(|group| it.groups.contains(&group.id));
        let people = who.clone().map(|group| usize::try_from(group.members).unwrap_or(usize::MAX)).sum();
        let open = schedules.iter().find(|(id, _)| *id == it.schedule).map(|(_, schedule)| schedule);
        let names: Vec<_> =
            who.map(|group| page.both_names(group.name.name.clone(), group.name.latin.clone()).0).collect();
        let (when, idle) = match open {
            Some(schedule) if schedule.windows.is_empty() && schedule.exceptions.is_empty() => {
                (page.say("times-never").into_owned(), Some("access-never"))
            }
            Some(schedule) => (times(&page, &schedule.windows), None),
            None => (page.say("times-never").into_owned(), Some("access-never")),
        };
        let idle = match (people, reached.is_empty()) {
            (0, _) => Some("access-nobody"),
            (_, true) => Some("access-nowhere"),
            _ => idle,
        };
        let doors: Vec<_> = doors.map(|(_, door)| named(&page, &door.label)).collect();
        let sentence = page.language.say_with(
            "access-sentence",
            &[
                ("who", list(&page, &names).into()),
                ("when", when.into()),
                ("where", list(&page, &doors).into()),
            ],
        );
        Level { name: named(&page, &it.label), sentence: sentence.into_owned(), people, idle }
    };
    let levels = levels.iter().map(|(_, it)| level(it)).collect();
    let schedules = schedules.iter().map(|(_, it)| shown(&page, it)).collect();
    let days = days.iter().map(|day| {
        let kind = page.word("day", day.kind.word());
        let what = if day.name.is_empty() { kind } else { format!("{} · {kind}", day.name) };
        (date(day.date), what)
    });
    let days = days.collect();
    Ok(html(StatusCode::OK, &Access { page, levels, schedules, days }))
}

fn shown(page: &Page, schedule: &Schedule) -> Times {
    let exception = |(day, spans): &(Date, Vec<Span>)| {
        let spans: Vec<_> = spans.iter().map(|it| span(page, *it)).collect();
        let hours = if spans.is_empty() { page.say("times-closed").into_owned() } else { list(page, &spans) };
        format!("{} {hours}", date(*day))
    };
    Times {
        name: named(page, &schedule.label),
        when: times(page, &schedule.windows),
        exceptions: schedule.exceptions.iter().map(exception).collect(),
    }
}

/// When a schedule is open, in words.
fn times(page: &Page, windows: &[Window]) -> String {
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

fn span(page: &Page, span: Span) -> String {
    const DAY: u16 = 24 * 60;
    if span == Span::ALL_DAY {
        return page.say("times-all-day").into_owned();
    }
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let until = match span.until() {
        until if until > DAY => page.say_with("times-next-day", "time", clock(until - DAY)).into_owned(),
        until => clock(until),
    };
    format!("{}–{until}", clock(span.from()))
}

fn date(date: Date) -> String {
    let (year, month, day) = date.ymd();
    format!("{year}-{month:02}-{day:02}")
}

fn named(page: &Page, label: &Label) -> String {
    page.both_names(label.name.clone(), label.latin.clone()).0
}

fn list(page: &Page, names: &[String]) -> String {
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
