//! Signing in with a passkey: by itself, and as the second step after a password. What a browser is asked and answers is
//! JSON; the page (`assets/passkey.js`) hands it on.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use kit::Routes;
use kit::Who;
use kit::auth::passkey::{self, Assertion, PasskeyError, Request};
use kit::auth::{Half, NewSession};
use kit::problem::Problem;
use serde_json::json;

use super::login::desk;
use crate::Console;

/// Where a passkey lets in by itself.
pub(super) const ALONE: &str = "/login/passkey";
/// And after a password.
pub(super) const SECOND: &str = "/login/code/passkey";

/// The routes of this file.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .post("/login/passkey/begin", Who::Anybody, ask)
        .post(ALONE, Who::Anybody, enter)
        .post("/login/code/passkey/begin", Who::Anybody, ask_half)
        .post(SECOND, Who::Anybody, finish)
}

async fn ask(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
) -> Result<Json<Request>, Problem> {
    Ok(Json(passkey::ask(&console.kit, &peer.ip().to_string())?))
}

async fn enter(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(shown): Json<Assertion>,
) -> Result<Response, Problem> {
    let address = peer.ip().to_string();
    let session = passkey::sign_in(&console.kit, &shown, desk(&address, &headers)).await?;
    Ok(inside(session))
}

async fn ask_half(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Request>, Problem> {
    let half = Half::of(&headers).ok_or(PasskeyError::Late)?;
    Ok(Json(passkey::ask_half(&console.kit, &half, &peer.ip().to_string()).await?))
}

async fn finish(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(shown): Json<Assertion>,
) -> Result<Response, Problem> {
    let half = Half::of(&headers).ok_or(PasskeyError::Late)?;
    let address = peer.ip().to_string();
    let session = passkey::finish(&console.kit, &half, &shown, desk(&address, &headers)).await?;
    Ok(inside(session))
}

/// Hands a session over, and forgets what was half begun.
fn inside(session: NewSession) -> Response {
    let cookies = [session.set_cookie, Half::end_cookie()].map(|cookie| (header::SET_COOKIE, cookie));
    (AppendHeaders(cookies), Json(json!({ "to": "/" }))).into_response()
}
