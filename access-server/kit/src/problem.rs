//! The one answer to everything that goes wrong over HTTP: RFC 9457 problem details.

use std::borrow::Cow;
use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::db::Fault;

/// A problem: a stable kind that programs and language files know, and words for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: Cow<'static, str>,
    more: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem of a kind of its own, as `photo-without-face`.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, detail: detail.into(), more: Map::new(), retry_after: None }
    }

    /// 400: what was sent cannot be understood.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 422: understood, but refused.
    pub fn refused(kind: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, detail)
    }

    /// 401: no session, or it has ended.
    #[must_use]
    pub fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signed-out", "sign in first")
    }

    /// 401: what a program signed in with is no token, or has ended.
    #[must_use]
    pub fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "wrong-token", "the token is none, has ended or was revoked")
    }

    /// 403: signed in, but not allowed.
    pub fn forbidden(kind: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, kind, detail)
    }

    /// 404.
    pub fn not_found(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", what)
    }

    /// 409: another change came first, or the thing exists.
    pub fn conflict(kind: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, detail)
    }

    /// 429, with the seconds to wait.
    #[must_use]
    pub fn too_many(retry_after_seconds: u64) -> Self {
        let mut problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", "too many attempts: wait a little");
        problem.retry_after = Some(retry_after_seconds);
        problem
    }

    /// 503: the database or a device is not there; trying again may help.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        problem.retry_after = Some(2);
        problem
    }

    /// 500: a fault of ours. The log gets the chain of causes, the caller does not.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something broke here; it was logged")
    }

    /// Adds a member, as the field at fault.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Words for people, in English.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// An error and its causes, in one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Full | Fault::Away => {
                tracing::warn!(error = %chain(&error), "the database did not answer a request");
                Self::unavailable("the database is not answering")
            }
            Fault::Broken | Fault::Constraint | Fault::Statement => Self::internal(&error),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: format!("/problems/{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            detail: &self.detail,
            more: &self.more,
        };
        let body = serde_json::to_vec(&body).expect("text and numbers are JSON");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // A page's middleware may turn the problem into a page of its own.
        response.extensions_mut().insert(self);
        response
    }
}
