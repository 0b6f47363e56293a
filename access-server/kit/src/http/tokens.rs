//! Tokens, for administrators.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use crate::auth::token::{self, TokenError};
use crate::auth::{Operator, OperatorId, Scope};
use crate::problem::Problem;
use crate::state::Kit;

/// A token, without its text.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    /// The operator whom the journal names for it.
    id: i64,
    name: String,
    #[schema(schema_with = scopes)]
    scopes: Vec<&'static str>,
    /// The operator who made it.
    made_by: i64,
    made_at: i64,
    expires_at: i64,
    /// To the minute.
    used_at: Option<i64>,
    revoked: bool,
}

/// Every token, those that were revoked last.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    items: Vec<Token>,
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = TokenBody)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    /// Letters a to z, digits, dots, hyphens, underscores. No other token had it.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[schema(schema_with = scopes)]
    scopes: Vec<String>,
    /// When it ends: UTC microseconds, within two years.
    expires_at: i64,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenMade)]
pub(super) struct Made {
    id: i64,
    /// What the program sends: `Authorization: Bearer …`. It is not kept here.
    token: String,
}

fn scopes() -> Array {
    let words = Scope::ALL.into_iter().map(|scope| serde_json::Value::from(scope.as_str()));
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build();
    ArrayBuilder::new().items(word).build()
}

pub(super) async fn list(State(kit): State<Kit>) -> Result<Json<Tokens>, Problem> {
    let items = token::tokens(&kit).await?.into_iter().map(|it| Token {
        id: it.id.0,
        name: it.name,
        scopes: it.scopes.into_iter().map(Scope::as_str).collect(),
        made_by: it.made_by.0,
        made_at: it.made_at,
        expires_at: it.expires_at,
        used_at: it.used_at,
        revoked: it.revoked,
    });
    Ok(Json(Tokens { items: items.collect() }))
}

pub(super) async fn make(
    State(kit): State<Kit>,
    operator: Operator,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let scopes = body.scopes.iter().map(|word| Scope::parse(word).ok_or(TokenError::NoScope));
    let scopes = scopes.collect::<Result<Vec<_>, _>>()?;
    let mut tx = kit.begin().await?;
    let (id, token) = token::make(&mut tx, operator.id, &body.name, &scopes, body.expires_at).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(Made { id: id.0, token })))
}

pub(super) async fn revoke(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    token::revoke(&mut tx, operator.id, OperatorId(id)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
