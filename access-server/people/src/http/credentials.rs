//! Cards, PINs and codes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::ids::{CredentialId, PersonId};
use domain::policy::{CredentialStatus, CredentialUse};
use domain::request::CredentialKind;
use kit::auth::{Operator, Role};
use kit::looks::What;
use kit::routes::Once;
use kit::{Kit, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Added, word};
use crate::credential::{self, Secret, SecretError, Terms};
use crate::person::{open_from, open_until, validity};
use crate::word::{Word as _, schema};

/// A credential. What it is, or its digest, is never shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Credential)]
pub(super) struct Shown {
    id: u64,
    #[schema(schema_with = schema::<CredentialKind>)]
    kind: &'static str,
    /// Tells a person's cards apart.
    key: String,
    #[schema(schema_with = schema::<CredentialUse>)]
    r#use: &'static str,
    #[schema(schema_with = schema::<CredentialStatus>)]
    status: &'static str,
    valid_from: Option<i64>,
    valid_until: Option<i64>,
}

/// All that a person carries.
#[derive(Serialize, ToSchema)]
pub(super) struct Credentials {
    items: Vec<Shown>,
}

/// A new credential.
#[derive(Deserialize, ToSchema)]
#[schema(as = CredentialBody)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[schema(schema_with = schema::<CredentialKind>)]
    kind: String,
    /// A card as `26:0A1B2C40`, a PIN's digits, or a code's text. It is never shown again.
    text: String,
    /// Tells a person's cards apart; `main` unless it is said.
    #[serde(default)]
    key: String,
    #[schema(schema_with = schema::<CredentialUse>)]
    r#use: Option<String>,
    valid_from: Option<i64>,
    valid_until: Option<i64>,
}

/// What is known about a credential from now on.
#[derive(Deserialize, ToSchema)]
#[schema(as = CredentialNewStatus)]
#[serde(deny_unknown_fields)]
pub(super) struct NewStatus {
    #[schema(schema_with = schema::<CredentialStatus>)]
    status: String,
}

pub(super) async fn list(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Json<Credentials>, Problem> {
    let credentials = credential::of_person(&kit, PersonId(id)).await?;
    if !credentials.is_empty() {
        kit.saw(operator.id, Some(id), What::Profile);
    }
    let items = credentials.into_iter().map(|it| Shown {
        id: it.id.0,
        kind: it.kind.word(),
        r#use: it.terms.usage.word(),
        status: it.terms.status.word(),
        valid_from: open_from(it.terms.validity.from),
        valid_until: open_until(it.terms.validity.until),
        key: it.terms.key,
    });
    Ok(Json(Credentials { items: items.collect() }))
}

pub(super) async fn add(
    State(kit): State<Kit>,
    manager: Operator,
    once: Once,
    Path(id): Path<u64>,
    Json(new): Json<Body>,
) -> Result<impl IntoResponse, Problem> {
    let secret = Secret::parse(word("kind", &new.kind)?, &new.text).map_err(not_a_secret)?;
    let terms = Terms {
        key: if new.key.is_empty() { "main".to_owned() } else { new.key },
        validity: validity(new.valid_from, new.valid_until),
        status: CredentialStatus::Active,
        usage: new.r#use.map_or(Ok(CredentialUse::Ordinary), |usage| word("use", &usage))?,
    };
    let mut tx = kit.begin().await?;
    let id = credential::add(&mut tx, Some(manager.id), PersonId(id), &secret, &terms).await?;
    once.commit(tx, Added { id: id.0 }).await
}

/// An operator may stop a card at night; giving it back is a manager's.
pub(super) async fn status(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
    Json(new): Json<NewStatus>,
) -> Result<StatusCode, Problem> {
    let status = word("status", &new.status)?;
    match status {
        CredentialStatus::Active => operator.require(Role::Manager)?,
        CredentialStatus::Suspended | CredentialStatus::Lost | CredentialStatus::Stolen => {}
    }
    let mut tx = kit.begin().await?;
    credential::set_status(&mut tx, Some(operator.id), CredentialId(id), status).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    credential::remove(&mut tx, Some(manager.id), CredentialId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_a_secret(error: SecretError) -> Problem {
    Problem::refused("field", error.to_string()).with("field", "text")
}
