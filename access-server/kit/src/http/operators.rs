//! Operators and their sessions, for administrators.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::auth::sessions::{self, SessionId};
use crate::auth::{self, Operator, OperatorError, OperatorId, Role, passkey, second};
use crate::problem::Problem;
use crate::state::Kit;

/// An operator.
#[derive(Serialize, ToSchema)]
#[schema(as = Operator)]
pub(super) struct Shown {
    /// Whom the journal names.
    id: i64,
    name: String,
    #[schema(schema_with = roles)]
    role: &'static str,
    /// Must choose a password at the next sign-in.
    must_change: bool,
    /// May not sign in.
    disabled: bool,
    /// Is asked for a second factor.
    second_factor: bool,
    /// Passkeys they can sign in with.
    passkeys: u64,
    /// When they signed in last: UTC microseconds.
    signed_in_at: Option<i64>,
}

/// Every operator, by name. Programs are not among them.
#[derive(Serialize, ToSchema)]
pub(super) struct Operators {
    items: Vec<Shown>,
}

/// An operator to be added.
#[derive(Deserialize, ToSchema)]
#[schema(as = OperatorBody)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    /// Letters a to z, digits, dots, hyphens, underscores. Nobody else has it.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    #[schema(schema_with = roles)]
    role: String,
}

/// An operator who was added.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorAdded)]
pub(super) struct Added {
    id: i64,
    /// For the first sign-in, at which they choose their own. It is not kept here.
    password: String,
}

/// A new first password.
#[derive(Serialize, ToSchema)]
#[schema(as = FirstPassword)]
pub(super) struct Password {
    /// For the next sign-in, at which they choose their own. It is not kept here.
    password: String,
}

/// Another role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    #[schema(schema_with = roles)]
    role: String,
}

/// Shut out, or let in again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewState {
    disabled: bool,
}

/// A session that stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// 64 hexadecimal digits that name it and open nothing.
    id: String,
    /// UTC microseconds.
    begun_at: i64,
    /// To the minute.
    used_at: i64,
    /// An IPv4 address, or the network of an IPv6 host.
    address: String,
    /// What the browser calls itself.
    agent: String,
}

/// An operator's sessions, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Sessions {
    items: Vec<Session>,
}

fn roles() -> Object {
    let words = Role::ALL.into_iter().map(|role| serde_json::Value::from(role.as_str()));
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

fn role(word: &str) -> Result<Role, Problem> {
    Role::parse(word).ok_or_else(|| {
        Problem::refused("field", "role: is none of the words it may be").with("field", "role")
    })
}

pub(super) async fn list(State(kit): State<Kit>) -> Result<Json<Operators>, Problem> {
    let people = auth::list(&kit).await?.into_iter().filter(|row| !row.is_program());
    let passkeys = passkey::counts(&kit).await?;
    let items = people.map(|row| Shown {
        id: row.id.0,
        name: row.name,
        role: row.role.as_str(),
        must_change: row.must_change,
        disabled: row.disabled,
        second_factor: row.second_factor,
        passkeys: passkeys.get(&row.id).copied().unwrap_or_default(),
        signed_in_at: row.signed_in_at,
    });
    Ok(Json(Operators { items: items.collect() }))
}

pub(super) async fn add(
    State(kit): State<Kit>,
    operator: Operator,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<Added>), Problem> {
    let password = auth::generate_password();
    let id = auth::add(&kit, Some(operator.id), &body.name, role(&body.role)?, &password).await?;
    Ok((StatusCode::CREATED, Json(Added { id: id.0, password })))
}

pub(super) async fn set_role(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
    Json(body): Json<NewRole>,
) -> Result<StatusCode, Problem> {
    auth::set_role(&kit, operator.id, OperatorId(id), role(&body.role)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_state(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
    Json(body): Json<NewState>,
) -> Result<StatusCode, Problem> {
    auth::set_disabled(&kit, operator.id, OperatorId(id), body.disabled).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn reset_password(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<Json<Password>, Problem> {
    let password = auth::generate_password();
    auth::reset_password(&kit, Some(operator.id), &known(&kit, id).await?.name, &password).await?;
    Ok(Json(Password { password }))
}

pub(super) async fn remove_second(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    second::remove(&kit, operator.id, OperatorId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove_passkeys(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    passkey::remove_all(&kit, operator.id, OperatorId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn sessions(State(kit): State<Kit>, Path(id): Path<i64>) -> Result<Json<Sessions>, Problem> {
    let operator = known(&kit, id).await?;
    let items = sessions::of(&kit, operator.id).await?.into_iter().map(|row| Session {
        id: row.id.hex(),
        begun_at: row.begun_at,
        used_at: row.used_at,
        address: row.address,
        agent: row.agent,
    });
    Ok(Json(Sessions { items: items.collect() }))
}

pub(super) async fn end_sessions(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    sessions::end_all_but(&kit, operator.id, OperatorId(id), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which session.
#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct Which {
    id: i64,
    /// As the list has it.
    #[param(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    session: String,
}

pub(super) async fn end_session(
    State(kit): State<Kit>,
    operator: Operator,
    Path(which): Path<Which>,
) -> Result<StatusCode, Problem> {
    let session = SessionId::parse(&which.session).ok_or(OperatorError::Unknown)?;
    sessions::end(&kit, operator.id, OperatorId(which.id), &session).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn known(kit: &Kit, id: i64) -> Result<auth::OperatorRow, Problem> {
    let mut people = auth::list(kit).await?.into_iter().filter(|row| !row.is_program());
    Ok(people.find(|row| row.id.0 == id).ok_or(OperatorError::Unknown)?)
}
