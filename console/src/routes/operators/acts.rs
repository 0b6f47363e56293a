//! What is done to an operator on their page.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use kit::auth::passkey::{self, PasskeyError};
use kit::auth::second::{self, SecondError};
use kit::auth::sessions::{self, SessionId};
use kit::auth::{self, Operator, OperatorError, OperatorId};
use kit::problem::Problem;

use super::one::{known, load};
use super::{FirstPassword, fault, ranks};
use crate::Console;
use crate::form::Fields;

pub(super) async fn role(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let done = match ranks::read(&fields) {
        Ok(ranks) => auth::set_role(&console.kit, operator.id, OperatorId(id), ranks).await,
        Err(error) => Err(error),
    };
    let mut one = match done {
        Ok(()) => return answer(&console, operator, &headers, id, "role", done).await,
        Err(error) => {
            let mut one = load(&console, operator, &headers, id).await?;
            one.fault = Some(fault(one.page(), "role", error)?);
            one
        }
    };
    one.keep(&console, &fields).await?;
    Ok(one.answer())
}

pub(super) async fn state(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let disabled = match fields.get("state") {
        "out" => true,
        "in" => false,
        _ => return Err(Problem::malformed("state: in or out")),
    };
    let done = auth::set_disabled(&console.kit, operator.id, OperatorId(id), disabled).await;
    answer(&console, operator, &headers, id, "state", done).await
}

/// A new first password, shown this once.
pub(super) async fn password(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let name = known(&console, id).await?.name;
    let password = auth::generate_password();
    match auth::reset_password(&console.kit, Some(operator.id), &name, &password).await {
        Ok(()) => {
            let mut one = load(&console, operator, &headers, id).await?;
            one.made = Some(FirstPassword { name, password });
            Ok(one.answer())
        }
        Err(error) => answer(&console, operator, &headers, id, "password", Err(error)).await,
    }
}

/// Takes the second factor of somebody away who has lost their phone.
pub(super) async fn second(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let done = match second::remove(&console.kit, operator.id, OperatorId(id)).await {
        // Somebody was faster.
        Ok(()) | Err(SecondError::Absent) => Ok(()),
        Err(SecondError::Operator(error)) => Err(error),
        Err(error) => return Err(error.into()),
    };
    answer(&console, operator, &headers, id, "second", done).await
}

/// Takes the passkeys of somebody away who has lost the device.
pub(super) async fn passkeys(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let done = match passkey::remove_all(&console.kit, operator.id, OperatorId(id)).await {
        // Somebody was faster.
        Ok(()) | Err(PasskeyError::Absent) => Ok(()),
        Err(PasskeyError::Operator(error)) => Err(error),
        Err(error) => return Err(error.into()),
    };
    answer(&console, operator, &headers, id, "passkeys", done).await
}

pub(super) async fn end_sessions(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let kept = SessionId::of(operator.session());
    let done = sessions::end_all_but(&console.kit, operator.id, OperatorId(id), Some(&kept)).await;
    answer(&console, operator, &headers, id, "sessions", done.map(drop)).await
}

pub(super) async fn end_session(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path((id, session)): Path<(i64, String)>,
) -> Result<Response, Problem> {
    known(&console, id).await?;
    let done = match SessionId::parse(&session) {
        Some(session) => sessions::end(&console.kit, operator.id, OperatorId(id), &session).await,
        None => Err(OperatorError::Unknown),
    };
    // It ended by itself meanwhile.
    let done = if matches!(done, Err(OperatorError::Unknown)) { Ok(()) } else { done };
    answer(&console, operator, &headers, id, "sessions", done).await
}

/// The page again: that it was done, or why not.
async fn answer(
    console: &Console,
    operator: Operator,
    headers: &HeaderMap,
    id: i64,
    what: &'static str,
    done: Result<(), OperatorError>,
) -> Result<Response, Problem> {
    let Err(error) = done else {
        return Ok(Redirect::to(&format!("/settings/operators/{id}?said={what}")).into_response());
    };
    let mut one = load(console, operator, headers, id).await?;
    one.fault = Some(fault(one.page(), what, error)?);
    Ok(one.answer())
}
