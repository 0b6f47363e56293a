//! The live page: is anything wrong now, what does every door look like, what just happened.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kit::auth::Operator;
use kit::journal::events_before;
use kit::problem::Problem;

use crate::page::{Page, html};
use crate::{Console, directory, event, state};

/// Events shown at first.
const EVENTS: u32 = 50;

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
    let records = events_before(console.kit.read(), u64::MAX, EVENTS).await?;
    let directory = directory::load(&console.kit, page.language, &records).await?;
    let events =
        records.iter().map(|record| event::row(&console.kit, &page, &directory, record, now)).collect();
    let troubles = console.kit.troubles().standing();
    let state = state::render(&page, &directory, &console.live.all(), &troubles, now);
    let after = records.first().map_or(0, |record| record.seq);
    Ok(html(StatusCode::OK, &Live { page, after, now, state, events }))
}
