//! Controllers, their buses and boards, vision processes: what links them, how well, what they hold and how old all of it
//! is. What was said too long ago is not drawn as if it were so now.

mod certificates;
mod enrol;
mod firmware;
mod view;
mod window;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use doors::policy::published_version;
use kit::auth::{Operator, Role};
use kit::pki::Holder;
use kit::problem::Problem;
use kit::{Routes, Who};
use serde::Deserialize;
use uplink::sync::firmware::FILE_MAX;
pub(crate) use view::render;

use super::site::tree::said;
use super::{MANAGER, VIEWER};
use crate::Console;
use crate::form::Fields;
use crate::page::{Page, html};
use crate::sight::Sight;
use crate::view::{Scene, View};

const ADMINISTRATOR: Who = Who::AtLeast(Role::Administrator);

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    Routes::default()
        .get("/devices", VIEWER, all)
        .get("/devices/{device}", VIEWER, one)
        .get("/devices/enrol", ADMINISTRATOR, enrol::show)
        .post("/devices/enrol", ADMINISTRATOR, enrol::invite)
        .post("/devices/enrol/{code}/withdraw", ADMINISTRATOR, enrol::withdraw)
        .get("/devices/certificates", ADMINISTRATOR, certificates::show)
        .post("/devices/certificates/{serial}/revoke", ADMINISTRATOR, certificates::revoke)
        .post("/devices/{device}/install", MANAGER, window::open)
        .post("/devices/{device}/install/close", MANAGER, window::close)
        .get("/devices/firmware", ADMINISTRATOR, firmware::show)
        .post("/devices/firmware", ADMINISTRATOR, firmware::plan)
        .put("/devices/firmware/image", ADMINISTRATOR, firmware::put_image)
        .post("/devices/firmware/images/{image}/remove", ADMINISTRATOR, firmware::remove_image)
        .post("/devices/firmware/keys", ADMINISTRATOR, firmware::add_key)
        .post("/devices/firmware/keys/{key}/remove", ADMINISTRATOR, firmware::remove_key)
        .post("/devices/firmware/plans/{plan}/stop", ADMINISTRATOR, firmware::stop)
        .around(|routes| routes.layer(DefaultBodyLimit::max(FILE_MAX as usize + 1024)))
}

/// What is wrong with a form, and in which field.
struct Fault {
    field: &'static str,
    words: String,
}

#[derive(Template)]
#[template(path = "devices/page.html")]
struct Devices {
    page: Page,
    title: String,
    is_one: bool,
    /// Where a controller's names are changed; nowhere for whoever may not.
    edit: Option<String>,
    may_change: bool,
    said: Option<String>,
    /// The form that lets new boards be given their keys; of one controller alone.
    window: Option<window::Form>,
    /// The newest policy there is.
    version: u64,
    after: u64,
    now: i64,
    view: (&'static str, String),
    state: String,
}

impl Devices {
    fn title(&self) -> &str {
        &self.title
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    said: String,
}

async fn all(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("devices");
    let title = page.say("devices-page").into_owned();
    let said = said(&page, &asked.said);
    let devices = shown(&console, page, View::Devices, title, None, said, None).await?;
    Ok(html(StatusCode::OK, &devices))
}

async fn one(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(device): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("devices");
    let said = said(&page, &asked.said);
    one_with(&console, page, device, said, None).await
}

/// The page of one device, with what was typed in its form and is wrong.
async fn one_with(
    console: &Console,
    page: Page,
    device: String,
    said: Option<String>,
    typed: Option<(Fields, Fault)>,
) -> Result<Response, Problem> {
    let sight = Sight::load(&console.kit, page.ranks()?).await?;
    let mut directory = crate::directory::load(&console.kit, page.language, &[]).await?;
    directory.narrow(&sight);
    let is_heard = sight.sees_device(&device) && console.kit.live().all().contains_key(&device);
    if !directory.controllers.contains_key(&device) && !is_heard {
        return Err(Problem::not_found("there is no such device"));
    }
    let title = directory.device(&page, &device);
    let edit = match Holder::parse(&device) {
        Some(Holder::Controller(id)) if directory.controllers.contains_key(&device) => {
            Some(format!("/site/controllers/{id}/edit"))
        }
        Some(Holder::Controller(_) | Holder::Vision(_) | Holder::Server | Holder::Web | Holder::Broker)
        | None => None,
    };
    let status = if typed.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let window = window::Form::of(&page, &directory, &device, console.kit.live().all().get(&device), typed);
    let devices = shown(console, page, View::Device(device), title, edit, said, window).await?;
    Ok(html(status, &devices))
}

async fn shown(
    console: &Console,
    page: Page,
    view: View,
    title: String,
    edit: Option<String>,
    said: Option<String>,
    window: Option<window::Form>,
) -> Result<Devices, Problem> {
    let may_change = page.is_at_site(Role::Manager);
    let after = kit::journal::newest(console.kit.read()).await?;
    let scene = Scene::load(&console.kit, page.language, &view, &[], page.ranks()?).await?;
    let now = console.kit.now();
    Ok(Devices {
        title,
        is_one: matches!(view, View::Device(_)),
        edit: edit.filter(|_| may_change),
        may_change,
        said,
        window: window.filter(|_| may_change),
        version: published_version(&console.kit).await?.0,
        after,
        now,
        state: view.render(&page, &scene, &scene.devices(&console.kit), &BTreeMap::new(), now),
        view: view.words(),
        page,
    })
}
