//! A problem on the way to a page becomes a page; on the way to a script it stays what it is.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use kit::auth::LOGIN_PATH;
use kit::problem::Problem;

use super::PASSWORD_PATH;
use super::account::authenticator;
use crate::Console;
use crate::page::{Page, html};

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    page: Page,
    sentence: String,
}

impl ProblemPage {
    fn title(&self) -> String {
        self.page.say("problem-title").into_owned()
    }
}

pub(super) async fn as_page(State(console): State<Console>, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let wants_page = accepts.is_some_and(|accept| accept.contains("text/html"));
    let page = console.page(request.headers(), None);
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| wants_page) else {
        return response;
    };
    let sentence = match problem.kind() {
        "signed-out" => return Redirect::to(LOGIN_PATH).into_response(),
        "must-change-password" => return Redirect::to(PASSWORD_PATH).into_response(),
        "must-set-up-second-factor" => return Redirect::to(authenticator::PATH).into_response(),
        "rank" => page.say("problem-rank"),
        "elsewhere" => page.say("problem-elsewhere"),
        "form-token" => page.say("problem-form-token"),
        "not-found" => page.say("problem-not-found"),
        _ => page.say_with("problem-other", "detail", problem.detail().to_owned()),
    };
    html(problem.status(), &ProblemPage { sentence: sentence.into_owned(), page })
}
