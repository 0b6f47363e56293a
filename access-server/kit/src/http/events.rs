//! The journal in pages.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::journal::{StoredEvent, events_after, events_before, urgent_before};
use crate::problem::Problem;
use crate::state::Kit;

/// Records on one page, unless it is said.
const PAGE: u32 = 100;
/// Records on one page at most.
const PAGE_MAX: u32 = 1000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Forwards, after this place; 0 begins with the first record.
    after: Option<u64>,
    /// Backwards, before this place; without this and `after` the newest come first.
    before: Option<u64>,
    /// Only what was urgent, as alarms; backwards alone.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    urgent: bool,
    /// Records on the page: 100 unless it is said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A record of the journal, as programs are told it.
#[derive(Serialize, ToSchema)]
pub struct Event {
    /// Its place in the journal, without gaps.
    seq: u64,
    /// When the server wrote it down: UTC microseconds.
    received: i64,
    /// Who told it.
    source: String,
    /// Counts the source's beginnings anew.
    epoch: u32,
    /// `urgent` or `bulk` of a device, `own` of the server.
    stream: &'static str,
    /// Its number in that stream, without gaps.
    number: u64,
    /// When it happened, by its source's clock: UTC microseconds.
    at: i64,
    /// What kind of thing it is.
    kind: String,
    /// What happened, as its kind says it.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

/// A page of records.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    items: Vec<Event>,
    /// The `after` or `before` of the next page; null where there is none yet.
    next: Option<u64>,
}

pub(super) async fn list(State(kit): State<Kit>, Query(page): Query<Page>) -> Result<Json<Events>, Problem> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::malformed("limit: must be 1 to 1000"));
    }
    let before = page.before.unwrap_or(u64::MAX);
    let records = match (page.after, page.before, page.urgent) {
        (Some(_), Some(_), _) => return Err(Problem::malformed("after, before: one of them")),
        (Some(_), None, true) => return Err(Problem::malformed("urgent: goes backwards alone")),
        (Some(after), None, false) => events_after(kit.read(), after, limit).await?,
        (None, _, true) => urgent_before(kit.read(), before, limit).await?,
        (None, _, false) => events_before(kit.read(), before, limit).await?,
    };
    let next = records.last().filter(|_| records.len() == limit as usize).map(|last| last.seq);
    Ok(Json(Events { items: records.iter().map(|record| Event::of(record)).collect(), next }))
}

impl Event {
    /// How programs are told a record.
    #[must_use]
    pub fn of(record: &StoredEvent) -> Self {
        // What was damaged in the database is shown as a record without a body: see `journal::UNREADABLE`.
        let body = RawValue::from_string(record.body.clone()).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self {
            seq: record.seq,
            received: record.received,
            source: record.source.clone(),
            epoch: record.epoch,
            stream: record.stream.as_str(),
            number: record.number,
            at: record.at,
            kind: record.kind.clone(),
            body,
        }
    }
}
