//! What is done on a person's page, one button each. After it the page is shown again and says what was done.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::{CredentialId, PersonId};
use domain::policy::{CredentialStatus, CredentialUse, PersonStatus};
use domain::request::CredentialKind;
use kit::auth::{Operator, Role};
use kit::problem::Problem;
use people::consent::{self, Purpose, Receipt};
use people::credential::{self, Secret, Terms};
use people::word::Word;
use people::{PeopleError, person};

use super::profile;
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

pub(super) async fn status(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<u64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let status: PersonStatus = chosen(&fields, "status")?;
    let mut tx = console.kit.begin().await?;
    person::set_status(&mut tx, Some(operator.id), PersonId(id), status).await?;
    tx.commit().await?;
    Ok(done(id, status.word()))
}

pub(super) async fn remove(
    State(console): State<Console>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    person::remove(&console.kit, Some(operator.id), PersonId(id)).await?;
    Ok(Redirect::to("/people").into_response())
}

pub(super) async fn add_credential(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let (by, person) = (Some(operator.id), PersonId(id));
    let kind = chosen(&fields, "kind")?;
    let Ok(secret) = Secret::parse(kind, fields.get("text")) else {
        let key = match kind {
            CredentialKind::Card => "credential-fault-card",
            CredentialKind::Pin => "credential-fault-pin",
            CredentialKind::Qr => "credential-fault-qr",
        };
        return profile::refused(&console, operator, &headers, person, key).await;
    };
    let key = Some(fields.get("key")).filter(|key| !key.is_empty()).unwrap_or("main");
    let usage = if fields.get("use").is_empty() { CredentialUse::Ordinary } else { CredentialUse::Duress };
    let terms = Terms { usage, ..Terms::ordinary(key) };
    let mut tx = console.kit.begin().await?;
    let fault = match credential::add(&mut tx, by, person, &secret, &terms).await {
        Ok(_) => {
            tx.commit().await?;
            return Ok(done(id, "credential-added"));
        }
        Err(PeopleError::Taken(_)) => "credential-fault-taken",
        Err(PeopleError::Field { .. }) => "credential-fault-key",
        Err(error) => return Err(error.into()),
    };
    drop(tx);
    profile::refused(&console, operator, &headers, person, fault).await
}

pub(super) async fn credential(
    State(console): State<Console>,
    operator: Operator,
    Path((id, credential)): Path<(u64, u64)>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let (by, credential) = (Some(operator.id), CredentialId(credential));
    let mut tx = console.kit.begin().await?;
    let said = if fields.get("status") == "removed" {
        operator.require(Role::Manager)?;
        credential::remove(&mut tx, by, credential).await?;
        "credential-removed"
    } else {
        let status = chosen(&fields, "status")?;
        if status == CredentialStatus::Active {
            operator.require(Role::Manager)?;
        }
        credential::set_status(&mut tx, by, credential, status).await?;
        "credential-status"
    };
    tx.commit().await?;
    Ok(done(id, said))
}

pub(super) async fn consent(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<u64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let purpose: Purpose = chosen(&fields, "purpose")?;
    let mut tx = console.kit.begin().await?;
    let now = tx.now();
    let (by, person) = (Some(operator.id), PersonId(id));
    match consent::give(&mut tx, by, person, purpose, fields.get("version"), now).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(done(id, "consent-given"))
        }
        Err(PeopleError::Field { .. } | PeopleError::Taken(_)) => {
            drop(tx);
            profile::refused(&console, operator, &headers, person, "consent-fault").await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "people/receipt.html")]
struct ReceiptPage {
    page: Page,
    name: String,
    purpose: String,
    at: String,
    receipt: Receipt,
}

impl ReceiptPage {
    fn title(&self) -> String {
        self.page.say("receipt-title").into_owned()
    }
}

/// What the person is given: it can be printed.
pub(super) async fn withdraw(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path((id, purpose)): Path<(u64, String)>,
) -> Result<Response, Problem> {
    let purpose = Purpose::parse(&purpose).ok_or(PeopleError::Unknown("consent"))?;
    let (name, latin) =
        person::name(&console.kit, PersonId(id)).await?.ok_or(PeopleError::Unknown("person"))?;
    let receipt = consent::withdraw(&console.kit, Some(operator.id), PersonId(id), purpose).await?;
    let page = console.page(&headers, Some(operator)).at("people");
    let name = page.both_names(name, latin).0;
    let purpose = page.word("purpose", purpose.word());
    let at = page.to_the_minute(receipt.at);
    Ok(html(StatusCode::OK, &ReceiptPage { page, name, purpose, at, receipt }))
}

/// A word out of a list that the page gave: anything else was not sent by it.
fn chosen<W: Word>(fields: &Fields, name: &'static str) -> Result<W, Problem> {
    W::parse(fields.get(name))
        .ok_or(PeopleError::Field { field: name, why: "is none of the words it may be" })
        .map_err(Problem::from)
}

fn done(person: u64, said: &str) -> Response {
    Redirect::to(&format!("/people/{person}?said={said}")).into_response()
}
