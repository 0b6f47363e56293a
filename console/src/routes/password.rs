//! Choosing a password: the first thing after the first sign-in.

use std::net::SocketAddr;

use askama::Template;
use axum::Form;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use kit::auth::{Operator, OperatorError, change_password};
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
    let (id, name) = (operator.id, operator.name.clone());
    let page = console.page(&headers, Some(operator));
    let refusal = if given.new != given.again {
        page.say("password-differs")
    } else if given.new == given.present {
        page.say_with("password-unfit", "length", PASSWORD_LENGTH)
    } else {
        match change_password(&console.kit, id, &given.present, &given.new).await {
            // The change ended every session, this one too: the next begins at once.
            Ok(()) => return login::open(&console, &name, &given.new, peer).await,
            Err(OperatorError::WrongPassword) => page.say("password-wrong"),
            Err(OperatorError::Password(_)) => page.say_with("password-unfit", "length", PASSWORD_LENGTH),
            Err(error) => return Problem::from(error).into_response(),
        }
    };
    html(StatusCode::UNPROCESSABLE_ENTITY, &Password { page, refusal: Some(refusal.into_owned()) })
}
