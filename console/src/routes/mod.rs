//! The routes: one file a page.

mod access;
mod history;
mod language;
mod live;
mod login;
mod password;
mod people;
mod photo;
mod problem;
mod stream;

use axum::Router;
use axum::http::HeaderMap;
use axum::middleware;
use axum::routing::{get, post};
use kit::auth::{LOGIN_PATH, Operator};

use crate::page::Page;
use crate::words::Language;
use crate::{Console, assets};

/// Where a password is chosen.
const PASSWORD_PATH: &str = "/password";

/// Every route of the console.
pub(crate) fn all(console: &Console) -> Router<Console> {
    let pages = Router::new()
        .route("/", get(live::show))
        .route("/live/stream", get(stream::follow))
        .route("/people/{person}/photo", get(photo::show))
        .route(LOGIN_PATH, get(login::show).post(login::enter))
        .route("/sign-out", post(login::leave))
        .route(PASSWORD_PATH, get(password::show).post(password::change))
        .route("/language", get(language::change))
        .route("/history", get(history::show))
        .route("/access", get(access::show))
        .merge(people::routes())
        .layer(middleware::from_fn_with_state(console.clone(), problem::as_page));
    pages
        .route("/assets/console.css", get(assets::style))
        .route("/assets/live.js", get(assets::script))
        .route("/assets/search.js", get(assets::search))
        .route("/assets/enrol.js", get(assets::enrol))
        .route("/assets/icon.svg", get(assets::icon))
        .route("/favicon.ico", get(assets::icon))
        .route("/assets/shapes.svg", get(assets::shapes))
}

impl Console {
    /// The page's surroundings for whoever asks: in the language of the cookie or the browser.
    fn page(&self, headers: &HeaderMap, operator: Option<Operator>) -> Page {
        Page { language: Language::of_request(headers), operator, zone: self.zone.clone(), section: "" }
    }
}
