//! The routes: one file a page.

pub(crate) mod access;
mod account;
mod code;
pub(crate) mod devices;
pub(crate) mod export;
mod forms;
mod history;
mod hooks;
mod import;
mod language;
mod live;
mod login;
mod operators;
mod passkey;
mod password;
mod people;
mod photo;
pub(crate) mod plan;
mod problem;
pub(crate) mod site;
pub(crate) mod stream;
mod tokens;
pub(crate) mod wall;

use axum::http::HeaderMap;
use axum::middleware;
use kit::auth::{LOGIN_PATH, Operator, Role};
use kit::{Problem, Routes, Who};

use crate::page::Page;
use crate::words::Language;
use crate::{Console, assets};

/// Where a password is chosen.
const PASSWORD_PATH: &str = "/password";

const VIEWER: Who = Who::Somewhere(Role::Viewer);
const OPERATOR: Who = Who::AtLeast(Role::Operator);
const MANAGER: Who = Who::AtLeast(Role::Manager);
/// Where what is exported lies in places, as far as it lies in the operator's.
const OPERATOR_THERE: Who = Who::Somewhere(Role::Operator);
/// Where what is changed lies in places: the handler looks whether it lies in the operator's.
const MANAGER_THERE: Who = Who::Somewhere(Role::Manager);

/// Every route of the console.
pub(crate) fn all(console: &Console) -> Routes<Console> {
    let problems = middleware::from_fn_with_state(console.clone(), problem::as_page);
    let pages = Routes::default()
        .get("/", VIEWER, live::show)
        .get("/live/stream", VIEWER, stream::follow)
        .get("/people/{person}/photo", VIEWER, photo::show)
        .get(LOGIN_PATH, Who::Anybody, login::show)
        .post(LOGIN_PATH, Who::Anybody, login::enter)
        .get(code::PATH, Who::Anybody, code::show)
        .post(code::PATH, Who::Anybody, code::enter)
        .post("/sign-out", Who::SignedIn, login::leave)
        .get(PASSWORD_PATH, Who::SignedIn, password::show)
        .post(PASSWORD_PATH, Who::SignedIn, password::change)
        .get("/language", Who::Anybody, language::change)
        .merge(people::routes())
        .merge(import::routes())
        .merge(history::routes())
        .merge(site::routes())
        .merge(access::routes())
        .merge(devices::routes())
        .merge(plan::routes())
        .merge(tokens::routes())
        .merge(hooks::routes())
        .merge(operators::routes())
        .merge(wall::routes())
        .merge(account::routes())
        .merge(passkey::routes())
        .around(|pages| pages.fallback(async || Problem::not_found("there is nothing here")).layer(problems));
    pages.merge(assets::routes())
}

/// Refuses a rank that is lower where the thing is.
fn must_be(rank: Option<Role>, needed: Role) -> Result<(), Problem> {
    if rank >= Some(needed) {
        return Ok(());
    }
    Err(elsewhere(needed))
}

fn elsewhere(needed: Role) -> Problem {
    Problem::forbidden("elsewhere", "this needs a higher rank where it is").with("needs", needed.as_str())
}

impl Console {
    /// The page's surroundings for whoever asks: in the language of the cookie or the browser.
    fn page(&self, headers: &HeaderMap, operator: Option<Operator>) -> Page {
        let language = Language::of_request(headers);
        Page { language, operator, zone: self.zone.clone(), section: "" }
    }
}
