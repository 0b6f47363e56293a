//! What happened before: the journal backwards, from any day, all of it or the alarms alone.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::civil::Date;
use kit::auth::Operator;
use kit::journal::{events_before, place_at, urgent_before};
use kit::problem::Problem;
use serde::Deserialize;

use crate::page::{Page, html};
use crate::{Console, directory, event};

/// Records on one page.
const PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    page: Page,
    day: String,
    is_urgent: bool,
    events: Vec<String>,
    /// The last record on the page, where there may be older ones.
    older: Option<u64>,
    is_newest: bool,
    /// The day that was asked for is none.
    wrong_day: bool,
}

impl History {
    fn title(&self) -> String {
        self.page.say("history-title").into_owned()
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    /// Records before this one.
    before: Option<u64>,
    /// Records of this day and before it, as `2026-11-27`.
    #[serde(default)]
    day: String,
    /// Alarms alone, when it says anything.
    #[serde(default)]
    urgent: String,
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("history");
    let (kit, now) = (&console.kit, console.kit.now());
    let end = end_of(&page, &asked.day);
    let wrong_day = !asked.day.is_empty() && end.is_none();
    let before = match (asked.before, end) {
        (Some(before), _) => before,
        (None, Some(end)) => place_at(kit.read(), end).await?,
        (None, None) => u64::MAX,
    };
    let is_urgent = !asked.urgent.is_empty();
    let records = match is_urgent {
        true => urgent_before(kit.read(), before, PAGE).await?,
        false => events_before(kit.read(), before, PAGE).await?,
    };
    let directory = directory::load(kit, page.language, &records).await?;
    let events = records.iter().map(|record| event::row(kit, &page, &directory, record, now)).collect();
    let older = records.last().filter(|_| records.len() == PAGE as usize).map(|record| record.seq);
    let status = if wrong_day { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let is_newest = before == u64::MAX;
    let day = if wrong_day { String::new() } else { asked.day };
    Ok(html(status, &History { page, day, is_urgent, events, older, is_newest, wrong_day }))
}

/// When a day is over in the site's zone.
fn end_of(page: &Page, day: &str) -> Option<i64> {
    let next = day.parse::<Date>().ok()?.tomorrow().ok()?;
    Some(next.to_zoned(page.zone.clone()).ok()?.timestamp().as_microsecond())
}
