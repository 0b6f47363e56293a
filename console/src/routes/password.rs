//! Choosing a password: the first thing after the first sign-in, and whenever somebody wants another.

use std::net::SocketAddr;

use askama::Template;
use axum::Form;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use kit::auth::{LOGIN_PATH, Operator, OperatorError, change_password};
use kit::problem::Problem;
use serde::Deserialize;

use super::login;
use crate::Console;
use crate::page::{PASSWORD_LENGTH, Page, html};

#[derive(Template)]
#[template(path = "password.html")]
struct Password {
    page: Page,
    refusal: Option<String>,
}

impl Password {
    fn title(&self) -> String {
        self.page.say("password-title").into_owned()
    }

    /// Whether it is the first thing somebody has to do.
    fn is_first(&self) -> bool {
        !self.page.is_inside()
    }
}

#[derive(Deserialize)]
pub(super) struct Given {
    present: String,
    new: String,
    again: String,
}

pub(super) async fn show(State(console): State<Console>, operator: Operator, headers: HeaderMap) -> Response {
    let page = console.page(&headers, Some(operator));
    html(StatusCode::OK, &Password { page, refusal: None })
}

pub(super) async fn change(
    State(console): State<Console>,
    operator: Operator,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    let id = operator.id;
    let page = console.page(&headers, Some(operator));
    let refusal = if given.new != given.again {
        page.say("password-differs")
    } else if given.new == given.present {
        page.say_with("password-unfit", "length", PASSWORD_LENGTH)
    } else {
        match change_password(&console.kit, id, &given.present, &given.new).await {
            // The change ended every session, this one too: the next begins at once.
            Ok(changed) => {
                let address = peer.ip().to_string();
                return match changed.sign_in(&console.kit, login::desk(&address, &headers)).await {
                    Ok(session) => login::inside(&session),
                    Err(_) => Redirect::to(LOGIN_PATH).into_response(),
                };
            }
            Err(OperatorError::WrongPassword) => page.say("password-wrong"),
            Err(OperatorError::Password(_)) => page.say_with("password-unfit", "length", PASSWORD_LENGTH),
            Err(error) => return Problem::from(error).into_response(),
        }
    };
    html(StatusCode::UNPROCESSABLE_ENTITY, &Password { page, refusal: Some(refusal.into_owned()) })
}
