//! The things of the site, each kind with the same four routes: list, add, change, remove.
//!
//! What is added or changed goes through [`crate::edit`], as the console's forms do: all of it or nothing, refused where
//! somebody changed it meanwhile, and refused where something comes to nothing by it unless that is meant.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use kit::auth::Operator;
use kit::routes::{Doc, Routes};
use kit::{Kit, Problem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{READ, WRITE, area, day, door, level, schedule, small};
use crate::edit::{Aim, Edit, Finished, Seen};
use crate::error::DoorsError;
use crate::survey::{Survey, Thing};

/// A kind of thing, as programs see it.
pub(super) trait Resource: Serialize + ToSchema + Sized + Send + 'static {
    /// What is sent to put one in place.
    type Body: DeserializeOwned + ToSchema + Send + 'static;

    /// Every one, by number.
    fn list(survey: &Survey) -> Vec<Self>;

    /// The thing of a number.
    fn thing(id: u64) -> Thing;

    /// How one stands now; `None` where there is none of this number.
    fn seen(survey: &Survey, id: u64) -> Option<Seen>;

    /// Puts one in place; its number.
    fn put(
        edit: &mut Edit,
        known: Option<(u64, Seen)>,
        body: Self::Body,
    ) -> impl Future<Output = Result<u64, DoorsError>> + Send;
}

/// The names that everything has.
#[derive(Deserialize, ToSchema)]
pub(super) struct Names {
    /// What files find it by. Where none is given one is made; it is never changed.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub(super) key: String,
    #[schema(min_length = 1, max_length = 200)]
    pub(super) name: String,
    /// In Latin letters.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(super) latin: String,
}

impl From<Names> for crate::label::Label {
    fn from(Names { key, name, latin }: Names) -> Self {
        Self { key, name, latin }
    }
}

/// A list.
#[derive(Serialize)]
pub(super) struct List<T> {
    items: Vec<T>,
}

/// How a change is to be kept.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Keeping {
    /// The thing's `version` as it was read: where it is another one by now, nothing is changed.
    #[param(min_length = 16, max_length = 16, pattern = "^[0-9a-f]{16}$")]
    version: Option<String>,
    /// Keep it even if something comes to nothing by it, as a door that nobody can open.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    anyway: bool,
}

/// A thing that was added.
#[derive(Serialize, ToSchema)]
#[schema(as = ThingAdded)]
pub(super) struct Added {
    id: u64,
}

const FIELDS: &[&str] = &["field", "policy-faulty"];

/// The four routes of a kind.
macro_rules! of {
    ($routes:expr, $kind:ty, $list:literal, $path:literal, $every:literal, $add:literal, $change:literal, $remove:literal) => {
        $routes
            .get($path, READ, list::<$kind>)
            .says(Doc::new($every).answers_list_of::<$kind>($list))
            .post($path, WRITE, add::<$kind>)
            .says(
                Doc::new($add)
                    .query::<Keeping>()
                    .takes::<<$kind as Resource>::Body>()
                    .adds::<Added>()
                    .refuses(409, &["taken", "comes-to-nothing"])
                    .refuses(422, FIELDS),
            )
            .put(concat!($path, "/{id}"), WRITE, change::<$kind>)
            .says(
                Doc::new($change)
                    .query::<Keeping>()
                    .takes::<<$kind as Resource>::Body>()
                    .refuses(404, &["not-found"])
                    .refuses(409, &["taken", "stale", "comes-to-nothing"])
                    .refuses(422, FIELDS),
            )
            .delete(concat!($path, "/{id}"), WRITE, remove::<$kind>)
            .says(
                Doc::new($remove)
                    .query::<Keeping>()
                    .refuses(404, &["not-found"])
                    .refuses(409, &["in-use", "stale", "comes-to-nothing"])
                    .refuses(422, FIELDS),
            )
    };
}

/// The routes of every kind.
pub(super) fn routes() -> Routes<Kit> {
    let routes = Routes::default();
    let routes = of!(
        routes,
        area::Area,
        "Areas",
        "/api/v1/areas",
        "The areas",
        "Adds an area",
        "Changes an area",
        "Removes an area in which nothing lies and to which no door leads"
    );
    let routes = of!(
        routes,
        door::Door,
        "Doors",
        "/api/v1/doors",
        "The doors, lanes and barriers",
        "Adds a door",
        "Changes a door",
        "Removes a door"
    );
    let routes = of!(
        routes,
        schedule::Schedule,
        "Schedules",
        "/api/v1/schedules",
        "The schedules",
        "Adds a schedule",
        "Changes a schedule",
        "Removes a schedule that nothing names"
    );
    let routes = of!(
        routes,
        level::Level,
        "Levels",
        "/api/v1/levels",
        "Who may pass where and when",
        "Adds an access level",
        "Changes an access level",
        "Removes an access level"
    );
    let routes = of!(
        routes,
        level::DoorGroup,
        "DoorGroups",
        "/api/v1/door-groups",
        "Doors that levels name together",
        "Adds a group of doors",
        "Changes a group of doors",
        "Removes a group of doors that nothing names"
    );
    let routes = of!(
        routes,
        small::FireZone,
        "FireZones",
        "/api/v1/fire-zones",
        "The fire zones",
        "Adds a fire zone",
        "Changes a fire zone",
        "Removes a fire zone that no door names"
    );
    let routes = of!(
        routes,
        small::Controller,
        "Controllers",
        "/api/v1/controllers",
        "The controllers",
        "Adds a controller",
        "Changes a controller",
        "Removes a controller that drives no door"
    );
    routes.merge(day::routes())
}

async fn list<R: Resource>(State(kit): State<Kit>) -> Result<Json<List<R>>, Problem> {
    let survey = Survey::load(&mut *kit.read().acquire().await?).await?;
    Ok(Json(List { items: R::list(&survey) }))
}

async fn add<R: Resource>(
    State(kit): State<Kit>,
    operator: Operator,
    Query(keeping): Query<Keeping>,
    Json(body): Json<R::Body>,
) -> Result<(StatusCode, Json<Added>), Problem> {
    let mut edit = Edit::begin(&kit, Some(operator.id)).await?;
    let id = R::put(&mut edit, None, body).await?;
    keep(edit.finish().await?, keeping.anyway).await?;
    Ok((StatusCode::CREATED, Json(Added { id })))
}

async fn change<R: Resource>(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
    Query(keeping): Query<Keeping>,
    Json(body): Json<R::Body>,
) -> Result<StatusCode, Problem> {
    let mut edit = Edit::begin(&kit, Some(operator.id)).await?;
    let seen = seen::<R>(edit.before(), id, &keeping)?;
    R::put(&mut edit, Some((id, seen)), body).await?;
    keep(edit.finish().await?, keeping.anyway).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove<R: Resource>(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
    Query(keeping): Query<Keeping>,
) -> Result<StatusCode, Problem> {
    let mut edit = Edit::begin(&kit, Some(operator.id)).await?;
    let now = R::seen(edit.before(), id).ok_or(DoorsError::Unknown(R::thing(id).kind()))?;
    if seen::<R>(edit.before(), id, &keeping)? != now {
        return Err(DoorsError::Stale(R::thing(id).kind()).into());
    }
    edit.remove(R::thing(id)).await?;
    keep(edit.finish().await?, keeping.anyway).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the thing was seen: as the program says, or as it is.
fn seen<R: Resource>(survey: &Survey, id: u64, keeping: &Keeping) -> Result<Seen, Problem> {
    match &keeping.version {
        Some(version) => {
            Seen::parse(version).ok_or_else(|| Problem::malformed("version: is none, as lists have them"))
        }
        None => Ok(R::seen(survey, id).ok_or(DoorsError::Unknown(R::thing(id).kind()))?),
    }
}

/// Keeps what was changed, unless something comes to nothing by it and that was not meant.
pub(super) async fn keep(done: Finished, anyway: bool) -> Result<(), Problem> {
    if !done.concerns.is_empty() && !anyway {
        let concerns = done.concerns.iter().map(|it| {
            let thing = it.thing();
            json!({ "concern": it.code(), "kind": thing.kind(), "id": thing.number() })
        });
        let concerns: Vec<_> = concerns.collect();
        return Err(Problem::conflict(
            "comes-to-nothing",
            "something would come to nothing; ?anyway=true keeps it",
        )
        .with("concerns", concerns));
    }
    Ok(done.commit().await?)
}

/// What a command is about.
pub(super) fn aim<I>(known: Option<(u64, Seen)>, id: fn(u64) -> I) -> Aim<I> {
    known.map_or(Aim::New, |(number, seen)| Aim::Known(id(number), seen))
}

/// The refusal with its field as programs call it.
pub(super) fn named(fields: &'static [(&str, &str)]) -> impl Fn(DoorsError) -> DoorsError {
    let told = move |field| fields.iter().find(|(own, _)| *own == field).map_or(field, |(_, told)| *told);
    move |error| match error {
        DoorsError::Field { field, why } => DoorsError::Field { field: told(field), why },
        DoorsError::Taken { field, by } => DoorsError::Taken { field: told(field), by },
        other @ (DoorsError::Unknown(_)
        | DoorsError::Stale(_)
        | DoorsError::InUse(_)
        | DoorsError::Used { .. }
        | DoorsError::Unfit(_)
        | DoorsError::People(_)
        | DoorsError::Database(_)) => other,
    }
}

/// The fingerprint of one of a list.
pub(super) fn print<I: Copy + PartialEq, T: std::fmt::Debug>(known: &[(I, T)], id: I) -> Option<Seen> {
    known.iter().find(|(own, _)| *own == id).map(|(_, it)| Seen::of(it))
}
