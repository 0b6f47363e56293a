//! The live page: is anything wrong now, what does every door look like, what just happened.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kit::auth::Operator;
use kit::clock::micros;
use kit::journal::{events_before, urgent_before};
use kit::problem::Problem;
use kit::{Kit, StoredEvent, Stream};

use crate::page::{Page, html};
use crate::view::is_look;
use crate::{Console, directory, event, state};

/// Events shown at first.
const EVENTS: u32 = 50;
/// Of the urgent ones so many are shown in any case, when they came within [`RECENT`]: nothing else pushes them off.
const URGENT: u32 = 20;
const RECENT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Template)]
#[template(path = "live.html")]
struct Live {
    page: Page,
    after: u64,
    now: i64,
    state: String,
    events: Vec<String>,
}

impl Live {
    fn title(&self) -> String {
        self.page.say("live-title").into_owned()
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("live");
    let now = console.kit.now();
    let mut records = recent(&console.kit, now).await?;
    let after = records.first().map_or(0, |record| record.seq);
    records.retain(|record| !is_look(record));
    let directory = directory::load(&console.kit, page.language, &records).await?;
    let events =
        records.iter().map(|record| event::row(&console.kit, &page, &directory, record, now)).collect();
    let troubles = console.kit.troubles().standing();
    let state = state::render(&page, &directory, &console.kit.live().all(), &troubles, now);
    Ok(html(StatusCode::OK, &Live { page, after, now, state, events }))
}

/// The last records, and after them the last urgent ones before; newest first.
async fn recent(kit: &Kit, now: i64) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    let mut records = events_before(kit.read(), u64::MAX, EVENTS).await?;
    let shown = records.iter().filter(|record| record.stream == Stream::Urgent).count();
    let more = URGENT.saturating_sub(u32::try_from(shown).unwrap_or(u32::MAX));
    if let Some(oldest) = records.last().map(|record| record.seq)
        && more > 0
    {
        let urgent = urgent_before(kit.read(), oldest, more).await?;
        let is_recent = |record: &Arc<StoredEvent>| now.saturating_sub(record.received) < micros(RECENT);
        records.extend(urgent.into_iter().filter(is_recent));
    }
    Ok(records)
}
