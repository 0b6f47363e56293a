//! What people agreed to.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use domain::ids::PersonId;
use kit::auth::Operator;
use kit::looks::What;
use kit::routes::Once;
use kit::{Kit, Problem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Added, word};
use crate::consent::{self, Purpose};
use crate::word::{Word as _, schema};

/// A consent on record.
#[derive(Serialize, ToSchema)]
#[schema(as = Consent)]
pub(super) struct Shown {
    id: u64,
    #[schema(schema_with = schema::<Purpose>)]
    purpose: &'static str,
    /// Which version of the text the person was shown.
    text_version: String,
    given_at: i64,
    /// Null while it stands.
    withdrawn_at: Option<i64>,
}

/// All that a person agreed to, and took back.
#[derive(Serialize, ToSchema)]
pub(super) struct Consents {
    items: Vec<Shown>,
}

/// A consent that a person gave.
#[derive(Deserialize, ToSchema)]
#[schema(as = ConsentBody)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[schema(schema_with = schema::<Purpose>)]
    purpose: String,
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    text_version: String,
    /// Now, unless it is said.
    given_at: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
pub(super) struct Which {
    id: u64,
    /// What it was given for.
    #[param(schema_with = schema::<Purpose>)]
    purpose: String,
}

/// What the person is given when they withdraw.
#[derive(Serialize, ToSchema)]
#[schema(as = ConsentReceipt)]
pub(super) struct Receipt {
    /// The journal record that tells of it.
    receipt: u64,
    consent: u64,
    person: u64,
    #[schema(schema_with = schema::<Purpose>)]
    purpose: &'static str,
    at: i64,
    /// How many templates or pictures were deleted.
    deleted: u64,
}

pub(super) async fn list(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Json<Consents>, Problem> {
    let consents = consent::of_person(&kit, PersonId(id)).await?;
    if !consents.is_empty() {
        kit.saw(operator.id, Some(id), What::Profile);
    }
    let items = consents.into_iter().map(|it| Shown {
        id: it.id,
        purpose: it.purpose.word(),
        text_version: it.text_version,
        given_at: it.given_at,
        withdrawn_at: it.withdrawn.map(|end| end.at),
    });
    Ok(Json(Consents { items: items.collect() }))
}

pub(super) async fn give(
    State(kit): State<Kit>,
    manager: Operator,
    once: Once,
    Path(id): Path<u64>,
    Json(new): Json<Body>,
) -> Result<impl IntoResponse, Problem> {
    let purpose = word("purpose", &new.purpose)?;
    let mut tx = kit.begin().await?;
    let given_at = new.given_at.unwrap_or(tx.now());
    let by = Some(manager.id);
    let id = consent::give(&mut tx, by, PersonId(id), purpose, &new.text_version, given_at).await?;
    once.commit(tx, Added { id }).await
}

pub(super) async fn withdraw(
    State(kit): State<Kit>,
    manager: Operator,
    Path(Which { id, purpose }): Path<Which>,
) -> Result<Json<Receipt>, Problem> {
    let purpose: Purpose = word("purpose", &purpose)?;
    let receipt = consent::withdraw(&kit, Some(manager.id), PersonId(id), purpose).await?;
    Ok(Json(Receipt {
        receipt: receipt.number,
        consent: receipt.consent,
        person: receipt.person.0,
        purpose: receipt.purpose.word(),
        at: receipt.at,
        deleted: receipt.deleted,
    }))
}
