//! An operator's page: what they may do, how they sign in, where they are signed in.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kit::auth::{self, Operator, OperatorError, OperatorId, OperatorRow, passkey};
use kit::problem::Problem;
use serde::Deserialize;

use super::ranks::{self, RanksChoice};
use super::{FirstPassword, standing};
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};
use crate::routes::account::{Seat, seats};
use crate::routes::forms;
use crate::sheet::Fault;

#[derive(Template)]
#[template(path = "operators/one.html")]
pub(super) struct One {
    page: Page,
    id: i64,
    name: String,
    standing: &'static str,
    is_shut_out: bool,
    /// Whether it is the one who looks: nobody takes their own password away by mistake.
    is_oneself: bool,
    second_factor: bool,
    passkeys: u64,
    facts: Vec<(String, String)>,
    ranks: RanksChoice,
    seats: Vec<Seat>,
    /// The key of the words that tell what was done.
    pub(super) said: Option<String>,
    pub(super) fault: Option<Fault>,
    pub(super) made: Option<FirstPassword>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    said: Option<String>,
}

impl One {
    fn title(&self) -> &str {
        &self.name
    }

    fn fault_of(&self, field: &str) -> Option<&str> {
        self.fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.words.as_str())
    }

    /// Where the forms about a session are sent.
    fn seats_at(&self) -> String {
        format!("/settings/operators/{}/sessions", self.id)
    }

    pub(super) fn page(&self) -> &Page {
        &self.page
    }

    /// What was chosen stays chosen.
    pub(super) async fn keep(&mut self, console: &Console, typed: &Fields) -> Result<(), Problem> {
        let survey = forms::survey(&console.kit).await?;
        self.ranks = ranks::choice(&self.page, &survey, typed);
        Ok(())
    }

    pub(super) fn answer(&self) -> Response {
        let refused = self.fault.is_some();
        html(if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, self)
    }
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let mut one = load(&console, operator, &headers, id).await?;
    one.said =
        asked.said.map(|word| format!("operator-said-{word}")).filter(|key| one.page.language.knows(key));
    Ok(one.answer())
}

/// The page of an operator who is no program.
pub(super) async fn load(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    id: i64,
) -> Result<One, Problem> {
    let row = known(console, id).await?;
    let (own, session) = (operator.id, operator.session().to_owned());
    let page = console.page(headers, Some(operator)).at("settings");
    let survey = forms::survey(&console.kit).await?;
    let never = || page.say("operator-never").into_owned();
    let facts = [
        ("column-role", ranks::words(&page, &survey, &row.ranks)),
        ("operator-added", page.to_the_minute(row.created_at)),
        ("operator-signed-in", row.signed_in_at.map_or_else(never, |at| page.to_the_minute(at))),
    ];
    let facts = facts.into_iter().map(|(key, value)| (page.say(key).into_owned(), value)).collect();
    Ok(One {
        id: row.id.0,
        standing: standing(&row),
        is_shut_out: row.disabled,
        is_oneself: row.id == own,
        second_factor: row.second_factor,
        passkeys: passkey::of(&console.kit, row.id).await?.len().try_into().unwrap_or(u64::MAX),
        facts,
        ranks: ranks::choice(&page, &survey, &ranks::fields(&row.ranks)),
        seats: seats(console, &page, row.id, &session).await?,
        name: row.name,
        said: None,
        fault: None,
        made: None,
        page,
    })
}

pub(super) async fn known(console: &Console, id: i64) -> Result<OperatorRow, Problem> {
    let mut people = auth::list(&console.kit).await?.into_iter().filter(|row| !row.is_program());
    Ok(people.find(|row| row.id == OperatorId(id)).ok_or(OperatorError::Unknown)?)
}
