//! Who may sign in: the list, and adding somebody. Administrators alone.

mod acts;
mod one;
pub(crate) mod ranks;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kit::auth::{self, Operator, OperatorError, OperatorRow, RanksError, Role, passkey, second};
use kit::problem::Problem;
use kit::{Routes, Who};

use self::ranks::RanksChoice;
use super::forms;
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};
use crate::sheet::{Choice, Fault};

const PATH: &str = "/settings/operators";
const ADMINISTRATOR: Who = Who::AtLeast(Role::Administrator);

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .get(PATH, ADMINISTRATOR, show)
        .post(PATH, ADMINISTRATOR, add)
        .get("/settings/operators/{operator}", ADMINISTRATOR, one::show)
        .post("/settings/operators/{operator}/role", ADMINISTRATOR, acts::role)
        .post("/settings/operators/{operator}/state", ADMINISTRATOR, acts::state)
        .post("/settings/operators/{operator}/password", ADMINISTRATOR, acts::password)
        .post("/settings/second-factor", ADMINISTRATOR, rule)
        .post("/settings/operators/{operator}/second-factor/remove", ADMINISTRATOR, acts::second)
        .post("/settings/operators/{operator}/passkeys/remove", ADMINISTRATOR, acts::passkeys)
        .post("/settings/operators/{operator}/sessions/end", ADMINISTRATOR, acts::end_sessions)
        .post("/settings/operators/{operator}/sessions/{session}/end", ADMINISTRATOR, acts::end_session)
}

#[derive(Template)]
#[template(path = "operators/list.html")]
struct List {
    page: Page,
    rows: Vec<Row>,
    name: String,
    ranks: RanksChoice,
    /// From which role on a second factor is asked for.
    rule: Vec<Choice>,
    fault: Option<Fault>,
    /// The one just added.
    added: Option<FirstPassword>,
}

struct Row {
    id: i64,
    name: String,
    role: String,
    /// The key of the word for how they stand.
    standing: &'static str,
    signed_in: Option<String>,
    second_factor: bool,
    passkeys: u64,
}

/// A first password, to be handed over.
struct FirstPassword {
    name: String,
    password: String,
}

impl List {
    fn title(&self) -> String {
        self.page.say("operators-title").into_owned()
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

async fn add(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let by = operator.id;
    let page = console.page(&headers, Some(operator)).at("settings");
    let (name, password) = (fields.get("name"), auth::generate_password());
    let added = match ranks::read(&fields) {
        Ok(ranks) => auth::add(&console.kit, Some(by), name, ranks, &password).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(_) => {
            let added = FirstPassword { name: name.to_lowercase(), password };
            answer(&console, page, &Fields::default(), None, Some(added)).await
        }
        Err(error) => {
            let fault = fault(&page, "role", error)?;
            answer(&console, page, &fields, Some(fault), None).await
        }
    }
}

async fn answer(
    console: &Console,
    page: Page,
    typed: &Fields,
    fault: Option<Fault>,
    added: Option<FirstPassword>,
) -> Result<Response, Problem> {
    let survey = forms::survey(&console.kit).await?;
    let people = auth::list(&console.kit).await?.into_iter().filter(|row| !row.is_program());
    let passkeys = passkey::counts(&console.kit).await?;
    let rows = people.map(|row| Row {
        id: row.id.0,
        role: ranks::words(&page, &survey, &row.ranks),
        standing: standing(&row),
        signed_in: row.signed_in_at.map(|at| page.to_the_minute(at)),
        second_factor: row.second_factor,
        passkeys: passkeys.get(&row.id).copied().unwrap_or_default(),
        name: row.name,
    });
    let rows = rows.collect();
    let first = Fields::default().with("role", Role::Viewer.as_str());
    let ranks = ranks::choice(&page, &survey, if typed.is_empty() { &first } else { typed });
    let rule = rule_choices(&page, second::rule(&console.kit).await?);
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let name = typed.get("name").to_owned();
    Ok(html(status, &List { page, rows, name, ranks, rule, fault, added }))
}

/// From which role on a second factor is asked for; nothing chosen is nobody.
async fn rule(
    State(console): State<Console>,
    operator: Operator,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let from = match fields.get("from") {
        "" => None,
        word => Some(Role::parse(word).ok_or_else(|| Problem::malformed("from: is no role"))?),
    };
    second::set_rule(&console.kit, operator.id, from).await?;
    Ok(Redirect::to(PATH).into_response())
}

/// Nobody, or a role and those above it: the highest first.
fn rule_choices(page: &Page, chosen: Option<Role>) -> Vec<Choice> {
    let nobody = Choice {
        value: String::new(),
        name: page.say("second-rule-nobody").into_owned(),
        chosen: chosen.is_none(),
    };
    let from = Role::ALL.into_iter().rev().map(|role| Choice {
        value: role.as_str().to_owned(),
        name: match role {
            Role::Administrator => page.word("role", role.as_str()),
            Role::Viewer => page.say("second-rule-all").into_owned(),
            Role::Guard | Role::Operator | Role::Manager => {
                page.say_with("second-rule-from", "role", page.word("role", role.as_str())).into_owned()
            }
        },
        chosen: chosen == Some(role),
    });
    [nobody].into_iter().chain(from).collect()
}

/// The key of the word for how an operator stands.
fn standing(row: &OperatorRow) -> &'static str {
    match (row.disabled, row.must_change) {
        (true, _) => "operator-shut-out",
        (false, true) => "operator-first-password",
        (false, false) => "operator-active",
    }
}

/// Every role, the lowest first, of which one is chosen.
fn roles(page: &Page, chosen: &str) -> Vec<Choice> {
    let roles = Role::ALL.into_iter().map(|role| Choice {
        value: role.as_str().to_owned(),
        name: format!("{} · {}", page.word("role", role.as_str()), page.word("role-may", role.as_str())),
        chosen: role.as_str() == chosen,
    });
    roles.collect()
}

/// What a page can show of a refusal, in the name or in what was to be done; anything else is nobody's mistake.
fn fault(page: &Page, done: &str, error: OperatorError) -> Result<Fault, Problem> {
    let (field, key) = match error {
        OperatorError::Exists => ("name", "operator-fault-exists"),
        OperatorError::Name => ("name", "operator-fault-name"),
        OperatorError::LastAdministrator => (done, "operator-fault-last"),
        OperatorError::Rank => (done, "operator-fault-rank"),
        OperatorError::Ranks(RanksError::Nowhere) => ("role", "operator-fault-nowhere"),
        OperatorError::Ranks(RanksError::Administrator) => ("role", "operator-fault-administrator"),
        OperatorError::Ranks(RanksError::Many | RanksError::Place(_)) => ("role", "operator-fault-places"),
        error @ (OperatorError::Unknown
        | OperatorError::WrongPassword
        | OperatorError::Wait(_)
        | OperatorError::Password(_)
        | OperatorError::Database(_)) => return Err(error.into()),
    };
    Ok(Fault::at(page, field, key))
}
