//! The second step of signing in: the authenticator app's code, or a recovery code.

use std::net::SocketAddr;

use askama::Template;
use axum::Form;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use kit::auth::passkey::{self, Ways};
use kit::auth::{Half, LOGIN_PATH, LoginRefusal, finish};
use kit::problem::Problem;

use super::account::passkeys;
use super::login::desk;
use super::passkey::SECOND;
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};

/// Where the code is typed.
pub(super) const PATH: &str = "/login/code";

#[derive(Template)]
#[template(path = "code.html")]
struct Code {
    page: Page,
    refusal: Option<String>,
    ways: Ways,
    host: String,
    /// Where a passkey is shown.
    passkey: &'static str,
}

impl Code {
    fn title(&self) -> String {
        self.page.say("code-title").into_owned()
    }

    fn host(&self) -> String {
        self.host.clone()
    }
}

pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(half) = Half::of(&headers) else { return Ok(Redirect::to(LOGIN_PATH).into_response()) };
    answer(&console, &headers, &half, StatusCode::OK, None).await
}

async fn answer(
    console: &Console,
    headers: &HeaderMap,
    half: &Half,
    status: StatusCode,
    refusal: Option<String>,
) -> Result<Response, Problem> {
    // Too late, or the password was changed meanwhile: from the beginning.
    let Some(ways) = passkey::ways(&console.kit, half).await? else {
        return Ok(Redirect::to(LOGIN_PATH).into_response());
    };
    let page = console.page(headers, None);
    let host = passkeys::host(&console.kit);
    Ok(html(status, &Code { page, refusal, ways, host, passkey: SECOND }))
}

pub(super) async fn enter(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, None);
    let Some(half) = Half::of(&headers) else { return Ok(Redirect::to(LOGIN_PATH).into_response()) };
    let address = peer.ip().to_string();
    let (status, refusal) =
        match finish(&console.kit, &half, fields.get("code"), desk(&address, &headers)).await {
            Ok(session) => {
                let cookies = [session.set_cookie, Half::end_cookie()];
                let cookies = cookies.map(|cookie| (header::SET_COOKIE, cookie));
                return Ok((AppendHeaders(cookies), Redirect::to("/")).into_response());
            }
            // Too late, or the password was changed meanwhile: from the beginning.
            Err(LoginRefusal::HalfEnded) => return Ok(Redirect::to(LOGIN_PATH).into_response()),
            Err(LoginRefusal::Wrong) => (StatusCode::UNPROCESSABLE_ENTITY, page.say("code-wrong")),
            Err(LoginRefusal::Wait(seconds)) => {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                (StatusCode::TOO_MANY_REQUESTS, page.say_with("login-wait", "seconds", seconds))
            }
            Err(error @ (LoginRefusal::Second(_) | LoginRefusal::Database(_))) => {
                return Err(error.into());
            }
        };
    answer(&console, &headers, &half, status, Some(refusal.into_owned())).await
}
