//! Passkeys: each with its name, when it was made and used; made by the browser (`assets/passkey.js`), taken away with the
//! password.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use kit::auth::passkey::{self, MOST, Party, PasskeyError, PasskeyId, Registration};
use kit::auth::{Operator, OperatorError, OperatorId, Owed};
use kit::problem::Problem;
use kit::{Kit, Routes, Who};
use serde_json::{Value, json};

use crate::form::Fields;
use crate::page::{Page, html};
use crate::routes::{PASSWORD_PATH, VIEWER};
use crate::{Console, agent};

/// Where they are: also for whoever is not let in before there is a second factor.
pub(super) const PATH: &str = "/account/passkeys";

/// The routes of this file.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .get(PATH, Who::SignedIn, show)
        .post("/account/passkeys/begin", Who::SignedIn, begin)
        .post(PATH, Who::SignedIn, add)
        .post("/account/passkeys/{passkey}/remove", VIEWER, remove)
}

#[derive(Template)]
#[template(path = "account/passkeys.html")]
struct Passkeys {
    page: Page,
    /// Whether a second factor must be set up before anything else.
    is_owed: bool,
    host: String,
    keys: Vec<Line>,
    most: usize,
    /// What the next one may be called.
    suggested: String,
    /// The one that was not taken away, and why.
    fault: Option<(i64, String)>,
}

/// A passkey, as it is listed.
pub(super) struct Line {
    pub(super) id: i64,
    pub(super) name: String,
    /// The key of the words for where it is.
    pub(super) kind: &'static str,
    pub(super) made: String,
    pub(super) used: Option<String>,
}

impl Passkeys {
    fn title(&self) -> String {
        self.page.say("passkeys-title").into_owned()
    }

    fn host(&self) -> String {
        self.host.clone()
    }

    fn is_at(&self, id: &i64) -> bool {
        self.fault.as_ref().is_some_and(|(at, _)| at == id)
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&console, operator, &headers, None).await
}

async fn begin(
    State(console): State<Console>,
    operator: Operator,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let (name, password) = (fields.get("name"), fields.get("password"));
    let creation = passkey::begin(&console.kit, &operator, name, password).await?;
    Ok(Json(creation).into_response())
}

async fn add(
    State(console): State<Console>,
    operator: Operator,
    Json(made): Json<Registration>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    passkey::add(&console.kit, &operator, &made).await?;
    Ok((StatusCode::CREATED, Json(json!({ "to": "/account?said=passkey-added" }))))
}

async fn remove(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    match passkey::remove_own(&console.kit, operator.id, PasskeyId(id), fields.get("password")).await {
        Ok(()) => Ok(Redirect::to("/account?said=passkey-removed").into_response()),
        Err(PasskeyError::Operator(OperatorError::WrongPassword)) => {
            answer(&console, operator, &headers, Some((id, "password-wrong"))).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn answer(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    fault: Option<(i64, &str)>,
) -> Result<Response, Problem> {
    if operator.owes == Some(Owed::Password) {
        // The page is for whoever may have one; the rule itself is where they are made.
        return Ok(Redirect::to(PASSWORD_PATH).into_response());
    }
    let (id, is_owed) = (operator.id, operator.owes.is_some());
    let page = console.page(headers, Some(operator)).at("account");
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let passkeys = Passkeys {
        is_owed,
        host: host(&console.kit),
        keys: lines(&console.kit, &page, id).await?,
        most: MOST,
        suggested: agent::named(&page, agent.unwrap_or_default()),
        fault: fault.map(|(id, key)| (id, page.say(key).into_owned())),
        page,
    };
    Ok(html(status, &passkeys))
}

/// The host that passkeys are made for; empty when there are none.
pub(in crate::routes) fn host(kit: &Kit) -> String {
    kit.passkeys().party().map(|Party { id, .. }| id.clone()).unwrap_or_default()
}

/// Somebody's passkeys in words.
pub(super) async fn lines(kit: &Kit, page: &Page, operator: OperatorId) -> Result<Vec<Line>, Problem> {
    let keys = passkey::of(kit, operator).await?.into_iter().map(|key| Line {
        id: key.id.0,
        name: key.name,
        kind: if key.synced { "passkey-synced" } else { "passkey-bound" },
        made: page.to_the_minute(key.created_at),
        used: key.used_at.map(|at| page.to_the_minute(at)),
    });
    Ok(keys.collect())
}
