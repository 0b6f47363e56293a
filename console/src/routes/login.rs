//! Signing in and out.

use std::net::SocketAddr;

use askama::Template;
use axum::Form;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use kit::auth::{Desk, Entry, LOGIN_PATH, LoginRefusal, NewSession, Operator, end, end_cookie, sign_in};
use kit::problem::Problem;
use serde::Deserialize;

use super::account::passkeys;
use super::{code, passkey};
use crate::Console;
use crate::page::{Page, html};

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    page: Page,
    name: String,
    refusal: Option<String>,
    /// Where passkeys are made for; empty when there are none.
    host: String,
    /// Where a passkey is shown.
    passkey: &'static str,
}

impl Login {
    fn title(&self) -> String {
        self.page.say("login-title").into_owned()
    }

    fn host(&self) -> String {
        self.host.clone()
    }

    fn answer(
        console: &Console,
        page: Page,
        status: StatusCode,
        name: String,
        refusal: Option<String>,
    ) -> Response {
        let host = passkeys::host(&console.kit);
        html(status, &Self { page, name, refusal, host, passkey: passkey::ALONE })
    }
}

#[derive(Deserialize)]
pub(super) struct Given {
    name: String,
    password: String,
}

pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Response {
    let page = console.page(&headers, None);
    Login::answer(&console, page, StatusCode::OK, String::new(), None)
}

pub(super) async fn enter(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    let page = console.page(&headers, None);
    let address = peer.ip().to_string();
    let (status, refusal) =
        match sign_in(&console.kit, &given.name, &given.password, desk(&address, &headers)).await {
            Ok(Entry::Whole(session)) => return inside(&session),
            Ok(Entry::Half(half)) => {
                let cookie = AppendHeaders([(header::SET_COOKIE, half.set_cookie())]);
                return (cookie, Redirect::to(code::PATH)).into_response();
            }
            Err(LoginRefusal::Wrong) => (StatusCode::UNPROCESSABLE_ENTITY, page.say("login-wrong")),
            Err(LoginRefusal::Wait(seconds)) => {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                (StatusCode::TOO_MANY_REQUESTS, page.say_with("login-wait", "seconds", seconds))
            }
            Err(error @ (LoginRefusal::HalfEnded | LoginRefusal::Second(_) | LoginRefusal::Database(_))) => {
                return Problem::from(error).into_response();
            }
        };
    Login::answer(&console, page, status, given.name, Some(refusal.into_owned()))
}

/// Hands a session over.
pub(super) fn inside(session: &NewSession) -> Response {
    (AppendHeaders([(header::SET_COOKIE, &session.set_cookie)]), Redirect::to("/")).into_response()
}

/// Where somebody sits who signs in.
pub(super) fn desk<'a>(address: &'a str, headers: &'a HeaderMap) -> Desk<'a> {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Desk { address, agent: agent.unwrap_or_default() }
}

pub(super) async fn leave(State(console): State<Console>, operator: Operator) -> Result<Response, Problem> {
    end(&console.kit, operator.session()).await?;
    Ok((AppendHeaders([(header::SET_COOKIE, end_cookie())]), Redirect::to(LOGIN_PATH)).into_response())
}
