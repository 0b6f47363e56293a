//! Persons.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::ids::{GroupId, PersonId};
use domain::policy::PersonStatus;
use kit::auth::Operator;
use kit::looks::What;
use kit::routes::Once;
use kit::{Kit, Problem};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Added, word};
use crate::error::PeopleError;
use crate::person::{self, PAGE_MAX, Particulars, Person, PersonKind, open_from, open_until, validity};
use crate::word::{Word as _, schema};

/// People on one page, unless it is said.
const PAGE: u32 = 100;

/// A person as programs send them. Times are UTC microseconds, null where there is no limit. A change says all that may
/// widen a right: status, both limits, and the `changed_at` of what it was made from.
#[derive(Deserialize, ToSchema)]
#[schema(as = PersonBody)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    /// The site's own name for the row.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    key: String,
    #[schema(schema_with = schema::<PersonKind>)]
    kind: String,
    #[schema(min_length = 1)]
    name: String,
    /// The name in Latin letters.
    #[serde(default)]
    latin: String,
    #[serde(default)]
    department: String,
    /// The staff number: nobody else has it.
    #[serde(default)]
    number: String,
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<i64>)]
    valid_from: Option<Option<i64>>,
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<i64>)]
    valid_until: Option<Option<i64>>,
    #[schema(schema_with = schema::<PersonStatus>)]
    status: Option<String>,
    #[serde(default)]
    #[schema(maximum = 7)]
    clearance: u8,
    #[serde(default)]
    #[schema(max_items = 1000)]
    groups: Vec<u64>,
    /// Of what a change was made from.
    changed_at: Option<i64>,
}

/// Tells what is null from what is absent.
fn said<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(field).map(Some)
}

impl Body {
    /// A change, and the `changed_at` it was made from.
    fn read_change(self) -> Result<(i64, Particulars), PeopleError> {
        let missing = |field| PeopleError::Field { field, why: "must be said in a change" };
        let seen = self.changed_at.ok_or(missing("changed_at"))?;
        for (field, absent) in [
            ("status", self.status.is_none()),
            ("valid_from", self.valid_from.is_none()),
            ("valid_until", self.valid_until.is_none()),
        ] {
            if absent {
                return Err(missing(field));
            }
        }
        Ok((seen, self.read()?))
    }

    fn read(self) -> Result<Particulars, PeopleError> {
        Ok(Particulars {
            kind: word("kind", &self.kind)?,
            status: self.status.map_or(Ok(PersonStatus::Active), |status| word("status", &status))?,
            validity: validity(self.valid_from.flatten(), self.valid_until.flatten()),
            groups: self.groups.into_iter().map(GroupId).collect(),
            key: self.key,
            name: self.name,
            latin: self.latin,
            department: self.department,
            number: self.number,
            clearance: self.clearance,
        })
    }
}

/// A person as programs see them.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub(super) struct Shown {
    id: u64,
    key: String,
    #[schema(schema_with = schema::<PersonKind>)]
    kind: &'static str,
    name: String,
    latin: String,
    department: String,
    number: String,
    /// From when they may pass: UTC microseconds, null for always.
    valid_from: Option<i64>,
    /// Until when.
    valid_until: Option<i64>,
    #[schema(schema_with = schema::<PersonStatus>)]
    status: &'static str,
    clearance: u8,
    groups: Vec<u64>,
    /// When this last changed.
    changed_at: i64,
}

impl From<Person> for Shown {
    fn from(Person { id, particulars: it, changed_at }: Person) -> Self {
        Self {
            id: id.0,
            key: it.key,
            kind: it.kind.word(),
            name: it.name,
            latin: it.latin,
            department: it.department,
            number: it.number,
            valid_from: open_from(it.validity.from),
            valid_until: open_until(it.validity.until),
            status: it.status.word(),
            clearance: it.clearance,
            groups: it.groups.iter().map(|group| group.0).collect(),
            changed_at,
        }
    }
}

/// A page of people, by number.
#[derive(Serialize, ToSchema)]
pub(super) struct People {
    items: Vec<Shown>,
    /// The `after` of the next page; null on the last.
    next: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// People after this number: a page's `next`.
    after: Option<u64>,
    /// What their names, departments or numbers have in them; Chinese names are found by pinyin too.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    find: String,
    /// People on the page: 100 unless it is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

pub(super) async fn list(
    State(kit): State<Kit>,
    operator: Operator,
    Query(page): Query<Page>,
) -> Result<Json<People>, Problem> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::malformed("limit: must be 1 to 500"));
    }
    let people = person::list(&kit, page.after.map(PersonId), &page.find, limit).await?;
    kit.saw(operator.id, None, What::List);
    let next = people.last().filter(|_| people.len() == limit as usize).map(|last| last.id.0);
    Ok(Json(People { items: people.into_iter().map(Shown::from).collect(), next }))
}

pub(super) async fn one(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Json<Shown>, Problem> {
    let mut connection = kit.read().acquire().await?;
    let person = person::get(&mut connection, PersonId(id)).await?.ok_or(PeopleError::Unknown("person"))?;
    kit.saw(operator.id, Some(id), What::Profile);
    Ok(Json(person.into()))
}

pub(super) async fn add(
    State(kit): State<Kit>,
    manager: Operator,
    once: Once,
    Json(body): Json<Body>,
) -> Result<impl IntoResponse, Problem> {
    let particulars = body.read()?;
    let mut tx = kit.begin().await?;
    let id = person::add(&mut tx, Some(manager.id), &particulars).await?;
    once.commit(tx, Added { id: id.0 }).await
}

pub(super) async fn change(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
    Json(body): Json<Body>,
) -> Result<StatusCode, Problem> {
    let (seen, particulars) = body.read_change()?;
    let mut tx = kit.begin().await?;
    person::change(&mut tx, Some(manager.id), PersonId(id), seen, &particulars).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
) -> Result<StatusCode, Problem> {
    person::remove(&kit, Some(manager.id), PersonId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
