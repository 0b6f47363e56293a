//! The calendar's unusual days, for programs: holidays, weekends that are worked, days of the site's own.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use domain::civil::Date;
use kit::auth::Operator;
use kit::routes::{Doc, Routes};
use kit::{Kit, Problem};
use people::word::{Word as _, schema};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::things::keep;
use super::{READ, WRITE};
use crate::edit::Edit;
use crate::error::DoorsError;
use crate::schedule::{CalendarDay, Unusual, calendar_days};

/// A day that is not what its weekday says.
#[derive(Serialize, ToSchema)]
struct Day {
    /// As `2026-10-01`.
    #[schema(format = "date")]
    date: String,
    #[schema(schema_with = schema::<Unusual>)]
    kind: &'static str,
    /// May be empty.
    name: String,
}

/// Every unusual day, by date.
#[derive(Serialize, ToSchema)]
struct Days {
    items: Vec<Day>,
}

/// What a day is.
#[derive(Deserialize, ToSchema)]
#[schema(as = DayBody)]
#[serde(deny_unknown_fields)]
struct Body {
    #[schema(schema_with = schema::<Unusual>)]
    kind: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    name: String,
}

/// How a change is to be kept.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Keeping {
    /// Keep it even if something comes to nothing by it.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    anyway: bool,
}

/// Which day.
#[derive(Deserialize, IntoParams)]
struct Which {
    /// As `2026-10-01`.
    #[param(format = "date", pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    date: String,
}

/// The routes.
pub(super) fn routes() -> Routes<Kit> {
    Routes::default()
        .get("/api/v1/days", READ, list)
        .says(Doc::new("Days that are not what their weekday says").answers::<Days>())
        .put("/api/v1/days/{date}", WRITE, put)
        .says(
            Doc::new("Says what a day is")
                .path::<Which>()
                .query::<Keeping>()
                .takes::<Body>()
                .refuses(409, &["comes-to-nothing"])
                .refuses(422, &["field", "policy-faulty"]),
        )
        .delete("/api/v1/days/{date}", WRITE, remove)
        .says(
            Doc::new("Makes a day what its weekday says again")
                .path::<Which>()
                .query::<Keeping>()
                .refuses(404, &["not-found"])
                .refuses(409, &["comes-to-nothing"])
                .refuses(422, &["field", "policy-faulty"]),
        )
}

/// Reads a date.
pub(super) fn date(field: &'static str, text: &str) -> Result<Date, DoorsError> {
    let date: Option<jiff::civil::Date> = text.parse().ok();
    let date = date.and_then(|it| {
        Date::from_ymd(it.year().into(), it.month().try_into().ok()?, it.day().try_into().ok()?)
    });
    date.ok_or_else(|| DoorsError::field(field, format!("{text:?} is no date, as 2026-10-01")))
}

/// Writes one.
pub(super) fn text(date: Date) -> String {
    let (year, month, day) = date.ymd();
    format!("{year:04}-{month:02}-{day:02}")
}

async fn list(State(kit): State<Kit>) -> Result<Json<Days>, Problem> {
    let days = calendar_days(&mut *kit.read().acquire().await?).await?;
    let items = days.into_iter().map(|it| Day { date: text(it.date), kind: it.kind.word(), name: it.name });
    Ok(Json(Days { items: items.collect() }))
}

async fn put(
    State(kit): State<Kit>,
    operator: Operator,
    Path(which): Path<Which>,
    Query(keeping): Query<Keeping>,
    Json(body): Json<Body>,
) -> Result<StatusCode, Problem> {
    let kind = Unusual::parse(&body.kind);
    let kind = kind.ok_or_else(|| DoorsError::field("kind", "is none of the words it may be"))?;
    let day = CalendarDay { date: date("date", &which.date)?, kind, name: body.name };
    let mut edit = Edit::begin(&kit, Some(operator.id)).await?;
    edit.day(&day).await?;
    keep(edit.finish().await?, keeping.anyway).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(
    State(kit): State<Kit>,
    operator: Operator,
    Path(which): Path<Which>,
    Query(keeping): Query<Keeping>,
) -> Result<StatusCode, Problem> {
    let date = date("date", &which.date)?;
    let mut edit = Edit::begin(&kit, Some(operator.id)).await?;
    edit.remove_day(date).await?;
    keep(edit.finish().await?, keeping.anyway).await?;
    Ok(StatusCode::NO_CONTENT)
}
