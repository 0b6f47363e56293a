//! Who is let in to a route.

use axum::extract::Request;
use axum::http::{HeaderMap, header};

use super::csrf::checked;
use super::operator::Operator;
use super::session::{SESSION_COOKIE, csrf_token, find, note_use};
use crate::problem::Problem;
use crate::routes::Who;
use crate::state::Kit;

/// Hands a request on that may come in, with the [`Operator`] who sent it among its extensions.
///
/// # Errors
/// A problem of kind `cross-site` or `form-token` (see [`checked`]), `signed-out`, `must-change-password` or `rank`.
pub(crate) async fn admit(kit: &Kit, who: Who, request: Request) -> Result<Request, Problem> {
    let mut request = checked(request, who).await?;
    let needs = match who {
        Who::Anybody => return Ok(request),
        Who::SignedIn => None,
        Who::AtLeast(role) => Some(role),
    };
    let operator = signed_in(kit, request.headers()).await?;
    if let Some(role) = needs {
        if operator.must_change {
            return Err(Problem::forbidden("must-change-password", "choose a password of your own first"));
        }
        operator.require(role)?;
    }
    request.extensions_mut().insert(operator);
    Ok(request)
}

/// Whose session the cookie is of.
pub(crate) async fn signed_in(kit: &Kit, headers: &HeaderMap) -> Result<Operator, Problem> {
    let cookie = session_cookie(headers).ok_or_else(Problem::signed_out)?;
    let found = find(kit, cookie).await?.ok_or_else(Problem::signed_out)?;
    if is_use(headers) {
        note_use(kit, cookie, &found).await;
    }
    Ok(Operator {
        id: found.id,
        name: found.name,
        role: found.role,
        language: found.language,
        must_change: found.must_change,
        csrf: csrf_token(cookie),
        session: cookie.to_owned(),
    })
}

/// Pictures are fetched by an open page: they say nothing about whether anybody is there.
fn is_use(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_none_or(|kind| kind != "image")
}

/// The session cookie's value, where there is one of the right form.
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value)
        .filter(|value| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
