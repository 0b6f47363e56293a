//! My account: who I am here, how I sign in, where I am signed in.

pub(super) mod authenticator;
pub(super) mod passkeys;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kit::Routes;
use kit::auth::second::{self, State as Second};
use kit::auth::sessions::{self, SessionId};
use kit::auth::{Operator, OperatorError, OperatorId};
use kit::problem::Problem;
use serde::Deserialize;

use super::operators::ranks;
use super::{VIEWER, forms};
use crate::page::{Page, html};
use crate::{Console, agent};

pub(super) const PATH: &str = "/account";

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .get(PATH, VIEWER, show)
        .post("/account/sessions/end", VIEWER, end_others)
        .post("/account/sessions/{session}/end", VIEWER, end_one)
        .merge(authenticator::routes())
        .merge(passkeys::routes())
}

#[derive(Template)]
#[template(path = "account/page.html")]
struct Account {
    page: Page,
    name: String,
    role: String,
    may: String,
    /// Since when a second factor is asked for.
    second: Option<String>,
    passkeys: Vec<passkeys::Line>,
    seats: Vec<Seat>,
    /// The key of the words that tell what was done.
    said: Option<String>,
}

/// A session, as it is listed.
pub(super) struct Seat {
    pub(super) id: String,
    /// Whether it is the one that looks.
    pub(super) is_this: bool,
    pub(super) browser: String,
    pub(super) address: String,
    pub(super) begun: String,
    pub(super) used: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    said: Option<String>,
}

impl Account {
    fn title(&self) -> String {
        self.page.say("account-title").into_owned()
    }

    /// Where the forms about a session are sent.
    fn seats_at(&self) -> &'static str {
        "/account/sessions"
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator.clone())).at("account");
    let said = asked.said.map(|word| format!("account-said-{word}"));
    let second = match second::of(&console.kit, operator.id).await? {
        Second::Stands { since, .. } => Some(page.to_the_minute(since)),
        Second::None | Second::Begun(_) => None,
    };
    let account = Account {
        second,
        passkeys: passkeys::lines(&console.kit, &page, operator.id).await?,
        seats: seats(&console, &page, operator.id, operator.session()).await?,
        role: ranks::words(&page, &forms::survey(&console.kit).await?, &operator.ranks),
        may: match operator.ranks.at_site() {
            Some(role) => page.word("role-may", role.as_str()),
            None => page.say("role-may-places").into_owned(),
        },
        name: operator.name,
        said: said.filter(|key| page.language.knows(key)),
        page,
    };
    Ok(html(StatusCode::OK, &account))
}

async fn end_others(State(console): State<Console>, operator: Operator) -> Result<Response, Problem> {
    let kept = SessionId::of(operator.session());
    sessions::end_all_but(&console.kit, operator.id, operator.id, Some(&kept)).await?;
    Ok(Redirect::to("/account?said=sessions").into_response())
}

/// One's own alone: the number of another's is nothing here.
async fn end_one(
    State(console): State<Console>,
    operator: Operator,
    Path(session): Path<String>,
) -> Result<Response, Problem> {
    let session = SessionId::parse(&session).ok_or(OperatorError::Unknown)?;
    sessions::end(&console.kit, operator.id, operator.id, &session).await?;
    Ok(Redirect::to("/account?said=sessions").into_response())
}

/// An operator's sessions in words; `own` is the cookie's value of the one that looks.
pub(super) async fn seats(
    console: &Console,
    page: &Page,
    operator: OperatorId,
    own: &str,
) -> Result<Vec<Seat>, Problem> {
    let (own, now) = (SessionId::of(own), console.kit.now());
    let seats = sessions::of(&console.kit, operator).await?.into_iter().map(|row| Seat {
        is_this: row.id == own,
        id: row.id.hex(),
        browser: agent::named(page, &row.agent),
        address: row.address,
        begun: page.to_the_minute(row.begun_at),
        used: page.age(&now, &row.used_at).into_owned(),
    });
    Ok(seats.collect())
}
