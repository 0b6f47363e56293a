//! The picture beside an event.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::ids::PersonId;
use kit::auth::Operator;
use kit::problem::Problem;
use people::picture::{self, Look};

use crate::Console;

pub(super) async fn show(
    State(console): State<Console>,
    _operator: Operator,
    Path(person): Path<u64>,
) -> Result<Response, Problem> {
    let found = picture::get(&console.kit, Look::BesideEvent, PersonId(person)).await?;
    let picture = found.ok_or_else(|| Problem::not_found("there is no such picture"))?;
    let headers = [
        (header::CONTENT_TYPE, picture.media.name()),
        (header::CACHE_CONTROL, "private, max-age=300"),
        (header::CONTENT_DISPOSITION, "inline"),
    ];
    Ok((headers, picture.bytes).into_response())
}
