//! Faces and pictures.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::ids::PersonId;
use kit::auth::Operator;
use kit::auth::sessions::SessionId;
use kit::{Kit, Problem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::embed::{EmbedService, Portrait};
use crate::error::PeopleError;
use crate::face::{self, EnrolmentRefusal, Twins};
use crate::look::{self, Hint, Looks};
use crate::picture::{self, Look};

#[derive(Deserialize, IntoParams)]
pub(super) struct Enrolling {
    /// Taken just now by the person's own device: must be a living face.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    capture: bool,
    /// An operator looked: the person and whoever is much like them are two.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    twin_accepted: bool,
}

/// A face that was enrolled.
#[derive(Serialize, ToSchema)]
pub(super) struct Enrolled {
    /// Its template's number.
    template: u64,
}

pub(super) async fn enrol(
    State(kit): State<Kit>,
    manager: Operator,
    Extension(embed): Extension<Option<EmbedService>>,
    Path(id): Path<u64>,
    Query(how): Query<Enrolling>,
    photo: Bytes,
) -> Result<Json<Enrolled>, Problem> {
    let embed = embed.ok_or(EnrolmentRefusal::Away)?;
    let portrait = if how.capture { Portrait::Capture } else { Portrait::Photograph };
    let twins = if how.twin_accepted { Twins::Accept } else { Twins::Refuse };
    let by = Some(manager.id);
    let template = face::enrol(&kit, &embed, by, PersonId(id), portrait, &photo, twins).await?;
    Ok(Json(Enrolled { template }))
}

/// What is to be said of a frame.
#[derive(Serialize, ToSchema)]
pub(super) struct Looked {
    /// Why it would not do, as enrolment says it; nothing when it would.
    hint: Option<&'static str>,
    /// All of its quality in one number, 0 to 1, when it would.
    quality: Option<f32>,
}

pub(super) async fn look(
    State(kit): State<Kit>,
    manager: Operator,
    Extension(embed): Extension<Option<EmbedService>>,
    Extension(looks): Extension<Looks>,
    Path(id): Path<u64>,
    frame: Bytes,
) -> Result<Json<Looked>, Problem> {
    let embed = embed.ok_or(EnrolmentRefusal::Away)?;
    let Some(_turn) = looks.turn(&SessionId::of(manager.session()).hex(), kit.now()) else {
        return Err(Problem::too_many(1));
    };
    let hint = look::at(&kit, &embed, PersonId(id), &frame).await?;
    Ok(Json(match hint.ok_or_else(|| Problem::too_many(1))? {
        Hint::Good(quality) => Looked { hint: None, quality: Some(quality) },
        Hint::Not(reason) => Looked { hint: Some(reason.code()), quality: None },
    }))
}

pub(super) async fn put(
    State(kit): State<Kit>,
    manager: Operator,
    Path(id): Path<u64>,
    bytes: Bytes,
) -> Result<StatusCode, Problem> {
    let mut tx = kit.begin().await?;
    picture::put(&mut tx, Some(manager.id), PersonId(id), &bytes).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn show(
    State(kit): State<Kit>,
    operator: Operator,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let look = Look::ByOperator(operator.id);
    let picture = picture::get(&kit, look, PersonId(id)).await?.ok_or(PeopleError::Unknown("picture"))?;
    let headers = [
        (header::CONTENT_TYPE, picture.media.name()),
        (header::CONTENT_DISPOSITION, "inline"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, picture.bytes).into_response())
}
