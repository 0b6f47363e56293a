//! Floor plans: every door where it stands, with how it stands; the plan itself and where doors are on it.

mod edit;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::ids::AreaId;
use doors::plan::{self, PARTS, Plan, Point, UPLOAD_MAX};
use doors::survey::Thing;
use kit::Routes;
use kit::auth::{Operator, Role};
use kit::live::Heard;
use kit::problem::Problem;
use people::word::Word;
use serde::Deserialize;

use super::site::tree::said;
use super::{MANAGER_THERE, VIEWER};
use crate::Console;
use crate::page::{Page, html};
use crate::sheet::name_of;
use crate::sight::Sight;
use crate::state::{DoorView, Level, door_view};
use crate::view::{Scene, View};

/// The routes of this folder.
pub(super) fn routes() -> Routes<Console> {
    let upload = Routes::default()
        .put("/plan/{floor}/picture", MANAGER_THERE, edit::put_picture)
        .around(|upload| upload.layer(DefaultBodyLimit::max(UPLOAD_MAX)));
    Routes::default()
        .get("/plan/{floor}", VIEWER, show)
        .get("/plan/{floor}/picture", VIEWER, picture)
        .get("/plan/{floor}/edit", MANAGER_THERE, edit::show)
        .post("/plan/{floor}/edit", MANAGER_THERE, edit::stand)
        .post("/plan/{floor}/remove", MANAGER_THERE, edit::remove)
        .merge(upload)
}

#[derive(Template)]
#[template(path = "plan/page.html")]
struct PlanPage {
    page: Page,
    id: u64,
    name: String,
    may_change: bool,
    said: Option<String>,
    /// The other floors that have a plan.
    others: Vec<(u64, String)>,
    after: u64,
    now: i64,
    view: (&'static str, String),
    state: String,
}

impl PlanPage {
    fn title(&self) -> String {
        self.name.clone()
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    said: String,
}

async fn show(
    State(console): State<Console>,
    operator: Operator,
    headers: HeaderMap,
    Path(floor): Path<u64>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let page = console.page(&headers, Some(operator)).at("site");
    let floor = AreaId(floor);
    let view = View::Plan(floor);
    let after = kit::journal::newest(console.kit.read()).await?;
    let scene = Scene::load(&console.kit, page.language, &view, &[], page.ranks()?).await?;
    if !scene.plans.contains_key(&floor) {
        return Err(Problem::not_found("this floor has no plan"));
    }
    let now = console.kit.now();
    let named = |floor: &AreaId| (floor.0, way(&page, &scene, *floor));
    let plan_page = PlanPage {
        id: floor.0,
        name: way(&page, &scene, floor),
        may_change: scene.sight.reach.in_area(floor) >= Some(Role::Manager),
        said: said(&page, &asked.said),
        others: scene.plans.keys().filter(|it| **it != floor).map(named).collect(),
        after,
        now,
        state: view.render(&page, &scene, &scene.devices(&console.kit), &BTreeMap::new(), now),
        view: view.words(),
        page,
    };
    Ok(html(StatusCode::OK, &plan_page))
}

/// The picture itself. Its address changes with it, so that a browser may keep it.
async fn picture(
    State(console): State<Console>,
    operator: Operator,
    Path(floor): Path<u64>,
) -> Result<Response, Problem> {
    let sight = Sight::load(&console.kit, &operator.ranks).await?;
    if sight.reach.in_area(AreaId(floor)).is_none() {
        return Err(Problem::not_found("this floor has no plan"));
    }
    let found = plan::picture(&console.kit, AreaId(floor)).await?;
    let picture = found.ok_or_else(|| Problem::not_found("this floor has no plan"))?;
    let headers = [
        (header::CONTENT_TYPE, picture.media.word()),
        (header::CACHE_CONTROL, "private, max-age=86400"),
        (header::CONTENT_DISPOSITION, "inline"),
    ];
    Ok((headers, picture.bytes).into_response())
}

/// A floor with the building around it: `主楼 · 一层`.
fn way(page: &Page, scene: &Scene, floor: AreaId) -> String {
    let areas = scene.survey.around(floor).into_iter().rev();
    let names: Vec<_> = areas.map(|id| name_of(page, &scene.survey, Thing::Area(id))).collect();
    names.join(" · ")
}

/// A plan as it is drawn: its own units, and how large a mark is in them.
struct Sheet {
    floor: u64,
    width: u32,
    height: u32,
    /// The picture's version, in its address.
    version: i64,
    /// Units of the plan for one of a mark: a plan is drawn a thousand wide.
    unit: f64,
}

/// A door on the plan.
struct Mark {
    door: DoorView,
    x: f64,
    y: f64,
}

#[derive(Template)]
#[template(path = "plan/state.html")]
struct PlanState<'a> {
    page: &'a Page,
    now: i64,
    sheet: Sheet,
    name: String,
    marks: Vec<Mark>,
    /// Doors of the floor that stand nowhere on it.
    others: Vec<DoorView>,
    unplaced: usize,
}

impl Sheet {
    fn new(floor: AreaId, plan: &Plan) -> Self {
        let (width, height) = (plan.width, plan.height);
        let unit = f64::from(width.max(height)) / 1000.0;
        Self { floor: floor.0, width, height, version: plan.stored_at, unit }
    }

    fn at(&self, point: Point) -> (f64, f64) {
        let part = |part: u16, side: u32| f64::from(part) / f64::from(PARTS) * f64::from(side);
        (part(point.x, self.width), part(point.y, self.height))
    }
}

/// The moving part of the page.
pub(crate) fn render(
    page: &Page,
    scene: &Scene,
    devices: &BTreeMap<String, Heard>,
    floor: AreaId,
    now: i64,
) -> String {
    let Some(plan) = scene.plans.get(&floor) else { return String::new() };
    let sheet = Sheet::new(floor, plan);
    let view = |id: u64| {
        let door = scene.directory.doors.get(&id)?;
        Some(door_view(page, door, devices.get(&door.controller), now))
    };
    let marks = scene.standing.iter().filter_map(|(id, point)| {
        let (x, y) = sheet.at(*point);
        Some(Mark { door: view(id.0)?, x, y })
    });
    let marks: Vec<_> = marks.collect();
    let stands = |id: u64| scene.standing.iter().any(|(own, _)| own.0 == id);
    let others = scene.survey.doors_of_floor(floor).filter(|(id, _)| !stands(id.0));
    let others: Vec<_> = others.filter_map(|(id, _)| view(id.0)).collect();
    let (name, unplaced) = (way(page, scene, floor), others.len());
    PlanState { page, now, sheet, name, marks, others, unplaced }.render().unwrap_or_default()
}
