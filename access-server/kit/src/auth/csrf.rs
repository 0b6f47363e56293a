//! Requests that change something must come from our own pages.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{Method, header};

use super::admit::session_cookie;
use super::session::csrf_token;
use crate::problem::Problem;
use crate::routes::Who;

/// The field of a form, or of a query where the form is multipart.
const FIELD: &str = "_csrf";
/// The header of a script.
const HEADER: &str = "x-csrf-token";
/// A form that is not an upload is never longer.
const LONGEST_FORM: usize = 256 * 1024;

/// Hands a request on that comes from our own pages, or changes nothing.
///
/// A request that changes something is refused when the browser says that another site sent it, and, where there is a
/// session, unless it carries the session's token: in the header `x-csrf-token`, in the form field `_csrf`, or for
/// uploads in the query as `_csrf`. What everybody may send needs no token: the page that signs in has none yet.
///
/// # Errors
/// A problem of kind `cross-site` or `form-token`.
pub(super) async fn checked(request: Request, who: Who) -> Result<Request, Problem> {
    if is_safe(request.method()) {
        return Ok(request);
    }
    if !from_our_own_site(&request) {
        return Err(Problem::forbidden("cross-site", "the request came from another site"));
    }
    let Some(expected) = session_cookie(request.headers()).map(csrf_token).filter(|_| who != Who::Anybody)
    else {
        return Ok(request);
    };
    let (request, token) = find_token(request).await?;
    if !token.is_some_and(|token| same(token.as_bytes(), expected.as_bytes())) {
        return Err(Problem::forbidden("form-token", "the form is stale: load the page again"));
    }
    Ok(request)
}

fn is_safe(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD || method == Method::OPTIONS
}

/// What the browser says about the sender; those too old to say anything are left to the token and `SameSite`.
fn from_our_own_site(request: &Request) -> bool {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return true };
    // HTTP/2 has no `Host`: there it is part of the request's target.
    let authority = request.uri().authority().map(Authority::as_str);
    let host = text(header::HOST.as_str()).or(authority).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, origin)| origin == host)
}

async fn find_token(request: Request) -> Result<(Request, Option<String>), Problem> {
    if let Some(token) = request.headers().get(HEADER).and_then(|value| value.to_str().ok()) {
        let token = token.to_owned();
        return Ok((request, Some(token)));
    }
    if let Some(token) = request.uri().query().and_then(field) {
        return Ok((request, Some(token)));
    }
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Ok((request, None));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LONGEST_FORM).await.map_err(|_| Problem::malformed("the form is too long"))?;
    let token = std::str::from_utf8(&body).ok().and_then(field);
    Ok((Request::from_parts(parts, Body::from(body)), token))
}

/// The token is hexadecimal: nothing in it is ever percent-encoded.
fn field(pairs: &str) -> Option<String> {
    pairs
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == FIELD)
        .map(|(_, token)| token.to_owned())
}

/// Compares in a time that tells nothing.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
