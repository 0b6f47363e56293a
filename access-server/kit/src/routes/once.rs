//! A request that is sent again does nothing again: idempotency keys.
//!
//! A program that got no answer sends the same request with the same key, and is answered as the first time. The answer
//! is kept in the transaction of what was done ([`Once::commit`]): after a crash either both are there or neither.
//! Where a handler commits by itself (publishing, importing: both change nothing when done again) it is kept right
//! afterwards. What was refused or failed changed nothing and is not kept: it may be tried again.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt as _};
use ring::hmac;
use serde::Serialize;

use crate::auth::{Operator, OperatorId};
use crate::clock::Micros;
use crate::problem::{Problem, chain};
use crate::state::{Kit, Tx};

/// The header with the key.
pub(super) const HEADER: &str = "idempotency-key";
/// Says that an answer is the first one's.
const AGAIN: &str = "idempotency-replayed";
/// Answers are kept for a day.
const KEPT: Micros = 24 * 60 * 60 * 1_000_000;
/// And so many at most; the oldest goes first.
const MOST: i64 = 100_000;
/// A longer answer is not kept: only an import's report is.
const LONGEST: usize = 64 * 1024;
/// Letters of a key.
const KEY: usize = 64;

crate::statements! {
    FIND = "SELECT request, status, body FROM answer WHERE operator = $1 AND key = $2 AND at > $3";
    SWEEP = "DELETE FROM answer WHERE at <= $1 OR id <= (SELECT MAX(id) FROM answer) - $2";
    KEEP = "INSERT INTO answer (operator, key, request, status, body, at) VALUES ($1, $2, $3, $4, $5, $6)";
}

/// What a handler commits with, so that a request sent again does nothing again.
#[derive(Clone, Debug)]
pub struct Once(Option<Arc<Asked>>);

#[derive(Debug)]
struct Asked {
    operator: OperatorId,
    key: String,
    /// A keyed tag of what was asked.
    request: Vec<u8>,
    is_kept: AtomicBool,
}

impl Once {
    /// Commits what was added, and the answer with it: 201 with this body.
    ///
    /// # Errors
    /// When the database fails; then neither is there.
    pub async fn commit<A: Serialize>(
        &self,
        mut tx: Tx,
        answer: A,
    ) -> Result<(StatusCode, Json<A>), Problem> {
        if let Some(asked) = &self.0 {
            let body = serde_json::to_string(&answer).map_err(|error| Problem::internal(&error))?;
            keep(&mut tx, asked, StatusCode::CREATED, &body).await?;
            tx.commit().await?;
            asked.is_kept.store(true, Ordering::Relaxed);
        } else {
            tx.commit().await?;
        }
        Ok((StatusCode::CREATED, Json(answer)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self(None)))
    }
}

/// Keys whose first request is being worked on.
#[derive(Debug, Default)]
pub(crate) struct InHand(Mutex<HashSet<(OperatorId, String)>>);

/// Holds a key while its request is worked on.
struct Hold<'k> {
    kit: &'k Kit,
    key: (OperatorId, String),
}

impl<'k> Hold<'k> {
    fn of(kit: &'k Kit, operator: OperatorId, key: &str) -> Option<Self> {
        let key = (operator, key.to_owned());
        let is_new = kit.in_hand().0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        is_new.then_some(Self { kit, key })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.kit.in_hand().0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Answers a request: as before when it came before, otherwise by `work`.
pub(super) async fn answer<W>(kit: &Kit, request: Request, work: W) -> Result<Response, Problem>
where
    W: AsyncFnOnce(Request) -> Response,
{
    let Some(key) = key(request.headers())? else { return Ok(work(request).await) };
    let Some(operator) = request.extensions().get::<Operator>().map(|operator| operator.id) else {
        return Ok(work(request).await);
    };
    let (mut request, asked) = read(kit, request).await?;
    let Some(_hold) = Hold::of(kit, operator, &key) else {
        return Err(Problem::conflict("key-in-use", "the first request with this key is being worked on"));
    };
    if let Some((first, status, body)) = find(kit, operator, &key).await? {
        return match first == asked {
            true => Ok(again(status, body)),
            false => {
                Err(Problem::refused("key-used-otherwise", "another request was sent with this key before"))
            }
        };
    }
    let asked = Arc::new(Asked { operator, key, request: asked, is_kept: AtomicBool::new(false) });
    request.extensions_mut().insert(Once(Some(Arc::clone(&asked))));
    let response = work(request).await;
    match response.status().is_success() && !asked.is_kept.load(Ordering::Relaxed) {
        true => Ok(kept_afterwards(kit, &asked, response).await),
        false => Ok(response),
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get(HEADER) else { return Ok(None) };
    let key = key.to_str().unwrap_or_default();
    let good = (1..=KEY).contains(&key.len()) && key.bytes().all(|letter| letter.is_ascii_graphic());
    match good {
        true => Ok(Some(key.to_owned())),
        false => Err(Problem::malformed("an idempotency key has 1 to 64 visible letters of ASCII")),
    }
}

/// The request with its body at hand, and a tag of what it asks: keyed, because a PIN may be in it, and whoever has the
/// database without its keys could try them all.
async fn read(kit: &Kit, request: Request) -> Result<(Request, Vec<u8>), Problem> {
    let (parts, body) = request.with_limited_body().into_parts();
    let too_large = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too long");
    let body = to_bytes(body, usize::MAX).await.map_err(too_large)?;
    let mut tag = hmac::Context::with_key(&kit.keys().requests());
    let kind = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    for part in [parts.uri.path_and_query().map_or("", |it| it.as_str()).as_bytes(), kind, &body] {
        tag.update(&(part.len() as u64).to_be_bytes());
        tag.update(part);
    }
    Ok((Request::from_parts(parts, Body::from(body)), tag.sign().as_ref().to_vec()))
}

async fn find(
    kit: &Kit,
    operator: OperatorId,
    key: &str,
) -> Result<Option<(Vec<u8>, StatusCode, String)>, sqlx::Error> {
    let row: Option<(Vec<u8>, i64, String)> = sqlx::query_as(FIND)
        .bind(operator.0)
        .bind(key)
        .bind(kit.now() - KEPT)
        .fetch_optional(kit.read())
        .await?;
    row.map(|(request, status, body)| {
        let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.ok_or_else(|| sqlx::Error::Decode("no status".into()))?;
        Ok((request, status, body))
    })
    .transpose()
}

async fn keep(tx: &mut Tx, asked: &Asked, status: StatusCode, body: &str) -> Result<(), sqlx::Error> {
    let now = tx.now();
    sqlx::query(SWEEP).bind(now - KEPT).bind(MOST).execute(&mut **tx).await?;
    sqlx::query(KEEP)
        .bind(asked.operator.0)
        .bind(&asked.key)
        .bind(asked.request.clone())
        .bind(i64::from(status.as_u16()))
        .bind(body)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// What was done stays done when its answer cannot be kept.
async fn kept_afterwards(kit: &Kit, asked: &Asked, response: Response) -> Response {
    if response.body().size_hint().exact().is_none_or(|size| size > LONGEST as u64) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LONGEST).await else {
        return Problem::unavailable("the answer broke off").into_response();
    };
    let written = async {
        let mut tx = kit.begin().await?;
        keep(&mut tx, asked, parts.status, &String::from_utf8_lossy(&body)).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(error = %chain(&error), "the answer to an idempotency key was not kept");
    }
    Response::from_parts(parts, Body::from(body))
}

fn again(status: StatusCode, body: String) -> Response {
    let is_empty = body.is_empty();
    let mut response = (status, body).into_response();
    response.headers_mut().insert(AGAIN, HeaderValue::from_static("true"));
    match is_empty {
        true => response.headers_mut().remove(header::CONTENT_TYPE),
        false => {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        }
    };
    response
}
