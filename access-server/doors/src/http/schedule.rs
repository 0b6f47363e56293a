//! Schedules, for programs.

use domain::ids::ScheduleId;
use domain::schedule::{Days, Span, Window as Opened};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::day;
use super::things::{Names, Resource, aim, print};
use crate::edit::{Edit, Seen};
use crate::error::DoorsError;
use crate::schedule;
use crate::survey::{Survey, Thing};

/// A schedule.
#[derive(Serialize, ToSchema)]
pub(super) struct Schedule {
    id: u64,
    key: String,
    name: String,
    latin: String,
    windows: Vec<Window>,
    exceptions: Vec<Exception>,
    /// Another one with every change.
    version: String,
}

/// A schedule to be put in place.
#[derive(Deserialize, ToSchema)]
#[schema(as = ScheduleBody)]
pub(super) struct Body {
    #[serde(flatten)]
    #[schema(inline)]
    names: Names,
    /// Open whenever one of them is.
    #[serde(default)]
    #[schema(max_items = 64)]
    windows: Vec<Window>,
    /// Dates on which other hours hold, each once and ascending.
    #[serde(default)]
    #[schema(max_items = 400)]
    exceptions: Vec<Exception>,
}

/// When a schedule applies.
#[derive(Serialize, Deserialize, ToSchema)]
struct Window {
    /// The kinds of days, a bit each: Monday to Sunday from the lowest, then the calendar's kinds.
    #[schema(minimum = 1, maximum = 1023)]
    days: u16,
    #[serde(flatten)]
    #[schema(inline)]
    hours: Hours,
}

/// From and until when.
#[derive(Serialize, Deserialize, ToSchema)]
struct Hours {
    /// Minutes of the day.
    #[schema(maximum = 1439)]
    from: u16,
    /// Where it is not after `from`, of the next day.
    #[schema(maximum = 1440)]
    until: u16,
}

/// A date on which other hours hold; none of them: closed.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ScheduleException)]
struct Exception {
    /// As `2026-10-01`.
    #[schema(format = "date")]
    date: String,
    #[schema(max_items = 16)]
    open: Vec<Hours>,
}

impl From<&Span> for Hours {
    fn from(span: &Span) -> Self {
        Self { from: span.from(), until: span.until() }
    }
}

impl Hours {
    fn span(&self, field: &'static str) -> Result<Span, DoorsError> {
        Span::new(self.from, self.until).ok_or_else(|| {
            DoorsError::field(field, format!("{} to {} is no span of a day", self.from, self.until))
        })
    }
}

impl Resource for Schedule {
    type Body = Body;

    fn list(survey: &Survey) -> Vec<Self> {
        let window = |it: &Opened| Window { days: it.days.bits(), hours: (&it.span).into() };
        let schedules = survey.schedules.iter().map(|(id, it)| Self {
            id: id.0,
            key: it.label.key.clone(),
            name: it.label.name.clone(),
            latin: it.label.latin.clone(),
            windows: it.windows.iter().map(window).collect(),
            exceptions: it
                .exceptions
                .iter()
                .map(|(date, spans)| Exception {
                    date: day::text(*date),
                    open: spans.iter().map(Hours::from).collect(),
                })
                .collect(),
            version: Seen::of(it).to_string(),
        });
        schedules.collect()
    }

    fn thing(id: u64) -> Thing {
        Thing::Schedule(ScheduleId(id))
    }

    fn seen(survey: &Survey, id: u64) -> Option<Seen> {
        print(&survey.schedules, ScheduleId(id))
    }

    async fn put(edit: &mut Edit, known: Option<(u64, Seen)>, body: Body) -> Result<u64, DoorsError> {
        let window = |it: &Window| {
            let days =
                Days::from_bits(it.days).ok_or_else(|| DoorsError::field("windows", "days: unknown bits"))?;
            Ok(Opened { days, span: it.hours.span("windows")? })
        };
        let exception = |it: &Exception| {
            let date = day::date("exceptions", &it.date)?;
            Ok((date, it.open.iter().map(|hours| hours.span("exceptions")).collect::<Result<_, _>>()?))
        };
        let schedule = schedule::Schedule {
            label: body.names.into(),
            windows: body.windows.iter().map(window).collect::<Result<_, DoorsError>>()?,
            exceptions: body.exceptions.iter().map(exception).collect::<Result<_, DoorsError>>()?,
        };
        Ok(edit.schedule(aim(known, ScheduleId), &schedule).await?.0)
    }
}
