//! The picture beside an event. Seen without the pass in the event's row it is journaled, as on the person's own page.

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::ids::PersonId;
use kit::auth::{Operator, Role};
use kit::looks::What;
use kit::problem::Problem;
use people::picture::{self, Look};
use serde::Deserialize;

use super::must_be;
use crate::Console;

#[derive(Deserialize)]
pub(super) struct Beside {
    record: Option<u64>,
    pass: Option<String>,
}

pub(super) async fn show(
    State(console): State<Console>,
    operator: Operator,
    Path(person): Path<u64>,
    Query(beside): Query<Beside>,
) -> Result<Response, Problem> {
    let (kit, person) = (&console.kit, PersonId(person));
    let admitted = beside
        .record
        .zip(beside.pass)
        .is_some_and(|(record, pass)| picture::admits(kit.keys(), &pass, operator.session(), person, record));
    if admitted {
        kit.saw(operator.id, None, What::Live);
    }
    let (look, caching) = match admitted {
        true => (Look::BesideEvent, "private, max-age=300"),
        false => {
            // People are of the whole site.
            must_be(operator.ranks.at_site(), Role::Viewer)?;
            (Look::ByOperator(operator.id), "private, no-store")
        }
    };
    let found = picture::get(kit, look, person).await?;
    let picture = found.ok_or_else(|| Problem::not_found("there is no such picture"))?;
    let headers = [
        (header::CONTENT_TYPE, picture.media.name()),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_DISPOSITION, "inline"),
    ];
    Ok((headers, picture.bytes).into_response())
}
