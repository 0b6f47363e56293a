//! What programs sign in with: made, shown once, ended. Administrators alone.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kit::auth::token::{self, TokenError, TokenRow};
use kit::auth::{Operator, OperatorId, Role, Scope};
use kit::problem::Problem;
use kit::{Routes, Who};

use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

const PATH: &str = "/settings/tokens";
const ADMINISTRATOR: Who = Who::AtLeast(Role::Administrator);
/// How long a token may be made to last, in days. The first is what the form begins with.
const DAYS: [i64; 4] = [90, 30, 365, 730];
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The routes of this file.
pub(super) fn routes() -> Routes<Console> {
    Routes::default().get(PATH, ADMINISTRATOR, show).post(PATH, ADMINISTRATOR, make).post(
        "/settings/tokens/{token}/revoke",
        ADMINISTRATOR,
        revoke,
    )
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct Tokens {
    page: Page,
    rows: Vec<Row>,
    name: String,
    scopes: Vec<Choice>,
    days: Vec<(i64, bool)>,
    fault: Option<Fault>,
    /// The text of the one just made.
    made: Option<Made>,
}

struct Row {
    id: i64,
    name: String,
    scopes: Vec<String>,
    by: String,
    made: String,
    until: String,
    used: Option<String>,
    /// Stands, ended or was revoked: the key of its word.
    standing: &'static str,
}

struct Choice {
    word: &'static str,
    name: String,
    chosen: bool,
}

struct Made {
    name: String,
    token: String,
}

/// What is wrong, and in which field.
struct Fault {
    field: &'static str,
    words: String,
}

impl Tokens {
    fn title(&self) -> String {
        self.page.say("tokens-title").into_owned()
    }

    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("settings");
    answer(&console, page, &Fields::default(), None, None).await
}

async fn make(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("settings");
    let scopes: Vec<Scope> = fields.all("scope").filter_map(Scope::parse).collect();
    let days = fields.get("days").parse().ok().filter(|days| DAYS.contains(days)).unwrap_or(DAYS[0]);
    let mut tx = console.kit.begin().await?;
    let end = tx.now().saturating_add(days * DAY);
    match token::make(&mut tx, by, fields.get("name"), &scopes, end).await {
        Ok((_, token)) => {
            tx.commit().await?;
            let made = Made { name: fields.get("name").to_lowercase(), token };
            answer(&console, page, &Fields::default(), None, Some(made)).await
        }
        Err(error) => {
            drop(tx);
            let fault = Fault::of(&page, error)?;
            answer(&console, page, &fields, Some(fault), None).await
        }
    }
}

async fn revoke(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let mut tx = console.kit.begin().await?;
    match token::revoke(&mut tx, operator.id, OperatorId(id)).await {
        Ok(()) => tx.commit().await?,
        // Somebody else was faster.
        Err(TokenError::Unknown) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Redirect::to(PATH).into_response())
}

async fn answer(
    console: &Console,
    page: Page,
    typed: &Fields,
    fault: Option<Fault>,
    made: Option<Made>,
) -> Result<Response, Problem> {
    let operators = kit::auth::list(&console.kit).await?;
    let now = console.kit.now();
    let rows = token::tokens(&console.kit).await?.into_iter().map(|it| {
        let by = operators.iter().find(|row| row.id == it.made_by).map(|row| row.name.clone());
        Row::of(&page, it, by.unwrap_or_default(), now)
    });
    let scopes = Scope::ALL.into_iter().map(|scope| Choice {
        word: scope.as_str(),
        name: named(&page, scope),
        chosen: typed.all("scope").any(|word| word == scope.as_str()),
    });
    let days = DAYS.into_iter().map(|days| (days, typed.get("days") == days.to_string()));
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (rows, scopes, days) = (rows.collect(), scopes.collect(), days.collect());
    let name = typed.get("name").to_owned();
    Ok(html(status, &Tokens { page, rows, name, scopes, days, fault, made }))
}

impl Row {
    fn of(page: &Page, it: TokenRow, by: String, now: i64) -> Self {
        Self {
            id: it.id.0,
            name: it.name,
            scopes: it.scopes.into_iter().map(|scope| named(page, scope)).collect(),
            by,
            made: page.day(it.made_at),
            until: page.to_the_minute(it.expires_at),
            used: it.used_at.map(|at| page.to_the_minute(at)),
            standing: match (it.revoked, now >= it.expires_at) {
                (true, _) => "token-revoked",
                (false, true) => "token-ended",
                (false, false) => "token-stands",
            },
        }
    }
}

impl Fault {
    fn of(page: &Page, error: TokenError) -> Result<Self, Problem> {
        let (field, key) = match error {
            TokenError::Exists => ("name", "token-fault-exists"),
            TokenError::Name => ("name", "token-fault-name"),
            TokenError::NoScope => ("scope", "token-fault-scope"),
            TokenError::Full => ("form", "token-fault-full"),
            TokenError::End | TokenError::Unknown | TokenError::Database(_) => return Err(error.into()),
        };
        Ok(Self { field, words: page.say(key).into_owned() })
    }
}

fn named(page: &Page, scope: Scope) -> String {
    page.word("scope", &scope.as_str().replace(':', "-"))
}
