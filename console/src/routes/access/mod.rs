//! Who may pass where and when, in sentences; the schedules, days and groups that rights are made of.

mod days;
mod groups;
mod level;
mod schedule;
pub(crate) mod sentence;
mod week;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::civil::Date;
use domain::schedule::Span;
use domain::time::Utc;
use doors::schedule::CalendarDay;
use doors::survey::{Concern, Survey, Thing};
use kit::Routes;
use kit::auth::{Operator, Role};
use kit::problem::Problem;
use people::word::Word;
use serde::Deserialize;

use super::forms::{form_routes, survey};
use super::site::tree::said;
use super::{MANAGER, OPERATOR};
use crate::Console;
use crate::page::{Page, html};
use crate::sheet::name_of;
use sentence::{date, list, span};

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    let routes = Routes::default()
        .get("/access", OPERATOR, show)
        .post("/access/days", MANAGER, days::put)
        .post("/access/days/{day}/remove", MANAGER, days::remove);
    let routes = form_routes!(routes, level::LevelForm, "/access/levels", MANAGER);
    let routes = form_routes!(routes, schedule::ScheduleForm, "/access/schedules", MANAGER);
    let routes = form_routes!(routes, groups::GroupForm, "/access/groups", MANAGER);
    form_routes!(routes, groups::DoorGroupForm, "/access/door-groups", MANAGER)
}

#[derive(Template)]
#[template(path = "access/page.html")]
struct Access {
    page: Page,
    may_change: bool,
    said: Option<String>,
    levels: Vec<Level>,
    schedules: Vec<Times>,
    days: Vec<Day>,
    kinds: Vec<(String, String)>,
    groups: Vec<Named>,
    door_groups: Vec<Named>,
    /// What was typed for a day that was refused, and why.
    draft: days::Draft,
}

/// A level: what it is called and what it says.
struct Level {
    id: u64,
    name: String,
    sentence: String,
    /// People in its groups; somebody in two counts twice.
    people: usize,
    /// Why it lets nobody in, where it does not.
    idle: Option<&'static str>,
}

/// A schedule: what it is called and when it is open.
struct Times {
    id: u64,
    name: String,
    week: String,
    when: String,
    exceptions: Vec<String>,
    never: bool,
}

struct Day {
    number: i32,
    date: String,
    what: String,
    is_over: bool,
}

/// A group, and what is in it in words.
struct Named {
    id: u64,
    name: String,
    what: String,
}

impl Access {
    fn title(&self) -> String {
        self.page.say("access-title").into_owned()
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    said: String,
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("access");
    let said = said(&page, &asked.said);
    let survey = survey(&console.kit).await?;
    Ok(html(StatusCode::OK, &drawn(page, &survey, Utc(console.kit.now()), said, days::Draft::default())))
}

fn drawn(page: Page, survey: &Survey, now: Utc, said: Option<String>, draft: days::Draft) -> Access {
    let today = doors::edit::today(survey, now);
    let concerns = survey.concerns(today);
    let levels = survey.levels.iter().map(|(id, it)| Level {
        id: id.0,
        name: name_of(&page, survey, Thing::Level(*id)),
        sentence: sentence::of_level(&page, survey, it),
        people: usize::try_from(survey.people_of_level(it)).unwrap_or(usize::MAX),
        idle: idle(&concerns, Thing::Level(*id)),
    });
    let schedules = survey.schedules.iter().map(|(id, it)| Times {
        id: id.0,
        name: name_of(&page, survey, Thing::Schedule(*id)),
        week: week::drawn(&page, &it.windows),
        when: sentence::times(&page, &it.windows),
        exceptions: it.exceptions.iter().map(|it| exception(&page, it)).collect(),
        never: concerns.contains(&Concern::ScheduleNever(*id)),
    });
    let groups = survey.groups.iter().map(|it| {
        let members = usize::try_from(it.members).unwrap_or(usize::MAX);
        Named {
            id: it.id.0,
            name: name_of(&page, survey, Thing::Group(it.id)),
            what: page.say_count("people-count", &members).into_owned(),
        }
    });
    let door_groups = survey.door_groups.iter().map(|(id, it)| {
        let doors: Vec<_> = it.doors.iter().map(|door| name_of(&page, survey, Thing::Door(*door))).collect();
        Named { id: *id, name: name_of(&page, survey, Thing::DoorGroup(*id)), what: list(&page, &doors) }
    });
    let kinds = doors::schedule::Unusual::ALL.iter();
    Access {
        may_change: page.is_at_site(Role::Manager),
        said,
        levels: levels.collect(),
        schedules: schedules.collect(),
        days: survey.days.iter().map(|it| day(&page, it, today)).collect(),
        kinds: kinds.map(|it| (it.word().to_owned(), page.word("day", it.word()))).collect(),
        groups: groups.collect(),
        door_groups: door_groups.collect(),
        draft,
        page,
    }
}

/// The key of why a level lets nobody in.
fn idle(concerns: &BTreeSet<Concern>, level: Thing) -> Option<&'static str> {
    let own = concerns.iter().find(|it| it.thing() == level)?;
    match own {
        Concern::LevelForNobody(_) => Some("access-nobody"),
        Concern::LevelToNowhere(_) => Some("access-nowhere"),
        Concern::LevelNever(_) => Some("access-never"),
        Concern::DoorForNobody(_) | Concern::DoorAsksForNothing(_) | Concern::ScheduleNever(_) => None,
    }
}

fn exception(page: &Page, (day, spans): &(Date, Vec<Span>)) -> String {
    let spans: Vec<_> = spans.iter().map(|it| span(page, *it)).collect();
    let hours = if spans.is_empty() { page.say("times-closed").into_owned() } else { list(page, &spans) };
    format!("{} {hours}", date(*day))
}

fn day(page: &Page, day: &CalendarDay, today: Date) -> Day {
    let kind = page.word("day", day.kind.word());
    let what = if day.name.is_empty() { kind } else { format!("{} · {kind}", day.name) };
    Day { number: day.date.0, date: date(day.date), what, is_over: day.date < today }
}
