//! Operators and their sessions, for administrators.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::auth::sessions::{self, SessionId};
use crate::auth::{self, Operator, OperatorError, OperatorId, Ranks, Role, passkey, second};
use crate::problem::Problem;
use crate::state::Kit;

/// An operator.
#[derive(Serialize, ToSchema)]
#[schema(as = Operator)]
pub(super) struct Shown {
    /// Whom the journal names.
    id: i64,
    name: String,
    /// The rank at the whole site; null for one in places alone.
    #[schema(schema_with = role_or_none)]
    role: Option<&'static str>,
    /// Where the rank is higher.
    places: Vec<PlaceRole>,
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
    /// The rank at the whole site; null or absent for one in places alone.
    #[schema(schema_with = role_or_none)]
    role: Option<String>,
    #[serde(default)]
    #[schema(max_items = 64)]
    places: Vec<PlaceRole>,
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

/// Other ranks, in place of all before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    /// The rank at the whole site; null or absent for one in places alone.
    #[schema(schema_with = role_or_none)]
    role: Option<String>,
    #[serde(default)]
    #[schema(max_items = 64)]
    places: Vec<PlaceRole>,
}

/// A rank in a place of the site and in all that lies in it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceRole {
    /// An area's number. One that is not there gives nothing.
    #[schema(minimum = 1)]
    place: u64,
    /// Not administrator: that is one at the whole site.
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

fn role_or_none() -> Object {
    let words = Role::ALL.into_iter().map(|role| serde_json::Value::from(role.as_str()));
    let words = words.chain([serde_json::Value::Null]);
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(words)).build()
}

fn ranks(site: Option<&str>, places: &[PlaceRole]) -> Result<Ranks, Problem> {
    let site = site.map(role).transpose()?;
    let places = places.iter().map(|it| Ok((it.place, role(&it.role)?)));
    let places = places.collect::<Result<Vec<_>, Problem>>()?;
    Ok(Ranks::new(site, places).map_err(OperatorError::Ranks)?)
}

fn role(word: &str) -> Result<Role, Problem> {
    Role::parse(word).ok_or_else(|| {
        Problem::refused("field", "role: is none of the words it may be").with("field", "role")
    })
}

fn places(ranks: &Ranks) -> Vec<PlaceRole> {
    let places = ranks.places().iter();
    places.map(|(place, role)| PlaceRole { place: *place, role: role.as_str().to_owned() }).collect()
}

pub(super) async fn list(State(kit): State<Kit>) -> Result<Json<Operators>, Problem> {
    let people = auth::list(&kit).await?.into_iter().filter(|row| !row.is_program());
    let passkeys = passkey::counts(&kit).await?;
    let items = people.map(|row| Shown {
        id: row.id.0,
        name: row.name,
        role: row.ranks.at_site().map(Role::as_str),
        places: places(&row.ranks),
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
    let (ranks, password) = (ranks(body.role.as_deref(), &body.places)?, auth::generate_password());
    let id = auth::add(&kit, Some(operator.id), &body.name, ranks, &password).await?;
    Ok((StatusCode::CREATED, Json(Added { id: id.0, password })))
}

pub(super) async fn set_role(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<i64>,
    Json(body): Json<NewRole>,
) -> Result<StatusCode, Problem> {
    auth::set_role(&kit, operator.id, OperatorId(id), ranks(body.role.as_deref(), &body.places)?).await?;
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
