//! One webhook: how it stands, what became of the last tries, and what can be done about it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use kit::Routes;
use kit::auth::Operator;
use kit::journal::newest;
use kit::problem::Problem;
use serde::Deserialize;
use webhooks::{Begin, Hook, HookError, HookId, TryRow};

use super::{ADMINISTRATOR, Fault, Filled, Made, PATH, Standing, drafted};
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

const ONE: &str = "/settings/webhooks/{webhook}";

/// The routes of this file.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .get(ONE, ADMINISTRATOR, show)
        .post(ONE, ADMINISTRATOR, change)
        .post("/settings/webhooks/{webhook}/act", ADMINISTRATOR, act)
        .post("/settings/webhooks/{webhook}/secret", ADMINISTRATOR, renew)
}

#[derive(Template)]
#[template(path = "webhooks/one.html")]
struct One {
    page: Page,
    id: i64,
    name: String,
    standing: Standing,
    told: Option<String>,
    is_paused: bool,
    is_waiting: bool,
    next: Option<String>,
    form: Filled,
    made: Option<Made>,
    said: Option<&'static str>,
    tries: Vec<Try>,
}

/// A try in vain.
struct Try {
    at: String,
    seq: u64,
    took: String,
    outcome: String,
}

impl One {
    fn title(&self) -> &str {
        &self.name
    }
}

/// What was just done.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    said: String,
}

/// What an administrator asks for.
#[derive(Deserialize)]
struct Act {
    act: String,
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("settings");
    let said = ["changed", "tested", "paused", "resumed"].into_iter().find(|said| asked.said == *said);
    let said = said.map(|said| match said {
        "changed" => "webhook-said-changed",
        "tested" => "webhook-said-tested",
        "paused" => "webhook-said-paused",
        _ => "webhook-said-resumed",
    });
    answer(&console, page, id, None, None, said).await
}

async fn change(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("settings");
    let changed = async {
        let draft = drafted(&fields)?;
        let mut tx = console.kit.begin().await?;
        webhooks::change(&mut tx, by, HookId(id), &draft).await?;
        tx.commit().await?;
        Ok(())
    };
    match changed.await {
        Ok(()) => Ok(Redirect::to(&format!("{PATH}/{id}?said=changed")).into_response()),
        Err(error) => {
            let form = Filled::of(&page, &fields, Some(Fault::of(&page, error)?));
            answer(&console, page, id, Some(form), None, None).await
        }
    }
}

async fn act(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<i64>,
    Form(Act { act }): Form<Act>,
) -> Result<Response, Problem> {
    let (id, by) = (HookId(id), operator.id);
    let mut tx = console.kit.begin().await?;
    let to = match act.as_str() {
        "test" => webhooks::test(&mut tx, by, id).await.map(|()| "?said=tested"),
        "pause" => webhooks::pause(&mut tx, by, id).await.map(|()| "?said=paused"),
        "missed" => webhooks::resume(&mut tx, by, id, Begin::WhereItLeftOff).await.map(|()| "?said=resumed"),
        "coming" => webhooks::resume(&mut tx, by, id, Begin::WithWhatComes).await.map(|()| "?said=resumed"),
        "remove" => match webhooks::remove(&mut tx, by, id).await {
            // Somebody else was faster.
            Ok(()) | Err(HookError::Unknown) => {
                tx.commit().await?;
                return Ok(Redirect::to(PATH).into_response());
            }
            Err(error) => Err(error),
        },
        _ => return Err(Problem::malformed("act: test, pause, missed, coming or remove")),
    }?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("{PATH}/{}{to}", id.0)).into_response())
}

async fn renew(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("settings");
    let mut tx = console.kit.begin().await?;
    let secret = webhooks::renew_secret(&mut tx, by, HookId(id)).await?;
    tx.commit().await?;
    answer(&console, page, id, None, Some(secret.text()), None).await
}

async fn answer(
    console: &Console,
    page: Page,
    id: i64,
    typed: Option<Filled>,
    secret: Option<String>,
    said: Option<&'static str>,
) -> Result<Response, Problem> {
    let newest = newest(console.kit.read()).await?;
    let now = console.kit.now();
    let hooks = webhooks::hooks(&console.kit).await?;
    let hook = hooks.into_iter().find(|hook| hook.id.0 == id).ok_or(HookError::Unknown)?;
    let tries = webhooks::tries(console.kit.read(), hook.id).await?;
    let name = hook.draft.name.clone();
    let form = typed.unwrap_or_else(|| Filled::of(&page, &filled(&hook), None));
    let status = form.status();
    let one = One {
        id,
        standing: Standing::of(&page, &hook, newest, now),
        told: hook.told_at.map(|at| page.to_the_minute(at)),
        is_paused: hook.paused.is_some(),
        is_waiting: hook.failing.is_some(),
        next: hook.failing.and_then(|it| it.next_at).and_then(|at| page.moment(at, now)),
        form,
        made: secret.map(|secret| Made { name: name.clone(), secret }),
        name,
        said,
        tries: tries.into_iter().map(|row| Try::of(&page, row)).collect(),
        page,
    };
    Ok(html(status, &one))
}

fn filled(hook: &Hook) -> Fields {
    let topics = hook.draft.topics.iter().map(|topic| topic.as_str());
    Fields::default()
        .with("name", &hook.draft.name)
        .with("address", hook.draft.address.as_str())
        .with_all("topic", topics)
}

impl Try {
    fn of(page: &Page, row: TryRow) -> Self {
        let status: Option<u16> = row.outcome.parse().ok();
        Self {
            at: page.exact(row.at),
            seq: row.seq,
            took: format!("{} ms", row.took / 1000),
            outcome: match status {
                Some(status) => page.say_with("webhook-answered", "status", status.to_string()).into_owned(),
                None => page.word("webhook-unanswered", &row.outcome),
            },
        }
    }
}
