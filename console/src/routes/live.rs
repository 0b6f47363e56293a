//! The live page: is anything wrong now, what does every door look like, what just happened.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kit::auth::Operator;
use kit::clock::micros;
use kit::journal::{events_before, newest, urgent_before};
use kit::problem::Problem;
use kit::{Kit, StoredEvent, Stream};

use crate::page::{Page, html};
use crate::sight::Sight;
use crate::view::{Scene, View, is_look};
use crate::{Console, event};

/// Events shown at first.
const EVENTS: usize = 50;
/// Records looked at for them at most, and so many at a time.
const FARTHEST: u64 = 4000;
const PAGE: u32 = 100;
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
    let kit = &console.kit;
    let page = console.page(&headers, Some(operator)).at("live");
    let now = kit.now();
    let after = newest(kit.read()).await?;
    let mut scene = Scene::load(kit, page.language, &View::Live, &[], page.ranks()?).await?;
    let records = recent(kit, &scene.sight, after, now).await?;
    for record in &records {
        scene.directory.learn(kit, page.language, record).await?;
    }
    let events = records.iter().map(|it| event::row(kit, &page, &scene.directory, it, now)).collect();
    let troubles = kit.troubles().standing();
    let state = View::Live.render(&page, &scene, &scene.devices(kit), &troubles, now);
    Ok(html(StatusCode::OK, &Live { page, after, now, state, events }))
}

/// The last records up to a place in the journal, and after them the last urgent ones before; newest first. For whoever
/// does not see all of the site it is what they see of the last [`FARTHEST`].
async fn recent(kit: &Kit, sight: &Sight, last: u64, now: i64) -> Result<Vec<Arc<StoredEvent>>, sqlx::Error> {
    let is_shown = |record: &Arc<StoredEvent>| !is_look(record) && sight.tells(record);
    let (mut records, mut before) = (Vec::new(), last.saturating_add(1));
    while records.len() < EVENTS && last.saturating_sub(before) < FARTHEST {
        let page = events_before(kit.read(), before, PAGE).await?;
        let Some(oldest) = page.last() else { break };
        before = oldest.seq;
        records.extend(page.into_iter().filter(is_shown));
    }
    records.truncate(EVENTS);
    let shown = records.iter().filter(|record| record.stream == Stream::Urgent).count();
    let more = URGENT.saturating_sub(u32::try_from(shown).unwrap_or(u32::MAX));
    if let Some(oldest) = records.last().map(|record| record.seq)
        && more > 0
    {
        let urgent = urgent_before(kit.read(), oldest, more).await?;
        let is_recent = |record: &Arc<StoredEvent>| now.saturating_sub(record.received) < micros(RECENT);
        records.extend(urgent.into_iter().filter(|record| is_recent(record) && is_shown(record)));
    }
    Ok(records)
}
